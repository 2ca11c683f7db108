//! Dovecot 2.4, which Debian 12 does not have, by the requests that it sends: keys in its order, `fail_type`, and what an
//! admin adds to the attributes. Dovecot 2.3's requests without the marker are here too.

use std::path::Path;

use ratter_tests::policy::{Gate, verdict};
use ratter_tests::process::text_of;
use ratter_tests::ratter::{Config, Node};
use serde_json::Value;

const GUESSER: &str = "203.0.113.5";

/// A body of version 2.4 as it goes over the wire.
fn body(stage: &str, fail_type: &str, login: &str, hash: &str, remote: &str, session: &str, end: &str) -> String {
    format!(
        "{{\"attrs\":{{\"local_port\":\"993\",\"stage\":\"{stage}\"}},\"device_id\":\"\",\"fail_type\":\"{fail_type}\",\
         \"login\":\"{login}\",\"protocol\":\"imap\",\"pwhash\":\"{hash}\",\"remote\":\"{remote}\",\
         \"session_id\":\"{session}\",{end}\"tls\":true}}"
    )
}

const FAILED: &str = "\"success\":false,\"policy_reject\":false,";
const REFUSED: &str = "\"success\":false,\"policy_reject\":true,";
const SUCCEEDED: &str = "\"success\":true,\"policy_reject\":false,";

/// A failed login as version 2.4 tells it: the question, then the report.
fn fail(gate: &mut Gate, number: u32, fail_type: &str) -> i64 {
    let (hash, session) = (format!("{number:04x}"), format!("H1ngtcRgpr1/{number:04}"));
    let before = verdict(&gate.send("allow", &body("before", "", "alice", &hash, GUESSER, &session, "")));
    let end = if before < 0 { REFUSED } else { FAILED };
    let report = gate.send("report", &body("before", fail_type, "alice", &hash, GUESSER, &session, end));
    assert_eq!(report.status, 200, "{report:?}");
    before
}

fn succeed(gate: &mut Gate, number: u32, login: &str, remote: &str) -> (i64, i64) {
    let (hash, session) = (format!("{number:04x}"), format!("tkfftcRgpL1/{number:04}"));
    let before = verdict(&gate.send("allow", &body("before", "", login, &hash, remote, &session, "")));
    let after = verdict(&gate.send("allow", &body("after", "", login, &hash, remote, &session, "")));
    let (fail_type, end) = if after < 0 { ("policy", REFUSED) } else { ("", SUCCEEDED) };
    gate.send("report", &body("after", fail_type, login, &hash, remote, &session, end));
    (before, after)
}

#[test]
fn what_is_no_guess_does_not_count() {
    let node = Node::start(&Config::new());
    let mut gate = node.gate();
    assert_eq!(succeed(&mut gate, 1, "alice", "198.51.100.20"), (0, 0));
    for (number, fail_type) in ["internal", "expired", "disabled", "policy"].into_iter().cycle().take(12).enumerate() {
        assert_eq!(fail(&mut gate, 100 + number as u32, fail_type), 0, "{fail_type} is no guess");
    }
    assert!(node.all_listings().is_empty());
    assert_eq!(node.quick_status().engine.counted, 0);
}

#[test]
fn the_fifth_guess_blocks() {
    for (number, fail_type) in ["credentials", "account"].into_iter().enumerate() {
        let node = Node::start(&Config::new());
        let mut gate = node.gate();
        for guess in 0..5 {
            assert_eq!(fail(&mut gate, 100 * number as u32 + guess, fail_type), 0);
        }
        assert!(fail(&mut gate, 100 * number as u32 + 6, fail_type) < 0);
        assert_eq!(succeed(&mut gate, 7, "bob", "198.51.100.21"), (0, 0));
        assert_eq!(succeed(&mut gate, 8, "alice", "198.51.100.20"), (0, 0), "one address does not block a login");
    }
}

#[test]
fn without_the_marker_a_blocked_address_is_refused_all_the_same() {
    // Dovecot 2.3 as its own documentation configures it: the two questions of a login are the same to the byte.
    let node = Node::start(&Config::new());
    let mut gate = node.gate();
    let plain = |hash: &str, session: &str, end: &str| {
        format!(
            "{{\"device_id\":\"\",\"login\":\"alice\",\"protocol\":\"imap\",\"pwhash\":\"{hash}\",\
             \"remote\":\"{GUESSER}\",\"session_id\":\"{session}\",{end}\"tls\":false}}"
        )
    };
    for guess in 0..5 {
        let (hash, session) = (format!("0ac{guess}"), format!("ZvNih8RgDIV/000{guess}"));
        assert_eq!(verdict(&gate.send("allow", &plain(&hash, &session, ""))), 0);
        gate.send("report", &plain(&hash, &session, FAILED));
    }
    for _ in 0..2 {
        assert!(verdict(&gate.send("allow", &plain("0810", "ZvNih8RgDIV/0009", ""))) < 0);
    }
}

#[test]
fn requests_come_together_and_in_pieces() {
    let node = Node::start(&Config::new());
    let mut gate = node.gate();
    let body = body("before", "", "alice", "0810", "198.51.100.20", "tkfftcRgpL1/AAAB", "");
    let request = format!(
        "POST /?command=allow HTTP/1.1\r\nHost: 127.0.0.1:4001\r\nDate: Sat, 21 Nov 2026 07:57:21 GMT\r\n\
         User-Agent: dovecot/auth-policy-client\r\nContent-Length: {}\r\nConnection: Keep-Alive\r\n\
         Content-Type: application/json\r\n{}\r\n{body}",
        body.len(),
        ratter_tests::policy::AUTHORIZATION
    );
    let mut answered = 0;
    for round in 1..=4 {
        let together = request.repeat(round);
        // Pieces of odd sizes, so that every place in a request is a border once.
        for piece in together.as_bytes().chunks(37 * round + round) {
            gate.raw().send(piece).expect("the gate reads");
        }
        for _ in 0..round {
            assert_eq!(verdict(&gate.raw().receive().expect("an answer for each")), 0);
            answered += 1;
        }
    }
    assert_eq!(node.quick_status().gates[0].asked, answered);
}

/// Captured requests of both versions, from a folder beside the project; the variable `RATTER_SHARED` names it.
#[test]
fn captured_requests_are_understood() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("dovecot/requests-2.4.jsonl");
    let mut captures = vec![own];
    if let Some(shared) = std::env::var_os("RATTER_SHARED") {
        let folder = Path::new(&shared).join("reference/dovecot");
        captures.extend(["bodies-2.3.19.jsonl", "bodies-2.4.1.jsonl"].map(|file| folder.join(file)));
    }
    for capture in captures {
        let text = text_of(&capture);
        assert!(!text.is_empty(), "{} is missing", capture.display());
        let node = Node::start(&Config::new());
        let mut gate = node.gate();
        for line in text.lines() {
            let request: Value = serde_json::from_str(line).expect("a request a line");
            let text = |key: &str| request[key].as_str().expect("a text");
            let response = gate.send(text("command"), text("body"));
            match text("command") {
                "allow" => assert!((-1..=60).contains(&verdict(&response)), "{line}: {response:?}"),
                "report" => assert_eq!(response.status, 200, "{line}: {response:?}"),
                other => panic!("Dovecot sends no `{other}`"),
            }
        }
        let status = node.quick_status();
        assert_eq!(status.gates[0].malformed, 0, "{}: {:?}", capture.display(), status.gates);
        let answered = status.gates[0].asked + status.gates[0].reported;
        assert_eq!(answered, text.lines().count() as u64, "{}: {:?}", capture.display(), status.gates);
    }
}
