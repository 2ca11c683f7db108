use core::time::Duration;
use std::io::Write as _;
use std::sync::Arc;

use base::Timestamp;
use memchr::memchr;

use super::LINE_BYTES_MAX;
use super::gate::{Answer, Gate, Word};
use crate::input::Input;
use crate::session::Session;

/// Input that a connection starts with, in bytes.
const INPUT_BYTES: usize = 1024;
/// Answers that are collected before they must be written.
const OUTPUT_BYTES_MAX: usize = 16 * 1024;

/// One client that sends lines.
pub struct LineSession {
    gate: Arc<Gate>,
    input: Input,
    /// How many unread bytes are known to hold no line end, so that a line that comes byte by byte costs linear time.
    searched: usize,
    output: Vec<u8>,
    is_faulty: bool,
    /// Since when the question at the front waits for an answer that is on its way.
    waits_since: Option<Timestamp>,
}

impl LineSession {
    /// A client that has said nothing yet.
    pub fn new(gate: Arc<Gate>) -> Self {
        let input = Input::new(INPUT_BYTES, LINE_BYTES_MAX + INPUT_BYTES);
        Self { gate, input, searched: 0, output: Vec::new(), is_faulty: false, waits_since: None }
    }
}

impl Session for LineSession {
    fn space(&mut self) -> &mut [u8] {
        self.input.space()
    }

    fn filled(&mut self, count: usize) {
        self.input.filled(count);
    }

    fn serve(&mut self, now: Timestamp) -> usize {
        let mut answered = 0;
        while !self.is_faulty && self.output.len() < OUTPUT_BYTES_MAX {
            let unread = self.input.unread();
            let end = memchr(b'\n', &unread[self.searched..]).map(|end| self.searched + end);
            match end {
                Some(end) if end <= LINE_BYTES_MAX => {
                    let line = &unread[..end];
                    let line = line.strip_suffix(b"\r").unwrap_or(line);
                    let waited = self.waits_since.map_or(Duration::ZERO, |since| now.since(since));
                    let Some(answer) = self.gate.answer_within(now, line, waited) else {
                        self.waits_since.get_or_insert(now);
                        break;
                    };
                    self.waits_since = None;
                    write(&mut self.output, answer);
                    self.input.consume(end + 1);
                    self.searched = 0;
                    answered += 1;
                }
                None if unread.len() <= LINE_BYTES_MAX => {
                    self.searched = unread.len();
                    break;
                }
                // Where the next line begins cannot be waited for.
                Some(_) | None => {
                    write(&mut self.output, self.gate.answer_cut(now, &unread[..unread.len().min(LINE_BYTES_MAX)]));
                    self.is_faulty = true;
                }
            }
        }
        answered
    }

    fn output(&self) -> &[u8] {
        &self.output
    }

    fn written(&mut self) {
        self.output.clear();
    }

    fn is_closing(&self) -> bool {
        self.is_faulty
    }

    fn is_waiting(&self) -> bool {
        self.waits_since.is_some()
    }

    fn is_idle(&self) -> bool {
        self.input.is_empty()
    }

    fn is_faulty(&self) -> bool {
        self.is_faulty
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

    /// Feeds `input` in pieces of at most `step` bytes and collects what is answered.
    fn talk(gate: &Arc<Gate>, input: &[u8], step: usize) -> (String, bool) {
        let mut session = gate.open();
        let mut output = Vec::new();
        let mut rest = input;
        while !rest.is_empty() && !session.is_closing() {
            let space = session.space();
            let count = space.len().min(step).min(rest.len());
            space[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            session.filled(count);
            loop {
                session.serve(Timestamp::from_millis(0));
                if session.output().is_empty() {
                    break;
                }
                output.extend_from_slice(session.output());
                session.written();
            }
        }
        (String::from_utf8(output).expect("answers are ASCII"), session.is_closing())
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
