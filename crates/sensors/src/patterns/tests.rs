//! Patterns that are refused, with the place; patterns that are taken, with lines; hostile lines; properties.

use core::fmt::Write;
use std::sync::Arc;

use base::{EventKind, Timestamp};
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::{EXPRESSION_BYTES_MAX, Pattern, Patterns, Spec, TEXT_BYTES_MAX};
use crate::grammar::tests::shown;
use crate::reader::{Reader, Timing};

fn spec(regex: &str) -> Spec<'_> {
    Spec { name: "test", program: None, regex, unless: None, kind: EventKind::LoginFailed, service: "web" }
}

fn reader(patterns: impl IntoIterator<Item = Pattern>) -> Reader {
    Reader::new(TimeZone::UTC, Timing::Replay).with_patterns(Arc::new(Patterns::new(patterns.into_iter().collect())))
}

/// The events of a line as text.
fn events(reader: &mut Reader, line: &str) -> String {
    let mut text = String::new();
    reader.read(line.as_bytes(), Timestamp::from_secs(1_795_247_055), &mut |event| {
        write!(text, "{} ", shown(&event)).unwrap();
    });
    text.trim_end().to_owned()
}

/// `label: what stands at the place`, for a pattern that is refused; empty for one that is taken.
fn fault(spec: Spec<'_>) -> String {
    match Pattern::new(spec) {
        Ok(_) => String::new(),
        Err(fault) => {
            let text = match fault.part {
                super::Part::Regex => spec.regex,
                super::Part::Program => spec.program.unwrap(),
                super::Part::Unless => spec.unless.unwrap(),
            };
            format!("{}: {}", fault.label, &text[fault.place])
        }
    }
}

const A: &str = "(?P<address>[0-9a-f.:]+)";
const LOGIN: &str = "(?P<login>.*)";

