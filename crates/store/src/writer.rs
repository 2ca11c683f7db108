//! The one thread that writes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::clock;
use crate::commit::commit;
use crate::limits::{BACKOFF, CLOSE_PATIENCE, ENTRIES_QUEUED_MAX, IDLE, Limits, RETENTION_ROWS_MAX};
use crate::load::Entries;
use crate::queue::{Pause, Queue, Taken};
use crate::records::Names;
use crate::retention::Retention;
use crate::serials;
use listings::Entry;

/// Pause between two sweeps while there is more to delete, so that the disk is not kept busy with it.
const SWEEP_PAUSE: Duration = Duration::from_millis(20);

/// The writer and all that it alone touches. `J` moves the book's journal entries into the vector it is given.
pub(crate) struct Writer<J> {
    connection: Connection,
    names: Names,
    limits: Limits,
    drain: J,
    entries: Entries,
    retention: Retention,
    /// Up to which number serials are reserved on the disk; none where the file has no process of its own.
    reserved: Option<u64>,
    granted: Box<dyn FnMut(u64) + Send>,
}

impl<J: FnMut(&mut Vec<Entry>)> Writer<J> {
    pub(crate) fn new(connection: Connection, names: Names, limits: Limits, drain: J) -> Self {
        let (entries, retention) = (Entries::default(), Retention::default());
        Self { connection, names, limits, drain, entries, retention, reserved: None, granted: Box::new(|_| ()) }
    }

    /// Reserves serials ahead of those that are used, from `reserved` on, and tells `granted` up to which one.
    pub(crate) fn granting(self, reserved: Option<u64>, granted: Box<dyn FnMut(u64) + Send>) -> Self {
        Self { reserved, granted, ..self }
    }

    /// Writes until the queue is closed and all is written, or the patience for that is over.
    pub(crate) fn run(&mut self, queue: &Queue) {
        let mut pause = Pause::Idle(IDLE);
        let mut give_up_at: Option<Instant> = None;
        loop {
            let taken = queue.take(pause);
            let closing = taken.closing;
            let wrote = self.step(queue, taken);
            pause = match (wrote, pause) {
                (Ok(events), _) => Pause::Idle(self.sweep(queue, events)),
                (Err(Failed), _) if closing => Pause::Backoff(BACKOFF.0),
                (Err(Failed), Pause::Idle(_)) => Pause::Backoff(BACKOFF.0),
                (Err(Failed), Pause::Backoff(last)) => Pause::Backoff((last * 2).min(BACKOFF.1)),
            };
            let now = clock::instant();
            if closing && (wrote.is_ok() || *give_up_at.get_or_insert(now + CLOSE_PATIENCE) <= now) {
                break;
            }
        }
        // What is not in the file may have been seen: then the next start goes on far ahead.
        if queue.rest().is_ok()
            && self.entries.waiting.is_empty()
            && let Err(error) = serials::end(&mut self.connection, clock::now())
        {
            queue.note(&error.to_string());
        }
        queue.stopped();
    }

    /// One transaction with what was taken and, drained after that, the book's journal. On failure everything is kept
    /// for the next attempt. Returns how many events were written.
    fn step(&mut self, queue: &Queue, taken: Taken) -> Result<usize, Failed> {
        // A panic in here would be a bug; it must not silently end all writing while mail goes on.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            (self.drain)(&mut self.entries.waiting);
            queue.entries_shed(self.entries.bound(ENTRIES_QUEUED_MAX));
            self.reserve()?;
            let work = !(taken.load.is_empty() && self.entries.waiting.is_empty());
            if work {
                commit(&mut self.connection, &self.names, &taken.load, &self.entries)?;
            }
            Ok::<bool, rusqlite::Error>(work)
        }));
        let error = match outcome {
            Ok(Ok(wrote)) => {
                self.entries.clear();
                queue.committed(&taken, wrote);
                return Ok(taken.load.events.len());
            }
            Ok(Err(error)) => error.to_string(),
            Err(_panic) => "the writer panicked: a bug".to_owned(),
        };
        queue.put_back(taken, &error);
        Err(Failed)
    }

    /// Has serials reserved on the disk for the changes behind those that wait.
    fn reserve(&mut self) -> rusqlite::Result<()> {
        if let (Some(reserved), Some(last)) = (self.reserved, self.entries.waiting.last()) {
            let until = serials::reserve(&mut self.connection, last.serial, reserved)?;
            if until != reserved {
                self.reserved = Some(until);
                (self.granted)(until);
            }
        }
        Ok(())
    }

    /// Deletes old rows, at least as fast as new ones come. Returns how long to wait for work.
    fn sweep(&mut self, queue: &Queue, events_written: usize) -> Duration {
        for _ in 0..=events_written / RETENTION_ROWS_MAX as usize {
            match self.retention.sweep(&mut self.connection, &self.limits, clock::now()) {
                Ok(true) => {}
                Ok(false) => return IDLE,
                Err(error) => {
                    queue.note(&error.to_string());
                    return IDLE;
                }
            }
        }
        SWEEP_PAUSE
    }
}

/// The attempt failed; the queue knows why.
#[derive(Clone, Copy)]
struct Failed;

#[cfg(test)]
mod tests;
