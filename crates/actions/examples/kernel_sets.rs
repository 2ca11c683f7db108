//! How long the kernel takes to hear of a block: run it in a network namespace of its own, as `bench/kernel.sh` does.
//!
//! It prints, for a book of so many listings: how long all of them take at a start, and how long one takes from the change of
//! the book to the answer of the kernel, in the large set and in a small one beside it; and how long it takes until an action's
//! thread has its turn, if it does nothing.

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a bench reads the clock and prints")]

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use actions::io::{KERNEL_PACE, Kernel, KernelAction, Surroundings, Worker};
use actions::{Action, Failure};
use base::{Address, Evidence, ListId, ListSet, Listing, Maker, Network, RuleId, Timestamp, Until};
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

/// Of the same number in another set, which is small.
fn wish_beside(number: u32) -> Wish {
    let address =
        Address::new(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, (number >> 16) as u16, number as u16).into());
    Wish { subject: Network::containing(address, 128).into(), ..wish(number) }
}

/// An action that does nothing.
#[derive(Default)]
struct Idle {
    held: usize,
    is_due: bool,
}

impl Action for Idle {
    fn reconcile(&mut self, listings: Vec<Listing>) {
        (self.held, self.is_due) = (listings.len(), true);
    }

    fn note(&mut self, _: &Entry) -> bool {
        (self.held, self.is_due) = (self.held + 1, true);
        true
    }

    fn due(&self) -> Option<Timestamp> {
        self.is_due.then_some(Timestamp::EPOCH)
    }

    fn carry_out(&mut self, _: Timestamp) -> Result<(), Failure> {
        self.is_due = false;
        Ok(())
    }

    fn size(&self) -> (usize, usize) {
        (self.held, 0)
    }
}

/// Says when the kernel has taken how many elements. Who looked all the time would take the worker's processor from it.
struct Counted<A> {
    action: A,
    taken: SyncSender<(usize, Instant)>,
}

impl<A: Action> Action for Counted<A> {
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
    let count: u32 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1_000_000 - 4 * ROUNDS);
    let lists = ListSet::EMPTY.with(ListId::BLOCKED);
    let book = Arc::new(Book::new(NeverList::new([], [])));
    book.list_many(clock(), (0..count).map(wish));
    book.drain_journal(&mut Vec::new());
    let kernel = Kernel { mail_lists: lists, all_lists: ListSet::EMPTY, ports: [25, 143].into() };
    let surroundings = Surroundings { book: Arc::clone(&book), clock };
    let (send, taken) = sync_channel(100);
    let action = Counted { action: KernelAction::new(kernel), taken: send };
    let began = Instant::now();
    let worker = Worker::start("nft", Box::new(action), lists, KERNEL_PACE, surroundings.clone()).expect("a thread");
    println!("{count} elements at a start: {:?}", wait(&taken, count as usize) - began);
    let times = |worker: &Worker, taken: &Receiver<(usize, Instant)>, from: u32, wish: fn(u32) -> Wish| {
        let both = (from..from + ROUNDS).map(|number| one_more(&book, worker, taken, number, wish));
        let (mut of_book, mut all): (Vec<Duration>, Vec<Duration>) = both.unzip();
        assert_eq!(worker.health().fault, None);
        all.sort();
        of_book.sort();
        let at = |percent: usize| all[(all.len() - 1) * percent / 100];
        let of_book = of_book[of_book.len() / 2];
        format!("p50 {:?} (the book {of_book:?}), p99 {:?}, max {:?}", at(50), at(99), at(100))
    };
    println!("one more, from the book to the kernel's answer: {}", times(&worker, &taken, count, wish));
    println!("the same in a small set beside the large one: {}", times(&worker, &taken, count + ROUNDS, wish_beside));
    drop(worker);
    let (send, taken) = sync_channel(100);
    let action = Counted { action: Idle::default(), taken: send };
    let worker = Worker::start("idle", Box::new(action), lists, KERNEL_PACE, surroundings).expect("a thread");
    println!("an action that does nothing: {}", times(&worker, &taken, count + 2 * ROUNDS, wish));
    println!("the same, beside: {}", times(&worker, &taken, count + 3 * ROUNDS, wish_beside));
}

/// How long a listing takes in the book, and in all until the action has carried it out.
fn one_more(
    book: &Book,
    worker: &Worker,
    taken: &Receiver<(usize, Instant)>,
    number: u32,
    wish: fn(u32) -> Wish,
) -> (Duration, Duration) {
    std::thread::sleep(Duration::from_millis(5));
    let began = Instant::now();
    book.list(clock(), wish(number)).expect("it can be listed");
    let mut entries = Vec::new();
    book.drain_journal(&mut entries);
    let of_book = began.elapsed();
    worker.push(&entries);
    (of_book, wait(taken, number as usize + 1) - began)
}

/// Waits until the kernel holds so many; since when.
fn wait(taken: &Receiver<(usize, Instant)>, entries: usize) -> Instant {
    taken.iter().find(|(held, _)| *held >= entries).expect("the worker lives").1
}
