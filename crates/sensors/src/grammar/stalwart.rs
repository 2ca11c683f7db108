//! Stalwart's log, as text and as JSON.
//!
//! ```text
//! INFO Authentication failed (auth.failed) listenerId = "imap", localPort = 143, remoteIp = ADDRESS, remotePort = 39230, accountName = "LOGIN", …
//! {"timestamp":"…","type":"auth.failed","remoteIp":"ADDRESS","accountName":"LOGIN",…}
//! {…,"type":"auth.failed",…,"data":{"remoteIp":"ADDRESS","accountName":"LOGIN",…}}
//! ```
//!
//! In JSON, quotes keep a client's text apart; a key that stands twice makes the line none. In text, the connection's own
//! values come first, and before the address only the listener's name and numbers may stand: a line in which a client's
//! text stands earlier is passed over.

use std::borrow::Cow;

use base::EventKind::{
    self, Connect, LoginFailed, LoginOk, ProtocolAbuse, RateExceeded, RelayDenied, UnknownRecipient,
};
use serde::Deserialize;

use super::Hinted;
use super::parts::{Lines, Told};
use crate::text::{address, find_byte, split, steps, take_while};

pub(super) const STALWART: Lines = Lines {
    name: "stalwart",
    aliases: &["stalwart-mail"],
    service: "mail",
    speaks: |program| program.starts_with("stalwart"),
    hinted: Hinted::Bare,
    told,
};

/// An event in JSON; its values stand beside its type, or in `data`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    #[serde(rename = "type")]
    name: &'a str,
    remote_ip: Option<&'a str>,
    #[serde(borrow)]
    account_name: Option<Text<'a>>,
    #[serde(borrow)]
    data: Option<Values<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Values<'a> {
    remote_ip: Option<&'a str>,
    #[serde(borrow)]
    account_name: Option<Text<'a>>,
}

/// A text that stands in the line as it is, or was written with escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// More brackets than any event has, which take longer to read than all else.
const BRACKETS_MAX: usize = 1024;

/// More escapes than any login has that somebody could have, which take as long.
const ESCAPES_MAX: usize = 1024;

fn record(text: &str) -> Option<Told<'_>> {
    steps::add(text.len());
    let is_full = memchr::memchr2_iter(b'[', b'{', text.as_bytes()).nth(BRACKETS_MAX).is_some()
        || memchr::memchr_iter(b'\\', text.as_bytes()).nth(ESCAPES_MAX).is_some();
    if is_full {
        return None;
    }
    let record: Record<'_> = serde_json::from_str(text).ok()?;
    let (client, login) = match record.data {
        Some(values) => (values.remote_ip, values.account_name),
        None => (record.remote_ip, record.account_name),
    };
    let told = Told::new(kind(record.name)?, address(client?)?);
    // One that is written with escapes is not told.
    Some(if let Some(Text(Cow::Borrowed(login))) = login { told.by(login) } else { told })
}

fn told(text: &str) -> Option<Told<'_>> {
    if text.starts_with('{') {
        return record(text);
    }
    let (_, rest) = split(text, " (")?;
    let (name, rest) = split(rest, ") ")?;
    let kind = kind(name)?;
    let mut rest = rest;
    let client = loop {
        let (key, after) = take_while(rest, |byte| byte.is_ascii_alphanumeric());
        let after = after.strip_prefix(" = ")?;
        if key == "remoteIp" {
            break after;
        }
        rest = server_value(after)?;
    };
    let (client, rest) = client.split_at_checked(find_byte(client, b',').unwrap_or(client.len()))?;
    let login =
        split(rest, ", accountName = \"").and_then(|(_, login)| split(login, "\"")).map_or("", |(login, _)| login);
    // One that is written with escapes is not told.
    let login = if find_byte(login, b'\\').is_some() { "" } else { login };
    Some(Told::new(kind, address(client)?).by(login))
}

fn kind(name: &str) -> Option<EventKind> {
    Some(match name {
        "auth.failed" => LoginFailed,
        "auth.success" => LoginOk,
        "auth.too-many-attempts"
        | "security.authentication-ban"
        | "security.brute-force-ban"
        | "smtp.too-many-recipients"
        | "smtp.too-many-messages"
        | "smtp.rate-limit-exceeded"
        | "smtp.concurrency-limit-exceeded"
        | "limit.concurrent-connection"
        | "limit.too-many-requests" => RateExceeded,
        "smtp.relay-not-allowed" => RelayDenied,
        "smtp.mailbox-does-not-exist" | "smtp.too-many-invalid-rcpt" => UnknownRecipient,
        "security.abuse-ban"
        | "security.scan-ban"
        | "security.loiter-ban"
        | "smtp.invalid-ehlo"
        | "smtp.invalid-command"
        | "smtp.syntax-error"
        | "smtp.request-too-large"
        | "smtp.did-not-say-ehlo"
        | "smtp.ehlo-expected"
        | "smtp.lhlo-expected"
        | "smtp.vrfy-disabled"
        | "smtp.expn-disabled"
        | "smtp.unsupported-parameter"
        | "smtp.auth-not-allowed"
        | "smtp.auth-mechanism-not-supported"
        | "smtp.auth-exchange-too-long" => ProtocolAbuse,
        // A mechanism that is not there, or a directory that is broken: no password was wrong. A token that was good once.
        "auth.error" | "auth.token-expired" | "auth.credential-expired" | "security.ip-blocked" => Connect,
        _ => return None,
    })
}

/// What follows a value that is a number or a plain word in quotes, and its comma.
fn server_value(text: &str) -> Option<&str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let rest = match text.strip_prefix('"') {
        Some(rest) => take_while(rest, is_plain).1.strip_prefix('"')?,
        None => take_while(text, is_plain).1,
    };
    rest.strip_prefix(", ")
}
