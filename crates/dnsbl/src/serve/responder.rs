//! From a query to its reply: a pure function of the zones, the snapshot and the query.

mod admission;
mod shield;

pub use shield::Shield;

use core::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use base::{Address, ListSet, Timestamp};
use listings::Snapshot;

use super::address::{Prefix, networks, v4_host, v6_host};
use super::counters::{Counters, Outcome};
use super::name::{Name, is_same};
use super::plain::Plan;
use super::query::{Cookie, Fault, Query, Stray, code};
use super::reply::{ExtendedError, Extras, REPLY_BYTES_MIN, Rcode, Reply, Section, header_and_opt, header_only};
use super::text::{AddressText, TEXT_BYTES_MAX};
use super::zones::{Host, Zone, Zones};
use crate::access::{Access, CLIENT_BYTES, KeySet, Permit, Portion, Reason, SERVER_BYTES, Verdict};
use crate::mirror::Mirrors;
use crate::statics::Statics;
use crate::transfer::Transfers;

/// How a query came, and so how large its reply may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// In a datagram. Replies have at most `max` octets (never below 512), and not more than the client takes.
    Udp {
        /// The largest reply in octets.
        max: u16,
    },
    /// In a stream, where a reply may have 65,535 octets.
    Tcp,
    /// In a stream that nobody else can read (RFC 7858): replies are padded, so that their length tells nothing.
    Tls,
}

impl Transport {
    /// Whether the client's address cannot be forged, and a reply may be large.
    pub(crate) const fn is_stream(self) -> bool {
        matches!(self, Self::Tcp | Self::Tls)
    }
}

/// Who asks, and how.
#[derive(Clone, Copy, Debug)]
pub struct Asker {
    /// The address that the query came from.
    pub address: Address,
    /// How it came.
    pub transport: Transport,
    /// When it came.
    pub now: Timestamp,
}

/// Answers queries. It may be shared by all threads.
#[derive(Debug)]
pub struct Responder {
    pub(super) zones: Zones,
    pub(super) plan: Plan,
    pub(super) access: Arc<Access>,
    transfers: Option<Arc<Transfers>>,
    /// The zones that are answered from files.
    statics: Option<Arc<Statics>>,
    /// The zones that are taken from other servers.
    mirrors: Option<Arc<Mirrors>>,
    /// Those of them that have a name of their own, for counters.
    foreign: Box<[Name]>,
    /// Whom those two do not show.
    shield: Option<Shield>,
}

/// What is known of a question besides its octets.
pub(super) struct Turn<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) asker: &'a Asker,
    pub(super) keys: &'a KeySet,
    pub(super) counters: &'a Counters,
    /// Its key has been judged, and counted, already.
    pub(super) is_admitted: bool,
}

/// What a reply was filled with.
struct Filled {
    outcome: Outcome,
    zone: Option<usize>,
    /// The zone whose limits of replies hold: the origin's for zones that are not the book's.
    limits: Option<usize>,
}

/// The extended error "not authoritative" (RFC 8914 section 4.21), which says enough without a text.
pub(crate) const NOT_AUTHORITATIVE: u16 = 20;

/// The extended error for who may not transfer a zone of the book.
pub(crate) const NO_TRANSFER: ExtendedError = (admission::PROHIBITED, "you may not transfer this zone");

/// The extended error "not supported" (RFC 8914 section 4.22).
const NOT_SUPPORTED: u16 = 21;

/// What a name in a zone of lists is.
enum Standing {
    /// A listed address, or a test entry.
    Listed(Address, ListSet),
    /// No address, but listed ones are below it (an empty non-terminal).
    Above,
    /// It does not exist.
    Nothing,
}

/// The zone that a question belongs to.
#[derive(Clone, Copy)]
struct Place<'a> {
    zone: &'a Zone,
    index: usize,
    /// Where the zone's name begins in the question's name.
    name: usize,
}

impl Responder {
    /// A responder for these zones, which answers everybody.
    pub fn new(zones: Zones) -> Self {
        let access = Access::open(&zones);
        Self::with_access(zones, Arc::new(access))
    }

