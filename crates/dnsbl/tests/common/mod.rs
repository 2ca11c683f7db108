//! What the tests share: a small world of lists, queries from short texts, and replies as short texts.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use base::{Evidence, ListId, Maker, Network, Subject, Timestamp, Until};
use dnsbl::serve::{
    Asker, CombinedZone, Counters, Members, NameServer, PublishedList, Responder, Settings, SoaTimers, Transport, Zones,
};
use listings::{Book, NeverList, Wish};

pub(crate) const ORIGIN: &str = "bl.example.org";
pub(crate) const DYNA: ListId = ListId::new(1);
pub(crate) const NOPTR: ListId = ListId::new(2);
pub(crate) const SPAM: ListId = ListId::new(3);
pub(crate) const AUTH: ListId = ListId::new(4);
/// The lists that the tests publish, with their names and the last octet of their codes.
pub(crate) const LISTS: [(ListId, &str, u8); 4] =
    [(DYNA, "dyna", 36), (NOPTR, "noptr", 37), (SPAM, "spam", 38), (AUTH, "auth", 43)];

pub(crate) fn settings() -> Settings {
    let list = |(id, name, code): (ListId, &str, u8)| PublishedList {
        id,
        name: name.into(),
        code: Ipv4Addr::new(127, 0, 0, code),
        ttl: Duration::from_secs(2000 + u64::from(code)),
        text: "{ip} is on {list}, see {url}".into(),
    };
    let zone = |name: &str, lists| CombinedZone { name: name.into(), lists };
    Settings {
        origin: ORIGIN.into(),
        lists: LISTS.map(list).into(),
        combined: vec![zone("all", Members::All), zone("policy", Members::These(vec![DYNA, NOPTR]))],
        name_servers: vec![
            NameServer {
                name: "ns1.dns.bl.example.org".into(),
                addresses: vec!["192.0.2.53".parse().unwrap(), "2001:db8::53".parse().unwrap()],
            },
            NameServer { name: "ns.example.net".into(), addresses: Vec::new() },
        ],
        contact: "host.master@example.org".into(),
        look_up_url: "https://bl.example.org/?ip={ip}".into(),
        web_addresses: vec!["192.0.2.80".parse().unwrap()],
        negative_ttl: Duration::from_secs(150),
        apex_ttl: Duration::from_hours(1),
        timers: SoaTimers::default(),
        nsid: Some("mx1".into()),
    }
}

pub(crate) fn book() -> Book {
    Book::new(NeverList::new([], []))
}

pub(crate) fn list(book: &Book, what: &str, on: ListId) {
    let network: Network = what.parse().unwrap();
    let maker = Maker::Person { name: "test".into(), reason: "test".into() };
    let subject = Subject::Network(network);
    let wish = Wish { subject, list: on, until: Until::Never, maker, evidence: Evidence::default() };
    book.list(Timestamp::from_secs(1), wish).unwrap();
}

/// Somebody who asks at some time.
pub(crate) fn asker(transport: Transport) -> Asker {
    Asker { address: "198.51.100.99".parse().unwrap(), transport, now: Timestamp::from_secs(1_800_000_000) }
}

/// A server without sockets.
pub(crate) struct World {
    pub(crate) book: Book,
    pub(crate) responder: Responder,
    pub(crate) counters: Counters,
}

impl World {
    pub(crate) fn new(settings: &Settings, listed: &[(&str, ListId)]) -> Self {
        let book = book();
        for (what, on) in listed {
            list(&book, what, *on);
        }
        let responder = Responder::new(Zones::new(settings).unwrap());
        let counters = responder.counters();
        Self { book, responder, counters }
    }

    pub(crate) fn raw(&self, transport: Transport, message: &[u8]) -> Vec<u8> {
        let mut out = vec![0xee; 65_535];
        let snapshot = self.book.snapshot();
        let asker = asker(transport);
        let length = self.responder.answer(&snapshot, &asker, message, &mut out, &self.counters);
        out.truncate(length);
        out
    }

    /// The reply to a short text: see [`query`] and [`text`].
    pub(crate) fn ask(&self, question: &str) -> String {
        let transport = if question.contains("+tcp") { Transport::Tcp } else { Transport::Udp { max: 1232 } };
        let message = query(question);
        let reply = self.raw(transport, &message);
        if reply.is_empty() {
            return "nothing".into();
        }
        assert_eq!(reply[..2], message[..2], "the identity comes back");
        assert!(reply[2] & 0x80 != 0 && reply[2] & 0x78 == message[2] & 0x78, "a response to the operation");
        if reply[5] == 1 {
            let end = 12 + question_bytes(&message);
            assert_eq!(reply[12..end], message[12..end], "the question comes back, letter case and all");
        }
        text(&reply)
    }
}

