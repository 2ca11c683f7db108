//! DNS blocklists: [`serve`] publishes lists, as an authoritative server for the zones in which they stand; [`ask`] asks
//! those of others.
//!
//! Start at [`serve::Responder::answer`]; [`access`] says whom it answers; `io` puts sockets and threads around it.
//! [`datasets`] reads and writes files of lists, [`statics`] are the zones that are answered from them;
//! [`feed`] gives lists away as files; [`transfer`] gives zones to other servers, and [`mirror`] takes them from there.

pub mod access;
pub mod ask;
pub mod datasets;
pub mod feed;
pub mod mirror;
pub mod serve;
pub mod statics;
pub mod transfer;

#[cfg(feature = "io")]
pub mod io;
