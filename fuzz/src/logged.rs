//! What sensors read: lines of each daemon, what carries lines, and reports.

use std::sync::Mutex;

use base::Timestamp;
use base::limits::LINE_BYTES_MAX;
use sensors::lines::LineBuffer;
use sensors::{Reader, TimeZone, Timing, sources};

use crate::Target;

/// Lines of every daemon but Dovecot, with the service whose log they stand in and what they mean; the tests of the
/// grammars read them too.
const FORMS: [&[(&str, &str, &str)]; 4] = [
    &include!("../../crates/sensors/src/grammar/tests/forms.in"),
    &include!("../../crates/sensors/src/grammar/tests/wordings.in"),
    &include!("../../crates/sensors/src/grammar/tests/sources.in"),
    &include!("../../crates/sensors/src/grammar/tests/variants.in"),
];

/// Lines of Dovecot.
const DOVECOT: &[&str] = &[
    "> dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<@>, method=PLAIN, rip=203.0.113.5, lip=192.0.2.1, TLS, session=<S>",
    "> dovecot: imap-login: proxy(@): started proxying to 192.0.2.9:143: user=<@>, method=PLAIN, rip=203.0.113.5, session=<S>",
    "> dovecot: auth-worker(7): conn unix:auth-worker (pid=7,uid=9): auth-worker<5>: sql(@,203.0.113.5,<S>): unknown user (given password: x)",
    "> auth(@,203.0.113.5,sasl:plain)<S>: Info: pam: pam_authenticate() failed: Authentication failure (Password mismatch?)",
    "> dovecot: auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=@ rhost=203.0.113.5  user=@",
];

/// Lines in every frame.
const FRAMES: &[&str] = &[
    "<22>1 2026-11-21T07:44:14.123456+01:00 mx dovecot 7 - [a b=\"c\\]\"] imap-login: Login: user=<a>, rip=203.0.113.5",
    "2026-11-21T07:44:14+01:00 mx postfix/smtpd[7]: warning: a[203.0.113.5]: SASL LOGIN authentication failed: x",
    "@400000004c91b044077a9e94 dovecot-auth: sql(a,203.0.113.5): unknown user",
    "<mail.notice> Nov 21 07:44:14 mx sogod [7]: a",
    "Sat Dec 28 19:03:53 2013 x",
    "type=USER_AUTH msg=audit(1383116263.000:603): pid=7",
];

pub(crate) fn targets() -> Vec<Target> {
    let mut all: Vec<Target> = sensors::services().into_iter().map(grammar).collect();
    all.push(Target::new("lines", all_lines(), lines));
    all.push(Target::new(
        "syslog-stream",
        framed(b"<22>Nov 21 07:44:14 mx a: b\n44 <22>1 2026-11-21T07:44:14Z mx a 7 - - b"),
        |input| {
            let mut messages = sources::syslog::Messages::default();
            pieces(input, |piece| messages.push(piece, &mut |line| assert!(line.len() <= LINE_BYTES_MAX)));
            messages.close(&mut |line| assert!(line.len() <= LINE_BYTES_MAX));
        },
    ));
    let entry = b"__CURSOR=s=1\n__REALTIME_TIMESTAMP=1795247054000000\nSYSLOG_IDENTIFIER=a\nMESSAGE\n\x03\0\0\0\0\0\0\0b\nc\n\n";
    all.push(Target::new("journal-export", framed(entry), |input| {
        let mut export = sources::journal::Export::default();
        pieces(input, |piece| export.push(piece, &mut |_, _| ()));
    }));
    let entry = br#"{"__CURSOR":"s=1","__REALTIME_TIMESTAMP":"1795247054000000","_HOSTNAME":"mx","SYSLOG_IDENTIFIER":"a","_PID":"7","MESSAGE":[98,10,99]}"#;
    all.push(Target::new("journal-json", framed(entry), |input| {
        for line in input.split(|byte| *byte == b'\n') {
            let mut out = Vec::new();
            sources::journal_json::write_entry(line, &mut out);
            assert!(out.len() <= line.len().max(LINE_BYTES_MAX) && !out.contains(&b'\n'));
        }
    }));
    all.extend(reports());
    all
}

