//! NSD follows a node that is killed again and again: its zones are the node's, record by record.

use std::time::Duration;

use ratter_tests::lines::{self, Log};
use ratter_tests::place::Place;
use ratter_tests::ratter::{Config, Node, ORIGIN};
use ratter_tests::secondary::{Secondary, serial_of, transfer};
use ratter_tests::wait;

/// How often the node is killed while it reads its log.
const KILLS: u32 = 3;

/// Guessers in each part of the log; all of them get on the list.
const GUESSERS: u32 = 120;

#[test]
fn a_secondary_follows_through_kills() {
    let place = Place::new("secondary");
    let mut log = Log::open(&place.join("mail.log"));
    let secondary = Secondary::new();
    let sections = secondary.sections(&place.join("keys"));
    let mut node = Node::start(&Config::new().follow(log.path()).with(&sections));
    let zone = format!("auth.{ORIGIN}");
    let ours = |node: &Node| transfer(node.addresses().dns, &zone, true).expect("the node gives its zone");
    let theirs = || transfer(secondary.address(), &zone, true);

    let refused = transfer(node.addresses().dns, &zone, false).unwrap_err();
    assert!(refused.contains("Transfer failed"), "{refused}");
    let _nsd = secondary.start(place.path(), node.addresses().dns, &[&zone]);
    wait::until_true("NSD to have the zone", || theirs().is_ok());

    let mut seen = 0;
    for round in 0..=KILLS {
        for guesser in 0..GUESSERS {
            for login in 0..5 {
                log.line(&lines::failed(&format!("198.51.{round}.{guesser}"), &format!("user{guesser}-{login}"), 1));
            }
        }
        if round < KILLS {
            // Somewhere in the middle of it, when NSD has seen a part.
            wait::until_true("NSD to see some of it", || {
                theirs().is_ok_and(|records| records.iter().any(|record| record.contains(&format!(".{round}.51.198."))))
            });
            std::thread::sleep(Duration::from_millis(u64::from(7 * round)));
            seen = serial_of(&theirs().expect("NSD has the zone")).max(seen);
            node.kill();
            node.start_again();
        }
    }
    node.wait_whole(log.path());
    wait::until_true("all guessers to be listed", || node.listed("auth").len() == ((KILLS + 1) * GUESSERS) as usize);
    assert!(serial_of(&ours(&node)) > seen, "the serial never goes back");
    wait::until_true("NSD to have what the node has", || theirs().is_ok_and(|records| records == ours(&node)));

    // In order it goes on with a number for each millisecond since.
    let before = serial_of(&ours(&node));
    node.stop();
    node.start_again();
    node.cli(&["unlist", "198.51.0.7"]).with_code(0);
    wait::until_true("NSD to take the address off", || theirs().is_ok_and(|records| records == ours(&node)));
    assert!(serial_of(&ours(&node)) - before < 1 << 22, "no jump, as after an end that was not in order");
}
