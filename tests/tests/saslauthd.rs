//! Ratter before a real saslauthd, which asks a real Dovecot; Cyrus' own client tries the passwords.

use std::fs;
use std::process::Command;

use ratter_tests::dovecot::{Dovecot, PASSWORD, Setup};
use ratter_tests::http::Connection;
use ratter_tests::place::Place;
use ratter_tests::process::{Process, program, run};
use ratter_tests::ratter::{Config, Node};
use ratter_tests::wait;

#[test]
fn a_blocked_login_is_refused_and_the_others_are_checked_by_saslauthd() {
    let dovecot = Dovecot::start(&Setup::alone());
    let (place, ours) = (Place::new("sasl"), Place::new("mux"));
    let mux = place.join("mux");
    let mut command = Command::new(program("saslauthd", "sasl2-bin"));
    let imap = dovecot.imap();
    command
        .args(["-a", "rimap", "-O", &format!("{}/{}", imap.ip(), imap.port()), "-n", "0", "-d", "-m"])
        .arg(place.path());
    let mut saslauthd = Process::start("saslauthd", place.path(), &command);
    wait::until_true("saslauthd to listen", || {
        saslauthd.must_run();
        mux.exists()
    });
    let socket = ours.join("mux");
    let section = format!("[gate.saslauthd]\nlisten = [\"{}\"]\nupstream = \"{}\"\n", socket.display(), mux.display());
    let node = Node::start(&Config::new().with(&section));
    let login = |user: &str, password: &str| {
        let mut command = Command::new(program("testsaslauthd", "sasl2-bin"));
        command.args(["-u", user, "-p", password, "-s", "imap", "-f"]).arg(&socket);
        run(&mut command).out
    };
    assert!(login("alice", PASSWORD).contains("OK \"Success.\""), "{}", login("alice", PASSWORD));
    assert!(login("alice", "wrong").contains("NO "));
    node.cli(&["list", "login:bob", "--reason", "test"]).with_code(0);
    assert!(login("bob", PASSWORD).contains("NO \"authentication failed\""));
    let failed = |login: &str| {
        node.why(&format!("login:{login}")).events.iter().filter(|event| event.kind == "login-failed").count()
    };
    wait::until_true("the report", || failed("alice") == 1);
    assert_eq!(failed("bob"), 0, "its password was not tried");
    drop(saslauthd);
    fs::remove_file(&mux).unwrap_or_default();
    // The client has words of its own for every refusal.
    assert!(login("alice", PASSWORD).contains("NO "));
    let metrics = Connection::tcp(node.addresses().metrics).and_then(|mut metrics| metrics.get("/metrics"));
    let metrics = metrics.expect("the metrics are served").body;
    assert!(metrics.contains("ratter_saslauthd_gate_total{count=\"away\"} 1"), "{metrics}");
}
