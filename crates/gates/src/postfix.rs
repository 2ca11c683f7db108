//! Postfix asks about each step of an SMTP session: policy delegation.
//!
//! ```text
//! request=smtpd_access_policy          -> action=DUNNO
//! protocol_state=RCPT
//! client_address=203.0.113.7
//! sasl_username=alice@example.org
//! …
//! (an empty line)
//! ```
//!
//! Names may come in any order, and those that are unknown are passed over, because each version of Postfix has more of
//! them (`SMTPD_POLICY_README`). The answer is an action of Postfix' access(5); it is never `OK`, which would skip the
//! admin's checks behind ours.
//!
//! Where a message is on its way is known by `instance`, which is the same from the first recipient to its end, also when
//! Postfix asks about the end on another connection, as it does for services with settings of their own.

mod gate;
mod paid;
mod request;
mod session;
mod shown;

pub(crate) use gate::SESSION;
pub use gate::{Action, Count, Counters, Gate, UNNAMED};
pub use request::{Malformed, Request, State};
pub use session::{Open, PolicyDialogue};

/// Longest request, in bytes. Postfix has about thirty names, and bounds each value by its `line_length_limit` of 2048.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024;
