//! The gate on a real socket.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use core::time::Duration;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;

use base::{Decision, Event, Reason, Timestamp, Verdict};
use gates::dovecot::{Count, Gate, Settings};
use gates::http::Http;
use gates::io::{Limits, Listener, Place, Server};
use rules::{Door, Question};

const ALLOW: &str = "POST /?command=allow HTTP/1.1\r\nHost: a\r\nContent-Length: 17\r\n\r\n{\"login\":\"carol\"}";
const PASS: &str = r#"{"status":0,"msg":"","r_attrs":{}}"#;
const REFUSED: &str = r#"{"status":-1,"msg":"","r_attrs":{}}"#;

/// Refuses `blocked`, fails at `panic`, and counts.
#[derive(Default)]
struct Counting {
    asked: AtomicU64,
    observed: AtomicU64,
}

impl Door for Counting {
    fn ask(&self, now: Timestamp, question: &Question<'_>) -> Decision {
        assert_eq!(now, clock());
        assert_ne!(question.login, Some("panic"), "this panic is part of a test");
        self.asked.fetch_add(1, Ordering::Relaxed);
        let verdict = if question.login == Some("blocked") { Verdict::Refuse } else { Verdict::Pass };
        Decision { verdict, reason: Reason::Unlisted }
    }

    fn observe(&self, _: &Event<'_>) -> Decision {
        self.observed.fetch_add(1, Ordering::Relaxed);
        Decision::PASS
    }
}

fn clock() -> Timestamp {
    Timestamp::from_millis(4711)
}

/// A gate with its server, and what it asks.
struct Running {
    door: Arc<Counting>,
    gate: Arc<Gate>,
    server: Server,
}

fn start(limits: Limits) -> Running {
    start_on(Listener::Tcp(TcpListener::bind("127.0.0.1:0").unwrap()), limits)
}

fn start_on(listener: Listener, limits: Limits) -> Running {
    let door = Arc::new(Counting::default());
    let gate = Arc::new(Gate::new(Settings::default(), door.clone()));
    let spoken = vec![(Http::new(gate.clone()), vec![listener])];
    let server = Server::start("dovecot-gate", spoken, clock, limits).unwrap();
    Running { door, gate, server }
}

