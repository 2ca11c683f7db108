//! The server under test, with a book that changes, and questions to it and to those that follow it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base::{Address, Evidence, ListId, Maker, Network, Subject, Timestamp, Until};
use dnsbl::io::Server;
use dnsbl::serve::{Responder, Zones};
use dnsbl::transfer::{Allow, History, Key, Notify, Settings, TransferTotals, Transfers};
use listings::{Book, NeverList, Wish};

use crate::common::{AUTH, DYNA, NOPTR, SPAM, list, settings};

pub(crate) const SECRET: &str = "c2VjcmV0IG9mIG91ciBvd24sIDMyIG9jdGV0cyBsb25n";

pub(crate) struct Primary {
    server: Server,
    book: Arc<Book>,
    history: Arc<History>,
    /// What the tests' own dice say next.
    dice: Mutex<u64>,
    listed: Mutex<BTreeSet<(Network, ListId)>>,
}

/// Waits until `holds`; says `what` if it takes too long.
pub(crate) fn wait_until(limit: Duration, mut holds: impl FnMut() -> bool, what: impl Fn() -> String) {
    let end = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < end, "{}", what());
        thread::sleep(Duration::from_millis(20));
    }
}

impl Primary {
    /// A server whose book has this serial, and that tells a secondary at this port of the loopback interface.
    pub(crate) fn start(serial: u64, secondary: u16) -> Self {
        let book = Arc::new(Book::new(NeverList::new([], [])));
        book.restore(Timestamp::EPOCH, serial, []);
        let history = Arc::new(History::starting_at(serial));
        let key = |name: &str| Some(name.to_string());
        let transfers = Settings {
            keys: vec![Key::parse(&format!("hmac-sha256:mirror:{SECRET}")).unwrap()],
            allow: vec![Allow { from: vec!["127.0.0.0/8".parse().unwrap()], key: key("mirror") }],
            notify: vec![Notify { to: (Ipv4Addr::LOCALHOST, secondary).into(), key: key("mirror") }],
        };
        let transfers = Arc::new(Transfers::new(transfers, Arc::clone(&history)).unwrap());
        let responder = Responder::new(Zones::new(&settings()).unwrap()).with_transfers(transfers);
        let server = Server::start(&[(Ipv4Addr::LOCALHOST, 0).into()], Arc::new(responder), &book, 1).unwrap();
        Self { server, book, history, dice: Mutex::new(serial), listed: Mutex::default() }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.local_addrs()[0]
    }

    pub(crate) fn totals(&self) -> TransferTotals {
        self.server.statistics().transfers
    }

    pub(crate) fn serial(&self) -> u64 {
        self.book.serial()
    }

