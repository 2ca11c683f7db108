//! SASL: what Cyrus' library says of a login that failed, and how a client logs in by SMTP, for daemons that log the
//! conversation.

use base::EventKind::{self, Connect, LoginFailed};

/// What `sasl_errstring()` of libsasl2 says (`lib/common.c`) where no password was wrong: the server is broken, lacks
/// something, or wants another mechanism, or the account or its password is not in use any more.
const TROUBLES: &[&str] = &[
    "generic failure",
    "no memory available",
    "overflowed buffer",
    "no mechanism available",
    "mechanism not supported",
    "can't request information until later in exchange",
    "invalid parameter supplied",
    "transient failure (e.g., weak key)",
    "integrity check failed",
    "SASL library is not initialized",
    "needs user interaction",
    "server failed mutual authentication step",
    "mechanism doesn't support requested feature",
    "mechanism too weak for this user",
    "encryption needed to use mechanism",
    "One time use of a plaintext password will enable requested mechanism for user",
    "passphrase expired, has to be reset",
    "account disabled",
    "passphrase locked",
    "version mismatch with plug-in",
    "remote authentication server unavailable",
    "user exists, but no verifier for user",
    "channel binding failure",
    "error when parsing configuration file",
    "undefined error!",
];

/// What the library's text, with which `reason` begins, says of the client; login-failed if it is no text of the library.
pub(super) fn failure(reason: &str) -> Option<EventKind> {
    if reason.starts_with("bad protocol / cancel") {
        // The client gave up, or does not speak the mechanism: no password was tried.
        return Some(Connect);
    }
    let is_trouble = TROUBLES.iter().any(|trouble| reason.starts_with(trouble));
    (!is_trouble).then_some(LoginFailed)
}

/// Longest login that is remembered, in bytes.
const LOGIN_BYTES_MAX: usize = 256;

/// What is remembered of a conversation.
#[derive(Default)]
pub(super) struct Conversation {
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

impl Conversation {
    /// The login that was given last; empty if none was understood.
    pub(super) fn login(&self) -> &str {
        &self.login
    }

    /// Remembers a login that was given otherwise.
    pub(super) fn set_login(&mut self, login: &str) {
        self.login.clear();
        if login.len() <= LOGIN_BYTES_MAX {
            self.login.push_str(login);
        }
    }

    /// The client said `text`.
    pub(super) fn received(&mut self, text: &str) {
        let asked = core::mem::take(&mut self.asked);
        let login = if asked == Asked::Login {
            base64(text)
        } else if asked == Asked::Plain {
            plain(text)
        } else if text.eq_ignore_ascii_case("AUTH PLAIN") {
            self.asked = Asked::Plain;
            return;
        } else if let Some(initial) = strip_ignoring_case(text, "AUTH PLAIN ") {
            plain(initial)
        } else if let Some(initial) = strip_ignoring_case(text, "AUTH LOGIN ") {
            base64(initial)
        } else {
            return;
        };
        self.set_login(&login.unwrap_or_default());
    }

    /// The server said `text`; whether it asked for the login.
    pub(super) fn sent(&mut self, text: &str) -> bool {
        // `Username:`, in base64.
        let is_question = text.starts_with("334 VXNlcm5hbWU6");
        if is_question {
            self.asked = Asked::Login;
        }
        is_question
    }
}

/// Whether the client begins to log in.
pub(super) fn begins(text: &str) -> bool {
    strip_ignoring_case(text, "AUTH ").is_some()
}

/// What follows a word of a command.
pub(super) fn strip_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
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
