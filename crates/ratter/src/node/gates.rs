//! The gates of a node: started together, and shown together.

mod shown;

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use ::gates::http::Http;
use ::gates::io::{HandedOver, Limits, Listener, Place, Saslauthd, Server, Steadiness, SteadyDoor};
use ::gates::map::{Dialect, Tables};
use ::gates::policy::Node as MailNode;
use ::gates::session::Protocol;
use ::gates::{Lists, Messages, dovecot, line, map, milter, postfix, saslauthd, weakforced, web};
use anyhow::Context;
use base::{Address, ListSet, Verdict};
use console::api::GateStatus;
use console::metrics::Metric;
use rules::Door;
use tracing::warn;

use super::asking::AskingDoor;
use super::{Node, convert};
use crate::clock;
use crate::config::{AskPolicy, AskingGate, Config, Fail, asked_by};

use shown::Shown;

/// Most warnings of gates that are put into the log: each kind and each limit has one.
const WARNED_MAX: usize = 100;

/// How long a reload waits for answers that are on their way, such as that about a password; new clients wait meanwhile.
const ANSWERED_MAX: Duration = Duration::from_secs(1);

/// The same at the gates that a delivery waits for, whose answers never take long.
const MAIL_ANSWERED_MAX: Duration = Duration::from_millis(250);

/// What answers mail servers.
pub(super) struct Gates {
    steadiness: Arc<Steadiness>,
    dovecot: Option<Arc<dovecot::Gate>>,
    http: Option<Arc<web::Gate>>,
    milter: Option<Arc<milter::Gate>>,
    running: Vec<Running>,
}

/// A gate that answers.
struct Running {
    server: Server,
    gate: Arc<dyn Shown>,
}

impl Lists for Node {
    fn lists_of(&self, address: Address) -> ListSet {
        self.book.snapshot().lists_of(address)
    }
}

/// Starts the gates that are configured.
pub(super) fn start(config: &Config, node: &Arc<Node>) -> anyhow::Result<Gates> {
    let doors = Doors { config, node, steadiness: Arc::default() };
    let mut gates = Gates {
        steadiness: Arc::clone(&doors.steadiness),
        dovecot: None,
        http: None,
        milter: None,
        running: Vec::new(),
    };
    if let Some(dovecot) = &config.gates.dovecot {
        let door = doors.of(dovecot.ask, AskingGate::Dovecot, dovecot.fail);
        let api = weakforced::Api::new(node.clone());
        let gate = Arc::new(dovecot::Gate::new(convert::dovecot_settings(dovecot), door).with_api(api));
        gates.dovecot = Some(gate.clone());
        let spoken = vec![(Http::new(gate.clone()), listeners(&[Place::Tcp(dovecot.listen)], "Dovecot's gate")?)];
        gates.add(gate, spoken, config)?;
    }
    if let Some(http) = &config.gates.http {
        let door = doors.of(http.ask, AskingGate::Http, http.fail);
        let gate = Arc::new(web::Gate::new(convert::http_settings(http)?, door));
        gates.http = Some(gate.clone());
        let spoken = vec![(Http::new(gate.clone()), listeners(&http.listen, "the HTTP gate")?)];
        gates.add(gate, spoken, config)?;
    }
    if let Some(line) = &config.gates.line {
        let gate = Arc::new(line::Gate::new(doors.of(line.ask, AskingGate::Line, line.fail)));
        let spoken = vec![(gate.clone(), listeners(&line.listen, "the line gate")?)];
        gates.add(gate, spoken, config)?;
    }
    let mail = |policy, gate, fail| MailNode { door: doors.of(policy, gate, fail), ..mail_node(config, node) };
    if let Some(map) = &config.gates.map {
        let gate = Arc::new(map::Gate::new(mail(map.ask, AskingGate::Map, map.fail), map.settings));
        let spoken = vec![
            (Tables::new(gate.clone(), Dialect::Socketmap), listeners(&map.socketmap, "the gate for socketmaps")?),
            (Tables::new(gate.clone(), Dialect::Tcp), listeners(&map.tcp, "the gate for tcp tables")?),
        ];
        gates.add(gate, spoken, config)?;
    }
    let see_both = config.gates.postfix.is_some() && config.gates.milter.is_some();
    let messages = see_both.then(Arc::<Messages>::default);
    let both = |policy, gate, fail| MailNode { messages: messages.clone(), ..mail(policy, gate, fail) };
    if let Some(postfix) = &config.gates.postfix {
        let node = both(postfix.ask, AskingGate::Postfix, postfix.fail);
        let gate = Arc::new(postfix::Gate::new(node, postfix.settings));
        let spoken = vec![(gate.clone(), listeners(&postfix.listen, "Postfix' gate")?)];
        gates.add(gate, spoken, config)?;
    }
    if let Some(milter) = &config.gates.milter {
        let node = both(milter.ask, AskingGate::Milter, milter.fail);
        let gate = Arc::new(milter::Gate::new(node, milter.settings));
        gates.milter = Some(gate.clone());
        let spoken = vec![(gate.clone(), listeners(&milter.listen, "the milter")?)];
        gates.add(gate, spoken, config)?;
    }
    if let Some(saslauthd) = &config.gates.saslauthd {
        let real = Arc::new(Saslauthd::at(&saslauthd.upstream));
        let gate = Arc::new(saslauthd::Gate::new(doors.steady(node.clone(), Verdict::Pass), real));
        let spoken = vec![(gate.clone(), listeners(&saslauthd.listen, "the gate before saslauthd")?)];
        gates.add(gate, spoken, config)?;
    }
    Ok(gates)
}

