use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;
use crate::session::{Protocol as _, Session};

/// Says what it was asked: method, path, the parameter `command`, the header `x-mark`, and the body.
struct Echo;

impl Service for Echo {
    fn answer(&self, _now: Timestamp, request: &Request<'_>, reply: &mut Reply<'_>) {
        let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or(b"-")).into_owned();
        let said = format!(
            "{} {} {} {} <{}>",
            request.method(),
            request.path(),
            request.query("command").unwrap_or("-"),
            text(request.header("X-Mark")),
            text(Some(request.body()))
        );
        reply.body.extend_from_slice(said.as_bytes());
    }
}

fn session(service: impl Service + 'static) -> Session<Connection> {
    Http::new(Arc::new(service)).session(None)
}

/// What came of a client's bytes: all output, and the connection.
fn converse(pieces: &[&[u8]]) -> (String, Session<Connection>) {
    let mut session = session(Echo);
    let output = pieces.iter().flat_map(|piece| session.converse(Timestamp::EPOCH, piece, usize::MAX)).collect();
    (String::from_utf8(output).unwrap(), session)
}

/// The bodies of a series of replies, or the status line of one that is not 200.
fn bodies(output: &str) -> Vec<String> {
    let mut rest = output;
    let mut all = Vec::new();
    while !rest.is_empty() {
        let (head, behind) = rest.split_once("\r\n\r\n").unwrap();
        let length =
            head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).map_or(0, |n| n.parse().unwrap());
        let status = head.lines().next().unwrap().strip_prefix("HTTP/1.1 ").unwrap();
        all.push(if status == "200 OK" { behind[..length].to_owned() } else { status.to_owned() });
        rest = &behind[length..];
    }
    all
}

#[test]
fn requests_and_replies() {
    const TABLE: &[(&str, &[&str])] = &[
        ("GET / HTTP/1.1\r\n\r\n", &["GET / - - <>"]),
        ("GET /?command=ping HTTP/1.1\r\nHost: a\r\n\r\n", &["GET / ping - <>"]),
        ("GET ?command=ping HTTP/1.1\r\n\r\n", &["GET / ping - <>"]),
        ("GET /?a=b&command=ping&command=x HTTP/1.1\r\n\r\n", &["GET / ping - <>"]),
        ("GET /?commands=x HTTP/1.1\r\n\r\n", &["GET / - - <>"]),
        ("GET http://mx1.example.org:4001/command/ping HTTP/1.1\r\n\r\n", &["GET /command/ping - - <>"]),
        ("GET http://mx1.example.org?command=x HTTP/1.1\r\n\r\n", &["GET / x - <>"]),
        ("GET http://mx1.example.org HTTP/1.1\r\n\r\n", &["GET / - - <>"]),
        ("\r\n\r\nGET / HTTP/1.1\r\n\r\n", &["GET / - - <>"]),
        ("GET / HTTP/1.1\nx-MARK: m \n\n", &["GET / - m <>"]),
        ("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", &["POST / - - <abc>"]),
        ("POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", &["POST / - - <abc>"]),
        (
            "POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\naPOST /b HTTP/1.1\r\nContent-Length: 1\r\n\r\nb",
            &["POST / - - <a>", "POST /b - - <b>"],
        ),
        ("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET /3 HT", &["GET /1 - - <>", "GET /2 - - <>"]),
        (
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0A;x=y\r\n0123456789\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            &["POST / - - <abc0123456789>", "GET / - - <>"],
        ),
        (
            "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\nX-Mark: 5\r\n\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n",
            &["POST / - 5 <>"],
        ),
        (
            "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nokGET / HTTP/1.1\r\n\r\n",
            &["POST / - - <ok>", "GET / - - <>"],
        ),
        ("GET /1 HTTP/1.1\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\n\r\n", &["GET /1 - - <>"]),
        ("GET /1 HTTP/1.0\r\n\r\nGET /2 HTTP/1.0\r\n\r\n", &["GET /1 - - <>"]),
        (
            "GET /1 HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\nGET /2 HTTP/1.0\r\n\r\n",
            &["GET /1 - - <>", "GET /2 - - <>"],
        ),
    ];
    for (input, wanted) in TABLE {
        let (output, connection) = converse(&[input.as_bytes()]);
        assert_eq!(bodies(&output), *wanted, "{input}");
        assert!(!connection.is_faulty(), "{input}");
    }
}

