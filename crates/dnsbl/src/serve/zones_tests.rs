use super::*;

fn list(id: usize, name: &str, code: [u8; 4]) -> PublishedList {
    PublishedList {
        id: ListId::new(id),
        name: name.into(),
        code: code.into(),
        ttl: Duration::from_mins(35),
        text: "{ip} is on {list}, see {url}".into(),
    }
}

fn settings() -> Settings {
    Settings {
        origin: "bl.example.org".into(),
        lists: vec![list(1, "dyna", [127, 0, 0, 36]), list(4, "auth", [127, 0, 0, 43])],
        combined: vec![CombinedZone { name: "all".into(), lists: Members::All }],
        name_servers: vec![NameServer {
            name: "ns1.bl.example.org".into(),
            addresses: vec!["192.0.2.53".parse().unwrap()],
        }],
        contact: "hostmaster@example.org".into(),
        look_up_url: "https://bl.example.org/{ip}".into(),
        web_addresses: Vec::new(),
        negative_ttl: Duration::from_secs(150),
        apex_ttl: Duration::from_hours(1),
        timers: super::super::settings::SoaTimers::default(),
        nsid: None,
    }
}

#[test]
fn each_list_and_combination_has_a_zone() {
    let zones = Zones::new(&settings()).unwrap();
    let names: Vec<_> = zones.names().map(Name::to_string).collect();
    assert_eq!(names, ["bl.example.org", "dyna.bl.example.org", "auth.bl.example.org", "all.bl.example.org"]);
    let members: Vec<_> = zones.all.iter().map(|zone| zone.members.bits()).collect();
    assert_eq!(members, [0, 0b10, 0b1_0000, 0b1_0010]);
}

#[test]
fn test_entries() {
    let zones = Zones::new(&settings()).unwrap();
    let lists = |zone: usize, last: u8| zones.all[zone].test_lists(&zones.lists, Ipv4Addr::new(127, 0, 0, last)).bits();
    assert_eq!([lists(0, 2), lists(1, 2), lists(2, 2), lists(3, 2)], [0, 0b10, 0b1_0000, 0b1_0010]);
    assert_eq!([lists(1, 36), lists(1, 43), lists(3, 36), lists(3, 43)], [0b10, 0, 0b10, 0b1_0000]);
    assert_eq!([lists(1, 1), lists(3, 1), lists(3, 3)], [0, 0, 0]);
}

/// A change of the settings, and the faults that it makes.
type Case = (fn(&mut Settings), &'static [&'static str]);

