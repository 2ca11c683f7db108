//! The login processes' lines.
//!
//! `client_get_log_str()` in Dovecot's `login-common` writes `login_log_format` (`%$: %s`: the message, then the elements) with
//! the `login_log_format_elements` `user=<%u> method=%m rip=%r lip=%l mpid=%e %c session=<%{session}>`, joined by `, `; elements
//! that are empty are left out, but for the user. So a line is
//!
//! ```text
//! MESSAGE: user=<USER>, method=MECH, rip=ADDRESS, lip=ADDRESS, mpid=PID, TLS, session=<SESSION>
//! ```
//!
//! What a client writes into it: the user (anything, where `auth_username_chars` was emptied), the mechanism (no spaces, in
//! upper case), and with `ssl_verify_client_cert` the name in a bad certificate, within `TLS: Received invalid SSL
//! certificate: …: NAME`. The message is Dovecot's own.
//!
//! Why the address found is the true one or none: the user's closing `>` stands after all that the user may hold and before
//! the true `, rip=`. So the last `, rip=` is taken, and only if no `>` follows it but that of a `session=<…>` at the
//! line's very end: a `, rip=` inside the user has the user's `>` behind it. A certificate's name comes after the true
//! `, rip=`; a later `, rip=` in it is seen by what would then stand between the `>` and it (another `rip=`), or, if the name
//! holds a `>` too, by the certificate's error in what would be the user.

use base::{Address, Channel, Event, EventKind, Tally, Timestamp};

use super::super::Sink;
use super::super::visits::{Handshakes, NO_MORE};
use super::{event, without_level};
use crate::text::{address, contains, filled, find, find_byte, rfind_byte, rsplit_byte, split, steps, take_while};
use crate::words;

/// Reads what the login process of `service` wrote.
pub(super) fn read(handshakes: &mut Handshakes, service: &str, text: &str, time: Timestamp, out: Sink<'_>) {
    let Some((message, client)) = without_pid(text).and_then(without_level).and_then(split_client) else { return };
    let Some((kind, tally)) = meaning(message, &client) else { return };
    let is_handshake = kind == EventKind::Connect && client.user.is_empty() && contains(text, ", TLS handshaking");
    let tally = if is_handshake && !handshakes.is_news(client.address, time) { NO_MORE } else { tally };
    out(Event {
        address: Some(client.address),
        login: filled(client.user),
        session: filled(client.session),
        tally,
        ..event(time, kind, service, Channel::Front)
    });
}

/// Who it is about.
struct Client<'a> {
    user: &'a str,
    address: Address,
    session: &'a str,
}

/// The text without a process number in parentheses (`imap-login(7): `), which some log prefixes have.
fn without_pid(text: &str) -> Option<&str> {
    match text.strip_prefix('(') {
        Some(rest) => take_while(rest, |byte| byte.is_ascii_digit()).1.strip_prefix("): "),
        None => Some(text),
    }
}

/// The message and the client.
fn split_client(text: &str) -> Option<(&str, Client<'_>)> {
    match user_field(text) {
        Some(at) => Some((text.get(..at)?, client(text.get(at + ": user=<".len()..)?)?)),
        // Dovecot 2.0 left the user out where none was given yet: `Aborted login (…): rip=…`. No client text stands before.
        None => {
            let (message, rest) = split(text, ": rip=")?;
            let end = find_byte(rest, b',').unwrap_or_else(|| rest.trim_ascii_end().len());
            let address = address(rest.get(..end)?)?;
            let session = session(rest.trim_ascii_end()).map_or("", |(_, session)| session);
            Some((message, Client { user: "", address, session }))
        }
    }
}

/// The place of the first `: user=<`, which ends the message.
fn user_field(text: &str) -> Option<usize> {
    const BEFORE: &str = ": user=";
    let mut from = 0;
    while let Some(at) = find_byte(text.get(from..)?, b'<') {
        let at = from + at;
        if text.get(..at)?.ends_with(BEFORE) {
            return Some(at - BEFORE.len());
        }
        from = at + 1;
    }
    None
}

/// The client of the elements that follow `user=<`; see the head of this file for why this is safe.
fn client(elements: &str) -> Option<Client<'_>> {
    let elements = elements.trim_ascii_end();
    if let Some(client) = usual_client(elements) {
        return Some(client);
    }
    let (elements, session) = match session(elements) {
        Some(found) => found,
        None => (elements, ""),
    };
    let (before, address_text) = last_rip(elements)?;
    let (user, between) = rsplit_byte(before, b'>')?;
    if !(between.is_empty() || between.starts_with(", ")) || contains(between, "rip=") {
        return None;
    }
    if find_byte(user, b'>').is_some() && contains(user, "SSL certificate") {
        return None;
    }
    Some(Client { user, address: address(address_text)?, session })
}

