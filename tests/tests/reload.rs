//! A changed configuration is taken by SIGHUP, and one with a fault is not.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ratter_tests::place::free_port;
use ratter_tests::ratter::{Config, Node};
use ratter_tests::wait;
use rustix::process::Signal;

#[test]
fn a_changed_configuration_is_taken_by_the_same_process_and_a_faulty_one_is_not() {
    let mut node = Node::start(&Config::new());
    let pid = node.process().id();
    node.cli(&["list", "203.0.113.9", "--on", "blocked", "--for", "1h", "--reason", "kept"]).with_code(0);

    node.configure(&Config::new().node("nonsense = 1"));
    node.process().signal(Signal::HUP);
    wait::until_true("the fault is told", || node.process().stderr().contains("goes on with the one it has"));
    assert!(node.process().stderr().contains("nonsense"), "{}", node.process().stderr());
    assert_eq!(node.listed("blocked").len(), 1, "the node goes on");

    node.configure(&Config::new().with("[[dnsbl.zone]]\nname = \"x.auth.bl.example.org\"\nlists = [\"dyna\"]\n"));
    node.process().signal(Signal::HUP);
    wait::until_true("this is told too", || node.process().stderr().contains("overlap"));
    assert_eq!(node.listed("blocked").len(), 1, "the node goes on");

    let line = free_port();
    node.configure(&Config::new().with(&format!("[gate.line]\nlisten = [\"{line}\"]\n")));
    node.process().signal(Signal::HUP);
    wait::until_true("the new gate listens", || TcpStream::connect(line).is_ok());
    wait::until_true("it answers", || node.cli(&["status"]).code == 0);
    assert_eq!(node.process().id(), pid);
    assert_eq!(node.listed("blocked").len(), 1, "what was listed is listed");
    node.stop();
}

#[test]
fn a_configuration_whose_places_others_hold_is_told_and_not_taken() {
    let mut node = Node::start(&Config::new());
    let (pid, gate) = (node.process().id(), node.addresses().gate);
    let (tcp, udp) = (free_port(), free_port());
    let socket = node.place().join("line.sock");
    let holders = (
        TcpListener::bind(tcp).expect("a free port"),
        UdpSocket::bind(udp).expect("a free port"),
        UnixListener::bind(&socket).expect("a new socket"),
    );
    let no_folder = node.place().join("no/line.sock");
    let line = |place: &str| format!("[gate.line]\nlisten = [\"{place}\"]\n");
    let unix = |path: &std::path::Path| line(&format!("unix:{}", path.display()));
    let cases = [
        (line(&tcp.to_string()), tcp.to_string()),
        (format!("[[sensor.syslog]]\nudp = \"{udp}\"\n"), udp.to_string()),
        (unix(&socket), socket.display().to_string()),
        (unix(&no_folder), no_folder.display().to_string()),
    ];
    for (more, place) in &cases {
        node.configure(&Config::new().with(more));
        node.process().signal(Signal::HUP);
        wait::until_true("the fault is told", || {
            let told = node.process().stderr();
            told.contains("cannot listen on") && told.contains(place.as_str())
        });
        assert!(TcpStream::connect(gate).is_ok(), "the node goes on");
        assert_eq!((node.process().id(), node.cli(&["status"]).code), (pid, 0));
    }
    // Once the place is free it is taken, and what the node holds itself is in nobody's way.
    drop(holders);
    node.configure(&Config::new().with(&cases[0].0));
    node.process().signal(Signal::HUP);
    wait::until_true("the new gate listens", || TcpStream::connect(tcp).is_ok());
    wait::until_true("it answers", || node.cli(&["status"]).code == 0);
    assert_eq!(node.process().id(), pid);
    node.stop();
}

#[test]
fn clients_of_gates_wait_during_a_reload_and_none_is_refused() {
    let line = free_port();
    let mut node = Node::start(&Config::new().with(&format!("[gate.line]\nlisten = [\"{line}\"]\n")));
    let is_over = AtomicBool::new(false);
    let asked = thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut asked = 0;
            while !is_over.load(Ordering::Relaxed) {
                TcpStream::connect(line).expect("somebody listens at every moment");
                asked += 1;
            }
            asked
        });
        for _ in 0..3 {
            node.begin_anew(1);
        }
        is_over.store(true, Ordering::Relaxed);
        asking.join().expect("nobody was refused")
    });
    assert!(asked > 10, "{asked}");
    // A gate that is not wanted any more is closed.
    node.configure(&Config::new());
    node.process().signal(Signal::HUP);
    wait::until_true("nobody listens there", || TcpStream::connect(line).is_err());
    wait::until_true("it answers", || node.cli(&["status"]).code == 0);
    node.stop();
}

