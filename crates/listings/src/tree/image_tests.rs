use super::*;
use crate::tree::Changes;
use base::{Address, Network};
use proptest::prelude::*;

fn bytes_of(tree: &Tree) -> Vec<u8> {
    let mut out = Vec::new();
    tree.write(&mut out).unwrap();
    out
}

fn read(bytes: &[u8]) -> Option<Tree> {
    let lists: Vec<ListId> = (0..LISTS_MAX).map(ListId::new).collect();
    let mut bytes = Bytes(bytes);
    Tree::read(&mut bytes, &Lists(&lists)).filter(|_| bytes.0.is_empty())
}

fn all(tree: &Tree) -> Vec<(Network, ListSet)> {
    let v4 = tree.within("0.0.0.0/0".parse().unwrap());
    v4.chain(tree.within("::/0".parse().unwrap())).collect()
}

/// A tree of a few neighbourhoods, of which one is full enough to split its leaves.
fn tree(seed: u32, hosts: u32, networks: &[(u32, u8, bool)], sets: u32) -> Tree {
    let mut changes = Changes::default();
    for n in 0..hosts {
        let mixed = n.wrapping_mul(2_654_435_761).wrapping_add(seed);
        let high = [0xc633_0000, 0x0a00_0000, 0xc633_6400, 0][mixed as usize % 4];
        let address = Address::new(std::net::IpAddr::V4((high ^ mixed >> 12).into()));
        changes.set(Network::containing(address, 32), ListSet::from_bits(1 + mixed % sets));
    }
    for (bits, length, is_v4) in networks {
        let ip = if *is_v4 {
            std::net::IpAddr::V4((*bits).into())
        } else {
            std::net::IpAddr::V6((u128::from(*bits) << 96).into())
        };
        let length = if *is_v4 { length % 32 } else { length % 129 };
        changes.set(Network::containing(Address::new(ip), length), ListSet::from_bits(1 + bits % sets));
    }
    let mut tree = Tree::default();
    tree.apply(&mut changes);
    tree
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn what_is_written_is_read(
        seed: u32, hosts in 0_u32..30_000, sets in 1_u32..40,
        networks in prop::collection::vec(any::<(u32, u8, bool)>(), 0..40),
    ) {
        let tree = tree(seed, hosts, &networks, sets);
        let bytes = bytes_of(&tree);
        let again = read(&bytes).unwrap();
        let wanted = all(&tree);
        prop_assert_eq!(&all(&again), &wanted);
        prop_assert_eq!(&bytes_of(&again), &bytes);
        prop_assert_eq!(again.hosts(), tree.hosts());
        let mut counts = [0; LISTS_MAX];
        wanted.iter().flat_map(|(_, set)| set.iter()).for_each(|list| counts[list.index()] += 1);
        prop_assert_eq!(again.counts(), counts);
        // It can be changed as the one that was written.
        let (mut one, mut other) = (tree, again);
        for tree in [&mut one, &mut other] {
            let mut changes = Changes::default();
            for (network, _) in wanted.iter().step_by(3) {
                changes.set(*network, ListSet::EMPTY);
            }
            changes.set("198.51.100.9".parse().unwrap(), ListSet::from_bits(1 << 30));
            tree.apply(&mut changes);
        }
        prop_assert_eq!(all(&one), all(&other));
    }

    #[test]
    fn whatever_comes_is_a_tree_or_refused(
        seed: u32, hosts in 1_u32..600, at: prop::sample::Index, byte: u8, cut: prop::sample::Index,
    ) {
        let mut bytes = bytes_of(&tree(seed, hosts, &[(seed, 24, true), (seed, 64, false)], 5));
        prop_assert!(read(&bytes[..cut.index(bytes.len())]).is_none());
        let at = at.index(bytes.len());
        bytes[at] ^= byte | 1;
        if let Some(tree) = read(&bytes) {
            let networks = all(&tree);
            prop_assert!(networks.is_sorted_by(|a, b| a.0 < b.0));
            for (network, set) in networks {
                prop_assert_eq!(tree.own_lists(network), set);
            }
        }
    }
}

#[test]
fn lists_may_have_other_places_now() {
    let mut changes = Changes::default();
    changes.set("192.0.2.1".parse().unwrap(), ListSet::from_bits(0b101));
    let mut tree = Tree::default();
    tree.apply(&mut changes);
    let bytes = bytes_of(&tree);
    let places = |places: &[usize]| places.iter().map(|at| ListId::new(*at)).collect::<Vec<_>>();
    let now = Tree::read(&mut Bytes(&bytes), &Lists(&places(&[3, 0, 1]))).unwrap();
    assert_eq!(now.own_lists("192.0.2.1".parse().unwrap()).bits(), 0b1010);
    assert!(Tree::read(&mut Bytes(&bytes), &Lists(&places(&[3, 0]))).is_none(), "a list is gone");
}
