//! The questions that nearly all are, answered in the buffer in which they came: an IPv4 address in a zone of lists,
//! asked for A, AAAA or MX, with no extension or a bare OPT record.
//!
//! What is decided here is what [`super::Responder::answer`] decides too, octet by octet, only sooner: the zones are
//! told by their first eight octets, an octet's digits are read as one word, and records are copied ready made.
//! Whatever is a little different goes the careful way; so nothing here needs to know what else a question can be.

use base::ListSet;
use base::limits::LISTS_MAX;

use super::counters::{Counters, Outcome};
use super::name::{fold, is_same};
use super::query::{HEADER_BYTES, code};
use super::reply::{OPT_BYTES, REPLY_BYTES_MIN, Rcode, Section, UDP_BYTES_MAX};
use super::zones::{Zone, Zones};
use crate::access::Portion;

/// Most lists that an answer can name here: so that every reply fits into the smallest one that clients take.
const LISTED_MAX: u32 = 6;

/// Octets of an A record under the question's own name.
const A_BYTES: usize = 16;

/// Most octets of an IPv4 address in a name: four labels of three digits.
const ADDRESS_BYTES_MAX: usize = 16;

/// Most octets of a key's label with its length.
const KEY_BYTES_MAX: usize = 64;

/// The zones whose plain questions are answered here.
#[derive(Debug)]
pub(crate) struct Plan {
    zones: Box<[PlainZone]>,
}

#[derive(Debug)]
struct PlainZone {
    /// The zone's place in [`Zones::all`].
    index: usize,
    /// The first eight octets of its name, small letters, as far as it has so many.
    head: u64,
    mask: u64,
    wire: Box<[u8]>,
    members: ListSet,
    /// The A record of each list.
    records: Box<[[u8; A_BYTES]]>,
}

/// A plain question.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain {
    /// The address asked about.
    pub(crate) address: u32,
    /// The place in the plan.
    zone: u8,
    /// Where the zone's name begins in the message.
    name: u8,
    /// Where the question ends.
    end: u8,
    /// Whether A records are asked for.
    is_a: bool,
    /// What an OPT record said.
    opt: Opt,
    /// Where a key's label begins in the message, and how long it is; 0 if there is none.
    key: (u8, u8),
}

/// What all replies of a batch are made with.
pub(crate) struct Served<'a> {
    pub(crate) zones: &'a Zones,
    pub(crate) serial: u32,
    pub(crate) counters: &'a Counters,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Opt {
    None,
    Bare,
    /// With the DO bit.
    DnssecOk,
}

impl Plain {
    /// No question: what a table of questions is filled with.
    pub(crate) const NONE: Self =
        Self { address: 0, zone: 0, name: 0, end: 0, is_a: false, opt: Opt::None, key: (0, 0) };

    /// The label of the key in the question's message.
    pub(crate) fn key<'a>(&self, message: &'a [u8]) -> Option<&'a [u8]> {
        let (start, length) = (usize::from(self.key.0), usize::from(self.key.1));
        if length == 0 { None } else { message.get(start..start + length) }
    }
}

impl Plan {
    /// The plan for those of `zones` whose replies are always short, and that `wanted` says yes to.
    pub(crate) fn new(zones: &Zones, wanted: impl Fn(usize) -> bool) -> Self {
        let is_plain = |(index, zone): &(usize, &Zone)| {
            let longest = HEADER_BYTES + ADDRESS_BYTES_MAX + KEY_BYTES_MAX + zone.name.wire().len() + 4 + OPT_BYTES;
            let records = zone.negative.bytes.len().max(LISTED_MAX as usize * A_BYTES);
            let is_short = longest + records <= REPLY_BYTES_MIN && u8::try_from(longest).is_ok();
            is_short && !zone.members.is_empty() && zone.hosts.is_empty() && wanted(*index)
        };
        let plain = |(index, zone): (usize, &Zone)| PlainZone::new(index, zone, zones);
        Self { zones: zones.all.iter().enumerate().filter(is_plain).map(plain).collect() }
    }

