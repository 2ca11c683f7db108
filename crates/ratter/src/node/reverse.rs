//! Reverse names on their way: the engine wants one, the resolver finds it, the classifier says what it means, and the
//! engine lists or takes back.

use std::hash::RandomState;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ::rdns::classify::{Class, Classifier, Conventions};
use ::rdns::io::Resolver;
use ::rdns::ptr::{Found, Settings};
use ::resolver::io::{Servers, ServersError, system_servers};
use base::{Address, Network, Subject, Timestamp};
use rules::{BY_REVERSE_NAME, ReverseName};
use tracing::{info, warn};

use super::Node;
use crate::clock;
use crate::config;

/// What reverse names mean, and what was learnt of the zones that passed through this node.
pub(super) struct Judge {
    classifier: Classifier,
    conventions: Mutex<Conventions>,
}

impl Judge {
    pub(super) fn new() -> Self {
        Self { classifier: Classifier::shipped(), conventions: Mutex::new(Conventions::new(RandomState::new())) }
    }

    /// What a finding means for the rules, and in words. A name that leads back to its address teaches what the names
    /// of its zone look like; others do not, or whoever owns an address could teach about the zones of others.
    fn judge(&self, address: Address, found: &Found) -> (Option<ReverseName>, String) {
        match found {
            Found::Named { name, confirmed } => {
                let mut conventions = self.conventions.lock().unwrap_or_else(PoisonError::into_inner);
                if *confirmed {
                    conventions.learn(address.ip(), name.as_bytes());
                }
                let verdict = self.classifier.classify_with(&conventions, Some(address.ip()), name.as_bytes());
                let meaning = match verdict.class {
                    Some(Class::Dynamic) => ReverseName::Dynamic,
                    // In doubt a name is a proper one: that wants more before anybody is listed.
                    Some(Class::StaticGeneric | Class::Mailserver) | None => ReverseName::Proper,
                };
                let class = verdict.class.map_or("undecided", Class::name);
                let confirmed = if *confirmed { "confirmed" } else { "not confirmed" };
                (Some(meaning), format!("{name} ({class}: {}; {confirmed})", verdict.reason))
            }
            Found::NoName => (Some(ReverseName::Missing), "none, as two answers say".to_owned()),
            Found::Unknown => (None, "unknown".to_owned()),
        }
    }
}

/// Starts the thread that asks. Without servers nothing is known, and nothing is listed by its name; people are told.
pub(super) fn start(settings: &config::Resolver, node: &Arc<Node>) -> anyhow::Result<Option<Resolver>> {
    let servers = if settings.servers.is_empty() { system_servers() } else { Ok(settings.servers.clone()) };
    let set_up = |servers: Vec<_>| -> Result<_, ServersError> {
        Ok((Servers::new(&servers, settings.timeout, settings.in_flight)?, servers.len()))
    };
    let (ask, servers) = match servers.and_then(set_up) {
        Ok(set_up) => set_up,
        Err(error) => {
            warn!(%error, "reverse names cannot be asked for; nobody is listed by his name");
            return Ok(None);
        }
    };
    let machine = Settings { servers, timeout: settings.timeout, in_flight_max: settings.in_flight };
    // The thread must not keep the node alive, or neither would ever end.
    let node: Weak<Node> = Arc::downgrade(node);
    let tell = move |address, found| {
        if let Some(node) = node.upgrade() {
            node.name_found(clock::now(), address, &found);
        }
    };
    Ok(Some(Resolver::start(machine, ask, clock::now, tell)?))
}

impl Node {
    /// Has the names asked for that the engine wants.
    pub(super) fn ask_for_names(&self, now: Timestamp) {
        let resolver = self.resolver();
        while let Some(address) = self.engine.poll_name() {
            if !resolver.is_some_and(|resolver| resolver.want(address, false)) {
                self.engine.name_known(now, address, None);
            }
        }
    }

    /// Has the names asked for again on which listings rest.
    pub(super) fn ask_again(&self, now: Timestamp) {
        while let Some(party) = self.engine.poll_recheck(now) {
            if let (Some(resolver), Some(address)) = (self.resolver(), self.address_of(party, now)) {
                // Who finds no room is asked the next time.
                resolver.want(address, true);
            }
        }
    }

    pub(super) fn resolver(&self) -> Option<&Resolver> {
        self.outlets.get().and_then(|outlets| outlets.resolver.as_ref())
    }

    /// The address whose name a listing of this party rests on: of a /64 the one that was seen last.
    fn address_of(&self, party: Network, now: Timestamp) -> Option<Address> {
        if party.is_host() {
            return Some(Address::new(party.base()));
        }
        let events = self.store.events_about(&party.into(), now.minus(self.history), 1).unwrap_or_default();
        events.first().and_then(|event| event.address)
    }

    fn name_found(&self, now: Timestamp, address: Address, found: &Found) {
        let serial = self.book.serial();
        let (name, text) = self.names_judge.judge(address, found);
        self.engine.name_known(now, address, name);
        if self.book.serial() != serial {
            let subject: Subject = address.aggregate().into();
            info!(%subject, reverse = %text, "the reverse name decided");
            self.store.audit(BY_REVERSE_NAME, &format!("{subject}: {text}"));
            self.store.wake();
        }
    }
}
