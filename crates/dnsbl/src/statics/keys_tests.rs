use proptest::prelude::*;

use super::*;

/// The number of the longest of the networks that hold the key.
fn scan(prefixes: &[Prefix<u32>], key: u32) -> Option<u32> {
    let holds = |prefix: &&Prefix<u32>| (key ^ prefix.base).leading_zeros() >= u32::from(prefix.length);
    prefixes.iter().filter(holds).max_by_key(|prefix| prefix.length).map(|prefix| prefix.set)
}

fn prefixes() -> impl Strategy<Value = Vec<Prefix<u32>>> {
    let one =
        (prop::sample::select(vec![0_u32, 0xc000_0200, 0xc000_0300, 0xffff_ffff]), 0_u32..600, 0_u8..=32, 0_u32..4);
    let prefix = one.prop_map(|(high, low, length, set)| {
        let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
        Prefix { base: (high ^ low) & mask, length, set }
    });
    prop::collection::vec(prefix, 0..24).prop_map(|mut all| {
        all.sort_unstable();
        all.dedup_by_key(|prefix| (prefix.base, prefix.length));
        all
    })
}

proptest! {
    #[test]
    fn spans_equal_a_scan(prefixes in prefixes(), keys in prop::collection::vec(any::<u32>(), 30)) {
        let spans = Spans::new(&prefixes, 32);
        let edges = prefixes.iter().flat_map(|prefix| {
            let last = prefix.base | u32::MAX.checked_shr(u32::from(prefix.length)).unwrap_or(0);
            [prefix.base, last, prefix.base.wrapping_sub(1), last.wrapping_add(1)]
        });
        let keys: Vec<u32> = edges.chain(keys).collect();
        for key in &keys {
            prop_assert_eq!(spans.get(*key), scan(&prefixes, *key), "{:#x}", key);
        }
        for pair in keys.chunks(2).filter(|pair| pair.len() == 2) {
            let (first, last) = (pair[0].min(pair[1]), pair[0].max(pair[1]));
            let listed = |(a, b, set): (u32, u32, u32)| set > 0 && a <= last && b >= first;
            prop_assert_eq!(spans.any_between(first, last), spans.iter(u32::MAX.into()).any(listed));
        }
    }
}

#[test]
fn many_hosts_are_as_few() {
    let all: Vec<(u32, u32)> = (0..INDEXED_MIN as u32 + 99).map(|n| (n.wrapping_mul(32_749), n % 3)).collect();
    let mut sorted = all.clone();
    sorted.sort_unstable();
    sorted.dedup_by_key(|item| item.0);
    let (many, few) = (Hosts::new(&sorted), Singles::new(&sorted));
    assert!(matches!(many, Hosts::Many { .. }));
    assert!(many.iter().eq(few.iter()));
    for (address, _) in all.iter().step_by(97) {
        for address in [*address, address ^ 1] {
            assert_eq!(many.get(address), few.get(address));
            for length in [0, 7, 16, 17, 24, 32] {
                let span = u32::MAX.checked_shr(length).unwrap_or(0);
                let (first, last) = (address & !span, address | span);
                assert_eq!(many.any_between(first, last), few.any_between(first, last), "{first:#x}/{length}");
            }
        }
    }
    assert!(many.heap_bytes() * 4 < sorted.len() * 18 + (4 << INDEX_BITS) * 4);
}