#[test]
fn what_a_client_could_choose_is_refused() {
    let cases = [
        // Reached over what only the server writes.
        (format!("^login failed from {A} for {LOGIN}"), ""),
        (format!("^login failed from {A}$"), ""),
        (format!("login failed for {LOGIN} from {A}$"), ""),
        ("for (?P<login>.*) from (?P<address>\\S+)$".into(), ""),
        (format!("^{A} login failed"), ""),
        (format!(r"^\[\d+\] \((?P<service>\w+)\) bad login from {A},"), ""),
        (format!(r"^\[(?P<time>[^\]]+)\] bad login from {A},"), ""),
        (format!("^(?:SSL|TLS)? ?error from {A};"), ""),
        (format!("bad login for {LOGIN} from \\[{A}\\]:\\d+ id=[0-9a-f]+$"), ""),
        (format!(r"^warning: (?P<host>[\w.-]+)\[{A}\]: SASL"), ""),
        (r"^login from (?P<address>\d+\.\d+\.\d+\.\d+):\d+ failed".into(), ""),
        (r"^failed login from (?P<address>\d+\.\d+\.\d+\.\d+)\. AUTH".into(), ""),
        (r"^failed login from (?P<address>\d+\.\d+\.\d+\.\d+)\.$".into(), ""),
        (format!("(?i)^Login Failed From {A}$"), ""),
        (format!("^(?:login|auth) failed(?: from {A})?$"), ""),
        (format!("^login failed(?: from {A}|, nobody knows from where)$"), ""),
        ("^user (?P<login>.+) is locked$".into(), ""),
        // Not reached.
        (format!("login failed from {A} port"), "neither `^` nor `$` leads to it: (?P<address>[0-9a-f.:]+)"),
        (
            format!("^login failed for {LOGIN} from {A} "),
            "a client writes the login, and an address into it: (?P<login>.*)",
        ),
        (
            "^for (?P<login>[a-z]+) from (?P<address>[0-9.]+) ".into(),
            "a client writes the login, and an address into it: (?P<login>[a-z]+)",
        ),
        (format!("^.*from {A} "), "matches whatever a client wrote: .*"),
        (format!("^login failed for [^ ]+ from {A} "), "matches whatever a client wrote: [^ ]+"),
        (format!("^login failed for [a-z]+ from {A} "), "matches whatever a client wrote: [a-z]+"),
        (format!("^login failed for (?:[a-f]+ )*from {A} "), "matches whatever a client wrote: (?:[a-f]+ )*"),
        (format!("^login failed for (?:x|.*) from {A} "), "matches whatever a client wrote: x|.*"),
        (format!(r"^warning: (?P<host>[^\[]+)\[{A}\]: SASL"), r"matches whatever a client wrote: (?P<host>[^\[]+)"),
        (format!("^(?:login|auth) failed from {A} for {LOGIN}|{LOGIN}x"), "duplicate capture group name: login"),
        (format!("from {A} for {LOGIN}$"), "a client writes the login, and an address into it: (?P<login>.*)"),
        (format!("from {A}.*$"), "matches whatever a client wrote: .*"),
        (format!("from {A},? agent .+$"), "matches whatever a client wrote: .+"),
        (format!(r"^(?:(?P<session>\w+): reject|(?:too many|x)) from (?P<host>[\w.-]*)\[{A}\]"), ""),
        // An end of a line that a client may have written.
        (
            format!("(?m)^login failed from {A} "),
            "an end of any line of a message: without `(?m)` it is one of the whole: ^",
        ),
        (
            format!("(?mR)^login failed from {A} "),
            "an end of any line of a message: without `(?m)` it is one of the whole: ^",
        ),
        (
            format!("login failed for {LOGIN} from {A}(?m)$"),
            "an end of any line of a message: without `(?m)` it is one of the whole: $",
        ),
        (
            format!("login failed for {LOGIN} from {A}(?mR:$)"),
            "an end of any line of a message: without `(?m)` it is one of the whole: $",
        ),
        (format!("^login failed from {A}(?m)$"), "nothing ends it: (?P<address>[0-9a-f.:]+)"),
        (format!("(?m:\\A)login failed from {A}(?m:\\z)"), ""),
        (format!("(?:^x|y) from {A} "), "neither `^` nor `$` leads to it: (?P<address>[0-9a-f.:]+)"),
        // Cut.
        (format!("^id [0-9a-f]+{A} "), "may run into what follows it: [0-9a-f]+"),
        (format!("^from {A}"), "nothing ends it: (?P<address>[0-9a-f.:]+)"),
        ("^from (?P<address>[0-9.]+?)".into(), "stops as early as it can: (?P<address>[0-9.]+?)"),
        (format!("^from {A}[0-9]*$"), "what follows could belong to the address: (?P<address>[0-9a-f.:]+)"),
        (format!(r"^from {A}\. "), "what follows could belong to the address: (?P<address>[0-9a-f.:]+)"),
        (
            r"^from (?P<address>\d+\.\d+\.\d+\.\d+)\.e".into(),
            r"what follows could belong to the address: (?P<address>\d+\.\d+\.\d+\.\d+)",
        ),
        (format!("{A}$"), "what stands before it could belong to the address: (?P<address>[0-9a-f.:]+)"),
        ("x.*(?P<address>.+)$".into(), "what stands before it could belong to the address: (?P<address>.+)"),
        (
            "for (?P<login>.*)-(?P<address>[0-9.]+)$".into(),
            "what stands before it could belong to the address: (?P<address>[0-9.]+)",
        ),
        ("^(?: (?P<address>[0-9.]+),)+$".into(), "it would be the last of several: +"),
    ];
    for (regex, wanted) in cases {
        let got = fault(spec(&regex));
        // Of faults of the language itself, only what they are called is ours to keep.
        let wanted = if wanted.starts_with("duplicate") { "" } else { wanted };
        if regex.contains("|(?P<login>.*)x") {
            assert!(got.contains("duplicate"), "{regex}: {got}");
        } else {
            assert_eq!(got, wanted, "{regex}");
        }
    }
}

#[test]
fn broken_expressions_are_refused_with_their_place() {
    let long = format!("^{}(?P<login>a)", "x".repeat(EXPRESSION_BYTES_MAX));
    let cases = [
        (spec("^(?P<login>a"), "(", "unclosed group"),
        (spec("^(?P<login>[z-a])$"), "z-a", "range"),
        (spec("^(?!x)(?P<login>a)$"), "(?!", "look-around"),
        (spec(r"^(?P<login>a)\1$"), r"\1", "backreference"),
        (spec("^(?P<user>a)$"), "user", "means nothing"),
        (spec("^login failed$"), "^login failed$", "neither an address nor a login"),
        (
            spec("^((((a{100}){100}){100}){100})(?P<login>b)$"),
            "^((((a{100}){100}){100}){100})(?P<login>b)$",
            "too large",
        ),
        (spec(&long), &long, "longer than"),
        (Spec { program: Some("a("), ..spec("^(?P<login>a)$") }, "(", "unclosed group"),
        (Spec { unless: Some("[b"), ..spec("^(?P<login>a)$") }, "[", "unclosed character class"),
        (Spec { kind: EventKind::LoginOk, ..spec("login ok for (?P<login>.*)$") }, "l", "whoever writes the login"),
        (Spec { kind: EventKind::LoginOk, ..spec("^(?P<login>[a-z]+) logged in$") }, "^", "whoever writes the login"),
    ];
    for (spec, place, label) in cases {
        let fault = Pattern::new(spec).map(|_| ()).unwrap_err();
        let text = match fault.part {
            super::Part::Regex => spec.regex,
            super::Part::Program => spec.program.unwrap(),
            super::Part::Unless => spec.unless.unwrap(),
        };
        assert!(fault.label.contains(label), "{}: {}", spec.regex, fault.label);
        assert_eq!(&text[fault.place], place, "{}", spec.regex);
    }
    assert!(Pattern::new(Spec { kind: EventKind::LoginOk, ..spec("^login ok for (?P<login>.*)$") }).is_ok());
}

