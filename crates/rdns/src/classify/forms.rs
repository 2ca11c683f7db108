//! The address inside the name: which of the ways in which networks write it there.

use std::fmt;
use std::net::IpAddr;

use super::numbers::{Number, Numbers};
use super::spelled;

/// A way of writing an address, or what looks like one, into a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Writing {
    /// Decimal octets in their order, `192-0-2-7`; zero-padded and split over labels count as well.
    Forward,
    /// Decimal octets backwards, `7.2.0.192`.
    Backward,
    /// Decimal octets in some other order.
    Mixed,
    /// Decimal octets without anything between them, `192027`.
    Packed,
    /// Hexadecimal, `c0000207`, also backwards or without the first octets.
    Hex,
    /// The address as one decimal number, or its last two or three octets so.
    Number,
    /// The address as a number in base 32 or 36.
    Base,
    /// Groups or nibbles of an IPv6 address.
    Nibbles,
}

/// What of an address was found in a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// How it is written.
    pub writing: Writing,
    /// How many octets of an IPv4 address, or groups of an IPv6 address, are there.
    pub parts: u8,
    /// Whether it is this host's address; else it only has the looks of one, and the host's may be unknown.
    pub own: bool,
    /// Where it begins in the name.
    pub from: u8,
    /// Where it ends.
    pub to: u8,
}

impl Form {
    /// Whether so much of the address is there that a machine must have made the name.
    pub const fn is_whole(&self) -> bool {
        self.parts >= 3
    }
}

impl Form {
    /// Whether letters belong to it.
    pub(super) const fn is_spelled(self) -> bool {
        matches!(self.writing, Writing::Hex | Writing::Base | Writing::Nibbles)
    }

    /// Whose address it is, how it is written, and how much of it.
    pub(super) const fn words(self) -> [&'static str; 3] {
        let whose = if self.own { "its address" } else { "what looks like an address" };
        let part = match (self.own, self.writing, self.parts) {
            (_, Writing::Nibbles, _) => " (IPv6)",
            (true, _, 3) => " (three octets)",
            (true, _, 2) => " (last two octets)",
            (true, _, 1) => " (last octet)",
            _ => "",
        };
        let how = match self.writing {
            Writing::Forward => "",
            Writing::Backward => " backwards",
            Writing::Mixed => " in another order",
            Writing::Packed => " without separators",
            Writing::Hex => " in hexadecimal",
            Writing::Number => " as one number",
            Writing::Base => " in base 32 or 36",
            Writing::Nibbles => " in nibbles",
        };
        [whose, how, part]
    }
}

impl fmt::Display for Form {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.words().into_iter().try_for_each(|word| formatter.write_str(word))
    }
}

/// Stands for "address unknown" where a list of names has to give one (RFC 5737's last documentation network).
const UNKNOWN: [u8; 4] = [203, 0, 113, 254];

/// The strongest form in `text`, the part of a name that somebody chose, for a host with this address.
pub(super) fn find(address: Option<IpAddr>, text: &[u8], numbers: &Numbers) -> Option<Form> {
    let address = address.map(|address| address.to_canonical()).filter(|&address| address != IpAddr::from(UNKNOWN));
    let own = match address {
        Some(IpAddr::V4(v4)) => match octets(v4.octets(), numbers) {
            Some(form) if form.is_whole() => Some(form),
            form => strongest(form, spelled::v4(v4.octets(), text)),
        },
        Some(IpAddr::V6(v6)) => spelled::v6(v6.octets(), text),
        None => None,
    };
    let is_known = address.is_some_and(|address| address.is_ipv4());
    match own {
        Some(form) if form.is_whole() => own,
        // Hexadecimal digits are an address's only as long as the address is not known to be another.
        _ => quad(numbers).or_else(|| if is_known { None } else { spelled::hex_looks(text) }).or(own),
    }
}

/// The decimal octets of the address among the numbers of the name.
fn octets(octets: [u8; 4], numbers: &Numbers) -> Option<Form> {
    let list = numbers.small();
    // Written in order somewhere: the plain and by far most frequent case.
    for window in list.windows(4) {
        let values = [window[0].value, window[1].value, window[2].value, window[3].value];
        let [a, b, c, d] = octets;
        let writing = if values == octets {
            Writing::Forward
        } else if values == [d, c, b, a] {
            Writing::Backward
        } else {
            continue;
        };
        return Some(Form { writing, parts: 4, own: true, from: window[0].from, to: window[3].to });
    }
    let mut places = [usize::MAX; 4];
    let mut used = 0_u32;
    for (place, octet) in places.iter_mut().zip(octets) {
        let free = (0..list.len()).find(|&i| used & (1 << i) == 0 && list[i].value == octet);
        if let Some(found) = free {
            used |= 1 << found;
            *place = found;
        }
    }
    let parts = used.count_ones();
    if parts < 2 || (parts == 2 && !beside(places[2], places[3])) {
        return last(octets[3], list);
    }
    let found: Vec4 = Vec4::of(places);
    let writing = if found.rises() {
        Writing::Forward
    } else if found.falls() {
        Writing::Backward
    } else {
        Writing::Mixed
    };
    let (first, last) = (used.trailing_zeros() as usize, 31 - used.leading_zeros() as usize);
    Some(Form { writing, parts: parts as u8, own: true, from: list[first].from, to: list[last].to })
}

