//! Answering allocates nothing, whatever is asked.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use crate::common::{AUTH, DYNA, SPAM, World, asker, query, settings};
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
    let asker = asker(Transport::Udp { max: 1232 });
    let before = ALLOCATIONS.get();
    let mut octets = 0;
    for question in &questions {
        octets += world.responder.answer(&snapshot, &asker, question, &mut out, &world.counters);
    }
    let after = ALLOCATIONS.get();
    assert!(octets > 600);
    assert_eq!(after - before, 0);
}

#[test]
fn neither_do_batches_keys_cookies_and_limits() {
    let world = crate::access::limited_world();
    let mut messages = ["1.2.0.192.all A", "9.2.0.192.all A +edns", "1.2.0.192.goodkey1.auth A", "1.2.0.192.auth A"]
        .map(query)
        .to_vec();
    messages.push(query("1.2.0.192.otherkey.auth TXT +edns"));
    messages.push(crate::access::with_cookie("1.2.0.192.spam TXT", &[7; 8]));
    messages.push(vec![1; 11]);
    let snapshot = world.book.snapshot();
    let asker = asker(Transport::Udp { max: 1232 });
    let mut buffers = [[0; 1600]; 7];
    let mut octets = 0;
    let before = ALLOCATIONS.get();
    for _ in 0..50 {
        let mut lengths = [0; 7];
        for ((buffer, length), message) in buffers.iter_mut().zip(&mut lengths).zip(&messages) {
            buffer[..message.len()].copy_from_slice(message);
            *length = message.len();
        }
        world.responder.answer_batch(
            &snapshot,
            asker.now,
            &mut buffers,
            &mut lengths,
            |_| asker.address,
            &world.counters,
        );
        octets += lengths.iter().sum::<usize>();
    }
    let after = ALLOCATIONS.get();
    assert!(octets > 10_000);
    assert_eq!(after - before, 0);
}

#[test]
fn nor_do_zones_from_files() {
    let world = crate::statics::world();
    let questions = [
        "7.0.51.198.file.test. A",
        "7.0.51.198.file.test. TXT +edns",
        "9.9.9.9.file.test. A",
        "51.198.file.test. A",
        "a.ex.names.file.test. TXT",
        "www.file.test. A",
        "file.test. SOA",
        "1.2.0.192.all TXT",
        "8.0.51.198.all TXT",
    ]
    .map(query);
    let snapshot = world.book.snapshot();
    let asker = asker(Transport::Udp { max: 1232 });
    let mut out = [0; 1232];
    let before = ALLOCATIONS.get();
    let mut octets = 0;
    for question in &questions {
        octets += world.responder.answer(&snapshot, &asker, question, &mut out, &world.counters);
    }
    let after = ALLOCATIONS.get();
    assert!(octets > 400);
    assert_eq!(after - before, 0);
}
