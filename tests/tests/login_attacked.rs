//! Several addresses guess the password of one login at a real Dovecot that asks Ratter: every attempt on it is held and
//! refused, but its owner gets in.

use std::time::Duration;

use ratter_tests::dovecot::{Dovecot, PASSWORD, Setup};
use ratter_tests::policy::{Attempt, End};
use ratter_tests::ratter::{Config, Node};
use ratter_tests::rules::login_attacked;
use ratter_tests::time::{Timestamp, moment, now, seconds_between};
use ratter_tests::wait;

const OWNER: &str = "198.51.100.20";
const NEW: &str = "198.51.100.99";
const GUESSERS: [&str; 2] = ["203.0.113.1", "203.0.113.2"];
const SUBJECT: &str = "login:alice";

/// Three wrong passwords from two addresses.
fn attack(dovecot: &Dovecot) {
    dovecot.guess(GUESSERS[0], "alice", 0, 2);
    dovecot.guess(GUESSERS[1], "alice", 2, 1);
}

#[test]
fn a_right_password_from_a_new_address_is_held_and_refused() {
    let tarpit = Duration::from_secs(4);
    let node = Node::start(&Config::new().with(&login_attacked("10m", "4s")));
    let dovecot = Dovecot::start(&Setup::asking(node.addresses().gate));
    let known = dovecot.login(OWNER, "alice", PASSWORD);
    assert!(known.ok, "{known:?}");
    attack(&dovecot);
    let block = node.wait_listed(SUBJECT, "blocked");
    assert_eq!(block.maker, "rule login-attacked");

    let held = dovecot.login(NEW, "alice", PASSWORD);
    assert!(!held.ok, "the right password from a new address: {held:?}");
    assert!(held.took >= tarpit, "it was held for {:?} only", held.took);
    let wrong = dovecot.login("198.51.100.98", "alice", "wrong");
    assert_eq!(held.text, wrong.text, "a guesser must not learn that the password was right");

    let owner = dovecot.login(OWNER, "alice", PASSWORD);
    assert!(owner.ok && owner.took < tarpit, "the owner gets in at once: {owner:?}");
    let other = dovecot.login(NEW, "bob", PASSWORD);
    assert!(other.ok && other.took < tarpit, "nobody else is held: {other:?}");
    assert_eq!(dovecot.complaints(), Vec::<String>::new());
}

