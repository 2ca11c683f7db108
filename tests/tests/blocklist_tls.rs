//! DNS over TLS: a real client asks, another certificate takes its place, and clients that do not go on are let go.
#![expect(clippy::disallowed_methods, reason = "the test changes the files that the node reads")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ratter_tests::dns::entry;
use ratter_tests::place::{Place, free_port};
use ratter_tests::process::{program, run};
use ratter_tests::ratter::{Config, Node, ORIGIN};
use ratter_tests::wait;

const LISTED: &str = "192.0.2.76";

/// A certificate for `name` and its key in the folder, which replace those that are there.
fn certificate(folder: &Path, name: &str) {
    let [new_key, new_certificate] = ["new.key", "new.pem"].map(|file| folder.join(file));
    ratter_tests::certificate::make(name, &format!("DNS:{name},DNS:also.{name}"), &new_key, &new_certificate);
    for (from, to) in [(new_key, "key.pem"), (new_certificate, "certificate.pem")] {
        std::fs::rename(from, folder.join(to)).expect("a file of ours");
    }
}

fn section(listen: SocketAddr, folder: &Path) -> String {
    let [certificate, key] = ["certificate.pem", "key.pem"].map(|file| folder.join(file));
    format!(
        "[dnsbl.tls]\nlisten = [\"{listen}\"]\ncertificate = \"{}\"\nkey = \"{}\"\n",
        certificate.display(),
        key.display()
    )
}

/// A node with a listener for TLS, and a listed address.
fn node(place: &Place, name: &str) -> (Node, SocketAddr) {
    let address = free_port();
    certificate(place.path(), name);
    let node = Node::start(&Config::new().with(&section(address, place.path())));
    node.cli(&["list", LISTED, "--on", "auth", "--for", "1h", "--reason", "a test"]).with_code(0);
    (node, address)
}

/// What `kdig` prints when it asks by TLS, in a certificate's name if one is wanted.
fn kdig(server: SocketAddr, place: &Place, name: Option<&str>, question: &[&str]) -> String {
    let mut command = Command::new(program("kdig", "knot-dnsutils"));
    command.arg(format!("@{}", server.ip())).args(["-p", &server.port().to_string(), "-d", "+tls", "+timeout=5"]);
    if let Some(name) = name {
        command.arg(format!("+tls-ca={}", place.join("certificate.pem").display()));
        command.arg(format!("+tls-hostname={name}"));
    }
    let said = run(command.args(question));
    said.out + &said.err
}

#[test]
fn kdig_asks_by_tls_and_knows_the_server() {
    let place = Place::new("tls");
    let (node, address) = node(&place, "ns1.example.org");
    let name = entry(LISTED, "auth", ORIGIN);
    for own in ["ns1.example.org", "also.ns1.example.org"] {
        let said = kdig(address, &place, Some(own), &[&name, "A"]);
        assert!(said.contains("127.0.0.43") && said.contains("TLS1.3"), "{said}");
    }
    let said = kdig(address, &place, Some("another.example.org"), &[&name, "A"]);
    assert!(!said.contains("127.0.0.43"), "the certificate is another's: {said}");
    // All lengths are the same where the client knows EDNS, and 468 times something.
    for question in
        [[name.as_str(), "A"], [name.as_str(), "TXT"], [ORIGIN, "SOA"], ["4.3.2.1.auth.bl.example.org", "A"]]
    {
        let said = kdig(address, &place, None, &[&question[..], &["+edns", "+padding"]].concat());
        assert!(said.contains("Received 468 B") && said.contains("PADDING"), "{said}");
        let said = kdig(address, &place, None, &[&question[..], &["+noedns", "+nopadding"]].concat());
        assert!(!said.contains("468 B") && said.contains("Received"), "{said}");
    }
    // No transfer this way, and no answer without TLS.
    assert!(kdig(address, &place, None, &[ORIGIN, "AXFR"]).contains("REFUSED"));
    let plain = run(Command::new(program("kdig", "knot-dnsutils")).args([
        "@127.0.0.1",
        "+tcp",
        "+timeout=2",
        "+retry=0",
        "-p",
        &address.port().to_string(),
        &name,
        "A",
    ]));
    assert!(!plain.out.contains("127.0.0.43"), "{}", plain.out);
    let metrics = node.metrics();
    assert!(metrics.contains("ratter_dns_tls_closed_total{why=\"broken\"}"), "{metrics}");
    assert!(!metrics.contains("ratter_dns_tls_queries_total 0"), "{metrics}");
}

