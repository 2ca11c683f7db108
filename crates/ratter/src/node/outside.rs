//! What stays outside when it is no longer configured: map files, and the kernel's table. The node keeps a note of what is its
//! own, so that it takes back what is not wanted any more, and never puts a map in the place of somebody's file.
#![expect(clippy::disallowed_methods, reason = "the node keeps a file in its state folder, and looks at map files")]

use core::ops::Range;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::actions::io::{remove_table, replace};
use ::actions::map::{Format, Style};
use tracing::{info, warn};

use super::exports::judge_exports;
use crate::config::{Config, Fault, Faults, MapFile, Severity};

/// Name of the note: a line for the table, and one for each map file.
const FILE: &str = "outside";
const TABLE_LINE: &str = "nft";
const MAP_LINE: &str = "map ";

/// The note.
pub(super) struct Outside {
    path: PathBuf,
    own: Mutex<Own>,
}

#[derive(Clone, PartialEq, Eq, Default)]
struct Own {
    maps: BTreeSet<PathBuf>,
    has_table: bool,
}

impl Outside {
    /// The note in the state folder. What it names and the configuration does not any more is taken back: maps are emptied, so
    /// that their readers block nobody, and the table is deleted.
    pub(super) fn open(config: &Config) -> Arc<Self> {
        let path = config.node.state.join(FILE);
        let before = read(&path).unwrap_or_else(|error| {
            warn!(file = %path.display(), %error, "what was made outside is not known");
            Own::default()
        });
        let mut own = before.clone();
        own.maps.retain(|map| config.actions.maps.iter().any(|wanted| wanted.path == *map) || !take_back(map));
        own.has_table = config.actions.kernel.is_some() || before.has_table && !take_back_table();
        let outside = Self { path, own: Mutex::new(own.clone()) };
        if own != before {
            outside.keep(&own);
        }
        Arc::new(outside)
    }

    /// From now on the file at `path` is this node's; or why it is not: what this node did not write is somebody's own.
    pub(super) fn claim(&self, path: &Path) -> Result<(), String> {
        let mut own = self.own();
        if own.maps.contains(path) {
            return Ok(());
        }
        stranger(path).map_or(Ok(()), |held| Err(held.of_file(path)))?;
        own.maps.insert(path.to_owned());
        self.keep(&own);
        Ok(())
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, own: &Own) {
        let table = own.has_table.then(|| format!("{TABLE_LINE}\n"));
        let maps = own.maps.iter().map(|map| format!("{MAP_LINE}{}\n", map.display()));
        let text: String = table.into_iter().chain(maps).collect();
        if let Err(error) = replace(&self.path, text.as_bytes()) {
            warn!(%error, "what was made outside is not noted: it will not be taken back");
        }
    }
}

/// Files of somebody else where actions would write theirs: faults of the configuration, or warnings where the node that runs
/// with `running` holds back already.
pub(crate) fn judge_places(config: &Config, running: Option<&Config>) -> Faults {
    let is_known = |path: &Path| {
        running.is_some_and(|running| {
            let maps = running.actions.maps.iter().map(|map| &map.path);
            maps.chain(running.actions.exports.iter().map(|export| &export.path)).any(|known| *known == *path)
        })
    };
    let all = judge_maps(config).into_iter().chain(judge_exports(config));
    let grave = |(path, fault): (&Path, Fault)| {
        let severity = if is_known(path) { Severity::Warning } else { Severity::Error };
        Fault { severity, ..fault }
    };
    config.warnings.in_same_file(all.map(grave).collect())
}

/// Why maps cannot be written now.
fn judge_maps(config: &Config) -> Vec<(&Path, Fault)> {
    // What the caller may not see is left to the node.
    let Ok(own) = read(&config.node.state.join(FILE)) else { return Vec::new() };
    let fault = |map: &'_ MapFile| {
        let held = stranger(&map.path).filter(|_| !own.maps.contains(&map.path))?;
        Some(held.fault("map", &map.name, map.place.clone()))
    };
    config.actions.maps.iter().filter_map(|map| Some((map.path.as_path(), fault(map)?))).collect()
}

/// Why nothing is written at a path, and what to do.
pub(super) struct Held {
    pub(super) why: String,
    pub(super) hint: &'static str,
}