#[test]
fn lines_and_what_patterns_say_of_them() {
    let app = Pattern::new(Spec {
        program: Some("my(app|web)"),
        unless: Some("reason=timeout"),
        ..spec("^login failed for (?P<login>.+) from (?P<address>[0-9a-f.:]+)(?: reason=[a-f]+)?$")
    });
    let bare =
        Pattern::new(spec(r"^\[(?P<time>[^\]]+)\] (?P<service>\w+)\[(?P<session>\w+)\] from (?P<address>\S+) refused"));
    let locked = Pattern::new(Spec { kind: EventKind::TrapHit, ..spec("account (?P<login>[^ ]+) is a trap$") });
    let mut reader = reader([app.unwrap(), bare.unwrap(), locked.unwrap()]);
    let cases = [
        (
            "Nov 21 07:44:14 mx myapp[7]: login failed for alice from 198.51.100.7",
            "login-failed web front 1 198.51.100.7 alice -",
        ),
        (
            "2026-11-21T07:44:14Z mx myweb: login failed for a b from 2001:db8::1",
            "login-failed web front 1 2001:db8::1 a b -",
        ),
        (
            "<22>1 2026-11-21T07:44:14Z mx myapp 7 - - login failed for alice from ::ffff:198.51.100.7",
            "login-failed web front 1 198.51.100.7 alice -",
        ),
        ("Nov 21 07:44:14 mx myapps[7]: login failed for alice from 198.51.100.7", ""),
        (
            "Nov 21 07:44:14 mx myapp[7]: login failed for alice from 198.51.100.7 reason=dead",
            "login-failed web front 1 198.51.100.7 alice -",
        ),
        ("Nov 21 07:44:14 mx myapp[7]: login failed for reason=timeout from 198.51.100.7", ""),
        ("Nov 21 07:44:14 mx myapp[7]: login failed for alice from dead", ""),
        ("login failed for alice from 198.51.100.7", ""),
        ("[2026-11-21 07:44:14] imap[ab12] from 198.51.100.7 refused", "login-failed imap front 1 198.51.100.7 - ab12"),
        ("Nov 21 07:44:14 [x] imap[ab12] from host.example.org refused", ""),
        ("Nov 21 07:44:14 mx any: account \u{fc}ml is a trap", "trap-hit web front 1 - \u{fc}ml -"),
        // What a grammar understands is not read twice.
        (
            "dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<account x is a trap>, rip=198.51.100.7",
            "login-failed imap front =1 198.51.100.7 account x is a trap -",
        ),
    ];
    for (line, wanted) in cases {
        assert_eq!(events(&mut reader, line), wanted, "{line}");
    }
    let mut time = None;
    let line = "[2026-11-20 07:44:14] imap[ab12] from 198.51.100.7 refused";
    reader.read(line.as_bytes(), Timestamp::from_secs(1_795_247_055), &mut |event| time = Some(event.time.to_string()));
    assert_eq!(time.as_deref(), Some("2026-11-20T07:44:14.000Z"));
}

