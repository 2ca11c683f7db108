//! Requests as Dovecot 2.3 and 2.4 sent them, byte for byte: from `data/`, and, where `RATTER_SHARED` names the folder with
//! the reference material, all that were captured from the real servers.

#![expect(clippy::disallowed_methods, reason = "a test reads its material and the environment")]
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use core::time::Duration;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use base::{Decision, Event, Reason, Tally, Timestamp, Verdict};
use gates::dovecot::{Access, Count, Gate, PasswordHash, Reading, Request, Settings};
use gates::http::Http;
use gates::session::Protocol;
use rules::{Door, Question, Stage};
use serde_json::Value;
use sha2::{Digest, Sha256};

const NONCE: &str = "localrandomstring";
/// Every password that was tried while the requests were captured.
const PASSWORDS: [&str; 12] =
    ["correct-horse", "wrong1", "wrong2", "wrong3", "whatever", "wrong-sasl", "w1", "w2", "w3", "w4", "w5", ""];

/// Decides by the beginning of the login, as the server did that captured the requests.
#[derive(Default)]
struct ByName(Mutex<Vec<String>>);

impl Door for ByName {
    fn ask(&self, _: Timestamp, question: &Question<'_>) -> Decision {
        let login = question.login.unwrap_or_default();
        let begins = |names: &[&str]| names.iter().any(|name| login.starts_with(name));
        let verdict = match question.stage {
            _ if begins(&["deny", "neg"]) => Verdict::Refuse,
            _ if begins(&["tarpit"]) => Verdict::Tarpit(Duration::from_secs(3)),
            Stage::After if begins(&["late"]) => Verdict::Refuse,
            Stage::Connect | Stage::Before | Stage::After | Stage::Nowhere => Verdict::Pass,
        };
        Decision { verdict, reason: Reason::Unlisted }
    }

    fn observe(&self, event: &Event<'_>) -> Decision {
        let tag = event.password.map_or_else(|| "-".to_owned(), |tag| format!("{:04x}", tag.0));
        let refused = if event.tally == Tally::Refused { " refused" } else { "" };
        let line = format!("{} {} {tag}{refused}", event.kind, event.login.unwrap_or("-"));
        assert!(event.address.is_some(), "{line}");
        self.0.lock().unwrap().push(line);
        Decision::PASS
    }
}

/// One captured request: as it went over the wire, its body, and what the capturing server answered.
struct Captured {
    wire: String,
    body: Value,
    answered: String,
}

/// Reads the capturing server's log: request line, headers indented, `>>` body, `<<` answer.
fn read(log: &str) -> Vec<Captured> {
    let mut all = Vec::new();
    let mut head = String::new();
    let mut body = "";
    for line in log.lines() {
        if let Some(text) = line.strip_prefix("  >> ") {
            body = text;
        } else if let Some(answered) = line.strip_prefix("  << ") {
            let wire = format!("{head}\r\n{body}");
            all.push(Captured { wire, body: serde_json::from_str(body).unwrap(), answered: answered.to_owned() });
        } else if let Some(header) = line.strip_prefix("  ") {
            head = format!("{head}{header}\r\n");
        } else {
            let request = &line[line.find("POST").unwrap()..];
            head = format!("{request} HTTP/1.1\r\n");
        }
    }
    all
}

fn shared(name: &str) -> Option<String> {
    let folder = PathBuf::from(std::env::var_os("RATTER_SHARED")?);
    Some(std::fs::read_to_string(folder.join("reference/dovecot").join(name)).unwrap())
}

fn material() -> Vec<(&'static str, String)> {
    let own = [("2.3", include_str!("data/policy-2.3.log")), ("2.4", include_str!("data/policy-2.4.log"))];
    let own = own.map(|(version, log)| (version, log.to_owned()));
    let captured = [("2.3", "policy-2.3.19.log"), ("2.4", "policy-2.4.1.log")];
    own.into_iter().chain(captured.into_iter().filter_map(|(version, name)| Some((version, shared(name)?)))).collect()
}

