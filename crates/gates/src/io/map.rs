use core::time::Duration;
use std::sync::Arc;

use base::Timestamp;

use super::server::{Connections, Limits, Server, StartError};
use super::stream::{Listener, Place};
use crate::map::{Counters, Dialect, Gate, Tables};
use crate::policy::{Node, Settings};

/// How long Postfix may be silent: it closes an idle socketmap after 10 s, and is never to find one closed.
const IDLE_MAX: Duration = Duration::from_mins(20);

/// Look-up tables on sockets. Dropping it stops it.
pub struct MapGate {
    gate: Arc<Gate>,
    servers: Vec<Server>,
}

impl MapGate {
    /// Answers on the listeners of each dialect until it is dropped, on one thread for each.
    pub fn start(
        listeners: Vec<(Dialect, Vec<Listener>)>,
        node: Node,
        settings: Settings,
        clock: fn() -> Timestamp,
        limits: Limits,
    ) -> Result<Self, StartError> {
        let gate = Arc::new(Gate::new(node, settings));
        let limits = Limits { idle_max: IDLE_MAX, ..limits };
        let start = |(dialect, listeners): (Dialect, Vec<Listener>)| {
            Server::start("map-gate", listeners, Tables::new(gate.clone(), dialect), clock, limits)
        };
        let servers = listeners.into_iter().filter(|(_, listeners)| !listeners.is_empty()).map(start);
        let servers = servers.collect::<Result<_, _>>()?;
        Ok(Self { gate, servers })
    }

    /// Where it listens.
    pub fn places(&self) -> Vec<Place> {
        self.servers.iter().flat_map(Server::places).cloned().collect()
    }

    /// What was asked and answered.
    pub fn counters(&self) -> &Counters {
        self.gate.counters()
    }

    /// What happened to connections.
    pub fn connections(&self) -> Connections {
        let mut all = Connections { open: 0, accepted: 0, shed: 0, faulty: 0, timed_out: 0, accept_failed: 0 };
        for one in self.servers.iter().map(Server::connections) {
            all.open += one.open;
            all.accepted += one.accepted;
            all.shed += one.shed;
            all.faulty += one.faulty;
            all.timed_out += one.timed_out;
            all.accept_failed += one.accept_failed;
        }
        all
    }
}
