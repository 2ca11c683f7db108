use std::collections::{BTreeMap, BTreeSet};

use base::Address;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use listings::tree::Changes;
use proptest::prelude::*;

use super::*;

const MEMBERS: ListSet = ListSet::from_bits(0b0111);

fn network(text: &str) -> Network {
    text.parse().unwrap()
}

fn tree(listed: &BTreeMap<Network, ListSet>) -> Tree {
    let (mut tree, mut changes) = (Tree::default(), Changes::default());
    for (network, lists) in listed {
        changes.set(*network, *lists);
    }
    tree.apply(&mut changes);
    tree
}

fn listed(of: &[(&str, u32)]) -> Tree {
    tree(&of.iter().map(|(text, bits)| (network(text), ListSet::from_bits(*bits))).collect())
}

/// A name, last label first: `*` is 1000.
type Name = Vec<String>;

fn name(node: Node) -> Name {
    let label = |index| match node.family {
        Family::V4 => node.label(index).to_string(),
        Family::V6 => format!("{:x}", node.label(index)),
    };
    let mut name: Name = (0..node.labels()).map(label).collect();
    if !node.is_host() {
        name.push("*".into());
    }
    name
}

/// A zone as a name server has it.
#[derive(PartialEq, Debug, Default)]
struct Zone {
    records: BTreeMap<Name, u32>,
}

impl Zone {
    fn of(tree: &Tree) -> Self {
        let rows = Family::BOTH.into_iter().flat_map(|family| Rows::all(tree, MEMBERS, family));
        let mut zone = Self::default();
        for row in rows {
            assert!(!row.lists.is_empty());
            assert!(zone.records.insert(name(row.node), row.lists.bits()).is_none(), "{row:?} is there twice");
            assert_eq!(row_at(tree, MEMBERS, row.node), row.lists, "{row:?}");
        }
        zone
    }

    /// What RFC 4592 answers.
    fn lookup(&self, names: &BTreeSet<Name>, wanted: &Name) -> u32 {
        if names.contains(wanted) {
            return self.records.get(wanted).copied().unwrap_or(0);
        }
        let encloser = (0..wanted.len()).rev().map(|length| &wanted[..length]).find(|name| names.contains(*name));
        let mut wildcard = encloser.map(<[String]>::to_vec).unwrap_or_default();
        wildcard.push("*".into());
        self.records.get(&wildcard).copied().unwrap_or(0)
    }

    /// All names that exist, those without records included.
    fn names(&self) -> BTreeSet<Name> {
        self.records.keys().flat_map(|name| (0..=name.len()).map(|length| name[..length].to_vec())).collect()
    }
}

fn rows(of: &[(&str, u32)]) -> Vec<String> {
    let tree = listed(of);
    let rows = Family::BOTH.into_iter().flat_map(|family| Rows::all(&tree, MEMBERS, family).collect::<Vec<_>>());
    rows.map(|row| {
        let mut labels = name(row.node);
        labels.reverse();
        format!("{} {}", labels.join("."), row.lists.bits())
    })
    .collect()
}