/// What we must answer where the capturing server answered `theirs`.
fn wanted(theirs: &str, is_after: bool, login: &str, version: &str) -> String {
    let Ok(theirs) = serde_json::from_str::<Value>(theirs) else {
        return r#"{"status":0,"msg":"","r_attrs":{}}"#.to_owned();
    };
    let status = match theirs["status"].as_i64() {
        None => return r#"{"status":"ok"}"#.to_owned(),
        // Captured from 2.3 without the mark, so that nobody can know that this was the second question.
        Some(_) if login.starts_with("late") && version == "2.3" => 0,
        Some(status) if status > 0 && is_after => 0,
        Some(status) => status.max(-1),
    };
    format!(r#"{{"status":{status},"msg":"","r_attrs":{{}}}}"#)
}

#[test]
fn captured_requests_are_answered() {
    for (version, log) in material() {
        let door = Arc::new(ByName::default());
        let settings = Settings {
            access: Access::open().with_password("super"),
            password_hash: Some(PasswordHash::new(NONCE)),
            ..Settings::default()
        };
        let gate = Arc::new(Gate::new(settings, door.clone()));
        let mut session = Http::new(gate.clone()).session(None);
        let captured = read(&log);
        assert!(captured.len() >= 9);
        for Captured { wire, body, answered } in &captured {
            let reply = session.converse(Timestamp::EPOCH, wire.as_bytes(), usize::MAX);
            let reply = String::from_utf8(reply).unwrap();
            let is_after = body["attrs"]["stage"] == "after";
            let wanted = wanted(answered, is_after, body["login"].as_str().unwrap(), version);
            assert_eq!(reply.split_once("\r\n\r\n").unwrap().1, wanted, "{wire}");
            if let Some(success) = body["success"].as_bool() {
                let line = door.0.lock().unwrap().pop().unwrap();
                let kind = if success { "login-ok" } else { "login-failed" };
                assert!(line.starts_with(kind), "{line}: {wire}");
                assert_eq!(line.ends_with("refused"), body["policy_reject"] == true, "{line}: {wire}");
            }
        }
        let count = |count| gate.counters().get(count);
        assert_eq!(count(Count::OddFields) + count(Count::NotJson) + count(Count::Unauthorized), 0, "{version}");
        assert_eq!(count(Count::UnusedTags) + count(Count::UnknownCommand), 0, "{version}");
        assert_eq!(count(Count::AskedAfter) > 0, version == "2.4", "2.3 was captured without the mark");
    }
}

/// The first 12 bits of the hash, as Dovecot's documentation says.
fn pwhash(login: &str, password: &str) -> String {
    let hash = Sha256::digest(format!("{NONCE}{login}\0{password}"));
    format!("{:04x}", u16::from_be_bytes([hash[0], hash[1]]) >> 4)
}

#[test]
fn captured_hashes_are_understood() {
    let bodies = ["bodies-2.3.19.jsonl", "bodies-2.4.1.jsonl"].into_iter().filter_map(shared);
    let bodies = bodies.flat_map(|file| {
        let line = |line: &str| serde_json::from_str::<Value>(line).unwrap()["body"].as_str().unwrap().to_owned();
        file.lines().map(line).collect::<Vec<_>>()
    });
    let own = material().into_iter().flat_map(|(_, log)| read(&log)).map(|captured| captured.body.to_string());
    let hash = PasswordHash::new(NONCE);
    let mut seen = 0;
    for body in bodies.chain(own) {
        let request = Request::parse(&body).unwrap();
        assert!(!request.is_odd, "{body}");
        let password = PASSWORDS.iter().find(|password| pwhash(&request.login, password) == request.pwhash);
        let password = password.unwrap_or_else(|| panic!("no known password: {body}"));
        let reading = hash.read(&request.login, &request.pwhash);
        assert_eq!(reading == Reading::Constant, password.is_empty(), "{body}");
        assert_ne!(reading, Reading::Odd, "{body}");
        seen += 1;
    }
    assert!(seen >= 20, "{seen}");
}
