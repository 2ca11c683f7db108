//! Whoever is listed: what he is told, what proves that an address is his, and how he gets off.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::console::api::{LookedUp, PublicListing, Removal, RemovalFault, Way};
use ::console::{RemovalDesk, Requester};
use ::resolver::io::{Servers, system_servers};
use ::resolver::{Data, Question, Reply};
use base::{Address, ListId, Listing, Maker, Network, Subject, Timestamp};
use listings::removal::{Quota, around, next_removal};
use rules::ReverseName;
use sha2::{Digest, Sha256};
use tracing::{info, warn};

use super::{Node, peer, views};
use crate::clock;
use crate::config::{self, Config};

/// Who takes listings back this way, in the journal.
const BY: &str = "its owner";

/// Questions about listings that one network may ask in an hour.
const LOOK_UPS_MAX: u32 = 600;

/// Removals that one address may ask for in an hour, with or without success.
const REQUESTS_EACH_MAX: u32 = 10;

/// Removals that all of one network may ask for in an hour: of their own addresses, and of those of others.
const REQUESTS_MAX: u32 = 20;

/// Removals within one network in a day: somebody who buys a /24 does not wash it.
const REMOVALS_MAX: u32 = 16;

/// How long a removal waits for a reverse name that is asked again.
const NAME_PATIENCE: Duration = Duration::from_secs(4);

/// How often it looks whether that has come.
const NAME_LOOK: Duration = Duration::from_millis(50);

/// Removals of an address that are looked at.
const HISTORY_MAX: usize = 500;

/// Days for which a token is taken after the one on which it was given out: reverse zones are slow.
const TOKEN_DAYS: u64 = 7;

const DAY_MILLIS: u64 = 86_400_000;

/// The desk for whoever is listed.
pub(crate) struct Desk {
    node: Arc<Node>,
    settings: config::Removal,
    secret: [u8; 16],
    servers: Option<(Servers, usize)>,
    quotas: Mutex<Quotas>,
}

struct Quotas {
    look_ups: Quota,
    requests_each: Quota,
    requests: Quota,
    requests_for_others: Quota,
    removals: Quota,
}

impl Quotas {
    fn new() -> Self {
        let hour = Duration::from_hours(1);
        Self {
            look_ups: Quota::new(LOOK_UPS_MAX, hour),
            requests_each: Quota::new(REQUESTS_EACH_MAX, hour),
            requests: Quota::new(REQUESTS_MAX, hour),
            requests_for_others: Quota::new(REQUESTS_MAX, hour),
            removals: Quota::new(REMOVALS_MAX, Duration::from_hours(24)),
        }
    }

    /// Counts a request to take the address off, first against whoever asks alone, so that he uses up nothing of his
    /// neighbours'; nor do those who ask for others use up what is left for whoever asks for himself.
    fn ask(&mut self, now: Timestamp, requester: Address, address: Address) -> Result<(), (Network, Duration)> {
        let (alone, all) = (requester.aggregate(), around(requester));
        let is_own = address.aggregate() == alone;
        let shared = if is_own { &mut self.requests } else { &mut self.requests_for_others };
        self.requests_each.take(now, alone).map_err(|wait| (alone, wait))?;
        shared.take(now, all).map_err(|wait| (all, wait))
    }
}

/// What somebody is told who has to wait because of his network.
fn too_many(network: Network, wait: Duration) -> RemovalFault {
    let message = format!("too many requests about or from {network}; come back in {} min", minutes(wait));
    RemovalFault::Later(wait.as_secs().max(1), message)
}

/// What became of requests to take an address off.
#[derive(Debug, Default)]
pub(super) struct Tallies([AtomicU64; Self::ENDS.len()]);

impl Tallies {
    /// The ends of a request, as metrics call them.
    const ENDS: [&str; 5] = ["done", "bad", "unproven", "refused", "later"];

    fn note(&self, result: &Result<Removal, RemovalFault>) {
        let end = match result {
            Ok(_) => 0,
            Err(RemovalFault::Bad(_)) => 1,
            Err(RemovalFault::Unproven(_)) => 2,
            Err(RemovalFault::Refused(_)) => 3,
            Err(RemovalFault::Later(..)) => 4,
        };
        self.0[end].fetch_add(1, Ordering::Relaxed);
    }

    /// The counts by their ends.
    pub(super) fn read(&self) -> impl Iterator<Item = (String, u64)> {
        Self::ENDS.iter().zip(&self.0).map(|(end, count)| ((*end).to_owned(), count.load(Ordering::Relaxed)))
    }
}

/// What proves that an address is the requester's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// He comes from it.
    Address,
    /// The token is in its reverse zone.
    Token,
}

