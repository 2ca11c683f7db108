//! What others report, with `curl`, with fail2ban's own action, and by mail from a pipe.

use std::net::SocketAddr;
use std::process::Command;

use ratter_tests::place::{Place, free_port};
use ratter_tests::process::{Said, run, text_of, write};
use ratter_tests::ratter::{Config, Node};
use ratter_tests::time::now;
use ratter_tests::wait;
use serde_json::{Value, json};

const KEY: &str = "a-key-of-mx2-that-nobody-guesses";
const WEAK_KEY: &str = "a-key-of-a-partner-of-little-weight";
const GUESSER: &str = "203.0.113.5";

/// A node that takes reports of `mx2`, who is as good as a log line, and of `partner`, who is half as good.
fn reported_to(daily_cap: u32) -> (Node, SocketAddr, Place) {
    let (place, listen) = (Place::new("keys"), free_port());
    write(&place.join("mx2.key"), KEY);
    write(&place.join("partner.key"), WEAK_KEY);
    let file = |name: &str| place.join(name).display().to_string();
    let config = Config::new().with(&format!(
        "[reports]\nlisten = \"{listen}\"\n\
         [[reporter]]\nname = \"mx2\"\nkey-file = {:?}\nweight = 100\ndaily-cap = {daily_cap}\n\
         [[reporter]]\nname = \"partner\"\nkey-file = {:?}\nweight = 50\n",
        file("mx2.key"),
        file("partner.key"),
    ));
    (Node::start(&config), listen, place)
}

/// Posts a body with `curl`; the status and the answer.
fn post(to: SocketAddr, key: &str, kind: &str, body: &str) -> (u16, Value) {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--max-time", "20", "--write-out", "\n%{http_code} %header{retry-after}"])
        .args(["-H", &format!("Authorization: Bearer {key}"), "-H", &format!("Content-Type: {kind}")])
        .args(["--data-binary", body, &format!("http://{to}/v1/reports")]);
    let Said { out, .. } = run(&mut curl).with_code(0);
    let (answer, end) = out.rsplit_once('\n').expect("curl writes the status behind the answer");
    let (status, retry) = end.split_once(' ').expect("two words");
    let status: u16 = status.parse().expect("a status");
    assert_eq!(matches!(status, 429 | 503), retry.parse::<u32>().is_ok_and(|s| s <= 86_400), "{status} {retry:?}");
    (status, serde_json::from_str(answer).unwrap_or_default())
}

fn post_json(to: SocketAddr, key: &str, body: &Value) -> (u16, Value) {
    post(to, key, "application/json", &body.to_string())
}

/// So many failed logins of an address.
fn failures(address: &str, count: u32) -> Value {
    let time = now().to_string();
    let one = |id| json!({ "address": address, "service": "imap", "login": "alice", "time": time, "id": format!("{address}-{id}") });
    json!({ "reports": (0..count).map(one).collect::<Vec<_>>() })
}

fn numbers(answer: &Value) -> [u64; 3] {
    ["taken", "known", "over"].map(|key| answer[key].as_u64().unwrap_or_else(|| panic!("{answer}")))
}

#[test]
fn reports_count_once_as_much_as_they_weigh_and_survive_a_crash() {
    let (mut node, to, _keys) = reported_to(1000);
    let (status, answer) = post_json(to, KEY, &failures(GUESSER, 4));
    assert_eq!((status, numbers(&answer)), (200, [4, 0, 0]), "{answer}");
    for _ in 0..3 {
        let (status, answer) = post_json(to, KEY, &failures(GUESSER, 4));
        assert_eq!((status, numbers(&answer)), (200, [0, 4, 0]), "the same again");
    }
    assert_eq!(node.quick_status().engine.counted, 4);

    // What was answered with 200 is there after the worst end, and is known when it is sent again.
    node.kill();
    node.start_again();
    let (status, answer) = post_json(to, KEY, &failures(GUESSER, 5));
    assert_eq!((status, numbers(&answer)), (200, [1, 4, 0]), "{answer}");
    node.wait_listed(GUESSER, "blocked");
    let why = node.why(GUESSER);
    assert!(
        why.events.len() == 5 && why.events.iter().all(|event| event.reporter.as_deref() == Some("mx2")),
        "{why:?}"
    );
    assert!(node.listing("login:alice", "blocked").is_none(), "nobody reports a login of ours into a block");

    // Half the weight, twice the reports.
    let weak = "203.0.113.6";
    assert_eq!(numbers(&post_json(to, WEAK_KEY, &failures(weak, 9)).1), [9, 0, 0]);
    assert!(node.listing(weak, "blocked").is_none());
    assert_eq!(numbers(&post_json(to, WEAK_KEY, &failures(weak, 10)).1), [1, 9, 0]);
    node.wait_listed(weak, "blocked");

    let status = node.status();
    let shown: Vec<_> = status.reporters.iter().map(|r| (r.name.as_str(), r.weight, r.today, r.known)).collect();
    assert_eq!(shown, [("mx2", 100, 5, 4), ("partner", 50, 10, 9)]);
    let text = node.cli(&["status"]).with_code(0).out;
    assert!(text.contains("partner") && !text.contains(KEY), "{text}");
    assert!(!node.process().stderr().contains(KEY), "no key in the log");
}

