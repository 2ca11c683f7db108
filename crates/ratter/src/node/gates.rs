//! The gates of a node: started together, and shown together.

use std::net::TcpListener;
use std::sync::Arc;

use ::gates::dovecot::Count as DovecotCount;
use ::gates::io::{Connections, DovecotGate, Handle, HttpGate, Limits, LineGate, Listener};
use ::gates::io::{MapGate, MilterGate, Place, PostfixGate, SaslGate, Steadiness, SteadyDoor};
use ::gates::line::Count as LineCount;
use ::gates::map::{Count as MapCount, Dialect};
use ::gates::milter::Count as MilterCount;
use ::gates::policy::Node as MailNode;
use ::gates::postfix::Count as PostfixCount;
use ::gates::saslauthd::Count as SaslCount;
use ::gates::web::Count as HttpCount;
use ::gates::{Lists, Messages};
use anyhow::Context;
use base::{Address, ListSet, Verdict};
use console::api::GateStatus;
use console::metrics::Metric;
use rules::Door;

use super::asking::AskingDoor;
use super::{Node, convert};
use crate::clock;
use crate::config::{AskPolicy, AskingGate, Config, Fail, asked_by};

/// What answers mail servers.
pub(super) struct Gates {
    steadiness: Arc<Steadiness>,
    pub(super) dovecot: Option<Handle>,
    pub(super) http: Option<HttpGate>,
    pub(super) line: Option<LineGate>,
    pub(super) map: Option<MapGate>,
    pub(super) postfix: Option<PostfixGate>,
    pub(super) milter: Option<MilterGate>,
    pub(super) saslauthd: Option<SaslGate>,
}

impl Lists for Node {
    fn lists_of(&self, address: Address) -> ListSet {
        self.book.snapshot().lists_of(address)
    }
}

/// Starts the gates that are configured.
pub(super) fn start(config: &Config, node: &Arc<Node>) -> anyhow::Result<Gates> {
    let limits = Limits { connections_max: config.limits.connections, ..Default::default() };
    let doors = Doors { config, node, steadiness: Arc::default() };
    let dovecot = config.gates.dovecot.as_ref().map(|gate| {
        let listener = TcpListener::bind(gate.listen)
            .with_context(|| format!("Dovecot's gate cannot listen at {}", gate.listen))?;
        let door = doors.of(gate.ask, AskingGate::Dovecot, gate.fail);
        let api = ::gates::weakforced::Api::new(node.clone());
        let gate = ::gates::dovecot::Gate::new(convert::dovecot_settings(gate), door).with_api(api);
        anyhow::Ok(DovecotGate::start_on(listener, gate, clock::now, limits)?)
    });
    let http = config.gates.http.as_ref().map(|gate| {
        let listeners = listeners(&gate.listen, "the HTTP gate")?;
        let settings = convert::http_settings(gate)?;
        let gate = ::gates::web::Gate::new(settings, doors.of(gate.ask, AskingGate::Http, gate.fail));
        anyhow::Ok(HttpGate::start(listeners, gate, clock::now, limits)?)
    });
    let line = config.gates.line.as_ref().map(|gate| {
        let listeners = listeners(&gate.listen, "the line gate")?;
        let door = doors.of(gate.ask, AskingGate::Line, gate.fail);
        anyhow::Ok(LineGate::start(listeners, door, clock::now, limits)?)
    });
    let mail = |policy, gate, fail| MailNode { door: doors.of(policy, gate, fail), ..mail_node(config, node) };
    let map = config.gates.map.as_ref().map(|gate| {
        let socketmap = (Dialect::Socketmap, listeners(&gate.socketmap, "the gate for socketmaps")?);
        let tcp = (Dialect::Tcp, listeners(&gate.tcp, "the gate for tcp tables")?);
        let mail = mail(gate.ask, AskingGate::Map, gate.fail);
        anyhow::Ok(MapGate::start(vec![socketmap, tcp], mail, gate.settings, clock::now, limits)?)
    });
    let messages = mail_node(config, node).messages;
    let both = |policy, gate, fail| MailNode { messages: Arc::clone(&messages), ..mail(policy, gate, fail) };
    let postfix = config.gates.postfix.as_ref().map(|gate| {
        let listeners = listeners(&gate.listen, "Postfix' gate")?;
        let mail = both(gate.ask, AskingGate::Postfix, gate.fail);
        anyhow::Ok(PostfixGate::start(listeners, mail, gate.settings, clock::now, limits)?)
    });
    let milter = config.gates.milter.as_ref().map(|gate| {
        let listeners = listeners(&gate.listen, "the milter")?;
        let mail = both(gate.ask, AskingGate::Milter, gate.fail);
        anyhow::Ok(MilterGate::start(listeners, mail, gate.settings, clock::now, limits)?)
    });
    let saslauthd = config.gates.saslauthd.as_ref().map(|gate| {
        let listeners = listeners(&gate.listen, "the gate before saslauthd")?;
        anyhow::Ok(SaslGate::start(
            listeners,
            doors.steady(node.clone(), Verdict::Pass),
            &gate.upstream,
            clock::now,
            limits,
        )?)
    });
    Ok(Gates {
        steadiness: Arc::clone(&doors.steadiness),
        dovecot: dovecot.transpose()?,
        http: http.transpose()?,
        line: line.transpose()?,
        map: map.transpose()?,
        postfix: postfix.transpose()?,
        milter: milter.transpose()?,
        saslauthd: saslauthd.transpose()?,
    })
}

