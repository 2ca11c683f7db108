//! The authoritative server for published lists (RFC 5782), as a pure function: [`Responder::answer`] makes a reply
//! out of a query, the [`Zones`] of the configuration and a [`listings::Snapshot`].
//!
//! ```text
//!  message ──> query ──> place (which zone) ──> address (which one) ──> snapshot ──> reply ──> message
//! ```
//!
//! It promises: no lock and no allocation; a reply that is never larger than the client takes and never made of half
//! of its records (TC instead); NXDOMAIN only for names with nothing below them (RFC 8020); an OPT record whenever
//! the query has one (RFC 6891); the letter case of the question; test entries in every zone, 127.0.0.1 in none.
//!
//! It does not transfer zones, check signatures or sign, and holds no state but counters.

mod address;
mod counters;
mod name;
mod query;
mod records;
mod reply;
mod responder;
mod settings;
mod text;
mod zones;

pub use counters::{Counters, Outcome, Totals};
pub use name::{Name, NameError};
pub use reply::{REPLY_BYTES_MIN, UDP_BYTES_MAX};
pub use responder::{Responder, Transport};
pub use settings::{
    CombinedZone, Members, NAME_SERVERS_MAX, NSID_BYTES_MAX, NameServer, PublishedList, Settings, SettingsError,
    SoaTimers, TTL_MAX, ZONES_MAX,
};
pub use text::TemplateError;
pub use zones::Zones;
