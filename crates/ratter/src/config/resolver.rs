//! `[resolver]`: how reverse names are asked for.

use core::net::SocketAddr;
use core::ops::RangeInclusive;
use core::time::Duration;

use super::diagnose::Fault;
use super::forms::{duration, number, socket};
use super::reader::Section;
use super::units::days;

/// How reverse names are asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolver {
    /// The recursive servers that are asked; those of `/etc/resolv.conf` if there are none.
    pub servers: Vec<SocketAddr>,
    /// How long an answer is waited for.
    pub timeout: Duration,
    /// Most questions that are open at one time.
    pub in_flight: usize,
    /// How often the name on which a listing rests is asked again.
    pub recheck: Duration,
}

/// Most servers; a search asks no more than three times anyway.
const SERVERS_MAX: usize = 8;

const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(30);

/// Each holds a socket.
const IN_FLIGHT: RangeInclusive<u64> = 1..=1000;

/// Oftener would be a burden for those who are asked.
const RECHECK: RangeInclusive<Duration> = Duration::from_secs(1)..=days(7);

pub(super) fn read(section: &Section<'_>) -> Option<Resolver> {
    let servers = section.each("servers", &socket());
    let timeout = section.setting("timeout", &duration(TIMEOUT));
    let in_flight = section.setting("in-flight", &number(IN_FLIGHT));
    let recheck = section.setting("recheck", &duration(RECHECK));
    if let Some(surplus) = servers.get(SERVERS_MAX) {
        let fault = Fault::error(surplus.place.clone(), format!("more than {SERVERS_MAX} servers"));
        section.desk.report(fault.label("one too many"));
    }
    let servers = servers.into_iter().map(|server| server.value).collect();
    Some(Resolver { servers, timeout: timeout?, in_flight: in_flight?, recheck: recheck? })
}
