//! Logs of the real world: files that grow, streams that end, the journal, syslog.

#![expect(clippy::disallowed_methods, reason = "this is where files are read and the clock that bounds a wait")]

mod ahead;
mod compressed;
mod files;
mod globs;
mod journal;
mod log;
mod saved;
mod sensor;
mod stream;
mod syslog;
mod turns;
mod watch;

pub use ahead::ReadAhead;
pub use compressed::{decompressed, is_compressed_name};
pub use files::Files;
pub use globs::{is_glob, matching};
pub use journal::{JournalSensor, JournalSettings};
pub use saved::journal_text;
pub use sensor::FileSensor;
pub use stream::LineReader;
pub use syslog::{CONNECTIONS_MAX, SyslogCounters, SyslogListener, SyslogSettings};
pub use turns::ask_for_short_turns;
pub use watch::Watch;
