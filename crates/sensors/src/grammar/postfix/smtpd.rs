//! The lines of `smtpd`.
//!
//! ```text
//! warning: NAME[ADDRESS]: SASL MECH authentication failed: REASON[, sasl_username=LOGIN]
//! QUEUEID: client=NAME[ADDRESS], sasl_method=MECH, sasl_username=LOGIN[, sasl_sender=SENDER]
//! QUEUEID: reject: COMMAND from NAME[ADDRESS]: 550 5.1.1 …; from=<…> to=<…> proto=ESMTP helo=<…>
//! [QUEUEID: ]lost connection|timeout|too many errors|improper command pipelining after COMMAND from NAME[ADDRESS][: …]
//! warning: Connection rate limit exceeded: 61 from NAME[ADDRESS] for service smtp
//! warning: non-SMTP command from NAME[ADDRESS]: …
//! warning: hostname NAME does not resolve to address ADDRESS[: …]
//! warning: ADDRESS: hostname NAME verification failed: …       (to 2.8; also `address not listed for hostname NAME`)
//! warning: NAME[ADDRESS]: SASL MECH authentication aborted
//! warning: Refusing STARTTLS|TLS service request from NAME[ADDRESS] for service smtp
//! QUEUEID: malformed BDAT command syntax|null BDAT request from NAME[ADDRESS][: …]
//! warning: NAME[ADDRESS]: request longer than 2048: …
//! [disconnect: |NOQUEUE: reject: ]bare <LF> received after COMMAND from NAME[ADDRESS]
//! NOQUEUE: abort: TLS from NAME[ADDRESS]: …
//! SSL_accept error from NAME[ADDRESS]: …
//! ```

use base::Address;
use base::EventKind::{self, Connect, ProtocolAbuse, RateExceeded};

use super::super::parts::Told;
use super::super::sasl;
use super::super::visits::Line;
use super::{after_command, client, queue_id, reject};
use crate::text::{address, contains, filled, split, word};

/// Before the client, where TLS failed.
const HANDSHAKES: [&str; 2] = ["SSL_accept error from ", "abort: TLS from "];

/// Where in its connection a line stands that tells of one that came to nothing.
pub(super) fn place(text: &str, rest: &str) -> Line {
    let begins = |beginnings: &[&str]| beginnings.iter().any(|beginning| rest.starts_with(beginning));
    if begins(&HANDSHAKES) {
        Line::Handshake
    } else if begins(&["lost connection after ", "timeout after "]) {
        Line::Last
    } else if text
        .strip_prefix("warning: ")
        .is_some_and(|text| text.starts_with("hostname ") || unverified(text).is_some())
    {
        Line::First
    } else {
        Line::Within
    }
}

/// Reads all but `disconnect from …` and `ID: client=…`; `rest` is what stands behind the queue id.
pub(super) fn told<'a>(text: &'a str, rest: &'a str) -> Option<Told<'a>> {
    if let Some(rest) = text.strip_prefix("warning: ") {
        return warning(rest);
    }
    if let Some(rest) = HANDSHAKES.iter().find_map(|handshake| rest.strip_prefix(handshake)) {
        return Some(Told::new(Connect, client(rest)?.0));
    }
    let endings = [
        ("lost connection after ", Connect),
        ("timeout after ", Connect),
        ("too many errors after ", ProtocolAbuse),
        ("improper command pipelining after ", ProtocolAbuse),
        ("bare <LF> received after ", ProtocolAbuse),
        ("reject: bare <LF> received after ", ProtocolAbuse),
        ("reject: bare <CR> received after ", ProtocolAbuse),
    ];
    for (beginning, kind) in endings {
        if let Some(rest) = rest.strip_prefix(beginning) {
            // Mail servers lose a connection while they send, too.
            let is_sending = rest.starts_with("DATA") || rest.starts_with("BDAT") || rest.starts_with("END-OF-MESSAGE");
            if kind == Connect && is_sending {
                return None;
            }
            return Some(Told::new(kind, client(after_command(rest)?)?.0));
        }
    }
    reject::told(rest)
}

