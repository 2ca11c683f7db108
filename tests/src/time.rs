//! Clocks and times of the tests.

use std::time::{Duration, Instant};

pub use jiff::Timestamp;

/// Measures how long something takes.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins to measure.
    #[expect(clippy::disallowed_methods, reason = "a black-box test lives in real time")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// How long it has been.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// The present by the wall clock, as the node sees it.
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// The moment that the node wrote as RFC 3339.
pub fn moment(text: &str) -> Timestamp {
    text.parse().unwrap_or_else(|error| panic!("`{text}` is no RFC 3339 time: {error}"))
}

/// The whole seconds from one time that the node wrote to a later one, rounded.
pub fn seconds_between(from: &str, to: &str) -> i64 {
    let millis = moment(to).as_millisecond() - moment(from).as_millisecond();
    (millis + 500).div_euclid(1000)
}
