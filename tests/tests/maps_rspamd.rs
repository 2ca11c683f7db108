//! rspamd reads a node's map, from its file and over HTTP, and refuses who is blocked and nobody else.

use ratter_tests::place::Place;
use ratter_tests::ratter::{Config, Node};
use ratter_tests::rspamd::Rspamd;
use ratter_tests::wait;

/// Two rules: the address is in the map's file, and in what the node serves.
fn rules(file: &str, served: &str) -> String {
    format!(
        "multimap {{\n  IN_FILE {{ type = \"ip\"; map = \"{file}\"; score = 1; }}\n\
         IN_SERVED {{ type = \"ip\"; map = \"{served}\"; score = 1; }}\n}}\n"
    )
}

/// Whether a client's address is in the file and in what is served; none while rspamd does not answer.
fn finds(rspamd: &mut Rspamd, address: &str) -> Option<(bool, bool)> {
    let said = rspamd.check(address);
    let has = |symbol: &str| said.contains(&format!("\"{symbol}\""));
    said.contains("\"symbols\"").then(|| (has("IN_FILE"), has("IN_SERVED")))
}

#[test]
fn rspamd_finds_who_is_blocked_and_nobody_else() {
    let place = Place::new("rspamd");
    let file = place.join("blocked.map").display().to_string();
    let map = format!("[[action.map]]\nname = \"blocked\"\npath = \"{file}\"\nformat = \"rspamd\"\nserve = true\n");
    let node = Node::start(&Config::new().with(&map));
    let list = |subject: &str| {
        let reason = "x; 0.0.0.0/0 # \"y\"";
        node.cli(&["list", subject, "--on", "blocked", "--for", "1h", "--reason", reason]).with_code(0);
    };
    list("203.0.113.1");
    list("198.51.100.0/24");
    list("2001:db8:1:2::/64");
    wait::until_true("the map", || node.quick_status().actions.iter().all(|action| action.entries == 3));
    let served = format!("http://{}/maps/blocked", node.addresses().metrics);
    let mut rspamd = Rspamd::start_in(place, &rules(&file, &served));

    for blocked in ["203.0.113.1", "198.51.100.77", "2001:db8:1:2::9"] {
        wait::until_true(&format!("{blocked} in both"), || finds(&mut rspamd, blocked) == Some((true, true)));
    }
    for free in ["203.0.113.10", "203.0.113.0", "198.51.101.1", "192.0.2.1", "2001:db8:1:3::9", "0.0.0.1"] {
        assert_eq!(finds(&mut rspamd, free), Some((false, false)), "{free}");
    }
    node.cli(&["unlist", "203.0.113.1"]).with_code(0);
    wait::until_true("it is let in again", || finds(&mut rspamd, "203.0.113.1") == Some((false, false)));
    assert_eq!(finds(&mut rspamd, "198.51.100.77"), Some((true, true)), "the others stay");
}
