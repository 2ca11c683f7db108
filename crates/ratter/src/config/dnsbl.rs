//! `[dnsbl]`: the zone under which lists are published.

mod access;
mod mirrors;
mod secondaries;
mod statics;
mod tls;
mod zones;

use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use core::time::Duration;

use ::dnsbl::access::{ZoneAccess, ZoneLabel};
use ::dnsbl::mirror;
use ::dnsbl::serve::{NSID_BYTES_MAX, Name};
use ::dnsbl::transfer;

pub use self::access::CookieSecrets;
pub(super) use self::access::private_text;
pub(crate) use self::statics::{SHRINK_DEFAULT, unread};
pub use self::statics::{StaticZone, Statics};
pub use self::tls::TlsListener;
pub use self::zones::Combined;

use super::diagnose::Fault;
use super::forms::{Form, Mismatch, domain, duration, mail_address, number, read_domain, socket, text, web_address};
use super::lists::{Lists, TTL};
use super::probe::Transport;
use super::reader::{Placed, Section};
use super::words::shown;

/// The zone under which lists are published.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dnsbl {
    /// Its name, in lower case and without the dot of the root.
    pub origin: String,
    /// Where questions come in, each by UDP and TCP.
    pub listen: Vec<SocketAddr>,
    /// Its servers, the first being the primary one; at least one.
    pub ns: Vec<NameServer>,
    /// The mail address of whoever looks after it.
    pub contact: String,
    /// Web address of the look-up page; `{ip}` and `{list}` in it are filled in.
    pub lookup: Option<String>,
    /// The addresses of the web server that people reach under the zones' own names; none: they have no addresses.
    pub web: Vec<IpAddr>,
    /// How long others may remember that somebody is listed.
    pub ttl: Duration,
    /// How long others may remember that somebody is not.
    pub negative_ttl: Duration,
    /// Threads that answer; one for each processor if not given.
    pub threads: Option<usize>,
    /// The serial that the zones have at least; 0: whatever comes.
    pub serial_min: u64,
    /// What names this server to those who ask for it (RFC 5001).
    pub nsid: Option<String>,
    /// The secrets of DNS cookies; none: the node makes one for itself at each start.
    pub cookie_secrets: CookieSecrets,
    /// The zones that answer for several lists, beside `all`.
    pub combined: Vec<Combined>,
    /// Who may ask in the zones.
    pub access: Vec<(ZoneLabel, ZoneAccess)>,
    /// The secondaries, if there are any.
    pub transfers: Option<transfer::Settings>,
    /// DNS over TLS, if it is offered.
    pub tls: Option<TlsListener>,
    /// The zones from files, if there are any.
    pub statics: Option<Statics>,
    /// The zones that are taken from other servers.
    pub mirrors: Vec<mirror::Source>,
    /// Those of files and of other servers that show whom the never-list protects, too.
    pub unfiltered: Vec<Name>,
}

/// A server of the zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameServer {
    /// Its name.
    pub name: String,
    /// Its addresses; there are some if the name is below the origin, where nobody else can tell them.
    pub addresses: Vec<IpAddr>,
}

/// Longest origin, in bytes: of the 253 of a question, an IPv6 address takes 64, a list 64, a key of 32 bytes 33.
const ORIGIN_BYTES_MAX: usize = 253 - 64 - 64 - 33;

/// More threads than processors do not answer faster.
const THREADS_MAX: u64 = 256;

/// Most addresses of the web server, so that they fit into an answer of 512 bytes.
const WEB_ADDRESSES_MAX: usize = 8;

/// Most servers of the zone, so that they fit into an answer of 512 bytes.
const NAME_SERVERS_MAX: usize = 13;

