//! A tail against a model: anything may happen in any order, and every line is read once.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// A file system of one log.
#[derive(Default)]
struct Disk {
    /// What is in each file; a file without name stays here as long as it is open.
    files: BTreeMap<u64, Vec<u8>>,
    path: Option<u64>,
    /// The oldest first.
    rotated: Vec<u64>,
    written: BTreeMap<u64, u64>,
    /// When each was created, which tells files apart that had the same number.
    born: BTreeMap<u64, u64>,
    now: u64,
    /// Reads give at most so many bytes at once.
    read_max: usize,
    /// Files that come to the path one after the other between a look at the path and one at the rotated files.
    coming: Vec<u64>,
}

impl Disk {
    /// A new file, under the lowest number that is free: inodes are used again.
    fn create(&mut self, bytes: Vec<u8>) -> u64 {
        let inode = (1..100).find(|inode| !self.files.contains_key(inode)).unwrap();
        self.files.insert(inode, bytes);
        self.touch(inode);
        self.born.insert(inode, self.now);
        inode
    }

    fn touch(&mut self, inode: u64) {
        self.now += 1;
        self.written.insert(inode, self.now);
    }

    fn named(&self) -> impl Iterator<Item = u64> + '_ {
        self.rotated.iter().copied().chain(self.path)
    }
}

const fn id(inode: u64) -> FileId {
    FileId { device: 1, inode }
}

impl Source for Disk {
    type File = u64;
    type Error = core::convert::Infallible;

    fn current(&mut self) -> Result<Option<FileId>, Self::Error> {
        Ok(self.path.map(id))
    }

    fn rotated(&mut self) -> Result<Vec<Rotated>, Self::Error> {
        for next in core::mem::take(&mut self.coming) {
            self.rotated.extend(self.path.replace(next));
        }
        Ok(self
            .rotated
            .iter()
            .map(|inode| Rotated { id: id(*inode), written: self.written[inode], is_packed: false })
            .collect())
    }

    fn open(&mut self, id: FileId) -> Result<Option<u64>, Self::Error> {
        Ok(self.named().find(|inode| *inode == id.inode))
    }

    fn size(&mut self, file: &u64) -> Result<u64, Self::Error> {
        Ok(self.files[file].len() as u64)
    }

    fn written(&mut self, file: &u64) -> Result<u64, Self::Error> {
        Ok(self.written[file])
    }

    fn read_at(&mut self, file: &u64, offset: u64, into: &mut [u8]) -> Result<usize, Self::Error> {
        let bytes = self.files[file].get(offset as usize..).unwrap_or_default();
        let count = bytes.len().min(into.len()).min(self.read_max);
        into[..count].copy_from_slice(&bytes[..count]);
        Ok(count)
    }
}

#[derive(Clone, Debug)]
enum Action {
    /// The daemon writes lines of these lengths.
    Write(Vec<usize>),
    /// The daemon writes the first half of a line; the next write completes it.
    WriteHalf,
    /// Rename, and create the new file at once or leave that to the daemon.
    Rename { create: bool },
    /// The daemon opens the path anew.
    Reopen,
    /// Copy, then truncate.
    CopyTruncate,
    /// Truncate.
    Truncate,
    /// Delete the file at the path.
    Delete,
    /// Delete the oldest rotated file.
    DeleteOldest,
    /// The tail looks once; the store keeps what it has so far or not yet.
    Look { commit: bool },
    /// Ratter is killed and started again.
    Crash,
}

/// The daemon, the disk, the tail and the store.
struct World {
    disk: Disk,
    /// The file that the daemon writes into.
    writer: Option<u64>,
    half: Option<String>,
    next_line: u32,
    tail: Tail<u64>,
    /// What is written: number by number, whether it may be lost.
    lines: BTreeMap<u32, bool>,
    /// Lines that are in each file and whole.
    of_file: BTreeMap<u64, BTreeSet<u32>>,
    /// What the store has.
    kept: Vec<u32>,
    checkpoint: Option<Checkpoint>,
    /// When the checkpoint's file was created.
    born: Option<u64>,
    /// What it does not have yet.
    pending: Vec<u32>,
}

