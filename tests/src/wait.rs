//! Waiting for something to become true.

use std::time::Duration;

use crate::time::Stopwatch;

/// How long a test waits for what must come at once, in the worst case of a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks until `look` sees something, and returns it. Panics, saying what was waited for, when it does not come.
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, look)
}

/// Looks until `look` sees something; none when it does not come.
pub fn try_until<T>(look: impl FnMut() -> Option<T>) -> Option<T> {
    try_within(PATIENCE, look)
}

/// Looks until `look` says yes. Panics, saying what was waited for, when it does not come.
pub fn until_true(what: &str, mut look: impl FnMut() -> bool) {
    until(what, || look().then_some(()));
}

/// Like [`until`], for as long as `limit`.
pub fn within<T>(limit: Duration, what: &str, look: impl FnMut() -> Option<T>) -> T {
    try_within(limit, look).unwrap_or_else(|| panic!("waited {limit:?} in vain for {what}"))
}

/// Looks until `look` sees something, for as long as `limit`.
pub fn try_within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let watch = Stopwatch::start();
    loop {
        if let Some(seen) = look() {
            return Some(seen);
        }
        if watch.elapsed() > limit {
            return None;
        }
        std::thread::sleep(PAUSE);
    }
}
