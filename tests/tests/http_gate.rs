//! The HTTP gate of a running node: questions, reports, passwords, and who may ask.

use std::net::SocketAddr;
use std::process::Command;

use ratter_tests::http::Connection;
use ratter_tests::place::free_port;
use ratter_tests::process::run;
use ratter_tests::ratter::{Config, Node};
use ratter_tests::wait;
use serde_json::{Value, json};

fn node(more: &str) -> (Node, SocketAddr) {
    let gate = free_port();
    (Node::start(&Config::new().with(&format!("[gate.http]\nlisten = [\"{gate}\"]\n{more}"))), gate)
}

fn curl(gate: SocketAddr, arguments: &[&str], path: &str) -> String {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error"]).args(arguments).arg(format!("http://{gate}{path}"));
    run(&mut curl).with_code(0).out
}

#[test]
fn five_reported_failures_are_refused_in_both_forms() {
    let (node, gate) = node("");
    let check = "/v1/check?address=203.0.113.9&login=alice&service=imap";
    let answer: Value = serde_json::from_str(&curl(gate, &[], check)).expect("JSON");
    assert_eq!(answer, json!({"status": 0, "verdict": "pass", "reason": "unlisted"}));
    for guess in 1..=5 {
        let report = format!("/v1/report?address=203.0.113.9&login=alice&result=failed&session=s{guess}&format=text");
        assert_eq!(curl(gate, &["-X", "POST"], &report), if guess == 5 { "-1" } else { "0" }, "guess {guess}");
    }
    assert_eq!(curl(gate, &["-H", "Accept: text/plain"], check), "-1");
    assert_eq!(curl(gate, &[], "/v1/check?address=203.0.113.10&format=text"), "0");
    assert_eq!(curl(gate, &[], "/v1/check?address=nonsense&format=text"), "0");
    let document: Value = serde_json::from_str(&curl(gate, &[], "/v1/openapi.json")).expect("JSON");
    assert!(document["paths"]["/v1/check"]["get"].is_object());
    let status = node.status();
    let gate = status.gates.iter().find(|gate| gate.name == "http").expect("the gate is shown");
    assert_eq!((gate.asked, gate.reported, gate.malformed), (3, 5, 1));
}

