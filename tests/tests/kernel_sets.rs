//! Sets of nftables: packets of who is listed stop, on a host of the test's own. Wants root, because nothing else may touch
//! the firewall of even such a host; without, it fails.

use std::process::Command;

use ratter_tests::namespace::Namespaces;
use ratter_tests::place::Place;
use ratter_tests::process::{Process, run, write};
use ratter_tests::ratter::{Config, Node};
use ratter_tests::wait;
use rustix::process::Signal;

const TCP: &str = include_str!("../sinks/tcp.py");
const SERVER: &str = "203.0.113.1";
const SERVER6: &str = "2001:db8::1";
const EVE: &str = "203.0.113.66";
const BOB: &str = "203.0.113.67";

struct Scene {
    hosts: Namespaces,
    place: Place,
    _server: Process,
}

impl Scene {
    fn new() -> Self {
        let hosts = Namespaces::new(
            &["203.0.113.1/24", "2001:db8::1/32"],
            &["203.0.113.66/24", "203.0.113.67/24", "2001:db8:66::1/32", "2001:db8:67::1/32"],
        );
        let place = Place::new("kernel");
        write(&place.join("tcp.py"), TCP);
        let server = by(&hosts.on_server(), &place, &["serve", "143", "8080"]);
        let server = Process::start("server", place.path(), &server);
        let scene = Self { hosts, place, _server: server };
        wait::until_true("the server", || scene.attempt(BOB, SERVER, 8080) == "open");
        scene
    }

    /// How an attempt to connect ends.
    fn attempt(&self, from: &str, to: &str, port: u16) -> String {
        run(&mut by(&self.hosts.on_client(), &self.place, &["try", from, to, &port.to_string()])).out.trim().to_owned()
    }

    /// A connection that stays open until somebody ends it.
    fn open(&self, name: &str, from: &str, to: &str, port: u16) -> Process {
        let client = by(&self.hosts.on_client(), &self.place, &["open", from, to, &port.to_string()]);
        let client = Process::start(name, self.place.path(), &client);
        wait::until_true("an open connection", || client.stdout().contains("open"));
        client
    }

    fn node(&self) -> Node {
        Node::start_by(&self.hosts.on_server(), &Config::new().with("[action.nft]\n"))
    }
}

fn by(prefix: &[&str], place: &Place, arguments: &[&str]) -> Command {
    let mut command = Command::new(prefix[0]);
    command.args(&prefix[1..]).arg("/usr/bin/python3").arg(place.join("tcp.py")).args(arguments);
    command
}

fn list(node: &Node, subject: &str, on: &str, span: &str) {
    node.cli(&["list", subject, "--on", on, "--for", span, "--reason", "a test"]).with_code(0);
}

/// Waits until the kernel is told all.
fn settle(node: &Node, entries: usize) {
    wait::until_true("the kernel", || {
        let status = node.quick_status();
        let nft = status.actions.iter().find(|action| action.name == "nft").expect("it is shown");
        assert_eq!(nft.fault, None);
        nft.behind_ms == 0 && nft.entries == entries
    });
}