impl World {
    fn new(read_max: usize) -> Self {
        Self {
            disk: Disk { read_max, ..Disk::default() },
            writer: None,
            half: None,
            next_line: 0,
            tail: Tail::new(Start::Beginning, None),
            lines: BTreeMap::new(),
            of_file: BTreeMap::new(),
            kept: Vec::new(),
            checkpoint: None,
            born: None,
            pending: Vec::new(),
        }
    }

    fn opened(&self) -> Option<u64> {
        self.tail.open.as_ref().map(|open| open.file)
    }

    /// The file that the daemon has open.
    fn writer(&mut self) -> u64 {
        if self.writer.is_none() {
            let path = self.disk.path;
            self.writer = Some(path.unwrap_or_else(|| self.disk.create(Vec::new())));
            self.disk.path = self.writer;
        }
        self.writer.unwrap()
    }

    fn append(&mut self, text: &str) {
        let writer = self.writer();
        self.disk.files.get_mut(&writer).unwrap().extend(text.as_bytes());
        self.disk.touch(writer);
    }

    fn new_line(&mut self, length: usize) -> String {
        self.next_line += 1;
        format!("{}{}", self.next_line, "x".repeat(length))
    }

    fn finish_line(&mut self, number: u32) {
        let writer = self.writer();
        // What nobody can read any more when it is written may be lost.
        let place = |inode| self.disk.named().position(|other| Some(other) == inode);
        let resumed = self.checkpoint.map(|checkpoint| checkpoint.inode).filter(|_| self.is_resumable());
        let is_lost = match (place(Some(writer)), self.opened().or(resumed)) {
            (None, _) => self.opened() != Some(writer),
            // A file that was left, or is older than the first look, is not looked at again.
            (Some(here), Some(reader)) => place(Some(reader)).is_some_and(|there| there > here),
            (Some(_), None) => self.disk.path != Some(writer),
        };
        self.lines.insert(number, is_lost);
        self.of_file.entry(writer).or_default().insert(number);
    }

    fn number(line: &str) -> u32 {
        line.trim_end_matches('x').parse().unwrap_or_else(|_| panic!("a torn line: {line}"))
    }

    /// The lines of a file that the store does not have may be lost from now on.
    fn may_lose(&mut self, inode: u64) {
        for number in self.of_file.get(&inode).into_iter().flatten() {
            if !self.kept.contains(number) {
                self.lines.insert(*number, true);
            }
        }
    }

    /// Forgets files that have no name and are not open.
    fn sweep(&mut self) {
        let open: Vec<u64> = self.disk.named().chain(self.opened()).chain(self.writer).collect();
        let gone: Vec<u64> = self.disk.files.keys().copied().filter(|inode| !open.contains(inode)).collect();
        for inode in gone {
            self.may_lose(inode);
        }
        self.disk.files.retain(|inode, _| open.contains(inode));
        self.of_file.retain(|inode, _| open.contains(inode));
    }

    /// A name of the file is gone. What can be read by the open file only is lost in a crash (see there).
    fn unlinked(&mut self, inode: u64) {
        if self.opened() != Some(inode) {
            self.may_lose(inode);
        }
        if self.writer == Some(inode) {
            self.writer = None;
            self.half = None;
        }
        self.sweep();
    }

    /// Whether the checkpoint's file still has a name.
    fn is_resumable(&self) -> bool {
        let inode = self.checkpoint.map(|checkpoint| checkpoint.inode);
        inode.is_some_and(|own| {
            self.disk.named().any(|inode| inode == own) && self.disk.born.get(&own).copied() == self.born
        })
    }

