//! The one primitive under every rule: a bounded table of exact sliding windows.
//!
//! A table holds one record for each key; a record holds one section for each [`Shape`] of the table, so that several
//! rules about the same subjects share the key and the look-up. A section keeps the latest `count` times and, for a
//! condition on different tags, the latest `distinct` tags with the last time of each. A shape without a count is a
//! memory of the latest tags: it never overflows.
//!
//! Promise: for events that come at most [`LATE_MAX`] after a later one, in any order, a section overflows exactly
//! when a list of all events would show it, see [`Windows::observe`]. `tests/windows_model.rs` holds it to that.
//!
//! Memory: records are runs of `u32` of equal length in one vector, found through an index of slots; a freed slot is
//! used again. A known key costs no allocation. With every new key a hand frees stale records among the next two; at
//! the limit it evicts the stalest of the next eight instead, and counts it unless it was stale.

use core::time::Duration;

use base::Timestamp;
use hashbrown::HashTable;

use crate::Key;
use crate::section::{QUARTER, Section};

/// How much later than a later one an event may come and still be counted exactly: log files are read one after
/// another, and failures may be held back for a moment. Records live so much longer than their window.
pub const LATE_MAX: Duration = Duration::from_mins(10);

/// Words of a record that hold its key; the sections follow.
const KEY_WORDS: usize = 2;
/// Records that the hand looks at when a new key comes: two for one let it free faster than it is filled.
const SWEEP_STEPS: usize = 2;
/// Records among which the stalest is evicted when the table is full.
const EVICT_CHOICES: usize = 8;
/// After so much time everything stale is dropped at once, so that no stamp grows old enough to be misread.
const SWEEP_ALL: Duration = Duration::from_millis(QUARTER as u64);

/// What a section of every record counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// How many events overflow it; 0 makes it a memory of tags. At least one of `count` and `distinct` is above 0.
    pub count: u16,
    /// Among how many different tags; 0 if it does not matter.
    pub distinct: u16,
    /// The window: events that lie no further apart count together. Above ten days it is measured in seconds.
    pub span: Duration,
}

/// An overflow: what was counted when it came to pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overflow {
    /// How many events, as many as were needed.
    pub count: u16,
    /// Among how many different tags, as many as were needed; 0 if it did not matter.
    pub distinct: u16,
    /// The first of the events that were counted.
    pub first: Timestamp,
    /// The last event, which need not be the one that came last.
    pub last: Timestamp,
}

/// What a section holds at a moment, for people.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Filled {
    /// Events in the window.
    pub count: u16,
    /// Different tags in the window.
    pub distinct: u16,
    /// The oldest of the events counted.
    pub oldest: Timestamp,
}

/// A bounded table of sliding windows whose tags have `W` words.
#[derive(Debug)]
pub struct Windows<const W: usize = 1> {
    sections: Box<[Section<W>]>,
    stride: usize,
    index: HashTable<u32>,
    words: Vec<u32>,
    free: Vec<u32>,
    records_max: usize,
    hand: usize,
    /// The slot that was asked for last; its record may have been dropped since.
    last: usize,
    newest: Timestamp,
    swept: Timestamp,
    evicted: u64,
}

impl<const W: usize> Windows<W> {
    /// An empty table with a section for each shape and at most `records_max` records.
    pub fn new(shapes: &[Shape], records_max: usize) -> Self {
        let mut stride = KEY_WORDS;
        let sections = shapes
            .iter()
            .map(|shape| {
                let section = Section::new(shape, stride);
                stride += section.words();
                section
            })
            .collect();
        Self {
            sections,
            stride,
            index: HashTable::new(),
            words: Vec::new(),
            free: Vec::new(),
            records_max: records_max.clamp(1, u32::MAX as usize / stride),
            hand: 0,
            last: 0,
            newest: Timestamp::EPOCH,
            swept: Timestamp::EPOCH,
            evicted: 0,
        }
    }

