use std::collections::BTreeSet;

use base::{Decision, Event, EventKind, Reason};
use core::time::Duration;
use proptest::prelude::*;
use rules::Question;

use super::*;
use crate::http::Http;
use crate::session::Protocol as _;

/// Decides by login.
struct ByLogin;

impl Door for ByLogin {
    fn ask(&self, _: Timestamp, question: &Question<'_>) -> Decision {
        let verdict = match (question.login, question.stage) {
            (Some("panic"), _) => panic!("this panic is part of a test"),
            (Some("refused"), _) | (Some("held"), Stage::After) => Verdict::Refuse,
            (Some("held"), Stage::Before) => Verdict::Tarpit(Duration::from_mins(1)),
            (Some("deferred"), _) => Verdict::Defer,
            _ => Verdict::Pass,
        };
        Decision { verdict, reason: Reason::Unlisted }
    }

    fn observe(&self, event: &Event<'_>) -> Decision {
        let verdict = if event.kind == EventKind::LoginFailed { Verdict::Refuse } else { Verdict::Pass };
        Decision { verdict, reason: Reason::Unlisted }
    }
}

struct Length;

impl Passwords for Length {
    fn judge(&self, password: &str, about: &[&str], profile: &str) -> Option<Value> {
        (profile == "mail").then(|| json!({"good": password.len() > 11 && about.is_empty()}))
    }
}

fn gate() -> Arc<Gate> {
    let backends = Backends { imap: "192.0.2.1:143".parse().ok(), ..Backends::default() };
    let settings = Settings { backends, passwords: Some(Arc::new(Length)), ..Settings::default() };
    Arc::new(Gate::new(settings, Arc::new(ByLogin)))
}

/// Status, kind and body of the reply, or its own header lines if it has no body.
fn request(gate: &Arc<Gate>, head: &str, more: &str, body: &str) -> String {
    let mut session = Http::new(gate.clone()).session(None);
    let input = format!("{head} HTTP/1.1\r\n{more}Content-Length: {}\r\n\r\n{body}", body.len());
    let output = String::from_utf8(session.converse(Timestamp::EPOCH, input.as_bytes(), 500)).unwrap();
    let (head, body) = output.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().strip_prefix("HTTP/1.1 ").unwrap().split(' ').next().unwrap();
    let own = lines.filter(|line| line.starts_with("Auth-") || line.ends_with("text/plain"));
    let own: String = own.flat_map(|line| [line, "; "]).collect();
    format!("{status} {own}{body}")
}

