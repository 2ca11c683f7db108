//! Postfix, any instance and any service.
//!
//! The tag is `SYSLOG_NAME/PROCESS`, where instances and services choose the name: `postfix/smtpd`, `postfix/submission/smtpd`,
//! `postfix-out/smtps/smtpd`. The process decides what a line means.
//!
//! | process | line | event |
//! |---|---|---|
//! | `smtpd` | `warning: NAME[ADDRESS]: SASL MECH authentication failed: REASON, sasl_username=LOGIN` | login-failed |
//! | `smtpd` | `QUEUEID: client=NAME[ADDRESS], sasl_method=MECH, sasl_username=LOGIN` | login-ok |
//!
//! What a client writes into them: the reverse name of its address, the mechanism, and the login. Why the address found is
//! the true one or none: they are read from the left, and before the address stands only the reverse name, which Postfix
//! takes for `unknown` unless it is a valid host name (`valid_hostname()`: letters, digits, dots, hyphens, underscores). So the
//! first bracket is Postfix' own.

use base::{Address, Channel, Event, EventKind, Tally, Timestamp};

use super::{Grammar, Sink};
use crate::frame::Frame;
use crate::text::{address, filled, find_byte, split, take_while};

/// The grammar of Postfix' log.
#[derive(Clone, Copy, Debug, Default)]
pub struct Postfix;

impl Grammar for Postfix {
    fn name(&self) -> &'static str {
        "postfix"
    }

    fn speaks(&self, program: &str) -> bool {
        program.strip_suffix("/smtpd").is_some_and(|name| !name.is_empty())
    }

    fn read(&mut self, frame: &Frame<'_>, time: Timestamp, out: Sink<'_>) {
        let found = match frame.message.strip_prefix("warning: ") {
            Some(text) => sasl_failure(text),
            None => sasl_success(frame.message),
        };
        let Some((kind, address, login)) = found else { return };
        out(Event {
            time,
            kind,
            service: service(frame.program),
            address: Some(address),
            login,
            session: None,
            password: None,
            channel: Channel::Front,
            tally: Tally::One,
        });
    }
}

/// `submission` for the services where users hand in mail, by their usual names; `smtp` for the others.
fn service(program: &str) -> &'static str {
    let name = program.strip_suffix("/smtpd").unwrap_or(program);
    match name.rsplit('/').next() {
        Some("submission" | "submissions" | "smtps" | "587" | "465") => "submission",
        _ => "smtp",
    }
}

/// `NAME[ADDRESS]` with `:PORT` where `smtpd_client_port_logging` is on, and what follows.
fn client(text: &str) -> Option<(Address, &str)> {
    let (_name, rest) = take_while(text, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    let rest = rest.strip_prefix('[')?;
    let end = find_byte(rest, b']')?;
    let address = address(rest.get(..end)?)?;
    let rest = rest.get(end + 1..)?;
    let after_port = rest.strip_prefix(':').map(|port| take_while(port, |byte| byte.is_ascii_digit()));
    match after_port {
        Some((port, after)) if !port.is_empty() => Some((address, after)),
        _ => Some((address, rest)),
    }
}

/// `NAME[ADDRESS]: SASL MECH authentication failed: REASON[, sasl_username=LOGIN]`. Older versions do not tell the login.
fn sasl_failure(text: &str) -> Option<(EventKind, Address, Option<&str>)> {
    let (address, rest) = client(text)?;
    let (_mechanism, rest) = split(rest.strip_prefix(": SASL ")?, " authentication failed:")?;
    let rest = rest.trim_start_matches(' ');
    let (reason, login) = match split(rest, ", sasl_username=") {
        Some((reason, login)) => (reason, filled(login).filter(|login| *login != "(unavailable)")),
        None => (rest, None),
    };
    Some((failure(reason)?, address, login))
}

/// What the reason of a failed SASL login says of the client: it is the server's text, or its last challenge in base64, which
/// Postfix repeats where Dovecot gave no reason.
fn failure(reason: &str) -> Option<EventKind> {
    // The server behind Postfix is broken, or a temporary failure: not the client's fault.
    let is_ours = [
        "Connection lost to authentication server",
        "generic failure",
        "Temporary ",
        "Internal ",
        "out of memory",
        "no mechanism available",
    ];
    if is_ours.iter().any(|ours| reason.starts_with(ours)) {
        None
    } else if reason.starts_with("Invalid authentication mechanism") {
        // Not one that was offered: no password was tried.
        Some(EventKind::ProtocolAbuse)
    } else {
        Some(EventKind::LoginFailed)
    }
}

/// `QUEUEID: client=NAME[ADDRESS], sasl_method=MECH, sasl_username=LOGIN`, with `, sasl_sender=…` or others behind.
fn sasl_success(text: &str) -> Option<(EventKind, Address, Option<&str>)> {
    let (_queue_id, rest) = take_while(text, |byte| byte.is_ascii_alphanumeric());
    let (address, rest) = client(rest.strip_prefix(": client=")?)?;
    let (_mechanism, login) = split(rest.strip_prefix(", sasl_method=")?, ", sasl_username=")?;
    // The login exists, so that its text is the operator's; what follows it may be the sender's.
    let end = [", sasl_sender=", ", orig_queue_id=", ", orig_client="];
    let login = end.iter().fold(login, |login, end| split(login, end).map_or(login, |(login, _)| login));
    Some((EventKind::LoginOk, address, filled(login)))
}