    /// Reads a message. None if it is anything but a plain question.
    pub(crate) fn read(&self, message: &[u8]) -> Option<Plain> {
        let header = message.first_chunk::<HEADER_BYTES>()?;
        let &[_, _, _, _, counts @ ..] = header;
        let counts = u64::from_be_bytes(counts);
        // A query of the common kind, one question, and nothing else but one additional record at most.
        if header[2] & 0xf8 != 0 || counts | 1 != 0x0001_0000_0000_0001 {
            return None;
        }
        let (address, at) = address(message)?;
        let mut key = (0, 0);
        let (zone, name) = match self.zone_at(message, at) {
            Some(zone) => (zone, at),
            None => {
                let length = usize::from(*message.get(at)?);
                key = (at as u8 + 1, length as u8);
                (self.zone_at(message, at + 1 + length).filter(|_| length > 0)?, at + 1 + length)
            }
        };
        let end = name + self.zones[zone].wire.len() + 4;
        let &[kind_high, kind, 0, 1] = message.get(end - 4..)?.first_chunk()? else { return None };
        let is_a = match u16::from_be_bytes([kind_high, kind]) {
            code::A => true,
            code::AAAA | code::MX => false,
            _ => return None,
        };
        let opt = match &message[end..] {
            [] if counts & 1 == 0 => Opt::None,
            [0, 0, 41, _, _, _, 0, flags, _, 0, 0] if counts & 1 == 1 => {
                if flags & 0x80 == 0 {
                    Opt::Bare
                } else {
                    Opt::DnssecOk
                }
            }
            _ => return None,
        };
        Some(Plain { address, zone: zone as u8, name: name as u8, end: end as u8, is_a, opt, key })
    }

    /// The place in [`Zones::all`] of the question's zone.
    pub(crate) fn zone(&self, plain: &Plain) -> usize {
        self.zones[usize::from(plain.zone)].index
    }

    /// The place in the plan of the zone whose name stands at `at`.
    fn zone_at(&self, message: &[u8], at: usize) -> Option<usize> {
        let name = message.get(at..)?;
        let head = fold(u64::from_ne_bytes(*name.first_chunk()?));
        let is_it = |zone: &PlainZone| {
            head & zone.mask == zone.head
                && name
                    .get(..zone.wire.len())
                    .is_some_and(|name| name.len() <= 8 || is_same(&name[8..], &zone.wire[8..]))
        };
        self.zones.iter().position(is_it)
    }

    /// Turns the message in `buffer` into the reply for an address on `lists`. `pays` says how much the client is
    /// sent of a reply of so many octets to a question of so many; see [`crate::access`]. Returns the reply's length; none if it
    /// is not a plain one, with the message as it was.
    pub(crate) fn reply(
        &self,
        served: &Served<'_>,
        plain: &Plain,
        lists: ListSet,
        buffer: &mut [u8],
        pays: impl FnOnce(usize, usize) -> Portion,
    ) -> Option<usize> {
        let Served { zones, serial, counters } = *served;
        let of_plan = &self.zones[usize::from(plain.zone)];
        let lists = lists.intersection(of_plan.members);
        let buffer = buffer.first_chunk_mut::<REPLY_BYTES_MIN>()?;
        let mut end = usize::from(plain.end);
        let has_opt = plain.opt != Opt::None;
        let opt_bytes = if has_opt { OPT_BYTES } else { 0 };
        let asked = end + opt_bytes;
        let pays = |end: usize| pays(asked, end + opt_bytes);
        let (rcode, count, section, outcome);
        if plain.is_a && !lists.is_empty() {
            (rcode, count, section, outcome) =
                (Rcode::NoError, lists.bits().count_ones(), Section::Answer, Outcome::Listed);
            if count > LISTED_MAX || pays(end + count as usize * A_BYTES) != Portion::Whole {
                return None;
            }
            let mut bits = lists.bits();
            while bits != 0 {
                buffer[end..end + A_BYTES].copy_from_slice(&of_plan.records[bits.trailing_zeros() as usize]);
                end += A_BYTES;
                bits &= bits - 1;
            }
            counters.count_lists(lists);
        } else {
            section = Section::Authority;
            (rcode, outcome) =
                if lists.is_empty() { (Rcode::NxDomain, Outcome::Unlisted) } else { (Rcode::NoError, Outcome::NoData) };
            let negative = &zones.all[of_plan.index].negative;
            count = match pays(end + negative.bytes.len()) {
                Portion::Whole => 1,
                Portion::Small => 0,
                Portion::Truncated | Portion::None => return None,
            };
            if count > 0 {
                end = negative.write(buffer, end, usize::from(plain.name), serial);
            }
        }
        counters.count(outcome, Some(of_plan.index));
        let mut counts = [0; 6];
        counts[section as usize * 2 + 1] = count as u8;
        counts[5] = u8::from(has_opt);
        buffer[2] = 0x84 | buffer[2] & 0x01;
        buffer[3] = buffer[3] & 0x10 | rcode as u8;
        buffer[6..12].copy_from_slice(&counts);
        if has_opt {
            let [size_high, size_low] = UDP_BYTES_MAX.to_be_bytes();
            let flags = u8::from(plain.opt == Opt::DnssecOk) << 7;
            let opt = [0, 0, code::OPT as u8, size_high, size_low, 0, 0, flags, 0, 0, 0];
            buffer[end..end + OPT_BYTES].copy_from_slice(&opt);
            end += OPT_BYTES;
        }
        Some(end)
    }
}

