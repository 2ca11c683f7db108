//! A zone, or what changed in it, as a sequence of messages (RFC 5936, RFC 1995), made one by one as the secondary takes
//! them.

use core::net::{IpAddr, Ipv4Addr};

use base::{ListId, ListSet};
use listings::tree::Tree;

use super::history::Past;
use super::node::{Family, Node};
use super::rows::{Rows, changes};
use crate::serve::wire::{AddressText, HEADER_BYTES, POINTER, Records, TEXT_BYTES_MAX, Zone, Zones, code};

/// From so many octets on, a message is full. A message may have 64 KiB, but a name can only point to what stands in the
/// first 16 KiB (RFC 1035 section 4.1.4), so that longer messages would be less dense, not more.
const MESSAGE_BYTES: usize = 16 * 1024 - 512;

/// The OPT record of an answer (RFC 6891), which says nothing but that we know it.
const OPT: [u8; 11] = [0, 0, code::OPT as u8, 0x04, 0xd0, 0, 0, 0, 0, 0, 0];

/// Most labels of an address in a name, and one more for the zone's own name.
const DEPTHS: usize = 33;

/// A part of a transfer that is not torn over two messages.
#[derive(Clone, Copy, Debug)]
enum Piece {
    Soa(u32),
    /// What stands at the zone's own name.
    Apex,
    /// The name server with this number.
    Host(usize),
    /// The name servers of the zone with this number, which stands below this one.
    Cut(usize),
    /// The records of `these` lists at a node, without the texts that `but` have too.
    Listing {
        node: Node,
        these: ListSet,
        but: ListSet,
    },
}

/// A transfer under way.
pub(crate) struct Outgoing<'a> {
    zones: &'a Zones,
    zone: &'a Zone,
    /// Header and question of the request; the zone's name begins behind the header.
    opening: &'a [u8],
    has_edns: bool,
    pieces: Box<dyn Iterator<Item = Piece> + 'a>,
    waiting: Option<Piece>,
}

/// To whom a transfer goes, and of which zone.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) zones: &'a Zones,
    /// The number of the zone.
    pub(crate) zone: usize,
    /// The request up to the end of its question.
    pub(crate) opening: &'a [u8],
    /// Whether it has an OPT record.
    pub(crate) has_edns: bool,
}

impl<'a> Outgoing<'a> {
    fn new(request: Request<'a>, pieces: impl Iterator<Item = Piece> + 'a) -> Self {
        let Request { zones, zone, opening, has_edns } = request;
        Self { zones, zone: &zones.all[zone], opening, has_edns, pieces: Box::new(pieces), waiting: None }
    }

    /// The SOA record alone: what a secondary gets that has the newest zone, or asks in a datagram.
    pub(crate) fn single(request: Request<'a>, serial: u32) -> Self {
        Self::new(request, core::iter::once(Piece::Soa(serial)))
    }

    /// The whole zone.
    pub(crate) fn whole(request: Request<'a>, tree: &'a Tree, serial: u32) -> Self {
        let zones = request.zones;
        let zone = &zones.all[request.zone];
        let soa = || core::iter::once(Piece::Soa(serial));
        let hosts = (0..zone.hosts.len()).map(Piece::Host);
        let below = zones.below().filter(move |_| request.zone == 0);
        let rows = Family::BOTH.into_iter().flat_map(move |family| Rows::all(tree, zone.members, family));
        let rows = rows.map(|row| Piece::Listing { node: row.node, these: row.lists, but: ListSet::EMPTY });
        let start = soa().chain([Piece::Apex]).chain(hosts).chain(below.map(Piece::Cut)).chain(tests(zones, zone));
        // A zone without lists has no rows, whatever is in the tree.
        let rows = rows.take(if zone.members.is_empty() { 0 } else { usize::MAX });
        Self::new(request, start.chain(rows).chain(soa()))
    }

