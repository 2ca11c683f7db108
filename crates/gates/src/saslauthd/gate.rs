use core::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use base::{Channel, Decision, Event, EventKind, Tally, Timestamp, Verdict};
use rules::{Door, Question, Stage};

use super::session::SaslDialogue;
use crate::counting::counts;
use crate::session::Protocol;

counts! {
    /// Questions.
    Asked = "asked",
    /// Refused before the password was looked at, at once or after a while.
    Refused = "refused",
    /// Refused although the password was right.
    RefusedAfter = "refused_after",
    /// Logins that succeeded.
    Ok = "ok",
    /// Logins whose password was wrong.
    Failed = "failed",
    /// Logins that nobody could check, because the real saslauthd is away.
    Away = "away",
    /// What was no question.
    Malformed = "malformed",
    /// Questions and reports during which the door panicked; the client was let through.
    DoorPanics = "door_panics",
}

/// What the real saslauthd answers, once it has: its text, or none if there is no answer.
pub type Reply = Arc<OnceLock<Option<Vec<u8>>>>;

/// The real saslauthd.
pub trait Upstream: Send + Sync {
    /// Passes a question on, as it came; the reply comes later.
    fn pass_on(&self, question: Vec<u8>) -> Reply;
}

/// The gate before it.
pub struct Gate {
    door: Arc<dyn Door>,
    upstream: Arc<dyn Upstream>,
    counters: Counters,
}

impl Gate {
    /// A gate that asks `door`, and passes on to `upstream`.
    pub fn new(door: Arc<dyn Door>, upstream: Arc<dyn Upstream>) -> Self {
        Self { door, upstream, counters: Counters::default() }
    }

    /// What was counted so far.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(super) fn count(&self, count: Count) {
        self.counters.add(count);
    }

    pub(super) fn pass_on(&self, question: Vec<u8>) -> Reply {
        self.upstream.pass_on(question)
    }

    pub(super) fn ask(&self, now: Timestamp, login: &str, service: &str, stage: Stage) -> Verdict {
        let question = Question { address: None, login: Some(login).filter(|login| !login.is_empty()), stage, service };
        self.guarded(|door| door.ask(now, &question)).verdict
    }

    pub(super) fn report(&self, now: Timestamp, login: &str, service: &str, kind: EventKind) {
        let event = Event {
            time: now,
            kind,
            service,
            address: None,
            login: Some(login),
            session: None,
            password: None,
            channel: Channel::Gate,
            tally: Tally::One,
            reporter: None,
        };
        if !login.is_empty() {
            self.guarded(|door| door.observe(&event));
        }
    }

    /// A call of the door. If it panics the client is let through: a fault of ours never refuses.
    fn guarded(&self, call: impl FnOnce(&dyn Door) -> Decision) -> Decision {
        catch_unwind(AssertUnwindSafe(|| call(self.door.as_ref()))).unwrap_or_else(|_| {
            self.counters.add(Count::DoorPanics);
            Decision::PASS
        })
    }
}

/// The gate as a protocol of the shell.
impl Protocol for Arc<Gate> {
    type Dialogue = SaslDialogue;

    fn open(&self, _: Option<IpAddr>) -> SaslDialogue {
        SaslDialogue::new(self.clone())
    }
}
