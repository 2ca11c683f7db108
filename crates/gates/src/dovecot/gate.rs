use core::time::Duration;
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use base::{Channel, Decision, Event, EventKind, PasswordTag, Reason, Tally, Timestamp, Verdict};
use rules::{Door, Question, Stage};

use super::access::Access;
use super::counters::{Count, Counters};
use super::pwhash::{PasswordHash, Reading};
use super::request::{FailType, Request};
use crate::http::{self, Reply, Service, Status, write_decimal, write_failure};
use crate::weakforced::{self, Api, Side};

/// Longest time that a client is held, in seconds. Dovecot gives up a login after 150 s and then reports nothing at all, so
/// that a longer tarpit would hide the attempt.
pub const TARPIT_SECONDS_MAX: u64 = 100;
/// Characters of a login that a message repeats.
const MESSAGE_LOGIN_CHARS_MAX: usize = 100;
/// Successful logins without a single question marked as "after", from which the mark is taken to be missing.
const UNMARKED_LOGINS_MIN: u64 = 10;

/// How the gate is set up.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Who may ask.
    pub access: Access,
    /// How Dovecot makes `pwhash`. Without it a `pwhash` is not used, and every attempt counts: a constant one could not
    /// be told from that of one password sent again and again, and a guesser by CRAM-MD5 would count once.
    pub password_hash: Option<PasswordHash>,
    /// What a client is told that is refused because it is blocked; empty, so that it learns nothing. `{ip}` and
    /// `{login}` stand for what it gave.
    pub message: String,
}

/// The gate: answers `allow`, `report` and `ping` as an HTTP service, and asks the one door; and the rest of weakforced's
/// API where it is given what keeps the entries.
pub struct Gate {
    settings: Settings,
    door: Arc<dyn Door>,
    api: Option<Api>,
    counters: Counters,
}

/// The commands, at `/?command=NAME` and `/command/NAME`.
#[derive(Clone, Copy)]
enum Command {
    Allow,
    Report,
    Ping,
    Api(weakforced::Command),
}

impl Command {
    fn of(request: &http::Request<'_>) -> Option<Self> {
        let name = match request.path() {
            "/" => request.query("command"),
            path => path.strip_prefix("/command/"),
        };
        match name? {
            "allow" => Some(Self::Allow),
            "report" => Some(Self::Report),
            "ping" => Some(Self::Ping),
            name => weakforced::Command::of(name).map(Self::Api),
        }
    }

    const fn method(self) -> &'static str {
        match self {
            Self::Allow | Self::Report => "POST",
            Self::Ping => "GET",
            Self::Api(command) => command.method(),
        }
    }
}

impl Service for Gate {
    fn answer(&self, now: Timestamp, request: &http::Request<'_>, reply: &mut Reply<'_>) {
        if Access::is_of_page(request) {
            return self.fail(reply, Count::Unauthorized, Status::Forbidden, "a browser may not post here");
        }
        if !self.settings.access.admits(request) {
            return self.fail(reply, Count::Unauthorized, Status::Unauthorized, "Unauthorized");
        }
        let Some(command) = Command::of(request) else {
            return self.fail(reply, Count::UnknownCommand, Status::NotFound, "Not found");
        };
        let is_head = matches!(command, Command::Ping) && request.method() == "HEAD";
        if request.method() != command.method() && !is_head {
            let status = Status::MethodNotAllowed { allow: command.method() };
            return self.fail(reply, Count::UnknownCommand, status, "Method not allowed");
        }
        match (command, &self.api) {
            (Command::Ping, _) => return write_ok(reply),
            // Whoever runs a program on this machine could let himself in, and everybody out.
            (Command::Api(command), Some(_)) if command.is_change() && self.settings.access.is_open() => {
                let reason = "changes want a password: set `password` or `api-key` in [gate.dovecot]";
                return self.fail(reply, Count::ApiFailed, Status::Forbidden, reason);
            }
            (Command::Api(command), Some(api)) => {
                let is_done = api.answer(now, command, request, reply);
                return self.counters.add(if is_done { Count::ApiDone } else { Count::ApiFailed });
            }
            (Command::Api(_), None) => return self.fail(reply, Count::UnknownCommand, Status::NotFound, "Not found"),
            (Command::Allow | Command::Report, _) => {}
        }
        // A login that is no UTF-8 must not slip through uncounted; only then the text is copied.
        let text =
            str::from_utf8(request.body()).map_or_else(|_| String::from_utf8_lossy(request.body()), Cow::Borrowed);
        let Ok(body) = Request::parse(&text) else {
            return self.fail(reply, Count::NotJson, Status::BadRequest, "Unable to parse JSON");
        };
        if body.is_odd {
            self.counters.add(Count::OddFields);
        }
        match command {
            Command::Allow => match self.allow(now, &body, reply.waited) {
                Some((answer, reason)) => self.write_status(now, reply, &body, answer, reason),
                None => reply.is_later = true,
            },
            Command::Report => {
                self.report(now, &body);
                write_ok(reply);
            }
            Command::Ping | Command::Api(_) => {}
        }
    }
}

