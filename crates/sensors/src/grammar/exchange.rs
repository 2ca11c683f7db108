//! Microsoft Exchange: the protocol logs of its receive connectors (SMTP) and of its POP3 and IMAP4 services, which are
//! tables of commas.
//!
//! ```text
//! SMTP: date-time,connector-id,session-id,sequence-number,local-endpoint,remote-endpoint,event,data,context
//! POP3: dateTime,sessionId,seqNumber,sIp,cIp,user,duration,rqsize,rpsize,command,parameters,context
//! ```
//!
//! Of a wrong password the receive connector writes the reason, the login, and the answer, in lines of their own:
//!
//! ```text
//! …,SESSION,14,SERVER:587,ADDRESS:50423,*,,Inbound AUTH LOGIN failed because of LogonDenied
//! …,SESSION,15,SERVER:587,ADDRESS:50423,*,,User Name: LOGIN
//! …,SESSION,17,SERVER:587,ADDRESS:50423,>,535 5.7.3 Authentication unsuccessful,
//! ```
//!
//! The client's address stands before all that the client writes.

use base::Address;
use base::EventKind::{LoginFailed, LoginOk, ProtocolAbuse, RelayDenied, SpamSeen, UnknownRecipient};
use base::Timestamp;

use super::parts::{Recent, Told};
use super::{Grammar, Hinted, Sink};
use crate::frame::Frame;
use crate::text::{address_of_port, contains, find_byte, steps};

/// How many sessions are remembered.
const SESSIONS_MAX: usize = 8_192;

/// Longest login that is remembered, in bytes.
const LOGIN_BYTES_MAX: usize = 256;

/// The grammar of Exchange's protocol logs.
pub(super) struct Exchange {
    /// The logins that were refused and not yet answered, by session.
    logins: Recent<Box<str>>,
}

impl Default for Exchange {
    fn default() -> Self {
        Self { logins: Recent::new(SESSIONS_MAX) }
    }
}

impl Grammar for Exchange {
    fn name(&self) -> &'static str {
        "exchange"
    }

    fn speaks(&self, _program: &str) -> bool {
        false
    }

    fn hinted(&self) -> Hinted {
        Hinted::Bare
    }

    fn read(&mut self, frame: &Frame<'_>, time: Timestamp, out: Sink<'_>) {
        let Some(text) = frame.message.strip_prefix(',') else { return };
        let mut columns = Columns(Some(text));
        let mut column = || columns.next().unwrap_or("");
        let first = [column(), column(), column(), column()];
        if let (Some(_), Some(client)) = (address_of_port(first[2]), address_of_port(first[3])) {
            let (login, _duration, _request, _reply) = (column(), column(), column(), column());
            let (command, _parameters, context) = (column(), column(), column());
            if let Some(told) = mailbox(client, login, command, context) {
                out(told.event(time, "mailbox"));
            }
            return;
        }
        let (client, event, data, context) = (column(), column(), column(), column());
        let Some(client) = address_of_port(client) else { return };
        let session = Recent::<Box<str>>::key(first[0], first[1], 0);
        if event == "*"
            && let Some(login) = context.strip_prefix("User Name: ").filter(|login| login.len() <= LOGIN_BYTES_MAX)
        {
            self.logins.insert(session, login.into());
        }
        let Some(told) = smtp(client, event, data, context) else { return };
        let login = if told.kind == LoginFailed { self.logins.remove(session) } else { None };
        out(match &login {
            Some(login) => told.by(login).event(time, "smtp"),
            None => told.event(time, "smtp"),
        });
    }
}

fn smtp<'a>(client: Address, event: &str, data: &'a str, context: &str) -> Option<Told<'a>> {
    if event == "*" {
        return (context == "authenticated").then(|| Told::new(LoginOk, client).by(data));
    }
    let kind = if event != ">" {
        return None;
    } else if data.starts_with("535 ") {
        LoginFailed
    } else if data.starts_with("550 5.7.54 ") || data.starts_with("530 5.7.") || contains(data, "Unable to relay") {
        RelayDenied
    } else if data.starts_with("550 5.1.1") {
        UnknownRecipient
    } else if data.starts_with("550 5.7.1 ") {
        SpamSeen
    } else if data.starts_with("421 4.7.0 Too many errors") || data.starts_with("500 5.3.3 ") {
        ProtocolAbuse
    } else {
        return None;
    };
    Some(Told::new(kind, client))
}

fn mailbox<'a>(client: Address, login: &'a str, command: &str, context: &str) -> Option<Told<'a>> {
    if !["auth", "pass", "login", "authenticate"].iter().any(|known| command.eq_ignore_ascii_case(known)) {
        return None;
    }
    let refusals =
        ["AuthFailed", "LogonFailed", "LogonDenied", "Authentication failure", "LOGIN failed.", "AUTHENTICATE failed."];
    if refusals.iter().any(|refusal| contains(context, refusal)) {
        return Some(Told::new(LoginFailed, client).by(login));
    }
    let is_ok = context.starts_with("R=ok") || context.starts_with("\"R=ok") || contains(context, "R=\"\"+OK");
    is_ok.then(|| Told::new(LoginOk, client).by(login))
}

/// The columns of a line; quoted ones are given with their quotes inside doubled, as they are written.
struct Columns<'a>(Option<&'a str>);

impl<'a> Iterator for Columns<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.0?;
        let Some(inside) = text.strip_prefix('"') else {
            let end = find_byte(text, b',').unwrap_or(text.len());
            self.0 = text.get(end + 1..);
            return text.get(..end);
        };
        let (bytes, mut at) = (inside.as_bytes(), 0);
        // Byte by byte: the column may be full of doubled quotes.
        loop {
            match (bytes.get(at)?, bytes.get(at + 1)) {
                (b'"', Some(b'"')) => at += 2,
                (b'"', _) => break,
                _ => at += 1,
            }
        }
        steps::add(at + 1);
        self.0 = inside.get(at + 2..);
        inside.get(..at)
    }
}
