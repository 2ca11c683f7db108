//! Whom the server answers, from outside.

use std::sync::Arc;

use crate::common::{AUTH, DYNA, SPAM, World, asker, query, settings, text};
use base::{Address, Timestamp};
use dnsbl::access::{
    Access, AccessSettings, ClientName, KeyRecord, KeySecret, Limit, NamesWanted, Per, Permit, Policy, Quota, Refusal,
    ZoneAccess, ZoneLabel,
};
use dnsbl::serve::{Asker, BATCH_MAX, Counters, Outcome, Responder, Totals, Transport, Zones};
use proptest::prelude::*;

const SECRET: KeySecret = KeySecret::new([5; 16]);
const UDP: Transport = Transport::Udp { max: 1232 };

fn key(key: &str, zones: &[&str], quota: Option<Quota>, until: Option<Timestamp>) -> KeyRecord {
    let zones = if zones.is_empty() { None } else { Some(zones.iter().map(ToString::to_string).collect()) };
    KeyRecord { hash: SECRET.hash(key.as_bytes()), name: key.into(), owner: "somebody".into(), zones, quota, until }
}

/// A world with rules for zones, and some keys.
fn world(rules: &[(&str, ZoneAccess)]) -> World {
    let mut world = World::new(
        &settings(),
        &[("192.0.2.1", DYNA), ("192.0.2.1", AUTH), ("198.51.100.0/24", SPAM), ("2001:db8::/64", AUTH)],
    );
    let zones = Zones::new(&settings()).unwrap();
    let rules = rules.iter().map(|(zone, rules)| (ZoneLabel::Named((*zone).into()), rules.clone())).collect();
    let settings = AccessSettings { zones: rules, cookie_secrets: vec![[3; 16]] };
    let access = Access::new(&zones, None, &settings, SECRET, [6; 16]).unwrap();
    let quota = |questions, per| Some(Quota { questions, per });
    let ended = Some(Timestamp::from_secs(1_700_000_000));
    access
        .set_keys(vec![
            key("goodkey1", &[], None, None),
            key("authonly", &["auth"], None, None),
            key("endedkey", &[], None, ended),
            key("twoaday1", &[], quota(2, Per::Day), None),
        ])
        .unwrap();
    world.responder = Responder::with_access(zones, Arc::new(access));
    world.counters = world.responder.counters();
    world
}

fn rules(policy: Policy, refusal: Refusal) -> ZoneAccess {
    ZoneAccess { policy, refusal, ..ZoneAccess::default() }
}

/// A world where one zone wants keys and another is limited.
pub(crate) fn limited_world() -> World {
    let limit = Some(Limit { per_second: 10, slip: 2 });
    let limited = ZoneAccess { limit, ..ZoneAccess::default() };
    world(&[
        ("auth", rules(Policy::Key, Refusal::Codes)),
        ("spam", limited),
        ("all", rules(Policy::Open, Refusal::Codes)),
    ])
}

