//! The client of other people's lists: from an address to what each list says of it, or why nothing can be relied on.
//!
//! ```text
//!  wanted ──> cache ──> question (name) ──> server ──reply──> judge ──> Verdict: listed, not listed, unknown
//!                                                               │
//!  tests of each list, at the start and again and again ────────┴──> Health: untested, working, off (with the cause)
//! ```
//!
//! Only one of a list's own codes means **listed**. Everything else that is not `NXDOMAIN` is **unknown**, by which nobody
//! is refused: a code that nobody explained, `127.255.255.x` (the list will not answer us), an answer outside 127/8 (a
//! server that lies), `SERVFAIL`, `REFUSED`, silence, an empty answer, an alias that leads elsewhere.
//!
//! A list is tested as RFC 5782 section 5 wants: its test entry is listed, 127.0.0.1 is not, and neither is a name that
//! nobody can have listed. One that fails is off until it passes; what it said before is forgotten.
//!
//! The machine is pure: time is an argument, questions are an output, replies an input.

mod answer;
mod cache;
mod health;
mod list;
mod machine;
mod name;
#[cfg(test)]
mod tests;

pub use answer::{Cause, Codes, Verdict, judge};
pub use cache::CACHED_MAX;
pub use health::{Fault, Health};
pub use list::{CODES_MAX, Code, Key, LISTS_MAX, List, Lists};
pub use machine::{Counters, Input, Machine, Output, QUEUED_MAX, QuestionId, Settings, Standing};
pub use name::address_name;
