//! Real servers, through `hickory-resolver`. None of its types leaves this file.
//!
//! There is one resolver for each server, with one attempt and without a cache: a second answer from a cache proves nothing.

use core::net::SocketAddr;
use core::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use crate::{Data, Question, RECORDS_MAX, Reply};

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

    /// Asks one of the servers, once. The runtime must be tokio's.
    pub async fn ask(&self, question: &Question<'_>, server: usize) -> Reply {
        let Some(resolver) = self.0.get(server) else { return Reply::Silent };
        let (name, kind) = match question {
            Question::Names(address) => (Some(Name::from(*address)), RecordType::PTR),
            Question::V4(name) => (name_of(name), RecordType::A),
            Question::V6(name) => (name_of(name), RecordType::AAAA),
            Question::Texts(name) => (name_of(name), RecordType::TXT),
        };
        let Some(name) = name else { return Reply::ServerFailed };
        match resolver.lookup(name, kind).await {
            Ok(lookup) => records(lookup.answers().iter().map(|record| (record.ttl, &record.data))),
            Err(NetError::Dns(DnsError::NoRecordsFound(nothing))) => {
                let ttl = nothing.negative_ttl.map(|ttl| Duration::from_secs(ttl.into()));
                if nothing.response_code == ResponseCode::NXDomain {
                    Reply::NoName(ttl)
                } else if nothing.response_code == ResponseCode::NoError {
                    // Without an SOA, an empty answer is a referral that leads nowhere: the server does not know the zone.
                    Reply::Empty { is_proven: nothing.soa.is_some(), ttl }
                } else {
                    Reply::ServerFailed
                }
            }
            Err(NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused))) => Reply::Refused,
            Err(NetError::Dns(_)) => Reply::ServerFailed,
            Err(_) => Reply::Silent,
        }
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

/// A name as the library takes it: from the root, so that nothing is tried behind it.
fn name_of(name: &str) -> Option<Name> {
    let mut name = Name::from_ascii(name).ok()?;
    name.set_fqdn(true);
    Some(name)
}

fn records<'a>(records: impl Iterator<Item = (u32, &'a RData)>) -> Reply {
    let (mut data, mut ttl) = (Vec::new(), u32::MAX);
    for (record_ttl, record) in records.take(RECORDS_MAX) {
        ttl = ttl.min(record_ttl);
        if let RData::PTR(name) = record {
            data.push(Data::Name(name.0.to_ascii().into()));
        } else if let RData::CNAME(name) = record {
            let name = name.0.to_ascii().to_ascii_lowercase();
            data.push(Data::Alias(name.trim_end_matches('.').into()));
        } else if let RData::A(address) = record {
            data.push(Data::Address(address.0.into()));
        } else if let RData::AAAA(address) = record {
            data.push(Data::Address(address.0.into()));
        } else if let RData::TXT(text) = record {
            let bytes: Vec<u8> = text.txt_data.iter().flat_map(|part| part.iter().copied()).collect();
            data.push(Data::Text(String::from_utf8_lossy(&bytes).into()));
        }
    }
    Reply::Records { data, ttl: Duration::from_secs(ttl.into()) }
}