    /// What changed since `past`, which had the serial `theirs`: one step, however many changes it was.
    pub(crate) fn delta(request: Request<'a>, tree: &'a Tree, serial: u32, past: &'a Past, theirs: u32) -> Self {
        let members = request.zones.all[request.zone].members;
        // Two walks rather than one whose other half waits in memory.
        let all = move || changes(&past.tree, tree, members, &past.touched);
        let gone = all().map(|(node, had, has)| Piece::Listing { node, these: without(had, has), but: has });
        let come = all().map(|(node, had, has)| Piece::Listing { node, these: without(has, had), but: had });
        let soa = |serial| core::iter::once(Piece::Soa(serial));
        let steps = soa(serial).chain(soa(theirs)).chain(gone).chain(soa(serial)).chain(come).chain(soa(serial));
        Self::new(request, steps)
    }

    /// Writes the next message over what `out` holds. Returns false if there is none.
    pub(crate) fn next_message(&mut self, out: &mut Vec<u8>) -> bool {
        out.clear();
        let mut message = Message::begin(self.opening, out);
        while let Some(piece) = self.waiting.take().or_else(|| self.pieces.next()) {
            let before = message.mark();
            self.put(&mut message, piece);
            if message.out.len() > MESSAGE_BYTES && before.1 > 0 {
                message.back_to(before);
                self.waiting = Some(piece);
                break;
            }
        }
        let has_records = message.records > 0;
        message.finish(self.has_edns);
        has_records
    }

    fn put(&self, message: &mut Message<'_>, piece: Piece) {
        let zone = self.zone;
        match piece {
            Piece::Soa(serial) => message.put_apex(&zone.soa, serial),
            Piece::Apex => {
                for records in [&zone.ns, &zone.text, &zone.web_a, &zone.web_aaaa] {
                    message.put_apex(records, 0);
                }
            }
            Piece::Host(number) => {
                let host = &zone.hosts[number];
                message.put_named(host.name.wire(), &host.a);
                message.put_named(host.name.wire(), &host.aaaa);
            }
            Piece::Cut(number) => {
                let below = &self.zones.all[number];
                message.put_named(below.name.wire(), &below.ns);
            }
            Piece::Listing { node, these, but } => self.put_listing(message, node, these, but),
        }
    }

    fn put_listing(&self, message: &mut Message<'_>, node: Node, these: ListSet, but: ListSet) {
        let published = |list: ListId| self.zones.lists[list.index()].as_ref();
        for list in these.iter().filter_map(published) {
            message.put_record(node, code::A, self.zone.ttl, &list.code.octets());
        }
        // For a wildcard the network.
        let address = AddressText::new(node.network());
        let text = |list: ListId| {
            let mut text = [0; TEXT_BYTES_MAX + 1];
            let length = published(list)?.text.write(&address, &mut text);
            Some((text, length))
        };
        let mut known = but;
        for list in these.iter() {
            // Two lists may have the same text, and a name has each record once (RFC 2181 section 5).
            if let Some((bytes, length)) = text(list)
                && !known.iter().any(|other| text(other).is_some_and(|(other, _)| other == bytes))
            {
                message.put_record(node, code::TXT, self.zone.ttl, &bytes[..length]);
            }
            known = known.with(list);
        }
    }
}

const fn without(these: ListSet, those: ListSet) -> ListSet {
    ListSet::from_bits(these.bits() & !those.bits())
}

/// The test entries, in both notations.
fn tests(zones: &Zones, zone: &Zone) -> impl Iterator<Item = Piece> {
    let mut entries: Vec<Ipv4Addr> = zone.test_entries(&zones.lists).collect();
    entries.sort_unstable();
    entries.dedup();
    let lists = entries.into_iter().map(|entry| (entry, zone.test_lists(&zones.lists, entry))).collect::<Vec<_>>();
    let in_both = |(entry, these): (Ipv4Addr, ListSet)| {
        let notations = [IpAddr::V4(entry), IpAddr::V6(entry.to_ipv6_mapped())];
        notations.map(|ip| Piece::Listing { node: Node::host(ip), these, but: ListSet::EMPTY })
    };
    lists.into_iter().flat_map(in_both)
}