/// Formats of servers with holes (`{}`) that a client fills, and patterns that the linter takes for them. The true address
/// is 203.0.113.5.
const FORMATS: [(&str, &str); 8] = [
    ("app: login failed for {} from 203.0.113.5", r"login failed for (?P<login>.*) from (?P<address>\S+)$"),
    ("app: login failed for {} from 203.0.113.5", r"for (?P<login>.*) from (?P<address>[0-9a-f.:]+)$"),
    ("app: login failed from 203.0.113.5 for {}", r"^login failed from (?P<address>\S+) for (?P<login>.*)"),
    ("app: login failed from 203.0.113.5: {}, agent {}", r"^login failed from (?P<address>[\d.]+): (?P<login>[^,]*)"),
    (
        "app: user={} agent={} ip=[203.0.113.5]:4711 id=7af",
        r"user=(?P<login>[^ ]*).*\[(?P<address>[^\[\]]+)\]:\d+ id=[0-9a-f]+$",
    ),
    (
        "app: [17] web: bad login of {} from {} ip=203.0.113.5, port 7",
        r"bad login of (?P<login>.*) ip=(?P<address>[0-9.]+), port \d+$",
    ),
    ("app: [17] 203.0.113.5 {} {}", r"^\[\d+\] (?P<address>[0-9a-f:.]+) (?P<login>\S+)"),
    ("app: failed: 203.0.113.5. {}", r"^failed: (?P<address>\d+\.\d+\.\d+\.\d+)\. (?P<login>.*)"),
];

/// The addresses that a pattern finds in a format with its holes filled.
fn addresses(format: (&str, &str), texts: &[&str; 2]) -> Vec<String> {
    let mut line = String::new();
    for (at, piece) in format.0.split("{}").enumerate() {
        if at > 0 {
            line.push_str(texts[at - 1]);
        }
        line.push_str(piece);
    }
    let mut found = Vec::new();
    let spec = Spec { program: Some("app"), ..spec(format.1) };
    reader([Pattern::new(spec).unwrap()]).read(line.as_bytes(), Timestamp::EPOCH, &mut |event| {
        found.extend(event.address.map(|address| address.to_string()));
    });
    found
}

#[test]
fn every_format_is_read_where_the_client_is_honest() {
    for format in FORMATS {
        assert_eq!(addresses(format, &["alice", "x"]), ["203.0.113.5"], "{format:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    /// Whatever a client writes, an imitation of the format included.
    #[test]
    fn the_address_is_the_true_one_or_none(
        format in prop::sample::select(FORMATS.to_vec()),
        pieces in prop::collection::vec(prop_oneof![
            prop::sample::select(vec![
                " from ", "198.51.100.9", "$", "^", "]:", "[", "ip=[", " ip=", ", port 7", " id=7af", "id=", ": ", ", ", ". ",
                " for ", "login failed", "app: ", "login failed from ", "bad login of ", "\u{e4}", "\n", "\r", "203.0.113.55",
            ]).prop_map(str::to_owned),
            "[ -~]{0,6}",
        ], 0..12),
        cut in 0..12usize,
    ) {
        let cut = cut.min(pieces.len());
        let (one, two) = (pieces[..cut].concat(), pieces[cut..].concat());
        let found = addresses(format, &[&one, &two]);
        prop_assert!(found.iter().all(|address| address == "203.0.113.5"), "{found:?} in {format:?} with {one:?} and {two:?}");
    }

    #[test]
    fn any_expression_is_survived(regex in "[\\^$]?([a-z.*+?()|\\[\\]{}\\\\0-9]|\\(\\?P<(address|login|host)>|\\)){0,24}[$]?") {
        if let Ok(pattern) = Pattern::new(spec(&regex)) {
            reader([pattern]).read(b"Nov 21 07:44:14 mx a: 198.51.100.7 (x)", Timestamp::EPOCH, &mut |_| ());
        }
    }
}

#[test]
fn long_lines_and_bad_ones_cost_little() {
    let nasty = [
        r"^(?:a?){20}a{20} from (?P<address>\S+)$",
        r"(?:(?:[a-z0-9]*[ a]*)*x)* from (?P<address>[0-9.]+)$",
        r"(?P<login>.*a.*a.*a.*a.*a) from (?P<address>\S+)$",
    ];
    let mut reader = reader(nasty.map(|regex| Pattern::new(spec(regex)).unwrap()));
    let text = "a ".repeat(TEXT_BYTES_MAX / 2 - 20);
    for tail in ["", " from 198.51.100.7", " from x from y from "] {
        let line = format!("app: {text}{tail}");
        // What takes exponential or quadratic time does not end before the test is given up.
        for _ in 0..3 {
            reader.read(line.as_bytes(), Timestamp::EPOCH, &mut |_| ());
        }
    }
    assert_eq!(events(&mut reader, &format!("app: {} from 198.51.100.7", "a".repeat(TEXT_BYTES_MAX))), "");
}
