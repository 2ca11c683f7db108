//! From a query to its reply: a pure function of the zones, the snapshot and the query.

use core::net::{IpAddr, Ipv4Addr};

use base::{Address, ListSet};
use listings::Snapshot;

use super::address::{Prefix, networks, v4_host, v6_host};
use super::counters::{Counters, Outcome};
use super::name::is_same;
use super::query::{Fault, Query, code};
use super::reply::{REPLY_BYTES_MIN, Rcode, Reply, Section, header_only};
use super::text::{AddressText, TEXT_BYTES_MAX};
use super::zones::{Host, Zone, Zones};

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
}

/// Answers queries. It may be shared by all threads.
#[derive(Debug)]
pub struct Responder {
    zones: Zones,
}

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
    /// A responder for these zones.
    pub const fn new(zones: Zones) -> Self {
        Self { zones }
    }

    /// The zones.
    pub const fn zones(&self) -> &Zones {
        &self.zones
    }

    /// New counters for a thread that will call [`Responder::answer`].
    pub fn counters(&self) -> Counters {
        Counters::new(self.zones.all.len())
    }

    /// Writes the reply to `message` into `out`, which has at least 512 octets. Returns the reply's length; 0 if there
    /// must be none. It takes no lock and allocates nothing.
    pub fn answer(
        &self,
        snapshot: &Snapshot,
        transport: Transport,
        message: &[u8],
        out: &mut [u8],
        counters: &Counters,
    ) -> usize {
        assert!(out.len() >= REPLY_BYTES_MIN, "the caller's buffer holds the smallest reply");
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
            Err(Fault::Format) => {
                counters.count(Outcome::Malformed, None);
                return header_only(message, Rcode::FormErr, out);
            }
        };
        let limit = match (transport, query.edns) {
            (Transport::Tcp, _) => usize::from(u16::MAX),
            (Transport::Udp { max }, Some(edns)) => usize::from(max.min(edns.udp_bytes)).max(REPLY_BYTES_MIN),
            (Transport::Udp { .. }, None) => REPLY_BYTES_MIN,
        };
        let nsid = &self.zones.nsid;
        let mut reply = Reply::begin(&query, out, limit, nsid);
        let place = self.fill(snapshot, &query, &mut reply, counters);
        counters.count(place.0, place.1);
        if reply.is_truncated() {
            counters.count_truncated();
        }
        reply.finish(query.edns, nsid)
    }

    /// Decides what the reply is and writes its records.
    fn fill(
        &self,
        snapshot: &Snapshot,
        query: &Query<'_>,
        reply: &mut Reply<'_>,
        counters: &Counters,
    ) -> (Outcome, Option<usize>) {
        if query.is_other_operation {
            reply.rcode = Rcode::NotImp;
            return (Outcome::NotImplemented, None);
        }
        if query.edns.is_some_and(|edns| edns.version != 0) {
            reply.rcode = Rcode::BadVers;
            return (Outcome::BadVersion, None);
        }
        if query.signed {
            reply.rcode = Rcode::NotAuth;
            return (Outcome::BadSignature, None);
        }
        let is_ours = query.class == code::CLASS_IN && !matches!(query.kind, code::AXFR | code::IXFR);
        let Some(place) = self.place(query).filter(|_| is_ours) else {
            reply.rcode = Rcode::Refused;
            return (Outcome::Refused, None);
        };
        reply.authoritative = true;
        let serial = soa_serial(snapshot.serial());
        let outcome = self.fill_from(place, snapshot, query, reply, serial, counters);
        if matches!(outcome, Outcome::Unlisted | Outcome::NoData) {
            reply.records(Section::Authority, &place.zone.negative, place.name, serial);
        }
        if outcome == Outcome::Unlisted {
            reply.rcode = Rcode::NxDomain;
        }
        (outcome, Some(place.index))
    }

    fn fill_from(
        &self,
        place: Place<'_>,
        snapshot: &Snapshot,
        query: &Query<'_>,
        reply: &mut Reply<'_>,
        serial: u32,
        counters: &Counters,
    ) -> Outcome {
        let zone = place.zone;
        let labels = query.name.labels() - zone.labels;
        if labels == 0 {
            return apex(zone, query.kind, reply, serial);
        }
        // The name is that of a list's zone: see `place`.
        if query.kind == code::DS && place.index == 0 && labels == 1 && self.child(query.name.label(0)).is_some() {
            return Outcome::NoData;
        }
        if !zone.hosts.is_empty() {
            if let Some(host) = zone.hosts.iter().find(|host| query.name.is_exactly(&host.name)) {
                return host_answer(host, query.kind, reply);
            }
            if zone.hosts.iter().any(|host| host.name.is_within(query.name.wire())) {
                return Outcome::NoData;
            }
        }
        match self.standing(zone, snapshot, query, labels) {
            Standing::Listed(address, lists) => {
                let outcome = self.listed(zone, query.kind, address, lists, reply);
                if outcome == Outcome::Listed {
                    counters.count_lists(lists);
                }
                outcome
            }
            Standing::Above => Outcome::NoData,
            Standing::Nothing => Outcome::Unlisted,
        }
    }

    /// The closest zone that holds the question's name; a DS record stands above the cut.
    fn place(&self, query: &Query<'_>) -> Option<Place<'_>> {
        let name = &query.name;
        let zones = &self.zones.all;
        let origin = &zones[0];
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
        self.zones.all[1..].iter().position(has_label).map(|position| position + 1)
    }

    /// What the name with so many labels before `zone` is.
    fn standing(&self, zone: &Zone, snapshot: &Snapshot, query: &Query<'_>, labels: usize) -> Standing {
        if zone.members.is_empty() {
            return Standing::Nothing;
        }
        let host = match v4_host(&query.name, labels) {
            Some(v4) => Some(Address::new(v4.into())),
            None => v6_host(&query.name, labels),
        };
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
const fn soa_serial(serial: u64) -> u32 {
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
