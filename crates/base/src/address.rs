use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use crate::Network;

/// How many leading bits of an IPv6 address name one customer: hosts choose the rest themselves, and change it.
const V6_AGGREGATE_BITS: u8 = 64;

/// An IP address as Ratter counts it: IPv4-mapped IPv6 (`::ffff:192.0.2.1`) is the IPv4 address itself.
///
/// crowdsec #3467 shows what happens otherwise: the same client is two.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(IpAddr);

/// The text is no IP address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no IP address")]
pub struct AddressError;

impl Address {
    /// The address, with IPv4-mapped IPv6 folded.
    pub const fn new(ip: IpAddr) -> Self {
        Self(ip.to_canonical())
    }

    /// The dotted IPv4 address that `text` begins with, as far as it goes, and how many bytes it has; none if it begins with
    /// no such address. What may follow is the caller's to say.
    pub fn leading(text: &[u8]) -> Option<(Self, usize)> {
        leading_dotted(text).map(|(ip, end)| (Self(IpAddr::V4(ip)), end))
    }

    /// The folded IP address.
    pub const fn ip(self) -> IpAddr {
        self.0
    }

    /// The network that counts as one party: the address itself for IPv4, its /64 for IPv6, where privacy
    /// addresses rotate within it.
    pub fn aggregate(self) -> Network {
        match self.0 {
            IpAddr::V4(_) => Network::containing(self, 32),
            IpAddr::V6(_) => Network::containing(self, V6_AGGREGATE_BITS),
        }
    }

    /// The address as 128 bits, IPv4 in its mapped form: one key space for hashing and storing.
    pub const fn bits(self) -> u128 {
        match self.0 {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
            IpAddr::V6(v6) => v6.to_bits(),
        }
    }

    /// The address of [`Address::bits`].
    pub const fn from_bits(bits: u128) -> Self {
        Self::new(IpAddr::V6(Ipv6Addr::from_bits(bits)))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Takes what mail servers write: dotted IPv4, IPv6, and IPv6 with a zone (`fe80::1%eth0`), which is dropped.
impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(ip) = dotted(text.as_bytes()) {
            return Ok(Self(IpAddr::V4(ip)));
        }
        if let Some(ip) = grouped(text.as_bytes()) {
            return Ok(Self::new(IpAddr::V6(ip)));
        }
        let bare = text.split_once('%').map_or(text, |(address, _zone)| address);
        bare.parse::<Ipv6Addr>().map(|ip| Self::new(IpAddr::V6(ip))).map_err(|_| AddressError)
    }
}

/// Dotted IPv4 as the standard library takes it, without leading zeros.
pub(crate) fn dotted(text: &[u8]) -> Option<Ipv4Addr> {
    leading_dotted(text).filter(|(_, end)| *end == text.len()).map(|(ip, _)| ip)
}

/// The same at the beginning of `text`, as far as it goes, and how many bytes it has; a quarter of the work, which is done
/// for most lines of a log.
fn leading_dotted(text: &[u8]) -> Option<(Ipv4Addr, usize)> {
    const BYTES_MAX: usize = 16;
    // A place behind the text is no digit, and every place that is looked at is in the room.
    let mut room = [0u8; 2 * BYTES_MAX];
    match text.first_chunk::<BYTES_MAX>() {
        Some(text) => room[..BYTES_MAX].copy_from_slice(text),
        None => room[..text.len()].copy_from_slice(text),
    }
    let byte = |at: usize| room[at % (2 * BYTES_MAX)];
    let digit = |at: usize| u32::from(byte(at).wrapping_sub(b'0'));
    let (mut octets, mut at) = ([0u8; 4], 0usize);
    for (place, octet) in octets.iter_mut().enumerate() {
        if place > 0 {
            if byte(at) != b'.' {
                return None;
            }
            at += 1;
        }
        let (first, second, third) = (digit(at), digit(at + 1), digit(at + 2));
        let (number, digits) = match (first, second, third) {
            (10.., _, _) => return None,
            (_, 10.., _) => (first, 1),
            (0, _, _) => return None,
            (_, _, 10..) => (first * 10 + second, 2),
            _ => (first * 100 + second * 10 + third, 3),
        };
        *octet = u8::try_from(number).ok()?;
        at += digits;
    }
    Some((Ipv4Addr::from(octets), at))
}

