//! rspamd's own buckets, reply for reply: the scripts `ratelimit_check`, `ratelimit_update` and
//! `ratelimit_cleanup_pending` of 4.1.5, and the first two of 3.4.
//!
//! Their holes are kept, because this mode is for those who want no surprise: a bucket that is new lets any number of
//! recipients pass, and a refused message frees what another one reserved.

mod decimal;
mod old;

use core::time::Duration;

use base::Timestamp;

use self::decimal::Stored;
use self::decimal::as_argument;
use super::Bucket;

/// The hash that rspamd keeps of a bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Hash {
    /// `l`: the last change; the epoch if there is no hash.
    last: Timestamp,
    /// `b`.
    level: Stored,
    /// `p`; 3.4 has none.
    pending: u64,
    /// `dr` and `db`: times ten thousand.
    dynamic_rate: u32,
    dynamic_burst: u32,
}

/// Burst and leak as the scripts are given them.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    burst: f64,
    rate: f64,
}

impl Shape {
    /// A bucket that holds `burst` recipients, of which `per_second` leak.
    pub fn new(burst: f64, per_second: f64) -> Self {
        Self { burst, rate: as_argument(per_second / 1000.0) }
    }
}

impl From<Bucket> for Shape {
    fn from(bucket: Bucket) -> Self {
        let rate = bucket.rate();
        Self::new(f64::from(bucket.burst()), rate.count() as f64 / (rate.time_ms() as f64 / 1000.0))
    }
}

/// By how much a verdict changes burst and rate, and how far that may go.
#[derive(Clone, Copy, Debug)]
pub struct Dynamics {
    /// What the rate is multiplied with.
    pub rate: f64,
    /// What the burst is multiplied with.
    pub burst: f64,
    /// How often the rate may become what it was; at 1 it does not change.
    pub rate_max: f64,
    /// How often the burst may become what it was; at 1 it does not change.
    pub burst_max: f64,
}

impl Dynamics {
    /// As shipped since 3.9.0.
    pub const OFF: Self = Self { rate: 1.0, burst: 1.0, rate_max: 1.0, burst_max: 1.0 };
}

/// What `ratelimit_check` replies.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Checked {
    /// Whether the message is too much.
    pub is_over: bool,
    /// What is in the bucket.
    pub level: f64,
    /// The multiplier of the rate; 0 if it was not looked at.
    pub dynamic_rate: f64,
    /// The multiplier of the burst; 0 if it was not looked at.
    pub dynamic_burst: f64,
    /// What leaked since the last look.
    pub leaked: f64,
}

/// What `ratelimit_update` replies.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Updated {
    /// What is in the bucket; for 3.4 what was.
    pub level: f64,
    /// The multiplier of the rate.
    pub dynamic_rate: f64,
    /// The multiplier of the burst.
    pub dynamic_burst: f64,
}

/// What a multiplier of one is stored as.
const ONE: u32 = 10_000;

impl Hash {
    /// Words that it takes in a table.
    pub const WORDS: usize = 5;

    /// A hash with so much in it, in thousandths of a recipient.
    pub fn filled(now: Timestamp, level_milli: u64) -> Self {
        if level_milli == 0 {
            return Self::default();
        }
        Self { last: now, level: Stored::of_lua(level_milli as f64 / 1000.0), ..Self::fresh() }
    }

    /// The hash that [`Hash::write`] wrote.
    pub fn from_words(words: &[u64]) -> Self {
        let word = |number: usize| words.get(number).copied().unwrap_or_default();
        Self {
            last: Timestamp::from_millis(word(0)),
            level: Stored::from_bits([word(1), word(2)]),
            pending: word(3),
            dynamic_rate: word(4) as u32,
            dynamic_burst: (word(4) >> 32) as u32,
        }
    }

    /// Writes it into [`Hash::WORDS`] words.
    pub fn write(&self, words: &mut [u64]) {
        let [low, high] = self.level.to_bits();
        let dynamics = u64::from(self.dynamic_rate) | u64::from(self.dynamic_burst) << 32;
        for (word, value) in words.iter_mut().zip([self.last.as_millis(), low, high, self.pending, dynamics]) {
            *word = value;
        }
    }

    /// `ratelimit_check`.
    pub fn check(&mut self, now: Timestamp, recipients: u32, shape: Shape) -> Checked {
        let recipients = u64::from(recipients);
        if self.is_missing() {
            *self = Self { last: now, pending: recipients, ..Self::fresh() };
            return Checked { is_over: false, level: 0.0, dynamic_rate: 1.0, dynamic_burst: 1.0, leaked: 0.0 };
        }
        let mut level = self.level.to_double().max(0.0);
        let pending = (self.pending + recipients) as f64;
        let (mut dynamic_rate, mut dynamic_burst, mut leaked) = (0.0, 0.0, 0.0);
        if level + pending > 0.0 {
            if level > 0.0 && self.last < now {
                (dynamic_rate, leaked) = self.leak(now, level, shape);
                level -= leaked;
            }
            dynamic_burst = multiplier(self.dynamic_burst);
            level += pending;
            if level > 0.0 && level > shape.burst * dynamic_burst {
                return Checked { is_over: true, level: level - pending, dynamic_rate, dynamic_burst, leaked };
            }
            self.pending += recipients;
        }
        Checked { is_over: false, level, dynamic_rate, dynamic_burst, leaked }
    }