#[test]
fn keys_open_zones() {
    let world = world(&[("auth", rules(Policy::Key, Refusal::Refused))]);
    let refused = |why: &str| format!("REFUSED; edns 1232 error=18 {why}");
    let listed = "NOERROR aa; 1.2.0.192.goodkey1.auth 2043 A 127.0.0.43";
    let negative = |rcode| format!("{rcode} aa | auth 150 SOA ns1.dns. host.master.example.org. 5 600 300 604800 150");
    let v6 = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2";
    let cases = [
        ("1.2.0.192.goodkey1.auth A", listed.into()),
        ("1.2.0.192.GoodKey1.auth A", listed.replace("goodkey1", "GoodKey1")),
        ("1.2.0.192.authonly.auth A", listed.replace("goodkey1", "authonly")),
        ("2.2.0.192.goodkey1.auth A", negative("NXDOMAIN")),
        ("4.3.2.1.goodkey1.auth A", negative("NXDOMAIN")),
        ("1.2.0.192.goodkey1.auth AAAA", negative("NOERROR")),
        ("0.192.goodkey1.auth A", negative("NOERROR")),
        ("goodkey1.auth A", negative("NOERROR")),
        ("1.2.0.192.auth A +edns", refused("a key is needed to ask here")),
        ("1.2.0.192.auth A", "REFUSED".into()),
        ("192.auth A +edns", refused("a key is needed to ask here")),
        ("1.2.0.192.otherkey.auth A +edns", refused("the key is unknown")),
        ("1.2.0.192.endedkey.auth A +edns", refused("the key has ended")),
        ("otherkey.auth A +edns", refused("the key is unknown")),
        // Test entries are no exceptions.
        ("2.0.0.127.goodkey1.auth A", "NOERROR aa; 2.0.0.127.goodkey1.auth 2043 A 127.0.0.43".into()),
        ("1.0.0.127.goodkey1.auth A", negative("NXDOMAIN")),
        ("2.0.0.127.auth A +edns", refused("a key is needed to ask here")),
        // The zone's own name is everybody's.
        ("auth NS", "NOERROR aa; auth 3600 NS ns1.dns., auth 3600 NS ns.example.net.".into()),
        // Open zones take a key that is there, and know no other.
        ("1.2.0.192.goodkey1.dyna A", "NOERROR aa; 1.2.0.192.goodkey1.dyna 2036 A 127.0.0.36".into()),
        ("1.2.0.192.dyna A", "NOERROR aa; 1.2.0.192.dyna 2036 A 127.0.0.36".into()),
        ("1.2.0.192.otherkey.dyna A +edns", refused("the key is unknown")),
        ("9.2.0.192.otherkey.dyna A +edns", refused("the key is unknown")),
        ("1.2.0.192.short.dyna A", negative("NXDOMAIN").replace("auth", "dyna")),
        ("1.2.0.192.other_key.dyna A", negative("NXDOMAIN").replace("auth", "dyna")),
        ("www.otherkey.dyna A", negative("NXDOMAIN").replace("auth", "dyna")),
        ("1.2.0.192.authonly.dyna A +edns", refused("the key is not for this zone")),
    ];
    for (question, wanted) in cases {
        assert_eq!(normal(&world.ask(question)), normal(&wanted), "{question}");
    }
    let v6_listed = world.ask(&format!("{v6}.goodkey1.auth A"));
    assert!(v6_listed.ends_with("2043 A 127.0.0.43"), "{v6_listed}");
}

/// Without the serial, and with one way of writing a name server.
fn normal(text: &str) -> String {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    if let Some(at) = words.iter().position(|word| *word == "SOA") {
        words.truncate(at);
    }
    words.join(" ").replace("ns1.dns.", "ns1.dns")
}

#[test]
fn quotas_count_addresses_and_not_the_way_to_them() {
    let world = world(&[("auth", rules(Policy::Key, Refusal::Refused))]);
    let ask = |question: &str| world.ask(question).split_whitespace().next().unwrap().to_owned();
    for way in ["twoaday1.auth A", "192.twoaday1.auth A", "0.192.twoaday1.auth A", "2.0.192.twoaday1.auth A"] {
        assert_eq!(ask(way), "NOERROR");
    }
    let rcodes = [0, 1, 2].map(|_| ask("1.2.0.192.twoaday1.auth A"));
    assert_eq!(rcodes, ["NOERROR", "NOERROR", "REFUSED"]);
    assert!(world.ask("1.2.0.192.twoaday1.auth A +edns").ends_with("error=18 the key is over its quota"));
}

