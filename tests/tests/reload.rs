//! A changed configuration is taken by SIGHUP, and one with a fault is not.

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixListener;
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
        for reload in 1..=3 {
            node.process().signal(Signal::HUP);
            let told = |node: &mut Node| node.process().stdout().matches("Ratter ").count();
            wait::until_true("the node begins anew", || told(&mut node) > reload);
            wait::until_true("it answers", || node.cli(&["status"]).code == 0);
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
