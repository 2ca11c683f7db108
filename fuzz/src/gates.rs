//! What other mail servers ask: Postfix' look-up tables, the HTTP gate, and weakforced's API.

use std::sync::Arc;

use ::gates::http::Http;
use ::gates::map::{Dialect, Gate as MapGate, Tables};
use ::gates::saslauthd::{Gate as SaslGate, Reply, Upstream};
use ::gates::weakforced::Body;
use ::gates::web::{Backends, Gate as WebGate, Settings};

use crate::Target;
use crate::mail::{answers, node};

pub(crate) fn targets() -> Vec<Target> {
    vec![socketmap(), tcp(), web(), entry(), saslauthd()]
}

/// Whatever comes is answered by whole netstrings.
fn socketmap() -> Target {
    let seeds = ["19:clients 203.0.113.7,12:logins alice,0:,", "9:other bob,17:clients 203.0.113,"];
    let (node, settings) = node();
    let tables = Tables::new(Arc::new(MapGate::new(node, settings)), Dialect::Socketmap);
    Target::new("gate-socketmap", seeds.map(|seed| seed.as_bytes().to_vec()).into(), move |input| {
        let output = answers(&tables, input);
        assert!(output.is_empty() || output.ends_with(b","), "an answer is no netstring");
    })
}

/// Each line has one answer, also a last one that is too long to be waited for.
fn tcp() -> Target {
    let seeds = ["get 203.0.113.7\nget mail.example.org\n", "get%20\nput a b\nget 203%2e0.113.7\r\n"];
    let (node, settings) = node();
    let tables = Tables::new(Arc::new(MapGate::new(node, settings)), Dialect::Tcp);
    Target::new("gate-tcp-table", seeds.map(|seed| seed.as_bytes().to_vec()).into(), move |input| {
        let output = answers(&tables, input);
        let lines = |text: &[u8]| text.split(|&byte| byte == b'\n').count() - 1;
        assert!(lines(&output) <= lines(input) + 1, "more answers than questions");
    })
}

/// Any answer is HTTP, and none refuses but by a decision.
fn web() -> Target {
    let seeds = [
        "GET /v1/check?address=203.0.113.7&login=a%20b&format=text HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /v1/report?login=alice&result=failed HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        "GET /v1/nginx HTTP/1.0\r\nAuth-User: a%40b\r\nAuth-Protocol: imap\r\nClient-IP: 203.0.113.7\r\n\r\n",
        "GET /v1/openapi.json HTTP/1.1\r\n\r\n",
    ];
    let (node, _) = node();
    let backends = Backends { imap: "127.0.0.1:143".parse().ok(), ..Backends::default() };
    let gate = Arc::new(WebGate::new(Settings { backends, ..Settings::default() }, node.door));
    let http = Http::new(gate);
    Target::new("gate-web", seeds.map(|seed| seed.as_bytes().to_vec()).into(), move |input| {
        let output = answers(&http, input);
        assert!(output.is_empty() || output.starts_with(b"HTTP/1.1 "));
        assert!(!output.windows(10).any(|text| text == b"\"status\":-"), "nobody is refused here");
    })
}

/// A body is understood or not; what is understood is about somebody.
fn entry() -> Target {
    let seeds = [
        r#"{"ip":"203.0.113.7","login":"alice","expire_secs":10,"reason":"test"}"#,
        r#"{"netmask":"2001:db8::/32","expire_secs":-1,"reason":"a\nb"}"#,
    ];
    Target::new("weakforced-entry", seeds.map(|seed| seed.as_bytes().to_vec()).into(), |input| {
        if let Ok(body) = Body::parse(input) {
            assert!(body.party.network.is_some() || body.party.login.is_some());
            assert!(body.reason.is_none_or(|reason| !reason.chars().any(char::is_control)));
        }
    })
}

/// Finds every password right.
struct Right;

impl Upstream for Right {
    fn pass_on(&self, _: Vec<u8>) -> Reply {
        Arc::new(std::sync::OnceLock::from(Some(b"OK".to_vec())))
    }
}

/// One question has at most one answer, with its length before it.
fn saslauthd() -> Target {
    let seeds = [&b"\0\x05alice\0\x06secret\0\x04imap\0\0"[..], b"\0\0\0\0\0\0\0\0", b"\x01\x01"];
    let (node, _) = node();
    let gate = Arc::new(SaslGate::new(node.door, Arc::new(Right)));
    Target::new("gate-saslauthd", seeds.map(<[u8]>::to_vec).into(), move |input| {
        let output = answers(&gate, input);
        let whole = output.split_first_chunk::<2>();
        let length = whole.map(|(length, _)| usize::from(u16::from_be_bytes(*length)));
        assert!(output.is_empty() || length == Some(output.len() - 2), "an answer without its length");
    })
}
