use core::time::Duration;
use std::sync::Arc;

use base::{EventKind, Timestamp, Verdict};
use rules::Stage;

use super::gate::{Count, Gate, Reply};
use super::{ANSWER_BYTES_MAX, TEXT_BYTES_MAX};
use crate::session::{Dialogue, Input, Step};

/// Texts of a question.
const TEXTS: usize = 4;
/// Longest question, in bytes.
const QUESTION_BYTES_MAX: usize = TEXTS * (2 + TEXT_BYTES_MAX);
/// How long a question waits for its turn and its answer, before the real saslauthd counts as away.
const CHECK_MAX: Duration = Duration::from_mins(1);

/// One connection, which carries one question.
pub struct SaslDialogue {
    gate: Arc<Gate>,
    standing: Standing,
}

/// How far the question has come.
enum Standing {
    /// It is not there whole.
    Reading,
    /// It is held until then, and refused.
    Held(Timestamp),
    /// The real saslauthd looks at it.
    Checking { who: Who, reply: Reply, since: Timestamp },
    /// It is answered.
    Answered,
    /// What came is no question.
    Malformed,
}

/// Whose password is checked, and for what.
struct Who {
    login: String,
    service: String,
}

impl SaslDialogue {
    pub(super) const fn new(gate: Arc<Gate>) -> Self {
        Self { gate, standing: Standing::Reading }
    }

    /// Looks at the input; the question is asked once it is there whole.
    fn read(&self, now: Timestamp, input: &[u8], output: &mut Vec<u8>) -> Standing {
        let (who, length) = match parse(input) {
            Ok(Some(parsed)) => parsed,
            Ok(None) => return Standing::Reading,
            Err(Malformed) => {
                self.gate.count(Count::Malformed);
                answer(output, b"NO malformed request");
                return Standing::Malformed;
            }
        };
        self.gate.count(Count::Asked);
        match self.gate.ask(now, &who.login, &who.service, Stage::Before) {
            Verdict::Pass => {
                let reply = self.gate.pass_on(input[..length].to_vec());
                Standing::Checking { who, reply, since: now }
            }
            Verdict::Tarpit(span) => Standing::Held(now.plus(span)),
            Verdict::Refuse | Verdict::Defer => self.refuse(Count::Refused, output),
        }
    }

    /// Looks whether the real saslauthd has answered.
    fn look(&self, now: Timestamp, who: Who, reply: Reply, since: Timestamp, output: &mut Vec<u8>) -> Standing {
        if reply.get().is_none() && now.since(since) < CHECK_MAX {
            return Standing::Checking { who, reply, since };
        }
        let Some(said) =
            reply.get().and_then(Option::as_deref).map(|answer| &answer[..answer.len().min(ANSWER_BYTES_MAX)])
        else {
            self.gate.count(Count::Away);
            answer(output, b"NO authentication server is away");
            return Standing::Answered;
        };
        let Who { login, service } = who;
        if !said.starts_with(b"OK") {
            self.gate.count(Count::Failed);
            self.gate.report(now, &login, &service, EventKind::LoginFailed);
        } else if matches!(self.gate.ask(now, &login, &service, Stage::After), Verdict::Refuse | Verdict::Defer) {
            return self.refuse(Count::RefusedAfter, output);
        } else {
            self.gate.count(Count::Ok);
            self.gate.report(now, &login, &service, EventKind::LoginOk);
        }
        answer(output, said);
        Standing::Answered
    }

    /// The words are those of a wrong password.
    fn refuse(&self, count: Count, output: &mut Vec<u8>) -> Standing {
        self.gate.count(count);
        answer(output, b"NO authentication failed");
        Standing::Answered
    }
}

impl Dialogue for SaslDialogue {
    const INPUT_BYTES: usize = 1024;
    const REQUEST_BYTES_MAX: usize = QUESTION_BYTES_MAX;

    fn step(&mut self, now: Timestamp, input: &mut Input, output: &mut Vec<u8>) -> Step {
        self.standing = match core::mem::replace(&mut self.standing, Standing::Answered) {
            Standing::Reading => self.read(now, input.unread(), output),
            Standing::Held(end) if now >= end => self.refuse(Count::Refused, output),
            Standing::Checking { who, reply, since } => self.look(now, who, reply, since, output),
            standing @ (Standing::Held(_) | Standing::Answered | Standing::Malformed) => standing,
        };
        match self.standing {
            Standing::Reading => Step::Part,
            Standing::Held(_) | Standing::Checking { .. } => Step::Later,
            Standing::Answered => Step::End,
            Standing::Malformed => Step::Fault,
        }
    }

    fn carried(&self) -> Option<Vec<u8>> {
        matches!(self.standing, Standing::Reading).then(Vec::new)
    }
}

fn answer(output: &mut Vec<u8>, text: &[u8]) {
    output.extend_from_slice(&(text.len() as u16).to_be_bytes());
    output.extend_from_slice(text);
}

/// No question, and nothing that could become one.
struct Malformed;

