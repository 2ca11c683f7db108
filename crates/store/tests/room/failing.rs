//! A store that cannot write: nothing stops, nothing that may not be lost is lost, and all is written afterwards.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use store::{Batch, Limits};

use crate::given::{self, PATIENCE};
use listings::{Change, Entry};

/// Another program that holds the file for writing.
fn locked(path: &Path) -> Connection {
    let other = Connection::open(path).unwrap();
    other.busy_timeout(PATIENCE).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    other
}

fn limits() -> Limits {
    Limits { events_queued_max: 10, ..given::limits() }
}

#[test]
fn what_waits_is_bounded_and_written_later() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _, outbox) = given::open_with(directory.path(), given::names(), limits());
    let other = locked(store.path());
    for line in 1..=5 {
        let change = Change::Listed(given::listing(&format!("192.0.2.{line}"), 0));
        outbox.lock().unwrap().push(Entry { serial: line, at: base::Timestamp::EPOCH, change });
        store.push(Batch { position: Some(given::position("log", line, line * 3)), ..given::events(3) });
    }
    let error = store.flush(Duration::from_millis(700)).unwrap_err();
    assert!(error.to_string().contains("locked"), "{error}");
    let health = store.health();
    assert!(health.failing_since.is_some());
    assert_eq!((health.queued, health.events_shed), (10, 5));
    store.push(given::events(1));
    assert_eq!(store.health().events_shed, 6);

    other.execute_batch("ROLLBACK").unwrap();
    store.flush(PATIENCE).unwrap();
    let health = store.health();
    assert_eq!((health.failing_since, health.queued, health.events_written), (None, 0, 10));
    assert!(health.last_error.is_some(), "it stays to be seen");
    drop(store);
    let (_, restored, _) = given::open_with(directory.path(), given::names(), limits());
    assert_eq!((restored.listings.len(), restored.events.len()), (5, 10));
    assert!(restored.serial >= 5);
    assert_eq!(restored.positions, [given::position("log", 5, 15)], "the last one");
}

#[test]
fn a_failing_store_closes_in_time_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _, _) = given::open(directory.path());
    let other = locked(store.path());
    store.push(given::events(1));
    let error = store.close().unwrap_err();
    assert!(error.to_string().contains("locked"), "{error}");
    assert_eq!(store.health().queued, 1);
    assert!(store.flush(PATIENCE).is_err(), "returns at once: nobody writes any more");
    other.execute_batch("ROLLBACK").unwrap();
}

#[test]
fn a_panic_of_the_journal_is_an_error_like_others() {
    let directory = tempfile::tempdir().unwrap();
    let (opened, _) = store::Store::open(directory.path(), given::names(), base::Timestamp::EPOCH, limits()).unwrap();
    let mut calls = 0;
    let store = opened
        .start(move |_| {
            calls += 1;
            assert!(calls > 2, "the first two calls fail");
        })
        .unwrap();
    store.push(given::events(2));
    store.flush(PATIENCE).unwrap();
    let health = store.health();
    assert_eq!((health.events_written, health.failing_since), (2, None));
    assert!(health.last_error.unwrap().contains("panicked"));
}
