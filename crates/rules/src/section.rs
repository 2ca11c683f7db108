//! One section of a record: the latest times, and the latest different tags with the last time of each.
//!
//! Why the latest suffice. Let `newest` be the latest time seen and the window `newest - span ..= newest`.
//! *Times:* at least `count` events lie in the window exactly if the `count`-th latest does, and the `count` latest
//! times are kept. *Tags:* at least `distinct` tags lie in the window exactly if the tag with the `distinct`-th latest
//! last time does. A tag is dropped only when `distinct` others have times as late; their last times never go back, so
//! that it belongs to the latest again only by a new event, which brings a time of its own that is later than the
//! forgotten one. So the kept tags are at any moment the latest `distinct` of all, up to the order of equal times,
//! which changes no comparison with the window.

use core::ops::Range;
use core::time::Duration;

use base::Timestamp;

use crate::windows::{LATE_MAX, Shape};

/// A quarter of the range of stamps: the longest life of a section, and the longest time between two sweeps.
pub(crate) const QUARTER: u32 = 1 << 30;

/// A longer window is measured in seconds: a quarter of the range in milliseconds is 12 days.
const MILLIS_SPAN_MAX: Duration = Duration::from_hours(10 * 24);

/// The stamp of an empty place. Real stamps run from 1, modulo one less than the range of `u32`.
const EMPTY: u32 = 0;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Tick {
    Millisecond,
    Second,
}

/// Where a section lies in a record and what it counts. Spans and ages are in ticks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Section<const W: usize> {
    offset: usize,
    /// Times kept, and the threshold.
    pub(crate) count: usize,
    /// Tags kept, and the threshold.
    pub(crate) distinct: usize,
    tick: Tick,
    span: u32,
    /// From this age on nothing that may still come counts together with it.
    life: u32,
}

/// An overflow in ages behind the table's clock.
pub(crate) struct Ages {
    pub(crate) first_age: u32,
    pub(crate) last_age: u32,
}

impl<const W: usize> Section<W> {
    /// The section of a shape, `offset` words into the record.
    pub(crate) fn new(shape: &Shape, offset: usize) -> Self {
        assert!(shape.count > 0 || shape.distinct > 0, "a section keeps something");
        let tick = if shape.span > MILLIS_SPAN_MAX { Tick::Second } else { Tick::Millisecond };
        let ticks = |span: Duration| match tick {
            Tick::Millisecond => span.as_millis(),
            Tick::Second => u128::from(span.as_secs()),
        };
        // A window of 34 years or more is as good as one that never ends.
        let life = ticks(shape.span.saturating_add(LATE_MAX)).min(u128::from(QUARTER)) as u32;
        let span = ticks(shape.span).min(u128::from(life)) as u32;
        Self { offset, count: usize::from(shape.count), distinct: usize::from(shape.distinct), tick, span, life }
    }

    /// Words it takes.
    pub(crate) const fn words(&self) -> usize {
        self.count + self.distinct * (W + 1)
    }

    /// Its words within the record.
    pub(crate) const fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.words()
    }

    /// The window.
    pub(crate) const fn span(&self) -> Duration {
        Duration::from_millis(self.millis(self.span))
    }

    /// An age in milliseconds.
    pub(crate) const fn millis(&self, age: u32) -> u64 {
        match self.tick {
            Tick::Millisecond => age as u64,
            Tick::Second => age as u64 * 1000,
        }
    }

    const fn ticks(&self, at: Timestamp) -> u64 {
        match self.tick {
            Tick::Millisecond => at.as_millis(),
            Tick::Second => at.as_secs(),
        }
    }

    /// The stamp of a moment, never [`EMPTY`].
    pub(crate) const fn stamp(&self, at: Timestamp) -> u32 {
        (self.ticks(at) % u32::MAX as u64) as u32 + 1
    }

    /// How long `at` lies before `newest`; none from a quarter of the range on.
    pub(crate) const fn age_of(&self, newest: Timestamp, at: Timestamp) -> Option<u32> {
        let age = self.ticks(newest).saturating_sub(self.ticks(at));
        if age < QUARTER as u64 { Some(age as u32) } else { None }
    }

    /// The moment that lies `age` before `newest`.
    pub(crate) const fn moment(&self, newest: Timestamp, age: u32) -> Timestamp {
        match self.tick {
            Tick::Millisecond => Timestamp::from_millis(newest.as_millis().saturating_sub(age as u64)),
            Tick::Second => Timestamp::from_secs(newest.as_secs().saturating_sub(age as u64)),
        }
    }

    /// The ages of the times kept, youngest first.
    pub(crate) fn times(&self, words: &[u32], newest: u32) -> impl Iterator<Item = u32> {
        words.iter().take(self.count).take_while(|stamp| **stamp != EMPTY).map(move |stamp| age(newest, *stamp))
    }

    /// The tags kept with their ages, in no order.
    pub(crate) fn tags(&self, words: &[u32], newest: u32) -> impl Iterator<Item = ([u32; W], u32)> {
        let pairs = words.get(self.count..).unwrap_or_default().chunks_exact(W + 1);
        pairs.filter(|pair| pair[W] != EMPTY).map(move |pair| {
            let mut tag = [0; W];
            tag.copy_from_slice(&pair[..W]);
            (tag, age(newest, pair[W]))
        })
    }

    /// The age of a tag; none if it is not kept.
    pub(crate) fn age_of_tag(&self, words: &[u32], newest: u32, tag: [u32; W]) -> Option<u32> {
        let pairs = words.get(self.count..)?;
        let place = place_of(pairs, tag)?;
        Some(age(newest, pairs[place + W]))
    }

    /// Forgets a tag, though not the times of its events; the one that it had displaced does not come back.
    pub(crate) fn forget_tag(&self, words: &mut [u32], tag: [u32; W]) {
        let Some(pairs) = words.get_mut(self.count..) else { return };
        if let Some(place) = place_of(pairs, tag) {
            pairs[place..=place + W].fill(EMPTY);
        }
    }

    /// The age of the last event; none if the section is empty.
    pub(crate) fn youngest(&self, words: &[u32], newest: u32) -> Option<u32> {
        if self.count > 0 {
            self.times(words, newest).next()
        } else {
            self.tags(words, newest).map(|(_, age)| age).min()
        }
    }

    /// Whether nothing in it can count any more when the clock has moved on by `jump`.
    pub(crate) fn is_stale(&self, words: &[u32], newest: u32, jump: u32) -> bool {
        self.youngest(words, newest).is_none_or(|age| age.saturating_add(jump) > self.life || jump >= QUARTER)
    }

    /// Puts in an event of this age behind the table's clock `newest`, and empties the section if it overflows with
    /// the threshold `count`.
    pub(crate) fn insert(
        &self,
        words: &mut [u32],
        newest: u32,
        event_age: u32,
        tag: [u32; W],
        count: usize,
    ) -> Option<Ages> {
        let (times, pairs) = words.split_at_mut(self.count);
        if times.is_empty() {
            insert_tag(pairs, newest, event_age, tag);
            return None;
        }
        let last_age = if times[0] == EMPTY { event_age } else { event_age.min(age(newest, times[0])) };
        let oldest_age = last_age.saturating_add(self.span);
        if event_age > oldest_age {
            return None;
        }
        insert_time(times, newest, event_age);
        insert_tag(pairs, newest, event_age, tag);
        let first = *times.get(count.checked_sub(1)?)?;
        let first_age = age(newest, first);
        if first == EMPTY || first_age > oldest_age {
            return None;
        }
        let in_window = self.tags(words, newest).filter(|(_, age)| *age <= oldest_age).count();
        if in_window < self.distinct {
            return None;
        }
        words.fill(EMPTY);
        Some(Ages { first_age, last_age })
    }
}

