//! What the tests of this folder share.

use core::time::Duration;

use base::ListId;

use crate::serve::{CombinedZone, Members, NameServer, PublishedList, Settings, SoaTimers, Zones};

/// The origin, two lists and `all`. The lists' texts for one address are the same.
pub(super) fn zones() -> Zones {
    Zones::new(&settings()).expect("the settings have no faults")
}

/// What [`zones`] are made of.
pub(super) fn settings() -> Settings {
    let list = |id, name: &str, code: u8| PublishedList {
        id: ListId::new(id),
        name: name.into(),
        code: [127, 0, 0, code].into(),
        ttl: Duration::from_mins(5),
        text: "{ip}".into(),
    };
    Settings {
        origin: "bl.example.org".into(),
        lists: vec![list(1, "dyna", 36), list(2, "auth", 43)],
        combined: vec![CombinedZone { name: "all".into(), lists: Members::All }],
        name_servers: vec![NameServer { name: "ns.example.net".into(), addresses: Vec::new() }],
        contact: "hostmaster@example.org".into(),
        look_up_url: String::new(),
        web_addresses: Vec::new(),
        negative_ttl: Duration::from_mins(2),
        apex_ttl: Duration::from_hours(1),
        timers: SoaTimers::default(),
        nsid: None,
    }
}