#[test]
fn another_certificate_is_shown_without_a_restart_and_a_faulty_one_is_not() {
    let place = Place::new("tls");
    let (node, address) = node(&place, "old.example.org");
    let name = entry(LISTED, "auth", ORIGIN);
    let knows = |own: &str| kdig(address, &place, Some(own), &[&name, "A"]).contains("127.0.0.43");
    assert!(knows("old.example.org"));
    let mut before = Client::start(address);
    before.ask(&name);
    certificate(place.path(), "new.example.org");
    wait::until_true("the new certificate", || {
        before.ask(&name);
        knows("new.example.org")
    });
    assert!(!knows("old.example.org"));
    before.ask(&name);
    // The key of another: nothing changes, and somebody is told.
    let key = place.join("key.pem");
    let good = std::fs::read(&key).expect("a key");
    let other = Place::new("tls-other");
    certificate(other.path(), "other.example.org");
    std::fs::copy(other.join("key.pem"), &key).expect("a copy");
    wait::until_true("the fault", || {
        node.quick_status().warnings.iter().any(|warning| warning.contains("does not belong"))
    });
    assert!(knows("new.example.org"));
    let refused = node.cli(&["check"]).with_code(2).err;
    assert!(refused.contains("the key does not belong to the first certificate") && refused.contains('^'), "{refused}");
    std::fs::write(&key, good).expect("the key again");
    wait::until_true("no fault", || node.quick_status().warnings.is_empty());
}

/// One connection of OpenSSL's client, on which questions are asked one after another.
struct Client {
    process: Child,
}

impl Client {
    fn start(server: SocketAddr) -> Self {
        let mut command = Command::new(program("openssl", "openssl"));
        command.args(["s_client", "-quiet", "-connect", &server.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        Self { process: command.spawn().expect("openssl runs") }
    }

    /// Asks for the address of a name, which there must be.
    fn ask(&mut self, name: &str) {
        let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            message.push(u8::try_from(label.len()).expect("a short label"));
            message.extend_from_slice(label.as_bytes());
        }
        message.extend_from_slice(&[0, 0, 1, 0, 1]);
        let length = u16::try_from(message.len()).expect("a short question").to_be_bytes();
        let input = self.process.stdin.as_mut().expect("it is ours");
        input
            .write_all(&[&length[..], &message].concat())
            .and_then(|()| input.flush())
            .expect("the connection is there");
        let output = self.process.stdout.as_mut().expect("it is ours");
        let mut length = [0; 2];
        output.read_exact(&mut length).expect("the connection is there");
        let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
        output.read_exact(&mut reply).expect("a whole reply");
        assert_eq!(reply[7], 1, "one record: {reply:?}");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[test]
fn a_thousand_clients_that_do_not_go_on_keep_nobody_from_an_answer() {
    let place = Place::new("tls");
    let (node, address) = node(&place, "ns1.example.org");
    let name = entry(LISTED, "auth", ORIGIN);
    let mut streams = Vec::new();
    for number in 0..1000_u32 {
        // From many addresses, as one may have 64.
        let from = SocketAddr::from((std::net::Ipv4Addr::from_bits(0x7f02_0001 + number / 50 * 256), 0));
        let mut command = Vec::from([0x16, 3, 1]);
        command.truncate(number as usize % 4);
        let stream = connect(from, address);
        (&stream).write_all(&command).unwrap_or_default();
        streams.push(stream);
    }
    let said = kdig(address, &place, Some("ns1.example.org"), &[&name, "A"]);
    assert!(said.contains("127.0.0.43"), "{said}");
    // The first have made room for the last.
    let mut first = &streams[0];
    first.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    assert!(matches!(first.read(&mut [0; 1]), Ok(0) | Err(_)));
    let closed = || {
        let metrics = node.metrics();
        let value = |why: &str| {
            let line = format!("ratter_dns_tls_closed_total{{why=\"{why}\"}} ");
            metrics.lines().find_map(|text| text.strip_prefix(&line)?.parse::<u64>().ok()).unwrap_or_default()
        };
        [value("shed"), value("idle")]
    };
    assert!(closed()[0] >= 1000 - 512, "{:?}", closed());
    // The others are let go when their ten seconds for a handshake are over.
    wait::until_true("the slow to be let go", || closed()[1] >= 400);
    assert_eq!(node.dig().addresses(&name), ["127.0.0.43"]);
}

fn connect(from: SocketAddr, to: SocketAddr) -> TcpStream {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&socket, &from).expect("an address of this machine");
    connect(&socket, &to).expect("a listener");
    socket.into()
}