/// What the gates of mail ask, with a memory of messages that is new.
fn mail_node(config: &Config, node: &Arc<Node>) -> MailNode {
    MailNode {
        door: node.clone(),
        sending: node.clone(),
        lists: node.clone(),
        messages: Arc::new(Messages::default()),
        names: config.lists.iter().map(|list| list.name.clone()).collect(),
        reads_log: !(config.sensors.is_empty() && config.journals.is_empty() && config.syslogs.is_empty()),
    }
}

fn listeners(places: &[Place], who: &str) -> anyhow::Result<Vec<Listener>> {
    let bind = |place| Listener::bind(place).with_context(|| format!("{who} cannot listen at {place}"));
    places.iter().map(bind).collect()
}

/// The doors of the gates.
struct Doors<'a> {
    config: &'a Config,
    node: &'a Arc<Node>,
    steadiness: Arc<Steadiness>,
}

impl Doors<'_> {
    /// The node's door, which asks lists too if the gate wants that, and keeps no gate waiting.
    fn of(&self, policy: Option<AskPolicy>, gate: AskingGate, fail: Fail) -> Arc<dyn Door> {
        let door: Arc<dyn Door> = match policy {
            Some(policy) => {
                let lists = asked_by(&self.config.asks, gate);
                Arc::new(AskingDoor { node: self.node.clone(), lists, policy })
            }
            None => self.node.clone(),
        };
        let on_failure = match (fail, gate) {
            (Fail::Open, _) => Verdict::Pass,
            // Dovecot knows no refusal for now.
            (Fail::Closed, AskingGate::Dovecot) => Verdict::Refuse,
            (Fail::Closed, _) => Verdict::Defer,
        };
        self.steady(door, on_failure)
    }

    fn steady(&self, door: Arc<dyn Door>, on_failure: Verdict) -> Arc<dyn Door> {
        Arc::new(SteadyDoor::new(door, Arc::clone(&self.steadiness), on_failure))
    }
}

/// The counts at Dovecot's gate that are reports.
const REPORTED: [DovecotCount; 6] = [
    DovecotCount::ReportedOk,
    DovecotCount::ReportedFailed,
    DovecotCount::ReportedRefused,
    DovecotCount::ReportedOutage,
    DovecotCount::ReportedNoGuess,
    DovecotCount::ReportedNobody,
];

