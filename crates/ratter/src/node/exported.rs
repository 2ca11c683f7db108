//! What rspamd's `metadata_exporter` posts: from a request to an event behind the one door.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::console::api::GateStatus;
use ::console::metrics::Metric;
use anyhow::Context;
use base::{Channel, Event, Tally, Timestamp};
use gates::dovecot::Access;
use gates::http::{Fault, Http, Reply, Request, Service, Status};
use gates::io::{Limits, Listener, Place, Server};
use rules::Door;
use sensors::exported::{self, EXPORT_BYTES_MAX};
use tracing::{info, warn};

use super::Node;
use crate::clock;
use crate::config::{Config, RspamdSensor};

/// Most connections at once: one export each, and they bound the memory that long ones take.
const CONNECTIONS_MAX: usize = 64;

/// The listener for exports. Dropping it stops it.
pub(crate) struct ExportsOutlet {
    server: Server,
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
    too_long: AtomicU64,
}

impl ExportsOutlet {
    /// Listens there.
    pub(crate) fn start(config: &Config, sensor: &RspamdSensor, node: &Arc<Node>) -> anyhow::Result<Self> {
        let listen = sensor.listen;
        let listener = Listener::bind(&Place::Tcp(listen))
            .with_context(|| format!("rspamd cannot export: cannot listen at {listen}"))?;
        let count = || AtomicU64::new(0);
        let (taken, told, malformed, denied, too_long) = (count(), count(), count(), count(), count());
        let access = sensor.password.as_ref().map_or_else(Access::open, |it| Access::open().with_password(it.expose()));
        let door = Arc::new(ExportDoor { node: Arc::clone(node), access, taken, told, malformed, denied, too_long });
        let limits = Limits { connections_max: config.limits.connections.min(CONNECTIONS_MAX), ..Limits::default() };
        let service: Arc<dyn Service> = door.clone();
        let spoken = vec![(Http::new(service).with_bodies::<EXPORT_BYTES_MAX>(), vec![listener])];
        let server = Server::start("rspamd", spoken, clock::now, limits)?;
        let local_addr = match server.places() {
            [Place::Tcp(address), ..] => *address,
            [Place::Unix(_), ..] | [] => listen,
        };
        info!(listen = %local_addr, "taking rspamd's exports");
        Ok(Self { server, local_addr, door })
    }

    /// What speaks with clients.
    pub(super) const fn server(&self) -> &Server {
        &self.server
    }

    pub(super) fn status(&self) -> GateStatus {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        GateStatus {
            name: "rspamd".to_owned(),
            listen: self.local_addr.to_string(),
            asked: load(&self.door.taken),
            reported: load(&self.door.told),
            malformed: load(&self.door.malformed) + load(&self.door.denied) + load(&self.door.too_long),
        }
    }

    pub(super) fn metric(&self) -> Metric {
        let ExportDoor { taken, told, malformed, denied, too_long, .. } = &*self.door;
        let counts =
            [("taken", taken), ("told", told), ("malformed", malformed), ("denied", denied), ("too_long", too_long)];
        let counts = counts.map(|(name, count)| (name, count.load(Ordering::Relaxed)));
        Metric::counter("exports", "Exports of rspamd, by what became of them", 0).by("count", counts)
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

    fn failed(&self, fault: Fault) {
        let count = if fault == Fault::BodyTooLarge { &self.too_long } else { &self.malformed };
        let lost = count.fetch_add(1, Ordering::Relaxed) + 1;
        // Whoever sends such mails writes as many lines as he likes, otherwise.
        if lost.is_power_of_two() {
            warn!(%fault, lost, "an export of rspamd is lost: what it tells of its sender is not known");
        }
    }
}