impl Desk {
    /// A desk for that node; none if the configuration wants none.
    pub(crate) fn new(config: &Config, node: &Arc<Node>) -> Option<Arc<Self>> {
        let settings = config.removal.clone()?;
        let asked = &config.resolver;
        let servers = if asked.servers.is_empty() { system_servers() } else { Ok(asked.servers.clone()) };
        let servers = servers.and_then(|all| Ok((Servers::new(&all, asked.timeout, asked.in_flight)?, all.len())));
        let servers = servers.inspect_err(|error| warn!(%error, "no token in a reverse zone can be looked for")).ok();
        let secret = node.secret;
        let quotas = Mutex::new(Quotas::new());
        Some(Arc::new(Self { node: Arc::clone(node), settings, secret, servers, quotas }))
    }

    /// Counts a request against the network that it comes from, or one that it is about.
    fn count(&self, network: Network, of: fn(&mut Quotas) -> &mut Quota) -> Result<(), RemovalFault> {
        let mut quotas = self.quotas.lock().unwrap_or_else(PoisonError::into_inner);
        of(&mut quotas).take(clock::now(), network).map_err(|wait| too_many(network, wait))
    }

    fn requester(&self, from: Requester<'_>) -> Result<Address, RemovalFault> {
        let unknown = || RemovalFault::Bad("nobody can tell where this request comes from".to_owned());
        peer::client(Some(from.peer), from.forwarded, &self.settings.proxies).ok_or_else(unknown)
    }

    /// The listings of published lists that hold the address.
    fn listings(&self, address: Address) -> Vec<(Listing, Way)> {
        let about = self.node.book.about(&address.aggregate().into()).into_iter();
        let published = about.filter(|listing| self.node.names.is_published(listing.list));
        published
            .map(|listing| {
                let way = self.way(address, &listing);
                (listing, way)
            })
            .collect()
    }

    /// How a listing ends before its time.
    fn way(&self, address: Address, listing: &Listing) -> Way {
        let may_leave = |list: ListId| {
            let name = self.node.names.list(list);
            self.settings.lists.as_ref().map_or(name != config::KEPT, |lists| lists.iter().any(|of| of == name))
        };
        if listing.subject != Subject::Network(address.aggregate()) || !may_leave(listing.list) {
            return Way::Operator;
        }
        match &listing.maker {
            Maker::Person { .. } if self.settings.manual => Way::Proof,
            Maker::Person { .. } => Way::Operator,
            Maker::Rule(rule) => match self.node.engine.reverse_of(*rule) {
                Some(ReverseName::Dynamic | ReverseName::Missing) => Way::ReverseName,
                Some(ReverseName::Proper) | None => Way::Proof,
            },
        }
    }

    fn public(&self, address: Address) -> Vec<PublicListing> {
        let view = |(listing, way): (Listing, Way)| {
            let view = views::listing(&self.node.names, &listing);
            let is_rule = matches!(listing.maker, Maker::Rule(_));
            PublicListing {
                subject: view.subject,
                list: view.list,
                since: view.since,
                until: view.until,
                // What a person wrote was written for colleagues.
                reason: if is_rule { view.reason } else { "listed by the operator".to_owned() },
                removal: way,
            }
        };
        self.listings(address).into_iter().map(view).collect()
    }

    /// What whoever owns the reverse zone of the party puts there on some day.
    fn token(&self, party: Network, day: u64) -> String {
        let mut hasher = Sha256::new();
        hasher.update(self.secret);
        hasher.update(b"removal");
        hasher.update(party.to_string());
        hasher.update(day.to_le_bytes());
        let digest = hasher.finalize();
        "ratter-"
            .chars()
            .chain(digest.iter().take(10).flat_map(|byte| [byte >> 4, byte & 15]).map(hexadecimal))
            .collect()
    }

    /// Whether a token of these days is in the reverse zone, asked of each server in turn.
    fn is_token_there(&self, now: Timestamp, address: Address) -> bool {
        let Some((servers, count)) = &self.servers else { return false };
        let party = address.aggregate();
        let today = now.as_millis() / DAY_MILLIS;
        let tokens: Vec<String> = (0..=TOKEN_DAYS).map(|back| self.token(party, today.saturating_sub(back))).collect();
        let names = token_names(address);
        let ask = async {
            for server in 0..*count {
                let texts = names.iter().map(|name| Question::Texts(name));
                for question in texts.chain([Question::Names(address.ip())]) {
                    if let Reply::Records { data, .. } = servers.ask(&question, server).await
                        && data.iter().any(|data| tokens.iter().any(|token| says(data, token)))
                    {
                        return true;
                    }
                }
            }
            false
        };
        // The caller's thread is one of those that may wait.
        tokio::runtime::Handle::current().block_on(ask)
    }

