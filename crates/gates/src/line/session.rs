use core::time::Duration;
use std::io::Write as _;
use std::sync::Arc;

use base::Timestamp;

use super::LINE_BYTES_MAX;
use super::gate::{Answer, Gate, Word};
use super::request::Malformed;
use crate::session::{Dialogue, Frame, Input, Step, is_http};

/// One client that sends lines.
pub struct LineDialogue {
    gate: Arc<Gate>,
    /// Since when the question at the front waits for an answer that is on its way.
    waits_since: Option<Timestamp>,
}

impl LineDialogue {
    pub(super) const fn new(gate: Arc<Gate>) -> Self {
        Self { gate, waits_since: None }
    }
}

impl Dialogue for LineDialogue {
    const INPUT_BYTES: usize = 1024;
    const REQUEST_BYTES_MAX: usize = LINE_BYTES_MAX;

    fn step(&mut self, now: Timestamp, input: &mut Input, output: &mut Vec<u8>) -> Step {
        let end = match input.frame(b"\n", LINE_BYTES_MAX) {
            Frame::Whole(end) => end,
            Frame::Part => return Step::Part,
            // Where the next line begins cannot be waited for.
            Frame::TooLong => {
                let unread = input.unread();
                write(output, self.gate.answer_cut(now, &unread[..unread.len().min(LINE_BYTES_MAX)]));
                return Step::Fault;
            }
        };
        let line = &input.unread()[..end];
        if is_http(line) {
            write(output, self.gate.not_understood(Malformed::Verb));
            return Step::Fault;
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let waited = self.waits_since.map_or(Duration::ZERO, |since| now.since(since));
        let Some(answer) = self.gate.answer_within(now, line, waited) else {
            self.waits_since.get_or_insert(now);
            return Step::Later;
        };
        self.waits_since = None;
        write(output, answer);
        input.consume(end + 1);
        Step::Taken
    }

    fn carried(&self) -> Option<Vec<u8>> {
        Some(Vec::new())
    }
}

fn write(output: &mut Vec<u8>, answer: Answer) {
    let Answer { status, word, reason } = answer;
    let written = match word {
        Word::Pass => writeln!(output, "{status} pass {reason}"),
        Word::Tarpit => writeln!(output, "{status} tarpit {reason}"),
        Word::Refuse => writeln!(output, "{status} refuse {reason}"),
        Word::Defer => writeln!(output, "{status} defer {reason}"),
        Word::Error(malformed) => writeln!(output, "{status} error {malformed}"),
    };
    debug_assert!(written.is_ok(), "memory takes what is written to it");
}

#[cfg(test)]
mod tests {
    use base::{Decision, Event, EventKind, Reason, Verdict};
    use proptest::prelude::*;
    use rules::{Door, Question, Stage};

    use super::*;
    use crate::line::Count;
    use crate::session::Protocol as _;

    /// Decides by login, and fails where a test wants it to.
    struct ByLogin;

    impl Door for ByLogin {
        fn ask(&self, _: Timestamp, question: &Question<'_>) -> Decision {
            let verdict = match question.login {
                Some("panic") => panic!("this panic is part of a test"),
                Some("refused") => Verdict::Refuse,
                Some("deferred") => Verdict::Defer,
                Some("held") => Verdict::Tarpit(Duration::from_millis(1500)),
                Some("late") if question.stage == Stage::After => Verdict::Refuse,
                _ => Verdict::Pass,
            };
            let known = verdict == Verdict::Pass;
            Decision { verdict, reason: if known { Reason::Unlisted } else { Reason::TarpitsFull } }
        }

        fn observe(&self, event: &Event<'_>) -> Decision {
            let verdict = if event.kind == EventKind::LoginFailed { Verdict::Refuse } else { Verdict::Pass };
            Decision { verdict, reason: Reason::KnownAddress }
        }
    }

    /// What is said to `input` in pieces of at most `step` bytes, and whether the connection ends.
    fn talk(gate: &Arc<Gate>, input: &[u8], step: usize) -> (String, bool) {
        let mut session = gate.session(None);
        let said = session.converse(Timestamp::EPOCH, input, step);
        (String::from_utf8(said).expect("answers are ASCII"), session.is_closing())
    }

    fn gate() -> Arc<Gate> {
        Arc::new(Gate::new(Arc::new(ByLogin)))
    }

    #[test]
    fn a_conversation() {
        let (gate, input) = (
            gate(),
            "check login=a\ncheck login=refused\r\ncheck login=deferred\ncheck login=held\ncheck login=late\n\
             check login=late stage=after\nfailed login=a address=192.0.2.1\nok login=a\nwhat\n\n",
        );
        let wanted = "0 pass unlisted\n-1 refuse tarpits-full\n-2 defer tarpits-full\n2 tarpit tarpits-full\n\
                      0 pass unlisted\n-1 refuse tarpits-full\n-1 refuse known-address\n0 pass known-address\n\
                      0 error unknown-verb\n0 error unknown-verb\n";
        for step in [1, 7, usize::MAX] {
            assert_eq!(talk(&gate, input.as_bytes(), step), (wanted.to_owned(), false), "{step}");
        }
        assert_eq!((gate.counters().get(Count::Refused), gate.counters().get(Count::Malformed)), (9, 6));
    }

    #[test]
    fn a_page_in_a_browser_reports_nobody() {
        let gate = gate();
        let posted = b"POST / HTTP/1.1\r\nHost: localhost:4002\r\n\r\nfailed address=192.0.2.1 login=a\n";
        assert_eq!(talk(&gate, posted, 99), ("0 error unknown-verb\n".to_owned(), true));
        assert_eq!(gate.counters().get(Count::ReportedFailed), 0);
    }

    #[test]
    fn a_panic_lets_the_client_through() {
        let gate = gate();
        assert_eq!(talk(&gate, b"check login=panic\n", 99).0, "0 pass unlisted\n");
        assert_eq!(gate.counters().get(Count::DoorPanics), 1);
    }

    #[test]
    fn lines_have_a_longest() {
        let fits = format!("check login={}\n", "x".repeat(LINE_BYTES_MAX - "check login=".len()));
        assert_eq!(talk(&gate(), fits.as_bytes(), 100), ("0 pass unlisted\n".to_owned(), false));
        let cut = format!("failed address=192.0.2.1 login=refused service=smtp login={}\n", "x".repeat(LINE_BYTES_MAX));
        let gate = gate();
        assert_eq!(talk(&gate, cut.as_bytes(), 100), ("-1 refuse known-address\n".to_owned(), true));
        assert_eq!(gate.counters().get(Count::ReportedFailed), 1, "the address is counted");
        let endless = "x".repeat(LINE_BYTES_MAX * 3);
        assert_eq!(talk(&gate, endless.as_bytes(), 100), ("0 error line-too-long\n".to_owned(), true));
        let long = format!("check login={}\n", "x".repeat(LINE_BYTES_MAX));
        assert_eq!(talk(&gate, long.as_bytes(), usize::MAX), ("0 error line-too-long\n".to_owned(), true));
    }

    proptest! {
        #[test]
        fn any_bytes_get_one_answer_a_line(input in proptest::collection::vec(any::<u8>(), 0..2000), step in 1_usize..600) {
            let (output, _) = talk(&gate(), &input, step);
            let lines = input.split(|&byte| byte == b'\n').count() - 1;
            prop_assert_eq!(output.lines().count(), lines);
        }
    }
}
