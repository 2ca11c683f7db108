//! What a password is worth, and new ones that are worth something.
//!
//! [`judge`] says what is wrong with a password in sentences; [`generate`] makes new ones with a stated entropy. Nothing
//! here reads a file or asks for randomness: word lists and random octets come in as arguments.

pub mod breached;
mod dictionary;
pub mod generate;
mod judge;
mod looks;
#[cfg(test)]
mod table;

pub use dictionary::Words;
pub use judge::{About, DIFFERENT_LEAST, Fault, PASSWORD_CHARS_MAX, Profile, SCORE_LEAST, Verdict, judge};
pub use looks::Looks;
