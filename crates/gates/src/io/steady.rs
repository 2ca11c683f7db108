#![expect(
    clippy::disallowed_methods,
    reason = "this file is the shell: it measures time, and has helpers ask a slow door"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use base::{Address, Channel, Decision, Event, EventKind, PasswordTag, Reason, Tally, Timestamp, Verdict};
use rules::{Door, Question, Stage};

/// How long a gate waits for the door.
pub const PATIENCE: Duration = Duration::from_millis(50);
/// How long a door that was slower is asked through helpers, unless it answers them sooner.
const DISTRUST: Duration = Duration::from_secs(10);
/// So many helpers that were answered in time, one after the other, show that the door is not slow: the gate's thread had to wait
/// for the processor, as on a busy machine.
const ANSWERED_MIN: u64 = 8;
/// Helpers that wait for the door at the same time; beyond, it is not asked.
const HELPERS_MAX: usize = 32;

/// A door that holds no gate: where the one behind it panics, or is slower than [`PATIENCE`], the gate gets the answer that
/// the admin wants for that.
///
/// The door is asked on the gate's own thread, because handing each question to another one would cost more than the
/// question. Once a call was slow, or while one that began before has not come back to another gate, helpers ask in its
/// place for a while, or until some were answered in time, and are waited for no longer than that.
pub struct SteadyDoor {
    door: Arc<dyn Door>,
    shared: Arc<Steadiness>,
    failure: Decision,
}

/// What all gates of a node know of their door together.
pub struct Steadiness {
    started: Instant,
    /// Microseconds since the start: until then the door is asked through helpers.
    distrusted_until: AtomicU64,
    /// Microseconds since the start at which the oldest call on a gate's thread began; 0 while there is none.
    call_began: AtomicU64,
    helpers: AtomicUsize,
    /// Helpers that were answered in time since one was not.
    answered: AtomicU64,
    slow: AtomicU64,
    unanswered: AtomicU64,
    panics: AtomicU64,
}

impl Default for Steadiness {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            distrusted_until: AtomicU64::new(0),
            call_began: AtomicU64::new(0),
            helpers: AtomicUsize::new(0),
            answered: AtomicU64::new(0),
            slow: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
            panics: AtomicU64::new(0),
        }
    }
}

impl Steadiness {
    /// Calls that were slower than [`PATIENCE`], those that got no answer in time, and those that panicked.
    pub fn counts(&self) -> [(&'static str, u64); 3] {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        [("slow", read(&self.slow)), ("unanswered", read(&self.unanswered)), ("panicked", read(&self.panics))]
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX).max(1)
    }

    fn is_distrusted(&self, now: u64) -> bool {
        if now < self.distrusted_until.load(Ordering::Relaxed) {
            return true;
        }
        let began = self.call_began.load(Ordering::Relaxed);
        let is_stuck = began != 0 && now.saturating_sub(began) > PATIENCE.as_micros() as u64;
        if is_stuck {
            self.distrust(now);
        }
        is_stuck
    }

    fn distrust(&self, now: u64) {
        self.answered.store(0, Ordering::Relaxed);
        self.distrusted_until.store(now + DISTRUST.as_micros() as u64, Ordering::Relaxed);
    }

    /// A helper was answered in time.
    fn trust(&self) {
        if self.answered.fetch_add(1, Ordering::Relaxed) + 1 >= ANSWERED_MIN {
            self.distrusted_until.store(0, Ordering::Relaxed);
        }
    }
}

/// A question or an event that a helper takes with it.
struct Owned {
    now: Timestamp,
    address: Option<Address>,
    login: Option<String>,
    service: String,
    what: What,
}

enum What {
    Question(Stage),
    DatabaseFailed,
    Event { kind: EventKind, session: Option<String>, password: Option<PasswordTag>, channel: Channel, tally: Tally },
}

impl Owned {
    fn put_to(&self, door: &dyn Door) -> Decision {
        let (login, service) = (self.login.as_deref(), self.service.as_str());
        match &self.what {
            What::Question(stage) => {
                door.ask(self.now, &Question { address: self.address, login, stage: *stage, service })
            }
            What::DatabaseFailed => {
                door.database_failed(self.now, self.address, login);
                Decision::PASS
            }
            What::Event { kind, session, password, channel, tally } => door.observe(&Event {
                time: self.now,
                kind: *kind,
                service,
                address: self.address,
                login,
                session: session.as_deref(),
                password: *password,
                channel: *channel,
                tally: *tally,
                reporter: None,
            }),
        }
    }
}

