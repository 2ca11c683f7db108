//! `kill -9` at any instant: whole batches, and no position without the listings that its lines caused.
#![expect(clippy::disallowed_methods, reason = "tests have files")]

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use base::{Evidence, ListId, Login, Maker, RuleId, Subject, Timestamp, Until};
use listings::{Book, NeverList, Refusal, Wish};
use store::{Asked, Batch, Restored, Store, Then};

use crate::given;

/// Names the state directory for the process that is to be killed.
const CHILD: &str = "RATTER_STORE_TEST_CHILD";

/// How often a process is killed, and after how many times the state directory is new.
const ROUNDS: u64 = 200;
const ROUNDS_PER_DIRECTORY: u64 = 20;

/// The file with the last serial that the killed process gave out.
const SEEN: &str = "seen";

fn victim(line: u64) -> Subject {
    Subject::Login(Login::new(&format!("victim-{line}")).unwrap())
}

/// The lines that are done according to the file, after checking the file.
fn check(restored: &Restored) -> u64 {
    let Some(position) = restored.positions.first() else {
        assert!(restored.events.is_empty(), "events without their position");
        return 0;
    };
    assert_eq!(restored.events.len() as u64, position.events, "events and their position go together");
    let listed: std::collections::HashSet<_> = restored.listings.iter().map(|listing| &listing.subject).collect();
    for line in 1..=position.lines {
        assert!(listed.contains(&victim(line)), "line {line} of {} lost its listing", position.lines);
    }
    assert!(restored.serial >= restored.listings.len() as u64, "each change has a number");
    position.lines
}

/// Not a test of its own: the process that is killed. Reads endless lines; each makes a listing and some events.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(CHILD) else { return };
    let (opened, restored) =
        Store::open(Path::new(&directory), given::names(), Timestamp::EPOCH, given::limits()).unwrap();
    let mut lines = check(&restored);
    let mut events = restored.events.len() as u64;
    let book = Arc::new(Book::new(NeverList::new([], [])));
    book.restore(Timestamp::EPOCH, restored.serial, restored.listings);
    let journal = Arc::clone(&book);
    let store = opened.start(move |into| journal.drain_journal(into)).unwrap();
    let seen = File::create(Path::new(&directory).join(SEEN)).unwrap();
    loop {
        lines += 1;
        let until = Until::At(Timestamp::from_secs(u64::from(u32::MAX)));
        let maker = Maker::Rule(RuleId(0));
        let wish = Wish { subject: victim(lines), list: ListId::BLOCKED, until, maker, evidence: Evidence::default() };
        // A line that is read again finds the listing that it made the first time.
        // Its moment is its number, by which the past is asked for.
        let listed = book.list(Timestamp::from_millis(lines), wish);
        assert!(matches!(listed, Ok(_) | Err(Refusal::AlreadyListed(_))), "{listed:?}");
        // As DNS would: the number is out before it is in the file.
        seen.write_all_at(&book.serial().to_le_bytes(), 0).unwrap();
        let count = lines % 5;
        events += count;
        let position = Some(given::position("/var/log/mail.log", lines, events));
        let batch = (0..count).map(|_| given::event(1, "192.0.2.1", "alice")).collect();
        store.push(Batch { events: batch, owners: vec![], position });
        if lines.is_multiple_of(3) {
            store.wake();
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

#[test]
fn killed_at_any_instant_it_loses_and_doubles_nothing() {
    let mut directory = tempfile::tempdir().unwrap();
    let (mut total, mut productive, mut random) = (0, 0, 0x9e37_79b9_7f4a_7c15_u64);
    let mut lines = 0;
    for round in 0..ROUNDS {
        if round % ROUNDS_PER_DIRECTORY == 0 {
            (directory, lines) = (tempfile::tempdir().unwrap(), 0);
        }
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["killed::child", "--exact"])
            .env(CHILD, directory.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // xorshift64: another instant each time, the same ones each run.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        std::thread::sleep(Duration::from_micros(random % 90_000));
        child.kill().unwrap();
        child.wait().unwrap();
        let (store, restored, _) = given::open(directory.path());
        let now = check(&restored);
        for line in [0, now / 2, now] {
            let then = store.at(Timestamp::from_millis(line), Asked::default(), usize::MAX).unwrap();
            let Then::Known { listings, .. } = then else { panic!("round {round}: the past is gone") };
            assert_eq!(listings.len() as u64, line, "round {round}: each line up to {line} made its listing");
        }
        let seen = std::fs::read(directory.path().join(SEEN)).ok().and_then(|octets| octets.try_into().ok());
        let seen = seen.map_or(0, u64::from_le_bytes);
        assert!(restored.serial >= seen, "round {round}: {seen} was given out, and {} follows", restored.serial);
        assert!(now >= lines, "round {round}: from {lines} lines back to {now}");
        total += now - lines;
        productive += u64::from(now > lines);
        lines = now;
    }
    assert!(
        total > ROUNDS && productive > ROUNDS / 4,
        "the processes hardly wrote: {total} lines in {productive} rounds"
    );
}
