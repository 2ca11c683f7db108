//! Map files: who is listed, in the form that a mail server reads.
//!
//! [`Mirror`] keeps what a map shall say, and [`Format`] writes it. The shell (`io::file`) puts it in the place of the old
//! file in one step, because readers take a file that is half written for the truth: rspamd reads `192.0.2.9/` as
//! 0.0.0.0/0, and `203.0.113.1` where `203.0.113.100` was about to stand.

mod format;
mod mirror;

pub use format::{Format, Mark, Style};
pub use mirror::{ENTRIES_MAX, Mirror};