impl SteadyDoor {
    /// Before `door`; `on_failure` is what a gate is told that gets no answer. All doors of a node share what they know.
    pub fn new(door: Arc<dyn Door>, shared: Arc<Steadiness>, on_failure: Verdict) -> Self {
        Self { door, shared, failure: Decision { verdict: on_failure, reason: Reason::Unanswered } }
    }

    /// Calls the door here, or has a helper do it with what `own` makes.
    fn call(&self, call: impl FnOnce(&dyn Door) -> Decision, own: impl FnOnce() -> Owned) -> Decision {
        let began = self.shared.now();
        if self.shared.is_distrusted(began) {
            return self.helped(own());
        }
        let is_oldest = self.shared.call_began.compare_exchange(0, began, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        let outcome = catch_unwind(AssertUnwindSafe(|| call(self.door.as_ref())));
        if is_oldest {
            self.shared.call_began.store(0, Ordering::Relaxed);
        }
        let ended = self.shared.now();
        if ended - began > PATIENCE.as_micros() as u64 {
            self.shared.slow.fetch_add(1, Ordering::Relaxed);
            self.shared.distrust(ended);
        }
        outcome.unwrap_or_else(|_| self.panicked())
    }

    fn helped(&self, owned: Owned) -> Decision {
        let shared = Arc::clone(&self.shared);
        if shared.helpers.fetch_add(1, Ordering::Relaxed) >= HELPERS_MAX {
            shared.helpers.fetch_sub(1, Ordering::Relaxed);
            return self.unanswered();
        }
        let (sender, receiver) = mpsc::sync_channel(1);
        let door = Arc::clone(&self.door);
        let helper = std::thread::Builder::new().name("gate-helper".to_owned()).spawn(move || {
            let outcome = catch_unwind(AssertUnwindSafe(|| owned.put_to(door.as_ref())));
            shared.helpers.fetch_sub(1, Ordering::Relaxed);
            // Whoever waited may have gone.
            drop(sender.send(outcome));
        });
        if helper.is_err() {
            self.shared.helpers.fetch_sub(1, Ordering::Relaxed);
            return self.unanswered();
        }
        match receiver.recv_timeout(PATIENCE) {
            Ok(Ok(decision)) => {
                self.shared.trust();
                decision
            }
            Ok(Err(_)) => self.panicked(),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => self.unanswered(),
        }
    }

    fn unanswered(&self) -> Decision {
        self.shared.answered.store(0, Ordering::Relaxed);
        self.shared.unanswered.fetch_add(1, Ordering::Relaxed);
        self.failure
    }

    fn panicked(&self) -> Decision {
        self.shared.panics.fetch_add(1, Ordering::Relaxed);
        self.failure
    }
}

impl Door for SteadyDoor {
    fn ask(&self, now: Timestamp, question: &Question<'_>) -> Decision {
        let own = || Owned {
            now,
            address: question.address,
            login: question.login.map(str::to_owned),
            service: question.service.to_owned(),
            what: What::Question(question.stage),
        };
        self.call(|door| door.ask(now, question), own)
    }

    fn patience(&self, now: Timestamp, question: &Question<'_>) -> Option<Duration> {
        // Nothing is worth waiting for while the door itself is slow.
        if self.shared.is_distrusted(self.shared.now()) {
            return None;
        }
        catch_unwind(AssertUnwindSafe(|| self.door.patience(now, question))).ok().flatten()
    }

    fn observe(&self, event: &Event<'_>) -> Decision {
        let own = || Owned {
            now: event.time,
            address: event.address,
            login: event.login.map(str::to_owned),
            service: event.service.to_owned(),
            what: What::Event {
                kind: event.kind,
                session: event.session.map(str::to_owned),
                password: event.password,
                channel: event.channel,
                tally: event.tally,
            },
        };
        self.call(|door| door.observe(event), own)
    }

    fn database_failed(&self, now: Timestamp, address: Option<Address>, login: Option<&str>) {
        let own = || Owned {
            now,
            address,
            login: login.map(str::to_owned),
            service: String::new(),
            what: What::DatabaseFailed,
        };
        let tell = |door: &dyn Door| {
            door.database_failed(now, address, login);
            Decision::PASS
        };
        self.call(tell, own);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};

    use super::*;

    /// A door that is shut while a test wants that, and knows how often it was reached.
    #[derive(Default)]
    struct Shut {
        is_closed: Mutex<bool>,
        opened: Condvar,
        reached: AtomicUsize,
    }

