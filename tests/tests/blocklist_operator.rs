//! What the operator of a public blocklist sets up: who may ask, with which key, and zones from rbldnsd's files.
#![expect(clippy::disallowed_methods, reason = "a credit grows in real time")]

use std::path::Path;
use std::process::Command;

use console::api::{KeyView, NewKey};
use ratter_tests::dns::entry;
use ratter_tests::place::{Place, free_port};
use ratter_tests::process::{Process, program, run, text_of, write};
use ratter_tests::ratter::{Config, Node, ORIGIN};
use ratter_tests::{dns::Dig, wait};

const LISTED: &str = "192.0.2.76";

/// A node that has [`LISTED`] on a list.
fn node(list: &str, sections: &str) -> Node {
    let node = Node::start(&Config::new().with(sections));
    node.cli(&["list", LISTED, "--on", list, "--for", "1h", "--reason", "a test"]).with_code(0);
    node
}

/// The name of [`LISTED`] in `auth` with a key.
fn with_key(key: &str) -> String {
    entry(LISTED, &format!("{key}.auth"), ORIGIN)
}

fn make(node: &Node, arguments: &[&str]) -> NewKey {
    node.json(&[&["key", "new"], arguments].concat())
}

const KEYS: &str = "[[dnsbl.zone]]\nname = \"auth\"\npolicy = \"key\"\n";

#[test]
fn a_key_lives_from_new_to_revoke() {
    let mut node = node("auth", KEYS);
    let dig = node.dig();
    let status = |name: &str| dig.ask(name, "A").status;
    assert_eq!(status(&entry(LISTED, "auth", ORIGIN)), "REFUSED");
    assert_eq!(status(&format!("auth.{ORIGIN}")), "NOERROR", "the zone itself is told to everybody");
    assert_eq!(dig.addresses(&entry(LISTED, "all", ORIGIN)), ["127.0.0.43"], "`all` has its own policy");

    let made = make(&node, &["acme", "--owner", "ACME Ltd", "--zone", "auth", "--quota", "3/day", "--for", "365d"]);
    assert_eq!((made.key.len(), made.record.name.as_str(), made.record.answered), (25, "acme", 0));
    for _ in 0..3 {
        assert_eq!(dig.addresses(&with_key(&made.key)), ["127.0.0.43"], "in force at once");
    }
    assert_eq!(status(&with_key(&made.key)), "REFUSED", "over the quota");
    assert_eq!(status(&with_key("aaaaaaaaaaaaaaaaaaaaaaaaa")), "REFUSED");
    node.cli(&["key", "new", "acme", "--owner", "somebody"]).with_code(1);
    node.cli(&["key", "new", "other", "--owner", "somebody", "--zone", "nowhere"]).with_code(2);

    let text = node.cli(&["key", "list"]).with_code(0).out;
    assert!(text.contains("acme") && text.contains("3/day") && !text.contains(&made.key), "{text}");
    let metrics = node.metrics();
    for sample in [
        "ratter_dns_key_answered_total{key=\"acme\"} 3",
        "ratter_dns_key_refused_total{key=\"acme\"} 1",
        "ratter_dns_denied_total{reason=\"quota\"} 1",
        "ratter_dns_denied_total{reason=\"key-wanted\"} 1",
        "ratter_dns_codes_total{code=\"127.0.0.43\"} 4",
    ] {
        assert!(metrics.contains(sample), "{sample} is missing:\n{metrics}");
    }

    node.stop();
    node.start_again();
    let dig = node.dig();
    let status = |name: &str| dig.ask(name, "A").status;
    assert_eq!(status(&with_key(&made.key)), "REFUSED", "a restart gives no quota back");
    let other = make(&node, &["other", "--owner", "Other GmbH"]);
    assert_eq!(dig.addresses(&with_key(&other.key)), ["127.0.0.43"]);

    node.kill();
    node.start_again();
    let dig = node.dig();
    assert_eq!(dig.addresses(&with_key(&other.key)), ["127.0.0.43"], "a key that was told is kept");
    let revoked: KeyView = node.json(&["key", "revoke", "other"]);
    assert!(revoked.revoked.is_some() && revoked.revoked_by.is_some(), "{revoked:?}");
    assert_eq!(dig.ask(&with_key(&other.key), "A").status, "REFUSED", "at once");
    node.cli(&["key", "revoke", "other"]).with_code(3);
    let keys: Vec<KeyView> = node.json(&["key", "list"]);
    let states: Vec<_> = keys.iter().map(|key| (key.name.as_str(), key.answered, key.revoked.is_some())).collect();
    // The first question of the other key was asked just before the end that was none of ours.
    assert!(matches!(states[..], [("acme", 3, false), ("other", 1 | 2, true)]), "{states:?}");
    is_kept_as_a_hash(&node, &[&made.key, &other.key]);
}

