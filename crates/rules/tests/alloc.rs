//! Asking, and observing known subjects, allocates nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use base::{Address, Channel, Event, EventKind, ListId, PasswordTag, Tally, Timestamp, Verdict};
use listings::{Book, NeverList};
use rules::{Engine, Question, Settings, Stage, default_rules};

/// The system's allocator, with a count for the thread that asks for it.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[expect(
    unsafe_code,
    reason = "an allocator can be put in only by this trait; everything is passed on to the system's"
)]
// SAFETY: every call is passed on as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations_of(mut work: impl FnMut()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

fn engine() -> Engine {
    let settings = Settings { rules: default_rules(ListId::new(4)), ..Settings::default() };
    Engine::new(settings, Arc::new(Book::new(NeverList::new([], []))), [7; 16])
}

const ADDRESS: [u8; 4] = [203, 0, 113, 1];

fn event(millis: u64, tag: u32, session: Option<&'static str>) -> Event<'static> {
    Event {
        time: Timestamp::from_millis(1_795_247_054_123 + millis),
        kind: EventKind::LoginFailed,
        service: "imap",
        address: Some(Address::new(ADDRESS.into())),
        login: Some("Alice@example.org"),
        session,
        password: Some(PasswordTag(tag)),
        channel: Channel::Gate,
        tally: Tally::One,
        reporter: None,
    }
}

#[test]
fn known_subjects_cost_no_allocation() {
    let engine = engine();
    let mut counted = 0;
    // Both subjects and both sessions become known, the sessions in both of their generations.
    for (number, session) in [(0, Some("s")), (1, None), (2, Some("s")), (3, None)] {
        let event = event(u64::from(number / 2) * 700_000, number, session);
        engine.observe(event.time, &event);
    }
    // Further apart than the windows, so that they fill and empty without a listing.
    let allocations = allocations_of(|| {
        for number in 0..1000 {
            let session = if number % 2 == 0 { Some("s") } else { None };
            let event = event(2_000_000 + 20_000 * u64::from(number), number, session);
            counted += engine.observe(event.time, &event).counted;
        }
    });
    assert_eq!((allocations, engine.book().serial()), (0, 0));
    assert!(counted > 900, "{counted}");
}

#[test]
fn questions_cost_no_allocation() {
    let engine = engine();
    let now = event(0, 0, None).time;
    let ask = |last: u8| {
        let address = Some(Address::new([203, 0, 113, last].into()));
        let question = Question { address, login: Some("Bob"), stage: Stage::Before, service: "imap" };
        allocations_of(|| assert_ne!(engine.ask(now, &question).verdict, Verdict::Defer))
    };
    // The first look at the book registers the thread with it.
    ask(2);
    assert_eq!(ask(2), 0);
    for number in 0..5 {
        engine.observe(now, &event(u64::from(number), number, Some(["a", "b", "c", "d", "e"][number as usize])));
    }
    assert!(engine.book().serial() > 0, "the address is blocked");
    assert_eq!(ask(1), 0);
}
