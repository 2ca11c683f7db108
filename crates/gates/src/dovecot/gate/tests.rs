use std::sync::Mutex;

use base::{Address, ListId, Reason};
use proptest::prelude::*;

use super::*;
use crate::dovecot::Counters;
use crate::http::Http;
use crate::session::Protocol as _;

/// Answers every question with one verdict, and keeps what it was asked and told as lines of text.
struct Recorder {
    verdict: Verdict,
    heard: Mutex<Vec<String>>,
}

impl Door for Recorder {
    fn ask(&self, now: Timestamp, question: &Question<'_>) -> Decision {
        let Question { address, login, stage, service } = question;
        let address = address.map_or_else(|| "-".to_owned(), |address| address.to_string());
        let line = format!("{} {stage:?} {} {address} {service}", now.as_millis(), login.unwrap_or("-"));
        self.heard.lock().unwrap().push(line);
        Decision { verdict: self.verdict, reason: Reason::Unlisted }
    }

    fn database_failed(&self, now: Timestamp, address: Option<Address>, login: Option<&str>) {
        let address = address.map_or_else(|| "-".to_owned(), |address| address.to_string());
        self.heard.lock().unwrap().push(format!("{} outage {} {address}", now.as_millis(), login.unwrap_or("-")));
    }

    fn observe(&self, event: &Event<'_>) -> Decision {
        let address = event.address.map_or_else(|| "-".to_owned(), |address| address.to_string());
        let tag = event.password.map_or_else(|| "-".to_owned(), |tag| format!("{:x}", tag.0));
        let (login, session) = (event.login.unwrap_or("-"), event.session.unwrap_or("-"));
        let line = format!("{} {:?} {login} {address} {} {session} {tag}", event.kind, event.tally, event.service);
        assert_eq!((event.time, event.channel), (NOW, Channel::Gate));
        self.heard.lock().unwrap().push(line);
        Decision::PASS
    }
}

/// Fails at everything.
struct Broken;

impl Door for Broken {
    fn ask(&self, _: Timestamp, _: &Question<'_>) -> Decision {
        panic!("this panic is part of a test")
    }

    fn observe(&self, _: &Event<'_>) -> Decision {
        panic!("this panic is part of a test")
    }
}

/// Decides everything alike.
struct Fixed(Decision);

impl Door for Fixed {
    fn ask(&self, _: Timestamp, _: &Question<'_>) -> Decision {
        self.0
    }

    fn observe(&self, _: &Event<'_>) -> Decision {
        self.0
    }
}

const NOW: Timestamp = Timestamp::from_millis(77);
const PASS: &str = r#"{"status":0,"msg":"","r_attrs":{}}"#;
const DONE: &str = r#"{"status":"ok"}"#;
const NOT_JSON: &str = r#"400 {"status":"failure","reason":"Unable to parse JSON"}"#;

fn recording(verdict: Verdict, settings: Settings) -> (Arc<Recorder>, Arc<Gate>) {
    let door = Arc::new(Recorder { verdict, heard: Mutex::default() });
    (door.clone(), Arc::new(Gate::new(settings, door)))
}

fn with_nonce() -> Settings {
    Settings { password_hash: Some(PasswordHash::new("localrandomstring")), ..Settings::default() }
}

