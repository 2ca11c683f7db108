//! Millions of addresses within an hour: memory stays within what the limit on subjects allows, and blocks stay in force.
//!
//! With `RATTER_SOAK=1` they are ten million, at the limit as it is shipped; otherwise a fiftieth of both.

#![expect(clippy::disallowed_methods, reason = "a test reads how much memory its process has")]

use std::fs;
use std::sync::Arc;

use base::{Address, Channel, Event, EventKind, ListId, PasswordTag, Tally, Timestamp};
use core::time::Duration;
use listings::{Book, NeverList};
use rules::{Effect, Engine, Settings, default_rules};

const BEGIN: Timestamp = Timestamp::from_secs(1_795_247_054);
const HOUR: Duration = Duration::from_hours(1);
const BLOCKED: u32 = 100;

/// Most bytes for each subject that may be tracked, at the peak: an address and a login each have a record in their
/// windows and their tables' indexes, which double when they grow; sessions have a limit of their own.
const BYTES_MAX: usize = 300;

/// Bytes of this process in memory: `VmRSS:` now, `VmHWM:` at the most.
fn resident(field: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("the kernel tells it");
    let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("the field is there");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number of kilobytes") << 10
}

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
    let before = resident("VmRSS:");
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
    let (peak, live) = (resident("VmHWM:") - before, resident("VmRSS:").saturating_sub(before));
    println!(
        "{addresses} addresses, {subjects_max} subjects at most: {} MB in the tables, {} MB resident, {} MB at the peak, {:?}",
        engine.bytes() >> 20,
        live >> 20,
        peak >> 20,
        engine.counters(),
    );
    assert!(engine.counters().evicted > 0, "the limit was reached");
    assert!(peak <= BYTES_MAX * subjects_max + (64 << 20), "{peak} bytes at the peak");
    assert_eq!(is_blocked(last), BLOCKED as usize, "blocks in force are kept");
}
