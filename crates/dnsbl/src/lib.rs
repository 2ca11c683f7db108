//! DNS blocklists: [`serve`] publishes lists, as an authoritative server for the zones in which they stand.
//!
//! Start at [`serve::Responder::answer`]; `io` puts sockets and threads around it.

pub mod serve;

#[cfg(feature = "io")]
pub mod io;
