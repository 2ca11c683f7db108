//! What is refused at the start, how it is said, and that it is left as it was; and what earlier versions left behind.
#![expect(clippy::disallowed_methods, reason = "these tests spoil files")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base::{Maker, Timestamp, Until};
use rusqlite::Connection;
use store::{Limits, Store};

use crate::given;
use listings::{Change, Entry};

fn refusal(directory: &Path) -> String {
    match Store::open(directory, given::names(), Timestamp::EPOCH, Limits::default()) {
        Ok(_) => "opened".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// A store with some hundred pages, closed.
fn filled(directory: &Path) {
    let (store, _, outbox) = given::open(directory);
    for line in 1..=5_000 {
        let change = Change::Listed(given::listing(&format!("login:user-{line}"), 0));
        outbox.lock().unwrap().push(Entry { serial: line, at: Timestamp::EPOCH, change });
    }
    store.close().unwrap();
}

/// Spoils the file of a filled store, and expects that it is refused with these words and stays as it is.
fn check(spoil: impl FnOnce(&Path), wanted: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    let file = directory.path().join("ratter.db");
    spoil(&file);
    let before = fs::read(&file).unwrap();
    let message = refusal(directory.path());
    for words in wanted.iter().copied().chain([file.to_str().unwrap()]) {
        assert!(message.contains(words), "`{words}` is not in: {message}");
    }
    assert!(fs::read(&file).unwrap() == before, "the file was changed: {message}");
}

fn sql(statements: &str) -> impl FnOnce(&Path) {
    move |file| {
        let connection = Connection::open(file).unwrap();
        connection.execute_batch(statements).unwrap();
    }
}

fn overwrite(from: usize, count: usize) -> impl FnOnce(&Path) {
    move |file| {
        let mut bytes = fs::read(file).unwrap();
        let end = bytes.len().min(from + count);
        bytes[from..end].fill(0xa5);
        fs::write(file, bytes).unwrap();
    }
}

#[test]
fn files_that_are_not_right() {
    check(sql("PRAGMA user_version = 99"), &["later ratter", "version 99"]);
    check(sql("PRAGMA application_id = 7"), &["is not a database of ratter", "move it away"]);
    check(sql("PRAGMA user_version = 0; PRAGMA application_id = 0"), &["is not a database of ratter"]);
    check(
        |file| fs::write(file, "just text, and longer than a header of SQLite would be, to be sure").unwrap(),
        &["not a database of ratter"],
    );
    check(overwrite(0, 100), &["is not a database of ratter"]);
    check(overwrite(4096, usize::MAX - 4096), &["damaged", ".recover"]);
    check(
        sql("UPDATE meta SET value = x'00' WHERE name = 'secret'; PRAGMA wal_checkpoint(TRUNCATE)"),
        &["damaged", "secret"],
    );
    let halve = |file: &Path| {
        let file = fs::OpenOptions::new().write(true).open(file).unwrap();
        file.set_len(file.metadata().unwrap().len() / 8192 * 4096).unwrap();
    };
    check(halve, &["damaged", ".recover"]);
}

#[test]
fn rows_that_a_person_has_spoiled_are_left_out_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    sql("UPDATE listing SET subject = '192.0.2.300' WHERE subject = 'login:user-7';
         UPDATE listing SET since = -5 WHERE subject = 'login:user-8'")(&directory.path().join("ratter.db"));
    let (_, restored, _) = given::open(directory.path());
    assert_eq!((restored.listings.len(), restored.left_out.unreadable_rows), (4_998, 2));
}

#[test]
fn one_process_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _, _) = given::open(directory.path());
    let message = refusal(directory.path());
    let wanted = format!("in use by another ratter (process {})", std::process::id());
    assert!(message.contains(&wanted), "{message}");
    drop(store);
    assert_eq!(refusal(directory.path()), "opened");
}

#[test]
fn a_directory_that_cannot_be() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let message = refusal(&file.join("state"));
    assert!(message.contains("file/state") && message.contains("must exist or be creatable"), "{message}");
}

#[test]
fn only_the_owner_can_read_it() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("a/state");
    let (store, _, _) = given::open(&state);
    store.push(given::events(1));
    store.flush(given::PATIENCE).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&state), 0o700);
    for name in ["ratter.db", "ratter.db-wal", "ratter.db-shm", "lock"] {
        assert_eq!(mode(&state.join(name)), 0o600, "{name}");
    }
}

/// As version 1 wrote it; never changed, whatever later versions do.
#[test]
fn a_file_of_version_1_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ratter.db");
    let connection = Connection::open(&file).unwrap();
    connection.execute_batch(include_str!("version_1.sql")).unwrap();
    drop(connection);
    let (store, restored, _) = given::open(directory.path());
    assert_eq!((restored.serial, restored.secret), (42, *b"0123456789abcdef"));
    assert_eq!((restored.left_out, restored.events.len(), restored.owners.len()), (store::LeftOut::default(), 1, 1));
    assert_eq!(restored.positions, [given::position("/var/log/mail.log", 7, 1)]);
    let [endless, ending] = &restored.listings[..] else { panic!("{:?}", restored.listings) };
    let person = Maker::Person { name: "root".into(), reason: "by phone".into() };
    assert_eq!(
        (endless.subject.to_string(), endless.until, &endless.maker),
        ("192.0.2.0/24".into(), Until::Never, &person)
    );
    assert_eq!(ending.until, Until::At(Timestamp::from_millis(1_795_247_354_120)));
    assert_eq!(store.history(&endless.subject, 9).unwrap().len(), 1);
    assert_eq!(store.audits(9).unwrap().len(), 1);
}
