//! A real Dovecot that asks nobody: all that Ratter knows stands in its log. Nobody refuses then; what would be refused
//! is seen in the listings, and at the gate that another mail server asks.

use std::collections::BTreeSet;

use ratter_tests::dovecot::{Dovecot, PASSWORD, Setup};
use ratter_tests::place::Place;
use ratter_tests::policy::Attempt;
use ratter_tests::ratter::{Config, Node};
use ratter_tests::rules::address_guesses;
use ratter_tests::time::{moment, now, seconds_between};
use ratter_tests::wait;

const OWNER: &str = "198.51.100.20";
const NEW: &str = "198.51.100.99";
const GUESSER: &str = "203.0.113.5";
const BOTNET: [&str; 2] = ["203.0.113.1", "203.0.113.2"];

/// A server that asks nobody, and a node that follows its log, which is not there yet when the node starts.
fn pair(setup: &Setup, config: Config) -> (Dovecot, Node) {
    let place = Place::new("dovecot");
    let node = Node::start(&config.follow(&Dovecot::log_in(&place)));
    (Dovecot::start_in(place, setup), node)
}

/// So many attempts were counted, and not one more; a line of `auth` may be held back for a moment.
fn counted(node: &Node, attempts: u64) {
    wait::until_true("the attempts to be counted", || node.quick_status().engine.counted >= attempts);
    let engine = node.quick_status().engine;
    assert_eq!(engine.counted, attempts, "{engine:?}");
}

fn both_rules_work_from_the_log(setup: &Setup) {
    let (dovecot, node) = pair(setup, Config::new());
    assert!(dovecot.login(OWNER, "alice", PASSWORD).ok);
    wait::until_true("the owner's address", || node.why("alice").known_addresses.iter().any(|k| k.network == OWNER));

    // One address guesses at one login: five attempts on one connection.
    dovecot.guess(GUESSER, "bob", 0, 5);
    let block = node.wait_listed(GUESSER, "blocked");
    assert_eq!(seconds_between(&block.since, block.until.as_deref().expect("a block ends")), 300);
    assert_eq!(block.maker, "rule address-guesses");

    // Two addresses guess at another.
    dovecot.guess(BOTNET[0], "alice", 0, 2);
    dovecot.guess(BOTNET[1], "alice", 2, 1);
    let attacked = node.wait_listed("login:alice", "blocked");
    assert_eq!(seconds_between(&attacked.since, attacked.until.as_deref().expect("a block ends")), 600);

    dovecot.wait_logged("(auth failed", 3);
    node.wait_whole(&dovecot.log());
    counted(&node, 8);

    // Whoever asks is told: the guesser is refused, a new address is held and refused, the owner gets in.
    let mut gate = node.gate();
    assert_eq!(gate.login(&Attempt::new(GUESSER, "bob"), true), (false, 0));
    assert_eq!(gate.login(&Attempt::new(NEW, "alice"), true), (false, 60));
    assert_eq!(gate.login(&Attempt::new(OWNER, "alice"), true), (true, 0));
    assert_eq!(gate.login(&Attempt::new(NEW, "bob"), true), (true, 0));

    // Hammering goes on in the log and extends nothing.
    for (number, address) in ["203.0.113.3", "203.0.113.4", BOTNET[0]].into_iter().enumerate() {
        dovecot.guess(address, "alice", 10 * (number as u32 + 1), 2);
    }
    dovecot.guess(GUESSER, "bob", 100, 2);
    dovecot.wait_logged("(auth failed", 7);
    node.wait_whole(&dovecot.log());
    assert_eq!(node.listing("login:alice", "blocked"), Some(attacked));
    assert_eq!(node.listing(GUESSER, "blocked"), Some(block));
    assert_eq!(node.listed("blocked"), BTreeSet::from(["login:alice".to_owned(), GUESSER.to_owned()]));
}

#[test]
fn with_the_lines_of_a_dovecot_as_it_is_installed() {
    both_rules_work_from_the_log(&Setup::alone());
}

#[test]
fn with_auth_verbose() {
    both_rules_work_from_the_log(&Setup::alone().auth_verbose());
}

#[test]
fn a_guess_counts_while_its_connection_is_open() {
    // With `auth_verbose` each wrong password has its line at once; a guesser who never hangs up is seen all the same.
    // The delay is Dovecot's own: lines that come faster may be told by a chain of password databases.
    let (dovecot, node) = pair(&Setup::alone().auth_verbose().failure_delay("2 secs"), Config::new());
    let mut client = ratter_tests::imap::Client::connect(dovecot.imap(), GUESSER);
    for guess in 0..5 {
        assert!(!client.login("bob", &format!("guess-{guess}")).ok);
    }
    let block = node.wait_listed(GUESSER, "blocked");
    drop(client);
    dovecot.wait_logged("(auth failed, 5 attempts", 1);
    node.wait_whole(&dovecot.log());
    counted(&node, 5);
    assert_eq!(node.listing(GUESSER, "blocked"), Some(block));
}

#[test]
fn lines_without_a_session_count_once_each() {
    // An admin may leave the session out of the lines of the login processes: each line is then an attempt of its own.
    // With `auth_verbose` on top they cannot be joined to those of `auth`, as docs/logs.md says.
    let (dovecot, node) = pair(&Setup::alone().log_elements("user=<%u> method=%m rip=%r lip=%l %c"), Config::new());
    for guess in 0..4 {
        dovecot.guess(GUESSER, "bob", guess, 1);
    }
    dovecot.wait_logged("(auth failed", 4);
    node.wait_whole(&dovecot.log());
    wait::until_true("four attempts to be counted", || node.quick_status().engine.counted >= 4);
    assert!(node.all_listings().is_empty(), "four are not enough");
    dovecot.guess(GUESSER, "bob", 4, 1);
    node.wait_listed(GUESSER, "blocked");
}

#[test]
fn a_block_from_the_log_ends_by_itself() {
    let (dovecot, node) = pair(&Setup::alone(), Config::new().with(&address_guesses("1m", "6s")));
    dovecot.guess(GUESSER, "bob", 0, 5);
    let block = node.wait_listed(GUESSER, "blocked");
    wait::until_true("the end of the block", || node.all_listings().is_empty());
    assert!(now() >= moment(block.until.as_deref().expect("a block ends")));
    assert_eq!(node.gate().login(&Attempt::new(GUESSER, "bob"), true), (true, 0));
}

#[test]
fn logins_that_succeed_count_for_nobody() {
    let (dovecot, node) = pair(&Setup::alone().auth_verbose(), Config::new());
    for user in ratter_tests::dovecot::USERS {
        assert!(dovecot.login(GUESSER, user, PASSWORD).ok);
    }
    dovecot.wait_logged("Login: user=", 6);
    node.wait_whole(&dovecot.log());
    assert_eq!(node.quick_status().engine.counted, 0);
    assert!(node.all_listings().is_empty());
}
