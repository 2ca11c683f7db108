use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::stream::Stream;
use super::wake::Sleeper;

/// The mark of a client who is owed an answer.
const BUSY: u64 = u64::MAX;
/// The mark of a client that was sent away.
const GONE: u64 = u64::MAX - 1;

/// Who is connected, and since when silent, so that a full house can make room.
pub(super) struct Seats {
    started: Instant,
    taken: Mutex<Taken>,
    count: AtomicUsize,
    /// Somebody has left.
    left: Condvar,
}

#[derive(Default)]
struct Taken {
    next: u64,
    clients: HashMap<u64, Occupant>,
}

struct Occupant {
    silent_since: Arc<AtomicU64>,
    stream: Arc<Stream>,
    thread: Arc<Sleeper>,
}

impl Occupant {
    fn since(&self) -> u64 {
        self.silent_since.load(Ordering::Relaxed)
    }

    /// Has it leave as soon as it comes back from where it is.
    fn send_away(&self) {
        self.silent_since.store(GONE, Ordering::Relaxed);
        self.stream.end();
    }
}

/// One client's seat.
pub(super) struct Seat {
    number: u64,
    /// Milliseconds since the seats were made, or a mark.
    silent_since: Arc<AtomicU64>,
    thread: Arc<Sleeper>,
    started: Instant,
}

impl Seats {
    pub(super) fn new(now: Instant) -> Self {
        Self { started: now, taken: Mutex::default(), count: AtomicUsize::new(0), left: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are taken, without those whose clients were sent away.
    pub(super) fn taken(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// A seat for a client that has said nothing yet.
    pub(super) fn take(&self, now: Instant, stream: Arc<Stream>) -> Seat {
        let silent_since = Arc::default();
        let mut taken = self.lock();
        taken.next += 1;
        let number = taken.next;
        let seat = Seat { number, silent_since, thread: Arc::default(), started: self.started };
        seat.is_silent_since(now);
        let (silent_since, thread) = (seat.silent_since.clone(), seat.thread.clone());
        taken.clients.insert(number, Occupant { silent_since, stream, thread });
        self.count.fetch_add(1, Ordering::Relaxed);
        seat
    }

    /// The client has gone.
    pub(super) fn leave(&self, seat: &Seat) {
        let mut taken = self.lock();
        if taken.clients.remove(&seat.number).is_some_and(|occupant| occupant.since() != GONE) {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
        drop(taken);
        self.left.notify_all();
    }

    /// Sends away whoever has been silent for longest; says whether there was one.
    pub(super) fn clear_one(&self) -> bool {
        self.clear_one_of(&self.lock())
    }

    /// The same, and waits until a seat is left, by that one or another, but no longer than `patience`.
    pub(super) fn make_room(&self, patience: Duration) -> bool {
        let taken = self.lock();
        let is_cleared = self.clear_one_of(&taken);
        let before = taken.clients.len();
        drop(self.left.wait_timeout_while(taken, patience, |taken| taken.clients.len() >= before));
        is_cleared
    }

    fn clear_one_of(&self, taken: &Taken) -> bool {
        let silent = taken.clients.values().filter(|occupant| occupant.since() < GONE);
        let Some(occupant) = silent.min_by_key(|occupant| occupant.since()) else { return false };
        occupant.send_away();
        self.count.fetch_sub(1, Ordering::Relaxed);
        true
    }

    /// Calls back the threads that wait for their clients, and waits until all have left, but no longer than `patience`; says
    /// whether they have.
    pub(super) fn call_back(&self, patience: Duration) -> bool {
        let taken = self.lock();
        for occupant in taken.clients.values().filter(|occupant| occupant.since() < GONE) {
            occupant.thread.wake();
        }
        let (taken, _) = self
            .left
            .wait_timeout_while(taken, patience, |taken| !taken.clients.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        taken.clients.is_empty()
    }

    /// Sends everybody away, and waits until they have left.
    pub(super) fn clear_all(&self) {
        let taken = self.lock();
        taken.clients.values().for_each(Occupant::send_away);
        drop(self.left.wait_while(taken, |taken| !taken.clients.is_empty()));
    }
}

impl Seat {
    /// The thread that calls sits on it.
    pub(super) fn is_here(&self) {
        self.thread.is_here();
    }

    /// The client owes the next request, or the rest of one that began then.
    pub(super) fn is_silent_since(&self, now: Instant) {
        let millis = now.duration_since(self.started).as_millis();
        self.note(u64::try_from(millis).unwrap_or(u64::MAX).min(GONE - 1));
    }

    /// What the client sent is looked at, and an answer is owed.
    pub(super) fn is_busy(&self) {
        self.note(BUSY);
    }

    /// Whether the client was sent away.
    pub(super) fn is_gone(&self) -> bool {
        self.silent_since.load(Ordering::Relaxed) == GONE
    }

    fn note(&self, mark: u64) {
        let seen = self.silent_since.load(Ordering::Relaxed);
        if seen != GONE {
            // It fails where he is sent away at this very moment, which holds.
            _ = self.silent_since.compare_exchange(seen, mark, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}
