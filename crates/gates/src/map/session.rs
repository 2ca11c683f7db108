use core::net::IpAddr;
use core::ops::Range;
use core::time::Duration;
use std::io::Write as _;
use std::sync::Arc;

use base::Timestamp;
use memchr::memchr;

use super::QUESTION_BYTES_MAX;
use super::gate::{Gate, Table};
use crate::escapes::decode;
use crate::session::{Dialogue, Frame, Input, Protocol, Step};

/// Digits of the longest netstring's length.
const LENGTH_DIGITS_MAX: usize = 5;

/// That there is nothing, in both dialects.
const NOT_FOUND: &[u8] = b"9:NOTFOUND ,";
const TCP_NOT_FOUND: &[u8] = b"500 -\n";

/// How a table is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// `socketmap:`
    Socketmap,
    /// `tcp:`
    Tcp,
}

/// The gate as a protocol of the shell.
#[derive(Clone)]
pub struct Tables {
    gate: Arc<Gate>,
    dialect: Dialect,
}

impl Tables {
    /// Has `gate` answer in that dialect.
    pub const fn new(gate: Arc<Gate>, dialect: Dialect) -> Self {
        Self { gate, dialect }
    }
}

impl Protocol for Tables {
    type Dialogue = MapDialogue;

    /// Postfix closes an idle socketmap after 10 s, and is never to find one closed.
    const IDLE_MAX: Option<Duration> = Some(Duration::from_mins(20));

    fn open(&self, _: Option<IpAddr>) -> MapDialogue {
        MapDialogue(self.clone())
    }
}

/// One connection of Postfix.
pub struct MapDialogue(Tables);

/// What lies at the front of the input.
enum Front {
    /// A question, and where the next one begins.
    Question(Range<usize>, usize),
    /// The beginning of one.
    Part,
    /// Nothing that could become one.
    Junk,
}

impl MapDialogue {
    fn front(&self, input: &mut Input) -> Front {
        match self.0.dialect {
            Dialect::Socketmap => netstring(input.unread()),
            Dialect::Tcp => match input.frame(b"\n", QUESTION_BYTES_MAX) {
                Frame::Whole(end) => Front::Question(0..end, end + 1),
                Frame::Part => Front::Part,
                Frame::TooLong => Front::Junk,
            },
        }
    }

    fn answer(&self, now: Timestamp, question: &[u8], output: &mut Vec<u8>) {
        let Tables { gate, dialect } = &self.0;
        match dialect {
            Dialect::Socketmap => {
                let (name, key) = split(question);
                let table = match name {
                    b"clients" => Some(Table::Clients),
                    b"logins" => Some(Table::Logins),
                    _ => None,
                };
                if table.is_none() {
                    gate.not_understood();
                }
                match table.and_then(|table| gate.look(now, table, key)) {
                    Some(action) => put(output, format_args!("{}:OK {action},", action.len() + 3)),
                    None => output.extend_from_slice(NOT_FOUND),
                }
            }
            Dialect::Tcp => {
                let question = question.strip_suffix(b"\r").unwrap_or(question);
                let key = question.strip_prefix(b"get ").and_then(decode);
                if key.is_none() {
                    gate.not_understood();
                }
                match key.and_then(|key| gate.look(now, Table::Clients, &key)) {
                    // The words are ours: nothing but spaces needs an escape.
                    Some(action) => put(output, format_args!("200 {}\n", action.replace(' ', "%20"))),
                    None => output.extend_from_slice(TCP_NOT_FOUND),
                }
            }
        }
    }

    /// The answer to what is no question, or one that is too long. `PERM`, `TEMP` and a connection that closes without a
    /// word are all errors of the table to Postfix, which then answers 451 to whoever it was about; not found lets him go on.
    fn answer_junk(&self, output: &mut Vec<u8>) {
        self.0.gate.not_understood();
        output.extend_from_slice(match self.0.dialect {
            Dialect::Socketmap => NOT_FOUND,
            Dialect::Tcp => TCP_NOT_FOUND,
        });
    }
}

