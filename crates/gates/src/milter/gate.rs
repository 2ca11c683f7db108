use core::net::IpAddr;
use core::time::Duration;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base::{Address, Channel, Event, EventKind, ListSet, Tally, Timestamp};
use rules::Stage;
use rules::limits::{LimitEffect, Sending};

use super::carried;
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
    /// How many connections there were.
    connections: AtomicU64,
}

/// The names of the connection for the limits: one for all messages that the queue has a name for, and one for the others.
const SESSION: &str = "milter";
const UNNAMED_SESSION: &str = "milter, without the queue's name";

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
    /// Messages that came without the queue's name for them.
    Unnamed = "unnamed",
    /// Of these, those that were not limited, because the policy gate may have charged them.
    Unlimited = "unlimited",
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
    /// Which connection it is on, the which message of it, and when it began: a name of our own.
    pub(super) connection: u64,
    pub(super) number: u64,
    pub(super) began: Timestamp,
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
        Self { node, settings, counters: Counters::default(), connections: AtomicU64::new(0) }
    }

    /// What was counted so far.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What somebody should look at.
    pub fn warning(&self) -> Option<&'static str> {
        (self.counters.get(Count::Unlimited) > 0).then_some(
            "messages come to the milter without the queue's name for them (macro `i`), so that it cannot tell which of them the \
             policy gate has charged: the milter limits none of these; have the mail server send it, in Postfix by \
             `milter_end_of_data_macros = i`",
        )
    }

    /// The number of a new connection.
    pub(super) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed)
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

    /// Charges the message, once whichever gates see it.
    fn settle(&self, address: Option<Address>, macros: &Macros, message: &Message) -> Result<Option<Beyond>, Panicked> {
        let Some((session, instance)) = self.name(address, macros, message)? else {
            self.counters.add(Count::Unlimited);
            return Ok(None);
        };
        let to: Vec<&str> = message.to.iter().map(String::as_str).collect();
        let sending = Sending {
            session,
            instance: &instance,
            // The policy gate has asked about each of them.
            to: if session == POLICY_SESSION { &[] } else { &to },
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

    /// The message's name for the limits: the one that the policy gate knows it by, otherwise the queue's, otherwise one of our
    /// own; none if the policy gate is asked and it cannot be told about which message.
    fn name<'a>(
        &self,
        address: Option<Address>,
        macros: &'a Macros,
        message: &Message,
    ) -> Result<Option<(&'static str, Cow<'a, str>)>, Panicked> {
        let messages = self.node.messages.as_ref();
        if !macros.queue_id.is_empty() {
            let instance = guarded(|| messages.and_then(|messages| messages.instance_of(&macros.queue_id, address)))?;
            return Ok(Some(match instance {
                Some(instance) => (POLICY_SESSION, Cow::Owned(instance.into())),
                None => (SESSION, Cow::Borrowed(&*macros.queue_id)),
            }));
        }
        self.counters.add(Count::Unnamed);
        if messages.is_some_and(|messages| messages.is_used()) {
            return Ok(None);
        }
        let Message { connection, number, began, .. } = message;
        // With the moment, because the numbers begin again after a restart.
        Ok(Some((UNNAMED_SESSION, Cow::Owned(format!("{connection}.{number}.{}", began.as_millis())))))
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

    fn go_on(&self, peer: Option<IpAddr>, state: &[u8]) -> MilterDialogue {
        let mut dialogue = self.open(peer);
        carried::read(state, &mut dialogue);
        dialogue
    }
}