    fn roll(&self, sides: u64) -> u64 {
        let mut dice = self.dice.lock().unwrap();
        *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*dice >> 33) % sides
    }

    /// What the store's writer does every now and then.
    fn drain(&self) {
        let mut entries = Vec::new();
        self.book.drain_journal(&mut entries);
        self.history.record(&entries);
    }

    fn put(&self, text: &str, on: ListId) {
        list(&self.book, text, on);
        self.listed.lock().unwrap().insert((text.parse().unwrap(), on));
    }

    /// Hosts and networks of all kinds, in one another, and such as look like both families.
    pub(crate) fn list_a_little(&self) {
        let listed = [
            ("192.0.2.1", DYNA),
            ("192.0.2.1", SPAM),
            ("192.0.2.64/26", AUTH),
            ("192.0.2.70", DYNA),
            ("198.51.100.0/24", DYNA),
            ("198.51.100.9", NOPTR),
            ("198.48.0.0/13", SPAM),
            ("2.6.0.0/23", DYNA),
            ("2001:db8::/32", DYNA),
            ("2001:db8:1::/48", AUTH),
            ("2001:db8:1:2::/64", DYNA),
            ("2001:db8:1:2::7", SPAM),
            ("2606:4700::/30", NOPTR),
        ];
        for (text, on) in listed {
            self.put(text, on);
        }
        self.drain();
    }

    /// Many hosts, for a zone that no buffer holds.
    pub(crate) fn list_many(&self, hosts: u32) {
        let wish = |host: u32| Wish {
            subject: Subject::Network(Network::containing(
                Address::new(Ipv4Addr::from_bits(0xc000_0000 + host * 7).into()),
                32,
            )),
            list: DYNA,
            until: Until::Never,
            maker: Maker::Person { name: "test".into(), reason: "test".into() },
            evidence: Evidence::default(),
        };
        self.book.list_many(Timestamp::from_secs(1), (0..hosts).map(wish));
        self.drain();
    }

    /// So many changes over this time: of hosts mostly, of networks sometimes.
    pub(crate) fn churn(&self, changes: usize, over: Duration) {
        let begin = Instant::now();
        for change in 0..changes {
            let list = [DYNA, NOPTR, SPAM, AUTH][self.roll(4) as usize];
            let octet = |sides| self.roll(sides);
            let text = match self.roll(40) {
                0 => format!("198.51.{}.0/24", octet(3) + 100),
                1 => format!("203.0.113.{}/28", octet(4) * 16),
                2 => format!("2001:db8:{:x}::/{}", octet(3) * 16, octet(4) + 44),
                3 => format!("2.6.{}.0/{}", octet(3) * 4, octet(3) + 22),
                4..=9 => format!("2001:db8:1:2::{:x}", octet(200)),
                _ => format!("{}.{}", ["192.0.2", "198.51.100", "203.0.113", "2.6.1"][octet(4) as usize], octet(256)),
            };
            let network: Network = text.parse().unwrap();
            let mut listed = self.listed.lock().unwrap();
            let gone = self.book.unlist(Timestamp::from_secs(1), &Subject::Network(network), Some(list), "test");
            if gone.is_empty() {
                drop(listed);
                self.put(&text, list);
            } else {
                listed.remove(&(network, list));
            }
            if change % 50 == 49 {
                self.drain();
                let due = over.mul_f64((change + 1) as f64 / changes as f64);
                thread::sleep(due.saturating_sub(begin.elapsed()));
            }
        }
        self.drain();
    }

    pub(crate) fn unlist_all(&self) {
        let listed = core::mem::take(&mut *self.listed.lock().unwrap());
        for (network, list) in listed {
            self.book.unlist(Timestamp::from_secs(1), &Subject::Network(network), Some(list), "test");
        }
        self.drain();
    }

    /// Names in the zone that both servers know: addresses in and beside what is listed, the zone's own, and parts of
    /// addresses.
    pub(crate) fn questions(&self, zone: &str) -> Vec<(String, &'static str)> {
        let mut names = vec!["2.0.0.127".to_string(), "1.0.0.127".into(), "36.0.0.127".into(), "0.0.127".into()];
        let mut addresses: Vec<IpAddr> = Vec::new();
        let listed: Vec<Network> = self.listed.lock().unwrap().iter().map(|(network, _)| *network).collect();
        for _ in 0..300 {
            let step = self.roll(1 << 10) as u32;
            addresses.push(match listed.get(self.roll(listed.len().max(1) as u64) as usize).map(|n| n.base()) {
                Some(IpAddr::V4(v4)) => Ipv4Addr::from_bits(v4.to_bits() ^ (step % 512)).into(),
                Some(IpAddr::V6(v6)) => {
                    (v6.to_bits() ^ u128::from(step % 32) << (self.roll(12) * 10)).to_be_bytes().into()
                }
                None => Ipv4Addr::from_bits(step << 16).into(),
            });
        }
        names.extend(addresses.iter().map(|address| reversed(*address)));
        // Parts of addresses that are in no network.
        for text in ["192", "0.192", "2.0.192", "113.0.203", "9.0.192", "x", "100.100.100.100", "2.0.0.f.7"] {
            names.push(text.into());
        }
        let mut questions: Vec<_> = names.iter().map(|name| (format!("{name}.{zone}"), "A")).collect();
        questions.push((format!("70.2.0.192.{zone}"), "TXT"));
        for kind in ["SOA", "NS", "A", "TXT", "AAAA", "MX"] {
            questions.push((zone.to_string(), kind));
        }
        questions.push(("ns1.dns.bl.example.org".into(), "AAAA"));
        questions
    }

    /// Runs `dig` against this server; keys are filled in.
    pub(crate) fn run(&self, command: &str) -> String {
        let server = self.address();
        let at = format!("dig @{} -p {} +norecurse +tries=1 +time=5 ", server.ip(), server.port());
        let filled = command
            .replace("{good}", &format!("-y hmac-sha256:mirror:{SECRET}"))
            .replace("{wrong}", "-y hmac-sha256:mirror:d3JvbmcgYnV0IGFzIGxvbmcgYXMgdGhlIHJpZ2h0IG9uZQ==")
            .replace("{unknown}", &format!("-y hmac-sha256:nobody:{SECRET}"))
            .replace("{other}", &format!("-y hmac-sha512:mirror:{SECRET}"))
            .replace("dig ", &at);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let off = |by: i64| now.wrapping_add_signed(by).to_string();
        let filled = [600, -600, 200].iter().fold(filled, |text, by| text.replace(&format!("{{{by:+}}}"), &off(*by)));
        let mut words = filled.split_whitespace();
        let program = words.next().unwrap();
        let output = Command::new(program).args(words).output().expect("dig is installed");
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        // What was asked stands in the output too.
        text.lines().filter(|line| !line.starts_with("; <<>>")).collect::<Vec<_>>().join("\n")
    }

    /// A `dig` that has asked for a zone, and stands still because nobody reads what it says.
    pub(crate) fn transfer_without_reading(&self) -> Child {
        let key = format!("hmac-sha256:mirror:{SECRET}");
        let server = self.address();
        Command::new("dig")
            .args([&format!("@{}", server.ip()), "-p", &server.port().to_string(), "-y", &key])
            .args(["dyna.bl.example.org", "AXFR"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("dig is installed")
    }
}

/// The address as a name writes it.
fn reversed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.octets().iter().rev().map(u8::to_string).collect::<Vec<_>>().join("."),
        IpAddr::V6(v6) => (0..32).map(|n| format!("{:x}", v6.to_bits() >> (4 * n) & 15)).collect::<Vec<_>>().join("."),
    }
}