#[test]
fn malformed_is_answered_once_and_closed() {
    const TABLE: &[(&str, &str)] = &[
        ("nonsense\r\n\r\n", "400 Bad Request"),
        ("\x16\x03\x01\x02\x00", "400 Bad Request"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/3.7\r\n\r\n", "400 Bad Request"),
        ("GET  / HTTP/1.1\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/1.1\r\nname : x\r\n\r\n", "400 Bad Request"),
        ("POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\nabc", "400 Bad Request"),
        ("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\nabc", "400 Bad Request"),
        ("POST / HTTP/1.1\r\nContent-Length: \r\n\r\nabc", "400 Bad Request"),
        ("POST / HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\nabc", "400 Bad Request"),
        ("POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", "400 Bad Request"),
        ("POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", "400 Bad Request"),
        ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 Bad Request"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", "501 Not Implemented"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501 Not Implemented"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "400 Bad Request"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", "400 Bad Request"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc", "400 Bad Request"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", "400 Bad Request"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nabc", "400 Bad Request"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", "413 Content Too Large"),
        ("POST / HTTP/1.1\r\nContent-Length: 65537\r\nExpect: 100-continue\r\n\r\n", "413 Content Too Large"),
        ("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", "413 Content Too Large"),
    ];
    for (input, wanted) in TABLE {
        let (output, connection) = converse(&[input.as_bytes()]);
        assert_eq!(bodies(&output), [*wanted], "{input}");
        assert!(connection.is_closing() && connection.is_faulty(), "{input}");
        assert!(output.contains("\r\nConnection: close\r\n"), "{output}");
    }
}

#[test]
fn limits_hold_exactly() {
    let headers = |count: usize| format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(count));
    let head = |length: usize| format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "x".repeat(length - 23));
    let body = |length: usize| format!("POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{}", "x".repeat(length));
    let chunk = "1000\r\n".to_owned() + &"x".repeat(0x1000) + "\r\n";
    let chunks =
        |n: usize| format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n", chunk.repeat(n));
    let small =
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned() + &"1\r\nx\r\n".repeat(BODY_BYTES_MAX);
    let trailers = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n".to_owned() + &"a: b\r\n".repeat(1000);
    let cases = [
        (headers(HEADERS_MAX), None),
        (headers(HEADERS_MAX + 1), Some("431 Request Header Fields Too Large")),
        (head(HEAD_BYTES_MAX), None),
        (head(HEAD_BYTES_MAX + 1), Some("431 Request Header Fields Too Large")),
        ("GET /".to_owned() + &"x".repeat(2 * HEAD_BYTES_MAX), Some("431 Request Header Fields Too Large")),
        (body(BODY_BYTES_MAX), None),
        (body(BODY_BYTES_MAX + 1), Some("413 Content Too Large")),
        (chunks(16), None),
        (chunks(17), Some("413 Content Too Large")),
        (small.clone() + "0\r\n\r\n", None),
        (small + "1\r\n", Some("413 Content Too Large")),
        (trailers, Some("431 Request Header Fields Too Large")),
        (
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;".to_owned() + &"x".repeat(2000),
            Some("400 Bad Request"),
        ),
    ];
    for (input, fault) in cases {
        let (output, connection) = converse(&[input.as_bytes()]);
        let what = &input[..input.len().min(80)];
        let said = bodies(&output);
        assert_eq!((said.len(), connection.is_faulty()), (1, fault.is_some()), "{what} … {}", input.len());
        assert!(fault.is_none_or(|fault| said[0] == fault), "{what} … {}", input.len());
    }
}

