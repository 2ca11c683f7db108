//! What rspamd's `metadata_exporter` posts: from a request to an event behind the one door.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::console::api::GateStatus;
use anyhow::Context;
use base::{Channel, Event, Tally, Timestamp};
use gates::dovecot::Access;
use gates::http::{Http, Reply, Request, Service, Status};
use gates::io::{Limits, Listener, Server};
use rules::Door;
use sensors::exported;
use tracing::info;

use super::Node;
use crate::clock;
use crate::config::{Config, RspamdSensor};

/// The listener for exports. Dropping it stops it.
pub(crate) struct ExportsOutlet {
    _server: Server,
    local_addr: SocketAddr,
    door: Arc<ExportDoor>,
}

struct ExportDoor {
    node: Arc<Node>,
    access: Access,
    taken: AtomicU64,
    told: AtomicU64,
    malformed: AtomicU64,
    denied: AtomicU64,
}

impl ExportsOutlet {
    /// Listens there.
    pub(crate) fn start(config: &Config, sensor: &RspamdSensor, node: &Arc<Node>) -> anyhow::Result<Self> {
        let listen = sensor.listen;
        let listener =
            TcpListener::bind(listen).with_context(|| format!("rspamd cannot export: cannot listen at {listen}"))?;
        let count = || AtomicU64::new(0);
        let (taken, told, malformed, denied) = (count(), count(), count(), count());
        let access = sensor.password.as_ref().map_or_else(Access::open, |it| Access::open().with_password(it.expose()));
        let door = Arc::new(ExportDoor { node: Arc::clone(node), access, taken, told, malformed, denied });
        let limits = Limits { connections_max: config.limits.connections, ..Limits::default() };
        let service: Arc<dyn Service> = door.clone();
        let local_addr = listener.local_addr()?;
        let spoken = vec![(Http::new(service), vec![Listener::Tcp(listener)])];
        let server = Server::start("rspamd", spoken, clock::now, limits)?;
        info!(listen = %local_addr, "taking rspamd's exports");
        Ok(Self { _server: server, local_addr, door })
    }

    pub(super) fn status(&self) -> GateStatus {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        GateStatus {
            name: "rspamd".to_owned(),
            listen: self.local_addr.to_string(),
            asked: load(&self.door.taken),
            reported: load(&self.door.told),
            malformed: load(&self.door.malformed) + load(&self.door.denied),
        }
    }
}

impl Service for ExportDoor {
    fn answer(&self, now: Timestamp, request: &Request<'_>, reply: &mut Reply<'_>) {
        if request.method() != "POST" {
            reply.status = Status::MethodNotAllowed { allow: "POST" };
            return;
        }
        if !self.access.admits(request) {
            self.denied.fetch_add(1, Ordering::Relaxed);
            reply.status = if Access::is_of_page(request) { Status::Forbidden } else { Status::Unauthorized };
            return;
        }
        self.taken.fetch_add(1, Ordering::Relaxed);
        match exported::read(request.body()) {
            Ok(None) => {}
            Ok(Some(export)) => {
                self.told.fetch_add(1, Ordering::Relaxed);
                self.node.observe(&Event {
                    time: now,
                    kind: export.kind,
                    service: "smtp",
                    address: Some(export.address),
                    login: export.login.as_deref(),
                    session: Some(&export.message),
                    password: None,
                    channel: Channel::Front,
                    tally: Tally::One,
                    reporter: None,
                });
            }
            Err(fault) => {
                self.malformed.fetch_add(1, Ordering::Relaxed);
                reply.status = Status::BadRequest;
                reply.body.extend_from_slice(fault.to_string().as_bytes());
            }
        }
    }
}
