//! What the world sees: a guesser beyond doubt is published, by a real `dig`, until somebody takes him off.

use ratter_tests::dns::{Answer, entry};
use ratter_tests::dovecot::{Dovecot, PASSWORD, Setup, USERS};
use ratter_tests::policy::Attempt;
use ratter_tests::ratter::{Config, Node, ORIGIN};
use ratter_tests::time::seconds_between;

const GUESSER: &str = "203.0.113.5";
const WEEK_S: i64 = 7 * 24 * 3600;

fn is_absent(answer: &Answer) -> bool {
    let has_soa = answer.authority.iter().any(|record| record.kind == "SOA");
    answer.status == "NXDOMAIN" && answer.answer.is_empty() && has_soa
}

#[test]
fn a_guesser_at_several_logins_is_published_until_he_is_taken_off() {
    let node = Node::start(&Config::new());
    let dovecot = Dovecot::start(&Setup::asking(node.addresses().gate));
    let dig = node.dig();
    let names = ["auth", "all"].map(|list| entry(GUESSER, list, ORIGIN));
    for name in &names {
        assert!(is_absent(&dig.ask(name, "A")), "{name} before the attack: {:?}", dig.ask(name, "A"));
    }

    for (number, user) in USERS.iter().take(5).enumerate() {
        dovecot.guess(GUESSER, user, number as u32, 1);
    }
    let listing = node.wait_listed(GUESSER, "auth");
    assert_eq!(seconds_between(&listing.since, listing.until.as_deref().expect("a listing ends")), WEEK_S);
    assert_eq!(listing.maker, "rule many-logins");

    for name in &names {
        assert_eq!(dig.addresses(name), ["127.0.0.43"], "{name}");
        let answer = dig.ask_with(name, "TXT", &["+tcp"]);
        let [text] = &answer.answer[..] else { panic!("one text at {name}: {answer:?}") };
        assert!(text.data.contains(GUESSER) && text.data.contains("http"), "reason and look-up: {text:?}");
        assert!(answer.flags.contains(&"aa".to_owned()), "{answer:?}");
    }
    let neighbour = entry("203.0.113.4", "auth", ORIGIN);
    assert!(is_absent(&dig.ask(&neighbour, "A")));
    for list in ["dyna", "noptr", "spam"] {
        assert!(is_absent(&dig.ask(&entry(GUESSER, list, ORIGIN), "A")), "he is on `auth` alone");
    }
    let local = dig.ask(&entry(GUESSER, "blocked", ORIGIN), "A");
    assert!(local.answer.is_empty(), "blocks are not published: {local:?}");

    node.cli(&["unlist", GUESSER]).with_code(0);
    for name in &names {
        assert!(is_absent(&dig.ask(name, "A")), "{name} after `unlist`: {:?}", dig.ask(name, "A"));
        assert!(is_absent(&dig.ask(name, "TXT")));
    }
    assert!(dovecot.login(GUESSER, "frank", PASSWORD).ok, "he is off the local list too");
}

#[test]
fn an_ipv6_guesser_is_published_with_his_network() {
    let node = Node::start(&Config::new());
    let dovecot = Dovecot::start(&Setup::asking(node.addresses().gate));
    for (number, user) in USERS.iter().take(5).enumerate() {
        dovecot.guess(&format!("2001:db8:1:2::{}", number + 1), user, number as u32, 1);
    }
    let listing = node.wait_listed("2001:db8:1:2::/64", "auth");
    let dig = node.dig();
    for address in ["2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"] {
        for list in ["auth", "all"] {
            let name = entry(address, list, ORIGIN);
            assert_eq!(dig.addresses(&name), ["127.0.0.43"], "{name}");
            assert_eq!(dig.ask(&name, "TXT").answer.len(), 1, "{name}");
        }
    }
    assert!(is_absent(&dig.ask(&entry("2001:db8:1:3::1", "auth", ORIGIN), "A")));
    node.cli(&["unlist", &listing.subject]).with_code(0);
    assert!(is_absent(&dig.ask(&entry("2001:db8:1:2::1", "auth", ORIGIN), "A")));
}

