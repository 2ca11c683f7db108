//! Look-up tables that Postfix asks instead of reading a file: `socketmap:` (`socketmap_table(5)`) and `tcp:`
//! (`tcp_table(5)`), for `check_client_access` and `check_sasl_access`.
//!
//! ```text
//! socketmap   19:clients 203.0.113.7,        -> 44:OK REJECT 5.7.1 Your address is blocked here,
//!             13:logins alice,               -> 9:NOTFOUND ,
//! tcp         get 203.0.113.7                -> 200 REJECT%205.7.1%20Your%20address%20is%20blocked%20here
//!             get mail.example.org           -> 500 -
//! ```
//!
//! Of the keys that Postfix tries for one client (its name, the domains around it, its address, the networks around it)
//! only the address is looked at. A `socketmap:` table is named `clients` or `logins`; `tcp:` knows no names, and takes
//! addresses only. What is not understood is not found, because any other answer, and none, would refuse mail. After
//! a netstring that is none or is too long the connection is closed as well, because where the next one begins is not known:
//! Postfix opens another for its next question by itself.

mod gate;
mod session;

pub use gate::{Count, Counters, Gate};
pub use session::{Dialect, MapDialogue, Tables};

/// Longest question, in bytes: Postfix sends at most 10,000 in a netstring, and 4096 in a line.
pub const QUESTION_BYTES_MAX: usize = 10_000;