impl PlainZone {
    fn new(index: usize, zone: &Zone, zones: &Zones) -> Self {
        let wire = zone.name.wire();
        let mut head = [0; 8];
        let mut mask = [0; 8];
        for (at, octet) in wire.iter().take(8).enumerate() {
            (head[at], mask[at]) = (octet.to_ascii_lowercase(), 0xff);
        }
        let record = |list: usize| {
            let mut record = [0xc0, HEADER_BYTES as u8, 0, code::A as u8, 0, 1, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0];
            record[6..10].copy_from_slice(&zone.ttl.to_be_bytes());
            if let Some(published) = zones.lists.get(list).and_then(Option::as_ref) {
                record[12..].copy_from_slice(&published.code.octets());
            }
            record
        };
        Self {
            index,
            head: u64::from_ne_bytes(head),
            mask: u64::from_ne_bytes(mask),
            wire: wire.into(),
            members: zone.members,
            records: (0..LISTS_MAX).map(record).collect(),
        }
    }
}

/// The IPv4 address at the beginning of the question's name, and where it ends. None if there is none that is decided
/// here: addresses of 127.0.0.0/8 are test entries, and four digits can begin an IPv6 address.
fn address(message: &[u8]) -> Option<(u32, usize)> {
    let (mut at, mut bits) = (HEADER_BYTES, 0);
    let mut is_wrong = false;
    for index in 0..4 {
        let word = u32::from_le_bytes(*message.get(at..)?.first_chunk()?);
        let length = word & 0xff;
        if !(1..=3).contains(&length) {
            return None;
        }
        // The digits as three octets, the last one highest; before the first stand zeros.
        let before = 8 * (3 - length);
        let digits = (word >> 8 << before ^ 0x30_3030 << before) & 0xff_ffff;
        is_wrong |= ((digits + 0x76_7676) | digits) & 0x80_8080 != 0;
        let value = (digits & 0xff) * 100 + (digits >> 8 & 0xff) * 10 + (digits >> 16);
        // A first digit of zero before others makes no octet.
        is_wrong |= value > 255 || value < [0, 0, 10, 100][length as usize];
        bits |= (value & 0xff) << (8 * index);
        at += 1 + length as usize;
    }
    let is_decided = !is_wrong && bits >> 24 != 127 && at != HEADER_BYTES + 8;
    is_decided.then_some((bits, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let cases = [
            ("1.20.0.192", Some("192.0.20.1")),
            ("255.255.255.255", Some("255.255.255.255")),
            ("0.0.0.10", Some("10.0.0.0")),
            ("10.0.0.0", Some("0.0.0.10")),
            ("4.3.2.1", None),
            ("2.0.0.127", None),
            ("01.2.0.192", None),
            ("00.2.0.192", None),
            ("1.2.0.256", None),
            ("1.2.0.999", None),
            ("1.2.0.1000", None),
            ("1.2.0.1a2", None),
            ("1.2.0.:10", None),
            ("1.2.0./10", None),
            ("1.2.0.\u{7f}10", None),
            ("1.2.300", None),
        ];
        for (text, wanted) in cases {
            let mut message = vec![0; HEADER_BYTES];
            for label in text.split('.') {
                message.push(label.len() as u8);
                message.extend_from_slice(label.as_bytes());
            }
            let got = address(&[&message[..], &[0, 0, 1, 0, 1]].concat()).map(|(bits, at)| {
                assert_eq!(at, message.len());
                std::net::Ipv4Addr::from_bits(bits).to_string()
            });
            assert_eq!(got.as_deref(), wanted, "{text}");
        }
    }
}