    /// A responder that answers those whom `access`, which was made for these zones, lets ask.
    pub fn with_access(zones: Zones, access: Arc<Access>) -> Self {
        let plan = Plan::new(&zones, |zone| !access.is_particular(zone));
        Self {
            zones,
            plan,
            access,
            transfers: None,
            statics: None,
            mirrors: None,
            foreign: Box::default(),
            shield: None,
        }
    }

    /// The same responder with zones that are answered from files: a zone from files alone stands before every zone
    /// of the book that is not below it.
    #[must_use]
    pub fn with_statics(mut self, statics: Arc<Statics>) -> Self {
        self.statics = Some(statics);
        self.plan = self.new_plan();
        self.foreign = self.new_foreign();
        self
    }

    /// The same responder with zones that are taken from others: such a zone stands before every zone of the book that
    /// is not below it.
    #[must_use]
    pub fn with_mirrors(mut self, mirrors: Arc<Mirrors>) -> Self {
        self.mirrors = Some(mirrors);
        self.plan = self.new_plan();
        self.foreign = self.new_foreign();
        self
    }

    /// The same responder, whose zones from files and from others show nobody whom the shield protects.
    #[must_use]
    pub fn with_shield(self, shield: Shield) -> Self {
        Self { shield: Some(shield), ..self }
    }

    /// Whether the shield forbids an answer of a zone of others that was about to be given.
    fn hides(&self, zone: &Name, behind: usize, query: &Query<'_>, outcome: Outcome) -> bool {
        self.shield.as_ref().is_some_and(|shield| shield.hides(zone, behind, query, outcome))
    }

    /// Plain are the zones that nothing else answers for.
    fn new_plan(&self) -> Plan {
        let is_plain = |zone: usize| {
            let name = &self.zones.all[zone].name;
            let is_others = self.statics.as_ref().is_some_and(|statics| statics.is_below(name))
                || self.mirrors.as_ref().is_some_and(|mirrors| mirrors.is_below(name));
            !self.access.is_particular(zone) && !is_others
        };
        Plan::new(&self.zones, is_plain)
    }

    /// The zones that are taken from others.
    pub const fn mirrors(&self) -> Option<&Arc<Mirrors>> {
        self.mirrors.as_ref()
    }

    /// The zones that are answered from files.
    pub const fn statics(&self) -> Option<&Arc<Statics>> {
        self.statics.as_ref()
    }

    /// Who may ask.
    pub const fn access(&self) -> &Arc<Access> {
        &self.access
    }

    /// This responder, which also gives zones to secondaries and knows their keys.
    #[must_use]
    pub fn with_transfers(mut self, transfers: Arc<Transfers>) -> Self {
        self.transfers = Some(transfers);
        self
    }

    /// What is done for secondaries, if anything is.
    pub const fn transfers(&self) -> Option<&Arc<Transfers>> {
        self.transfers.as_ref()
    }

    /// The zones.
    pub const fn zones(&self) -> &Zones {
        &self.zones
    }

    /// The names of all zones, in the order in which counters have them: those of the book, then those from files
    /// alone, then the mirrored ones with other names.
    pub fn zone_names(&self) -> impl Iterator<Item = &Name> {
        self.zones.names().chain(self.statics.iter().flat_map(|statics| statics.alone())).chain(&self.foreign)
    }

    /// New counters for a thread that will call [`Responder::answer`].
    pub fn counters(&self) -> Counters {
        Counters::new(self.zone_names().count())
    }

    /// Writes the reply to `message` into `out`, which has at least 512 octets. Returns the reply's length; 0 if there
    /// must be none. It takes no lock and allocates nothing.
    pub fn answer(
        &self,
        snapshot: &Snapshot,
        asker: &Asker,
        message: &[u8],
        out: &mut [u8],
        counters: &Counters,
    ) -> usize {
        let keys = self.access.keys();
        let turn = Turn { snapshot, asker, keys: &keys, counters, is_admitted: false };
        self.answer_in(&turn, message, out)
    }

