//! `ratter doctor`: whether everything that Ratter leans on works, and what to do about what does not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use console::api::Status;
use dnsbl::access::{Policy, ZoneLabel};
use dnsbl::ask::Health;
use gates::io::Place;
use resolver::io::{Servers, system_servers};
use resolver::{Data, Question, Reply};
use serde::Serialize;

use super::ask;
use super::client::Client;
use super::show::{Show, printable, table};
use super::{Failure, Outcome};
use crate::config::{self, Config};

/// How long a gate or a name server is waited for.
const TIMEOUT: Duration = Duration::from_secs(3);

/// What a zone answers those who have no right to ask where codes are wanted; see [`dnsbl::access::Refusal::Codes`].
const NO_RIGHT: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 254);

/// Resolvers that anybody may ask, by which blocklists answer nobody: Google, Cloudflare, Quad9, OpenDNS, `AdGuard`.
const PUBLIC_RESOLVERS: [&str; 16] = [
    "8.8.8.8",
    "8.8.4.4",
    "2001:4860:4860::8888",
    "2001:4860:4860::8844",
    "1.1.1.1",
    "1.0.0.1",
    "2606:4700:4700::1111",
    "2606:4700:4700::1001",
    "9.9.9.9",
    "149.112.112.112",
    "2620:fe::fe",
    "2620:fe::9",
    "208.67.222.222",
    "208.67.220.220",
    "94.140.14.14",
    "94.140.15.15",
];

/// Arguments of `ratter doctor`.
#[derive(Args)]
pub(super) struct Arguments {
    /// A name whose address is that of the resolver which asks for it
    #[arg(long, value_name = "NAME", default_value = "whoami.akamai.net")]
    whoami: String,
}

/// One thing that was looked at.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Finding {
    /// What was looked at.
    what: String,
    /// `ok`, `warning` or `fault`.
    state: &'static str,
    /// What was found.
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Finding {
    fn ok(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self { what: what.into(), state: "ok", found: found.into(), advice: None }
    }

    fn bad(what: impl Into<String>, state: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what: what.into(), state, found: found.into(), advice: Some(advice.into()) }
    }
}

/// Runs the command; it fails if there is a fault.
pub(super) fn doctor(path: Option<&Path>, arguments: &Arguments, show: &Show) -> Result<Outcome, Failure> {
    let (config, _) = config::find(path, config::Ports::NotTried).map_err(Failure::Usage)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(anyhow::Error::from)?;
    let mut findings = runtime.block_on(resolvers(&config, &arguments.whoami));
    findings.extend(lists(&config)?);
    findings.extend(gates(&config));
    findings.extend(node(path));
    findings.extend(config.sensors.iter().map(sensor));
    findings.extend(runtime.block_on(zones(&config)));
    show.value(&findings, |findings| text(findings))?;
    let faults = findings.iter().filter(|finding| finding.state == "fault").count();
    match faults {
        0 => Ok(Outcome::Done),
        _ => Err(Failure::Other(anyhow!("{faults} of {} checks failed", findings.len()))),
    }
}

/// Each resolver: whether it answers, from which address it asks, and whether that has a name that leads back to it.
async fn resolvers(config: &Config, whoami: &str) -> Vec<Finding> {
    let servers = match config.resolver.servers.as_slice() {
        [] => match system_servers() {
            Ok(servers) => servers,
            Err(error) => {
                return vec![Finding::bad("resolver", "fault", error.to_string(), "set `servers` in [resolver]")];
            }
        },
        servers => servers.to_vec(),
    };
    let Ok(ask) = Servers::new(&servers, config.resolver.timeout, config.resolver.in_flight) else {
        return vec![Finding::bad("resolver", "fault", "cannot be asked", "look at `servers` in [resolver]")];
    };
    let mut findings = Vec::new();
    for (place, server) in servers.iter().enumerate() {
        findings.push(resolver(&ask, place, *server, whoami).await);
    }
    findings
}

