//! What Ratter does outside when the book changes: [`map`] files that mail servers read, [`nft`] sets of the kernel, and
//! [`notice`]s to people and programs.
//!
//! ```text
//!  Book ── journal ──> io::Worker (a thread an action) ── Action: what is to be done ──> file, kernel, mail
//!                          │  bounded queue, pauses, attempts again
//!                          └─ Health: how far behind, what failed ──> status, metrics
//! ```
//!
//! An [`Action`] follows the journal and knows what is still to be done; its worker decides when, and tries again what
//! failed. No decision waits for either: whoever changes the book puts the change into a bounded queue and goes on. An
//! action that missed something because its queue was full is told the whole book anew ([`Action::reconcile`]).

mod action;
pub mod map;
pub mod nft;
pub mod notice;
mod retry;

#[cfg(feature = "io")]
pub mod io;

pub use action::{Action, Failure, Health, Words};
pub use retry::{Pace, Retry};
