//! While the node starts anew every question is answered: on new connections, on those that were there before, and in pieces.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use ratter_tests::place::free_port;
use ratter_tests::policy::AUTHORIZATION;
use ratter_tests::ratter::{Config, Node};
use ratter_tests::wait;

/// Far beyond any start, so that a question without an answer ends the test.
const PATIENCE: Duration = Duration::from_mins(2);

const POLICY: &str = "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=SMTP\nclient_address=192.0.2.7\n\
                      client_name=unknown\nhelo_name=a\nsender=a@example.net\nrecipient=b@example.org\ninstance=1a.2b.3c.0\n\n";

fn tcp(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("somebody listens at every moment");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream.set_nodelay(true).expect("a socket");
    stream
}

fn unix(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).expect("somebody listens at every moment");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream
}

fn question_over_http() -> String {
    let body = r#"{"login":"carol","remote":"192.0.2.7","attrs":{"stage":"before"}}"#;
    let length = body.len();
    format!("POST /?command=allow HTTP/1.1\r\n{AUTHORIZATION}Content-Length: {length}\r\n\r\n{body}")
}

/// What is said up to `end`.
fn heard(stream: &mut impl Read, end: &str) -> String {
    let (mut heard, mut piece) = (Vec::new(), [0; 4096]);
    while !heard.ends_with(end.as_bytes()) {
        let count = stream.read(&mut piece).unwrap_or_else(|error| panic!("no answer: {error}"));
        assert!(count > 0, "closed without an answer after {:?}", String::from_utf8_lossy(&heard));
        heard.extend_from_slice(&piece[..count]);
    }
    String::from_utf8(heard).expect("text")
}

/// Asks and hears.
fn ask<S: Read + Write>(stream: &mut S, question: &str, end: &str) -> String {
    stream.write_all(question.as_bytes()).expect("the connection is open");
    heard(stream, end)
}

#[test]
fn no_question_is_lost_by_a_reload() {
    let (line, postfix) = (free_port(), free_port());
    let mut node = Node::prepare(&Config::new());
    let path = node.place().join("line.sock");
    node.configure(&Config::new().with(&format!(
        "[gate.line]\nlisten = [\"{line}\", \"{}\"]\n[gate.postfix]\nlisten = [\"{postfix}\"]\n",
        path.display()
    )));
    node.start_again();
    let dovecot = node.addresses().gate;
    let (is_over, asked) = (AtomicBool::new(false), AtomicU64::new(0));
    let (is_over, asked, path) = (&is_over, &asked, &path);
    let again = || {
        asked.fetch_add(1, Ordering::Relaxed);
        !is_over.load(Ordering::Relaxed)
    };
    let http = question_over_http();
    thread::scope(|scope| {
        let mut clients = Vec::new();
        for _ in 0..2 {
            clients.push(scope.spawn(move || {
                while again() {
                    assert_eq!(ask(&mut tcp(postfix), POLICY, "\n\n"), "action=DUNNO\n\n");
                }
            }));
            clients.push(scope.spawn(move || {
                while again() {
                    assert_eq!(&ask(&mut tcp(line), "check address=192.0.2.7 login=carol\n", "\n")[..2], "0 ");
                }
            }));
            clients.push(scope.spawn(move || {
                while again() {
                    assert_eq!(&ask(&mut unix(path), "check address=192.0.2.7 login=carol\n", "\n")[..2], "0 ");
                }
            }));
            clients.push(scope.spawn(move || {
                let mut kept = tcp(postfix);
                while again() {
                    assert_eq!(ask(&mut kept, POLICY, "\n\n"), "action=DUNNO\n\n");
                }
            }));
            clients.push(scope.spawn(move || {
                let mut kept = unix(path);
                while again() {
                    assert_eq!(&ask(&mut kept, "check address=192.0.2.7 login=carol\n", "\n")[..2], "0 ");
                }
            }));
        }
        clients.push(scope.spawn(|| {
            let mut kept = tcp(dovecot);
            while again() {
                assert!(ask(&mut kept, &http, "}}").contains("\"status\":0"));
            }
        }));
        for signals in [1, 1, 2, 1, 2, 1] {
            let before = asked.load(Ordering::Relaxed);
            node.begin_anew(signals);
            wait::until_true("all go on asking", || asked.load(Ordering::Relaxed) > before + 100);
        }
        is_over.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().expect("each question was answered");
        }
    });
    // The second of two signals may have begun another start, which listens to no other signal yet.
    node.kill();
}

