//! The socket of Cyrus' `saslauthd`, for whatever links libsasl2 with `pwcheck_method: saslauthd`: we stand before the real
//! one, refuse guarded logins, pass all others on, and see how each login went.
//!
//! ```text
//! length login  length password  length service  length realm     -> length "OK" or "NO", and words
//! ```
//!
//! A length has two bytes, the higher one first. The protocol of libsasl2 2.1 does not tell the client's address, so that
//! only rules about logins see these attempts. A connection carries one question. What is no question is answered `NO`,
//! as by saslauthd; so is every question while the real one is away, because nobody could check the password then.

mod gate;
mod session;

pub use gate::{Count, Counters, Gate, Reply, Upstream};
pub use session::SaslDialogue;

/// Longest of the four texts, in bytes, as saslauthd has it (`MAX_REQ_LEN`).
pub const TEXT_BYTES_MAX: usize = 256;
/// Longest answer of the real saslauthd that is passed on, in bytes.
pub const ANSWER_BYTES_MAX: usize = 1024;