impl Gate {
    /// A gate in front of `door`.
    pub fn new(settings: Settings, door: Arc<dyn Door>) -> Self {
        Self { settings, door, api: None, counters: Counters::default() }
    }

    /// The same with weakforced's whole API.
    #[must_use]
    pub fn with_api(self, api: Api) -> Self {
        Self { api: Some(api), ..self }
    }

    /// What was counted so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What is configured, here or in Dovecot, in a way that costs protection; each a sentence for the administrator.
    pub fn warnings(&self) -> Vec<&'static str> {
        let mut warnings = Vec::new();
        if self.settings.password_hash.is_none() {
            warnings.push(
                "the nonce of `auth_policy_hash_nonce` is not configured: the same wrong password sent again and again counts \
                 each time",
            );
        } else if self.counters.get(Count::UnusedTags) > 0 {
            warnings.push(
                "`pwhash` does not look as configured: compare `auth_policy_hash_mech` (sha256) and \
                 `auth_policy_hash_truncate` with the gate's",
            );
        }
        if self.counters.get(Count::ReportedOk) >= UNMARKED_LOGINS_MIN && self.counters.get(Count::AskedAfter) == 0 {
            warnings.push(
                "no question is marked as asked after the password was checked, so a blocked login is held but not refused: set \
                 `default_fields = ag_stage=after` and `attrs/stage=%{passdb:ag_stage}` in Dovecot",
            );
        }
        warnings
    }

    /// The status that answers `allow`, with the reason; none if it is worth waiting for.
    fn allow(&self, now: Timestamp, body: &Request<'_>, waited: Duration) -> Option<(Answer, Reason)> {
        let question = Question {
            address: body.remote,
            login: non_empty(&body.login),
            stage: body.stage,
            service: &body.protocol,
        };
        if self.guarded(|door| door.patience(now, &question)).flatten().is_some_and(|patience| waited < patience) {
            return None;
        }
        self.counters.add(match body.stage {
            Stage::Connect | Stage::Before => Count::AskedBefore,
            Stage::After | Stage::Nowhere => Count::AskedAfter,
        });
        let decision = self.guarded(|door| door.ask(now, &question)).unwrap_or(Decision::PASS);
        let (answer, count) = match (decision.verdict, body.stage) {
            (Verdict::Tarpit(span), Stage::Before) if !span.is_zero() => {
                (Answer::Wait(seconds(span)), Count::Tarpitted)
            }
            // After the check Dovecot ignores a time to wait, and nothing is left to hold.
            (Verdict::Pass | Verdict::Tarpit(_), _) => (Answer::Pass, Count::Passed),
            (Verdict::Refuse, _) => (Answer::Refuse, Count::Refused),
            // The only refusal that Dovecot knows is "wrong password", which makes mail programs ask their user for
            // another one. Who is to try again later is let through rather than told that.
            (Verdict::Defer, _) => (Answer::Pass, Count::DeferPassed),
        };
        self.counters.add(count);
        Some((answer, decision.reason))
    }

    /// Writes what answers `allow`. Where a person's entry decided, its attributes are told as weakforced tells them.
    fn write_status(&self, now: Timestamp, reply: &mut Reply<'_>, body: &Request<'_>, answer: Answer, reason: Reason) {
        reply.body.extend_from_slice(b"{\"status\":");
        match answer {
            Answer::Pass => reply.body.push(b'0'),
            Answer::Refuse => reply.body.extend_from_slice(b"-1"),
            Answer::Wait(seconds) => write_decimal(reply.body, seconds as usize),
        }
        let by_entry = matches!(
            reason,
            Reason::Excepted | Reason::AddressListed { rule: None, .. } | Reason::LoginListed { rule: None, .. }
        );
        let is_refused = matches!(answer, Answer::Refuse);
        let has_message = is_refused && !self.settings.message.is_empty();
        if !by_entry && !has_message {
            return reply.body.extend_from_slice(b",\"msg\":\"\",\"r_attrs\":{}}");
        }
        let side = if is_refused { Side::Black } else { Side::White };
        let grounds = self.api.as_ref().filter(|_| by_entry);
        let grounds = grounds.and_then(|api| api.grounds(now, side, body.remote, non_empty(&body.login)));
        let message = if has_message { self.message(body) } else { String::new() };
        let rest = serde_json::json!({"msg": message, "r_attrs": grounds.unwrap_or_default()}).to_string();
        reply.body.push(b',');
        reply.body.extend_from_slice(&rest.as_bytes()[1..]);
    }

    /// The message to the client. What he gave himself is cut and stripped of control characters.
    fn message(&self, body: &Request<'_>) -> String {
        let login: String = body.login.chars().filter(|c| !c.is_control()).take(MESSAGE_LOGIN_CHARS_MAX).collect();
        let address = body.remote.map(|address| address.to_string()).unwrap_or_default();
        // One pass over the words around the places, so that a login of `{ip}` stays what it is.
        let with_address = |text: &str| text.replace("{ip}", &address);
        self.settings.message.split("{login}").map(with_address).collect::<Vec<_>>().join(&login)
    }

    fn report(&self, now: Timestamp, body: &Request<'_>) {
        let (count, outcome) = match (body.success, body.policy_reject, body.fail_type) {
            // Log-only mode says that it would have been refused; the client is in all the same.
            (true, ..) => (Count::ReportedOk, Some((EventKind::LoginOk, Tally::One))),
            (false, true, _) | (false, _, FailType::Policy) => {
                (Count::ReportedRefused, Some((EventKind::LoginFailed, Tally::Refused)))
            }
            (false, false, FailType::Internal) => (Count::ReportedOutage, None),
            (false, false, FailType::Expired | FailType::Disabled) => (Count::ReportedNoGuess, None),
            (false, false, FailType::Credentials | FailType::Account | FailType::Unsaid) => {
                (Count::ReportedFailed, Some((EventKind::LoginFailed, Tally::One)))
            }
        };
        self.counters.add(count);
        let (address, login) = (body.remote, non_empty(&body.login));
        if count == Count::ReportedOutage {
            self.guarded(|door| door.database_failed(now, address, login));
        }
        let Some((kind, tally)) = outcome else { return };
        if address.is_none() && login.is_none() {
            return self.counters.add(Count::ReportedNobody);
        }
        let event = Event {
            time: now,
            kind,
            service: &body.protocol,
            address,
            login,
            session: non_empty(&body.session),
            password: self.password(body),
            channel: Channel::Gate,
            tally,
            reporter: None,
        };
        self.guarded(|door| door.observe(&event));
    }

    /// What is known of the password.
    fn password(&self, body: &Request<'_>) -> Option<PasswordTag> {
        let reading = self.settings.password_hash.as_ref().map(|hash| hash.read(&body.login, &body.pwhash));
        match reading {
            Some(Reading::Tag(tag)) => Some(tag),
            Some(Reading::Constant) => {
                self.counters.add(Count::ConstantTags);
                None
            }
            Some(Reading::Odd) | None => {
                self.counters.add(Count::UnusedTags);
                None
            }
        }
    }

    /// A call of the door. If it panics there is no answer, and the client is let through: a fault of ours never refuses.
    fn guarded<T>(&self, call: impl FnOnce(&dyn Door) -> T) -> Option<T> {
        let outcome = catch_unwind(AssertUnwindSafe(|| call(self.door.as_ref())));
        if outcome.is_err() {
            self.counters.add(Count::DoorPanics);
        }
        outcome.ok()
    }

    fn fail(&self, reply: &mut Reply<'_>, count: Count, status: Status, reason: &str) {
        self.counters.add(count);
        reply.status = status;
        write_failure(reply.body, reason);
    }
}

/// What `allow` is answered with.
#[derive(Clone, Copy)]
enum Answer {
    Pass,
    Wait(u64),
    Refuse,
}

/// Whole seconds to wait, rounded up, so that a short tarpit is one.
fn seconds(span: Duration) -> u64 {
    span.as_secs().saturating_add(u64::from(span.subsec_nanos() > 0)).min(TARPIT_SECONDS_MAX)
}

fn non_empty(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn write_ok(reply: &mut Reply<'_>) {
    reply.body.extend_from_slice(b"{\"status\":\"ok\"}");
}

#[cfg(test)]
mod tests;