    /// [`Responder::answer`] with all that it needs to know.
    pub(super) fn answer_in(&self, turn: &Turn<'_>, message: &[u8], out: &mut [u8]) -> usize {
        assert!(out.len() >= REPLY_BYTES_MIN, "the caller's buffer holds the smallest reply");
        let Turn { asker, counters, .. } = turn;
        if let Some(mirrors) = self.mirrors.as_ref().filter(|_| Mirrors::is_notify(message)) {
            counters.count(Outcome::Notified, None);
            return mirrors.notified(asker, message, out);
        }
        let query = match Query::parse(message) {
            Ok(query) => query,
            Err(Fault::Ignore) => {
                counters.count(Outcome::Ignored, None);
                return 0;
            }
            Err(Fault::Operation) => {
                counters.count(Outcome::NotImplemented, None);
                return header_only(message, Rcode::NotImp, out);
            }
            Err(Fault::Format) => return self.no_query(turn, message, out),
        };
        let is_in_book = |query: &Query<'_>| self.is_in_book(query);
        if let Some(transfers) =
            self.transfers.as_ref().filter(|_| Transfers::is_for(&query, asker.transport, is_in_book))
        {
            return transfers.reply(asker, message, out, is_in_book, |message, out| self.answer_in(turn, message, out));
        }
        let limit = match (asker.transport, query.edns) {
            (Transport::Tcp | Transport::Tls, _) => usize::from(u16::MAX),
            (Transport::Udp { max }, Some(edns)) => usize::from(max.min(edns.udp_bytes)).max(REPLY_BYTES_MIN),
            (Transport::Udp { .. }, None) => REPLY_BYTES_MIN,
        };
        let (cookie, is_known) = self.cookie(asker, query.edns.and_then(|edns| edns.cookie));
        if is_known {
            self.access.prove(asker.address, asker.now);
        }
        let extras = Extras { nsid: &self.zones.nsid, cookie, is_padded: asker.transport == Transport::Tls };
        let mut reply = Reply::begin(&query, out, limit, extras);
        let filled = self.fill(turn, &query, &mut reply);
        if reply.is_truncated() {
            counters.count_truncated();
        }
        let rcode = reply.rcode;
        let length = reply.finish();
        let Filled { outcome, zone, limits } = filled;
        let portion = match limits {
            Some(zone) if !is_known => self.access.meter(zone, asker.address, asker.now, message.len(), length),
            _ => Portion::Whole,
        };
        counters
            .count(if matches!(portion, Portion::Whole | Portion::Small) { outcome } else { Outcome::Limited }, zone);
        if portion == Portion::Whole {
            return length;
        }
        let mut short = Reply::begin(&query, out, limit, Extras { nsid: &[], cookie, is_padded: false });
        short.authoritative = true;
        match (portion, outcome) {
            (Portion::None, _) => short.is_silent = true,
            (Portion::Small, Outcome::Denied | Outcome::Refused | Outcome::NotImplemented | Outcome::BadVersion)
                if rcode != Rcode::NoError || cookie.is_none() =>
            {
                // Codes in place of a refusal stand in an answer; without them it is what they stand for.
                short.rcode = if rcode == Rcode::NoError { Rcode::Refused } else { rcode };
                short.authoritative = false;
            }
            // The cookie that goes with it proves the address as well as a stream would (RFC 7873 section 5.2.3).
            (Portion::Truncated | Portion::Small, _) if cookie.is_some() => {
                (short.rcode, short.authoritative) = (Rcode::BadCookie, false);
            }
            (Portion::Small, Outcome::Unlisted) => short.rcode = Rcode::NxDomain,
            (Portion::Small, Outcome::NoData) => {}
            _ => {
                counters.count_truncated();
                short.truncate();
            }
        }
        short.finish()
    }

