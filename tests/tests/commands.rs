//! The command line as people and scripts use it: what it says, in which form, with which exit code.

use std::process::Command;

use console::api::{DayWouldHave, Happening, ListingView, WouldHave};
use ratter_tests::lines::{self, Log};
use ratter_tests::place::Place;
use ratter_tests::policy::Attempt;
use ratter_tests::process::{Process, run};
use ratter_tests::ratter::{Config, Node, binary};
use ratter_tests::time::seconds_between;
use ratter_tests::wait;
use serde_json::Value;

const GUESSER: &str = "203.0.113.5";
const REASON: [&str; 2] = ["--reason", "a test"];

#[test]
fn without_a_node_commands_fail_and_say_so() {
    let node = Node::prepare(&Config::new());
    let list = [&["list", GUESSER][..], &REASON].concat();
    for command in [&["status"][..], &["watch"], &["why", GUESSER], &["unlist", GUESSER], &list] {
        let said = node.cli(command).with_code(1);
        assert!(said.err.contains("no node answers") && said.out.is_empty(), "{command:?}: {said:?}");
    }
    let said = node.cli(&["check"]).with_code(0);
    assert!(said.err.is_empty(), "{said:?}");
}

#[test]
fn wrong_command_lines_end_with_2() {
    let node = Node::start(&Config::new());
    let cases: [&[&str]; 12] = [
        &["frobnicate"],
        &[],
        &["why"],
        &["why", "192.0.2.1/24"],
        &["why", "192.0.2.300"],
        &["why", "login:"],
        &["list", GUESSER],
        &["list", GUESSER, "--for", "5 parsecs", "--reason", "a test"],
        &["list", GUESSER, "--for", "1h", "--for-ever", "--reason", "a test"],
        &["list", GUESSER, "--on", "nosuch", "--reason", "a test"],
        &["unlist", GUESSER, "--on", "nosuch"],
        &["status", "--nosuch"],
    ];
    for case in cases {
        let said = node.cli(case).with_code(2);
        assert!(!said.err.is_empty() && said.out.is_empty(), "{case:?}: {said:?}");
    }
    let said = run(Command::new(binary()).args(["--config", "/nonexistent/ratter.toml", "check"])).with_code(2);
    assert!(said.err.contains("/nonexistent/ratter.toml"), "{said:?}");
    assert!(node.all_listings().is_empty());
}

#[test]
fn help_says_that_a_subject_wants_a_reason() {
    let said = run(Command::new(binary()).args(["list", "--help"])).with_code(0);
    assert!(said.out.contains("ratter list SUBJECT --reason TEXT [OPTIONS]"), "{said:?}");
}

#[test]
fn nothing_found_is_3() {
    let node = Node::start(&Config::new());
    for command in [&["why", GUESSER][..], &["why", "nobody"], &["unlist", GUESSER], &["unlist", "login:nobody"]] {
        node.cli(command).with_code(3);
        let said = node.cli(&[command, &["--json"]].concat()).with_code(3);
        assert!(said.out.is_empty() || serde_json::from_str::<Value>(&said.out).is_ok(), "{said:?}");
    }
}

#[test]
fn people_list_and_take_off() {
    let node = Node::start(&Config::new());
    let listing: ListingView = node.json(&["list", GUESSER, "--for", "90m", "--reason", "he \"guesses\""]);
    assert_eq!((listing.subject.as_str(), listing.list.as_str()), (GUESSER, "blocked"));
    assert_eq!(seconds_between(&listing.since, listing.until.as_deref().expect("an end")), 90 * 60);
    assert!(listing.maker.starts_with("person ") && listing.reason.contains("he \"guesses\""), "{listing:?}");
    assert_eq!(node.gate().login(&Attempt::new(GUESSER, "alice"), true), (false, 0));

    for (subject, shown) in [("login:Alice", "login:alice"), ("192.0.2.0/24", "192.0.2.0/24")] {
        let listing: ListingView = node.json(&["list", subject, "--for-ever", "--reason", "a test"]);
        assert_eq!((listing.subject.as_str(), listing.until), (shown, None));
    }
    let covered = node.why("192.0.2.77");
    assert_eq!(covered.listings.len(), 1, "a network's listing is about its addresses: {covered:?}");
    assert_eq!(node.gate().login(&Attempt::new("192.0.2.77", "bob"), true), (false, 0));

    let all: Vec<ListingView> = node.json(&["list"]);
    assert_eq!(all.len(), 3, "{all:?}");
    let gone: Vec<ListingView> = node.json(&["unlist", GUESSER]);
    assert_eq!(gone.iter().map(|listing| listing.subject.as_str()).collect::<Vec<_>>(), [GUESSER]);
    assert_eq!(node.gate().login(&Attempt::new(GUESSER, "bob"), true), (true, 0));
    node.cli(&["unlist", GUESSER]).with_code(3);
    let why = node.why(GUESSER);
    assert!(why.listings.is_empty() && why.history.len() == 2, "{why:?}");
}

