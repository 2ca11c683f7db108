use core::net::IpAddr;
use core::time::Duration;
use std::sync::Arc;

use base::{Address, Channel, Event, EventKind, ListSet, Tally, Timestamp};
use rules::Stage;
use rules::limits::{LimitEffect, Sending};

use super::digest::Digest;
use super::macros::{Macros, Recipient};
use super::session::MilterDialogue;
use crate::counting::counts;
use crate::policy::{Beyond, Cause, Node, Panicked, Refusal, Settings, guarded};
use crate::postfix::SESSION as POLICY_SESSION;
use crate::session::Protocol;

/// The header that every message gets, and of which those that came with it are removed.
pub const HEADER: &str = "X-Ratter-Verdict";

/// The gate: what is said of a client and its messages.
pub struct Gate {
    node: Node,
    settings: Settings,
    counters: Counters,
}

counts! {
    /// Clients that connected.
    Connected = "connected",
    /// Messages that came to their end.
    Messages = "messages",
    /// Of these, those that passed.
    Passed = "passed",
    /// Clients and senders that were refused.
    Refused = "refused",
    /// Messages beyond a limit that were refused.
    OverLimit = "over_limit",
    /// Messages beyond a limit that were held.
    Held = "held",
    /// Messages from a listed address.
    Marked = "marked",
    /// Recipients that do not exist; told as events unless the log tells them.
    UnknownRecipients = "unknown_recipients",
    /// Recipients elsewhere for whom the server does not relay; told as events unless the log tells them.
    RelayDenied = "relay_denied",
    /// Connections that were closed because of a packet that was not understood.
    Malformed = "malformed",
    /// Steps during which something of ours panicked; they passed.
    Panics = "panics",
}

/// What is said at a step of the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reply {
    /// Go on.
    Continue,
    /// Refuse, in these words: a reply of SMTP.
    Refuse { code: &'static str, text: &'static str },
}

/// What becomes of a message at its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// It is accepted with this value of [`HEADER`]; it may be held.
    Accept { verdict: String, is_held: bool },
    /// It is refused.
    Refuse { code: &'static str, text: &'static str },
}

/// A message on its way.
#[derive(Default, Debug)]
pub(super) struct Message {
    pub(super) sender: String,
    /// How large the client says that it is.
    pub(super) size: u64,
    /// The first of its recipients.
    pub(super) to: Vec<String>,
    pub(super) recipients: u32,
    /// How many headers of our own name it came with.
    pub(super) own_headers: u32,
    /// The program that wrote it, as it calls itself.
    pub(super) program: String,
    pub(super) digest: Digest,
}

impl Message {
    /// Takes in what is of interest in a header.
    pub(super) fn header(&mut self, name: &[u8], value: &[u8]) {
        if name.eq_ignore_ascii_case(b"subject") {
            self.digest.subject(value);
        } else if name.eq_ignore_ascii_case(b"user-agent") || name.eq_ignore_ascii_case(b"x-mailer") {
            // Without its version: it is the same program after an update.
            let end = value.iter().position(|byte| byte.is_ascii_digit() || *byte == b'(').unwrap_or(value.len());
            let name = &value[..end.min(PROGRAM_BYTES_MAX)];
            self.program = String::from_utf8_lossy(name.trim_ascii()).into_owned();
        }
    }
}

/// Longest name of a program that is told apart from others, in bytes.
const PROGRAM_BYTES_MAX: usize = 100;

impl Gate {
    /// A gate in front of `node`.
    pub fn new(node: Node, settings: Settings) -> Self {
        Self { node, settings, counters: Counters::default() }
    }