/// The body of the reply, with its status in front unless it is 200.
fn request(gate: &Arc<Gate>, head: &str, body: &[u8]) -> String {
    let mut input = format!("{head} HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    input.extend_from_slice(body);
    let mut session = Http::new(gate.clone()).session(None);
    let reply = String::from_utf8(session.converse(NOW, &input, usize::MAX)).unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    match &head["HTTP/1.1 ".len()..][..3] {
        "200" => body.to_owned(),
        status => format!("{status} {body}"),
    }
}

fn allow(gate: &Arc<Gate>, body: &str) -> String {
    request(gate, "POST /?command=allow", body.as_bytes())
}

fn report(gate: &Arc<Gate>, body: &str) -> String {
    request(gate, "POST /?command=report", body.as_bytes())
}

#[test]
fn verdicts_become_statuses() {
    const AFTER: &str = r#"{"login":"carol","remote":"192.0.2.1","protocol":"imap","attrs":{"stage":"after"}}"#;
    const BEFORE: &str = r#"{"login":"carol","remote":"192.0.2.1","protocol":"imap","attrs":{"stage":"before"}}"#;
    let wait = |millis| Verdict::Tarpit(Duration::from_millis(millis));
    let cases = [
        (Verdict::Pass, 0, 0, Count::Passed),
        (Verdict::Refuse, -1, -1, Count::Refused),
        (Verdict::Defer, 0, 0, Count::DeferPassed),
        (wait(0), 0, 0, Count::Passed),
        (wait(1), 1, 0, Count::Tarpitted),
        (wait(1000), 1, 0, Count::Tarpitted),
        (wait(1001), 2, 0, Count::Tarpitted),
        (wait(60_000), 60, 0, Count::Tarpitted),
        (wait(100_000), 100, 0, Count::Tarpitted),
        (wait(200_000), 100, 0, Count::Tarpitted),
        (Verdict::Tarpit(Duration::MAX), 100, 0, Count::Tarpitted),
    ];
    for (verdict, before, after, count) in cases {
        let (_, gate) = recording(verdict, Settings::default());
        let reply = |status: i32| format!(r#"{{"status":{status},"msg":"","r_attrs":{{}}}}"#);
        assert_eq!(allow(&gate, BEFORE), reply(before), "{verdict:?} before");
        assert_eq!(gate.counters().get(count), 1, "{verdict:?}");
        assert_eq!(allow(&gate, AFTER), reply(after), "{verdict:?} after");
        assert_eq!((gate.counters().get(Count::AskedBefore), gate.counters().get(Count::AskedAfter)), (1, 1));
    }
}

#[test]
fn questions_reach_the_door() {
    let cases = [
        (r#"{"login":"carol","remote":"192.0.2.1","protocol":"imap"}"#, "77 Before carol 192.0.2.1 imap"),
        (r#"{"login":"carol","remote":"::ffff:192.0.2.1","protocol":"pop3"}"#, "77 Before carol 192.0.2.1 pop3"),
        (r#"{"login":"carol","remote":"2001:DB8::7","protocol":"smtp"}"#, "77 Before carol 2001:db8::7 smtp"),
        (r#"{"login":"carol","remote":"","protocol":"imap","attrs":{"stage":""}}"#, "77 Before carol - imap"),
        (r#"{"attrs":{"stage":"after","local_port":"143"},"login":"carol"}"#, "77 After carol - "),
        (r#"{"attrs":{"stage":"before"},"login":"carol"}"#, "77 Before carol - "),
        (r#"{"attrs":{"stage":["after"]},"login":"carol"}"#, "77 Before carol - "),
        (r#"{"attrs":null,"login":"carol","tls":null}"#, "77 Before carol - "),
        (r#"{"login":"ca\u0072o\"l","remote":"192.0.2.1"}"#, "77 Before caro\"l 192.0.2.1 "),
        (r#"{"login":"","remote":"192.0.2.1"}"#, "77 Before - 192.0.2.1 "),
        (r#"{"login":"a","login":"b"}"#, "77 Before b - "),
        (r#"{"device_id":"\"name\" \"x\"","x":[1,{"login":"y"}],"status":-1,"login":"b"}"#, "77 Before b - "),
        ("{}", "77 Before - - "),
        (" { } \n", "77 Before - - "),
    ];
    for (body, wanted) in cases {
        let (door, gate) = recording(Verdict::Pass, Settings::default());
        assert_eq!(allow(&gate, body), PASS, "{body}");
        assert_eq!(*door.heard.lock().unwrap(), [wanted], "{body}");
        assert_eq!(gate.counters().get(Count::OddFields), 0, "{body}");
    }
}

#[test]
fn a_field_of_the_wrong_type_is_absent_and_counted() {
    let cases = [
        (r#"{"login":5,"remote":"192.0.2.1"}"#, "77 Before - 192.0.2.1 "),
        (r#"{"login":{"a":[]},"remote":"192.0.2.1"}"#, "77 Before - 192.0.2.1 "),
        (r#"{"login":"carol","remote":7}"#, "77 Before carol - "),
        (r#"{"login":"carol","remote":"not an address"}"#, "77 Before carol - "),
        (r#"{"login":"carol","remote":"192.0.2.1:25"}"#, "77 Before carol - "),
        (r#"{"login":"carol","protocol":[1,2]}"#, "77 Before carol - "),
        (r#"{"login":"carol","session_id":-1.5e3}"#, "77 Before carol - "),
        (r#"{"login":"carol","attrs":"after"}"#, "77 Before carol - "),
        (r#"{"login":"carol","attrs":["after"]}"#, "77 Before carol - "),
        (r#"{"login":"carol","attrs":true}"#, "77 Before carol - "),
        (r#"{"login":"carol","success":"true"}"#, "77 Before carol - "),
    ];
    for (body, wanted) in cases {
        let (door, gate) = recording(Verdict::Pass, Settings::default());
        assert_eq!(allow(&gate, body), PASS, "{body}");
        assert_eq!(*door.heard.lock().unwrap(), [wanted], "{body}");
        assert_eq!(gate.counters().get(Count::OddFields), 1, "{body}");
    }
}

#[test]
fn what_is_no_json_object_fails_and_reaches_nobody() {
    let deep = "[".repeat(50_000);
    let deep_attrs = r#"{"attrs":{"stage":"#.to_owned() + &r#"{"stage":"#.repeat(7_000);
    let cases =
        ["", "null", "[]", "\"x\"", "0", "{", "{]", r#"{"login"}"#, r#"{"login":"carol"} x"#, r#"{"login":"a"#, &deep];
    for body in cases.into_iter().chain([r#"{"login":'carol'}"#, r#"{login:"carol"}"#, "<html>", "\0", &deep_attrs]) {
        let (door, gate) = recording(Verdict::Refuse, Settings::default());
        assert_eq!(allow(&gate, body), NOT_JSON, "{body}");
        assert_eq!(report(&gate, body), NOT_JSON, "{body}");
        assert!(door.heard.lock().unwrap().is_empty(), "{body}");
        assert_eq!(gate.counters().get(Count::NotJson), 2, "{body}");
    }
}

#[test]
fn a_login_that_is_no_utf_8_still_counts() {
    let (door, gate) = recording(Verdict::Pass, Settings::default());
    let body = b"{\"login\":\"ca\xffrol\",\"remote\":\"192.0.2.1\",\"success\":false}";
    assert_eq!(request(&gate, "POST /?command=report", body), DONE);
    assert_eq!(*door.heard.lock().unwrap(), ["login-failed One ca\u{fffd}rol 192.0.2.1  - -"]);
}

#[test]
fn reports_become_events() {
    use Count::{ReportedFailed, ReportedNoGuess, ReportedNobody, ReportedOk, ReportedOutage, ReportedRefused};
    let who = r#""login":"carol","remote":"192.0.2.1","protocol":"imap","session_id":"s/1""#;
    let failed = "login-failed One carol 192.0.2.1 imap s/1 -";
    let refused = "login-failed Refused carol 192.0.2.1 imap s/1 -";
    let down = "77 outage carol 192.0.2.1";
    let ok = "login-ok One carol 192.0.2.1 imap s/1 -";
    let cases = [
        (r#","success":true,"policy_reject":false"#, Some(ok), ReportedOk),
        (r#","success":true,"policy_reject":true"#, Some(ok), ReportedOk),
        (r#","success":true,"fail_type":"policy","policy_reject":true"#, Some(ok), ReportedOk),
        (r#","success":false,"policy_reject":false"#, Some(failed), ReportedFailed),
        (r#","success":"true","policy_reject":false"#, Some(failed), ReportedFailed),
        (r#","success":1"#, Some(failed), ReportedFailed),
        ("", Some(failed), ReportedFailed),
        (r#","success":false,"fail_type":"""#, Some(failed), ReportedFailed),
        (r#","success":false,"fail_type":"credentials""#, Some(failed), ReportedFailed),
        (r#","success":false,"fail_type":"account""#, Some(failed), ReportedFailed),
        (r#","success":false,"fail_type":"UNSUPPORTED_VARIABLE_fail_type""#, Some(failed), ReportedFailed),
        (r#","success":false,"fail_type":7"#, Some(failed), ReportedFailed),
        (r#","success":false,"fail_type":"internal""#, Some(down), ReportedOutage),
        (r#","success":false,"fail_type":"expired""#, None, ReportedNoGuess),
        (r#","success":false,"fail_type":"disabled""#, None, ReportedNoGuess),
        (r#","success":false,"policy_reject":true"#, Some(refused), ReportedRefused),
        (r#","success":false,"policy_reject":true,"fail_type":"policy""#, Some(refused), ReportedRefused),
        (r#","success":false,"policy_reject":true,"fail_type":"internal""#, Some(refused), ReportedRefused),
        (r#","success":false,"fail_type":"policy""#, Some(refused), ReportedRefused),
        (r#","success":false,"policy_reject":"true""#, Some(failed), ReportedFailed),
        (r#","login":"","remote":"","success":false"#, None, ReportedNobody),
        (r#","login":"","success":false"#, Some("login-failed One - 192.0.2.1 imap s/1 -"), ReportedFailed),
        (r#","session_id":"","success":false"#, Some("login-failed One carol 192.0.2.1 imap - -"), ReportedFailed),
    ];
    for (outcome, wanted, count) in cases {
        let (door, gate) = recording(Verdict::Refuse, Settings::default());
        assert_eq!(report(&gate, &format!("{{{who}{outcome}}}")), DONE, "{outcome}");
        assert_eq!(door.heard.lock().unwrap().first().map(String::as_str), wanted, "{outcome}");
        assert_eq!(gate.counters().get(count), 1, "{outcome}");
    }
}

#[test]
fn password_tags() {
    let cases = [
        (with_nonce(), "0acf", "acf", None),
        (with_nonce(), "04b4", "-", Some(Count::ConstantTags)),
        (with_nonce(), "", "-", Some(Count::UnusedTags)),
        (with_nonce(), "0acf0acf", "-", Some(Count::UnusedTags)),
        (Settings::default(), "0acf", "-", Some(Count::UnusedTags)),
    ];
    for (settings, pwhash, tag, count) in cases {
        let (door, gate) = recording(Verdict::Pass, settings);
        report(&gate, &format!(r#"{{"login":"alice","pwhash":"{pwhash}","success":false}}"#));
        assert_eq!(*door.heard.lock().unwrap(), [format!("login-failed One alice -  - {tag}")], "{pwhash}");
        assert_eq!(count.map_or(1, |count| gate.counters().get(count)), 1, "{pwhash}");
    }
}

#[test]
fn commands_and_methods() {
    let not_found = r#"404 {"status":"failure","reason":"Not found"}"#;
    let not_allowed = r#"405 {"status":"failure","reason":"Method not allowed"}"#;
    let cases = [
        ("POST /?command=allow", PASS),
        ("POST /command/allow", PASS),
        ("POST /?token=x&command=allow", PASS),
        ("POST http://127.0.0.1:4001/?command=allow", PASS),
        ("POST /?command=report", DONE),
        ("POST /command/report", DONE),
        ("GET /?command=ping", DONE),
        ("GET /command/ping", DONE),
        ("HEAD /command/ping", ""),
        ("POST /command/ping", not_allowed),
        ("GET /?command=allow", not_allowed),
        ("PUT /command/report", not_allowed),
        ("HEAD /command/report", "405 "),
        ("POST /?command=reset", not_found),
        ("POST /?command=", not_found),
        ("POST /?command", not_found),
        ("POST /", not_found),
        ("POST /allow", not_found),
        ("POST /command/allow/", not_found),
        ("POST /command/ALLOW", not_found),
        ("POST /x?command=allow", not_found),
    ];
    for (head, wanted) in cases {
        let (_, gate) = recording(Verdict::Pass, Settings::default());
        assert_eq!(request(&gate, head, b"{}"), wanted, "{head}");
        let refused = u64::from(wanted.starts_with('4'));
        assert_eq!(gate.counters().get(Count::UnknownCommand), refused, "{head}");
    }
}

#[test]
fn who_may_ask() {
    let open = Access::open;
    let basic = || open().with_password("super");
    let api = || open().with_header("sesame");
    let named = || open().with_header("X-Ratter-Key:  sesame ");
    let cases = [
        (open(), "", true),
        (open(), "Authorization: Basic nonsense", true),
        (basic(), "", false),
        (basic(), "Authorization: Basic d2ZvcmNlOnN1cGVy", true), // wforce:super
        (basic(), "authorization: basic d2ZvcmNlOnN1cGVy", true),
        (basic(), "Authorization: Basic OnN1cGVy", true), // :super
        (basic(), "Authorization: Basic d2ZvcmNlOnN1cGVyIQ==", false), // wforce:super!
        (basic(), "Authorization: Basic d2ZvcmNlOnN1cGU=", false), // wforce:supe
        (basic(), "Authorization: Basic c3VwZXI=", false), // super
        (basic(), "Authorization: Basic", false),
        (basic(), "Authorization: Basicd2ZvcmNlOnN1cGVy", false),
        (basic(), "Authorization: Bearer d2ZvcmNlOnN1cGVy", false),
        (basic(), "Authorization: B\u{e4}s", false),
        (basic(), "X-API-Key: super", false),
        (api(), "X-API-Key: sesame", true),
        (api(), "x-api-key:sesame", true),
        (api(), "X-API-Key: sesame2", false),
        (api(), "X-API-Key:", false),
        (api(), "Authorization: Basic OnNlc2FtZQ==", false), // :sesame
        (named(), "X-Ratter-Key: sesame", true),
        (named(), "X-API-Key: sesame", false),
        (basic().with_header("sesame"), "X-API-Key: sesame", true),
        (basic().with_header("sesame"), "Authorization: Basic OnN1cGVy", true),
        (basic().with_header("sesame"), "", false),
    ];
    for (access, header, admitted) in cases {
        let (door, gate) = recording(Verdict::Pass, Settings { access, ..Settings::default() });
        let header = if header.is_empty() { String::new() } else { format!("\r\n{header}") };
        let head = format!("POST /?command=allow HTTP/1.1{header}\r\nX-Rest:");
        let reply = request(&gate, &head, b"{}");
        let wanted = if admitted { PASS } else { r#"401 {"status":"failure","reason":"Unauthorized"}"# };
        assert_eq!(reply, wanted, "{header}");
        assert_eq!(door.heard.lock().unwrap().len(), usize::from(admitted), "{header}");
        assert_eq!(gate.counters().get(Count::Unauthorized), u64::from(!admitted), "{header}");
    }
}

#[test]
fn a_panic_behind_the_door_lets_through() {
    let gate = Arc::new(Gate::new(Settings::default(), Arc::new(Broken)));
    assert_eq!(allow(&gate, r#"{"login":"carol"}"#), PASS);
    assert_eq!(report(&gate, r#"{"login":"carol","success":false}"#), DONE);
    assert_eq!(gate.counters().get(Count::DoorPanics), 2);
}

#[test]
fn warnings_name_what_is_missing() {
    let warned = |gate: &Arc<Gate>, word: &str| gate.warnings().iter().filter(|text| text.contains(word)).count();
    let (_, gate) = recording(Verdict::Pass, Settings::default());
    assert_eq!((warned(&gate, "nonce"), warned(&gate, "ag_stage")), (1, 0));
    let (_, gate) = recording(Verdict::Pass, with_nonce());
    assert!(gate.warnings().is_empty());
    for _ in 0..UNMARKED_LOGINS_MIN {
        report(&gate, r#"{"login":"carol","pwhash":"0123","success":true}"#);
    }
    assert_eq!((warned(&gate, "truncate"), warned(&gate, "ag_stage")), (0, 1));
    report(&gate, r#"{"login":"carol","pwhash":"01234567","success":true}"#);
    allow(&gate, r#"{"login":"carol","attrs":{"stage":"after"}}"#);
    assert_eq!((warned(&gate, "truncate"), warned(&gate, "ag_stage")), (1, 0));
}

#[test]
fn nothing_but_the_status_changes_with_the_reason() {
    let listed = Reason::AddressListed { list: ListId::BLOCKED, rule: None, until: None };
    let door = Fixed(Decision { verdict: Verdict::Refuse, reason: listed });
    let gate = Arc::new(Gate::new(Settings::default(), Arc::new(door)));
    assert_eq!(allow(&gate, r#"{"login":"carol"}"#), r#"{"status":-1,"msg":"","r_attrs":{}}"#);
    assert_eq!(report(&gate, r#"{"login":"carol","success":false}"#), DONE, "a report is never refused");
}

#[test]
fn every_count_has_its_own_name() {
    let counters = Counters::default();
    let mut names: Vec<_> = counters.named().into_iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Count::ALL.len());
    assert!(Count::ALL.iter().enumerate().all(|(at, count)| *count as usize == at));
}

proptest! {
    #[test]
    fn random_bodies_get_an_answer(body in prop::collection::vec(any::<u8>(), 0..300)) {
        let (_, gate) = recording(Verdict::Pass, with_nonce());
        for head in ["POST /?command=allow", "POST /?command=report"] {
            let reply = request(&gate, head, &body);
            prop_assert!([PASS, DONE, NOT_JSON].contains(&reply.as_str()), "{}", reply);
        }
    }

    #[test]
    fn any_json_object_is_answered_neutrally(
        values in prop::collection::vec(prop_oneof![
            Just("null"), Just("true"), Just("-7"), Just("1e400"), Just("\"x\""), Just("[[]]"), Just("{\"stage\":{}}"),
        ], 10)
    ) {
        let names = ["login", "remote", "pwhash", "success", "policy_reject", "fail_type", "protocol", "session_id", "attrs", "z"];
        let members: Vec<String> = names.iter().zip(&values).map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let body = format!("{{{}}}", members.join(","));
        let (_, gate) = recording(Verdict::Pass, with_nonce());
        let reply = allow(&gate, &body);
        // A number beyond all numbers is no JSON to the parser.
        prop_assert!(reply == PASS || (reply == NOT_JSON && body.contains("1e400")), "{}: {}", body, reply);
    }

    #[test]
    fn a_damaged_question_never_panics(at in 0_usize..80, byte in any::<u8>()) {
        let mut body = br#"{"attrs":{"stage":"after"},"login":"ca\"rol","remote":"192.0.2.1","success":false}"#.to_vec();
        body[at] = byte;
        let (_, gate) = recording(Verdict::Pass, with_nonce());
        let reply = request(&gate, "POST /?command=report", &body);
        prop_assert!([DONE, NOT_JSON].contains(&reply.as_str()), "{}", reply);
    }
}
