//! Places in a zone: whole octets of IPv4 and whole nibbles of IPv6 addresses, as names write them.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::{Address, Network};

/// How addresses of one family become names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Family {
    /// Four decimal octets.
    V4,
    /// Thirty-two hexadecimal nibbles.
    V6,
}

/// The fewest bits of an IPv6 network that has a wildcard. A name of four labels is an IPv4 address, and a wildcard with
/// fewer nibbles than that would answer for it.
const V6_WILDCARD_BITS_MIN: u8 = 16;

impl Family {
    pub(crate) const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// The family of a network.
    pub(crate) const fn of(network: Network) -> Self {
        match network.base() {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// Bits of one label.
    pub(crate) const fn stride(self) -> u8 {
        match self {
            Self::V4 => 8,
            Self::V6 => 4,
        }
    }

    /// Bits of an address.
    pub(crate) const fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    /// The network with these left-aligned bits.
    pub(crate) fn network(self, bits: u128, length: u8) -> Network {
        let ip = match self {
            Self::V4 => IpAddr::V4(Ipv4Addr::from_bits((bits >> 96) as u32)),
            Self::V6 => IpAddr::V6(Ipv6Addr::from_bits(bits)),
        };
        Network::containing(Address::new(ip), length)
    }
}

/// A whole number of labels of an address, from its beginning.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Node {
    pub(crate) family: Family,
    /// Left-aligned, the bits behind `length` clear.
    pub(crate) bits: u128,
    /// A multiple of the family's stride.
    pub(crate) length: u8,
}

impl Node {
    /// The node that is all of `family`: the zone's own name.
    pub(crate) const fn top(family: Family) -> Self {
        Self { family, bits: 0, length: 0 }
    }

    /// The node of one host. IPv4 in its mapped form is a node of IPv6 here, if `ip` is.
    pub(crate) fn host(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => Self { family: Family::V4, bits: u128::from(v4.to_bits()) << 96, length: 32 },
            IpAddr::V6(v6) => Self { family: Family::V6, bits: v6.to_bits(), length: 128 },
        }
    }

    /// The longest node that holds `network` and more.
    pub(crate) fn around(network: Network) -> Self {
        let family = Family::of(network);
        let length = network.length().saturating_sub(1) / family.stride() * family.stride();
        Self { family, bits: left(network), length: 0 }.cut(length)
    }

    /// The first `length` bits of this node.
    pub(crate) const fn cut(self, length: u8) -> Self {
        let mask = if length == 0 { 0 } else { u128::MAX << (128 - length as u32) };
        Self { bits: self.bits & mask, length, ..self }
    }

    /// The node with one label less; `None` for the zone's own name.
    pub(crate) fn parent(self) -> Option<Self> {
        Some(self.cut(self.length.checked_sub(self.family.stride())?))
    }

    /// The node with one label more, of which this is the value.
    pub(crate) fn child(self, value: u32) -> Self {
        let length = self.length + self.family.stride();
        Self { bits: self.bits | u128::from(value) << (128 - u32::from(length)), length, ..self }
    }

    /// Which child of this node, of which there are 256 or 16, `bits` belong to, if any.
    pub(crate) fn child_of(self, bits: u128) -> Option<u32> {
        let inside = Self { bits, ..self }.cut(self.length).bits == self.bits;
        let stride = u32::from(self.family.stride());
        inside.then(|| (bits >> (128 - u32::from(self.length) - stride)) as u32 % (1 << stride))
    }

    /// The network that it is.
    pub(crate) fn network(self) -> Network {
        self.family.network(self.bits, self.length)
    }

    /// Whether it is a single address.
    pub(crate) const fn is_host(self) -> bool {
        self.length == self.family.bits()
    }

    /// How many labels it has.
    pub(crate) const fn labels(self) -> usize {
        (self.length / self.family.stride()) as usize
    }

    /// The value of the label at `index`, counted from the beginning of the address.
    pub(crate) fn label(self, index: usize) -> u32 {
        let stride = u32::from(self.family.stride());
        (self.bits >> (128 - stride * (index as u32 + 1))) as u32 % (1 << stride)
    }

    /// How many labels two nodes have in common at the beginning of their addresses.
    pub(crate) fn shared_labels(self, other: Self) -> usize {
        if self.family != other.family {
            return 0;
        }
        let bits = (self.bits ^ other.bits).leading_zeros().min(u32::from(self.length.min(other.length)));
        bits as usize / usize::from(self.family.stride())
    }

    /// Whether a listed network here cannot be a wildcard, because it would answer for addresses of the other family:
    /// labels of one digit are octets and nibbles alike, so that `*.2` for 2.0.0.0/8 would list all of `2000::/4`. Such a
    /// network is written out one label further.
    pub(crate) fn is_ambiguous(self) -> bool {
        match self.family {
            Family::V4 => !self.is_host() && (0..self.labels()).all(|index| self.label(index) < 10),
            Family::V6 => self.length < V6_WILDCARD_BITS_MIN,
        }
    }
}

/// The first address of a network, left-aligned.
pub(crate) const fn left(network: Network) -> u128 {
    match network.base() {
        IpAddr::V4(v4) => (v4.to_bits() as u128) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> Node {
        let network: Network = text.parse().unwrap();
        Node { family: Family::of(network), bits: left(network), length: network.length() }
    }

    #[test]
    fn parts_of_names() {
        let a = node("192.0.2.0/24");
        assert_eq!((a.labels(), a.label(0), a.label(2)), (3, 192, 2));
        assert_eq!((a.child(7), a.child(7).is_host()), (node("192.0.2.7"), true));
        assert_eq!((a.parent(), Node::top(Family::V4).parent()), (Some(node("192.0.0.0/16")), None));
        assert_eq!((a.child_of(node("192.0.2.9").bits), a.child_of(node("192.0.3.9").bits)), (Some(9), None));
        assert_eq!(a.shared_labels(node("192.0.3.1")), 2);
        let b = node("2001:db8::/32");
        assert_eq!((b.labels(), b.label(0), b.label(5), b.child(10)), (8, 2, 13, node("2001:db8:a000::/36")));
        assert_eq!((b.shared_labels(node("2001:db0::/28")), b.shared_labels(a)), (7, 0));
    }

    #[test]
    fn the_node_around_a_network() {
        let cases = [
            ("192.0.2.7", "192.0.2.0/24"),
            ("192.0.2.0/25", "192.0.2.0/24"),
            ("192.0.2.0/24", "192.0.0.0/16"),
            ("192.0.0.0/17", "192.0.0.0/16"),
            ("192.0.0.0/2", "0.0.0.0/0"),
            ("2001:db8::/33", "2001:db8::/32"),
            ("2001:db8::1", "2001:db8::/124"),
            ("::/0", "::/0"),
        ];
        for (network, around) in cases {
            assert_eq!(Node::around(network.parse().unwrap()), node(around), "{network}");
        }
    }

    #[test]
    fn octets_and_nibbles_that_look_alike() {
        let cases = [
            ("2.0.0.0/8", true),
            ("2.6.0.0/24", true),
            ("2.6.0.1", false),
            ("2.6.10.0/24", false),
            ("198.0.0.0/8", false),
            ("2000::/4", true),
            ("2000::/12", true),
            ("2001::/16", false),
        ];
        for (text, wanted) in cases {
            assert_eq!(node(text).is_ambiguous(), wanted, "{text}");
        }
    }
}