#[test]
fn who_may_not_ask_gets_codes_where_they_are_wanted_and_never_a_listing() {
    let world = world(&[("auth", rules(Policy::Key, Refusal::Codes))]);
    let cases = [
        ("1.2.0.192.auth A", "NOERROR aa; 1.2.0.192.auth 60 A 127.255.255.254"),
        ("9.2.0.192.auth A", "NOERROR aa; 9.2.0.192.auth 60 A 127.255.255.254"),
        ("2.0.0.127.auth A", "NOERROR aa; 2.0.0.127.auth 60 A 127.255.255.254"),
        ("1.2.0.192.auth TXT", "NOERROR aa; 1.2.0.192.auth 60 TXT \"a key is needed to ask here\""),
        ("1.2.0.192.auth AAAA", "NOERROR aa | auth 150 SOA"),
        ("192.auth A", "NOERROR aa | auth 150 SOA"),
        ("otherkey.auth A", "NOERROR aa | auth 150 SOA"),
        ("0.192.otherkey.auth A", "NOERROR aa | auth 150 SOA"),
        ("www.auth A", "REFUSED"),
        ("1.2.0.192.otherkey.auth TXT", "NOERROR aa; 1.2.0.192.otherkey.auth 60 TXT \"the key is unknown\""),
        ("1.2.0.192.twoaday1.auth A", "NOERROR aa; 1.2.0.192.twoaday1.auth 2043 A 127.0.0.43"),
        ("1.2.0.192.twoaday1.auth A", "NOERROR aa; 1.2.0.192.twoaday1.auth 2043 A 127.0.0.43"),
        ("1.2.0.192.twoaday1.auth A", "NOERROR aa; 1.2.0.192.twoaday1.auth 60 A 127.255.255.255"),
    ];
    for (question, wanted) in cases {
        let got = world.ask(question);
        assert_eq!(got.split_inclusive(" SOA").next().unwrap_or_default(), wanted, "{question}");
    }
    for loopback in ["1.0.0.127.auth A", "1.0.0.127.otherkey.auth TXT"] {
        assert!(world.ask(loopback).starts_with("NXDOMAIN aa |"), "{loopback}");
    }
}

#[test]
fn networks() {
    let mut auth = rules(Policy::Key, Refusal::Refused);
    auth.networks = [("198.51.100.0/24", Permit::Refuse), ("198.51.100.96/27", Permit::Free)]
        .map(|(network, permit)| (network.parse().unwrap(), permit))
        .into();
    let dyna = ZoneAccess { networks: vec![("198.51.100.99".parse().unwrap(), Permit::Ignore)], ..Default::default() };
    let world = world(&[("auth", auth), ("dyna", dyna)]);
    let snapshot = world.book.snapshot();
    let ask = |from: &str, question: &str| {
        let asker = Asker { address: from.parse().unwrap(), ..asker(UDP) };
        let mut out = [0; 1232];
        let length = world.responder.answer(&snapshot, &asker, &query(question), &mut out, &world.counters);
        if length == 0 { "nothing".into() } else { text(&out[..length]) }
    };
    assert_eq!(ask("198.51.100.99", "1.2.0.192.auth A"), "NOERROR aa; 1.2.0.192.auth 2043 A 127.0.0.43");
    let refused = "REFUSED; edns 1232 error=18 your network may not ask here";
    assert_eq!(ask("198.51.100.1", "1.2.0.192.goodkey1.auth A +edns"), refused);
    assert_eq!(ask("198.51.100.1", "auth SOA +edns"), refused);
    assert_eq!(ask("198.51.100.99", "1.2.0.192.dyna A"), "nothing");
    assert_eq!(ask("198.51.100.98", "1.2.0.192.dyna A"), "NOERROR aa; 1.2.0.192.dyna 2036 A 127.0.0.36");
    let clients = Counters::clients([&world.counters].into_iter(), 10);
    assert_eq!((clients[0].network.to_string().as_str(), clients[0].refused), ("198.51.100.0/24", 3));
    let mut totals = Totals::default();
    totals.add(&world.counters);
    assert_eq!([totals.outcome(Outcome::Denied), totals.outcome(Outcome::Listed)], [3, 2]);
}

#[test]
fn open_below_a_rate() {
    let world = world(&[("auth", rules(Policy::OpenBelow(5), Refusal::Refused))]);
    let rcodes: Vec<_> = (0..8).map(|_| world.ask("1.2.0.192.auth A").starts_with("NOERROR")).collect();
    assert_eq!(rcodes, [true, true, true, true, true, false, false, false]);
    assert!(world.ask("1.2.0.192.auth A +edns").ends_with("too many questions without a key"));
    assert!(world.ask("1.2.0.192.goodkey1.auth A").starts_with("NOERROR"));
}

/// A query with a cookie option of these octets.
pub(crate) fn with_cookie(question: &str, cookie: &[u8]) -> Vec<u8> {
    let mut message = query(&format!("{question} +edns"));
    let end = message.len();
    message[end - 2..].copy_from_slice(&u16::try_from(4 + cookie.len()).unwrap().to_be_bytes());
    message.extend_from_slice(&[0, 10, 0, u8::try_from(cookie.len()).unwrap()]);
    message.extend_from_slice(cookie);
    message
}