/// Login and service of a question with its length; none if it is not there whole. A login without a domain has its realm
/// as one, as saslauthd's own mechanisms have it.
fn parse(bytes: &[u8]) -> Result<Option<(Who, usize)>, Malformed> {
    let mut texts = [&[][..]; TEXTS];
    let mut at = 0;
    for text in &mut texts {
        let Some(length) = bytes.get(at..at + 2) else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        if length > TEXT_BYTES_MAX {
            return Err(Malformed);
        }
        let Some(found) = bytes.get(at + 2..at + 2 + length) else { return Ok(None) };
        (*text, at) = (found, at + 2 + length);
    }
    let [login, _, service, realm] = texts.map(String::from_utf8_lossy);
    let login = if realm.is_empty() || login.contains('@') { login.into_owned() } else { format!("{login}@{realm}") };
    Ok(Some((Who { login, service: service.into_owned() }, at)))
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::sync::{Mutex, OnceLock};

    use base::{Decision, Event, Reason};
    use proptest::prelude::*;
    use rules::{Door, Question};

    use super::*;
    use crate::saslauthd::Upstream;
    use crate::session::Protocol as _;

    /// Decides by login, and keeps what it was told.
    #[derive(Default)]
    struct World(Mutex<Vec<String>>);

    impl Door for World {
        fn ask(&self, _: Timestamp, question: &Question<'_>) -> Decision {
            let verdict = match (question.login, question.stage) {
                (Some("refused"), _) | (Some("late"), Stage::After) => Verdict::Refuse,
                (Some("held"), _) => Verdict::Tarpit(Duration::from_secs(2)),
                (Some("panic"), _) => panic!("this panic is part of a test"),
                _ => Verdict::Pass,
            };
            Decision { verdict, reason: Reason::Unlisted }
        }

        fn observe(&self, event: &Event<'_>) -> Decision {
            self.0.lock().unwrap().push(format!("{} {} {}", event.kind, event.login.unwrap(), event.service));
            Decision::PASS
        }
    }

    /// Knows one password; away for one login.
    struct Real;

    impl Upstream for Real {
        fn pass_on(&self, question: Vec<u8>) -> Reply {
            let has = |text: &[u8]| question.windows(text.len()).any(|window| window == text);
            let answer = if has(b"secret") { "OK" } else { "NO wrong" };
            Arc::new(OnceLock::from((!has(b"away")).then(|| answer.as_bytes().to_vec())))
        }
    }

    fn question(texts: [&str; 4]) -> Vec<u8> {
        texts.iter().flat_map(|text| [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat()).collect()
    }

    /// The answer, with how many seconds it took.
    fn ask(gate: &Arc<Gate>, input: &[u8], step: usize) -> (String, u64) {
        let mut session = gate.session(None);
        let mut seconds = 0;
        for piece in input.chunks(step) {
            session.space()[..piece.len()].copy_from_slice(piece);
            session.filled(piece.len());
            session.serve(Timestamp::from_secs(seconds));
            while session.is_waiting() {
                seconds += 1;
                session.serve(Timestamp::from_secs(seconds));
            }
            if session.is_closing() {
                break;
            }
        }
        let output = session.output();
        assert!(output.len() < 2 || usize::from(u16::from_be_bytes([output[0], output[1]])) == output.len() - 2);
        (String::from_utf8_lossy(output.get(2..).unwrap_or_default()).into_owned(), seconds.saturating_sub(1))
    }

    #[test]
    fn logins() {
        let world = Arc::new(World::default());
        let gate = Arc::new(Gate::new(world.clone(), Arc::new(Real)));
        for (texts, wanted) in [
            (["alice", "secret", "imap", ""], ("OK", 0)),
            (["alice", "guess", "imap", "example.org"], ("NO wrong", 0)),
            (["bob@a.example", "guess", "smtp", "example.org"], ("NO wrong", 0)),
            (["refused", "secret", "imap", ""], ("NO authentication failed", 0)),
            (["late", "secret", "imap", ""], ("NO authentication failed", 0)),
            (["held", "secret", "imap", ""], ("NO authentication failed", 1)),
            (["away", "secret", "imap", ""], ("NO authentication server is away", 0)),
            (["panic", "secret", "imap", ""], ("OK", 0)),
        ] {
            for step in [1, 1000] {
                let (said, seconds) = ask(&gate, &question(texts), step);
                assert_eq!((said.as_str(), seconds), wanted, "{texts:?}");
            }
        }
        let told: Vec<_> = world.0.lock().unwrap().iter().step_by(2).cloned().collect();
        let wanted = [
            "login-ok alice imap",
            "login-failed alice@example.org imap",
            "login-failed bob@a.example smtp",
            "login-ok panic imap",
        ];
        assert_eq!(told, wanted);
        let long = "x".repeat(TEXT_BYTES_MAX + 1);
        assert_eq!(ask(&gate, &question([&long, "", "", ""]), 99).0, "NO malformed request");
        assert_eq!(gate.counters().get(Count::Malformed), 1);
    }

    proptest! {
        #[test]
        fn any_bytes(input in proptest::collection::vec(any::<u8>(), 0..1500), step in 1_usize..900) {
            let gate = Arc::new(Gate::new(Arc::new(World::default()), Arc::new(Real)));
            ask(&gate, &input, step);
        }
    }
}
