//! The thin shells: sockets, threads and clocks around the cores of this room.
//!
//! One [`Server`] serves any protocol, and a gate is a protocol, or has one in front of it:
//!
//! ```text
//!  Server::start("line-gate", vec![(gate, listeners)], clock, limits)
//!  Server::start("http-gate", vec![(Http::new(gate), listeners)], clock, limits)
//!  Server::start("map-gate", vec![(Tables::new(gate, Dialect::Tcp), listeners), …], clock, limits)
//! ```

mod handover;
mod inherited;
mod saslauthd;
mod seats;
mod server;
mod steady;
mod stream;
mod wake;

pub use handover::HandedOver;
pub use inherited::{Spot, close_inherited, inherit, keep_inherited, lasting, take, take_datagrams};
pub use saslauthd::Saslauthd;
pub use server::{CONNECTIONS_MAX, Connections, Limits, Server};
pub use steady::{PATIENCE, Steadiness, SteadyDoor};
pub use stream::{Listener, Place};
