//! What secondaries have is made again after restarts, however the history is cut: exactly, or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base::{Evidence, ListId, Maker, Network, Timestamp, Until};
use listings::{Before, Book, Bulk, NeverList, Wish};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use store::{Names, Outset, Store};
use tempfile::TempDir;

use crate::given::{self, PATIENCE};

const LISTS: [ListId; 2] = [ListId::new(1), ListId::new(2)];

type Content = BTreeSet<(ListId, Network)>;

/// A node's book and store.
struct Node {
    directory: TempDir,
    book: Arc<Book>,
    store: Store,
    /// Whether the writer gets what changes.
    is_drained: Arc<AtomicBool>,
    begun: u64,
    before: Before,
}

fn names() -> Names {
    Names { lists: vec!["blocked".into(), "auth".into(), "dyna".into()], rules: vec![] }
}

fn start(directory: TempDir) -> Node {
    let (opened, restored) = Store::open(directory.path(), names(), Timestamp::EPOCH, given::limits()).unwrap();
    let book = Arc::new(Book::new(NeverList::new([], [])));
    book.restore(Timestamp::EPOCH, restored.serial, restored.listings);
    for bulk in &restored.bulks {
        book.restore_bulk(Timestamp::EPOCH, bulk.bulk.clone(), bulk.networks());
    }
    let is_drained = Arc::new(AtomicBool::new(true));
    let (journal, drained, older) = (Arc::clone(&book), Arc::clone(&is_drained), opened.older_changes());
    let outset = Outset { is_exact: restored.is_exact, ..Outset::default() };
    let drain = move |into: &mut Vec<_>| {
        if drained.load(Ordering::Relaxed) {
            journal.drain_journal(into);
        }
    };
    let store = opened.start_from(outset, drain).unwrap();
    let before = older.read(restored.serial, 1000).unwrap();
    Node { directory, book, store, is_drained, begun: restored.serial, before }
}

fn maker() -> Maker {
    Maker::Person { name: "ann".into(), reason: "test".into() }
}

fn network(n: u8) -> Network {
    let text = if n.is_multiple_of(2) { format!("20.0.0.{n}") } else { format!("2001:db8:0:{n:x}::/64") };
    text.parse().unwrap()
}

fn list_or_not(book: &Book, n: u8, list: ListId) {
    let (subject, now) = (network(n).into(), Timestamp::EPOCH);
    if book.unlist(now, &subject, Some(list), "ann").is_empty() {
        let wish = Wish { subject, list, until: Until::Never, maker: maker(), evidence: Evidence::default() };
        book.list(now, wish).unwrap();
    }
}

fn replace(book: &Book, list: ListId, set: BTreeSet<u8>) {
    let mut networks: Vec<Network> = set.into_iter().map(network).collect();
    networks.sort_unstable();
    let bulk = Bulk { list, since: Timestamp::EPOCH, until: Until::Never, maker: maker() };
    book.replace(Timestamp::EPOCH, bulk, networks.into_iter().map(Ok::<_, Infallible>), None).unwrap();
}

fn content(book: &Book) -> Content {
    let snapshot = book.snapshot();
    let on = |list| snapshot.tree().on_list(list).map(move |network| (list, network)).collect::<Vec<_>>();
    LISTS.into_iter().flat_map(on).collect()
}

/// What the book was with the number `serial`, if that is known.
fn past(before: &Before, mut content: Content, serial: u64) -> Option<Content> {
    let is_unknown = before.unknown.iter().any(|(last, start)| *last < serial && serial < *start);
    if serial < before.whole_from || is_unknown {
        return None;
    }
    for step in before.steps.iter().rev().take_while(|step| step.serial > serial) {
        let place = (step.list, step.network);
        if step.was_listed {
            content.insert(place)
        } else {
            content.remove(&place)
        };
    }
    Some(content)
}

/// The files as they are at this moment, as if the process had been killed.
fn copy(from: &Path) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    for file in ["ratter.db", "ratter.db-wal"] {
        let source = from.join(file);
        if source.exists() {
            std::fs::copy(source, to.path().join(file)).unwrap();
        }
    }
    to
}

