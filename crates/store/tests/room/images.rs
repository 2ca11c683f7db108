//! An image and the journal after it are the book that the tables say, whatever image it is and whenever the process was
//! killed.
#![expect(clippy::disallowed_methods, reason = "the tests damage files")]

use std::convert::Infallible;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use base::{Evidence, ListId, Maker, Network, Subject, Timestamp, Until};
use listings::{Book, Bulk, NeverList, Wish};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use store::{Names, NoImage, Opened, Store};
use tempfile::TempDir;

use crate::given::{self, PATIENCE};

const AUTH: ListId = ListId::new(1);
const IMAGE: &str = "book.image";

/// A book with the store behind it, as a node has them.
struct Kept {
    directory: TempDir,
    book: Arc<Book>,
    store: Store,
    /// Whether it came from an image, or why not.
    image: Result<(), NoImage>,
}

/// Opens a state directory as a node does, at the moment `now`.
fn open(directory: TempDir, names: Names, now: Timestamp) -> Kept {
    let mut opened = Opened::at(directory.path(), names, given::limits()).unwrap();
    let book = Arc::new(Book::new(NeverList::new([], [])));
    let image = opened.image(now).map(|image| image.shown(now, &book.never_list()));
    let mut restored = opened.begin(0).unwrap();
    opened.restore_listings(&mut restored).unwrap();
    match &image {
        Ok(shown) => {
            book.show(restored.serial, shown);
            let at_first = tree(&book);
            let bulks: Vec<_> = restored.bulks.iter().map(|it| (it.bulk.clone(), it.networks_left())).collect();
            assert!(book.restore_shown(now, restored.serial, restored.listings, shown, &bulks));
            assert_eq!(at_first, tree(&book), "answers are right from the first on");
        }
        Err(_) => {
            opened.restore_bulks(&mut restored).unwrap();
            book.restore(now, restored.serial, restored.listings);
            for bulk in restored.bulks {
                book.restore_bulk(now, bulk.bulk.clone(), bulk.networks());
            }
        }
    }
    let journal = Arc::clone(&book);
    let store = opened.start(move |into| journal.drain_journal(into)).unwrap();
    Kept { directory, book, store, image: image.map(drop) }
}

fn tree(book: &Book) -> Vec<Network> {
    (0..2).flat_map(|list| book.snapshot().tree().on_list(ListId::new(list)).collect::<Vec<_>>()).collect()
}

fn network(n: u8) -> Network {
    let text = if n.is_multiple_of(2) { format!("20.0.0.{n}") } else { format!("2001:db8:0:{n:x}::/64") };
    text.parse().unwrap()
}

fn replace(book: &Book, set: impl IntoIterator<Item = u8>, until: Until) {
    let mut networks: Vec<Network> = set.into_iter().map(network).collect();
    networks.sort_unstable();
    let maker = Maker::Person { name: "ann".into(), reason: "import of a".into() };
    let bulk = Bulk { list: AUTH, since: Timestamp::EPOCH, until, maker };
    book.replace(Timestamp::EPOCH, bulk, networks.into_iter().map(Ok::<_, Infallible>), None).unwrap();
}

fn list(book: &Book, subject: Subject, list: ListId, end: u64) {
    let maker = Maker::Person { name: "ben".into(), reason: "seen".into() };
    let until = if end == 0 { Until::Never } else { Until::At(Timestamp::from_secs(end)) };
    // A person's listing replaces another one.
    book.list(Timestamp::EPOCH, Wish { subject, list, until, maker, evidence: Evidence::default() }).unwrap();
}

/// What is in the directory at this moment, as a process leaves it that is killed.
fn killed(kept: &Kept) -> TempDir {
    kept.store.flush(PATIENCE).unwrap();
    let left = tempfile::tempdir().unwrap();
    for file in ["ratter.db", "ratter.db-wal", IMAGE] {
        let path = kept.directory.path().join(file);
        if path.exists() {
            fs::copy(path, left.path().join(file)).unwrap();
        }
    }
    left
}

fn content(book: &Book) -> Vec<String> {
    let mut listings: Vec<String> = book.all(None, 1000).iter().map(|listing| format!("{listing:?}")).collect();
    listings.sort_unstable();
    listings
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn any_image_and_the_journal_are_the_book(
        steps in vec((0_u8..14, 0_u8..40, 0_u64..9, btree_set(0_u8..40, 0..30), any::<prop::sample::Index>()), 1..40),
    ) {
        let start = Timestamp::EPOCH;
        let mut kept = open(tempfile::tempdir().unwrap(), given::names(), start);
        // Every image that was ever written may be the one that is there at a start.
        let mut images: Vec<Vec<u8>> = Vec::new();
        for (what, n, end, set, index) in steps {
            match what {
                0 => replace(&kept.book, set, Until::Never),
                1 | 2 => drop(kept.book.unlist(start, &network(n).into(), None, "ann")),
                3 | 4 => list(&kept.book, network(n).into(), ListId::new(usize::from(n % 2)), end),
                5 => list(&kept.book, format!("login:user{n}").parse().unwrap(), ListId::BLOCKED, end),
                6..=8 => {
                    prop_assert_eq!(kept.store.write_image(&kept.book, PATIENCE).unwrap(), Some(kept.book.serial()));
                    images.push(fs::read(kept.directory.path().join(IMAGE)).unwrap());
                }
                _ => {
                    let left = if what == 9 { kept.store.close().unwrap(); killed_after_close(&kept) } else { killed(&kept) };
                    let before = content(&kept.book);
                    let path = left.path().join(IMAGE);
                    match what {
                        10 if !images.is_empty() => fs::write(&path, &images[index.index(images.len())]).unwrap(),
                        11 if path.exists() => {
                            let bytes = fs::read(&path).unwrap();
                            fs::write(&path, &bytes[..index.index(bytes.len())]).unwrap();
                        }
                        12 => drop(fs::remove_file(&path)),
                        _ => {}
                    }
                    kept = open(left, given::names(), start);
                    prop_assert_eq!(before, content(&kept.book));
                    let is_damaged = matches!(kept.image, Err(NoImage::Damaged | NoImage::Unreadable(_)));
                    prop_assert!(what == 11 || !is_damaged, "{:?}", kept.image);
                    prop_assert!(kept.image.is_ok() || !kept.directory.path().join(IMAGE).exists());
                }
            }
        }
    }
}

