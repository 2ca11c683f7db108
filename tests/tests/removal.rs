//! Whoever is listed looks himself up and takes himself off: with `curl`, and with the reverse zone in a real BIND.

use std::net::SocketAddr;
use std::process::Command;

use ratter_tests::bind::Bind;
use ratter_tests::dns::entry;
use ratter_tests::http::report;
use ratter_tests::place::{Place, free_port};
use ratter_tests::process::{run, write};
use ratter_tests::ratter::{Config, Node, ORIGIN};
use serde_json::{Value, json};

const KEY: &str = "a-key-of-a-server-of-our-own";
const SPAMMER: &str = "203.0.113.77";
const DIALUP: &str = "203.0.113.78";
const TEXT: &str = "203.0.113.79";
const POINTER: &str = "203.0.113.80";

const REVERSE: &str = "113.0.203.in-addr.arpa";

/// A node with the page, and what it takes reports with.
struct Given {
    node: Node,
    page: SocketAddr,
    reports: SocketAddr,
    _keys: Place,
}

impl Given {
    fn start(resolver: SocketAddr, more: &str) -> Self {
        let (keys, page, reports) = (Place::new("keys"), free_port(), free_port());
        write(&keys.join("key"), KEY);
        let key = keys.join("key");
        let config = Config::new().with(&format!(
            "[resolver]\nservers = [\"{resolver}\"]\n\
             [reports]\nlisten = \"{reports}\"\n[[reporter]]\nname = \"mx2\"\nowner = \"self\"\nweight = 100\nkey-file = \"{}\"\n\
             [removal]\nlisten = \"{page}\"\nproxies = [\"127.0.0.1\"]\n{more}",
            key.display()
        ));
        Self { node: Node::start(&config), page, reports, _keys: keys }
    }

    /// Has an address listed for what it did.
    fn misbehave(&self, address: &str, kind: &str, turn: u32, count: u32) {
        let one = |id| json!({ "address": address, "kind": kind, "id": format!("{address}-{turn}-{id}") });
        let body = json!({ "reports": (0..count).map(one).collect::<Vec<_>>() });
        report(self.reports, KEY, &body);
    }

    /// A request of somebody at `from`, who comes by the web server in front.
    fn ask(&self, method: &str, address: &str, from: &str) -> (u16, Value, String) {
        self.ask_by("127.0.0.1", method, address, from)
    }

    fn ask_by(&self, interface: &str, method: &str, address: &str, from: &str) -> (u16, Value, String) {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--max-time", "30", "--interface", interface, "--request", method]).args([
            "--write-out",
            "\n%{http_code} %header{retry-after}",
            "-H",
            &format!("X-Forwarded-For: {from}"),
        ]);
        let said = run(curl.arg(format!("http://{}/v1/removal?address={address}", self.page))).with_code(0);
        let (answer, end) = said.out.rsplit_once('\n').expect("curl writes the status behind the answer");
        let (status, retry) = end.split_once(' ').expect("two words");
        (status.parse().expect("a status"), serde_json::from_str(answer).unwrap_or_default(), retry.to_owned())
    }

    fn is_answered(&self, address: &str) -> bool {
        !self.node.dig().addresses(&entry(address, "all", ORIGIN)).is_empty()
    }
}

#[test]
fn whoever_comes_from_the_address_takes_it_off_and_waits_the_next_time() {
    let bind = Bind::start(1, &[(REVERSE, &["77 PTR mail.example.net.".to_owned()])]);
    let mut given = Given::start(bind.address(), "");
    given.misbehave(SPAMMER, "trap-hit", 0, 4);
    given.node.wait_listed(SPAMMER, "spam");
    assert!(given.is_answered(SPAMMER));

    // Who comes past the web server says of himself what he likes.
    let (status, answer, _) = given.ask_by("127.0.0.9", "POST", SPAMMER, SPAMMER);
    assert_eq!(status, 403, "{answer}");
    let (status, answer, _) = given.ask("POST", SPAMMER, "198.51.100.1");
    assert!(
        status == 403 && answer["message"].as_str().is_some_and(|text| text.contains("nothing proves")),
        "{answer}"
    );
    let (status, known, _) = given.ask("GET", SPAMMER, SPAMMER);
    assert_eq!((status, &known["is-yours"], &known["listings"][0]["removal"]), (200, &json!(true), &json!("proof")));

    let (status, answer, _) = given.ask("POST", "", &format!("198.51.100.9, {SPAMMER}"));
    assert_eq!((status, &answer["removed"], &answer["left"]), (200, &json!(["spam"]), &json!([])), "{answer}");
    assert!(!given.is_answered(SPAMMER));
    let why = given.node.cli(&["why", SPAMMER]).with_code(0).out;
    assert!(why.contains("removed by its owner"), "{why}");

    // Again, and a crash in between forgets nothing.
    given.node.kill();
    given.node.start_again();
    given.misbehave(SPAMMER, "trap-hit", 1, 4);
    given.node.wait_listed(SPAMMER, "spam");
    let (status, answer, retry) = given.ask("POST", SPAMMER, SPAMMER);
    let seconds: u64 = retry.parse().unwrap_or_default();
    assert!(status == 429 && (86_000..=86_400).contains(&seconds), "{status} {retry} {answer}");
    given.node.cli(&["unlist", SPAMMER]).with_code(0);

    // What a person listed, a person takes off.
    given.node.cli(&["list", SPAMMER, "--on", "spam", "--reason", "a secret"]).with_code(0);
    let (status, answer, _) = given.ask("POST", SPAMMER, SPAMMER);
    assert_eq!(status, 409, "{answer}");
    let (_, known, _) = given.ask("GET", SPAMMER, "198.51.100.1");
    assert!(known["listings"][0]["removal"] == "operator" && !known.to_string().contains("secret"), "{known}");
}

