//! hMailServer's log of conversations: columns between tabs, of which the client's text is the last.
//!
//! ```text
//! "SMTPD"⇥THREAD⇥SESSION⇥"2014-04-12 15:18:33.124"⇥"ADDRESS"⇥"RECEIVED: AUTH LOGIN"
//! "SMTPD"⇥…⇥"SENT: 334 VXNlcm5hbWU6"        (Username:)
//! "SMTPD"⇥…⇥"RECEIVED: YWxpY2U="            the login in base64
//! "SMTPD"⇥…⇥"SENT: 334 UGFzc3dvcmQ6"        (Password:)
//! "SMTPD"⇥…⇥"RECEIVED: ***"
//! "SMTPD"⇥…⇥"SENT: 535 Authentication failed. …"
//! "POP3D"⇥…⇥"RECEIVED: USER alice"          … "SENT: -ERR Invalid user name or password. …"
//! "IMAPD"⇥…⇥"RECEIVED: a1 LOGIN alice ***"  … "SENT: a1 NO Invalid user name or password. …"
//! ```
//!
//! Every line has the address, before the conversation. The login is remembered by session until the answer.

use base::EventKind::{self, LoginFailed, LoginOk, ProtocolAbuse, RelayDenied, SpamSeen, UnknownRecipient};
use base::{Address, Timestamp};

use super::parts::{Recent, Told};
use super::sasl::{self, Conversation, strip_ignoring_case};
use super::{Grammar, Hinted, Sink};
use crate::frame::Frame;
use crate::text::{address, contains, find, find_byte, word};

/// How many sessions are remembered.
const SESSIONS_MAX: usize = 8_192;

/// The grammar of hMailServer's log.
pub(super) struct HMailServer {
    sessions: Recent<Session>,
}

#[derive(Default)]
struct Session {
    address: Option<Address>,
    conversation: Conversation,
}

impl Default for HMailServer {
    fn default() -> Self {
        Self { sessions: Recent::new(SESSIONS_MAX) }
    }
}

impl Grammar for HMailServer {
    fn name(&self) -> &'static str {
        "hmailserver"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["hmail"]
    }

    fn speaks(&self, _program: &str) -> bool {
        false
    }

    fn hinted(&self) -> Hinted {
        Hinted::Bare
    }

    fn read(&mut self, frame: &Frame<'_>, time: Timestamp, out: Sink<'_>) {
        let Some(line) = Line::of(frame.message.trim_ascii_end()) else { return };
        let key = Recent::<Session>::key(line.protocol, line.session, 0);
        if let Some(received) = line.conversation.strip_prefix("RECEIVED: ") {
            self.received(key, &line, received);
            return;
        }
        let Some(sent) = line.conversation.strip_prefix("SENT: ") else { return };
        if self.session(key, line.address).conversation.sent(sent) {
            return;
        }
        let Some(kind) = answer(line.protocol, sent) else { return };
        let told = Told::new(kind, line.address);
        let service = match line.protocol {
            "POP3D" => "pop3",
            "IMAPD" => "imap",
            _ => "smtp",
        };
        match self.sessions.get(key).filter(|session| session.address == Some(line.address)) {
            Some(session) if matches!(kind, LoginFailed | LoginOk) => {
                out(told.by(session.conversation.login()).event(time, service));
            }
            _ => out(told.event(time, service)),
        }
    }
}

impl HMailServer {
    /// The session of that key and address, which begins if another had the number before.
    fn session(&mut self, key: u64, address: Address) -> &mut Session {
        if self.sessions.get(key).is_none_or(|session| session.address != Some(address)) {
            self.sessions.insert(key, Session { address: Some(address), ..Session::default() });
        }
        self.sessions.get_mut(key).expect("it was put there if it was not")
    }

    /// Remembers the login that a line of the client gives.
    fn received(&mut self, key: u64, line: &Line<'_>, text: &str) {
        let login = match line.protocol {
            "POP3D" => strip_ignoring_case(text, "USER "),
            "IMAPD" => strip_ignoring_case(word(text).1, "LOGIN ").map(imap_word),
            _ => None,
        };
        if let Some(login) = login {
            self.session(key, line.address).conversation.set_login(login);
        } else if sasl::begins(text) || self.sessions.get(key).is_some() {
            self.session(key, line.address).conversation.received(text);
        }
    }
}

/// The columns of a line.
struct Line<'a> {
    protocol: &'a str,
    session: &'a str,
    address: Address,
    conversation: &'a str,
}

impl<'a> Line<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let mut rest = text;
        let mut column = || {
            let (column, after) = rest.split_at_checked(find_byte(rest, b'\t')?)?;
            rest = after.get(1..)?;
            Some(column)
        };
        let protocol = unquoted(column()?)?;
        if !matches!(protocol, "SMTPD" | "POP3D" | "IMAPD") {
            return None;
        }
        let (_thread, session, _time, client) = (column()?, column()?, column()?, column()?);
        Some(Self { protocol, session, address: address(unquoted(client)?)?, conversation: unquoted(rest)? })
    }
}

fn unquoted(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.strip_suffix('"')
}

/// What the server's answer says.
fn answer(protocol: &str, sent: &str) -> Option<EventKind> {
    if protocol == "SMTPD" {
        return Some(match sent.split_at_checked(4)? {
            ("535 ", _) => LoginFailed,
            ("235 ", _) => LoginOk,
            ("550 ", rest) if rest.starts_with("Unknown user") => UnknownRecipient,
            ("550 ", rest) if rest.starts_with("Delivery is not allowed") => RelayDenied,
            ("530 ", rest) if contains(rest, "authentication is required") => RelayDenied,
            ("550 " | "554 ", rest) if contains(rest, "Rejected by") || contains(rest, "spam") => SpamSeen,
            ("421 ", rest) if contains(rest, "Too many invalid commands") => ProtocolAbuse,
            _ => return None,
        });
    }
    if find(sent, "Invalid user name or password").is_some() {
        return Some(LoginFailed);
    }
    let is_ok = protocol == "POP3D" && sent.starts_with("+OK Mailbox locked and ready")
        || protocol == "IMAPD" && word(sent).1.starts_with("OK LOGIN completed");
    is_ok.then_some(LoginOk)
}

/// The first word of IMAP's arguments, quoted or not.
fn imap_word(text: &str) -> &str {
    match text.strip_prefix('"') {
        Some(rest) => find_byte(rest, b'"').and_then(|end| rest.get(..end)).unwrap_or(""),
        None => word(text).0,
    }
}
