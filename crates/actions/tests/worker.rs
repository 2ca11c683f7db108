//! Workers: what they miss they ask for, what fails they try again, and nobody waits for them.

#![expect(clippy::disallowed_methods, reason = "tests read the clock and files")]

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actions::io::{MAP_PACE, MapAction, QUEUED_MAX, Shelf, Surroundings, Worker};
use actions::map::{Format, Style};
use actions::{Health, Words};
use base::{Evidence, ListId, ListSet, Maker, RuleId, Subject, Timestamp, Until};
use listings::{Book, Entry, NeverList, Wish};

const BLOCKED: ListSet = ListSet::EMPTY.with(ListId::BLOCKED);

fn clock() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().expect("the clock is set");
    Timestamp::from_millis(u64::try_from(since.as_millis()).expect("not that late"))
}

fn list(book: &Book, subject: &str) {
    let subject: Subject = subject.parse().expect("a subject");
    let until = Until::At(clock().plus(Duration::from_mins(10)));
    let (maker, evidence) = (Maker::Rule(RuleId(0)), Evidence::default());
    book.list(clock(), Wish { subject, list: ListId::BLOCKED, until, maker, evidence }).expect("it can be listed");
}

fn drained(book: &Book) -> Vec<Entry> {
    let mut entries = Vec::new();
    book.drain_journal(&mut entries);
    entries
}

/// Looks until it is true, for as long as a busy machine may take.
fn wait(what: &str, mut is_true: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_true() {
        assert!(began.elapsed() < Duration::from_secs(30), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

struct Scene {
    folder: tempfile::TempDir,
    book: Arc<Book>,
    shelf: Arc<Shelf>,
}

impl Scene {
    fn new() -> Self {
        let book = Arc::new(Book::seeded(NeverList::new([], []), 7));
        Self { folder: tempfile::tempdir().expect("a folder"), book, shelf: Arc::default() }
    }

    fn start(&self) -> Worker {
        let style = Style { format: Format::Plain, answer: String::new() };
        let words = Arc::new(Words::default());
        let path = self.folder.path().join("sub/map");
        let action =
            Box::new(MapAction::new(path, Box::new(|_| Ok(())), BLOCKED, style, words, Some(self.shelf.clone())));
        let surroundings = Surroundings { book: self.book.clone(), clock };
        Worker::start("map", action, BLOCKED, MAP_PACE, surroundings).expect("a thread")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.folder.path().join("sub/map")).unwrap_or_default()
    }
}

#[test]
fn a_failing_map_is_tried_again_and_nobody_waits() {
    let scene = Scene::new();
    list(&scene.book, "192.0.2.1");
    let worker = scene.start();
    wait("the first failure", || worker.health().failed > 0);
    let health = worker.health();
    assert!(health.fault.expect("it says why").contains("No such file"), "{:?}", worker.health());
    assert!(health.behind_since.is_some() && scene.shelf.get().is_none());
    list(&scene.book, "192.0.2.2");
    worker.push(&drained(&scene.book));

    fs::create_dir(scene.folder.path().join("sub")).expect("a folder");
    wait("the map", || scene.text() == "192.0.2.1\n192.0.2.2\n");
    wait("health", || worker.health().behind_since.is_none());
    let Health { done, fault, entries, left_out, shed, .. } = worker.health();
    assert_eq!((done, fault, entries, left_out, shed), (1, None, 2, 0, 0));
    let served = scene.shelf.get().expect("it is served");
    assert_eq!((&*served.text, served.version), (&b"192.0.2.1\n192.0.2.2\n"[..], 1));
}

#[test]
fn what_is_shed_is_counted_and_the_map_is_whole_again() {
    let scene = Scene::new();
    fs::create_dir(scene.folder.path().join("sub")).expect("a folder");
    let worker = scene.start();
    wait("the empty map", || worker.health().done == 1);
    list(&scene.book, "192.0.2.1");
    let entry = drained(&scene.book).remove(0);
    list(&scene.book, "192.0.2.2");
    // More than there is room for, in one go: none of them reaches the action.
    worker.push(&vec![entry; QUEUED_MAX + 1]);
    wait("the map", || scene.text() == "192.0.2.1\n192.0.2.2\n");
    assert_eq!(worker.health().shed, QUEUED_MAX as u64 + 1);
}

#[test]
fn what_was_pushed_last_is_written_before_the_end() {
    let scene = Scene::new();
    fs::create_dir(scene.folder.path().join("sub")).expect("a folder");
    let worker = scene.start();
    wait("the empty map", || worker.health().done == 1);
    list(&scene.book, "192.0.2.9");
    worker.push(&drained(&scene.book));
    drop(worker);
    assert_eq!(scene.text(), "192.0.2.9\n");
}