#[test]
fn who_shows_our_cookie_is_not_limited() {
    let limit = Some(Limit { per_second: 2, slip: 1 });
    let world = world(&[("auth", ZoneAccess { limit, ..ZoneAccess::default() })]);
    let question = "1.2.0.192.auth TXT";
    drain(&world);
    let first = world.raw(UDP, &with_cookie(question, &[7; 8]));
    assert_eq!(text(&first), "BADCOOKIE; edns 1232 cookie=24", "asked again with it, the answer is whole");
    let cookie = &first[first.len() - 24..];
    assert_eq!(cookie[..8], [7; 8]);
    for _ in 0..20 {
        let reply = text(&world.raw(UDP, &with_cookie(question, cookie)));
        assert!(reply.starts_with("NOERROR aa; ") && reply.ends_with("cookie=24"), "{reply}");
    }
    let forged = [&cookie[..23], &[cookie[23] ^ 1]].concat();
    assert_eq!(text(&world.raw(UDP, &with_cookie(question, &forged))), "BADCOOKIE; edns 1232 cookie=24");
    assert!(world.ask("1.2.0.192.auth TXT +tcp").starts_with("NOERROR aa; "));
    assert_eq!(text(&world.raw(UDP, &with_cookie("1.2.0.192.auth A", &[7; 7]))), "FORMERR; edns 1232");
    // A cookie and no question: only a cookie is wanted (RFC 7873 section 5.4).
    let mut alone = with_cookie(question, &[7; 8]);
    alone.drain(12..12 + query(question).len() - 12);
    alone[5] = 0;
    let reply = world.raw(UDP, &alone);
    assert_eq!((reply.len(), reply[3] & 15, &reply[27..35]), (51, 0, &[7; 8][..]));
}

#[test]
fn who_has_no_reverse_name_is_refused_where_one_is_wanted_and_known_to_be_missing() {
    let names = |names, refusal| ZoneAccess { names, ..rules(Policy::Open, refusal) };
    let world = world(&[
        ("auth", names(NamesWanted::Some, Refusal::Refused)),
        ("dyna", names(NamesWanted::Own, Refusal::Codes)),
        ("all", rules(Policy::Open, Refusal::Refused)),
    ]);
    let (access, client, now) = (world.responder.access(), asker(UDP).address, asker(UDP).now);
    let ask = |question: &str| both_ways(&world, &query(question), client).map(|reply| text(&reply));
    let listed = "NOERROR aa; 1.2.0.192.auth 2043 A 127.0.0.43";
    assert_eq!(ask("1.2.0.192.auth A"), [listed; 2], "nobody waits for a name");
    assert_eq!((access.poll_client(), access.poll_client()), (Some(client), None));
    let refused = |why| format!("REFUSED; edns 1232 error=18 {why}");
    let (missing, pool) = ("your address has no reverse name", "your address has the reverse name of a pool");
    let code = "NOERROR aa; 1.2.0.192.dyna 60 A 127.255.255.254";
    for (name, auth, dyna) in [
        (ClientName::Missing, refused(missing), code),
        (ClientName::Pool, format!("{listed}; edns 1232"), code),
        (ClientName::Own, format!("{listed}; edns 1232"), "NOERROR aa; 1.2.0.192.dyna 2036 A 127.0.0.36"),
        (ClientName::Unknown, format!("{listed}; edns 1232"), "NOERROR aa; 1.2.0.192.dyna 2036 A 127.0.0.36"),
    ] {
        access.client_named(client, name, now);
        for reply in ask("1.2.0.192.auth A +edns") {
            // The words of a refusal are longer than what a forged client may be sent for long.
            assert!(reply == auth || reply == "REFUSED; edns 1232" && auth.starts_with(&reply), "{name:?}: {reply}");
        }
        assert_eq!(ask("1.2.0.192.dyna A"), [dyna; 2], "{name:?}");
        let with_key = listed.replace("192.auth", "192.goodkey1.auth");
        assert!(ask("1.2.0.192.goodkey1.auth A").iter().all(|reply| *reply == with_key), "{name:?}");
        assert!(ask("9.2.0.192.all A").iter().all(|reply| reply.starts_with("NXDOMAIN")), "another zone");
        assert!(ask("auth SOA").iter().all(|reply| reply.contains("SOA")), "everybody may know the zone");
    }
    access.client_named(client, ClientName::Pool, now);
    assert!(ask("1.2.0.192.dyna TXT")[0].contains(pool));
    let mut totals = Totals::default();
    totals.add(&world.counters);
    let count = |reason| totals.refusals().find(|(name, _)| *name == reason).unwrap().1;
    assert_eq!((count("no-name"), count("pool-name")), (4, 4));
}

