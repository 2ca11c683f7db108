//! Whole lists as files that others fetch, such as by rsync.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ::actions::io::{Surroundings, Worker};
use ::actions::{Action, Failure, Pace};
use base::{ListId, ListSet, Listing, Timestamp};
use dnsbl::datasets::{About, Form};
use dnsbl::io::write_whole;
use listings::{Book, Entry};

use super::feed::about;
use crate::config::{Config, ExportFile};

/// How long it waits after a first change for those that come with it.
const SETTLE: Duration = Duration::from_secs(1);

/// Keeps one file as the list is.
struct ExportAction {
    path: PathBuf,
    form: Form,
    list: ListId,
    about: About,
    book: Arc<Book>,
    is_stale: bool,
    written: u64,
    left_out: u64,
}

/// Starts writing a file of a list. It is written at the start too: what changed before, nobody here knows.
pub(super) fn start(config: &Config, export: &ExportFile, surroundings: &Surroundings) -> std::io::Result<Worker> {
    let name = config.lists.get(export.list.index()).map_or("", |list| &list.name);
    let action = ExportAction {
        path: export.path.clone(),
        form: export.form,
        list: export.list,
        about: about(config, name),
        book: Arc::clone(&surroundings.book),
        is_stale: true,
        written: 0,
        left_out: 0,
    };
    let pace = Pace { settle: SETTLE.min(export.every), rest: export.every };
    let lists = ListSet::EMPTY.with(export.list);
    Worker::start(&export.name, Box::new(action), lists, pace, surroundings.clone())
}

/// What it is, for the status.
pub(super) fn what(config: &Config, export: &ExportFile) -> String {
    let list = config.lists.get(export.list.index()).map_or("", |list| &list.name);
    format!("{} of {list} in {}", export.form.name(), export.path.display())
}

impl Action for ExportAction {
    fn wants_listings(&self) -> bool {
        false
    }

    fn reconcile(&mut self, _: Vec<Listing>) {
        self.is_stale = true;
    }

    fn note(&mut self, _: &Entry) -> bool {
        self.is_stale = true;
        true
    }

    fn due(&self) -> Option<Timestamp> {
        self.is_stale.then_some(Timestamp::EPOCH)
    }

    fn carry_out(&mut self, _: Timestamp) -> Result<(), Failure> {
        let snapshot = Arc::clone(&self.book.snapshot());
        let networks = snapshot.tree().on_list(self.list).map(Ok);
        let write = |out: &mut dyn std::io::Write| self.about.write(self.form, snapshot.serial() as u32, networks, out);
        let written = write_whole(&self.path, write);
        (self.written, self.left_out) = written.map_err(|error| Failure(error.to_string()))?;
        self.is_stale = false;
        Ok(())
    }

    fn size(&self) -> (usize, usize) {
        (self.written as usize, self.left_out as usize)
    }
}
