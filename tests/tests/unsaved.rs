//! A store that cannot write: what a person lists is in force, and he is told that it would not outlive a restart.

use std::process::Command;

use ratter_tests::process::{Process, program};
use ratter_tests::ratter::{Config, Node};
use ratter_tests::wait;

#[test]
fn who_lists_while_nothing_can_be_written_is_told_so() {
    let node = Node::start(&Config::new());
    let database = node.addresses().state.join("ratter.db");
    // Somebody else writes, and does not end.
    let mut other = Command::new(program("sqlite3", "sqlite3"));
    other.arg(&database).args(["BEGIN IMMEDIATE;", ".shell echo held; exec sleep 40"]);
    let other = Process::start("sqlite3", node.place().path(), &other);
    wait::until_true("the database to be held", || other.stdout().contains("held"));
    let list = |subject: &str| node.cli(&["list", subject, "--for", "1h", "--reason", "a test"]);
    let said = list("203.0.113.90").with_code(1);
    assert!(
        said.out.contains("203.0.113.90 is on blocked until") && said.out.contains("not yet in the file"),
        "{said:?}"
    );
    assert!(node.listing("203.0.113.90", "blocked").is_some(), "it is in force");
    let said = node.cli(&["unlist", "203.0.113.90"]).with_code(1);
    assert!(said.out.contains("is off blocked") && said.out.contains("not yet in the file"), "{said:?}");
    // When it can write again all is as it should be.
    other.kill();
    wait::until_true("the store to write again", || list("203.0.113.91").code == 0);
    node.cli(&["unlist", "203.0.113.91"]).with_code(0);
}
