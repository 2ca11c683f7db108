//! What observing and asking cost: `cargo run --release -p ratter-rules --example observe`.
//!
//! Prints nanoseconds for subjects that are known (the median of several runs), with few subjects and with a million,
//! and bytes for each tracked subject. With a number as its argument it observes so many events of few subjects and
//! prints nothing, to be counted by `valgrind --tool=callgrind`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads its own time and memory")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use base::{Address, Channel, Event, EventKind, ListId, PasswordTag, Tally, Timestamp};
use listings::{Book, NeverList};
use rules::{Engine, Keys, Question, Settings, Shape, Stage, Windows, default_rules};

const BEGIN: Timestamp = Timestamp::from_secs(1_795_247_054);
const RUNS: usize = 7;
const FEW: u32 = 1_000;
const MILLION: u32 = 1_000_000;

fn engine() -> Engine {
    let settings = Settings { rules: default_rules(ListId::new(4)), ..Settings::default() };
    Engine::new(settings, Arc::new(Book::new(NeverList::new([], []))), [7; 16])
}

fn login(text: &mut String, number: u32) {
    use std::fmt::Write;
    text.clear();
    write!(text, "user{number}@example.org").expect("a string takes everything");
}

/// Event `number` of a flood over so many subjects. Each comes again after more than a minute, so that nothing is listed.
fn observe(engine: &Engine, text: &mut String, number: u32, subjects: u32, kind: EventKind) -> u16 {
    let subject = number % subjects;
    let round = u64::from(number / subjects);
    let time = BEGIN.plus(Duration::from_millis(round * 61_000 + u64::from(subject) * 60_000 / u64::from(subjects)));
    login(text, subject);
    let event = Event {
        time,
        kind,
        service: "imap",
        address: Some(Address::from_bits(0xffff_0b00_0000 + u128::from(subject))),
        login: Some(text),
        session: None,
        password: Some(PasswordTag(round as u32)),
        channel: Channel::Gate,
        tally: Tally::One,
        reporter: None,
    };
    engine.observe(time, &event).counted
}

/// Nanoseconds this process was on a processor: others that run beside it are not counted.
fn on_cpu() -> u64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default()
}

/// Nanoseconds of one call: the median over the runs.
fn measure(calls: u32, mut run: impl FnMut(u32)) -> f64 {
    let mut runs: Vec<f64> = (0..RUNS)
        .map(|_| {
            let begin = on_cpu();
            (0..calls).for_each(&mut run);
            (on_cpu() - begin) as f64 / f64::from(calls)
        })
        .collect();
    runs.sort_by(f64::total_cmp);
    runs[RUNS / 2]
}

fn measure_engine(subjects: u32) {
    let (engine, mut text, mut next) = (engine(), String::new(), 0);
    let before = resident();
    while next < subjects {
        observe(&engine, &mut text, next, subjects, EventKind::LoginFailed);
        next += 1;
    }
    let tracked = 2.0 * f64::from(subjects);
    println!(
        "{subjects} addresses and {subjects} logins: {:.1} bytes for each subject in the tables, {:.1} resident",
        engine.bytes() as f64 / tracked,
        (resident() - before) as f64 / tracked
    );
    let mut counted = 0;
    let calls = subjects.max(200_000);
    let observing = measure(calls, |_| {
        counted += u64::from(observe(&engine, &mut text, next, subjects, EventKind::LoginFailed));
        next += 1;
    });
    assert!(counted > 0 && engine.counters().listings_made == 0, "the flood is counted and lists nothing");
    let texting = measure(calls, |number| {
        login(&mut text, number % subjects);
        black_box(&text);
    });
    let asking = measure(calls, |number| {
        let address = Some(Address::from_bits(0xffff_0b00_0000 + u128::from(number % subjects)));
        let question = Question { address, login: Some("user1@example.org"), stage: Stage::Before, service: "imap" };
        black_box(engine.ask(BEGIN, &question));
    });
    println!("  observe {:.0} ns (the benchmark's own text taken off), ask {asking:.0} ns", observing - texting);
}

fn measure_windows(keys_count: u32) {
    let keys = Keys::new([7; 16]);
    let shapes = [(5, 0, 60), (5, 3, 3600)].map(|(count, distinct, secs)| Shape {
        count,
        distinct,
        span: Duration::from_secs(secs),
    });
    let mut table: Windows = Windows::new(&shapes, keys_count as usize);
    let mut next = 0_u64;
    let mut step = |number: u32| {
        next += 1;
        let at = BEGIN.plus(Duration::from_millis(next * 61_000 / u64::from(keys_count)));
        black_box(table.observe(keys.number(u64::from(number % keys_count)), 0, at, [number]));
    };
    (0..keys_count).for_each(&mut step);
    let known = measure(keys_count.max(200_000), step);
    println!(
        "a table of {keys_count}: {known:.0} ns for a known key, {:.1} bytes",
        table.bytes() as f64 / f64::from(keys_count)
    );
}

/// Resident bytes of this process.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = text.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or_default();
    pages * 4096
}

fn main() {
    if let Some(events) = std::env::args().nth(1).and_then(|events| events.parse().ok()) {
        let (engine, mut text) = (engine(), String::new());
        (0..events).for_each(|number| {
            black_box(observe(&engine, &mut text, number, FEW, EventKind::LoginFailed));
        });
        return;
    }
    [FEW, MILLION].into_iter().for_each(measure_windows);
    [FEW, MILLION / 2].into_iter().for_each(measure_engine);
}