/// The directory of a store that was closed.
fn killed_after_close(kept: &Kept) -> TempDir {
    let left = tempfile::tempdir().unwrap();
    for file in
        fs::read_dir(kept.directory.path()).unwrap().map(Result::unwrap).filter(|file| file.file_name() != "lock")
    {
        fs::copy(file.path(), left.path().join(file.file_name())).unwrap();
    }
    left
}

/// A store with a bulk, listings with an end and without, and an image of them.
fn given_kept() -> Kept {
    let kept = open(tempfile::tempdir().unwrap(), given::names(), Timestamp::EPOCH);
    replace(&kept.book, 0..30, Until::Never);
    list(&kept.book, network(31).into(), AUTH, 5);
    list(&kept.book, network(33).into(), ListId::BLOCKED, 0);
    kept.store.write_image(&kept.book, PATIENCE).unwrap();
    kept
}

fn put(directory: &Path, image: &[u8]) {
    fs::write(directory.join(IMAGE), image).unwrap();
}

#[test]
fn what_is_not_the_books_image_is_refused_and_taken_away() {
    let kept = given_kept();
    let image = fs::read(kept.directory.path().join(IMAGE)).unwrap();
    let changed = |at: usize| {
        let mut bytes = image.clone();
        bytes[at] ^= 1;
        bytes
    };
    let cases = [
        ("as it is", image.clone(), None),
        ("of another version", changed(7), Some("it is damaged, or of another store or version")),
        ("a bit is another", changed(image.len() / 2), Some("it is damaged, or of another store or version")),
        ("cut off", image[..image.len() - 1].to_vec(), Some("it is damaged, or of another store or version")),
        ("empty", Vec::new(), Some("it is damaged, or of another store or version")),
    ];
    for (what, image, wanted) in cases {
        let left = killed(&kept);
        put(left.path(), &image);
        let again = open(left, given::names(), Timestamp::EPOCH);
        assert_eq!(again.image.err().map(|reason| reason.to_string()).as_deref(), wanted, "{what}");
        assert_eq!(content(&again.book), content(&kept.book), "{what}");
        assert_eq!(again.directory.path().join(IMAGE).exists(), wanted.is_none(), "{what}");
    }
    let other = open(tempfile::tempdir().unwrap(), given::names(), Timestamp::EPOCH);
    let left = killed(&other);
    put(left.path(), &image);
    assert!(matches!(open(left, given::names(), Timestamp::EPOCH).image, Err(NoImage::Damaged)), "another store's");
}

#[test]
fn an_older_database_does_not_get_a_newer_image() {
    let kept = given_kept();
    let left = killed(&kept);
    list(&kept.book, network(35).into(), AUTH, 0);
    kept.store.write_image(&kept.book, PATIENCE).unwrap();
    put(left.path(), &fs::read(kept.directory.path().join(IMAGE)).unwrap());
    let again = open(left, given::names(), Timestamp::EPOCH);
    assert!(matches!(again.image, Err(NoImage::Ahead)));
    assert!(!again.directory.path().join(IMAGE).exists(), "later it would not look newer");
}

#[test]
fn lists_may_stand_in_another_order() {
    let kept = given_kept();
    let lists =
        |names: &[&str]| Names { lists: names.iter().map(ToString::to_string).collect(), rules: given::names().rules };
    let again = open(killed(&kept), lists(&["blocked", "new", "auth"]), Timestamp::EPOCH);
    assert!(again.image.is_ok());
    assert_eq!((again.book.count(ListId::new(1)), again.book.count(ListId::new(2))), (0, 31));
    let again = open(killed(&kept), lists(&["blocked", "new"]), Timestamp::EPOCH);
    assert!(matches!(again.image, Err(NoImage::OtherLists)));
    assert_eq!(again.book.counters().listings, 1);
}

#[test]
fn what_is_over_is_shown_no_more() {
    let kept = given_kept();
    let again = open(killed(&kept), given::names(), Timestamp::from_secs(5));
    assert!(again.image.is_ok());
    assert_eq!(again.book.snapshot().tree().own_lists(network(31)), base::ListSet::EMPTY);
    // A bulk is over as a whole.
    replace(&kept.book, 0..30, Until::At(Timestamp::from_secs(9)));
    kept.store.write_image(&kept.book, PATIENCE).unwrap();
    assert!(open(killed(&kept), given::names(), Timestamp::from_secs(8)).image.is_ok());
    assert!(matches!(open(killed(&kept), given::names(), Timestamp::from_secs(9)).image, Err(NoImage::Old)));
}