    /// The reply to a message that is no query: a cookie for one that asks for nothing else, FORMERR for all others.
    fn no_query(&self, turn: &Turn<'_>, message: &[u8], out: &mut [u8]) -> usize {
        let stray = Stray::read(message);
        if let Some(cookie) = self.cookie(turn.asker, stray.as_ref().and_then(|stray| stray.cookie)).0 {
            turn.counters.count(Outcome::NoData, None);
            return header_and_opt(message, Rcode::NoError, Some(cookie), out);
        }
        turn.counters.count(Outcome::Malformed, None);
        match stray {
            Some(_) => header_and_opt(message, Rcode::FormErr, None, out),
            None => header_only(message, Rcode::FormErr, out),
        }
    }

    /// The cookie that goes back to the client, and whether its address is known not to be forged.
    fn cookie(&self, asker: &Asker, cookie: Option<Cookie>) -> (Option<[u8; CLIENT_BYTES + SERVER_BYTES]>, bool) {
        let is_stream = asker.transport.is_stream();
        let (Some(cookies), Some(cookie)) = (self.access.cookies(), cookie) else {
            return (None, is_stream);
        };
        let mut whole = [0; CLIENT_BYTES + SERVER_BYTES];
        whole[..CLIENT_BYTES].copy_from_slice(&cookie.client);
        whole[CLIENT_BYTES..].copy_from_slice(&cookies.make(cookie.client, asker.address, asker.now));
        let is_ours = |server| cookies.is_ours(cookie.client, &server, asker.address, asker.now);
        (Some(whole), is_stream || cookie.server.is_some_and(is_ours))
    }

    /// Decides what the reply is and writes its records.
    fn fill(&self, turn: &Turn<'_>, query: &Query<'_>, reply: &mut Reply<'_>) -> Filled {
        let elsewhere = |outcome| Filled { outcome, zone: None, limits: Some(0) };
        if query.is_other_operation {
            reply.rcode = Rcode::NotImp;
            return elsewhere(Outcome::NotImplemented);
        }
        if query.edns.is_some_and(|edns| edns.version != 0) {
            reply.rcode = Rcode::BadVers;
            return elsewhere(Outcome::BadVersion);
        }
        if query.signed {
            reply.rcode = Rcode::NotAuth;
            return elsewhere(Outcome::BadSignature);
        }
        if matches!(query.kind, code::AXFR | code::IXFR) {
            reply.rcode = Rcode::Refused;
            reply.error = Some(self.no_transfer(query));
            return elsewhere(Outcome::Refused);
        }
        let is_ours = query.class == code::CLASS_IN;
        let place = self.place(query).filter(|_| is_ours);
        let book_labels = place.map_or(0, |place| place.zone.labels);
        if is_ours
            && let Some(mirrors) = &self.mirrors
            && let Some(slot) = mirrors.slot_for(query, book_labels)
        {
            return self.fill_from_mirror(slot, place.map_or(0, |place| place.index), turn, query, reply);
        }
        if is_ours
            && let Some(statics) = &self.statics
            && let Some(slot) = statics.alone_for(query, book_labels)
        {
            return self.fill_from_files(slot, turn, query, reply);
        }
        let Some(place) = place else {
            reply.rcode = Rcode::Refused;
            reply.error = Some((NOT_AUTHORITATIVE, ""));
            return elsewhere(Outcome::Refused);
        };
        reply.authoritative = true;
        let serial = soa_serial(turn.snapshot.serial());
        let permit = self.access.permit(place.index, turn.asker.address);
        let (mut outcome, key_labels) = self.fill_from(place, permit, turn, query, reply, serial);
        if let Some(statics) = self.statics.as_ref().filter(|_| reply.error.is_none()) {
            let (mark, of_book, codes) = (reply.mark(), outcome, reply.answers());
            outcome = statics.combine(query, turn.asker, (place.zone.labels, key_labels), outcome, reply);
            if self.hides(&place.zone.name, place.zone.labels + key_labels, query, outcome) {
                reply.back_to(mark);
                let hidden = Shield::outcome(query, place.zone.labels + key_labels);
                outcome = if of_book == Outcome::Unlisted { hidden } else { of_book };
            }
            self.count_codes(turn, outcome, Some(place.index), codes, reply);
        }
        if matches!(outcome, Outcome::Unlisted | Outcome::NoData) {
            reply.records(Section::Authority, &place.zone.negative, place.name, serial);
        }
        if outcome == Outcome::Unlisted {
            reply.rcode = Rcode::NxDomain;
        }
        Filled { outcome, zone: Some(place.index), limits: (permit != Permit::Free).then_some(place.index) }
    }

