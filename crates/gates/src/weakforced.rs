//! The rest of weakforced's JSON API, on the listener of Dovecot's auth policy: its lists, `reset` and `getDBStats`, so
//! that what was written for weakforced works with Ratter.
//!
//! | command | what it does here |
//! |---|---|
//! | `addBLEntry`, `delBLEntry`, `getBL` | an address, network or login is blocked by a listing on `blocked`; a login from an address by an exception |
//! | `addWLEntry`, `delWLEntry`, `getWL` | an exception: it passes although it is blocked |
//! | `reset` | forgets what was counted, and lifts the block |
//! | `getDBStats` | whether it is blocked or passed, and what each rule has counted |
//!
//! Replies are weakforced 3.2's to the field. Where that does nothing and says `ok` (an entry about nobody) the reply is
//! the failure that `reset` gives there.

mod api;
mod entries;
mod request;

pub use api::{Api, Command};
pub use entries::{Entries, Entry, EntryRefused, Level, Side};
pub use request::{Body, Fault};

/// Most entries that `getBL` and `getWL` show.
pub const SHOWN_MAX: usize = 10_000;
