//! The thin shells: sockets, threads and clocks around the cores of this room.

mod dovecot;
mod line;
mod postfix;
mod seats;
mod server;
mod stream;

pub use dovecot::{DovecotGate, Handle};
pub use line::LineGate;
pub use postfix::{MilterGate, PostfixGate};
pub use server::{Connections, Limits, Server, StartError};
pub use stream::{Listener, Place};
