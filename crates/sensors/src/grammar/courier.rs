//! Courier: its IMAP and POP3 servers, and `courieresmtpd`.
//!
//! ```text
//! imapd:          LOGIN FAILED, [user=LOGIN, ][method=MECH, ]ip=[ADDRESS][, port=[PORT]][, protocol=IMAP]
//! imapd:          LOGIN, user=LOGIN, ip=[ADDRESS], port=[PORT], protocol=IMAP
//! imapd, …:       [ALERT: ]Maximum connection limit reached for ADDRESS
//! courieresmtpd:  error,relay=ADDRESS,[port=PORT,]from=<SENDER>,to=<RECIPIENT>: 550 User unknown.
//! courieresmtpd:  error,relay=ADDRESS,[port=PORT,][ident="NAME",]msg="535 Authentication failed.",cmd: AUTH LOGIN LOGIN
//! ```
//!
//! The login stands before the address, so that the last `, ip=[` is Courier's: what follows it holds nothing of the
//! client. `relay=` stands before all of the client's text, which the name is, too, that the client's identd gives (RFC 1413).

use base::EventKind::{LoginFailed, LoginOk, ProtocolAbuse, RateExceeded, RelayDenied, UnknownRecipient};

use super::Hinted;
use super::parts::{Lines, Told};
use crate::text::{address, behind_path, bracketed, contains, digits, find, find_byte, rsplit, split, word};

pub(super) const COURIER: Lines = Lines {
    name: "courier",
    aliases: &["courierlogin", "couriersmtp"],
    service: "courier",
    speaks,
    hinted: Hinted::Nothing,
    told,
};

/// `imapd`, `pop3d-ssl`, `courierpop3login`, `courier-imapd`, `courieresmtpd`, …
fn speaks(program: &str) -> bool {
    let name = program.strip_suffix("-ssl").unwrap_or(program);
    let name = name.strip_prefix("courier").unwrap_or(name);
    let name = name.strip_prefix('-').unwrap_or(name);
    matches!(name, "imapd" | "pop3d" | "imap" | "pop3" | "imaplogin" | "pop3login" | "imapdlogin" | "pop3dlogin")
        || matches!(name, "esmtpd" | "tcpd") && program.starts_with("courier")
}

fn told(text: &str) -> Option<Told<'_>> {
    if let Some(rest) = text.strip_prefix("error,relay=") {
        return smtp(rest);
    }
    if let Some(client) =
        text.strip_prefix("ALERT: ").unwrap_or(text).strip_prefix("Maximum connection limit reached for ")
    {
        return Some(Told::new(RateExceeded, address(client)?));
    }
    let (kind, rest) = match text.strip_prefix("LOGIN FAILED, ") {
        Some(rest) => (LoginFailed, rest),
        None => (LoginOk, text.strip_prefix("LOGIN, ")?),
    };
    let (before, client) = rsplit(rest, "ip=")?;
    let (address, rest) = bracketed(client)?;
    if !is_end(rest) {
        return None;
    }
    let login = before.strip_suffix(", ").and_then(|before| before.strip_prefix("user="));
    let login = login.map(|login| rsplit(login, ", method=").map_or(login, |(login, _)| login));
    Some(Told::new(kind, address).by(login.unwrap_or("")))
}

/// Whether this is what Courier writes behind the address: `, port=[51314], protocol=IMAP, stls=1`.
fn is_end(text: &str) -> bool {
    text.split(',').all(|element| {
        let element = element.trim();
        element.is_empty() || ["port=", "protocol=", "stls="].iter().any(|name| element.starts_with(name))
    })
}

fn smtp(text: &str) -> Option<Told<'_>> {
    let (client, rest) = text.split_at_checked(find_byte(text, b',')?)?;
    let rest = rest.strip_prefix(",port=").and_then(digits).map_or(rest, |(_, rest)| rest);
    let rest = rest.strip_prefix(",ident=\"").map_or(Some(rest), |ident| ident.get(find(ident, "\",msg=\"")? + 1..))?;
    let answer = answer(rest)?;
    // Decoded, where the mechanism tells it.
    let login = split(answer, "\",cmd: AUTH ").map_or("", |(_, command)| word(command).1);
    let kind = if answer.starts_with("535 Authentication failed") {
        LoginFailed
    } else if answer.starts_with("513 Relaying denied") || answer.starts_with("535 Authentication required") {
        RelayDenied
    } else if answer.starts_with("550 User ") && contains(answer, "unknown") {
        UnknownRecipient
    } else if answer.starts_with("502 ESMTP command error") || answer.starts_with("554 Syntax error - your mail") {
        ProtocolAbuse
    } else {
        return None;
    };
    let login = if kind == LoginFailed { login } else { "" };
    Some(Told::new(kind, address(client)?).by(login))
}

/// The server's answer in `,msg="ANSWER",cmd: …` and `,from=<…>[,to=<…>]: ANSWER`.
fn answer(text: &str) -> Option<&str> {
    if let Some(answer) = text.strip_prefix(",msg=\"") {
        return Some(answer);
    }
    let rest = text.strip_prefix(",from=").map_or(Some(text), behind_path)?;
    let rest = rest.strip_prefix(",to=").map_or(Some(rest), behind_path)?;
    rest.strip_prefix(": ")
}
