//! The image of the book: one file beside the database that is read in one go at a start, so that answers can be given
//! before millions of rows are read. The database stays the truth: an image is used if all that came after it is in the
//! journal, and it is never ahead of the database.
//!
//! ```text
//!  "RatImg01"  u64 serial  u8 lists  for each: u8 length, name  listings' image  u32 CRC-32
//! ```
//!
//! The sum covers the store's secret too, before all else: the image of another store is none.
#![expect(clippy::disallowed_methods, reason = "this file is the shell that touches the file system")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base::{ListId, Subject, Timestamp, Until};
use crc32fast::Hasher;
use listings::{Book, Followed, Image, Moment};
use rusqlite::{Connection, Row};

use crate::limits::FOLLOWED_MAX;
use crate::records::Names;
use crate::rows::{get_until, number, time};
use crate::serials;

/// The file's name in the state directory.
const FILE: &str = "book.image";

/// What it is written as until it is whole.
const NEW: &str = "book.image.new";

const MAGIC: [u8; 8] = *b"RatImg01";

/// Why the book is read from the database and not from an image.
#[derive(Debug, thiserror::Error)]
pub enum NoImage {
    /// None was written yet.
    #[error("there is none")]
    Missing,
    /// The file is cut off, damaged, of another version, or of another store.
    #[error("it is damaged, or of another store or version")]
    Damaged,
    /// It has a list that is not configured any more.
    #[error("lists that it has are not configured any more")]
    OtherLists,
    /// It has changes that the database lacks: the database is older than it.
    #[error("it is newer than the database")]
    Ahead,
    /// Changes after it are not in the journal, or are too many.
    #[error("too much has changed since it was written")]
    Old,
    /// It, or the database, cannot be read.
    #[error("it cannot be used: {0}")]
    Unreadable(String),
}

impl From<rusqlite::Error> for NoImage {
    fn from(error: rusqlite::Error) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// Where the image is, and whose it is.
pub(crate) struct ImageFile {
    directory: PathBuf,
    lists: Vec<String>,
    secret: [u8; 16],
}

impl ImageFile {
    pub(crate) fn new(database: &Path, names: &Names, secret: [u8; 16]) -> Self {
        let directory = database.parent().unwrap_or_else(|| Path::new(".")).to_owned();
        Self { directory, lists: names.lists.clone(), secret }
    }

    /// Writes it beside the one that there is, and puts it in its place when it is on the disk.
    pub(crate) fn write(&self, book: &Book, moment: &Moment) -> io::Result<()> {
        let new = self.directory.join(NEW);
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        let mut out = Summing { out: BufWriter::new(file), sum: self.sum() };
        out.write_all(&MAGIC)?;
        out.write_all(&moment.serial.to_le_bytes())?;
        out.write_all(&[u8::try_from(self.lists.len()).map_err(io::Error::other)?])?;
        for name in &self.lists {
            out.write_all(&[u8::try_from(name.len()).map_err(io::Error::other)?])?;
            out.write_all(name.as_bytes())?;
        }
        book.write_image(moment, &mut out)?;
        let Summing { mut out, sum } = out;
        out.write_all(&sum.finalize().to_le_bytes())?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&new, self.directory.join(FILE))?;
        self.sync()
    }

    /// Reads it with all changes since. One that cannot be used is taken away.
    pub(crate) fn read(&self, connection: &Connection, now: Timestamp) -> Result<Image, NoImage> {
        let path = self.directory.join(FILE);
        let read = match fs::read(&path) {
            Ok(bytes) => self.judge(&bytes, connection, now),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(NoImage::Missing),
            Err(error) => Err(NoImage::Unreadable(error.to_string())),
        };
        if read.is_err()
            && let Err(error) = fs::remove_file(&path).and_then(|()| self.sync())
        {
            return Err(NoImage::Unreadable(error.to_string()));
        }
        read
    }

