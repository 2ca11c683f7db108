//! Whole lists as files that others fetch, such as by rsync.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::actions::io::{Surroundings, Worker};
use ::actions::{Action, Failure, Pace};
use base::{ListId, ListSet, Listing, Network, Timestamp};
use dnsbl::datasets::{About, Form};
use dnsbl::feed::Tell;
use dnsbl::io::{read_whole, stamp, write_whole};
use listings::{Book, Entry};

use super::feed::{about, teller};
use super::outside::Held;
use crate::config::{Config, ExportFile, Fault};

/// How long it waits after a first change for those that come with it.
const SETTLE: Duration = Duration::from_secs(1);

/// The first file after a start may have so many times fewer entries than the last one: a state that was lost has none, or
/// few.
const SHRINK_MAX: u64 = 2;

/// Keeps one file as the list is.
struct ExportAction {
    path: PathBuf,
    /// Where it is noted that the file is ours.
    note: PathBuf,
    /// Whether nothing was written since the start.
    is_first: bool,
    form: Form,
    list: ListId,
    about: About,
    tell: Tell,
    book: Arc<Book>,
    is_stale: bool,
    written: u64,
    left_out: u64,
}

/// Starts writing a file of a list. It is written at the start too: what changed before, nobody here knows.
pub(super) fn start(config: &Config, export: &ExportFile, surroundings: &Surroundings) -> io::Result<Worker> {
    let name = config.lists.get(export.list.index()).map_or("", |list| &list.name);
    let action = ExportAction {
        path: export.path.clone(),
        note: note_of(config, export),
        is_first: true,
        form: export.form,
        list: export.list,
        about: about(config, name),
        tell: teller(config, &surroundings.book),
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
        let known = standing(&self.path, &self.note).map_err(|held| Failure(held.of_file(&self.path)))?;
        let snapshot = Arc::clone(&self.book.snapshot());
        let tells = self.form.tells();
        let told = |network: Network| Ok(if tells { (self.tell)(self.list, network) } else { network.into() });
        let networks = snapshot.tree().on_list(self.list).map(told);
        let write = |out: &mut dyn io::Write| {
            let counts = self.about.write(self.form, snapshot.serial() as u32, networks, out)?;
            let shrinks = known.filter(|known| self.is_first && counts.0 * SHRINK_MAX < *known);
            if let Some(known) = shrinks {
                return Err(io::Error::other(format!(
                    "held: the file has {known} entries, and the list only {} since the start; if that is right, remove {}",
                    counts.0,
                    self.path.display()
                )));
            }
            // Noted first: a file without a note would be a stranger's at the next start.
            let note = format!("{} {}\n", counts.0, self.path.display());
            write_whole(&self.note, |out| out.write_all(note.as_bytes())).map_err(|error| named(&self.note, &error))?;
            Ok(counts)
        };
        let written = write_whole(&self.path, write);
        (self.written, self.left_out) = written.map_err(|error| Failure(named(&self.path, &error).to_string()))?;
        (self.is_stale, self.is_first) = (false, false);
        Ok(())
    }

    fn size(&self) -> (usize, usize) {
        (self.written as usize, self.left_out as usize)
    }
}

/// Where it is noted which file an export wrote. It is no part of the file: the formats have no comments, or readers that
/// take none.
fn note_of(config: &Config, export: &ExportFile) -> PathBuf {
    config.node.state.join(format!("exported.{}", export.name))
}

/// How many entries the file at `path` has by the note, if there is one; or why nothing is written there: what this node
/// did not write is somebody's own.
fn standing(path: &Path, note: &Path) -> Result<Option<u64>, Held> {
    match stamp(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Held::of(&error)),
        Ok(_) if path.is_dir() => return Err(Held { why: "is a folder".to_owned(), hint: "name a file in it" }),
        Ok(_) => {}
    }
    let known = match read_whole(note) {
        Ok((text, _)) => entries_in(&String::from_utf8_lossy(&text), path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(Held::of(&named(note, &error))),
    };
    known.map(Some).ok_or_else(Held::not_ours)
}

/// The entries of the file at `path` by the note that has this text.
fn entries_in(note: &str, path: &Path) -> Option<u64> {
    let (entries, noted) = note.trim_end_matches('\n').split_once(' ')?;
    entries.parse().ok().filter(|_| *noted == *path.to_string_lossy())
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    let text = error.to_string();
    let path = path.display().to_string();
    if text.contains(&path) { io::Error::other(text) } else { io::Error::other(format!("{path}: {text}")) }
}

/// Why files of lists cannot be written now, each with its place in the configuration. What the caller may not see is left to
/// the node.
pub(super) fn judge_exports(config: &Config) -> impl Iterator<Item = (&Path, Fault)> {
    config.actions.exports.iter().filter_map(|export| {
        let note = note_of(config, export);
        let is_hidden = stamp(&note).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
        let held = standing(&export.path, &note).err().filter(|_| !is_hidden)?;
        Some((export.path.as_path(), held.fault("export", &export.name, export.place.clone())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_speaks_of_one_file() {
        let path = Path::new("/lists/a b");
        let cases =
            [("7 /lists/a b\n", Some(7)), ("7 /lists/a\n", None), ("x /lists/a b\n", None), ("", None), ("7", None)];
        for (note, entries) in cases {
            assert_eq!(entries_in(note, path), entries, "{note:?}");
        }
    }
}