    /// Why a transfer that comes here is refused: those of the book that are allowed go another way.
    fn no_transfer(&self, query: &Query<'_>) -> ExtendedError {
        if self.is_of_others(query) {
            return (NOT_SUPPORTED, "zones from files and mirrored zones are not transferred");
        }
        match self.place(query).filter(|_| query.class == code::CLASS_IN) {
            Some(_) => NO_TRANSFER,
            None => (NOT_AUTHORITATIVE, ""),
        }
    }

    /// Whether the question's name stands in a zone that is answered from files alone, or taken from others.
    fn is_of_others(&self, query: &Query<'_>) -> bool {
        let book_labels = self.place(query).map_or(0, |place| place.zone.labels);
        self.mirrors.as_ref().is_some_and(|mirrors| mirrors.slot_for(query, book_labels).is_some())
            || self.statics.as_ref().is_some_and(|statics| statics.alone_for(query, book_labels).is_some())
    }

    /// Whether the question's name stands in a zone that is answered from the book.
    fn is_in_book(&self, query: &Query<'_>) -> bool {
        query.class == code::CLASS_IN && self.place(query).is_some() && !self.is_of_others(query)
    }

    /// Whether the message of a stream asks for the transfer of a zone of the book.
    pub(crate) fn is_transfer(&self, message: &[u8]) -> bool {
        self.transfers.is_some()
            && Query::parse(message).is_ok_and(|query| {
                let is_transfer = matches!(query.kind, code::AXFR | code::IXFR) && !query.is_other_operation;
                is_transfer && !self.is_of_others(&query)
            })
    }

    /// Answers from the book. Also says how many labels of the name are a key.
    fn fill_from(
        &self,
        place: Place<'_>,
        permit: Permit,
        turn: &Turn<'_>,
        query: &Query<'_>,
        reply: &mut Reply<'_>,
        serial: u32,
    ) -> (Outcome, usize) {
        let zone = place.zone;
        let labels = query.name.labels() - zone.labels;
        let has_entries = !zone.members.is_empty() || self.is_shared(zone);
        if matches!(permit, Permit::Refuse | Permit::Ignore) {
            reply.is_silent = permit == Permit::Ignore;
            let labels = has_entries.then_some(labels);
            return (self.deny(place.index, labels, turn, query, reply, Reason::Network), 0);
        }
        if let Some(outcome) = self.beside_entries(place, labels, query, reply, serial) {
            return (outcome, 0);
        }
        if !has_entries {
            return (Outcome::Unlisted, 0);
        }
        let (verdict, key_labels) =
            self.admit(place.index, labels, permit, turn, query, |labels| host(query, labels).is_some());
        let labels = labels - key_labels;
        let address = host(query, labels);
        match verdict {
            Verdict::Answer => {}
            // Whoever mistypes a key, or has one no more, is not told that nobody is listed.
            Verdict::Nothing if address.is_some() && !self.has_names(zone) => {
                return (self.deny(place.index, Some(labels), turn, query, reply, Reason::KeyUnknown), key_labels);
            }
            Verdict::Nothing => return (Outcome::Unlisted, 0),
            Verdict::Refuse(reason) => {
                return (self.deny(place.index, Some(labels), turn, query, reply, reason), key_labels);
            }
        }
        if labels == 0 {
            return (Outcome::NoData, key_labels);
        }
        let outcome = match self.standing(zone, turn.snapshot, query, labels, address) {
            Standing::Listed(address, lists) => {
                let outcome = self.listed(zone, query.kind, address, lists, reply);
                if outcome == Outcome::Listed {
                    turn.counters.count_lists(lists);
                }
                outcome
            }
            Standing::Above => Outcome::NoData,
            Standing::Nothing => Outcome::Unlisted,
        };
        (outcome, key_labels)
    }

