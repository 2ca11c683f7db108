//! The one place where the program reads the clock.

#![expect(clippy::disallowed_methods, reason = "somebody has to read the clock; everybody else is given the time")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base::Timestamp;

/// The time by the system's clock. A clock before 1970 counts as 1970: nothing is in force then, and nobody is refused.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp::EPOCH.plus(since)
}