    impl Shut {
        fn pass(&self) {
            self.reached.fetch_add(1, Ordering::SeqCst);
            let shut = self.is_closed.lock().unwrap();
            drop(self.opened.wait_while(shut, |is_shut| *is_shut).unwrap());
        }

        fn set(&self, is_closed: bool) {
            *self.is_closed.lock().unwrap() = is_closed;
            self.opened.notify_all();
        }
    }

    impl Door for Shut {
        fn ask(&self, _: Timestamp, question: &Question<'_>) -> Decision {
            self.pass();
            assert_ne!(question.login, Some("panic"), "this panic is part of a test");
            Decision::PASS
        }

        fn observe(&self, _: &Event<'_>) -> Decision {
            self.pass();
            Decision::PASS
        }
    }

    fn question(login: &str) -> Question<'_> {
        Question { address: None, login: Some(login), stage: Stage::Before, service: "imap" }
    }

    const NOW: Timestamp = Timestamp::from_secs(1);

    #[test]
    fn while_the_door_hangs_other_gates_are_answered_as_the_admin_wants() {
        let door = Arc::new(Shut::default());
        let shared = Arc::new(Steadiness::default());
        let gate = |on_failure| SteadyDoor::new(door.clone(), shared.clone(), on_failure);
        let (open, closed) = (gate(Verdict::Pass), gate(Verdict::Refuse));
        door.set(true);
        std::thread::scope(|scope| {
            let hanging = scope.spawn(|| gate(Verdict::Pass).ask(NOW, &question("bob")));
            while door.reached.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            std::thread::sleep(2 * PATIENCE);
            // The door opens only below: these come back although it does not.
            assert_eq!(
                open.ask(NOW, &question("carol")),
                Decision { verdict: Verdict::Pass, reason: Reason::Unanswered }
            );
            assert_eq!(closed.ask(NOW, &question("carol")).verdict, Verdict::Refuse);
            for _ in 0..2 * HELPERS_MAX {
                if shared.helpers.load(Ordering::SeqCst) >= HELPERS_MAX {
                    break;
                }
                closed.ask(NOW, &question("dave"));
            }
            assert_eq!(shared.helpers.load(Ordering::SeqCst), HELPERS_MAX, "their number is bounded");
            assert_eq!(closed.ask(NOW, &question("erin")).verdict, Verdict::Refuse);
            assert_eq!(open.patience(NOW, &question("erin")), None);
            door.set(false);
            assert_eq!(hanging.join().unwrap(), Decision::PASS, "the call that hung got its own answer");
        });
        // Helpers ask until the door is trusted again, and get answers.
        while shared.helpers.load(Ordering::SeqCst) > 0 {
            std::thread::yield_now();
        }
        while closed.ask(NOW, &question("frank")) != Decision::PASS {}
        let [(_, slow), (_, unanswered), _] = shared.counts();
        assert!(slow >= 1 && unanswered > HELPERS_MAX as u64, "{slow} {unanswered}");
    }

    #[test]
    fn one_slow_call_is_forgiven_when_some_are_quick() {
        let shared = Arc::new(Steadiness::default());
        let gate = SteadyDoor::new(Arc::new(Shut::default()), shared.clone(), Verdict::Pass);
        shared.distrust(shared.now());
        let mut helped = 0;
        while shared.is_distrusted(shared.now()) {
            gate.ask(NOW, &question("alice"));
            helped += 1;
        }
        // More only where the machine was too busy for a helper, too; then it takes ten seconds at most.
        let [_, (_, unanswered), _] = shared.counts();
        assert!(helped == ANSWERED_MIN || unanswered > 0, "{helped}");
        // Whoever is not answered begins anew.
        shared.distrust(shared.now());
        for _ in 1..ANSWERED_MIN {
            shared.trust();
        }
        gate.unanswered();
        shared.trust();
        assert_ne!(shared.distrusted_until.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_panic_is_answered_as_the_admin_wants() {
        for verdict in [Verdict::Pass, Verdict::Defer] {
            let shared = Arc::new(Steadiness::default());
            let gate = SteadyDoor::new(Arc::new(Shut::default()), shared.clone(), verdict);
            assert_eq!(gate.ask(NOW, &question("panic")), Decision { verdict, reason: Reason::Unanswered });
            assert_eq!(shared.counts()[2], ("panicked", 1));
        }
    }
}
