//! A log's path and the rotated files beside it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::compressed::is_compressed_name;
use super::log::{LogFile, Packed};
use crate::tail::{FileId, Rotated, Source};

/// The files of one log: the path, and in its directory what logrotate and others leave: its name with a number or a date
/// (`mail.log.1`, `mail.log-20261121`), compressed or not
/// (`mail.log.2.gz`). If the path is a symbolic link, also those beside the file that it points to.
#[derive(Debug)]
pub struct Files {
    path: PathBuf,
}

impl Files {
    /// The log at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The rotated files, the one that was written last at the end.
    ///
    /// A folder that is listed while its files are renamed shows some of them twice and others not at all, and a file that
    /// is missing here would be passed over for good: the list holds once it has been seen twice.
    fn siblings(&self) -> io::Result<Vec<Sibling>> {
        let mut before = self.listed()?;
        for _ in 0..LISTINGS_MAX {
            let now = self.listed()?;
            if now.iter().map(Sibling::name).eq(before.iter().map(Sibling::name)) {
                return Ok(now);
            }
            before = now;
        }
        Err(io::Error::new(ErrorKind::ResourceBusy, "files are renamed faster than they can be listed"))
    }

    /// What one listing shows of them.
    fn listed(&self) -> io::Result<Vec<Sibling>> {
        let mut found = Vec::new();
        let (own, target) = (settled(&self.path), target(&self.path));
        if target != own {
            // What could belong to either name is as old as that of the target says.
            match list(&target, &mut found) {
                // A file may be readable in a folder that is not: its rotated files are out of reach.
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => {}
                listed => listed?,
            }
        }
        list(&own, &mut found)?;
        // Times of one tick are told apart by the names.
        found.sort_by(|a, b| (a.file.written, &a.age).cmp(&(b.file.written, &b.age)));
        Ok(found)
    }

    /// The file wherever it is now; none if it is nowhere, and an error if it is renamed again and again.
    fn find(&self, wanted: FileId) -> io::Result<Option<LogFile>> {
        for _ in 0..LISTINGS_MAX {
            if let Some(file) = open_if(&self.path, wanted)? {
                return Ok(Some(LogFile::Plain(file)));
            }
            let siblings = existing(self.siblings())?.unwrap_or_default();
            let Some(sibling) = siblings.into_iter().find(|sibling| sibling.file.id == wanted) else {
                // It may have come to the path after that was looked at.
                return Ok(open_if(&self.path, wanted)?.map(LogFile::Plain));
            };
            if let Some(file) = open_if(&sibling.path, wanted)? {
                let is_packed = sibling.file.is_packed;
                return Ok(Some(if is_packed { LogFile::Packed(Packed::new(file)?) } else { LogFile::Plain(file) }));
            }
        }
        Err(io::Error::new(ErrorKind::ResourceBusy, "the file is renamed faster than it can be opened"))
    }
}

/// How often a folder is listed again because files in it were renamed meanwhile. One rotation moves some dozen files within
/// a millisecond.
const LISTINGS_MAX: u32 = 100;

/// A rotated file beside the log.
#[derive(Debug)]
struct Sibling {
    age: Age,
    path: PathBuf,
    file: Rotated,
}

impl Sibling {
    /// What is called how.
    fn name(&self) -> (&Path, FileId) {
        (&self.path, self.file.id)
    }
}

impl Source for Files {
    type File = LogFile;
    type Error = io::Error;

    fn current(&mut self) -> io::Result<Option<FileId>> {
        Ok(existing(fs::metadata(&self.path))?.map(|metadata| id(&metadata)))
    }

    fn rotated(&mut self) -> io::Result<Vec<Rotated>> {
        Ok(self.siblings()?.into_iter().map(|sibling| sibling.file).collect())
    }

    fn open(&mut self, wanted: FileId) -> io::Result<Option<LogFile>> {
        self.find(wanted)
    }

    fn size(&mut self, file: &LogFile) -> io::Result<u64> {
        file.size()
    }

    fn written(&mut self, file: &LogFile) -> io::Result<u64> {
        Ok(written(&file.file().metadata()?))
    }

    fn read_at(&mut self, file: &LogFile, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        file.read_at(offset, into)
    }
}

/// The directory of a path; the working directory for a bare name.
pub(super) fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// Adds the files that were rotated away from `path`, but for those that were found already: a link and what it points to may be
/// in one folder, with names that begin alike.
fn list(path: &Path, found: &mut Vec<Sibling>) -> io::Result<()> {
    let Some(name) = path.file_name() else { return Ok(()) };
    for entry in fs::read_dir(directory(path))? {
        let entry = entry?;
        let path = entry.path();
        let plain = if is_compressed_name(&path) { path.file_stem() } else { path.file_name() };
        let Some(age) = plain.and_then(|plain| age(name, plain)) else { continue };
        // A file may go between listing and looking.
        let Some(metadata) = existing(entry.metadata())? else { continue };
        if metadata.is_file() && !found.iter().any(|other| other.path == path) {
            let (id, written) = (id(&metadata), written(&metadata));
            let is_packed = is_compressed_name(&path);
            found.push(Sibling { age, path, file: Rotated { id, written, is_packed } });
        }
    }
    Ok(())
}

