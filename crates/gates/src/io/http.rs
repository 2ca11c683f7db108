use std::sync::Arc;

use base::Timestamp;

use super::server::{Connections, Limits, Server, StartError};
use super::stream::{Listener, Place};
use crate::http::Http;
use crate::web::Gate;

/// The HTTP gate on sockets. Dropping it stops it.
pub struct HttpGate {
    gate: Arc<Gate>,
    server: Server,
}

impl HttpGate {
    /// Answers on `listeners` until it is dropped. The gate's door is called on the server's only thread and must return
    /// soon.
    pub fn start(
        listeners: Vec<Listener>,
        gate: Gate,
        clock: fn() -> Timestamp,
        limits: Limits,
    ) -> Result<Self, StartError> {
        let gate = Arc::new(gate);
        let server = Server::start("http-gate", listeners, Http::new(gate.clone()), clock, limits)?;
        Ok(Self { gate, server })
    }

    /// Where it listens.
    pub fn places(&self) -> &[Place] {
        self.server.places()
    }

    /// What was asked and answered.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// What happened to connections.
    pub fn connections(&self) -> Connections {
        self.server.connections()
    }
}