/// Has the usual client's network spend all that it may be sent beyond its questions.
fn drain(world: &World) {
    // The largest first. None is in a zone whose replies are limited.
    for question in ["@ NS", "9.2.0.192.policy A", "1.2.0.192.policy AAAA +edns", "1.2.0.192.dyna A +edns"].map(query) {
        while world.raw(UDP, &question).len() * 5 > question.len() * 7 {}
    }
}

/// Asks one by one and in a batch, which is how datagrams come.
fn both_ways(world: &World, message: &[u8], address: Address) -> [Vec<u8>; 2] {
    let mut buffers = [[0; 1600]];
    buffers[0][..message.len()].copy_from_slice(message);
    let (mut lengths, now) = ([message.len()], asker(UDP).now);
    let snapshot = world.book.snapshot();
    world.responder.answer_batch(&snapshot, now, &mut buffers, &mut lengths, |_| address, &world.counters);
    [ask_from(world, address, message), buffers[0][..lengths[0]].to_vec()]
}

/// The reply to a datagram from this address.
fn ask_from(world: &World, address: Address, message: &[u8]) -> Vec<u8> {
    let mut out = [0; 1232];
    let asker = Asker { address, ..asker(UDP) };
    let length = world.responder.answer(&world.book.snapshot(), &asker, message, &mut out, &world.counters);
    out[..length].to_vec()
}

/// A world in which questions are answered in every way that there is.
pub(crate) fn varied_world() -> World {
    let limit = Some(Limit { per_second: 1_000_000, slip: 2 });
    let auth = ZoneAccess { limit, ..rules(Policy::Open, Refusal::Refused) };
    world(&[
        ("auth", auth),
        ("dyna", rules(Policy::Key, Refusal::Refused)),
        ("spam", rules(Policy::Key, Refusal::Codes)),
    ])
}

#[test]
fn forged_clients_gain_nothing() {
    let world = varied_world();
    drain(&world);
    let client = asker(UDP).address;
    let addresses =
        ["1.2.0.192", "9.2.0.192", "2.0.0.127", "1.0.0.127", "192", "0.0.192", "1.100.51.198", "x", "256.2.0.192"];
    let zones = ["auth", "all", "dyna", "spam", "goodkey1.auth", "otherkey.auth", "endedkey.dyna", "goodkey1.all", "x"];
    let of_zones = zones.iter().flat_map(|zone| addresses.iter().map(move |address| format!("{address}.{zone}")));
    let names = of_zones.chain(zones.into_iter().chain(["@", "ns1.dns", "dns", "example.com."]).map(str::to_owned));
    for name in names {
        for kind in ["A", "TXT", "ANY", "SOA", "NS", "AAAA", "MX", "DS", "AXFR", "IXFR"] {
            for options in ["", "+edns", "+edns=4096 +do", "+nsid", "+v1", "+ch", "+opcode=2", "+opcode=4", "+unknown"]
            {
                let mut messages = vec![query(&format!("{name} {kind} {options}"))];
                if options == "+edns" {
                    messages.push(with_cookie(&format!("{name} {kind}"), &[7; 8]));
                    messages.push(with_cookie(&format!("{name} {kind}"), &[7; 24]));
                }
                for message in messages {
                    for reply in both_ways(&world, &message, client) {
                        assert!(2 * reply.len() <= 3 * message.len(), "{name} {kind} {options}: {}", text(&reply));
                    }
                }
            }
        }
    }
    // A name that does not exist is still said not to, and a listing is told.
    assert_eq!(world.ask("9.2.0.192.auth A"), "NXDOMAIN aa");
    assert_eq!(world.ask("9.2.0.192.all A"), "NXDOMAIN aa");
    assert_eq!(world.ask("0.192.all A"), "NOERROR aa");
    assert_eq!(world.ask("1.2.0.192.auth A"), "NOERROR aa; 1.2.0.192.auth 2043 A 127.0.0.43");
    assert_eq!(world.ask("1.2.0.192.all A"), "NOERROR aa tc", "two codes are too much");
    // By TCP everything is said.
    assert!(world.ask("9.2.0.192.all A +tcp").starts_with("NXDOMAIN aa | all 150 SOA "));
}

