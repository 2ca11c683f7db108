//! A bounded table of subjects: runs of words of equal length in one vector, found through an index of slots.
//!
//! At its limit it sheds a part of the subjects at once, the emptiest first (to a factor of two), never one whose bucket
//! is full or in which something is reserved. What is shed is not forgiven: a subject that is new to the table starts
//! as full as the fullest that was ever shed, for it may be that one. So the promise of the limits holds, and a flood
//! of subjects costs a little of every newcomer's burst.

use base::Timestamp;
use hashbrown::HashTable;

use super::Limit;
use crate::Key;

/// One part in so many is shed at a time: few enough to be the emptiest, many enough that the search for them is cheap.
const SHED_PART: usize = 16;

/// Records by which the table grows at a time, in parts of its size: less spare room than doubling.
const GROWTH_PART: usize = 4;

/// Classes of emptiness: by the bits of the milliseconds until it is empty.
const CLASSES: usize = 65;

/// See the module.
#[derive(Debug)]
pub(crate) struct Table {
    stride: usize,
    index: HashTable<u32>,
    words: Vec<u64>,
    free: Vec<u32>,
    records_max: usize,
    /// The state of a subject that is new.
    fresh: Box<[u64]>,
    shed: u64,
}

impl Table {
    pub(crate) fn new(limit: &Limit, records_max: usize) -> Self {
        let stride = 1 + limit.words();
        Self {
            stride,
            index: HashTable::new(),
            words: Vec::new(),
            free: Vec::new(),
            records_max: records_max.clamp(1, u32::MAX as usize / stride),
            fresh: vec![0; limit.words()].into(),
            shed: 0,
        }
    }

    /// The state of `key`, if it has one.
    pub(crate) fn find(&self, key: Key) -> Option<&[u64]> {
        let slot = self.slot(key)?;
        Some(&self.words[slot * self.stride + 1..][..self.stride - 1])
    }

    pub(crate) fn find_mut(&mut self, key: Key) -> Option<&mut [u64]> {
        let slot = self.slot(key)?;
        Some(&mut self.words[slot * self.stride + 1..][..self.stride - 1])
    }

    /// The state of `key`, new if need be; none if the table is full of what must not be shed.
    pub(crate) fn find_or_add(&mut self, key: Key, limit: &Limit, now: Timestamp) -> Option<&mut [u64]> {
        let slot = match self.slot(key) {
            Some(slot) => slot,
            None => self.add(key, limit, now)?,
        };
        Some(&mut self.words[slot * self.stride + 1..][..self.stride - 1])
    }

    /// Hands every subject with its state to `show`.
    pub(crate) fn each(&self, mut show: impl FnMut(u64, &[u64])) {
        for record in self.words.chunks_exact(self.stride) {
            if let Some((key, words)) = record.split_first().filter(|(key, _)| **key != 0) {
                show(*key, words);
            }
        }
    }

