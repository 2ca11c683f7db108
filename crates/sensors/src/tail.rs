//! A log file that is followed while others write, rotate, cut and delete it.
//!
//! The core knows files by [`Source`] only, so that a test can drive it through any order of things. It reads one file at a
//! time, and each line of it once:
//!
//! | what happens | what is done |
//! |---|---|
//! | rename, then create | the old file is read to its end; the new one is turned to when something is in it, because only then does the writer use it |
//! | several rotations at once, or while Ratter was down | the rotated files are read one after the other, oldest first |
//! | copy, then truncate | seen by the file being shorter than what was read of it, or by its first bytes; what was not read yet is read from the copy, if there is one |
//! | copy without a truncation | the copy is passed over |
//! | truncate without a copy | the file is read from its beginning; what was not read yet is lost |
//! | delete | the deleted file is read to its end; then one waits for the new one |
//! | crash | goes on at the checkpoint, in the file it is about, wherever it was renamed to, and if it was compressed since, in what was made of it |
//!
//! What cannot be known: a file that was truncated and has since grown past the old place with the same first 256 bytes; lines
//! between a copy and its truncation; with the checkpoint's own file gone for good, the files that were rotated after it.

#[cfg(test)]
mod tests;

use base::limits::LINE_BYTES_MAX;
use memchr::memrchr;

use crate::lines::{LineBuffer, Lines};

/// How many of a file's first bytes tell it from another, in bytes.
pub const HEAD_BYTES_MAX: usize = 256;

/// What names a file as long as it exists, whatever its path.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FileId {
    /// The device.
    pub device: u64,
    /// The inode.
    pub inode: u64,
}

/// A rotated file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rotated {
    /// The file.
    pub id: FileId,
    /// When it was last written, in any unit that goes forward.
    pub written: u64,
    /// Whether it was compressed since.
    pub is_packed: bool,
}

/// How far a log has been read. It belongs into one transaction with what its lines caused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// The device of the file.
    pub device: u64,
    /// The inode of the file.
    pub inode: u64,
    /// How many bytes of it are done: the end of a line.
    pub offset: u64,
    /// A hash of its first bytes (as many as are done, at most [`HEAD_BYTES_MAX`]), because inodes are used again.
    pub fingerprint: u64,
    /// Lines done under this path, in all files.
    pub lines: u64,
}

/// Where to begin in a file that is there at the first look and has no checkpoint. A file that appears later is read from its
/// beginning.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Start {
    /// With the line that is written next.
    #[default]
    End,
    /// With the first line.
    Beginning,
}

/// The file system as a tail sees it: one path and what was rotated away from it.
pub trait Source {
    /// An open file. It stays readable when it is renamed or deleted.
    type File;
    /// Why something could not be read; the tail is unchanged then and may be asked again.
    type Error;
    /// The file at the path now; none if there is none.
    fn current(&mut self) -> Result<Option<FileId>, Self::Error>;
    /// The rotated files that can be read, the one that was rotated last at the end.
    fn rotated(&mut self) -> Result<Vec<Rotated>, Self::Error>;
    /// Opens the file at the path or a rotated one; none if it is gone.
    fn open(&mut self, id: FileId) -> Result<Option<Self::File>, Self::Error>;
    /// The size in bytes.
    fn size(&mut self, file: &Self::File) -> Result<u64, Self::Error>;
    /// When the file was last written, in the unit of [`Rotated::written`].
    fn written(&mut self, file: &Self::File) -> Result<u64, Self::Error>;
    /// Reads bytes at `offset` and tells how many; 0 at the end.
    fn read_at(&mut self, file: &Self::File, offset: u64, into: &mut [u8]) -> Result<usize, Self::Error>;
}

/// What became of a look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// There are lines: see [`Tail::batch`].
    Lines,
    /// All that was written is read.
    Idle,
    /// There is no file.
    Missing,
}

/// Whole lines and the position behind them.
#[derive(Clone, Debug)]
pub struct Batch<'a> {
    /// The lines.
    pub lines: Lines<'a>,
    /// How far the log is read when these lines are done.
    pub checkpoint: Checkpoint,
}

/// What a tail has met since it was made.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// Lines given out.
    pub lines: u64,
    /// Times that a next file was turned to.
    pub rotations: u64,
    /// Times that the file was found truncated.
    pub truncations: u64,
    /// Times that the checkpoint's file was gone, and no copy of it was there: what was written to it since is lost.
    pub vanished: u64,
    /// Last lines without newline, of files that were left or truncated; they are not given out.
    pub torn: u64,
}