/// A message being written. Names point to those before them.
struct Message<'o> {
    out: &'o mut Vec<u8>,
    records: u16,
    /// The last address written, and where the name of each of its beginnings stands: at first the zone's own.
    last: Option<Node>,
    places: [u16; DEPTHS],
}

impl<'o> Message<'o> {
    fn begin(opening: &[u8], out: &'o mut Vec<u8>) -> Self {
        out.extend_from_slice(opening);
        let mut places = [0; DEPTHS];
        places[0] = HEADER_BYTES as u16;
        Self { out, records: 0, last: None, places }
    }

    const fn mark(&self) -> (usize, u16) {
        (self.out.len(), self.records)
    }

    fn back_to(&mut self, (length, records): (usize, u16)) {
        self.out.truncate(length);
        self.records = records;
    }

    /// Records of the zone's own name.
    fn put_apex(&mut self, records: &Records, serial: u32) {
        self.put_ready(records, 0, HEADER_BYTES, serial);
    }

    /// Records of a name that is written out before the first of them.
    fn put_named(&mut self, name: &[u8], records: &Records) {
        if records.count > 0 {
            let owner = self.out.len();
            self.out.extend_from_slice(name);
            // The first record's own pointer, two octets, is replaced by the name.
            self.put_ready(records, 2, owner, 0);
        }
    }

    /// Ready records but for the first `skipped` octets, whose pointers are relative to `owner`.
    fn put_ready(&mut self, records: &Records, skipped: usize, owner: usize, serial: u32) {
        let start = self.out.len();
        self.out.extend_from_slice(&records.bytes[skipped..]);
        let bytes = &mut self.out[start..];
        for place in records.pointers.iter().filter_map(|place| usize::from(*place).checked_sub(skipped)) {
            let pointer = u16::from_be_bytes([bytes[place], bytes[place + 1]]) + owner as u16;
            bytes[place..place + 2].copy_from_slice(&pointer.to_be_bytes());
        }
        if let Some(place) = records.serial {
            bytes[place..place + 4].copy_from_slice(&serial.to_be_bytes());
        }
        self.records += records.count;
    }

    fn put_record(&mut self, node: Node, kind: u16, ttl: u32, data: &[u8]) {
        self.put_name(node);
        self.out.extend_from_slice(&kind.to_be_bytes());
        self.out.extend_from_slice(&code::CLASS_IN.to_be_bytes());
        self.out.extend_from_slice(&ttl.to_be_bytes());
        self.out.extend_from_slice(&(data.len() as u16).to_be_bytes());
        self.out.extend_from_slice(data);
        self.records += 1;
    }

    /// The name of an address, or of the wildcard below that of a network.
    fn put_name(&mut self, node: Node) {
        let shared = self.last.map_or(0, |last| last.shared_labels(node));
        if !node.is_host() {
            self.out.extend_from_slice(b"\x01*");
        }
        for index in (shared..node.labels()).rev() {
            self.places[index + 1] = self.out.len() as u16;
            let value = node.label(index);
            let length_at = self.out.len();
            self.out.push(0);
            match node.family {
                Family::V4 => self.out.extend_from_slice(value.to_string().as_bytes()),
                Family::V6 => self.out.push(b"0123456789abcdef"[value as usize % 16]),
            }
            self.out[length_at] = (self.out.len() - length_at - 1) as u8;
        }
        self.out.extend_from_slice(&(POINTER | self.places[shared]).to_be_bytes());
        self.last = Some(node);
    }

    /// Writes the header, and the OPT record where there shall be one.
    fn finish(self, has_edns: bool) {
        if has_edns {
            self.out.extend_from_slice(&OPT);
        }
        let header = &mut self.out[..HEADER_BYTES];
        // A response, authoritative; RD comes back.
        header[2] = 0x84 | header[2] & 0x01;
        header[3] = 0;
        header[4..].copy_from_slice(&[0, 1, 0, 0, 0, 0, 0, u8::from(has_edns)]);
        header[6..8].copy_from_slice(&self.records.to_be_bytes());
    }
}

#[cfg(test)]
#[path = "outgoing_tests.rs"]
mod tests;
