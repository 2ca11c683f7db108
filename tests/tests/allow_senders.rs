//! The senders of a domain, as its SPF names them and a real BIND knows it, are on no published list; what is known of them
//! outlives the server and the node.

use ratter_tests::bind::Bind;
use ratter_tests::ratter::{Config, Node};
use ratter_tests::wait;

const RECORDS: [&str; 6] = [
    "@ TXT \"v=spf1 ip4:198.51.100.0/28 mx inc\" \"lude:more.sender.test -all\"",
    "@ TXT \"something else\"",
    "@ MX 10 mail",
    "mail A 203.0.113.7",
    "more TXT \"v=spf1 ip6:2001:db8:7::/48 ?all\"",
    "broken TXT \"v=spf1 ip4:20.0.0.1 include:nobody.sender.test -all\"",
];

/// One address of each term, and one that no term names.
const SENDERS: [&str; 3] = ["198.51.100.9", "203.0.113.7", "2001:db8:7:1::5"];
const OTHER: &str = "198.51.100.77";

fn is_protected(node: &Node, address: &str) -> bool {
    node.why(address).protections.iter().any(|protection| protection.by == "the SPF of sender.test")
}

#[test]
fn senders_are_protected_and_stay_so_when_nobody_can_be_asked() {
    let bind = Bind::start(60, &[("sender.test", &RECORDS.map(str::to_owned))]);
    let address = bind.address();
    let config = Config::new()
        .node("allow-senders = [\"sender.test\", \"broken.sender.test\"]")
        .with(&format!("[resolver]\nservers = [\"{address}\"]\ntimeout = \"1s\"\n"));
    let mut node = Node::start(&config);
    wait::until_true("the SPF to be asked for", || is_protected(&node, SENDERS[0]));
    let list = |node: &Node, address: &str, code| {
        node.cli(&["list", address, "--on", "auth", "--for", "1h", "--reason", "a test"]).with_code(code);
    };
    for sender in SENDERS {
        assert!(is_protected(&node, sender), "{sender}");
        list(&node, sender, 1);
    }
    list(&node, OTHER, 0);
    // What can not be told wholly is not believed in part.
    assert!(node.why("20.0.0.1").protections.is_empty());

    drop(bind);
    node.kill();
    node.start_again();
    for sender in SENDERS {
        assert!(is_protected(&node, sender), "{sender}");
        list(&node, sender, 1);
    }
}