    /// Whether files have a part in the zone.
    fn is_shared(&self, zone: &Zone) -> bool {
        self.statics.as_ref().is_some_and(|statics| statics.shares(&zone.name))
    }

    /// Whether files have other names than addresses in the zone.
    fn has_names(&self, zone: &Zone) -> bool {
        let slot = self.statics.as_ref().and_then(|statics| statics.slot(&zone.name));
        slot.is_some_and(|slot| !slot.is_of_addresses())
    }

    /// Answers what everybody may know: the zone's own name, a cut below it, and name servers.
    fn beside_entries(
        &self,
        place: Place<'_>,
        labels: usize,
        query: &Query<'_>,
        reply: &mut Reply<'_>,
        serial: u32,
    ) -> Option<Outcome> {
        let zone = place.zone;
        if labels == 0 {
            return Some(apex(zone, query.kind, reply, serial));
        }
        // The name is that of a list's zone: see `place`.
        if query.kind == code::DS && place.index == 0 && self.is_cut(query) {
            return Some(Outcome::NoData);
        }
        if let Some(host) = zone.hosts.iter().find(|host| query.name.is_exactly(&host.name)) {
            return Some(host_answer(host, query.kind, reply));
        }
        let mut far = self.zones.far().filter(|_| place.index == 0);
        let is_above = zone.hosts.iter().any(|host| host.name.is_within(query.name.wire()))
            || far.any(|(_, zone)| zone.name.is_within(query.name.wire()));
        is_above.then_some(Outcome::NoData)
    }

    /// Whether the question is about the name of a zone below the origin.
    fn is_cut(&self, query: &Query<'_>) -> bool {
        let mut below = self.zones.below();
        below.any(|index| query.name.is_exactly(&self.zones.all[index].name))
    }

