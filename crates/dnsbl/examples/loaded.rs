//! A DNS server with a book of many addresses, to which changes come while others ask it: how long a change takes, and
//! whether the next question sees it.
//!
//! ```text
//! cargo run --release -p ratter-dnsbl --features io --example loaded -- PORT FILE ZONE SECONDS CHANGES_PER_SECOND
//! ```
//!
//! FILE is an `ip4set`. The load comes from elsewhere; a line of JSON goes to standard output at the end.

#![expect(clippy::disallowed_methods, reason = "a measuring program reads the clock and files")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it prints what it found")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use base::{Evidence, ListId, Maker, Network, RuleId, Subject, Timestamp, Until};
use dnsbl::datasets::{Kind, Options, Source, read};
use dnsbl::io::Server;
use dnsbl::serve::{Responder, Zones};
use listings::{Book, Bulk, NeverList, Wish};

mod common;
use common::settings;

const LIST: ListId = ListId::new(1);

/// Every so many changes the server is asked about the address.
const ASKED_EVERY: u64 = 20;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("loaded: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [port, file, zone, seconds, rate] = &arguments[..] else {
        return Err("usage: loaded PORT FILE ZONE SECONDS CHANGES_PER_SECOND".into());
    };
    let port: u16 = port.parse().map_err(|_| "PORT is a number")?;
    let (seconds, rate): (u64, u64) = (number(seconds)?, number(rate)?);
    let (label, origin) = zone.split_once('.').ok_or("ZONE has two labels at least")?;
    let book = Arc::new(load(file)?);
    let codes = BTreeMap::from([(2, LIST)]);
    let zones = Zones::new(&settings(origin, label, &codes)).map_err(|faults| format!("{faults:?}"))?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let responder = Arc::new(Responder::new(zones));
    let server = Server::start(&[address], responder, &book, 1).map_err(|error| format!("{error:?}"))?;
    eprintln!("listening on {address}");
    let measured = change(&book, address, zone, Duration::from_secs(seconds), rate)?;
    println!("{measured}");
    server.stop();
    Ok(())
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

fn load(file: &str) -> Result<Book, String> {
    let bytes = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    let source = Source { name: file, bytes: &bytes, modified: 0 };
    let dataset = read(Kind::Ip4Set, &[source], Timestamp::EPOCH, Options::default()).map_err(|it| it.to_string())?;
    let networks = dataset.networks().ok_or("no addresses")?;
    let book = Book::new(NeverList::new([], []));
    let maker = Maker::Person { name: "bench".into(), reason: "bench".into() };
    let bulk = Bulk { list: LIST, since: Timestamp::EPOCH, until: Until::Never, maker };
    let done = book.replace(Timestamp::EPOCH, bulk, networks.into_iter().map(Ok::<_, Infallible>), None);
    let listed = done.map_err(|error| format!("{error:?}"))?.listed;
    eprintln!("{listed} networks are listed");
    Ok(book)
}

/// Lists and unlists addresses of 150.0.0.0/15, which a published list may have, at that rate.
fn change(book: &Book, server: SocketAddr, zone: &str, span: Duration, rate: u64) -> Result<String, String> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| {
        socket.connect(server)?;
        socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        Ok(socket)
    });
    let socket = socket.map_err(|error| error.to_string())?;
    let (mut calls, mut seen, mut journal) = (Vec::new(), Vec::new(), Vec::new());
    let (mut stale, mut lost) = (0, 0);
    let start = Instant::now();
    let mut number = 0_u64;
    while start.elapsed() < span {
        let due = start + Duration::from_nanos(number * 1_000_000_000 / rate);
        if let Some(wait) = due.checked_duration_since(Instant::now()) {
            thread::sleep(wait);
        }
        // Each address comes and goes, and a thousand are listed at a time.
        let (is_listed, n) =
            if number.is_multiple_of(2) { (true, number / 2) } else { (false, (number / 2).wrapping_sub(500)) };
        let address = Ipv4Addr::from_bits(0x9600_0000 | (n as u32 & 0x1_ffff));
        let subject = Subject::Network(Network::containing(base::Address::new(address.into()), 32));
        let now = Timestamp::from_millis(start.elapsed().as_millis() as u64);
        let before = Instant::now();
        if is_listed {
            let (until, maker) = (Until::At(Timestamp::from_secs(100_000)), Maker::Rule(RuleId(0)));
            let wish = Wish { subject, list: LIST, until, maker, evidence: Evidence::default() };
            book.list(now, wish).map_err(|refusal| format!("{refusal:?}"))?;
        } else {
            book.unlist(now, &subject, None, "bench");
        }
        calls.push(before.elapsed());
        if is_listed && number.is_multiple_of(ASKED_EVERY) {
            match ask(&socket, address, zone, number as u16) {
                Some(true) => seen.push(before.elapsed()),
                Some(false) => stale += 1,
                None => lost += 1,
            }
        }
        if number.is_multiple_of(256) {
            journal.clear();
            book.drain_journal(&mut journal);
        }
        number += 1;
    }
    let took = start.elapsed();
    Ok(format!(
        "{{\"changes\":{number},\"per_s\":{:.0},\"call_us\":{},\"answered_us\":{},\"stale\":{stale},\"lost\":{lost}}}",
        number as f64 / took.as_secs_f64(),
        spread(&mut calls),
        spread(&mut seen),
    ))
}

/// Whether the server says that the address is listed; none if it does not answer.
fn ask(socket: &UdpSocket, address: Ipv4Addr, zone: &str, id: u16) -> Option<bool> {
    let [a, b, c, d] = address.octets();
    let mut query = [&id.to_be_bytes()[..], &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    for label in format!("{d}.{c}.{b}.{a}.{zone}").split('.') {
        query.push(label.len() as u8);
        query.extend_from_slice(label.as_bytes());
    }
    query.extend_from_slice(&[0, 0, 1, 0, 1]);
    socket.send(&query).ok()?;
    let mut reply = [0; 512];
    loop {
        let length = socket.recv(&mut reply).ok()?;
        // What comes late belongs to a question before.
        if length >= 12 && reply[..2] == id.to_be_bytes() {
            return Some(reply[7] > 0);
        }
    }
}

/// Median, 99th percentile and longest, in microseconds.
fn spread(spans: &mut [Duration]) -> String {
    spans.sort_unstable();
    let us = |percent: usize| {
        let at = (spans.len() * percent / 100).min(spans.len().saturating_sub(1));
        spans.get(at).map_or(0.0, |span| span.as_secs_f64() * 1e6)
    };
    format!("{{\"p50\":{:.1},\"p99\":{:.1},\"max\":{:.1}}}", us(50), us(99), us(100))
}