/// A followed log file.
#[derive(Debug)]
pub struct Tail<F> {
    start: Start,
    resume: Option<Checkpoint>,
    open: Option<Open<F>>,
    buffer: LineBuffer,
    lines: u64,
    counters: Counters,
}

#[derive(Debug)]
struct Open<F> {
    file: F,
    id: FileId,
    /// How many bytes are done: whole lines.
    offset: u64,
    head: Head,
    /// The rotated files that were there when it was opened.
    older: Vec<FileId>,
}

impl<F> Tail<F> {
    /// A tail that goes on at `checkpoint`, or begins at `start` if there is none. Nothing is opened yet.
    pub fn new(start: Start, checkpoint: Option<Checkpoint>) -> Self {
        Self {
            start,
            resume: checkpoint,
            open: None,
            buffer: LineBuffer::new(),
            lines: checkpoint.map_or(0, |checkpoint| checkpoint.lines),
            counters: Counters::default(),
        }
    }

    /// Opens the file without reading from it, so that its place can be kept before anything is caused by its lines.
    /// Returns that place; none if there is no file yet.
    pub fn open<S: Source<File = F>>(&mut self, source: &mut S) -> Result<Option<Checkpoint>, S::Error> {
        if self.open.is_none() {
            self.begin(source)?;
        }
        Ok(self.checkpoint())
    }

    /// Reads on. A batch that was given out is over with this.
    pub fn advance<S: Source<File = F>>(&mut self, source: &mut S) -> Result<Progress, S::Error> {
        if self.open.is_none() && !self.begin(source)? {
            return Ok(Progress::Missing);
        }
        let mut next = None;
        while let Some(open) = &mut self.open {
            if !open.head.is_head_of(source, &open.file)? {
                self.begin_again(source)?;
                continue;
            }
            let at = open.offset + self.buffer.waiting();
            let space = self.buffer.space();
            let count = source.read_at(&open.file, at, space)?;
            if count > 0 {
                open.head.take(at, &space[..count]);
                if self.buffer.take(count) {
                    open.offset += self.buffer.done();
                    let lines = self.buffer.count();
                    self.lines += lines;
                    self.counters.lines += lines;
                    return Ok(Progress::Lines);
                }
                continue;
            }
            if source.size(&open.file)? < at {
                self.begin_again(source)?;
                continue;
            }
            match next.take() {
                // One more read came between: what the writer wrote before it turned to the next file was in it.
                Some(id) => self.turn_to(source, id)?,
                None => match next_file(source, open)? {
                    Some(id) => next = Some(id),
                    None => return Ok(Progress::Idle),
                },
            }
        }
        Ok(Progress::Missing)
    }

