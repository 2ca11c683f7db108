//! The image of the book: read at a start, so that DNS answers before millions of rows are read; kept while the node runs.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use base::Timestamp;
use listings::{Book, Shown};
use store::{NoImage, Opened};
use tracing::{debug, info, warn};

use super::Node;
use crate::clock;

/// Fewer listings than this are read from the store in a blink.
pub(super) const LISTINGS_MIN: usize = 10_000;

/// After so many changes an image is written anew: a start goes through them in some 0.2 s.
const CHANGES_MAX: u64 = 100_000;

/// How old an image may become while there are changes: ten million addresses are 24 MB to write.
const AGE_MAX: Duration = Duration::from_mins(5);

/// The shortest pause between two images.
const PAUSE_MIN: Duration = Duration::from_secs(5);

/// How often the thread looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long an image waits until its changes are in the store. The writer may be busy with a whole list.
const SAVE_PATIENCE: Duration = Duration::from_mins(1);

/// What the image of the last run shows now, if there is one that can be used.
pub(super) fn read(opened: &Opened, book: &Book, now: Timestamp) -> Option<Shown> {
    match opened.image(now) {
        Ok(image) => {
            info!("DNS answers from the image of the book while the store is read");
            Some(image.shown(now, &book.never_list()))
        }
        Err(NoImage::Missing) => None,
        Err(reason) => {
            warn!(%reason, "the image of the book is not used: all of the store is read, which takes longer");
            None
        }
    }
}

/// The images that are written while the node runs, one at a time.
pub(super) struct Images {
    /// Whether so much has changed at once that one is wanted before its time.
    wanted: AtomicBool,
    written: Mutex<Written>,
}

impl Images {
    pub(super) const fn new() -> Self {
        let written = Written { serial: None, at: Timestamp::EPOCH };
        Self { wanted: AtomicBool::new(false), written: Mutex::new(written) }
    }

    /// Has the thread write one soon, because much has changed.
    pub(super) fn want(&self) {
        self.wanted.store(true, Ordering::Relaxed);
    }

    /// Writes one now, for whoever has changed much and waits until a start is quick again. If that fails the thread tries
    /// again.
    pub(super) fn write_now(&self, node: &Node) {
        self.want();
        self.look(node, |written, _, serial, _| written.serial != Some(serial));
    }

    /// Writes one if `is_due` says so of the last one, the time, the book's serial and whether one is wanted.
    fn look(&self, node: &Node, is_due: impl FnOnce(&Written, Timestamp, u64, bool) -> bool) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, serial) = (clock::now(), node.book.serial());
        let is_wanted = self.wanted.load(Ordering::Relaxed);
        if !is_due(&written, now, serial, is_wanted) || node.book.counters().listings < LISTINGS_MIN {
            return;
        }
        self.wanted.store(false, Ordering::Relaxed);
        written.at = now;
        match write(node) {
            Some(serial) => written.serial = Some(serial),
            None => self.wanted.store(is_wanted, Ordering::Relaxed),
        }
    }
}

/// The thread that keeps the image, which writes a last one when this is dropped.
pub(super) struct ImageKeeper {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ImageKeeper {
    /// Starts it for `node`.
    pub(super) fn start(node: Arc<Node>) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("image".into()).spawn(move || keep(&node, &stopped))?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for ImageKeeper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A thread that panicked has said so; there is nothing left to end.
            thread.join().unwrap_or_default();
        }
    }
}

fn keep(node: &Node, stopped: &AtomicBool) {
    while !stopped.load(Ordering::Relaxed) {
        std::thread::park_timeout(LOOK_EVERY);
        node.images.look(node, Written::is_due);
    }
    node.images.write_now(node);
}

/// Writes an image, and gives the last change in it if it is there.
fn write(node: &Node) -> Option<u64> {
    let began = clock::now();
    match node.store.write_image(&node.book, SAVE_PATIENCE) {
        Ok(Some(serial)) => {
            debug!(serial, took_ms = clock::now().since(began).as_millis() as u64, "wrote the image of the book");
            Some(serial)
        }
        // A list is being replaced: the next look finds it done.
        Ok(None) => None,
        Err(error) => {
            info!(%error, "the image of the book was not written: the next start may take longer");
            None
        }
    }
}

/// What was written last.
struct Written {
    /// The last change in it.
    serial: Option<u64>,
    at: Timestamp,
}

impl Written {
    fn is_due(&self, now: Timestamp, serial: u64, is_wanted: bool) -> bool {
        let age = now.since(self.at);
        let Some(written) = self.serial else { return age >= PAUSE_MIN };
        let changes = serial.saturating_sub(written);
        age >= PAUSE_MIN && changes > 0 && (is_wanted || changes >= CHANGES_MAX || age >= AGE_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_due() {
        let cases = [
            ("none yet", None, 100, 9, false, true),
            ("one just failed", None, 2, 9, false, false),
            ("nothing changed", Some(9), 1000, 9, true, false),
            ("little changed", Some(9), 100, 10, false, false),
            ("little changed, long ago", Some(9), 300, 10, false, true),
            ("a list was replaced", Some(9), 5, 10, true, true),
            ("a list was replaced again at once", Some(9), 4, 10, true, false),
            ("much changed", Some(9), 5, 100_009, false, true),
        ];
        for (what, written, seconds, serial, is_wanted, is_due) in cases {
            let written = Written { serial: written, at: Timestamp::from_secs(1000) };
            assert_eq!(written.is_due(Timestamp::from_secs(1000 + seconds), serial, is_wanted), is_due, "{what}");
        }
    }
}