#[test]
fn hammering_extends_nothing() {
    let node = Node::start(&Config::new().with(&login_attacked("12s", "1s")));
    let dovecot = Dovecot::start(&Setup::asking(node.addresses().gate));
    attack(&dovecot);
    let block = node.wait_listed(SUBJECT, "blocked");
    let until = moment(block.until.as_deref().expect("a block ends"));
    assert_eq!(seconds_between(&block.since, block.until.as_deref().expect("a block ends")), 12);

    // Ten botnet addresses go on until after the end, each with wrong passwords of its own.
    std::thread::scope(|scope| {
        for number in 0..10u32 {
            let dovecot = &dovecot;
            scope.spawn(move || {
                let address = format!("203.0.113.{}", 100 + number);
                let mut guess = 1_000 * (number + 1);
                while now() < until {
                    let reply = dovecot.login(&address, "alice", &format!("guess-{guess}"));
                    assert!(!reply.ok, "{reply:?}");
                    guess += 1;
                }
            });
        }
        while let Some(still) = node.listing(SUBJECT, "blocked") {
            if moment(&still.since) >= until {
                break;
            }
            assert_eq!((&still.since, &still.until), (&block.since, &block.until), "it was extended");
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(now() >= until, "the block went before its end");
    });
    let first = node.why(SUBJECT).history.into_iter().rev().take(2).collect::<Vec<_>>();
    assert_eq!(first.len(), 2, "listed, and ended: {first:?}");
    assert!(moment(&first[1].at) >= until, "{first:?}");
}

#[test]
fn after_the_end_of_the_block_everybody_may_try_again() {
    let node = Node::start(&Config::new().with(&login_attacked("6s", "1s")));
    let dovecot = Dovecot::start(&Setup::asking(node.addresses().gate));
    attack(&dovecot);
    let block = node.wait_listed(SUBJECT, "blocked");
    let until = moment(block.until.as_deref().expect("a block ends"));
    // An attempt that straddles the end is let in, held or not; so nothing is said about how long the last one took.
    wait::until_true("the new address to be let in", || dovecot.login(NEW, "alice", PASSWORD).ok);
    assert!(now() >= until, "it was let in before {until}");
    wait::until_true("the listing to go", || node.all_listings().is_empty());
}

#[test]
fn the_shipped_rule_holds_for_a_minute_and_blocks_for_ten() {
    let node = Node::start(&Config::new());
    let mut gate = node.gate();
    assert_eq!(gate.login(&Attempt::new(OWNER, "alice"), true), (true, 0));
    for address in [GUESSERS[0], GUESSERS[0], GUESSERS[1]] {
        assert_eq!(gate.login(&Attempt::new(address, "Alice"), false), (false, 0));
    }
    let block = node.wait_listed(SUBJECT, "blocked");
    assert_eq!(seconds_between(&block.since, block.until.as_deref().expect("a block ends")), 600);

    let attempt = Attempt::new(NEW, "alice");
    assert_eq!(gate.before(&attempt), 60);
    assert!(gate.after(&attempt) < 0);
    gate.report(&attempt, End::Refused);
    assert_eq!(gate.login(&Attempt::new(OWNER, "alice"), true), (true, 0));
    assert_eq!(node.listing(SUBJECT, "blocked"), Some(block));
    let why = node.why("alice");
    assert_eq!(why.known_addresses.iter().map(|known| known.network.as_str()).collect::<Vec<_>>(), [OWNER]);
}

/// The whole course of an attack at a real Dovecot: a short one, and with `RATTER_SOAK=1` the shipped rule, a minute's
/// tarpit and a block of ten.
#[test]
fn a_tarpit_holds_to_its_end_and_a_block_ends_by_itself() {
    let is_soak = std::env::var_os("RATTER_SOAK").is_some();
    let (tarpit, block, config) =
        if is_soak { (60, 600, Config::new()) } else { (3, 12, Config::new().with(&login_attacked("12s", "3s"))) };
    let node = Node::start(&config);
    let dovecot = Dovecot::start(&Setup::asking(node.addresses().gate));
    attack(&dovecot);
    let listed = node.wait_listed(SUBJECT, "blocked");
    let until = listed.until.as_deref().expect("a block ends");
    assert_eq!(seconds_between(&listed.since, until), block);

    let reported = || node.quick_status().gates.iter().map(|gate| gate.reported).sum::<u64>();
    let before = reported();
    let held = dovecot.login(NEW, "alice", PASSWORD);
    assert!(!held.ok && held.text.contains("AUTHENTICATIONFAILED"), "{held:?}");
    assert!(held.took >= Duration::from_secs(tarpit), "it was held for {:?} only", held.took);
    wait::until_true("the refusal to be reported", || reported() > before);
    assert_eq!(node.listing(SUBJECT, "blocked"), Some(listed.clone()), "an attempt extends nothing");

    let end = moment(until);
    let patience = Duration::from_secs(block.unsigned_abs() + 60);
    // Attempts that begin before the end are held and refused, however short before.
    wait::within(patience, "the new address to be let in", || dovecot.login(NEW, "alice", PASSWORD).ok.then_some(()));
    assert!(now() >= end, "it was let in before {until}");
    assert_eq!(dovecot.complaints(), Vec::<String>::new());
    println!("held for {:.2?} of {tarpit} s; let in {} after the end of {block} s", held.took, seconds_after(end));
}

fn seconds_after(end: Timestamp) -> String {
    format!("{:.2} s", now().duration_since(end).as_secs_f64())
}

#[test]
fn one_home_is_one_address() {
    // Privacy addresses of one /64 are one guesser: the login is not attacked from several.
    let node = Node::start(&Config::new());
    let mut gate = node.gate();
    for host in 1..=4 {
        let attempt = Attempt::new(&format!("2001:db8:1:2::{host}"), "alice");
        assert_eq!(gate.login(&attempt, false), (false, 0));
    }
    assert!(node.all_listings().is_empty());
    // The fifth shuts the whole /64 out.
    gate.login(&Attempt::new("2001:db8:1:2::5", "alice"), false);
    assert!(gate.before(&Attempt::new("2001:db8:1:2:ffff::6", "bob")) < 0);
    assert_eq!(gate.before(&Attempt::new("2001:db8:1:3::6", "bob")), 0);
}

#[test]
fn the_owner_is_held_too_if_the_admin_says_so() {
    let node = Node::start(&Config::new().with("[login]\nknown-addresses = \"off\""));
    let mut gate = node.gate();
    assert_eq!(gate.login(&Attempt::new(OWNER, "alice"), true), (true, 0));
    for address in [GUESSERS[0], GUESSERS[0], GUESSERS[1]] {
        gate.login(&Attempt::new(address, "alice"), false);
    }
    assert_eq!(gate.login(&Attempt::new(OWNER, "alice"), true), (false, 60));
}