/// What the gates of mail ask, without a memory of messages.
fn mail_node(config: &Config, node: &Arc<Node>) -> MailNode {
    MailNode {
        door: node.clone(),
        sending: node.clone(),
        lists: node.clone(),
        messages: None,
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

impl Node {
    /// What gates, and limits that they ask about, have seen that somebody should look at.
    pub(super) fn gate_warnings(&self) -> Vec<String> {
        let of_gates = self.outlets.get().map(|outlets| outlets.gates.warnings()).unwrap_or_default();
        of_gates.into_iter().map(str::to_owned).chain(self.sending.warning()).collect()
    }

    /// Puts each such warning into the log, once.
    pub(super) fn tell_of_gates(&self) {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        for warning in self.gate_warnings() {
            if !warned.contains(&warning) && warned.len() < WARNED_MAX {
                warn!("{warning}");
                warned.push(warning);
            }
        }
    }
}

impl Gates {
    /// Has a gate answer at its listeners.
    fn add<P: Protocol>(
        &mut self,
        gate: Arc<dyn Shown>,
        spoken: Vec<(P, Vec<Listener>)>,
        config: &Config,
    ) -> anyhow::Result<()> {
        let limits = Limits { connections_max: config.limits.connections, ..Limits::default() };
        let server = Server::start(&format!("{}-gate", gate.name()), spoken, clock::now, limits)
            .with_context(|| format!("the gate `{}` has no thread", gate.name()))?;
        self.running.push(Running { server, gate });
        Ok(())
    }

    pub(super) fn status(&self) -> Vec<GateStatus> {
        self.running.iter().map(Running::status).collect()
    }

    /// What gates have seen that somebody should look at.
    fn warnings(&self) -> Vec<&'static str> {
        let mut warnings = self.dovecot.as_ref().map(|gate| gate.warnings()).unwrap_or_default();
        warnings.extend(self.http.as_ref().and_then(|gate| gate.warning()));
        warnings.extend(self.milter.as_ref().and_then(|gate| gate.warning()));
        warnings
    }

    /// What all of them and the `others` leave to the program that takes the place of this one, once they have answered what
    /// they were asked. Last those that a delivery waits for, and at once: Postfix gives them a second.
    pub(super) fn hand_over<'a>(&'a self, others: impl Iterator<Item = &'a Server>) -> io::Result<HandedOver> {
        let (mail, rest): (Vec<_>, Vec<_>) =
            self.running.iter().partition(|running| matches!(running.gate.name(), "postfix" | "milter"));
        let rest: Vec<_> = rest.into_iter().map(|running| &running.server).chain(others).collect();
        let mail: Vec<_> = mail.into_iter().map(|running| &running.server).collect();
        let mut all = Server::hand_over(&rest, ANSWERED_MAX)?;
        all.add(Server::hand_over(&mail, MAIL_ANSWERED_MAX)?);
        Ok(all)
    }

    pub(super) fn metrics(&self) -> Vec<Metric> {
        let failures =
            Metric::counter("gate_failures", "Questions and reports at gates that failed or were slow, by how", 0)
                .by("count", self.steadiness.counts());
        core::iter::once(failures).chain(self.running.iter().flat_map(Running::metrics)).collect()
    }
}