#[test]
fn the_owner_who_forgot_the_password_is_not_published() {
    let node = Node::start(&Config::new());
    let mut gate = node.gate();
    let home = "198.51.100.20";
    assert_eq!(gate.login(&Attempt::new(home, "alice"), true), (true, 0));
    // The family tries all its logins again and again, more than even a known address may.
    for login in ["alice", "bob", "carol", "dave", "erin", "frank"].into_iter().cycle().take(60) {
        gate.login(&Attempt::new(home, login), false);
    }
    node.wait_listed(home, "blocked");
    assert!(node.listings("auth").is_empty(), "a known address is blocked here, but not told to the world");
}

#[test]
fn test_entries_say_that_the_list_works() {
    let node = Node::start(&Config::new());
    let dig = node.dig();
    let codes = [("dyna", "127.0.0.36"), ("noptr", "127.0.0.37"), ("spam", "127.0.0.38"), ("auth", "127.0.0.43")];
    for (list, code) in codes {
        for address in ["127.0.0.2", "::ffff:127.0.0.2", code] {
            let name = entry(address, list, ORIGIN);
            assert!(dig.addresses(&name).contains(&code.to_owned()), "{name}: {:?}", dig.ask(&name, "A"));
        }
        for address in ["127.0.0.1", "::ffff:127.0.0.1"] {
            let name = entry(address, list, ORIGIN);
            assert!(dig.addresses(&name).is_empty(), "{name}: {:?}", dig.ask(&name, "A"));
        }
        let own = dig.addresses(&entry(code, "all", ORIGIN));
        assert!(own.contains(&code.to_owned()), "{code} in `all`: {own:?}");
    }
    assert!(!dig.addresses(&entry("127.0.0.2", "all", ORIGIN)).is_empty());
    assert!(dig.addresses(&entry("127.0.0.1", "all", ORIGIN)).is_empty());
}

#[test]
fn the_zone_tells_its_serial_and_servers() {
    let node = Node::start(&Config::new());
    let dig = node.dig();
    let serial_of = |zone: &str| -> u64 {
        let answer = dig.ask(zone, "SOA");
        let [soa] = &answer.answer[..] else { panic!("one SOA at {zone}: {answer:?}") };
        soa.data.split_whitespace().nth(2).and_then(|serial| serial.parse().ok()).expect("an SOA has a serial")
    };
    let zone = format!("auth.{ORIGIN}");
    node.cli(&["list", "192.0.2.76", "--on", "auth", "--for", "1h", "--reason", "a test"]).with_code(0);
    let before = serial_of(&zone);
    node.cli(&["list", "192.0.2.77", "--on", "auth", "--for", "1h", "--reason", "a test"]).with_code(0);
    assert!(serial_of(&zone) > before, "a change has a new serial");
    assert_eq!(serial_of(&zone), node.quick_status().serial, "the serial of the zone is the journal's");
    assert!(!dig.ask(&zone, "NS").answer.is_empty());
    assert_eq!(dig.addresses(&entry("192.0.2.77", "auth", ORIGIN)), ["127.0.0.43"]);
}

#[test]
fn udp_and_tcp_answer_alike() {
    // So many questions at once would use up what a client that may be forged is sent beyond its questions.
    let node = Node::start(&Config::new().with("[dnsbl.access]\nfree = [\"127.0.0.0/8\"]\n"));
    node.cli(&["list", "192.0.2.0/28", "--on", "spam", "--for", "1h", "--reason", "a test"]).with_code(0);
    let dig = node.dig();
    let names = ["192.0.2.7", "192.0.2.16", "127.0.0.2"].map(|address| entry(address, "spam", ORIGIN));
    for name in names.iter().map(String::as_str).chain([ORIGIN, "spam.bl.example.org", "2.0.192.spam.bl.example.org"]) {
        for kind in ["A", "AAAA", "TXT", "SOA", "NS", "MX"] {
            let udp = dig.ask_with(name, kind, &["+notcp"]);
            for options in [&["+tcp"][..], &["+noedns"], &["+noedns", "+tcp"], &["+dnssec"]] {
                assert_eq!(dig.ask_with(name, kind, options), udp, "{name} {kind} {options:?}");
            }
        }
    }
    assert_eq!(dig.ask("www.example.com", "A").status, "REFUSED", "no open resolver");
}