#[test]
fn passwords_are_judged() {
    let (_node, gate) = node("");
    let judge =
        |body: &str| -> Value { serde_json::from_str(&curl(gate, &["--data", body], "/v1/password")).expect("JSON") };
    assert_eq!(judge(r#"{"password":"zebra lamp orbit quiz"}"#), json!({"good": true, "score": 4, "faults": []}));
    let bad = judge(r#"{"password":"Alice-123456","about":["alice@example.org"]}"#);
    assert_eq!(bad["good"], false);
    assert!(bad["faults"][0].as_str().expect("a sentence").contains("the name of its owner"), "{bad}");
    assert_eq!(judge("not JSON")["status"], "failure");
}

#[test]
fn whoever_has_no_key_is_told_nothing() {
    let (_node, gate) = node("api-key = \"sesame\"\n");
    let check = "/v1/check?address=203.0.113.9&format=text";
    assert!(curl(gate, &[], check).contains("Unauthorized"));
    assert!(curl(gate, &["-H", "X-API-Key: other"], check).contains("Unauthorized"));
    assert_eq!(curl(gate, &["-H", "X-API-Key: sesame"], check), "0");
}

#[test]
fn a_page_in_a_browser_may_look_and_reports_nobody() {
    let (node, gate) = node("");
    let mut browser = Connection::tcp(gate).expect("it listens");
    for origin in ["Origin: http://evil.example\r\n", "Sec-Fetch-Mode: no-cors\r\n"] {
        for _ in 0..6 {
            let path = "/v1/report?address=198.51.100.9&login=alice&result=failed";
            assert_eq!(browser.post(path, origin, "").expect("an answer").status, 403);
        }
    }
    assert!(node.all_listings().is_empty());
    assert_eq!(curl(gate, &["-H", "Sec-Fetch-Mode: navigate"], "/v1/check?address=198.51.100.9&format=text"), "0");
}

#[test]
fn the_script_for_hmailserver_asks_this_gate() {
    let (node, gate) = node("api-key = \"sesame\"\n");
    let script = node.cli(&["setup", "hmailserver"]).with_code(0).out;
    for wanted in
        [format!("\"http://{gate}\" & path").as_str(), "\"X-API-Key\", \"sesame\"", "Sub OnClientLogon(oClient)"]
    {
        assert!(script.contains(wanted), "{wanted}: {script}");
    }
    let script = node.cli(&["setup", "hmailserver", "--zone", "auth.bl.example.org"]).with_code(0).out;
    assert!(script.contains(".auth.bl.example.org.") && script.contains(" 127.0.0.43\""), "{script}");
    node.cli(&["setup", "hmailserver", "--zone", "a b"]).with_code(2);
}

#[test]
fn the_script_for_hmailserver_has_what_the_gate_wants_and_a_code_that_comes() {
    let (node, gate) = node("password = \"se:same\"\n");
    let said = node.cli(&["setup", "hmailserver"]).with_code(0).out;
    let line = said.lines().find(|line| line.contains("setRequestHeader")).expect("it says who it is");
    let header = line.split('"').filter(|part| !part.trim().is_empty()).collect::<Vec<_>>();
    let authorization = format!("{}: {}", header[1], header[3]);
    assert_eq!(curl(gate, &["-H", &authorization], "/v1/check?address=203.0.113.10&format=text"), "0");
    assert!(curl(gate, &[], "/v1/check?address=203.0.113.10&format=text").contains("Unauthorized"));
    assert!(said.contains("make it again with `--url"), "loopback is not reached from Windows: {said}");
    let said = node.cli(&["setup", "hmailserver", "--url", "http://192.0.2.5:4005"]).with_code(0).out;
    assert!(!said.contains("make it again"), "{said}");

    let by_dns = |code: &str| node.cli(&["setup", "hmailserver", "--zone", "auth.bl.example.org", "--code", code]);
    assert!(by_dns("127.0.0.43").with_code(0).out.contains("127.0.0.43"));
    for (code, fault) in [("127.0.0.44", "add `--code 127.0.0.43`"), ("192.0.2.1", "no code of a list")] {
        let said = by_dns(code).with_code(2).err;
        assert!(said.contains(fault), "{said}");
    }
}

#[test]
fn a_protocol_of_nginx_without_a_server_is_told_to_the_admin() {
    let gate = free_port();
    let section = format!("[gate.http]\nlisten = [\"{gate}\"]\n[gate.http.nginx]\nimap = \"127.0.0.1:143\"\n");
    let mut node = Node::start(&Config::new().with(&section));
    let mut nginx = Connection::tcp(gate).expect("it listens");
    let mut ask = |protocol: &str| {
        let head = format!(
            "GET /v1/nginx HTTP/1.1\r\nHost: a\r\nAuth-Method: plain\r\nAuth-User: carol\r\nAuth-Pass: x\r\n\
             Auth-Protocol: {protocol}\r\nClient-IP: 192.0.2.7\r\n\r\n"
        );
        nginx.send(head.as_bytes()).expect("it reads");
        nginx.receive().expect("it answers")
    };
    let says = |node: &Node| {
        let doctor = node.cli(&["doctor"]);
        let warned = node.status().warnings.iter().filter(|text| text.contains("[gate.http.nginx]")).count();
        (warned, doctor.out.contains("a protocol without a server in [gate.http.nginx]"))
    };
    assert_eq!(ask("imap").field("auth-port"), Some("143"));
    assert_eq!(says(&node), (0, false), "nobody was refused for want of a server");
    assert_eq!(ask("pop3").field("auth-error-code"), Some("451 4.3.0"));
    assert_eq!(says(&node), (1, true));
    wait::until_true("the log has it", || node.process().stderr().contains("a protocol without a server"));
    node.stop();
}