/// The keys stand in no file of the node, and who made and revoked them does.
fn is_kept_as_a_hash(node: &Node, keys: &[&str]) {
    let state = &node.addresses().state;
    for file in ["ratter.db", "ratter.db-wal"] {
        let text = text_of(&state.join(file));
        assert!(keys.iter().all(|key| !text.contains(key)), "a key stands in {file}");
    }
    let query = "SELECT what FROM audit WHERE what LIKE 'key %' ORDER BY id";
    let said = run(Command::new(program("sqlite3", "sqlite3")).arg(state.join("ratter.db")).arg(query)).with_code(0);
    let wanted = ["key new acme for ACME Ltd", "key new other for Other GmbH", "key revoke other"];
    assert_eq!(said.out.lines().collect::<Vec<_>>(), wanted);
}

#[test]
fn who_may_not_ask_is_told_so_and_never_a_listing() {
    let sections = "[dnsbl.access]\npolicy = \"open-below\"\nrate = \"5/s\"\nrefusal = \"code\"\n\
                    [[dnsbl.zone]]\nname = \"policy\"\nlists = [\"dyna\", \"auth\"]\n\
                    [[dnsbl.zone]]\nname = \"spam\"\nrefused = [\"127.0.0.0/8\"]\n\
                    [[dnsbl.zone]]\nname = \"null\"\nrefused = [\"127.0.0.0/8\"]\nrefusal = \"refused\"\n";
    let node = Node::start(&Config::new().dnsbl("web = [\"192.0.2.80\", \"2001:db8::80\"]").with(sections));
    node.cli(&["list", LISTED, "--on", "auth", "--for", "1h", "--reason", "a test"]).with_code(0);
    let dig = node.dig();
    for name in [ORIGIN.to_owned(), format!("auth.{ORIGIN}")] {
        assert_eq!(dig.addresses(&name), ["192.0.2.80"], "the web server of {name}");
        let v6 = dig.ask(&name, "AAAA").answer;
        assert!(v6.len() == 1 && v6[0].data == "2001:db8::80", "{v6:?}");
    }
    assert_eq!(dig.addresses(&entry(LISTED, "policy", ORIGIN)), ["127.0.0.43"], "a combination of two lists");
    assert_eq!(dig.addresses(&entry("127.0.0.36", "policy", ORIGIN)), ["127.0.0.36"]);
    assert_eq!(dig.addresses(&entry(LISTED, "spam", ORIGIN)), ["127.255.255.254"], "the network may not ask");
    let texts = dig.ask(&entry(LISTED, "spam", ORIGIN), "TXT").answer;
    assert!(texts.iter().any(|text| text.data.contains("your network may not ask here")), "{texts:?}");
    assert_eq!(dig.ask(&entry("127.0.0.1", "spam", ORIGIN), "A").status, "NXDOMAIN", "not even by a code");
    assert_eq!(dig.ask(&entry(LISTED, "null", ORIGIN), "A").status, "REFUSED");

    // One `dig` asks faster than five times a second.
    let name = entry(LISTED, "auth", ORIGIN);
    let mut command = Command::new(program("dig", "bind9-dnsutils"));
    let port = node.addresses().dns.port().to_string();
    command.args(["@127.0.0.1", "-p", &port, "+short", "+norecurse"]).args(vec![name.as_str(); 60]);
    let answers = run(&mut command).with_code(0).out;
    let count = |code: &str| answers.lines().filter(|line| *line == code).count();
    assert!(count("127.0.0.43") >= 5 && count("127.255.255.255") > 0, "{answers}");
    assert_eq!(count("127.0.0.43") + count("127.255.255.255"), 60, "{answers}");
    assert!(node.metrics().contains("ratter_dns_denied_total{reason=\"rate\"}"));
}

