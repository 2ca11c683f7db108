//! The line gate of a running node: asked over TCP and over a unix socket, it counts and refuses like any other gate.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use ratter_tests::http::Connection;
use ratter_tests::place::{Place, free_port};
use ratter_tests::ratter::{Config, Node};

/// One line there, one line back.
fn ask(stream: &mut (impl Read + Write), line: &str) -> String {
    stream.write_all(format!("{line}\n").as_bytes()).expect("the gate reads");
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).expect("the gate answers");
    answer.trim_end().to_owned()
}

#[test]
fn five_reported_failures_are_refused_on_either_socket() {
    let place = Place::new("line");
    let (port, path) = (free_port(), place.join("gate.sock"));
    let listen = format!("[gate.line]\nlisten = [\"{port}\", \"{}\"]", path.display());
    let node = Node::start(&Config::new().with(&listen));
    let mut tcp = TcpStream::connect(port).expect("the port listens");
    let mut unix = UnixStream::connect(&path).expect("the socket listens");

    assert_eq!(ask(&mut tcp, "check address=203.0.113.9 login=alice service=imap"), "0 pass unlisted");
    for guess in 1..=5 {
        let line = format!("failed address=203.0.113.9 login=alice service=smtp session=s{guess}");
        let wanted = if guess == 5 { "-1 refuse address-listed" } else { "0 pass unlisted" };
        assert_eq!(ask(&mut unix, &line), wanted, "guess {guess}");
    }
    assert_eq!(ask(&mut tcp, "check address=203.0.113.9"), "-1 refuse address-listed");
    assert_eq!(ask(&mut tcp, "check address=203.0.113.10 login=alice"), "0 pass unlisted");
    assert_eq!(ask(&mut tcp, "check address=nonsense"), "0 error bad-address");
    assert_eq!(node.all_listings().len(), 1, "{:?}", node.all_listings());

    let mut connection = Connection::tcp(node.addresses().metrics).expect("the metrics are served");
    let metrics = connection.get("/metrics").expect("an answer").body;
    assert!(metrics.contains("ratter_line_gate_total{count=\"refused\"} 2"), "{metrics}");
    assert!(metrics.contains("ratter_line_gate_total{count=\"malformed\"} 1"), "{metrics}");
}

#[test]
fn the_right_password_of_a_guarded_login_makes_no_stranger_known() {
    let gate = free_port();
    let node = Node::start(&Config::new().with(&format!("[gate.line]\nlisten = [\"{gate}\"]")));
    let mut line = TcpStream::connect(gate).expect("the gate listens");
    assert_eq!(ask(&mut line, "ok address=198.51.100.5 login=victim"), "0 pass unlisted");
    for guess in 1..=4 {
        ask(&mut line, &format!("failed address=203.0.113.{guess} login=victim session=s{guess}"));
    }
    node.wait_listed("login:victim", "blocked");
    let stranger = "address=45.0.0.9 login=victim stage=after";
    for _ in 0..2 {
        assert_eq!(ask(&mut line, &format!("check {stranger}")), "-1 refuse login-listed");
        assert_eq!(ask(&mut line, &format!("ok {stranger}")), "-1 refuse login-listed");
    }
    assert_eq!(ask(&mut line, "ok address=198.51.100.5 login=victim"), "0 pass known-address");
    let why = node.why("login:victim");
    let known: Vec<_> = why.known_addresses.iter().map(|known| known.network.as_str()).collect();
    assert_eq!(known, ["198.51.100.5"]);
}

#[test]
fn failures_without_an_address_guard_their_login() {
    let gate = free_port();
    let node = Node::start(&Config::new().with(&format!("[gate.line]\nlisten = [\"{gate}\"]")));
    let mut line = TcpStream::connect(gate).expect("the gate listens");
    assert_eq!(ask(&mut line, "ok address=198.51.100.5 login=carol"), "0 pass unlisted");
    // A bad address hides no login.
    let failed = |guess: u32| match guess % 2 {
        0 => "failed login=carol".to_owned(),
        _ => "failed address=unknown login=carol".to_owned(),
    };
    for guess in 0..8 {
        assert_eq!(ask(&mut line, &failed(guess)), "0 pass unlisted", "the owner mistypes");
    }
    for guess in 8..40 {
        ask(&mut line, &failed(guess));
    }
    assert_eq!(node.wait_listed("login:carol", "blocked").maker, "rule login-attacked-unseen");
    assert_eq!(ask(&mut line, "check login=carol stage=after"), "-1 refuse login-listed");
    assert_eq!(ask(&mut line, "check address=198.51.100.5 login=carol"), "0 pass known-address");
    assert_eq!(ask(&mut line, "check login=carol login=dave"), "0 error repeated-name");
}
