//! `kill -9` at any instant: no listing is lost, no line is skipped or counted twice, a guesser gets no fresh count.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratter_tests::dovecot::{Dovecot, PASSWORD, Setup};
use ratter_tests::lines::{self, Log};
use ratter_tests::place::Place;
use ratter_tests::policy::Attempt;
use ratter_tests::ratter::{Config, Node};
use ratter_tests::rules::address_guesses;
use ratter_tests::{time, wait};

const GUESSER: &str = "203.0.113.5";
const BOTNET: [&str; 2] = ["203.0.113.1", "203.0.113.2"];

#[test]
fn the_fifth_guess_still_blocks() {
    let mut node = Node::start(&Config::new());
    let dovecot = Dovecot::start(&Setup::asking(node.addresses().gate));
    dovecot.guess(GUESSER, "alice", 0, 4);
    wait::until_true("the store to hold the guesses", || node.why(GUESSER).events.len() >= 4);
    node.kill();
    node.start_again();
    assert!(node.all_listings().is_empty());
    dovecot.guess(GUESSER, "alice", 4, 1);
    node.wait_listed(GUESSER, "blocked");
    assert!(!dovecot.login(GUESSER, "alice", PASSWORD).ok);
}

#[test]
fn blocks_in_force_stay_as_they_are() {
    let mut node = Node::start(&Config::new());
    let dovecot = Dovecot::start(&Setup::asking(node.addresses().gate));
    assert!(dovecot.login("198.51.100.20", "alice", PASSWORD).ok);
    dovecot.guess(GUESSER, "bob", 0, 5);
    dovecot.guess(BOTNET[0], "alice", 0, 2);
    dovecot.guess(BOTNET[1], "alice", 2, 1);
    node.wait_listed(GUESSER, "blocked");
    node.wait_listed("login:alice", "blocked");
    node.cli(&["list", "192.0.2.0/24", "--on", "spam", "--for-ever", "--reason", "a test"]).with_code(0);
    let before = (node.all_listings(), node.quick_status().serial);
    assert_eq!(before.0.len(), 3, "{before:?}");

    for ending in [Node::kill, Node::stop] {
        ending(&mut node);
        node.start_again();
        assert_eq!(node.all_listings(), before.0);
        assert!(node.quick_status().serial >= before.1, "the serial never goes back");
        let mut gate = node.gate();
        assert_eq!(gate.login(&Attempt::new(GUESSER, "bob"), true), (false, 0));
        assert_eq!(gate.login(&Attempt::new("198.51.100.99", "alice"), true), (false, 60));
        assert_eq!(gate.login(&Attempt::new("198.51.100.20", "alice"), true), (true, 0), "the owner is still known");
    }
    assert!(!dovecot.login(GUESSER, "alice", PASSWORD).ok);
}

#[test]
fn a_block_that_a_gate_has_told_is_never_lost() {
    let mut node = Node::start(&Config::new());
    for round in 1..=8 {
        let address = format!("203.0.113.{round}");
        let mut gate = node.gate();
        for _ in 0..5 {
            gate.login(&Attempt::new(&address, "alice"), false);
        }
        assert_eq!(gate.login(&Attempt::new(&address, "bob"), true), (false, 0), "{address} is blocked");
        node.kill();
        node.start_again();
        assert_eq!(node.gate().login(&Attempt::new(&address, "bob"), true), (false, 0), "round {round}");
    }
    assert_eq!(node.listed("blocked").iter().filter(|subject| subject.starts_with("203.")).count(), 8);
}

#[test]
fn a_listing_that_a_person_made_is_never_lost() {
    let mut node = Node::start(&Config::new());
    for round in 1..=5 {
        let subject = format!("192.0.2.{round}");
        node.cli(&["list", &subject, "--on", "spam", "--for", "1h", "--reason", "a test"]).with_code(0);
        node.kill();
        node.start_again();
        assert_eq!(node.listings("spam").len(), round, "after {subject}");
    }
    node.cli(&["unlist", "192.0.2.1"]).with_code(0);
    node.kill();
    node.start_again();
    assert_eq!(node.listings("spam").len(), 4, "what a person took off stays off");
}

#[test]
fn an_attack_in_the_log_goes_on_while_the_node_is_away() {
    let place = Place::new("dovecot");
    let log = Dovecot::log_in(&place);
    let mut node = Node::start(&Config::new().follow(&log));
    let dovecot = Dovecot::start_in(place, &Setup::alone().auth_verbose());
    dovecot.guess(GUESSER, "alice", 0, 2);
    node.kill();
    dovecot.guess(GUESSER, "alice", 2, 2);
    node.start_again();
    dovecot.wait_logged("(auth failed", 2);
    node.wait_whole(&log);
    wait::until_true("the store to hold the guesses", || node.why(GUESSER).events.len() >= 4);
    assert!(node.all_listings().is_empty(), "four are not enough");
    node.kill();
    node.start_again();
    dovecot.guess(GUESSER, "alice", 4, 1);
    node.wait_listed(GUESSER, "blocked");
    dovecot.wait_logged("(auth failed", 3);
    node.wait_whole(&log);
}