#[test]
fn whoever_writes_the_reverse_zone_takes_its_addresses_off() {
    let names = |more: &[String]| {
        let proper = ["79 PTR mx.example.net.", "80 PTR mx.example.com."].map(str::to_owned);
        let pointers = more.iter().any(|record| record.starts_with("80 "));
        let kept = proper.into_iter().filter(|record| !(pointers && record.starts_with("80 ")));
        kept.chain(more.iter().cloned()).collect::<Vec<_>>()
    };
    let mut bind = Bind::start(1, &[(REVERSE, &names(&[]))]);
    let given = Given::start(bind.address(), "");
    for address in [TEXT, POINTER] {
        given.misbehave(address, "trap-hit", 0, 4);
        given.node.wait_listed(address, "spam");
    }
    let stranger = "198.51.100.1";
    let token = |address: &str| {
        let (_, known, _) = given.ask("GET", address, stranger);
        known["token"].as_str().expect("a token is given out").to_owned()
    };
    let (text, pointer) = (token(TEXT), token(POINTER));
    assert_ne!(text, pointer, "each is of one address");
    assert_eq!(given.ask("POST", TEXT, stranger).0, 403);
    bind.change(REVERSE, &names(&[format!("79 TXT \"{pointer}\"")]));
    assert_eq!(given.ask("POST", TEXT, stranger).0, 403, "the token of another address proves nothing");
    bind.change(REVERSE, &names(&[format!("79 TXT \"{text}\""), format!("80 PTR {pointer}.example.net.")]));
    for address in [TEXT, POINTER] {
        let (status, answer, _) = given.ask("POST", address, stranger);
        assert_eq!((status, &answer["removed"]), (200, &json!(["spam"])), "{answer}");
        assert!(!given.is_answered(address));
    }
}

#[test]
fn a_mended_reverse_name_frees_at_once_whoever_asks() {
    let dynamic = ["78 PTR dyn-203-0-113-78.pool.example.net.".to_owned()];
    let mut bind = Bind::start(1, &[(REVERSE, &dynamic)]);
    let given = Given::start(bind.address(), "");
    given.misbehave(DIALUP, "unknown-recipient", 0, 12);
    given.node.wait_listed(DIALUP, "dyna");
    let (status, answer, _) = given.ask("POST", DIALUP, DIALUP);
    assert!(status == 409 && answer["message"].as_str().is_some_and(|text| text.contains("reverse name")), "{answer}");
    bind.change(REVERSE, &["78 PTR mail.example.com.".to_owned()]);
    let (status, answer, _) = given.ask("POST", DIALUP, "198.51.100.1");
    assert_eq!((status, &answer["removed"]), (200, &json!(["dyna"])), "{answer}");
    assert!(!given.is_answered(DIALUP));
}

#[test]
fn the_page_works_without_scripts_and_repeats_nothing_unescaped() {
    let bind = Bind::start(1, &[(REVERSE, &[])]);
    let given = Given::start(bind.address(), "");
    given.misbehave(SPAMMER, "trap-hit", 0, 4);
    given.node.wait_listed(SPAMMER, "spam");
    let page = |method: &str, query: &str| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--include", "--request", method, "-H", &format!("X-Forwarded-For: {SPAMMER}")]);
        run(curl.arg(format!("http://{}/why{query}", given.page))).with_code(0).out
    };
    let shown = page("GET", &format!("?address={SPAMMER}"));
    assert!(shown.contains("HTTP/1.1 200") && shown.contains("content-security-policy: default-src 'none'"), "{shown}");
    assert!(shown.contains(&format!("<form method=\"post\" action=\"?address={SPAMMER}\">")), "{shown}");
    let evil = page("GET", "?address=%3Cscript%3Ealert(1)%3C/script%3E");
    assert!(evil.contains("HTTP/1.1 400") && !evil.contains("<script"), "{evil}");
    let removed = page("POST", &format!("?address={SPAMMER}"));
    assert!(removed.contains("HTTP/1.1 200") && removed.contains("is off spam"), "{removed}");
    assert!(page("GET", "").contains("is on none of our lists"), "without an address it is one's own");

    // One network does not ask for ever.
    let last = (0..25).map(|_| given.ask("POST", SPAMMER, "203.0.113.99").0).collect::<Vec<_>>();
    assert!(last.first() == Some(&200) && last.last() == Some(&429), "{last:?}");
}
