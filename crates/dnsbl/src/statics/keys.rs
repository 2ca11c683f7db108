//! Sorted keys with a number each, and the pieces into which prefixes cut a space of keys.

use core::ops::Range;

use super::packed::Packed;

/// From how many IPv4 addresses on an index of 256 KiB pays: it then costs less than the two bytes each that it saves.
const INDEXED_MIN: usize = 1 << 17;

/// Bits of the index.
const INDEX_BITS: u32 = 16;

/// How many keys are looked at to see whether any of them is listed. More exclusions in a row than that, with nothing
/// listed between them, are taken for listed: a name then exists for which nothing is below.
const SCANNED_MAX: usize = 64;

/// A key: part of an address.
pub(super) trait Key: Copy + Ord {
    fn wide(self) -> u128;
    fn narrow(wide: u128) -> Self;
}

impl Key for u32 {
    fn wide(self) -> u128 {
        self.into()
    }
    fn narrow(wide: u128) -> Self {
        wide as Self
    }
}

impl Key for u64 {
    fn wide(self) -> u128 {
        self.into()
    }
    fn narrow(wide: u128) -> Self {
        wide as Self
    }
}

impl Key for u128 {
    fn wide(self) -> u128 {
        self
    }
    fn narrow(wide: u128) -> Self {
        wide
    }
}

/// Single keys, each with a number.
#[derive(Debug)]
pub(super) struct Singles<K> {
    keys: Box<[K]>,
    sets: Packed,
}

impl<K: Key> Singles<K> {
    /// The keys, sorted and each once, with their numbers.
    pub(super) fn new(all: &[(K, u32)]) -> Self {
        let sets: Vec<u32> = all.iter().map(|(_, set)| *set).collect();
        Self { keys: all.iter().map(|(key, _)| *key).collect(), sets: Packed::new(&sets) }
    }

    pub(super) fn get(&self, key: K) -> Option<u32> {
        self.keys.binary_search(&key).ok().map(|at| self.sets.get(at))
    }

    /// Whether a number that is not 0 belongs to a key from `first` to `last`.
    pub(super) fn any_between(&self, first: K, last: K) -> bool {
        let range = self.keys.partition_point(|key| *key < first)..self.keys.partition_point(|key| *key <= last);
        any_listed(range, &self.sets, 0)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (K, u32)> {
        self.keys.iter().enumerate().map(|(at, key)| (*key, self.sets.get(at)))
    }

    pub(super) const fn heap_bytes(&self) -> usize {
        self.keys.len() * size_of::<K>() + self.sets.heap_bytes()
    }
}

fn any_listed(range: Range<usize>, sets: &Packed, nothing: u32) -> bool {
    range.len() > SCANNED_MAX || range.into_iter().any(|at| sets.get(at) > nothing)
}

/// Single IPv4 addresses: many of them take two bytes and their number each.
#[derive(Debug)]
pub(super) enum Hosts {
    Few(Singles<u32>),
    /// Where the addresses of each /16 end in `low`, and their low halves.
    Many {
        ends: Box<[u32]>,
        low: Box<[u16]>,
        sets: Packed,
    },
}

impl Hosts {
    /// The addresses, sorted and each once, with their numbers.
    pub(super) fn new(all: &[(u32, u32)]) -> Self {
        if all.len() < INDEXED_MIN {
            return Self::Few(Singles::new(all));
        }
        let mut ends = vec![0; 1 << INDEX_BITS].into_boxed_slice();
        for (address, _) in all {
            ends[(address >> INDEX_BITS) as usize] += 1;
        }
        let mut sum = 0;
        for end in &mut ends {
            sum += *end;
            *end = sum;
        }
        let sets: Vec<u32> = all.iter().map(|(_, set)| *set).collect();
        Self::Many { ends, low: all.iter().map(|(address, _)| *address as u16).collect(), sets: Packed::new(&sets) }
    }

    /// Where the addresses of the /16 of this number are.
    fn bucket(ends: &[u32], number: usize) -> Range<usize> {
        let start = if number == 0 { 0 } else { ends[number - 1] as usize };
        start..ends[number] as usize
    }

    pub(super) fn get(&self, address: u32) -> Option<u32> {
        match self {
            Self::Few(few) => few.get(address),
            Self::Many { ends, low, sets } => {
                let bucket = Self::bucket(ends, (address >> INDEX_BITS) as usize);
                let start = bucket.start;
                let at = low[start..bucket.end].binary_search(&(address as u16)).ok()?;
                Some(sets.get(start + at))
            }
        }
    }