#[test]
fn who_asks_a_little_is_told_all_and_a_flood_gets_no_more_than_one_and_a_half_times() {
    let world = varied_world();
    let cases = [
        ("9.2.0.192.auth A", "NXDOMAIN aa | auth 150 SOA"),
        ("9.2.0.192.all A +edns", "NXDOMAIN aa | all 150 SOA"),
        ("0.192.all A", "NOERROR aa | all 150 SOA"),
        ("1.2.0.192.all AAAA +edns", "NOERROR aa | all 150 SOA"),
        ("1.2.0.192.all A", "NOERROR aa; 1.2.0.192.all 2036 A 127.0.0.36, 1.2.0.192.all 2036 A 127.0.0.43"),
        ("1.2.0.192.all TXT +edns", "NOERROR aa; 1.2.0.192.all 2036 TXT \"192.0.2.1 is on dyna, see "),
        ("1.2.0.192.all ANY", "NOERROR aa; 1.2.0.192.all 2036 A 127.0.0.36"),
        ("1.2.0.192.auth TXT", "NOERROR aa; 1.2.0.192.auth 2043 TXT"),
        ("auth SOA", "NOERROR aa; auth 3600 SOA"),
        ("auth NS +edns", "NOERROR aa; auth 3600 NS"),
        ("@ ANY", "NOERROR aa; @ 3600 SOA"),
        ("@ A +edns", "NOERROR aa; @ 3600 A 192.0.2.80"),
        ("1.2.0.192.dyna A +edns", "REFUSED; edns 1232"),
        ("1.2.0.192.spam TXT", "NOERROR aa; 1.2.0.192.spam 60 TXT \"a key is needed to ask here\""),
        ("ns1.dns ANY", "NOERROR aa; ns1.dns "),
        ("example.com. A +edns", "REFUSED; edns 1232"),
    ];
    let networks = core::cell::Cell::new(0);
    for (question, wanted) in cases {
        let cookie = |cookie: &[u8]| with_cookie(question.trim_end_matches(" +edns"), cookie);
        for message in [query(question), query(&format!("{question} +nsid")), cookie(&[7; 8]), cookie(&[7; 24])] {
            networks.set(networks.get() + 1);
            let client: Address = format!("10.0.{}.7", networks.get()).parse().unwrap();
            // Somebody of the network came by TCP once; what others have is the tests' of newcomers.
            let known = Asker { address: client, transport: Transport::Tcp, ..asker(UDP) };
            let mut out = vec![0; 65_535];
            world.responder.answer(&world.book.snapshot(), &known, &query("auth SOA"), &mut out, &world.counters);
            let (mut sent, mut received, mut first) = (0, 0, String::new());
            for _ in 0..1000 {
                for reply in both_ways(&world, &message, client) {
                    if sent == 0 {
                        first = text(&reply);
                    }
                    (sent, received) = (sent + message.len(), received + reply.len());
                }
            }
            assert!(first.starts_with(wanted), "{question}: {first}");
            assert!(2 * received <= 3 * sent, "{question}: {received} octets for {sent}");
        }
    }
}

#[test]
fn a_slow_client_is_always_told_all() {
    let world = varied_world();
    let (message, snapshot) = (query("9.2.0.192.all A"), world.book.snapshot());
    let mut out = [0; 1232];
    for turn in 0..2000 {
        let asker = Asker { now: Timestamp::from_millis(1_800_000_000_000 + turn * 50), ..asker(UDP) };
        let length = world.responder.answer(&snapshot, &asker, &message, &mut out, &world.counters);
        assert!(text(&out[..length]).contains("SOA"), "at turn {turn}");
    }
}

