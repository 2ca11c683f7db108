//! Zones that want their clients to have a reverse name: who has none is refused, and nobody whose name cannot be known. On a
//! host of the test's own, because its clients have the addresses of others.

use std::process::Command;

use console::api::NewKey;
use ratter_tests::bind::Bind;
use ratter_tests::dns::entry;
use ratter_tests::namespace::Namespaces;
use ratter_tests::process::{program, run};
use ratter_tests::ratter::{Config, Node, ORIGIN};
use ratter_tests::wait;

const POOL: &str = "203.0.113.77";
const NAMELESS: &str = "203.0.113.78";
const OWN: &str = "203.0.113.79";
/// In a zone that the resolver cannot load.
const UNKNOWN: &str = "198.51.100.1";

struct Scene {
    hosts: Namespaces,
    node: Node,
    _bind: Bind,
}

impl Scene {
    /// A node that asks one resolver, or the same one twice as if they were two.
    fn new(resolvers: usize, ttl: u32) -> Self {
        let addresses: Vec<String> = [POOL, NAMELESS, OWN, UNKNOWN].map(|address| format!("{address}/24")).into();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let hosts = Namespaces::new(&addresses, &[]);
        let names = ["77 PTR dyn-203-0-113-77.pool.example.net.".to_owned(), "79 PTR mail.example.net.".to_owned()];
        let zones: [(&str, &[String]); 2] =
            [("113.0.203.in-addr.arpa", &names), ("100.51.198.in-addr.arpa", &["no zone".to_owned()])];
        let bind = Bind::start_by(&hosts.on_server(), ttl, &zones);
        let servers = vec![format!("\"{}\"", bind.address()); resolvers].join(", ");
        let sections = format!(
            "[resolver]\nservers = [{servers}]\n[dnsbl.access]\nreverse-name = \"some\"\n\
             [[dnsbl.zone]]\nname = \"auth\"\nreverse-name = \"own\"\n"
        );
        let node = Node::start_by(&hosts.on_server(), &Config::new().with(&sections));
        node.cli(&["list", "192.0.2.1", "--on", "auth", "--for", "1h", "--reason", "a test"]).with_code(0);
        Self { hosts, node, _bind: bind }
    }

    /// What `dig` shows to a client.
    fn dig(&self, client: &str, name: &str) -> String {
        let [first, rest @ ..] = self.hosts.on_server();
        let mut command = Command::new(first);
        let port = self.node.addresses().dns.port().to_string();
        command.args(rest).arg(program("dig", "bind9-dnsutils"));
        command.args(["-b", client, "@127.0.0.1", "-p", &port, "+norecurse", "+time=3", "+tries=3", name, "A"]);
        run(&mut command).with_code(0).out
    }

    /// The status of the answer about a listed address.
    fn status(&self, client: &str, zone: &str) -> String {
        let out = self.dig(client, &entry("192.0.2.1", zone, ORIGIN));
        let status = out.split_once("status: ").and_then(|(_, rest)| rest.split_once(',')).map(|(status, _)| status);
        status.unwrap_or_else(|| panic!("no answer to {client}: {out}")).to_owned()
    }
}

#[test]
fn who_has_no_name_is_refused_and_nobody_who_cannot_be_known() {
    let scene = Scene::new(1, 1);
    let status = |client, zone| scene.status(client, zone);
    assert_eq!(status(NAMELESS, "all"), "NOERROR", "nobody waits for a name");
    wait::until_true("no name to be known", || status(NAMELESS, "all") == "REFUSED");
    let text = scene.dig(NAMELESS, &entry("192.0.2.1", "auth", ORIGIN));
    assert!(text.contains("EDE: 18 (Prohibited): (your address has no reverse name)"), "{text}");
    wait::until_true("the pool to be known", || status(POOL, "auth") == "REFUSED");
    assert_eq!(status(POOL, "all"), "NOERROR", "some name is enough there");
    let text = scene.dig(POOL, &entry("192.0.2.1", "auth", ORIGIN));
    assert!(text.contains("EDE: 18 (Prohibited): (your address has the reverse name of a pool)"), "{text}");
    // They were asked for before those two were known, and again after it.
    for client in [OWN, UNKNOWN, "127.0.0.1"] {
        for zone in ["all", "auth", "all", "auth"] {
            assert_eq!(status(client, zone), "NOERROR", "{client} {zone}");
        }
    }
    // A key tells more than a name.
    let made: NewKey = scene.node.json(&["key", "new", "acme", "--owner", "ACME Ltd"]);
    let name = entry("192.0.2.1", &format!("{}.auth", made.key), ORIGIN);
    assert!(scene.dig(NAMELESS, &name).contains("127.0.0.43"));
    assert!(scene.node.quick_status().dnsbl.is_some_and(|dnsbl| dnsbl.denied >= 4));
}

/// One resolver that says it twice while it remembers proves nothing; two do at once. `ratter check` says so.
#[test]
fn one_resolver_needs_longer_than_two() {
    let one = Scene::new(1, 3600);
    let two = Scene::new(2, 3600);
    assert_eq!((one.status(NAMELESS, "all"), two.status(NAMELESS, "all")), ("NOERROR".into(), "NOERROR".into()));
    wait::until_true("two answers to be there", || two.status(NAMELESS, "all") == "REFUSED");
    assert_eq!(one.status(NAMELESS, "all"), "NOERROR");
    let said = [&one, &two].map(|scene| scene.node.cli(&["check"]).with_code(0).out);
    assert_eq!(said.map(|out| out.contains("one resolver")), [true, false]);
}
