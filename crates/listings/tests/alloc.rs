//! Readers do not allocate: counted, not believed.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use base::{Address, Evidence, ListId, Maker, Network, RuleId, Timestamp, Until};
use listings::{Book, NeverList, Wish};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// Counts what the thread asks of the system's allocator.
struct Counting;

#[expect(unsafe_code, reason = "an allocator cannot be written otherwise; it only counts and hands on")]
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as asked of us.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as asked of us.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `work` allocates on this thread.
fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[test]
fn readers_do_not_allocate() {
    let book = Book::new(NeverList::new(["192.0.2.0/24".parse().unwrap()], []));
    let wish = |text: &str, list| Wish {
        subject: text.parse().unwrap(),
        list,
        until: Until::At(Timestamp::from_secs(60)),
        maker: Maker::Rule(RuleId(1)),
        evidence: Evidence::default(),
    };
    let now = Timestamp::from_secs(1);
    let many = (0..20_000).map(|n| wish(&format!("198.51.{}.{}", n / 256, n % 256), ListId::new(n % 4)));
    assert!(book.list_many(now, many).iter().all(Result::is_ok));
    for text in ["198.51.0.0/16", "2001:db8::/64", "2001:db8::7", "login:bob"] {
        book.list(now, wish(text, ListId::BLOCKED)).unwrap();
    }
    let addresses = ["198.51.7.7", "203.0.113.7", "2001:db8::7", "2001:db8::8", "2001:db9::"];
    let addresses = addresses.map(|text| text.parse::<Address>().unwrap());
    let networks: [Network; 3] = ["198.0.0.0/8", "198.51.7.0/24", "2001:db8::/48"].map(|text| text.parse().unwrap());

    assert!(allocations(|| drop(Box::new(7))) > 0, "the counter counts");
    let mut reader = book.reader();
    // The first look of a thread sets up its place in arc-swap.
    reader.snapshot();
    book.list(now, wish("login:ann", ListId::BLOCKED)).unwrap();
    let mut found = 0;
    let counted = allocations(|| {
        for address in addresses {
            let snapshot = reader.snapshot();
            found += usize::from(!snapshot.lists_of(address).is_empty());
            found += usize::from(snapshot.block_of_address(address).is_some());
            found += usize::from(book.never_list().covers_address(address));
        }
        for network in networks {
            found += usize::from(!reader.snapshot().lists_below(network).is_empty());
        }
        for login in ["ann", "bob", "carl"] {
            found += usize::from(reader.snapshot().block_of_login(login).is_some());
        }
        found += usize::from(book.snapshot().serial() > 0);
    });
    assert_eq!((counted, found), (0, 12));
}
