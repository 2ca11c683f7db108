//! The DNS server of the published lists: started from the configuration, and what the console sees of it.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use ::console::api::{DnsblStatus, Fault, KeyView, KeyWish, MirrorStatus, NewKey, RevokeWish, TransferStatus};
use ::console::metrics::Metric;
use anyhow::{Context as _, anyhow};
use base::Timestamp;
use dnsbl::access::{Access, AccessSettings, KeySecret};
use dnsbl::io::{Asked, FeedServer, Server};
use dnsbl::mirror::{MirrorState, Mirrors};
use dnsbl::serve::{Outcome, Responder, Shield, Totals, Zones};
use dnsbl::transfer::{History, TransferTotals, Transfers, forms};
use gates::io::{Listener, Place, Spot, lasting};
use listings::Book;
use store::{KeptKey, KeptZone};

use super::clients::Clients;
use super::keys::Keys;
use super::statics::{FileZones, static_files};
use super::{Node, convert, random, tls};
use crate::clock;
use crate::config::{Config, Dnsbl};

/// Most keys that metrics tell apart, the busiest first; all of them are in `ratter key list`.
const KEYS_SHOWN_MAX: usize = 1000;

/// The running DNS server and what belongs to it.
pub(super) struct DnsblOutlet {
    origin: String,
    server: Server,
    responder: Arc<Responder>,
    keys: Keys,
    files: Option<FileZones>,
    feed: Option<FeedServer>,
    clients: Option<Clients>,
    /// The zones that can be transferred.
    zones: Vec<KeptZone>,
    _tls: Option<tls::Watch>,
}

/// What the server needs to know that was kept.
pub(super) struct Kept {
    pub(super) secret: [u8; 16],
    pub(super) keys: Vec<KeptKey>,
    pub(super) history: Option<Arc<History>>,
    /// The zones that the process before this one could transfer, and the number from which this one goes on.
    pub(super) zones: Vec<KeptZone>,
    pub(super) begun: u64,
}

impl DnsblOutlet {
    /// Starts the server that the configuration describes. It answers when this returns.
    pub(super) fn start(config: &Config, settings: &Dnsbl, book: &Arc<Book>, kept: Kept) -> anyhow::Result<Self> {
        let zones = Zones::new(&convert::dnsbl_settings(config, settings)).map_err(|faults| cannot_serve(&faults))?;
        let state = &config.node.state;
        let files = settings.statics.as_ref().map(|statics| FileZones::start(statics, &zones, state)).transpose()?;
        let statics = files.as_ref().map(FileZones::statics);
        let secret = KeySecret::new(kept.secret);
        let random = || random::octets().context("the system has no randomness");
        let mut cookie_secrets = settings.cookie_secrets.expose().to_vec();
        if cookie_secrets.is_empty() {
            cookie_secrets.push(random()?);
        }
        let access = AccessSettings { zones: settings.access.clone(), cookie_secrets };
        let access = Access::new(&zones, statics.map(Arc::as_ref), &access, secret, random()?)
            .map_err(|faults| cannot_serve(&faults))?;
        let access = Arc::new(access);
        let keys = Keys::restore(Arc::clone(&access), secret, kept.keys);
        take_over(config.feed.iter().flat_map(|feed| &feed.listen));
        let feed = super::feed::start(config, book, &access, kept.history.as_ref())?;
        let clients = Clients::start(&config.resolver, &access, book)?;
        let mut responder = Responder::with_access(zones, access);
        if let Some(statics) = statics {
            responder = responder.with_statics(Arc::clone(statics));
        }
        if !settings.mirrors.is_empty() {
            let mirrors = Mirrors::new(settings.mirrors.iter().cloned()).map_err(|fault| cannot_serve(&[fault]))?;
            responder = responder.with_mirrors(Arc::new(mirrors));
        }
        responder = responder.with_shield(Shield::new(Arc::clone(book), settings.unfiltered.iter().cloned()));
        let mut zones_now = Vec::new();
        if let (Some(transfers), Some(history)) = (&settings.transfers, kept.history) {
            zones_now = zones_since(forms(responder.zones()), &kept.zones, kept.begun);
            let since = zones_now.iter().map(|zone| zone.since).collect();
            let transfers = Transfers::new(transfers.clone(), history).map_err(|faults| cannot_serve(&faults))?;
            let transfers = transfers.with_since(since);
            responder = responder.with_transfers(Arc::new(transfers));
        }
        let responder = Arc::new(responder);
        let of_tls = settings.tls.iter().flat_map(|tls| &tls.listen);
        take_over(settings.listen.iter().chain(of_tls));
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = settings.threads.unwrap_or(processors);
        let mut server = Server::start(&settings.listen, Arc::clone(&responder), book, threads)?;
        let tls = settings.tls.as_ref().map(|tls| tls::start(&mut server, tls, book)).transpose()?;
        Ok(Self {
            origin: settings.origin.clone(),
            server,
            responder,
            keys,
            files,
            feed,
            clients,
            zones: zones_now,
            _tls: tls,
        })
    }