    /// Counts an event of `key` in `section`, with the threshold of its shape.
    ///
    /// With `newest` the latest time the section has seen, it overflows when at least `count` events and at least
    /// `distinct` tags have times in `newest - span ..= newest`; the section is empty afterwards. An event before
    /// that interval changes nothing.
    pub fn observe(&mut self, key: Key, section: usize, at: Timestamp, tag: [u32; W]) -> Option<Overflow> {
        self.observe_until(key, section, at, tag, self.sections[section].count as u16)
    }

    /// As [`Windows::observe`], with a threshold of at least 1 and at most the shape's count.
    pub fn observe_until(
        &mut self,
        key: Key,
        section: usize,
        at: Timestamp,
        tag: [u32; W],
        count: u16,
    ) -> Option<Overflow> {
        self.advance(at);
        let section = self.sections[section];
        let age = section.age_of(self.newest, at)?;
        let newest = section.stamp(self.newest);
        let words = self.record(key);
        let overflow = section.insert(&mut words[section.range()], newest, age, tag, usize::from(count))?;
        Some(Overflow {
            count,
            distinct: section.distinct as u16,
            first: section.moment(self.newest, overflow.first_age),
            last: section.moment(self.newest, overflow.last_age),
        })
    }

    /// Remembers that `tag` was seen; for sections without a count.
    pub fn remember(&mut self, key: Key, section: usize, at: Timestamp, tag: [u32; W]) {
        debug_assert_eq!(self.sections[section].count, 0, "a memory has no count");
        let _never = self.observe_until(key, section, at, tag, 0);
    }

    /// Remembers that `tag` was seen, unless it is remembered from less than `pause` before or after. Returns whether
    /// that was so; for sections without a count.
    pub fn remember_after(&mut self, key: Key, section: usize, at: Timestamp, tag: [u32; W], pause: Duration) -> bool {
        self.last = self.find(key).unwrap_or(self.last);
        let last = self.recall(key, section, tag);
        let is_new = last.is_none_or(|last| at.since(last).max(last.since(at)) >= pause);
        if is_new {
            self.remember(key, section, at, tag);
        }
        is_new
    }

    /// When `tag` was last seen, if it is still remembered.
    pub fn recall(&self, key: Key, section: usize, tag: [u32; W]) -> Option<Timestamp> {
        let slot = self.find(key)?;
        let section = &self.sections[section];
        let words = &self.words[slot * self.stride..][section.range()];
        let age = section.age_of_tag(words, section.stamp(self.newest), tag)?;
        Some(section.moment(self.newest, age))
    }

    /// The tags that are remembered, each with its last time, in no order.
    pub fn tags(&self, key: Key, section: usize) -> impl Iterator<Item = ([u32; W], Timestamp)> {
        let section = &self.sections[section];
        let newest = section.stamp(self.newest);
        let words = self.find(key).map_or(&[][..], |slot| &self.words[slot * self.stride..][section.range()]);
        section.tags(words, newest).map(move |(tag, age)| (tag, section.moment(self.newest, age)))
    }

    /// What the section of `key` counts at `now`; none if nothing.
    pub fn filled(&self, key: Key, section: usize, now: Timestamp) -> Option<Filled> {
        let section = self.sections[section];
        let slot = self.find(key)?;
        let words = &self.words[slot * self.stride..][section.range()];
        let (stamp, begin) = (section.stamp(self.newest), now.minus(section.span()));
        let in_window = |age: &u32| section.moment(self.newest, *age) >= begin;
        let ages = || section.times(words, stamp).filter(in_window);
        let oldest = section.moment(self.newest, ages().max()?);
        let distinct = section.tags(words, stamp).filter(|(_, age)| in_window(age)).count();
        Some(Filled { count: ages().count() as u16, distinct: distinct as u16, oldest })
    }

    /// Forgets that `tag` was seen: it is none of the different ones any more. Its events still count where that does not
    /// matter.
    pub fn forget_tag(&mut self, key: Key, section: usize, tag: [u32; W]) {
        let Some(slot) = self.find(key) else { return };
        let section = self.sections[section];
        section.forget_tag(&mut self.words[slot * self.stride..][section.range()], tag);
    }

    /// Forgets all that was counted of `key`.
    pub fn forget(&mut self, key: Key) {
        if let Some(slot) = self.find(key) {
            self.drop_record(slot);
        }
    }

