//! weakforced's API on Dovecot's gate, by the lines that its documentation has for curl: the entries decide what `allow`
//! answers, the never-list wins, and both lists survive `kill -9`.

use std::process::Command;

use ratter_tests::process::run;
use ratter_tests::ratter::{Config, GATE_PASSWORD, Node};
use serde_json::{Value, json};

/// What a command is answered, as weakforced's manual asks it: with any user name and the password.
fn post(node: &Node, command: &str, body: &Value) -> Value {
    let mut curl = curl(node, command);
    curl.args(["-X", "POST", "-H", "Content-Type: application/json", "--data", &body.to_string()]);
    run(&mut curl).with_code(0).json()
}

fn get(node: &Node, command: &str) -> Value {
    run(&mut curl(node, command)).with_code(0).json()
}

fn curl(node: &Node, command: &str) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--user", &format!("wforce:{GATE_PASSWORD}")]);
    curl.arg(format!("http://{}/?command={command}", node.addresses().gate));
    curl
}

fn allow(node: &Node, login: &str, remote: &str) -> Value {
    post(node, "allow", &json!({"login": login, "remote": remote, "pwhash": "1234"}))
}

fn status(node: &Node, login: &str, remote: &str) -> i64 {
    allow(node, login, remote)["status"].as_i64().expect("a number")
}

#[test]
fn entries_decide_what_allow_answers() {
    let node = Node::start(&Config::new().never("198.51.100.0/24").never("login:root"));
    let ok = json!({"status": "ok"});
    assert_eq!(get(&node, "ping"), ok);
    let add = |command: &str, who: Value| {
        let mut body = json!({"expire_secs": 600, "reason": "test"});
        body.as_object_mut().expect("an object").extend(who.as_object().expect("an object").clone());
        post(&node, command, &body)
    };
    for who in [
        json!({"ip": "203.0.113.7"}),
        json!({"ip": "2001:db8:1::7"}),
        json!({"netmask": "192.0.2.0/25"}),
        json!({"login": "Mallory"}),
        json!({"ip": "203.0.113.9", "login": "bob"}),
    ] {
        assert_eq!(add("addBLEntry", who.clone()), ok, "{who}");
    }
    for (login, remote, wanted) in [
        ("alice", "203.0.113.7", -1),
        ("alice", "203.0.113.8", 0),
        ("alice", "2001:db8:1::7", -1),
        ("alice", "192.0.2.100", -1),
        ("alice", "192.0.2.200", 0),
        ("mallory", "203.0.113.8", -1),
        ("bob", "203.0.113.9", -1),
        ("bob", "203.0.113.8", 0),
        ("alice", "203.0.113.9", 0),
    ] {
        assert_eq!(status(&node, login, remote), wanted, "{login} {remote}");
    }
    let refused = allow(&node, "bob", "203.0.113.9");
    assert_eq!(refused["r_attrs"]["blacklisted"], "1");
    assert_eq!((&refused["r_attrs"]["key"], &refused["r_attrs"]["reason"]), (&json!("iplogin"), &json!("test")));
    assert_eq!(refused["msg"], "");

    // Who is on both lists passes; who is never listed is on none.
    assert_eq!(add("addWLEntry", json!({"netmask": "203.0.113.0/28", "login": null})), ok);
    assert_eq!(add("addWLEntry", json!({"login": "mallory"})), ok);
    assert_eq!(status(&node, "alice", "203.0.113.7"), 0);
    assert_eq!(allow(&node, "mallory", "203.0.113.200")["r_attrs"]["whitelisted"], "1");
    for who in [json!({"ip": "198.51.100.1"}), json!({"login": "root"}), json!({"ip": "198.51.100.1", "login": "x"})] {
        assert_eq!(add("addBLEntry", who.clone())["status"], "failure", "{who}");
    }
    assert_eq!(status(&node, "root", "198.51.100.1"), 0);

    let listed = get(&node, "getBL");
    let keys: Vec<_> = listed["bl_entries"].as_array().expect("a list").iter().map(key).collect();
    for wanted in
        ["ip=203.0.113.7/32", "ip=2001:db8:1::/64", "ip=192.0.2.0/25", "login=mallory", "iplogin=203.0.113.9:bob"]
    {
        assert!(keys.contains(&wanted.to_owned()), "{wanted}: {keys:?}");
    }
    assert_eq!(get(&node, "getWL")["wl_entries"].as_array().expect("a list").len(), 2);
    let stats = post(&node, "getDBStats", &json!({"ip": "203.0.113.7"}));
    assert_eq!(
        (&stats["ip"], &stats["blacklisted"], &stats["whitelisted"]),
        (&json!("203.0.113.7"), &json!(true), &json!(true))
    );
    assert_eq!((&stats["bl_reason"], &stats["stats"]["address-guesses"]["count"]), (&json!("test"), &json!(0)));

    for who in
        [json!({"ip": "2001:db8:1::9"}), json!({"login": "mallory"}), json!({"ip": "203.0.113.9", "login": "bob"})]
    {
        assert_eq!(post(&node, "delBLEntry", &who), ok);
    }
    assert_eq!(post(&node, "delWLEntry", &json!({"netmask": "203.0.113.0/28"})), ok);
    assert_eq!((status(&node, "bob", "203.0.113.9"), status(&node, "alice", "2001:db8:1::7")), (0, 0));
    assert_eq!(status(&node, "alice", "203.0.113.7"), -1);

    assert_eq!(post(&node, "addBLEntry", &json!({"ip": "192.0.2.1"}))["reason"], "Missing mandatory expire_secs field");
    assert_eq!(post(&node, "reset", &json!({}))["reason"], "No ip or login field supplied");
    let listing = node.listing("203.0.113.7", "blocked").expect("it is a listing");
    assert_eq!((listing.maker.as_str(), listing.reason.as_str()), ("person weakforced-api", "test"));
    assert!(listing.until.is_some());
}

