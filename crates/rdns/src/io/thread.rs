#![expect(clippy::disallowed_methods, reason = "this file is the shell: it owns the thread and spawns its tasks")]

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use base::{Address, Timestamp};
use tokio::sync::mpsc;

use crate::ptr::{Answer, Counters, Found, Input, Machine, Output, Question, QuestionId, Settings};

/// Addresses that wait to be taken up; of one more it is said at once that nothing is known.
pub const WANTED_MAX: usize = 4096;

/// How long the thread sleeps at most: clocks step.
const SLEEP_MAX: Duration = Duration::from_secs(10);

/// Somebody who can be asked. Behind this trait stands the network, or what a test puts in its place.
pub trait Ask: Send + Sync + 'static {
    /// Asks one of the servers. Whatever goes wrong is [`Answer::Failed`].
    fn ask(&self, question: &Question, server: usize) -> impl Future<Output = Answer> + Send;
}

/// A running machine with its thread, which ends when this is dropped.
pub struct Resolver {
    wanted: Option<mpsc::Sender<(Address, bool)>>,
    thread: Option<JoinHandle<()>>,
    counters: Arc<Mutex<Counters>>,
}

impl Resolver {
    /// Starts the thread. It calls `tell` with whatever is found, which must be quick.
    pub fn start(
        settings: Settings,
        ask: impl Ask,
        clock: fn() -> Timestamp,
        tell: impl FnMut(Address, Found) + Send + 'static,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (wanted, queue) = mpsc::channel(WANTED_MAX);
        let counters = Arc::new(Mutex::default());
        let shell = Shell {
            machine: Machine::new(settings),
            ask: Arc::new(ask),
            clock,
            tell,
            in_flight_max: settings.in_flight_max,
            counters: Arc::clone(&counters),
        };
        let thread = std::thread::Builder::new().name("resolver".into()).spawn(move || {
            runtime.block_on(shell.run(queue));
        })?;
        Ok(Self { wanted: Some(wanted), thread: Some(thread), counters })
    }

    /// Asks for the name of an address; `afresh` if what is remembered will not do. Returns whether `tell` will be
    /// called: not if too many are waiting.
    pub fn want(&self, address: Address, afresh: bool) -> bool {
        self.wanted.as_ref().is_some_and(|wanted| wanted.try_send((address, afresh)).is_ok())
    }

    /// What the machine has counted.
    pub fn counters(&self) -> Counters {
        *self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.wanted = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so; there is nothing left to end.
            thread.join().unwrap_or_default();
        }
    }
}

struct Shell<A, T> {
    machine: Machine,
    ask: Arc<A>,
    clock: fn() -> Timestamp,
    tell: T,
    in_flight_max: usize,
    counters: Arc<Mutex<Counters>>,
}

impl<A: Ask, T: FnMut(Address, Found)> Shell<A, T> {
    async fn run(mut self, mut queue: mpsc::Receiver<(Address, bool)>) {
        // No more questions are open than this, so that the channel never holds up an answer.
        let (answers, mut answered) = mpsc::channel::<(QuestionId, Answer)>(self.in_flight_max.max(1));
        loop {
            self.work(&answers);
            let now = (self.clock)();
            let sleep = self.machine.next_deadline().map_or(SLEEP_MAX, |due| due.since(now).min(SLEEP_MAX));
            let input = tokio::select! {
                wanted = queue.recv() => match wanted {
                    Some((address, afresh)) => Input::Wanted { address, afresh },
                    None => return,
                },
                Some((id, answer)) = answered.recv() => Input::Answered(id, answer),
                () = tokio::time::sleep(sleep) => Input::Tick,
            };
            self.machine.handle((self.clock)(), input);
        }
    }

    /// Does what the machine wants done.
    fn work(&mut self, answers: &mpsc::Sender<(QuestionId, Answer)>) {
        let now = (self.clock)();
        while let Some(output) = self.machine.poll_output(now) {
            match output {
                Output::Tell(address, found) => {
                    // Whoever is told finds it counted.
                    self.show_counters();
                    (self.tell)(address, found);
                }
                Output::Ask { id, question, server } => {
                    let (ask, answers) = (Arc::clone(&self.ask), answers.clone());
                    tokio::spawn(async move {
                        let answer = ask.ask(&question, server).await;
                        // Nobody waits for it any more when the thread is ending.
                        drop(answers.send((id, answer)).await);
                    });
                }
            }
        }
        self.show_counters();
    }

    fn show_counters(&self) {
        *self.counters.lock().unwrap_or_else(PoisonError::into_inner) = self.machine.counters();
    }
}
