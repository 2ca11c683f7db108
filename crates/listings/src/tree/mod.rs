//! Which lists each address is on: a tree that is copied in no time and shares with its copies what has not changed.
//!
//! ```text
//!   Tree ─┬─ hosts      IPv4 /32: nodes of 4 bits, leaves with 2 bytes per address and a palette of sets
//!         ├─ networks4  IPv4 /0 to /31 ┐ path-compressed tree bitmaps of 4 bits
//!         └─ prefixes6  IPv6, all      ┘
//! ```
//!
//! An answer is the union of the address' own lists and those of all networks that cover it. Single IPv4 addresses
//! stand apart from networks, because there are millions of them: they cost about 2.3 bytes each with four
//! lists told apart (`examples/footprint.rs` measures it), where a tree of prefixes costs ten times that.

mod hosts;
pub(crate) mod image;
mod leaf;
mod packed;
mod prefixes;

use core::iter::Peekable;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::{Address, ListId, ListSet, Network};

use hosts::Hosts;
use prefixes::{Prefix, Prefixes};

/// A set of lists for each address and network. A clone is a snapshot: it costs three counts, and shares its memory
/// with the original until that is changed.
#[derive(Clone, Default)]
pub struct Tree {
    hosts: Hosts,
    networks4: Prefixes,
    prefixes6: Prefixes,
}

/// Changes that are applied to a [`Tree`] at once: much cheaper than one by one, and bulk loading is nothing else.
#[derive(Default)]
pub struct Changes {
    hosts: Vec<(u32, ListSet)>,
    networks: Vec<(Network, ListSet)>,
}

/// How many changes' room is kept for the next time: what a bulk load needed is given back.
const SPARE_MAX: usize = 4096;

impl Changes {
    /// Gives `network` its own set of lists; an empty one takes it out. Several for one network are united.
    pub fn set(&mut self, network: Network, lists: ListSet) {
        match (network.base(), network.length()) {
            (IpAddr::V4(v4), 32) => self.hosts.push((v4.to_bits(), lists)),
            _ => self.networks.push((network, lists)),
        }
    }
}

impl Tree {
    /// Applies all changes and leaves none. Copies what is shared with clones, and nothing that is not.
    pub fn apply(&mut self, changes: &mut Changes) {
        let Changes { hosts, networks } = changes;
        unite(hosts);
        self.hosts.apply(hosts);
        unite(networks);
        for (network, lists) in networks.iter() {
            self.prefixes_mut(*network).set(prefix_of(*network), *lists);
        }
        hosts.clear();
        hosts.shrink_to(SPARE_MAX);
        networks.clear();
        networks.shrink_to(SPARE_MAX);
    }

    /// The lists that the address is on, by itself or by a network that covers it.
    pub fn lists_of(&self, address: Address) -> ListSet {
        match address.ip() {
            IpAddr::V4(v4) => {
                let prefix = Prefix { bits: u128::from(v4.to_bits()) << 96, length: 32 };
                self.hosts.get(v4.to_bits()).union(self.networks4.covering(prefix))
            }
            IpAddr::V6(v6) => self.prefixes6.covering(Prefix { bits: v6.to_bits(), length: 128 }),
        }
    }

    /// [`Tree::lists_of`] for several IPv4 addresses; `lists` has as many places. Cheaper than one by one.
    ///
    /// # Panics
    /// If the two slices differ in length.
    pub fn lists_of_many(&self, addresses: &[u32], lists: &mut [ListSet]) {
        assert_eq!(addresses.len(), lists.len(), "each address has a place for its lists");
        lists.fill(ListSet::EMPTY);
        self.hosts.get_many(addresses, lists);
        if !self.networks4.is_empty() {
            for (address, lists) in addresses.iter().zip(lists) {
                let prefix = Prefix { bits: u128::from(*address) << 96, length: 32 };
                *lists = lists.union(self.networks4.covering(prefix));
            }
        }
    }

    /// The lists that any address inside `network` is on: those of everything inside it, and of networks around it.
    pub fn lists_below(&self, network: Network) -> ListSet {
        let prefix = prefix_of(network);
        let prefixes = self.prefixes(network);
        let around = prefixes.covering(prefix).union(prefixes.below(prefix));
        match network.base() {
            IpAddr::V4(v4) => around.union(self.hosts.below(v4.to_bits(), network.length())),
            IpAddr::V6(_) => around,
        }
    }

    /// The lists of the networks that hold all of `network`, its own included.
    pub fn lists_around(&self, network: Network) -> ListSet {
        let around = self.prefixes(network).covering(prefix_of(network));
        match (network.base(), network.length()) {
            (IpAddr::V4(v4), 32) => around.union(self.hosts.get(v4.to_bits())),
            _ => around,
        }
    }

    /// The lists of the networks and addresses within `network`, its own included.
    pub fn lists_within(&self, network: Network) -> ListSet {
        let inside = self.prefixes(network).below(prefix_of(network));
        match network.base() {
            IpAddr::V4(v4) => inside.union(self.hosts.below(v4.to_bits(), network.length())),
            IpAddr::V6(_) => inside,
        }
    }

