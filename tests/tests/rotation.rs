//! Log files live: they are renamed, copied and emptied, missing, and written while nobody reads. Every line is read
//! once.

use ratter_tests::dovecot::{Dovecot, Setup};
use ratter_tests::lines::{self, Log};
use ratter_tests::place::Place;
use ratter_tests::ratter::{Config, Node};
use ratter_tests::wait;

const GUESSER: &str = "203.0.113.5";

/// Lines that name no session, so that one that is read twice counts twice.
fn guesses(log: &mut Log, count: u32) {
    for _ in 0..count {
        log.line(&lines::failed_at_postfix(GUESSER, "alice"));
    }
}

fn pair() -> (Place, Log, Node) {
    let place = Place::new("log");
    let log = Log::open(&place.join("mail.log"));
    let node = Node::start(&Config::new().follow(log.path()));
    (place, log, node)
}

/// Nobody is blocked after four guesses, and the fifth blocks: each was counted once.
fn fifth_blocks(node: &Node, log: &mut Log) {
    node.wait_lines(log.lines());
    assert_eq!(node.sensor().lines, log.lines(), "each line once");
    assert!(node.all_listings().is_empty(), "four are not enough");
    guesses(log, 1);
    node.wait_listed(GUESSER, "blocked");
    wait::until_true("five events", || node.sensor().events >= 5);
    assert_eq!(node.sensor().events, 5);
}

/// Waits until the guesses are in the store, and with them how far the file was read.
fn wait_kept(node: &Node, guesses: usize) {
    wait::until_true("the store to hold the guesses", || node.why(GUESSER).events.len() >= guesses);
}

#[test]
fn renamed_and_made_anew() {
    let (_place, mut log, node) = pair();
    guesses(&mut log, 2);
    log.rotate();
    guesses(&mut log, 2);
    fifth_blocks(&node, &mut log);
}

#[test]
fn the_writer_goes_on_with_the_old_file_for_a_while() {
    let (place, mut log, node) = pair();
    guesses(&mut log, 1);
    node.wait_lines(1);
    log.rename(&place.join("mail.log.1"));
    guesses(&mut log, 2);
    log.reopen();
    guesses(&mut log, 1);
    fifth_blocks(&node, &mut log);
}

#[test]
fn copied_and_emptied() {
    let (place, mut log, node) = pair();
    guesses(&mut log, 2);
    node.wait_lines(2);
    log.copy_and_truncate(&place.join("mail.log.1"));
    guesses(&mut log, 2);
    fifth_blocks(&node, &mut log);
}

#[test]
fn copied_and_emptied_while_nobody_reads() {
    let (place, mut log, mut node) = pair();
    guesses(&mut log, 1);
    node.wait_lines(1);
    node.stop();
    log.copy_and_truncate(&place.join("mail.log.1"));
    // The file is longer than before when it is looked at again: only its contents tell.
    guesses(&mut log, 3);
    node.start_again();
    fifth_blocks(&node, &mut log);
}

#[test]
fn renamed_while_nobody_reads() {
    let (_place, mut log, mut node) = pair();
    guesses(&mut log, 2);
    wait_kept(&node, 2);
    node.kill();
    // Written, not read, and then under another name.
    guesses(&mut log, 1);
    log.rotate();
    guesses(&mut log, 1);
    node.start_again();
    fifth_blocks(&node, &mut log);
}

#[test]
fn rotated_again_and_again_under_load() {
    let (_place, mut log, node) = pair();
    for _ in 0..20 {
        for number in 0..200 {
            log.line(&lines::chatter(number));
        }
        log.rotate();
    }
    guesses(&mut log, 4);
    fifth_blocks(&node, &mut log);
}

#[test]
fn removed_and_back_later() {
    let (_place, mut log, node) = pair();
    guesses(&mut log, 2);
    node.wait_lines(2);
    std::fs::remove_file(log.path()).expect("it is there");
    wait::until_true("the missing file to be told", || node.sensor().state != "reading");
    log.reopen();
    guesses(&mut log, 2);
    fifth_blocks(&node, &mut log);
}

#[test]
fn missing_at_the_start() {
    let place = Place::new("log");
    let path = place.join("mail.log");
    let node = Node::start(&Config::new().follow(&path));
    assert_ne!(node.sensor().state, "reading");
    let mut log = Log::open(&path);
    guesses(&mut log, 4);
    fifth_blocks(&node, &mut log);
}

#[test]
fn from_the_end_means_what_comes_after_the_start() {
    let place = Place::new("log");
    let mut log = Log::open(&place.join("mail.log"));
    guesses(&mut log, 5);
    let section = format!("[[sensor.file]]\npath = {:?}\nfrom = \"end\"", log.path());
    let mut node = Node::start(&Config::new().with(&section));
    guesses(&mut log, 4);
    wait_kept(&node, 4);
    assert!(node.all_listings().is_empty(), "what stood there before is history");
    // Whoever was away reads on where he was, not at the end.
    node.kill();
    guesses(&mut log, 1);
    node.start_again();
    node.wait_listed(GUESSER, "blocked");
    wait::until_true("all lines", || node.sensor().lines == 5);
}

#[test]
fn a_real_dovecot_opens_a_new_file() {
    let place = Place::new("dovecot");
    let log = Dovecot::log_in(&place);
    let old = place.join("dovecot.log.1");
    let node = Node::start(&Config::new().follow(&log));
    let mut dovecot = Dovecot::start_in(place, &Setup::alone());
    dovecot.guess(GUESSER, "alice", 0, 3);
    dovecot.wait_logged("(auth failed", 1);
    dovecot.rotate(&old);
    dovecot.guess(GUESSER, "alice", 3, 2);
    node.wait_listed(GUESSER, "blocked");
    dovecot.wait_logged("(auth failed", 1);
    let lines = [&old, &log].map(|file| ratter_tests::process::text_of(file).lines().count() as u64);
    wait::until_true("both files to be read", || node.sensor().lines == lines[0] + lines[1]);
    assert_eq!(node.quick_status().engine.counted, 5);
}