impl Held {
    pub(super) fn not_ours() -> Self {
        let why = "is there already, and this node did not write it or has lost its state".to_owned();
        Self { why, hint: "if it may be replaced, remove it" }
    }

    /// What the system says of the path.
    pub(super) fn of(error: &io::Error) -> Self {
        Self { why: format!("cannot be looked at: {error}"), hint: "" }
    }

    /// In one line.
    pub(super) fn of_file(&self, path: &Path) -> String {
        let hint = if self.hint.is_empty() { String::new() } else { format!("; {}", self.hint) };
        format!("held: {} {}{hint}", path.display(), self.why)
    }

    /// As a fault of the configuration.
    pub(super) fn fault(&self, what: &str, name: &str, place: Range<usize>) -> Fault {
        let title = format!("the {what} `{name}` would not be written: its file {}", self.why);
        let hint = Some(self.hint).filter(|hint| !hint.is_empty());
        Fault::error(place, title).label("this one").hint(hint.map(str::to_owned))
    }
}

fn read(path: &Path) -> io::Result<Own> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        text => text?,
    };
    let maps = text.lines().filter_map(|line| line.strip_prefix(MAP_LINE)).map(PathBuf::from).collect();
    Ok(Own { maps, has_table: text.lines().any(|line| line == TABLE_LINE) })
}

/// Why the file at `path` is somebody's own; none if there is none, or nothing in it, or it says that Ratter wrote it.
fn stranger(path: &Path) -> Option<Held> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => Some(Held::of(&error)),
        Ok(there) if there.is_symlink() => {
            Some(Held { why: "is a link".to_owned(), hint: "name the file that it leads to" })
        }
        Ok(there) if there.is_file() && (there.len() == 0 || says_so(path)) => None,
        Ok(_) => Some(Held::not_ours()),
    }
}

/// What a map begins with.
fn head() -> &'static str {
    Style { format: Format::Rspamd, answer: String::new() }.head()
}

/// Whether the file begins as maps do.
fn says_so(path: &Path) -> bool {
    let mut begins = vec![0; head().len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut begins)).is_ok() && begins == head().as_bytes()
}

/// Empties a map that is no longer wanted. Whether nothing more is to be done about it.
fn take_back(path: &Path) -> bool {
    if !path.exists() {
        return true;
    }
    let shown = path.display();
    if !says_so(path) {
        // It may have been edited since: plain maps have no words that forbid it.
        warn!(
            "{shown} is no longer configured as a map, and stays as it is: whoever reads it goes on blocking who is in it"
        );
        return true;
    }
    match replace(path, head().as_bytes()) {
        Ok(()) => info!("{shown} is no longer configured as a map, and was emptied"),
        Err(error) => warn!("{shown} is no longer configured as a map, and cannot be emptied: {error}"),
    }
    says_so(path) && path.metadata().is_ok_and(|file| file.len() == head().len() as u64)
}

/// Deletes the kernel's table. Whether it is gone.
fn take_back_table() -> bool {
    let removed = remove_table();
    match &removed {
        Ok(()) => info!("[action.nft] is no longer configured, and its table was deleted"),
        Err(error) => warn!(
            "[action.nft] is no longer configured, and its table cannot be deleted, so that addresses stay blocked: {error}; \
             `nft delete table inet ratter` does it"
        ),
    }
    removed.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_a_file_is() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let cases = [
            ("empty", "", true),
            ("ours", "# Written by Ratter: changes made here are lost.\n192.0.2.7\n", true),
            ("theirs", "192.0.2.7\n", false),
            ("almost", "# Written by Ratter", false),
        ];
        for (name, text, is_ours) in cases {
            fs::write(at(name), text).unwrap();
            assert_eq!(stranger(&at(name)).is_none(), is_ours, "{name}");
        }
        std::os::unix::fs::symlink(at("ours"), at("link")).unwrap();
        assert!(stranger(&at("link")).unwrap().why.contains("link"));
        assert!(stranger(folder.path()).is_some() && stranger(&at("nothing")).is_none());
        // A map that is not wanted any more blocks nobody, and a file without our words is left alone.
        assert!(take_back(&at("ours")) && take_back(&at("theirs")) && take_back(&at("nothing")));
        assert_eq!(fs::read_to_string(at("ours")).unwrap(), head());
        assert_eq!(fs::read_to_string(at("theirs")).unwrap(), "192.0.2.7\n");
    }
}
