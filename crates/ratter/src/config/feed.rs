//! `[feed]`: where published lists are given away over HTTP.

use core::net::SocketAddr;

use super::diagnose::Fault;
use super::forms::socket;
use super::listeners::is_public;
use super::probe::Transport;
use super::reader::Section;

/// The listener for subscribers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Feed {
    /// Where it listens; at least one.
    pub listen: Vec<SocketAddr>,
}

pub(super) fn read(section: &Section<'_>) -> Option<Feed> {
    let listen = section.required_each("listen", &socket());
    for address in &listen {
        section.desk.listens(address.place.clone(), address.value, Transport::Tcp);
        if is_public(address.value.ip()) {
            let fault = Fault::warning(address.place.clone(), "keys of subscribers come here unencrypted");
            let hint = "listen on 127.0.0.1 and put a web server with TLS before it";
            section.desk.report(fault.label("reachable from outside").hint(hint.to_owned()));
        }
    }
    let listen: Vec<SocketAddr> = listen.into_iter().map(|address| address.value).collect();
    (!listen.is_empty()).then_some(Feed { listen })
}

/// Reports a feed where nothing is published.
pub(super) fn check(file: &Section<'_>) {
    if file.has("feed") && !file.has("dnsbl") {
        let fault = Fault::error(file.place("feed"), "a feed, and no list is published");
        let hint = "add `[dnsbl]`: its zones and keys say who may have a list".to_owned();
        file.desk.report(fault.label("gives nothing away").hint(hint));
    }
}