pub(crate) fn question_bytes(message: &[u8]) -> usize {
    message[12..].iter().position(|b| *b == 0).unwrap() + 5
}

/// A name in wire form; one that does not end with a dot stands below the origin.
pub(crate) fn wire_name(name: &str) -> Vec<u8> {
    let full = match name.strip_suffix('.') {
        Some(full) => full.to_string(),
        None if name == "@" => ORIGIN.to_string(),
        None => format!("{name}.{ORIGIN}"),
    };
    let mut wire = Vec::new();
    for label in full.split('.').filter(|label| !label.is_empty()) {
        wire.push(label.len() as u8);
        wire.extend_from_slice(label.as_bytes());
    }
    wire.push(0);
    wire
}

const TYPES: [(&str, u16); 18] = [
    ("A", 1),
    ("NS", 2),
    ("SOA", 6),
    ("PTR", 12),
    ("MX", 15),
    ("TXT", 16),
    ("AAAA", 28),
    ("OPT", 41),
    ("DS", 43),
    ("DNSKEY", 48),
    ("SPF", 99),
    ("TSIG", 250),
    ("IXFR", 251),
    ("AXFR", 252),
    ("ANY", 255),
    ("CAA", 257),
    ("NULL", 10),
    ("HINFO", 13),
];

pub(crate) fn type_number(name: &str) -> u16 {
    TYPES.iter().find(|(text, _)| *text == name).unwrap_or_else(|| panic!("type {name}")).1
}

fn type_name(number: u16) -> &'static str {
    TYPES.iter().find(|(_, n)| *n == number).map_or("?", |(text, _)| text)
}

/// A query from `NAME TYPE [+rd] [+cd] [+ad] [+ch] [+edns[=BYTES]] [+do] [+v1] [+nsid] [+unknown] [+tcp] [+opcode=N] [+qr]`.
pub(crate) fn query(question: &str) -> Vec<u8> {
    let mut words = question.split_whitespace();
    let name = wire_name(words.next().unwrap());
    let kind = type_number(words.next().unwrap());
    let options: Vec<_> = words.collect();
    let has = |option: &str| options.contains(&option);
    let value = |option: &str| options.iter().find_map(|o| o.strip_prefix(option)).map(|v| v.parse::<u16>().unwrap());
    let mut flags = u16::from(has("+rd")) << 8 | u16::from(has("+cd")) << 4 | u16::from(has("+ad")) << 5;
    flags |= u16::from(has("+qr")) << 15 | value("+opcode=").unwrap_or(0) << 11;
    let edns =
        value("+edns=").or_else(|| ["+edns", "+do", "+v1", "+nsid", "+unknown"].into_iter().any(has).then_some(1232));
    let mut out = vec![0xab, 0xcd];
    for count in [flags, 1, 0, 0, u16::from(edns.is_some())] {
        out.extend_from_slice(&count.to_be_bytes());
    }
    out.extend_from_slice(&name);
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&(if has("+ch") { 3u16 } else { 1 }).to_be_bytes());
    if let Some(bytes) = edns {
        let mut data = Vec::new();
        if has("+nsid") {
            data.extend_from_slice(&[0, 3, 0, 0]);
        }
        if has("+unknown") {
            data.extend_from_slice(&[0xff, 0, 0, 2, 7, 7]);
        }
        out.extend_from_slice(&[0, 0, 41]);
        out.extend_from_slice(&bytes.to_be_bytes());
        out.extend_from_slice(&[0, u8::from(has("+v1")), u8::from(has("+do")) << 7, 0]);
        out.extend_from_slice(&(data.len() as u16).to_be_bytes());
        out.extend_from_slice(&data);
    }
    out
}

