//! The book at any past moment is told as it was then.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base::{EventKind, Evidence, ListId, Listing, Maker, Network, RuleId, Subject, Timestamp, Until};
use listings::{Book, Bulk, Cause, Change, Entry, NeverList, Wish};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use store::{Asked, Batch, KeptEvent, Limits, PastListing, PastMaker, Store, Then};

use crate::given::{self, PATIENCE};

const LISTS: [ListId; 2] = [ListId::BLOCKED, ListId::new(1)];

/// A book with the store behind it, as a node has them.
struct Kept {
    book: Arc<Book>,
    store: Store,
}

fn open(directory: &Path, now: Timestamp, limits: Limits) -> Kept {
    let (opened, restored) = Store::open(directory, given::names(), Timestamp::EPOCH, limits).unwrap();
    let book = Arc::new(Book::new(NeverList::new([], [])));
    book.restore(now, restored.serial, restored.listings);
    for bulk in restored.bulks {
        book.restore_bulk(now, bulk.bulk.clone(), bulk.networks());
    }
    let journal = Arc::clone(&book);
    let store = opened.start(move |into| journal.drain_journal(into)).unwrap();
    Kept { book, store }
}

fn network(n: u8) -> Network {
    let text = match n % 3 {
        0 => format!("20.0.0.{n}"),
        1 => format!("20.0.{n}.0/24"),
        _ => format!("2001:db8:0:{n:x}::/64"),
    };
    text.parse().unwrap()
}

fn person() -> Maker {
    Maker::Person { name: "ann'; --".into(), reason: "import of a".into() }
}

/// One change or another of the book.
fn change(book: &Book, now: Timestamp, (what, n, set): (u8, u8, &std::collections::BTreeSet<u8>)) {
    let until = Until::At(now.plus(Duration::from_secs(u64::from(n))));
    let list = LISTS[usize::from(n % 2)];
    let evidence = Evidence { count: u32::from(n), distinct: 0, first: now, last: now };
    let wish = |maker| Wish { subject: network(n).into(), list, until, maker, evidence };
    match what {
        // The book may refuse: then nothing changed.
        0..=2 => _ = book.list(now, wish(person())),
        3..=5 => _ = book.list(now, wish(Maker::Rule(RuleId(u16::from(n % 2))))),
        6 => _ = book.renew(now, wish(Maker::Rule(RuleId(0)))),
        7 | 8 => drop(book.unlist(now, &network(n).into(), None, "ben")),
        9 => _ = book.expire(now),
        _ => {
            let bulk = Bulk { list: LISTS[1], since: now, until, maker: person() };
            let mut networks: Vec<Network> = set.iter().copied().map(network).collect();
            networks.sort_unstable();
            drop(book.replace(now, bulk, networks.into_iter().map(Ok::<_, Infallible>), None));
        }
    }
}

/// All listings as the store tells them, in an order of their own.
fn content(book: &Book) -> Vec<PastListing> {
    let names = given::names();
    let past = |listing: Listing| PastListing {
        list: names.lists[listing.list.index()].as_str().into(),
        subject: listing.subject,
        since: listing.since,
        until: listing.until,
        maker: match listing.maker {
            Maker::Rule(rule) => PastMaker::Rule(names.rules[usize::from(rule.0)].as_str().into()),
            Maker::Person { name, reason } => PastMaker::Person { name, reason },
        },
        evidence: listing.evidence,
    };
    sorted(book.all(None, usize::MAX).into_iter().map(past).collect())
}

fn sorted(mut listings: Vec<PastListing>) -> Vec<PastListing> {
    listings.sort_by_key(|listing| (listing.list.clone(), listing.subject.clone()));
    listings
}

