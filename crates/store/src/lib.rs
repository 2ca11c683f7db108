//! What Ratter keeps over a restart, in one `SQLite` file that an operator can open with `sqlite3`: the listings in
//! force, the journal of every change to the book, the events, the addresses of each login's owner, the read positions
//! of the sensors, the keys of the blocklist, the exceptions, what became of reporters, and who did what.
//!
//! ```text
//!  push(Batch) ──> queue ──┐  tick <= 20 ms, at once after wake()
//!                          ├──> writer thread ──> one transaction ──> ratter.db (WAL)
//!  book's journal ─────────┘        ^ retries with back-off               │
//!                                                                         ├──> restore at the next start
//!  events_about, history, audits <── second connection, read-only <───────┘
//! ```
//!
//! Promises:
//!
//! 1. A batch (events, owners, read position) is in one transaction, whole. The writer takes the queue *before* it
//!    drains the book's journal and writes both together, so that a committed position never lacks a listing that its
//!    lines caused. What was not committed is read again from the log, and counted once.
//! 2. `kill -9` loses nothing that was committed. A power cut may lose the transactions since the last checkpoint,
//!    because `synchronous = NORMAL` leaves syncing the write-ahead log to it; the file stays whole, positions and
//!    listings go back together, and the lines are read again.
//!    What a limit on sending has charged is in a file of its own ([`ChargeLog`]), written before the mail server is told.
//! 3. A full or failing disk stops nothing else: what is to be written waits in memory up to its limits, events and
//!    owners beyond are shed and counted, positions and listings never.
//! 4. A serial that was given out is not given out again: after an end that was none of ours the next one is ahead of
//!    all that may have been seen, because secondaries would take other changes of the same numbers for theirs.
//! 5. A file that is damaged, newer, or not Ratter's is refused with a message that says what to do. It is never
//!    deleted or overwritten.
//!
//! Everything here is input and output, so that the room needs no feature for it; `rows` (records to columns and back),
//! `schema`, `ranges` and `load` are pure.

mod accounts;
mod bulk;
mod changes;
mod charges;
mod clock;
mod commit;
mod error;
mod exceptions;
mod file;
mod image;
mod keys;
pub mod limits;
mod load;
mod older;
mod past;
mod people;
mod queue;
mod ranges;
mod records;
mod reporters;
mod restore;
mod retention;
mod rows;
mod schema;
mod serials;
mod service;
mod starts;
mod writer;

pub use accounts::KeptAccount;
pub use bulk::RestoredBulk;
pub use charges::{ChargeLog, KeptCharges};
pub use error::{NotSaved, StoreError};
pub use exceptions::ExceptionChange;
pub use file::can_open;
pub use image::NoImage;
pub use keys::{KeptCount, KeptKey};
pub use limits::Limits;
pub use older::OlderChanges;
pub use past::{Asked, PastListing, Then};
pub use people::{Audited, Past, PastChange, PastMaker, Reported};
pub use queue::Health;
pub use records::{Batch, KeptEvent, Names, Position};
pub use restore::{LeftOut, Restored};
pub use service::{Opened, Store};
pub use starts::{KeptZone, Outset};