#[test]
fn the_server_names_itself_and_refuses_what_is_not_its_own() {
    let config = Config::new().dnsbl("nsid = \"ns1.ams\"");
    let node = Node::start(&config);
    let ask = |arguments: &[&str]| {
        let mut command = Command::new(program("dig", "bind9-dnsutils"));
        command.args(["@127.0.0.1", "-p", &node.addresses().dns.port().to_string(), "+norecurse"]).args(arguments);
        run(&mut command).with_code(0).out
    };
    let own = ask(&["+nsid", ORIGIN, "SOA"]);
    assert!(own.contains("ns1.ams") && own.contains("COOKIE"), "{own}");
    let other = ask(&["www.example.net", "A"]);
    assert!(other.contains("REFUSED") && other.contains("EDE: 20"), "{other}");
}

const HEAD: &str = "$SOA 1h ns.example.net admin.example.net 7 10m 5m 1w 2m\n$NS 1d ns.example.net\n127.0.0.2\n";

/// The status of the zone of files that fits, when it has come.
fn zone(node: &Node, is: impl Fn(&console::api::FileZoneStatus) -> bool) -> console::api::FileZoneStatus {
    wait::until("the zone from files", || {
        node.quick_status().dnsbl.into_iter().flat_map(|dnsbl| dnsbl.files).find(|zone| is(zone))
    })
}

