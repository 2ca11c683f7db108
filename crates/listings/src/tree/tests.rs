use super::*;
use proptest::prelude::*;

fn network(text: &str) -> Network {
    text.parse().unwrap()
}

fn tree(listed: &[(&str, u32)]) -> Tree {
    let mut changes = Changes::default();
    for (text, bits) in listed {
        changes.set(network(text), ListSet::from_bits(*bits));
    }
    let mut tree = Tree::default();
    tree.apply(&mut changes);
    tree
}

#[test]
fn an_address_is_on_its_own_lists_and_those_around_it() {
    let tree = tree(&[
        ("198.51.100.7", 1),
        ("198.51.100.0/24", 2),
        ("198.48.0.0/13", 4),
        ("203.0.113.64/27", 8),
        ("2001:db8::/32", 1),
        ("2001:db8:1:2::/64", 2),
        ("2001:db8:1:2::7", 4),
    ]);
    let cases = [
        ("198.51.100.7", 7),
        ("198.51.100.8", 6),
        ("198.51.101.7", 4),
        ("198.56.0.0", 0),
        ("203.0.113.63", 0),
        ("203.0.113.64", 8),
        ("203.0.113.95", 8),
        ("203.0.113.96", 0),
        ("2001:db8:1:2::7", 7),
        ("2001:db8:1:2::8", 3),
        ("2001:db8:1:3::7", 1),
        ("2001:db9::7", 0),
        // The same bits in the other family are somebody else.
        ("c633:6407::", 0),
    ];
    for (address, bits) in cases {
        assert_eq!(tree.lists_of(address.parse().unwrap()).bits(), bits, "{address}");
    }
}

#[test]
fn names_exist_above_below_and_inside_what_is_listed() {
    let tree = tree(&[("198.51.100.7", 1), ("203.0.0.0/16", 2), ("2001:db8:1:2::/64", 4), ("2001:db8:1:2::7", 8)]);
    let cases = [
        ("0.0.0.0/0", 3),
        ("198.0.0.0/8", 1),
        ("198.51.0.0/16", 1),
        ("198.51.100.0/24", 1),
        ("198.51.101.0/24", 0),
        ("198.51.100.0/29", 1),
        ("198.51.100.8/29", 0),
        ("198.51.100.7", 1),
        ("203.0.0.0/8", 2),
        ("203.0.113.0/24", 2),
        ("203.0.113.7", 2),
        ("203.1.0.0/16", 0),
        ("::/0", 12),
        ("2001:d00::/24", 12),
        ("2001:db8:1:2::/64", 12),
        ("2001:db8:1:2::/124", 12),
        ("2001:db8:1:2::10/124", 4),
        ("2001:db8:1:3::/64", 0),
        ("2001:db8:1:2::/63", 12),
    ];
    for (text, bits) in cases {
        assert_eq!(tree.lists_below(network(text)).bits(), bits, "{text}");
    }
}

#[test]
fn changes_of_one_batch_are_united() {
    let mut changes = Changes::default();
    let listed =
        [("198.51.100.9", 1), ("198.51.100.7", 0), ("198.51.100.9", 2), ("203.0.113.0/24", 1), ("203.0.113.0/24", 4)];
    for (text, bits) in listed {
        changes.set(network(text), ListSet::from_bits(bits));
    }
    let mut tree = Tree::default();
    tree.apply(&mut changes);
    assert_eq!(tree.hosts(), 1);
    assert_eq!(tree.own_lists(network("198.51.100.9")).bits(), 3);
    assert_eq!(tree.own_lists(network("203.0.113.0/24")).bits(), 5);
}

/// Networks of all lengths around a few addresses of both families.
fn near() -> impl Strategy<Value = Network> {
    let base =
        prop::sample::select(vec!["198.51.100.0", "198.51.96.0", "203.0.113.255", "2001:db8::", "2001:db8:0:1::"]);
    (base, 0_u128..4, prop::sample::select(vec![0_u32, 7, 64]), 1_u8..=128).prop_map(|(base, low, shift, length)| {
        let address: Address = base.parse().unwrap();
        let shift = if address.ip().is_ipv4() { shift.min(7) } else { shift };
        let length = if address.ip().is_ipv4() { length / 3 } else { length };
        Network::containing(Address::from_bits(address.bits() ^ (low << shift)), length)
    })
}

proptest! {
    #[test]
    fn equals_a_scan_of_networks(changes in prop::collection::vec((near(), 0_u32..8), 1..50)) {
        let (mut tree, mut model) = (Tree::default(), std::collections::BTreeMap::new());
        for (network, bits) in &changes {
            let mut change = Changes::default();
            change.set(*network, ListSet::from_bits(*bits));
            tree.apply(&mut change);
            model.insert(*network, ListSet::from_bits(*bits));
        }
        let union = |wanted: &dyn Fn(Network) -> bool| {
            model.iter().filter(|(network, _)| wanted(**network)).fold(ListSet::EMPTY, |all, (_, set)| all.union(*set))
        };
        for (network, _) in &changes {
            let address = Address::new(network.base());
            prop_assert_eq!(tree.lists_of(address), union(&|other| other.contains(address)));
            if let IpAddr::V4(v4) = address.ip() {
                let mut many = [ListSet::from_bits(64); 3];
                tree.lists_of_many(&[v4.to_bits(), 1, v4.to_bits()], &mut many);
                prop_assert_eq!(many[0], tree.lists_of(address));
                prop_assert_eq!(many[2], many[0]);
            }
            prop_assert_eq!(tree.lists_below(*network), union(&|other| other.overlaps(*network)));
            prop_assert_eq!(tree.own_lists(*network), model[network]);
            prop_assert_eq!(tree.lists_around(*network), union(&|other| other.contains(address) && other.length() <= network.length()));
            prop_assert_eq!(tree.lists_within(*network), union(&|other| other.overlaps(*network) && other.length() >= network.length()));
            let inside = model.iter().filter(|(n, set)| n.overlaps(*network) && n.length() >= network.length() && !set.is_empty());
            let inside: Vec<_> = inside.map(|(n, set)| (*n, *set)).collect();
            prop_assert_eq!(tree.within(*network).collect::<Vec<_>>(), inside);
            let wanted = ListSet::from_bits(2);
            let around = model.iter().filter(|(n, set)| n.contains(address) && !set.intersection(wanted).is_empty());
            let narrowest = around.map(|(network, _)| *network).max_by_key(|network| network.length());
            prop_assert_eq!(tree.narrowest(address, wanted), narrowest);
        }
    }
}
