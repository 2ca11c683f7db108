//! The thin shells: sockets, threads and clocks around the cores of this room.

mod dovecot;
mod http;
mod line;
mod map;
mod postfix;
mod saslauthd;
mod seats;
mod server;
mod steady;
mod stream;

pub use dovecot::{DovecotGate, Handle};
pub use http::HttpGate;
pub use line::LineGate;
pub use map::MapGate;
pub use postfix::{MilterGate, PostfixGate};
pub use saslauthd::SaslGate;
pub use server::{Connections, Limits, Server, StartError};
pub use steady::{PATIENCE, Steadiness, SteadyDoor};
pub use stream::{Listener, Place};
