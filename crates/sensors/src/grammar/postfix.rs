//! Postfix, any instance and any service.
//!
//! The tag is `SYSLOG_NAME/PROCESS`, where instances and services choose the name: `postfix/smtpd`, `postfix/submission/smtpd`,
//! `postfix-out/smtps/smtpd`. The process decides what a line means.
//!
//! | process | what it tells | file |
//! |---|---|---|
//! | `smtpd` | logins, rejections with their reason, limits, what a client did wrong | `smtpd.rs`, `reject.rs` |
//! | `postscreen` | clients that talk too early, are on lists, or do not speak SMTP | `postscreen.rs` |
//! | `cleanup` | messages that a milter refused | `reject.rs` |
//! | `qmgr` | messages that were accepted, from logins and from others | here |
//! | `smtp`, `lmtp`, `local`, `virtual`, `pipe`, `error`, `bounce` | what bounced of these | here |
//!
//! `anvil` tells the highest numbers of every ten minutes, which break no limit: what does, `smtpd` says itself.
//!
//! Client, login and queue id are read from the left. Before the address stands only the reverse name, which Postfix takes
//! for `unknown` unless it is a valid host name (`valid_hostname()`: letters, digits, dots, hyphens, underscores). So the
//! first bracket is Postfix' own.

mod postscreen;
mod reject;
mod smtpd;

use base::EventKind::{Connect, LoginFailed, LoginOk, MessageReceived, MessageSent, SpamSeen, UnknownRecipient};
use base::{Address, Event, Tally, Timestamp};

use super::parts::{Recent, Told};
use super::visits::{NO_MORE, Visits};
use super::{Glance, Grammar, Sink};
use crate::frame::Frame;
use crate::text::{address_in_brackets, behind_path, contains, digits, rsplit, split, steps};
use crate::words;

/// How many messages of logins are remembered until they are delivered or bounce, and how many of others until they are
/// taken.
const MESSAGES_MAX: usize = 65_536;

/// How many processes are remembered whose clients failed to log in.
const PROCESSES_MAX: usize = 8_192;

/// The grammar of Postfix' log.
pub struct Postfix {
    /// Messages of logins, by queue id.
    messages: Recent<Message>,
    /// Messages of others that are being taken. Most of a log's are, and none for long: so few are always at hand.
    strangers: Recent<(Address, &'static str)>,
    /// Failed logins that were told, by process: at the end of a connection Postfix tells how many there were.
    failures: Recent<(Address, u16)>,
    /// Connections that came to nothing.
    visits: Visits,
}

struct Message {
    address: Address,
    login: Box<str>,
    service: &'static str,
    /// Whether the queue manager has told of it.
    is_told: bool,
}

impl Default for Postfix {
    fn default() -> Self {
        Self {
            messages: Recent::new(MESSAGES_MAX),
            strangers: Recent::new(MESSAGES_MAX),
            failures: Recent::new(PROCESSES_MAX),
            visits: Visits::default(),
        }
    }
}

/// The processes, as their tags are remembered.
const SMTPD: u8 = 0;
/// `smtpd` where users hand in mail.
const SUBMISSION: u8 = 1;
const POSTSCREEN: u8 = 2;
const CLEANUP: u8 = 3;
const QMGR: u8 = 4;
/// All that deliver.
const DELIVERY: u8 = 5;

/// The usual names of the services where users hand in mail. Some settings name the process so, too.
const SUBMISSIONS: [&str; 3] = ["submission", "submissions", "smtps"];

impl Grammar for Postfix {
    fn name(&self) -> &'static str {
        "postfix"
    }

    fn speaks(&self, program: &str) -> bool {
        let processes =
            ["smtpd", "postscreen", "cleanup", "qmgr", "smtp", "lmtp", "local", "virtual", "pipe", "error", "bounce"];
        let is_known = |process| processes.contains(&process) || SUBMISSIONS.contains(&process);
        program.rsplit_once('/').is_some_and(|(name, process)| !name.is_empty() && is_known(process))
    }

    fn process(&self, program: &str) -> u8 {
        let (name, process) = split_process(program);
        match process {
            "smtpd" if service(name) == "submission" => SUBMISSION,
            "smtpd" => SMTPD,
            process if SUBMISSIONS.contains(&process) => SUBMISSION,
            "postscreen" => POSTSCREEN,
            "cleanup" => CLEANUP,
            "qmgr" => QMGR,
            _ => DELIVERY,
        }
    }

