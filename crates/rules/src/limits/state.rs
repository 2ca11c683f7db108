//! The state of one subject under one limit, and what a message does to it.
//!
//! Mode `strict`: one word with what is reserved, then for each bucket the moment at which it will be empty. Mode
//! `rspamd`: for each bucket the fields of rspamd's hash.

use base::Timestamp;

use super::definition;
use super::rate::Rate;
use super::rspamd::{self, Hash};
use super::settings::{BUCKETS_MAX, Limit, LimitMode};

/// Most words of a kept charge.
pub const WORDS_MAX: usize = BUCKETS_MAX * Hash::WORDS;

/// A kept level says how full a bucket is at least: an older one may say more.
pub(crate) const AT_LEAST: u64 = 0;

/// A kept level is how full the bucket is, whatever was kept before.
pub(crate) const EXACTLY: u64 = 1;

/// The buckets that have no room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Full {
    /// The one that has room last.
    pub(crate) bucket: usize,
    /// When all of them have; none if never.
    pub(crate) passes_at: Option<Timestamp>,
}

impl Limit {
    /// Words of a state.
    pub(crate) fn words(&self) -> usize {
        match self.mode {
            LimitMode::Strict => 1 + self.buckets.len(),
            LimitMode::Rspamd | LimitMode::Rspamd34 => self.buckets.len() * Hash::WORDS,
        }
    }

    /// Reserves room for `amount` in all buckets, or in none.
    pub(crate) fn reserve(&self, now: Timestamp, words: &mut [u64], amount: u32) -> Result<(), Full> {
        match (self.mode, words.split_first_mut()) {
            (LimitMode::Strict, Some((pending, levels))) => {
                match self.strict_full(now, *pending, levels, amount) {
                    Some(full) => return Err(full),
                    None => *pending += u64::from(amount),
                }
                Ok(())
            }
            (LimitMode::Rspamd | LimitMode::Rspamd34, _) => self.rspamd_check(now, words, amount),
            (LimitMode::Strict, None) => Ok(()),
        }
    }

    /// Whether `amount` has no room, and when it will.
    fn strict_full(&self, now: Timestamp, pending: u64, levels: &[u64], amount: u32) -> Option<Full> {
        let buckets = self.buckets.iter().zip(levels).enumerate();
        buckets
            .filter(|(_, (bucket, level))| !bucket.has_room(now, **level, pending, u64::from(amount)))
            .map(|(number, (bucket, level))| Full {
                bucket: number,
                passes_at: bucket.passes_at(now, *level, pending, u64::from(amount)),
            })
            .max_by_key(|full| (full.passes_at.is_none(), full.passes_at))
    }

    /// What was reserved is accepted.
    pub(crate) fn settle(&self, now: Timestamp, words: &mut [u64], amount: u32) {
        match (self.mode, words.split_first_mut()) {
            (LimitMode::Strict, Some((pending, levels))) => {
                *pending = pending.saturating_sub(u64::from(amount));
                for (bucket, level) in self.buckets.iter().zip(levels) {
                    *level = bucket.charged(now, *level, u64::from(amount));
                }
            }
            (LimitMode::Rspamd | LimitMode::Rspamd34, _) => {
                self.each_hash(words, |_, hash| self.rspamd_update(now, hash, amount));
            }
            (LimitMode::Strict, None) => {}
        }
    }

    /// What was reserved is given up.
    pub(crate) fn release(&self, now: Timestamp, words: &mut [u64], amount: u32) {
        match (self.mode, words.first_mut()) {
            (LimitMode::Strict, Some(pending)) => *pending = pending.saturating_sub(u64::from(amount)),
            (LimitMode::Rspamd, _) => self.each_hash(words, |_, hash| {
                hash.cleanup(now, amount);
            }),
            (LimitMode::Rspamd34, _) | (LimitMode::Strict, None) => {}
        }
    }