#[test]
fn what_was_half_said_before_a_reload_is_heard_after_it() {
    let (postfix, map) = (free_port(), free_port());
    let section = format!("[gate.postfix]\nlisten = [\"{postfix}\"]\n[gate.map]\nsocketmap = [\"{map}\"]\n");
    let mut node = Node::start(&Config::new().with(&section));
    let http = question_over_http();
    let cases = [
        (postfix, POLICY, "\n\n", "action=DUNNO"),
        (map, "17:clients 192.0.2.7,", ",", "NOTFOUND"),
        (node.addresses().gate, &*http, "}}", "\"status\":0"),
    ];
    for cut in [1, 10] {
        let mut clients: Vec<_> = cases.iter().map(|(gate, ..)| tcp(*gate)).collect();
        for (client, (_, question, end, wanted)) in clients.iter_mut().zip(&cases) {
            // Whole before, so that it is a client of the node and does not only wait to become one.
            assert!(ask(client, question, end).contains(wanted));
            client.write_all(&question.as_bytes()[..question.len() - cut]).expect("the connection is open");
        }
        node.begin_anew(1);
        for (client, (_, question, end, wanted)) in clients.iter_mut().zip(&cases) {
            let said = ask(client, &question[question.len() - cut..], end);
            assert!(said.contains(wanted), "{said}");
        }
    }
    node.stop();
}

/// A packet of the milter protocol, and what is answered.
fn milter(stream: &mut TcpStream, command: u8, data: &[u8]) -> Vec<u8> {
    let mut packet = (data.len() as u32 + 1).to_be_bytes().to_vec();
    packet.push(command);
    packet.extend_from_slice(data);
    stream.write_all(&packet).expect("the connection is open");
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("an answer");
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer).expect("a whole answer");
    answer
}

#[test]
fn an_smtp_session_at_the_milter_goes_on_after_a_reload() {
    let gate = free_port();
    let mut node = Node::start(&Config::new().with(&format!("[gate.milter]\nlisten = [\"{gate}\"]\n")));
    let mut session = tcp(gate);
    let agreed = milter(&mut session, b'O', &[0, 0, 0, 6, 0, 0, 1, 0xff, 0, 0, 0, 0]);
    assert_eq!(agreed[0], b'O');
    assert_eq!(milter(&mut session, b'C', b"client.example\x004\x03\xe8203.0.113.77\0"), b"c");
    node.begin_anew(1);
    assert_eq!(milter(&mut session, b'M', b"<a@example.net>\0"), b"c");
    node.begin_anew(1);
    assert_eq!(milter(&mut session, b'R', b"<b@example.org>\0"), b"c");
    // The address was told before, and is known still.
    node.cli(&["list", "203.0.113.77", "--on", "blocked", "--for", "1h", "--reason", "test"]).with_code(0);
    node.begin_anew(1);
    let refused = milter(&mut session, b'M', b"<a@example.net>\0");
    assert_eq!(refused.first(), Some(&b'y'), "{:?}", String::from_utf8_lossy(&refused));
    node.stop();
}

#[test]
fn an_answer_that_does_not_come_holds_up_no_reload() {
    let line = free_port();
    let mut node = Node::prepare(&Config::new());
    let (gate, upstream) = (node.place().join("mux"), node.place().join("real"));
    node.configure(&Config::new().with(&format!(
        "[gate.line]\nlisten = [\"{line}\"]\n[gate.saslauthd]\nlisten = [\"{}\"]\nupstream = \"{}\"\n",
        gate.display(),
        upstream.display()
    )));
    let silent = UnixListener::bind(&upstream).expect("a new socket");
    node.start_again();
    let mut asking = unix(&gate);
    asking.write_all(b"\0\x05carol\0\x03pwd\0\x04imap\0\0").expect("the connection is open");
    let (_asked, _) = silent.accept().expect("the gate asks");
    node.begin_anew(1);
    assert_eq!(&ask(&mut tcp(line), "check address=192.0.2.7 login=carol\n", "\n")[..2], "0 ");
    assert!(matches!(asking.read(&mut [0; 10]), Ok(0) | Err(_)), "nobody answers that any more");
    node.stop();
}