    /// Takes out of the bucket what leaked until `now`, of a `level` above zero.
    fn leak(&mut self, now: Timestamp, level: f64, shape: Shape) -> (f64, f64) {
        let dynamic_rate = multiplier(self.dynamic_rate);
        let passed = now.since(self.last).as_millis() as f64;
        let leaked = (passed * (shape.rate * dynamic_rate)).min(level);
        self.level = self.level.minus(leaked);
        self.last = now;
        (dynamic_rate, leaked)
    }

    /// `ratelimit_update`: the message was accepted.
    pub fn update(&mut self, now: Timestamp, recipients: u32, dynamics: Dynamics) -> Updated {
        let count = f64::from(recipients);
        if self.is_missing() {
            *self = Self { last: now, level: Stored::of_lua(count), ..Self::fresh() };
            return Updated { level: 1.0, dynamic_rate: 1.0, dynamic_burst: 1.0 };
        }
        let (dynamic_rate, dynamic_burst) = self.step(dynamics);
        let level = self.level.to_double().max(0.0) + count;
        self.level = Stored::of_lua(level);
        self.pending = self.pending.saturating_sub(u64::from(recipients));
        self.last = now;
        Updated { level, dynamic_rate, dynamic_burst }
    }

    /// `ratelimit_cleanup_pending`: the message was not accepted. Returns what is still pending.
    pub fn cleanup(&mut self, now: Timestamp, recipients: u32) -> u64 {
        if self.is_missing() {
            return 0;
        }
        self.pending = self.pending.saturating_sub(u64::from(recipients));
        self.last = now;
        self.pending
    }

    /// Moves the multipliers by a verdict.
    fn step(&mut self, dynamics: Dynamics) -> (f64, f64) {
        let rate = stepped(&mut self.dynamic_rate, dynamics.rate, dynamics.rate_max);
        (rate, stepped(&mut self.dynamic_burst, dynamics.burst, dynamics.burst_max))
    }

    const fn is_missing(&self) -> bool {
        self.last.as_millis() == 0
    }

    const fn fresh() -> Self {
        Self { last: Timestamp::EPOCH, level: Stored::ZERO, pending: 0, dynamic_rate: ONE, dynamic_burst: ONE }
    }

    /// The texts that Redis has stored: `l`, `b`, `dr`, `db`, `p`.
    pub fn fields(&self) -> [String; 5] {
        let multipliers = [self.dynamic_rate, self.dynamic_burst].map(|number| number.to_string());
        let [rate, burst] = multipliers;
        [self.last.as_millis().to_string(), self.level.to_string(), rate, burst, self.pending.to_string()]
    }

    /// What is reserved for messages on their way.
    pub const fn pending(&self) -> u64 {
        self.pending
    }

    /// What is in the bucket at `now`, in thousandths of a recipient, rounded up; for people.
    pub fn level_milli(&self, now: Timestamp, bucket: Bucket) -> u64 {
        whole(self.level(now, bucket) * 1000.0)
    }

    fn level(&self, now: Timestamp, bucket: Bucket) -> f64 {
        let leaked = now.since(self.last).as_millis() as f64 * Shape::from(bucket).rate * multiplier(self.dynamic_rate);
        (self.level.to_double() - leaked).max(0.0)
    }

    /// When the next recipient passes, for people: to the millisecond in doubles. None while too much is pending.
    pub fn passes_at(&self, now: Timestamp, bucket: Bucket) -> Option<Timestamp> {
        if self.is_missing() {
            return Some(now);
        }
        let room = f64::from(bucket.burst()) * multiplier(self.dynamic_burst) - (self.pending + 1) as f64;
        let surplus = self.level(now, bucket) - room;
        let rate = Shape::from(bucket).rate * multiplier(self.dynamic_rate);
        (room >= 0.0).then(|| now.plus(Duration::from_millis(whole(surplus / rate))))
    }

    /// Milliseconds until the bucket is empty; none while something is pending or it has no room.
    pub fn rest_ms(&self, now: Timestamp, bucket: Bucket) -> Option<u64> {
        let level = self.level(now, bucket);
        let is_full = level + 1.0 > f64::from(bucket.burst()) * multiplier(self.dynamic_burst);
        (self.pending == 0 && !is_full).then(|| whole(level / Shape::from(bucket).rate))
    }
}

/// A stored multiplier as the scripts use it.
fn multiplier(stored: u32) -> f64 {
    if stored == 0 { 0.0001 } else { f64::from(stored) / f64::from(ONE) }
}

/// Moves a stored multiplier by `factor`, unless it is at its end, and returns what it is now before it is cut.
fn stepped(stored: &mut u32, factor: f64, most: f64) -> f64 {
    if most <= 1.0 {
        return 1.0;
    }
    let old = f64::from(*stored) / f64::from(ONE);
    let is_moved = (factor > 1.0 && old < most) || (factor < 1.0 && old > 1.0 / most);
    let new = if is_moved { old * factor } else { old };
    if is_moved {
        *stored = if new > 0.0001 { whole((new * f64::from(ONE)).floor()) as u32 } else { 1 };
    }
    new
}

/// A number that is not negative, rounded up; what is negative is 0.
#[expect(clippy::cast_sign_loss, reason = "it has none")]
const fn whole(number: f64) -> u64 {
    number.max(0.0).ceil() as u64
}
