//! Ratter as a secondary: of Ratter, and of the servers that others have.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use dnsbl::access::{
    Access, AccessSettings, KeyRecord, KeySecret, Limit, Per, Permit, Policy, Quota, REFILL_BYTES_PER_SECOND,
    ZoneAccess, ZoneLabel,
};
use dnsbl::io::Server;
use dnsbl::mirror::{MirrorState, Mirrors, Primary as From, Source};
use dnsbl::serve::{Name, Outcome, Responder, Zones};
use dnsbl::transfer::Key;

use super::peers::{Kind, Peer, free_port};
use super::primary::{Primary, SECRET, answer, records, serial_of, wait_until};
use super::relay::Relay;
use super::{CHANGES_PER_SECOND, SECONDS, ZONES};
use crate::common::{DYNA, book, query, settings, text};

/// A server that has nothing but what it takes from others.
struct Mirror {
    server: Server,
    mirrors: Arc<Mirrors>,
}

impl Mirror {
    fn start(port: u16, primaries: &[SocketAddr], secret: &str, bytes_max: usize) -> Self {
        Self::start_with(Responder::new(Zones::new(&settings()).unwrap()), port, primaries, secret, bytes_max)
    }

    fn start_with(responder: Responder, port: u16, primaries: &[SocketAddr], secret: &str, bytes_max: usize) -> Self {
        let key = Key::parse(&format!("hmac-sha256:mirror:{secret}")).unwrap();
        let primaries: Vec<From> =
            primaries.iter().map(|address| From { address: *address, key: Some(key.clone()) }).collect();
        let source = |zone: &str| Source { zone: Name::parse(zone).unwrap(), primaries: primaries.clone(), bytes_max };
        let mirrors = Arc::new(Mirrors::new(ZONES[..2].iter().map(|zone| source(zone))).unwrap());
        let responder = responder.with_mirrors(Arc::clone(&mirrors));
        let listen = (Ipv4Addr::LOCALHOST, port).into();
        let server = Server::start(&[listen], Arc::new(responder), &Arc::new(book()), 1).unwrap();
        Self { server, mirrors }
    }

    fn address(&self) -> SocketAddr {
        self.server.local_addrs()[0]
    }

    fn states(&self) -> Vec<MirrorState> {
        self.mirrors.states()
    }

    fn wait_for(&self, primary: SocketAddr) {
        let serials = |server| [ZONES[0], ZONES[1]].map(|zone| serial_of(server, zone));
        let is_there = || serials(self.address()) == serials(primary);
        wait_until(Duration::from_secs(30), is_there, || {
            format!("{:?} {:?}: {:?}", serials(self.address()), serials(primary), self.states())
        });
    }

    /// Compares what it holds to all records that `primary` gives away.
    fn compare(&self, primary: SocketAddr) {
        for (zone, state) in [ZONES[1], ZONES[0]].into_iter().zip(self.states()) {
            assert_eq!(state.zone, zone);
            let theirs: BTreeSet<String> = records(primary, zone).iter().map(|line| plain(line)).collect();
            let asked: BTreeSet<String> = theirs.iter().map(|line| question(line)).collect();
            let ours = answers(self.address(), &asked);
            let only =
                |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).take(5).cloned().collect::<Vec<_>>();
            assert!(
                ours == theirs,
                "{zone}: only here {:?}; only there {:?}",
                only(&ours, &theirs),
                only(&theirs, &ours)
            );
            assert_eq!(state.records, theirs.len() as u64, "{zone} has nothing else");
        }
    }
}