impl Gates {
    pub(super) fn status(&self) -> Vec<GateStatus> {
        let dovecot = self.dovecot.iter().map(|gate| {
            let sum = |counts: &[DovecotCount]| counts.iter().map(|count| gate.counters().get(*count)).sum();
            GateStatus {
                name: "dovecot".to_owned(),
                listen: gate.local_addr().to_string(),
                asked: sum(&[DovecotCount::AskedBefore, DovecotCount::AskedAfter]),
                reported: sum(&REPORTED),
                malformed: sum(&[DovecotCount::OddFields, DovecotCount::NotJson]),
            }
        });
        let line = self.line.iter().map(|gate| GateStatus {
            name: "line".to_owned(),
            listen: shown(gate.places()),
            asked: gate.counters().get(LineCount::Asked),
            reported: gate.counters().get(LineCount::ReportedOk) + gate.counters().get(LineCount::ReportedFailed),
            malformed: gate.counters().get(LineCount::Malformed),
        });
        let http = self.http.iter().map(|gate| {
            let (asked, own) = (gate.gate().asked(), gate.gate().counters());
            GateStatus {
                name: "http".to_owned(),
                listen: shown(gate.places()),
                asked: asked.get(LineCount::Asked) + own.get(HttpCount::Nginx),
                reported: asked.get(LineCount::ReportedOk) + asked.get(LineCount::ReportedFailed),
                malformed: asked.get(LineCount::Malformed) + own.get(HttpCount::PasswordsMalformed),
            }
        });
        let map = self.map.iter().map(|gate| GateStatus {
            name: "map".to_owned(),
            listen: shown(&gate.places()),
            asked: gate.counters().get(MapCount::Asked),
            reported: 0,
            malformed: gate.counters().get(MapCount::Malformed),
        });
        let postfix = self.postfix.iter().map(|gate| GateStatus {
            name: "postfix".to_owned(),
            listen: shown(gate.places()),
            asked: gate.counters().get(PostfixCount::Asked),
            reported: 0,
            malformed: gate.counters().get(PostfixCount::Malformed),
        });
        let milter = self.milter.iter().map(|gate| {
            let count = |count| gate.counters().get(count);
            GateStatus {
                name: "milter".to_owned(),
                listen: shown(gate.places()),
                asked: count(MilterCount::Connected) + count(MilterCount::Messages),
                reported: count(MilterCount::UnknownRecipients) + count(MilterCount::RelayDenied),
                malformed: count(MilterCount::Malformed),
            }
        });
        let saslauthd = self.saslauthd.iter().map(|gate| GateStatus {
            name: "saslauthd".to_owned(),
            listen: shown(gate.places()),
            asked: gate.counters().get(SaslCount::Asked),
            reported: gate.counters().get(SaslCount::Ok) + gate.counters().get(SaslCount::Failed),
            malformed: gate.counters().get(SaslCount::Malformed),
        });
        dovecot.chain(http).chain(line).chain(map).chain(postfix).chain(milter).chain(saslauthd).collect()
    }

