//! HCL (IBM, Lotus) Domino's console log, in the formats of any locale.
//!
//! ```text
//! smtp: LOGIN [ADDRESS] authentication failure using internet password[: REASON]
//! SMTP Server[ [PROCESS]][:] Authentication failed for user LOGIN ; connecting host ADDRESS
//! SMTP Server[ [PROCESS]][:] Connection from [ADDRESS] rejected for policy reasons. …
//! SMTP Server[ [PROCESS]][:] Message for RECIPIENT from ADDRESS rejected for policy reasons. …
//! ```
//!
//! The login may hold anything, and stands before the address: that is read from the right, where Domino writes a fixed
//! text or nothing.

use base::Address;
use base::EventKind::{LoginFailed, ProtocolAbuse, RelayDenied};

use super::Hinted;
use super::parts::{Lines, Told};
use crate::text::{address, contains, rsplit, rsplit_byte, split, take_while};

pub(super) const DOMINO: Lines =
    Lines { name: "domino", aliases: &[], service: "domino", speaks: |_| false, hinted: Hinted::Bare, told };

fn told(text: &str) -> Option<Told<'_>> {
    // The process' number, which some versions write behind the stamp: `[1234:0005-0ABC] `.
    let is_process = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'-');
    let behind = text.strip_prefix('[').and_then(|rest| take_while(rest, is_process).1.strip_prefix("] "));
    let text = behind.map_or(text, str::trim_start);
    if let Some((before, why)) = rsplit(text, " authentication failure using internet password")
        && (why.is_empty() || why.trim_ascii_start().starts_with(':'))
    {
        let protocols = ["smtp: ", "pop3: ", "imap: ", "http: ", "ldap: "];
        let before = protocols.iter().find_map(|protocol| before.strip_prefix(protocol))?;
        let (login, client) = rsplit_byte(before, b' ')?;
        return Some(Told::new(LoginFailed, in_brackets(client)?).by(login));
    }
    let servers = ["SMTP Server", "POP3 Server", "IMAP Server", "HTTP Server", "LDAP Server"];
    let rest = without_process(servers.iter().find_map(|server| text.strip_prefix(server))?)?;
    if let Some(rest) = rest.strip_prefix("Authentication failed for user ") {
        let (login, client) = rsplit(rest, " connecting host ")?;
        let login = login.trim_ascii_end().trim_end_matches(';').trim_ascii_end();
        return Some(Told::new(LoginFailed, in_brackets(client)?).by(login));
    }
    if let Some(rest) = rest.strip_prefix("Message for ") {
        // The recipient stands before the last mark, behind which nothing is the client's.
        let (before, reason) = rsplit(rest, " rejected for policy reasons")?;
        let (_recipient, client) = rsplit(before, " from ")?;
        let kind = if contains(reason, "Relay") { RelayDenied } else { ProtocolAbuse };
        return Some(Told::new(kind, in_brackets(client)?));
    }
    let (client, _) = split(rest.strip_prefix("Connection from ")?, " rejected for policy reasons")?;
    Some(Told::new(ProtocolAbuse, in_brackets(client)?))
}

/// The text behind ` [0D14:0027-1334]` and a colon, if they are there.
fn without_process(text: &str) -> Option<&str> {
    let rest = match text.strip_prefix(" [") {
        Some(rest) => split(rest, "]")?.1,
        None => text,
    };
    rest.strip_prefix(':').unwrap_or(rest).strip_prefix(' ')
}

fn in_brackets(text: &str) -> Option<Address> {
    address(text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text))
}
