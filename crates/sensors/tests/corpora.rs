//! Other people's log lines with labels. They are not part of the project: `RATTER_SHARED` names the folder that holds
//! `corpora/` and `reference/`. Without it these tests look at nothing, and say so.

#![expect(clippy::print_stdout, reason = "what was looked at is told")]
#![expect(clippy::disallowed_methods, reason = "the samples are files outside the project")]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use base::{Channel, EventKind, Tally, Timestamp};
use sensors::{Reader, TimeZone, Timing};
use serde_json::Value;

fn shared(path: &str) -> Option<PathBuf> {
    match std::env::var("RATTER_SHARED") {
        Ok(folder) => Some(PathBuf::from(folder).join(path)),
        Err(_) => {
            println!("RATTER_SHARED is not set: {path} was not looked at, this test shows nothing");
            None
        }
    }
}

fn records(path: &str) -> Vec<Value> {
    let Some(path) = shared(path) else { return Vec::new() };
    let text = fs::read_to_string(path).expect("the sample file is there");
    text.lines().map(|line| serde_json::from_str(line).expect("the sample file holds JSON lines")).collect()
}

#[derive(Debug)]
struct Seen {
    kind: EventKind,
    address: String,
    login: Option<String>,
    time: Timestamp,
}

/// The clock of fail2ban's test suite: 2005-08-14 12:00 in central Europe.
const NOW: Timestamp = Timestamp::from_secs(1_124_013_600);

fn read(line: &str) -> Vec<Seen> {
    let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a rule of POSIX");
    let mut reader = Reader::new(zone, Timing::Replay);
    let mut seen = Vec::new();
    reader.read(line.as_bytes(), NOW, &mut |event| {
        seen.push(Seen {
            kind: event.kind,
            address: event.address.map(|address| address.to_string()).unwrap_or_default(),
            login: event.login.map(str::to_owned),
            time: event.time,
        });
    });
    seen
}

/// Whether a line of these is what the grammars speak of today: Dovecot, and SASL at Postfix.
fn is_in_scope(record: &Value) -> bool {
    let line = record["line"].as_str().unwrap_or_default();
    match record["service"].as_str() {
        Some("dovecot") => true,
        Some("postfix") => line.contains(": SASL "),
        _ => false,
    }
}

#[test]
fn labelled_lines() {
    let records = records("corpora/auth-logs-dev.jsonl");
    let (mut positives, mut found, mut negatives, mut times) = (0, 0, 0, 0);
    for record in &records {
        let (line, seen) = (record["line"].as_str().unwrap(), read(record["line"].as_str().unwrap()));
        let host = record["host"].as_str();
        for event in &seen {
            assert!(host.is_none_or(|host| host == event.address), "{event:?} of {host:?} in {line}");
        }
        if !is_in_scope(record) {
            continue;
        }
        if record["match"] == Value::Bool(false) {
            negatives += 1;
            assert!(seen.iter().all(|event| event.kind != EventKind::LoginFailed), "{seen:?} in {line}");
            continue;
        }
        positives += 1;
        match &seen[..] {
            [event] if Some(event.address.as_str()) == host => {
                found += 1;
                let user = record["user"].as_str();
                assert!(user.is_none() || user == event.login.as_deref(), "{event:?} is {user:?} in {line}");
                if let Some(time) = record["time"].as_str() {
                    let wanted = read(&format!("{time} imap-login: Login: user=<a>, rip=198.51.100.7"))[0].time;
                    // daemontools counts ten seconds that fail2ban leaves out.
                    let wanted =
                        if line.starts_with('@') { wanted.minus(core::time::Duration::from_secs(10)) } else { wanted };
                    assert_eq!(event.time.as_secs(), wanted.as_secs(), "{line}");
                    times += 1;
                }
            }
            other => println!("missed: {other:?} for {host:?} in {line}"),
        }
    }
    println!(
        "labelled lines in scope: {found} of {positives} positives, 0 login failures in {negatives} negatives, {times} times right"
    );
    assert_eq!(found, positives);
}

#[test]
fn parsed_lines() {
    let (mut all, mut found) = (0, 0);
    for record in records("corpora/parsed-logs-dev.jsonl") {
        let line = record["line"].as_str().unwrap();
        let (host, seen) = (record["host"].as_str(), read(line));
        for event in &seen {
            assert!(host.is_none_or(|host| host == event.address), "{event:?} of {host:?} in {line}");
        }
        let is_told = line.contains(" dovecot") && line.contains("(auth failed")
            || line.contains("auth-worker")
            || line.contains(": SASL ");
        if is_told {
            all += 1;
            found += usize::from(seen.len() == 1 && seen[0].kind == EventKind::LoginFailed);
        }
    }
    println!("parsed lines in scope: {found} of {all}");
    assert_eq!(found, all);
}

#[test]
fn captured_logs_of_both_versions() {
    for version in ["2.3.19", "2.4.1"] {
        let Some(path) = shared(&format!("reference/dovecot/dovecot-{version}.log")) else { return };
        let text = fs::read_to_string(path).expect("the captured log is there");
        let mut reader = Reader::new(TimeZone::UTC, Timing::Replay);
        let mut counts = BTreeMap::new();
        for line in text.lines() {
            reader.read(line.as_bytes(), Timestamp::from_secs(1_795_300_000), &mut |event| {
                assert!(
                    event.address.is_some() && event.session.is_some_and(|session| line.contains(session)),
                    "{line}"
                );
                *counts.entry((event.kind, event.channel.name(), event.tally == Tally::Refused)).or_insert(0) += 1;
            });
        }
        let lines = |marks: &[&str]| text.lines().filter(|line| marks.iter().any(|mark| line.contains(mark))).count();
        let wanted = [
            ((EventKind::LoginFailed, Channel::Front.name(), false), lines(&["(auth failed,"])),
            ((EventKind::LoginFailed, Channel::Auth.name(), false), lines(&["Password mismatch", "unknown user"])),
            ((EventKind::LoginFailed, Channel::Auth.name(), true), lines(&["policy server refusal"])),
            (
                (EventKind::LoginOk, Channel::Front.name(), false),
                lines(&["login: Info: Login:", "login: Info: Logged in:"]),
            ),
            (
                (EventKind::Connect, Channel::Front.name(), false),
                lines(&["(no auth attempts", "(client didn't finish"]),
            ),
        ];
        println!("Dovecot {version}: {counts:?}");
        assert_eq!(counts, wanted.into_iter().filter(|(_, count)| *count > 0).collect(), "{version}");
    }
}
