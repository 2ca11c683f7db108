//! Connections that come to nothing, each told once.
//!
//! A server writes several lines about one of them: that the client's name is not its own, that TLS failed, that the
//! connection was lost. And whoever cannot agree on TLS (an expired certificate, his or ours) comes again and again
//! without meaning any harm.

use core::time::Duration;

use base::{Address, Timestamp};

use super::parts::Recent;

/// Failed handshakes of one client count once in this time: by them alone nobody comes near what is abusive.
pub(super) const HANDSHAKE_AGAIN: Duration = Duration::from_mins(10);
/// Clients whose last failed handshake is remembered; beyond, the oldest are forgotten and count again.
const HANDSHAKES_MAX: usize = 8_192;
/// Processes whose connection is remembered to have come to nothing.
const PROCESSES_MAX: usize = 8_192;

/// Clients whose TLS handshake failed, and when that was told last.
pub(super) struct Handshakes(Recent<Timestamp>);

impl Default for Handshakes {
    fn default() -> Self {
        Self(Recent::new(HANDSHAKES_MAX))
    }
}

impl Handshakes {
    /// Whether a failed handshake of the client is to be told.
    pub(super) fn is_news(&mut self, client: Address, at: Timestamp) -> bool {
        let party = client.aggregate();
        // Clients choose their addresses, but gain nothing where two of them are taken for one: less is told.
        let key = Recent::<Timestamp>::key(party.base().to_string(), "", 0);
        let is_again = self.0.get(key).is_some_and(|last| at.since(*last) < HANDSHAKE_AGAIN);
        if !is_again {
            self.0.insert(key, at);
        }
        !is_again
    }
}

/// What a line says of the connection that a process serves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Line {
    /// Its first.
    First,
    /// TLS failed.
    Handshake,
    /// Something else on the way.
    Within,
    /// It is over.
    Last,
}

/// Connections that were told to come to nothing, by the process that serves them, which serves one at a time.
pub(super) struct Visits {
    told: Recent<Address>,
    handshakes: Handshakes,
}

impl Default for Visits {
    fn default() -> Self {
        Self { told: Recent::new(PROCESSES_MAX), handshakes: Handshakes::default() }
    }
}

impl Visits {
    /// Whether the line is the first that tells so of its connection.
    pub(super) fn is_news(&mut self, process: u64, line: Line, client: Address, at: Timestamp) -> bool {
        let is_told = line != Line::First && self.told.get(process) == Some(&client);
        match line {
            Line::Last => self.end(process),
            Line::First | Line::Handshake | Line::Within => self.told.insert(process, client),
        }
        !is_told && (line != Line::Handshake || self.handshakes.is_news(client, at))
    }

    /// The process goes on to another connection.
    pub(super) fn end(&mut self, process: u64) {
        self.told.remove(process);
    }
}
