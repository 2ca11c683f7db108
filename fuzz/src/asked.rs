//! What clients ask: DNS messages, and Dovecot's questions over HTTP.

use core::net::Ipv4Addr;
use core::time::Duration;
use std::sync::Arc;

use base::{Address, Decision, Event, Evidence, ListId, Maker, Subject, Timestamp, Until};
use dnsbl::serve::{
    Asker, CombinedZone, Members, NameServer, PublishedList, Responder, Settings, SoaTimers, Transport, UDP_BYTES_MAX,
    Zones,
};
use gates::dovecot::{self, Gate};
use gates::http::Http;
use listings::{Book, NeverList, Wish};
use rules::{Door, Engine, Question, Stage};

use crate::Target;
use crate::mail::answers;

const NOW: Timestamp = Timestamp::from_secs(1_795_247_055);

pub(crate) fn targets() -> Vec<Target> {
    vec![dns(), http(), json()]
}

/// One list with one address and one network, alone and in a zone of all lists.
fn settings() -> Settings {
    Settings {
        origin: "bl.example.org".into(),
        lists: vec![PublishedList {
            id: ListId::new(1),
            name: "auth".into(),
            code: Ipv4Addr::new(127, 0, 0, 43),
            ttl: Duration::from_mins(5),
            text: "{ip} is on {list}, see {url}".into(),
        }],
        combined: vec![CombinedZone { name: "all".into(), lists: Members::All }],
        name_servers: vec![NameServer {
            name: "ns1.bl.example.org".into(),
            addresses: vec![Ipv4Addr::LOCALHOST.into()],
        }],
        contact: "hostmaster@example.org".into(),
        look_up_url: "https://bl.example.org/?ip={ip}".into(),
        web_addresses: Vec::new(),
        negative_ttl: Duration::from_secs(150),
        apex_ttl: Duration::from_hours(1),
        timers: SoaTimers::default(),
        nsid: Some("mx1".into()),
    }
}

/// A book with a listed address and a listed network.
fn book() -> Arc<Book> {
    let book = Book::new(NeverList::new([], []));
    for network in ["203.0.113.5", "198.51.100.0/24", "2001:db8::/64"] {
        let Ok(network) = network.parse() else { continue };
        let maker = Maker::Person { name: "fuzz".into(), reason: "fuzz".into() };
        let subject = Subject::Network(network);
        let wish = Wish { subject, list: ListId::new(1), until: Until::Never, maker, evidence: Evidence::default() };
        book.list(Timestamp::from_secs(1), wish).unwrap_or_default();
    }
    Arc::new(book)
}

/// A message to the name server: over UDP and TCP it has one answer, over UDP one that fits, alone and in a batch.
fn dns() -> Target {
    let questions = [
        ("5.113.0.203.auth.bl.example.org", 1),
        ("9.100.51.198.all.bl.example.org", 16),
        ("2.0.0.127.auth.bl.example.org", 255),
        ("bl.example.org", 6),
        ("auth.bl.example.org", 252),
        ("key.5.113.0.203.auth.bl.example.org", 1),
    ];
    let mut seeds: Vec<_> = questions.map(|(name, kind)| query(name, kind, b"")).into();
    // EDNS with a cookie and NSID.
    let options = b"\0\0\x29\x04\xd0\0\0\0\0\0\x10\0\x0a\0\x08abcdefgh\0\x03\0\0";
    seeds.push(query("5.113.0.203.auth.bl.example.org", 1, options));
    let Ok(zones) = Zones::new(&settings()) else { unreachable!("these settings have no fault") };
    let (responder, snapshot) = (Responder::new(zones), book().snapshot());
    let client = Address::from_bits(0xffff_c633_6407);
    Target::new("dns-message", seeds, move |message| {
        let counters = responder.counters();
        let ask = |transport| {
            let mut out = vec![0; usize::from(u16::MAX)];
            let asker = Asker { address: client, transport, now: NOW };
            let length = responder.answer(&snapshot, &asker, message, &mut out, &counters);
            out.truncate(length);
            out
        };
        let (datagram, stream) = (ask(Transport::Udp { max: UDP_BYTES_MAX }), ask(Transport::Tcp));
        assert!(datagram.len() <= usize::from(UDP_BYTES_MAX) && datagram.is_empty() == stream.is_empty());
        assert!(datagram.get(..2) == message.get(..2) || datagram.is_empty());
        let mut buffers = [[0; 2048]];
        let Some(room) = buffers[0].get_mut(..message.len()) else { return };
        room.copy_from_slice(message);
        let mut lengths = [message.len()];
        responder.answer_batch(&snapshot, NOW, &mut buffers, &mut lengths, |_| client, &counters);
        assert!(buffers[0][..lengths[0]] == datagram, "a batch answers otherwise");
    })
}

/// A query for a name, with what follows the question.
fn query(name: &str, kind: u8, more: &[u8]) -> Vec<u8> {
    let mut message = vec![1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(!more.is_empty())];
    for label in name.split('.') {
        message.push(label.len() as u8);
        message.extend_from_slice(label.as_bytes());
    }
    message.extend_from_slice(&[0, 0, kind, 0, 1]);
    message.extend_from_slice(more);
    message
}

/// The engine itself, as the node's door is.
struct Direct(Engine);

impl Door for Direct {
    fn ask(&self, now: Timestamp, question: &Question<'_>) -> Decision {
        self.0.ask(now, question)
    }

    fn observe(&self, event: &Event<'_>) -> Decision {
        self.0.observe(event.time, event);
        let question =
            Question { address: event.address, login: event.login, stage: Stage::After, service: event.service };
        self.0.ask(event.time, &question)
    }
}

const BODY: &str = r#"{"login":"alice@example.org","remote":"203.0.113.5","pwhash":"0f9a","success":false,"policy_reject":false,"protocol":"imap","session_id":"S","tls":true,"attrs":{"stage":"after"},"device_id":""}"#;

/// What a client sends over one connection, in two pieces.
fn http() -> Target {
    let request = |command: &str, body: &str| {
        let head = format!("POST /?command={command} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n");
        format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    };
    let chunked = format!(
        "POST /?command=report HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{BODY}\r\n0\r\n\r\n",
        BODY.len()
    );
    let ping = b"GET /?command=ping HTTP/1.1\r\nAuthorization: Basic d2ZvcmNlOng=\r\n\r\n".to_vec();
    let seeds = vec![request("allow", BODY), request("report", BODY).repeat(2), chunked.into_bytes(), ping];
    let door = Arc::new(Direct(Engine::new(rules::Settings::default(), book(), [7; 16])));
    let gate = Gate::new(dovecot::Settings::default(), door);
    let http = Http::new(Arc::new(gate));
    Target::new("gate-http", seeds, move |input| {
        let output = answers(&http, input);
        assert!(output.is_empty() || output.starts_with(b"HTTP/1.1 "));
    })
}

fn json() -> Target {
    Target::new("gate-json", vec![BODY.into()], |input| {
        drop(dovecot::Request::parse(&String::from_utf8_lossy(input)));
    })
}
