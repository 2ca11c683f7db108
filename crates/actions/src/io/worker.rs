use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use base::{ListSet, Timestamp};
use listings::{Book, Entry};

use super::queue::{Queue, Taken};
use crate::map::ENTRIES_MAX;
use crate::notice::Notice;
use crate::{Action, Health, Pace, Retry};

/// How long a worker does not look at its queue after the last change of many, so that they are taken together.
const GATHER: Duration = Duration::from_millis(5);

/// What a worker works with.
#[derive(Clone)]
pub struct Surroundings {
    /// The book, for an action that is told it anew.
    pub book: Arc<Book>,
    /// The time for health and for actions.
    pub clock: fn() -> Timestamp,
}

/// An action on its thread, which ends when this is dropped.
pub struct Worker {
    name: String,
    queue: Arc<Queue>,
    health: Arc<Mutex<Health>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Worker {
    /// Starts carrying out `action` for the changes on `lists`. It is told the book first.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        name: &str,
        action: Box<dyn Action>,
        lists: ListSet,
        pace: Pace,
        surroundings: Surroundings,
    ) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::new(lists));
        let health = Arc::new(Mutex::new(Health::default()));
        let life = Life {
            action,
            lists,
            pace,
            surroundings,
            health: Arc::clone(&health),
            retry: Retry::default(),
            knows: None,
            due: None,
            rest_until: None,
        };
        let own = Arc::clone(&queue);
        let thread = std::thread::Builder::new().name(format!("act-{name}")).spawn(move || life.run(&own))?;
        Ok(Self { name: name.to_owned(), queue, health, thread: Mutex::new(Some(thread)) })
    }

    /// Tells it of changes, in the order of their numbers. Never waits: what there is no room for, it asks the book for.
    pub fn push(&self, entries: &[Entry]) {
        self.queue.push(entries);
    }

    /// Tells it of something that is no change. Never waits.
    pub fn tell(&self, notice: &Notice) {
        self.queue.tell(notice);
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it does.
    pub fn health(&self) -> Health {
        lock(&self.health).clone()
    }

    /// How many changes wait.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Lets it do, once, what is still to be done, and waits for its end.
    pub fn stop(&self) {
        self.queue.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A thread that panicked has said so; there is nothing left to end.
            thread.join().unwrap_or_default();
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop();
    }
}

fn lock(health: &Mutex<Health>) -> MutexGuard<'_, Health> {
    health.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the thread works with.
struct Life {
    action: Box<dyn Action>,
    lists: ListSet,
    pace: Pace,
    surroundings: Surroundings,
    health: Arc<Mutex<Health>>,
    retry: Retry,
    /// The number of the last change that the action knows of; none when it wants to be told the book.
    knows: Option<u64>,
    /// When the action is to be carried out; none while there is nothing to do.
    due: Option<Instant>,
    /// Not before that, because it has just been, or has just failed.
    rest_until: Option<Instant>,
}

impl Life {
    fn run(mut self, queue: &Queue) {
        self.plan();
        loop {
            let patience = self.due.map(|due| due.saturating_duration_since(Instant::now()));
            let taken = queue.take(patience);
            self.learn(&taken);
            if taken.closing {
                self.learn(&Taken { missed: 0, ..queue.take(Some(Duration::ZERO)) });
                self.carry_out();
                return;
            }
            if self.due.is_some_and(|due| due <= Instant::now()) {
                self.carry_out();
            } else if !taken.entries.is_empty() || !taken.told.is_empty() {
                std::thread::sleep(GATHER);
            }
        }
    }

    /// Takes note of changes, and of what is told beside them.
    fn learn(&mut self, taken: &Taken) {
        if taken.missed > 0 {
            self.knows = None;
            lock(&self.health).shed += taken.missed;
        }
        for notice in &taken.told {
            self.action.tell(notice);
        }
        for entry in &taken.entries {
            // What the book said already is not news.
            if self.knows.is_some_and(|known| entry.serial > known) && !self.action.note(entry) {
                self.knows = None;
            }
        }
        lock(&self.health).waiting = self.action.waiting();
        self.plan();
    }

    /// Says when the action is to be carried out, if it is.
    fn plan(&mut self) {
        let now = (self.surroundings.clock)();
        let wanted = if self.knows.is_some() { self.action.due() } else { Some(Timestamp::EPOCH) };
        let Some(wanted) = wanted else {
            self.due = None;
            return;
        };
        let ahead = wanted.since(now);
        let due = Instant::now() + self.pace.settle.max(ahead);
        let due = self.rest_until.map_or(due, |rested| rested.max(due));
        // What comes later does not put off what is due already.
        self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
        if ahead.is_zero() {
            lock(&self.health).behind_since.get_or_insert(now);
        }
    }

    fn carry_out(&mut self) {
        let began = Instant::now();
        if self.knows.is_none() {
            // The number is read first: what happens meanwhile comes through the queue as well, and is noted twice.
            let serial = self.surroundings.book.serial();
            let most = ENTRIES_MAX + 1;
            let wanted = if self.action.wants_listings() { self.lists } else { ListSet::EMPTY };
            let all = wanted.iter().flat_map(|list| self.surroundings.book.all(Some(list), most)).collect();
            self.action.reconcile(all);
            self.knows = Some(serial);
        }
        let now = (self.surroundings.clock)();
        let is_due = self.action.due().is_some_and(|due| due <= now);
        let result = if is_due { Some(self.action.carry_out(now)) } else { None };
        self.due = None;
        let mut health = lock(&self.health);
        (health.entries, health.left_out) = self.action.size();
        health.waiting = self.action.waiting();
        health.remark = self.action.remark();
        match result {
            Some(Err(failure)) => {
                health.failed += 1;
                health.fault = Some(failure.to_string());
                self.rest_until = Some(Instant::now() + self.retry.failed());
            }
            Some(Ok(())) => {
                health.done += 1;
                health.fault = None;
                self.retry.succeeded();
                self.rest_until = Some(Instant::now() + self.pace.rest_after(began.elapsed()));
            }
            None => {}
        }
        if self.action.due().is_none_or(|due| due > now) {
            health.behind_since = None;
        }
        drop(health);
        self.plan();
    }
}
