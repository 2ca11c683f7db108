//! Other people's lists: what they say of a client, and what a gate makes of it.

use std::sync::Arc;
use std::time::Duration;

use ::console::metrics::Metric;
use ::dnsbl::ask::{Health, List, Lists, Settings, Standing, Verdict as Said};
use ::dnsbl::io::Asker;
use ::resolver::io::system_servers;
use base::{Address, Decision, Event, EventKind, Reason, Subject, Tally, Timestamp, Verdict};
use rules::{Door, Question, Stage};
use tracing::{info, warn};

use super::{Node, after, random};
use crate::clock;
use crate::config::{AskEffect, AskPolicy, AskedList, Resolver, is_public};

/// The lists that are asked, and who asks them.
pub(crate) struct Asking {
    asker: Asker,
    lists: Vec<AskedList>,
}

/// What lists say of an address.
pub(crate) struct Asked {
    /// What each says, by its place in the configuration; those that do not list such addresses are left out.
    pub(crate) standings: Vec<(usize, Standing)>,
    /// What they weigh together. An open question, and one by which nothing is known, weighs nothing.
    pub(crate) weight: u32,
}

impl Asked {
    /// Whether an answer is on its way.
    pub(crate) fn is_open(&self) -> bool {
        self.standings.iter().any(|(_, standing)| *standing == Standing::Open)
    }
}

impl Asking {
    /// Starts asking: the lists are tested first. None if none is configured.
    pub(crate) fn start(settings: &Resolver, lists: &[AskedList]) -> anyhow::Result<Option<Self>> {
        if lists.is_empty() {
            return Ok(None);
        }
        let servers = if settings.servers.is_empty() { system_servers() } else { Ok(settings.servers.clone()) };
        let servers = match servers {
            Ok(servers) => servers,
            Err(error) => {
                warn!(%error, "no list can be asked; nobody is refused because of one");
                return Ok(None);
            }
        };
        let machine = Settings {
            servers: servers.len(),
            in_flight_max: settings.in_flight,
            seed: u128::from_le_bytes(random::octets()?) as u64,
        };
        let machine_lists = lists.iter().map(|list| list.list.clone()).collect();
        let asker = Asker::start(machine_lists, &servers, machine, clock::now, tell)?;
        Ok(Some(Self { asker, lists: lists.to_vec() }))
    }

    /// What these lists say of an address now; what is not known is asked. It never waits.
    pub(crate) fn look(&self, now: Timestamp, address: Address, lists: Lists, at_login: bool) -> Asked {
        self.weigh(self.asker.look(now, address, lists), at_login)
    }

    /// The same, waiting for so long at most.
    pub(crate) fn wait(&self, address: Address, lists: Lists, patience: Duration) -> Asked {
        self.weigh(self.asker.wait(address, lists, patience), false)
    }

    /// The lists, in the order of the configuration, with their health.
    pub(crate) fn health(&self) -> Vec<(&List, Health)> {
        self.lists.iter().map(|list| &list.list).zip(self.asker.health()).collect()
    }

    /// Waits until each list has been tested, for so long at most.
    pub(crate) fn wait_for_tests(&self, patience: Duration) {
        self.asker.wait_for_tests(patience);
    }

    /// The lists that are off, each in a sentence.
    pub(super) fn warnings(&self) -> Vec<String> {
        let off = |(list, health): (&List, Health)| match health {
            Health::Off { fault, .. } => Some(format!("the list {} is off: {fault}; {}", list.name, fault.advice())),
            Health::Untested | Health::Working { .. } => None,
        };
        self.health().into_iter().filter_map(off).collect()
    }

    pub(super) fn metrics(&self) -> Vec<Metric> {
        let (counters, remembered) = self.asker.counters();
        let is_on = |health| u64::from(matches!(health, Health::Working { .. }));
        let working = self.health().into_iter().map(|(list, health)| (list.name.clone(), is_on(health)));
        let answers = [("listed", counters.listed), ("not-listed", counters.not_listed), ("unknown", counters.unknown)];
        vec![
            Metric::gauge("ask_list_works", "Whether a list of others passed its last tests, by list", 0)
                .by("list", working.collect::<Vec<_>>()),
            Metric::counter("ask_answers", "Answers of other people's lists, by what they say", 0)
                .by("answer", answers),
            Metric::counter("ask_wanted", "Questions to other people's lists", counters.wanted),
            Metric::counter("ask_remembered", "Questions to lists whose answer was remembered", counters.remembered),
            Metric::counter("ask_joined", "Questions to lists that were open already", counters.joined),
            Metric::counter("ask_shed", "Questions to lists that found no place", counters.shed),
            Metric::counter("ask_tests", "Tests of other people's lists", counters.tests),
            Metric::gauge("ask_remembered_now", "Answers of lists that are remembered", remembered as u64),
        ]
    }

