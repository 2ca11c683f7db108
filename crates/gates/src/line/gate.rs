use core::net::IpAddr;
use core::time::Duration;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use base::{Channel, Decision, Event, EventKind, Reason, Tally, Timestamp, Verdict};
use rules::{Door, Question};

use super::request::{Malformed, Request, Verb};
use super::session::LineDialogue;
use crate::counting::counts;
use crate::session::Protocol;

/// The gate: one decision for each line.
pub struct Gate {
    door: Arc<dyn Door>,
    counters: Counters,
}

/// The word behind the number of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    /// Go on.
    Pass,
    /// Hold the client first.
    Tarpit,
    /// Refuse.
    Refuse,
    /// Refuse for now.
    Defer,
    /// The line was not understood; the client goes on.
    Error(Malformed),
}

/// What a line is answered with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer {
    /// 0 to go on, seconds to hold, -1 to refuse, -2 to defer.
    pub status: i64,
    /// The same as a word.
    pub word: Word,
    /// Why, as a word without spaces that no client can choose.
    pub reason: &'static str,
}

counts! {
    /// Questions.
    Asked = "asked",
    /// Reports of a success.
    ReportedOk = "reported_ok",
    /// Reports of a failure.
    ReportedFailed = "reported_failed",
    /// Answers that let the client go on at once.
    Passed = "passed",
    /// Answers that hold the client.
    Tarpitted = "tarpitted",
    /// Answers that refuse.
    Refused = "refused",
    /// Answers that refuse for now.
    Deferred = "deferred",
    /// Lines that were not understood.
    Malformed = "malformed",
    /// Lines during which the door panicked; answered neutrally.
    DoorPanics = "door_panics",
}

impl Gate {
    /// A gate in front of `door`.
    pub fn new(door: Arc<dyn Door>) -> Self {
        Self { door, counters: Counters::default() }
    }

    /// What was counted so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Answers one line without its end; none if the answer is worth waiting for, and was not waited for too long.
    pub(super) fn answer_within(&self, now: Timestamp, line: &[u8], waited: Duration) -> Option<Answer> {
        match Request::parse(line) {
            Ok(request) if self.waits(now, &request, waited) => None,
            Ok(request) => Some(self.decide(now, &request)),
            Err(malformed) => Some(self.not_understood(malformed)),
        }
    }

    /// Answers a line that is too long by its beginning: the whole words of it. They count the address of whoever sends such
    /// a login, and refuse him when he is blocked.
    pub(super) fn answer_cut(&self, now: Timestamp, beginning: &[u8]) -> Answer {
        let end = beginning.iter().rposition(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(0);
        let cut = Request::parse(&beginning[..end]).map(|request| self.decide(now, &request));
        let error = self.not_understood(Malformed::TooLong);
        cut.ok().filter(|answer| answer.status != 0).unwrap_or(error)
    }

    /// The neutral answer to what is no line.
    pub(crate) fn not_understood(&self, malformed: Malformed) -> Answer {
        self.counters.add(Count::Malformed);
        Answer { status: 0, word: Word::Error(malformed), reason: "" }
    }

    /// Whether the answer to a question is worth waiting for, as long as nobody has waited too long.
    pub(crate) fn waits(&self, now: Timestamp, request: &Request<'_>, waited: Duration) -> bool {
        let service = request.service.as_deref().unwrap_or("");
        let Request { address, stage, .. } = *request;
        let question = Question { address, login: request.login.as_deref(), stage, service };
        request.verb == Verb::Check && self.is_worth_waiting(now, &question, waited)
    }

    /// The same of a question as the door has it.
    pub(crate) fn is_worth_waiting(&self, now: Timestamp, question: &Question<'_>, waited: Duration) -> bool {
        let patience = catch_unwind(AssertUnwindSafe(|| self.door.patience(now, question)));
        patience.ok().flatten().is_some_and(|patience| waited < patience)
    }

    /// Asks the door; a panic passes, and is counted.
    pub(crate) fn ask(&self, now: Timestamp, question: &Question<'_>) -> Decision {
        self.guarded(|door| door.ask(now, question))
    }

    /// The decision about what was asked or reported.
    pub(crate) fn decide(&self, now: Timestamp, request: &Request<'_>) -> Answer {
        let service = request.service.as_deref().unwrap_or("");
        let question =
            Question { address: request.address, login: request.login.as_deref(), stage: request.stage, service };
        let report = |kind| Event {
            time: now,
            kind,
            service,
            address: request.address,
            login: request.login.as_deref(),
            session: request.session.as_deref(),
            password: None,
            channel: Channel::Gate,
            tally: Tally::One,
            reporter: None,
        };
        let (count, decision) = match request.verb {
            Verb::Check => (Count::Asked, self.ask(now, &question)),
            Verb::Ok => (Count::ReportedOk, self.guarded(|door| door.observe(&report(EventKind::LoginOk)))),
            Verb::Failed => (Count::ReportedFailed, self.guarded(|door| door.observe(&report(EventKind::LoginFailed)))),
        };
        self.counters.add(count);
        self.count_verdict(decision.verdict);
        let (status, word) = match decision.verdict {
            Verdict::Tarpit(span) if !span.is_zero() => {
                let seconds = span.as_secs().saturating_add(u64::from(span.subsec_nanos() > 0));
                (i64::try_from(seconds).unwrap_or(i64::MAX), Word::Tarpit)
            }
            Verdict::Pass | Verdict::Tarpit(_) => (0, Word::Pass),
            Verdict::Refuse => (-1, Word::Refuse),
            Verdict::Defer => (-2, Word::Defer),
        };
        Answer { status, word, reason: reason_word(decision.reason) }
    }

    /// Counts what was answered.
    pub(crate) fn count_verdict(&self, verdict: Verdict) {
        self.counters.add(match verdict {
            Verdict::Tarpit(span) if !span.is_zero() => Count::Tarpitted,
            Verdict::Pass | Verdict::Tarpit(_) => Count::Passed,
            Verdict::Refuse => Count::Refused,
            Verdict::Defer => Count::Deferred,
        });
    }

    /// A call of the door. If it panics the client is let through: a fault of ours never refuses.
    fn guarded(&self, call: impl FnOnce(&dyn Door) -> Decision) -> Decision {
        catch_unwind(AssertUnwindSafe(|| call(self.door.as_ref()))).unwrap_or_else(|_| {
            self.counters.add(Count::DoorPanics);
            Decision::PASS
        })
    }
}

/// The reason as one word.
const fn reason_word(reason: Reason) -> &'static str {
    match reason {
        Reason::Unlisted => "unlisted",
        Reason::NeverListed => "never-listed",
        Reason::KnownAddress => "known-address",
        Reason::AddressListed { .. } => "address-listed",
        Reason::LoginListed { .. } => "login-listed",
        Reason::Excepted => "excepted",
        Reason::Unanswered => "unanswered",
        Reason::ListedElsewhere { .. } => "listed-elsewhere",
        Reason::TarpitsFull => "tarpits-full",
    }
}

/// The gate as a protocol of the shell.
impl Protocol for Arc<Gate> {
    type Dialogue = LineDialogue;

    fn open(&self, _: Option<IpAddr>) -> LineDialogue {
        LineDialogue::new(self.clone())
    }
}