/// A trap was hit, as somebody reports it.
fn trapped(address: &str, count: u32) -> Value {
    let one = |id| json!({ "address": address, "kind": "trap-hit", "id": format!("{address}-{id}") });
    json!({ "reports": (0..count).map(one).collect::<Vec<_>>() })
}

#[test]
fn a_published_list_wants_witnesses_and_a_canary_exposes_a_liar() {
    let (place, listen) = (Place::new("keys"), free_port());
    let mut config = Config::new().with(&format!("[reports]\nlisten = \"{listen}\"\nproxies = [\"127.0.0.0/8\"]"));
    for (name, owner) in [("liar", "liar"), ("honest", "honest"), ("other", "honest"), ("mx2", "self")] {
        let file = place.join(name);
        write(&file, &format!("{KEY}-{name}"));
        let file = file.display();
        config = config.with(&format!("[[reporter]]\nname = {name:?}\nowner = {owner:?}\nkey-file = \"{file}\"\n"));
    }
    let mut node = Node::start(&config.node("canaries = [\"203.0.113.64/27\"]"));
    let tell = |who: &str, address: &str| {
        let (status, answer) = post_json(listen, &format!("{KEY}-{who}"), &trapped(address, 4));
        assert_eq!(status, 200, "{answer}");
    };
    let [alone, both, own] = ["203.0.113.1", "203.0.113.2", "203.0.113.3"];
    for who in ["honest", "other"] {
        tell(who, alone);
    }
    tell("liar", both);
    tell("honest", both);
    tell("mx2", own);
    for address in [both, own] {
        node.wait_listed(address, "spam");
    }
    assert!(node.listing(alone, "spam").is_none(), "two keys of one owner are one witness");

    tell("liar", "203.0.113.70");
    wait::until_true("his listing to end", || node.listing(both, "spam").is_none());
    let reporters = || node.cli(&["reporter", "list"]).with_code(0).out;
    let exposed =
        |text: &str| text.lines().any(|line| line.trim_start().starts_with("liar") && line.contains("exposed"));
    assert!(exposed(&reporters()), "{}", reporters());
    let text = node.cli(&["status"]).with_code(0).out;
    assert!(text.contains("named the canary 203.0.113.70"), "{text}");
    assert!(node.process().stderr().contains("a reporter named a canary"));
    assert!(node.listing(own, "spam").is_some(), "what did not rest on him stays");

    node.kill();
    node.start_again();
    tell("liar", both);
    tell("liar", alone);
    assert!(node.listing(both, "spam").is_none() && node.listing(alone, "spam").is_none(), "he is known for it still");
    assert!(exposed(&node.cli(&["reporter", "list"]).with_code(0).out));
    node.cli(&["reporter", "reset", "nobody"]).with_code(3);
    let told = node.cli(&["reporter", "reset", "liar"]).with_code(0).out;
    assert!(told.contains("liar weighs 50"), "{told}");
}

