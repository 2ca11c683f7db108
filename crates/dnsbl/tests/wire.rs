//! Every rule of the server as lines of question and reply.

use crate::common::{AUTH, DYNA, NOPTR, SPAM, World, query, settings, text};
use dnsbl::serve::{Outcome, Totals, Transport};

/// The SOA record of a negative reply.
const SOA: &str = "SOA ns1.dns host.master.example.org. SERIAL 600 300 604800 150";

fn world() -> World {
    World::new(
        &settings(),
        &[
            ("192.0.2.1", DYNA),
            ("192.0.2.1", AUTH),
            ("198.51.100.0/25", SPAM),
            ("203.0.113.9", NOPTR),
            ("203.0.113.9", DYNA),
            ("2001:db8:0:1::/64", AUTH),
            ("2001:db8:ff::7", SPAM),
            ("1234:5678::/32", DYNA),
            ("203.0.113.77", base::ListId::BLOCKED),
        ],
    )
}

/// Asks each question; `{soa}` in a wanted reply is the rest of the SOA record.
fn check(world: &World, cases: &[(&str, &str)]) {
    let serial = world.book.serial().to_string();
    let soa = SOA.replace("SERIAL", &serial);
    for (question, wanted) in cases {
        assert_eq!(world.ask(question), wanted.replace("{soa}", &soa), "{question}");
    }
}

fn nibbles(address: &str) -> String {
    let bits = address.parse::<std::net::Ipv6Addr>().unwrap().to_bits();
    (0..32).map(|n| format!("{:x}", bits >> (4 * n) & 15)).collect::<Vec<_>>().join(".")
}

#[test]
fn listed_addresses() {
    check(
        &world(),
        &[
            ("1.2.0.192.dyna A", "NOERROR aa; 1.2.0.192.dyna 2036 A 127.0.0.36"),
            ("1.2.0.192.auth A", "NOERROR aa; 1.2.0.192.auth 2043 A 127.0.0.43"),
            ("1.2.0.192.all A", "NOERROR aa; 1.2.0.192.all 2036 A 127.0.0.36, 1.2.0.192.all 2036 A 127.0.0.43"),
            ("1.2.0.192.policy A", "NOERROR aa; 1.2.0.192.policy 2036 A 127.0.0.36"),
            ("1.2.0.192.spam A", "NXDOMAIN aa | spam 150 {soa}"),
            ("0.100.51.198.spam A", "NOERROR aa; 0.100.51.198.spam 2038 A 127.0.0.38"),
            ("127.100.51.198.all A", "NOERROR aa; 127.100.51.198.all 2036 A 127.0.0.38"),
            ("128.100.51.198.all A", "NXDOMAIN aa | all 150 {soa}"),
            ("77.113.0.203.all A", "NXDOMAIN aa | all 150 {soa}"),
            (
                "1.2.0.192.dyna TXT",
                "NOERROR aa; 1.2.0.192.dyna 2036 TXT \"192.0.2.1 is on dyna, see https://bl.example.org/?ip=192.0.2.1\"",
            ),
            (
                "9.113.0.203.policy TXT",
                "NOERROR aa; 9.113.0.203.policy 2036 TXT \"203.0.113.9 is on dyna, see https://bl.example.org/?ip=203.0.113.9\", \
             9.113.0.203.policy 2036 TXT \"203.0.113.9 is on noptr, see https://bl.example.org/?ip=203.0.113.9\"",
            ),
            ("1.2.0.192.dyna ANY", "NOERROR aa; 1.2.0.192.dyna 2036 A 127.0.0.36"),
            ("1.2.0.192.dyna AAAA", "NOERROR aa | dyna 150 {soa}"),
            ("1.2.0.192.dyna MX", "NOERROR aa | dyna 150 {soa}"),
            ("1.2.0.192.dyna SOA", "NOERROR aa | dyna 150 {soa}"),
            ("1.2.0.192.dyna DS", "NOERROR aa | dyna 150 {soa}"),
            ("2.2.0.192.dyna TXT", "NXDOMAIN aa | dyna 150 {soa}"),
            ("2.2.0.192.dyna ANY", "NXDOMAIN aa | dyna 150 {soa}"),
        ],
    );
}

