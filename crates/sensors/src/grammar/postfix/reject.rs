//! Rejections, of `smtpd`, `postscreen` and `cleanup`:
//!
//! ```text
//! reject: COMMAND from NAME[ADDRESS]: 554 5.7.1 <ITEM>: REASON; from=<SENDER> to=<RECIPIENT> proto=ESMTP helo=<HELO>
//! milter-reject: COMMAND from NAME[ADDRESS]: 5.7.1 REASON; from=<SENDER> …
//! proxy-reject: COMMAND from NAME[ADDRESS]: 554 5.7.1 REASON; from=<SENDER> …
//! ```
//!
//! The command is Postfix' own word. The item, the client's text, stands behind the address; at worst it has the reason
//! taken for another one. In `reject: header …` (header and body checks) the message's text stands before: that is not read.

use base::EventKind::{self, Connect, ProtocolAbuse, RateExceeded, RelayDenied, SpamSeen, UnknownRecipient};

use super::super::parts::Told;
use super::client;
use crate::text::{behind_path, contains, digits, find, word};

/// Reads what stands behind the queue id.
pub(super) fn told(text: &str) -> Option<Told<'_>> {
    // A proxy in front of the queue judges messages as a milter does.
    let (rest, is_filter) = match text.strip_prefix("reject: ") {
        Some(rest) => (rest, false),
        None => (text.strip_prefix("milter-reject: ").or_else(|| text.strip_prefix("proxy-reject: "))?, true),
    };
    let (command, rest) = word(rest);
    if !command.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') {
        return None;
    }
    let (address, rest) = client(rest.strip_prefix("from ")?)?;
    let answer = rest.strip_prefix(": ")?;
    let kind = if is_filter { of_filter(answer) } else { of_postfix(answer) };
    Some(Told::new(kind?, address))
}

/// The three digits, which milters leave out, the enhanced status, and the text.
fn parts(answer: &str) -> (&str, &str, &str) {
    let (code, rest) = match digits(answer) {
        Some((code, rest)) if code.len() == 3 => (code, rest.trim_start()),
        _ => ("", answer),
    };
    let (status, text) = word(rest);
    let is_status = status.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && status.contains('.');
    if is_status { (code, status, text) } else { (code, "", rest) }
}

/// The answer without what Postfix writes behind it.
fn before_envelope(text: &str) -> &str {
    find(text, "; from=<").or_else(|| find(text, "; proto=")).and_then(|end| text.get(..end)).unwrap_or(text)
}

fn of_filter(answer: &str) -> Option<EventKind> {
    let (code, status, text) = parts(answer);
    let text = before_envelope(text).to_ascii_lowercase();
    if contains(&text, "ratelimit") || contains(&text, "rate limit") {
        return Some(RateExceeded);
    }
    (code.starts_with('5') || code.is_empty() && status.starts_with('5')).then_some(SpamSeen)
}

fn of_postfix(answer: &str) -> Option<EventKind> {
    let (code, status, text) = parts(answer);
    // The item; a recipient or a HELO.
    let reason = behind_path(text).and_then(|rest| rest.strip_prefix(": "));
    let reason = before_envelope(reason.unwrap_or(text));
    let has = |text: &str| contains(reason, text);
    if has("reylist") || has("ailbox full") || has("ailbox is full") || has("uota") {
        return None;
    }
    if has("blocked using") {
        return Some(SpamSeen);
    }
    if has("Relay access denied") || has("relay not permitted") || has("Relaying denied") {
        return Some(RelayDenied);
    }
    if has("too many connections") || has("too much mail") || has("too many") || has("ate limit") {
        return Some(RateExceeded);
    }
    if has("ser unknown") || has("ndeliverable address") || has("mailbox unavailable") {
        return Some(UnknownRecipient);
    }
    // Ours or the recipient's: a full disk, a full mailbox, a message that is too large.
    let is_ours = |class: &str| status.get(1..).is_some_and(|rest| rest.starts_with(class));
    if is_ours(".3.") || is_ours(".2.") {
        return None;
    }
    if has("Must issue a STARTTLS") || has("Encryption required") {
        return Some(Connect);
    }
    let faults = [
        "Helo command rejected",
        "Domain not found",
        "Host not found",
        "need fully-qualified",
        "cannot find your",
        "Data command rejected",
        "Client host rejected",
        "Sender address rejected",
        "Command rejected",
    ];
    let is_fault = faults.iter().any(|fault| has(fault)) || has("Service unavailable");
    (is_fault || code.starts_with('5')).then_some(ProtocolAbuse)
}