    /// When the party may be taken off next, if it was before.
    fn wait(&self, now: Timestamp, party: Network) -> Option<Timestamp> {
        // The audit has removals alone: in the journal they are lost among what else becomes of an address.
        let removals = self.node.store.audits_about(BY, &party.into(), HISTORY_MAX).unwrap_or_default();
        next_removal(now, removals.iter().map(|audited| audited.at))
    }

    /// Has the reverse name asked again, and waits a little for what comes of it.
    fn ask_name_again(&self, address: Address) {
        let rests_on_name = || self.listings(address).iter().any(|(_, way)| *way == Way::ReverseName);
        if !self.node.resolver().is_some_and(|resolver| resolver.want(address, true)) {
            return;
        }
        let mut waited = Duration::ZERO;
        while waited < NAME_PATIENCE && rests_on_name() {
            std::thread::sleep(NAME_LOOK);
            waited += NAME_LOOK;
        }
        // One removal that was asked for is no mass change, for which the brake has it wait.
        let (party, waiting) = (address.aggregate().into(), self.listings(address).into_iter());
        for (listing, _) in waiting.filter(|(_, way)| *way == Way::ReverseName) {
            self.node.book.end_held(clock::now(), &party, listing.list);
        }
    }

    /// Takes off what may be, for whoever proved that the address is his.
    fn take_off(&self, now: Timestamp, requester: Address, address: Address) -> Result<Vec<String>, RemovalFault> {
        let party = address.aggregate();
        let proof = if requester.aggregate() == party {
            Proof::Address
        } else if self.is_token_there(now, address) {
            Proof::Token
        } else {
            let message = format!(
                "nothing proves that {address} is yours: ask from it, or put `{}` into its reverse zone",
                self.token(party, now.as_millis() / DAY_MILLIS)
            );
            return Err(RemovalFault::Unproven(message));
        };
        if let Some(next) = self.wait(now, party) {
            let message = format!("{party} was taken off before; the next time is {}", views::time(next));
            return Err(RemovalFault::Later(next.since(now).as_secs().max(1), message));
        }
        self.count(around(address), |quotas| &mut quotas.removals)?;
        let mut removed = Vec::new();
        for (listing, _) in self.listings(address).into_iter().filter(|(_, way)| *way == Way::Proof) {
            if !self.node.book.unlist(now, &party.into(), Some(listing.list), BY).is_empty() {
                removed.push(self.node.names.list(listing.list).to_owned());
            }
        }
        self.node.engine.taken_back(party);
        let proof = match proof {
            Proof::Address => "comes from it",
            Proof::Token => "has the token in its reverse zone",
        };
        let lists = removed.join(", ");
        info!(%party, %requester, lists, proof, "taken off by its owner");
        if !removed.is_empty() {
            self.node.store.audit(BY, &format!("{party}: off {lists}; {requester} {proof}"));
        }
        self.node.save();
        Ok(removed)
    }
}

impl RemovalDesk for Desk {
    fn look_up(&self, from: Requester<'_>, address: Option<&str>) -> Result<LookedUp, RemovalFault> {
        let requester = self.requester(from)?;
        self.count(around(requester), |quotas| &mut quotas.look_ups)?;
        let address = about(address, requester)?;
        let party = address.aggregate();
        let token = self.token(party, clock::now().as_millis() / DAY_MILLIS);
        let texts = token_names(address).into_iter().map(|name| format!("{name}. TXT \"{token}\""));
        let pointer = format!("{}. PTR {token}.example.org.", reverse_name(address.ip()));
        Ok(LookedUp {
            address: address.to_string(),
            is_yours: requester.aggregate() == party,
            listings: self.public(address),
            records: texts.chain([pointer]).collect(),
            token,
        })
    }

    fn remove(&self, from: Requester<'_>, address: Option<&str>) -> Result<Removal, RemovalFault> {
        let result = self.requester(from).and_then(|requester| {
            let address = about(address, requester)?;
            let mut quotas = self.quotas.lock().unwrap_or_else(PoisonError::into_inner);
            quotas.ask(clock::now(), requester, address).map_err(|(network, wait)| too_many(network, wait))?;
            drop(quotas);
            // Whoever asks too often is counted alone, so that he fills no log.
            self.decide(requester, address)
                .inspect_err(|fault| info!(%requester, %address, why = fault.message(), "not taken off"))
        });
        self.node.removals.note(&result);
        result
    }
}

