//! Where lines come from besides one followed file: syslog messages from the real `logger`, a journal that the real
//! `systemd-journal-remote` wrote and `journalctl` reads, patterns of names, and the real `logrotate`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use ratter_tests::lines::{self, Log};
use ratter_tests::place::{Place, free_port};
use ratter_tests::process::{program, run, write};
use ratter_tests::ratter::{Config, Node};
use ratter_tests::wait;

const GUESSER: &str = "203.0.113.5";

/// Five guesses at a mail server, each a message of its own.
fn five(mut send: impl FnMut(&str)) {
    for _ in 0..5 {
        send(&format!("warning: unknown[{GUESSER}]: SASL LOGIN authentication failed: x, sasl_username=alice"));
    }
}

/// The five are read, each once, and block.
fn blocked_after_five(node: &Node) {
    node.wait_listed(GUESSER, "blocked");
    let counts =
        || node.quick_status().sensors.iter().map(|s| (s.lines, s.events)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    wait::until_true("five events", || counts().1 >= 5);
    assert_eq!(counts(), (5, 5), "{:?}", node.quick_status().sensors);
}

fn logger(arguments: &[&str], message: &str) {
    run(Command::new(program("logger", "bsdutils"))
        .args(["--tag", "postfix/smtpd", "--id=7"])
        .args(arguments)
        .arg(message))
    .with_code(0);
}

#[test]
fn syslog_by_udp_in_both_forms() {
    for form in ["--rfc3164", "--rfc5424"] {
        let listen = free_port();
        let node = Node::start(&Config::new().with(&format!("[[sensor.syslog]]\nudp = \"{listen}\"\n")));
        let port = listen.port().to_string();
        five(|message| logger(&["--udp", "--server", "127.0.0.1", "--port", &port, form], message));
        blocked_after_five(&node);
    }
}

#[test]
fn syslog_by_tcp_with_counted_octets_and_with_lines() {
    for framing in [&["--octet-count"][..], &[]] {
        let listen = free_port();
        let node = Node::start(&Config::new().with(&format!("[[sensor.syslog]]\ntcp = \"{listen}\"\n")));
        let port = listen.port().to_string();
        five(|message| logger(&[&["--tcp", "--server", "127.0.0.1", "--port", &port], framing].concat(), message));
        blocked_after_five(&node);
    }
}

#[test]
fn syslog_by_a_unix_socket() {
    let place = Place::new("syslog");
    let socket = place.join("log");
    let node =
        Node::start(&Config::new().with(&format!("[[sensor.syslog]]\nunix = {:?}\n", socket.display().to_string())));
    five(|message| logger(&["--socket", &socket.display().to_string()], message));
    blocked_after_five(&node);
    let text = node.cli(&["check"]).with_code(0).out;
    assert!(text.contains("1 syslog listeners"), "{text}");
}

/// Writes a journal's file, as one that collects those of other machines does.
fn write_journal(file: &Path, messages: &[String]) {
    let mut entries = String::new();
    for (number, message) in (1_u64..).zip(messages) {
        let micros = ratter_tests::time::now().as_millisecond().cast_unsigned() * 1000 + number;
        write!(
            entries,
            "__REALTIME_TIMESTAMP={micros}\n__MONOTONIC_TIMESTAMP={number}\n_BOOT_ID=0123456789abcdef0123456789abcdef\n\
             _HOSTNAME=mx\nSYSLOG_IDENTIFIER=postfix/smtpd\n_PID=7\nMESSAGE={message}\n\n"
        )
        .expect("a String takes all");
    }
    let export = file.with_extension("export");
    write(&export, &entries);
    let remote = Path::new("/lib/systemd/systemd-journal-remote");
    assert!(remote.is_file(), "the package systemd-journal-remote is missing: sh tests/install-packages.sh");
    run(Command::new(remote).arg(format!("--output={}", file.display())).arg(&export)).with_code(0);
}

#[test]
fn the_journal_through_journalctl() {
    let place = Place::new("journal");
    let folder = place.join("journal");
    std::fs::create_dir(&folder).expect("a folder of our own");
    let mut messages = Vec::new();
    five(|message| messages.push(message.to_owned()));
    write_journal(&folder.join("remote.journal"), &messages);
    let folder = folder.display().to_string();
    let config = Config::new().with(&format!("[[sensor.journal]]\ndirectory = {folder:?}\nfrom = \"start\"\n"));
    let mut node = Node::start(&config);
    blocked_after_five(&node);
    wait::until_true("the store to hold the guesses", || node.why(GUESSER).events.len() >= 5);

    // What was read is not read again.
    node.stop();
    node.start_again();
    wait::until_true("the journal to be read on", || node.sensor().state == "reading");
    assert_eq!((node.sensor().lines, node.why(GUESSER).events.len()), (5, 5));
}

#[test]
fn files_of_a_pattern_also_those_that_come_later() {
    let place = Place::new("logs");
    let mut first = Log::open(&place.join("a.log"));
    let node = Node::start(&Config::new().follow(&place.join("*.log")));
    first.line(&lines::failed_at_postfix(GUESSER, "alice"));
    let mut second = Log::open(&place.join("b.log"));
    for _ in 0..4 {
        second.line(&lines::failed_at_postfix(GUESSER, "alice"));
    }
    blocked_after_five(&node);
}

/// The real logrotate, with the options that a file's owner may choose, between every two lines.
#[test]
fn logrotate_in_all_its_ways() {
    for options in
        ["create", "copytruncate", "copytruncate\ncompress", "create\ncompress\ndelaycompress", "nocreate\ncompress"]
    {
        let place = Place::new("rotated");
        let log = place.join("mail.log");
        let (config, state) = (place.join("logrotate.conf"), place.join("state"));
        write(&config, &format!("{} {{\nrotate 9\nsu root root\n{options}\n}}\n", log.display()));
        run(Command::new("chmod").arg("644").arg(&config)).with_code(0);
        let node = Node::start(&Config::new().follow(&log));
        for line in 1..=5 {
            Log::open(&log).line(&lines::failed_at_postfix(GUESSER, "alice"));
            // copytruncate loses what is written between its two steps; nobody writes here then.
            wait::until_true("the line to be read", || node.sensor().lines >= line);
            let mut rotate = Command::new(program("logrotate", "logrotate"));
            run(rotate.arg("--force").arg("--state").arg(&state).arg(&config)).with_code(0);
        }
        node.wait_listed(GUESSER, "blocked");
        assert_eq!((node.sensor().lines, node.sensor().events), (5, 5), "{options}");
    }
}
