//! Dovecot 2.2 to 2.4.
//!
//! Over syslog the tag is `dovecot` and the message begins with the name of the process (`imap-login: …`); in Dovecot's own
//! files and in some containers that name is the tag. Either way a process name is followed by `: ` or by a parenthesis.
//!
//! | process | what it tells | file |
//! |---|---|---|
//! | `imap-login`, `pop3-login`, `submission-login`, `managesieve-login` | how a session's login ended | `login.rs` |
//! | `auth`, `auth-worker`, `dovecot-auth` | each password that was refused, by which database | `auth.rs` |
//! | `pam_unix`, … | PAM modules inside `auth`, by themselves | `pam.rs` |
//!
//! The processes after login (`imap(alice)<…>`, `lmtp(…)`) tell nothing of interest here.

mod auth;
mod login;
mod pam;

use base::{Channel, Event, EventKind, Timestamp};

use super::visits::Handshakes;
use super::{Glance, Grammar, Sink};
use crate::frame::Frame;
use crate::text::{is_name_byte, take_while};
use crate::words;

/// The grammar of Dovecot's log.
#[derive(Default)]
pub struct Dovecot {
    handshakes: Handshakes,
}

/// A tag that is Dovecot's own, before whose messages the process is named.
const DOVECOT: u8 = 0;
/// A tag that is a process' name.
const PROCESS: u8 = 1;

impl Grammar for Dovecot {
    fn name(&self) -> &'static str {
        "dovecot"
    }

    /// `dovecot`, instances (`dovecot-eu`), and process names as tags.
    fn speaks(&self, program: &str) -> bool {
        program.starts_with("dovecot") || matches!(program, "auth" | "auth-worker") || program.ends_with("-login")
    }

    /// Whether the tag is that of a process, and not Dovecot's own, before which the process is named in each line.
    fn process(&self, program: &str) -> u8 {
        if program.starts_with("dovecot") && program != "dovecot-auth" { DOVECOT } else { PROCESS }
    }

    /// The processes after login write most of the lines.
    fn glance(&mut self, process: u8, _host: &[u8], message: &[u8]) -> Glance<'_> {
        let is_read = process == PROCESS || {
            let message = message.strip_prefix(b"dovecot: ").unwrap_or(message);
            let name = words::find_end(message, 0).and_then(|end| message.get(..end)).unwrap_or(b"");
            name.ends_with(b"-login") || name.ends_with(b"auth") || name == b"auth-worker" || name.starts_with(b"pam_")
        };
        if is_read { Glance::Text } else { Glance::Nothing }
    }

    fn read(&mut self, frame: &Frame<'_>, time: Timestamp, out: Sink<'_>) {
        let found = if frame.process == PROCESS {
            Some((frame.program, frame.message))
        } else {
            // Dovecot 1 repeated its name: `dovecot[442]: dovecot: auth(default): …`.
            named(frame.message.strip_prefix("dovecot: ").unwrap_or(frame.message))
        };
        let Some((name, rest)) = found else { return };
        if let Some(service) = name.strip_suffix("-login") {
            login::read(&mut self.handshakes, service, rest, time, out);
        } else if matches!(name, "auth" | "auth-worker" | "dovecot-auth") {
            match named(rest) {
                Some((module, rest)) if module.starts_with("pam_") => pam::read(rest, time, out),
                _ => auth::read(rest, time, out),
            }
        } else if name.starts_with("pam_") {
            pam::read(rest, time, out);
        }
    }
}

/// A process name and what follows it: the text after `: `, or from the parenthesis on.
fn named(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = take_while(text, is_name_byte);
    if name.is_empty() {
        None
    } else if rest.starts_with('(') {
        Some((name, rest))
    } else {
        Some((name, rest.strip_prefix(": ")?))
    }
}

/// The text without the level that Dovecot writes into files (`Info: …`). Debug lines repeat what others say: none.
fn without_level(text: &str) -> Option<&str> {
    if text.starts_with("Debug: ") {
        return None;
    }
    let levels = ["Info: ", "Warning: ", "Error: "];
    Some(levels.iter().find_map(|level| text.strip_prefix(level)).unwrap_or(text))
}

/// An event of the kind at the service, of which nothing more is known yet.
fn event(time: Timestamp, kind: EventKind, service: &str, channel: Channel) -> Event<'_> {
    Event {
        time,
        kind,
        service,
        address: None,
        login: None,
        session: None,
        password: None,
        channel,
        tally: base::Tally::One,
        reporter: None,
    }
}
