//! Copies of files as they last were without fault, for a start that finds them faulty, cut off or gone.
//!
//! A copy holds the files of one dataset octet by octet, with what told their change and a hash of the whole. It is written
//! as a whole or not at all, and believed only if its hash is right.
#![expect(clippy::disallowed_methods, reason = "this is where copies of files are read and written")]

use core::hash::Hasher as _;
use std::fs;
use std::io::{self, Read as _, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use siphasher::sip128::{Hasher128 as _, SipHasher13};

use super::files::{Stamp, read_whole, write_whole};
use super::reload::DatasetFiles;

/// What a copy begins with.
const MAGIC: &[u8] = b"ratter copy of files 1\n";

/// Octets of a stamp.
const STAMP_BYTES: usize = 8 + 16 + 8;

/// Octets of the hash at the end.
const HASH_BYTES: usize = 16;

/// The folder of copies.
#[derive(Debug)]
pub(super) struct Copies {
    folder: PathBuf,
}

/// The files of a dataset as they were.
pub(super) struct Copy {
    /// For each its content and what told its change.
    pub(super) files: Vec<(Vec<u8>, Stamp)>,
}

impl Copies {
    pub(super) const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where the copy of a dataset stands: a dataset is known by its type and the paths of its files.
    fn place(&self, dataset: &DatasetFiles) -> PathBuf {
        let mut hasher = SipHasher13::new();
        hasher.write(format!("{:?}", dataset.kind).as_bytes());
        for path in &dataset.paths {
            hasher.write(path.as_os_str().as_encoded_bytes());
            hasher.write(&[0]);
        }
        self.folder.join(format!("{:032x}", hasher.finish128().as_u128()))
    }

    /// Removes the copies of all other datasets than these.
    pub(super) fn forget_others<'a>(&self, datasets: impl Iterator<Item = &'a DatasetFiles>) -> io::Result<()> {
        let own: Vec<PathBuf> = datasets.map(|dataset| self.place(dataset)).collect();
        let found = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            found => found?,
        };
        let found = found.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
        found.iter().filter(|path| !own.contains(path)).try_for_each(fs::remove_file)
    }

    /// What told the change of the files when the copy was written; none if there is no copy. It says nothing about
    /// the rest of it: see [`Copies::check`].
    pub(super) fn stamps(&self, dataset: &DatasetFiles) -> io::Result<Option<Vec<Stamp>>> {
        let mut head = vec![0; MAGIC.len() + dataset.paths.len() * STAMP_BYTES];
        match fs::File::open(self.place(dataset)).and_then(|mut file| file.read_exact(&mut head)) {
            Ok(()) => stamps_in(&head, dataset.paths.len()).ok_or_else(damaged).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(damaged()),
            Err(error) => Err(error),
        }
    }

    /// Reads the copy, if there is one, to see that it is whole.
    pub(super) fn check(&self, dataset: &DatasetFiles) -> io::Result<()> {
        let mut file = match fs::File::open(self.place(dataset)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            file => file?,
        };
        let body = file.metadata()?.len().checked_sub(HASH_BYTES as u64).ok_or_else(damaged)?;
        let mut hashing = Hashing { out: &mut io::sink(), hasher: SipHasher13::new() };
        io::copy(&mut (&mut file).take(body), &mut hashing)?;
        let mut hash = [0; HASH_BYTES];
        file.read_exact(&mut hash)?;
        if hashing.hasher.finish128().as_bytes() == hash { Ok(()) } else { Err(damaged()) }
    }

    /// The files as they were copied. None if there is no copy; an error if there is one that is damaged.
    pub(super) fn read(&self, dataset: &DatasetFiles) -> io::Result<Option<Copy>> {
        let content = match read_whole(&self.place(dataset)) {
            Ok((content, _)) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let (body, hash) = content.split_last_chunk::<HASH_BYTES>().ok_or_else(damaged)?;
        let mut hasher = SipHasher13::new();
        hasher.write(body);
        if hasher.finish128().as_bytes() != *hash {
            return Err(damaged());
        }
        let stamps = stamps_in(body, dataset.paths.len()).ok_or_else(damaged)?;
        let mut rest = &body[MAGIC.len() + stamps.len() * STAMP_BYTES..];
        let mut files = Vec::new();
        for stamp in stamps {
            let (file, behind) = rest.split_at_checked(stamp.length as usize).ok_or_else(damaged)?;
            files.push((file.to_vec(), stamp));
            rest = behind;
        }
        Ok(Some(Copy { files }))
    }

    /// Writes a copy of the files, which must be as they were when they were read: with these stamps.
    pub(super) fn write(&self, dataset: &DatasetFiles, stamps: &[Stamp]) -> io::Result<()> {
        // For nobody else: lists may be somebody's secret.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        write_whole(&self.place(dataset), |out| {
            let mut out = Hashing { out, hasher: SipHasher13::new() };
            out.write_all(MAGIC)?;
            for stamp in stamps {
                out.write_all(&stamp.inode.to_be_bytes())?;
                out.write_all(&stamp.nanos.to_be_bytes())?;
                out.write_all(&stamp.length.to_be_bytes())?;
            }
            for (path, stamp) in dataset.paths.iter().zip(stamps) {
                let (content, now) = read_whole(path)?;
                if now != *stamp {
                    return Err(io::Error::other("a file has changed again before it was copied"));
                }
                out.write_all(&content)?;
            }
            let hash = out.hasher.finish128().as_bytes();
            out.out.write_all(&hash)
        })
    }
}

fn damaged() -> io::Error {
    io::Error::other("the copy is damaged")
}

/// The stamps of so many files at the beginning of a copy.
fn stamps_in(head: &[u8], count: usize) -> Option<Vec<Stamp>> {
    let stamps = head.strip_prefix(MAGIC)?.get(..count * STAMP_BYTES)?;
    let number = |octets: &[u8]| octets.iter().fold(0_u128, |number, octet| number << 8 | u128::from(*octet));
    let stamp = |octets: &[u8]| Stamp {
        inode: number(&octets[..8]) as u64,
        nanos: number(&octets[8..24]),
        length: number(&octets[24..]) as u64,
    };
    Some(stamps.chunks_exact(STAMP_BYTES).map(stamp).collect())
}

/// A writer that hashes what goes through it.
struct Hashing<'a> {
    out: &'a mut dyn Write,
    hasher: SipHasher13,
}

impl Write for Hashing<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let length = self.out.write(octets)?;
        self.hasher.write(&octets[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
