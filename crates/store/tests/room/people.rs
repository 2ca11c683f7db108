//! What people ask.

use base::{Address, Network, Subject, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use store::{Batch, KeptEvent, PastChange, PastMaker};

use crate::given::{self, PATIENCE};
use listings::{Cause, Change, Entry};

/// Which of `events` are about the subject, in the simplest way: newest first, of equal times the later one first.
fn naive(events: &[KeptEvent], subject: &Subject, since: Timestamp, limit: usize) -> Vec<KeptEvent> {
    let about = |event: &&KeptEvent| match subject {
        Subject::Login(login) => event.login.as_ref() == Some(login),
        Subject::Network(network) => event.address.is_some_and(|address| network.contains(address)),
    };
    let mut found: Vec<_> = events.iter().filter(|event| event.time >= since).filter(about).cloned().collect();
    found.reverse();
    found.sort_by_key(|event| core::cmp::Reverse(event.time));
    found.truncate(limit);
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]
    #[test]
    fn events_are_found_by_login_address_and_network(
        events in vec(given::kept_events(), 1..60),
        lengths in vec((given::addresses(), 0u8..=128), 5),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let (store, _, _) = given::open(directory.path());
        store.push(Batch { events: events.clone(), ..Batch::default() });
        store.flush(PATIENCE).unwrap();
        let mut subjects: Vec<Subject> =
            lengths.into_iter().map(|(address, length)| Network::containing(address, length).into()).collect();
        for event in &events {
            subjects.extend(event.login.clone().map(Subject::Login));
            for length in [0, 8, 23, 24, 32, 48, 64, 128] {
                subjects.extend(event.address.map(|address| Network::containing(address, length).into()));
            }
        }
        for subject in subjects {
            for (since, limit) in [(0, 1000), (5, 1000), (0, 2)] {
                let since = Timestamp::from_millis(since);
                let found = store.events_about(&subject, since, limit).unwrap();
                prop_assert_eq!(found, naive(&events, &subject, since, limit), "{}", subject);
            }
        }
    }
}

#[test]
fn history_tells_of_the_subject_and_of_networks_around_it() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _, outbox) = given::open(directory.path());
    let one = given::listing("192.0.2.1", 0);
    let removed = Cause::Removed { by: "eve".into() };
    let changes = [
        Change::Listed(one.clone()),
        Change::Unlisted { listing: one.clone(), cause: Cause::Expired },
        Change::Listed(given::listing("192.0.2.0/24", 1)),
        Change::Listed(given::listing("192.0.2.2", 0)),
        Change::Listed(given::listing("login:alice", 0)),
        Change::Unlisted { listing: one, cause: removed },
    ];
    for (serial, change) in (1..).zip(changes) {
        outbox.lock().unwrap().push(Entry { serial, at: Timestamp::from_secs(serial), change });
    }
    store.flush(PATIENCE).unwrap();
    let serials = |subject: &str, limit| {
        let past = store.history(&subject.parse().unwrap(), limit).unwrap();
        past.into_iter().map(|past| past.serial).collect::<Vec<_>>()
    };
    assert_eq!(serials("192.0.2.1", 9), [6, 3, 2, 1]);
    assert_eq!(serials("192.0.2.1", 2), [6, 3]);
    assert_eq!(serials("192.0.2.0/24", 9), [3]);
    assert_eq!(serials("alice", 9), [5]);
    assert_eq!(serials("2001:db8::1", 9), [0; 0]);
    let last = store.history(&"192.0.2.1".parse().unwrap(), 1).unwrap().remove(0);
    assert_eq!(last.change, PastChange::Removed { by: "eve".into() });
    assert_eq!((&*last.list, last.maker), ("blocked", PastMaker::Rule("guesses".into())));
    assert_eq!(last.at, Timestamp::from_secs(6));
}

#[test]
fn audits_come_newest_first_and_cut() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _, _) = given::open(directory.path());
    store.audit("root", "unlist 192.0.2.1");
    store.audit("root", &"x".repeat(5000));
    store.flush(PATIENCE).unwrap();
    let audits = store.audits(9).unwrap();
    assert_eq!(audits.iter().map(|audit| audit.what.len()).collect::<Vec<_>>(), [1024, 16]);
    assert!(audits[0].at >= audits[1].at && &*audits[1].who == "root");
}

#[test]
fn a_long_question_does_not_hold_up_the_writer() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _, _) = given::open(directory.path());
    let reader = rusqlite::Connection::open(store.path()).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM event").unwrap();
    store.push(given::events(3));
    store.flush(PATIENCE).unwrap();
    let seen: i64 = reader.query_row("SELECT count(*) FROM event", [], |row| row.get(0)).unwrap();
    assert_eq!((seen, store.health().last_error), (0, None), "the reader sees its moment, the writer writes on");
    let address: Address = "192.0.2.1".parse().unwrap();
    assert_eq!(store.events_about(&address.into(), Timestamp::EPOCH, 9).unwrap().len(), 3);
}

#[test]
fn what_limits_stopped_is_known_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _, _) = given::open(directory.path());
    let told = |time: u64, limit: Option<&str>| KeptEvent {
        exceeded: limit.map(|limit| (limit.into(), Some("example.net".into()))),
        ..given::event(time, "192.0.2.1", "alice")
    };
    let events = vec![told(1, Some("a")), told(3, None), told(2, Some("b"))];
    store.push(Batch { events, ..Batch::default() });
    drop(store);
    let (store, ..) = given::open(directory.path());
    let limits = |most| -> Vec<(Box<str>, Option<Box<str>>)> {
        store.exceeded(most).unwrap().into_iter().filter_map(|event| event.exceeded).collect()
    };
    assert_eq!(limits(9), ["b", "a"].map(|limit| (limit.into(), Some("example.net".into()))));
    assert_eq!(limits(1).len(), 1);
}

#[test]
fn what_others_reported_is_known_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _, _) = given::open(directory.path());
    let told = |time: u64, reporter: Option<&str>| KeptEvent {
        session: Some(format!("report-{time}").into()),
        reporter: reporter.map(|name| (name.into(), 50)),
        ..given::event(time, "192.0.2.1", "alice")
    };
    let events = vec![told(1, Some("old")), told(20, Some("mx2")), told(21, None), told(22, Some("partner"))];
    store.push(Batch { events, ..Batch::default() });
    drop(store);
    let (store, ..) = given::open(directory.path());
    let all = store.reported(Timestamp::from_millis(10), 99).unwrap();
    let shown: Vec<_> =
        all.iter().map(|told| format!("{} {} {}", told.reporter, told.session, told.time.as_millis())).collect();
    assert_eq!(shown, ["partner report-22 22", "mx2 report-20 20"]);
    assert_eq!(store.reported(Timestamp::EPOCH, 1).unwrap().len(), 1);
}