#[test]
fn a_flood_gets_less_than_it_sends() {
    let limit = Some(Limit { per_second: 10, slip: 4 });
    let world = world(&[("auth", ZoneAccess { limit, ..ZoneAccess::default() })]);
    let message = query("1.2.0.192.auth TXT +edns");
    let replies: Vec<_> = (0..1000).map(|_| world.raw(UDP, &message)).collect();
    let whole = replies.iter().filter(|reply| reply.len() > message.len()).count();
    let silent = replies.iter().filter(|reply| reply.is_empty()).count();
    assert_eq!((whole, silent), (10, 742));
    let mut totals = Totals::default();
    totals.add(&world.counters);
    assert_eq!(totals.outcome(Outcome::Limited), 990);
}

/// Questions of all kinds, plain ones most of all.
fn question() -> impl Strategy<Value = String> {
    let octet = prop_oneof![0_u16..3, Just(192), Just(198), Just(51), Just(100), Just(127), 0_u16..300];
    let address = prop::collection::vec(octet, 3..6)
        .prop_map(|octets| octets.iter().map(ToString::to_string).collect::<Vec<_>>().join("."));
    let address = prop_oneof![
        6 => address,
        1 => prop::sample::select(vec!["1.2.0.192", "01.2.0.192", "7.100.51.198", "1.2.0.a", "x"]).prop_map(String::from),
    ];
    let key =
        prop::sample::select(vec!["", "", "", ".goodkey1", ".authonly", ".otherkey", ".GOODKEY1", ".k", ".twoaday1"]);
    let zone = prop::sample::select(vec!["auth", "ALL", "dyna", "spam", "policy", "x", "aut", "authx"]);
    let kind = prop::sample::select(vec!["A", "A", "A", "AAAA", "MX", "TXT", "ANY", "SOA", "DS", "OPT", "AXFR"]);
    let options = prop::sample::select(vec![
        "",
        "",
        "+rd",
        "+cd +rd",
        "+edns",
        "+edns +do",
        "+edns=512 +rd",
        "+nsid",
        "+unknown",
        "+v1",
        "+ch",
        "+ad",
        "+opcode=2",
        "+qr",
    ]);
    (address, key, zone, kind, options)
        .prop_map(|(address, key, zone, kind, options)| format!("{address}{key}.{zone} {kind} {options}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn a_batch_is_answered_as_its_messages_are(
        questions in prop::collection::vec((question(), 0_usize..400), 1..=BATCH_MAX),
        policy in 0_usize..3,
    ) {
        // Each from a network of its own: what a network may be sent is used up in the order of the answers, too.
        let client = |at: usize| format!("10.0.{at}.1").parse().unwrap();
        let policy = [Policy::Open, Policy::Key, Policy::OpenBelow(1000)][policy];
        let rules = ["auth", "dyna"].map(|zone| (zone, rules(policy, Refusal::Codes)));
        let (single, batched) = (world(&rules), world(&rules));
        let mut buffers = vec![[0xee; 1600]; questions.len()];
        let mut lengths = vec![0; questions.len()];
        let mut wanted = Vec::new();
        for (at, (question, cut)) in questions.iter().enumerate() {
            let mut message = query(question);
            // Some are cut off, and some have more behind.
            if *cut < message.len() {
                message.truncate(*cut);
            } else if *cut > 390 {
                message.push(0);
            }
            buffers[at][..message.len()].copy_from_slice(&message);
            lengths[at] = message.len();
            wanted.push((message.clone(), ask_from(&single, client(at), &message)));
        }
        let now = asker(UDP).now;
        let snapshot = batched.book.snapshot();
        batched.responder.answer_batch(&snapshot, now, &mut buffers, &mut lengths, client, &batched.counters);
        let got: Vec<_> = buffers.iter().zip(&lengths).map(|(buffer, length)| buffer[..*length].to_vec()).collect();
        // A quota is used up in the order in which questions are answered, and a batch answers plain ones first.
        for (((question, _), (message, wanted)), got) in questions.iter().zip(wanted).zip(got) {
            if !question.contains("twoaday1") {
                prop_assert_eq!(got, wanted, "{} {:?}", question, message);
            }
        }
        if questions.iter().all(|(question, _)| !question.contains("twoaday1")) {
            let sum = |world: &World| { let mut totals = Totals::default(); totals.add(&world.counters); totals };
            prop_assert_eq!(sum(&single), sum(&batched));
            prop_assert_eq!(single.responder.access().key_counts(), batched.responder.access().key_counts());
        }
    }
}
