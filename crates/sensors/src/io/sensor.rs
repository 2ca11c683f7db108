//! A log file on its own thread.

use core::time::Duration;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::log::LogFile;
use super::{Files, Watch};
use crate::tail::{Batch, Checkpoint, Counters, Progress, Start, Tail};

/// Follows a log file; made to be asked in a loop by a thread of its own.
#[derive(Debug)]
pub struct FileSensor {
    tail: Tail<LogFile>,
    files: Files,
    watch: Watch,
}

impl FileSensor {
    /// Follows the file at `path` from `checkpoint` on, or from `start` if there is none. The file need not exist yet, and
    /// nothing is read yet.
    pub fn new(path: impl Into<PathBuf>, start: Start, checkpoint: Option<Checkpoint>) -> Self {
        let files = Files::new(path);
        // Watched before it is looked at, so that no change falls between.
        let watch = Watch::new(files.path());
        Self { tail: Tail::new(start, checkpoint), files, watch }
    }

    /// Opens the file without reading from it; its place, or none if there is no file yet. Whoever keeps that place before
    /// the first [`next`](Self::next) skips no line, whenever he is killed.
    pub fn open(&mut self) -> io::Result<Option<Checkpoint>> {
        self.tail.open(&mut self.files)
    }

    /// The next lines, as soon as there are any; none after `timeout`. Keep the batch's checkpoint together with what the
    /// lines caused: asking for the next batch does not mean that this one is done.
    ///
    /// An error (no permission, a broken disk) leaves everything as it is, and the next call tries again.
    pub fn next(&mut self, timeout: Duration) -> io::Result<Option<Batch<'_>>> {
        let deadline = Instant::now() + timeout;
        self.watch.settle()?;
        while self.tail.advance(&mut self.files)? != Progress::Lines {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.watch.wait(left)?;
        }
        Ok(self.tail.batch())
    }

    /// How far the log is read; none before the file was found. Keep it once at the start, even without lines.
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        self.tail.checkpoint()
    }

    /// The path that is followed.
    pub fn path(&self) -> &Path {
        self.files.path()
    }

    /// What was met so far.
    pub const fn counters(&self) -> Counters {
        self.tail.counters()
    }
}
