use core::net::IpAddr;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;

use base::Timestamp;
use rules::Stage;
use rules::limits::{LimitEffect, Sending};

use super::paid::Paid;
use super::request::{Request, State};
use super::session::{Open, PolicyDialogue};
use super::shown::Shown;
use crate::counting::counts;
use crate::policy::{Beyond, Cause, Node, Panicked, Refusal, Settings};
use crate::session::Protocol;

/// The name of the connection for the limits: none, because Postfix asks about one message on several connections, and
/// its `instance` is unique.
pub(crate) const SESSION: &str = "";

/// How the names of messages begin, and of connections, whose client has none for them.
pub const UNNAMED: &str = "unnamed ";

/// What such a client sends within this time is one message to those who tell messages apart.
pub(super) const UNNAMED_WITHIN: Duration = Duration::from_mins(10);

/// The gate: one action for each request.
pub struct Gate {
    node: Node,
    settings: Settings,
    counters: Counters,
    /// Messages that had to be given a name here.
    unnamed: AtomicU64,
    /// What was charged of them.
    paid: Paid,
}

/// What Postfix shall do: an action of access(5).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Nothing: what stands behind this check decides.
    Dunno,
    /// Refuse, with these words.
    Reject(&'static str),
    /// Refuse for now, unless something behind this check refuses for good.
    DeferIfPermit(&'static str),
    /// Refuse for now, at once.
    Defer(&'static str),
    /// Refuse, and end the connection.
    Drop(&'static str),
    /// Take the message, and keep it back.
    Hold(&'static str),
    /// Put a header of Ratter's before the message; the names of lists, separated by commas.
    Mark(String),
}

counts! {
    /// Requests that were understood.
    Asked = "asked",
    /// Answered with `DUNNO`.
    Passed = "passed",
    /// Answered with a refusal of the client or its login.
    Refused = "refused",
    /// Recipients and messages beyond a limit that were refused.
    OverLimit = "over_limit",
    /// Recipients and messages beyond a limit that were held.
    Held = "held",
    /// Messages that were marked as from a listed address.
    Marked = "marked",
    /// Requests that were not understood, or too long; answered with `DUNNO`.
    Malformed = "malformed",
    /// Requests during which something of ours panicked; answered with `DUNNO`.
    Panics = "panics",
}

impl Gate {
    /// A gate in front of `node`.
    pub fn new(node: Node, settings: Settings) -> Self {
        Self { node, settings, counters: Counters::default(), unnamed: AtomicU64::new(0), paid: Paid::default() }
    }

    /// What was counted so far.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Answers one request without the empty line at its end; `open` is what is known of the connection.
    pub fn answer(&self, now: Timestamp, text: &str, open: &mut Open) -> Action {
        let Ok(request) = Request::parse(text) else { return self.not_understood() };
        self.counters.add(Count::Asked);
        let action = self.decide(now, &request, open).unwrap_or_else(|Panicked| {
            self.counters.add(Count::Panics);
            Action::Dunno
        });
        if action == Action::Dunno {
            self.counters.add(Count::Passed);
        }
        action
    }

    /// The neutral answer to what is no request.
    pub(super) fn not_understood(&self) -> Action {
        self.counters.add(Count::Malformed);
        Action::Dunno
    }

    /// The message that is on its way on a connection is given up, if there is one.
    pub(super) fn give_up(&self, open: &mut Open) {
        if let Some(instance) = open.end()
            && self.node.release(SESSION, instance).is_err()
        {
            self.counters.add(Count::Panics);
        }
    }

    fn decide(&self, now: Timestamp, request: &Request<'_>, open: &mut Open) -> Result<Action, Panicked> {
        if request.state.is_before_message() || !open.is_about(request.instance) {
            self.give_up(open);
        }
        // A message whose recipients were let through ends as it began: what others of the same moment went beyond their limit
        // for is not held against those that kept to it.
        let is_granted = matches!(request.state, State::Data | State::EndOfMessage) && open.is_known(request.instance);
        let Request { state, address, login, .. } = *request;
        if !is_granted
            && let Some(cause) = self.node.refused(now, &self.settings, stage(state, login), address, login)?
        {
            self.counters.add(Count::Refused);
            return Ok(self.refusal(state, cause));
        }
        let beyond =
            if request.instance.is_empty() { self.count_unnamed(now, request)? } else { self.count(request, open)? };
        if let Some(beyond) = beyond {
            return Ok(self.beyond(state, beyond));
        }
        Ok(self.mark(request, open))
    }

    /// Reserves room for a recipient, or charges a message at its end.
    fn count(&self, request: &Request<'_>, open: &mut Open) -> Result<Option<Beyond>, Panicked> {
        let Request { queue_id, instance, address, .. } = *request;
        if let Some(messages) = &self.node.messages
            && !queue_id.is_empty()
            && open.is_new_in_queue()
        {
            messages.remember(queue_id, address, instance);
        }
        let to = [request.recipient];
        // At the end of a message each of its recipients was asked about before, unless Postfix asks only there.
        let was_asked = request.state == State::EndOfMessage && open.is_known(instance);
        let is_asked = request.recipient.is_empty() || was_asked;
        let mut shown = Shown::default();
        let sending = Sending {
            session: SESSION,
            instance,
            to: if is_asked { &[] } else { &to },
            size: request.size,
            login: request.login,
            address,
            sender: Some(request.sender).filter(|sender| !sender.is_empty()),
            client: if request.login.is_some() { shown.of(request) } else { "" },
            body: 0,
            recipients: 1,
        };
        match request.state {
            // The same check may stand in several of Postfix' restrictions, which then asks for each. If their settings differ it
            // asks on several connections: then the limits know that it is the same recipient.
            State::Recipient if open.has_just_asked(instance, request.recipient) => Ok(None),
            State::Recipient => {
                let over = self.node.reserve(&sending)?;
                if over.is_none() {
                    open.asked(instance, request.recipient);
                }
                Ok(over)
            }
            // Postfix may be set up to ask here and not at each recipient.
            // What was asked about on other connections counts.
            State::Data if !open.is_known(instance) && request.recipients > 0 => {
                let over = self.node.reserve_all(&Sending { recipients: request.recipients, ..sending })?;
                if over.is_none() {
                    open.asked(instance, "");
                }
                Ok(over)
            }
            State::EndOfMessage => {
                // It is charged, or refused and given back: either way nothing is on its way any more.
                open.end();
                self.node.settle(&Sending { recipients: request.recipients.max(1), ..sending })
            }
            State::Connect | State::Hello | State::Mail | State::Data | State::Other => Ok(None),
        }
    }

    /// Charges what a client asks for that does not say which message it is about, such as Exim's `${readsocket…}`: each recipient
    /// at once, because nobody tells what becomes of it. Such clients open a connection for each question.
    fn count_unnamed(&self, now: Timestamp, request: &Request<'_>) -> Result<Option<Beyond>, Panicked> {
        let recipients = match request.state {
            State::Recipient => 1,
            // Its recipients were charged, unless only this is asked about.
            State::Data => request.recipients.saturating_sub(self.paid.count(now, request)),
            State::EndOfMessage => request.recipients.max(1).saturating_sub(self.paid.count(now, request)),
            State::Connect | State::Hello | State::Mail | State::Other => return Ok(None),
        };
        let beyond = if recipients > 0 { self.charge_unnamed(now, request, recipients)? } else { None };
        if request.state == State::EndOfMessage {
            self.paid.end(now, request, request.recipients.max(1));
        } else if beyond.is_none() {
            self.paid.add(now, request, recipients);
        }
        Ok(beyond)
    }

    fn charge_unnamed(
        &self,
        now: Timestamp,
        request: &Request<'_>,
        recipients: u32,
    ) -> Result<Option<Beyond>, Panicked> {
        let session = format!("{UNNAMED}{} {}", now.as_millis(), self.unnamed.fetch_add(1, Ordering::Relaxed));
        // For those who look at messages, what comes within minutes is one.
        let instance = format!("{UNNAMED}{}", now.as_secs() / UNNAMED_WITHIN.as_secs());
        let to = [request.recipient];
        let mut shown = Shown::default();
        self.node.settle(&Sending {
            session: &session,
            instance: &instance,
            to: if request.recipient.is_empty() { &[] } else { &to },
            size: request.size,
            login: request.login,
            address: request.address,
            sender: Some(request.sender).filter(|sender| !sender.is_empty()),
            client: if request.login.is_some() { shown.of(request) } else { "" },
            body: 0,
            recipients,
        })
    }

    fn refusal(&self, state: State, cause: Cause) -> Action {
        let text = cause.text();
        match (self.settings.refusal, cause) {
            (Refusal::Defer, _) | (_, Cause::ForNow) => for_now(state, text),
            (Refusal::Reject, _) | (Refusal::Drop, Cause::Login | Cause::Pair) => Action::Reject(text),
            (Refusal::Drop, Cause::Address | Cause::Elsewhere) => Action::Drop(text),
        }
    }

    fn beyond(&self, state: State, Beyond { effect, text }: Beyond) -> Action {
        let (count, action) = match effect {
            LimitEffect::Note => (Count::Passed, Action::Dunno),
            LimitEffect::Hold => (Count::Held, Action::Hold(text)),
            LimitEffect::Defer => (Count::OverLimit, for_now(state, text)),
            LimitEffect::Refuse => (Count::OverLimit, Action::Reject(text)),
        };
        self.counters.add(count);
        action
    }

    /// Marks a message once, at its first recipient.
    fn mark(&self, request: &Request<'_>, open: &mut Open) -> Action {
        if request.state != State::Recipient || !open.is_unmarked() {
            return Action::Dunno;
        }
        let lists = self.node.lists_of(self.settings.mark_lists, request.address, request.login);
        if lists.is_empty() {
            return Action::Dunno;
        }
        self.counters.add(Count::Marked);
        Action::Mark(self.node.names_of(lists))
    }
}

/// Who sends mail without a login is not about to log in: that comes before `MAIL`.
fn stage(state: State, login: Option<&str>) -> Stage {
    if login.is_none() && matches!(state, State::Connect | State::Hello) { Stage::Connect } else { Stage::After }
}

/// A refusal for now. Only at the steps before `DATA` Postfix looks at what the checks behind ours say first.
const fn for_now(state: State, text: &'static str) -> Action {
    match state {
        State::Data | State::EndOfMessage | State::Other => Action::Defer(text),
        State::Connect | State::Hello | State::Mail | State::Recipient => Action::DeferIfPermit(text),
    }
}

/// The gate as a protocol of the shell.
impl Protocol for Arc<Gate> {
    type Dialogue = PolicyDialogue;

    /// Postfix ends idle connections after 300 s itself (`smtpd_policy_service_max_idle`), and is never to find one closed.
    const IDLE_MAX: Option<Duration> = Some(Duration::from_mins(20));

    fn open(&self, _: Option<IpAddr>) -> PolicyDialogue {
        PolicyDialogue::new(self.clone())
    }
}
