use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::{ListSet, Listing, Timestamp};
use listings::Entry;

use super::file::replace;
use crate::map::{Mirror, Style};
use crate::{Action, Failure, Pace, Words};

/// Maps are written 50 ms after a change, with all that came meanwhile, and at most five times a second.
pub const MAP_PACE: Pace = Pace { settle: Duration::from_millis(50), rest: Duration::from_millis(200) };

/// A map as it is served to readers that fetch it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Served {
    /// The text.
    pub text: Arc<[u8]>,
    /// The number of the text since the start, for `ETag`.
    pub version: u64,
}

/// Where the last text of a map lies for those who fetch it; nothing before the first.
#[derive(Default, Debug)]
pub struct Shelf(Mutex<Option<Served>>);

impl Shelf {
    /// The last text.
    pub fn get(&self) -> Option<Served> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, text: String) {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let version = shelf.as_ref().map_or(0, |served| served.version) + 1;
        *shelf = Some(Served { text: text.into_bytes().into(), version });
    }
}

/// Says that the file at a path may be replaced, or why not. It is asked before the first time, until it does.
pub type Claim = Box<dyn Fn(&Path) -> Result<(), String> + Send>;

/// Keeps one map file as the book is.
pub struct MapAction {
    path: PathBuf,
    /// None once it was heard.
    claim: Option<Claim>,
    style: Style,
    words: Arc<Words>,
    mirror: Mirror,
    shelf: Option<Arc<Shelf>>,
    is_stale: bool,
    left_out: usize,
}

impl MapAction {
    /// A map of `lists` at `path`; with a shelf it is also served.
    pub fn new(
        path: PathBuf,
        claim: Claim,
        lists: ListSet,
        style: Style,
        words: Arc<Words>,
        shelf: Option<Arc<Shelf>>,
    ) -> Self {
        Self { path, claim: Some(claim), style, words, mirror: Mirror::new(lists), shelf, is_stale: true, left_out: 0 }
    }
}

impl Action for MapAction {
    fn reconcile(&mut self, listings: Vec<Listing>) {
        self.mirror.reconcile(listings);
        self.is_stale = true;
    }

    fn note(&mut self, entry: &Entry) -> bool {
        self.is_stale = true;
        self.mirror.note(entry)
    }

    fn due(&self) -> Option<Timestamp> {
        self.is_stale.then_some(Timestamp::EPOCH)
    }

    fn carry_out(&mut self, _: Timestamp) -> Result<(), Failure> {
        let (text, left_out) = self.mirror.render(&self.style, &self.words);
        self.left_out = left_out;
        if let Some(claim) = &self.claim {
            claim(&self.path).map_err(Failure)?;
            self.claim = None;
        }
        replace(&self.path, text.as_bytes()).map_err(|error| Failure(error.to_string()))?;
        if let Some(shelf) = &self.shelf {
            shelf.put(text);
        }
        self.is_stale = false;
        Ok(())
    }

    fn size(&self) -> (usize, usize) {
        (self.mirror.len(), self.left_out)
    }
}
