//! Questions to real servers, through `hickory-resolver`. None of its types leaves this file.
//!
//! There is one resolver for each server, with one attempt and without a cache: the machine decides who is asked, how
//! often, and what is remembered, because a second answer from a cache proves nothing.

use core::time::Duration;
use std::net::SocketAddr;

use base::Address;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use super::Ask;
use crate::ptr::{Answer, NAMES_MAX, Question};

/// How long nothing is taken to hold if the answer does not say.
const NOTHING_FOR: Duration = Duration::from_mins(1);

/// Most records of an answer that are looked at.
const RECORDS_MAX: usize = 64;

/// Why there is no resolver.
#[derive(Debug, thiserror::Error)]
pub enum ServersError {
    /// The system's own configuration cannot be used.
    #[error("/etc/resolv.conf names no DNS server that can be asked: {0}")]
    System(String),
    /// The library refused its configuration.
    #[error("the resolver cannot be set up: {0}")]
    Setup(String),
}

/// The servers that `/etc/resolv.conf` names.
pub fn system_servers() -> Result<Vec<SocketAddr>, ServersError> {
    let (config, _) =
        hickory_resolver::system_conf::read_system_conf().map_err(|error| ServersError::System(error.to_string()))?;
    let mut servers: Vec<SocketAddr> = Vec::new();
    for server in config.name_servers() {
        let port = server.connections.first().map_or(53, |connection| connection.port);
        let server = SocketAddr::new(server.ip, port);
        if !servers.contains(&server) {
            servers.push(server);
        }
    }
    if servers.is_empty() { Err(ServersError::System("it names none".to_owned())) } else { Ok(servers) }
}

/// Recursive servers to ask.
pub struct Servers(Vec<TokioResolver>);

impl Servers {
    /// These servers, each waited for so long.
    pub fn new(servers: &[SocketAddr], timeout: Duration, in_flight_max: usize) -> Result<Self, ServersError> {
        servers.iter().map(|server| one(*server, timeout, in_flight_max)).collect::<Result<_, _>>().map(Self)
    }
}

fn one(server: SocketAddr, timeout: Duration, in_flight_max: usize) -> Result<TokioResolver, ServersError> {
    let mut config = NameServerConfig::udp_and_tcp(server.ip());
    config.connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].into();
    for connection in &mut config.connections {
        connection.port = server.port();
    }
    let config = ResolverConfig::from_name_servers(vec![config]);
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    let options = builder.options_mut();
    options.timeout = timeout;
    options.attempts = 0;
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.max_active_requests = in_flight_max;
    builder.build().map_err(|error| ServersError::Setup(error.to_string()))
}

impl Ask for Servers {
    async fn ask(&self, question: &Question, server: usize) -> Answer {
        let Some(resolver) = self.0.get(server) else { return Answer::Failed };
        let (name, kind) = match question {
            Question::Names(address) => (Some(Name::from(address.ip())), RecordType::PTR),
            Question::Addresses { name, is_v6 } => {
                (name_of(name), if *is_v6 { RecordType::AAAA } else { RecordType::A })
            }
        };
        let Some(name) = name else { return Answer::Failed };
        match resolver.lookup(name, kind).await {
            Ok(lookup) => answer(question, lookup.answers().iter().map(|record| (record.ttl, &record.data))),
            Err(NetError::Dns(DnsError::NoRecordsFound(nothing))) => {
                use hickory_resolver::proto::op::ResponseCode::{NXDomain, NoError};
                let ttl = nothing.negative_ttl.map_or(NOTHING_FOR, |ttl| Duration::from_secs(ttl.into()));
                // Without an SOA, an empty answer is a referral that leads nowhere: the server does not know the zone.
                let code = nothing.response_code;
                let is_proof = code == NXDomain || code == NoError && nothing.soa.is_some();
                if is_proof { Answer::Nothing(ttl) } else { Answer::Failed }
            }
            Err(_) => Answer::Failed,
        }
    }
}

/// A name as the library takes it: from the root, so that nothing is tried behind it.
fn name_of(name: &str) -> Option<Name> {
    let mut name = Name::from_ascii(name).ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// What the records of an answer come to; those of other types on the way, such as CNAME (RFC 2317), are passed over.
fn answer<'a>(question: &Question, records: impl Iterator<Item = (u32, &'a RData)>) -> Answer {
    let (mut names, mut addresses, mut ttl) = (Vec::new(), Vec::new(), u32::MAX);
    for (record_ttl, data) in records.take(RECORDS_MAX) {
        ttl = ttl.min(record_ttl);
        if let RData::PTR(name) = data
            && names.len() < NAMES_MAX
        {
            names.push(name.0.to_ascii().into());
        } else if let RData::A(address) = data {
            addresses.push(Address::new(address.0.into()));
        } else if let RData::AAAA(address) = data {
            addresses.push(Address::new(address.0.into()));
        }
    }
    let ttl = Duration::from_secs(ttl.into());
    match question {
        Question::Names(_) if !names.is_empty() => Answer::Names(names, ttl),
        Question::Addresses { .. } if !addresses.is_empty() => Answer::Addresses(addresses, ttl),
        Question::Names(_) | Question::Addresses { .. } => Answer::Failed,
    }
}
