use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::HashSet;

use base::{Address, ListId, ListSet, Login, Network, Subject};

use crate::tree::{Changes, Tree};

/// What no client can have as its address, or what stands for this host itself: loopback, "this network", link-local,
/// multicast and broadcast (RFC 6890, RFC 5771, RFC 4291). Listing one of these would hit the mail server itself, or
/// everybody.
const ALWAYS: [(IpAddr, u8); 9] = [
    (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8),
    (IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8),
    (IpAddr::V4(Ipv4Addr::new(169, 254, 0, 0)), 16),
    (IpAddr::V4(Ipv4Addr::new(224, 0, 0, 0)), 4),
    (IpAddr::V4(Ipv4Addr::BROADCAST), 32),
    (IpAddr::V6(Ipv6Addr::UNSPECIFIED), 128),
    (IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
    (IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), 10),
    (IpAddr::V6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0)), 8),
];

/// Who is never listed, by any road: the configured networks and logins, and always what stands for the host itself
/// or for everybody: loopback, unspecified, link-local, multicast and broadcast addresses.
pub struct NeverList {
    networks: Tree,
    logins: HashSet<Box<str>>,
}

impl NeverList {
    /// A never-list of these networks and logins.
    pub fn new(networks: impl IntoIterator<Item = Network>, logins: impl IntoIterator<Item = Login>) -> Self {
        let here = ListSet::EMPTY.with(ListId::BLOCKED);
        let mut changes = Changes::default();
        let always = ALWAYS.iter().map(|(base, length)| Network::containing(Address::new(*base), *length));
        for network in always.chain(networks) {
            changes.set(network, here);
        }
        let mut tree = Tree::default();
        tree.apply(&mut changes);
        let logins = logins.into_iter().map(|login| login.as_str().into()).collect();
        Self { networks: tree, logins }
    }

    /// Whether the subject is, or shares an address with, what is never listed. A network that merely
    /// contains a never-listed address is covered too, because listing it would list that address.
    pub fn covers(&self, subject: &Subject) -> bool {
        match subject {
            Subject::Network(network) => !self.networks.lists_below(*network).is_empty(),
            Subject::Login(login) => self.covers_login(login.as_str()),
        }
    }

    /// Whether the address is never listed. No allocation.
    pub fn covers_address(&self, address: Address) -> bool {
        !self.networks.lists_of(address).is_empty()
    }

    /// Whether the login, in its canonical form, is never listed. No allocation.
    pub fn covers_login(&self, login: &str) -> bool {
        self.logins.contains(login)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covers_what_overlaps() {
        let own = ["192.0.2.0/24", "2001:db8:1::/48", "198.51.100.7"];
        let postmaster = Login::new("Postmaster").unwrap();
        let never = NeverList::new(own.map(|text| text.parse().unwrap()), [postmaster]);
        let cases = [
            ("127.0.0.1", true),
            ("127.0.0.0/24", true),
            ("0.0.0.0/0", true),
            ("0.0.0.0", true),
            ("0.1.2.3", true),
            ("1.0.0.0", false),
            ("126.0.0.0/8", false),
            ("126.0.0.0/7", true),
            ("169.254.1.1", true),
            ("224.0.0.1", true),
            ("240.0.0.1", false),
            ("255.255.255.255", true),
            ("255.255.255.0/24", true),
            ("255.255.255.254", false),
            ("192.0.2.200", true),
            ("192.0.2.128/25", true),
            ("192.0.0.0/16", true),
            ("192.0.3.0/24", false),
            ("198.51.100.7", true),
            ("198.51.100.6", false),
            ("198.51.100.0/24", true),
            ("::", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("::/64", true),
            ("::/0", true),
            ("fe80::1", true),
            ("ff02::1", true),
            ("2001:db8:1:2::/64", true),
            ("2001:db8::/32", true),
            ("2001:db8:2::/64", false),
            ("login:postmaster", true),
            ("login:alice", false),
        ];
        for (text, wanted) in cases {
            let subject: Subject = text.parse().unwrap();
            assert_eq!(never.covers(&subject), wanted, "{text}");
            if let Ok(address) = text.parse() {
                assert_eq!(never.covers_address(address), wanted, "{text}");
            }
        }
        assert!(never.covers_login("postmaster"));
    }
}
