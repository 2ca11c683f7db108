//! Lists as data over HTTP: what the node gives away, and what is counted.

use std::net::Ipv4Addr;
use std::sync::Arc;

use ::console::metrics::Metric;
use anyhow::Context as _;
use base::{ListId, Maker, Network, RuleId};
use dnsbl::access::Access;
use dnsbl::datasets::{About, Told};
use dnsbl::feed::{Count, Feed, Tell};
use dnsbl::io::FeedServer;
use dnsbl::transfer::History;
use listings::Book;

use super::views;
use crate::config::{Config, List};

/// The code of a list that is not published: what rbldnsd answers where a file says nothing.
const CODE_DEFAULT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// The text of a list whose configuration gives none.
const TEXT_DEFAULT: &str = "{ip} is on {list}";

/// What the configuration says of a list, for files of it.
pub(crate) fn about(config: &Config, name: &str) -> About {
    let list: Option<&List> = config.lists.iter().find(|list| list.name == name);
    let dnsbl = config.dnsbl.as_ref();
    let origin = dnsbl.map_or("invalid", |dnsbl| &dnsbl.origin);
    let text = list.and_then(|list| list.text.as_deref()).unwrap_or(TEXT_DEFAULT);
    let link = dnsbl.and_then(|dnsbl| dnsbl.lookup.as_deref()).unwrap_or_default();
    let reason = text.replace("{url}", link).replace("{list}", name).trim_end().to_owned();
    let ttl = list.and_then(|list| list.ttl).or_else(|| dnsbl.map(|dnsbl| dnsbl.ttl)).unwrap_or_default();
    let servers: Vec<String> = dnsbl.iter().flat_map(|dnsbl| &dnsbl.ns).map(|server| server.name.clone()).collect();
    let seconds = |span: core::time::Duration| u32::try_from(span.as_secs()).unwrap_or(u32::MAX).max(1);
    About {
        list: name.to_owned(),
        zone: format!("{name}.{origin}"),
        servers: if servers.is_empty() { vec![config.node.name.clone()] } else { servers },
        contact: dnsbl.map_or_else(|| format!("hostmaster@{origin}"), |dnsbl| dnsbl.contact.clone()).replace('@', "."),
        code: list.and_then(|list| list.code).unwrap_or(CODE_DEFAULT),
        // In rbldnsd's templates a dollar sign is the address.
        text: reason.replace('$', "$$").replace("{ip}", "$"),
        reason,
        ttl: seconds(ttl),
        negative_ttl: seconds(dnsbl.map_or(ttl, |dnsbl| dnsbl.negative_ttl)),
    }
}

/// What is known of a network's listing on the list, for files: when it ends, and the rule or the words of the person that it
/// rests on.
pub(super) fn told<'n>(book: &Book, rule: impl FnOnce(RuleId) -> &'n str, list: ListId, network: Network) -> Told {
    let Some(listing) = book.listing(network, list) else { return network.into() };
    let reason = match &listing.maker {
        Maker::Rule(id) => format!("{}: {}", rule(*id), views::grounds(&listing.evidence, None)),
        Maker::Person { reason, .. } => reason.to_string(),
    };
    Told { network, until: listing.until.moment(), reason: Some(reason).filter(|reason| !reason.is_empty()) }
}

/// [`told`] by the names of the configured rules.
pub(super) fn teller(config: &Config, book: &Arc<Book>) -> Tell {
    let (rules, book) = (super::convert::rule_names(config), Arc::clone(book));
    Box::new(move |list, network| {
        told(&book, |id| rules.get(usize::from(id.0)).map_or("unknown", String::as_str), list, network)
    })
}

/// Gives the published lists away where the configuration wants it.
pub(super) fn start(
    config: &Config,
    book: &Arc<Book>,
    access: &Arc<Access>,
    history: Option<&Arc<History>>,
) -> anyhow::Result<Option<FeedServer>> {
    let (Some(settings), Some(history)) = (&config.feed, history) else { return Ok(None) };
    let published = config.lists.iter().enumerate().filter(|(_, list)| list.code.is_some());
    let lists = published.map(|(index, list)| (ListId::new(index), about(config, &list.name)));
    let feed = Feed::new(lists, Arc::clone(access), Arc::clone(history), teller(config, book));
    let server = FeedServer::start(&settings.listen, Arc::new(feed), book.reader());
    server.map(Some).with_context(|| format!("the feed cannot listen at {:?}", settings.listen))
}

pub(super) fn metrics(server: &FeedServer) -> Vec<Metric> {
    let counts = Count::ALL.map(|count| (count.name().to_owned(), server.feed().count_of(count)));
    vec![
        Metric::gauge("feed_connections_open", "Connections of subscribers to lists", server.open() as u64),
        Metric::counter("feed_requests", "Requests of subscribers to lists, by what became of them", 0)
            .by("end", counts),
    ]
}