/// A question by UDP in a message that a client would send; the answer must have the same number.
fn ask_by_udp(client: &UdpSocket, number: u16, question: &[u8]) -> bool {
    let mut message = question.to_vec();
    message[..2].copy_from_slice(&number.to_be_bytes());
    client.send(&message).expect("the port is there at every moment");
    let mut answer = [0; 1024];
    loop {
        match client.recv(&mut answer) {
            Ok(length) if length > 12 && answer[..2] == message[..2] => return answer[3] % 16 == 0,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return false,
            Err(error) => panic!("{error}"),
        }
    }
}

/// The same by TCP, with another connection where one is closed without an answer (RFC 7766 section 6.2.4).
fn ask_by_tcp(server: std::net::SocketAddr, question: &[u8]) -> bool {
    (0..3).any(|_| {
        let mut stream = TcpStream::connect(server).expect("somebody listens at every moment");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time");
        let length = (question.len() as u16).to_be_bytes();
        let mut head = [0; 14];
        let asked = stream.write_all(&[&length[..], question].concat()).and_then(|()| stream.read_exact(&mut head));
        asked.is_ok_and(|()| head[5] % 16 == 0)
    })
}

/// How long clients wait for an answer.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

#[test]
fn whoever_asks_during_a_reload_gets_an_answer() {
    let mut node = Node::start(&Config::new().dnsbl("threads = 2"));
    let (dns, metrics) = (node.addresses().dns, node.addresses().metrics);
    let mut question = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in ["2", "0", "0", "127", "auth"].into_iter().chain(ratter_tests::ratter::ORIGIN.split('.')) {
        question.push(label.len() as u8);
        question.extend_from_slice(label.as_bytes());
    }
    question.extend_from_slice(&[0, 0, 1, 0, 1]);
    let (is_over, question) = (AtomicBool::new(false), &question);
    let until_over = |mut ask: Box<dyn FnMut(u16) -> bool + Send>| {
        let mut asked = 0_u64;
        while !is_over.load(Ordering::Relaxed) {
            asked += 1;
            assert!(ask(asked as u16), "question {asked} was not answered");
        }
        asked
    };
    let asked = thread::scope(|scope| {
        let mut clients = Vec::new();
        for _ in 0..3 {
            let client = UdpSocket::bind("127.0.0.1:0").expect("a free port");
            client.connect(dns).expect("an address");
            client.set_read_timeout(Some(PATIENCE)).expect("a time");
            let until_over = &until_over;
            clients.push(scope.spawn(move || until_over(Box::new(move |n| ask_by_udp(&client, n, question)))));
        }
        let until_over = &until_over;
        clients.push(scope.spawn(move || until_over(Box::new(move |_| ask_by_tcp(dns, question)))));
        clients.push(scope.spawn(move || {
            until_over(Box::new(move |_| {
                TcpStream::connect(metrics).expect("somebody listens at every moment");
                thread::sleep(std::time::Duration::from_millis(5));
                true
            }))
        }));
        for _ in 0..3 {
            node.begin_anew(1);
        }
        is_over.store(true, Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().expect("all were answered")).collect::<Vec<_>>()
    });
    assert!(asked.iter().all(|asked| *asked > 10), "{asked:?}");
    // Other threads, and other places.
    node.configure(&Config::new().dnsbl("threads = 1"));
    node.begin_anew(1);
    wait::until_true("it answers", || {
        !node.dig().addresses(&format!("2.0.0.127.auth.{}", ratter_tests::ratter::ORIGIN)).is_empty()
    });
    node.stop();
}

#[test]
fn what_the_node_holds_itself_is_in_nobodys_way() {
    let port = free_port();
    let wide = format!("0.0.0.0:{}", port.port());
    let line = |place: &str| Config::new().with(&format!("[gate.line]\nlisten = [\"{place}\"]\n"));
    let mut node = Node::start(&line(&port.to_string()));
    let pid = node.process().id();
    for place in [wide, port.to_string()] {
        node.configure(&line(&place));
        node.begin_anew(1);
        assert!(TcpStream::connect(port).is_ok(), "{place}");
    }
    // A socket whose file somebody has removed is made anew.
    let path = node.place().join("line.sock");
    node.configure(&line(&format!("unix:{}", path.display())));
    node.begin_anew(1);
    std::fs::remove_file(&path).expect("it is there");
    node.begin_anew(1);
    assert!(UnixStream::connect(&path).is_ok());
    assert_eq!(node.process().id(), pid);
    node.stop();
}

#[test]
fn a_node_that_could_not_start_goes_on() {
    let mut node = Node::start(&Config::new());
    // Where a start would write, nothing can be written.
    let in_the_way = node.addresses().state.join("room-for-a-start");
    std::fs::create_dir(&in_the_way).expect("a new folder");
    node.process().signal(Signal::HUP);
    wait::until_true("it is told", || node.process().stderr().contains("the node cannot be started anew"));
    assert_eq!(node.cli(&["status"]).code, 0, "the node goes on");
    std::fs::remove_dir(&in_the_way).expect("it is empty");
    node.begin_anew(1);
    node.stop();
}