/// How many ticks `stamp` lies before `newest`, where stamps wrap from `u32::MAX` to 1.
const fn age(newest: u32, stamp: u32) -> u32 {
    let (difference, wraps) = newest.overflowing_sub(stamp);
    difference.wrapping_sub(wraps as u32)
}

/// The stamp that lies `age` before `newest`.
const fn stamp_before(newest: u32, age: u32) -> u32 {
    let (stamp, wraps) = newest.overflowing_sub(age);
    if wraps || stamp == EMPTY { stamp.wrapping_sub(1) } else { stamp }
}

/// Puts a time at its place among the latest, which stand youngest first; the oldest falls out.
fn insert_time(times: &mut [u32], newest: u32, event_age: u32) {
    let place = times.iter().take_while(|stamp| **stamp != EMPTY && age(newest, **stamp) <= event_age).count();
    if place < times.len() {
        times.copy_within(place..times.len() - 1, place + 1);
        times[place] = stamp_before(newest, event_age);
    }
}

/// Puts a tag among the latest: it takes its own place, an empty one, or that of the oldest if that is older.
fn insert_tag<const W: usize>(pairs: &mut [u32], newest: u32, event_age: u32, tag: [u32; W]) {
    let place = match place_of(pairs, tag) {
        Some(place) => place,
        None => oldest_place::<W>(pairs, newest),
    };
    let Some(pair) = pairs.get_mut(place..=place + W) else { return };
    if pair[W] == EMPTY || event_age < age(newest, pair[W]) {
        pair[..W].copy_from_slice(&tag);
        pair[W] = stamp_before(newest, event_age);
    }
}

/// Where the pair of this tag begins.
fn place_of<const W: usize>(pairs: &[u32], tag: [u32; W]) -> Option<usize> {
    let is_it = |pair: &[u32]| pair[..W] == tag && pair[W] != EMPTY;
    pairs.chunks_exact(W + 1).position(is_it).map(|number| number * (W + 1))
}

/// Where the first empty pair begins, or else the oldest; 0 if there is none at all.
fn oldest_place<const W: usize>(pairs: &[u32], newest: u32) -> usize {
    let (mut oldest, mut place) = (0, 0);
    for (number, pair) in pairs.chunks_exact(W + 1).enumerate() {
        if pair[W] == EMPTY {
            return number * (W + 1);
        }
        let age = age(newest, pair[W]);
        if age > oldest {
            (oldest, place) = (age, number * (W + 1));
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_wrap_without_a_gap() {
        let last = u32::MAX;
        for (newest, stamp, wanted) in [(5, 5, 0), (5, 3, 2), (1, last, 1), (2, last - 1, 3), (last, 1, last - 1)] {
            assert_eq!(age(newest, stamp), wanted, "{newest} {stamp}");
            assert_eq!(stamp_before(newest, wanted), stamp, "{newest} {wanted}");
        }
    }

    #[test]
    fn moments_are_stamped_evenly() {
        let shape = Shape { count: 1, distinct: 0, span: Duration::from_secs(1) };
        let section = Section::<1>::new(&shape, 0);
        let round = u64::from(u32::MAX);
        for millis in [0, 1, round - 1, round, round + 1, 400 * round + 7] {
            let at = Timestamp::from_millis(millis);
            let next = Timestamp::from_millis(millis + 1);
            assert_eq!(age(section.stamp(next), section.stamp(at)), 1, "{millis}");
            assert_ne!(section.stamp(at), EMPTY, "{millis}");
        }
    }
}