/// The client of elements as Dovecot's own setting has them, of which no part but the user holds a mark: then the first
/// `>` is the user's, and all can be read once from the left. Most lines are so.
fn usual_client(elements: &str) -> Option<Client<'_>> {
    let (user, rest) = elements.split_at_checked(find_byte(elements, b'>')?)?;
    let bytes = rest.as_bytes();
    let method = element(bytes, 1, b", method=").unwrap_or(1);
    let rip = element(bytes, method, b", rip=")?;
    let lip = element(bytes, rip, b", lip=")?;
    let mpid = element(bytes, lip, b", mpid=").unwrap_or(lip);
    let tls = mpid + if bytes.get(mpid..)?.starts_with(b", TLS") { ", TLS".len() } else { 0 };
    let session = element(bytes, tls, b", session=<");
    steps::add(rest.len());
    let session = match session {
        Some(end) if bytes.get(end..) == Some(b">") => rest.get(tls + ", session=<".len()..end)?,
        None if tls == bytes.len() => "",
        _ => return None,
    };
    Some(Client { user, address: address(rest.get(method + ", rip=".len()..rip)?)?, session })
}

/// Where the element ends that stands at `at` and begins with `name`: behind all bytes that are none of the elements' marks.
fn element(bytes: &[u8], at: usize, name: &[u8]) -> Option<usize> {
    let value = bytes.get(at..)?.strip_prefix(name)?;
    Some(at + name.len() + words::plain_bytes(value))
}

/// The elements before `, session=<…>` at their end, and the session. A session is printable and holds no angle brackets.
fn session(elements: &str) -> Option<(&str, &str)> {
    let (before, session) = rsplit_byte(elements.strip_suffix('>')?, b'<')?;
    if find_byte(session, b'>').is_some() {
        return None;
    }
    Some((before.strip_suffix(", session=")?, session))
}

/// What stands before the last `, rip=`, and its value; none if a `>` follows.
fn last_rip(elements: &str) -> Option<(&str, &str)> {
    let mut end = elements.len();
    loop {
        // Element by element from the right; each byte is looked at once.
        let at = rfind_byte(elements.get(..end)?, b',')?;
        let element = elements.get(at..end)?;
        if find_byte(element, b'>').is_some() {
            return None;
        }
        if let Some(value) = element.strip_prefix(", rip=") {
            return Some((elements.get(..at)?, value));
        }
        end = at;
    }
}

/// What the message says happened, and for how many attempts it stands.
fn meaning(message: &str, client: &Client<'_>) -> Option<(EventKind, Tally)> {
    if matches!(message, "Login" | "Logged in") || is_proxied(message, client.user) {
        return Some((EventKind::LoginOk, Tally::One));
    }
    if message.starts_with("proxy(") {
        return None;
    }
    let reason = reason(message)?;
    if let Some(rest) = reason.strip_prefix("auth failed, ") {
        return Some((EventKind::LoginFailed, Tally::Total(attempts(rest)?)));
    }
    // The server behind a proxy refused the password; how often is not told to 2.3.
    let proxied = ["proxy dest auth failed", "proxy dest authentication failure"];
    if let Some(rest) = proxied.iter().find_map(|text| reason.strip_prefix(text)) {
        let count = rest.strip_prefix(", ").map_or_else(|| rest.is_empty().then_some(1), attempts)?;
        return Some((EventKind::LoginFailed, Tally::Total(count)));
    }
    // Plain text where that is forbidden, or a mechanism that was not offered: no password was tried.
    if reason.starts_with("tried to use ") {
        return Some((EventKind::ProtocolAbuse, Tally::One));
    }
    // Came, perhaps began to log in, and went. All other reasons (temporary failures, a password that has expired, a user
    // who is disabled, …) say nothing of the client.
    let visits = [
        "no auth attempts",
        "disconnected before auth was ready",
        "client didn't finish SASL auth",
        "auth aborted by client",
        "sent invalid base64 in response",
        "anonymous logins disabled",
    ];
    let is_visit = visits.iter().any(|visit| reason.starts_with(visit));
    is_visit.then_some((EventKind::Connect, Tally::One))
}

/// The reason in parentheses at the message's end; Dovecot 2.4 puts a code behind it (`(auth failed, 1 attempts in 0 secs)
/// (auth_failed)`).
fn reason(message: &str) -> Option<&str> {
    let (before, last) = rsplit_byte(message.strip_suffix(')')?, b'(')?;
    let is_code = last.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    match before.strip_suffix(") ") {
        Some(before) if is_code => Some(rsplit_byte(before, b'(')?.1),
        _ => Some(last),
    }
}

/// The number of `5 attempts in 3 secs` or `5 attempts`.
fn attempts(text: &str) -> Option<u16> {
    let (digits, rest) = take_while(text, |byte| byte.is_ascii_digit());
    if digits.is_empty() || !rest.starts_with(" attempt") {
        return None;
    }
    // A number that does not fit is many.
    Some(digits.parse().unwrap_or(u16::MAX).max(1))
}

/// Whether this is a proxy's `proxy(USER): started proxying to HOST:PORT` (2.2) or `proxy(USER,HOST:PORT): Started proxying to …`
/// (2.3 on): the server behind it accepted the password. The user stands in the message too, so that it must be the same
/// as in the elements: one that holds such a message is not.
fn is_proxied(message: &str, user: &str) -> bool {
    let rest = message.strip_prefix("proxy(").and_then(|rest| rest.strip_prefix(user));
    let Some((server, rest)) = rest.and_then(|rest| split(rest, "): ")) else { return false };
    (server.is_empty() || server.starts_with(',') && find(server, " ").is_none())
        && (rest.starts_with("started proxying to ") || rest.starts_with("Started proxying to "))
}
