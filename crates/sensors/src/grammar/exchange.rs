//! Microsoft Exchange: the protocol logs of its receive connectors (SMTP) and of its POP3 and IMAP4 services, which are
//! tables of commas.
//!
//! ```text
//! SMTP: date-time,connector-id,session-id,sequence-number,local-endpoint,remote-endpoint,event,data,context
//! POP3: dateTime,sessionId,seqNumber,sIp,cIp,user,duration,rqsize,rpsize,command,parameters,context
//! ```
//!
//! The client's address stands before all that the client writes.

use base::Address;
use base::EventKind::{LoginFailed, LoginOk, RelayDenied, SpamSeen, UnknownRecipient};
use base::Timestamp;

use super::parts::Told;
use super::{Grammar, Hinted, Sink};
use crate::frame::Frame;
use crate::text::{address_of_port, contains, find_byte};

/// The grammar of Exchange's protocol logs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Exchange;

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
        if let Some(told) = address_of_port(client).and_then(|client| smtp(client, event, data, context)) {
            out(told.event(time, "smtp"));
        }
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
    } else if data.starts_with("550 5.7.54 ") || contains(data, "Unable to relay") {
        RelayDenied
    } else if data.starts_with("550 5.1.1") {
        UnknownRecipient
    } else if data.starts_with("550 5.7.1 ") {
        SpamSeen
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
        let mut at = 0;
        loop {
            at += find_byte(inside.get(at..)?, b'"')?;
            if inside.as_bytes().get(at + 1) != Some(&b'"') {
                break;
            }
            at += 2;
        }
        self.0 = inside.get(at + 2..);
        inside.get(..at)
    }
}
