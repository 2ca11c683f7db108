//! What Prometheus scrapes.

use std::collections::BTreeMap;

use ratter_tests::http::Connection;
use ratter_tests::lines::{self, Log};
use ratter_tests::place::Place;
use ratter_tests::policy::Attempt;
use ratter_tests::ratter::{Config, Node};

const GUESSER: &str = "203.0.113.5";

/// The samples of a scrape by name and labels.
fn scrape(node: &Node) -> BTreeMap<String, f64> {
    let mut connection = Connection::tcp(node.addresses().metrics).expect("the metrics are served");
    let response = connection.get("/metrics").expect("an answer");
    assert_eq!(response.status, 200);
    assert!(response.field("content-type").is_some_and(|kind| kind.contains("openmetrics-text")), "{response:?}");
    assert!(response.body.ends_with("# EOF\n"), "{}", response.body);
    assert!(!response.body.contains(GUESSER) && !response.body.contains("alice"), "no address and no login in metrics");
    let samples = response.body.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let (name, value) = line.rsplit_once(' ').expect("a sample has a value");
        assert!(name.starts_with("ratter_"), "{line}");
        (name.to_owned(), value.parse().expect("a number"))
    });
    samples.collect()
}

#[test]
fn everything_that_happens_is_counted() {
    let place = Place::new("log");
    let mut log = Log::open(&place.join("mail.log"));
    let node = Node::start(&Config::new().follow(log.path()));
    let before = scrape(&node);
    log.line(&lines::failed("203.0.113.9", "bob", 2));
    node.wait_lines(1);
    let mut gate = node.gate();
    for _ in 0..5 {
        gate.login(&Attempt::new(GUESSER, "alice"), false);
    }
    node.wait_listed(GUESSER, "blocked");
    assert_eq!(node.dig().ask("1.2.0.192.auth.bl.example.org", "A").status, "NXDOMAIN");
    let after = scrape(&node);

    let names: Vec<&String> = after.keys().collect();
    assert_eq!(names, before.keys().collect::<Vec<_>>(), "a series is there from the start, with 0");
    assert!(before.iter().all(|(name, value)| !name.contains("_total") || after[name] >= *value), "counters only grow");
    let listed = after.iter().find(|(name, _)| name.contains("listings") && name.contains("\"blocked\""));
    assert_eq!(listed.map(|(_, value)| *value), Some(1.0), "{after:#?}");
    let grown = |part: &str| after.iter().any(|(name, value)| name.contains(part) && *value > before[name]);
    for part in ["lines", "asked", "reported", "queries", "counted"] {
        assert!(grown(part), "nothing with `{part}` has grown: {after:#?}");
    }
}
