//! A Ratter that hangs keeps nobody out, and nobody waiting: the helpers and a real Dovecot as `ratter setup` leaves them. A
//! client that is to be held is held all the same, because the answer says so at once.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Duration;

use ratter_tests::dovecot::{Dovecot, PASSWORD, Setup};
use ratter_tests::place::{Place, free_port};
use ratter_tests::process::{Said, run, write};
use ratter_tests::ratter::{Config, Node, helper};
use ratter_tests::rules::login_attacked;
use ratter_tests::time::Stopwatch;

const LISTED: &str = "203.0.113.5";

/// Dovecot's own patience: two seconds before the password is checked, and two behind. Whoever waits less was told to.
const DOVECOTS_OWN: Duration = Duration::from_secs(4);

/// A step of PAM for somebody at an address.
fn pam(options: &[&str], gate: &str, pam_type: &str, login: &str, address: &str) -> Said {
    let mut command = Command::new(helper("ratter-pam"));
    command.args(options).arg(gate);
    run(command.env("PAM_TYPE", pam_type).env("PAM_USER", login).env("PAM_RHOST", address))
}

#[test]
fn a_helper_goes_on_without_a_node_that_hangs() {
    let place = Place::new("gate");
    let (tcp, unix) = (free_port().to_string(), place.join("gate.sock"));
    let unix = unix.to_str().expect("plain letters");
    let program = place.join("checkpassword.sh");
    write(&program, "#!/bin/sh\ntr '\\0' + <&3\n");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("our own file");
    let mut node = Node::start(&Config::new().with(&format!("[gate.line]\nlisten = [\"{tcp}\", \"{unix}\"]")));
    node.cli(&["list", LISTED, "--reason", "test"]).with_code(0);
    let patient = ["--wait", "10s"];
    pam(&patient, &tcp, "auth", "alice", LISTED).with_code(1);
    pam(&patient, unix, "auth", "alice", LISTED).with_code(1);
    node.freeze();
    for gate in [&tcp, unix] {
        pam(&[], gate, "auth", "alice", LISTED).with_code(0);
        pam(&[], gate, "account", "alice", LISTED).with_code(0);
        let mut behind = Command::new(helper("ratter-postlogin"));
        behind.args(["imap", gate, "/bin/echo", "in"]).env("IP", LISTED).env("USER", "alice");
        assert_eq!(run(&mut behind).with_code(0).out, "in\n");
        let script = "printf 'alice\\0secret\\0\\0' | { exec 3<&0; exec \"$@\"; }";
        let mut check = Command::new("/bin/sh");
        check.args(["-c", script, "sh"]).arg(helper("ratter-checkpassword")).arg(gate).arg(&program);
        check.env("TCPREMOTEIP", LISTED);
        assert_eq!(run(&mut check).with_code(0).out, "alice+secret++");
    }
    node.thaw();
}

#[test]
fn who_is_to_be_held_is_held_however_little_the_helper_waits() {
    let (gate, rule) = (free_port().to_string(), login_attacked("10m", "3s"));
    let node = Node::start(&Config::new().with(&format!("[gate.line]\nlisten = [\"{gate}\"]\n{rule}")));
    for address in ["198.51.100.1", "198.51.100.1", "198.51.100.2"] {
        pam(&["--wait", "10s", "--failed"], &gate, "auth", "alice", address).with_code(1);
    }
    node.wait_listed("login:alice", "blocked");
    let watch = Stopwatch::start();
    // The helper waits for two seconds, and holds the client for three.
    pam(&["--wait", "2s"], &gate, "auth", "alice", "198.51.100.9").with_code(0);
    assert!(watch.elapsed() >= Duration::from_secs(3), "{:?}", watch.elapsed());
}

#[test]
fn dovecot_goes_on_without_a_node_that_hangs() {
    let mut node = Node::start(&Config::new());
    let place = Place::new("dovecot");
    fs::create_dir(place.join("conf.d")).expect("a new folder");
    let folder = place.path().to_str().expect("plain letters").to_owned();
    node.cli(&["setup", "dovecot", "--syntax", "2.3", "--folder", &folder, "--write"]).with_code(0);
    let dovecot = Dovecot::start_in(place, &Setup::alone().with("!include conf.d/*.conf"));
    assert!(dovecot.login("198.51.100.7", "alice", PASSWORD).ok);
    node.freeze();
    let reply = dovecot.login("198.51.100.7", "alice", PASSWORD);
    assert!(reply.ok && reply.took < DOVECOTS_OWN, "{reply:?}");
    let reply = dovecot.login("198.51.100.7", "alice", "wrong");
    assert!(!reply.ok && reply.text.contains("AUTHENTICATIONFAILED"), "{reply:?}");
    node.thaw();
}
