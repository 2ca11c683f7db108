//! Millions of addresses within an hour: memory stays within what the limit on subjects allows, and blocks stay in force.
//!
//! With `RATTER_SOAK=1` they are ten million, at the limit as it is shipped; otherwise a fiftieth of both.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use base::{Address, Channel, Event, EventKind, ListId, PasswordTag, Tally, Timestamp};
use core::time::Duration;
use listings::{Book, NeverList};
use rules::{Effect, Engine, Settings, default_rules};

/// The system's allocator, with the bytes that are in use and the most that ever were.
struct Measured;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[expect(
    unsafe_code,
    reason = "an allocator can be put in only by this trait; everything is passed on to the system's"
)]
// SAFETY: every call is passed on as it came.
unsafe impl GlobalAlloc for Measured {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(LIVE.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Measured = Measured;

const BEGIN: Timestamp = Timestamp::from_secs(1_795_247_054);
const HOUR: Duration = Duration::from_hours(1);
const BLOCKED: u32 = 100;

/// Most bytes for each subject that may be tracked, at the peak: an address and a login each have a record in their
/// windows and their tables' indexes, which double when they grow; sessions have a limit of their own.
const BYTES_MAX: usize = 300;

fn address(number: u32) -> Address {
    Address::from_bits(0xffff_0b00_0000 + u128::from(number))
}

fn failure<'a>(at: Timestamp, number: u32, login: &'a str, session: &'a str, guess: u32) -> Event<'a> {
    Event {
        time: at,
        kind: EventKind::LoginFailed,
        service: "imap",
        address: Some(address(number)),
        login: Some(login),
        session: Some(session),
        password: Some(PasswordTag(guess)),
        channel: Channel::Gate,
        tally: Tally::One,
        reporter: None,
    }
}

#[test]
fn a_flood_of_addresses_costs_no_more_than_the_limit_and_frees_nobody() {
    let (addresses, subjects_max) =
        if std::env::var_os("RATTER_SOAK").is_some() { (10_000_000, 1_000_000) } else { (200_000, 20_000) };
    let mut rules = default_rules(ListId::new(4));
    for rule in &mut rules {
        if let Effect::Block { span, .. } = &mut rule.effect {
            *span = 3 * HOUR;
        }
    }
    let before = LIVE.load(Relaxed);
    let book = Arc::new(Book::new(NeverList::new([], [])));
    let engine = Engine::new(Settings { rules, subjects_max, ..Settings::default() }, Arc::clone(&book), [7; 16]);
    for number in 0..BLOCKED {
        for guess in 0..5 {
            let at = BEGIN.plus(Duration::from_secs(guess.into()));
            let (login, session) = (format!("early{number}"), format!("e{number}-{guess}"));
            engine.observe(at, &failure(at, number, &login, &session, guess));
        }
    }
    let is_blocked = |at: Timestamp| {
        let snapshot = book.snapshot();
        let blocks = (0..BLOCKED).filter_map(|number| snapshot.block_of_address(address(number)));
        blocks.filter(|block| !block.until.is_over(at)).count()
    };
    assert_eq!(is_blocked(BEGIN), BLOCKED as usize);
    let mut last = BEGIN;
    for number in 0..addresses {
        last = BEGIN.plus(HOUR * number / addresses);
        let (login, session) = (format!("user{number}@example.org"), format!("s{number}"));
        engine.observe(last, &failure(last, BLOCKED + number, &login, &session, number));
        if number % 1024 == 0 {
            engine.poll(last);
        }
    }
    let (peak, live) = (PEAK.load(Relaxed) - before, LIVE.load(Relaxed) - before);
    println!(
        "{addresses} addresses, {subjects_max} subjects at most: {} MB in the tables, {} MB in use, {} MB at the peak, {:?}",
        engine.bytes() >> 20,
        live >> 20,
        peak >> 20,
        engine.counters(),
    );
    assert!(engine.counters().evicted > 0, "the limit was reached");
    assert!(peak <= BYTES_MAX * subjects_max + (64 << 20), "{peak} bytes at the peak");
    assert_eq!(is_blocked(last), BLOCKED as usize, "blocks in force are kept");
}
