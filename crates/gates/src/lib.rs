//! Gates: the protocols by which a mail server asks Ratter.
//!
//! A gate turns a question into [`rules::Question`] and a report into [`base::Event`], gives them to the one door
//! ([`rules::Door`]), and says the decision in the words of its protocol. It decides nothing itself, and when it does not
//! understand something it lets the client through and counts that.
//!
//! Everything but `io` is pure: bytes in, bytes out, time as an argument ([`session::Session`]). Sockets, threads and clocks
//! stand in `io`, behind the feature of that name, where one server serves any of them.

pub mod alone;
mod counting;
pub mod dovecot;
mod escapes;
pub mod http;
mod input;
#[cfg(feature = "io")]
pub mod io;
pub mod line;
mod lists;
pub mod map;
pub mod milter;
mod outgoing;
pub mod policy;
pub mod postfix;
pub mod saslauthd;
pub mod session;
pub mod weakforced;
pub mod web;

pub use lists::Lists;
pub use outgoing::Messages;
