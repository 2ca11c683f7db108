use std::sync::{Arc, Mutex};

use base::{Channel, EventKind, Tally, Timestamp};

use super::*;
use crate::limits::ROWS_ASKED_MAX;
use crate::records::{Batch, KeptEvent, Position};
use crate::schema::{STEPS, migrate};

fn event(session: &str) -> KeptEvent {
    KeptEvent {
        time: Timestamp::from_millis(1),
        kind: EventKind::Connect,
        service: "smtp".into(),
        address: None,
        login: None,
        session: Some(session.into()),
        password: None,
        channel: Channel::Front,
        tally: Tally::One,
        reporter: None,
        exceeded: None,
    }
}

fn count(connection: &Connection, what: &str) -> i64 {
    connection.query_row(&format!("SELECT {what}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn on_a_full_disk_all_waits_and_nothing_is_torn() {
    let directory = tempfile::tempdir().unwrap();
    let mut connection = Connection::open(directory.path().join("full.db")).unwrap();
    migrate(&mut connection, 0, STEPS).unwrap();
    let pages = count(&connection, "page_count FROM pragma_page_count");
    connection.pragma_update(None, "max_page_count", pages + 3).unwrap();
    let mut writer = Writer::new(connection, Names::default(), Limits::default(), |_: &mut Vec<Entry>| {});
    let queue = Queue::new(ROWS_ASKED_MAX);
    let position = |events| {
        Some(Position { path: "log".into(), device: 0, inode: 0, offset: 0, fingerprint: 0, lines: 0, events })
    };

    queue.push(Batch { events: vec![event("first")], position: position(1), ..Batch::default() });
    assert!(writer.step(&queue, queue.take(Pause::Idle(IDLE))).is_ok());
    for half in 1..=2 {
        queue.push(Batch {
            events: vec![event("more"); 2_000],
            position: position(1 + half * 2_000),
            ..Batch::default()
        });
        assert!(writer.step(&queue, queue.take(Pause::Idle(IDLE))).is_err());
        assert_eq!(count(&writer.connection, "count(*) FROM event"), 1);
        assert_eq!(count(&writer.connection, "events FROM position"), 1);
        let health = queue.health();
        assert_eq!((health.queued as u64, health.failing_since.is_some()), (half * 2_000, true));
        assert!(health.last_error.unwrap().contains("full"));
    }

    writer.connection.pragma_update(None, "max_page_count", i32::MAX).unwrap();
    assert!(writer.step(&queue, queue.take(Pause::Idle(IDLE))).is_ok());
    assert_eq!(count(&writer.connection, "count(*) FROM event"), 4_001);
    assert_eq!(count(&writer.connection, "events FROM position"), 4_001);
    assert_eq!((queue.health().queued, queue.health().failing_since), (0, None));
}

#[test]
fn the_queue_is_taken_before_the_journal_is_drained() {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection, 0, STEPS).unwrap();
    let queue = Arc::new(Queue::new(10));
    let (pushed, in_time) = (Arc::new(Mutex::new(0)), Arc::clone(&queue));
    let counter = Arc::clone(&pushed);
    // A sensor is busy at the worst moment: each time the writer drains the journal, another batch is pushed.
    let drain = move |_: &mut Vec<Entry>| {
        in_time.push(Batch { events: vec![event("late")], ..Batch::default() });
        *counter.lock().unwrap() += 1;
    };
    let mut writer = Writer::new(connection, Names::default(), Limits::default(), drain);
    queue.push(Batch { events: vec![event("early")], ..Batch::default() });
    assert!(writer.step(&queue, queue.take(Pause::Idle(IDLE))).is_ok());
    assert_eq!(*pushed.lock().unwrap(), 1);
    assert_eq!(count(&writer.connection, "count(*) FROM event"), 1, "the late one is of the next transaction");
    assert_eq!(queue.health().queued, 1);
}
