//! Other people's lists, asked through a resolver that tells the truth and through one that lies in every way: nobody is
//! refused by a lie, the list is switched off with its cause, and comes back by itself.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use ratter_tests::liar::{Liar, Lie};
use ratter_tests::place::free_port;
use ratter_tests::policy::{Attempt, Gate};
use ratter_tests::ratter::{Config, Node};
use ratter_tests::time::Stopwatch;
use ratter_tests::wait;

const CODE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 43);
const LISTED: &str = "203.0.113.7";

/// A resolver that knows a list of three: a guesser, an address that is only dynamic, and the test entry.
fn liar() -> Liar {
    Liar::start(&[
        ("2.0.0.127.bl.example.net", Ipv4Addr::new(127, 0, 0, 2)),
        ("7.113.0.203.bl.example.net", CODE),
        ("8.113.0.203.bl.example.net", Ipv4Addr::new(127, 0, 0, 36)),
    ])
}

const LIST: &str = r#"
[[ask]]
name = "theirs"
zone = "bl.example.net"
timeout = "1s"
test-every = "1s"
codes = [
    { code = "127.0.0.2", meaning = "the test entry", weight = 5 },
    { code = "127.0.0.43", meaning = "guesses passwords", weight = 5 },
    { code = "127.0.0.36", meaning = "dynamic", weight = 5, policy = true },
]
"#;

fn config(liar: &Liar) -> Config {
    let gate = "[gate.dovecot.ask]\nthreshold = 5\nwait = \"1s\"\n";
    Config::new().with(&format!("{gate}\n[resolver]\nservers = [\"{}\"]\n{LIST}", liar.address))
}

fn is_off(node: &Node) -> Option<String> {
    node.status().warnings.into_iter().find(|warning| warning.contains("list theirs is off"))
}

#[test]
fn a_client_on_a_list_is_refused_at_its_first_question() {
    let liar = liar();
    let node = Node::start(&config(&liar));
    let mut gate = Gate::new(node.addresses().gate);
    for (address, is_refused) in [(LISTED, true), ("203.0.113.8", false), ("203.0.113.9", false), ("127.0.0.2", false)]
    {
        let answer = gate.before(&Attempt::new(address, "alice"));
        assert_eq!(answer < 0, is_refused, "{address} got {answer}");
    }
    let answer = gate.after(&Attempt::new(LISTED, "alice"));
    assert!(answer < 0, "a right password from there is refused too: {answer}");
}

#[test]
fn a_lie_refuses_nobody_and_switches_the_list_off_until_it_ends() {
    let liar = liar();
    let node = Node::start(&config(&liar));
    let mut gate = Gate::new(node.addresses().gate);
    let lies = [
        (Lie::Address(Ipv4Addr::new(127, 0, 0, 2)), "lists 127.0.0.1"),
        (Lie::Address(CODE), "lists 127.0.0.1"),
        (Lie::Address(Ipv4Addr::new(127, 255, 255, 254)), "127.255.255.254"),
        (Lie::Address(Ipv4Addr::new(198, 51, 100, 1)), "198.51.100.1"),
        (Lie::Address(Ipv4Addr::LOCALHOST), "127.0.0.1"),
        (Lie::Code(0), "without a record"),
        (Lie::Code(2), "SERVFAIL"),
        (Lie::Code(5), "REFUSED"),
        (Lie::Silence, "no answer"),
        (Lie::WrongId, "no answer"),
        (Lie::Alias, "CNAME"),
    ];
    for (round, (lie, cause)) in lies.into_iter().enumerate() {
        liar.tell(lie);
        let innocent = format!("198.51.100.{}", 20 + round);
        let mut said = None;
        wait::until_true("the list to be off", || {
            let answer = gate.before(&Attempt::new(&innocent, "bob"));
            assert_eq!(answer, 0, "{innocent} is refused by {lie:?}");
            said = is_off(&node);
            said.is_some()
        });
        let said = said.unwrap_or_default();
        assert!(said.contains(cause), "{lie:?}: {said}");
        assert_eq!(gate.before(&Attempt::new(LISTED, "bob")), 0, "an off list refuses by what it said before");
        liar.tell(Lie::None);
        wait::until_true("the list to be back", || is_off(&node).is_none());
        assert!(gate.before(&Attempt::new(LISTED, "bob")) < 0, "after {lie:?} the list counts again");
    }
}