    /// The lines of the last [`advance`](Self::advance) and the position behind them; none if it brought no lines.
    pub fn batch(&self) -> Option<Batch<'_>> {
        let lines = self.buffer.lines();
        (self.buffer.done() > 0).then_some(())?;
        Some(Batch { lines, checkpoint: self.checkpoint()? })
    }

    /// How far the log is read; none before a file was opened. Keep it at the start too: what is written while Ratter is down
    /// is found from there.
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        let open = self.open.as_ref()?;
        Some(Checkpoint {
            device: open.id.device,
            inode: open.id.inode,
            offset: open.offset,
            fingerprint: open.head.fingerprint(open.offset),
            lines: self.lines,
        })
    }

    /// What was met so far.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Opens the first file; whether there is one.
    fn begin<S: Source<File = F>>(&mut self, source: &mut S) -> Result<bool, S::Error> {
        if let Some(checkpoint) = self.resume {
            // Whatever is at the path if the checkpoint's file is not: it is new.
            self.start = Start::Beginning;
            if let Some(mut open) = resumed(source, &checkpoint)? {
                open.older = older(source, open.id);
                self.open = Some(open);
                self.resume = None;
                return Ok(true);
            }
            self.counters.vanished = u64::from(checkpoint.offset > 0);
        }
        let opened = match source.current()? {
            Some(id) => source.open(id)?.map(|file| (id, file)),
            None => None,
        };
        let start = core::mem::replace(&mut self.start, Start::Beginning);
        let Some((id, file)) = opened else { return Ok(false) };
        self.buffer.clear(false);
        let offset = match start {
            Start::Beginning => 0,
            Start::End => {
                let (offset, is_torn) = last_line(source, &file, self.buffer.space())?;
                self.buffer.clear(is_torn);
                offset
            }
        };
        let head = Head::of(source, &file, offset)?;
        self.open = Some(Open { file, id, offset, head, older: older(source, id) });
        self.resume = None;
        Ok(true)
    }

    /// The file was truncated: goes on in its copy, if there is one with more than what was read, or at its beginning.
    fn begin_again<S: Source<File = F>>(&mut self, source: &mut S) -> Result<(), S::Error> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let offset = open.offset;
        let copy = match offset {
            0 => None,
            _ => copy_of(source, open.id, offset, open.head.fingerprint(offset))?,
        };
        self.counters.truncations += 1;
        self.counters.torn += u64::from(self.buffer.waiting() > 0 && copy.is_none());
        self.buffer.clear(false);
        match copy {
            Some(copy) => *open = Open { older: older(source, copy.id), ..copy },
            None => {
                open.offset = 0;
                open.head = Head::default();
            }
        }
        Ok(())
    }

    /// Leaves the file, which is read to its end, for the file `id`; stays if that is gone.
    fn turn_to<S: Source<File = F>>(&mut self, source: &mut S, id: FileId) -> Result<(), S::Error> {
        if let Some(file) = source.open(id)? {
            self.counters.rotations += 1;
            self.counters.torn += u64::from(self.buffer.waiting() > 0);
            self.buffer.clear(false);
            self.open = Some(Open { file, id, offset: 0, head: Head::default(), older: older(source, id) });
        }
        Ok(())
    }
}

/// The rotated files before `id`; where they cannot be told, none.
fn older<S: Source>(source: &mut S, id: FileId) -> Vec<FileId> {
    let rotated = source.rotated().unwrap_or_default();
    rotated.iter().map(|other| other.id).take_while(|other| *other != id).collect()
}

