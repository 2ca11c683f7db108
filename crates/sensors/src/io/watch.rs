//! Waiting for a file to change.

use core::mem::{self, MaybeUninit};
use core::time::Duration;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

use super::files::{directory, settled, target};

/// How long a change may stay unseen where the kernel does not tell of it (network file systems, no more watches).
pub(super) const FALLBACK: Duration = Duration::from_secs(1);

/// Room for the kernel's notes, in bytes: some hundred at once.
const NOTES_BYTES: usize = 8 * 1024;

/// Waits until the file at a path, or a file rotated away from it, may have changed.
///
/// The directory is watched and not the file, so that a file that does not exist yet or is replaced is seen, and a renamed one
/// goes on being seen. If the path is a symbolic link, the directory of what it points to is watched too.
#[derive(Debug)]
pub struct Watch {
    inotify: Option<OwnedFd>,
    places: Vec<Place>,
    notes: Box<[MaybeUninit<u8>]>,
    /// Whether the kernel has notes that were not read because the file was to be looked at first.
    has_unread: bool,
    /// Whether the last notes were about the file.
    were_ours: bool,
}

#[derive(Debug)]
struct Place {
    directory: PathBuf,
    /// The names in it that matter begin so.
    name: OsString,
    /// The kernel's number of the watch; none as long as there is no such directory.
    watch: Option<i32>,
}

impl Watch {
    /// A watch for the file at `path`. Where the kernel gives none, waits end every second.
    pub fn new(path: &Path) -> Self {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok();
        let mut places: Vec<Place> = Vec::new();
        for path in [settled(path), target(path)] {
            let directory = directory(&path).to_owned();
            let name = path.file_name().unwrap_or_default().to_owned();
            if !places.iter().any(|place| place.directory == directory && place.name == name) {
                places.push(Place { directory, name, watch: None });
            }
        }
        let mut watch = Self {
            inotify,
            places,
            notes: Box::new([MaybeUninit::uninit(); NOTES_BYTES]),
            has_unread: false,
            were_ours: false,
        };
        watch.renew();
        watch
    }

    /// Reads the notes that the last wait left unread; whether there were some about the file. To be called before the file is looked at again.
    pub fn settle(&mut self) -> io::Result<bool> {
        Ok(mem::take(&mut self.has_unread) && self.read_notes()?)
    }

    /// Waits until the file may have changed, at most `timeout`; whether the kernel said so. Where the notes of the last change were about the file, these
    /// will be, too: they are not read before the file is.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<bool> {
        if self.settle()? {
            return Ok(true);
        }
        let deadline = Instant::now() + timeout.min(FALLBACK);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let time = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
            let ready = match &self.inotify {
                Some(inotify) => poll(&mut [PollFd::new(inotify, PollFlags::IN)], Some(&time)),
                None => poll(&mut [], Some(&time)),
            };
            match ready {
                Ok(0) => {
                    self.renew();
                    return Ok(false);
                }
                Ok(_) if self.were_ours => {
                    self.has_unread = true;
                    return Ok(true);
                }
                Ok(_) => {
                    if self.read_notes()? {
                        return Ok(true);
                    }
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Watches the directories that are not watched yet.
    fn renew(&mut self) {
        let flags = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::ONLYDIR;
        let Some(inotify) = &self.inotify else { return };
        for place in self.places.iter_mut().filter(|place| place.watch.is_none()) {
            place.watch = inotify::add_watch(inotify, &place.directory, flags).ok();
        }
    }

    /// Reads the notes; whether one is about the file.
    fn read_notes(&mut self) -> io::Result<bool> {
        self.were_ours = self.are_ours()?;
        Ok(self.were_ours)
    }

    fn are_ours(&mut self) -> io::Result<bool> {
        let Some(inotify) = &self.inotify else { return Ok(false) };
        let mut is_ours = false;
        let mut reader = inotify::Reader::new(inotify, &mut self.notes);
        loop {
            // Further notes, if any, end the next wait at once: to ask whether there are any would only take time.
            if is_ours && reader.is_buffer_empty() {
                return Ok(true);
            }
            let note = match reader.next() {
                Ok(note) => note,
                Err(Errno::WOULDBLOCK) => return Ok(is_ours),
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            if note.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                is_ours = true;
            }
            for place in self.places.iter_mut().filter(|place| place.watch == Some(note.wd())) {
                if note.events().contains(ReadFlags::IGNORED) {
                    // The directory is gone.
                    place.watch = None;
                }
                is_ours |= note.file_name().is_some_and(|name| name.to_bytes().starts_with(place.name.as_bytes()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    /// A wait ends for each change that comes after the file was looked at, and for no other file's change more than once.
    #[test]
    fn no_change_is_missed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mail.log");
        let mut files = [&path, &folder.path().join("other.log")].map(|path| fs::File::create(path).unwrap());
        let mut watch = Watch::new(&path);
        let mut write = |at: usize| files[at].write_all(b"x\n").unwrap();
        // The kernel's notes are there as soon as a write returns.
        let ends = |watch: &mut Watch| watch.wait(Duration::ZERO).unwrap();
        for round in 0..5 {
            write(0);
            assert!(ends(&mut watch), "round {round}: the file has changed");
            watch.settle().unwrap();
            write(0);
            assert!(ends(&mut watch), "round {round}: it has changed since it was looked at");
            while ends(&mut watch) {}
            // Another file's change is taken for one of this file at most once.
            write(1);
            while ends(&mut watch) {}
            write(1);
            assert!(!ends(&mut watch), "round {round}: another file has changed");
        }
    }
}
