//! The thin shells: sockets, threads and clocks around the cores of this room.

mod dovecot;
mod server;

pub use dovecot::{DovecotGate, Handle};
pub use server::{Connections, HttpServer, Limits, StartError};
