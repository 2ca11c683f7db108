//! The gates of a node: started together, and shown together.

use std::net::TcpListener;
use std::sync::Arc;

use ::gates::dovecot::Count as DovecotCount;
use ::gates::io::{Connections, DovecotGate, Handle, Limits, LineGate, Listener, MilterGate, Place, PostfixGate};
use ::gates::line::Count as LineCount;
use ::gates::milter::Count as MilterCount;
use ::gates::policy::Node as MailNode;
use ::gates::postfix::Count as PostfixCount;
use ::gates::{Lists, Messages};
use anyhow::Context;
use base::{Address, ListSet};
use console::api::GateStatus;
use console::metrics::Metric;
use rules::Door;

use super::asking::AskingDoor;
use super::{Node, convert};
use crate::clock;
use crate::config::{AskPolicy, AskingGate, Config, asked_by};

/// What answers mail servers.
pub(super) struct Gates {
    pub(super) dovecot: Option<Handle>,
    pub(super) line: Option<LineGate>,
    pub(super) postfix: Option<PostfixGate>,
    pub(super) milter: Option<MilterGate>,
}

impl Lists for Node {
    fn lists_of(&self, address: Address) -> ListSet {
        self.book.snapshot().lists_of(address)
    }
}

/// Starts the gates that are configured.
pub(super) fn start(config: &Config, node: &Arc<Node>) -> anyhow::Result<Gates> {
    let limits = Limits { connections_max: config.limits.connections, ..Default::default() };
    let door: Arc<dyn Door> = node.clone();
    let dovecot = config.gates.dovecot.as_ref().map(|gate| {
        let listener = TcpListener::bind(gate.listen)
            .with_context(|| format!("Dovecot's gate cannot listen at {}", gate.listen))?;
        let settings = convert::dovecot_settings(gate);
        let door = door_of(config, node, gate.ask, AskingGate::Dovecot);
        anyhow::Ok(DovecotGate::start_on(listener, settings, door, clock::now, limits)?)
    });
    let line = config.gates.line.as_ref().map(|gate| {
        let listeners = listeners(&gate.listen, "the line gate")?;
        anyhow::Ok(LineGate::start(listeners, door.clone(), clock::now, limits)?)
    });
    let mail = MailNode {
        door: door.clone(),
        sending: node.clone(),
        lists: node.clone(),
        messages: Arc::new(Messages::default()),
        names: config.lists.iter().map(|list| list.name.clone()).collect(),
        reads_log: !(config.sensors.is_empty() && config.journals.is_empty() && config.syslogs.is_empty()),
    };
    let postfix = config.gates.postfix.as_ref().map(|gate| {
        let listeners = listeners(&gate.listen, "Postfix' gate")?;
        anyhow::Ok(PostfixGate::start(listeners, mail.clone(), gate.settings, clock::now, limits)?)
    });
    let milter = config.gates.milter.as_ref().map(|gate| {
        let listeners = listeners(&gate.listen, "the milter")?;
        anyhow::Ok(MilterGate::start(listeners, mail.clone(), gate.settings, clock::now, limits)?)
    });
    Ok(Gates {
        dovecot: dovecot.transpose()?,
        line: line.transpose()?,
        postfix: postfix.transpose()?,
        milter: milter.transpose()?,
    })
}

fn listeners(places: &[Place], who: &str) -> anyhow::Result<Vec<Listener>> {
    let bind = |place| Listener::bind(place).with_context(|| format!("{who} cannot listen at {place}"));
    places.iter().map(bind).collect()
}

/// The node's door, which asks lists too if the gate wants that.
fn door_of(config: &Config, node: &Arc<Node>, policy: Option<AskPolicy>, gate: AskingGate) -> Arc<dyn Door> {
    match policy {
        Some(policy) => Arc::new(AskingDoor { node: node.clone(), lists: asked_by(&config.asks, gate), policy }),
        None => node.clone(),
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
        dovecot.chain(line).chain(postfix).chain(milter).collect()
    }

    pub(super) fn metrics(&self) -> Vec<Metric> {
        let mut metrics = Vec::new();
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
