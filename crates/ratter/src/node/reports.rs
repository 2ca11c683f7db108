//! What others report over HTTP: from a request to events behind the one door, in the file before the answer says so.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::console::api::GateStatus;
use ::console::metrics::Metric;
use anyhow::Context;
use base::{Channel, Event, Network, Reporter, Tally, Timestamp};
use gates::http::{Http, Reply, Request, Service, Status};
use gates::io::{Limits, Listener, Place, Server};
use sensors::reports::{self, AGE_MAX, Desk, Fault, SEEN_MAX, Submission, Taken, until_tomorrow};
use serde_json::{Value, json};
use store::Batch;
use tracing::{info, warn};

use super::{Node, peer};
use crate::clock;
use crate::config::{Config, Reports};

/// How long an answer waits until what was reported is in the file.
const SAVE_PATIENCE: Duration = Duration::from_secs(2);

/// When to come again while nothing can be stored.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// Where reports are sent to: our own path, and that of blocklist.de, so that only the host in an action changes.
const PATHS: [&str; 2] = ["/v1/reports", "/en/httpreports.html"];

/// The listener for reports. Dropping it stops it.
pub(crate) struct ReportsOutlet {
    server: Server,
    local_addr: SocketAddr,
    door: Arc<ReportDoor>,
}

/// Answers the requests of reporters.
struct ReportDoor {
    node: Arc<Node>,
    desk: Mutex<Desk>,
    /// To whom each belongs, in the order of the configuration.
    owners: Vec<String>,
    proxies: Vec<Network>,
    submissions: AtomicU64,
    strangers: AtomicU64,
    refused: AtomicU64,
}

impl ReportsOutlet {
    /// Listens where `settings` say. What was reported before the restart is known.
    pub(crate) fn start(config: &Config, settings: &Reports, node: &Arc<Node>) -> anyhow::Result<Self> {
        let listen = settings.listen;
        let listener = Listener::bind(&Place::Tcp(listen))
            .with_context(|| format!("nobody can report: cannot listen at {listen}"))?;
        let mut desk = Desk::new(settings.reporters.iter().cloned());
        let now = clock::now();
        let known = node.store.reported(now.minus(AGE_MAX), SEEN_MAX / 2)?;
        for report in known.iter().rev() {
            if let Ok(id) = report.session.parse() {
                desk.restore(now, &report.reporter, id, report.time);
            }
        }
        let door = Arc::new(ReportDoor {
            node: Arc::clone(node),
            desk: Mutex::new(desk),
            owners: settings.voices.iter().map(|voice| voice.owner.to_string()).collect(),
            proxies: settings.proxies.clone(),
            submissions: AtomicU64::new(0),
            strangers: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        });
        let limits = Limits { connections_max: config.limits.connections, ..Limits::default() };
        let service: Arc<dyn Service> = door.clone();
        let spoken = vec![(Http::new(service), vec![listener])];
        let server = Server::start("reports", spoken, clock::now, limits)?;
        let local_addr = match server.places() {
            [Place::Tcp(address), ..] => *address,
            [Place::Unix(_), ..] | [] => listen,
        };
        info!(listen = %local_addr, reporters = settings.reporters.len(), known = known.len(), "taking reports");
        Ok(Self { server, local_addr, door })
    }

    /// What speaks with clients.
    pub(super) const fn server(&self) -> &Server {
        &self.server
    }

    /// Where it listens.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    pub(super) fn status(&self) -> GateStatus {
        let taken = self.door.lock().tallies(clock::now()).map(|(_, tally)| tally.taken).sum();
        GateStatus {
            name: "reports".to_owned(),
            listen: self.local_addr().to_string(),
            asked: self.door.submissions.load(Ordering::Relaxed),
            reported: taken,
            malformed: self.door.refused.load(Ordering::Relaxed),
        }
    }

    /// What each reporter did, in the order of the configuration, with his owner and his daily number.
    pub(super) fn tallies(&self) -> Vec<(String, u32, reports::Tally)> {
        let desk = self.door.lock();
        let of_each = self.door.owners.iter().zip(desk.tallies(clock::now()));
        of_each.map(|(owner, (reporter, tally))| (owner.clone(), reporter.daily_cap, tally)).collect()
    }

    pub(super) fn metrics(&self) -> Vec<Metric> {
        let desk = self.door.lock();
        let sum = |of: fn(reports::Tally) -> u64| desk.tallies(clock::now()).map(|(_, tally)| of(tally)).sum::<u64>();
        let by_end = [("taken", sum(|t| t.taken)), ("known", sum(|t| t.known)), ("over", sum(|t| t.over))];
        let by_reporter = desk.tallies(clock::now()).map(|(reporter, tally)| (reporter.name.clone(), tally.taken));
        let by_reporter: Vec<_> = by_reporter.collect();
        let weights = self.door.node.engine.standings();
        let exposed = weights.iter().filter(|(standing, _)| standing.exposed.is_some()).count() as u64;
        let by_weight = weights.iter().map(|(standing, weight)| (standing.reporter.to_string(), u64::from(*weight)));
        let connections = self.server.connections();
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        vec![
            Metric::counter("reports", "Reports of others, by what became of them", 0).by("end", by_end),
            Metric::counter("reports_taken", "Reports of others that were taken, by reporter", 0)
                .by("reporter", by_reporter),
            Metric::gauge("reporter_weight", "What the word of each reporter weighs, in hundredths", 0)
                .by("reporter", by_weight),
            Metric::gauge("reporters_exposed", "Reporters who named a canary", exposed),
            Metric::counter("report_submissions", "Submissions of reports", load(&self.door.submissions)),
            Metric::counter("report_strangers", "Submissions with a key that nobody has", load(&self.door.strangers)),
            Metric::counter("reports_refused", "Submissions that made no sense", load(&self.door.refused)),
            Metric::gauge("report_connections_open", "Connections of reporters", connections.open as u64),
        ]
    }
}