    /// The networks and addresses within `network`, itself included, that have lists of their own: by their first
    /// address, and of those with the same first address the widest first. The walk needs no memory but for its way.
    pub fn within(&self, network: Network) -> Within<'_> {
        let prefixes = self.prefixes(network).within(prefix_of(network)).peekable();
        let hosts = match network.base() {
            IpAddr::V4(v4) => {
                let first = v4.to_bits();
                let last = first | u32::MAX.checked_shr(u32::from(network.length())).unwrap_or(0);
                Some(self.hosts.between(first, last).peekable())
            }
            IpAddr::V6(_) => None,
        };
        Within { prefixes, hosts }
    }

    /// All networks and addresses that the list has of its own: by family, first address and length.
    pub fn on_list(&self, list: ListId) -> impl Iterator<Item = Network> {
        let all = |ip: IpAddr| self.within(Network::containing(Address::new(ip), 0));
        let (v4, v6) = (all(Ipv4Addr::UNSPECIFIED.into()), all(Ipv6Addr::UNSPECIFIED.into()));
        v4.chain(v6).filter(move |(_, lists)| lists.contains(list)).map(|(network, _)| network)
    }

    /// The single IPv4 addresses from `first` on that the list has of its own, in order.
    pub(crate) fn hosts_on(&self, list: ListId, first: u32) -> impl Iterator<Item = u32> {
        let hosts = self.hosts.between(first, u32::MAX);
        hosts.filter(move |(_, lists)| lists.contains(list)).map(|(host, _)| host)
    }

    /// All that the list has of its own but single IPv4 addresses.
    pub(crate) fn networks_on(&self, list: ListId) -> impl Iterator<Item = Network> {
        let all = Prefix { bits: 0, length: 0 };
        let v4 = |prefix: Prefix| IpAddr::V4(((prefix.bits >> 96) as u32).into());
        let networks4 = self.networks4.within(all).map(move |(prefix, lists)| (v4(prefix), prefix.length, lists));
        let v6 = |prefix: Prefix| IpAddr::V6(prefix.bits.into());
        let prefixes6 = self.prefixes6.within(all).map(move |(prefix, lists)| (v6(prefix), prefix.length, lists));
        let of_list = networks4.chain(prefixes6).filter(move |(.., lists)| lists.contains(list));
        of_list.map(|(base, length, _)| Network::containing(Address::new(base), length))
    }

    /// The network's own lists, without those of networks around it.
    pub fn own_lists(&self, network: Network) -> ListSet {
        match (network.base(), network.length()) {
            (IpAddr::V4(v4), 32) => self.hosts.get(v4.to_bits()),
            _ => self.prefixes(network).get(prefix_of(network)),
        }
    }

    /// The narrowest network around `address`, itself included, that has one of the `wanted` lists of its own.
    pub fn narrowest(&self, address: Address, wanted: ListSet) -> Option<Network> {
        let host = Network::containing(address, 128);
        if host.base().is_ipv4() && !self.own_lists(host).intersection(wanted).is_empty() {
            return Some(host);
        }
        let length = self.prefixes(host).narrowest(prefix_of(host), wanted)?;
        Some(Network::containing(address, length))
    }

    /// How many single IPv4 addresses have lists of their own.
    pub fn hosts(&self) -> usize {
        self.hosts.len()
    }

    /// Bytes on the heap, what clones share included, without what the allocator adds. Looks at every node.
    pub fn heap_bytes(&self) -> usize {
        self.hosts.heap_bytes() + self.networks4.heap_bytes() + self.prefixes6.heap_bytes()
    }

    const fn prefixes(&self, network: Network) -> &Prefixes {
        match network.base() {
            IpAddr::V4(_) => &self.networks4,
            IpAddr::V6(_) => &self.prefixes6,
        }
    }

    const fn prefixes_mut(&mut self, network: Network) -> &mut Prefixes {
        match network.base() {
            IpAddr::V4(_) => &mut self.networks4,
            IpAddr::V6(_) => &mut self.prefixes6,
        }
    }
}

/// See [`Tree::within`].
pub struct Within<'a> {
    prefixes: Peekable<prefixes::Within<'a>>,
    /// Of IPv4 only.
    hosts: Option<Peekable<hosts::Between<'a>>>,
}

impl Iterator for Within<'_> {
    type Item = (Network, ListSet);

    fn next(&mut self) -> Option<(Network, ListSet)> {
        let Some(hosts) = &mut self.hosts else {
            let (prefix, set) = self.prefixes.next()?;
            let address = Address::new(IpAddr::V6(prefix.bits.into()));
            return Some((Network::containing(address, prefix.length), set));
        };
        let v4 = |bits: u32, length| Network::containing(Address::new(IpAddr::V4(bits.into())), length);
        let first_of = |prefix: Prefix| (prefix.bits >> 96) as u32;
        let network_is_next = match (self.prefixes.peek(), hosts.peek()) {
            (Some((prefix, _)), Some((host, _))) => first_of(*prefix) <= *host,
            (network, _) => network.is_some(),
        };
        if network_is_next {
            let (prefix, set) = self.prefixes.next()?;
            return Some((v4(first_of(prefix), prefix.length), set));
        }
        hosts.next().map(|(host, set)| (v4(host, 32), set))
    }
}

/// Sorts changes, and unites the sets of those with equal keys.
fn unite<K: Ord + Copy>(changes: &mut Vec<(K, ListSet)>) {
    if !changes.is_sorted_by(|a, b| a.0 < b.0) {
        changes.sort_unstable_by_key(|change| change.0);
        changes.dedup_by(|later, first| {
            let same = later.0 == first.0;
            if same {
                first.1 = first.1.union(later.1);
            }
            same
        });
    }
}

/// The network as a left-aligned prefix; each family has a tree of its own.
fn prefix_of(network: Network) -> Prefix {
    let bits = match network.base() {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    };
    Prefix { bits, length: network.length() }
}

#[cfg(test)]
mod tests;
