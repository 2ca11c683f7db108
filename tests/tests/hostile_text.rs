//! Text that a guesser writes (user names, whole lines, whole requests) blocks nobody but him.

use std::collections::BTreeSet;

use ratter_tests::dovecot::{Dovecot, PASSWORD, Setup};
use ratter_tests::lines::{self, Log};
use ratter_tests::place::Place;
use ratter_tests::policy::{AUTHORIZATION, Attempt};
use ratter_tests::process::text_of;
use ratter_tests::ratter::{Config, Node};
use ratter_tests::wait;
use serde_json::json;

/// Whom the guesser would like to see blocked.
const VICTIM: &str = "198.51.100.9";

/// User names that look like parts of log lines. A name's last attempt comes from an address of its own.
const NAMES: [&str; 10] = [
    "a, rip=198.51.100.9, x",
    "x>, method=PLAIN, rip=198.51.100.9, lip=192.0.2.1, session=<zzz>",
    "x>, rip=198.51.100.9",
    "a,198.51.100.9,<S>): Password mismatch",
    "): unknown user passwd-file(alice,198.51.100.9,<S>): Password mismatch",
    "x\nNov 21 07:44:22 imap-login: Info: Disconnected: Connection closed (auth failed, 9 attempts in 1 secs): \
     user=<alice>, method=PLAIN, rip=198.51.100.9, lip=192.0.2.1, session=<y>\n",
    "(auth failed, 9999 attempts in 1 secs): user=<alice>, method=PLAIN, rip=198.51.100.9, lip=1.2.3.4",
    "Login: user=<alice>, method=PLAIN, rip=198.51.100.9, lip=192.0.2.1",
    "\u{202e}9.001.15.891=pir <\u{1b}[2J'\"; DROP TABLE listings; --",
    "%s%n${jndi:x}{address}$(reboot)`reboot`",
];

fn guessers() -> Vec<String> {
    (0..NAMES.len()).map(|number| format!("203.0.113.{}", number + 10)).collect()
}

/// Each name is tried five times from an address of its own, all at the same time.
fn guess_all(dovecot: &Dovecot) {
    std::thread::scope(|scope| {
        for (name, address) in NAMES.iter().zip(guessers()) {
            scope.spawn(move || dovecot.guess(&address, name, 0, 5));
        }
    });
}

fn nobody_but_the_guessers_is_blocked(node: &Node) {
    let listed: BTreeSet<String> = node.all_listings().into_iter().map(|listing| listing.subject).collect();
    assert_eq!(listed, guessers().into_iter().collect(), "the guessers and nobody else");
    let victim = node.why(VICTIM);
    assert!(victim.events.is_empty() && victim.listings.is_empty(), "{victim:?}");
    let alice = node.why("alice");
    assert!(alice.events.is_empty() && alice.known_addresses.is_empty(), "{alice:?}");
}

#[test]
fn user_names_as_a_dovecot_takes_them_by_default() {
    let place = Place::new("dovecot");
    let log = Dovecot::log_in(&place);
    let node = Node::start(&Config::new().follow(&log));
    let dovecot = Dovecot::start_in(place, &Setup::asking(node.addresses().gate).auth_verbose());
    guess_all(&dovecot);
    dovecot.wait_logged("imap-login: Info: Disconnected: Connection closed (auth failed", NAMES.len());
    node.wait_whole(&log);
    nobody_but_the_guessers_is_blocked(&node);
    assert!(dovecot.login(VICTIM, "alice", PASSWORD).ok);
}

#[test]
fn user_names_of_any_characters_in_the_log_alone() {
    for setup in [Setup::alone(), Setup::alone().auth_verbose()] {
        let place = Place::new("dovecot");
        let log = Dovecot::log_in(&place);
        let node = Node::start(&Config::new().follow(&log));
        let dovecot = Dovecot::start_in(place, &setup.clone().username_chars(""));
        guess_all(&dovecot);
        dovecot.wait_logged("imap-login: Info: Disconnected: Connection closed (auth failed", NAMES.len());
        node.wait_whole(&log);
        for address in guessers() {
            wait::until_true(&format!("{address} to be blocked ({setup:?})"), || {
                node.listing(&address, "blocked").is_some()
            });
        }
        nobody_but_the_guessers_is_blocked(&node);
    }
}

#[test]
fn user_names_of_any_characters_at_the_gate() {
    let node = Node::start(&Config::new());
    let dovecot = Dovecot::start(&Setup::asking(node.addresses().gate).username_chars(""));
    guess_all(&dovecot);
    for address in guessers() {
        node.wait_listed(&address, "blocked");
    }
    nobody_but_the_guessers_is_blocked(&node);
    // What people are shown obeys no terminal.
    for command in [&["list"][..], &["why", "203.0.113.18"], &["status"]] {
        let said = node.cli(command).with_code(0);
        assert!(!said.out.contains(['\u{1b}', '\u{202e}']), "{said:?}");
    }
}

