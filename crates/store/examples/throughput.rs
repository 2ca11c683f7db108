//! Prints how many events per second the store takes, how long a commit takes, and what a restart costs:
//! `cargo run --release -p ratter-store --example throughput [EVENTS]`
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench prints and reads the clock")]

use std::time::{Duration, Instant};

use base::{Address, Channel, EventKind, Login, PasswordTag, Tally, Timestamp};
use store::{Batch, KeptEvent, Limits, Names, Position, Store};

/// Events that a sensor hands over at a time: what a busy log file brings between two reads.
const BATCH_EVENTS: u64 = 100;

fn event(now: Timestamp, number: u64) -> KeptEvent {
    // Scattered over a hundred thousand addresses and logins, as a distributed guesser's are.
    let scattered = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    KeptEvent {
        time: now,
        kind: EventKind::LoginFailed,
        service: "imap".into(),
        address: Some(Address::from_bits(0xffff_c633_0000 + u128::from(scattered % 100_000))),
        login: Login::new(&format!("user-{}@example.org", scattered % 99_991)),
        session: Some(format!("u7YDUoZEAA{number:06x}").into()),
        password: Some(PasswordTag(0xabc)),
        channel: Channel::Front,
        tally: Tally::One,
        reporter: None,
        exceeded: None,
    }
}

fn position(events: u64) -> Position {
    Position { path: "mail.log".into(), device: 1, inode: 2, offset: events, fingerprint: 3, lines: events, events }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let total: u64 = std::env::args().nth(1).map_or(Ok(1_000_000), |count| count.parse())?;
    let directory = tempfile::tempdir()?;
    let names = Names { lists: vec!["blocked".into()], rules: vec![] };
    let open = || Store::open(directory.path(), names.clone(), Timestamp::EPOCH, Limits::default());
    let store = open()?.0.start(|_| {})?;
    let wall = Timestamp::EPOCH.plus(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?);

    let began = Instant::now();
    let mut pushing = Duration::ZERO;
    for first in (0..total).step_by(BATCH_EVENTS as usize) {
        let events = (first..first + BATCH_EVENTS).map(|number| event(wall, number)).collect();
        let batch = Batch { events, owners: vec![], position: Some(position(first + BATCH_EVENTS)) };
        let push = Instant::now();
        store.push(batch);
        pushing += push.elapsed();
        // As a sensor would do that must not lose any: it reads on when the store has caught up.
        while store.health().queued > Limits::default().events_queued_max / 2 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    store.flush(Duration::from_mins(10))?;
    let took = began.elapsed();
    let health = store.health();
    println!(
        "flood: {total} events in {took:.2?}: {:.0} events/s in {} transactions, {} shed",
        total as f64 / took.as_secs_f64(),
        health.commits,
        health.events_shed
    );
    println!("push: {:.2?} per batch of {BATCH_EVENTS}", pushing / (total / BATCH_EVENTS).max(1) as u32);

    let mut waits: Vec<Duration> = (0..1_000)
        .map(|number| {
            let began = Instant::now();
            store.push(Batch { events: vec![event(wall, number)], owners: vec![], position: Some(position(number)) });
            store.flush(Duration::from_mins(1)).map(|()| began.elapsed())
        })
        .collect::<Result<_, _>>()?;
    waits.sort();
    println!(
        "one event, pushed and committed at once: p50 {:.0?}, p99 {:.0?}, most {:.0?}",
        waits[500], waits[990], waits[999]
    );

    let began = Instant::now();
    let subject = event(wall, 7).address.expect("every event has one").into();
    let found = store.events_about(&subject, Timestamp::EPOCH, 100)?.len();
    println!("events_about an address: {found} in {:.0?}", began.elapsed());

    drop(store);
    let size = std::fs::metadata(directory.path().join("ratter.db"))?.len();
    println!("file: {} bytes per event", size / total.max(1));
    let began = Instant::now();
    let (_, restored) = open()?;
    println!("restart: {} events read back in {:.0?}", restored.events.len(), began.elapsed());
    Ok(())
}