/// What a submission is answered, short of success.
enum Refusal {
    NotFound,
    NotPost,
    UnknownForm,
    Stranger,
    Broken(Fault),
    NotStored,
}

impl Service for ReportDoor {
    fn answer(&self, now: Timestamp, request: &Request<'_>, reply: &mut Reply<'_>) {
        let (status, body) = match self.take(now, request) {
            Ok(taken) if taken.over == 0 => (Status::Ok, told("ok", None, &taken)),
            Ok(taken) => {
                let retry_after = until_tomorrow(now);
                (Status::TooManyRequests { retry_after }, told("failure", Some("daily cap reached"), &taken))
            }
            Err(refusal) => refused(refusal),
        };
        reply.status = status;
        reply.body.extend_from_slice(body.to_string().as_bytes());
    }
}

impl ReportDoor {
    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, now: Timestamp, request: &Request<'_>) -> Result<Taken, Refusal> {
        if !PATHS.contains(&request.path()) {
            return Err(Refusal::NotFound);
        }
        if request.method() != "POST" {
            return Err(Refusal::NotPost);
        }
        self.submissions.fetch_add(1, Ordering::Relaxed);
        let broken = |fault| {
            self.refused.fetch_add(1, Ordering::Relaxed);
            Refusal::Broken(fault)
        };
        let read = reader_of(request).ok_or(Refusal::UnknownForm)?;
        let submission = read(request.body());
        let key = bearer(request).or_else(|| submission.as_ref().ok()?.key.clone());
        let Some(who) = key.and_then(|key| self.lock().whose(&key)) else {
            self.strangers.fetch_add(1, Ordering::Relaxed);
            return Err(Refusal::Stranger);
        };
        let submission = submission.map_err(broken)?;
        // What cannot be stored is not counted either: it will be sent again.
        if self.node.store.health().failing_since.is_some() {
            return Err(Refusal::NotStored);
        }
        let taken = self.lock().take(now, who, &submission.reports, request.body()).map_err(broken)?;
        let from = peer::client(request.peer(), request.header_lines("x-forwarded-for").as_deref(), &self.proxies);
        let name = self.lock().reporter(who).name.clone();
        self.node.engine.heard_from(now, &name, from.filter(|from| peer::is_telling(*from)));
        self.observe(now, &name, &submission, &taken)?;
        Ok(taken)
    }

    /// Counts what is new, and waits until it is in the file. What was sent before is waited for too: its first answer may
    /// have been that it is not.
    fn observe(&self, now: Timestamp, name: &str, submission: &Submission, taken: &Taken) -> Result<(), Refusal> {
        let mut batch = Batch::default();
        for (at, id) in &taken.new {
            let Some(report) = submission.reports.get(*at) else { continue };
            // A report may change what the next one weighs.
            let Some(weight) = self.node.engine.weight_of(name) else { continue };
            let event = Event {
                time: report.time.unwrap_or(now),
                kind: report.kind,
                service: &report.service,
                address: Some(report.address),
                login: report.login.as_deref(),
                session: Some(&id.to_string()),
                password: None,
                channel: Channel::Gate,
                tally: Tally::One,
                reporter: Some(Reporter { name, weight }),
            };
            self.node.observe_into(now, &event, &mut batch);
        }
        self.node.store.push(batch);
        self.node.store.wake();
        self.node.store.flush(SAVE_PATIENCE).map_err(|error| {
            warn!(reporter = name, %error, "reports are counted, and not yet in the file");
            Refusal::NotStored
        })
    }
}

/// Reads a body of one form.
type FormReader = fn(&[u8]) -> Result<Submission, Fault>;

/// How the body of a request is read, as its `Content-Type` says.
fn reader_of(request: &Request<'_>) -> Option<FormReader> {
    let header = request.header("content-type").unwrap_or_default();
    let bare = header.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let is = |name: &str| bare.eq_ignore_ascii_case(name.as_bytes());
    if is("application/json") {
        Some(reports::json)
    } else if is("application/x-www-form-urlencoded") {
        Some(reports::form)
    } else if is("message/rfc822") || is("multipart/report") {
        Some(reports::arf)
    } else {
        None
    }
}

/// The key in `Authorization: Bearer` (RFC 6750 section 2.1).
fn bearer(request: &Request<'_>) -> Option<String> {
    let value = core::str::from_utf8(request.header("authorization")?).ok()?;
    let (scheme, key) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim().to_owned())
}

fn told(status: &str, reason: Option<&str>, taken: &Taken) -> Value {
    json!({ "status": status, "reason": reason, "taken": taken.new.len(), "known": taken.known, "over": taken.over })
}

fn refused(refusal: Refusal) -> (Status, Value) {
    let (status, reason) = match refusal {
        Refusal::NotFound => (Status::NotFound, "reports are taken at /v1/reports".to_owned()),
        Refusal::NotPost => (Status::MethodNotAllowed { allow: "POST" }, "POST reports".to_owned()),
        Refusal::UnknownForm => (
            Status::UnsupportedMediaType,
            "Content-Type must be application/json, application/x-www-form-urlencoded or message/rfc822".to_owned(),
        ),
        Refusal::Stranger => (Status::Forbidden, "no reporter has this key".to_owned()),
        Refusal::Broken(fault) => (Status::BadRequest, fault.to_string()),
        Refusal::NotStored => {
            (Status::Unavailable { retry_after: RETRY_AFTER }, "nothing can be stored now; send it again".to_owned())
        }
    };
    (status, json!({ "status": "failure", "reason": reason }))
}