#[test]
fn what_makes_no_sense_or_is_too_much_is_refused_with_the_reason() {
    let (node, to, _keys) = reported_to(6);
    let bad = json!({ "reports": [{ "address": GUESSER }, { "address": "not an address" }] });
    let old = json!({ "reports": [{ "address": GUESSER, "time": "2001-01-01T00:00:00Z" }] });
    let ok = json!({ "reports": [{ "address": GUESSER, "kind": "login-ok" }] });
    let (json, key) = ("application/json", KEY);
    let cases = [
        (key, json, bad.to_string(), 400, "reports[1].address: no address"),
        (key, json, old.to_string(), 400, "reports[0].time: more than two days ago"),
        (key, json, ok.to_string(), 400, "reports[0].kind: successes are not taken from others"),
        (key, json, "{".to_owned(), 400, "line 1 column 1: no JSON"),
        (key, "text/html", "x".to_owned(), 415, "Content-Type must be"),
        (key, "message/rfc822", "Subject: hello\n\nhello".to_owned(), 400, "Report-Type: no part"),
        ("somebody-else-has-another-key", json, failures(GUESSER, 1).to_string(), 403, "no reporter has this key"),
        (key, json, "x".repeat(70_000), 413, ""),
    ];
    for (key, kind, body, status, reason) in cases {
        let (got, answer) = post(to, key, kind, &body);
        let told = answer["reason"].as_str().unwrap_or_default();
        assert!(got == status && told.starts_with(reason), "{kind}: {got} {answer}");
    }
    assert_eq!(node.quick_status().engine.counted, 0, "nothing of a broken submission is taken");

    // The day's number: what fits is taken, and what was taken does not count twice against it.
    let (status, answer) = post_json(to, KEY, &failures("203.0.113.7", 8));
    assert_eq!((status, numbers(&answer)), (429, [6, 0, 2]), "{answer}");
    assert_eq!(numbers(&post_json(to, KEY, &failures("203.0.113.7", 8)).1), [0, 6, 2]);
    let gate = node.status().gates.into_iter().find(|gate| gate.name == "reports").expect("it is shown");
    assert_eq!((gate.reported, gate.malformed), (6, 5), "{gate:?}");
}

#[test]
fn fail2bans_own_action_reports_a_ban() {
    let (node, to, _keys) = reported_to(1000);
    let action = text_of("/etc/fail2ban/action.d/blocklist_de.conf".as_ref());
    let line = action.lines().find_map(|line| line.strip_prefix("actionban = ")).expect("fail2ban has such an action");
    assert!(line.contains("curl --fail") && line.contains("https://www.blocklist.de/en/httpreports.html"), "{line}");
    let ban = |address: &str, matches: &str| {
        let command = line
            .replace("https://www.blocklist.de", &format!("http://{to}"))
            .replace("<email>", "mx2@example.org")
            .replace("<apikey>", KEY)
            .replace("<service>", "dovecot")
            .replace("<ip>", address)
            .replace("<matches>", matches)
            .replace("<agent>", "fail2ban");
        run(Command::new("sh").args(["-c", &format!("{command} --silent --show-error")]))
    };
    for attempt in 0..5 {
        ban(GUESSER, &format!("Nov 21 07:44:1{attempt} imap-login: auth failed ip=192.0.2.1&ip=192.0.2.2"))
            .with_code(0);
    }
    node.wait_listed(GUESSER, "blocked");
    ban("2001:db8::5", "x").with_code(0);
    assert_eq!(node.why("2001:db8::5").events.len(), 1);
    assert!(node.why("192.0.2.1").events.is_empty(), "the lines of the log are the guesser's");
    assert_eq!(ban("nobody", "x").code, 22, "curl --fail says that it was refused");
}

#[test]
fn a_mail_is_taken_from_a_pipe() {
    let (mut node, _, keys) = reported_to(1000);
    let mail = keys.join("mail");
    let report = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nDear Sir\n\n--b\n\n---\nReported-From: a@example.org\n\
        Category: abuse\nReport-ID: 17@mx\nReport-Type: login-attack\nService: imap\nVersion: 0.2\nSource: 203.0.113.8\n\n--b\n";
    write(&mail, &format!("{report}{}", "a log line of many\n".repeat(100_000)));
    let pipe = |node: &Node, file: &str| {
        let (binary, config, mail) = (ratter_tests::ratter::binary(), node.addresses().config.clone(), mail.display());
        let (binary, config, key) = (binary.display(), config.display(), keys.join(file));
        // Where to, the configuration says.
        let pipe = format!("{binary} --config {config} report mail --key-file {} < {mail}", key.display());
        run(Command::new("sh").args(["-c", &pipe]))
    };
    pipe(&node, "mx2.key").with_code(0);
    pipe(&node, "mx2.key").with_code(0);
    wait::until_true("the report", || node.why("203.0.113.8").events.len() == 1);
    pipe(&node, "nowhere.key").with_code(2);
    node.stop();
    let said = pipe(&node, "mx2.key");
    assert_eq!(said.code, 75, "the mail server shall try again: {said:?}");
}