    /// What was counted so far.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(super) fn connected(&self, now: Timestamp, address: Option<Address>) -> Reply {
        self.counters.add(Count::Connected);
        self.refused(now, Stage::Connect, address, None)
    }

    /// Asked again when the login is known, or nobody has logged in.
    pub(super) fn mail(&self, now: Timestamp, address: Option<Address>, macros: &Macros) -> Reply {
        self.refused(now, Stage::After, address, login_of(macros))
    }

    pub(super) fn malformed(&self) {
        self.counters.add(Count::Malformed);
    }

    fn refused(&self, now: Timestamp, stage: Stage, address: Option<Address>, login: Option<&str>) -> Reply {
        let refused = self.node.refused(now, &self.settings, stage, address, login).unwrap_or_else(|Panicked| {
            self.counters.add(Count::Panics);
            None
        });
        let Some(cause) = refused else { return Reply::Continue };
        self.counters.add(Count::Refused);
        let code = match (self.settings.refusal, cause) {
            (Refusal::Defer, _) | (_, Cause::ForNow) => "450 4.7.1",
            (Refusal::Reject, _) | (Refusal::Drop, Cause::Login | Cause::Pair) => "550 5.7.1",
            (Refusal::Drop, Cause::Address | Cause::Elsewhere) => "521 5.7.1",
        };
        Reply::Refuse { code, text: cause.text() }
    }

    /// Tells of a recipient that the server has refused.
    pub(super) fn recipient_refused(&self, now: Timestamp, address: Option<Address>, macros: &Macros) {
        let (count, kind) = match macros.recipient {
            Recipient::Unknown => (Count::UnknownRecipients, EventKind::UnknownRecipient),
            Recipient::Relay => (Count::RelayDenied, EventKind::RelayDenied),
            Recipient::Accepted | Recipient::Refused => return,
        };
        self.counters.add(count);
        if self.node.reads_log {
            return;
        }
        let event = Event {
            time: now,
            kind,
            service: "smtp",
            address,
            login: login_of(macros),
            session: None,
            password: None,
            channel: Channel::Gate,
            tally: Tally::One,
            reporter: None,
        };
        if guarded(|| self.node.door.observe(&event)).is_err() {
            self.counters.add(Count::Panics);
        }
    }

    /// Decides on a message at its end.
    pub(super) fn end(&self, address: Option<Address>, macros: &Macros, message: &Message) -> End {
        self.counters.add(Count::Messages);
        let over = self.settle(address, macros, message).unwrap_or_else(|Panicked| {
            self.counters.add(Count::Panics);
            None
        });
        let (count, end) = match over {
            Some(Beyond { effect: LimitEffect::Defer, text }) => {
                (Count::OverLimit, End::Refuse { code: "451 4.7.1", text })
            }
            Some(Beyond { effect: LimitEffect::Refuse, text }) => {
                (Count::OverLimit, End::Refuse { code: "550 5.7.1", text })
            }
            Some(Beyond { effect: LimitEffect::Hold, .. }) => (Count::Held, self.accept(address, macros, true)),
            Some(Beyond { effect: LimitEffect::Note, .. }) | None => {
                (Count::Passed, self.accept(address, macros, false))
            }
        };
        self.counters.add(count);
        end
    }

    /// Charges the message: under the name that the policy gate knows it by, so that it is charged once, and otherwise under
    /// that of the queue.
    fn settle(&self, address: Option<Address>, macros: &Macros, message: &Message) -> Result<Option<Beyond>, Panicked> {
        if macros.queue_id.is_empty() {
            return Ok(None);
        }
        let messages = self.node.messages.as_ref();
        let instance = guarded(|| messages.and_then(|messages| messages.instance_of(&macros.queue_id, address)))?;
        let to: Vec<&str> = message.to.iter().map(String::as_str).collect();
        // The policy gate has asked about each of them.
        let (session, instance, to) = match &instance {
            Some(instance) => (POLICY_SESSION, &**instance, &[][..]),
            None => ("milter", &*macros.queue_id, &to[..]),
        };
        let sending = Sending {
            session,
            instance,
            to,
            size: message.size,
            login: login_of(macros),
            address,
            sender: Some(&*message.sender).filter(|sender| !sender.is_empty()),
            client: &message.program,
            body: message.digest.number(),
            recipients: message.recipients.max(1),
        };
        self.node.settle(&sending)
    }

    fn accept(&self, address: Option<Address>, macros: &Macros, is_held: bool) -> End {
        let lists = guarded(|| self.node.lists_of(self.settings.mark_lists, address, login_of(macros)));
        let lists = lists.unwrap_or(ListSet::EMPTY);
        let verdict = match (is_held, lists.is_empty()) {
            (true, _) => "over-limit".to_owned(),
            (false, true) => "pass".to_owned(),
            (false, false) => {
                self.counters.add(Count::Marked);
                format!("listed; lists={}", self.node.names_of(lists))
            }
        };
        End::Accept { verdict, is_held }
    }
}

fn login_of(macros: &Macros) -> Option<&str> {
    Some(&*macros.login).filter(|login| !login.is_empty())
}

/// The gate as a protocol of the shell.
impl Protocol for Arc<Gate> {
    type Dialogue = MilterDialogue;

    /// A mail server may be silent as long as its client is: as long as an SMTP session may stand still.
    const IDLE_MAX: Option<Duration> = Some(Duration::from_hours(1));

    fn open(&self, _: Option<IpAddr>) -> MilterDialogue {
        MilterDialogue::new(self.clone())
    }
}
