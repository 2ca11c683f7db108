//! The forms of one login are one, at every way in: gates, commands, and weakforced's entries.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use ratter_tests::place::free_port;
use ratter_tests::ratter::{Config, Node};

#[test]
fn a_login_is_blocked_by_whatever_name_it_comes() {
    let gate = free_port();
    let forms = "[login]\ndefault-domain = \"example.org\"\n[[login.alias]]\nalias = \"info\"\n\
                 login = \"alice\"\n";
    let node = Node::start(&Config::new().with(&format!("{forms}[gate.line]\nlisten = [\"{gate}\"]")));
    let check = |login: &str| {
        let mut stream = TcpStream::connect(gate).expect("the gate listens");
        stream.write_all(format!("check login={login}\n").as_bytes()).expect("it reads");
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).expect("it answers");
        answer.split(' ').next().expect("a number").to_owned()
    };
    node.cli(&["list", "login:Alice", "--reason", "test"]).with_code(0);
    for (login, wanted) in [
        ("alice", "-1"),
        ("ALICE@example.org", "-1"),
        ("alice+shop@example.org", "-1"),
        ("info", "-1"),
        ("info@example.org", "-1"),
        ("alice@example.net", "0"),
        ("bob", "0"),
    ] {
        assert_eq!(check(login), wanted, "{login}");
    }
    assert!(node.listing("login:alice@example.org", "blocked").is_some());
    assert_eq!(node.why("login:info").listings.len(), 1);
    node.cli(&["unlist", "login:info"]).with_code(0);
    assert_eq!(check("alice"), "0");
}
