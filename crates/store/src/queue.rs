//! The bounded queue between those who push and the writer thread, and what both know of the store's health.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base::Timestamp;

use crate::clock;
use crate::error::NotSaved;
use crate::exceptions::ExceptionChange;
use crate::keys::KeptKey;
use crate::limits::TICK;
use crate::load::{Audit, Load, Shed};
use crate::records::Batch;
use rules::Standing;

/// How the store does.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Health {
    /// Since when nothing can be written; none while all is well.
    pub failing_since: Option<Timestamp>,
    /// The last error, in `SQLite`'s words; it stays after the store has recovered.
    pub last_error: Option<Box<str>>,
    /// Events that wait for their transaction.
    pub queued: usize,
    /// Transactions committed since the start.
    pub commits: u64,
    /// Events written since the start.
    pub events_written: u64,
    /// Events shed because too many waited.
    pub events_shed: u64,
    /// Owners shed because too many waited.
    pub owners_shed: u64,
    /// Audit rows shed because too many waited.
    pub audits_shed: u64,
    /// Journal entries missing in the history because too many waited; the listings themselves are complete.
    pub entries_shed: u64,
}

/// How long the writer waits for work.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pause {
    /// Until there is some, at most so long.
    Idle(Duration),
    /// So long, whatever comes, because the last attempt failed; only closing ends it.
    Backoff(Duration),
}

/// What the writer takes at a time.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) load: Load,
    /// Everything asked for up to this ticket is in it or was written before.
    ticket: u64,
    /// Whether the store is being closed.
    pub(crate) closing: bool,
}

/// How far the writer's life has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
enum Life {
    #[default]
    Writing,
    /// It is to finish.
    Closing,
    /// It knows.
    Finishing,
    /// It is over.
    Stopped,
}

#[derive(Default)]
struct State {
    load: Load,
    /// Events that the writer has taken and not yet committed.
    in_flight: usize,
    /// When the oldest of the load was queued.
    first_at: Option<Instant>,
    /// Whether the writer shall not wait for the tick.
    urgent: bool,
    asked: u64,
    done: u64,
    life: Life,
    health: Health,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    work: Condvar,
    progress: Condvar,
    events_max: usize,
}

impl Queue {
    pub(crate) fn new(events_max: usize) -> Self {
        Self { events_max, ..Self::default() }
    }