#[test]
fn questions_and_reports() {
    let gate = gate();
    for (head, more, wanted) in [
        ("GET /v1/check?login=alice", "", r#"200 {"reason":"unlisted","status":0,"verdict":"pass"}"#),
        ("GET /v1/check?login=refused&format=json", "", r#"200 {"reason":"unlisted","status":-1,"verdict":"refuse"}"#),
        ("GET /v1/check?login=refused&format=text", "", "200 Content-Type: text/plain; -1"),
        ("GET /v1/check?login=held", "Accept: text/plain\r\n", "200 Content-Type: text/plain; 60"),
        ("GET /v1/check?login=held&stage=after", "accept: text/plain\r\n", "200 Content-Type: text/plain; -1"),
        ("GET /v1/check?login=deferred&format=text", "", "200 Content-Type: text/plain; -2"),
        ("GET /v1/check?login=panic&format=text", "", "200 Content-Type: text/plain; 0"),
        ("GET /v1/check?login=r%65fused&format=text", "", "200 Content-Type: text/plain; -1"),
        ("GET /v1/check?login=%", "", r#"400 {"reason":"bad-escape","status":0,"verdict":"error"}"#),
        ("GET /v1/check?address=x&format=text", "", "400 Content-Type: text/plain; 0"),
        ("GET /v1/check?address=2001%3Adb8%3A%3A1&format=text", "", "200 Content-Type: text/plain; 0"),
        ("GET /v1/check", "", r#"400 {"reason":"nobody","status":0,"verdict":"error"}"#),
        ("POST /v1/report?login=a&result=failed&format=text", "", "200 Content-Type: text/plain; -1"),
        ("POST /v1/report?login=a&result=ok&format=text", "", "200 Content-Type: text/plain; 0"),
        ("POST /v1/report?login=a", "", r#"400 {"reason":"unknown-result","status":0,"verdict":"error"}"#),
        ("GET /v1/report?login=a&result=ok", "", r#"405 {"status":"failure","reason":"Method not allowed"}"#),
        ("GET /v2/check", "", r#"404 {"status":"failure","reason":"Not found"}"#),
    ] {
        assert_eq!(request(&gate, head, more, ""), wanted, "{head}");
    }
    assert_eq!((gate.asked().get(line::Count::Malformed), gate.counters().get(Count::UnknownPath)), (4, 2));
}

#[test]
fn passwords() {
    let gate = gate();
    let ask = |body| request(&gate, "POST /v1/password", "", body);
    assert_eq!(ask(r#"{"password":"tin cup lamp owl"}"#), r#"200 {"good":true}"#);
    assert_eq!(ask(r#"{"password":"tin cup lamp owl","about":["owl"]}"#), r#"200 {"good":false}"#);
    for body in [r#"{"password":"x","profile":"none"}"#, "{}", "", r#"{"password":5}"#] {
        assert!(ask(body).starts_with("400 "), "{body}");
    }
    let without = Arc::new(Gate::new(Settings::default(), Arc::new(ByLogin)));
    assert!(request(&without, "POST /v1/password", "", r#"{"password":"x"}"#).starts_with("404 "));
    assert!(request(&without, "GET /v1/nginx", "", "").starts_with("404 "));
}

#[test]
fn nginx() {
    let gate = gate();
    let ask = |login: &str, protocol: &str| {
        let more = format!(
            "Auth-Method: plain\r\nAuth-User: {login}\r\nAuth-Pass: x\r\nAuth-Protocol: {protocol}\r\nClient-IP: 192.0.2.7\r\n"
        );
        request(&gate, "GET /v1/nginx", &more, "")
    };
    let pass = "200 Auth-Status: OK; Auth-Server: 192.0.2.1; Auth-Port: 143; ";
    assert_eq!(ask("alice", "imap"), pass);
    assert_eq!(ask("panic", "imap"), pass);
    assert_eq!(ask("r%65fused", "imap"), "200 Auth-Status: Invalid login or password; ");
    assert_eq!(ask("held", "imap"), "200 Auth-Status: Invalid login or password; Auth-Wait: 60; ");
    let later = "200 Auth-Status: Temporary server problem, try again later; Auth-Error-Code: 451 4.3.0; ";
    assert_eq!(ask("deferred", "imap"), later);
    assert_eq!(ask("alice", "smtp"), later);
    assert_eq!((gate.counters().get(Count::Nginx), gate.counters().get(Count::NginxNowhere)), (6, 1));
}

/// The document is what the code does: its paths, methods, parameters and the fields of its answers.
#[test]
fn the_document_says_what_the_code_does() {
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let told: BTreeSet<String> = paths
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let routes: BTreeSet<String> = Route::ALL.iter().map(|(path, method, _)| format!("{method} {path}")).collect();
    assert_eq!(told, routes);

    let gate = gate();
    let component = |name: &str| &document["components"]["schemas"][name]["properties"];
    for (path, method, _) in Route::ALL {
        let operation = &paths[path][method.to_lowercase()];
        assert!(operation["summary"].is_string(), "{path}");
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let in_query = parameters.iter().filter(|parameter| parameter["in"] == "query");
        let names: BTreeSet<_> = in_query.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect();
        let wanted: &[&str] = match path {
            "/v1/check" => &["address", "login", "service", "session", "stage", "format"],
            "/v1/report" => &["address", "login", "service", "session", "stage", "format", "result"],
            _ => &[],
        };
        assert_eq!(names, wanted.iter().map(|&name| name.to_owned()).collect(), "{path}");
        let statuses = operation["responses"].as_object().unwrap();
        for (query, body) in [("?login=a&result=ok", r#"{"password":"x"}"#), ("", "")] {
            let head = format!("{method} {path}{query}");
            let status = request(&gate, &head, "", body);
            assert!(statuses.contains_key(&status[..3]), "{head}: {status}");
        }
    }
    // Each parameter that is told of changes an answer or is carried to the door; each field of an answer is told of.
    let answer: Value = {
        let reply = request(&gate, "GET /v1/check?login=a", "", "");
        serde_json::from_str(reply.split_once(' ').unwrap().1).unwrap()
    };
    let fields = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(fields(&answer), fields(component("Answer")));
    assert_eq!(fields(component("Password")), ["about", "password", "profile"].map(str::to_owned).into());
    assert_eq!(request(&gate, "GET /v1/openapi.json", "", "").split_once(' ').unwrap().1, OPENAPI);
}

proptest! {
    #[test]
    fn any_target_is_answered(target in "[ -~]{0,80}", method in "(GET|POST)", body in any::<Vec<u8>>()) {
        let gate = gate();
        let target = target.replace(' ', "+");
        for path in ["/v1/check?", "/v1/report?result=failed&", "/v1/nginx?", "/v1/password?", "/"] {
            let reply = request(&gate, &format!("{method} {path}{target}"), "", &String::from_utf8_lossy(&body));
            prop_assert!(reply.starts_with(['2', '4']), "{}", reply);
        }
    }
}
