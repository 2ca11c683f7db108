use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::HashSet;
use std::sync::Arc;

use base::limits::LISTS_MAX;
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

/// The other special-purpose networks of the IANA registries (RFC 6890 and its successors), which no stranger's mail can
/// come from: on a published list they would hit networks inside other people's houses. They may be blocked here. Those
/// for documentation (RFC 5737, RFC 3849) are left out: nobody has them, and every example and test uses them.
const SPECIAL: [&str; 24] = [
    "10.0.0.0/8",      // private, RFC 1918
    "100.64.0.0/10",   // carriers' own, RFC 6598
    "172.16.0.0/12",   // private, RFC 1918
    "192.0.0.0/24",    // protocol assignments, RFC 6890
    "192.31.196.0/24", // AS112, RFC 7535
    "192.52.193.0/24", // AMT, RFC 7450
    "192.88.99.0/24",  // 6to4 relays, RFC 7526
    "192.168.0.0/16",  // private, RFC 1918
    "192.175.48.0/24", // AS112, RFC 7534
    "198.18.0.0/15",   // benchmarks, RFC 2544
    "240.0.0.0/4",     // reserved, RFC 1112
    "64:ff9b::/96",    // translated IPv4, RFC 6052
    "64:ff9b:1::/48",  // translated IPv4 inside a house, RFC 8215
    "100::/64",        // discarded, RFC 6666
    "100:0:0:1::/64",  // a prefix for nothing, RFC 9780
    "2001::/32",       // Teredo, RFC 4380
    "2001:1::/32",     // anycast of protocols, RFC 7723, RFC 8155
    "2001:2::/48",     // benchmarks, RFC 5180
    "2001:3::/32",     // AMT, RFC 7450
    "2001:4:112::/48", // AS112, RFC 7535
    "2001:20::/28",    // ORCHIDv2, RFC 7343
    "2002::/16",       // 6to4, RFC 3056
    "5f00::/16",       // segments, RFC 9602
    "fc00::/7",        // private, RFC 4193
];

/// The servers of the root zone, from `named.root` of 2024-04 (<https://www.internic.net/domain/named.root>), and those of
/// the zones `com` and `net`, of 2023-12. Whoever listed them would cut off everybody who asks about a name.
const NAME_SERVERS: &str = include_str!("never/servers.txt");

/// Who is never listed, by any road: what somebody gave reasons to protect, and always what stands for the host itself
/// or for everybody: loopback, unspecified, link-local, multicast and broadcast addresses.
pub struct NeverList {
    networks: Tree,
    /// What is on no list that is published.
    unpublished: Tree,
    logins: HashSet<Box<str>>,
    /// What is protected for reasons that somebody gave.
    given: Tree,
    /// All networks with what protects them.
    protections: Vec<Protection>,
    canaries: Tree,
}

/// A network that is never listed, and what protects it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Protection {
    /// The network.
    pub network: Network,
    /// What protects it, in words: `the configuration`, `allow file /etc/…`.
    pub by: Arc<str>,
    /// Whether it is protected on every list; else on those that are published, and it may be blocked here.
    pub is_everywhere: bool,
}

impl NeverList {
    /// A never-list of these networks and logins of the configuration.
    pub fn new(networks: impl IntoIterator<Item = Network>, logins: impl IntoIterator<Item = Login>) -> Self {
        let by: Arc<str> = "the configuration".into();
        let configured = networks.into_iter();
        Self::with(configured.map(|network| Protection { network, by: Arc::clone(&by), is_everywhere: true }), logins)
    }