#[test]
fn listed_v6_addresses() {
    let world = world();
    let a = |address: &str, zone: &str| world.ask(&format!("{}.{zone} A", nibbles(address)));
    assert!(a("2001:db8:0:1::5", "auth").ends_with(" A 127.0.0.43"));
    assert!(a("2001:db8:0:1:ffff:ffff:ffff:ffff", "all").ends_with(" A 127.0.0.43"));
    assert!(a("2001:db8:0:2::5", "auth").starts_with("NXDOMAIN"));
    assert!(a("2001:db8:ff::7", "spam").ends_with(" A 127.0.0.38"));
    assert!(a("2001:db8:ff::8", "spam").starts_with("NXDOMAIN"));
    assert!(a("::ffff:192.0.2.1", "dyna").ends_with(" A 127.0.0.36"), "the IPv4 address in another writing");
    let text = world.ask(&format!("{}.spam TXT", nibbles("2001:db8:ff::7")));
    assert!(text.ends_with("\"2001:db8:ff::7 is on spam, see https://bl.example.org/?ip=2001:db8:ff::7\""), "{text}");
}

/// RFC 5782 section 5, for every zone of lists.
#[test]
fn test_entries() {
    let world = world();
    for (zone, codes) in [
        ("dyna", &[36][..]),
        ("noptr", &[37]),
        ("spam", &[38]),
        ("auth", &[43]),
        ("all", &[36, 37, 38, 43]),
        ("policy", &[36, 37]),
    ] {
        let last = |octet: u8| world.ask(&format!("{octet}.0.0.127.{zone} A"));
        let mapped = |octet: u8| world.ask(&format!("{}.{zone} A", nibbles(&format!("::ffff:127.0.0.{octet}"))));
        for ask in [&last as &dyn Fn(u8) -> String, &mapped] {
            assert!(ask(1).starts_with("NXDOMAIN aa | "), "{zone}");
            assert!(ask(3).starts_with("NXDOMAIN aa | "), "{zone}");
            let reply = ask(2);
            assert_eq!(reply.matches(" A 127.0.0.").count(), codes.len(), "{reply}");
            for (_, _, code) in crate::common::LISTS {
                let is_member = codes.contains(&code);
                assert_eq!(reply.contains(&format!(" A 127.0.0.{code}")), is_member, "{reply}");
                let own = ask(code);
                assert_eq!(own.ends_with(&format!(" A 127.0.0.{code}")), is_member, "{own}");
                assert_eq!(own.matches(" A ").count(), usize::from(is_member), "{own}");
            }
        }
        let text = world.ask(&format!("2.0.0.127.{zone} TXT"));
        assert_eq!(text.matches("\"127.0.0.2 is on ").count(), codes.len(), "{text}");
        for parent in ["0.0.127", "0.127", "127", "f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0", "0", "0.0.0"] {
            let reply = world.ask(&format!("{parent}.{zone} A"));
            assert!(reply.starts_with("NOERROR aa | "), "{parent}.{zone}: {reply}");
        }
        for nothing in ["2.0.127", "1.127", "128", "f.f.f.f.f"] {
            let reply = world.ask(&format!("{nothing}.{zone} A"));
            assert!(reply.starts_with("NXDOMAIN aa | "), "{nothing}.{zone}: {reply}");
        }
    }
    assert!(world.ask("2.0.0.127 A").starts_with("NXDOMAIN"), "the origin is no list");
}

/// RFC 8020, RFC 9156: a name exists as soon as one below it does.
#[test]
fn empty_non_terminals() {
    check(
        &world(),
        &[
            ("192.dyna A", "NOERROR aa | dyna 150 {soa}"),
            ("0.192.dyna A", "NOERROR aa | dyna 150 {soa}"),
            ("2.0.192.dyna NS", "NOERROR aa | dyna 150 {soa}"),
            ("2.0.192.dyna ANY", "NOERROR aa | dyna 150 {soa}"),
            ("2.0.192.all TXT", "NOERROR aa | all 150 {soa}"),
            ("2.0.192.spam A", "NXDOMAIN aa | spam 150 {soa}"),
            ("3.0.192.dyna A", "NXDOMAIN aa | dyna 150 {soa}"),
            ("100.51.198.spam A", "NOERROR aa | spam 150 {soa}"),
            ("8.b.d.0.1.0.0.2.auth A", "NOERROR aa | auth 150 {soa}"),
            ("8.B.D.0.1.0.0.2.auth A", "NOERROR aa | auth 150 {soa}"),
            ("9.b.d.0.1.0.0.2.auth A", "NXDOMAIN aa | auth 150 {soa}"),
            // Within a listed network every name exists.
            ("e.e.1.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.auth A", "NOERROR aa | auth 150 {soa}"),
            // 4.3.2.1 is an IPv4 address that is not listed, and the beginning of a listed IPv6 network.
            ("4.3.2.1.dyna A", "NOERROR aa | dyna 150 {soa}"),
            ("4.3.2.1.auth A", "NXDOMAIN aa | auth 150 {soa}"),
            ("5.4.3.2.1.dyna A", "NOERROR aa | dyna 150 {soa}"),
            ("6.4.3.2.1.dyna A", "NXDOMAIN aa | dyna 150 {soa}"),
        ],
    );
}

