//! A changed configuration is taken by SIGHUP, and one with a fault is not.

use std::net::TcpStream;

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

    node.configure(&Config::new().with("[[dnsbl.zone]]\nname = \"policy.other.example\"\nlists = [\"dyna\"]\n"));
    node.process().signal(Signal::HUP);
    wait::until_true("this is told too", || node.process().stderr().contains("one label below"));
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
