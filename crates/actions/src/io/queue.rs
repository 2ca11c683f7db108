use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base::{ListId, ListSet};
use listings::{Change, Entry};

use crate::notice::Notice;

/// Most changes that wait for one action. Beyond, they are dropped and counted, and the action is told the book anew.
pub const QUEUED_MAX: usize = 100_000;

/// Most notices that are no changes and wait for one action; of more, the newest are dropped.
const TOLD_MAX: usize = 1000;

/// What the worker takes at a time.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) entries: Vec<Entry>,
    /// What is told beside them.
    pub(super) told: Vec<Notice>,
    /// How many changes are missing since the last time.
    pub(super) missed: u64,
    /// Whether the worker shall end.
    pub(super) closing: bool,
}

/// The changes between whoever makes them, who never waits, and the worker.
pub(super) struct Queue {
    lists: ListSet,
    state: Mutex<Taken>,
    work: Condvar,
}

impl Queue {
    pub(super) fn new(lists: ListSet) -> Self {
        Self { lists, state: Mutex::default(), work: Condvar::new() }
    }

    /// No code panics while it holds the lock; if it did, the state would still be usable.
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts in the changes of the queue's lists.
    pub(super) fn push(&self, entries: &[Entry]) {
        let mut state = self.lock();
        for entry in entries.iter().filter(|entry| self.lists.contains(list_of(entry))) {
            if state.missed == 0 && state.entries.len() < QUEUED_MAX {
                state.entries.push(entry.clone());
            } else {
                // Those that wait are of no use any more: the book says all that they say.
                state.missed += 1 + state.entries.len() as u64;
                state.entries = Vec::new();
            }
        }
        let is_work = !state.entries.is_empty() || state.missed > 0;
        // Whoever is woken finds the lock free.
        drop(state);
        if is_work {
            self.work.notify_one();
        }
    }

    /// Puts in something that is told and is no change.
    pub(super) fn tell(&self, notice: &Notice) {
        let mut state = self.lock();
        if state.told.len() < TOLD_MAX {
            state.told.push(notice.clone());
            self.work.notify_one();
        }
    }

    /// What has come, after at most `patience`; without one it waits until something comes.
    pub(super) fn take(&self, patience: Option<Duration>) -> Taken {
        let until = patience.map(|patience| Instant::now() + patience);
        let mut state = self.lock();
        loop {
            if !state.entries.is_empty() || !state.told.is_empty() || state.missed > 0 || state.closing {
                let closing = state.closing;
                return core::mem::replace(&mut state, Taken { closing, ..Taken::default() });
            }
            let Some(until) = until else {
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Taken::default();
            }
            state = self.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Lets the worker end once it has taken what is there.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.work.notify_all();
    }

    pub(super) fn len(&self) -> usize {
        self.lock().entries.len()
    }
}

fn list_of(entry: &Entry) -> ListId {
    match &entry.change {
        Change::Listed(listing) | Change::Unlisted { listing, .. } => listing.list,
        Change::Replaced(replaced) => replaced.list,
    }
}