#[test]
fn names_that_are_no_addresses() {
    check(
        &world(),
        &[
            ("mail.dyna A", "NXDOMAIN aa | dyna 150 {soa}"),
            ("01.2.0.192.dyna A", "NXDOMAIN aa | dyna 150 {soa}"),
            ("1.2.0.256.dyna A", "NXDOMAIN aa | dyna 150 {soa}"),
            ("x.1.2.0.192.dyna A", "NXDOMAIN aa | dyna 150 {soa}"),
            ("*.2.0.192.dyna A", "NXDOMAIN aa | dyna 150 {soa}"),
            ("nolist A", "NXDOMAIN aa | @ 150 {soa}"),
            ("1.2.0.192.nolist A", "NXDOMAIN aa | @ 150 {soa}"),
            ("1.2.0.192 A", "NXDOMAIN aa | @ 150 {soa}"),
        ],
    );
}

#[test]
fn the_zones_own_names() {
    let apex_soa = "SOA ns1.dns host.master.example.org. 9 600 300 604800 150";
    let world = world();
    assert_eq!(world.book.serial(), 9);
    check(
        &world,
        &[
            ("dyna SOA", &format!("NOERROR aa; dyna 3600 {apex_soa}")),
            ("@ SOA", &format!("NOERROR aa; @ 3600 {apex_soa}")),
            ("all ANY", &format!("NOERROR aa; all 3600 {apex_soa}")),
            ("auth NS", "NOERROR aa; auth 3600 NS ns1.dns, auth 3600 NS ns.example.net."),
            ("@ NS", "NOERROR aa; @ 3600 NS ns1.dns, @ 3600 NS ns.example.net."),
            ("@ A", "NOERROR aa; @ 3600 A 192.0.2.80"),
            ("all A", "NOERROR aa; all 3600 A 192.0.2.80"),
            ("all AAAA", "NOERROR aa | all 150 {soa}"),
            ("@ TXT", "NOERROR aa; @ 3600 TXT \"DNS blocklist bl.example.org, operated by host.master@example.org\""),
            ("dyna MX", "NOERROR aa | dyna 150 {soa}"),
            // What is above the cut belongs to the origin.
            ("dyna DS", "NOERROR aa | @ 150 {soa}"),
            ("@ DS", "NOERROR aa | @ 150 {soa}"),
            ("ns1.dns A", "NOERROR aa; ns1.dns 3600 A 192.0.2.53"),
            ("ns1.dns AAAA", "NOERROR aa; ns1.dns 3600 AAAA 2001:db8::53"),
            ("ns1.dns ANY", "NOERROR aa; ns1.dns 3600 A 192.0.2.53"),
            ("NS1.dns TXT", "NOERROR aa | @ 150 {soa}"),
            ("dns A", "NOERROR aa | @ 150 {soa}"),
            ("x.ns1.dns A", "NXDOMAIN aa | @ 150 {soa}"),
        ],
    );
    let mut bare = settings();
    bare.web_addresses.clear();
    check(&World::new(&bare, &[]), &[("@ A", &format!("NOERROR aa | @ 150 {}", SOA.replace("SERIAL", "4294967295")))]);
}

#[test]
fn what_is_not_ours() {
    check(
        &world(),
        &[
            ("example.org. A", "REFUSED"),
            ("xbl.example.org. A", "REFUSED"),
            (". NS", "REFUSED"),
            ("1.2.0.192.dyna.bl.example.net. A +rd", "REFUSED rd"),
            ("version.bind. TXT +ch", "REFUSED"),
            ("1.2.0.192.dyna A +ch", "REFUSED"),
            ("dyna AXFR +tcp", "REFUSED"),
            ("dyna AXFR +tcp +edns", "REFUSED; edns 1232 error=18 you may not transfer this zone"),
            ("example.org. AXFR +tcp +edns", "REFUSED; edns 1232 error=20 "),
            ("dyna IXFR", "FORMERR"),
            ("1.2.0.192.dyna A +opcode=4", "NOTIMP"),
            ("1.2.0.192.dyna A +opcode=5 +rd", "NOTIMP rd"),
            ("1.2.0.192.dyna A +opcode=15 +edns", "NOTIMP; edns 1232"),
            ("1.2.0.192.dyna A +qr", "nothing"),
            ("1.2.0.192.dyna OPT", "FORMERR"),
        ],
    );
}