#[test]
fn packets_stop_connections_end_and_time_and_people_free() {
    let scene = Scene::new();
    let node = scene.node();
    settle(&node, 0);
    let eve = scene.open("eve", EVE, SERVER, 143);
    let bob = scene.open("bob", BOB, SERVER, 143);
    let eve_elsewhere = scene.open("eve-elsewhere", EVE, SERVER, 8080);
    list(&node, EVE, "blocked", "1h");
    wait::until_true("her open connection ends", || eve.stdout().contains("reset") || eve.stdout().contains("ended"));
    settle(&node, 1);
    let text = scene.hosts.nft(&["list", "table", "inet", "ratter"]).with_code(0).out;
    for wanted in
        ["hook input priority", "gc-interval 1m", "ip saddr @mail4_32 counter packets", "tcp dport { 25, 110, 143,"]
    {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    assert_eq!(scene.attempt(EVE, SERVER, 143), "silent");
    assert_eq!(scene.attempt(EVE, SERVER, 8080), "open", "other ports are none of its business");
    assert_eq!(scene.attempt(BOB, SERVER, 143), "open");
    assert_eq!((bob.stdout().trim(), eve_elsewhere.stdout().trim()), ("open", "open"), "nobody else is cut off");

    node.cli(&["unlist", EVE]).with_code(0);
    settle(&node, 0);
    assert_eq!(scene.attempt(EVE, SERVER, 143), "open", "a person frees");
    list(&node, EVE, "blocked", "4s");
    settle(&node, 1);
    assert_eq!(scene.attempt(EVE, SERVER, 143), "silent");
    wait::until_true("time frees", || scene.attempt(EVE, SERVER, 143) == "open");

    // A network, of a length that nobody had before; everything from it, if the list says so.
    list(&node, "203.0.113.66/31", "blocked", "1h");
    settle(&node, 1);
    assert_eq!((scene.attempt(BOB, SERVER, 143), scene.attempt(BOB, SERVER, 8080)), ("silent".into(), "open".into()));
    node.cli(&["list", "203.0.113.0/24", "--on", "null", "--for", "1h", "--reason", "x"]).with_code(0);
    settle(&node, 2);
    assert_eq!(scene.attempt(EVE, SERVER, 8080), "silent");
    list(&node, "2001:db8:66::/64", "blocked", "1h");
    settle(&node, 3);
    assert_eq!(scene.attempt("2001:db8:66::1", SERVER6, 143), "silent");
    assert_eq!(scene.attempt("2001:db8:67::1", SERVER6, 143), "open");
}

#[test]
fn a_crash_frees_nobody_and_a_firewall_that_is_loaded_anew_neither() {
    let scene = Scene::new();
    let mut node = scene.node();
    list(&node, EVE, "blocked", "1h");
    list(&node, BOB, "blocked", "1h");
    settle(&node, 2);
    let expires = |address: &str| {
        let text = scene.hosts.nft(&["list", "set", "inet", "ratter", "mail4_32"]).out;
        let (_, rest) = text.split_once(address)?;
        Some(rest.split([',', '}']).next().unwrap_or_default().trim().to_owned())
    };
    assert!(expires(EVE).is_some_and(|text| text.contains("expires 59m")), "{:?}", expires(EVE));
    node.kill();
    assert_eq!(scene.attempt(EVE, SERVER, 143), "silent", "the kernel keeps them without us");
    // Meanwhile somebody puts in what does not belong there, and takes out what does.
    scene.hosts.nft(&["delete", "element", "inet", "ratter", "mail4_32", &format!("{{ {BOB} }}")]).with_code(0);
    scene.hosts.nft(&["add", "element", "inet", "ratter", "mail4_32", "{ 203.0.113.99 timeout 1h }"]).with_code(0);
    node.start_again();
    settle(&node, 2);
    assert!(expires(BOB).is_some() && expires("203.0.113.99").is_none());
    assert_eq!(scene.attempt(BOB, SERVER, 143), "silent");
    scene.hosts.nft(&["flush", "ruleset"]).with_code(0);
    assert_eq!(scene.attempt(EVE, SERVER, 143), "open");
    wait::until_true("they are dropped again", || scene.attempt(EVE, SERVER, 143) == "silent");
    // What is over meanwhile is out, and who was let in while it was away stays in.
    node.cli(&["unlist", EVE]).with_code(0);
    settle(&node, 1);
    assert_eq!(scene.attempt(EVE, SERVER, 143), "open");
    // Without its section nobody stays blocked by what it has left.
    assert_eq!(scene.attempt(BOB, SERVER, 143), "silent");
    node.configure(&Config::new());
    node.process().signal(Signal::HUP);
    wait::until_true("the table is gone", || scene.attempt(BOB, SERVER, 143) == "open");
}

/// Sets of an earlier version, which the kernel looks through each second, cannot be given another interval: they stay as they are.
#[test]
fn sets_of_an_earlier_version_are_taken_over() {
    let scene = Scene::new();
    let earlier = "add table inet ratter; add set inet ratter mail4_32 { type ipv4_addr; flags timeout; }; \
                   add element inet ratter mail4_32 { 203.0.113.66 timeout 1h, 203.0.113.99 timeout 1h }";
    scene.hosts.nft(&[earlier]).with_code(0);
    let mut node = scene.node();
    list(&node, EVE, "blocked", "1h");
    list(&node, "203.0.113.66/31", "blocked", "1h");
    let check = |node: &Node| {
        settle(node, 2);
        let text = scene.hosts.nft(&["list", "table", "inet", "ratter"]).with_code(0).out;
        assert!(!text.contains("203.0.113.99") && text.contains("set mail4_31"), "{text}");
        assert_eq!(
            (scene.attempt(EVE, SERVER, 143), scene.attempt(BOB, SERVER, 143)),
            ("silent".into(), "silent".into())
        );
    };
    check(&node);
    node.kill();
    node.start_again();
    check(&node);
    // A table that is made anew has the new ones.
    scene.hosts.nft(&["delete", "table", "inet", "ratter"]).with_code(0);
    wait::until_true("the table", || scene.hosts.nft(&["list", "ruleset"]).out.contains("gc-interval 1m"));
    check(&node);
}

#[test]
fn a_hundred_thousand_are_all_dropped() {
    let scene = Scene::new();
    let node = scene.node();
    let file = scene.place.join("many");
    let hosts = (0..100_000_u32).map(|n| std::net::Ipv4Addr::from(0x0b00_0000 + n).to_string());
    let lines = hosts.collect::<Vec<_>>().join("\n") + "\n";
    write(&file, &(lines + EVE + "\n"));
    let path = file.display().to_string();
    node.cli(&["import", &path, "--list", "null", "--for", "1h", "--reason", "a test"]).with_code(0);
    settle(&node, 100_001);
    assert_eq!(scene.attempt(EVE, SERVER, 143), "silent");
    assert_eq!(scene.attempt(BOB, SERVER, 143), "open");
    let text = scene.hosts.nft(&["list", "set", "inet", "ratter", "all4_32"]).out;
    assert_eq!(text.matches("timeout").count(), 100_001 + 1, "each, and the set's own flag");
}

#[test]
fn without_the_capability_it_says_so_and_goes_on() {
    let scene = Scene::new();
    let [ip, netns, exec, host] = scene.hosts.on_server();
    let prefix = [ip, netns, exec, host, "setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"];
    let node = Node::start_by(&prefix, &Config::new().with("[action.nft]\n"));
    wait::until_true("it says so", || {
        let status = node.quick_status();
        status.warnings.iter().any(|warning| warning.contains("CAP_NET_ADMIN"))
    });
    list(&node, EVE, "blocked", "1h");
    assert!(node.listed("blocked").contains(EVE), "it goes on");
}