#[test]
fn the_line_gate_waits_for_lists_no_longer_than_its_clients_do() {
    let (liar, line) = (liar(), free_port());
    // The gate is told to wait for a second, and the list may take ten.
    let gate = format!("[gate.line]\nlisten = [\"{line}\"]\n[gate.line.ask]\nthreshold = 5\nwait = \"1s\"\n");
    let list =
        LIST.replace("timeout = \"1s\"", "timeout = \"10s\"").replace("test-every = \"1s\"", "test-every = \"1h\"");
    let resolver = format!("[resolver]\nservers = [\"{}\"]\n", liar.address);
    let _node = Node::start(&Config::new().with(&format!("{gate}\n{resolver}{list}")));
    let mut stream = BufReader::new(TcpStream::connect(line).expect("it listens"));
    let mut ask = |address: &str| {
        let watch = Stopwatch::start();
        stream.get_mut().write_all(format!("check address={address} login=bob\n").as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_line(&mut answer).expect("it answers");
        (answer, watch.elapsed())
    };
    wait::until_true("the list to count", || ask(LISTED).0.starts_with("-1 refuse listed-elsewhere"));
    liar.tell(Lie::Silence);
    let took: Vec<_> = (0..8)
        .map(|host| {
            let (answer, took) = ask(&format!("198.51.100.{}", 20 + host));
            assert!(answer.starts_with("0 pass"), "{answer}");
            assert!(took >= Duration::from_millis(140), "the answer was waited for: {took:?}");
            took
        })
        .collect();
    let quickest = took.iter().min().expect("eight were asked");
    assert!(*quickest < Duration::from_secs(1), "nobody waits for the second that is configured: {took:?}");
}

#[test]
fn people_are_told_what_each_list_says() {
    let liar = liar();
    let node = Node::prepare(&config(&liar));
    let said = node.cli(&["ask", LISTED, "203.0.113.9"]).with_code(0).out;
    let line = |start: &str| {
        said.lines().map(str::trim_start).find(|line| line.starts_with(start)).unwrap_or_default().to_owned()
    };
    assert!(line(LISTED).contains("127.0.0.43") && line(LISTED).contains("guesses passwords"), "{said}");
    assert!(line("203.0.113.9").contains("not-listed"), "{said}");
    node.cli(&["ask", "203.0.113.9"]).with_code(3);
    let other = node.cli(&["ask", "2001:db8::1"]).with_code(3);
    assert!(other.out.contains("it lists no IPv6 addresses"), "{other:?}");
    let doctor = node.cli(&["doctor"]).with_code(1).out;
    let finding = |what: &str| {
        doctor.lines().map(str::trim_start).find(|line| line.contains(what)).unwrap_or_default().to_owned()
    };
    assert!(finding("list theirs").starts_with("ok"), "{doctor}");
    assert!(finding("gate dovecot").starts_with("fault"), "no node runs: {doctor}");
    liar.tell(Lie::Address(Ipv4Addr::new(127, 255, 255, 254)));
    let said = node.cli(&["ask", "--json", LISTED]).with_code(75).out;
    assert!(said.contains("\"cause\": \"blocked\""), "{said}");
    let doctor = node.cli(&["doctor"]).with_code(1).out;
    assert!(doctor.contains("will not answer us (127.255.255.254)"), "{doctor}");
}

#[test]
fn whoever_may_still_log_in_is_not_refused_and_why_tells_who_speaks_against_him() {
    let (liar, line) = (liar(), free_port());
    let home = "203.0.113.8";
    let gate = format!("[gate.line]\nlisten = [\"{line}\"]\n[gate.line.ask]\nthreshold = 5\n");
    let resolver = format!("[resolver]\nservers = [\"{}\"]\n", liar.address);
    let node = Node::start(&Config::new().with(&format!("{gate}\n{resolver}{LIST}")));
    let mut stream = BufReader::new(TcpStream::connect(line).expect("it listens"));
    let mut ask = |more: &str| {
        let line = format!("check address={home} service=smtp {more}\n");
        stream.get_mut().write_all(line.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_line(&mut answer).expect("it answers");
        answer
    };
    wait::until_true("who sends without a login to be refused", || {
        ask("stage=after").starts_with("-1 refuse listed-else")
    });
    assert_eq!(ask("stage=connect"), "0 pass unlisted\n", "he may still log in");
    assert_eq!(ask("stage=after login=alice"), "0 pass unlisted\n", "people log in from dynamic addresses");
    let why = node.cli(&["why", home]).out;
    assert!(why.contains("theirs lists it: 127.0.0.36 (dynamic, weight 5)."), "{why}");
}
