//! `OpenSMTPD`'s incoming sessions.
//!
//! ```text
//! 6.4 on:   ID smtp connected address=ADDRESS host=NAME
//!           ID smtp authentication user=LOGIN result=ok|permfail
//!           ID smtp failed-command command="…" result="535 Authentication failed"
//!           ID smtp bad-input result="500 5.5.1 Invalid command: Pipelining not supported"
//! 5.7, 6.0: ID smtp event=connected address=ADDRESS host=NAME
//!           ID smtp event=failed-command address=ADDRESS host=NAME command="…" result="…"
//! to 5.4:   smtp-in: New session ID from host NAME [ADDRESS]
//!           smtp-in: Accepted authentication|Authentication failed for user LOGIN on session ID
//!           smtp-in: Failed command on session ID: "…" => 535 Authentication failed
//! ```
//!
//! The address is told when a client connects, by the server alone, and remembered by the session's number. Where that line
//! is not there, the one that 5.7 and 6.0 repeat before the command counts. Addresses behind a login are not looked at.

use base::EventKind::{self, LoginFailed, LoginOk, ProtocolAbuse, RateExceeded, SpamSeen, UnknownRecipient};
use base::{Address, Timestamp};

use super::parts::{Recent, Told};
use super::{Grammar, Sink};
use crate::frame::Frame;
use crate::text::{address, bracketed, ending_bracket, rsplit, split, take_while, word};

/// How many sessions are remembered.
const SESSIONS_MAX: usize = 16_384;

/// The grammar of `OpenSMTPD`'s log.
pub(super) struct OpenSmtpd {
    sessions: Recent<Session>,
}

struct Session {
    address: Address,
    /// Whether the login's own line told of the failure that the answer to the command will tell again.
    is_told: bool,
}

impl Default for OpenSmtpd {
    fn default() -> Self {
        Self { sessions: Recent::new(SESSIONS_MAX) }
    }
}

impl Grammar for OpenSmtpd {
    fn name(&self) -> &'static str {
        "opensmtpd"
    }

    fn speaks(&self, program: &str) -> bool {
        matches!(program, "smtpd" | "opensmtpd")
    }

    fn read(&mut self, frame: &Frame<'_>, time: Timestamp, out: Sink<'_>) {
        let text = frame.message.trim_ascii_end();
        let told = match text.strip_prefix("smtp-in: ") {
            Some(text) => self.worded(frame.host, text),
            None => self.keyed(frame.host, text),
        };
        if let Some(told) = told {
            out(told.event(time, "smtp"));
        }
    }
}

impl OpenSmtpd {
    fn connect(&mut self, key: u64, address: Address) {
        self.sessions.insert(key, Session { address, is_told: false });
    }

    fn keyed<'a>(&mut self, host: &str, text: &'a str) -> Option<Told<'a>> {
        let (id, rest) = take_while(text, |byte| byte.is_ascii_hexdigit());
        let rest = rest.strip_prefix(" smtp ")?;
        let rest = rest.strip_prefix("event=").unwrap_or(rest);
        let (event, rest) = word(rest);
        let key = Recent::<Session>::key(host, id, 0);
        match event {
            "connected" => {
                // IPv6 stands in brackets, and a client of the same machine has none: `local`.
                let (client, _) = word(rest.strip_prefix("address=")?);
                self.connect(key, bracketed(client).map(|(address, _)| address).or_else(|| address(client))?);
            }
            "authentication" => {
                let session = self.sessions.get_mut(key)?;
                let rest = rest.strip_prefix("user=")?;
                if let Some(login) = rest.strip_suffix(" result=ok") {
                    return Some(Told::new(LoginOk, session.address).by(without_client(login)));
                }
                let login = rest.strip_suffix(" result=permfail")?;
                session.is_told = true;
                return Some(Told::new(LoginFailed, session.address).by(without_client(login)));
            }
            "failed-command" => {
                if self.sessions.get(key).is_none() {
                    let client = rest.strip_prefix("address=").map(|rest| word(rest).0)?;
                    self.connect(key, bracketed(client).map(|(address, _)| address).or_else(|| address(client))?);
                }
                return self.refused(key, rsplit(rest, " result=\"")?.1);
            }
            "bad-input" => return Some(Told::new(ProtocolAbuse, self.sessions.get(key)?.address)),
            "disconnected" | "closed" => {
                let session = self.sessions.remove(key)?;
                let (_, reason) = rsplit(rest, "reason=")?;
                let is_kicked = matches!(reason.trim_matches('"'), "kick" | "too many failed commands");
                return is_kicked.then(|| Told::new(ProtocolAbuse, session.address));
            }
            _ => {}
        }
        None
    }

    fn worded<'a>(&mut self, host: &str, text: &'a str) -> Option<Told<'a>> {
        if let Some(rest) = text.strip_prefix("New session ") {
            let (id, rest) = word(rest);
            let (_, address) = ending_bracket(rest)?;
            self.connect(Recent::<Session>::key(host, id, 0), address);
            return None;
        }
        let logins = [("Accepted authentication for user ", LoginOk), ("Authentication failed for user ", LoginFailed)];
        if let Some((rest, kind)) = logins.iter().find_map(|(login, kind)| Some((text.strip_prefix(login)?, *kind))) {
            let (login, id) = rsplit(rest, " on session ")?;
            let session = self.sessions.get_mut(Recent::<Session>::key(host, id, 0))?;
            session.is_told = kind == LoginFailed;
            return Some(Told::new(kind, session.address).by(login));
        }
        let (id, rest) = split(text.strip_prefix("Failed command on session ")?, ": ")?;
        let (_, answer) = rsplit(rest, " => ")?;
        self.refused(Recent::<Session>::key(host, id, 0), answer)
    }

    /// What the answer to a command says.
    fn refused(&mut self, key: u64, answer: &str) -> Option<Told<'static>> {
        let session = self.sessions.get_mut(key)?;
        let kind: EventKind = if answer.starts_with("535 ") {
            if core::mem::take(&mut session.is_told) {
                return None;
            }
            LoginFailed
        } else if answer.starts_with("550 Invalid recipient") || answer.starts_with("550 5.1.1 ") {
            UnknownRecipient
        } else if answer.starts_with("451 4.5.3 Too many recipients") || answer.starts_with("452 4.5.3 ") {
            RateExceeded
        } else if ["550 5.7.1 ", "554 5.7.1 "].iter().any(|code| answer.starts_with(code)) {
            // What a filter says.
            SpamSeen
        } else if ["500 ", "501 ", "503 ", "504 ", "530 "].iter().any(|code| answer.starts_with(code)) {
            ProtocolAbuse
        } else {
            return None;
        };
        Some(Told::new(kind, session.address))
    }
}

/// The login without ` address=ADDRESS host=NAME`, which 5.7 and 6.0 write behind it. A login that ends so itself is cut too.
fn without_client(text: &str) -> &str {
    match rsplit(text, " address=") {
        Some((login, rest)) if word(rest).1.starts_with("host=") => login,
        _ => text,
    }
}