impl Dialogue for MapDialogue {
    const INPUT_BYTES: usize = 1024;
    /// With the length of a netstring before it, and what ends it.
    const REQUEST_BYTES_MAX: usize = QUESTION_BYTES_MAX + LENGTH_DIGITS_MAX + 2;

    fn step(&mut self, now: Timestamp, input: &mut Input, output: &mut Vec<u8>) -> Step {
        match self.front(input) {
            Front::Question(question, length) => {
                self.answer(now, &input.unread()[question], output);
                input.consume(length);
                Step::Taken
            }
            Front::Part => Step::Part,
            Front::Junk => {
                self.answer_junk(output);
                Step::Fault
            }
        }
    }

    fn carried(&self) -> Option<Vec<u8>> {
        Some(Vec::new())
    }
}

/// The netstring at the front: its length in decimal digits without zeros before them, a colon, so many bytes, a comma.
fn netstring(bytes: &[u8]) -> Front {
    let digits = bytes.iter().take(LENGTH_DIGITS_MAX + 1).take_while(|byte| byte.is_ascii_digit()).count();
    let is_number = digits > 0 && digits <= LENGTH_DIGITS_MAX && (digits == 1 || bytes.first() != Some(&b'0'));
    match bytes.get(digits) {
        None if digits <= LENGTH_DIGITS_MAX => return Front::Part,
        Some(b':') if is_number => {}
        _ => return Front::Junk,
    }
    let length = bytes[..digits].iter().fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
    let (begin, end) = (digits + 1, digits + 1 + length);
    match bytes.get(end) {
        _ if length > QUESTION_BYTES_MAX => Front::Junk,
        None => Front::Part,
        Some(b',') => Front::Question(begin..end, end + 1),
        Some(_) => Front::Junk,
    }
}

/// The name of the table and the key.
fn split(question: &[u8]) -> (&[u8], &[u8]) {
    match memchr(b' ', question) {
        Some(space) => (&question[..space], &question[space + 1..]),
        None => (question, &[]),
    }
}

fn put(output: &mut Vec<u8>, text: core::fmt::Arguments<'_>) {
    let written = output.write_fmt(text);
    debug_assert!(written.is_ok(), "memory takes what is written to it");
}

#[cfg(test)]
mod tests {
    use base::{Decision, Event, ListId, ListSet, Reason, Verdict};
    use proptest::prelude::*;
    use rules::{Door, Question};

    use super::*;
    use crate::alone::Alone;
    use crate::map::Count;
    use crate::policy::{Node, Refusal, Settings};

    /// Refuses one address and one login.
    struct World;

    impl Door for World {
        fn ask(&self, _: Timestamp, question: &Question<'_>) -> Decision {
            let (list, rule, until) = (ListId::BLOCKED, None, None);
            let refused = |reason| Decision { verdict: Verdict::Refuse, reason };
            match (question.address, question.login) {
                (Some(address), _) if address == "203.0.113.7".parse().unwrap() => {
                    refused(Reason::AddressListed { list, rule, until })
                }
                (_, Some("alice")) => refused(Reason::LoginListed { list, rule, until }),
                (_, Some("panic")) => panic!("this panic is part of a test"),
                _ => Decision::PASS,
            }
        }

        fn observe(&self, _: &Event<'_>) -> Decision {
            Decision::PASS
        }
    }

    fn gate(refusal: Refusal) -> Arc<Gate> {
        let node = Node { door: Arc::new(World), ..Alone::open().node() };
        let settings = Settings { refusal, refuse_lists: ListSet::EMPTY, mark_lists: ListSet::EMPTY };
        Arc::new(Gate::new(node, settings))
    }

    /// What is answered to pieces of `step` bytes, and whether the connection ends.
    fn talk(gate: &Arc<Gate>, dialect: Dialect, input: &[u8], step: usize) -> (String, bool) {
        let mut session = Tables::new(gate.clone(), dialect).session(None);
        let said = session.converse(Timestamp::EPOCH, input, step);
        (String::from_utf8(said).expect("answers are ASCII"), session.is_closing())
    }