async fn resolver(ask: &Servers, place: usize, server: SocketAddr, whoami: &str) -> Finding {
    let what = format!("resolver {server}");
    if PUBLIC_RESOLVERS.iter().any(|public| public.parse() == Ok(server.ip())) {
        let advice =
            "run a resolver of your own, such as unbound, and set `servers = [\"127.0.0.1:53\"]` in [resolver]";
        return Finding::bad(what, "fault", "it is a public one, to which blocklists do not answer", advice);
    }
    let own = match ask.ask(&Question::V4(whoami), place).await {
        Reply::Records { data, .. } => data.iter().find_map(address_of),
        Reply::Silent => {
            return Finding::bad(
                what,
                "fault",
                "it does not answer",
                "look whether it runs, and whether it lets us ask",
            );
        }
        Reply::NoName(_) | Reply::Empty { .. } | Reply::ServerFailed | Reply::Refused => None,
    };
    let Some(own) = own else {
        let found = format!("it answers, but does not know the address of {whoami}, by which it would be seen");
        return Finding::bad(
            what,
            "warning",
            found,
            "look whether it reaches the internet, or name another by --whoami",
        );
    };
    let reply = ask.ask(&Question::Names(own), place).await;
    let name = match &reply {
        Reply::Records { data, .. } => data.iter().find_map(name_of),
        Reply::NoName(_) | Reply::Empty { .. } | Reply::ServerFailed | Reply::Refused | Reply::Silent => None,
    };
    match name {
        Some(name) => Finding::ok(what, format!("asks from {own}, which is named {name}")),
        None => {
            let advice = "have a reverse name set for it: some lists answer nobody without one";
            Finding::bad(what, "warning", format!("asks from {own}, which has no reverse name"), advice)
        }
    }
}

fn address_of(data: &Data) -> Option<IpAddr> {
    match data {
        Data::Address(address) => Some(*address),
        Data::Name(_) | Data::Alias(_) | Data::Text(_) | Data::Exchange(_) => None,
    }
}

fn name_of(data: &Data) -> Option<&str> {
    match data {
        Data::Name(name) => Some(name.trim_end_matches('.')),
        Data::Address(_) | Data::Alias(_) | Data::Text(_) | Data::Exchange(_) => None,
    }
}

/// Each list, tested as its operator and RFC 5782 tell to.
fn lists(config: &Config) -> Result<Vec<Finding>, Failure> {
    if config.asks.is_empty() {
        return Ok(Vec::new());
    }
    let asking = ask::start(&config.resolver, &config.asks)?;
    asking.wait_for_tests(ask::patience(&config.asks));
    let finding = |(list, health): (&dnsbl::ask::List, Health)| {
        let what = format!("list {}", list.name);
        match health {
            Health::Working { .. } => {
                let found = format!("{} is listed, 127.0.0.1 and a made-up name are not", list.test);
                Finding::ok(what, found)
            }
            Health::Untested => Finding::bad(what, "fault", "its tests did not end in time", "try again"),
            Health::Off { fault, .. } => Finding::bad(what, "fault", fault.to_string(), fault.advice()),
        }
    };
    Ok(asking.health().into_iter().map(finding).collect())
}

/// Each gate: whether somebody listens there.
fn gates(config: &Config) -> Vec<Finding> {
    let places = config
        .gates
        .places()
        .into_iter()
        .flat_map(|(name, places)| places.into_iter().map(move |place| (format!("gate {name}"), place)));
    let finding = |(what, place): (String, Place)| {
        let connected = match &place {
            Place::Tcp(address) => TcpStream::connect_timeout(&reachable(*address), TIMEOUT).map(drop),
            Place::Unix(path) => UnixStream::connect(path).map(drop),
        };
        match connected {
            Ok(()) => Finding::ok(what, format!("answers at {place}")),
            Err(error) => {
                let advice = "start Ratter (`systemctl start ratter`), or look into its log why it cannot listen there";
                Finding::bad(what, "fault", format!("nobody answers at {place}: {error}"), advice)
            }
        }
    };
    places.map(finding).collect()
}

/// What the running node warns of. Whether one runs is seen at its gates.
fn node(path: Option<&Path>) -> Vec<Finding> {
    let status = Client::of(path).and_then(|client| client.get::<Status>("/v1/status")).ok().flatten();
    let warnings = status.map(|status| status.warnings).unwrap_or_default();
    // What begins a line is not the node's alone: paths and names of the configuration stand in warnings.
    let shown = |warning: &String| warning.lines().map(printable).collect::<Vec<_>>().join(" ");
    let finding = |warning| Finding { what: "node".into(), state: "warning", found: shown(warning), advice: None };
    warnings.iter().map(finding).collect()
}