    fn step(&mut self, action: &Action) {
        match action {
            Action::Write(lengths) => {
                if let Some(half) = self.half.take() {
                    self.append("\n");
                    self.finish_line(Self::number(&half));
                }
                for length in lengths {
                    let line = self.new_line(*length);
                    self.append(&format!("{line}\n"));
                    self.finish_line(Self::number(&line));
                }
            }
            Action::WriteHalf => {
                if self.half.is_none() {
                    let line = self.new_line(3);
                    self.append(&line);
                    self.half = Some(line);
                }
            }
            Action::Rename { create } => {
                if let Some(inode) = self.disk.path.take() {
                    self.disk.rotated.push(inode);
                    if *create {
                        self.disk.path = Some(self.disk.create(Vec::new()));
                    }
                }
            }
            Action::Reopen => {
                if self.writer != self.disk.path {
                    self.writer = None;
                    self.half = None;
                    self.writer();
                }
                self.sweep();
            }
            Action::CopyTruncate => self.truncate(true),
            Action::Truncate => self.truncate(false),
            Action::Delete => {
                if let Some(inode) = self.disk.path.take() {
                    self.unlinked(inode);
                }
            }
            Action::DeleteOldest => {
                if !self.disk.rotated.is_empty() {
                    let places = [self.opened(), self.checkpoint.map(|checkpoint| checkpoint.inode)];
                    let found =
                        |world: &Self| places.map(|place| place.is_some_and(|place| world.is_found_again(place)));
                    let before = found(self);
                    let inode = self.disk.rotated.remove(0);
                    self.unlinked(inode);
                    if found(self) != before {
                        // It was the copy by which one would have gone on through the others.
                        self.disk.rotated.clone().into_iter().for_each(|inode| self.may_lose(inode));
                    }
                }
            }
            Action::Look { commit } => {
                self.look();
                if *commit {
                    self.commit();
                }
            }
            Action::Crash => self.crash(),
        }
        if self.opened().is_none() && !self.is_resumable() {
            // Nobody has looked yet, or not at a file that is still there: only the file at the path will be looked at.
            self.disk.rotated.clone().into_iter().for_each(|inode| self.may_lose(inode));
        }
    }

    /// Whether the tail and the store, if they are in this file, will know its copy by what they know of it.
    fn is_found_again(&self, inode: u64) -> bool {
        let is_known = |offset: u64, fingerprint: u64| {
            let mut contents = self.disk.named().map(|inode| &self.disk.files[&inode]);
            let is_it = |bytes: &Vec<u8>| {
                let mut head = Head::default();
                head.take(0, bytes);
                bytes.len() as u64 >= offset && head.fingerprint(offset) == fingerprint
            };
            // With nothing of the file done, nothing tells its copy from others.
            offset > 0 && contents.any(is_it)
        };
        let is_known_to_tail = match &self.tail.open {
            Some(open) if open.file == inode => is_known(open.offset, open.head.fingerprint(open.offset)),
            _ => true,
        };
        is_known_to_tail
            && match self.checkpoint {
                Some(checkpoint) if checkpoint.inode == inode => is_known(checkpoint.offset, checkpoint.fingerprint),
                _ => self.is_resumable(),
            }
    }

    fn truncate(&mut self, with_copy: bool) {
        let Some(inode) = self.disk.path else { return };
        let is_found_again = self.is_found_again(inode);
        let bytes = core::mem::take(self.disk.files.get_mut(&inode).unwrap());
        let lines = self.of_file.remove(&inode).unwrap_or_default();
        self.half = self.half.take().filter(|_| self.writer != Some(inode));
        self.disk.touch(inode);
        self.of_file.insert(inode, lines.clone());
        if !(with_copy && is_found_again) {
            self.may_lose(inode);
        }
        self.of_file.remove(&inode);
        if with_copy {
            let copy = self.disk.create(bytes);
            self.disk.rotated.push(copy);
            self.of_file.insert(copy, lines);
        }
    }

    fn look(&mut self) -> Progress {
        let Ok(progress) = self.tail.advance(&mut self.disk);
        if progress == Progress::Lines {
            let batch = self.tail.batch().unwrap();
            self.pending.extend(batch.lines.map(|line| Self::number(str::from_utf8(line).unwrap())));
        }
        self.sweep();
        progress
    }

    fn commit(&mut self) {
        self.kept.append(&mut self.pending);
        if let Some(checkpoint) = self.tail.checkpoint() {
            self.checkpoint = Some(checkpoint);
            self.born = self.disk.born.get(&checkpoint.inode).copied();
        }
    }

    fn crash(&mut self) {
        let named: Vec<u64> = self.disk.named().collect();
        let nameless: Vec<u64> = self.disk.files.keys().copied().filter(|inode| !named.contains(inode)).collect();
        for inode in nameless {
            self.may_lose(inode);
        }
        self.pending.clear();
        self.tail = Tail::new(Start::Beginning, self.checkpoint);
        self.sweep();
    }