/// What is listed, and the rows of it.
type Case<'a> = (&'a [(&'a str, u32)], &'a [&'a str]);

#[test]
fn networks_are_wildcards_and_hosts_are_names() {
    let cases: &[Case<'_>] = &[
        (&[("192.0.2.7", 1)], &["7.2.0.192 1"]),
        (&[("192.0.2.7", 8)], &[]),
        (&[("192.0.2.0/24", 1)], &["*.2.0.192 1"]),
        (&[("192.0.2.0/24", 1), ("192.0.2.7", 2)], &["*.2.0.192 1", "7.2.0.192 3"]),
        (&[("192.0.2.6/31", 1), ("192.0.2.7", 2)], &["6.2.0.192 1", "7.2.0.192 3"]),
        (&[("192.0.2.0/23", 1)], &["*.2.0.192 1", "*.3.0.192 1"]),
        (&[("192.0.0.0/16", 1), ("192.0.2.7", 2)], &["*.0.192 1", "*.2.0.192 1", "7.2.0.192 3"]),
        (
            &[("192.0.0.0/22", 1), ("192.0.2.0/23", 2), ("192.0.3.0/24", 4)],
            &["*.0.0.192 1", "*.1.0.192 1", "*.2.0.192 3", "*.3.0.192 7"],
        ),
        (&[("2001:db8::/32", 1)], &["*.8.b.d.0.1.0.0.2 1"]),
        (&[("2001:db8::/31", 1)], &["*.8.b.d.0.1.0.0.2 1", "*.9.b.d.0.1.0.0.2 1"]),
        (&[("2001:db8::/32", 1), ("2001:db8:c000::/36", 2)], &["*.8.b.d.0.1.0.0.2 1", "*.c.8.b.d.0.1.0.0.2 3"]),
    ];
    for (listed, wanted) in cases {
        assert_eq!(rows(listed), *wanted, "{listed:?}");
    }
}

#[test]
fn a_network_that_looks_like_the_other_family_is_written_out() {
    assert_eq!(rows(&[("2.6.1.0/24", 1)]).len(), 256);
    assert_eq!(rows(&[("2.6.0.0/16", 1)]).len(), 246 + 10 * 256);
    assert_eq!(rows(&[("2400::/12", 1)]).len(), 16);
    assert_eq!(rows(&[("2400::/13", 1)]).len(), 8);
}

/// Networks of all lengths around a few addresses, some of which are names of both families.
fn near() -> impl Strategy<Value = Network> {
    let v4 = prop::sample::select(vec![[192, 0, 2, 7], [192, 0, 3, 200], [2, 6, 1, 9], [2, 6, 10, 1], [9, 9, 9, 9]]);
    let v6 = prop::sample::select(vec!["2610::", "2001:db8::1", "2001:db8::8000:0:0:0", "2610:ffff::", "9999::"]);
    prop_oneof![
        3 => (v4, 14u8..=32).prop_map(|(octets, length)| {
            Network::containing(Address::new(Ipv4Addr::from(octets).into()), length)
        }),
        2 => (v6, 11u8..=128).prop_map(|(text, length)| Network::containing(text.parse().unwrap(), length)),
    ]
}

/// Addresses in and beside the networks.
fn probes(networks: &[Network]) -> Vec<Address> {
    let mut probes = Vec::new();
    for network in networks {
        let family = Family::of(*network);
        let first = left(*network);
        let step = 1u128 << (128 - u32::from(family.bits()));
        let last = first | u128::MAX.checked_shr(u32::from(network.length())).unwrap_or(0);
        for bits in [first, first.wrapping_sub(step), first + step, last, last / 2 + first / 2, last.wrapping_add(step)]
        {
            let bits = bits & !(step - 1);
            let network = family.network(bits, family.bits());
            probes.push(Address::new(network.base()));
        }
    }
    probes.retain(
        |address| !matches!(address.ip(), IpAddr::V6(v6) if v6.to_ipv4().is_some() || v6 == Ipv6Addr::UNSPECIFIED),
    );
    probes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_secondary_answers_as_the_book(
        listed in prop::collection::btree_map(near(), (1u32..16).prop_map(ListSet::from_bits), 1..9),
    ) {
        let tree = tree(&listed);
        let zone = Zone::of(&tree);
        let names = zone.names();
        for address in probes(&listed.keys().copied().collect::<Vec<_>>()) {
            let labels = name(Node::host(address.ip()));
            let wanted = tree.lists_of(address).intersection(MEMBERS).bits();
            prop_assert_eq!(zone.lookup(&names, &labels), wanted, "{} {:?}", address, listed);
        }
    }

    #[test]
    fn changes_make_the_old_zone_the_new_one(
        before in prop::collection::btree_map(near(), (1u32..16).prop_map(ListSet::from_bits), 0..8),
        changed in prop::collection::btree_map(near(), (0u32..16).prop_map(ListSet::from_bits), 1..6),
    ) {
        let mut after = before.clone();
        after.extend(changed.iter().map(|(network, lists)| (*network, *lists)));
        after.retain(|_, lists| !lists.is_empty());
        let (old, new) = (tree(&before), tree(&after));
        let (mut zone, wanted) = (Zone::of(&old), Zone::of(&new));
        let touched = outermost(changed.keys().copied().collect());
        let mut seen = BTreeSet::new();
        for (node, had, has) in changes(&old, &new, MEMBERS, &touched) {
            prop_assert!(seen.insert(node), "{:?} is there twice", node);
            let was = zone.records.remove(&name(node)).unwrap_or(0);
            prop_assert_eq!(was, had.bits(), "{:?} {:?} {:?}", node, before, changed);
            if !has.is_empty() {
                zone.records.insert(name(node), has.bits());
            }
        }
        prop_assert_eq!(zone, wanted, "{:?} {:?}", before, changed);
    }
}