pub(super) fn read(section: &Section<'_>, node_name: Option<&str>, lists: &Lists) -> Option<Dnsbl> {
    let origin = section.required("origin", &domain());
    let listen = section.required_each("listen", &socket());
    let ns = section.each("ns", &name_server());
    let contact = section.optional("contact", &mail_address());
    let lookup = section.optional("lookup", &web_address());
    let web = section.each("web", &web_server());
    let ttl = section.setting("ttl", &duration(TTL));
    let negative_ttl = section.setting("negative-ttl", &duration(TTL));
    let threads = section.optional("threads", &number(1..=THREADS_MAX));
    let serial_min = section.optional("serial-min", &number(1..=u64::from(u32::MAX))).unwrap_or_default();
    let nsid = section.optional("nsid", &text("a short text", NSID_BYTES_MAX));
    let cookie_secrets = access::cookie_secrets(section);
    let transfers = section.part("transfer", |section| Some(secondaries::read(section)));
    let statics = section.part("static", |section| Some(statics::read(section)));
    let tls = section.part("tls", tls::read);
    let addresses: Vec<SocketAddr> = listen.iter().map(|address| address.value).collect();
    let mirrors = mirrors::read(section, &addresses, statics.as_ref());
    let unfiltered = section.optional_each("unfiltered", &domain()).unwrap_or_default();
    // A wrong origin has been told; what stands below it is read all the same.
    let zones = zones::read(section, origin.as_deref().unwrap_or("invalid"), lists, statics.as_ref());

    let has_ip4 = listen.iter().any(|address| address.value.is_ipv4());
    for address in listen.iter().filter(|address| address.value.ip() == Ipv6Addr::UNSPECIFIED && !has_ip4) {
        let fault = Fault::warning(address.place.clone(), format!("{} hears IPv6 alone", address.value));
        let hint = format!("add `\"0.0.0.0:{}\"` for IPv4", address.value.port());
        section.desk.report(fault.label("nobody is heard by IPv4").hint(hint));
    }
    for address in &listen {
        section.desk.listens(address.place.clone(), address.value, Transport::TcpAndUdp);
    }
    if !lists.any_published() {
        let fault = Fault::error(section.header(), "a zone in which nothing is published");
        section.desk.report(fault.label("no [[list]] has a `code`"));
    }
    let origin = origin?;
    if origin.len() > ORIGIN_BYTES_MAX {
        let fault = section.wrong("origin", "too long for questions about IPv6 addresses below it");
        let label = format!("{} bytes, {ORIGIN_BYTES_MAX} are possible", origin.len());
        section.desk.report(fault.label(label));
    }
    if let Some(Err(why)) = contact.as_deref().map(Name::mailbox) {
        let fault = section.wrong("contact", "the address cannot stand in a SOA record");
        section.desk.report(fault.label(why.to_string()));
    }
    let ns = if section.has("ns") { ns } else { own_name(section, node_name) };
    // A server that only this machine asks needs no name.
    let is_public = listen.iter().any(|address| !address.value.ip().is_loopback());
    if is_public && !section.has("ns") && node_name.is_none_or(|name| name == "localhost") {
        let fault = Fault::warning(section.header(), "the zones' name server is called `localhost.`");
        let hint = "name it: `ns = [\"ns1.example.org\"]`, or `name` in `[node]`".to_owned();
        section.desk.report(fault.label("no `ns`, and the node has no name").hint(hint));
    }
    let is_zone = |label: &str| {
        label == zones::ALL || lists.find(label).is_some() || zones.combined.iter().any(|zone| zone.name == label)
    };
    check_servers(section, &origin, is_zone, &ns);
    check_web(section, &web);
    Some(Dnsbl {
        listen: addresses,
        ns: ns.into_iter().map(|server| server.value).collect(),
        contact: contact.unwrap_or_else(|| format!("hostmaster@{origin}")),
        lookup,
        web: web.into_iter().map(|address| address.value).collect(),
        ttl: ttl?,
        negative_ttl: negative_ttl?,
        threads,
        serial_min,
        nsid,
        cookie_secrets,
        combined: zones.combined,
        access: zones.access,
        transfers,
        tls,
        statics,
        mirrors,
        // A domain that the form takes is a name.
        unfiltered: unfiltered.iter().filter_map(|zone| Name::parse(&zone.value).ok()).collect(),
        origin,
    })
}

