//! Kerio Connect's security log, stamped `[18/Jan/2014 06:41:25]`.
//!
//! ```text
//! SMTP Spam attack detected from ADDRESS, client closed connection before SMTP greeting
//! IP address ADDRESS found in DNS blacklist NAME, mail from <SENDER> to <RECIPIENT>
//! Relay attempt from IP address ADDRESS, mail from <SENDER> to <RECIPIENT> rejected
//! Attempt to deliver to unknown recipient <RECIPIENT>, from <SENDER>, IP address ADDRESS
//! Failed SMTP login from ADDRESS with SASL method CRAM-MD5.
//! SMTP: User LOGIN doesn't exist. Attempt from IP address ADDRESS.
//! IMAP: Invalid password for user LOGIN. Attempt from IP address ADDRESS.
//! IMAP: Authentication failed for user LOGIN. Attempt from IP address ADDRESS.
//! Client with IP address ADDRESS has no reverse DNS entry, connection rejected before SMTP greeting
//! Message from IP address ADDRESS, sender <SENDER> rejected: sender domain does not exist
//! Administration login into Web Administration from ADDRESS failed: IP address not allowed
//! SPF check failed: The IP address 'ADDRESS' is not in permitted set for sender 'SENDER' (FAIL)
//! SMTP: AntiHammering - IP address ADDRESS will be blocked for 5 minutes, too many failed logins from this IP address.
//! SMTP: AntiHammering: connection from IP address ADDRESS is blocked
//! ```
//!
//! Client text stands behind the address, or before an address that ends the line.

use base::Address;
use base::EventKind::{Connect, LoginFailed, ProtocolAbuse, RateExceeded, RelayDenied, SpamSeen, UnknownRecipient};

use super::Hinted;
use super::parts::{Lines, Told};
use crate::text::{address, contains, rsplit, split, take_while};

pub(super) const KERIO: Lines = Lines {
    name: "kerio",
    aliases: &["kerioconnect"],
    service: "kerio",
    speaks: |_| false,
    hinted: Hinted::Bare,
    told,
};

fn told(text: &str) -> Option<Told<'_>> {
    let first = |prefix: &str| text.strip_prefix(prefix).and_then(leading);
    if let Some((client, _)) = first("SMTP Spam attack detected from ") {
        return Some(Told::new(ProtocolAbuse, client));
    }
    if let Some((client, rest)) = first("IP address ") {
        return rest.starts_with(" found in DNS blacklist ").then(|| Told::new(SpamSeen, client));
    }
    if let Some((client, _)) = first("Relay attempt from IP address ") {
        return Some(Told::new(RelayDenied, client));
    }
    if let Some((client, rest)) = first("Client with IP address ") {
        return rest.starts_with(" has no reverse DNS entry").then(|| Told::new(ProtocolAbuse, client));
    }
    if let Some((client, rest)) = first("Message from IP address ") {
        return contains(rest, " rejected: ").then(|| Told::new(SpamSeen, client));
    }
    if let Some((client, rest)) = first("SPF check failed: The IP address '") {
        return rest.starts_with("' is not in permitted set ").then(|| Told::new(SpamSeen, client));
    }
    if let (protocol, Some(rest)) = split_hammering(text)
        && protocol.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'/')
    {
        let (kind, rest) = match rest.strip_prefix(" - IP address ") {
            Some(rest) => (RateExceeded, rest),
            // Whom it blocks comes on.
            None => (Connect, rest.strip_prefix(": connection from IP address ")?),
        };
        return Some(Told::new(kind, leading(rest)?.0));
    }
    if let Some(rest) = text.strip_prefix("Attempt to deliver to unknown recipient ") {
        let (_, client) = rsplit(rest, ", IP address ")?;
        return Some(Told::new(UnknownRecipient, address(client)?));
    }
    login(text)
}

/// The protocol and what follows it in lines of the guard against guessing.
fn split_hammering(text: &str) -> (&str, Option<&str>) {
    split(text, ": AntiHammering").map_or(("", None), |(protocol, rest)| (protocol, Some(rest)))
}

/// The lines about logins.
fn login(text: &str) -> Option<Told<'_>> {
    if let Some(rest) = text.strip_prefix("Administration login into ") {
        let (_, rest) = split(rest, " from ")?;
        let (client, rest) = leading(rest)?;
        return rest.starts_with(" failed: ").then(|| Told::new(LoginFailed, client));
    }
    if let Some(rest) = text.strip_prefix("Failed ") {
        let (protocol, rest) = split(rest, " login from ")?;
        let (client, _) = leading(rest)?;
        return protocol.bytes().all(|byte| byte.is_ascii_alphanumeric()).then(|| Told::new(LoginFailed, client));
    }
    let (before, client) = rsplit(text, " Attempt from IP address ")?;
    let client = address(client.strip_suffix('.').unwrap_or(client))?;
    let (_protocol, rest) = split(before, ": ")?;
    let login = if let Some(rest) = rest.strip_prefix("User ") {
        rest.strip_suffix(" doesn't exist.")?
    } else {
        let failures = ["Invalid password for user ", "Authentication failed for user "];
        failures.iter().find_map(|failure| rest.strip_prefix(failure))?.strip_suffix('.')?
    };
    Some(Told::new(LoginFailed, client).by(login))
}

/// The address that `text` begins with, and what follows.
fn leading(text: &str) -> Option<(Address, &str)> {
    let (client, rest) = take_while(text, |byte| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':'));
    Some((address(client.trim_end_matches(['.', ':']))?, rest))
}