    const BLOCKED: &str = "REJECT 5.7.1 Your address is blocked here";

    #[test]
    fn netstrings() {
        let gate = gate(Refusal::Reject);
        let found = format!("{}:OK {BLOCKED},", BLOCKED.len() + 3);
        for (question, wanted) in [
            ("19:clients 203.0.113.7,", &*found),
            ("24:clients mail.example.org,", "9:NOTFOUND ,"),
            ("17:clients 203.0.113,", "9:NOTFOUND ,"),
            ("19:clients 203.0.113.8,", "9:NOTFOUND ,"),
            ("12:logins alice,", "48:OK REJECT 5.7.1 This account may not send at the moment,"),
            ("10:logins bob,", "9:NOTFOUND ,"),
            ("12:logins panic,", "9:NOTFOUND ,"),
            ("9:other bob,", "9:NOTFOUND ,"),
            ("0:,", "9:NOTFOUND ,"),
        ] {
            // The lengths of the table are those of its texts.
            let text = question.split_once(':').unwrap().1.trim_end_matches(',');
            let question = format!("{}:{text},", text.len());
            let answer = talk(&gate, Dialect::Socketmap, question.as_bytes(), 3).0;
            let wanted = wanted.split_once(':').unwrap().1;
            assert_eq!(answer.split_once(':').unwrap().1, wanted, "{question}");
            assert_eq!(answer.split_once(':').unwrap().0, (wanted.len() - 1).to_string());
        }
        let two = "19:clients 203.0.113.7,14:clients ::1:23,x".as_bytes();
        assert_eq!(talk(&gate, Dialect::Socketmap, two, 99), (format!("{found}9:NOTFOUND ,9:NOTFOUND ,"), true));
        for junk in ["a", ":", "05:abcde,", "3:abcd", "10001:", "123456", "-1:,"] {
            let wanted = ("9:NOTFOUND ,".to_owned(), true);
            assert_eq!(talk(&gate, Dialect::Socketmap, junk.as_bytes(), 1), wanted, "{junk}");
        }
        let long = format!("{}:clients {},", "clients ".len() + QUESTION_BYTES_MAX, "x".repeat(QUESTION_BYTES_MAX));
        assert_eq!(talk(&gate, Dialect::Socketmap, long.as_bytes(), 4096), ("9:NOTFOUND ,".to_owned(), true));
        assert_eq!((gate.counters().get(Count::Panics), gate.counters().get(Count::Refused)), (1, 3));
    }

    #[test]
    fn lines() {
        let asked = "get 203.0.113.7\nget%20\nget 203%2e0.113.7\r\nget a.example\nput a b\nget %\n";
        let found = format!("200 {}\n", BLOCKED.replace(' ', "%20"));
        let wanted = format!("{found}500 -\n{found}500 -\n500 -\n500 -\n");
        for step in [1, 7, 1000] {
            assert_eq!(talk(&gate(Refusal::Reject), Dialect::Tcp, asked.as_bytes(), step), (wanted.clone(), false));
        }
        let one = |refusal| talk(&gate(refusal), Dialect::Tcp, b"get 203.0.113.7\n", 99).0;
        assert!(one(Refusal::Drop).starts_with("200 521%20"));
        assert!(one(Refusal::Defer).starts_with("200 DEFER_IF_PERMIT%20"));
        let endless = "x".repeat(3 * QUESTION_BYTES_MAX);
        assert_eq!(talk(&gate(Refusal::Reject), Dialect::Tcp, endless.as_bytes(), 900), ("500 -\n".to_owned(), true));
    }

    proptest! {
        #[test]
        fn any_bytes(input in proptest::collection::vec(any::<u8>(), 0..400), step in 1_usize..99) {
            let gate = gate(Refusal::Reject);
            let (output, _) = talk(&gate, Dialect::Tcp, &input, step);
            prop_assert_eq!(output.lines().count(), input.split(|&byte| byte == b'\n').count() - 1);
            talk(&gate, Dialect::Socketmap, &input, step);
        }
    }
}
