use core::time::Duration;

/// The pause after the first failure; it doubles with each further one.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// The longest pause after a failure: whoever repairs something sees it work within a minute.
const PAUSE_MAX: Duration = Duration::from_mins(1);

/// How many times as long as it took an action rests, so that a large one takes at most a tenth of a disk or a core.
const REST: u32 = 9;

/// When an action is carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// How long it waits after the first change for others that come with it.
    pub settle: Duration,
    /// The least time from the end of one time to the beginning of the next; zero for one that never rests.
    pub rest: Duration,
}

impl Pace {
    /// How long to rest after it took so long.
    pub fn rest_after(&self, took: Duration) -> Duration {
        if self.rest.is_zero() { Duration::ZERO } else { self.rest.max(took.saturating_mul(REST)) }
    }
}

/// The pauses between attempts at what fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Retry {
    failures: u32,
}

impl Retry {
    /// It failed: how long to wait until the next attempt.
    pub fn failed(&mut self) -> Duration {
        let pause = PAUSE_MIN.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX)).min(PAUSE_MAX);
        self.failures = self.failures.saturating_add(1);
        pause
    }

    /// It worked.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// How many attempts failed in a row.
    pub const fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_begin_anew() {
        let mut retry = Retry::default();
        let pauses: Vec<u64> = (0..9).map(|_| retry.failed().as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        for _ in 0..100 {
            assert_eq!(retry.failed(), PAUSE_MAX);
        }
        retry.succeeded();
        assert_eq!(retry.failed(), PAUSE_MIN);
    }

    #[test]
    fn what_takes_long_rests_long() {
        let pace = Pace { settle: Duration::ZERO, rest: Duration::from_millis(100) };
        assert_eq!(pace.rest_after(Duration::from_millis(1)), Duration::from_millis(100));
        assert_eq!(pace.rest_after(Duration::from_secs(2)), Duration::from_secs(18));
    }
}