/// A service that wants longer bodies gets them, and hears of those that are longer still.
#[test]
fn a_service_may_take_longer_bodies() {
    const MAX: usize = 4 * BODY_BYTES_MAX;
    #[derive(Default)]
    struct Taker {
        taken: AtomicUsize,
        failed: AtomicUsize,
    }
    impl Service for Taker {
        fn answer(&self, _: Timestamp, request: &Request<'_>, _: &mut Reply<'_>) {
            self.taken.fetch_add(request.body().len(), Ordering::Relaxed);
        }

        fn failed(&self, fault: Fault) {
            assert_eq!(fault, Fault::BodyTooLarge);
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }
    let sized = |length: usize| format!("POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{}", "x".repeat(length));
    let chunks = |count: usize| {
        let chunk = "1000\r\n".to_owned() + &"x".repeat(0x1000) + "\r\n";
        format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n", chunk.repeat(count))
    };
    for (input, taken, failed) in
        [(sized(MAX), MAX, 0), (sized(MAX + 1), 0, 1), (chunks(MAX / 0x1000), MAX, 0), (chunks(MAX / 0x1000 + 1), 0, 1)]
    {
        let taker = Arc::new(Taker::default());
        let mut session = Http::new(taker.clone()).with_bodies::<MAX>().session(None);
        session.converse(Timestamp::EPOCH, input.as_bytes(), 65_536);
        let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        assert_eq!((count(&taker.taken), count(&taker.failed)), (taken, failed), "{} bytes", input.len());
    }
}

#[test]
fn a_waiting_client_is_told_to_continue_once() {
    let head: &[u8] = b"POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 4\r\n\r\n";
    let (output, _) = converse(&[head, b"ab", b"cd"]);
    assert!(output.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"), "{output}");
    assert_eq!(output.matches("100 Continue").count(), 1);
    let (output, _) = converse(&[b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n", b"abcd"]);
    assert!(output.starts_with("HTTP/1.1 200 OK\r\n"), "1.0 does not know it: {output}");
}

#[test]
fn a_head_request_is_answered_without_body() {
    let (output, _) = converse(&[b"HEAD /x HTTP/1.1\r\n\r\n"]);
    assert!(output.ends_with("Content-Length: 14\r\n\r\n"), "{output}");
}

#[test]
fn an_old_client_is_told_that_the_connection_stays() {
    let (output, _) = converse(&[b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"]);
    assert!(output.contains("\r\nConnection: keep-alive\r\n"), "{output}");
    let (output, connection) = converse(&[b"GET / HTTP/1.1\r\n\r\n"]);
    assert!(!output.contains("Connection:") && connection.is_idle());
}

#[test]
fn pipelined_replies_stop_at_the_limit_and_go_on() {
    let mut connection = session(Echo);
    let request = b"GET / HTTP/1.1\r\n\r\n";
    let (mut sent, mut answered, mut written) = (0, 0, 0);
    for _ in 0..10_000 {
        let space = connection.space();
        if space.len() >= request.len() {
            space[..request.len()].copy_from_slice(request);
            connection.filled(request.len());
            sent += 1;
        }
        answered += connection.serve(Timestamp::EPOCH);
        assert!(connection.output().len() <= OUTPUT_BYTES_MAX + 1024);
        if connection.output().len() >= OUTPUT_BYTES_MAX {
            written += connection.output().len();
            connection.written();
        }
    }
    answered += connection.serve(Timestamp::EPOCH);
    assert_eq!((sent, answered), (10_000, 10_000));
    assert!(written > 0);
}

/// Several requests of every kind, one behind another.
const STREAM: &str = "GET /?command=ping HTTP/1.1\r\nHost: a\r\n\r\n\
    POST /command/allow HTTP/1.1\r\nContent-Length: 17\r\nX-Mark: 1\r\n\r\n{\"login\":\"carol\"}\
    \r\nPOST /chunked HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;ext\r\n,\r\n6\r\n world\r\n0\r\nT: x\r\n\r\n\
    POST /last HTTP/1.1\r\nExpect: x\r\nContent-Length: 2\r\n\r\n{}";

#[test]
fn every_cut_in_two_gives_the_same_answers() {
    let (whole, _) = converse(&[STREAM.as_bytes()]);
    assert_eq!(bodies(&whole).len(), 4);
    for cut in 0..=STREAM.len() {
        let (head, tail) = STREAM.as_bytes().split_at(cut);
        assert_eq!(converse(&[head, tail]).0, whole, "cut at {cut}");
    }
    let bytes: Vec<&[u8]> = STREAM.as_bytes().chunks(1).collect();
    assert_eq!(converse(&bytes).0, whole, "byte by byte");
}

/// Puts each request off until it has waited for 20 ms.
struct Patient;

impl Service for Patient {
    fn answer(&self, _now: Timestamp, request: &Request<'_>, reply: &mut Reply<'_>) {
        reply.is_later = reply.waited.as_millis() < 20;
        reply.body.extend_from_slice(request.body());
    }
}

#[test]
fn a_request_that_is_put_off_is_answered_later_and_once() {
    let sized = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\none".as_slice();
    let chunked = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\non\r\n1\r\ne\r\n0\r\n\r\n".as_slice();
    for request in [sized, chunked] {
        let mut connection = session(Patient);
        // The second request came with the first, and its time begins when the first is answered.
        for byte in request.iter().chain(request) {
            connection.space()[0] = *byte;
            connection.filled(1);
        }
        let answered = [0, 5, 19, 20, 25, 39, 40].map(|at| {
            let before = connection.output().len();
            connection.serve(Timestamp::from_millis(at));
            (connection.output().len() > before, connection.is_waiting())
        });
        let (later, now) = ((false, true), (true, true));
        assert_eq!(answered, [later, later, later, now, later, later, (true, false)]);
        let output = String::from_utf8_lossy(connection.output()).into_owned();
        assert_eq!(output.matches("one").count(), 2, "{output}");
        assert!(connection.is_idle());
    }
}

proptest! {
    #[test]
    fn any_cuts_give_the_same_answers(mut cuts in prop::collection::vec(0..=STREAM.len(), 0..12)) {
        cuts.sort_unstable();
        let (whole, _) = converse(&[STREAM.as_bytes()]);
        let ends = cuts.iter().copied().chain([STREAM.len()]);
        let starts = [0].into_iter().chain(cuts.iter().copied());
        let pieces: Vec<&[u8]> = starts.zip(ends).map(|(start, end)| &STREAM.as_bytes()[start..end]).collect();
        prop_assert_eq!(converse(&pieces).0, whole);
    }

    #[test]
    fn chunks_of_any_size_decode(body in "[ -~]{0,400}", sizes in prop::collection::vec(1_usize..50, 1..20), cut in 1_usize..40) {
        let mut sent = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        let mut rest = body.as_str();
        for size in sizes.iter().cycle() {
            let (now, later) = rest.split_at((*size).min(rest.len()));
            sent.extend_from_slice(format!("{:x}\r\n{now}\r\n", now.len()).as_bytes());
            if now.is_empty() {
                break;
            }
            rest = later;
        }
        let pieces: Vec<&[u8]> = sent.chunks(cut).collect();
        prop_assert_eq!(bodies(&converse(&pieces).0), [format!("POST / - - <{body}>")]);
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), cut in 1_usize..600) {
        let pieces: Vec<&[u8]> = bytes.chunks(cut).collect();
        converse(&pieces);
    }

    #[test]
    fn damaged_requests_never_panic(at in 0..STREAM.len(), byte in any::<u8>(), cut in 1_usize..200) {
        let mut bytes = STREAM.as_bytes().to_vec();
        bytes[at] = byte;
        session(Echo).converse(Timestamp::EPOCH, &bytes, cut);
    }
}

#[test]
fn headers_of_one_name_are_one_list() {
    let line = |name: &'static str, value: &'static str| httparse::Header { name, value: value.as_bytes() };
    let mut headers = [line("X-Forwarded-For", "198.51.100.7"), line("A", "b"), line("x-forwarded-for", "203.0.113.9")];
    let mut head = httparse::Request::new(&mut headers);
    head.method = Some("POST");
    let request = Request::new(&head, &[], None);
    assert_eq!(request.header_lines("X-FORWARDED-FOR").as_deref(), Some(&b"198.51.100.7,203.0.113.9"[..]));
    assert_eq!(request.header_lines("B"), None);
}
