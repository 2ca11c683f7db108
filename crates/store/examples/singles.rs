//! Prints what the store takes for listings one by one, as an import makes them:
//! `cargo run --release -p ratter-store --example singles [LISTINGS]`
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench prints and reads the clock")]

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::{Address, Evidence, ListId, Maker, Subject, Timestamp, Until};
use listings::{Book, NeverList, Wish};
use store::{Limits, Names, Store};

/// Listings that are made before the store's writer has a turn, and changes that may wait for it, as in an import.
const LISTED_AT_ONCE: u32 = 2048;
const CHANGES_WAITING_MAX: usize = 64 * 1024;

fn wish(now: Timestamp, number: u32) -> Wish {
    let address = Address::new(Ipv4Addr::from_bits(0xc800_0000 + number * 7).into());
    Wish {
        subject: Subject::from(address),
        list: ListId::new(1),
        until: Until::At(now.plus(Duration::from_hours(24 * 6))),
        maker: Maker::Person { name: "root".into(), reason: "one by one".into() },
        evidence: Evidence { count: 0, distinct: 0, first: now, last: now },
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let total: u32 = std::env::args().nth(1).map_or(Ok(300_000), |count| count.parse())?;
    let directory = tempfile::tempdir()?;
    let names = Names { lists: vec!["blocked".into(), "imported".into()], rules: vec![] };
    let (opened, restored) = Store::open(directory.path(), names, Timestamp::EPOCH, Limits::default())?;
    let now = Timestamp::EPOCH.plus(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?);
    let book = Arc::new(Book::new(NeverList::new([], [])));
    book.restore(now, restored.serial, []);
    let of_writer = Arc::clone(&book);
    let store = opened.start(move |into| of_writer.drain_journal(into))?;

    let began = Instant::now();
    for first in (0..total).step_by(LISTED_AT_ONCE as usize) {
        book.list_many(now, (first..total.min(first + LISTED_AT_ONCE)).map(|number| wish(now, number)));
        while book.journal_waiting() >= CHANGES_WAITING_MAX {
            store.wake();
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    let listed = began.elapsed();
    store.flush(Duration::from_mins(30))?;
    println!("{total} listings made in {listed:.2?}, in the file after {:.2?}", began.elapsed());
    println!("transactions: {}", store.health().commits);
    let file = std::fs::metadata(store.path())?.len();
    println!("file: {} bytes for each", file / u64::from(total.max(1)));
    Ok(())
}
