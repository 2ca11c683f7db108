//! `[removal]`: the page on which people look addresses up and take themselves off.

use core::net::SocketAddr;

use base::Network;

use super::diagnose::Fault;
use super::forms::{boolean, name, network, socket};
use super::probe::Transport;
use super::reader::Section;

/// The listener for whoever is listed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Removal {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Web servers in front of it, whose `X-Forwarded-For` says who asks.
    pub proxies: Vec<Network>,
    /// The lists that people may take themselves off; none for all that are published but `null`.
    pub lists: Option<Vec<String>>,
    /// Whether that goes for what a person listed, too.
    pub manual: bool,
}

/// Networks are dropped by the operator's own judgement, or because many in them were listed: who sits in one is not the one
/// to lift it.
pub const KEPT: &str = "null";

pub(super) fn read(section: &Section<'_>) -> Option<Removal> {
    let listen = section.required("listen", &socket());
    let proxies = section.optional_each("proxies", &network()).unwrap_or_default();
    let lists = section.optional_each("lists", &name());
    let manual = section.optional("manual", &boolean());
    if let Some(listen) = listen {
        section.desk.listens(section.place("listen"), listen, Transport::Tcp);
    }
    Some(Removal {
        listen: listen?,
        proxies: proxies.into_iter().map(|proxy| proxy.value).collect(),
        lists: lists.map(|lists| lists.into_iter().map(|list| list.value).collect()),
        manual: manual.unwrap_or_default(),
    })
}

/// Reports lists that people shall take themselves off, and that are not published.
pub(super) fn check(file: &Section<'_>, removal: Option<&Removal>, published: &[&str]) {
    let unknown = |list: &&String| !published.contains(&list.as_str());
    for list in removal.iter().flat_map(|removal| removal.lists.iter().flatten()).filter(unknown) {
        let fault = Fault::error(file.place("removal"), format!("no list `{list}` is published"));
        let there = format!("there are {}", published.join(", "));
        file.desk.report(fault.label("in its `lists`").hint(there));
    }
}