#[test]
fn off_one_list_is_not_off_all() {
    let node = Node::start(&Config::new());
    for list in ["blocked", "auth", "spam"] {
        node.cli(&["list", GUESSER, "--on", list, "--for", "1h", "--reason", "a test"]).with_code(0);
    }
    node.cli(&["unlist", GUESSER, "--on", "auth"]).with_code(0);
    let left: Vec<_> = node.why(GUESSER).listings.into_iter().map(|listing| listing.list).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(!left.contains(&"auth".to_owned()));
    let gone: Vec<ListingView> = node.json(&["unlist", GUESSER]);
    assert_eq!(gone.len(), 2);
}

#[test]
fn why_tells_how_near_a_subject_is_to_each_rule() {
    let node = Node::start(&Config::new());
    let mut gate = node.gate();
    for login in ["alice", "bob", "alice"] {
        gate.login(&Attempt::new(GUESSER, login), false);
    }
    let why = node.why(GUESSER);
    let level = why.levels.iter().find(|level| level.rule == "address-guesses").expect("the rule looks at addresses");
    assert_eq!((level.count, level.limit), (3, 5), "{level:?}");
    let level = why.levels.iter().find(|level| level.rule == "many-logins").expect("the rule looks at addresses");
    assert_eq!((level.count, level.distinct, level.distinct_limit), (3, 2, 3), "{level:?}");
    let text = node.cli(&["why", GUESSER]).with_code(0).out;
    assert!(text.contains("not listed") && text.contains("address-guesses"), "{text}");
}

#[test]
fn watch_shows_what_happens() {
    let node = Node::start(&Config::new());
    let mut watch = node.start_command("watch", &["watch", "--json"]);
    let seen = |watch: &Process| -> Vec<Happening> {
        let text = watch.stdout();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).expect("a happening a line")).collect()
    };
    let mut gate = node.gate();
    // It sees what happens from when it is connected.
    wait::until_true("the watcher to be connected", || {
        watch.must_run();
        gate.login(&Attempt::new("198.51.100.20", "alice"), true);
        !seen(&watch).is_empty()
    });
    for _ in 0..5 {
        gate.login(&Attempt::new(GUESSER, "bob"), false);
    }
    wait::until_true("the listing to be shown", || {
        seen(&watch)
            .iter()
            .any(|happening| matches!(happening, Happening::Listed(listing) if listing.subject == GUESSER))
    });
    node.cli(&["unlist", GUESSER]).with_code(0);
    wait::until_true("its end to be shown", || {
        let is_end = |happening: &Happening| {
            matches!(happening, Happening::Unlisted { listing, cause }
                if listing.subject == GUESSER && cause.starts_with("removed by "))
        };
        seen(&watch).iter().any(is_end)
    });
    let failures = seen(&watch)
        .iter()
        .filter(|happening| matches!(happening, Happening::Event(event) if event.kind == "login-failed"))
        .count();
    assert_eq!(failures, 5);
}

