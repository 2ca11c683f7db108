use std::sync::Arc;

use base::Timestamp;
use rules::Door;

use super::server::{Connections, Limits, Server, StartError};
use super::stream::{Listener, Place};
use crate::line::{Counters, Gate};

/// The line gate on sockets. Dropping it stops it.
pub struct LineGate {
    gate: Arc<Gate>,
    server: Server,
}

impl LineGate {
    /// Answers on `listeners` until it is dropped. `door` is called on the server's only thread and must return soon.
    pub fn start(
        listeners: Vec<Listener>,
        door: Arc<dyn Door>,
        clock: fn() -> Timestamp,
        limits: Limits,
    ) -> Result<Self, StartError> {
        let gate = Arc::new(Gate::new(door));
        let server = Server::start("line-gate", listeners, gate.clone(), clock, limits)?;
        Ok(Self { gate, server })
    }

    /// Where it listens.
    pub fn places(&self) -> &[Place] {
        self.server.places()
    }

    /// What was asked and answered.
    pub fn counters(&self) -> &Counters {
        self.gate.counters()
    }

    /// What happened to connections.
    pub fn connections(&self) -> Connections {
        self.server.connections()
    }
}
