//! The words of the house, as types: what every other room speaks.
//!
//! Everything here is pure: no clock, no file, no allocation on the paths that a question or an event takes.
//! The words and their meaning stand in `ARCHITECTURE.md`; a name that is not there does not name a type here.

mod address;
pub mod base64;
mod decision;
mod event;
pub mod limits;
mod listing;
mod login;
mod network;
mod subject;
mod time;

pub use address::{Address, AddressError};
pub use decision::{Decision, Reason, Verdict};
pub use event::{Channel, Event, EventKind, PasswordTag, Reporter, Tally};
pub use listing::{Evidence, ListId, ListSet, Listing, Maker, RuleId, Until};
pub use login::{CanonicalLogin, Login};
pub use network::{Network, NetworkError};
pub use subject::{Subject, SubjectError};
pub use time::Timestamp;
