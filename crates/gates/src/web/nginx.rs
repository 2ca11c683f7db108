//! nginx' mail proxy (`ngx_mail_auth_http_module`): it asks before each login, and is told where to go on.
//!
//! A refusal without `Auth-Wait` closes the connection. With it nginx holds the client so long, says the error, and lets
//! it try again: that is the tarpit, and like everywhere the login is refused after it.

use core::net::SocketAddr;
use std::io::Write as _;

use base::{Address, Verdict};
use rules::{Question, Stage};

use super::query;
use crate::dovecot::TARPIT_SECONDS_MAX;
use crate::http::{Reply, Request};

/// The mail servers behind nginx, by protocol.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Backends {
    /// For `imap`.
    pub imap: Option<SocketAddr>,
    /// For `pop3`.
    pub pop3: Option<SocketAddr>,
    /// For `smtp`.
    pub smtp: Option<SocketAddr>,
}

impl Backends {
    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.imap.is_none() && self.pop3.is_none() && self.smtp.is_none()
    }

    fn of(&self, protocol: &str) -> Option<SocketAddr> {
        match protocol {
            "imap" => self.imap,
            "pop3" => self.pop3,
            "smtp" => self.smtp,
            _ => None,
        }
    }
}

/// What nginx asks.
pub(super) struct Asked {
    address: Option<Address>,
    login: String,
    protocol: String,
}

impl Asked {
    pub(super) fn of(request: &Request<'_>) -> Self {
        let text = |name| request.header(name).map(query::header).unwrap_or_default();
        let address = text("client-ip");
        // A client of a unix socket has none.
        Self { address: address.parse().ok(), login: text("auth-user"), protocol: text("auth-protocol") }
    }

    pub(super) fn question(&self, stage: Stage) -> Question<'_> {
        let login = (!self.login.is_empty()).then_some(self.login.as_str());
        Question { address: self.address, login, stage, service: &self.protocol }
    }
}

/// What nginx is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Told {
    /// Where to go on.
    Pass(SocketAddr),
    /// Refused, after so many seconds if there are any.
    Refuse(u64),
    /// Refused for now.
    Defer,
    /// No server is configured for the protocol.
    Nowhere,
}

/// What is told of a verdict; `after` is the one for the moment when the tarpit is over.
pub(super) fn told(backends: &Backends, asked: &Asked, verdict: Verdict, after: impl FnOnce() -> Verdict) -> Told {
    let pass = || backends.of(&asked.protocol).map_or(Told::Nowhere, Told::Pass);
    match verdict {
        Verdict::Pass => pass(),
        Verdict::Refuse => Told::Refuse(0),
        Verdict::Defer => Told::Defer,
        Verdict::Tarpit(span) => match after() {
            Verdict::Refuse => Told::Refuse(span.as_secs().clamp(1, TARPIT_SECONDS_MAX)),
            // Whoever is only held for a while would be held again and again: nginx asks anew.
            Verdict::Pass | Verdict::Tarpit(_) | Verdict::Defer => pass(),
        },
    }
}

/// Writes the header lines of an answer.
pub(super) fn write(reply: &mut Reply<'_>, told: Told) {
    let headers = &mut *reply.headers;
    let written = match told {
        Told::Pass(server) => {
            write!(headers, "Auth-Status: OK\r\nAuth-Server: {}\r\nAuth-Port: {}\r\n", server.ip(), server.port())
        }
        Told::Refuse(0) => headers.write_all(b"Auth-Status: Invalid login or password\r\n"),
        Told::Refuse(seconds) => {
            write!(headers, "Auth-Status: Invalid login or password\r\nAuth-Wait: {seconds}\r\n")
        }
        Told::Defer | Told::Nowhere => headers
            .write_all(b"Auth-Status: Temporary server problem, try again later\r\nAuth-Error-Code: 451 4.3.0\r\n"),
    };
    debug_assert!(written.is_ok(), "memory takes what is written to it");
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn verdicts_in_the_words_of_nginx() {
        let server: SocketAddr = "192.0.2.1:143".parse().unwrap();
        let backends = Backends { imap: Some(server), ..Backends::default() };
        let asked = |protocol: &str| Asked { address: None, login: String::new(), protocol: protocol.to_owned() };
        let held = Verdict::Tarpit(Duration::from_mins(1));
        for (protocol, verdict, after, wanted) in [
            ("imap", Verdict::Pass, Verdict::Pass, Told::Pass(server)),
            ("pop3", Verdict::Pass, Verdict::Pass, Told::Nowhere),
            ("imap", Verdict::Refuse, Verdict::Refuse, Told::Refuse(0)),
            ("imap", held, Verdict::Refuse, Told::Refuse(60)),
            ("imap", Verdict::Tarpit(Duration::from_mins(9)), Verdict::Refuse, Told::Refuse(100)),
            ("imap", Verdict::Tarpit(Duration::from_millis(9)), Verdict::Refuse, Told::Refuse(1)),
            ("imap", held, Verdict::Pass, Told::Pass(server)),
            ("imap", Verdict::Defer, Verdict::Defer, Told::Defer),
        ] {
            assert_eq!(told(&backends, &asked(protocol), verdict, || after), wanted, "{protocol} {verdict:?}");
        }
    }
}