impl Desk {
    fn decide(&self, requester: Address, address: Address) -> Result<Removal, RemovalFault> {
        let now = clock::now();
        let before = self.listings(address);
        let has = |way: Way| before.iter().any(|(_, of)| *of == way);
        if has(Way::ReverseName) {
            self.ask_name_again(address);
        }
        let still = self.listings(address);
        let mut removed: Vec<String> = before
            .iter()
            .filter(|(listing, _)| !still.iter().any(|(other, _)| other.list == listing.list))
            .map(|(listing, _)| self.node.names.list(listing.list).to_owned())
            .collect();
        if has(Way::Proof) {
            match self.take_off(now, requester, address) {
                Ok(off) => removed.extend(off),
                // What the reverse name has freed is told all the same.
                Err(_) if !removed.is_empty() => {}
                Err(fault) => return Err(fault),
            }
        } else if removed.is_empty() && !before.is_empty() {
            let why = if has(Way::ReverseName) {
                format!("the reverse name of {address} is still none, or one of a dial-up line; give it a proper one")
            } else {
                format!("{address} is not taken off this way; write to the operator of the list")
            };
            return Err(RemovalFault::Refused(why));
        }
        Ok(Removal { address: address.to_string(), removed, left: self.public(address) })
    }
}

/// The address that is asked about.
fn about(address: Option<&str>, requester: Address) -> Result<Address, RemovalFault> {
    match address.map(str::trim).filter(|text| !text.is_empty()) {
        None => Ok(requester),
        Some(text) => text.parse().map_err(|_| RemovalFault::Bad("that is no address".to_owned())),
    }
}

/// Whether a record of the reverse zone is that token: a text, or the first label of a name.
fn says(data: &Data, token: &str) -> bool {
    match data {
        Data::Text(text) => text.trim() == token,
        Data::Name(name) => name.split('.').next().is_some_and(|label| label.eq_ignore_ascii_case(token)),
        Data::Alias(_) | Data::Address(_) | Data::Exchange(_) => false,
    }
}

/// The names at which a text may stand: that of the address, and for IPv6 that of its /64.
fn token_names(address: Address) -> Vec<String> {
    let name = reverse_name(address.ip());
    let wide = address.ip().is_ipv6().then(|| name.chars().skip(32).collect());
    core::iter::once(name).chain(wide).collect()
}

/// The name of an address under `in-addr.arpa` or `ip6.arpa` (RFC 1035 section 3.5, RFC 3596 section 2.5), without last dot.
fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(v6) => {
            let nibbles = v6.octets().into_iter().rev().flat_map(|byte| [byte & 15, byte >> 4]);
            nibbles.flat_map(|nibble| [hexadecimal(nibble), '.']).collect::<String>() + "ip6.arpa"
        }
    }
}

fn hexadecimal(nibble: u8) -> char {
    char::from_digit(nibble.into(), 16).unwrap_or('0')
}

fn minutes(span: Duration) -> u64 {
    span.as_secs().div_ceil(60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reverse_names() {
        let names = |text: &str| token_names(text.parse().unwrap());
        assert_eq!(names("192.0.2.7"), ["7.2.0.192.in-addr.arpa"]);
        let v6 = names("2001:db8:1:2::abcd");
        assert_eq!(v6[0], format!("d.c.b.a.{}2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "0.".repeat(12)));
        assert_eq!(v6[1], "2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
    }

    #[test]
    fn a_record_is_the_token_or_no_proof() {
        let token = "ratter-0123abcd";
        let cases = [
            (Data::Text(token.into()), true),
            (Data::Text(format!(" {token} ").into()), true),
            (Data::Text(token.to_uppercase().into()), false),
            (Data::Text(format!("{token}0").into()), false),
            (Data::Text(format!("v=x {token}").into()), false),
            (Data::Text("".into()), false),
            (Data::Name(format!("{token}.example.net").into()), true),
            (Data::Name(format!("{}.example.net", token.to_uppercase()).into()), true),
            (Data::Name(token.into()), true),
            (Data::Name(format!("mail.{token}.example.net").into()), false),
            (Data::Name(format!("{token}0.example.net").into()), false),
            // An alias of whoever writes another zone.
            (Data::Alias(format!("{token}.example.net").into()), false),
        ];
        for (data, wanted) in cases {
            assert_eq!(says(&data, token), wanted, "{data:?}");
        }
    }

    #[test]
    fn who_asks_for_others_uses_up_nothing_of_his_neighbours() {
        let (mut quotas, now) = (Quotas::new(), Timestamp::from_secs(1_795_000_000));
        let address = |text: &str| text.parse::<Address>().unwrap();
        let others = |quotas: &mut Quotas, from: &str, many: usize| {
            (0..many).filter(|_| quotas.ask(now, address(from), address("198.51.100.1")).is_ok()).count()
        };
        let got = ["203.0.113.1", "203.0.113.2", "203.0.113.3"].map(|from| others(&mut quotas, from, 30));
        assert_eq!(got, [10, 10, 0]);
        let own = (4..34).filter(|last| {
            let own = address(&format!("203.0.113.{last}"));
            quotas.ask(now, own, own).is_ok()
        });
        assert_eq!(own.count(), 20);
    }
}
