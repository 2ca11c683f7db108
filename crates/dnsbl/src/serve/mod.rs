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

pub(crate) mod address;
mod batch;
mod counters;
pub(crate) mod name;
mod plain;
pub(crate) mod query;
pub(crate) mod records;
pub(crate) mod reply;
mod responder;
mod settings;
pub(crate) mod text;
mod zones;

pub use batch::BATCH_MAX;
/// What the transfers of zones need of the wire format.
pub(crate) mod wire {
    pub(crate) use super::name::{NAME_BYTES_MAX, skip_name};
    pub(crate) use super::query::{HEADER_BYTES, Query, code};
    pub(crate) use super::records::{POINTER, Records};
    pub(crate) use super::reply::{Extras, Rcode, Reply, header_only};
    pub(crate) use super::responder::{NO_TRANSFER, NOT_AUTHORITATIVE, soa_serial};
    pub(crate) use super::text::{AddressText, TEXT_BYTES_MAX};
    pub(crate) use super::zones::{Zone, Zones};
}

pub use counters::{CODES_MAX, Counters, Outcome, Totals};
pub use name::{Name, NameError};
pub use reply::{REPLY_BYTES_MIN, UDP_BYTES_MAX};
pub use responder::{Asker, Responder, Shield, Transport};
pub use settings::{
    CombinedZone, Members, NAME_SERVERS_MAX, NSID_BYTES_MAX, NameServer, PublishedList, Settings, SettingsError,
    SoaTimers, TTL_MAX, ZONES_MAX,
};
pub use text::TemplateError;
pub use zones::Zones;
