use std::collections::BTreeMap;

use super::*;
use proptest::prelude::*;

fn set(bits: u32) -> ListSet {
    ListSet::from_bits(bits)
}

/// Compares all answers about some addresses and networks with those of the map.
fn compare(hosts: &Hosts, model: &BTreeMap<u32, ListSet>, probes: impl Iterator<Item = u32>) {
    check(&hosts.root, 32, 0);
    assert_eq!(hosts.len(), model.len());
    let probes: Vec<u32> = probes.collect();
    let mut many = vec![ListSet::from_bits(1 << 30); probes.len()];
    hosts.get_many(&probes, &mut many);
    for (probe, found) in probes.into_iter().zip(many) {
        assert_eq!(hosts.get(probe).with(base::ListId::new(30)), found, "{probe:#x}");
        assert_eq!(hosts.get(probe), model.get(&probe).copied().unwrap_or_default(), "{probe:#x}");
        for length in [0, 1, 4, 6, 8, 9, 12, 15, 16, 17, 20, 22, 24, 25, 28, 31, 32] {
            let base = probe & !low(32 - u32::from(length));
            let inside = model.range(base..=base | low(32 - u32::from(length)));
            let union = inside.fold(ListSet::EMPTY, |all, (_, set)| all.union(*set));
            assert_eq!(hosts.below(base, length), union, "{base:#x}/{length}");
        }
        for last in [probe, probe | 0xff, probe | 0xf_ffff] {
            let walked: Vec<Item> = hosts.between(probe, last).take(300).collect();
            let wanted: Vec<Item> = model.range(probe..=last).take(300).map(|(host, set)| (*host, *set)).collect();
            assert_eq!(walked, wanted, "{probe:#x} to {last:#x}");
        }
    }
}

/// Checks what the nodes say of what is in them.
fn check(node: &Node, bits: u32, base: u32) {
    for (at, slot) in node.slots.iter().enumerate() {
        let (bits, base) = (bits - STRIDE, base | (at as u32) << (bits - STRIDE));
        let mut items = Vec::new();
        match &slot.part {
            Part::Empty => {}
            Part::Leaf(leaf) => {
                assert!(leaf.len() > 0 && leaf.len() <= ADDRESSES_MAX && bits <= LEAF_BITS_MAX);
                leaf.append_to(&mut items, base);
            }
            Part::Node(node) => {
                check(node, bits, base);
                collect(node, bits, base, &mut items);
                assert!(bits > LEAF_BITS_MAX || items.len() > JOIN_BELOW as usize);
            }
        }
        assert!(items.is_sorted_by(|a, b| a.0 < b.0));
        assert!(items.iter().all(|item| item.0 & !low(bits) == base && !item.1.is_empty()));
        assert_eq!(slot.count as usize, items.len());
        assert_eq!(slot.below, items.iter().fold(ListSet::EMPTY, |all, item| all.union(item.1)));
    }
}

/// Addresses of a few neighbourhoods, so that they meet at every level.
fn address() -> impl Strategy<Value = u32> {
    let high = prop::sample::select(vec![0xc633_6400_u32, 0xc633_0000, 0xc600_0000, 0, 0xffff_ff00, 0xcb00_7100]);
    let low = prop_oneof![0_u32..8, 250_u32..256, 0_u32..0x0200_0000];
    (high, low).prop_map(|(high, low)| high ^ low)
}

proptest! {
    #[test]
    fn equals_a_map(batches in prop::collection::vec(prop::collection::vec((address(), 0_u32..6), 1..12), 1..40)) {
        let (mut hosts, mut model) = (Hosts::default(), BTreeMap::new());
        let (mut probes, mut old) = (Vec::new(), None);
        for (at, batch) in batches.into_iter().enumerate() {
            let changes: BTreeMap<u32, ListSet> = batch.iter().map(|(address, bits)| (*address, set(*bits))).collect();
            hosts.apply(&changes.iter().map(|(address, set)| (*address, *set)).collect::<Vec<_>>());
            for (address, set) in changes {
                probes.extend([address, address ^ 1]);
                if set.is_empty() { model.remove(&address); } else { model.insert(address, set); }
            }
            if at == 10 {
                old = Some((hosts.clone(), model.clone()));
            }
        }
        for (hosts, model) in old.into_iter().chain([(hosts, model)]) {
            compare(&hosts, &model, probes.iter().copied());
        }
    }
}

/// Fills and empties one neighbourhood past every split and join, by batches and one by one.
fn fill_and_empty(address_of: impl Fn(u32) -> u32, kinds: u32, batch: usize) {
    let total = 3 * ADDRESSES_MAX as u32 / 2;
    let (mut hosts, mut model) = (Hosts::default(), BTreeMap::new());
    let order: Vec<u32> = (0..total).map(|n| address_of(n * 7919 % total)).collect();
    let probes = |step: usize| order.iter().copied().step_by(step).flat_map(|address| [address, address ^ 1]);
    for batch in order.chunks(batch) {
        let mut changes: Vec<Item> = batch.iter().map(|address| (*address, set(1 + address % kinds))).collect();
        changes.sort_unstable_by_key(|change| change.0);
        hosts.apply(&changes);
        model.extend(changes);
    }
    compare(&hosts, &model, probes(3001));
    let full = (hosts.clone(), model.clone());
    for batch in order[..order.len() - 3].chunks(batch) {
        let mut changes: Vec<Item> = batch.iter().map(|address| (*address, ListSet::EMPTY)).collect();
        changes.sort_unstable_by_key(|change| change.0);
        hosts.apply(&changes);
        for address in batch {
            model.remove(address);
        }
        if model.len() % 4096 < batch.len() {
            compare(&hosts, &model, probes(6007));
        }
    }
    compare(&hosts, &model, probes(997));
    compare(&full.0, &full.1, probes(3001));
}

#[test]
fn leaves_split_and_join() {
    // Dense; spread over a /8; spread over everything. Few and many different sets.
    fill_and_empty(|n| 0xc633_0000 + n, 3, 1);
    fill_and_empty(|n| 0xc600_0000 + (n << 10), 4, 1);
    fill_and_empty(|n| n.wrapping_mul(0x9e37_79b9), 15, 1);
    fill_and_empty(|n| 0xc633_0000 + n, 1, 1000);
    fill_and_empty(|n| 0xc600_0000 + (n << 8), 700, 100);
}

#[test]
fn one_address_costs_little_more_than_two_bytes() {
    let mut items: Vec<Item> = (0..1_000_000_u32).map(|n| (n.wrapping_mul(0x9e37_79b9), set(1 << (n % 4)))).collect();
    items.sort_unstable_by_key(|item| item.0);
    let mut hosts = Hosts::default();
    hosts.apply(&items);
    let bytes = hosts.heap_bytes() as f64 / items.len() as f64;
    assert!(bytes < 2.6, "{bytes} bytes per address");
}