/// The path with the folder's links followed, as far as there is such a folder.
pub(super) fn settled(path: &Path) -> PathBuf {
    let folder = directory(path);
    fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned()).join(path.file_name().unwrap_or_default())
}

/// Most links that are followed one after the other, as in the kernel.
const LINKS_MAX: u32 = 40;

/// What `path` is in the end, links followed. Unlike the kernel this also says where the last link points while nothing is
/// there, as between the two steps of a rotation.
pub(super) fn target(path: &Path) -> PathBuf {
    let mut at = settled(path);
    for _ in 0..LINKS_MAX {
        let Ok(next) = fs::read_link(&at) else { break };
        at = settled(&directory(&at).join(next));
    }
    at
}

/// The file at `path`, if it is the wanted one. A pipe or device is an error: opening it could block.
fn open_if(path: &Path, wanted: FileId) -> io::Result<Option<File>> {
    let Some(metadata) = existing(fs::metadata(path))? else { return Ok(None) };
    if id(&metadata) != wanted {
        return Ok(None);
    }
    if !metadata.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file"));
    }
    let Some(file) = existing(File::open(path))? else { return Ok(None) };
    // It may have been renamed in between.
    Ok((id(&file.metadata()?) == wanted).then_some(file))
}

/// The result, with none for what does not exist.
fn existing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn id(metadata: &Metadata) -> FileId {
    FileId { device: metadata.dev(), inode: metadata.ino() }
}

/// The time of the last change in nanoseconds.
fn written(metadata: &Metadata) -> u64 {
    let nanos = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
    u64::try_from(nanos).unwrap_or(0)
}

/// What orders rotated files of one time from old to new: numbers go up with age (`.2` is older than `.1`), dates down.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Age {
    Number(core::cmp::Reverse<u32>),
    Date(OsString),
}

/// The age by name of a file called `other` that was rotated away from `name`; none if it was not.
pub(super) fn age(name: &OsStr, other: &OsStr) -> Option<Age> {
    let suffix = other.as_bytes().strip_prefix(name.as_bytes())?;
    let digits = suffix.strip_prefix(b".").or_else(|| suffix.strip_prefix(b"-"))?;
    if digits.is_empty() || !digits.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b'_')) {
        return None;
    }
    let number = str::from_utf8(digits).ok().filter(|digits| digits.len() < 6).and_then(|digits| digits.parse().ok());
    Some(match number {
        Some(number) => Age::Number(core::cmp::Reverse(number)),
        None => Age::Date(OsStr::from_bytes(digits).to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_names() {
        let cases = [
            ("mail.log.1", true),
            ("mail.log-20261121", true),
            ("mail.log-2026-11-21.1", true),
            ("mail.log", false),
            ("mail.log.", false),
            ("mail.log.1.gz", false),
            ("mail.log.bak", false),
            ("mail.log1", false),
            ("mail.err.1", false),
        ];
        for (name, wanted) in cases {
            assert_eq!(age(OsStr::new("mail.log"), OsStr::new(name)).is_some(), wanted, "{name}");
        }
        let of = |name: &str| age(OsStr::new("mail.log"), OsStr::new(name)).unwrap();
        assert!(of("mail.log.10") < of("mail.log.2"));
        assert!(of("mail.log-20261120") < of("mail.log-20261121"));
    }
    /// While one thread renames as logrotate does, no listing misses a file or has two in the wrong order.
    #[test]
    fn a_rotation_hides_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mail.log");
        let numbered = |number: usize| folder.path().join(format!("mail.log.{number}"));
        let count = 40;
        for number in (1..=count).rev() {
            fs::write(numbered(number), "x").unwrap();
        }
        let mut files = Files::new(&path);
        let before: Vec<FileId> = files.rotated().unwrap().iter().map(|file| file.id).collect();
        assert_eq!(before.len(), count);
        std::thread::scope(|scope| {
            let renaming = scope.spawn(|| {
                for shift in 0..200 {
                    for number in (1..=count).rev() {
                        fs::rename(numbered(number + shift), numbered(number + shift + 1)).unwrap();
                    }
                }
            });
            while !renaming.is_finished() {
                // An error is not a wrong answer: one asks again.
                let Ok(seen) = files.rotated() else { continue };
                assert_eq!(seen.iter().map(|file| file.id).collect::<Vec<_>>(), before);
                let oldest = before[0];
                let opened = files.open(oldest);
                assert!(!matches!(opened, Ok(None)), "a file that is there all the time is found");
            }
            renaming.join().unwrap();
        });
    }
}
