//! Reverse names: what an address is called, and what that name says about it.
//!
//! ```text
//!   address ──> ptr ──> its name, confirmed or not; the proof that it has none; or nothing that can be relied on
//!   address + name ──> classify ──> Class (dynamic, static-generic, mailserver, or none) with its reason
//! ```

pub mod classify;
#[cfg(feature = "io")]
pub mod io;
pub mod ptr;