#[test]
fn rbldnsds_files_are_served_as_they_are() {
    let place = Place::new("files");
    let (old, live) = (place.join("old"), place.join("live"));
    write(&old, &format!("{HEAD}198.51.100.0/24 :3:range of $\n!198.51.100.9\n"));
    write(&live, ":9:an old list\n203.0.113.7\n127.0.0.2\n");
    let spec = "old.example.net:ip4set:old";
    let config = Config::new().with(&format!(
        "[dnsbl.static]\nfolder = {:?}\nzones = [{spec:?}, \"auth.{ORIGIN}:ip4set:live\"]\ncheck = \"1s\"\n",
        place.path()
    ));
    let mut node = Node::start(&config);
    let dig = node.dig();
    let peer = Rbldnsd::start(place.path(), spec);
    for address in ["198.51.100.7", "198.51.100.9", "192.0.2.1", "127.0.0.2", "127.0.0.1"] {
        let name = entry(address, "old", "example.net");
        for kind in ["A", "TXT"] {
            let (ours, theirs) = (dig.ask(&name, kind), peer.dig.ask(&name, kind));
            assert_eq!((ours.status, ours.answer), (theirs.status, theirs.answer), "{name} {kind}");
        }
    }
    // The live list and the file answer together.
    node.cli(&["list", LISTED, "--on", "auth", "--for", "1h", "--reason", "a test"]).with_code(0);
    assert_eq!(dig.addresses(&entry(LISTED, "auth", ORIGIN)), ["127.0.0.43"]);
    assert_eq!(dig.addresses(&entry("203.0.113.7", "auth", ORIGIN)), ["127.0.0.9"]);

    write(&old, &format!("{HEAD}198.51.100.0/24 :3:range of $\n192.0.2.1\n"));
    wait::until_true("the new file", || dig.addresses(&entry("192.0.2.1", "old", "example.net")) == ["127.0.0.2"]);

    write(&old, &format!("{HEAD}192.0.2.1\n192.0.2.300\n"));
    let faulty = zone(&node, |zone| zone.fault.is_some());
    let shown = faulty.fault.unwrap_or_default();
    assert!(shown.contains("old:5:") && shown.contains('^') && faulty.name == "old.example.net", "{shown}");
    assert_eq!(dig.addresses(&entry("198.51.100.7", "old", "example.net")), ["127.0.0.3"], "the last good content");
    let status = node.status();
    assert!(status.warnings.iter().any(|warning| warning.contains("old.example.net")), "{status:?}");
    let checked = node.cli(&["check"]).with_code(2).err;
    assert!(checked.contains("old:5:") && checked.contains('^'), "{checked}");
    assert!(node.metrics().contains("ratter_dns_file_faulty{zone=\"old.example.net\"} 1"));

    write(&old, &format!("{HEAD}192.0.2.1\n192.0.2.3\n"));
    zone(&node, |zone| zone.name == "old.example.net" && zone.fault.is_none());
    // The test entry of a list that has none of its own, and what nobody may list.
    assert_eq!(dig.addresses(&entry("127.0.0.2", "old", "example.net")), ["127.0.0.2"]);
    assert!(dig.addresses(&entry("127.0.0.1", "old", "example.net")).is_empty());
    // What a start would not serve is a fault here too.
    for (content, fault) in [("192.0.2.1\n", "has no SOA"), (&*format!("{HEAD}127.0.0.0/8\n"), "would list 127.0.0.1")]
    {
        write(&old, content);
        let checked = node.cli(&["check"]).with_code(2).err;
        assert!(checked.contains(fault), "{checked}");
    }
    let expired = "$TIMESTAMP 2020:01:01:00:00:00 2021:01:01:00:00:00\n$MAXRANGE4 /24\n10.0.0.0/8\n";
    write(&old, &format!("{HEAD}{expired}192.0.2.1\n192.0.2.3\n"));
    let checked = node.cli(&["check"]).with_code(0).out;
    assert!(checked.contains("zone old.example.net have expired") && checked.contains("10.0.0.0/8"), "{checked}");
    assert!(checked.contains(&format!("files of zone auth.{ORIGIN} have is not in `all.{ORIGIN}`")), "{checked}");
    write(&old, &format!("{HEAD}192.0.2.1\n192.0.2.3\n"));
    assert_eq!(dig.addresses(&entry("192.0.2.3", "old", "example.net")), ["127.0.0.2"]);

    // A start that finds the files faulty, or gone, goes on with what was served.
    wait::until_true("the file to be right", || {
        !node.metrics().contains("ratter_dns_file_faulty{zone=\"old.example.net\"} 1")
    });
    node.stop();
    write(&old, &format!("{HEAD}192.0.2.1\n192.0.2.300\n"));
    std::fs::remove_file(&live).expect("the file was there");
    node.start_again();
    let dig = node.dig();
    assert_eq!(dig.addresses(&entry("192.0.2.3", "old", "example.net")), ["127.0.0.2"]);
    assert_eq!(dig.addresses(&entry("203.0.113.7", "auth", ORIGIN)), ["127.0.0.9"]);
    let shown = zone(&node, |zone| zone.name == "old.example.net").fault.unwrap_or_default();
    assert!(
        shown.contains("a copy from before the start") && shown.contains("old:5:") && shown.contains('^'),
        "{shown}"
    );
    assert!(node.metrics().contains("ratter_dns_file_copy{zone=\"old.example.net\"} 1"));

    // Nor does what cannot be read at all keep the node from starting.
    node.stop();
    std::fs::create_dir(&live).expect("nothing is there");
    node.start_again();
    assert_eq!(node.dig().addresses(&entry("203.0.113.7", "auth", ORIGIN)), ["127.0.0.9"]);

    // The warning ends with its reason.
    std::fs::remove_dir(&live).expect("it is an empty folder");
    write(&live, "203.0.113.7\n127.0.0.2\n");
    wait::until_true("no warning", || node.status().warnings.iter().all(|it| !it.contains("live")));
}

