//! Reverse names: what an address is called, and what that name says about it.
//!
//! ```text
//!   address + name ──> classify ──> Class (dynamic, static-generic, mailserver, or none) with its reason
//! ```

pub mod classify;