/// All records of a zone, sorted, as `dig` transfers and prints them.
pub(crate) fn records(server: SocketAddr, zone: &str) -> Vec<String> {
    let key = format!("hmac-sha256:mirror:{SECRET}");
    let transfer = || -> Option<Vec<String>> {
        let output = Command::new("dig")
            .args([&format!("@{}", server.ip()), "-p", &server.port().to_string(), "-y", &key])
            .args(["+nocmd", "+nostats", "+nocomments", "+time=10", "+tries=1", zone, "AXFR"])
            .output()
            .expect("dig is installed");
        let text = String::from_utf8(output.stdout).unwrap();
        let wanted = |line: &&str| !line.contains("\tTSIG\t") && !line.is_empty() && !line.starts_with(';');
        let records: Vec<String> = text.lines().filter(wanted).map(str::to_ascii_lowercase).collect();
        // A zone ends with the record that it began with.
        (records.len() > 1 && records.first() == records.last()).then_some(records)
    };
    // NSD breaks transfers off when a process with newer zones takes its place.
    let mut records = (0..5).find_map(|_| transfer()).unwrap_or_else(|| panic!("no transfer of {zone} from {server}"));
    records.sort_unstable();
    // The SOA record stands at the beginning and at the end.
    records.dedup();
    records
}

/// The response code, and the answer's records sorted: TTL, type and data. The server is asked up to `attempts` times.
pub(crate) fn answer(server: SocketAddr, (name, kind): &(String, &str), attempts: usize) -> String {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    let query = crate::common::query(&format!("{name}. {kind} +edns=1232"));
    let mut buffer = [0; 4096];
    let mut ask = || {
        socket.send(&query).unwrap();
        socket.recv(&mut buffer).ok()
    };
    let length = (0..attempts).find_map(|_| ask()).unwrap_or_else(|| panic!("no reply to {name} {kind} of {server}"));
    let reply = &buffer[..length];
    let word = |at: usize| usize::from(u16::from_be_bytes([reply[at], reply[at + 1]]));
    let mut at = 12 + crate::common::question_bytes(reply);
    let mut answers = Vec::new();
    for _ in 0..word(6) {
        at = skip(reply, at);
        let (ttl, kind) = (u32::from_be_bytes(reply[at + 4..at + 8].try_into().unwrap()), word(at));
        let end = at + 10 + word(at + 8);
        // Names in data may be compressed in different ways.
        let data = if matches!(kind, 2 | 6) { &[][..] } else { &reply[at + 10..end] };
        answers.push(format!("{ttl} {kind} {}", String::from_utf8_lossy(data).escape_debug()));
        at = end;
    }
    answers.sort_unstable();
    format!("{} {}", reply[3] & 15, answers.join(", "))
}

/// The serial in the SOA record that a server has of a zone, if it has one.
pub(crate) fn serial_of(server: SocketAddr, zone: &str) -> Option<u32> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
    socket.connect(server).ok()?;
    socket.set_read_timeout(Some(Duration::from_millis(500))).ok()?;
    socket.send(&crate::common::query(&format!("{zone}. SOA"))).ok()?;
    let mut buffer = [0; 2048];
    let length = socket.recv(&mut buffer).ok()?;
    let reply = &buffer[..length];
    if reply[3] & 15 != 0 || reply[7] == 0 {
        return None;
    }
    let at = skip(reply, 12 + crate::common::question_bytes(reply));
    let at = skip(reply, skip(reply, at + 10));
    Some(u32::from_be_bytes(reply[at..at + 4].try_into().unwrap()))
}

fn skip(message: &[u8], mut at: usize) -> usize {
    loop {
        match message[at] {
            0 => return at + 1,
            0xc0.. => return at + 2,
            length => at += 1 + usize::from(length),
        }
    }
}
