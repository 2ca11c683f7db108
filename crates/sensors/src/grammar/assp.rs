//! ASSP, the Anti-Spam SMTP Proxy: its own `maillog.txt`, stamped `Apr-27-13 02:25:09`.
//!
//! ```text
//! [m1-01129-09140 ][[TAG] …]ADDRESS max sender authentication errors (5) exceeded -- dropping connection …
//! [[TAG] …]ADDRESS [<SENDER> ][SMTP Error] 535 5.7.8 Error: authentication failed: …
//! [[TAG] …]ADDRESS <SENDER> [to: RECIPIENT ]relay attempt blocked for …: <RECIPIENT>
//! [[TAG] …]ADDRESS <SENDER> to: RECIPIENT invalid address rejected: RECIPIENT
//! [[TAG] …]ADDRESS <SENDER> to: RECIPIENT [spam found] (DNSBL, ADDRESS listed in …) …
//! [[TAG] …]ADDRESS SSL negotiation with client failed: …
//! Blocking ADDRESS - too much AUTH errors (8);
//! ```
//!
//! Before the address stand a message's number and tags only, which are ASSP's; client text follows it.

use base::EventKind::{LoginFailed, ProtocolAbuse, RelayDenied, SpamSeen, UnknownRecipient};

use super::Hinted;
use super::parts::{Lines, Told};
use crate::text::{address, behind_path, behind_quote, split, word};

pub(super) const ASSP: Lines = Lines {
    name: "assp",
    aliases: &[],
    service: "smtp",
    speaks: |program| program == "assp" || program == "assp.pl",
    hinted: Hinted::Bare,
    told,
};

/// What the mail server behind ASSP said of a password.
const REFUSED: &str = "[SMTP Error] 535 ";

fn told(text: &str) -> Option<Told<'_>> {
    if let Some(rest) = text.strip_prefix("Blocking ") {
        let (client, rest) = word(rest);
        return rest.starts_with("- too much AUTH errors").then(|| Some(Told::new(LoginFailed, address(client)?)))?;
    }
    let mut rest = text;
    if let (number, after) = word(text)
        && number.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && number.contains('-')
    {
        rest = after;
    }
    while let Some(tag) = rest.strip_prefix('[') {
        rest = split(tag, "] ")?.1;
    }
    let (client, rest) = word(rest);
    let kind = if rest.starts_with("max sender authentication errors ")
        || rest.starts_with(REFUSED)
        || behind_envelope(rest).starts_with(REFUSED)
    {
        LoginFailed
    } else if rest.starts_with("SSL negotiation with client failed: ") {
        ProtocolAbuse
    } else if behind_envelope(rest).starts_with("relay attempt blocked for") {
        RelayDenied
    } else if behind_envelope(rest).starts_with("invalid address rejected: ") {
        UnknownRecipient
    } else if behind_envelope(rest).starts_with("[spam found] ") {
        SpamSeen
    } else {
        return None;
    };
    Some(Told::new(kind, address(client)?))
}

/// What follows `<SENDER> [to: RECIPIENT ]`; nothing where they are not whole.
fn behind_envelope(text: &str) -> &str {
    let Some(rest) = behind_path(text).and_then(|rest| rest.strip_prefix(' ')) else { return "" };
    match rest.strip_prefix("to: ") {
        Some(recipient) => word(recipient.strip_prefix('"').map_or(Some(recipient), behind_quote).unwrap_or("")).1,
        None => rest,
    }
}