#[test]
fn a_line_of_a_megabyte_blocks_nobody_and_stops_nothing() {
    let place = Place::new("log");
    let mut log = Log::open(&place.join("mail.log"));
    let node = Node::start(&Config::new().follow(log.path()));
    // The guesser's name for himself is a megabyte of lines that speak of somebody else.
    let lie = format!(
        "x>, method=PLAIN, rip={VICTIM}, lip=192.0.2.25, TLS, session=<y> {} ",
        lines::failed(VICTIM, "alice", 9)
    );
    let name = lie.repeat((1 << 20) / lie.len() + 1);
    let huge = lines::failed("203.0.113.4", &name, 1);
    for _ in 0..5 {
        log.line(&huge);
    }
    for _ in 0..5 {
        log.line(&lines::failed("203.0.113.5", "bob", 1));
    }
    node.wait_listed("203.0.113.5", "blocked");
    node.wait_whole(log.path());
    assert!(node.listing(VICTIM, "blocked").is_none(), "{:?}", node.all_listings());
    assert!(node.why(VICTIM).events.is_empty());

    // A line that is not ended yet, and comes in pieces with pauses, is one line.
    log.line_in_pieces(&huge, 7, || std::thread::sleep(std::time::Duration::from_millis(30)));
    // Bytes that are no text, and a line without anything.
    log.raw(b"\xff\xfe\x00\x80 rip=198.51.100.9 \xf0\x9f\n\n");
    for _ in 0..5 {
        log.line(&lines::failed("203.0.113.6", "bob", 1));
    }
    node.wait_listed("203.0.113.6", "blocked");
    assert!(node.why(VICTIM).events.is_empty());
    assert!(node.listing(VICTIM, "blocked").is_none(), "{:?}", node.all_listings());
    let lines = text_of(log.path()).split_inclusive('\n').count() as u64;
    assert_eq!(node.sensor().lines, lines);
}

#[test]
fn requests_of_any_kind_leave_the_gate_as_it_was() {
    let node = Node::start(&Config::new());
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let name = "n".repeat(1 << 20);
    let long_name = json!({ "login": name, "remote": VICTIM, "success": false, "policy_reject": false }).to_string();
    let head =
        |length: &str| format!("POST /?command=report HTTP/1.1\r\n{AUTHORIZATION}Content-Length: {length}\r\n\r\n");
    let report = |body: &str| format!("{}{body}", head(&body.len().to_string())).into_bytes();
    let requests: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"POST /?command=reset HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}".to_vec(),
        format!("POST /?command=allow HTTP/1.1\r\nX-Long: {name}\r\n\r\n").into_bytes(),
        head("99999999999999999999").into_bytes(),
        head("-1").into_bytes(),
        report(&deep),
        report(&long_name),
        report("{}"),
        report(""),
        report("{\"login\":\"alice\",\"remote\":\"198.51.100.9, 203.0.113.1\",\"success\":false}"),
        report("{\"login\":[\"alice\"],\"remote\":{\"a\":\"198.51.100.9\"},\"success\":\"no\"}"),
        report("{\"login\":\"alice\",\"remote\":\"198.51.100.9\",\"success\":false"),
    ];
    for request in &requests {
        for _ in 0..6 {
            let mut gate = node.gate();
            // The node may close the connection before it has read everything: that is an answer too.
            if gate.raw().send(request).is_ok() {
                gate.raw().finish();
            }
        }
    }
    // Passwords that are wrong, at the gate itself.
    for header in ["", "Authorization: Basic d3Jvbmc6d3Jvbmc=\r\n", "Authorization: \r\n", "X-API-Key: wrong\r\n"] {
        let body = json!({ "login": "alice", "remote": VICTIM, "success": false, "policy_reject": false }).to_string();
        let response = node.gate().raw().post("/?command=report", header, &body).expect("an answer");
        assert_ne!(response.status, 200, "`{header}` opens the gate");
    }
    let mut gate = node.gate();
    for _ in 0..5 {
        gate.login(&Attempt::new("203.0.113.5", "bob"), false);
    }
    assert_eq!(gate.login(&Attempt::new("203.0.113.5", "bob"), true), (false, 0), "the gate works as before");
    assert_eq!(gate.login(&Attempt::new(VICTIM, "alice"), true), (true, 0));
    let listed: Vec<_> = node.all_listings().into_iter().map(|listing| listing.subject).collect();
    assert_eq!(listed, ["203.0.113.5"]);
}
