//! Reports of others that do not make a whole attempt yet: the weights of what was reported about one address are added up,
//! and each hundred hundredths is one attempt.

use core::time::Duration;
use std::collections::HashMap;

use base::Timestamp;

use crate::Key;

/// Hundredths of which an attempt is made.
const WHOLE: u8 = 100;

/// How long a part of an attempt is remembered at least; twice that at most.
const REMEMBERED_FOR: Duration = Duration::from_hours(24);

/// Addresses with a part of an attempt in one shard. Beyond, the older half is forgotten: reports then count less, never more.
pub(crate) const CREDITS_MAX: usize = 8192;

/// The parts of attempts by address.
#[derive(Debug, Default)]
pub(crate) struct Credits {
    young: HashMap<Key, u8>,
    old: HashMap<Key, u8>,
    born: Timestamp,
}

impl Credits {
    /// Adds a report of `weight` hundredths; whether that makes an attempt whole.
    pub(crate) fn add(&mut self, address: Key, weight: u8, at: Timestamp) -> bool {
        if self.young.len() >= CREDITS_MAX / 2 || at.since(self.born) >= REMEMBERED_FOR {
            self.old = core::mem::take(&mut self.young);
            self.born = self.born.max(at);
        }
        let before = self.old.remove(&address);
        let part = self.young.entry(address).or_insert_with(|| before.unwrap_or(0));
        let sum = *part + weight.min(WHOLE);
        let is_whole = sum >= WHOLE;
        *part = if is_whole { sum - WHOLE } else { sum };
        is_whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Keys;

    #[test]
    fn so_many_reports_make_an_attempt() {
        for (weight, wanted) in
            [(100, "11111"), (50, "01010"), (34, "00100"), (1, "00000"), (99, "01111"), (0, "00000")]
        {
            let (mut credits, address) = (Credits::default(), Keys::new([7; 16]).number(1));
            let told: String =
                (0..5).map(|i| if credits.add(address, weight, Timestamp::from_secs(i)) { '1' } else { '0' }).collect();
            assert_eq!(told, wanted, "weight {weight}");
        }
    }

    #[test]
    fn parts_are_forgotten_in_time_and_under_a_flood() {
        let keys = Keys::new([7; 16]);
        let (mut credits, half) = (Credits::default(), keys.number(0));
        let day = |day: u64| Timestamp::from_secs(1_000_000 + day * 86_400);
        assert!(!credits.add(half, 50, day(0)));
        assert!(credits.add(half, 50, day(1)), "a day later it is still known");
        assert!(!credits.add(half, 50, day(2)));
        credits.add(keys.number(1), 50, day(3));
        credits.add(keys.number(1), 50, day(4));
        assert!(!credits.add(half, 50, day(5)), "what is long ago is no part of today's");
        for number in 0..100_000 {
            credits.add(keys.number(number), 1, day(5));
            assert!(credits.young.len() + credits.old.len() <= CREDITS_MAX);
        }
    }
}