    /// Ends answering, and gives the sockets for the program that takes this one's place.
    pub(super) fn hand_over(&self) -> io::Result<Vec<(Spot, OwnedFd)>> {
        let listener = |address, socket| Ok((Spot::Stream(Place::Tcp(address)), lasting(socket)?));
        let of_feed = self.feed.iter().flat_map(FeedServer::sockets).map(|(address, socket)| listener(address, socket));
        let asked = self.server.hand_over().iter().map(|(address, socket)| match socket {
            Asked::Udp(socket) => Ok((Spot::Datagrams(*address), lasting(socket)?)),
            Asked::Tcp(socket) => listener(*address, socket),
        });
        of_feed.chain(asked).collect()
    }

    /// The zones that can be transferred, for the next start.
    pub(super) fn zones(&self) -> &[KeptZone] {
        &self.zones
    }

    /// Has the reverse names looked up of clients that have asked where those are wanted.
    pub(super) fn look_up_clients(&self) {
        if let Some(clients) = &self.clients {
            clients.look_up();
        }
    }

    /// What was asked with keys since the last time, if it is time to keep it.
    pub(super) fn key_counts_due(&self, now: Timestamp) -> Vec<KeptKey> {
        self.keys.due(now)
    }

    /// What was asked with keys since the last time.
    pub(super) fn key_counts(&self) -> Vec<KeptKey> {
        self.keys.rest()
    }

    pub(super) fn status(&self) -> DnsblStatus {
        let statistics = self.server.statistics();
        let both = [&statistics.udp, &statistics.tcp];
        let sum = |value: &dyn Fn(&Totals) -> u64| both.iter().map(|totals| value(totals)).sum();
        let transfers = |totals: TransferTotals| TransferStatus {
            whole: totals.whole,
            incremental: totals.incremental,
            refused: totals.refused + totals.bad_signatures,
            notified: totals.notified,
            unheard: totals.unheard,
        };
        DnsblStatus {
            origin: self.origin.clone(),
            listen: self.server.local_addrs().iter().map(ToString::to_string).collect(),
            tls: self.server.tls_addrs().iter().map(ToString::to_string).collect(),
            queries: sum(&Totals::messages),
            listed: sum(&|totals| totals.outcome(Outcome::Listed)),
            denied: sum(&|totals| totals.outcome(Outcome::Denied)),
            keys: self.keys.in_force(),
            transfers: self.responder.transfers().map(|own| transfers(own.totals())),
            files: self.files.as_ref().map(FileZones::status).unwrap_or_default(),
            mirrors: self.mirrors().into_iter().map(mirror_status).collect(),
        }
    }

    fn mirrors(&self) -> Vec<MirrorState> {
        self.responder.mirrors().map(|mirrors| mirrors.states()).unwrap_or_default()
    }

