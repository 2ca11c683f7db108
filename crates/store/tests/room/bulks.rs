//! What was imported as a whole is there again after reopening, with all that happened to it since.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use base::{Evidence, ListId, Maker, Network, Subject, Timestamp, Until};
use listings::{Book, Bulk, NeverList, Wish};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use store::{Limits, Store};

use crate::given::{self, PATIENCE};

const AUTH: ListId = ListId::new(1);

/// A book with the store behind it, as a node has them.
struct Kept {
    book: Arc<Book>,
    store: Store,
    /// Whether every bulk came back whole.
    is_whole: bool,
}

fn open(directory: &Path, limits: Limits) -> Kept {
    let (opened, restored) = Store::open(directory, given::names(), Timestamp::EPOCH, limits).unwrap();
    let book = Arc::new(Book::new(NeverList::new([], [])));
    book.restore(Timestamp::EPOCH, restored.serial, restored.listings);
    let mut is_whole = true;
    for bulk in restored.bulks {
        let mut networks = bulk.networks();
        book.restore_bulk(Timestamp::EPOCH, bulk.bulk.clone(), &mut networks);
        is_whole &= networks.is_whole();
    }
    let journal = Arc::clone(&book);
    let store = opened.start(move |into| journal.drain_journal(into)).unwrap();
    Kept { book, store, is_whole }
}

fn bulk() -> Bulk {
    let maker = Maker::Person { name: "ann'; --".into(), reason: "import of a".into() };
    Bulk { list: AUTH, since: Timestamp::from_secs(1), until: Until::At(Timestamp::from_secs(9)), maker }
}

fn network(n: u8) -> Network {
    let text = if n.is_multiple_of(2) { format!("20.0.0.{n}") } else { format!("2001:db8:0:{n:x}::/64") };
    text.parse().unwrap()
}

fn replace(book: &Book, networks: impl IntoIterator<Item = Network>) {
    let mut networks: Vec<Network> = networks.into_iter().collect();
    networks.sort_unstable();
    book.replace(Timestamp::EPOCH, bulk(), networks.into_iter().map(Ok::<_, Infallible>), None).unwrap();
}

fn list(book: &Book, n: u8) {
    let maker = Maker::Person { name: "ben".into(), reason: "seen".into() };
    let (subject, until) = (Subject::from(network(n)), Until::Never);
    let wish = Wish { subject, list: AUTH, until, maker, evidence: Evidence::default() };
    book.list(Timestamp::EPOCH, wish).unwrap();
}

/// All listings in an order of their own.
fn content(book: &Book) -> Vec<String> {
    let mut listings: Vec<String> = book.all(None, 1000).iter().map(|listing| format!("{listing:?}")).collect();
    listings.sort_unstable();
    listings
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn a_bulk_is_there_again(steps in vec((0_u8..8, 0_u8..40, btree_set(0_u8..40, 0..30)), 0..25)) {
        let directory = tempfile::tempdir().unwrap();
        let mut kept = open(directory.path(), given::limits());
        for (what, n, set) in steps {
            match what {
                0 => replace(&kept.book, set.into_iter().map(network)),
                1..=3 => drop(kept.book.unlist(Timestamp::EPOCH, &network(n).into(), None, "ann")),
                4 | 5 => list(&kept.book, n),
                6 => kept.store.flush(PATIENCE).unwrap(),
                _ => {
                    let (before, serial) = (content(&kept.book), kept.book.serial());
                    kept.store.close().unwrap();
                    drop(kept.store);
                    kept = open(directory.path(), given::limits());
                    prop_assert!(kept.is_whole);
                    prop_assert_eq!(before, content(&kept.book));
                    prop_assert!(kept.book.serial() >= serial);
                }
            }
        }
    }
}

#[test]
fn a_damaged_bulk_is_found_out() {
    let directory = tempfile::tempdir().unwrap();
    let kept = open(directory.path(), given::limits());
    replace(&kept.book, (0..40).map(network));
    list(&kept.book, 0);
    kept.store.close().unwrap();
    drop(kept);
    let database = rusqlite::Connection::open(directory.path().join("ratter.db")).unwrap();
    database.execute("UPDATE bulk_part SET body = substr(body, 1, 12)", []).unwrap();
    drop(database);
    let kept = open(directory.path(), given::limits());
    assert!(!kept.is_whole);
    let networks: Vec<Subject> = kept.book.all(None, 100).into_iter().map(|listing| listing.subject).collect();
    assert_eq!(networks, [0, 2, 4, 6].map(|n| Subject::from(network(n))));
}
