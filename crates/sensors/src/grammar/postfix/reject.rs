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

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use base::EventKind::{self, Connect, ProtocolAbuse, RateExceeded, RelayDenied, SpamSeen, UnknownRecipient};

use super::super::parts::Told;
use super::client;
use crate::text::{behind_path, contains, digits, find, steps, word};

/// Reads what stands behind the queue id.
pub(super) fn told(text: &str) -> Option<Told<'_>> {
    // A proxy in front of the queue judges messages as a milter does.
    let (rest, is_filter) = match text.strip_prefix("reject: ") {
        Some(rest) => (rest, false),
        None => {
            let filters = ["milter-reject: ", "milter-discard: ", "proxy-reject: "];
            (filters.iter().find_map(|filter| text.strip_prefix(filter))?, true)
        }
    };
    let (command, rest) = word(rest);
    if !command.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') {
        return None;
    }
    // While a message is sent: `DATA content`, `BDAT content`.
    let rest = rest.strip_prefix("content ").unwrap_or(rest);
    let (address, rest) = client(rest.strip_prefix("from ")?)?;
    let answer = rest.strip_prefix(": ")?;
    let kind = if answer.starts_with("milter triggers DISCARD action") {
        Some(SpamSeen)
    } else if is_filter {
        of_filter(answer)
    } else {
        of_postfix(answer)
    };
    Some(Told::new(kind?, address))
}

/// The three digits, which milters leave out, the enhanced status, and the text.
fn parts(answer: &str) -> (&str, &str, &str) {
    let (code, rest) = match digits(answer) {
        Some((code, rest)) if code.len() == 3 => (code, rest.trim_ascii_start()),
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
    let said = said(before_envelope(reason.unwrap_or(text)));
    let has = |what: u8| said & what != 0;
    if has(LATER) {
        return None;
    }
    if has(LISTED) {
        return Some(SpamSeen);
    }
    if has(RELAY) {
        return Some(RelayDenied);
    }
    if has(RATE) {
        return Some(RateExceeded);
    }
    if has(UNKNOWN) {
        // A sender that does not exist is no recipient.
        return Some(if has(SENDER) { ProtocolAbuse } else { UnknownRecipient });
    }
    // Ours or the recipient's: a full disk, a full mailbox, a message that is too large.
    let is_ours = |class: &str| status.get(1..).is_some_and(|rest| rest.starts_with(class));
    if is_ours(".3.") || is_ours(".2.") {
        return None;
    }
    if has(PLAIN) {
        return Some(Connect);
    }
    (has(FAULT) || code.starts_with('5')).then_some(ProtocolAbuse)
}

/// Not for good, or not the client's fault.
const LATER: u8 = 1;
/// On a list.
const LISTED: u8 = 1 << 1;
/// Mail for others was refused.
const RELAY: u8 = 1 << 2;
/// More than a limit allows.
const RATE: u8 = 1 << 3;
/// There is no such recipient.
const UNKNOWN: u8 = 1 << 4;
/// Without encryption, a login, or the right login, which are wanted.
const PLAIN: u8 = 1 << 5;
/// What an honest server does not do.
const FAULT: u8 = 1 << 6;
/// It is about the sender; a fault, too.
const SENDER: u8 = 1 << 7;

/// The wordings that tell why; the first letters differ by who wrote them.
const WORDINGS: [(&str, u8); 30] = [
    ("reylist", LATER),
    ("ailbox full", LATER),
    ("ailbox is full", LATER),
    ("uota", LATER),
    ("blocked using", LISTED),
    ("Relay access denied", RELAY),
    ("relay not permitted", RELAY),
    ("Relaying denied", RELAY),
    ("too many", RATE),
    ("too much mail", RATE),
    ("ate limit", RATE),
    ("ser unknown", UNKNOWN),
    ("ndeliverable address", UNKNOWN),
    ("mailbox unavailable", UNKNOWN),
    ("Must issue a STARTTLS", PLAIN),
    ("Encryption required", PLAIN),
    // An own user's program, set up wrongly: it has logged in as another one than its sender's, or not at all.
    ("not owned by user", PLAIN),
    ("Authentication required", PLAIN),
    ("Helo command rejected", FAULT),
    ("Domain not found", FAULT),
    ("Host not found", FAULT),
    ("need fully-qualified", FAULT),
    ("cannot find your", FAULT),
    ("Data command rejected", FAULT),
    ("Client host rejected", FAULT),
    ("Sender address rejected", FAULT | SENDER),
    ("Command rejected", FAULT),
    ("Access denied", FAULT),
    // Of a table, as one of the operator's says.
    ("address rejected: match", FAULT),
    ("Service unavailable", FAULT),
];

/// All of the wordings that `reason` has, found in one pass.
fn said(reason: &str) -> u8 {
    static SEARCHER: LazyLock<AhoCorasick> = LazyLock::new(|| {
        let builder =
            AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).build(WORDINGS.map(|(wording, _)| wording));
        builder.expect("two dozen short wordings fit any table")
    });
    steps::add(reason.len());
    let found = SEARCHER.find_overlapping_iter(reason);
    found.fold(0, |said, found| said | WORDINGS.get(found.pattern().as_usize()).map_or(0, |(_, what)| *what))
}