    /// What somebody should look at.
    pub(super) fn warnings(&self) -> Vec<String> {
        let files = self.files.as_ref().map(FileZones::warnings).unwrap_or_default();
        let mirrors = self.mirrors().into_iter();
        let mirrors = mirrors.filter_map(|mirror| Some(format!("mirrored zone {}: {}", mirror.zone, mirror.fault?)));
        let tls = self.server.identity().and_then(|identity| tls::fault(identity));
        let ahead = self.server.statistics().transfers.ahead.map(|theirs| {
            let (theirs, wanted) = (u64::from(theirs), u64::from(theirs) + 1);
            format!(
                "a secondary has the serial {theirs}, which is newer than this node's: it takes no change from here; \
                 `serial-min = {wanted}` in [dnsbl] and a start go on behind it"
            )
        });
        files.into_iter().chain(mirrors).chain(tls).chain(ahead).collect()
    }

    pub(super) fn metrics(&self, node: &Node) -> Vec<Metric> {
        let statistics = self.server.statistics();
        let sum = |value: &dyn Fn(&Totals) -> u64| value(&statistics.udp) + value(&statistics.tcp);
        let outcomes = Outcome::ALL.map(|outcome| (outcome.name().to_owned(), sum(&|totals| totals.outcome(outcome))));
        let lists = || node.names.lists().filter_map(|(id, info)| Some((id, info, info.code?)));
        let listed: Vec<_> = lists().map(|(id, info, _)| (info.name.clone(), sum(&|totals| totals.list(id)))).collect();
        let mut codes: BTreeMap<_, _> = lists().map(|(id, _, code)| (code, sum(&|totals| totals.list(id)))).collect();
        for (code, count) in statistics.udp.codes().chain(statistics.tcp.codes()) {
            *codes.entry(code).or_default() += count;
        }
        let other = Ipv4Addr::UNSPECIFIED;
        let name = |code: Ipv4Addr| if code == other { "other".to_owned() } else { code.to_string() };
        let codes: Vec<_> = codes.into_iter().map(|(code, count)| (name(code), count)).collect();
        let refusals = statistics.udp.refusals().zip(statistics.tcp.refusals());
        let refusals: Vec<_> = refusals.map(|((name, udp), (_, tcp))| (name.to_owned(), udp + tcp)).collect();
        let by_zone = |outcome| -> Vec<_> {
            let zones = self.responder.zone_names().enumerate();
            zones.map(|(at, name)| (name.to_string(), sum(&|totals: &Totals| totals.zone(at, outcome)))).collect()
        };
        let mut metrics = vec![
            Metric::counter("dns_queries", "DNS queries, by what became of them", 0).by("outcome", outcomes),
            Metric::counter("dns_listed", "DNS answers that named a list", 0).by("list", listed),
            Metric::counter("dns_codes", "DNS answers with a code, of lists and of others", 0).by("code", codes),
            Metric::counter("dns_denied", "DNS queries of clients that may not ask, by the reason", 0)
                .by("reason", refusals),
            Metric::counter("dns_zone_listed", "DNS queries that found a listing, by zone", 0)
                .by("zone", by_zone(Outcome::Listed)),
            Metric::counter("dns_zone_unlisted", "DNS queries that found none, by zone", 0)
                .by("zone", by_zone(Outcome::Unlisted)),
        ];
        metrics.extend(self.key_metrics());
        metrics.extend(self.responder.transfers().map(|own| transfer_metrics(&own.totals())).into_iter().flatten());
        metrics.extend(self.file_metrics());
        metrics.extend(self.server.identity().into_iter().flat_map(|identity| tls::metrics(&statistics, identity)));
        metrics.extend(mirror_metrics(&self.mirrors()));
        metrics.extend(self.feed.iter().flat_map(super::feed::metrics));
        metrics
    }

    fn key_metrics(&self) -> Vec<Metric> {
        let mut keys = self.keys.views();
        keys.retain(|key| key.revoked.is_none());
        keys.sort_by_key(|key| core::cmp::Reverse(key.answered + key.refused));
        keys.truncate(KEYS_SHOWN_MAX);
        let by = |value: fn(&KeyView) -> u64| keys.iter().map(|key| (key.name.clone(), value(key))).collect::<Vec<_>>();
        vec![
            Metric::gauge("dns_keys", "Keys in force", self.keys.in_force() as u64),
            Metric::counter("dns_key_answered", "DNS queries answered, by key", 0).by("key", by(|key| key.answered)),
            Metric::counter("dns_key_refused", "DNS queries refused, by key", 0).by("key", by(|key| key.refused)),
        ]
    }