/// The file written after `open`, if something is in it: the rotated one after it, or the one at the path.
fn next_file<S: Source>(source: &mut S, open: &Open<S::File>) -> Result<Option<FileId>, S::Error> {
    let current = match source.current()? {
        Some(id) if id != open.id => id,
        _ => return Ok(None),
    };
    let rotated = source.rotated()?;
    // While a log is followed, what is compressed was read before. Only where reading goes on in such a file, others follow.
    let is_packed = rotated.iter().any(|other| other.id == open.id && other.is_packed);
    let later = match rotated.iter().position(|other| other.id == open.id) {
        Some(at) => at + 1,
        // It was deleted, so that its place is known by its time only, and within one tick of the clock by what was not there
        // before it.
        None => {
            let written = source.written(&open.file)?;
            let is_later = |other: &Rotated| {
                other.written > written || other.written == written && !open.older.contains(&other.id)
            };
            rotated.iter().position(is_later).unwrap_or(rotated.len())
        }
    };
    let later = rotated.iter().skip(later).filter(|other| is_packed || !other.is_packed);
    // What was rotated since the path was looked at comes after what was there then.
    let later = later.map(|other| other.id).take_while(|id| *id != current);
    for id in later.chain([current]) {
        if let Some(file) = source.open(id)?
            && source.size(&file)? > 0
            && (id == current || !is_copy(source, &file, current)?)
        {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// Whether a rotated file is a copy of the one at the path, which has not been truncated, or not yet: its lines are read there.
fn is_copy<S: Source>(source: &mut S, rotated: &S::File, current: FileId) -> Result<bool, S::Error> {
    let Some(live) = source.open(current)? else { return Ok(false) };
    let size = source.size(rotated)?;
    Ok(size <= source.size(&live)? && Head::of(source, rotated, size)?.is_head_of(source, &live)?)
}

/// The file of the checkpoint, at its offset; else a copy of it; else what is under its inode now, from the beginning: it was
/// truncated, or is a newer file.
fn resumed<S: Source>(source: &mut S, checkpoint: &Checkpoint) -> Result<Option<Open<S::File>>, S::Error> {
    let id = FileId { device: checkpoint.device, inode: checkpoint.inode };
    let (offset, fingerprint) = (checkpoint.offset, checkpoint.fingerprint);
    if let Some(open) = opened_at(source, id, offset, fingerprint)? {
        return Ok(Some(open));
    }
    // It may have been compressed, which makes another file of it.
    if offset > 0
        && let Some(copy) = copy_of(source, id, offset, fingerprint)?
    {
        return Ok(Some(copy));
    }
    Ok(source.open(id)?.map(|file| Open { file, id, offset: 0, head: Head::default(), older: Vec::new() }))
}

/// The rotated file other than `id` that begins like it and is at least as long as what was read of it.
fn copy_of<S: Source>(
    source: &mut S,
    id: FileId,
    offset: u64,
    fingerprint: u64,
) -> Result<Option<Open<S::File>>, S::Error> {
    for rotated in source.rotated()?.into_iter().rev().filter(|rotated| rotated.id != id) {
        if let Some(open) = opened_at(source, rotated.id, offset, fingerprint)? {
            return Ok(Some(open));
        }
    }
    Ok(None)
}

/// The file `id` at `offset`, if it reaches so far and has that fingerprint.
fn opened_at<S: Source>(
    source: &mut S,
    id: FileId,
    offset: u64,
    fingerprint: u64,
) -> Result<Option<Open<S::File>>, S::Error> {
    let Some(file) = source.open(id)? else { return Ok(None) };
    if source.size(&file)? < offset {
        return Ok(None);
    }
    let head = Head::of(source, &file, offset)?;
    let is_it = head.fingerprint(offset) == fingerprint;
    Ok(is_it.then_some(Open { file, id, offset, head, older: Vec::new() }))
}

/// The beginning of the last line of `file`, which may still be written on, and whether the offset lies within a line because
/// that began too far back to be looked for.
fn last_line<S: Source>(source: &mut S, file: &S::File, scratch: &mut [u8]) -> Result<(u64, bool), S::Error> {
    let size = source.size(file)?;
    let from = size.saturating_sub(LINE_BYTES_MAX as u64);
    let wanted = (size - from) as usize;
    let count = read_fully(source, file, from, &mut scratch[..wanted])?;
    Ok(match memrchr(b'\n', &scratch[..count]) {
        Some(at) => (from + at as u64 + 1, false),
        None if from == 0 => (0, false),
        None => (from + count as u64, true),
    })
}

/// Reads until `into` is full or the file is over.
fn read_fully<S: Source>(source: &mut S, file: &S::File, from: u64, into: &mut [u8]) -> Result<usize, S::Error> {
    let mut done = 0;
    while done < into.len() {
        match source.read_at(file, from + done as u64, &mut into[done..])? {
            0 => break,
            count => done += count,
        }
    }
    Ok(done)
}

/// The first bytes of a file, as far as they were read.
#[derive(Clone, Debug)]
struct Head {
    bytes: [u8; HEAD_BYTES_MAX],
    length: usize,
}

impl Default for Head {
    fn default() -> Self {
        Self { bytes: [0; HEAD_BYTES_MAX], length: 0 }
    }
}

impl Head {
    /// The head of a file of which `offset` bytes were read.
    fn of<S: Source>(source: &mut S, file: &S::File, offset: u64) -> Result<Self, S::Error> {
        let mut head = Self::default();
        let wanted = offset.min(HEAD_BYTES_MAX as u64) as usize;
        head.length = read_fully(source, file, 0, &mut head.bytes[..wanted])?;
        Ok(head)
    }

    /// Takes what was read at `offset`.
    fn take(&mut self, offset: u64, read: &[u8]) {
        if offset == self.length as u64 && self.length < HEAD_BYTES_MAX {
            let count = read.len().min(HEAD_BYTES_MAX - self.length);
            self.bytes[self.length..self.length + count].copy_from_slice(&read[..count]);
            self.length += count;
        }
    }

    /// Whether `file` still begins so.
    fn is_head_of<S: Source>(&self, source: &mut S, file: &S::File) -> Result<bool, S::Error> {
        let mut bytes = [0; HEAD_BYTES_MAX];
        let count = read_fully(source, file, 0, &mut bytes[..self.length])?;
        Ok(bytes[..count] == self.bytes[..self.length])
    }

    /// FNV-1a of the first `offset` bytes, at most all that are known. It tells files apart that nobody made to be alike.
    fn fingerprint(&self, offset: u64) -> u64 {
        let length = offset.min(self.length as u64) as usize;
        let hash = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        self.bytes[..length].iter().fold(0xcbf2_9ce4_8422_2325, hash)
    }
}