#[test]
fn faults() {
    let cases: &[Case] = &[
        (|s| s.origin = "bl..org".into(), &["name `bl..org` has an empty label"]),
        (|s| s.lists.clear(), &["no list is published", "zone `all` has no lists"]),
        (|s| s.lists[0].name = "a.b".into(), &["name `a.b` may have letters, digits, `-` and `_` only"]),
        (|s| s.lists[0].name = String::new(), &["name `` has an empty label"]),
        (|s| s.lists[0].name = "12".into(), &["zone `12` would be taken for a part of an address"]),
        (|s| s.lists[0].name = "F".into(), &["zone `F` would be taken for a part of an address"]),
        (|s| s.lists[0].name = "AUTH".into(), &["zone `auth` is there twice"]),
        (|s| s.lists[0].name = "all".into(), &["zone `all` is there twice"]),
        (
            |s| (s.lists[0].id, s.combined) = (ListId::BLOCKED, Vec::new()),
            &["list `dyna` is the local list of blocks, which is never published"],
        ),
        (|s| s.lists[0].id = s.lists[1].id, &["list `auth` is published already under another name"]),
        (
            |s| s.lists[0].code = Ipv4Addr::LOCALHOST,
            &["list `dyna`: return code 127.0.0.1 must be in 127.0.0.0/8, but not 127.0.0.0, 127.0.0.1 or in \
                127.255.255.0/24"],
        ),
        (
            |s| s.lists[0].code = Ipv4Addr::new(192, 0, 2, 1),
            &["list `dyna`: return code 192.0.2.1 must be in 127.0.0.0/8, but not 127.0.0.0, 127.0.0.1 or in \
                127.255.255.0/24"],
        ),
        (
            |s| s.lists[0].code = Ipv4Addr::new(127, 255, 255, 254),
            &["list `dyna`: return code 127.255.255.254 must be in 127.0.0.0/8, but not 127.0.0.0, 127.0.0.1 or in \
                127.255.255.0/24"],
        ),
        (
            |s| s.lists[0].code = s.lists[1].code,
            &["zone `all`: two of its lists have the return code 127.0.0.43, so nobody could tell them apart"],
        ),
        (|s| s.combined[0].lists = Members::These(Vec::new()), &["zone `all` has no lists"]),
        (
            |s| s.combined[0].lists = Members::These(vec![ListId::new(9)]),
            &["zone `all`: list number 9 is not published"],
        ),
        (|s| s.name_servers.clear(), &["no name server"]),
        (
            |s| s.name_servers[0].addresses.clear(),
            &["name server `ns1.bl.example.org` is below the origin and needs its addresses"],
        ),
        (
            |s| s.name_servers[0].name = "ns.auth.bl.example.org".into(),
            &["name server `ns.auth.bl.example.org` stands in the zone of a list; put it beside the lists"],
        ),
        (|s| s.name_servers.push(s.name_servers[0].clone()), &["name server `ns1.bl.example.org` is there twice"]),
        (|s| s.contact = "hostmaster".into(), &["name `hostmaster` is no mail address"]),
        (
            |s| s.look_up_url = "https://{host}".into(),
            &[
                "text `{ip} is on {list}, see {url}` `{host}` is unknown; `{ip}`, `{list}` and `{url}` are filled in",
                "text `{ip} is on {list}, see {url}` `{host}` is unknown; `{ip}`, `{list}` and `{url}` are filled in",
            ],
        ),
        (|s| s.lists[0].text = "{ip".into(), &["text `{ip` has a `{` or `}` without its other one"]),
        (|s| s.negative_ttl = Duration::from_hours(169), &["negative TTL is more than 7 days"]),
        (|s| s.lists[1].ttl = Duration::MAX, &["TTL of list `auth` is more than 7 days"]),
        (|s| s.timers.expire = Duration::MAX, &["expire is more than 68 years"]),
        (|s| s.nsid = Some("x".repeat(65)), &["the server's identity must have 1 to 64 octets"]),
        (|s| s.nsid = Some(String::new()), &["the server's identity must have 1 to 64 octets"]),
    ];
    for (change, wanted) in cases {
        let mut settings = settings();
        change(&mut settings);
        let faults = Zones::new(&settings).map(|_| ()).unwrap_err();
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(faults, *wanted);
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let mut settings = settings();
    settings.name_servers.clear();
    settings.contact.clear();
    settings.lists[0].code = Ipv4Addr::LOCALHOST;
    assert_eq!(Zones::new(&settings).map(|_| ()).unwrap_err().len(), 3);
}

#[test]
fn many_zones() {
    let mut settings = settings();
    let zone = |n: usize| CombinedZone { name: format!("zone{n}"), lists: Members::All };
    settings.combined = (3..ZONES_MAX).map(zone).collect();
    assert_eq!(Zones::new(&settings).unwrap().names().count(), ZONES_MAX);
    settings.combined.push(zone(999));
    assert!(matches!(Zones::new(&settings).map(|_| ()).unwrap_err()[..], [SettingsError::TooManyZones]));
}

#[test]
fn the_origin_can_answer_for_lists() {
    let mut settings = settings();
    settings.combined.push(CombinedZone { name: "@".into(), lists: Members::All });
    assert_eq!(Zones::new(&settings).unwrap().all[0].members.bits(), 0b1_0010);
}

#[test]
fn zones_of_lists_have_names_of_several_labels_and_under_other_names() {
    let with = |names: &[&str]| {
        let mut settings = settings();
        settings.combined.extend(
            names
                .iter()
                .map(|name| CombinedZone { name: (*name).into(), lists: Members::These(vec![settings.lists[0].id]) }),
        );
        Zones::new(&settings)
    };
    let zones = with(&["in.policy.bl.example.org", "near", "rbl.example.net"]).unwrap();
    let labels: Vec<String> = zones.labels().collect();
    assert_eq!(labels[labels.len() - 3..], ["near", "in.policy.bl.example.org", "rbl.example.net"]);
    assert_eq!(zones.far().map(|(index, _)| index).collect::<Vec<_>>(), [labels.len() - 2, labels.len() - 1]);
    assert_eq!(zones.below().count(), labels.len() - 2, "all but the origin and the one elsewhere");
    let faults = [
        "example.org",
        "bl.example.org",
        "x.dyna.bl.example.org",
        "a.b.all.bl.example.org",
        "2.policy.bl.example.org",
        "policy.f.bl.example.org",
        "rbl..example.net",
    ];
    for name in faults {
        assert!(with(&[name]).is_err(), "{name}");
    }
    assert!(with(&["a.rbl.example.net", "rbl.example.net"]).is_err());
    assert!(with(&["a.rbl.example.net", "b.rbl.example.net", "2.example"]).is_ok());
}

/// A name of so many characters that ends in `.example`.
fn name_of(chars: usize) -> String {
    let labels = ["x".repeat(63), "x".repeat(63), "x".repeat(chars - "..".len() - 126 - ".example".len())];
    format!("{}.example", labels.join("."))
}

#[test]
fn below_each_zone_is_room_for_an_ipv6_address() {
    // Of the 255 octets of a name 64 are an address, and two the first length and the root.
    type Case<'a> = (usize, fn(&mut Settings, String), &'a [&'a str]);
    let cases: &[Case<'_>] = &[
        (189, |s, name| s.combined.push(CombinedZone { name, lists: Members::All }), &[]),
        (190, |s, name| s.combined.push(CombinedZone { name, lists: Members::All }), &[""]),
        (184, |s, name| s.origin = name, &[]),
        (185, |s, name| s.origin = name, &["dyna.", "auth."]),
        (186, |s, name| s.origin = name, &["dyna.", "auth.", "all."]),
    ];
    for (chars, change, long) in cases {
        let name = name_of(*chars);
        assert_eq!(name.len(), *chars);
        let mut settings = settings();
        change(&mut settings, name.clone());
        let faults = Zones::new(&settings).map(|_| ()).err().unwrap_or_default();
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let address = "0.".repeat(32);
        let fault = |label: &&str| format!("name `{address}{label}{name}` is longer than 255 octets");
        assert_eq!(faults, long.iter().map(fault).collect::<Vec<_>>(), "{chars}");
    }
}