impl Running {
    fn address(&self) -> SocketAddr {
        let [Place::Tcp(address)] = self.server.places() else { panic!("it listens at one port") };
        *address
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// The body of the next reply.
fn body(stream: &mut impl Read) -> String {
    let (mut read, mut byte) = (Vec::new(), [0]);
    while !read.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        read.push(byte[0]);
    }
    let head = String::from_utf8(read).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    String::from_utf8(body).unwrap()
}

fn allow(login: &str) -> String {
    let body = format!(r#"{{"login":"{login}"}}"#);
    format!("POST /?command=allow HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Waits until the server has seen it, at most some seconds.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        sleep(Duration::from_millis(10));
    }
    panic!("never happened: {what}");
}

#[test]
fn ten_thousand_requests_on_one_connection() {
    let running = start(Limits::default());
    let mut stream = connect(running.address());
    for n in 0..10_000 {
        if n % 100 == 0 {
            stream.write_all(allow("blocked").as_bytes()).unwrap();
            assert_eq!(body(&mut stream), REFUSED);
        } else {
            stream.write_all(ALLOW.as_bytes()).unwrap();
            assert_eq!(body(&mut stream), PASS);
        }
    }
    assert_eq!(running.door.asked.load(Ordering::Relaxed), 10_000);
    let connections = running.server.connections();
    assert_eq!((connections.open, connections.accepted), (1, 1));
    assert_eq!((running.gate.counters().get(Count::Passed), running.gate.counters().get(Count::Refused)), (9_900, 100));
}

#[test]
fn pipelined_and_cut_requests() {
    let running = start(Limits::default());
    let mut stream = connect(running.address());
    stream.write_all(ALLOW.repeat(2_000).as_bytes()).unwrap();
    for _ in 0..2_000 {
        assert_eq!(body(&mut stream), PASS);
    }
    for cut in (1..ALLOW.len()).step_by(7) {
        stream.write_all(&ALLOW.as_bytes()[..cut]).unwrap();
        sleep(Duration::from_millis(2));
        stream.write_all(&ALLOW.as_bytes()[cut..]).unwrap();
        assert_eq!(body(&mut stream), PASS, "cut at {cut}");
    }
    // A client that sends all and closes its side still reads its answers.
    stream.write_all(ALLOW.repeat(3).as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    for _ in 0..3 {
        assert_eq!(body(&mut stream), PASS);
    }
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    assert!(running.door.asked.load(Ordering::Relaxed) > 2_000);
}

#[test]
fn a_panic_behind_the_door_does_not_stop_the_server() {
    let running = start(Limits::default());
    let mut stream = connect(running.address());
    for _ in 0..3 {
        stream.write_all(allow("panic").as_bytes()).unwrap();
        assert_eq!(body(&mut stream), PASS);
        stream.write_all(allow("blocked").as_bytes()).unwrap();
        assert_eq!(body(&mut stream), REFUSED);
    }
    assert_eq!(running.gate.counters().get(Count::DoorPanics), 3);
}

#[test]
fn a_full_house_sends_away_who_has_been_silent_for_longest() {
    let running = start(Limits { connections_max: 3, ..Limits::default() });
    let mut silent = connect(running.address());
    eventually("one is open", || running.server.connections().open == 1);
    let mut busy: Vec<TcpStream> = (0..2).map(|_| connect(running.address())).collect();
    eventually("three are open", || running.server.connections().open == 3);
    sleep(Duration::from_millis(5));
    for stream in &mut busy {
        stream.write_all(ALLOW.as_bytes()).unwrap();
        assert_eq!(body(stream), PASS);
    }
    let mut fourth = connect(running.address());
    fourth.write_all(ALLOW.as_bytes()).unwrap();
    assert_eq!(body(&mut fourth), PASS);
    assert_eq!(silent.read(&mut [0]).unwrap_or(0), 0);
    for stream in &mut busy {
        stream.write_all(ALLOW.as_bytes()).unwrap();
        assert_eq!(body(stream), PASS);
    }
    let connections = running.server.connections();
    assert_eq!((connections.open, connections.accepted, connections.shed), (3, 4, 1));
}

#[test]
fn half_a_request_holds_no_seat_against_one_who_comes() {
    let running = start(Limits { connections_max: 2, ..Limits::default() });
    let mut streams: Vec<TcpStream> = (0..2).map(|_| connect(running.address())).collect();
    for stream in &mut streams {
        stream.write_all(ALLOW.as_bytes()).unwrap();
        assert_eq!(body(stream), PASS);
        stream.write_all(&ALLOW.as_bytes()[..20]).unwrap();
        sleep(Duration::from_millis(100));
    }
    let mut third = connect(running.address());
    third.write_all(ALLOW.as_bytes()).unwrap();
    assert_eq!(body(&mut third), PASS);
    assert_eq!(streams[0].read(&mut [0]).unwrap_or(0), 0, "the one who began first");
    streams[1].write_all(&ALLOW.as_bytes()[20..]).unwrap();
    assert_eq!(body(&mut streams[1]), PASS);
}

#[test]
fn silent_and_slow_clients_are_closed() {
    let limits =
        Limits { idle_max: Duration::from_millis(300), request_max: Duration::from_millis(100), ..Limits::default() };
    let running = start(limits);
    let mut silent = connect(running.address());
    let mut slow = connect(running.address());
    let mut busy = connect(running.address());
    slow.write_all(&ALLOW.as_bytes()[..20]).unwrap();
    for _ in 0..20 {
        busy.write_all(ALLOW.as_bytes()).unwrap();
        assert_eq!(body(&mut busy), PASS);
        sleep(Duration::from_millis(50));
    }
    assert_eq!(silent.read(&mut [0]).unwrap(), 0);
    assert_eq!(slow.read(&mut [0]).unwrap(), 0);
    assert_eq!((running.server.connections().timed_out, running.server.connections().open), (2, 1));
}

#[test]
fn a_client_that_reads_nothing_is_closed() {
    let running = start(Limits { request_max: Duration::from_millis(200), ..Limits::default() });
    let mut deaf = connect(running.address());
    deaf.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let many = ALLOW.repeat(1_000);
    // Until both socket buffers are full and the server gives up.
    while deaf.write_all(many.as_bytes()).is_ok() {}
    eventually("it is closed", || running.server.connections().open == 0);
}

#[test]
fn a_malformed_request_is_answered_and_closed() {
    let running = start(Limits::default());
    let mut stream = connect(running.address());
    let huge = format!("POST / HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n{}", "x".repeat(500_000));
    stream.write_all(huge.as_bytes()).unwrap();
    assert_eq!(body(&mut stream), r#"{"status":"failure","reason":"body too large"}"#);
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    assert_eq!(running.server.connections().faulty, 1);
}

#[test]
fn stopping_closes_everything_and_frees_the_port() {
    let running = start(Limits::default());
    let address = running.address();
    let mut stream = connect(address);
    stream.write_all(ALLOW.as_bytes()).unwrap();
    assert_eq!(body(&mut stream), PASS);
    let second = Listener::bind(&Place::Tcp(address)).unwrap_err();
    assert_eq!(second.kind(), ErrorKind::AddrInUse, "two servers on one port");
    drop(running);
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    let again = start_on(Listener::bind(&Place::Tcp(address)).unwrap(), Limits::default());
    let mut stream = connect(again.address());
    stream.write_all(ALLOW.as_bytes()).unwrap();
    assert_eq!(body(&mut stream), PASS);
}

#[test]
fn a_unix_socket_is_served_and_let_go_of() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Unix(folder.path().join("gate.sock"));
    for _ in 0..2 {
        let running = start_on(Listener::bind(&place).unwrap(), Limits::default());
        assert_eq!(running.server.places(), std::slice::from_ref(&place));
        let mut stream = UnixStream::connect(folder.path().join("gate.sock")).unwrap();
        stream.write_all(ALLOW.as_bytes()).unwrap();
        assert_eq!(body(&mut stream), PASS);
        drop(running);
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    }
}
