//! What daemons write, one file each.
//!
//! A grammar is asked for the lines of its programs only. It reads what the daemon's own source writes, from the side
//! where a client cannot have written, and gives no event where a line is not beyond doubt.

mod dovecot;
mod postfix;
#[cfg(test)]
mod tests;

use base::{Event, Timestamp};

use crate::frame::Frame;

pub use dovecot::Dovecot;
pub use postfix::Postfix;

/// Takes the events of a line, one call each. An event borrows from the line, or from the grammar where several lines make
/// one event.
pub type Sink<'s> = &'s mut dyn FnMut(Event<'_>);

/// The log format of one daemon.
pub trait Grammar: Send {
    /// Its name in output and counters.
    fn name(&self) -> &'static str;

    /// Whether lines with this program tag are this daemon's. Must depend on the tag alone: the answer is remembered.
    fn speaks(&self, program: &str) -> bool;

    /// Reads one line of such a program that was written at `time`. Takes `&mut self` because some daemons spread what
    /// happened over several lines.
    fn read(&mut self, frame: &Frame<'_>, time: Timestamp, out: Sink<'_>);
}

/// Every grammar there is.
pub(crate) fn all() -> Vec<Box<dyn Grammar>> {
    vec![Box::new(Dovecot), Box::new(Postfix)]
}
