//! Serves a list from a file, for measuring: `serve_list PORT LISTFILE ZONE [THREADS]`.
//!
//! The file has lines `ADDRESS CODE`, where CODE is the last octet of the return code. The lists are named after their
//! codes, and all of them are published in the combined zone ZONE, such as `all.bl.test`.

#![expect(clippy::disallowed_methods, reason = "reads the file that it is to serve")]
#![expect(clippy::print_stderr, reason = "says why it cannot run")]

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs, thread};

use base::{Evidence, ListId, Listing, Maker, RuleId, Subject, Timestamp, Until};
use dnsbl::io::Server;
use dnsbl::serve::{CombinedZone, Members, NameServer, PublishedList, Responder, Settings, SoaTimers, Zones};
use listings::{Book, NeverList};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("serve_list: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [port, file, zone, rest @ ..] = &arguments[..] else {
        return Err("usage: serve_list PORT LISTFILE ZONE [THREADS]".into());
    };
    let port: u16 = port.parse().map_err(|_| "PORT is a number")?;
    let threads = rest.first().map_or(Ok(1), |text| text.parse()).map_err(|_| "THREADS is a number")?;
    let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let (label, origin) = zone.split_once('.').ok_or("ZONE has two labels at least")?;

    let mut codes: BTreeMap<u8, ListId> = BTreeMap::new();
    let mut listings = Vec::new();
    for line in text.lines() {
        let (address, code) = line.split_once(' ').ok_or_else(|| format!("no `ADDRESS CODE`: {line}"))?;
        let code = code.parse().map_err(|_| format!("no code: {line}"))?;
        let next = ListId::new(codes.len() + 1);
        let list = *codes.entry(code).or_insert(next);
        let address: base::Address = address.parse().map_err(|_| format!("no address: {line}"))?;
        listings.push(listing(Subject::from(address), list));
    }
    let book = Arc::new(Book::new(NeverList::new([], [])));
    book.restore(Timestamp::from_secs(1), 1, listings);

    let zones = Zones::new(&settings(origin, label, &codes)).map_err(|faults| format!("{faults:?}"))?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let responder = Arc::new(Responder::new(zones));
    let server = Server::start(&[address], responder, &book, threads).map_err(|error| format!("{error:?}"))?;
    eprintln!("listening on {address}, receive buffer {} octets", server.receive_buffer());
    loop {
        thread::sleep(Duration::from_hours(1));
    }
}

fn listing(subject: Subject, list: ListId) -> Listing {
    let until = Until::At(Timestamp::from_secs(u64::from(u32::MAX)));
    let since = Timestamp::from_secs(1);
    Listing { subject, list, since, until, maker: Maker::Rule(RuleId(0)), evidence: Evidence::default() }
}

fn settings(origin: &str, label: &str, codes: &BTreeMap<u8, ListId>) -> Settings {
    let list = |(code, id): (&u8, &ListId)| PublishedList {
        id: *id,
        name: format!("code{code}"),
        code: Ipv4Addr::new(127, 0, 0, *code),
        ttl: Duration::from_hours(1),
        text: "Listed, see {url}".into(),
    };
    Settings {
        origin: origin.into(),
        lists: codes.iter().map(list).collect(),
        combined: vec![CombinedZone { name: label.into(), lists: Members::All }],
        name_servers: vec![NameServer { name: format!("ns1.{origin}"), addresses: vec![Ipv4Addr::LOCALHOST.into()] }],
        contact: format!("hostmaster@{origin}"),
        look_up_url: format!("https://{origin}/lookup?{{ip}}"),
        web_addresses: Vec::new(),
        negative_ttl: Duration::from_secs(150),
        apex_ttl: Duration::from_hours(1),
        timers: SoaTimers::default(),
        nsid: None,
    }
}