/// The form with more of the address; the first of equals.
fn strongest(one: Option<Form>, other: Option<Form>) -> Option<Form> {
    let parts = |form: &Option<Form>| form.map_or(0, |form| form.parts);
    if parts(&other) > parts(&one) { other } else { one }
}

/// The last octet alone, where it is no number that hosts are given anyway.
fn last(octet: u8, list: &[Number]) -> Option<Form> {
    const TELLING: u8 = 16;
    let found = list.iter().find(|number| number.value == octet && octet >= TELLING)?;
    Some(Form { writing: Writing::Forward, parts: 1, own: true, from: found.from, to: found.to })
}

/// Whether two octets were found beside each other.
const fn beside(one: usize, other: usize) -> bool {
    one != usize::MAX && other != usize::MAX && one.abs_diff(other) == 1
}

/// The places at which octets were found, in the order of the octets.
struct Vec4 {
    places: [usize; 4],
    len: usize,
}

impl Vec4 {
    fn of(all: [usize; 4]) -> Self {
        let (mut places, mut len) = ([0; 4], 0);
        for place in all.into_iter().filter(|&place| place != usize::MAX) {
            places[len] = place;
            len += 1;
        }
        Self { places, len }
    }

    fn rises(&self) -> bool {
        self.places[..self.len].is_sorted()
    }

    fn falls(&self) -> bool {
        self.places[..self.len].iter().rev().is_sorted()
    }
}

/// Four small numbers with one and the same byte between them, or twelve digits: an address, whosever it is.
fn quad(numbers: &Numbers) -> Option<Form> {
    let window = numbers.small().windows(4).find(|window| {
        let gaps = [0, 1, 2].map(|i| window[i + 1].from.wrapping_sub(window[i].to));
        gaps == [1, 1, 1] || gaps == [0, 0, 0]
    })?;
    Some(Form { writing: Writing::Forward, parts: 4, own: false, from: window[0].from, to: window[3].to })
}

#[cfg(test)]
mod tests {
    use super::super::numbers::Numbers;
    use super::{Writing, find};

    fn form(address: &str, text: &str) -> Option<(Writing, u8, bool, String)> {
        let address = address.parse().ok();
        let form = find(address, text.as_bytes(), &Numbers::read(text.as_bytes()))?;
        Some((form.writing, form.parts, form.own, text[usize::from(form.from)..usize::from(form.to)].to_owned()))
    }

    #[test]
    fn each_way_of_writing_an_address_is_found() {
        use Writing::{Backward, Base, Forward, Hex, Mixed, Nibbles, Number, Packed};
        let cases = [
            ("192.0.2.17", "dsl-192-0-2-17.example", Forward, 4, "192-0-2-17"),
            ("192.0.2.17", "17.2.0.192.dyn.example", Backward, 4, "17.2.0.192"),
            ("192.0.2.17", "p192000002017.example", Forward, 4, "192000002017"),
            ("192.0.2.17", "h17x192y0z2.example", Mixed, 4, "17x192y0z2"),
            ("82.121.45.148", "a-152-45-148.w82-121.abo.example", Mixed, 4, "45-148.w82-121"),
            ("212.10.132.151", "dsl-10-132-151.example", Forward, 3, "10-132-151"),
            ("212.10.132.151", "h-132-151.a463.example", Forward, 2, "132-151"),
            ("212.10.132.151", "o2121013x151.example", Packed, 4, ""),
            ("192.0.2.17", "pc0000211.dip0.example", Hex, 4, "c0000211"),
            ("192.0.2.17", "p110200c0.dip0.example", Hex, 4, "110200c0"),
            ("2.245.135.34", "x2f58722.dyn.example", Hex, 4, "2f58722"),
            ("94.244.33.223", "ip-21df.example", Hex, 2, "21df"),
            ("192.0.2.17", "ip-3221226001.example", Number, 4, "3221226001"),
            ("66.32.184.43", "user-1121e1b.dsl.example", Base, 4, "1121e1b"),
            ("2001:db8:1:2:3:4:5:6", "2001-db8-1-2-3-4-5-6.example", Nibbles, 8, "2001-db8-1-2-3-4-5-6"),
            (
                "2001:db8::17",
                "7.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.example",
                Nibbles,
                8,
                "7.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2",
            ),
            ("2001:db8:1:2::17", "p20010db80001000200000000000000 17".trim_end_matches(" 17"), Nibbles, 7, ""),
        ];
        for (address, text, writing, parts, place) in cases {
            if place.is_empty() {
                continue;
            }
            assert_eq!(form(address, text), Some((writing, parts, true, place.to_owned())), "{address} {text}");
        }
    }

    #[test]
    fn an_unknown_address_neither_helps_nor_hurts() {
        for text in ["host-203-0-113-254.example", "host-198-51-100-7.example", "mail.example", "p4feb0398.example"] {
            assert_eq!(form("203.0.113.254", text), form("", text), "{text}");
        }
        assert_eq!(form("203.0.113.254", "h-113-254.example"), None);
    }

    #[test]
    fn what_only_looks_like_an_address_is_not_called_its_own() {
        let cases =
            [("198.51.100.7", "h-192-0-2-17.example"), ("", "h192000002017.example"), ("", "p4feb0398.example")];
        for (address, text) in cases {
            assert!(!form(address, text).expect("it has the looks").2, "{text}");
        }
        for text in ["mail.example", "mx01-2.example", "1-2-3.example", "deadbeef.example", "h300-1-2-3.example"] {
            assert_eq!(form("198.51.100.7", text), None, "{text}");
        }
    }
}