    /// A never-list of these protections and logins.
    pub fn with(protections: impl IntoIterator<Item = Protection>, logins: impl IntoIterator<Item = Login>) -> Self {
        let protection = |by: &Arc<str>, is_everywhere| {
            let by = Arc::clone(by);
            move |network| Protection { network, by: Arc::clone(&by), is_everywhere }
        };
        let always = ALWAYS.iter().map(|(base, length)| Network::containing(Address::new(*base), *length));
        let parse = |text: &str| text.parse::<Network>().expect("the tables are tested");
        let servers = NAME_SERVERS.lines().filter(|line| !line.starts_with('#'));
        let servers = servers.filter_map(|line| line.split_whitespace().next()).map(parse);
        let built_in: Vec<Protection> = always
            .map(protection(&"its kind: it stands for this host or for everybody".into(), true))
            .chain(
                SPECIAL
                    .into_iter()
                    .map(parse)
                    .map(protection(&"its kind: no stranger has it (RFC 6890)".into(), false)),
            )
            .chain(
                servers.map(protection(&"its part: a name server of the root or of a top-level domain".into(), false)),
            )
            .collect();
        let first_given = built_in.len();
        let protections: Vec<Protection> = built_in.into_iter().chain(protections).collect();
        let given = tree_of(protections[first_given..].iter().map(|it| it.network));
        let of = |is_everywhere| {
            let those = protections.iter().filter(move |it| it.is_everywhere == is_everywhere);
            tree_of(those.map(|it| it.network))
        };
        let logins = logins.into_iter().map(|login| login.as_str().into()).collect();
        Self { networks: of(true), unpublished: of(false), given, logins, protections, canaries: Tree::default() }
    }

    /// The same with networks in which nobody lives: whatever would publish one of them rests on something made up.
    #[must_use]
    pub fn with_canaries(self, canaries: impl IntoIterator<Item = Network>) -> Self {
        Self { canaries: tree_of(canaries.into_iter()), ..self }
    }

    /// Whether the subject is a canary, or a network that holds one, and the list one on which that matters.
    pub fn is_canary_on(&self, subject: &Subject, list: ListId) -> bool {
        match subject {
            Subject::Network(network) => list != ListId::BLOCKED && !self.canaries.lists_below(*network).is_empty(),
            Subject::Login(_) => false,
        }
    }

    /// All networks with what protects them.
    pub fn protections(&self) -> &[Protection] {
        &self.protections
    }

    /// What protects an address or network, or a part of it. It looks at all protections: for people who ask.
    pub fn protections_of(&self, subject: &Subject) -> impl Iterator<Item = &Protection> {
        let network = match subject {
            Subject::Network(network) => Some(*network),
            Subject::Login(_) => None,
        };
        self.protections.iter().filter(move |it| network.is_some_and(|network| network.overlaps(it.network)))
    }

    /// Whether the subject may not be on this list: [`NeverList::covers`], and for every list but `blocked` also what is
    /// no stranger's address or serves everybody: special-purpose networks, name servers of top-level domains, allow files,
    /// and canaries.
    pub fn covers_on(&self, subject: &Subject, list: ListId) -> bool {
        let is_special = || match subject {
            Subject::Network(network) => !self.unpublished.lists_below(*network).is_empty(),
            Subject::Login(_) => false,
        };
        self.covers(subject) || list != ListId::BLOCKED && is_special() || self.is_canary_on(subject, list)
    }

    /// Whether the subject is, or shares an address with, what is never listed. A network that merely
    /// contains a never-listed address is covered too, because listing it would list that address.
    pub fn covers(&self, subject: &Subject) -> bool {
        match subject {
            Subject::Network(network) => !self.networks.lists_below(*network).is_empty(),
            Subject::Login(login) => self.covers_login(login.as_str()),
        }
    }

    /// What the tree has on lists on which it may not be, by [`NeverList::covers_on`].
    pub(crate) fn refused_in(&self, tree: &Tree) -> Vec<(Network, ListId)> {
        let published = (1..LISTS_MAX).map(ListId::new).collect();
        let all = ListSet::from_bits(u32::MAX);
        let never = all_of(&self.networks).map(|network| (network, all));
        let special = all_of(&self.unpublished).map(|network| (network, published));
        let mut refused = Vec::new();
        for (network, lists) in never.chain(special) {
            let around = (0..network.length()).map(|length| {
                let around = Network::containing(Address::new(network.base()), length);
                (around, tree.own_lists(around))
            });
            for (network, own) in tree.within(network).chain(around) {
                refused.extend(own.intersection(lists).iter().map(|list| (network, list)));
            }
        }
        refused
    }

    /// Whether the address is never listed. No allocation.
    pub fn covers_address(&self, address: Address) -> bool {
        !self.networks.lists_of(address).is_empty()
    }

    /// Whether somebody gave reasons to protect the address: the configuration, an allow file, the SPF of a domain, or that it
    /// is this machine's own. No allocation.
    pub fn is_given(&self, address: Address) -> bool {
        !self.given.lists_of(address).is_empty()
    }

