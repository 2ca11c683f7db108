use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use base::Timestamp;
use rules::Door;

use super::server::{Connections, Limits, Server, StartError};
use super::stream::{Listener, Place};
use crate::dovecot::{Counters, Gate, Settings};
use crate::http::Http;

/// Dovecot's gate on a socket.
#[derive(Debug)]
pub struct DovecotGate;

impl DovecotGate {
    /// Listens at `listen` and answers until the handle is stopped or dropped.
    ///
    /// `door` is called on the server's only thread and must return soon. `clock` is read once for what one read brought.
    pub fn start(
        listen: SocketAddr,
        settings: Settings,
        door: Arc<dyn Door>,
        clock: fn() -> Timestamp,
    ) -> Result<Handle, StartError> {
        let listener =
            TcpListener::bind(listen).map_err(|source| StartError::Bind { place: Place::Tcp(listen), source })?;
        Self::start_on(listener, Gate::new(settings, door), clock, Limits::default())
    }

    /// The same on a listener that exists already, as a supervisor hands one over; clients that connect while this
    /// process is away wait in it. `limits` bound what one client may cost.
    pub fn start_on(
        listener: TcpListener,
        gate: Gate,
        clock: fn() -> Timestamp,
        limits: Limits,
    ) -> Result<Handle, StartError> {
        let gate = Arc::new(gate);
        let local_addr = listener.local_addr().map_err(StartError::Resources)?;
        let http = Http::new(gate.clone());
        let server = Server::start("dovecot-gate", vec![Listener::Tcp(listener)], http, clock, limits)?;
        Ok(Handle { gate, server, local_addr })
    }
}

/// A running gate. Dropping it stops it.
pub struct Handle {
    gate: Arc<Gate>,
    server: Server,
    local_addr: SocketAddr,
}

impl Handle {
    /// Where it listens, with the port that the system chose if 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Closes the listener and all connections, and waits for the thread to end.
    pub fn stop(self) {
        self.server.stop();
    }

    /// What was asked and answered.
    pub fn counters(&self) -> &Counters {
        self.gate.counters()
    }

    /// What happened to connections.
    pub fn connections(&self) -> Connections {
        self.server.connections()
    }

    /// See [`Gate::warnings`].
    pub fn warnings(&self) -> Vec<&'static str> {
        self.gate.warnings()
    }
}
