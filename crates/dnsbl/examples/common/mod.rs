//! What the examples share: a list from a file, and the settings of zones for it.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::time::Duration;

use base::{ListId, ListSet, Network};
use dnsbl::serve::{CombinedZone, Members, NameServer, PublishedList, Settings, SoaTimers};
use listings::Replica;
use listings::tree::Changes;

/// The lists of a file by their codes.
pub(crate) type Codes = BTreeMap<u8, ListId>;

/// Reads lines `ADDRESS CODE`, where CODE is the last octet of the return code; each code is a list.
pub(crate) fn load(file: &str) -> Result<(Replica, Codes), String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let mut codes = Codes::new();
    let mut changes = Changes::default();
    for line in text.lines() {
        let (address, code) = line.split_once(' ').ok_or_else(|| format!("no `ADDRESS CODE`: {line}"))?;
        let code = code.parse().map_err(|_| format!("no code: {line}"))?;
        let next = ListId::new(codes.len() + 1);
        let list = *codes.entry(code).or_insert(next);
        let network: Network = address.parse().map_err(|_| format!("no address: {line}"))?;
        changes.set(network, ListSet::EMPTY.with(list));
    }
    let replica = Replica::new();
    replica.apply(1, &mut changes);
    Ok((replica, codes))
}

/// All of the lists in one zone, `label.origin`.
pub(crate) fn settings(origin: &str, label: &str, codes: &Codes) -> Settings {
    let list = |(code, id): (&u8, &ListId)| PublishedList {
        id: *id,
        name: format!("code{code}"),
        code: Ipv4Addr::new(127, 0, 0, *code),
        ttl: Duration::from_hours(1),
        text: "Listed, see {url}".into(),
    };
    Settings {
        origin: origin.into(),
        lists: codes.iter().map(list).collect(),
        combined: vec![CombinedZone { name: label.into(), lists: Members::All }],
        name_servers: vec![NameServer { name: format!("ns1.{origin}"), addresses: vec![Ipv4Addr::LOCALHOST.into()] }],
        contact: format!("hostmaster@{origin}"),
        look_up_url: format!("https://{origin}/lookup?{{ip}}"),
        web_addresses: Vec::new(),
        negative_ttl: Duration::from_secs(150),
        apex_ttl: Duration::from_hours(1),
        timers: SoaTimers::default(),
        nsid: None,
    }
}