    /// The state in which a subject starts that is not in the table.
    pub(crate) const fn fresh(&self) -> &[u64] {
        &self.fresh
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    pub(crate) const fn shed(&self) -> u64 {
        self.shed
    }

    /// Bytes, spare room included.
    pub(crate) fn bytes(&self) -> usize {
        let index = self.index.allocation_size();
        index + self.words.capacity() * size_of::<u64>() + self.free.capacity() * size_of::<u32>()
    }

    fn slot(&self, key: Key) -> Option<usize> {
        let is_it = |slot: &u32| self.words[*slot as usize * self.stride] == key.get();
        self.index.find(key.get(), is_it).map(|slot| *slot as usize)
    }

    fn add(&mut self, key: Key, limit: &Limit, now: Timestamp) -> Option<usize> {
        let known = self.words.len() / self.stride;
        if self.free.is_empty() && known >= self.records_max {
            self.shed_emptiest(limit, now);
        }
        let slot = match self.free.pop() {
            Some(slot) => slot as usize,
            None if known < self.records_max => {
                if self.words.len() == self.words.capacity() {
                    let more = (known / GROWTH_PART).max(SHED_PART).min(self.records_max - known);
                    self.words.reserve_exact(more * self.stride);
                }
                self.words.resize(self.words.len() + self.stride, 0);
                known
            }
            None => return None,
        };
        let record = &mut self.words[slot * self.stride..][..self.stride];
        record[0] = key.get();
        record[1..].copy_from_slice(&self.fresh);
        let Self { index, words, stride, .. } = self;
        index.insert_unique(key.get(), slot as u32, |slot| words[*slot as usize * *stride]);
        Some(slot)
    }

    /// Frees a part of the records, the emptiest.
    fn shed_emptiest(&mut self, limit: &Limit, now: Timestamp) {
        let mut classes = [0_usize; CLASSES];
        for record in self.words.chunks_exact(self.stride) {
            if let Some(class) = class(record, limit, now) {
                classes[class] += 1;
            }
        }
        let wanted = self.records_max.div_ceil(SHED_PART);
        let (mut last, mut found) = (0, 0);
        for (class, count) in classes.iter().enumerate() {
            if found >= wanted {
                break;
            }
            (last, found) = (class, found + count);
        }
        let mut left = wanted;
        for slot in 0..self.words.len() / self.stride {
            let record = &self.words[slot * self.stride..][..self.stride];
            // Those of the lower classes must not find their place taken by one of the last class.
            let is_shed = class(record, limit, now)
                .is_some_and(|class| class < last || (class == last && left + classes[last] > found));
            if left > 0 && is_shed {
                left -= 1;
                self.remove(slot, limit);
            }
        }
    }

    fn remove(&mut self, slot: usize, limit: &Limit) {
        let record = &mut self.words[slot * self.stride..][..self.stride];
        let key = record[0];
        limit.forgo(&record[1..], &mut self.fresh);
        record.fill(0);
        if let Ok(entry) = self.index.find_entry(key, |other| *other as usize == slot) {
            entry.remove();
        }
        self.free.push(slot as u32);
        self.shed += 1;
    }
}

/// How empty a record is; none if it is free or must stay.
fn class(record: &[u64], limit: &Limit, now: Timestamp) -> Option<usize> {
    let (key, words) = record.split_first()?;
    let rest = (*key != 0).then(|| limit.rest_ms(now, words)).flatten()?;
    Some((u64::BITS - rest.leading_zeros()) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Keys;
    use crate::limits::state::tests::strict;

    #[test]
    fn the_emptiest_is_shed_and_not_forgiven() {
        let limit = strict("10 at 1 / 1min");
        let mut table = Table::new(&limit, 64);
        let keys = Keys::new([3; 16]);
        let now = Timestamp::from_secs(1_795_247_139);
        // Of 64 subjects the first eight are full, the others hold 1 to 7 recipients.
        for number in 0..64 {
            let words = table.find_or_add(keys.number(number), &limit, now).unwrap();
            let recipients = if number < 8 { 10 } else { 1 + number % 7 };
            limit.reserve(now, words, recipients as u32).unwrap();
            limit.settle(now, words, recipients as u32);
        }
        // Time stands still, so that newcomers begin fuller and fuller, until all are full.
        let mut taken_in = 0;
        while let Some(words) = table.find_or_add(keys.number(64 + taken_in), &limit, now) {
            limit.reserve(now, words, 1).expect("whoever is taken in has room");
            limit.settle(now, words, 1);
            taken_in += 1;
        }
        assert!((56..600).contains(&taken_in), "{taken_in}");
        assert_eq!((table.len(), table.shed()), (64, taken_in));
        for number in 0..8 {
            let words = table.find(keys.number(number)).expect("a full bucket is never shed");
            assert_eq!(limit.rest_ms(now, words), None);
        }
        // Number 63 had sent one, and is new again five minutes later: it may not send ten at once.
        let soon = now.plus(core::time::Duration::from_mins(5));
        let words = table.find_or_add(keys.number(63), &limit, soon).expect("they leak");
        assert!(limit.reserve(soon, words, 10).is_err());
    }

    #[test]
    fn a_table_of_full_buckets_takes_nobody_in() {
        let limit = strict("1 at 1 / 1min");
        let mut table = Table::new(&limit, 4);
        let keys = Keys::new([3; 16]);
        let now = Timestamp::from_secs(1_795_247_139);
        for number in 0..4 {
            let words = table.find_or_add(keys.number(number), &limit, now).unwrap();
            limit.reserve(now, words, 1).unwrap();
            limit.settle(now, words, 1);
        }
        assert!(table.find_or_add(keys.number(9), &limit, now).is_none());
        let later = now.plus(core::time::Duration::from_mins(1));
        assert!(table.find_or_add(keys.number(9), &limit, later).is_some(), "they have leaked");
    }
}