    /// Whether the address is one that houses and carriers have inside: a private one, or of another special-purpose network.
    /// No allocation.
    pub fn is_inside(&self, address: Address) -> bool {
        !self.unpublished.lists_of(address).is_empty()
    }

    /// Whether the login, in its canonical form, is never listed. No allocation.
    pub fn covers_login(&self, login: &str) -> bool {
        self.logins.contains(login)
    }

    /// The networks that this one protects and `before` did not, or not on every list.
    pub(crate) fn newly<'a>(&'a self, before: &Self) -> impl Iterator<Item = Network> + use<'a> {
        let known: HashSet<(Network, bool)> =
            before.protections.iter().map(|it| (it.network, it.is_everywhere)).collect();
        let mut new: Vec<Network> = self
            .protections
            .iter()
            .filter_map(|it| (!known.contains(&(it.network, it.is_everywhere))).then_some(it.network))
            .collect();
        new.dedup();
        new.into_iter()
    }
}

fn all_of(tree: &Tree) -> impl Iterator<Item = Network> {
    let all = |ip: IpAddr| tree.within(Network::containing(Address::new(ip), 0));
    let (v4, v6) = (all(Ipv4Addr::UNSPECIFIED.into()), all(Ipv6Addr::UNSPECIFIED.into()));
    v4.chain(v6).map(|(network, _)| network)
}

fn tree_of(networks: impl Iterator<Item = Network>) -> Tree {
    let mut changes = Changes::default();
    for network in networks {
        changes.set(network, ListSet::EMPTY.with(ListId::BLOCKED));
    }
    let mut tree = Tree::default();
    tree.apply(&mut changes);
    tree
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_special_is_on_no_published_list() {
        let never = NeverList::new([], []);
        let published = ListId::new(3);
        let cases = [
            ("10.1.2.3", true),
            ("11.0.0.0", false),
            ("100.64.0.1", true),
            ("172.31.255.255", true),
            ("192.168.0.0/24", true),
            ("192.0.0.0/16", true),
            ("198.18.0.1", true),
            ("240.0.0.1", true),
            ("203.0.113.1", false),
            ("8.0.0.0/8", false),
            ("198.41.0.4", true),
            ("198.41.0.0/24", true),
            ("192.5.6.30", true),
            ("192.5.6.31", false),
            ("2001:503:ba3e::2:30", true),
            ("2001:503:ba3e::/64", true),
            ("fd00::/64", true),
            ("2002:c000:204::/64", true),
            ("2001:db8::/64", false),
            ("2a00::/64", false),
        ];
        for (text, wanted) in cases {
            let subject: Subject = text.parse().unwrap();
            assert_eq!(never.covers_on(&subject, published), wanted, "{text}");
            assert!(!never.covers_on(&subject, ListId::BLOCKED), "{text} can be blocked here");
        }
        assert!(NAME_SERVERS.lines().filter(|line| !line.starts_with('#')).count() >= 2 * (13 + 13));
    }

    #[test]
    fn each_protection_tells_what_it_rests_on() {
        let by: Arc<str> = "allow file a".into();
        let own = Protection { network: "20.0.0.0/24".parse().unwrap(), by, is_everywhere: false };
        let never = NeverList::with([own], []);
        let cases = [
            ("20.0.0.7", "allow file a"),
            ("20.0.0.0/16", "allow file a"),
            ("10.1.1.1", "its kind: no stranger has it (RFC 6890)"),
            ("127.0.0.1", "its kind: it stands for this host or for everybody"),
            ("198.41.0.4", "its part: a name server of the root or of a top-level domain"),
            ("20.0.1.0", ""),
            ("login:alice", ""),
        ];
        for (text, by) in cases {
            let subject: Subject = text.parse().unwrap();
            let told: Vec<&str> = never.protections_of(&subject).map(|it| &*it.by).collect();
            assert_eq!(told.first().copied().unwrap_or_default(), by, "{text}");
            assert_eq!(never.covers_on(&subject, ListId::new(3)), !told.is_empty(), "{text}");
        }
        assert!(!never.covers(&"20.0.0.7".parse().unwrap()), "it may be blocked here");
    }

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
