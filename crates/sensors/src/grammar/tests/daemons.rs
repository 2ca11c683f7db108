//! Every daemon but Dovecot: what a line means, that no text of a client changes whom it is about, and that reading it
//! takes linear time.

use std::fmt::Write as _;

use base::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::shown;
use crate::reader::{Reader, Timing};
use crate::text::steps;

const TRUE: &str = "203.0.113.5";

/// The service whose log it is (empty for none), the lines, and their events; `@` stands for a login or another text of the
/// client, `~` for one without spaces, quotes and brackets,
/// `%` for an at sign that is none. A line that begins with `> ` gets a stamp and a host.
const FORMS: &[(&str, &str, &str)] = &include!("forms.in");

/// The same: wordings of seldom met versions, found in the daemons' sources and programs.
const WORDINGS: &[(&str, &str, &str)] = &include!("wordings.in");

/// The same: what the programs of less common daemons hold as texts, one after the other.
const SOURCES: &[(&str, &str, &str)] = &include!("sources.in");

/// The same: other versions' forms, outages that are no guesses, and other ways in which lines come.
const VARIANTS: &[(&str, &str, &str)] = &include!("variants.in");

fn all() -> impl Iterator<Item = &'static (&'static str, &'static str, &'static str)> {
    FORMS.iter().chain(WORDINGS).chain(SOURCES).chain(VARIANTS)
}

/// Texts of hostile clients; see the forms for what each imitates.
const TEXTS: &[&str] = &[
    "198.51.100.9",
    "[198.51.100.9]",
    "x [198.51.100.9]",
    "x[198.51.100.9]",
    "x from 198.51.100.9",
    "x from 198.51.100.9 port 1",
    "x from 198.51.100.9 port 1 ssh2",
    "x from 198.51.100.9 port 1 ssh2: RSA SHA256:abc",
    "x from 198.51.100.9 port 1 ssh1: ruser y",
    "from 198.51.100.9",
    "from 198.51.100.9 port 22",
    "from 198.51.100.9, port 22",
    "from 198.51.100.9: x",
    "x from 198.51.100.9 port 1 ssh2: RSA-CERT SHA256:a ID y (serial 0) CA RSA SHA256:b",
    "\"x>: Relay access denied; from=<y[198.51.100.9]>",
    "\"x>, dsn=5.1.1, status=bounced (host y[198.51.100.9] said: no)",
    "x) [198.51.100.9] U=y",
    "x from 198.51.100.9 not allowed because listed in DenyUsers",
    "x from 198.51.100.9:22",
    "x' from 198.51.100.9:22",
    "x' from 198.51.100.9 port 22",
    "x 198.51.100.9 port 1 [preauth]",
    "x 198.51.100.9 port 1: Change of username or service not allowed: (a,b) -> (c,d)",
    "x via 198.51.100.9",
    "x) [198.51.100.9]",
    "x) [198.51.100.9]: 535 Incorrect authentication data (set_id=y",
    "x) [198.51.100.9]:25 I=[192.0.2.1]:25: 535 Incorrect authentication data (set_id=y)",
    "x\" H=[198.51.100.9] AUTH command used when not advertised",
    "x\" H=(y) [198.51.100.9] AUTH command used when not advertised",
    "x H=[198.51.100.9] P=esmtpa A=plain:bob",
    "x (host=y [198.51.100.9]) for z",
    "x (during SMTP connection from [198.51.100.9]:1)",
    "x>: Relay access denied; from=<a[198.51.100.9]>",
    "x; client [198.51.100.9] blocked using y",
    "RCPT from a[198.51.100.9]: 554 5.7.1 Relay access denied",
    "x, relay=y [198.51.100.9]",
    "x, relay=[198.51.100.9], reject=550 5.7.1 Relaying denied",
    "x [198.51.100.9] (may be forged), reject=550 5.7.1 Relaying denied",
    "x, ip=[198.51.100.9]",
    "x, ip=[198.51.100.9], port=[1]",
    "x, relay=198.51.100.9, 535 Authentication failed",
    "x - 198.51.100.9",
    "x auth=x host=y [198.51.100.9]",
    "x] FAIL LOGIN: Client \"198.51.100.9\"",
    "x] OK LOGIN: Client \"198.51.100.9\"",
    "x\" in http auth state, client: 198.51.100.9, server: y",
    "x, client: 198.51.100.9, server: y, login: \"z\"",
    "x;oip=198.51.100.9;ua=y",
    "x] SoapEngine - handler exception: authentication failed for [y], oip=198.51.100.9;",
    "x rhost=198.51.100.9",
    "x rhost=198.51.100.9  user=x",
    "x\" exe=\"y\" hostname=? addr=198.51.100.9 terminal=ssh",
    "x\", remoteIp = 198.51.100.9, accountName = \"y",
    "x address=198.51.100.9 result=permfail",
    "x\" result=\"535 Authentication failed\" address=198.51.100.9",
    "x, IP address 198.51.100.9",
    "x doesn't exist. Attempt from IP address 198.51.100.9.",
    "x ; connecting host 198.51.100.9",
    "x [198.51.100.9] authentication failure using internet password",
    "x [198.51.100.9] to Horde [on line 1",
    "x to horde (198.51.100.9) [pid 1",
    "x (198.51.100.9) to {y",
    "x>, ip: 198.51.100.9, user: y",
    "x, ip: 198.51.100.9, Ratelimit \"user\" exceeded",
    "x origin_ip: 198.51.100.9 origin_rdns: y auth: z",
    "x:198.51.100.9",
    "x> remote <a:b:198.51.100.9> rcpt <y",
    "x from 198.51.100.9. AUTHENTICATE PLAIN: y",
    "x from 198.51.100.9(X-Real-IP: 198.51.100.9)",
    "x from 198.51.100.9 in session y (error: 0)",
    "x (y) from 198.51.100.9: Unknown user or password incorrect.",
    "x tried to login. {\"source\":\"login\",\"user\":\"198.51.100.9",
    "x' for user 'y' might not have worked, 198.51.100.9",
    "x\" server=\"y\" status=\"failed: 198.51.100.9:1->2",
    "x (Login failed): Incorrect password (y[198.51.100.9])",
    "x\" lr=\"535 198.51.100.9",
    "x\" ip=198.51.100.9 lr=\"",
    "x|198.51.100.9|1\" us=\"y",
    "x\" tr=\"TCP|192.0.2.1|25|198.51.100.9|1\" di=\"535 x",
    "x - login error - (198.51.100.9)",
    "Nov 21 07:44:14 mx sshd[7]: Invalid user x from 198.51.100.9 port 1",
    "sshd[7]: Invalid user x from 198.51.100.9 port 1",
    "((((((((([[[[[[[[]]]]]]]]))))))) from  from  from : : : , , , = = =",
];

