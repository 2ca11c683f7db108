//! What the examples share: the settings of zones for lists of some codes.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use base::ListId;
use dnsbl::serve::{CombinedZone, Members, NameServer, PublishedList, Settings, SoaTimers};

/// The lists of a file by their codes.
pub(crate) type Codes = BTreeMap<u8, ListId>;

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