    /// A list counts once, by the weightiest of its codes.
    fn weigh(&self, standings: Vec<(usize, Standing)>, at_login: bool) -> Asked {
        let weight = standings.iter().map(|(place, standing)| match (self.lists.get(*place), standing) {
            (Some(list), Standing::Known(Said::Listed(codes))) => {
                let codes = codes.iter().filter_map(|code| list.list.codes.get(code));
                codes.filter(|code| !(at_login && code.is_policy)).map(|code| code.weight).max().unwrap_or_default()
            }
            _ => 0,
        });
        let weight = weight.fold(0, u32::saturating_add);
        Asked { standings, weight }
    }
}

fn tell(list: &List, health: Health) {
    match health {
        Health::Untested => {}
        Health::Working { .. } => info!(list = list.name, "the list works"),
        Health::Off { fault, .. } => warn!(list = list.name, %fault, advice = fault.advice(), "the list is off"),
    }
}

/// The node's door for a gate that asks lists about those whom the node itself would let through.
pub(super) struct AskingDoor {
    pub(super) node: Arc<Node>,
    pub(super) lists: Lists,
    pub(super) policy: AskPolicy,
}

impl AskingDoor {
    /// What the lists say of whoever is asked about; none if it is nobody of whom they are asked: hosts of our own
    /// networks, and people who have logged in from there.
    fn asked(&self, now: Timestamp, question: &Question<'_>) -> Option<(Address, Asked)> {
        let address = question.address.filter(|address| is_public(address.ip()))?;
        if question.login.is_some_and(|login| self.node.engine.knows(now, address, &self.node.logins.canonical(login)))
        {
            return None;
        }
        // A host that sends mail by itself is what lists of dynamic addresses are for; a person who logs in is not.
        let at_login = question.login.is_some() || question.service != "smtp";
        Some((address, self.node.asking()?.look(now, address, self.lists, at_login)))
    }
}

impl Door for AskingDoor {
    fn ask(&self, now: Timestamp, question: &Question<'_>) -> Decision {
        let decision = self.node.ask(now, question);
        if decision != Decision::PASS {
            return decision;
        }
        let Some((address, asked)) = self.asked(now, question) else { return decision };
        // It is asked, so that the answer is there when it is known who the client is, and says nothing before.
        if question.stage == Stage::Connect || asked.weight < self.policy.threshold {
            return decision;
        }
        let verdict = match (self.policy.then, question.stage) {
            (AskEffect::Tarpit, Stage::Before) if self.node.engine.may_hold(now, address, self.policy.tarpit) => {
                Verdict::Tarpit(self.policy.tarpit)
            }
            (AskEffect::Note | AskEffect::Tarpit, _) => Verdict::Pass,
            (AskEffect::Defer, _) => Verdict::Defer,
            (AskEffect::Refuse, _) => Verdict::Refuse,
        };
        Decision { verdict, reason: Reason::ListedElsewhere { weight: asked.weight } }
    }

    fn patience(&self, now: Timestamp, question: &Question<'_>) -> Option<Duration> {
        if question.stage == Stage::Connect || self.node.ask(now, question) != Decision::PASS {
            return None;
        }
        let (_, asked) = self.asked(now, question)?;
        let is_decided = asked.weight >= self.policy.threshold;
        (asked.is_open() && !is_decided).then_some(self.policy.wait)
    }

    fn database_failed(&self, now: Timestamp, address: Option<Address>, login: Option<&str>) {
        self.node.database_failed(now, address, login);
    }

    fn observe(&self, event: &Event<'_>) -> Decision {
        // Whom a list keeps out is not made known by his password, nor let in by it.
        let is_own = event.kind == EventKind::LoginOk && event.tally != Tally::Refused;
        let decision = is_own.then(|| self.ask(event.time, &after(event)));
        match decision.filter(|decision| decision.verdict == Verdict::Refuse) {
            Some(refusal) => {
                self.node.observe(&Event { tally: Tally::Refused, ..*event });
                refusal
            }
            None => self.node.observe(event),
        }
    }
}

impl Node {
    /// What lists say of an address, each in a sentence. What is not known is asked, for the next time.
    pub(super) fn elsewhere(&self, now: Timestamp, subject: &Subject) -> Vec<String> {
        let (Some(asking), Subject::Network(network)) = (self.asking(), subject) else { return Vec::new() };
        if !network.is_host() || !is_public(network.base()) {
            return Vec::new();
        }
        let all = (0..asking.lists.len()).fold(Lists::default(), Lists::with);
        let asked = asking.look(now, Address::new(network.base()), all, false);
        let listed = asked.standings.iter().filter_map(|(place, standing)| {
            let Standing::Known(Said::Listed(codes)) = standing else { return None };
            let list = &asking.lists.get(*place)?.list;
            let codes = codes.iter().filter_map(|code| list.codes.get(code));
            let codes = codes.map(|code| format!("{} ({}, weight {})", code.code, code.meaning, code.weight));
            Some(format!("{} lists it: {}.", list.name, codes.collect::<Vec<_>>().join(", ")))
        });
        listed.collect()
    }

    /// Other people's lists, if any are asked.
    pub(super) fn asking(&self) -> Option<&Asking> {
        self.asking.as_ref()
    }
}
