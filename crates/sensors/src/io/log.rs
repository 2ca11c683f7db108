//! An opened log file, plain or compressed.

use std::cell::RefCell;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::FileExt;

use super::compressed::decompressed;
use crate::tail::HEAD_BYTES_MAX;

/// A file whose text is read at any place.
#[derive(Debug)]
pub enum LogFile {
    /// As it is.
    Plain(File),
    /// Compressed after it was rotated, so that nobody writes to it any more.
    Packed(Packed),
}

/// A compressed file. Its text is read from the left; its beginning, by which it is known, is kept.
pub struct Packed {
    pub(super) file: File,
    text: RefCell<Text>,
}

struct Text {
    head: Vec<u8>,
    stream: Box<dyn Read + Send>,
    /// How many bytes came out of the stream.
    at: u64,
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packed").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Packed {
    /// The text of `file`.
    pub(super) fn new(file: File) -> io::Result<Self> {
        let mut head = Vec::with_capacity(HEAD_BYTES_MAX);
        let read = from_the_left(&file)?.take(HEAD_BYTES_MAX as u64).read_to_end(&mut head);
        read.map_or_else(over, |count| Ok(count as u64))?;
        let text = Text { head, stream: from_the_left(&file)?, at: 0 };
        Ok(Self { file, text: RefCell::new(text) })
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut text = self.text.borrow_mut();
        if let Some(known) = usize::try_from(offset).ok().and_then(|offset| text.head.get(offset..))
            && !known.is_empty()
        {
            let count = known.len().min(into.len());
            into[..count].copy_from_slice(&known[..count]);
            return Ok(count);
        }
        if offset < text.at {
            (text.stream, text.at) = (from_the_left(&self.file)?, 0);
        }
        let skip = offset - text.at;
        let skipped = io::copy(&mut text.stream.by_ref().take(skip), &mut io::sink()).or_else(over)?;
        text.at += skipped;
        if skipped < skip {
            return Ok(0);
        }
        let count = text.stream.read(into).or_else(|error| over(error).map(|_| 0))?;
        text.at += count as u64;
        Ok(count)
    }
}

impl LogFile {
    /// Reads bytes at `offset` of the text and tells how many; 0 at the end. Where a compressed file is broken, its text is over:
    /// it will not be mended, and the files after it wait.
    pub(super) fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = match self {
                Self::Plain(file) => file.read_at(into, offset),
                Self::Packed(packed) => packed.read_at(offset, into),
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// The size of the text in bytes; of a compressed file the largest, since nobody cuts it.
    pub(super) fn size(&self) -> io::Result<u64> {
        match self {
            Self::Plain(file) => Ok(file.metadata()?.len()),
            Self::Packed(_) => Ok(u64::MAX),
        }
    }

    /// The file itself.
    pub(super) const fn file(&self) -> &File {
        match self {
            Self::Plain(file) | Self::Packed(Packed { file, .. }) => file,
        }
    }
}

fn from_the_left(file: &File) -> io::Result<Box<dyn Read + Send>> {
    let mut file = file.try_clone()?;
    file.rewind()?;
    decompressed(file)
}

/// Nothing more, if the file itself is broken; else the error.
fn over(error: io::Error) -> io::Result<u64> {
    let is_broken = matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof | io::ErrorKind::Other
    );
    if is_broken { Ok(0) } else { Err(error) }
}
