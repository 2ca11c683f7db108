use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use crate::Address;
use crate::address::dotted;

/// A network: an address with a prefix length, without host bits.
///
/// IPv4 networks have lengths 0 to 32 and IPv6 networks 0 to 128; a single host is a network of full length.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    base: IpAddr,
    length: u8,
}

/// Why a text is no network.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NetworkError {
    /// The part before the slash is no address.
    #[error("is no address or network, such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32")]
    Address,
    /// The part after the slash is no length of that family.
    #[error("has a wrong length after `/`: 0 to 32 for IPv4, 0 to 128 for IPv6")]
    Length,
    /// Bits below the length are set; the network that was probably meant is given.
    #[error("has host bits set; the network is {0}")]
    HostBits(Network),
}

impl Network {
    /// The network of `length` bits that holds `address`; host bits are cleared, and a length beyond the
    /// family's is taken as a single host.
    pub fn containing(address: Address, length: u8) -> Self {
        match address.ip() {
            IpAddr::V4(v4) => {
                let length = length.min(32);
                let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
                Self { base: IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask)), length }
            }
            IpAddr::V6(v6) => {
                let length = length.min(128);
                let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
                Self { base: IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask)), length }
            }
        }
    }

    /// The first address.
    pub const fn base(self) -> IpAddr {
        self.base
    }

    /// The prefix length in bits.
    pub const fn length(self) -> u8 {
        self.length
    }

    /// Whether this is one host: /32 or /128.
    pub const fn is_host(self) -> bool {
        match self.base {
            IpAddr::V4(_) => self.length == 32,
            IpAddr::V6(_) => self.length == 128,
        }
    }

    /// Whether `address` lies inside; never across families.
    pub fn contains(self, address: Address) -> bool {
        address.ip().is_ipv4() == self.base.is_ipv4() && Self::containing(address, self.length) == self
    }

    /// Whether the two share an address.
    pub fn overlaps(self, other: Self) -> bool {
        let (wide, narrow) = if self.length <= other.length { (self, other) } else { (other, self) };
        wide.contains(Address::new(narrow.base)) && wide.base.is_ipv4() == narrow.base.is_ipv4()
    }
}

/// `192.0.2.0/24`; a single host without its length.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_host() { write!(f, "{}", self.base) } else { write!(f, "{}/{}", self.base, self.length) }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Takes `address/length`, or an address alone for a single host. Host bits are an error, because `192.0.2.7/24`
/// may mean the host or the network.
impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        // What nearly every line of a list is needs no search for a slash.
        if let Some(ip) = dotted(text.as_bytes()) {
            return Ok(Self { base: IpAddr::V4(ip), length: 32 });
        }
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        // An IPv4 network may be written in its mapped form, as an address may.
        let mapped_bits = if address.contains(':') { 96 } else { 0 };
        let address: Address = address.parse().map_err(|_| NetworkError::Address)?;
        let (mapped_bits, longest) = if address.ip().is_ipv4() { (mapped_bits, 32) } else { (0, 128) };
        let length = match length {
            None => longest,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                let length = digits.parse().ok().and_then(|length: u8| length.checked_sub(mapped_bits));
                length.filter(|length| *length <= longest).ok_or(NetworkError::Length)?
            }
            Some(_) => return Err(NetworkError::Length),
        };
        let network = Self::containing(address, length);
        if network.base == address.ip() { Ok(network) } else { Err(NetworkError::HostBits(network)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_strictly() {
        let cases = [
            ("192.0.2.0/24", Ok("192.0.2.0/24")),
            ("192.0.2.7", Ok("192.0.2.7")),
            ("192.0.2.7/32", Ok("192.0.2.7")),
            ("0.0.0.0/0", Ok("0.0.0.0/0")),
            ("2001:db8::/32", Ok("2001:db8::/32")),
            ("::/0", Ok("::/0")),
            ("::ffff:192.0.2.0/120", Ok("192.0.2.0/24")),
            ("::ffff:c000:207", Ok("192.0.2.7")),
            ("::ffff:192.0.2.7/120", Err("has host bits set; the network is 192.0.2.0/24")),
            ("::ffff:192.0.2.0/24", Err("has a wrong length after `/`: 0 to 32 for IPv4, 0 to 128 for IPv6")),
            ("192.0.2.7/24", Err("has host bits set; the network is 192.0.2.0/24")),
            ("192.0.2.0/33", Err("has a wrong length after `/`: 0 to 32 for IPv4, 0 to 128 for IPv6")),
            ("192.0.2.0/+8", Err("has a wrong length after `/`: 0 to 32 for IPv4, 0 to 128 for IPv6")),
            ("mail/24", Err("is no address or network, such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32")),
        ];
        for (text, wanted) in cases {
            let got = text.parse::<Network>().map(|n| n.to_string()).map_err(|e| e.to_string());
            assert_eq!(got.as_deref().map_err(String::as_str), wanted, "{text}");
        }
    }

    #[test]
    fn containment_and_overlap() {
        let net = |text: &str| text.parse::<Network>().unwrap();
        let addr = |text: &str| text.parse::<Address>().unwrap();
        assert!(net("192.0.2.0/24").contains(addr("192.0.2.255")));
        assert!(!net("192.0.2.0/24").contains(addr("192.0.3.0")));
        assert!(!net("0.0.0.0/0").contains(addr("::1")));
        assert!(net("::/0").contains(addr("2001:db8::1")));
        assert!(net("192.0.2.0/24").overlaps(net("192.0.2.128/25")));
        assert!(net("192.0.2.128/25").overlaps(net("192.0.0.0/16")));
        assert!(!net("192.0.2.0/25").overlaps(net("192.0.2.128/25")));
        assert!(!net("0.0.0.0/0").overlaps(net("::/0")));
    }
}
