//! Reverse names of the clients of our DNS, where the operator wants them to have one: looked up aside, by a resolver of their
//! own, so that questions from everywhere never keep the rules from theirs.

use std::sync::Arc;

use ::rdns::classify::{Class, Classifier};
use ::rdns::io::Resolver;
use ::rdns::ptr::{Found, Settings};
use ::resolver::io::{Servers, system_servers};
use dnsbl::access::{Access, ClientName};
use listings::Book;
use tracing::warn;

use crate::clock;
use crate::config;

/// Questions that are open at one time: a resolver of the house's size, whatever a flood of clients would have.
const IN_FLIGHT_MAX: usize = 16;

/// Looks up clients for the zones that want it.
pub(super) struct Clients {
    access: Arc<Access>,
    resolver: Resolver,
    /// Whose addresses are not the public's: those have no names that others can see.
    book: Arc<Book>,
}

impl Clients {
    /// None where no zone wants names. Without servers nothing is known, and everybody is answered; people are told.
    pub(super) fn start(
        settings: &config::Resolver,
        access: &Arc<Access>,
        book: &Arc<Book>,
    ) -> anyhow::Result<Option<Self>> {
        if !access.wants_names() {
            return Ok(None);
        }
        let servers = if settings.servers.is_empty() { system_servers() } else { Ok(settings.servers.clone()) };
        let in_flight_max = settings.in_flight.min(IN_FLIGHT_MAX);
        let set_up =
            servers.and_then(|servers| Ok((Servers::new(&servers, settings.timeout, in_flight_max)?, servers.len())));
        let (ask, servers) = match set_up {
            Ok(set_up) => set_up,
            Err(error) => {
                warn!(%error, "reverse names of DNS clients cannot be asked for; nobody is refused by his name");
                return Ok(None);
            }
        };
        let machine = Settings { servers, timeout: settings.timeout, in_flight_max };
        let (known, classifier) = (Arc::clone(access), Classifier::shipped());
        let tell = move |address: base::Address, found: Found| {
            let name = match &found {
                Found::Named { name, .. } => match classifier.classify(Some(address.ip()), name.as_bytes()).class {
                    Some(Class::Dynamic | Class::StaticGeneric) => ClientName::Pool,
                    // In doubt somebody chose it.
                    Some(Class::Mailserver) | None => ClientName::Own,
                },
                Found::NoName => ClientName::Missing,
                Found::Unknown => ClientName::Unknown,
            };
            known.client_named(address, name, clock::now());
        };
        let resolver = Resolver::start(machine, ask, clock::now, tell)?;
        Ok(Some(Self { access: Arc::clone(access), resolver, book: Arc::clone(book) }))
    }

    /// Has the names asked for of those who have asked us since the last time.
    pub(super) fn look_up(&self) {
        while let Some(client) = self.access.poll_client() {
            if self.book.never_list().is_inside(client) {
                self.access.client_named(client, ClientName::Own, clock::now());
            } else {
                // Who finds no room is noted again when he asks again.
                self.resolver.want(client, false);
            }
        }
    }
}