    /// Reads all that is there and compares.
    fn finish(mut self) -> Result<(), TestCaseError> {
        if self.half.take().is_some() {
            self.append("\n");
        }
        // The daemon goes on in the file at the path, so that what is rotated is left.
        self.step(&Action::Reopen);
        self.step(&Action::Write(vec![1]));
        while self.look() == Progress::Lines {}
        self.commit();
        let mut once = BTreeSet::new();
        for number in &self.kept {
            prop_assert!(once.insert(*number), "line {number} was read twice");
        }
        for (number, may_be_lost) in &self.lines {
            prop_assert!(*may_be_lost || once.contains(number), "line {number} was not read");
        }
        Ok(())
    }
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => prop::collection::vec(prop_oneof![8 => 0..60usize, 1 => 250..260usize], 1..6).prop_map(Action::Write),
        1 => Just(Action::WriteHalf),
        2 => any::<bool>().prop_map(|create| Action::Rename { create }),
        3 => Just(Action::Reopen),
        1 => Just(Action::CopyTruncate),
        1 => Just(Action::Truncate),
        1 => Just(Action::Delete),
        1 => Just(Action::DeleteOldest),
        8 => any::<bool>().prop_map(|commit| Action::Look { commit }),
        2 => Just(Action::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(10_000), ..ProptestConfig::default() })]

    #[test]
    fn every_line_is_read_once(
        actions in prop::collection::vec(action(), 1..40),
        read_max in prop_oneof![Just(usize::MAX), 1..40usize],
    ) {
        let mut world = World::new(read_max);
        for action in &actions {
            world.step(action);
        }
        world.finish()?;
    }
}

/// Runs the actions, with lines of a few bytes, and checks that nothing may be lost nor is.
fn check_nothing_lost(actions: &[Action]) {
    let mut world = World::new(usize::MAX);
    world.step(&Action::Write(vec![1]));
    world.step(&Action::Look { commit: true });
    for action in actions {
        world.step(action);
    }
    assert!(world.lines.values().all(|may_be_lost| !may_be_lost), "the model gives lines up in {actions:?}");
    world.finish().unwrap();
}

#[test]
fn what_is_lost_by_others_is_not_lost_here() {
    use Action::{CopyTruncate, Crash, Delete, Look, Rename, Reopen, Write};
    let write = || Write(vec![1, 300, 0]);
    let look = || Look { commit: true };
    let cases: Vec<Vec<Action>> = vec![
        vec![write(), Rename { create: true }, write(), Reopen, write(), look(), look()],
        vec![write(), Rename { create: false }, write(), Reopen, write()],
        vec![Rename { create: true }, Reopen, write(), Rename { create: true }, Reopen, write()],
        vec![look(), write(), Crash, write(), Rename { create: true }, Reopen, write(), look()],
        vec![write(), Crash, Rename { create: true }, Reopen, write(), Rename { create: true }, Reopen, write()],
        vec![write(), CopyTruncate, write(), look(), look()],
        vec![write(), Crash, CopyTruncate, write(), CopyTruncate, write()],
        vec![write(), CopyTruncate, Write(vec![300; 9]), look(), CopyTruncate, write()],
        vec![write(), Delete, Reopen, write(), Rename { create: true }, Reopen, write()],
        vec![write(), Crash, look(), look(), Crash, Look { commit: false }, Crash],
    ];
    for actions in cases {
        check_nothing_lost(&actions);
    }
}

/// What a tail gives first of a file with these bytes that is there at its first look.
fn first_lines(start: Start, before: &str, after: &str) -> Vec<String> {
    let mut disk = Disk { read_max: usize::MAX, ..Disk::default() };
    let inode = disk.create(before.as_bytes().to_vec());
    disk.path = Some(inode);
    let mut tail = Tail::new(start, None);
    let mut lines = Vec::new();
    for more in ["", after] {
        disk.files.get_mut(&inode).unwrap().extend(more.as_bytes());
        while tail.advance(&mut disk) == Ok(Progress::Lines) {
            lines.extend(tail.batch().unwrap().lines.map(|line| String::from_utf8_lossy(line).into_owned()));
        }
    }
    lines
}

#[test]
fn where_a_tail_begins() {
    let long = "x".repeat(LINE_BYTES_MAX + 9);
    let cases = [
        (Start::End, "a\nb\n", "c\n", vec!["c"]),
        (Start::End, "a\nb", "c\n", vec!["bc"]),
        (Start::End, "a", "b\n", vec!["ab"]),
        (Start::End, "", "a\n", vec!["a"]),
        (Start::End, &long, "y\nb\n", vec!["b"]),
        (Start::Beginning, "a\nb", "c\n", vec!["a", "bc"]),
    ];
    for (start, before, after, wanted) in cases {
        assert_eq!(first_lines(start, before, after), wanted, "{start:?} {after}");
    }
}