/// This node as the only server.
fn own_name(section: &Section<'_>, node_name: Option<&str>) -> Vec<Placed<NameServer>> {
    let server = |name: &str| NameServer { name: name.to_owned(), addresses: Vec::new() };
    node_name.map(|name| Placed { value: server(name), place: section.header() }).into_iter().collect()
}

/// Reports servers that nobody could reach, and those that are there too often.
fn check_servers(section: &Section<'_>, origin: &str, is_zone: impl Fn(&str) -> bool, servers: &[Placed<NameServer>]) {
    if servers.is_empty() && section.has("ns") {
        section.desk.report(section.wrong("ns", "a zone without a server").label("at least one is wanted"));
    }
    if let Some(surplus) = servers.get(NAME_SERVERS_MAX) {
        let fault = Fault::error(surplus.place.clone(), format!("more than {NAME_SERVERS_MAX} servers"));
        section.desk.report(fault.label("one too many"));
    }
    for (index, server) in servers.iter().enumerate() {
        let NameServer { name, addresses } = &server.value;
        if let Some(first) = servers[..index].iter().find(|other| other.value.name == *name) {
            let fault = Fault::error(server.place.clone(), format!("the server `{name}` is there twice"));
            section.desk.report(fault.label("the second time").also(first.place.clone(), "the first"));
        }
        let Some(below) = name.strip_suffix(origin).filter(|below| below.is_empty() || below.ends_with('.')) else {
            continue;
        };
        let zone = below.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
        if is_zone(zone) {
            let fault =
                Fault::error(server.place.clone(), format!("`{name}` would be in the zone of the list `{zone}`"));
            section.desk.report(fault.label("only addresses have names there"));
        } else if addresses.is_empty() {
            let fault = Fault::error(server.place.clone(), format!("nobody could find the server `{name}`"));
            let hint = format!("give its addresses behind its name: `ns = [\"{name} 192.0.2.53\"]`");
            section.desk.report(fault.label("below the origin, without an address").hint(hint));
        }
    }
}

/// Reports addresses of the web server that are there twice, and those that are too many.
fn check_web(section: &Section<'_>, addresses: &[Placed<IpAddr>]) {
    if let Some(surplus) = addresses.get(WEB_ADDRESSES_MAX) {
        let fault = Fault::error(surplus.place.clone(), format!("more than {WEB_ADDRESSES_MAX} addresses"));
        section.desk.report(fault.label("one too many"));
    }
    for (index, address) in addresses.iter().enumerate() {
        if let Some(first) = addresses[..index].iter().find(|other| other.value == address.value) {
            let fault = Fault::error(address.place.clone(), format!("the address {} is there twice", address.value));
            section.desk.report(fault.label("the second time").also(first.place.clone(), "the first"));
        }
    }
}

/// An address that a browser can reach. One of this machine alone leads each visitor to their own; 127.0.0.0/8 is also
/// what stands for a listing.
fn web_server() -> Form<'static, IpAddr> {
    Form::of_text("an address of a web server, such as `192.0.2.80`", |text| {
        let address: IpAddr = text.parse().map_err(|_| Mismatch::new(format!("`{}` is no address", shown(text))))?;
        if address.is_loopback() || address.is_unspecified() || address.is_multicast() {
            return Err(Mismatch::new("no address of a web server"));
        }
        Ok(address)
    })
}

/// A name, and behind it the addresses, if any.
fn name_server() -> Form<'static, NameServer> {
    let wants = "a domain name, with its addresses behind it if it is below the origin";
    Form::of_text(wants, |text| {
        let mut words = text.split_whitespace();
        let name = read_domain(words.next().unwrap_or_default())?;
        let address = |word: &str| word.parse().map_err(|_| Mismatch::new(format!("`{}` is no address", shown(word))));
        let addresses: Vec<IpAddr> = words.map(address).collect::<Result<_, _>>()?;
        if let Some(odd) = addresses.iter().find(|address| address.is_unspecified() || address.is_multicast()) {
            return Err(Mismatch::new(format!("{odd} is no address of a server")));
        }
        Ok(NameServer { name, addresses })
    })
}
