//! Zones whose content comes from files: tables that never change, each swapped as a whole when its files do.
//!
//! ```text
//!  datasets::Dataset ──> Compiled (Table, AccessTable) ──> Content of a zone ──> Statics ──> serve::Responder
//! ```
//!
//! A table answers without a lock and without an allocation. Values are kept once each; a single IPv4 address takes two
//! bytes and as many bits as tell the values apart. What a zone answers is that of the live book's zones: NODATA for
//! names with something below them, SOA in negative replies, one kind of records for ANY.

mod answer;
mod keys;
mod names;
mod packed;
mod table;
mod texts;
mod zone;

pub use table::{Table, VALUES_PER_ENTRY_MAX};
pub(crate) use zone::Slot;
pub use zone::{Compiled, Content, ContentError, DATASETS_MAX, Sharing, Statics, StaticsError, ZONES_MAX};