#[test]
fn flags_and_extensions() {
    let listed = "1.2.0.192.dyna 2036 A 127.0.0.36";
    check(
        &world(),
        &[
            ("1.2.0.192.dyna A +rd", &format!("NOERROR aa rd; {listed}")),
            ("1.2.0.192.dyna A +rd +cd +ad", &format!("NOERROR aa rd cd; {listed}")),
            ("1.2.0.192.dyna A +edns", &format!("NOERROR aa; {listed}; edns 1232")),
            ("1.2.0.192.dyna A +edns=0", &format!("NOERROR aa; {listed}; edns 1232")),
            ("1.2.0.192.dyna A +do", &format!("NOERROR aa; {listed}; edns 1232 do")),
            ("1.2.0.192.dyna A +unknown", &format!("NOERROR aa; {listed}; edns 1232")),
            ("1.2.0.192.dyna A +nsid", &format!("NOERROR aa; {listed}; edns 1232 nsid=mx1")),
            ("1.2.0.192.dyna A +v1", "BADVERS; edns 1232"),
            ("1.2.0.192.dyna A +v1 +do +cd", "BADVERS cd; edns 1232 do"),
            ("2.2.0.192.dyna A +do", "NXDOMAIN aa | dyna 150 {soa}; edns 1232 do"),
            ("example.org. A +edns", "REFUSED; edns 1232 error=20 "),
        ],
    );
    let mut silent = settings();
    silent.nsid = None;
    assert!(World::new(&silent, &[]).ask("@ NS +nsid").ends_with("; edns 1232"));
}

#[test]
fn letter_case_is_kept() {
    let world = world();
    assert_eq!(world.ask("1.2.0.192.DyNa A"), "NOERROR aa; 1.2.0.192.DyNa 2036 A 127.0.0.36");
    assert_eq!(
        world.ask("1.2.0.192.aLL.Bl.eXample.ORG. A"),
        "NOERROR aa; 1.2.0.192.aLL 2036 A 127.0.0.36, 1.2.0.192.aLL 2036 A 127.0.0.43"
    );
    let message = query("2.2.0.192.dYNa.bL.EXAMPLE.org. A");
    let reply = world.raw(Transport::Tcp, &message);
    assert_eq!(reply[12..message.len()], message[12..], "the question comes back as it was");
    assert!(text(&reply).starts_with("NXDOMAIN aa | dYNa 150 SOA"), "{}", text(&reply));
}

#[test]
fn replies_that_do_not_fit() {
    let mut wide = settings();
    for list in &mut wide.lists {
        list.text = format!("{{ip}} {}", "x".repeat(300));
    }
    let world = World::new(&wide, &[]);
    let texts = |options: &str| world.ask(&format!("2.0.0.127.all TXT {options}"));
    assert_eq!(texts(""), "NOERROR aa tc");
    assert_eq!(texts("+edns=512"), "NOERROR aa tc; edns 1232");
    assert_eq!(texts("+edns=100"), "NOERROR aa tc; edns 1232");
    assert_eq!(texts("+edns=4096").matches(" TXT ").count(), 4);
    assert_eq!(texts("+tcp").matches(" TXT ").count(), 4);
    assert!(texts("+edns=1100 +nsid").starts_with("NOERROR aa tc; edns 1232 nsid=mx1"));
    let exact = world.raw(Transport::Tcp, &query("2.0.0.127.all TXT +edns")).len();
    assert!(!texts(&format!("+edns={exact}")).contains(" tc"), "a reply may fill its limit");
    assert!(texts(&format!("+edns={}", exact - 1)).contains(" tc"));
}

#[test]
fn broken_messages() {
    let world = world();
    let good = query("1.2.0.192.dyna A +edns +rd");
    for length in 0..good.len() {
        let reply = world.raw(Transport::Udp { max: 1232 }, &good[..length]);
        if length < 12 { assert!(reply.is_empty()) } else { assert_eq!(text(&reply), "FORMERR rd", "{length}") }
    }
    let behind = [&good[..], &[0]].concat();
    assert_eq!(text(&world.raw(Transport::Tcp, &behind)), "FORMERR rd; edns 1232");
    let mut signed = query("1.2.0.192.dyna A");
    signed[11] = 1;
    signed.extend_from_slice(&[1, b'k', 0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 0]);
    assert_eq!(text(&world.raw(Transport::Tcp, &signed)), "NOTAUTH");
}

