//! What `ratter parse` prints, and of which forms of logs.

use std::fmt::Write as _;

use ratter_tests::lines;
use ratter_tests::place::Place;
use ratter_tests::process::write;
use ratter_tests::ratter::{Config, Node};

const FAILED: &str = r#"{"address":"203.0.113.7","attempts":2,"channel":"front","kind":"login-failed","login":"alice"#;

#[test]
fn each_line_has_its_events_and_all_are_counted() {
    let place = Place::new("parsed");
    let node = Node::prepare(&Config::new());
    let log = place.join("mail.log");
    let failed = format!("Nov 21 07:44:14 mx {}", lines::failed("203.0.113.7", "alice", 2));
    write(&log, &format!("{failed}\nNov 21 07:44:15 mx cron[7]: nothing\n{failed}"));
    let name = log.to_str().expect("an ASCII path");

    let parsed = node.cli(&["parse", name]).with_code(0);
    let out: Vec<&str> = parsed.out.lines().collect();
    assert_eq!(out.len(), 3, "{out:?}");
    assert!(out[0].starts_with(&format!(r#"{{"line":1,"events":[{FAILED}"#)), "{}", out[0]);
    assert!(out[0].ends_with("14.000Z\"}]}"), "{}", out[0]);
    assert_eq!(out[1], r#"{"line":2,"events":[]}"#);
    assert_eq!(out[2], out[0].replace(r#""line":1"#, r#""line":3"#));

    let counted = node.cli(&["parse", "--count", name]).with_code(0);
    assert_eq!(counted.out, "{\"lines\":3,\"events\":{\"login-failed\":2}}\n");
}

/// The same of a journal that was saved, in both forms.
#[test]
fn a_saved_journal_is_read_like_a_log() {
    let place = Place::new("saved");
    let node = Node::prepare(&Config::new());
    let message = lines::failed("203.0.113.7", "alice", 2);
    let (tag, message) = message.split_once(": ").expect("a tag stands first");
    let (mut export, mut json) = (String::new(), String::new());
    for number in 1..=3 {
        let micros = 1_795_247_054_000_000u64 + number;
        let cursor = format!("s=0a;i={number:x};b=0b;m=1;t={micros:x};x=0c");
        write!(
            export,
            "__CURSOR={cursor}\n__REALTIME_TIMESTAMP={micros}\nPRIORITY=6\n_HOSTNAME=mx\nSYSLOG_IDENTIFIER={tag}\n_PID=7\nMESSAGE={message}\n\n"
        )
        .expect("memory");
        writeln!(
            json,
            r#"{{"PRIORITY":"6","MESSAGE":"{message}","SYSLOG_IDENTIFIER":"{tag}","_PID":"7","_HOSTNAME":"mx","__REALTIME_TIMESTAMP":"{micros}","__CURSOR":"{cursor}"}}"#
        )
        .expect("memory");
    }
    for (form, text) in [("export", export), ("json", json)] {
        let log = place.join(&format!("journal.{form}"));
        write(&log, &text);
        let name = log.to_str().expect("an ASCII path");
        let parsed = node.cli(&["parse", name]).with_code(0);
        assert_eq!(parsed.out.lines().count(), 3, "{form}: {}", parsed.out);
        for line in parsed.out.lines() {
            assert!(line.contains(FAILED) && line.contains("2026-11-21T07:44:14.000Z"), "{form}: {line}");
        }
        let replayed: console::api::WouldHave = node.cli(&["--json", "replay", name]).with_code(0).json();
        assert_eq!((replayed.lines, replayed.failures), (3, 3), "{form}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "commands are given open files as their streams")]
fn compressed_logs_are_read_from_standard_input() {
    let place = Place::new("parsed");
    let node = Node::prepare(&Config::new());
    let log = place.join("mail.log");
    write(&log, &format!("Nov 21 07:44:14 mx {}\n", lines::failed("203.0.113.7", "alice", 2)));
    for program in ["cat", "gzip", "xz", "zstd"] {
        let mut pack = std::process::Command::new(program);
        let pack = if program == "cat" { pack.arg(&log) } else { pack.arg("-c").arg(&log) };
        let packed = place.join(program);
        let into = std::fs::File::create(&packed).expect("the folder is the test's own");
        let status = pack.stdout(into).status();
        let status = status.unwrap_or_else(|error| panic!("{program}: {error}; install the package of that name"));
        assert!(status.success(), "{program}");
        for arguments in [&["parse"][..], &["parse", "-"]] {
            let from = std::fs::File::open(&packed).expect("it was made above");
            let said = node.command(arguments).stdin(from).output().expect("it was started before");
            let out = String::from_utf8_lossy(&said.stdout);
            assert!(said.status.success() && out.contains(FAILED) && out.lines().count() == 1, "{program}: {said:?}");
        }
    }
}

#[test]
fn who_only_reads_a_log_needs_no_place_for_a_state() {
    let node = Node::prepare(&Config::new());
    // Where the state should be there is a file, so that not even root can make a folder.
    write(&node.addresses().state, "in the way");
    let log = node.place().join("mail.log");
    write(&log, &format!("Nov 21 07:44:14 mx {}\n", lines::failed("203.0.113.7", "alice", 2)));
    for command in ["parse", "replay", "unknown"] {
        node.cli(&[command, &log.display().to_string()]).with_code(0);
    }
    assert!(node.cli(&["check"]).with_code(2).err.contains("state"), "a node needs one");
}