    /// Whether an address from `first` to `last` is listed.
    pub(super) fn any_between(&self, first: u32, last: u32) -> bool {
        match self {
            Self::Few(few) => few.any_between(first, last),
            Self::Many { ends, low, sets } => {
                let place = |address: u32, is_before: fn(u16, u16) -> bool| {
                    let bucket = Self::bucket(ends, (address >> INDEX_BITS) as usize);
                    bucket.start + low[bucket.start..bucket.end].partition_point(|key| is_before(*key, address as u16))
                };
                any_listed(place(first, |key, low| key < low)..place(last, |key, low| key <= low), sets, 0)
            }
        }
    }

    /// All of them in order.
    pub(super) fn iter(&self) -> Box<dyn Iterator<Item = (u32, u32)> + '_> {
        match self {
            Self::Few(few) => Box::new(few.iter()),
            Self::Many { ends, low, sets } => Box::new((0..ends.len()).flat_map(move |number| {
                let high = (number as u32) << INDEX_BITS;
                Self::bucket(ends, number).map(move |at| (high | u32::from(low[at]), sets.get(at)))
            })),
        }
    }

    pub(super) const fn heap_bytes(&self) -> usize {
        match self {
            Self::Few(few) => few.heap_bytes(),
            Self::Many { ends, low, sets } => ends.len() * 4 + low.len() * 2 + sets.heap_bytes(),
        }
    }
}

/// A network with its number, for building.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Prefix<K> {
    pub(super) base: K,
    pub(super) length: u8,
    pub(super) set: u32,
}

/// Networks with the longest one before the others: cut into pieces without overlap, one search for each question.
#[derive(Debug)]
pub(super) struct Spans<K> {
    starts: Box<[K]>,
    /// The number plus one; zero where there is no network.
    sets: Packed,
}

impl<K: Key> Spans<K> {
    /// The networks, sorted by base and length and each once, of keys with so many bits.
    pub(super) fn new(prefixes: &[Prefix<K>], bits: u32) -> Self {
        let mut pieces: Vec<(u128, u32)> = Vec::new();
        let mut push = |start: u128, number: u32| {
            if pieces.last().is_some_and(|last| last.0 == start) {
                pieces.pop();
            }
            if pieces.last().map_or(0, |last| last.1) != number {
                pieces.push((start, number));
            }
        };
        let end_of_all = if bits == 128 { u128::MAX } else { (1 << bits) - 1 };
        // The networks that are open, from the widest to the narrowest, with their last keys.
        let mut open: Vec<(u128, u32)> = Vec::new();
        let close = |open: &mut Vec<(u128, u32)>, until: Option<u128>, push: &mut dyn FnMut(u128, u32)| {
            while let Some((last, _)) = open.last().copied().filter(|(last, _)| until.is_none_or(|until| *last < until))
            {
                open.pop();
                if last != end_of_all {
                    push(last + 1, open.last().map_or(0, |outer| outer.1));
                }
            }
        };
        for prefix in prefixes {
            let base = prefix.base.wide();
            close(&mut open, Some(base), &mut push);
            let host_bits = bits - u32::from(prefix.length);
            let last = base | u128::MAX.checked_shr(128 - host_bits).unwrap_or(0);
            open.push((last, prefix.set + 1));
            push(base, prefix.set + 1);
        }
        close(&mut open, None, &mut push);
        let sets: Vec<u32> = pieces.iter().map(|(_, number)| *number).collect();
        Self { starts: pieces.iter().map(|(start, _)| K::narrow(*start)).collect(), sets: Packed::new(&sets) }
    }

    /// The number of the longest network that holds the key.
    pub(super) fn get(&self, key: K) -> Option<u32> {
        let after = self.starts.partition_point(|start| *start <= key);
        self.sets_at(after.checked_sub(1)?)
    }

    fn sets_at(&self, at: usize) -> Option<u32> {
        self.sets.get(at).checked_sub(1)
    }

    /// Whether a key from `first` to `last` is listed.
    pub(super) fn any_between(&self, first: K, last: K) -> bool {
        let start = self.starts.partition_point(|start| *start <= first).saturating_sub(1);
        let end = self.starts.partition_point(|start| *start <= last);
        any_listed(start.min(end)..end, &self.sets, 1)
    }

    /// The pieces that have a number: first key, last key, number.
    pub(super) fn iter(&self, end_of_all: u128) -> impl Iterator<Item = (K, K, u32)> {
        (0..self.starts.len()).filter_map(move |at| {
            let last = self.starts.get(at + 1).map_or(end_of_all, |next| next.wide() - 1);
            Some((self.starts[at], K::narrow(last), self.sets_at(at)?))
        })
    }

    pub(super) const fn heap_bytes(&self) -> usize {
        self.starts.len() * size_of::<K>() + self.sets.heap_bytes()
    }
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
