//! The resolver against a real BIND that serves a reverse zone on loopback.

#![expect(clippy::disallowed_methods, reason = "a test of the shell starts a server, and reads the clock")]

use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base::{Address, Timestamp};
use rdns::io::Resolver;
use rdns::ptr::{Found, Settings};
use resolver::io::Servers;

const CONFIG: &str = r#"
options {
    directory "FOLDER"; pid-file none; session-keyfile none; managed-keys-directory "FOLDER"; dnssec-validation no;
    listen-on port PORT { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; notify no;
};
controls { };
zone "2.0.192.in-addr.arpa" { type primary; file "reverse"; };
zone "100.51.198.in-addr.arpa" { type primary; file "broken"; };
zone "8.b.d.0.1.0.0.2.ip6.arpa" { type primary; file "reverse6"; };
zone "example.org" { type primary; file "forward"; };
"#;

const REVERSE: &str = "
$TTL 60
@ SOA ns.example.org. root.example.org. 1 60 60 60 1
@ NS ns.example.org.
1 PTR Mail.Example.org.
2 PTR liar.example.org.
3 TXT \"no name here\"
5 PTR liar.example.org.
5 PTR two.example.org.
6 CNAME 6.customer
6.customer PTR mail6.example.org.
7 PTR .
8 PTR broken.elsewhere.test.
";

const REVERSE6: &str = "
$TTL 60
@ SOA ns.example.org. root.example.org. 1 60 60 60 1
@ NS ns.example.org.
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 PTR six.example.org.
";

const FORWARD: &str = "
$TTL 60
@ SOA ns.example.org. root.example.org. 1 60 60 60 1
@ NS ns.example.org.
ns A 127.0.0.1
mail A 192.0.2.1
liar A 192.0.2.99
two A 192.0.2.77
two A 192.0.2.5
mail6 A 192.0.2.6
six AAAA 2001:db8::1
";

/// A running server, which ends with this.
struct Named {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Drop for Named {
    fn drop(&mut self) {
        self.child.kill().expect("a child can be ended");
        self.child.wait().expect("it was started");
    }
}

fn named() -> Named {
    let folder = tempfile::tempdir().expect("a folder for the zones");
    let address = ratter_tests::place::free_port();
    let port = address.port();
    let path = folder.path().to_str().expect("its path is text");
    let config = CONFIG.replace("FOLDER", path).replace("PORT", &port.to_string());
    let files = [
        ("conf", &*config),
        ("reverse", REVERSE),
        ("reverse6", REVERSE6),
        ("forward", FORWARD),
        ("broken", "no zone\n"),
    ];
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("the folder can be written");
    }
    let child = Command::new("named")
        .args(["-g", "-n", "1", "-c"])
        .arg(folder.path().join("conf"))
        .stderr(Stdio::null())
        .spawn()
        .expect("BIND is installed: tests/install-packages.sh");
    let named = Named { child, address, _folder: folder };
    let answers = || {
        let dig = Command::new("dig")
            .args(["@127.0.0.1", "-p", &port.to_string(), "+short", "+time=1", "+tries=1", "-x", "192.0.2.1"])
            .output();
        dig.is_ok_and(|output| output.stdout.starts_with(b"Mail."))
    };
    for _ in 0..200 {
        if answers() {
            return named;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("BIND does not answer");
}

fn now() -> Timestamp {
    Timestamp::EPOCH.plus(SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is right"))
}

/// A resolver that waits for each answer at most as long as `timeout`: long where all servers answer, because a busy
/// machine may make them late, and short where one never does.
fn resolver(servers: &[SocketAddr], timeout: Duration) -> (Resolver, Receiver<(Address, Found)>) {
    let settings = Settings { servers: servers.len(), timeout, in_flight_max: 8 };
    let (tell, told) = sync_channel(100);
    let ask = Servers::new(servers, timeout, 8).expect("the servers are addresses");
    let resolver = Resolver::start(settings, ask, now, move |address, found| {
        tell.send((address, found)).expect("the test waits for it");
    });
    (resolver.expect("a thread"), told)
}

fn find(resolver: &Resolver, told: &Receiver<(Address, Found)>, address: &str, afresh: bool) -> Found {
    let address: Address = address.parse().expect("an address");
    assert!(resolver.want(address, afresh));
    let (about, found) = told.recv_timeout(Duration::from_mins(5)).expect("every search ends");
    assert_eq!(about, address);
    found
}

#[test]
fn a_real_server_is_understood() {
    let named = named();
    let named_as = |name: &str, confirmed| Found::Named { name: name.into(), confirmed };
    let cases = [
        ("192.0.2.1", named_as("mail.example.org", true)),
        ("192.0.2.2", named_as("liar.example.org", false)),
        // NODATA and NXDOMAIN, each asked twice.
        ("192.0.2.3", Found::NoName),
        ("192.0.2.4", Found::NoName),
        ("192.0.2.5", named_as("two.example.org", true)),
        ("192.0.2.6", named_as("mail6.example.org", true)),
        ("192.0.2.7", Found::Unknown),
        // The server refuses to tell the name's addresses.
        ("192.0.2.8", named_as("broken.elsewhere.test", false)),
        ("2001:db8::1", named_as("six.example.org", true)),
        ("2001:db8::2", Found::NoName),
        // A zone that cannot be loaded: SERVFAIL. And one of which the server knows nothing: REFUSED.
        ("198.51.100.1", Found::Unknown),
        ("203.0.113.1", Found::Unknown),
    ];
    let (resolver, told) = resolver(&[named.address], Duration::from_secs(30));
    for (address, wanted) in cases {
        assert_eq!(find(&resolver, &told, address, false), wanted, "{address}");
    }
}

#[test]
fn a_dead_server_is_passed_over_and_proves_nothing() {
    let named = named();
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let silent = silent.local_addr().expect("it is bound");
    let short = Duration::from_millis(500);
    let (with_one_dead, told) = resolver(&[silent, named.address], short);
    let is_open = |found: &Found| match found {
        // The live server was late, too.
        Found::Unknown | Found::Named { confirmed: false, .. } => true,
        Found::Named { confirmed: true, .. } | Found::NoName => false,
    };
    let found = (0..100).map(|_| find(&with_one_dead, &told, "192.0.2.1", true)).find(|found| !is_open(found));
    assert_eq!(found, Some(Found::Named { name: "mail.example.org".into(), confirmed: true }));
    let (dead, told) = resolver(&[silent], short);
    assert_eq!(find(&dead, &told, "192.0.2.4", false), Found::Unknown);
    assert!(dead.counters().unanswered >= 3, "{:?}", dead.counters());
}