/// The lines of one daemon's log, read as such.
fn grammar(service: &'static str) -> Target {
    let is_its =
        |(hint, form): &(&str, &str)| *hint == service || hint.is_empty() && form.to_lowercase().contains(service);
    let forms =
        FORMS.into_iter().flatten().map(|(hint, form, _)| (*hint, *form)).chain(DOVECOT.iter().map(|form| ("", *form)));
    let own: Vec<_> = forms.clone().filter(is_its).collect();
    let seeds = if own.is_empty() { forms.collect() } else { own };
    let seeds = seeds.into_iter().map(|(_, form)| line(form)).collect();
    Target::new(format!("grammar-{service}"), seeds, move |input| {
        let reader = Reader::new(TimeZone::UTC, Timing::Replay).with_service(service);
        let mut reader = reader.unwrap_or_else(|_| Reader::new(TimeZone::UTC, Timing::Replay));
        read(&mut reader, input);
    })
}

/// Gives every line to the reader, which counts as many events as it tells.
fn read(reader: &mut Reader, input: &[u8]) {
    let now = Timestamp::from_secs(1_795_247_055);
    let mut events = reader.counters().events;
    for line in input.split(|byte| *byte == b'\n') {
        reader.read(line, now, &mut |_| events += 1);
    }
    assert_eq!(reader.counters().events, events);
}

/// All grammars at once, with the lines cut from pieces.
fn lines(input: &[u8]) {
    let (mut buffer, mut whole) = (LineBuffer::new(), Vec::new());
    pieces(input, |piece| {
        let space = buffer.space();
        let count = piece.len().min(space.len());
        space[..count].copy_from_slice(&piece[..count]);
        if buffer.take(count) {
            whole.extend(buffer.lines().map(<[u8]>::to_vec));
        }
    });
    let mut reader = Reader::new(TimeZone::UTC, Timing::Live);
    for line in whole {
        read(&mut reader, &line);
        if let Ok(text) = str::from_utf8(&line) {
            let frame = sensors::frame::read(text);
            assert!(frame.host.len() + frame.program.len() + frame.message.len() <= text.len());
        }
    }
}

fn reports() -> Vec<Target> {
    let json = b"{\"reports\":[{\"address\":\"203.0.113.5\",\"kind\":\"login-failed\",\"service\":\"imap\"}]}";
    let arf = b"Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: text/plain\n\nReport-ID: 1\nSource: 203.0.113.5\n--b--\n";
    let seeds =
        || vec![json.to_vec(), b"server=a&apikey=b&service=imap&ip=203.0.113.5&logs=c%20d".to_vec(), arf.to_vec()];
    let unknown = Mutex::new(sensors::unknown::Unknown::new());
    vec![
        Target::new("report-json", seeds(), |input| drop(sensors::reports::json(input))),
        Target::new("report-form", seeds(), |input| drop(sensors::reports::form(input))),
        Target::new("report-arf", seeds(), |input| drop(sensors::reports::arf(input))),
        Target::new("unknown", all_lines(), move |input| {
            if let Ok(mut unknown) = unknown.lock() {
                input.split(|byte| *byte == b'\n').for_each(|line| unknown.add(line));
            }
        }),
    ]
}

fn all_lines() -> Vec<Vec<u8>> {
    let forms = FORMS.into_iter().flatten().map(|(_, form, _)| line(form)).chain(DOVECOT.iter().map(|form| line(form)));
    forms.chain(FRAMES.iter().map(|frame| format!("{frame}\n").into_bytes())).collect()
}

fn line(form: &str) -> Vec<u8> {
    let form = form.replace(['@', '~'], "alice").replace("(?%", "(?@");
    let lines = form.split('\n').map(|line| match line.strip_prefix("> ") {
        Some(line) => format!("Nov 21 07:44:14 mx {line}\n"),
        None => format!("{line}\n"),
    });
    lines.collect::<String>().into_bytes()
}

fn framed(text: &[u8]) -> Vec<Vec<u8>> {
    vec![text.to_vec(), text.repeat(3)]
}

/// The input in pieces, whose lengths the input itself chooses.
fn pieces(input: &[u8], mut take: impl FnMut(&[u8])) {
    let mut rest = input;
    while let Some(first) = rest.first() {
        let (piece, behind) = rest.split_at((usize::from(*first) * 16 + 1).min(rest.len()));
        take(piece);
        rest = behind;
    }
}
