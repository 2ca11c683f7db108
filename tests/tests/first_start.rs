//! The first minutes with Ratter: a start without any configuration, and the mistakes of a first start.

use std::any::Any;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use ratter_tests::place::Place;
use ratter_tests::process::{Process, program, run, text_of};
use ratter_tests::ratter::{Addresses, Config, Node, binary};
use ratter_tests::wait;

/// A node with the built-in configuration in an empty folder. It has a network of its own, because its ports are fixed
/// and may be in use on this machine.
struct Fresh {
    process: Process,
    place: Place,
}

impl Fresh {
    fn start() -> Self {
        let system = Path::new("/etc/ratter/ratter.toml");
        assert!(!system.exists(), "{} exists: this test is about a machine without it", system.display());
        let place = Place::new("fresh");
        let mut command = Command::new(program("unshare", "util-linux"));
        let script = format!("{} link set lo up && exec \"$0\" run", program("ip", "iproute2").display());
        command.args(["--net", "--", "sh", "-c", &script]).arg(binary()).current_dir(place.path());
        let process = Process::start("ratter", place.path(), &command);
        Self { process, place }
    }

    /// Runs a line of a shell where the node runs, with the built program as `ratter`.
    fn paste(&self, line: &str) -> ratter_tests::process::Said {
        let mut command = Command::new(program("nsenter", "util-linux"));
        let bin = binary();
        let folder = bin.parent().expect("a program stands in a folder").display().to_string();
        let path = format!("{folder}:{}", std::env::var_os("PATH").unwrap_or_default().to_string_lossy());
        command.arg(format!("--net=/proc/{}/ns/net", self.process.id())).args(["--", "sh", "-c", line]);
        run(command.env("PATH", path).current_dir(self.place.path()))
    }
}

#[test]
fn a_start_without_configuration_serves_and_says_where() {
    let mut fresh = Fresh::start();
    wait::until_true("the node to serve", || {
        fresh.process.must_run();
        fresh.paste("ratter status").code == 0
    });
    assert!(fresh.place.join("state").is_dir(), "the state is kept in ./state");
    let said = fresh.process.stdout();
    for listen in ["127.0.0.1:4001", "127.0.0.1:5300", "127.0.0.1:9053"] {
        assert!(said.contains(listen), "it tells that it listens at {listen}:\n{said}");
    }
    for entry in ["2.0.0.127.auth.bl.example.org", "2.0.0.127.all.bl.example.org"] {
        let answer = fresh.paste(&format!("dig +short @127.0.0.1 -p 5300 {entry}")).with_code(0);
        assert!(answer.out.starts_with("127.0.0."), "{entry}: {answer:?}");
    }
}

/// What a newcomer pastes: the start tells it, and the README says the same.
#[test]
fn the_three_things_to_try_work_when_pasted() {
    let mut fresh = Fresh::start();
    // The newcomer stands in a clone that `make run` has built.
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package stands in the workspace");
    symlink(top.join("contrib"), fresh.place.join("contrib")).expect("a new link");
    std::fs::create_dir_all(fresh.place.join("target/release")).expect("a new folder");
    symlink(binary(), fresh.place.join("target/release/ratter")).expect("a new link");
    wait::until_true("the node to serve", || {
        fresh.process.must_run();
        fresh.paste("ratter status").code == 0
    });

    let said = fresh.process.stdout();
    let lines: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("     ")).map(str::trim).collect();
    let [feed, why, dig] = lines[..] else { panic!("three things to try:\n{said}") };
    let readme = text_of(&top.join("README.md"));
    for line in lines {
        assert!(readme.contains(line), "the README shows another line than `{line}`");
    }
    fresh.paste(feed).with_code(0);
    wait::until_true("the sample to be read", || fresh.paste(why).code == 0);
    let why = fresh.paste(why).with_code(0).out;
    assert!(why.contains("auth") && why.contains("address-guesses"), "{why}");
    let answer = fresh.paste(dig).with_code(0).out;
    assert!(answer.lines().any(|line| line == "127.0.0.43") && answer.contains("guessed"), "{answer}");
}

#[test]
fn a_port_in_use_is_told_with_its_place_in_the_file() {
    type Part = fn(&Addresses) -> SocketAddr;
    let cases: [(Part, &str); 4] = [
        (|addresses| addresses.gate, "tcp"),
        (|addresses| addresses.dns, "udp"),
        (|addresses| addresses.dns, "tcp"),
        (|addresses| addresses.metrics, "tcp"),
    ];
    for (part, protocol) in cases {
        // Another test may take a port that was free when it was chosen; then the next choice is tried.
        let held = |address| -> Option<Box<dyn Any>> {
            if protocol == "tcp" {
                TcpListener::bind(address).ok().map(|socket| Box::new(socket) as Box<dyn Any>)
            } else {
                UdpSocket::bind(address).ok().map(|socket| Box::new(socket) as Box<dyn Any>)
            }
        };
        let choice = (0..20).find_map(|_| {
            let node = Node::prepare(&Config::new());
            let address: SocketAddr = part(node.addresses());
            held(address).map(|held| (node, address, held))
        });
        let (node, address, _held) = choice.expect("a port that stays free");
        let said = node.cli(&["run"]).with_code(2);
        assert!(said.err.contains(&address.to_string()) && said.err.contains("in use"), "{said:?}");
        assert!(said.err.contains("ratter.toml:") && said.err.contains('^'), "file, line and caret: {said:?}");
    }
}

#[test]
fn two_nodes_do_not_share_a_state() {
    let mut first = Node::start(&Config::new());
    first.cli(&["list", "192.0.2.1", "--for", "1h", "--reason", "a test"]).with_code(0);
    // The second has ports of its own, but the state of the first.
    let second = Node::prepare(&Config::new());
    let state = |node: &Node| format!("{:?}", node.addresses().state);
    let text = text_of(&second.addresses().config).replace(&state(&second), &state(&first));
    ratter_tests::process::write(&second.addresses().config, &text);
    let said = second.cli(&["run"]);
    assert!(matches!(said.code, 1 | 2), "{said:?}");
    let told = said.err.to_lowercase();
    assert!(told.contains("another node") || told.contains("in use"), "{said:?}");

    first.process().must_run();
    assert_eq!(first.listed("blocked").len(), 1, "the first goes on");
    first.stop();
    first.start_again();
    assert_eq!(first.listed("blocked").len(), 1);
}

#[test]
fn an_end_in_order_answers_to_sigterm_and_sigint() {
    let mut node = Node::start(&Config::new());
    node.stop();
    node.start_again();
    node.process().signal(rustix::process::Signal::INT);
    let status = node.process().wait();
    assert!(status.success(), "after SIGINT the node ended with {status}");
}