    /// Milliseconds until the subject need not be remembered; none while it must be: something is reserved, or a bucket
    /// has no room for one more.
    pub(crate) fn rest_ms(&self, now: Timestamp, words: &[u64]) -> Option<u64> {
        match (self.mode, words.split_first()) {
            (LimitMode::Strict, Some((0, levels))) => {
                let mut rest = 0;
                for (bucket, level) in self.buckets.iter().zip(levels) {
                    if !bucket.has_room(now, *level, 0, 1) {
                        return None;
                    }
                    rest = rest.max(bucket.rest_ms(now, *level));
                }
                Some(rest)
            }
            (LimitMode::Strict, _) => None,
            (LimitMode::Rspamd | LimitMode::Rspamd34, _) => {
                let hashes = words.chunks_exact(Hash::WORDS).map(Hash::from_words);
                self.buckets
                    .iter()
                    .zip(hashes)
                    .map(|(bucket, hash)| hash.rest_ms(now, *bucket))
                    .try_fold(0, |most, rest| rest.map(|rest| u64::max(most, rest)))
            }
        }
    }

    /// Remembers of a state that is shed what no newcomer may be spared.
    pub(crate) fn forgo(&self, words: &[u64], fresh: &mut [u64]) {
        if self.mode == LimitMode::Strict {
            for (kept, level) in fresh.iter_mut().zip(words).skip(1) {
                *kept = (*kept).max(*level);
            }
        }
    }

    /// Takes everything out of the buckets; what is reserved stays. Returns whether there was anything.
    pub(crate) fn empty(&self, words: &mut [u64]) -> bool {
        let levels = match self.mode {
            LimitMode::Strict => words.get_mut(1..).unwrap_or_default(),
            LimitMode::Rspamd | LimitMode::Rspamd34 => words,
        };
        let was_filled = levels.iter().any(|word| *word != 0);
        levels.fill(0);
        was_filled
    }

