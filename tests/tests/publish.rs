//! What would change a published list too much waits for a person, and what was served stays served meanwhile.

use ratter_tests::dns::entry;
use ratter_tests::http::report;
use ratter_tests::place::{Place, free_port};
use ratter_tests::process::write;
use ratter_tests::ratter::{Config, Node, ORIGIN};
use ratter_tests::secondary::{Secondary, transfer};
use ratter_tests::wait;
use serde_json::json;

const KEY: &str = "a-key-of-a-server-of-our-own";

fn address(number: usize) -> String {
    format!("203.0.113.{number}")
}

#[test]
fn a_flood_waits_and_a_person_decides() {
    let (keys, listen, secondary) = (Place::new("keys"), free_port(), Secondary::new());
    write(&keys.join("key"), KEY);
    let config = Config::new().node("canaries = [\"203.0.113.64/27\"]").with(&format!(
        "[publish]\nfloor = 3\nchange = 50\n[reports]\nlisten = \"{listen}\"\n\
         [[reporter]]\nname = \"mx2\"\nowner = \"self\"\nweight = 100\nkey-file = \"{}\"\n{}",
        keys.join("key").display(),
        secondary.sections(&keys.join("tsig"))
    ));
    let mut node = Node::start(&config);
    let misbehave = |number: usize| {
        let one = |id| json!({ "address": address(number), "kind": "trap-hit", "id": format!("{number}-{id}") });
        let body = json!({ "reports": (0..4).map(one).collect::<Vec<_>>() });
        report(listen, KEY, &body);
    };
    for number in 1..=5 {
        misbehave(number);
    }
    let is_answered = |node: &Node, number| !node.dig().addresses(&entry(&address(number), "spam", ORIGIN)).is_empty();
    let answered = |node: &Node| (1..=5).map(|number| is_answered(node, number)).collect::<Vec<_>>();
    assert_eq!(answered(&node), [true, true, true, false, false]);
    let records = || transfer(node.addresses().dns, &format!("spam.{ORIGIN}"), true).expect("it may").join("\n");
    let has = |text: &str, number: usize| text.contains(&entry(&address(number), "spam", ORIGIN));
    assert!(has(&records(), 3) && !has(&records(), 4), "what waits is in no transfer");
    let exported = node.cli(&["export", "--list", "spam"]).with_code(0).out;
    assert!(!exported.contains(&address(4)), "{exported}");

    let shown = node.cli(&["publish", "--show"]).with_code(0).out;
    assert!(shown.contains("spam") && shown.contains(&address(4)), "{shown}");
    assert!(node.cli(&["status"]).with_code(0).out.contains("ratter publish --show"));
    wait::until_true("the log to say so", || {
        node.process().stderr().contains("the list `spam` of 0 listings changes too much")
    });
    assert!(node.listing(&address(1), "blocked").is_none());
    node.cli(&["list", &address(9), "--on", "spam", "--reason", "seen"]).with_code(0);
    assert!(is_answered(&node, 9), "a person needs no leave");

    node.cli(&["publish", "--release", "dyna"]).with_code(3);
    let told = node.cli(&["publish", "--release", "spam"]).with_code(0).out;
    assert!(told.contains("2 changes done"), "{told}");
    assert_eq!(answered(&node), [true; 5]);
    node.cli(&["publish"]).with_code(3);

    // From six on it may grow by three; the next flood is dropped.
    for number in 11..=15 {
        misbehave(number);
    }
    assert!(is_answered(&node, 13) && !is_answered(&node, 14));
    // What waits goes on waiting after a restart.
    node.stop();
    node.start_again();
    assert!(is_answered(&node, 13) && !is_answered(&node, 14));
    let shown = node.cli(&["publish", "--show"]).with_code(0).out;
    assert!(shown.contains(&address(14)) && shown.contains(&address(15)), "{shown}");
    node.cli(&["publish", "--drop", "spam"]).with_code(0);
    assert!(!is_answered(&node, 14));

    // Nobody lives there.
    misbehave(70);
    assert!(!is_answered(&node, 70));
    node.cli(&["list", &address(70), "--on", "spam", "--reason", "x"]).with_code(1);
    let list = |name: &str, text: &str| {
        write(&keys.join(name), text);
        let file = keys.join(name).display().to_string();
        node.cli(&["import", "--list", "spam", "--replace", "--reason", "x", &file])
    };
    let refused = list("canary", "198.51.100.1\n203.0.113.70\n");
    assert!(refused.code == 1 && refused.err.contains("canary"), "{refused:?}");
    let refused = list("wide", "8.0.0.0/8\n");
    assert!(refused.code == 1 && refused.err.contains("8.0.0.0/8 is wider"), "{refused:?}");
}
