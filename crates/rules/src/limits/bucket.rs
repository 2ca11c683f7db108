//! One leaky bucket in whole numbers: nothing is rounded, so that nothing drifts.
//!
//! A rate of `count` recipients in `time` milliseconds makes a recipient worth `time` units, of which `count` leak in a
//! millisecond. What is kept of a bucket is the moment at which it will be empty, in units since the epoch
//! (milliseconds times `count`): one word, which time does not change.

use base::Timestamp;

use super::rate::{COUNT_MAX, Rate};

/// Most units that a full bucket can hold, so that sums stay within a word: 146 million years of milliseconds.
const UNITS_MAX: u64 = 1 << 62;

/// How much a bucket holds and how fast it leaks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Bucket {
    burst: u32,
    rate: Rate,
}

/// Why burst and rate make no bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BucketError {
    /// The burst is zero or more than a million.
    #[error("a burst is 1 to 1000000")]
    Burst,
    /// The numbers together are larger than what can be counted exactly.
    #[error("burst and rate together are too large to be counted exactly")]
    Large,
}

impl Bucket {
    /// A bucket that holds `burst` recipients and leaks at `rate`.
    pub fn new(burst: u64, rate: Rate) -> Result<Self, BucketError> {
        if !(1..=COUNT_MAX).contains(&burst) {
            return Err(BucketError::Burst);
        }
        let units = u128::from(burst) * u128::from(rate.time_ms());
        if units > u128::from(UNITS_MAX) { Err(BucketError::Large) } else { Ok(Self { burst: burst as u32, rate }) }
    }

    /// Most recipients at once.
    pub const fn burst(self) -> u32 {
        self.burst
    }

    /// How fast it leaks.
    pub const fn rate(self) -> Rate {
        self.rate
    }

    /// `now` in units.
    const fn clock(self, now: Timestamp) -> u64 {
        now.as_millis().saturating_mul(self.rate.count())
    }

    /// Units of so many recipients.
    const fn worth(self, recipients: u64) -> u64 {
        recipients.saturating_mul(self.rate.time_ms())
    }

    /// Units in a bucket that is empty at `empties_at`.
    const fn level(self, now: Timestamp, empties_at: u64) -> u64 {
        empties_at.saturating_sub(self.clock(now))
    }

    /// Whether `recipients` more fit beside what is `pending`.
    pub(crate) const fn has_room(self, now: Timestamp, empties_at: u64, pending: u64, recipients: u64) -> bool {
        let wanted = self.worth(pending.saturating_add(recipients));
        self.level(now, empties_at).saturating_add(wanted) <= self.worth(self.burst as u64)
    }

    /// When the bucket will be empty after `recipients` more.
    #[must_use]
    pub(crate) const fn charged(self, now: Timestamp, empties_at: u64, recipients: u64) -> u64 {
        let from = if empties_at > self.clock(now) { empties_at } else { self.clock(now) };
        from.saturating_add(self.worth(recipients))
    }

    /// When a bucket with so much in it, in thousandths of a recipient, will be empty.
    pub(crate) const fn filled(self, now: Timestamp, level_milli: u64) -> u64 {
        if level_milli == 0 {
            return 0;
        }
        let units = (level_milli as u128 * self.rate.time_ms() as u128).div_ceil(1000);
        self.clock(now).saturating_add(if units > UNITS_MAX as u128 { UNITS_MAX } else { units as u64 })
    }

    /// The first moment at which `recipients` more fit beside what is `pending`; none if they never do while that is so.
    pub(crate) fn passes_at(self, now: Timestamp, empties_at: u64, pending: u64, recipients: u64) -> Option<Timestamp> {
        let room = self.worth(u64::from(self.burst)).checked_sub(self.worth(pending.saturating_add(recipients)))?;
        let at = empties_at.saturating_sub(room).div_ceil(self.rate.count());
        Some(Timestamp::from_millis(at).max(now))
    }

    /// Milliseconds until the bucket is empty.
    pub(crate) const fn rest_ms(self, now: Timestamp, empties_at: u64) -> u64 {
        self.level(now, empties_at).div_ceil(self.rate.count())
    }

    /// What is in the bucket, in thousandths of a recipient, rounded up.
    pub(crate) const fn level_milli(self, now: Timestamp, empties_at: u64) -> u64 {
        let level = self.level(now, empties_at) as u128 * 1000;
        level.div_ceil(self.rate.time_ms() as u128) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(burst: u64, rate: &str) -> Bucket {
        Bucket::new(burst, Rate::parse(rate).unwrap()).unwrap()
    }

    #[test]
    fn a_recipient_passes_at_the_millisecond_it_is_told() {
        for (burst, rate) in [(10, "1 / 1min"), (100, "30 / 60min"), (3, "7 / 90s"), (5, "1k / 1h"), (1, "3 / 1s")] {
            let bucket = bucket(burst, rate);
            let start = Timestamp::from_secs(1_795_247_139);
            let full = bucket.charged(start, 0, burst);
            assert!(!bucket.has_room(start, full, 0, 1), "{rate}");
            let at = bucket.passes_at(start, full, 0, 1).unwrap();
            assert!(bucket.has_room(at, full, 0, 1), "{rate}");
            let before = Timestamp::from_millis(at.as_millis() - 1);
            assert!(!bucket.has_room(before, full, 0, 1), "{rate}");
            assert_eq!(bucket.passes_at(start, full, burst, 1), None, "what is reserved does not leak");
        }
    }

    #[test]
    fn nothing_drifts_in_a_million_steps() {
        let bucket = bucket(1000, "7 / 90s");
        let mut empties_at = bucket.charged(Timestamp::EPOCH, 0, 1);
        let mut now = Timestamp::EPOCH;
        // 90 seconds let exactly 7 pass, however they are cut.
        for step in 0..1_000_000_u64 {
            now = Timestamp::from_millis(step * 90_000 / 7);
            empties_at = bucket.charged(now, empties_at, 1);
        }
        // The steps were cut to whole milliseconds: the last charge is at most that much early.
        assert_eq!(bucket.level_milli(now, empties_at).div_ceil(1000), 2);
    }

    #[test]
    fn numbers_that_cannot_be_counted_are_refused() {
        let year = Rate::parse("1 / 366d").unwrap();
        assert_eq!(Bucket::new(0, year), Err(BucketError::Burst));
        assert_eq!(Bucket::new(1_000_001, year), Err(BucketError::Burst));
        assert!(Bucket::new(1_000_000, year).is_ok());
    }
}
