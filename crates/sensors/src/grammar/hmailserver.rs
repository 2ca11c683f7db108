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
use super::{Grammar, Hinted, Sink};
use crate::frame::Frame;
use crate::text::{address, contains, find, find_byte, word};

/// How many sessions are remembered.
const SESSIONS_MAX: usize = 8_192;

/// Longest login that is remembered, in bytes.
const LOGIN_BYTES_MAX: usize = 256;

/// The grammar of hMailServer's log.
pub(super) struct HMailServer {
    sessions: Recent<Session>,
}

#[derive(Default)]
struct Session {
    address: Option<Address>,
    login: String,
    /// What the client's next line is.
    asked: Asked,
}

/// What a server has asked a client for.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Asked {
    /// Nothing that holds the login.
    #[default]
    Nothing,
    /// The login in base64.
    Login,
    /// The login and the password in base64, as `AUTH PLAIN` has them.
    Plain,
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
        let Some(line) = Line::of(frame.message.trim_end()) else { return };
        let key = Recent::<Session>::key(line.protocol, line.session, 0);
        if let Some(received) = line.conversation.strip_prefix("RECEIVED: ") {
            self.received(key, &line, received);
            return;
        }
        let Some(sent) = line.conversation.strip_prefix("SENT: ") else { return };
        if sent.starts_with("334 VXNlcm5hbWU6") {
            self.session(key, line.address).asked = Asked::Login;
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
            Some(session) if matches!(kind, LoginFailed | LoginOk) => out(told.by(&session.login).event(time, service)),
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
        if text.eq_ignore_ascii_case("AUTH PLAIN") {
            self.session(key, line.address).asked = Asked::Plain;
            return;
        }
        let asked = self.sessions.get(key).map_or(Asked::Nothing, |session| session.asked);
        let login = if asked == Asked::Login {
            base64(text)
        } else if asked == Asked::Plain {
            plain(text)
        } else if let Some(initial) = strip_ignoring_case(text, "AUTH PLAIN ") {
            plain(initial)
        } else if let Some(initial) = strip_ignoring_case(text, "AUTH LOGIN ") {
            base64(initial)
        } else if line.protocol == "POP3D" {
            strip_ignoring_case(text, "USER ").map(str::to_owned)
        } else if line.protocol == "IMAPD" {
            strip_ignoring_case(word(text).1, "LOGIN ").map(|rest| imap_word(rest).to_owned())
        } else {
            None
        };
        if asked != Asked::Nothing || login.is_some() {
            let session = self.session(key, line.address);
            session.asked = Asked::Nothing;
            session.login = login.filter(|login| login.len() <= LOGIN_BYTES_MAX).unwrap_or_default();
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

fn strip_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// The first word of IMAP's arguments, quoted or not.
fn imap_word(text: &str) -> &str {
    match text.strip_prefix('"') {
        Some(rest) => find_byte(rest, b'"').and_then(|end| rest.get(..end)).unwrap_or(""),
        None => word(text).0,
    }
}

/// The login of `AUTH PLAIN`'s answer (RFC 4616): a name to act for, the login and the password, with NUL between them.
fn plain(text: &str) -> Option<String> {
    base64(text)?.split('\0').nth(1).map(str::to_owned)
}

/// The text of base64, or none if it is none or longer than any login.
fn base64(text: &str) -> Option<String> {
    let is_short = !text.is_empty() && text.len() <= LOGIN_BYTES_MAX * 3;
    String::from_utf8(is_short.then(|| base::base64::decode(text.as_bytes()))??).ok()
}
