use std::collections::BTreeMap;

use super::*;
use proptest::prelude::*;

type Model = BTreeMap<(u128, u8), ListSet>;

/// Checks that a slot and all in it has the one shape that its content wants.
fn check(slot: &Slot, prefixes: &mut usize) {
    assert_eq!(slot.prefix, slot.prefix.cut(slot.prefix.length));
    assert!(!slot.set.is_empty());
    let Some(node) = &slot.node else {
        *prefixes += 1;
        return;
    };
    assert_eq!(slot.prefix.length % STRIDE, 0);
    assert_eq!(node.sets.len(), node.own.count_ones() as usize);
    assert_eq!(node.slots.len(), node.kids.count_ones() as usize);
    assert!(node.sets.len() + node.slots.len() > 1, "a node with one part is that part");
    assert_eq!(slot.set, node.union());
    *prefixes += node.sets.len();
    for kid in &node.slots {
        assert!(slot.prefix.covers(kid.prefix) && kid.prefix.length >= slot.prefix.length + STRIDE);
        check(kid, prefixes);
    }
}

fn compare(prefixes: &Prefixes, model: &Model, probes: &[Prefix]) {
    let mut count = 0;
    if let Some(root) = &prefixes.root {
        check(root, &mut count);
    }
    assert_eq!(count, model.len());
    for probe in probes {
        let of = |wanted: &dyn Fn(Prefix) -> bool| {
            let matching = model.iter().filter(|((bits, length), _)| wanted(Prefix { bits: *bits, length: *length }));
            matching.fold(ListSet::EMPTY, |all, (_, set)| all.union(*set))
        };
        assert_eq!(prefixes.get(*probe), of(&|other| other == *probe), "{probe:x?}");
        assert_eq!(prefixes.covering(*probe), of(&|other| other.covers(*probe)), "{probe:x?}");
        assert_eq!(prefixes.below(*probe), of(&|other| probe.covers(other)), "{probe:x?}");
        let wanted = ListSet::from_bits(1);
        let around = model.iter().filter(|((bits, length), set)| {
            Prefix { bits: *bits, length: *length }.covers(*probe) && !set.intersection(wanted).is_empty()
        });
        assert_eq!(prefixes.narrowest(*probe, wanted), around.map(|((_, length), _)| *length).max());
    }
}

/// Prefixes of a few neighbourhoods, of all lengths.
fn prefix() -> impl Strategy<Value = Prefix> {
    let high = prop::sample::select(vec![0x2001_0db8_u128 << 96, 0x2001_0db8_0001_u128 << 80, 0, u128::MAX]);
    let low = prop_oneof![0_u128..4, any::<u128>().prop_map(|bits| bits & 0x3), any::<u128>()];
    let length = prop_oneof![0_u8..=128, 60_u8..=64, 126_u8..=128, 28_u8..=34];
    (high, low, prop::sample::select(vec![0_u32, 64, 96, 125]), length)
        .prop_map(|(high, low, shift, length)| Prefix { bits: high ^ (low << shift), length: 128 }.cut(length))
}

proptest! {
    #[test]
    fn equals_a_scan(changes in prop::collection::vec((prefix(), 0_u32..5), 1..80)) {
        let (mut prefixes, mut model) = (Prefixes::default(), Model::new());
        let mut old = (prefixes.clone(), model.clone());
        for (at, (prefix, bits)) in changes.iter().enumerate() {
            let set = ListSet::from_bits(*bits);
            prefixes.set(*prefix, set);
            if set.is_empty() {
                model.remove(&(prefix.bits, prefix.length));
            } else {
                model.insert((prefix.bits, prefix.length), set);
            }
            if at == 30 {
                old = (prefixes.clone(), model.clone());
            }
        }
        let host = |prefix: &Prefix| Prefix { length: 128, ..*prefix };
        let probes: Vec<Prefix> = changes
            .iter()
            .map(|(prefix, _)| *prefix)
            .flat_map(|prefix| {
                let (above, far_above) = (prefix.cut(prefix.length / 4 * 4), prefix.cut(prefix.length / 2));
                [prefix, host(&prefix), above, far_above]
            })
            .collect();
        compare(&prefixes, &model, &probes);
        compare(&old.0, &old.1, &probes);
        for (prefix, _) in &changes {
            prefixes.set(*prefix, ListSet::EMPTY);
        }
        prop_assert!(prefixes.root.is_none());
        compare(&old.0, &old.1, &probes);
    }
}