fn line(form: &str, text: &str) -> String {
    let plain: String =
        text.chars().map(|c| if c.is_whitespace() || "\"'<>()[]".contains(c) { '?' } else { c }).collect();
    let form = form.replace('@', text).replace('~', &plain).replace("(?%", "(?@");
    form.split('\n').fold(String::new(), |mut lines, line| {
        let line = line.strip_prefix("> ").map_or_else(|| line.to_owned(), |line| format!("Nov 21 07:44:14 mx {line}"));
        writeln!(lines, "{line}").unwrap();
        lines
    })
}

/// The events of the lines of a service's log.
fn events(service: &str, lines: &str) -> Vec<(String, Option<String>)> {
    let reader = Reader::new(TimeZone::UTC, Timing::Replay);
    let mut reader = if service.is_empty() { reader } else { reader.with_service(service).unwrap() };
    let mut found = Vec::new();
    for line in lines.lines() {
        reader.read(line.as_bytes(), Timestamp::from_secs(1_795_247_055), &mut |event| {
            found.push((shown(&event), event.address.map(|address| address.to_string())));
        });
    }
    found
}

#[test]
fn lines_mean_what_daemons_say() {
    let mut faults = Vec::new();
    for (service, form, wanted) in all() {
        let got: Vec<_> = events(service, &line(form, "alice")).into_iter().map(|(shown, _)| shown).collect();
        if got.join(" + ") != *wanted {
            faults.push(format!("{form}\n  is   {}\n  not  {wanted}", got.join(" + ")));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_text_of_a_client_chooses_the_address() {
    let (mut lines, mut found) = (0, 0);
    for (service, form, _) in all() {
        for text in TEXTS {
            let line = line(form, text);
            let events = events(service, &line);
            let is_true = |address: &Option<String>| address.as_deref() == Some(TRUE);
            assert!(events.iter().all(|(_, address)| is_true(address)), "{events:?} in {line}");
            lines += 1;
            found += usize::from(!events.is_empty());
        }
    }
    println!("{lines} hostile lines, the true address in {found}, none in {}, a wrong one in 0", lines - found);
    assert!(lines > 5000 && found > lines / 3);
}

/// A few thousand bytes show it: work that grew with their square would be a hundred times as much.
#[test]
fn work_is_linear() {
    for (service, form, _) in all() {
        let step = if FORMS.iter().any(|(_, other, _)| other == form) { 1 } else { 8 };
        for text in TEXTS.iter().step_by(step) {
            let work = |bytes: usize| {
                let line = line(form, &text.repeat(bytes / text.len() + 1));
                steps::take();
                events(service, &line);
                (steps::take(), line.len())
            };
            let ((small, _), (large, length)) = (work(1 << 11), work(1 << 12));
            assert!(large <= 24 * length + 4096, "{large} steps for {length} bytes: {form} {text}");
            assert!(large <= 2 * small + small / 2 + 4096, "{small} steps, then {large}: {form} {text}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(20_000), ..ProptestConfig::default() })]

    #[test]
    fn the_address_is_the_true_one_or_none(
        (service, form, _) in prop::sample::select([FORMS, WORDINGS, SOURCES, VARIANTS].concat()),
        pieces in prop::collection::vec(
            prop_oneof!["[^\\p{Cc}]{0,8}", prop::sample::select(TEXTS).prop_map(str::to_owned), "[ \\[\\](){}<>,:;=\"'.-]{1,3}"],
            0..5,
        ),
    ) {
        let line = line(form, &pieces.concat());
        let events = events(service, &line);
        prop_assert!(events.iter().all(|(_, address)| address.as_deref() == Some(TRUE)), "{events:?} in {line}");
    }

    #[test]
    fn any_damaged_line_is_read(
        (service, form, _) in prop::sample::select([FORMS, WORDINGS, SOURCES, VARIANTS].concat()),
        index in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = line(form, "alice").into_bytes();
        let at = index.index(bytes.len());
        bytes[at] = byte;
        let mut reader = Reader::new(TimeZone::UTC, Timing::Live);
        if !service.is_empty() {
            reader = reader.with_service(service).unwrap();
        }
        reader.read(&bytes, Timestamp::EPOCH, &mut |_| ());
        reader.read(&bytes[..at], Timestamp::EPOCH, &mut |_| ());
    }
}