    /// The state as it is kept. What is reserved is not; in its place stands [`AT_LEAST`] or [`EXACTLY`].
    pub(crate) fn kept<'k>(&self, words: &[u64], note: u64, copy: &'k mut [u64; WORDS_MAX]) -> &'k [u64] {
        let kept = &mut copy[..words.len()];
        kept.copy_from_slice(words);
        if self.mode == LimitMode::Strict {
            kept[0] = note;
        }
        kept
    }

    /// Takes in a state that was kept over a restart. Threads may have kept the states of a subject in another order
    /// than they came about: of the levels the highest counts, unless a person emptied the bucket.
    /// `was` is what the limit was then.
    pub(crate) fn restore(&self, now: Timestamp, words: &mut [u64], kept: &[u64], was: &Self) {
        let mut copy = [0; WORDS_MAX];
        let is_alike = |one: &Self| one.mode == self.mode && one.rates().eq(self.rates());
        let kept = if is_alike(was) { kept } else { self.converted(now, kept, was, &mut copy) };
        if words.len() != kept.len() {
            return;
        }
        match (self.mode, kept) {
            (LimitMode::Strict, [EXACTLY, levels @ ..]) => words[1..].copy_from_slice(levels),
            (LimitMode::Strict, _) => self.forgo(kept, words),
            (LimitMode::Rspamd | LimitMode::Rspamd34, _) => words.copy_from_slice(kept),
        }
        // More than full is what a clock that was wrong then has left: nobody waits for it longer than for a full one.
        if self.mode == LimitMode::Strict {
            let sources = definition::sources(was, self);
            for ((bucket, level), source) in self.buckets.iter().zip(&mut words[1..]).zip(sources) {
                let burst = was.buckets.get(source).map_or(0, |bucket| bucket.burst()).max(bucket.burst());
                *level = (*level).min(bucket.charged(now, 0, u64::from(burst)));
            }
        }
    }

    fn rates(&self) -> impl Iterator<Item = Rate> {
        self.buckets.iter().map(|bucket| bucket.rate())
    }

    /// What was kept of the limit as it was, as this one would have kept it; nothing if it makes no sense.
    fn converted<'k>(&self, now: Timestamp, kept: &[u64], was: &Self, copy: &'k mut [u64; WORDS_MAX]) -> &'k [u64] {
        if kept.len() != was.words() {
            return &[];
        }
        let mut old = [0; WORDS_MAX];
        old[..kept.len()].copy_from_slice(kept);
        let is_strict = was.mode == LimitMode::Strict;
        let note = if is_strict { core::mem::take(&mut old[0]) } else { AT_LEAST };
        let mut levels = [0; BUCKETS_MAX];
        // A clock that was wrong then makes nobody wait for longer than the larger of the buckets, then and now.
        let most = self.buckets.iter().chain(&was.buckets).map(|bucket| bucket.burst()).max().unwrap_or_default();
        was.fills(now, &old[..kept.len()], |bucket, level_milli, _, _| {
            levels[bucket] = level_milli.min(1000 * u64::from(most));
        });
        let words = &mut copy[..self.words()];
        let levels = definition::sources(was, self).map(|source| levels[source]);
        match (self.mode, words.split_first_mut()) {
            (LimitMode::Strict, Some((first, words))) => {
                *first = note;
                for ((bucket, word), level) in self.buckets.iter().zip(words).zip(levels) {
                    *word = bucket.filled(now, level);
                }
            }
            (LimitMode::Rspamd | LimitMode::Rspamd34, _) => {
                for (words, level) in words.chunks_exact_mut(Hash::WORDS).zip(levels) {
                    Hash::filled(now, level).write(words);
                }
            }
            (LimitMode::Strict, None) => {}
        }
        words
    }

    /// How full each bucket is.
    pub(crate) fn fills(
        &self,
        now: Timestamp,
        words: &[u64],
        mut show: impl FnMut(usize, u64, u64, Option<Timestamp>),
    ) {
        for (number, bucket) in self.buckets.iter().enumerate() {
            match self.mode {
                LimitMode::Strict => {
                    let (pending, level) = (words[0], words[1 + number]);
                    show(number, bucket.level_milli(now, level), pending, bucket.passes_at(now, level, pending, 1));
                }
                LimitMode::Rspamd | LimitMode::Rspamd34 => {
                    let hash = Hash::from_words(&words[number * Hash::WORDS..][..Hash::WORDS]);
                    let (level, pending) = (hash.level_milli(now, *bucket), hash.pending());
                    show(number, level, pending, hash.passes_at(now, *bucket));
                }
            }
        }
    }

    /// Every bucket is asked, as rspamd asks them all at once; and if one refuses, all are cleaned up, also those that
    /// reserved nothing.
    fn rspamd_check(&self, now: Timestamp, words: &mut [u64], amount: u32) -> Result<(), Full> {
        let mut full: Option<Full> = None;
        self.each_hash(words, |number, hash| {
            let bucket = self.buckets[number];
            let checked = match self.mode {
                LimitMode::Rspamd34 => hash.check_3_4(now, amount, bucket.into()),
                LimitMode::Rspamd | LimitMode::Strict => hash.check(now, amount, bucket.into()),
            };
            if checked.is_over {
                let this = Full { bucket: number, passes_at: hash.passes_at(now, bucket) };
                full = Some(full.map_or(this, |other| if this.passes_at > other.passes_at { this } else { other }));
            }
        });
        match full {
            None => Ok(()),
            Some(full) => {
                self.release(now, words, amount);
                Err(full)
            }
        }
    }

    /// The multipliers stay where they are: only rspamd knows its verdicts.
    fn rspamd_update(&self, now: Timestamp, hash: &mut Hash, amount: u32) {
        match self.mode {
            LimitMode::Rspamd34 => hash.update_3_4(now, amount, rspamd::Dynamics::OFF),
            LimitMode::Rspamd | LimitMode::Strict => hash.update(now, amount, rspamd::Dynamics::OFF),
        };
    }

    fn each_hash(&self, words: &mut [u64], mut change: impl FnMut(usize, &mut Hash)) {
        for (number, words) in words.chunks_exact_mut(Hash::WORDS).enumerate().take(self.buckets.len()) {
            let mut hash = Hash::from_words(words);
            change(number, &mut hash);
            hash.write(words);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::limits::{Bucket, By, Cost, LimitEffect, Part, Rate};

    /// A strict limit by login, from texts such as `10 at 1 / 1min`.
    pub(crate) fn strict(buckets: &str) -> Limit {
        let bucket = |text: &str| {
            let (burst, rate) = text.split_once(" at ").unwrap();
            Bucket::new(burst.parse().unwrap(), Rate::parse(rate).unwrap()).unwrap()
        };
        Limit {
            name: "per-user".into(),
            by: By { first: Part::Login, second: None },
            cost: Cost::Recipient,
            mode: LimitMode::Strict,
            buckets: buckets.split(", ").map(bucket).collect(),
            effect: LimitEffect::Defer,
            except_logins: Box::default(),
            except_networks: Box::default(),
        }
    }
}
