//! A name judged by its shape alone: whether it says the address, and what access networks call their lines.

use std::net::IpAddr;

use base::Address;

use crate::classify::Class;

/// Words of access networks whose addresses change.
const DYNAMIC: [&str; 16] = [
    "adsl",
    "broadband",
    "cable",
    "catv",
    "client",
    "dhcp",
    "dial",
    "dialup",
    "dip",
    "dsl",
    "dyn",
    "dynamic",
    "ppp",
    "pool",
    "pppoe",
    "res",
];
/// Words of lines that are sold as not changing, and of servers.
const STATIC: [&str; 10] = ["static", "fixed", "dedicated", "business", "biz", "mail", "smtp", "mx", "vps", "server"];

/// The class of a name in small letters; none where its shape tells nothing.
pub fn class_of(name: &str, address: Address) -> Option<Class> {
    let words = || name.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    let has = |list: &[&str]| words().any(|word| list.contains(&word));
    let (is_static, is_dynamic) = (has(&STATIC), has(&DYNAMIC));
    match (says_address(name, address), is_static, is_dynamic) {
        (true, true, _) => Some(Class::StaticGeneric),
        (true, false, _) | (false, false, true) => Some(Class::Dynamic),
        (false, true, _) => Some(Class::Mailserver),
        (false, false, false) => None,
    }
}

/// Whether the numbers in the name hold three octets of an IPv4 address in any order.
fn says_address(name: &str, address: Address) -> bool {
    let IpAddr::V4(address) = address.ip() else { return false };
    let mut octets = address.octets().to_vec();
    for number in name.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse::<u8>().ok()) {
        if let Some(place) = octets.iter().position(|octet| *octet == number) {
            octets.remove(place);
        }
    }
    octets.len() <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_tell_apart_what_is_plain() {
        let cases = [
            ("dyn-192-0-2-77.pool.example.net", Some(Class::Dynamic)),
            ("77.2.0.192.example.net", Some(Class::Dynamic)),
            ("static-192-0-2-77.example.net", Some(Class::StaticGeneric)),
            ("cust77.adsl.example.net", Some(Class::Dynamic)),
            ("mail.example.net", Some(Class::Mailserver)),
            ("mail77.example.net", Some(Class::Mailserver)),
            ("apollo.example.net", None),
        ];
        for (name, wanted) in cases {
            assert_eq!(class_of(name, "192.0.2.77".parse().unwrap()), wanted, "{name}");
        }
    }
}