    /// The closest zone that holds the question's name; a DS record stands above the cut.
    fn place(&self, query: &Query<'_>) -> Option<Place<'_>> {
        let name = &query.name;
        let zones = &self.zones.all;
        let origin = &zones[0];
        let holds = |zone: &Zone| {
            let is_parents = query.kind == code::DS && name.labels() == zone.labels;
            name.is_within(&zone.name, zone.labels) && !(is_parents && zone.name.is_within(origin.name.wire()))
        };
        if let Some((index, zone)) = self.zones.far().find(|(_, zone)| holds(zone)) {
            return Some(Place { zone, index, name: name.suffix_start(zone.labels) });
        }
        if !name.is_within(&origin.name, origin.labels) {
            return None;
        }
        let below = name.labels() - origin.labels;
        let mut index = 0;
        if below > usize::from(query.kind == code::DS) {
            index = self.child(name.label(below - 1)).unwrap_or(0);
        }
        let zone = &zones[index];
        Some(Place { zone, index, name: name.suffix_start(zone.labels) })
    }

    /// The zone with this label below the origin.
    fn child(&self, label: &[u8]) -> Option<usize> {
        let has_label = |zone: &Zone| is_same(zone.label(), label);
        self.zones.all[1..self.zones.near].iter().position(has_label).map(|position| position + 1)
    }

    /// What the name with so many labels before `zone`, which may write `host`, is.
    fn standing(
        &self,
        zone: &Zone,
        snapshot: &Snapshot,
        query: &Query<'_>,
        labels: usize,
        host: Option<Address>,
    ) -> Standing {
        if let Some(address) = host {
            let lists = self.lists_of(zone, snapshot, address);
            if !lists.is_empty() {
                return Standing::Listed(address, lists);
            }
        }
        // Also behind an IPv4 address that is not listed: its digits may begin a listed IPv6 address.
        let above = networks(&query.name, labels).into_iter().flatten().any(|p| self.is_above(zone, snapshot, p));
        if above { Standing::Above } else { Standing::Nothing }
    }

    /// The zone's lists that have `address`.
    fn lists_of(&self, zone: &Zone, snapshot: &Snapshot, address: Address) -> ListSet {
        match address.ip() {
            IpAddr::V4(v4) if v4.is_loopback() => zone.test_lists(&self.zones.lists, v4),
            IpAddr::V4(_) | IpAddr::V6(_) => snapshot.lists_of(address).intersection(zone.members),
        }
    }

    /// Whether a listed address or a test entry of the zone is in the network.
    fn is_above(&self, zone: &Zone, snapshot: &Snapshot, prefix: Prefix) -> bool {
        let Prefix { network, holds_mapped } = prefix;
        let holds_test = |entry: Ipv4Addr| network.contains(Address::new(entry.into()));
        if holds_mapped || zone.test_entries(&self.zones.lists).any(holds_test) {
            return true;
        }
        !snapshot.lists_below(network).intersection(zone.members).is_empty()
    }

    /// The records of a listed address.
    fn listed(&self, zone: &Zone, kind: u16, address: Address, lists: ListSet, reply: &mut Reply<'_>) -> Outcome {
        let mut bits = lists.bits();
        let mut published = core::iter::from_fn(|| {
            let list = self.zones.lists.get(bits.trailing_zeros() as usize)?;
            bits &= bits - 1;
            list.as_ref()
        });
        match kind {
            // One kind of records is enough for whoever asks for all (RFC 8482 section 4.1).
            code::A | code::ANY => published.for_each(|list| reply.answer(code::A, zone.ttl, &list.code.octets())),
            code::TXT => {
                let address = AddressText::new(address);
                let mut text = [0; TEXT_BYTES_MAX + 1];
                for list in published.by_ref() {
                    let length = list.text.write(&address, &mut text);
                    reply.answer(code::TXT, zone.ttl, &text[..length]);
                }
            }
            _ => return Outcome::NoData,
        }
        Outcome::Listed
    }
}

/// The address that the first `labels` labels of the question's name write.
fn host(query: &Query<'_>, labels: usize) -> Option<Address> {
    match v4_host(&query.name, labels) {
        Some(v4) => Some(Address::new(v4.into())),
        None => v6_host(&query.name, labels),
    }
}

/// The records of a zone's own name.
fn apex(zone: &Zone, kind: u16, reply: &mut Reply<'_>, serial: u32) -> Outcome {
    let records = match kind {
        code::SOA | code::ANY => &zone.soa,
        code::NS => &zone.ns,
        code::TXT => &zone.text,
        code::A => &zone.web_a,
        code::AAAA => &zone.web_aaaa,
        _ => return Outcome::NoData,
    };
    reply.records(Section::Answer, records, 0, serial);
    if records.count == 0 { Outcome::NoData } else { Outcome::Apex }
}

/// The addresses of a name server.
fn host_answer(host: &Host, kind: u16, reply: &mut Reply<'_>) -> Outcome {
    let records = match kind {
        code::A => &host.a,
        code::ANY if host.a.count > 0 => &host.a,
        code::AAAA | code::ANY => &host.aaaa,
        _ => return Outcome::NoData,
    };
    reply.records(Section::Answer, records, 0, 0);
    if records.count == 0 { Outcome::NoData } else { Outcome::Apex }
}

/// The serial of the SOA records for the number of the last change: its low 32 bits. Some secondaries take 0 for
/// "none", so it is passed over for the number before it, to which 1 is an increase (RFC 1982).
pub(crate) const fn soa_serial(serial: u64) -> u32 {
    match serial as u32 {
        0 => u32::MAX,
        serial => serial,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_are_never_zero() {
        for (serial, wanted) in [(0, u32::MAX), (1, 1), (1 << 32, u32::MAX), ((1 << 32) + 1, 1), (7 << 32 | 9, 9)] {
            assert_eq!(soa_serial(serial), wanted);
        }
    }
}