    /// Keys that have a record.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether no key has a record.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// How many records with something in them were evicted because the table was full.
    pub const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Bytes the table holds, spare room included.
    pub fn bytes(&self) -> usize {
        (self.words.capacity() + self.free.capacity()) * size_of::<u32>() + self.index.allocation_size()
    }

    fn find(&self, key: Key) -> Option<usize> {
        let (words, stride) = (&self.words, self.stride);
        // One event asks for the same record several times in a row.
        if words.len() > self.last * stride && key_at(words, self.last * stride) == key.get() {
            return Some(self.last);
        }
        self.index
            .find(key.get(), |slot| key_at(words, *slot as usize * stride) == key.get())
            .map(|slot| *slot as usize)
    }

    /// The record of `key`, made if there is none.
    fn record(&mut self, key: Key) -> &mut [u32] {
        let slot = match self.find(key) {
            Some(slot) => slot,
            None => self.make(key),
        };
        self.last = slot;
        &mut self.words[slot * self.stride..][..self.stride]
    }

    /// Makes room and a record for a key that has none.
    fn make(&mut self, key: Key) -> usize {
        if self.index.len() >= self.records_max {
            self.evict();
        } else {
            self.sweep();
        }
        let slot = self.free.pop().map_or_else(|| self.grow(), |slot| slot as usize);
        let base = slot * self.stride;
        self.words[base..base + self.stride].fill(0);
        self.words[base] = key.get() as u32;
        self.words[base + 1] = (key.get() >> 32) as u32;
        let (words, stride) = (&self.words, self.stride);
        self.index.insert_unique(key.get(), slot as u32, |slot| key_at(words, *slot as usize * stride));
        slot
    }

    /// Frees what is stale among the next records.
    fn sweep(&mut self) {
        for _ in 0..SWEEP_STEPS {
            let slot = self.turn();
            if self.age_in(slot).is_some() && self.is_stale(slot) {
                self.drop_record(slot);
            }
        }
    }

    /// A slot at the end. The vector grows by an eighth, not twofold: at a million records the spare half would cost
    /// more than the copying saves.
    fn grow(&mut self) -> usize {
        let (length, slots_max) = (self.words.len(), self.records_max * self.stride);
        if length + self.stride > self.words.capacity() {
            let more = (length / 8).max(16 * self.stride).min(slots_max - length).max(self.stride);
            self.words.reserve_exact(more);
        }
        self.words.resize(length + self.stride, 0);
        length / self.stride
    }

    /// The slot under the hand, which moves on.
    fn turn(&mut self) -> usize {
        let slot = self.hand;
        self.hand += 1;
        if self.hand * self.stride >= self.words.len() {
            self.hand = 0;
        }
        slot
    }

    /// Drops the stalest of the next few records. It need not be stale; then a count is lost, and that is counted. The
    /// hand is moved by this alone while the table is full, lest it pass over the same records in every round.
    fn evict(&mut self) {
        let mut stalest = None;
        while stalest.is_none() {
            for _ in 0..EVICT_CHOICES.min(self.words.len() / self.stride) {
                let slot = self.turn();
                stalest = stalest.max(self.age_in(slot).map(|age| (age, slot)));
            }
        }
        if let Some((_, slot)) = stalest {
            self.evicted += u64::from(!self.is_stale(slot));
            self.drop_record(slot);
        }
    }

    /// Milliseconds since the last event of a record; none if the slot is free.
    fn age_in(&self, slot: usize) -> Option<u64> {
        let words = self.words.get(slot * self.stride..(slot + 1) * self.stride)?;
        if key_at(words, 0) == 0 {
            return None;
        }
        let youngest = self.sections.iter().filter_map(|section| {
            let age = section.youngest(&words[section.range()], section.stamp(self.newest))?;
            Some(section.millis(age))
        });
        Some(youngest.min().unwrap_or(u64::MAX))
    }

    /// Whether no event that may still come could count together with what the record holds.
    fn is_stale(&self, slot: usize) -> bool {
        let words = &self.words[slot * self.stride..(slot + 1) * self.stride];
        self.sections.iter().all(|section| section.is_stale(&words[section.range()], section.stamp(self.newest), 0))
    }