/// Debian's rbldnsd with one zone.
struct Rbldnsd {
    _process: Process,
    dig: Dig,
}

impl Rbldnsd {
    fn start(folder: &Path, spec: &str) -> Self {
        let address = free_port();
        let mut command = Command::new(program("rbldnsd", "rbldnsd"));
        command.arg("-n").args(["-b", &format!("127.0.0.1/{}", address.port())]).arg("-w").arg(folder);
        if rustix::process::getuid().is_root() {
            command.args(["-u", "rbldns"]);
        }
        let process = Process::start("rbldnsd", folder, command.arg(spec));
        let dig = Dig::at(address);
        let is_there = || {
            run(Command::new(program("dig", "bind9-dnsutils")).args([
                "@127.0.0.1",
                "-p",
                &address.port().to_string(),
                "+time=1",
                "+tries=1",
                "old.example.net",
                "SOA",
            ]))
            .code
                == 0
        };
        wait::until_true("rbldnsd", is_there);
        Self { _process: process, dig }
    }
}

/// The length of a question without a cookie, and the reply to it.
fn datagram(node: &Node, name: &str, kind: u8, has_edns: bool) -> (usize, Vec<u8>) {
    let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(has_edns)];
    for label in name.split('.') {
        message.push(u8::try_from(label.len()).expect("a short label"));
        message.extend_from_slice(label.as_bytes());
    }
    message.extend_from_slice(&[0, 0, kind, 0, 1]);
    if has_edns {
        message.extend_from_slice(&[0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0]);
    }
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_read_timeout(Some(std::time::Duration::from_secs(10))).expect("a timeout");
    socket.send_to(&message, node.addresses().dns).expect("sent");
    let mut reply = vec![0; 4096];
    let length = socket.recv(&mut reply).expect("a reply");
    reply.truncate(length);
    (message.len(), reply)
}

#[test]
fn nobody_gains_by_forging_clients() {
    let mut node = node("auth", "");
    let names = [
        entry(LISTED, "auth", ORIGIN),
        entry(LISTED, "all", ORIGIN),
        entry("192.0.2.77", "auth", ORIGIN),
        entry("127.0.0.2", "all", ORIGIN),
        entry("127.0.0.1", "dyna", ORIGIN),
        format!("0.192.auth.{ORIGIN}"),
        format!("auth.{ORIGIN}"),
        ORIGIN.to_owned(),
        "example.com".to_owned(),
    ];
    let begun = std::time::Instant::now();
    // Who asks a little is told all, without a cookie too.
    let (asked, reply) = datagram(&node, &names[2], 1, true);
    assert!(2 * reply.len() > 3 * asked && reply[9] == 1, "an SOA record: {reply:?}");
    let (mut sent, mut received) = (asked, reply.len());
    // A, NS, SOA, MX, TXT, AAAA, DS, ANY.
    for (name, kind) in names.iter().flat_map(|name| [1, 2, 6, 15, 16, 28, 43, 255].map(|kind| (name, kind))) {
        for has_edns in [false, true].repeat(10) {
            let (asked, reply) = datagram(&node, name, kind, has_edns);
            (sent, received) = (sent + asked, received + reply.len());
        }
    }
    // 2 KiB besides, and as much a second.
    let credit = 2048 * (2 + begun.elapsed().as_secs());
    assert!(5 * received as u64 <= 7 * sent as u64 + 5 * credit, "{received} octets for {sent} and {credit}");
    // Whoever has a cookie, as `dig` gets one, learns all; so does whoever comes by TCP.
    let answer = node.dig().ask(&names[2], "A");
    assert_eq!((answer.status.as_str(), answer.authority[0].kind.as_str()), ("NXDOMAIN", "SOA"));
    node.stop();
}
