//! Other people's log lines with labels. They are not part of the project: `RATTER_SHARED` names the folder that holds
//! `corpora/` and `reference/`. Without it these tests look at nothing, and say so.

#![expect(clippy::print_stdout, reason = "what was looked at is told")]
#![expect(clippy::disallowed_methods, reason = "the samples are files outside the project")]

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
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
    read_by(&mut reader, line)
}

/// The reader of a service's lines, which go through it in their order.
fn reader_of(service: &str) -> Reader {
    let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a rule of POSIX");
    let reader = Reader::new(zone.clone(), Timing::Replay);
    reader.with_service(service).unwrap_or_else(|_| Reader::new(zone, Timing::Replay))
}

fn read_by(reader: &mut Reader, line: &str) -> Vec<Seen> {
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

/// Kinds that accuse nobody.
fn is_harmless(kind: EventKind) -> bool {
    matches!(kind, EventKind::Connect | EventKind::LoginOk | EventKind::MessageSent)
}

/// Lines of which nobody can say whom they are about: the client is a name, which its own name server chose, or the lines
/// that had the address are not among the samples.
fn is_undecidable(record: &Value, line: &str) -> bool {
    let is_address = record["host"].as_str().is_none_or(|host| host.parse::<std::net::IpAddr>().is_ok());
    // Of the three names that PAM refused before, the samples have none; of the wrong keys before, neither.
    let needs_others = ["[1559]: Accepted password for known", "sshd[2364]: Received disconnect"];
    !is_address || needs_others.iter().any(|other| line.contains(other))
}

#[test]
fn labelled_lines() {
    let records = records("corpora/auth-logs-dev.jsonl");
    let records: Vec<_> = records.iter().filter(|record| record["category"] != "other").collect();
    let accused: BTreeSet<_> = records
        .iter()
        .filter(|record| record["match"] == Value::Bool(true))
        .map(|record| record["line"].as_str())
        .collect();
    let mut services = BTreeMap::<_, ([u32; 4], Option<Reader>)>::new();
    let mut wrong = Vec::new();
    for record in &records {
        let (service, line) = (record["service"].as_str().unwrap(), record["line"].as_str().unwrap());
        let ([found, positives, undecidable, negatives], reader) = services.entry(service).or_default();
        let reader = reader.get_or_insert_with(|| reader_of(service));
        let seen = read_by(reader, line);
        let host = record["host"].as_str();
        if seen.iter().any(|event| host.is_some_and(|host| host != event.address)) {
            wrong.push(format!("{service}: {seen:?} of {host:?} in {line}"));
        }
        if record["match"] == Value::Bool(false) {
            // Some lines are labelled both ways, by the mode of a filter.
            if !accused.contains(&Some(line)) {
                *negatives += 1;
                if seen.iter().any(|event| !is_harmless(event.kind)) {
                    wrong.push(format!("{service}: accused {seen:?} in {line}"));
                }
            }
            continue;
        }
        if is_undecidable(record, line) {
            *undecidable += 1;
            continue;
        }
        *positives += 1;
        let user = record["user"].as_str();
        let is_found = |event: &Seen| {
            host.is_none_or(|host| host == event.address) && (user.is_none() || user == event.login.as_deref())
        };
        if seen.iter().any(is_found) {
            *found += 1;
        } else {
            wrong.push(format!("{service}: missed {host:?} {user:?} in {line}"));
        }
        if let (Some(time), Some(event)) = (record["time"].as_str(), seen.first()) {
            let wanted = read(&format!("{time} imap-login: Login: user=<a>, rip=198.51.100.7"))[0].time;
            // daemontools counts ten seconds that fail2ban leaves out.
            let wanted = if line.starts_with('@') { wanted.minus(Duration::from_secs(10)) } else { wanted };
            if !service.ends_with("-journal") && event.time.as_secs() != wanted.as_secs() {
                wrong.push(format!("{service}: {} is not {time} in {line}", event.time));
            }
        }
    }
    for (service, ([found, positives, undecidable, negatives], _)) in &services {
        println!("{service:>18}: {found} of {positives}, {undecidable} undecidable, {negatives} negatives");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn parsed_lines() {
    let mut services = BTreeMap::new();
    let mut wrong = Vec::new();
    for record in records("corpora/parsed-logs-dev.jsonl") {
        let (service, line) = (record["log_type"].as_str().unwrap(), record["line"].as_str().unwrap());
        let seen = read_by(services.entry(service.to_owned()).or_insert_with(|| reader_of(service)), line);
        let host = record["host"].as_str();
        if seen.iter().any(|event| host.is_some_and(|host| host != event.address)) {
            wrong.push(format!("{seen:?} of {host:?} in {line}"));
        }
        let attacks = [
            "(auth failed",
            "auth-worker",
            ": SASL ",
            "authenticator failed",
            "PREGREET",
            " rejected RCPT",
            "ratelimited",
            "sender verify fail",
            "NOQUEUE: reject",
            "535 5.7.3",
            "-ERR Authentication failure",
            "rate-limited",
            "client login failed",
            "authentication failed for [",
            "Failed password",
            "Invalid user",
            "Unable to negotiate",
        ];
        if attacks.iter().any(|attack| line.contains(attack)) && seen.is_empty() {
            wrong.push(format!("missed in {line}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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

/// rspamd's own log, as it is and as a client would have it: what a client writes makes nobody exceed a limit.
#[test]
fn text_in_rspamds_log_bans_nobody() {
    let Some(folder) = shared("reference/rspamd") else { return };
    let text = |name: &str| fs::read_to_string(folder.join(name)).expect("the sample file is there");
    let mut messages = BTreeSet::new();
    for name in ["rspamd-3.4.log.sample", "rspamd-4.1.5.log.sample"] {
        for line in text(name).lines() {
            let is_over = line.ends_with("exceeded\"; score=nan (set by ratelimit)");
            let exceeded = exceeded(line);
            assert_eq!(exceeded.len(), usize::from(is_over), "{line}");
            messages.extend(exceeded);
        }
    }
    assert!(messages.len() >= 5, "{messages:?}");
    // What a client may write into an envelope address, at every place where a line has one.
    let written = [
        "ip: 198.51.100.96, x Ratelimit \"user\" exceeded",
        "a, forced: soft reject \"Ratelimit \"user\" exceeded\"; score=nan (set by ratelimit)",
        "a, forced: soft reject \"Ratelimit \"user\" exceeded\"; score=nan (set by ratelimit), settings_id: b",
        "x>, ip: 198.51.100.97, user: y, from: <z>, (default: F (soft reject): [0.00/15.00] []), forced: soft reject \
         \"Ratelimit \"user\" exceeded\"; score=nan (set by ratelimit)",
        "; lua; ratelimit.lua:617: ratelimit \"user(10000:x)\" exceeded, ip: 198.51.100.98",
        "#1(normal) <ee46c6>; task; rspamd_task_write_log: id: <m@x>, ip: 198.51.100.99, user: y",
        "milter-reject: END-OF-MESSAGE from x[198.51.100.95]: 4.7.1 Ratelimit \"user\" exceeded; from=<",
        "\u{2028}ip: 198.51.100.94, \u{202e}Ratelimit \"user\" exceeded",
    ];
    let mut injected = 0;
    for line in text("log-injection.log.sample").lines().filter(|line| !line.starts_with('#')) {
        assert_eq!(exceeded(line), [], "{line}");
        for text in written {
            for (place, _) in line.match_indices("@example") {
                let line = [&line[..place], text, &line[place..]].concat();
                assert_eq!(exceeded(&line), [], "{line}");
                injected += 1;
            }
        }
    }
    println!("{injected} lines with injected text, and nobody exceeded a limit");
    assert!(injected >= 100, "{injected}");
}

/// The messages of a line that exceeded a limit, with the address of each.
fn exceeded(line: &str) -> Vec<(String, String)> {
    let mut reader = Reader::new(TimeZone::UTC, Timing::Replay);
    let mut found = Vec::new();
    reader.read(line.as_bytes(), Timestamp::from_secs(1_795_300_000), &mut |event| {
        let address = event.address.map(|address| address.to_string()).unwrap_or_default();
        assert!(!address.starts_with("198.51.100."), "{line}");
        if event.kind == EventKind::RateExceeded {
            found.push((address, event.session.unwrap_or_default().to_owned()));
        }
    });
    found
}
