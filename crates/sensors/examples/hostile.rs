//! Milliseconds for a megabyte of hostile lines, the dearest of each service: `cargo run --release -p ratter-sensors
//! --features io --example hostile`. Each line is as long as one that is read can be. The quickest of several rounds
//! counts, so that what runs beside it does not.

#![expect(clippy::disallowed_methods, reason = "a program of its own, which reads clocks")]
#![expect(clippy::print_stdout, reason = "prints what it measured")]

use std::collections::BTreeMap;
use std::time::Instant;

use base::Timestamp;
use base::limits::LINE_BYTES_MAX;
use sensors::{Reader, TimeZone, Timing};

/// What every daemon but Dovecot writes around a client's text.
const FORMS: &[(&str, &str, &str)] = &include!("../src/grammar/tests/forms.in");

const DOVECOT: &[&str] = &[
    "> dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<@>, method=PLAIN, rip=203.0.113.5, lip=192.0.2.1, session=<S>",
    "> dovecot: auth-worker(7): conn unix:auth-worker (pid=7,uid=9): auth-worker<5>: sql(@,203.0.113.5,<S>): unknown user",
    "> auth(@,203.0.113.5,sasl:plain)<S>: Info: sql: unknown user",
    "> dovecot: auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=@ rhost=203.0.113.5  user=@",
];

const TEXTS: &[&str] = &[
    "x",
    " ",
    ",",
    "<",
    ">",
    "(",
    ")",
    "[",
    "]",
    ":",
    "=",
    "\"",
    "'",
    ";",
    "): ",
    ")<",
    ", rip=",
    " from ",
    "[198.51.100.9]",
    "user=<",
    " rhost=",
    " H=[198.51.100.9]",
    ", relay=",
    "\u{e9}",
    "e",
    "a>, rip=198.51.100.9): )<q>: rhost=198.51.100.9 ",
    "\\\"",
    "{\"a\":",
];

const ROUNDS: u32 = 8;

fn main() {
    let mut dearest = BTreeMap::new();
    let forms = FORMS.iter().map(|(service, form, _)| (*service, *form)).chain(DOVECOT.iter().map(|form| ("", *form)));
    for (service, form) in forms {
        let reader = || {
            let reader = Reader::new(TimeZone::UTC, Timing::Replay);
            if service.is_empty() { Ok(reader) } else { reader.with_service(service) }
        };
        for text in TEXTS {
            let lines = lines(form, text);
            let bytes: usize = lines.iter().map(String::len).sum();
            // A form whose long lines are beyond the limit has nothing to show.
            let (Ok(mut reader), true) = (reader(), bytes > LINE_BYTES_MAX / 4) else { continue };
            let rounds = (0..ROUNDS).map(|_| {
                let begin = Instant::now();
                for line in &lines {
                    reader.read(line.as_bytes(), Timestamp::from_secs(1_795_247_055), &mut |_| ());
                }
                begin.elapsed().as_nanos() as u64
            });
            let millis = rounds.min().unwrap_or(0) as f64 / bytes as f64;
            let name = if service.is_empty() { form.split([':', '[', '(']).next().unwrap_or("") } else { service };
            let worst = dearest.entry(name).or_insert((0.0, *text));
            if millis > worst.0 {
                *worst = (millis, *text);
            }
        }
    }
    let mut all: Vec<_> = dearest.into_iter().collect();
    all.sort_by(|a, b| b.1.0.total_cmp(&a.1.0));
    for (name, (millis, text)) in all {
        println!("{millis:>8.3} ms/MB  {name}  {text:?}");
    }
}

/// The lines of a form with as much of a text as one line can hold.
fn lines(form: &str, text: &str) -> Vec<String> {
    let places = form.matches(['@', '~']).count().max(1);
    let hostile = text.repeat((LINE_BYTES_MAX - 2048) / places / text.len());
    let form = form.replace(['@', '~'], &hostile);
    let lines = form.split('\n').map(|line| match line.strip_prefix("> ") {
        Some(line) => format!("Nov 21 07:44:14 mx {line}"),
        None => line.to_owned(),
    });
    lines.filter(|line| line.len() < LINE_BYTES_MAX).collect()
}
