//! Addresses in names (RFC 5782 sections 2.1 and 2.4): the labels between a question's beginning and its zone.
//!
//! An IPv4 address is four decimal octets, an IPv6 address thirty-two hexadecimal nibbles, both with the last part
//! first. Fewer labels name a network: no address, but a name that exists as soon as a listed address is below it
//! (RFC 8020), and to which resolvers that ask label by label (RFC 9156) want no NXDOMAIN.
//!
//! The same labels can be both: `4.3.2.1` is an IPv4 address and the beginning of the IPv6 addresses in `1234::/16`.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::{Address, Network};

use super::name::QuestionName;

const OCTETS: usize = 4;
const NIBBLES: usize = 32;

/// The length of the prefix under which IPv6 writes IPv4 addresses: `::ffff:0:0/96`.
const MAPPED_BITS: u32 = 96;

/// The IPv4 address that the first `labels` labels of `name` write, if there are four.
///
/// Octets are written as dotted quads write them: an octet with a leading zero is no name of ours, as it is no name
/// in the mirrors that hold the zone as text.
pub(crate) fn v4_host(name: &QuestionName<'_>, labels: usize) -> Option<Ipv4Addr> {
    if labels == OCTETS { v4_bits(name, labels).map(Ipv4Addr::from_bits) } else { None }
}

/// The IPv6 address that the first `labels` labels of `name` write, if there are thirty-two.
pub(crate) fn v6_host(name: &QuestionName<'_>, labels: usize) -> Option<Address> {
    if labels != NIBBLES {
        return None;
    }
    v6_bits(name, labels).map(|bits| Address::new(IpAddr::V6(Ipv6Addr::from_bits(bits))))
}

/// The networks that the first `labels` labels of `name` write, as a part of an IPv4 and of an IPv6 address.
pub(crate) fn networks(name: &QuestionName<'_>, labels: usize) -> [Option<Prefix>; 2] {
    let v4 = if (1..OCTETS).contains(&labels) { v4_bits(name, labels) } else { None };
    let v6 = if (1..NIBBLES).contains(&labels) { v6_bits(name, labels) } else { None };
    let v4 = v4.map(|bits| {
        let address = Address::new(IpAddr::V4(Ipv4Addr::from_bits(bits)));
        Prefix { network: Network::containing(address, labels as u8 * 8), holds_mapped: false }
    });
    [v4, v6.map(|bits| v6_prefix(bits, labels as u32 * 4))]
}

/// A network whose name may exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Prefix {
    /// The network; of IPv4 where the name is below `::ffff:0:0/96`.
    pub(crate) network: Network,
    /// Whether it is an IPv6 network that holds all of `::ffff:0:0/96`, and with it the test entries.
    pub(crate) holds_mapped: bool,
}

fn v6_prefix(bits: u128, length: u32) -> Prefix {
    let mapped = Ipv4Addr::UNSPECIFIED.to_ipv6_mapped().to_bits();
    let shared = (bits ^ mapped).leading_zeros();
    if length > MAPPED_BITS && shared >= MAPPED_BITS {
        let address = Address::new(IpAddr::V4(Ipv4Addr::from_bits(bits as u32)));
        return Prefix { network: Network::containing(address, (length - MAPPED_BITS) as u8), holds_mapped: false };
    }
    // An address outside of the mapped range stays IPv6. `::/n` and its like begin outside of it.
    let address = Address::new(IpAddr::V6(Ipv6Addr::from_bits(bits)));
    let holds_mapped = length <= MAPPED_BITS && shared >= length;
    if address.ip().is_ipv4() {
        // `::ffff:0:0/96` itself: all of IPv4.
        return Prefix { network: Network::containing(address, 0), holds_mapped };
    }
    Prefix { network: Network::containing(address, length as u8), holds_mapped }
}

/// The octets of `labels` labels (at most four), the last label's first; missing ones are zero.
fn v4_bits(name: &QuestionName<'_>, labels: usize) -> Option<u32> {
    let mut bits = 0;
    for index in 0..labels {
        let octet = match *name.label(index) {
            [a] => digit(a)?,
            [a @ b'1'..=b'9', b] => digit(a)? * 10 + digit(b)?,
            [a @ b'1'..=b'2', b, c] => digit(a)? * 100 + digit(b)? * 10 + digit(c)?,
            _ => return None,
        };
        if octet > 255 {
            return None;
        }
        bits |= octet << (8 * (OCTETS - labels + index));
    }
    Some(bits)
}

fn digit(byte: u8) -> Option<u32> {
    let value = byte.wrapping_sub(b'0');
    (value < 10).then_some(u32::from(value))
}

/// The nibbles of `labels` labels (at most thirty-two), the last label's first; missing ones are zero.
fn v6_bits(name: &QuestionName<'_>, labels: usize) -> Option<u128> {
    let mut bits = 0;
    for index in 0..labels {
        let &[nibble] = name.label(index) else { return None };
        let nibble = char::from(nibble).to_digit(16)?;
        bits |= u128::from(nibble) << (4 * (NIBBLES - labels + index));
    }
    Some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(text: &str) -> Vec<u8> {
        let mut wire = Vec::new();
        for label in text.split('.').filter(|label| !label.is_empty()) {
            wire.push(label.len() as u8);
            wire.extend_from_slice(label.as_bytes());
        }
        wire.push(0);
        wire
    }

    #[test]
    fn hosts() {
        let cases = [
            ("1.2.0.192", Some("192.0.2.1")),
            ("255.255.255.255", Some("255.255.255.255")),
            ("0.0.0.0", Some("0.0.0.0")),
            ("01.2.0.192", None),
            ("1.2.0.256", None),
            ("1.2.0.300", None),
            ("1.2.0.1000", None),
            ("1.2.0.a", None),
            ("1.2.0", None),
            ("1.2.3.4.5", None),
        ];
        for (text, wanted) in cases {
            let bytes = wire(text);
            let name = QuestionName::read(&bytes).unwrap();
            assert_eq!(v4_host(&name, name.labels()).map(|a| a.to_string()).as_deref(), wanted, "{text}");
        }
        let reversed = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.d.0.1.0.0.2";
        let bytes = wire(reversed);
        let name = QuestionName::read(&bytes).unwrap();
        assert_eq!(v6_host(&name, 32).unwrap().to_string(), "2001:db8::1");
        let bytes = wire(&reversed.replace('B', "g"));
        assert!(v6_host(&QuestionName::read(&bytes).unwrap(), 32).is_none());
    }

    #[test]
    fn parts_of_addresses() {
        let mapped = "f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0";
        let below = format!("f.7.{mapped}");
        let cases = [
            ("192", Some("192.0.0.0/8"), None),
            ("2.0.192", Some("192.0.2.0/24"), None),
            ("1", Some("1.0.0.0/8"), Some("1000::/4")),
            ("8.b.d.0.1.0.0.2", None, Some("2001:db8::/32")),
            ("4.3.2.1", None, Some("1234::/16")),
            ("mail", None, None),
            ("", None, None),
            ("0.0.0", Some("0.0.0.0/24"), Some("::/12+mapped")),
            (mapped, None, Some("0.0.0.0/0+mapped")),
            (&below, None, Some("127.0.0.0/8")),
        ];
        for (text, v4, v6) in cases {
            let bytes = wire(text);
            let name = QuestionName::read(&bytes).unwrap();
            let got = networks(&name, name.labels())
                .map(|prefix| prefix.map(|p| format!("{}{}", p.network, if p.holds_mapped { "+mapped" } else { "" })));
            assert_eq!([got[0].as_deref(), got[1].as_deref()], [v4, v6], "{text}");
        }
    }
}