    fn glance(&mut self, process: u8, host: &[u8], message: &[u8]) -> Glance<'_> {
        match process {
            SMTPD | SUBMISSION => self.glance_smtpd(process, host, message),
            POSTSCREEN => {
                let is_idle = [&b"CONNECT "[..], b"PASS ", b"DISCONNECT "].iter().any(|idle| message.starts_with(idle));
                if is_idle { Glance::Nothing } else { Glance::Text }
            }
            CLEANUP => match after_id(message) {
                Some((_, rest)) if rest.starts_with(b"message-id=") => Glance::Nothing,
                _ => Glance::Text,
            },
            QMGR if self.messages.is_empty() && self.strangers.is_empty() => Glance::Nothing,
            QMGR => self.queued(host, message).map_or(Glance::Nothing, Glance::Event),
            // Whether mail of others was delivered is of no interest.
            _ if self.messages.is_empty() => Glance::Nothing,
            _ => {
                let id = after_id(message).map_or(&b""[..], |(id, _)| id);
                let message = self.messages.get(Recent::<Message>::key(host, id, 0));
                if message.is_some() { Glance::Text } else { Glance::Nothing }
            }
        }
    }

    fn read(&mut self, frame: &Frame<'_>, time: Timestamp, out: Sink<'_>) {
        let text = frame.message.trim_ascii_end();
        match frame.process {
            SMTPD => self.smtpd(frame, "smtp", text, time, out),
            SUBMISSION => self.smtpd(frame, "submission", text, time, out),
            POSTSCREEN => {
                if let Some(told) = postscreen::told(text) {
                    out(told.event(time, "smtp"));
                }
            }
            CLEANUP => {
                let (_, rest) = queue_id(text);
                if let Some(told) = reject::told(rest) {
                    out(told.event(time, "smtp"));
                }
            }
            QMGR => {}
            _ => self.delivered(frame.host, text, time, out),
        }
    }
}

impl Postfix {
    fn smtpd(&mut self, frame: &Frame<'_>, service: &'static str, text: &str, time: Timestamp, out: Sink<'_>) {
        let process = || Recent::<(Address, u16)>::key(frame.host, frame.program, frame.pid.unwrap_or(0));
        let (id, rest) = queue_id(text);
        if let Some(rest) = rest.strip_prefix("client=") {
            self.begun(frame.host, service, id, rest, time, out);
            return;
        }
        let told = match text.strip_prefix("disconnect from ") {
            Some(rest) => {
                self.visits.end(process());
                self.disconnected(process, rest)
            }
            None => smtpd::told(text, rest),
        };
        let Some(mut told) = told else { return };
        if told.kind == Connect && !self.visits.is_news(process(), smtpd::place(text, rest), told.address, time) {
            told.tally = NO_MORE;
        }
        if told.kind == LoginFailed && told.tally == Tally::One {
            let process = process();
            let count = self.failures.get(process).filter(|(address, _)| *address == told.address);
            let count = count.map_or(1, |(_, count)| count.saturating_add(1));
            self.failures.insert(process, (told.address, count));
        }
        out(told.event(time, service));
    }

    /// `NAME[ADDRESS][, sasl_method=MECH, sasl_username=LOGIN]` behind `ID: client=`: a message begins to come. Whether it was
    /// taken the queue manager tells.
    fn begun(&mut self, host: &str, service: &'static str, id: &str, text: &str, time: Timestamp, out: Sink<'_>) {
        let Some((address, rest)) = client(text) else { return };
        let key = Recent::<Message>::key(host, id, 0);
        match smtpd::login(rest) {
            Some(login) => {
                out(Told::new(LoginOk, address).by(login).event(time, service));
                if id != "NOQUEUE" {
                    self.strangers.remove(key);
                    self.messages.insert(key, Message { address, login: login.into(), service, is_told: false });
                }
            }
            None if id != "NOQUEUE" => self.begun_by_stranger(key, address, service),
            None => {}
        }
    }

    fn begun_by_stranger(&mut self, key: u64, address: Address, service: &'static str) {
        self.messages.remove(key);
        self.strangers.insert(key, (address, service));
    }