    fn drop_record(&mut self, slot: usize) {
        let base = slot * self.stride;
        let key = key_at(&self.words, base);
        if let Ok(entry) = self.index.find_entry(key, |other| *other as usize == slot) {
            entry.remove();
        }
        self.words[base] = 0;
        self.words[base + 1] = 0;
        self.free.push(slot as u32);
    }

    /// Moves the table's clock to `at`, which may be before it.
    fn advance(&mut self, at: Timestamp) {
        if at <= self.newest {
            return;
        }
        if at.since(self.swept) >= SWEEP_ALL {
            self.sweep_all(at);
            self.swept = at;
        }
        self.newest = at;
    }

    /// Empties every stale section and frees the records that hold nothing more, as seen at `at`.
    ///
    /// Stamps have 32 bits and come round after 49 days; they are read as ages behind the table's clock. An age is at
    /// most the longest life of a section (a quarter of the range, see `Section::new`) plus the time since the last
    /// sweep (a quarter), so that it is never mistaken. A table that saw nothing for longer starts empty here.
    fn sweep_all(&mut self, at: Timestamp) {
        for slot in 0..self.words.len() / self.stride {
            let base = slot * self.stride;
            if key_at(&self.words, base) == 0 {
                continue;
            }
            let mut is_empty = true;
            for section in &self.sections {
                let words = &mut self.words[base..base + self.stride][section.range()];
                let jump = section.age_of(at, self.newest).unwrap_or(QUARTER);
                if section.is_stale(words, section.stamp(self.newest), jump) {
                    words.fill(0);
                } else {
                    is_empty = false;
                }
            }
            if is_empty {
                self.drop_record(slot);
            }
        }
    }
}

/// The key of the record that begins at `base`; 0 in a free slot.
fn key_at(words: &[u32], base: usize) -> u64 {
    u64::from(words[base]) | u64::from(words[base + 1]) << 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Keys;

    const SHAPE: Shape = Shape { count: 3, distinct: 0, span: Duration::from_mins(1) };

    fn flood(table: &mut Windows, keys: &Keys, numbers: core::ops::Range<u64>, millis_between: u64) {
        for number in numbers {
            let at = Timestamp::from_secs(1_795_247_054).plus(Duration::from_millis(number * millis_between));
            table.observe(keys.number(number), 0, at, [0]);
        }
    }

    #[test]
    fn a_full_table_evicts_the_stalest_and_counts_it() {
        let (keys, mut table) = (Keys::new([1; 16]), Windows::new(&[SHAPE], 1000));
        flood(&mut table, &keys, 0..1000, 1);
        assert_eq!((table.len(), table.evicted()), (1000, 0));
        flood(&mut table, &keys, 1000..5000, 1);
        assert_eq!((table.len(), table.evicted()), (1000, 4000));
        let last = Timestamp::from_secs(1_795_247_054).plus(Duration::from_millis(4999));
        let known = |numbers: core::ops::Range<u64>| {
            numbers.filter(|number| table.filled(keys.number(*number), 0, last).is_some()).count()
        };
        assert_eq!(known(0..3000), 0, "the oldest are gone");
        assert!(known(4500..5000) > 450, "the latest are there: {}", known(4500..5000));
    }

    #[test]
    fn stale_records_make_room_by_themselves() {
        let (keys, mut table) = (Keys::new([1; 16]), Windows::new(&[SHAPE], 100_000));
        // One key a second: at any moment 660 of them can still count.
        flood(&mut table, &keys, 0..50_000, 1000);
        assert!(table.len() < 2000 && table.evicted() == 0, "{}", table.len());
        assert!(table.bytes() < 2000 * 40, "{}", table.bytes());
    }

    #[test]
    fn a_table_that_saw_nothing_for_long_starts_empty() {
        let (keys, mut table) = (Keys::new([1; 16]), Windows::new(&[SHAPE], 1000));
        flood(&mut table, &keys, 0..100, 1);
        // As far as 32 bits of milliseconds reach, so that the old stamps look like new ones.
        flood(&mut table, &keys, 1..2, u64::from(u32::MAX));
        assert_eq!(table.len(), 1);
    }
}