fn key(entry: &Value) -> String {
    let name = ["ip", "login", "iplogin"].into_iter().find(|name| entry[name].is_string()).expect("a key");
    format!("{name}={}", entry[name].as_str().expect("a text"))
}

#[test]
fn reset_takes_a_rules_block_back_and_forgets_the_count() {
    let node = Node::start(&Config::new());
    // The same wrong password sent again is a stale phone: each is another one.
    let mut guess = 0;
    let mut fail = |times: u32| {
        for _ in 0..times {
            guess += 1;
            let pwhash = format!("{guess:04x}");
            let body = json!({"login": "alice", "remote": "203.0.113.7", "pwhash": pwhash, "success": false});
            assert_eq!(post(&node, "report", &body), json!({"status": "ok"}));
        }
    };
    fail(5);
    assert_eq!(status(&node, "bob", "203.0.113.7"), -1);
    assert_eq!(post(&node, "reset", &json!({"ip": "203.0.113.7"})), json!({"status": "ok"}));
    assert_eq!(status(&node, "bob", "203.0.113.7"), 0);
    fail(4);
    assert_eq!(post(&node, "getDBStats", &json!({"ip": "203.0.113.7"}))["stats"]["address-guesses"]["count"], 4);
    assert_eq!(post(&node, "reset", &json!({"ip": "203.0.113.7"})), json!({"status": "ok"}));
    fail(4);
    assert_eq!(status(&node, "bob", "203.0.113.7"), 0);
}

#[test]
fn both_lists_survive_a_power_cut_and_end_in_time() {
    let mut node = Node::start(&Config::new());
    for (command, who, seconds) in [
        ("addBLEntry", json!({"ip": "203.0.113.7"}), 600),
        ("addBLEntry", json!({"ip": "203.0.113.9", "login": "bob"}), 600),
        ("addWLEntry", json!({"login": "carol"}), 600),
        ("addBLEntry", json!({"login": "carol"}), 600),
        ("addWLEntry", json!({"login": "dave"}), 1),
        ("addBLEntry", json!({"login": "dave"}), 600),
    ] {
        let mut body = json!({"expire_secs": seconds, "reason": "test"});
        body.as_object_mut().expect("an object").extend(who.as_object().expect("an object").clone());
        assert_eq!(post(&node, command, &body), json!({"status": "ok"}));
    }
    node.kill();
    node.start_again();
    assert_eq!(status(&node, "alice", "203.0.113.7"), -1);
    assert_eq!(status(&node, "bob", "203.0.113.9"), -1);
    assert_eq!(status(&node, "carol", "203.0.113.200"), 0);
    ratter_tests::wait::until_true("the end of an entry", || status(&node, "dave", "203.0.113.200") == -1);
    assert_eq!(get(&node, "getWL")["wl_entries"].as_array().expect("a list").len(), 1);
}

#[test]
fn exceptions_are_shown_and_wide_networks_and_strangers_are_not_believed() {
    let node = Node::start(&Config::new());
    let entry = |who: Value| {
        let mut body = json!({"expire_secs": "600", "reason": "stolen phone"});
        body.as_object_mut().expect("an object").extend(who.as_object().expect("an object").clone());
        body
    };
    let ok = json!({"status": "ok"});
    assert_eq!(post(&node, "addBLEntry", &entry(json!({"ip": "203.0.113.9", "login": "bob"}))), ok);
    assert_eq!(post(&node, "addWLEntry", &entry(json!({"ip": "", "login": "carol"}))), ok);
    for (subject, does) in [("login:bob", "is refused"), ("203.0.113.9", "is refused"), ("login:carol", "passes")] {
        let said = node.cli(&["why", subject]).with_code(0).out;
        assert!(said.contains(does) && said.contains("weakforced-api: stolen phone"), "{said}");
    }
    let said = node.cli(&["unlist", "login:carol"]).with_code(3).out;
    assert!(said.contains("delWLEntry"), "{said}");
    assert_eq!(node.status().exceptions, 2);
    assert!(node.cli(&["status"]).with_code(0).out.contains("2 exceptions"));
    assert_eq!(post(&node, "addBLEntry", &entry(json!({"netmask": "0.0.0.0/1"})))["status"], "failure");
    assert_eq!(status(&node, "alice", "9.9.9.9"), 0);
}

#[test]
fn without_a_password_nobody_changes_anything() {
    let node = Node::start(&Config::new().open());
    let body = json!({"ip": "203.0.113.9", "expire_secs": 600, "reason": "x"});
    for command in ["addBLEntry", "addWLEntry", "delBLEntry", "delWLEntry", "reset"] {
        let said = post(&node, command, &body);
        assert!(said["reason"].as_str().expect("a reason").contains("want a password"), "{command}: {said}");
    }
    assert_eq!(status(&node, "alice", "203.0.113.9"), 0);
    assert_eq!(get(&node, "getBL"), json!({"bl_entries": []}));
}
