//! What others report: their events, as they send them over HTTP or by mail, and whether they may.
//!
//! | form | who sends it |
//! |---|---|
//! | JSON | other nodes, scripts: `{"reports":[{"kind":"login-failed","address":"198.51.100.7","time":"2026-11-21T07:44:14Z","id":"…"}]}` |
//! | form | fail2ban's action `blocklist_de` and blocklist.de's `httpreports`: `server=…&apikey=…&service=…&ip=…&logs=…` |
//! | X-ARF | mail of fail2ban's action `xarf-login-attack` and others: the lines of the part with `Reported-From:` |
//!
//! A report says an address beyond doubt, because it stands in a field of its own; whether it is true is a matter of who says
//! so. So a reporter has a key, of which only the hash is kept, and a number of reports a day; what his word weighs, the rules
//! know.

mod desk;
mod forms;
mod strict;
#[cfg(test)]
mod tests;

use base::{Address, EventKind, Timestamp};

pub use desk::{
    AGE_MAX, Desk, KEY_BYTES_MIN, KeyHash, ReportId, Reporter, ReporterId, SEEN_MAX, Taken, Tally, until_tomorrow,
};
pub use forms::{Submission, arf, form, json};

/// Most reports in one submission.
pub const REPORTS_MAX: usize = 1000;

/// Longest submission, in bytes: as much as the HTTP of this node takes.
pub const SUBMISSION_BYTES_MAX: usize = 64 * 1024;

/// Longest `id` of a report, in bytes.
const ID_BYTES_MAX: usize = 128;

/// Longest name of a service that is kept, in bytes.
const SERVICE_BYTES_MAX: usize = 32;

/// One event that somebody reports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// What happened.
    pub kind: EventKind,
    /// Who did it.
    pub address: Address,
    /// At which service.
    pub service: String,
    /// The login, if it was reported.
    pub login: Option<String>,
    /// When; none if that was not said.
    pub time: Option<Timestamp>,
    /// The reporter's own name for it, by which it is known when it is sent again.
    pub id: Option<String>,
}

/// Why a submission is refused, with its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Where: a field, such as `reports[3].address`.
    pub place: String,
    /// What is wrong with it.
    pub why: String,
}

impl core::fmt::Display for Fault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}: {}", self.place, self.why)
    }
}

impl core::error::Error for Fault {}
