//! The only place of this room that reads a clock.
#![expect(clippy::disallowed_methods, reason = "the writer thread is a shell: ticks and retention run on real time")]

use std::time::{Instant, SystemTime};

use base::Timestamp;

/// The moment for deadlines; never steps back.
pub(crate) fn instant() -> Instant {
    Instant::now()
}

/// The wall clock's moment, for rows and for retention; the epoch if the clock stands before it.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::EPOCH.plus(since)
}
