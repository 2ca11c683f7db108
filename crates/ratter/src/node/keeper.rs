//! The thread that does what is due: ends listings, and counts failures that were held back.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Node;
use crate::clock;

/// The longest sleep. A deadline that comes up in between is met this late at most; the gates look at the end of a block
/// themselves, so that nobody is refused a moment longer.
const TICK_MAX: Duration = Duration::from_millis(100);

/// The running thread, which ends when this is dropped.
pub(crate) struct Keeper {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts keeping `node`.
    pub(crate) fn start(node: Arc<Node>) -> std::io::Result<Self> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let signal = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("keeper".into()).spawn(move || keep(&node, &signal))?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so; there is nothing left to end.
            thread.join().unwrap_or_default();
        }
    }
}

fn keep(node: &Arc<Node>, (stopped, signal): &(Mutex<bool>, Condvar)) {
    let mut is_stopped = stopped.lock().unwrap_or_else(PoisonError::into_inner);
    while !*is_stopped {
        drop(is_stopped);
        let now = clock::now();
        node.do_what_is_due(now);
        super::reporters::tend(node, now);
        let wait = node.next_deadline().map_or(TICK_MAX, |due| due.since(now).min(TICK_MAX));
        is_stopped = stopped.lock().unwrap_or_else(PoisonError::into_inner);
        if !*is_stopped {
            // Never less than a millisecond, so that a deadline that cannot be met costs no core.
            let wait = wait.max(Duration::from_millis(1));
            is_stopped = signal.wait_timeout(is_stopped, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