/// A reply as `RCODE flags; ANSWER RECORDS | AUTHORITY RECORDS; edns`, names relative to the origin. Every octet is
/// read, and what does not belong there is a failure.
pub(crate) fn text(reply: &[u8]) -> String {
    let word = |at: usize| u16::from_be_bytes([reply[at], reply[at + 1]]);
    let mut at = 12;
    for _ in 0..word(4) {
        name_at(reply, &mut at);
        at += 4;
    }
    let mut sections = [Vec::new(), Vec::new()];
    let (mut edns, mut extended) = (String::new(), 0);
    for (section, count) in [(0, word(6)), (1, word(8)), (2, word(10))] {
        for _ in 0..count {
            let owner = name_at(reply, &mut at);
            let (kind, class, ttl) =
                (word(at), word(at + 2), u32::from_be_bytes(reply[at + 4..at + 8].try_into().unwrap()));
            let end = at + 10 + usize::from(word(at + 8));
            at += 10;
            if section == 2 {
                assert_eq!((kind, owner.as_str()), (41, "."), "only OPT is additional");
                extended = ttl >> 24;
                edns = opt_text(class, ttl, &reply[at..end]);
            } else {
                assert_eq!(class, 1);
                sections[section].push(format!(
                    "{owner} {ttl} {} {}",
                    type_name(kind),
                    data_text(reply, kind, at, end)
                ));
            }
            at = end;
        }
    }
    assert_eq!(at, reply.len(), "nothing stands behind the last record");
    let rcode = match extended << 4 | u32::from(reply[3] & 0x0f) {
        0 => "NOERROR",
        1 => "FORMERR",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        9 => "NOTAUTH",
        16 => "BADVERS",
        23 => "BADCOOKIE",
        other => panic!("rcode {other}"),
    };
    let flags = [
        (2, 4, " aa"),
        (2, 2, " tc"),
        (2, 1, " rd"),
        (3, 0x80, " ra"),
        (3, 0x20, " ad"),
        (3, 0x10, " cd"),
        (3, 0x40, " z"),
    ];
    let flags: String = flags.iter().filter(|(at, bit, _)| reply[*at] & bit != 0).map(|(_, _, name)| *name).collect();
    let mut out = format!("{rcode}{flags}");
    for (mark, records) in [("; ", &sections[0]), (" | ", &sections[1])] {
        if !records.is_empty() {
            out += mark;
            out += &records.join(", ");
        }
    }
    out + &edns
}

fn opt_text(class: u16, ttl: u32, options: &[u8]) -> String {
    let mut out = format!("; edns {class}");
    assert_eq!(ttl >> 16 & 0xff, 0, "our version");
    if ttl & 0x8000 != 0 {
        out += " do";
    }
    assert_eq!(ttl & 0x7fff, 0, "reserved flags");
    let mut rest = options;
    while let [o0, o1, l0, l1, behind @ ..] = rest {
        let (data, next) = behind.split_at(usize::from(u16::from_be_bytes([*l0, *l1])));
        rest = next;
        match u16::from_be_bytes([*o0, *o1]) {
            3 => write!(out, " nsid={}", String::from_utf8_lossy(data)),
            10 => write!(out, " cookie={}", data.len()),
            15 => {
                write!(out, " error={} {}", u16::from_be_bytes([data[0], data[1]]), String::from_utf8_lossy(&data[2..]))
            }
            other => panic!("option {other}"),
        }
        .unwrap();
    }
    assert!(rest.is_empty());
    out
}

fn data_text(reply: &[u8], kind: u16, mut at: usize, end: usize) -> String {
    let data = &reply[at..end];
    match kind {
        1 => Ipv4Addr::from(<[u8; 4]>::try_from(data).unwrap()).to_string(),
        28 => Ipv6Addr::from(<[u8; 16]>::try_from(data).unwrap()).to_string(),
        16 => {
            assert_eq!(usize::from(data[0]) + 1, data.len(), "one character string");
            format!("\"{}\"", String::from_utf8_lossy(&data[1..]))
        }
        2 => {
            let name = name_at(reply, &mut at);
            assert_eq!(at, end);
            name
        }
        6 => {
            let names = format!("{} {}", name_at(reply, &mut at), name_at(reply, &mut at));
            let numbers = reply[at..end].chunks(4).map(|n| u32::from_be_bytes(n.try_into().unwrap()).to_string());
            format!("{names} {}", numbers.collect::<Vec<_>>().join(" "))
        }
        other => panic!("no record of type {other} is ours"),
    }
}

fn name_at(reply: &[u8], at: &mut usize) -> String {
    let (mut labels, mut place, mut jumped) = (Vec::new(), *at, false);
    loop {
        let length = usize::from(reply[place]);
        if length >= 0xc0 {
            let target = (length & 0x3f) << 8 | usize::from(reply[place + 1]);
            assert!(target < place, "pointers point back");
            *at = if jumped { *at } else { place + 2 };
            (place, jumped) = (target, true);
        } else if length == 0 {
            *at = if jumped { *at } else { place + 1 };
            break;
        } else {
            labels.push(String::from_utf8_lossy(&reply[place + 1..place + 1 + length]).into_owned());
            place += 1 + length;
        }
    }
    let name = labels.join(".") + ".";
    if name.eq_ignore_ascii_case("bl.example.org.") {
        return "@".into();
    }
    let lower = name.to_ascii_lowercase();
    lower.strip_suffix(".bl.example.org.").map_or_else(|| name.clone(), |short| name[..short.len()].to_string())
}
