//! Prints what a book of random IPv4 addresses costs: bytes per address, time to load, to look up and to change.
//!
//! `cargo run --release -p ratter-listings --example footprint`
#![expect(clippy::disallowed_methods, reason = "it measures time")]
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base::{Address, Evidence, ListId, ListSet, Listing, Maker, Network, RuleId, Timestamp, Until};
use listings::tree::{Changes, Tree};
use listings::{Book, NeverList, Wish};

/// Bytes on the heap, each piece rounded up as glibc does: 8 bytes of header, multiples of 16, at least 32.
static HEAP: AtomicUsize = AtomicUsize::new(0);

struct Counting;

const fn rounded(size: usize) -> usize {
    let whole = (size + 8).next_multiple_of(16);
    if whole < 32 { 32 } else { whole }
}

#[expect(unsafe_code, reason = "an allocator cannot be written otherwise; it only counts and hands on")]
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HEAP.fetch_add(rounded(layout.size()), Ordering::Relaxed);
        // SAFETY: as asked of us.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HEAP.fetch_sub(rounded(layout.size()), Ordering::Relaxed);
        // SAFETY: as asked of us.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The random number at `place` of a sequence (splitmix64), but that the low halves are all different, so that
/// they serve as addresses.
const fn number(place: usize) -> u64 {
    let mut high = (place as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    high = (high ^ (high >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    high = (high ^ (high >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    // Each step can be undone, and so gives different numbers for different places.
    let mut low = place as u32;
    low = (low ^ (low >> 16)).wrapping_mul(0x7feb_352d);
    low = (low ^ (low >> 15)).wrapping_mul(0x846c_a68b);
    (high >> 32 << 32) | (low ^ (low >> 16)) as u64
}

/// The first place of those that are not listed at the beginning.
const FRESH: usize = 1 << 30;

fn address(number: u64) -> Address {
    Address::new(IpAddr::V4(Ipv4Addr::from_bits(number as u32)))
}

fn host(number: u64) -> Network {
    Network::containing(address(number), 32)
}

/// The list of a random number, one of four published ones.
fn list(number: u64) -> ListId {
    ListId::new(1 + (number >> 32) as usize % 4)
}

/// The time of one of `count` rounds.
fn each(count: usize, work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed() / count as u32
}

fn measure_tree(count: usize) {
    let before = HEAP.load(Ordering::Relaxed);
    let mut changes = Changes::default();
    for number in (0..count).map(number) {
        changes.set(host(number), ListSet::EMPTY.with(list(number)));
    }
    let mut tree = Tree::default();
    let load = each(1, || tree.apply(&mut changes));
    drop(changes);
    let held = HEAP.load(Ordering::Relaxed) - before;
    let hosts = tree.hosts() as f64;
    println!("tree: {count} random addresses, 4 lists");
    println!("  load unsorted            {load:>9.2?}");
    println!("  bytes per address        {:>9.2} (with the allocator's own)", held as f64 / hosts);
    let listed = (0..count).step_by(7).map(|place| address(number(place * 5 % count)));
    let probes: Vec<Address> =
        listed.zip((FRESH..).map(|place| address(number(place)))).flat_map(|(a, b)| [a, b]).collect();
    let lookup = each(probes.len(), || {
        black_box(probes.iter().filter(|address| !tree.lists_of(**address).is_empty()).count());
    });
    println!("  lookup, half of them hit {lookup:>9.2?}");
    let below = each(probes.len(), || {
        let networks = probes.iter().map(|address| Network::containing(*address, 24));
        black_box(networks.filter(|network| !tree.lists_below(*network).is_empty()).count());
    });
    println!("  lists below a /24        {below:>9.2?}");
    measure_changes(&mut tree, 100_000, 1);
    measure_changes(&mut tree, 100_000, 1000);
}

/// Changes of which so many are applied at once while the tree before is still held, as by readers.
fn measure_changes(tree: &mut Tree, count: usize, batch: usize) {
    let numbers: Vec<u64> = (FRESH..).take(count).map(number).collect();
    let mut changes = Changes::default();
    let change = each(count, || {
        for numbers in numbers.chunks(batch) {
            let held = tree.clone();
            for number in numbers {
                changes.set(host(*number), ListSet::EMPTY.with(list(*number)));
            }
            tree.apply(&mut changes);
            black_box(held);
        }
    });
    println!("  a change, {batch:>4} at once   {change:>9.2?}");
}

fn listings(count: usize) -> impl Iterator<Item = Listing> {
    (0..count).map(number).map(|number| Listing {
        subject: host(number).into(),
        list: list(number),
        since: Timestamp::from_secs(1),
        until: Until::At(Timestamp::from_secs(1000 + (number >> 32) % 1_000_000)),
        maker: Maker::Rule(RuleId(((number >> 40) % 7) as u16)),
        evidence: if (number >> 48).is_multiple_of(2) {
            Evidence::default()
        } else {
            Evidence { count: 5, ..Evidence::default() }
        },
    })
}

fn measure_book(count: usize) {
    let book = Book::new(NeverList::new([], []));
    let before = HEAP.load(Ordering::Relaxed);
    let restore = each(1, || book.restore(Timestamp::from_secs(2), 0, listings(count)));
    let held = HEAP.load(Ordering::Relaxed) - before;
    println!("book: {count} listings of random addresses, 4 lists, every second with evidence");
    println!("  restore                  {restore:>9.2?}");
    println!("  bytes per listing        {:>9.2} (tree and writers' side)", held as f64 / count as f64);
    let mut journal = Vec::new();
    book.drain_journal(&mut journal);
    let (now, until) = (Timestamp::from_secs(3), Until::At(Timestamp::from_secs(500)));
    let wish = |number| Wish {
        subject: host(number).into(),
        list: list(number),
        until,
        maker: Maker::Rule(RuleId(1)),
        evidence: Evidence::default(),
    };
    let numbers: Vec<u64> = (FRESH..).take(100_000).map(number).collect();
    let mut one = |name: &str, work: &mut dyn FnMut()| {
        println!("  {name} {:>9.2?}", each(50_000, work));
        book.drain_journal(&mut journal);
        journal.clear();
    };
    one("list, one by one        ", &mut || {
        for number in &numbers[..50_000] {
            let _ = black_box(book.list(now, wish(*number)));
        }
    });
    one("list, 1000 at once      ", &mut || {
        for numbers in numbers[50_000..].chunks(1000) {
            black_box(book.list_many(now, numbers.iter().map(|number| wish(*number))));
        }
    });
    one("unlist, one by one      ", &mut || {
        for number in &numbers[..50_000] {
            black_box(book.unlist(now, &host(*number).into(), None, "ann"));
        }
    });
    one("expire, at once         ", &mut || {
        black_box(book.expire(Timestamp::from_secs(500)));
    });
    let mut reader = book.reader();
    let lookup = each(numbers.len(), || {
        black_box(numbers.iter().filter(|n| reader.snapshot().block_of_address(address(**n)).is_some()).count());
    });
    println!("  block of an address      {lookup:>9.2?}");
}

fn main() {
    let wanted: Vec<usize> = std::env::args().skip(1).filter_map(|count| count.parse().ok()).collect();
    for count in if wanted.is_empty() { vec![1_000_000, 10_000_000] } else { wanted } {
        measure_tree(count);
        measure_book(count);
    }
}