/// A line of `dig` without its columns.
fn plain(line: &str) -> String {
    line.to_ascii_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The name and the type of a record.
fn question(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    format!("{} {}", words[0], words[3])
}

/// The records that a server answers these questions with.
fn answers(server: SocketAddr, questions: &BTreeSet<String>) -> BTreeSet<String> {
    let mut dig = Command::new("dig")
        .args([&format!("@{}", server.ip()), "-p", &server.port().to_string()])
        .args(["+norecurse", "+noall", "+answer", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("dig is installed");
    let list = questions.iter().map(String::as_str).chain([""]).collect::<Vec<_>>().join("\n");
    let mut input = dig.stdin.take().unwrap();
    let writer = thread::spawn(move || input.write_all(list.as_bytes()));
    let mut text = String::new();
    dig.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    writer.join().unwrap().unwrap();
    dig.wait().unwrap();
    text.lines().filter(|line| !line.starts_with(';') && !line.is_empty()).map(plain).collect()
}

#[test]
fn a_mirror_has_what_its_primary_has() {
    let port = free_port();
    let primary = Primary::start((1 << 32) - 2000 - (CHANGES_PER_SECOND * SECONDS) as u64, port);
    primary.list_a_little();
    let mirror = Mirror::start(port, &[primary.address()], SECRET, 1 << 30);
    mirror.wait_for(primary.address());
    mirror.compare(primary.address());
    for _ in 0..SECONDS {
        primary.churn(CHANGES_PER_SECOND, Duration::from_secs(1));
    }
    mirror.wait_for(primary.address());
    mirror.compare(primary.address());
    // The serial passes 2^32.
    primary.churn(3000, Duration::from_secs(1));
    assert!(primary.serial() > 1 << 32);
    mirror.wait_for(primary.address());
    mirror.compare(primary.address());
    for state in mirror.states() {
        // Only a serial of exactly 2^32 - 1 is not known to the primary's history.
        assert!(state.whole <= 2 && state.incremental >= 3 && state.announced >= 3, "{state:?}");
        assert_eq!((state.failed, state.strangers), (0, 0), "{state:?}");
    }
    // What is listed is listed here, and what is not is not: the same answers as the primary's.
    for question in primary.questions(ZONES[0]) {
        assert_eq!(answer(mirror.address(), &question, 1), answer(primary.address(), &question, 1), "{question:?}");
    }
    // It is counted by zone, list and code, though nothing is on that list here.
    let statistics = mirror.server.statistics();
    let zones = Zones::new(&settings()).unwrap();
    let place = zones.names().position(|name| name.to_string() == ZONES[0]).unwrap();
    assert!(statistics.udp.zone(place, Outcome::Listed) > 0 && statistics.udp.list(DYNA) > 0);
    // Another one begins with the whole zone.
    drop(mirror);
    primary.unlist_all();
    let mirror = Mirror::start(port, &[primary.address()], SECRET, 1 << 30);
    mirror.wait_for(primary.address());
    mirror.compare(primary.address());
}

#[test]
fn a_mirror_follows_over_a_bad_line() {
    let port = free_port();
    let announcements = Relay::start((Ipv4Addr::LOCALHOST, port).into());
    let primary = Primary::start(7, announcements.address().port());
    primary.list_a_little();
    let line = Relay::start(primary.address());
    let mirror = Mirror::start(port, &[line.address()], SECRET, 1 << 30);
    for _ in 0..3 {
        primary.churn(CHANGES_PER_SECOND, Duration::from_secs(1));
    }
    assert!(announcements.damage().0 + line.damage().1 > 0, "the line is bad");
    line.mend();
    announcements.mend();
    primary.churn(10, Duration::from_millis(10));
    mirror.wait_for(primary.address());
    mirror.compare(primary.address());
}

/// A mirror of a real server, which is a secondary of ours itself.
fn of_a_peer(kind: Kind) {
    let port = free_port();
    let primary = Primary::start(1 << 20, port);
    primary.list_a_little();
    let peer = Peer::start(kind, port, primary.address());
    peer.wait_for(&primary);
    let mirror = Mirror::start(free_port(), &[peer.address()], SECRET, 1 << 30);
    mirror.wait_for(peer.address());
    mirror.compare(peer.address());
}

#[test]
fn a_mirror_of_nsd() {
    of_a_peer(Kind::Nsd);
}

#[test]
fn a_mirror_of_knot() {
    of_a_peer(Kind::Knot);
}

#[test]
fn a_mirror_of_bind() {
    of_a_peer(Kind::Bind);
}

#[test]
fn a_mirror_of_powerdns() {
    of_a_peer(Kind::PowerDns);
}

/// A mirror whose zones are guarded, once it has them, and a socket to ask it by.
fn guarded(zones: Zones, access: Access) -> (Primary, Mirror, UdpSocket) {
    let port = free_port();
    let primary = Primary::start(7, port);
    primary.list_a_little();
    let responder = Responder::with_access(zones, Arc::new(access));
    let mirror = Mirror::start_with(responder, port, &[primary.address()], SECRET, 1 << 30);
    let has_both = || mirror.states().iter().all(|state| state.serial.is_some());
    wait_until(Duration::from_secs(20), has_both, || format!("{:?}", mirror.states()));
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.connect(mirror.address()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    (primary, mirror, socket)
}

#[test]
fn forged_clients_gain_nothing_from_mirrored_zones() {
    let limit = Some(Limit { per_second: 100_000, slip: 2 });
    let rules = vec![(ZoneLabel::Others, ZoneAccess { limit, ..ZoneAccess::default() })];
    let access = AccessSettings { zones: rules, cookie_secrets: vec![[3; 16]] };
    let zones = Zones::new(&settings()).unwrap();
    let access = Access::new(&zones, None, &access, KeySecret::new([5; 16]), [6; 16]).unwrap();
    let (_primary, _mirror, socket) = guarded(zones, access);
    let mut reply = [0; 4096];
    // At first all is told, until the account of the network is spent.
    let mut ask = |message: &[u8]| {
        socket.send(message).unwrap();
        socket.recv(&mut reply).unwrap()
    };
    let first = query("9.2.0.192.all A");
    let (length, asked) = (ask(&first), first.len());
    assert!(2 * length > 3 * asked, "{length} octets for {asked}");
    while 2 * ask(&first) > 3 * first.len() {}
    let (mut sent, mut received, begun) = (0, 0, std::time::Instant::now());
    for name in ["1.2.0.192.all", "9.2.0.192.all", "2.0.0.127.all", "all", "0.192.all", "*.100.51.198.dyna"] {
        for kind in ["A", "TXT", "ANY", "SOA", "NS", "AAAA"] {
            for options in ["", "+edns", "+edns=4096 +do", "+nsid"] {
                let message = query(&format!("{name} {kind} {options}"));
                (0..20).for_each(|_| (sent, received) = (sent + message.len(), received + ask(&message)));
            }
        }
    }
    // What comes back in real time is the account's to spend.
    let credit = REFILL_BYTES_PER_SECOND * (begun.elapsed().as_secs() + 1);
    assert!(2 * received as u64 <= 3 * sent as u64 + 2 * credit, "{received} octets for {sent} and {credit}");
}

#[test]
fn keys_and_networks_hold_for_mirrored_zones() {
    let zones = Zones::new(&settings()).unwrap();
    let zone = |label: &str, rules| (ZoneLabel::Named(label.into()), rules);
    let refused = vec![("127.0.0.0/8".parse().unwrap(), Permit::Refuse)];
    let rules = vec![
        zone("all", ZoneAccess { policy: Policy::Key, ..ZoneAccess::default() }),
        zone("dyna", ZoneAccess { networks: refused, ..ZoneAccess::default() }),
    ];
    let access = AccessSettings { zones: rules, cookie_secrets: Vec::new() };
    let secret = KeySecret::new([5; 16]);
    let access = Access::new(&zones, None, &access, secret, [6; 16]).unwrap();
    let (name, owner) = ("goodkey1".to_owned(), "somebody".to_owned());
    let quota = Some(Quota { questions: 2, per: Per::Day });
    access
        .set_keys(vec![KeyRecord { hash: secret.hash(b"goodkey1"), name, owner, zones: None, quota, until: None }])
        .unwrap();
    let (_primary, _mirror, socket) = guarded(zones, access);
    let cases = [
        ("1.2.0.192.all A", "REFUSED"),
        ("0.192.goodkey1.all A", "NOERROR aa |"),
        ("1.2.0.192.otherkey.all A", "REFUSED"),
        ("1.2.0.192.goodkey1.all A", "NOERROR aa; 1.2.0.192.goodkey1.all"),
        ("9.2.0.192.goodkey1.all A", "NXDOMAIN aa"),
        ("1.2.0.192.goodkey1.all A", "REFUSED"),
        ("all NS", "NOERROR aa; "),
        ("1.2.0.192.dyna A", "REFUSED"),
        ("dyna SOA", "REFUSED"),
    ];
    for (question, wanted) in cases {
        socket.send(&query(question)).unwrap();
        let mut reply = [0; 4096];
        let length = socket.recv(&mut reply).unwrap();
        let got = text(&reply[..length]);
        assert!(got.starts_with(wanted), "{question}: {got}");
    }
}

#[test]
fn a_wrong_key_gives_nothing_and_the_fault_is_shown() {
    let port = free_port();
    let primary = Primary::start(7, port);
    primary.list_a_little();
    let wrong = "d3JvbmcgYnV0IGFzIGxvbmcgYXMgdGhlIHJpZ2h0IG9uZQ==";
    let mirror = Mirror::start(port, &[primary.address()], wrong, 1 << 30);
    primary.churn(100, Duration::from_millis(100));
    let is_told = || {
        let states = mirror.states();
        let has_fault = |state: &MirrorState| state.fault.as_ref().is_some_and(|fault| fault.contains("signature"));
        states.iter().all(has_fault) && states.iter().all(|state| state.strangers > 0 && state.announced == 0)
    };
    wait_until(Duration::from_secs(20), is_told, || format!("{:?}", mirror.states()));
    assert!(mirror.states().iter().all(|state| state.serial.is_none()));
    let listed = ("1.2.0.192.dyna.bl.example.org".to_string(), "A");
    assert_eq!(answer(mirror.address(), &listed, 1), "2 ", "SERVFAIL, and no word about who is listed");
}

/// Primaries that mean no good: what they send after the request.
#[test]
fn a_hostile_primary_changes_nothing() {
    let endless: Vec<u8> = {
        // A SOA record, and then the same address again and again.
        let mut message = vec![0; 12];
        message.extend_from_slice(&[0; 0x4000]);
        message
    };
    let evil: [(&str, Vec<u8>); 4] = [
        ("garbage", [&[0, 200][..], &[0x5a; 4000]].concat()),
        ("nothing", Vec::new()),
        ("a length and no message", vec![0xff, 0xff, 1, 2, 3]),
        ("zeros without end", endless.repeat(40)),
    ];
    let addresses: Vec<SocketAddr> = evil
        .into_iter()
        .map(|(_, sent)| {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let address = listener.local_addr().unwrap();
            thread::spawn(move || {
                for stream in listener.incoming().take(8) {
                    let Ok(mut stream) = stream else { continue };
                    drop(stream.read(&mut [0; 512]));
                    drop(stream.write_all(&sent));
                }
            });
            address
        })
        .collect();
    let port = free_port();
    let primary = Primary::start(7, port);
    primary.list_a_little();
    let all: Vec<SocketAddr> = addresses.into_iter().chain([primary.address()]).collect();
    let mirror = Mirror::start(port, &all, SECRET, 1 << 30);
    mirror.wait_for(primary.address());
    mirror.compare(primary.address());
    assert!(mirror.states().iter().all(|state| state.failed >= 4), "{:?}", mirror.states());
}

#[test]
fn a_zone_that_is_too_large_is_not_taken() {
    let port = free_port();
    let primary = Primary::start(7, port);
    primary.list_many(20_000);
    let mirror = Mirror::start(port, &[primary.address()], SECRET, 100_000);
    let is_told = || {
        let fault = |state: &MirrorState| state.fault.clone().unwrap_or_default();
        mirror.states().iter().all(|state| fault(state).contains("larger than 100000 bytes"))
    };
    wait_until(Duration::from_secs(20), is_told, || format!("{:?}", mirror.states()));
}