fn warning(text: &str) -> Option<Told<'_>> {
    // No other warning begins with a client.
    if let Some((address, rest)) = client(text) {
        return of_client(address, rest);
    }
    if let Some(rest) = text.strip_prefix("hostname ") {
        let (_name, rest) = word(rest);
        let client = word(rest.strip_prefix("does not resolve to address ")?).0;
        let client = client.strip_suffix(':').unwrap_or(client);
        return Some(Told::new(Connect, address(client)?));
    }
    let faults = ["non-SMTP command from ", "Illegal address syntax from "];
    let chunks = ["malformed BDAT command syntax from ", "null BDAT request from "];
    let chunk = chunks.iter().find_map(|chunk| queue_id(text).1.strip_prefix(chunk));
    if let Some(rest) = faults.iter().find_map(|fault| text.strip_prefix(fault)).or(chunk) {
        return Some(Told::new(ProtocolAbuse, client(rest)?.0));
    }
    let refusals = ["Refusing STARTTLS request from ", "Refusing TLS service request from "];
    if let Some(rest) = refusals.iter().find_map(|refusal| text.strip_prefix(refusal)) {
        return Some(Told::new(RateExceeded, client(rest)?.0));
    }
    let limits = ["Connection ", "Message delivery ", "Recipient ", "New TLS ", "AUTH "];
    if limits.iter().any(|limit| text.starts_with(limit)) {
        let (_limit, rest) = split(text, " limit exceeded: ")?;
        return Some(Told::new(RateExceeded, client(split(rest, " from ")?.1)?.0));
    }
    unverified(text)
}

/// `ADDRESS: hostname NAME verification failed: …`, `ADDRESS: address not listed for hostname NAME`.
fn unverified(text: &str) -> Option<Told<'_>> {
    let (client, rest) = word(text);
    let is_known = rest.starts_with("hostname ") && contains(rest, " verification failed: ")
        || rest.starts_with("address not listed for hostname ");
    is_known.then(|| Some(Told::new(Connect, address(client.strip_suffix(':')?)?)))?
}

/// What is said of a client behind its name and address: `: SASL …`, ` sent … instead of SMTP command`, `: request longer …`.
fn of_client(address: Address, rest: &str) -> Option<Told<'_>> {
    if let Some(rest) = rest.strip_prefix(": SASL ") {
        return sasl_failure(address, rest);
    }
    if rest.starts_with(" sent ") && contains(rest, " instead of SMTP command") {
        return Some(Told::new(ProtocolAbuse, address));
    }
    let faults = [": request longer than ", ": bare <LF> received", ": bare <CR> received"];
    faults.iter().any(|fault| rest.starts_with(fault)).then(|| Told::new(ProtocolAbuse, address))
}

/// `MECH authentication failed: REASON[, sasl_username=LOGIN]`. Older versions do not tell the login.
fn sasl_failure(address: Address, text: &str) -> Option<Told<'_>> {
    if text.ends_with(" authentication aborted") {
        return Some(Told::new(Connect, address));
    }
    let (_mechanism, rest) = split(text, " authentication failed:")?;
    let rest = rest.trim_start_matches(' ');
    let (reason, login) = match split(rest, ", sasl_username=") {
        Some((reason, login)) => (reason, filled(login).filter(|login| *login != "(unavailable)")),
        None => (rest, None),
    };
    Some(Told { login, ..Told::new(failure(reason)?, address) })
}

/// What the reason of a failed SASL login says of the client: it is the server's text, or its last challenge in base64, which
/// Postfix repeats where Dovecot gave no reason.
fn failure(reason: &str) -> Option<EventKind> {
    // The server behind Postfix is broken, or a temporary failure: not the client's fault.
    let is_ours =
        ["Connection lost to authentication server", "Temporary ", "Internal ", "out of memory", "Connection refused"];
    if is_ours.iter().any(|ours| reason.starts_with(ours)) {
        None
    } else if reason.starts_with("Invalid authentication mechanism") {
        // Not one that was offered: no password was tried.
        Some(Connect)
    } else {
        sasl::failure(reason)
    }
}

/// The login of `, sasl_method=MECH, sasl_username=LOGIN`, with `, sasl_sender=…` or others behind.
pub(super) fn login(text: &str) -> Option<&str> {
    let (_mechanism, login) = split(text.strip_prefix(", sasl_method=")?, ", sasl_username=")?;
    // The login exists, so that its text is the operator's; what follows it may be the sender's.
    let end = [", sasl_sender=", ", orig_queue_id=", ", orig_client="];
    Some(end.iter().fold(login, |login, end| split(login, end).map_or(login, |(login, _)| login)))
}
