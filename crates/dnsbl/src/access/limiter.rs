//! Rates of many clients in a table of fixed size that all threads share.

use core::sync::atomic::{AtomicU64, Ordering};

/// Clients that the table remembers. One more takes the place of the one of its row that may ask again soonest.
pub const CLIENTS_MAX: usize = 1 << 16;

/// Clients in a row: one cache line.
const ROW: usize = 8;

/// Bits of an entry that say when; the rest says who.
const TIME_BITS: u32 = 40;

const TIME_MASK: u64 = (1 << TIME_BITS) - 1;

/// Rates by the generic cell rate algorithm: for each client the time until which it has used up what it may ask.
///
/// An entry is one word with 24 bits of the client's hash and that time in microseconds, so that threads share the
/// table without a lock; where two of them meet, one question may go uncounted. Who is not in the table is let
/// through: a full table limits fewer clients, never the wrong ones.
#[derive(Debug)]
pub(crate) struct Limiter {
    rows: Box<[[AtomicU64; ROW]]>,
}

/// So many a second, and so many at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rate {
    /// Microseconds that one takes.
    each: u64,
    /// How far ahead of the clock a client may be.
    ahead: u64,
}

impl Rate {
    /// `per_second` a second, at least 1, and as many at once.
    pub(crate) fn per_second(per_second: u32) -> Self {
        let each = 1_000_000 / u64::from(per_second.max(1));
        Self { each: each.max(1), ahead: 1_000_000 }
    }
}

impl Limiter {
    pub(crate) fn new() -> Self {
        Self { rows: (0..CLIENTS_MAX / ROW).map(|_| Default::default()).collect() }
    }

    /// Whether the client of this hash, which is to be keyed, may have one more at `now`, in microseconds of any
    /// clock. If so, it is counted.
    pub(crate) fn take(&self, hash: u64, now: u64, rate: Rate) -> bool {
        let row = &self.rows[hash as usize % self.rows.len()];
        let tag = hash >> TIME_BITS << TIME_BITS;
        let mut place = (0, u64::MAX);
        for (at, entry) in row.iter().enumerate() {
            let entry = entry.load(Ordering::Relaxed);
            let debt = debt(entry & TIME_MASK, now, rate);
            if entry & !TIME_MASK == tag && entry != 0 {
                place = (at, debt);
                break;
            }
            if debt < place.1 {
                place = (at, debt);
            }
        }
        let (at, known) = place;
        let is_known = row[at].load(Ordering::Relaxed) & !TIME_MASK == tag;
        let debt = if is_known { known } else { 0 };
        if debt + rate.each > rate.ahead.max(rate.each) {
            return false;
        }
        row[at].store(tag | now.wrapping_add(debt + rate.each) & TIME_MASK, Ordering::Relaxed);
        true
    }
}

/// How far `until` is ahead of `now`. What is farther than a client can get is a time that has passed: of an entry from
/// before the clock's low bits came round, or of a clock that was set back.
fn debt(until: u64, now: u64, rate: Rate) -> u64 {
    let ahead = until.wrapping_sub(now) & TIME_MASK;
    if ahead > rate.ahead + rate.each { 0 } else { ahead }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_burst_and_then_the_rate() {
        let limiter = Limiter::new();
        let rate = Rate::per_second(10);
        let start = 1_800_000_000_000_000;
        let taken = |from: u64, count: u64| (0..count).filter(|_| limiter.take(7 << 50, from, rate)).count();
        assert_eq!(taken(start, 100), 10);
        assert_eq!(taken(start + 99_999, 1), 0);
        assert_eq!(taken(start + 100_000, 5), 1);
        assert_eq!(taken(start + 5_000_000, 100), 10);
        assert!(limiter.take(9 << 50, start, rate), "another client has its own");
    }

    proptest! {
        #[test]
        fn never_more_than_the_rate(steps in prop::collection::vec(0_u64..200_000, 1..300), per_second in 1_u32..50) {
            let (limiter, rate) = (Limiter::new(), Rate::per_second(per_second));
            let (mut now, mut taken) = (1 << 39, Vec::new());
            for step in steps {
                now += step;
                if limiter.take(0xabc << 44, now, rate) {
                    taken.push(now);
                }
                let last_second = taken.iter().filter(|at| **at + 1_000_000 > now).count();
                prop_assert!(last_second <= 2 * per_second as usize);
            }
            // Who asks less often than the rate is never refused.
            let quiet = Limiter::new();
            for turn in 0..50 {
                prop_assert!(quiet.take(1 << 63, now + turn * (rate.each + 1), rate));
            }
        }

        #[test]
        fn a_full_table_lets_everybody_through(hashes in prop::collection::vec(any::<u64>(), 1..2000)) {
            let (limiter, rate) = (Limiter::new(), Rate::per_second(1));
            let mut seen = std::collections::HashSet::new();
            for hash in hashes {
                // Those that share a row and a tag are one.
                let client = (hash as usize % (CLIENTS_MAX / ROW), hash >> TIME_BITS);
                if client.1 != 0 && seen.insert(client) {
                    prop_assert!(limiter.take(hash, 5_000_000, rate));
                }
            }
        }
    }
}
