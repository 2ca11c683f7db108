//! Logs of the real world: files that grow, and streams that end.

#![expect(clippy::disallowed_methods, reason = "this is where files are read and the clock that bounds a wait")]

mod files;
mod sensor;
mod stream;
mod watch;

pub use files::Files;
pub use sensor::FileSensor;
pub use stream::LineReader;
pub use watch::Watch;