#[test]
fn replay_changes_nothing_and_tells_what_would_be() {
    let place = Place::new("log");
    let mut log = Log::open(&place.join("old.log"));
    log.line(&lines::logged_in("198.51.100.20", "alice"));
    log.line(&lines::failed(GUESSER, "bob", 5));
    for address in ["203.0.113.1", "203.0.113.1", "203.0.113.2"] {
        log.line(&lines::failed(address, "alice", 1));
    }
    // The owner at home, the owner on a journey, and somebody who shares the guesser's address.
    let logins = [("198.51.100.20", "alice"), ("198.51.100.99", "alice"), (GUESSER, "carol"), (GUESSER, "carol")];
    for (address, login) in logins {
        log.line(&lines::logged_in(address, login));
    }
    let path = log.path().to_str().expect("an ASCII path");
    // A node that runs is left alone; none is needed.
    let node = Node::start(&Config::new());
    let would: WouldHave = node.json(&["replay", path]);
    assert_eq!((would.lines, would.failures, would.successes, would.users), (9, 4, 5, 2), "{would:#?}");
    let mut subjects: Vec<_> = would.by_subject.iter().map(|subject| subject.subject.as_str()).collect();
    subjects.sort_unstable();
    assert_eq!(subjects, [GUESSER, "login:alice"], "{would:#?}");
    let mut hurt: Vec<_> =
        would.hurt.iter().map(|user| (user.login.as_str(), user.address.as_str(), user.times)).collect();
    hurt.sort_unstable();
    assert_eq!(hurt, [("alice", "198.51.100.99", 1), ("carol", GUESSER, 2)], "each user once: {would:#?}");
    // The test may stand at midnight, with a day on each side.
    let sum = |of: fn(&DayWouldHave) -> u64| would.by_day.iter().map(of).sum::<u64>();
    assert_eq!(
        (sum(|day| day.failures), sum(|day| day.successes), sum(|day| day.listings), sum(|day| day.hurt)),
        (4, 5, 2, 3),
        "{would:#?}"
    );
    assert!(node.all_listings().is_empty());

    let text = node.cli(&["replay", path]).with_code(0).out;
    assert!(text.contains(GUESSER) && text.contains("login:alice") && text.contains("carol"), "{text}");
    let twice: WouldHave = node.json(&["replay", path, path]);
    assert_eq!(twice.lines, 18, "several files are one log");
    node.cli(&["replay", "/nonexistent.log"]).with_code(1);

    // What tells nothing is not said to be harmless.
    let cases = [
        (
            "2026-11-21 07:54:14 plain authenticator failed for (x) [203.0.113.5]: 535 (set_id=a)",
            "No line was understood",
            3,
        ),
        (&lines::failed(GUESSER, "bob", 5), "No successful login is in these logs", 0),
    ];
    for (line, said, code) in cases {
        let mut log = Log::open(&place.join("poor.log"));
        log.line(line);
        let text = node.cli(&["replay", log.path().to_str().expect("an ASCII path")]).with_code(code).out;
        assert!(text.contains(said), "{line}: {text}");
        std::fs::remove_file(log.path()).expect("it is there");
    }
}

/// The names of the fields are promised to scripts; this reads them as a script would.
#[test]
fn the_json_forms_have_the_promised_names() {
    let place = Place::new("log");
    let mut log = Log::open(&place.join("mail.log"));
    let node = Node::start(&Config::new().follow(log.path()));
    log.line(&lines::logged_in("198.51.100.20", "alice"));
    for address in ["203.0.113.1", "203.0.113.1", "203.0.113.2"] {
        log.line(&lines::failed(address, "alice", 1));
    }
    node.wait_listed("login:alice", "blocked");
    let why = wait::until("the events to be kept", || {
        let why: Value = node.cli(&["why", "alice", "--json"]).with_code(0).json();
        (why["events"].as_array().is_some_and(|events| events.len() == 4)).then_some(why)
    });
    let of_why = [
        "/subject",
        "/never-listed",
        "/listings/0/subject",
        "/listings/0/list",
        "/listings/0/since",
        "/listings/0/until",
        "/listings/0/maker",
        "/listings/0/reason",
        "/levels/0/rule",
        "/levels/0/count",
        "/levels/0/limit",
        "/levels/0/distinct",
        "/levels/0/distinct-limit",
        "/known-addresses/0/network",
        "/known-addresses/0/last",
        "/events/0/time",
        "/events/0/kind",
        "/events/0/service",
        "/events/0/address",
        "/events/0/login",
        "/events/0/channel",
        "/history/0/serial",
        "/history/0/at",
        "/history/0/change",
    ];
    let status: Value = node.json(&["status"]);
    let of_status = [
        "/node",
        "/version",
        "/started",
        "/serial",
        "/lists/0/name",
        "/lists/1/code",
        "/lists/0/listings",
        "/sensors/0/path",
        "/sensors/0/state",
        "/sensors/0/lines",
        "/sensors/0/events",
        "/gates/0/name",
        "/gates/0/listen",
        "/gates/0/asked",
        "/gates/0/reported",
        "/gates/0/malformed",
        "/dnsbl/origin",
        "/dnsbl/listen/0",
        "/dnsbl/queries",
        "/dnsbl/listed",
        "/engine/counted",
        "/engine/duplicates",
        "/engine/repeated",
        "/engine/listings",
        "/engine/paused-until",
        "/store/path",
        "/store/shed",
        "/store/failing",
        "/warnings",
    ];
    for (value, pointers) in [(&why, &of_why[..]), (&status, &of_status[..])] {
        for pointer in pointers {
            assert!(value.pointer(pointer).is_some(), "{pointer} is missing in {value:#}");
        }
    }
}