    fn file_metrics(&self) -> Vec<Metric> {
        let Some(files) = &self.files else { return Vec::new() };
        let status = files.status();
        let entries = status.iter().map(|zone| (zone.name.clone(), zone.entries.unwrap_or_default() as u64));
        let faulty = status.iter().map(|zone| (zone.name.clone(), u64::from(zone.fault.is_some())));
        let copies = status.iter().map(|zone| (zone.name.clone(), u64::from(zone.is_copy)));
        vec![
            Metric::gauge("dns_file_entries", "Entries of zones from files", 0).by("zone", entries),
            Metric::gauge("dns_file_faulty", "1 while newer files of the zone are not served because of a fault", 0)
                .by("zone", faulty),
            Metric::gauge("dns_file_copy", "1 while a copy from before the start is served for the zone", 0)
                .by("zone", copies),
        ]
    }
}

/// Has DNS listen with the sockets that were handed over.
fn take_over<'a>(listen: impl Iterator<Item = &'a SocketAddr>) {
    for address in listen {
        for socket in gates::io::take_datagrams(*address) {
            dnsbl::io::inherit(*address, Asked::Udp(socket));
        }
        if let Some(Listener::Tcp(listener)) = gates::io::take(&Place::Tcp(*address)) {
            dnsbl::io::inherit(*address, Asked::Tcp(listener));
        }
    }
}

/// The zones of these forms, each since it has this one: since the process before `begun` had it, or from `begun` on.
fn zones_since(forms: Vec<(String, u64)>, before: &[KeptZone], begun: u64) -> Vec<KeptZone> {
    let since = |name: &str, form| before.iter().find(|zone| zone.name == name && zone.form == form);
    let zone = |(name, form): (String, u64)| {
        let since = since(&name, form).map_or(begun, |zone| zone.since);
        KeptZone { name, form, since }
    };
    forms.into_iter().map(zone).collect()
}

fn mirror_status(state: MirrorState) -> MirrorStatus {
    MirrorStatus {
        name: state.zone,
        serial: state.serial,
        records: state.records,
        since: state.since.map(|since| since.to_string()),
        from: state.from.map(|from| from.to_string()),
        expires: state.expires.map(|expires| expires.to_string()),
        fault: state.fault,
    }
}

fn mirror_metrics(mirrors: &[MirrorState]) -> Vec<Metric> {
    if mirrors.is_empty() {
        return Vec::new();
    }
    let by = |value: fn(&MirrorState) -> u64| {
        mirrors.iter().map(|mirror| (mirror.zone.clone(), value(mirror))).collect::<Vec<_>>()
    };
    let sum = |value: fn(&MirrorState) -> u64| mirrors.iter().map(value).sum::<u64>();
    let ends = [
        ("whole", sum(|mirror| mirror.whole)),
        ("incremental", sum(|mirror| mirror.incremental)),
        ("current", sum(|mirror| mirror.current)),
        ("failed", sum(|mirror| mirror.failed)),
    ];
    let heard = [("heeded", sum(|mirror| mirror.announced)), ("refused", sum(|mirror| mirror.strangers))];
    vec![
        Metric::gauge("dns_mirror_records", "Records of mirrored zones", 0).by("zone", by(|mirror| mirror.records)),
        Metric::gauge("dns_mirror_bytes", "Octets of the records of mirrored zones", 0)
            .by("zone", by(|mirror| mirror.bytes)),
        Metric::gauge("dns_mirror_faulty", "1 while the last attempt to look for a newer zone has failed", 0)
            .by("zone", by(|mirror| u64::from(mirror.fault.is_some()))),
        Metric::counter("dns_mirror_attempts", "Attempts to look for newer zones, by what became of them", 0)
            .by("end", ends),
        Metric::counter("dns_mirror_announcements", "Announcements of others, by whether they were heeded", 0)
            .by("end", heard),
    ]
}

