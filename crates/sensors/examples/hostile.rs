//! Milliseconds for a megabyte of hostile lines, the dearest of each service: `cargo run --release -p ratter-sensors
//! --features io --example hostile`. Each line is as long as one that is read can be. The quickest of several rounds
//! counts, so that what runs beside it does not. Texts are those below, and what each form itself has before and behind a
//! client's text.
//!
//! `hostile NAME ROUNDS` measures one service only, and says how many bytes it read: with `valgrind --tool=callgrind`, the
//! instructions for a byte.

#![expect(clippy::disallowed_methods, reason = "a program of its own, which reads clocks")]
#![expect(clippy::print_stdout, reason = "prints what it measured")]

use std::collections::BTreeMap;
use std::time::Instant;

use base::Timestamp;
use base::limits::LINE_BYTES_MAX;
use sensors::{Reader, TimeZone, Timing};

/// What every daemon but Dovecot writes around a client's text.
const FORMS: [&[(&str, &str, &str)]; 4] = [
    &include!("../src/grammar/tests/forms.in"),
    &include!("../src/grammar/tests/wordings.in"),
    &include!("../src/grammar/tests/sources.in"),
    &include!("../src/grammar/tests/variants.in"),
];

const DOVECOT: &[&str] = &[
    "> dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<@>, method=PLAIN, rip=203.0.113.5, lip=192.0.2.1, session=<S>",
    "> dovecot: auth-worker(7): conn unix:auth-worker (pid=7,uid=9): auth-worker<5>: sql(@,203.0.113.5,<S>): unknown user",
    "> auth(@,203.0.113.5,sasl:plain)<S>: Info: sql: unknown user",
    "> dovecot: auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=@ rhost=203.0.113.5  user=@",
];

/// Forms that the tables of tests lack, for what is dear in them.
const MORE: &[(&str, &str)] = &[
    (
        "stalwart",
        "{\"timestamp\":\"2026-11-21T07:44:14Z\",\"type\":\"auth.failed\",\"remoteIp\":\"203.0.113.5\",\"accountName\":\"@\"}",
    ),
    (
        "stalwart",
        "{\"timestamp\":\"2026-11-21T07:44:14Z\",\"type\":\"auth.failed\",\"data\":@,\"remoteIp\":\"203.0.113.5\"}",
    ),
    ("stalwart", "{\"type\":\"auth.failed\",\"remoteIp\":\"203.0.113.5\",\"x\":[@]}"),
    (
        "rspamd",
        "> rspamd[7]: <d27ce8>; task; rspamd_task_write_log: id: <x>, ip: 203.0.113.5, from: <@>, (default: T (reject): [20.00/15.00] [@]), len: 194, digest: <@>, rcpts: <@>, mime_rcpts: <@>",
    ),
    (
        "exchange",
        "2026-11-21T07:44:14.514Z,0000000000000005,1,192.0.2.1:110,203.0.113.5:55576,@,193,21,69,auth,\"@\",\"@\",",
    ),
    ("exchange", "2026-11-21T07:44:14.270Z,EX\\Default,08DA4F7C11473A60,9,192.0.2.1:25,203.0.113.5:53722,>,\"@\",@"),
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
    "{\"a\":[{\"b\":\"\\u0041\"},",
    "\\u0041",
    "[",
    " against ",
    " from 198.51.100.9",
    " against x from ",
    "198.51.100.9",
    "2001:db8::7",
    "198.51.100.9 ",
    ")x)x)x)x)x)x)x)x) ",
    " x x x x x x x x x from ",
    "YWxpY2VhbGljZWFsaWNl",
    "#",
    "#01",
    "\\",
    "\u{10348}",
    "\t",
    "%",
    "-",
    ".",
    "@",
];

const ROUNDS: u32 = 8;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (only, rounds) = (arguments.next(), arguments.next().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS));
    let (mut dearest, mut total) = (BTreeMap::new(), 0);
    let forms = FORMS.iter().copied().flatten().map(|(service, form, _)| (*service, *form));
    let forms = forms.chain(DOVECOT.iter().map(|form| ("", *form))).chain(MORE.iter().copied());
    for (service, form) in forms {
        let name = if service.is_empty() { program(form) } else { service };
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let reader = || {
            let reader = Reader::new(TimeZone::UTC, Timing::Replay);
            if service.is_empty() { Ok(reader) } else { reader.with_service(service) }
        };
        let own = own(form);
        for text in TEXTS.iter().copied().chain(own.iter().map(|own| &**own)) {
            let lines = lines(form, text);
            let bytes: usize = lines.iter().map(String::len).sum();
            // A form whose long lines are beyond the limit has nothing to show.
            let (Ok(mut reader), true) = (reader(), bytes > LINE_BYTES_MAX / 4) else { continue };
            total += bytes;
            let rounds = (0..rounds).map(|_| {
                let begin = Instant::now();
                for line in &lines {
                    reader.read(line.as_bytes(), Timestamp::from_secs(1_795_247_055), &mut |_| ());
                }
                begin.elapsed().as_nanos() as u64
            });
            let millis = rounds.min().unwrap_or(0) as f64 / bytes as f64;
            let worst = dearest.entry(name.to_owned()).or_insert((0.0, "", String::new()));
            if millis > worst.0 {
                *worst = (millis, form, text.to_owned());
            }
        }
    }
    let mut all: Vec<_> = dearest.into_iter().collect();
    all.sort_by(|a, b| b.1.0.total_cmp(&a.1.0));
    for (name, (millis, form, text)) in all {
        println!("{millis:>8.3} ms/MB  {name}  {text:?} in {form:?}");
    }
    println!("{total} bytes in each round");
}

/// The program whose tag the lines of a form have.
fn program(form: &str) -> &str {
    let line = form.strip_prefix("> ").unwrap_or(form);
    line.split([':', '[', '(', ' ']).next().unwrap_or("")
}

/// What stands before and behind a client's text in a form: the daemon's own marks.
fn own(form: &str) -> Vec<String> {
    const BYTES_MAX: usize = 40;
    let pieces: Vec<&str> = form.split(['@', '~', '\n']).filter(|piece| !piece.is_empty()).collect();
    let ends = pieces.iter().flat_map(|piece| {
        let (head, tail) = (BYTES_MAX.min(piece.len()), piece.len().saturating_sub(BYTES_MAX));
        [piece.get(..head), piece.get(tail..), piece.get(..3), piece.get(..6)]
    });
    let mut own: Vec<String> = ends.flatten().map(str::to_owned).collect();
    own.sort();
    own.dedup();
    own
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
