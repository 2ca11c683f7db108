//! Haraka's connections.
//!
//! ```text
//! [NOTICE] [UUID] [core] connect ip=ADDRESS port=…
//! [NOTICE] [UUID] [auth/…] delaying for 2 seconds
//! [NOTICE] [UUID] [core] disconnect ip=ADDRESS rdns="NAME" helo="…" relay="N" early="N" … lr="535 …" time=…
//! ```
//!
//! A connection's address is told before any text of the client, at its beginning and at its end. What was last refused
//! (`lr`) stands behind the client's HELO, and is read only where it is there once.

use base::EventKind::{self, LoginFailed, ProtocolAbuse, RelayDenied, SpamSeen, UnknownRecipient};
use base::{Address, Timestamp};

use super::parts::{Recent, Told};
use super::{Grammar, Hinted, Sink};
use crate::frame::Frame;
use crate::text::{address, contains, split, split_only, take_while, word};

/// How many connections are remembered.
const CONNECTIONS_MAX: usize = 16_384;

/// The grammar of Haraka's log.
pub(super) struct Haraka {
    connections: Recent<Connection>,
}

struct Connection {
    address: Address,
    /// How many failed logins were told.
    failures: u16,
}

impl Default for Haraka {
    fn default() -> Self {
        Self { connections: Recent::new(CONNECTIONS_MAX) }
    }
}

impl Grammar for Haraka {
    fn name(&self) -> &'static str {
        "haraka"
    }

    fn speaks(&self, program: &str) -> bool {
        program.eq_ignore_ascii_case("haraka")
    }

    fn hinted(&self) -> Hinted {
        Hinted::Bare
    }

    fn read(&mut self, frame: &Frame<'_>, time: Timestamp, out: Sink<'_>) {
        if let Some(told) = self.told(frame.host, frame.message.trim_end()) {
            out(told.event(time, "smtp"));
        }
    }
}

impl Haraka {
    fn told(&mut self, host: &str, text: &str) -> Option<Told<'static>> {
        let (_level, rest) = split(text.strip_prefix('[')?, "] [")?;
        let (id, rest) = take_while(rest, |byte| byte.is_ascii_hexdigit() || byte == b'-');
        // A transaction has its number behind the connection's.
        let (plugin, rest) = split(split(rest, "] [")?.1, "] ")?;
        let key = Recent::<Connection>::key(host, id, 0);
        if let Some(rest) = rest.strip_prefix("connect ip=") {
            self.connections.insert(key, Connection { address: address(word(rest).0)?, failures: 0 });
        } else if plugin.starts_with("auth") && rest.starts_with("delaying for ") {
            let connection = self.connections.get_mut(key)?;
            connection.failures += 1;
            return Some(Told::new(LoginFailed, connection.address));
        } else if let Some(rest) = rest.strip_prefix("disconnect ip=") {
            let failures = self.connections.remove(key).map_or(0, |connection| connection.failures);
            let (client, rest) = word(rest);
            let kind = end(rest).filter(|kind| *kind != LoginFailed || failures == 0)?;
            return Some(Told::new(kind, address(client)?));
        }
        None
    }
}

/// What the end of a connection tells.
fn end(text: &str) -> Option<EventKind> {
    let (_, refused) = split_only(text, " lr=")?;
    let refused = refused.strip_prefix('"').unwrap_or(refused);
    if refused.starts_with("535 ") {
        Some(LoginFailed)
    } else if refused.starts_with("550 I cannot deliver mail for ") {
        Some(RelayDenied)
    } else if refused.starts_with("550 5.1.1 ") || refused.starts_with("550 No such user") {
        Some(UnknownRecipient)
    } else if refused.starts_with("550 ") && (contains(refused, "listed") || contains(refused, "dnsbl")) {
        Some(SpamSeen)
    } else if split_only(text, " early=").is_some_and(|(_, early)| early.trim_start_matches('"').starts_with('Y')) {
        Some(ProtocolAbuse)
    } else {
        None
    }
}