    fn judge(&self, bytes: &[u8], connection: &Connection, now: Timestamp) -> Result<Image, NoImage> {
        let (serial, lists, body) = self.open(bytes).ok_or(NoImage::Damaged)?;
        let place = |name: &&str| self.lists.iter().position(|list| list == name).map(ListId::new);
        let lists: Vec<ListId> = lists.iter().map(place).collect::<Option<_>>().ok_or(NoImage::OtherLists)?;
        if serial > serials::known(connection)? {
            return Err(NoImage::Ahead);
        }
        let last = serials::last(connection)?;
        if serials::last_untold(connection)? > serial || !has_all_after(connection, serial, last)? {
            return Err(NoImage::Old);
        }
        let over = "SELECT count(*) FROM bulk WHERE until <= ?1";
        if connection.query_row(over, [time(now)], |row| row.get::<_, i64>(0))? > 0 {
            return Err(NoImage::Old);
        }
        let changes = self.changes_after(connection, serial)?;
        let mut image = Image::read(body, &lists).ok_or(NoImage::Damaged)?;
        image.follow(changes);
        Ok(image)
    }

    /// The parts of a file that is whole and ours: its serial, the names of its lists, and the image.
    fn open<'a>(&self, bytes: &'a [u8]) -> Option<(u64, Vec<&'a str>, &'a [u8])> {
        let (bytes, sum) = bytes.split_last_chunk()?;
        let mut own = self.sum();
        own.update(bytes);
        let rest = bytes.strip_prefix(&MAGIC).filter(|_| own.finalize().to_le_bytes() == *sum)?;
        let (serial, rest) = rest.split_first_chunk()?;
        let (count, mut rest) = rest.split_first()?;
        let mut lists = Vec::new();
        for _ in 0..*count {
            let (length, after) = rest.split_first()?;
            let (name, after) = after.split_at_checked(usize::from(*length))?;
            lists.push(core::str::from_utf8(name).ok()?);
            rest = after;
        }
        Some((u64::from_le_bytes(*serial), lists, rest))
    }

    /// The changes of networks after `serial`, in order. Lists that are not configured are none of an image's.
    fn changes_after(&self, connection: &Connection, serial: u64) -> Result<Vec<Followed>, NoImage> {
        let query = "SELECT change, list, subject, until FROM journal WHERE serial > ?1 ORDER BY serial LIMIT ?2";
        let mut statement = connection.prepare(query)?;
        let mut rows = statement.query((number(serial), number(FOLLOWED_MAX as u64 + 1)))?;
        let mut changes = Vec::new();
        let mut read = 0;
        while let Some(row) = rows.next()? {
            read += 1;
            if read > FOLLOWED_MAX {
                return Err(NoImage::Old);
            }
            changes.extend(self.change(row)?);
        }
        Ok(changes)
    }

    /// What a row of the journal says of a network on a list that is configured.
    fn change(&self, row: &Row<'_>) -> Result<Option<Followed>, NoImage> {
        let odd = || NoImage::Unreadable("a row of the journal makes no sense".into());
        // A million of these are read before the first answer: the texts are borrowed.
        let text = |column| row.get_ref(column).ok().and_then(|value| value.as_str().ok()).ok_or_else(odd);
        let (change, list, subject) = (text(0)?, text(1)?, text(2)?);
        let until: Until = get_until(row, 3).ok_or_else(odd)?;
        let subject: Subject = subject.parse().map_err(|_| odd())?;
        let place = self.lists.iter().position(|name| name == list);
        let (Subject::Network(network), Some(place)) = (subject, place) else { return Ok(None) };
        Ok(Some((network, ListId::new(place), (change == "listed").then_some(until))))
    }

    fn sum(&self) -> Hasher {
        let mut sum = Hasher::new();
        sum.update(&self.secret);
        sum
    }

    /// Has the directory on the disk.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }
}

/// Whether all changes after `serial` up to `last` are in the journal: it loses its oldest rows, and no others.
fn has_all_after(connection: &Connection, serial: u64, last: u64) -> rusqlite::Result<bool> {
    let first: Option<i64> = connection.query_row("SELECT min(serial) FROM journal", [], |row| row.get(0))?;
    Ok(serial >= last || first.is_some_and(|first| first.cast_unsigned() <= serial.saturating_add(1)))
}

/// Writes what it is given, and sums it up.
struct Summing<W> {
    out: W,
    sum: Hasher,
}

impl<W: Write> Write for Summing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