#[test]
fn killed_in_the_first_moment_it_goes_on_where_it_began() {
    let place = Place::new("log");
    let mut log = Log::open(&place.join("mail.log"));
    log.line(&lines::failed_at_postfix(GUESSER, "alice"));
    let section = format!("[[sensor.file]]\npath = \"{}\"\nfrom = \"end\"", log.path().display());
    let mut node = Node::start(&Config::new().with(&section));
    for _ in 0..4 {
        log.line(&lines::failed_at_postfix(GUESSER, "alice"));
    }
    node.wait_lines(4);
    node.kill();
    log.line(&lines::failed_at_postfix(GUESSER, "alice"));
    node.start_again();
    node.wait_listed(GUESSER, "blocked");
}

/// A number that nobody foresees, for the moments of the kills: they are meant to differ from run to run.
fn any_below(limit: u64) -> u64 {
    let nanos = time::now().subsec_nanosecond().unsigned_abs();
    u64::from(nanos.wrapping_mul(2_654_435_761) >> 8) % limit
}

/// What was written to the log: the networks that must be blocked, those that must not, and how many lines tell of a
/// wrong password.
#[derive(Debug, Default)]
struct Truth {
    guilty: BTreeSet<String>,
    innocent: BTreeSet<String>,
    failures: u64,
}

/// Writes attacks until told to stop: in each batch twenty networks have five failures each and twenty have four, mixed
/// and with lines of no interest between. Nothing but its place tells one line from another of the same address.
fn write_attacks(log: &mut Log, stop: &AtomicBool) -> Truth {
    let mut truth = Truth::default();
    for batch in 0..0x1000 {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        for round in 0..5 {
            for host in 0..40 {
                let is_guilty = host % 2 == 0;
                let network = format!("3fff:{batch:x}:{host:x}");
                if round == 0 {
                    let set = if is_guilty { &mut truth.guilty } else { &mut truth.innocent };
                    set.insert(format!("{}/64", network_text(batch, host)));
                }
                if round == 4 && !is_guilty {
                    log.line(&lines::chatter(u64::from(batch)));
                    continue;
                }
                let line = lines::failed_at_postfix(&format!("{network}::{}", host + 1), &format!("u{batch}-{host}"));
                // Now and then a writer's buffer ends within a line, and a kill may come there.
                if host % 13 == 0 {
                    log.line_in_pieces(&line, 3, || std::thread::sleep(Duration::from_millis(3)));
                } else {
                    log.line(&line);
                }
                truth.failures += 1;
            }
            std::thread::sleep(Duration::from_millis(any_below(5)));
        }
    }
    truth
}

/// The base address of a network of [`write_attacks`] as everybody writes it: each is in a /48 of its own, since neighbours of
/// many guessers may fail less often.
fn network_text(batch: u32, host: u32) -> std::net::Ipv6Addr {
    std::net::Ipv6Addr::new(0x3fff, batch as u16, host as u16, 0, 0, 0, 0, 0)
}

fn check(node: &Node, log: &Path, truth: &Truth) {
    node.wait_whole(log);
    let blocked = node.listed("blocked");
    let twice: Vec<_> = blocked.intersection(&truth.innocent).collect();
    let skipped: Vec<_> = truth.guilty.difference(&blocked).collect();
    assert!(twice.is_empty(), "blocked after four failures, so one was counted twice: {twice:?}");
    assert!(skipped.is_empty(), "not blocked after five failures, so one was skipped: {skipped:?}");
    assert_eq!(blocked.len(), truth.guilty.len());
    assert_eq!(node.sensor().events, truth.failures, "events found in the lines");
}

#[test]
fn killed_at_any_moment_no_line_is_skipped_or_counted_twice() {
    let place = Place::new("log");
    let path = place.join("mail.log");
    let mut log = Log::open(&path);
    // The rule has time enough for the whole test, so that nothing depends on how fast the machine is.
    let mut node = Node::start(&Config::new().follow(&path).with(&address_guesses("1h", "1h")));
    let stop = AtomicBool::new(false);
    let truth = std::thread::scope(|scope| {
        let writer = scope.spawn(|| write_attacks(&mut log, &stop));
        // Also when an assertion fails here, the writer must end: the scope waits for it.
        let done = StopAtEnd(&stop);
        for _ in 0..10 {
            std::thread::sleep(Duration::from_millis(20 + any_below(400)));
            node.kill();
            std::thread::sleep(Duration::from_millis(any_below(50)));
            node.start_again();
        }
        drop(done);
        writer.join().expect("the writer ends")
    });
    assert!(truth.failures > 500, "the attack went on during the kills: {truth:?}");
    check(&node, &path, &truth);
    // What is known survives another kill and an orderly end, and is not read again.
    node.kill();
    node.start_again();
    check(&node, &path, &truth);
    node.stop();
    node.start_again();
    check(&node, &path, &truth);
}

struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
