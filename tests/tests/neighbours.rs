//! Whoever is blocked for what others did as well is told so: by the network that they have in common.

use std::time::Duration;

use ratter_tests::lines::{Log, failed_at_postfix};
use ratter_tests::place::Place;
use ratter_tests::ratter::{Config, Node};
use ratter_tests::time::now;

#[test]
fn who_is_blocked_with_his_neighbours_reads_that_they_all_are_meant() {
    let place = Place::new("neighbours");
    let mut log = Log::open(&place.path().join("mail.log"));
    // Twenty failures of as many addresses at four logins, within the last three hours; the first address failed once.
    let begin = now() - Duration::from_hours(3);
    for number in 0..20_u64 {
        let at = begin + Duration::from_mins(number * 8);
        let line = failed_at_postfix(&format!("203.0.113.{}", 20 - number), &format!("user{}", number % 4));
        log.raw(format!("{} mx1 {line}\n", at.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00")).as_bytes());
    }
    let node = Node::start(&Config::new().follow(log.path()));
    let listing = node.wait_listed("203.0.113.1", "blocked");
    assert_eq!(listing.maker, "rule bad-neighbours");
    assert_eq!(listing.culprits.as_deref(), Some("all strangers in 203.0.113.0/24"));
    assert!(listing.reason.contains(" by all strangers in 203.0.113.0/24 together, "), "{listing:?}");
    let why = node.cli(&["why", "203.0.113.1"]).with_code(0).out;
    let since = begin.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    assert!(why.contains(&format!("first seen of all strangers in 203.0.113.0/24 {since}")), "{why}");
    assert!(!node.listed("blocked").contains("203.0.113.20"), "the last eight are blocked");
}
