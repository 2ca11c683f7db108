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
