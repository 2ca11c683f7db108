use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;
use tokio::time::Instant;

/// The mark of a client whose request is under way.
const BUSY: u64 = u64::MAX;

/// Who is connected, and since when silent, so that a full house can make room.
pub(super) struct Seats {
    started: Instant,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    next: u64,
    clients: HashMap<u64, (Arc<AtomicU64>, AbortHandle)>,
}

/// One client's seat.
pub(super) struct Seat {
    pub(super) number: u64,
    pub(super) silent_since: Arc<AtomicU64>,
    started: Instant,
}

impl Default for Seats {
    fn default() -> Self {
        Self { started: Instant::now(), taken: Mutex::default() }
    }
}

impl Seats {
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat for a client that has said nothing yet.
    pub(super) fn take(&self) -> Seat {
        let mut taken = self.lock();
        taken.next += 1;
        let seat = Seat { number: taken.next, silent_since: Arc::default(), started: self.started };
        drop(taken);
        seat.is_silent_since(Instant::now());
        seat
    }

    /// By `task` the client of the seat can be sent away.
    pub(super) fn fill(&self, number: u64, silent_since: Arc<AtomicU64>, task: AbortHandle) {
        if !task.is_finished() {
            self.lock().clients.insert(number, (silent_since, task));
        }
    }

    /// The client has gone.
    pub(super) fn leave(&self, number: u64) {
        self.lock().clients.remove(&number);
    }

    /// Sends away whoever has been silent for longest; says whether there was one.
    pub(super) fn clear_one(&self) -> bool {
        let mut taken = self.lock();
        let since = |silent_since: &AtomicU64| silent_since.load(Ordering::Relaxed);
        let silent = taken.clients.iter().filter(|(_, (silent_since, _))| since(silent_since) != BUSY);
        let Some(number) = silent.min_by_key(|(_, (silent_since, _))| since(silent_since)).map(|(number, _)| *number)
        else {
            return false;
        };
        let Some((_, task)) = taken.clients.remove(&number) else { return false };
        drop(taken);
        task.abort();
        true
    }
}

impl Seat {
    /// The client stands between two requests.
    pub(super) fn is_silent_since(&self, now: Instant) {
        let millis = now.duration_since(self.started).as_millis();
        self.silent_since.store(u64::try_from(millis).unwrap_or(BUSY - 1), Ordering::Relaxed);
    }

    /// A request has begun to arrive.
    pub(super) fn is_busy(&self) {
        self.silent_since.store(BUSY, Ordering::Relaxed);
    }
}
