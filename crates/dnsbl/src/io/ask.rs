#![expect(clippy::disallowed_methods, reason = "this file is the shell: it owns the thread and spawns its tasks")]

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use base::{Address, Timestamp};
use resolver::io::{Servers, ServersError};
use resolver::{Question, Reply};
use tokio::sync::{Notify, mpsc};

use crate::ask::{Counters, Health, Input, List, Lists, Machine, Output, QuestionId, Settings, Standing};

/// How long the thread sleeps at most: clocks step.
const SLEEP_MAX: Duration = Duration::from_secs(10);

/// How long somebody who waits for an answer sleeps at most before he looks again.
const BEAT: Duration = Duration::from_millis(20);

/// Why nobody can be asked.
#[derive(Debug, thiserror::Error)]
pub enum AskerError {
    /// The servers cannot be asked.
    #[error(transparent)]
    Servers(#[from] ServersError),
    /// The system gave no thread.
    #[error("no thread to ask lists from")]
    Resources(#[from] io::Error),
}

/// A running machine with its thread, which ends when this is dropped.
///
/// Any thread may ask what is known; it takes a lock for as long as a look into a map takes.
pub struct Asker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    machine: Mutex<Machine>,
    /// Something was wanted.
    wanted: Notify,
    /// Something was answered.
    answered: Condvar,
    is_ending: AtomicBool,
    clock: fn() -> Timestamp,
}

impl Asker {
    /// Starts the thread, which first tests the lists. It calls `tell` when a list works or is off, which must be quick.
    pub fn start(
        lists: Vec<List>,
        servers: &[SocketAddr],
        settings: Settings,
        clock: fn() -> Timestamp,
        tell: impl FnMut(&List, Health) + Send + 'static,
    ) -> Result<Self, AskerError> {
        let timeout = lists.iter().map(|list| list.timeout).max().unwrap_or_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let servers = {
            let _entered = runtime.enter();
            Arc::new(Servers::new(servers, timeout, settings.in_flight_max)?)
        };
        let shared = Arc::new(Shared {
            machine: Mutex::new(Machine::new(settings, lists)),
            wanted: Notify::new(),
            answered: Condvar::new(),
            is_ending: AtomicBool::new(false),
            clock,
        });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("ask".into())
            .spawn(move || runtime.block_on(run(&theirs, &servers, settings.in_flight_max, tell)))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// What these lists say of an address, as far as it is known; the others are asked. Those that do not list addresses
    /// of its family are left out. It never waits.
    pub fn look(&self, now: Timestamp, address: Address, lists: Lists) -> Vec<(usize, Standing)> {
        let mut machine = self.shared.lock();
        machine.handle(now, Input::Wanted { address, lists });
        let standings = standings(&machine, now, address, lists);
        drop(machine);
        if standings.iter().any(|(_, standing)| *standing == Standing::Open) {
            self.shared.wanted.notify_one();
        }
        standings
    }

    /// The same, waiting until all are known, for so long at most.
    pub fn wait(&self, address: Address, lists: Lists, patience: Duration) -> Vec<(usize, Standing)> {
        self.wait_until(patience, || {
            let known = self.look((self.shared.clock)(), address, lists);
            let is_whole = known.iter().all(|(_, standing)| *standing != Standing::Open);
            (known, is_whole)
        })
    }

    /// Waits until each list has been tested, for so long at most.
    pub fn wait_for_tests(&self, patience: Duration) {
        self.wait_until(patience, || ((), self.health().iter().all(|health| *health != Health::Untested)));
    }

    fn wait_until<T>(&self, patience: Duration, look: impl Fn() -> (T, bool)) -> T {
        let end = Instant::now() + patience;
        loop {
            let (seen, is_enough) = look();
            let left = end.saturating_duration_since(Instant::now());
            if is_enough || left.is_zero() {
                return seen;
            }
            // An answer between the look and the wait costs one beat, so that none is missed for long.
            let beat = left.min(BEAT);
            drop(self.shared.answered.wait_timeout(self.shared.lock(), beat).unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// The health of the lists, in the order in which they were given.
    pub fn health(&self) -> Vec<Health> {
        self.shared.lock().lists().map(|(_, health)| health).collect()
    }

    /// What was counted, and how many verdicts are remembered.
    pub fn counters(&self) -> (Counters, usize) {
        let machine = self.shared.lock();
        (machine.counters(), machine.remembered())
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.shared.is_ending.store(true, Ordering::Relaxed);
        self.shared.wanted.notify_one();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so; there is nothing left to end.
            thread.join().unwrap_or_default();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn standings(machine: &Machine, now: Timestamp, address: Address, lists: Lists) -> Vec<(usize, Standing)> {
    let covering = machine.lists().enumerate().filter(|(_, (list, _))| list.covers(address)).map(|(place, _)| place);
    let wanted = covering.filter(|place| lists.has(*place));
    wanted.map(|place| (place, machine.recall(now, place, address))).collect()
}

async fn run(shared: &Shared, servers: &Arc<Servers>, in_flight_max: usize, mut tell: impl FnMut(&List, Health)) {
    // No more questions are open than this, so that the channel never holds up an answer.
    let (answers, mut answered) = mpsc::channel::<(QuestionId, Reply)>(in_flight_max.max(1));
    shared.lock().handle((shared.clock)(), Input::Tick);
    while !shared.is_ending.load(Ordering::Relaxed) {
        let due = work(shared, servers, &answers, &mut tell);
        let sleep = due.map_or(SLEEP_MAX, |due| due.since((shared.clock)()).min(SLEEP_MAX));
        let input = tokio::select! {
            () = shared.wanted.notified() => Input::Tick,
            Some((id, reply)) = answered.recv() => Input::Answered(id, reply),
            () = tokio::time::sleep(sleep) => Input::Tick,
        };
        shared.lock().handle((shared.clock)(), input);
        shared.answered.notify_all();
    }
}

/// Does what the machine wants done; returns when it has something to do next.
fn work(
    shared: &Shared,
    servers: &Arc<Servers>,
    answers: &mpsc::Sender<(QuestionId, Reply)>,
    tell: &mut impl FnMut(&List, Health),
) -> Option<Timestamp> {
    let mut machine = shared.lock();
    while let Some(output) = machine.poll_output((shared.clock)()) {
        match output {
            Output::Changed(place, health) => {
                if let Some((list, _)) = machine.lists().nth(place) {
                    tell(list, health);
                }
            }
            Output::Ask { id, name, server } => {
                let (servers, answers) = (Arc::clone(servers), answers.clone());
                tokio::spawn(async move {
                    let reply = servers.ask(&Question::V4(&name), server).await;
                    // Nobody is left to tell when the thread ends.
                    answers.send((id, reply)).await.unwrap_or_default();
                });
            }
        }
    }
    machine.next_deadline()
}