/// A person's hand in the file of a node that is stopped.
fn tamper(directory: &Path, statement: &str) {
    let database = rusqlite::Connection::open(directory.join("ratter.db")).unwrap();
    database.execute(statement, []).unwrap();
}

/// What a person might do; after it only some numbers, or none, are certain.
const TAMPERING: [&str; 5] = [
    "DELETE FROM listing WHERE subject = (SELECT min(subject) FROM listing)",
    "UPDATE OR REPLACE listing SET subject = '20.0.0.200' WHERE subject = (SELECT min(subject) FROM listing)",
    "DELETE FROM journal WHERE serial = (SELECT serial FROM journal ORDER BY serial DESC LIMIT 1 OFFSET 2)",
    "DELETE FROM journal WHERE serial = (SELECT max(serial) FROM journal)",
    "DELETE FROM bulk_past WHERE serial = (SELECT max(serial) FROM bulk_past)",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn the_past_is_exact_or_unknown(steps in vec((0_u8..20, 0_u8..12, btree_set(0_u8..12, 0..8)), 1..40)) {
        let mut node = start(tempfile::tempdir().unwrap());
        // What was seen with each number, however the process ended that gave it out.
        let mut seen: BTreeMap<u64, Content> = [(node.begun, content(&node.book))].into();
        let mut certain = node.begun;
        for (what, n, set) in steps {
            match what {
                0..=9 => list_or_not(&node.book, n, LISTS[usize::from(what % 2)]),
                10 | 11 => replace(&node.book, LISTS[usize::from(what % 2)], set),
                12 | 13 => {
                    node.store.flush(PATIENCE).unwrap();
                    certain = node.book.serial();
                }
                14..=16 => {
                    // Killed when some changes were seen that are not in the file.
                    node.store.flush(PATIENCE).unwrap();
                    certain = node.book.serial();
                    node.is_drained.store(false, Ordering::Relaxed);
                    for n in 0..n {
                        list_or_not(&node.book, n, LISTS[0]);
                        seen.insert(node.book.serial(), content(&node.book));
                    }
                    node = start(copy(node.directory.path()));
                }
                17 | 18 => {
                    node.store.close().unwrap();
                    certain = node.book.serial();
                    let Node { directory, store, .. } = node;
                    drop(store);
                    node = start(directory);
                }
                _ => {
                    node.store.close().unwrap();
                    let Node { directory, store, .. } = node;
                    drop(store);
                    tamper(directory.path(), TAMPERING[usize::from(n) % TAMPERING.len()]);
                    node = start(directory);
                    certain = node.begun;
                }
            }
            let now = content(&node.book);
            prop_assert!(!seen.contains_key(&node.begun) || seen[&node.begun] == now || node.book.serial() != node.begun);
            if node.book.serial() == node.begun {
                for (serial, then) in &seen {
                    let known = past(&node.before, now.clone(), *serial);
                    prop_assert!(known.as_ref().is_none_or(|known| known == then), "{serial}: {known:?}, was {then:?}");
                    prop_assert!(known.is_some() || *serial != certain, "{serial} was certain: {:?}", node.before);
                }
            }
            seen.insert(node.book.serial(), now);
        }
    }
}

#[test]
fn one_change_by_hand_and_nothing_is_certain() {
    for (statement, is_certain) in [("UPDATE owner SET at = 0", true), (TAMPERING[0], false), (TAMPERING[1], false)] {
        let node = start(tempfile::tempdir().unwrap());
        for n in 0..4 {
            list_or_not(&node.book, n, LISTS[0]);
        }
        let last = node.book.serial();
        node.store.close().unwrap();
        let Node { directory, store, .. } = node;
        drop(store);
        tamper(directory.path(), statement);
        let node = start(directory);
        assert_eq!(node.before.whole_from <= last, is_certain, "{statement}");
        // What is there now is what the next start finds.
        node.store.close().unwrap();
        let Node { directory, store, begun, .. } = node;
        drop(store);
        assert!(start(directory).before.whole_from <= begun, "{statement}");
    }
}
