//! One address guesses passwords at a real Dovecot that asks Ratter: it is shut out, nobody else is, and not for longer
//! than the rule says.

use ratter_tests::dovecot::{Dovecot, PASSWORD, Setup};
use ratter_tests::ratter::{Config, Node};
use ratter_tests::rules::address_guesses;
use ratter_tests::time::{moment, now, seconds_between};
use ratter_tests::{pop3, wait};

const GUESSER: &str = "203.0.113.5";
const OTHERS: [&str; 3] = ["203.0.113.6", "198.51.100.7", "2001:db8::7"];

#[test]
fn five_wrong_passwords_shut_the_address_out() {
    let node = Node::start(&Config::new());
    let dovecot = Dovecot::start(&Setup::asking(node.addresses().gate));
    dovecot.guess(GUESSER, "alice", 0, 4);
    assert!(node.all_listings().is_empty(), "four are not enough");
    let wrong = dovecot.login(GUESSER, "alice", "guess-4");

    let block = node.wait_listed(GUESSER, "blocked");
    assert_eq!(seconds_between(&block.since, block.until.as_deref().expect("a block ends")), 300);
    assert_eq!(block.maker, "rule address-guesses");

    for user in ["alice", "bob"] {
        let refused = dovecot.login(GUESSER, user, PASSWORD);
        assert!(!refused.ok, "{user}: {refused:?}");
        assert_eq!(refused.text, wrong.text, "a guesser must not learn that he is blocked");
    }
    for address in OTHERS {
        let reply = dovecot.login(address, "alice", PASSWORD);
        assert!(reply.ok, "{address}: {reply:?}");
    }
    let after = node.wait_listed(GUESSER, "blocked");
    assert_eq!((after.since, after.until), (block.since, block.until), "attempts during a block do not extend it");
    let why = node.why(GUESSER);
    assert_eq!(why.listings.len(), 1, "{why:?}");
    assert!(why.events.iter().filter(|event| event.kind == "login-failed").count() >= 5, "{why:?}");
    assert_eq!(dovecot.complaints(), Vec::<String>::new());
}

#[test]
fn after_the_end_of_its_block_the_address_logs_in_again() {
    let node = Node::start(&Config::new().with(&address_guesses("1m", "6s")));
    let dovecot = Dovecot::start(&Setup::asking(node.addresses().gate));
    dovecot.guess(GUESSER, "alice", 0, 5);
    let block = node.wait_listed(GUESSER, "blocked");
    let until = moment(block.until.as_deref().expect("a block ends"));

    wait::until_true("the address to be let in", || dovecot.login(GUESSER, "alice", PASSWORD).ok);
    assert!(now() >= until, "it was let in before {until}");
    wait::until_true("the listing to go", || node.all_listings().is_empty());
    let changes = node.why(GUESSER).history;
    assert_eq!(changes.len(), 2, "listed once, ended once: {changes:?}");
}

#[test]
fn guesses_by_imap_and_pop3_count_together() {
    let node = Node::start(&Config::new());
    let dovecot = Dovecot::start(&Setup::asking(node.addresses().gate));
    dovecot.guess(GUESSER, "alice", 0, 3);
    for guess in ["pop-1", "pop-2"] {
        assert!(!pop3::login(dovecot.pop3(), GUESSER, "alice", guess));
    }
    node.wait_listed(GUESSER, "blocked");
    assert!(!pop3::login(dovecot.pop3(), GUESSER, "bob", PASSWORD), "a block holds at every service");
    assert!(pop3::login(dovecot.pop3(), OTHERS[0], "bob", PASSWORD));
}

#[test]
fn a_stale_phone_is_no_guesser() {
    let node = Node::start(&Config::new());
    let dovecot = Dovecot::start(&Setup::asking(node.addresses().gate));
    for _ in 0..7 {
        assert!(!dovecot.login(GUESSER, "alice", "last-year's").ok);
    }
    wait::until_true("all reports", || node.quick_status().engine.repeated == 6);
    assert_eq!(node.quick_status().engine.counted, 1);
    assert!(node.all_listings().is_empty());
}

#[test]
fn every_attempt_counts_if_the_admin_says_so() {
    let node = Node::start(&Config::new().with("[login]\nprofile = \"text\""));
    let dovecot = Dovecot::start(&Setup::asking(node.addresses().gate));
    for _ in 0..5 {
        assert!(!dovecot.login(GUESSER, "alice", "last-year's").ok);
    }
    node.wait_listed(GUESSER, "blocked");
}

#[test]
fn what_is_told_twice_counts_once() {
    // The gate is told of each attempt, and the log says the same again, in two kinds of lines.
    let place = ratter_tests::place::Place::new("dovecot");
    let log = Dovecot::log_in(&place);
    let node = Node::start(&Config::new().follow(&log));
    let dovecot = Dovecot::start_in(place, &Setup::asking(node.addresses().gate).auth_verbose());
    dovecot.guess(GUESSER, "alice", 0, 4);
    assert!(dovecot.login(OTHERS[0], "bob", PASSWORD).ok);
    dovecot.wait_logged("auth failed, 4 attempts", 1);
    dovecot.wait_logged("Login: user=<bob>", 1);
    node.wait_whole(&log);
    wait::until_true("the reports", || node.quick_status().gates[0].reported >= 5);
    assert_eq!(node.quick_status().engine.counted, 4, "{:?}", node.quick_status().engine);
    assert!(node.all_listings().is_empty(), "four guesses are not enough");

    assert!(!dovecot.login(GUESSER, "alice", "guess-4").ok);
    node.wait_listed(GUESSER, "blocked");
}