fn told(store: &Store, moment: Timestamp, asked: Asked<'_>) -> Vec<PastListing> {
    match store.at(moment, asked, usize::MAX).unwrap() {
        Then::Known { listings, .. } => sorted(listings),
        Then::Forgotten { from } => panic!("forgotten up to {from}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_past_moment_is_told_as_it_was(
        steps in vec((0_u8..13, 1_u8..40, btree_set(1_u8..40, 0..20), -3_i64..9), 1..40),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let mut now = Timestamp::from_secs(1000);
        let mut kept = open(directory.path(), now, given::limits());
        // What the book was after each change, by its moment; the clock may go back.
        let (mut then, mut serial) = (vec![(Timestamp::EPOCH, Vec::new())], 0);
        for (what, n, set, seconds) in &steps {
            now = Timestamp::from_millis(now.as_millis().saturating_add_signed(seconds * 1000));
            if *what == 12 {
                kept.store.close().unwrap();
                drop(kept.store);
                kept = open(directory.path(), now, given::limits());
                // The numbers may have gone on though nothing has changed.
                if then.last().is_some_and(|(_, last)| *last == content(&kept.book)) {
                    serial = kept.book.serial();
                }
            } else {
                change(&kept.book, now, (*what, *n, set));
            }
            kept.store.flush(PATIENCE).unwrap();
            if std::mem::replace(&mut serial, kept.book.serial()) != serial {
                then.push((now, content(&kept.book)));
            }
        }
        for (moment, _) in &then {
            let expected = &then.iter().rfind(|(at, _)| at <= moment).unwrap().1;
            prop_assert_eq!(&told(&kept.store, *moment, Asked::default()), expected, "at {}", moment);
            for list in ["blocked", "auth"] {
                let part: Vec<_> = expected.iter().filter(|listing| &*listing.list == list).cloned().collect();
                prop_assert_eq!(told(&kept.store, *moment, Asked { list: Some(list), subject: None }), part);
            }
            let subject: Subject = network(7).into();
            let part: Vec<_> = expected.iter().filter(|listing| listing.subject == subject).cloned().collect();
            prop_assert_eq!(told(&kept.store, *moment, Asked { list: None, subject: Some(&subject) }), part);
        }
    }
}

#[test]
fn what_retention_took_is_said_to_be_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { journal_rows_max: 10, ..given::limits() };
    let (store, _, outbox) = given::open_with(directory.path(), given::names(), limits);
    for serial in 1..=100 {
        let change = Change::Listed(given::listing(&format!("20.0.0.{serial}"), 1));
        outbox.lock().unwrap().push(Entry { serial, at: Timestamp::from_secs(serial), change });
    }
    store.flush(PATIENCE).unwrap();
    // The sweep follows the transaction; closing waits for both.
    store.close().unwrap();
    drop(store);
    let (store, _, _) = given::open_with(directory.path(), given::names(), limits);
    let from = store.past_from().unwrap().expect("most is deleted");
    assert_eq!(from, Timestamp::from_secs(91));
    assert_eq!(store.at(Timestamp::from_secs(90), Asked::default(), 1).unwrap(), Then::Forgotten { from });
    for moment in [91, 95, 100, 1_000_000] {
        assert_eq!(told(&store, Timestamp::from_secs(moment), Asked::default()).len() as u64, moment.min(100));
    }
}

#[test]
fn a_gap_in_the_journal_is_no_lie_about_the_past() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _, outbox) = given::open(directory.path());
    let listing = given::listing("20.0.0.1", 1);
    let mut entries = Vec::new();
    // More than the writer takes at once, all about one subject: it thins them out.
    for serial in (1..=250_001).step_by(2) {
        let at = Timestamp::from_millis(serial);
        entries.push(Entry { serial, at, change: Change::Listed(listing.clone()) });
        let change = Change::Unlisted { listing: listing.clone(), cause: Cause::Expired };
        entries.push(Entry { serial: serial + 1, at, change });
    }
    outbox.lock().unwrap().append(&mut entries);
    store.flush(PATIENCE).unwrap();
    let from = Timestamp::from_millis(250_001);
    assert_eq!(store.at(Timestamp::from_millis(100), Asked::default(), 9).unwrap(), Then::Forgotten { from });
    assert_eq!(told(&store, from, Asked::default()), []);
}

#[test]
fn failed_logins_are_read_back_further_than_the_rest() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _, _) = given::open(directory.path());
    let kinds = [EventKind::LoginFailed, EventKind::LoginOk];
    let events =
        (0..10).flat_map(|second| kinds.map(|kind| KeptEvent { kind, ..given::event(second * 1000, "20.0.0.1", "a") }));
    store.push(Batch { events: events.collect(), ..Batch::default() });
    store.close().unwrap();
    drop(store);
    let read = |further, most| {
        let limits =
            Limits { failures_further: Duration::from_secs(further), failures_restored_max: most, ..given::limits() };
        let (_, restored) = Store::open(directory.path(), given::names(), Timestamp::from_secs(8), limits).unwrap();
        let text = |event: &KeptEvent| {
            let kind = if event.kind == EventKind::LoginFailed { "-" } else { "+" };
            format!("{kind}{}", event.time.as_secs())
        };
        restored.events.iter().map(text).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(read(0, 100), "-8 +8 -9 +9");
    assert_eq!(read(3, 100), "-5 -6 -7 -8 +8 -9 +9");
    assert_eq!(read(1000, 2), "-6 -7 -8 +8 -9 +9");
}