/// A log file: whether it is there and can be read.
#[expect(clippy::disallowed_methods, reason = "a file of the configuration is looked at here")]
fn sensor(sensor: &config::FileSensor) -> Finding {
    let what = format!("log {}", sensor.path.display());
    match std::fs::File::open(&sensor.path) {
        Ok(_) => Finding::ok(what, "can be read"),
        Err(error) => {
            let advice = "look at the path, and let Ratter read the file (group `adm` on Debian)";
            Finding::bad(what, "fault", error.to_string(), advice)
        }
    }
}

/// Each published list: its own test entry answers its code, and 127.0.0.1 does not exist; or it wants a key, and answers
/// nobody without one.
async fn zones(config: &Config) -> Vec<Finding> {
    let Some(dnsbl) = &config.dnsbl else { return Vec::new() };
    let Some(server) = dnsbl.listen.first().copied().map(reachable) else { return Vec::new() };
    let Ok(ask) = Servers::new(&[server], TIMEOUT, 8) else { return Vec::new() };
    let mut findings = Vec::new();
    for (list, code) in config.lists.iter().filter_map(|list| Some((list, list.code?))) {
        let zone = format!("{}.{}", list.name, dnsbl.origin);
        findings.push(zone_finding(&ask, &zone, code, wants_key(dnsbl, &list.name)).await);
    }
    findings
}

/// Whether who asks in the zone of that list needs a key.
fn wants_key(dnsbl: &config::Dnsbl, list: &str) -> bool {
    let rules = |wanted: &ZoneLabel| dnsbl.access.iter().find(|(label, _)| label == wanted).map(|(_, rules)| rules);
    let own = rules(&ZoneLabel::Named(list.to_owned())).or_else(|| rules(&ZoneLabel::Others));
    own.is_some_and(|rules| rules.policy == Policy::Key)
}

async fn zone_finding(ask: &Servers, zone: &str, code: Ipv4Addr, wants_key: bool) -> Finding {
    let what = format!("zone {zone}");
    let [a, b, c, d] = code.octets();
    let entry = format!("{d}.{c}.{b}.{a}.{zone}");
    let says: Vec<IpAddr> = match ask.ask(&Question::V4(&entry), 0).await {
        Reply::Records { data, .. } => data.iter().filter_map(address_of).collect(),
        Reply::Refused if wants_key => {
            return Finding::ok(what, "it wants a key, and refuses who has none; its entries were not looked at");
        }
        Reply::NoName(_) | Reply::Empty { .. } | Reply::ServerFailed | Reply::Refused | Reply::Silent => Vec::new(),
    };
    if wants_key && says == [IpAddr::from(NO_RIGHT)] {
        return Finding::ok(
            what,
            format!("it wants a key, and answers {NO_RIGHT} without; its entries were not looked at"),
        );
    }
    if says != [IpAddr::from(code)] {
        let advice = "look whether Ratter runs; mail servers take a list without its test entry for a dead one";
        return Finding::bad(what, "fault", format!("{entry} does not answer {code}"), advice);
    }
    match ask.ask(&Question::V4(&format!("1.0.0.127.{zone}")), 0).await {
        Reply::NoName(_) => Finding::ok(what, format!("{entry} answers {code}, and 127.0.0.1 is not listed")),
        Reply::Records { .. } | Reply::Empty { .. } | Reply::ServerFailed | Reply::Refused | Reply::Silent => {
            Finding::bad(what, "fault", "127.0.0.1 is not denied", "mail servers take such a list for a broken one")
        }
    }
}

/// The address by which something is reached that listens at all addresses.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => listen.ip(),
    };
    SocketAddr::new(ip, listen.port())
}

fn text(findings: &[Finding]) -> String {
    let rows = findings.iter().map(|finding| {
        let advice = finding.advice.as_ref().map(|advice| format!("; {advice}")).unwrap_or_default();
        [finding.state.to_owned(), finding.what.clone(), format!("{}{advice}", finding.found)]
    });
    table(["STATE", "WHAT", "FOUND"], rows)
}
