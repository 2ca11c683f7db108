//! The names by which lists are asked (RFC 5782 sections 2.1 and 2.4).

use core::fmt::Write;
use core::net::IpAddr;

use base::Address;

use super::List;

/// The name that asks for an address: its octets or nibbles, the last first, then the key, then the zone.
pub fn address_name(list: &List, address: Address) -> String {
    let mut name = String::with_capacity(64 + 64 + list.zone.len());
    match address.ip() {
        IpAddr::V4(v4) => {
            for octet in v4.octets().iter().rev() {
                // A string takes whatever is written.
                let _ = write!(name, "{octet}.");
            }
        }
        IpAddr::V6(v6) => push_nibbles(&mut name, &v6.octets()),
    }
    behind(name, list)
}

/// The name that asks for the test entries of a list of IPv6 addresses: `::FFFF:7F00:2` and its like, which
/// [`Address`] folds into IPv4.
pub(super) fn mapped_name(list: &List, address: Address) -> String {
    let mut name = String::new();
    let bits = match address.ip() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    push_nibbles(&mut name, &bits.octets());
    behind(name, list)
}

/// The name of one label in the zone, which nobody can have listed.
pub(super) fn label_name(list: &List, label: &str) -> String {
    behind(format!("{label}."), list)
}

fn push_nibbles(name: &mut String, octets: &[u8; 16]) {
    for octet in octets.iter().rev() {
        let _ = write!(name, "{:x}.{:x}.", octet & 15, octet >> 4);
    }
}

fn behind(mut name: String, list: &List) -> String {
    if let Some(key) = &list.key {
        name.push_str(key.expose());
        name.push('.');
    }
    name.push_str(&list.zone);
    name
}