    pub(super) fn metrics(&self) -> Vec<Metric> {
        let failures = self.steadiness.counts().map(|(count, value)| (count.to_owned(), value));
        let mut metrics = vec![
            Metric::counter("gate_failures", "Questions and reports at gates that failed or were slow, by how", 0)
                .by("count", failures),
        ];
        if let Some(gate) = &self.dovecot {
            let counts = gate.counters().iter().map(|(count, value)| (count.name().to_owned(), value));
            let connections = gate.connections();
            metrics.extend([
                Metric::gauge("dovecot_connections_open", "Connections at Dovecot's gate", connections.open as u64),
                Metric::counter("dovecot_connections", "Connections at Dovecot's gate, by what became of them", 0)
                    .by("end", ends(connections)),
                Metric::counter("dovecot_gate", "Requests at Dovecot's gate, by what became of them", 0)
                    .by("count", counts),
            ]);
        }
        if let Some(gate) = &self.http {
            let answers = gate.gate().asked().iter().map(|(count, value)| (count.name().to_owned(), value));
            let counts = gate.gate().counters().iter().map(|(count, value)| (count.name().to_owned(), value));
            let connections = gate.connections();
            metrics.extend([
                Metric::gauge("http_connections_open", "Connections at the HTTP gate", connections.open as u64),
                Metric::counter("http_connections", "Connections at the HTTP gate, by what became of them", 0)
                    .by("end", ends(connections)),
                Metric::counter("http_gate", "Requests at the HTTP gate, by what became of them", 0)
                    .by("count", answers.chain(counts)),
            ]);
        }
        if let Some(gate) = &self.map {
            let counts = gate.counters().iter().map(|(count, value)| (count.name().to_owned(), value));
            let connections = gate.connections();
            metrics.extend([
                Metric::gauge("map_connections_open", "Connections at the look-up tables", connections.open as u64),
                Metric::counter("map_connections", "Connections at the look-up tables, by what became of them", 0)
                    .by("end", ends(connections)),
                Metric::counter("map_gate", "Keys at the look-up tables, by what became of them", 0)
                    .by("count", counts),
            ]);
        }
        if let Some(gate) = &self.line {
            let counts = gate.counters().iter().map(|(count, value)| (count.name().to_owned(), value));
            let connections = gate.connections();
            metrics.extend([
                Metric::gauge("line_connections_open", "Connections at the line gate", connections.open as u64),
                Metric::counter("line_connections", "Connections at the line gate, by what became of them", 0)
                    .by("end", ends(connections)),
                Metric::counter("line_gate", "Lines at the line gate, by what became of them", 0).by("count", counts),
            ]);
        }
        if let Some(gate) = &self.postfix {
            let counts = gate.counters().iter().map(|(count, value)| (count.name().to_owned(), value));
            let connections = gate.connections();
            metrics.extend([
                Metric::gauge("postfix_connections_open", "Connections at Postfix' gate", connections.open as u64),
                Metric::counter("postfix_connections", "Connections at Postfix' gate, by what became of them", 0)
                    .by("end", ends(connections)),
                Metric::counter("postfix_gate", "Requests at Postfix' gate, by what became of them", 0)
                    .by("count", counts),
            ]);
        }
        if let Some(gate) = &self.milter {
            let counts = gate.counters().iter().map(|(count, value)| (count.name().to_owned(), value));
            let connections = gate.connections();
            metrics.extend([
                Metric::gauge("milter_connections_open", "Connections at the milter", connections.open as u64),
                Metric::counter("milter_connections", "Connections at the milter, by what became of them", 0)
                    .by("end", ends(connections)),
                Metric::counter("milter_gate", "Clients and messages at the milter, by what became of them", 0)
                    .by("count", counts),
            ]);
        }
        if let Some(gate) = &self.saslauthd {
            let counts = gate.counters().iter().map(|(count, value)| (count.name().to_owned(), value));
            let connections = gate.connections();
            metrics.extend([
                Metric::gauge("saslauthd_connections_open", "Connections before saslauthd", connections.open as u64),
                Metric::counter("saslauthd_connections", "Connections before saslauthd, by what became of them", 0)
                    .by("end", ends(connections)),
                Metric::counter("saslauthd_gate", "Questions before saslauthd, by what became of them", 0)
                    .by("count", counts),
            ]);
        }
        metrics
    }
}

/// The places of a gate, for people.
fn shown(places: &[Place]) -> String {
    places.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// What became of connections, by the names of metrics.
fn ends(connections: Connections) -> [(String, u64); 5] {
    [
        ("accepted", connections.accepted),
        ("shed", connections.shed),
        ("faulty", connections.faulty),
        ("timed_out", connections.timed_out),
        ("accept_failed", connections.accept_failed),
    ]
    .map(|(end, value)| (end.to_owned(), value))
}
