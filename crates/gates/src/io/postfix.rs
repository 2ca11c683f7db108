use core::time::Duration;
use std::sync::Arc;

use base::Timestamp;

use super::server::{Connections, Limits, Server, StartError};
use super::stream::{Listener, Place};
use crate::policy::{Node, Settings};
use crate::{milter, postfix};

/// How long Postfix may be silent: it ends idle connections after 300 s itself (`smtpd_policy_service_max_idle`), and is
/// never to find one closed.
const POLICY_IDLE_MAX: Duration = Duration::from_mins(20);

/// How long a mail server may be silent while its client is: as long as an SMTP session may stand still.
const MILTER_IDLE_MAX: Duration = Duration::from_hours(1);

/// The policy gate on sockets. Dropping it stops it.
pub struct PostfixGate {
    gate: Arc<postfix::Gate>,
    server: Server,
}

impl PostfixGate {
    /// Answers on `listeners` until it is dropped, on one thread, which calls `node` and must get its answers soon.
    pub fn start(
        listeners: Vec<Listener>,
        node: Node,
        settings: Settings,
        clock: fn() -> Timestamp,
        limits: Limits,
    ) -> Result<Self, StartError> {
        let gate = Arc::new(postfix::Gate::new(node, settings));
        let limits = Limits { idle_max: POLICY_IDLE_MAX, ..limits };
        let server = Server::start("policy-gate", listeners, gate.clone(), clock, limits)?;
        Ok(Self { gate, server })
    }

    /// Where it listens.
    pub fn places(&self) -> &[Place] {
        self.server.places()
    }

    /// What was asked and answered.
    pub fn counters(&self) -> &postfix::Counters {
        self.gate.counters()
    }

    /// What happened to connections.
    pub fn connections(&self) -> Connections {
        self.server.connections()
    }
}

/// The milter on sockets. Dropping it stops it.
pub struct MilterGate {
    gate: Arc<milter::Gate>,
    server: Server,
}

impl MilterGate {
    /// Answers on `listeners` until it is dropped, on one thread, which calls `node` and must get its answers soon.
    pub fn start(
        listeners: Vec<Listener>,
        node: Node,
        settings: Settings,
        clock: fn() -> Timestamp,
        limits: Limits,
    ) -> Result<Self, StartError> {
        let gate = Arc::new(milter::Gate::new(node, settings));
        let limits = Limits { idle_max: MILTER_IDLE_MAX, ..limits };
        let server = Server::start("milter-gate", listeners, gate.clone(), clock, limits)?;
        Ok(Self { gate, server })
    }

    /// Where it listens.
    pub fn places(&self) -> &[Place] {
        self.server.places()
    }

    /// What was asked and answered.
    pub fn counters(&self) -> &milter::Counters {
        self.gate.counters()
    }

    /// What happened to connections.
    pub fn connections(&self) -> Connections {
        self.server.connections()
    }
}