fn transfer_metrics(totals: &TransferTotals) -> Vec<Metric> {
    let ends = [
        ("whole", totals.whole),
        ("incremental", totals.incremental),
        ("current", totals.current),
        ("refused", totals.refused),
        ("bad-signature", totals.bad_signatures),
        ("shed", totals.shed),
        ("broken", totals.broken),
    ];
    let told = [("taken", totals.notified), ("unheard", totals.unheard)];
    vec![
        Metric::counter("dns_transfers", "Requests of secondaries, by what became of them", 0).by("end", ends),
        Metric::counter("dns_transfer_fallbacks", "Differences sent as whole zones", totals.fallen_back),
        Metric::counter("dns_transfer_bytes", "Octets sent to secondaries", totals.bytes),
        Metric::counter("dns_notifications", "Changes announced to secondaries, by what became of it", 0)
            .by("end", told),
    ]
}

impl Node {
    fn blocklist(&self) -> Result<&DnsblOutlet, Fault> {
        self.dnsbl()
            .ok_or_else(|| Fault::refused("this node publishes no lists: there is no [dnsbl] in its configuration"))
    }

    pub(super) fn keys(&self) -> Result<Vec<KeyView>, Fault> {
        Ok(self.blocklist()?.keys.views())
    }

    pub(super) fn make_key(&self, wish: &KeyWish) -> Result<NewKey, Fault> {
        super::console::check_person(&wish.person)?;
        let dnsbl = self.blocklist()?;
        let (made, kept) = dnsbl.keys.make(clock::now(), &dnsbl.origin, wish)?;
        self.keep_key(kept, &wish.person, &format!("key new {} for {}", wish.name, made.record.owner));
        Ok(made)
    }

    pub(super) fn revoke_key(&self, wish: &RevokeWish) -> Result<KeyView, Fault> {
        super::console::check_person(&wish.person)?;
        let keys = &self.blocklist()?.keys;
        let kept = keys.revoke(clock::now(), &wish.name, &wish.person);
        let kept = kept.ok_or_else(|| Fault::absent(format!("no key `{}` is in force", wish.name)))?;
        let view = super::keys::view(&kept);
        self.keep_key(kept, &wish.person, &format!("key revoke {}", wish.name));
        Ok(view)
    }

    fn keep_key(&self, kept: KeptKey, person: &str, what: &str) {
        self.store.push_keys(vec![kept]);
        self.store.audit(person, what);
        self.save();
    }

    /// Has the store keep what was asked with keys.
    pub(super) fn keep_key_counts(&self, of: impl Fn(&DnsblOutlet) -> Vec<KeptKey>) {
        let counted = self.dnsbl().map(of).unwrap_or_default();
        if !counted.is_empty() {
            self.store.push_keys(counted);
        }
    }
}

/// What would keep the server from starting although the configuration has no other fault: asked before a running node is
/// given up for a new one.
pub(crate) fn judge_dnsbl(config: &Config) -> anyhow::Result<()> {
    let Some(settings) = &config.dnsbl else { return Ok(()) };
    let zones = Zones::new(&convert::dnsbl_settings(config, settings)).map_err(|faults| cannot_serve(&faults))?;
    let files = settings.statics.as_ref().map(|statics| static_files(statics, &zones)).transpose()?;
    let statics = files.as_ref().map(|files| files.statics().as_ref());
    let access = AccessSettings { zones: settings.access.clone(), cookie_secrets: Vec::new() };
    Access::new(&zones, statics, &access, KeySecret::new([0; 16]), [0; 16]).map_err(|faults| cannot_serve(&faults))?;
    Mirrors::new(settings.mirrors.iter().cloned()).map_err(|fault| cannot_serve(&[fault]))?;
    Ok(())
}

/// The faults that the configuration's own checks let through.
pub(super) fn cannot_serve<E: ToString>(faults: &[E]) -> anyhow::Error {
    let faults = faults.iter().map(ToString::to_string).collect::<Vec<_>>();
    anyhow!("[dnsbl] cannot be served: {}", faults.join("; "))
}
