//! One line asks, one line answers: for Exim's `${readsocket}`, shell scripts, Lua, PAM, and our own small helpers.
//!
//! ```text
//! check address=192.0.2.7 login=alice service=imap          -> 0 pass unlisted
//! check address=192.0.2.9                                   -> -1 refuse address-listed
//! failed address=192.0.2.7 login=alice service=smtp         -> 0 pass unlisted
//! ```
//!
//! | verb | what it does |
//! |---|---|
//! | `check` | asks and counts nothing; with `stage=after` it is asked after the password was found right |
//! | `ok`, `failed` | reports a login that succeeded or failed, and answers what `check` would from now on |
//!
//! The names are `address`, `login`, `service`, `session` and `stage`, in any order; others are ignored, so that newer
//! clients may ask older nodes. A value holds no space: spaces and other odd bytes are written as `%20` (RFC 3986 section
//! 2.1). A line ends with LF or CR LF.
//!
//! The answer begins with a number as weakforced's `status`: 0 goes on, a number of seconds above 0 is how long to hold
//! the client first, below 0 refuses (-1) or defers (-2). A verdict and a reason follow as words. What cannot be
//! understood is answered `0 error` and what is wrong, which lets the client through.

mod gate;
mod request;
mod session;

pub use gate::{Answer, Count, Counters, Gate, Word};
pub use request::{Malformed, Request, Verb};
pub(crate) use request::{NAMES, stage};
pub use session::LineDialogue;

/// Longest line, in bytes, without its end.
pub const LINE_BYTES_MAX: usize = 4096;