    /// `NAME[ADDRESS] ehlo=1 auth=0/1 … commands=2/3`: a number of those that were answered well, and if that is not all,
    /// a slash and the number of all. What lines of their own told already is not told again.
    fn disconnected(&mut self, process: impl Fn() -> u64, text: &str) -> Option<Told<'static>> {
        let (_, rest) = split(text, " auth=")?;
        let (well, rest) = digits(rest)?;
        let (all, _) = digits(rest.strip_prefix('/')?)?;
        let failed = all.parse::<u16>().ok()?.checked_sub(well.parse().ok()?).filter(|failed| *failed > 0)?;
        let (address, _) = client(text)?;
        let told = self.failures.remove(process()).filter(|(other, _)| *other == address).map_or(0, |(_, count)| count);
        (failed > told).then(|| Told::new(LoginFailed, address).in_all(failed))
    }

    fn glance_smtpd(&mut self, process: u8, host: &[u8], message: &[u8]) -> Glance<'_> {
        if message.starts_with(b"connect ") {
            return Glance::Nothing;
        }
        if message.starts_with(b"disconnect ") {
            // Where all went well, no number has a slash.
            return if memchr::memchr(b'/', message).is_some() { Glance::Text } else { Glance::Nothing };
        }
        match self.glance_stranger(process, host, message) {
            Some(()) => Glance::Nothing,
            None => Glance::Text,
        }
    }

    /// `ID: client=NAME[ADDRESS]` and no more: a message of a stranger begins to come.
    fn glance_stranger(&mut self, process: u8, host: &[u8], message: &[u8]) -> Option<()> {
        let (id, rest) = after_id(message)?;
        let rest = rest.strip_prefix(b"client=")?;
        let (address, end) = client_of(rest)?;
        if id == b"NOQUEUE" || !rest.get(end..)?.trim_ascii().is_empty() {
            return None;
        }
        let service = if process == SUBMISSION { "submission" } else { "smtp" };
        self.begun_by_stranger(Recent::<Message>::key(host, id, 0), address, service);
        Some(())
    }

    /// `ID: from=<SENDER>, size=1, nrcpt=1 (queue active)`.
    fn queued(&mut self, host: &[u8], message: &[u8]) -> Option<Event<'_>> {
        let (id, rest) = after_id(message)?;
        let key = Recent::<Message>::key(host, id, 0);
        if rest.starts_with(b"from=<") {
            // It may be queued again, and is told once.
            if let Some((address, service)) = self.strangers.remove(key) {
                return Some(Told::new(MessageReceived, address).event(Timestamp::EPOCH, service));
            }
            let message = self.messages.get_mut(key)?;
            let is_told = core::mem::replace(&mut message.is_told, true);
            let told = Told::new(MessageSent, message.address).by(&message.login);
            return (!is_told).then(|| told.event(Timestamp::EPOCH, message.service));
        }
        if rest.trim_ascii_end() == b"removed" {
            self.strangers.remove(key);
            self.messages.remove(key);
        }
        None
    }

    /// `ID: to=<RECIPIENT>, relay=…, dsn=5.1.1, status=bounced (…)`: of a message whose login is known.
    fn delivered(&mut self, host: &str, text: &str, time: Timestamp, out: Sink<'_>) {
        let (id, rest) = queue_id(text);
        let Some(message) = self.messages.get(Recent::<Message>::key(host, id, 0)) else { return };
        let Some((before, status)) = behind_recipients(rest).and_then(|rest| split(rest, ", status=")) else { return };
        if !status.starts_with("bounced (") {
            return;
        }
        // Refused for what it is, not for whom it is to.
        let is_refused = rsplit(before, ", dsn=").is_some_and(|(_, dsn)| dsn.starts_with("5.7."));
        let kind = if is_refused { SpamSeen } else { UnknownRecipient };
        out(Told::new(kind, message.address).by(&message.login).event(time, message.service));
    }
}

/// The queue id and what follows its colon; Postfix writes letters and digits, or `NOQUEUE`.
fn queue_id(text: &str) -> (&str, &str) {
    let found = after_id(text.as_bytes()).and_then(|(id, rest)| {
        steps::add(id.len() + 1);
        Some((text.get(..id.len())?, text.get(text.len() - rest.len()..)?))
    });
    found.unwrap_or(("", text))
}

/// The same of bytes; none if no id is there.
fn after_id(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = words::alphanumerics(message);
    let rest = message.get(end..)?.strip_prefix(b": ")?;
    Some((message.get(..end)?, rest))
}

/// What follows `to=<RECIPIENT>` and `, orig_to=<RECIPIENT>`.
fn behind_recipients(text: &str) -> Option<&str> {
    let rest = behind_path(text.strip_prefix("to=")?)?;
    rest.strip_prefix(", orig_to=").map_or(Some(rest), behind_path)
}

/// The name of the instance and service, and that of the process.
fn split_process(program: &str) -> (&str, &str) {
    // Names of processes are short, so that a search would take longer to prepare.
    let at = program.bytes().rposition(|byte| byte == b'/');
    at.and_then(|at| Some((program.get(..at)?, program.get(at + 1..)?))).unwrap_or(("", program))
}

/// `submission` for the services where users hand in mail, by their usual names; `smtp` for the others.
fn service(name: &str) -> &'static str {
    let name = split_process(name).1;
    // One that is called by what it listens on: `[::]:587`, `192.0.2.1:587`.
    match name.rsplit_once(':').map_or(name, |(_, port)| port) {
        "587" | "465" => "submission",
        name if SUBMISSIONS.contains(&name) => "submission",
        _ => "smtp",
    }
}

/// `NAME[ADDRESS]` with `:PORT` where `smtpd_client_port_logging` is on, and what follows.
fn client(text: &str) -> Option<(Address, &str)> {
    let found = client_of(text.as_bytes());
    steps::add(found.map_or(text.len(), |(_, end)| end));
    found.and_then(|(address, end)| Some((address, text.get(end..)?)))
}

/// The same of bytes, and where it ends.
fn client_of(text: &[u8]) -> Option<(Address, usize)> {
    let open = words::name_bytes(text);
    let (address, end) = address_in_brackets(text, open)?;
    let digits = |rest: &[u8]| rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match text.get(end..) {
        Some([b':', port @ ..]) if digits(port) > 0 => Some((address, end + 1 + digits(port))),
        _ => Some((address, end)),
    }
}

/// What follows the command and ` from `: the command is Postfix' own text without spaces, with how many bytes were read.
fn after_command(text: &str) -> Option<&str> {
    let (command, rest) = split(text, " from ")?;
    (!contains(command, "[")).then_some(rest)
}
