//! How long the kernel takes to hear of a block: run it in a network namespace of its own, as `bench/kernel.sh` does.
//!
//! It prints, for a book of so many listings: how long all of them take at a start, and how long one takes from the change of
//! the book to the answer of the kernel, beside what the same message takes alone.

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a bench reads the clock and prints")]

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use actions::io::{KERNEL_PACE, Kernel, KernelAction, Surroundings, Worker};
use actions::{Action, Failure};
use base::{Address, Evidence, ListId, ListSet, Listing, Maker, RuleId, Timestamp, Until};
use listings::{Book, Entry, NeverList, Wish};

const ROUNDS: u32 = 2000;

fn clock() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().expect("the clock is set");
    Timestamp::from_millis(u64::try_from(since.as_millis()).expect("not that late"))
}

fn wish(number: u32) -> Wish {
    let address = Address::new(std::net::Ipv4Addr::from_bits(0x0b00_0000 + number).into());
    let until = Until::At(clock().plus(Duration::from_hours(1)));
    let (maker, evidence) = (Maker::Rule(RuleId(0)), Evidence::default());
    Wish { subject: address.into(), list: ListId::BLOCKED, until, maker, evidence }
}

/// Says when the kernel has taken how many elements. Who looked all the time would take the worker's processor from it.
struct Counted {
    action: KernelAction,
    taken: SyncSender<(usize, Instant)>,
}

impl Action for Counted {
    fn reconcile(&mut self, listings: Vec<Listing>) {
        self.action.reconcile(listings);
    }

    fn note(&mut self, entry: &Entry) -> bool {
        self.action.note(entry)
    }

    fn due(&self) -> Option<Timestamp> {
        self.action.due()
    }

    fn carry_out(&mut self, now: Timestamp) -> Result<(), Failure> {
        let result = self.action.carry_out(now);
        self.taken.send((self.action.size().0, Instant::now())).unwrap_or_default();
        result
    }
}

fn main() {
    let count: u32 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1_000_000 - 2 * ROUNDS);
    let lists = ListSet::EMPTY.with(ListId::BLOCKED);
    let book = Arc::new(Book::new(NeverList::new([], [])));
    book.list_many(clock(), (0..count).map(wish));
    book.drain_journal(&mut Vec::new());
    let kernel = Kernel { mail_lists: lists, all_lists: ListSet::EMPTY, ports: [25, 143].into() };
    let surroundings = Surroundings { book: Arc::clone(&book), clock };
    let (send, taken) = sync_channel(100);
    let action = Counted { action: KernelAction::new(kernel), taken: send };
    let began = Instant::now();
    let worker = Worker::start("nft", Box::new(action), lists, KERNEL_PACE, surroundings).expect("a thread");
    println!("{count} elements at a start: {:?}", wait(&taken, count as usize) - began);
    let mut times: Vec<Duration> = Vec::new();
    for number in count..count + ROUNDS {
        std::thread::sleep(Duration::from_millis(5));
        let began = Instant::now();
        book.list(clock(), wish(number)).expect("it can be listed");
        let mut entries = Vec::new();
        book.drain_journal(&mut entries);
        worker.push(&entries);
        times.push(wait(&taken, number as usize + 1) - began);
    }
    assert_eq!(worker.health().fault, None);
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!("one more, from the book to the kernel's answer: p50 {:?}, p99 {:?}, max {:?}", at(50), at(99), at(100));
}

/// Waits until the kernel holds so many; since when.
fn wait(taken: &Receiver<(usize, Instant)>, entries: usize) -> Instant {
    taken.iter().find(|(held, _)| *held >= entries).expect("the worker lives").1
}