    /// No code panics while it holds the lock; if it did, the state would still be usable.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, batch: Batch) {
        let mut state = self.lock();
        let room = self.events_max.saturating_sub(state.load.events.len() + state.in_flight);
        let shed = state.load.add(batch, room);
        self.queued(state, shed);
    }

    pub(crate) fn push_audit(&self, audit: Audit) {
        let mut state = self.lock();
        let shed = state.load.add_audit(audit);
        self.queued(state, shed);
    }

    pub(crate) fn push_keys(&self, keys: Vec<KeptKey>) {
        let mut state = self.lock();
        let shed = state.load.add_keys(keys);
        self.queued(state, shed);
    }

    pub(crate) fn push_exceptions(&self, changes: Vec<ExceptionChange>) {
        let mut state = self.lock();
        let shed = state.load.add_exceptions(changes);
        self.queued(state, shed);
    }

    pub(crate) fn push_standings(&self, standings: Vec<Standing>) {
        let mut state = self.lock();
        let shed = state.load.add_standings(standings);
        self.queued(state, shed);
    }

    pub(crate) fn push_accounts(&self, accounts: Vec<(u64, Option<Vec<u8>>)>) {
        let mut state = self.lock();
        let shed = state.load.add_accounts(accounts);
        self.queued(state, shed);
    }

    fn queued(&self, mut state: MutexGuard<'_, State>, shed: Shed) {
        state.health.events_shed += shed.events;
        state.health.owners_shed += shed.owners;
        state.health.audits_shed += shed.audits;
        // The writer sets its own alarm once it knows of the first item; the later ones need not wake it.
        if state.first_at.is_none() {
            state.first_at = Some(clock::instant());
            drop(state);
            self.work.notify_one();
        }
    }

    pub(crate) fn wake(&self) {
        let mut state = self.lock();
        if !state.urgent {
            state.urgent = true;
            drop(state);
            self.work.notify_one();
        }
    }

    /// Waits until everything queued before is written, at most `patience`.
    pub(crate) fn flush(&self, patience: Duration) -> Result<(), NotSaved> {
        let deadline = clock::instant() + patience;
        let mut state = self.lock();
        state.asked += 1;
        state.urgent = true;
        let ticket = state.asked;
        self.work.notify_one();
        while state.done < ticket {
            let left = deadline.saturating_duration_since(clock::instant());
            if state.life == Life::Stopped || left.is_zero() {
                return Err(not_saved(&state));
            }
            state = self.progress.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }

    /// Whether the writer has not ended.
    pub(crate) fn is_open(&self) -> bool {
        self.lock().life < Life::Stopped
    }

    /// Asks the writer to finish.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.life = state.life.max(Life::Closing);
        drop(state);
        self.work.notify_one();
    }

    /// Whether all is written, once the writer has stopped.
    pub(crate) fn rest(&self) -> Result<(), NotSaved> {
        let state = self.lock();
        if state.health.failing_since.is_none() && state.load.is_empty() { Ok(()) } else { Err(not_saved(&state)) }
    }

    pub(crate) fn health(&self) -> Health {
        let state = self.lock();
        Health { queued: state.load.events.len() + state.in_flight, ..state.health.clone() }
    }

    /// For the writer: waits as told and takes everything.
    pub(crate) fn take(&self, pause: Pause) -> Taken {
        let began = clock::instant();
        let mut state = self.lock();
        loop {
            let wait = match pause {
                _ if state.life == Life::Closing => Duration::ZERO,
                Pause::Backoff(span) => span.saturating_sub(began.elapsed()),
                Pause::Idle(_) if state.urgent || state.life == Life::Finishing => Duration::ZERO,
                Pause::Idle(span) => {
                    let tick = state.first_at.map_or(Duration::MAX, |first| TICK.saturating_sub(first.elapsed()));
                    tick.min(span.saturating_sub(began.elapsed()))
                }
            };
            if wait.is_zero() {
                break;
            }
            state = self.work.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.urgent = false;
        state.first_at = None;
        if state.life == Life::Closing {
            state.life = Life::Finishing;
        }
        let load = core::mem::take(&mut state.load);
        state.in_flight = load.events.len();
        Taken { load, ticket: state.asked, closing: state.life == Life::Finishing }
    }

    /// For the writer: what it took is committed, or there was nothing to commit.
    pub(crate) fn committed(&self, taken: &Taken, wrote: bool) {
        let mut state = self.lock();
        state.in_flight = 0;
        state.done = taken.ticket;
        state.health.commits += u64::from(wrote);
        state.health.events_written += taken.load.events.len() as u64;
        state.health.failing_since = None;
        drop(state);
        self.progress.notify_all();
    }

    /// For the writer: what it took is not committed and goes back before what came since.
    pub(crate) fn put_back(&self, taken: Taken, error: &str) {
        let mut state = self.lock();
        let later = core::mem::replace(&mut state.load, taken.load);
        state.load.absorb(later);
        state.in_flight = 0;
        if !state.load.is_empty() {
            state.first_at.get_or_insert_with(clock::instant);
        }
        state.health.failing_since.get_or_insert_with(clock::now);
        state.health.last_error = Some(error.into());
    }

    /// For the writer: an error that loses and delays nothing.
    pub(crate) fn note(&self, error: &str) {
        self.lock().health.last_error = Some(error.into());
    }

    /// For the writer: so many journal entries were thinned out.
    pub(crate) fn entries_shed(&self, count: u64) {
        self.lock().health.entries_shed += count;
    }

    /// For the writer: it is over.
    pub(crate) fn stopped(&self) {
        self.lock().life = Life::Stopped;
        self.progress.notify_all();
    }
}

fn not_saved(state: &State) -> NotSaved {
    let reason = match &state.health.last_error {
        Some(error) if state.health.failing_since.is_some() => error.clone(),
        _ if state.life == Life::Stopped => "the store is closed".into(),
        _ => "the disk is too slow".into(),
    };
    NotSaved { reason }
}
