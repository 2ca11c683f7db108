use super::*;
use crate::serve::{CombinedZone, Members, NameServer, PublishedList, Settings, SoaTimers};
use core::time::Duration;

fn zones() -> Zones {
    let list = |(id, name): (usize, &str)| PublishedList {
        id: ListId::new(id),
        name: name.into(),
        code: [127, 0, 0, 40 + id as u8].into(),
        ttl: Duration::from_mins(5),
        text: String::new(),
    };
    Zones::new(&Settings {
        origin: "bl.example.org".into(),
        lists: [(1, "auth"), (2, "spam")].map(list).into(),
        combined: vec![CombinedZone { name: "all".into(), lists: Members::All }],
        name_servers: vec![NameServer { name: "ns.example.net".into(), addresses: Vec::new() }],
        contact: "hostmaster@example.org".into(),
        look_up_url: String::new(),
        web_addresses: Vec::new(),
        negative_ttl: Duration::from_mins(1),
        apex_ttl: Duration::from_mins(1),
        timers: SoaTimers::default(),
        nsid: None,
    })
    .unwrap()
}

fn access(zones_and_rules: Vec<(&str, ZoneAccess)>) -> Result<Access, Vec<AccessError>> {
    let label = |zone: &str| if zone == "*" { ZoneLabel::Others } else { ZoneLabel::Named(zone.into()) };
    let rules = zones_and_rules.into_iter().map(|(zone, rules)| (label(zone), rules)).collect();
    let settings = AccessSettings { zones: rules, cookie_secrets: Vec::new() };
    Access::new(&zones(), None, &settings, KeySecret::new([1; 16]), [2; 16])
}

fn rules(policy: Policy) -> ZoneAccess {
    ZoneAccess { policy, ..ZoneAccess::default() }
}

#[test]
fn rules_are_those_of_the_zone_or_of_the_others() {
    let access = access(vec![("*", rules(Policy::Key)), ("SPAM", rules(Policy::OpenBelow(3)))]).unwrap();
    let policies: Vec<_> = access.zones.iter().map(|zone| zone.policy).collect();
    assert_eq!(policies, [Policy::Key, Policy::Key, Policy::OpenBelow(3), Policy::Key]);
    assert_eq!(access.labels.join(" "), "@ auth spam all");
    assert!(Access::open(&zones()).zones.iter().all(|zone| zone.policy == Policy::Open));
}

#[test]
fn the_narrowest_network_counts() {
    let networks = [
        ("192.0.2.0/24", Permit::Refuse),
        ("192.0.2.64/26", Permit::ByPolicy),
        ("192.0.2.65", Permit::Free),
        ("0.0.0.0/0", Permit::Ignore),
        ("2001:db8::/32", Permit::Free),
    ]
    .map(|(network, permit)| (network.parse().unwrap(), permit));
    let access = access(vec![("auth", ZoneAccess { networks: networks.into(), ..ZoneAccess::default() })]).unwrap();
    let cases = [
        ("192.0.2.1", Permit::Refuse),
        ("192.0.2.66", Permit::ByPolicy),
        ("192.0.2.65", Permit::Free),
        ("198.51.100.1", Permit::Ignore),
        ("2001:db8::1", Permit::Free),
        ("2001:db9::1", Permit::ByPolicy),
    ];
    for (client, wanted) in cases {
        assert_eq!(access.permit(1, client.parse().unwrap()), wanted, "{client}");
        assert_eq!(access.permit(2, client.parse().unwrap()), Permit::ByPolicy);
    }
}

#[test]
fn faults() {
    let network = "192.0.2.0/24".parse().unwrap();
    let twice = ZoneAccess { networks: vec![(network, Permit::Free), (network, Permit::Refuse)], ..rules(Policy::Key) };
    let no_rate = Limit { per_second: 0, slip: 2 };
    let cases = [
        (vec![("noptr", rules(Policy::Key))], "no zone `noptr` is served"),
        (vec![("auth", rules(Policy::Key)), ("auth", rules(Policy::Open))], "zone `auth` has two sets of rules"),
        (vec![("auth", twice)], "zone `auth`: network 192.0.2.0/24 has two different permits"),
        (
            vec![("*", rules(Policy::OpenBelow(0)))],
            "zone `*`: a rate of 0 would refuse everybody; use a network that is refused",
        ),
        (
            vec![("all", ZoneAccess { limit: Some(no_rate), ..rules(Policy::Open) })],
            "zone `all`: a rate of 0 would refuse everybody; use a network that is refused",
        ),
    ];
    for (rules, wanted) in cases {
        let faults = access(rules).unwrap_err();
        assert_eq!(faults.iter().map(ToString::to_string).collect::<Vec<_>>(), [wanted]);
    }
}

#[test]
fn faults_of_keys_leave_the_others_in_force() {
    let access = access(Vec::new()).unwrap();
    let secret = KeySecret::new([1; 16]);
    let record = |key: &str, zones: Option<Vec<&str>>| KeyRecord {
        hash: secret.hash(key.as_bytes()),
        name: format!("{key} of somebody"),
        owner: String::new(),
        zones: zones.map(|zones| zones.into_iter().map(String::from).collect()),
        quota: None,
        until: None,
    };
    access.set_keys(vec![record("first-key", Some(vec!["@", "ALL"]))]).unwrap();
    let faults =
        access.set_keys(vec![record("same-key", None), record("same-key", None), record("other", Some(vec!["x"]))]);
    let texts: Vec<_> = faults.unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "keys `same-key of somebody` and `same-key of somebody` are the same",
            "key `other of somebody`: no zone `x` is served"
        ]
    );
    let keys = access.keys();
    let opens = |zone| access.opens(zone, b"FIRST-KEY", &keys, Timestamp::EPOCH);
    assert_eq!([opens(0), opens(1), opens(2), opens(3)], [true, false, false, true]);
    assert_eq!(access.key_counts()[0].answered, 2);
}

#[test]
fn replies_are_measured() {
    use Portion::{None, Small, Truncated, Whole};
    let limit = |slip| Some(Limit { per_second: 4, slip });
    let portions = |slip, reply| {
        let zone = ZoneAccess { limit: limit(slip), ..ZoneAccess::default() };
        let access = access(vec![("auth", zone)]).unwrap();
        let client = "192.0.2.1".parse().unwrap();
        access.prove(client, Timestamp::from_secs(9));
        (0..8).map(|_| access.meter(1, client, Timestamp::from_secs(9), 100, reply)).collect::<Vec<_>>()
    };
    assert_eq!(portions(2, 140), [Whole, Whole, Whole, Whole, Truncated, None, Truncated, None]);
    assert_eq!(portions(1, 150), [Whole, Whole, Whole, Whole, Truncated, Truncated, Truncated, Truncated]);
    assert_eq!(portions(0, 900), [Whole, Whole, Small, Small, None, None, None, None]);
    let open = Access::open(&zones());
    let client = "192.0.2.1".parse().unwrap();
    assert!((0..100).all(|_| open.meter(1, client, Timestamp::EPOCH, 1, 9000) == Whole));
}