#[test]
fn what_was_done_is_counted() {
    let world = world();
    for question in [
        "1.2.0.192.all A",
        "1.2.0.192.dyna TXT",
        "2.2.0.192.all A",
        "0.192.all A",
        "all NS",
        "x. A",
        "x. A +qr",
        "@ A +v1",
    ] {
        world.ask(question);
    }
    let mut sums = Totals::default();
    sums.add(&world.counters);
    let outcomes = Outcome::ALL.map(|outcome| sums.outcome(outcome));
    assert_eq!((outcomes, sums.messages()), ([2, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 1, 0], 8));
    let names: Vec<_> = world.responder.zones().names().map(ToString::to_string).collect();
    let all = names.iter().position(|name| name == "all.bl.example.org").unwrap();
    assert_eq!([Outcome::Listed, Outcome::Unlisted, Outcome::NoData].map(|o| sums.zone(all, o)), [1, 1, 1]);
    assert_eq!([DYNA, NOPTR, AUTH].map(|list| sums.list(list)), [2, 0, 1]);
}

#[test]
fn the_origin_itself_can_be_a_zone_of_lists() {
    let mut at_origin = settings();
    at_origin.combined.push(dnsbl::serve::CombinedZone { name: "@".into(), lists: dnsbl::serve::Members::All });
    let world = World::new(&at_origin, &[("192.0.2.1", DYNA)]);
    assert_eq!(world.ask("1.2.0.192 A"), "NOERROR aa; 1.2.0.192 2036 A 127.0.0.36");
    assert!(world.ask("2.0.192 A").starts_with("NOERROR aa | @ "));
    assert!(world.ask("1.0.0.127 A").starts_with("NXDOMAIN aa | @ "));
    assert_eq!(world.ask("ns1.dns A"), "NOERROR aa; ns1.dns 3600 A 192.0.2.53");
}

#[test]
fn zones_stand_further_below_and_under_other_names() {
    let mut far = settings();
    for name in ["in.two.bl.example.org", "rbl.example.com"] {
        let lists = dnsbl::serve::Members::These(vec![DYNA, AUTH]);
        far.combined.push(dnsbl::serve::CombinedZone { name: name.into(), lists });
    }
    let world = World::new(&far, &[("192.0.2.1", DYNA), ("192.0.2.1", SPAM), ("2001:db8:0:1::/64", AUTH)]);
    let v6 = format!("{}.in.two", nibbles("2001:db8:0:1::5"));
    check(
        &world,
        &[
            ("1.2.0.192.in.two A", "NOERROR aa; 1.2.0.192.in.two 2036 A 127.0.0.36"),
            ("1.2.0.192.IN.two A", "NOERROR aa; 1.2.0.192.IN.two 2036 A 127.0.0.36"),
            ("2.2.0.192.in.two A", "NXDOMAIN aa | in.two 150 {soa}"),
            ("0.192.in.two A", "NOERROR aa | in.two 150 {soa}"),
            ("1.0.0.127.in.two A", "NXDOMAIN aa | in.two 150 {soa}"),
            (&format!("{v6} A"), &format!("NOERROR aa; {v6} 2036 A 127.0.0.43")),
            // Names between it and the origin, which has no such names else.
            ("two A", "NOERROR aa | @ 150 {soa}"),
            ("x.two A", "NXDOMAIN aa | @ 150 {soa}"),
            ("in A", "NXDOMAIN aa | @ 150 {soa}"),
            ("1.2.0.192.two A", "NXDOMAIN aa | @ 150 {soa}"),
            ("in.two DS", "NOERROR aa | @ 150 {soa}"),
            ("1.2.0.192.rbl.example.com. A", "NOERROR aa; 1.2.0.192.rbl.example.com. 2036 A 127.0.0.36"),
            ("2.0.0.127.rbl.example.com. AAAA", "NOERROR aa | rbl.example.com. 150 {soa}"),
            ("rbl.example.com. DS", "NOERROR aa | rbl.example.com. 150 {soa}"),
            ("example.com. A", "REFUSED"),
            ("xrbl.example.com. A", "REFUSED"),
        ],
    );
}

#[test]
fn a_change_is_in_the_next_answer() {
    let world = world();
    assert!(world.ask("200.2.0.192.auth A").starts_with("NXDOMAIN"));
    crate::common::list(&world.book, "192.0.2.200", AUTH);
    assert!(world.ask("200.2.0.192.auth A").starts_with("NOERROR aa; "));
    assert!(world.ask("auth SOA").contains(" 10 600 "));
}
