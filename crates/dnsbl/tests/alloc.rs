//! Answering allocates nothing, whatever is asked.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use crate::common::{AUTH, DYNA, SPAM, World, query, settings};
use dnsbl::serve::Transport;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

fn count() {
    // A thread that is ending has no counter any more, and is not the one that is watched.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

#[expect(unsafe_code, reason = "an allocator that counts has to be one")]
// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn answering_allocates_nothing() {
    let world = World::new(&settings(), &[("192.0.2.1", DYNA), ("198.51.100.0/24", SPAM), ("2001:db8::/64", AUTH)]);
    let v6 = format!("{}8.b.d.0.1.0.0.2", "1.".repeat(24));
    let questions = [
        "1.2.0.192.all A",
        "1.2.0.192.all A +edns +do",
        "1.2.0.192.dyna TXT +nsid",
        "2.2.0.192.all A",
        "2.0.192.all A",
        "1.2.0.192.all AAAA",
        "all SOA",
        "all NS",
        "all ANY",
        "@ TXT",
        "ns1.dns A",
        "x. A",
        "1.2.0.192.all A +ch",
        "8.b.d.0.1.0.0.2.auth A",
        &format!("{v6}.auth A"),
        &format!("{v6}.auth TXT"),
        "2.0.0.127.all TXT",
        "x.all A +v1",
        "x.all A +opcode=4",
        "x.all OPT",
    ]
    .map(query);
    let snapshot = world.book.snapshot();
    let mut out = [0; 1232];
    let before = ALLOCATIONS.get();
    let mut octets = 0;
    for question in &questions {
        octets += world.responder.answer(&snapshot, Transport::Udp { max: 1232 }, question, &mut out, &world.counters);
    }
    let after = ALLOCATIONS.get();
    assert!(octets > 600);
    assert_eq!(after - before, 0);
}