/// IPv6 as the standard library takes it, if all eight groups are written; a fifth of the work.
fn grouped(text: &[u8]) -> Option<Ipv6Addr> {
    const DIGITS_MAX: usize = 4;
    let (mut groups, mut place, mut digits) = ([0u16; 8], 0, 0);
    for &byte in text {
        if byte == b':' && digits > 0 {
            place += 1;
            digits = 0;
            continue;
        }
        let value = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' | b'A'..=b'F' => (byte | b' ') - b'a' + 10,
            _ => return None,
        };
        let group = groups.get_mut(place).filter(|_| digits < DIGITS_MAX)?;
        *group = *group << 4 | u16::from(value);
        digits += 1;
    }
    (place == groups.len() - 1 && digits > 0).then(|| Ipv6Addr::from(groups))
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        Self::new(ip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn dotted_addresses_are_those_of_the_standard_library(text in "[0-9]{0,4}(\\.[0-9]{0,4}){0,4}|[0-9.]{0,17}|[ -~]{0,9}") {
            proptest::prop_assert_eq!(dotted(text.as_bytes()), text.parse().ok());
        }
    }

    proptest::proptest! {
        #[test]
        fn whole_ipv6_addresses_are_those_of_the_standard_library(text in "([0-9a-fA-F]{0,5}:){5,8}[0-9a-fA-F]{0,5}|([0-9a-f]{1,4}:){7}[0-9a-g]{1,5}|[0-9a-f:]{0,40}") {
            let wanted: Option<Ipv6Addr> = text.parse().ok();
            proptest::prop_assert!(grouped(text.as_bytes()).is_none_or(|ip| wanted == Some(ip)));
            let is_whole = wanted.is_some() && !text.contains("::");
            proptest::prop_assert_eq!(grouped(text.as_bytes()).is_some(), is_whole);
        }
    }

    #[test]
    fn leading_addresses_end_where_their_digits_do() {
        let cases = [
            ("192.0.2.1]:25", Some(("192.0.2.1", 9))),
            ("192.0.2.255", Some(("192.0.2.255", 11))),
            ("192.0.2.2555", Some(("192.0.2.255", 11))),
            ("192.0.2.256", None),
            ("192.0.2.01", None),
            ("192.0.2", None),
            ("2001:db8::1", None),
        ];
        for (text, wanted) in cases {
            let got = Address::leading(text.as_bytes()).map(|(address, end)| (address.to_string(), end));
            assert_eq!(got, wanted.map(|(address, end)| (address.to_owned(), end)), "{text}");
        }
    }

    fn check(text: &str, wanted: Option<&str>) {
        let got = text.parse::<Address>().ok().map(|a| a.to_string());
        assert_eq!(got.as_deref(), wanted, "{text}");
    }

    #[test]
    fn texts_of_mail_servers() {
        check("192.0.2.1", Some("192.0.2.1"));
        check("::ffff:192.0.2.1", Some("192.0.2.1"));
        check("2001:DB8::1", Some("2001:db8::1"));
        check("fe80::1%eth0", Some("fe80::1"));
        check("192.0.2.1%eth0", None);
        check("192.0.2.01", None);
        check("192.0.2", None);
        check("", None);
    }

    #[test]
    fn aggregates_and_bits() {
        let v6: Address = "2001:db8:1:2:3:4:5:6".parse().unwrap();
        assert_eq!(v6.aggregate().to_string(), "2001:db8:1:2::/64");
        let v4: Address = "192.0.2.1".parse().unwrap();
        assert_eq!(v4.aggregate().to_string(), "192.0.2.1");
        assert_eq!(Address::from_bits(v4.bits()), v4);
        assert_eq!(Address::from_bits(v6.bits()), v6);
    }
}