#[test]
fn a_file_that_appears_later_is_read_from_its_beginning() {
    let mut disk = Disk { read_max: usize::MAX, ..Disk::default() };
    let mut tail = Tail::new(Start::End, None);
    assert_eq!(tail.advance(&mut disk), Ok(Progress::Missing));
    disk.path = Some(disk.create(b"a\nb\n".to_vec()));
    assert_eq!(tail.advance(&mut disk), Ok(Progress::Lines));
    let batch = tail.batch().unwrap();
    assert_eq!((batch.lines.count(), batch.checkpoint.offset, batch.checkpoint.lines), (2, 4, 2));
    assert_eq!(tail.advance(&mut disk), Ok(Progress::Idle));
    assert!(tail.batch().is_none());
}

/// A file is deleted, and the next one rotated, before the clock of the file system has moved on.
#[test]
fn deletion_and_rotation_within_one_tick() {
    let mut disk = Disk { read_max: 100, ..Disk::default() };
    let file = |disk: &mut Disk, text: &str| {
        let inode = disk.create(text.as_bytes().to_vec());
        disk.written.insert(inode, 1);
        inode
    };
    // One that was rotated before, within the same tick.
    let before = file(&mut disk, "0\n");
    disk.rotated.push(before);
    disk.path = Some(file(&mut disk, "a\n"));
    let mut tail = Tail::new(Start::Beginning, None);
    let mut read = |disk: &mut Disk| {
        let mut lines = Vec::new();
        while let Ok(Progress::Lines) = tail.advance(disk) {
            let batch = tail.batch().unwrap();
            lines.extend(batch.lines.map(|line| String::from_utf8(line.to_vec()).unwrap()));
        }
        lines
    };
    assert_eq!(read(&mut disk), ["a"]);
    let next = file(&mut disk, "b\n");
    disk.rotated.push(next);
    disk.path = Some(file(&mut disk, "c\n"));
    assert_eq!(read(&mut disk), ["b", "c"]);
}

/// While nobody reads, a file is copied and truncated, and what came then is copied only.
#[test]
fn a_copy_of_the_file_at_the_path_is_passed_over() {
    let mut disk = Disk { read_max: 100, ..Disk::default() };
    let live = disk.create(b"a\n".to_vec());
    disk.path = Some(live);
    let mut tail = Tail::new(Start::Beginning, None);
    assert_eq!(tail.advance(&mut disk), Ok(Progress::Lines));
    assert_eq!(tail.advance(&mut disk), Ok(Progress::Idle));
    let checkpoint = tail.checkpoint();
    for text in ["a\n", "b\nc\n"] {
        let copy = disk.create(text.as_bytes().to_vec());
        disk.rotated.push(copy);
    }
    disk.files.insert(live, b"b\nc\nd\n".to_vec());
    let mut tail = Tail::new(Start::Beginning, checkpoint);
    let mut lines = Vec::new();
    while let Ok(Progress::Lines) = tail.advance(&mut disk) {
        lines.extend(tail.batch().unwrap().lines.map(<[u8]>::to_vec));
    }
    assert_eq!(lines, [b"b", b"c", b"d"]);
}

/// The path is looked at, then come two rotations, then the rotated files are looked at.
#[test]
fn rotations_during_a_look_skip_no_file() {
    let mut disk = Disk { read_max: 100, ..Disk::default() };
    disk.path = Some(disk.create(b"a\n".to_vec()));
    let mut tail = Tail::new(Start::Beginning, None);
    let mut lines = Vec::new();
    for round in 0..2 {
        while let Ok(Progress::Lines) = tail.advance(&mut disk) {
            lines.extend(tail.batch().unwrap().lines.map(<[u8]>::to_vec));
        }
        if round == 0 {
            let [b, c, d] = [b"b\n", b"c\n", b"d\n"].map(|text| disk.create(text.to_vec()));
            disk.rotated.extend(disk.path.replace(b));
            disk.coming = vec![c, d];
        }
    }
    assert_eq!(lines, [b"a", b"b", b"c", b"d"]);
}
