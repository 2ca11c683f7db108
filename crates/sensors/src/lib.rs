//! Sensors: bytes of logs to events.
//!
//! ```text
//! io::FileSensor ─ tail::Tail ─ lines::LineBuffer ─> line ─ frame::read ─> Frame ─ Reader ─ Grammar ─> Event
//!   inotify          rotation      one at a time            who, when       by program tag
//! ```
//!
//! A line that no grammar understands makes no event; nothing that a client can write into a line (a login, a reverse
//! name, a password) chooses the address of an event: each grammar says beside its format why. The core is pure; what
//! touches files stands in [`io`].

pub mod exported;
pub mod frame;
pub mod grammar;
pub mod import;
pub mod lines;
pub mod patterns;
mod reader;
pub mod reports;
pub mod sources;
pub mod tail;
mod text;
pub mod unknown;
mod words;

#[cfg(feature = "io")]
pub mod io;

pub use frame::{Clock, Frame, Stamp, arrival};
pub use grammar::{Grammar, is_service, services};
pub use jiff::tz::TimeZone;
pub use reader::{Counters, Reader, Timing, UnknownService};
