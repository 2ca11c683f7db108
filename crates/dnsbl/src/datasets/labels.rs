//! Networks as names below a zone: what a resolver asks for, for datasets that know names and no addresses.

use core::fmt::Write as _;
use core::net::{IpAddr, Ipv4Addr};

use base::Network;

/// The names that stand for the addresses of a network, as `7.2.0.192`; for more than a single address those of the octets, or
/// of the hexadecimal digits, that it is made of, at most 128: everything below them is in the network, and nothing else is.
pub(super) fn names(network: Network) -> impl Iterator<Item = String> {
    let (bits, width, step) = match network.base() {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32, 8),
        IpAddr::V6(v6) => (v6.to_bits(), 128, 4),
    };
    let length = u32::from(network.length());
    let labels = length.div_ceil(step);
    let spare = labels * step - length;
    (0..1_u128 << spare).map(move |number| {
        let written = bits.checked_shr(width - labels * step).unwrap_or_default() | number;
        let mut name = String::new();
        for at in 0..labels {
            let label = written >> (at * step) & ((1 << step) - 1);
            let dot = if at == 0 { "" } else { "." };
            let written = if step == 8 { write!(name, "{dot}{label}") } else { write!(name, "{dot}{label:x}") };
            written.expect("a string takes everything");
        }
        name
    })
}

/// The name of a single IPv4 address.
pub(super) fn host_name(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("{d}.{c}.{b}.{a}")
}

/// A text of rbldnsd's templates for one address: `$` is the address, and `$$` is a dollar sign.
pub(super) fn filled(template: &str, address: &str) -> String {
    let parts = template.split("$$").map(|part| part.replace('$', address));
    parts.collect::<Vec<_>>().join("$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_names() {
        let cases = [
            ("192.0.2.7", "7.2.0.192"),
            ("192.0.2.0/24", "2.0.192"),
            ("192.0.2.128/31", "128.2.0.192 129.2.0.192"),
            ("10.0.0.0/7", "10 11"),
            ("2001:db8::/32", "8.b.d.0.1.0.0.2"),
            ("2001:db8::/31", "8.b.d.0.1.0.0.2 9.b.d.0.1.0.0.2"),
        ];
        for (network, wanted) in cases {
            assert_eq!(names(network.parse().unwrap()).collect::<Vec<_>>().join(" "), wanted);
        }
        assert_eq!(names("192.0.2.0/25".parse().unwrap()).count(), 128);
        assert_eq!(names("2001:db8::1".parse().unwrap()).next().map(|name| name.len()), Some(63));
        assert_eq!(filled("$$5 for $, $$$", "192.0.2.7"), "$5 for 192.0.2.7, $192.0.2.7");
    }
}
