//! The one place where the program reads the clock.
//!
//! The time is the system's at the start of the program plus what has passed since: it never steps. A system clock that is
//! set while Ratter runs would else end blocks early, or make everything counted look as if it lay in the future, so
//! that nothing counts any more. Slow corrections, as of NTP, are followed. A step is told ([`step`]), and taken over with
//! the next start.

#![expect(clippy::disallowed_methods, reason = "somebody has to read the clock; everybody else is given the time")]

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base::Timestamp;

/// The system's time and the steady one at the first look.
static START: LazyLock<(Timestamp, Instant)> = LazyLock::new(|| (system(), Instant::now()));

/// The time.
pub(crate) fn now() -> Timestamp {
    let (wall, steady) = *START;
    wall.plus(steady.elapsed())
}

/// How far the system's clock was set since the start of the program, forward or back.
pub(crate) fn step() -> Duration {
    let (ours, theirs) = (now(), system());
    ours.since(theirs).max(theirs.since(ours))
}

/// A clock before 1970 counts as 1970: nothing is in force then, and nobody is refused.
fn system() -> Timestamp {
    Timestamp::EPOCH.plus(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO))
}
