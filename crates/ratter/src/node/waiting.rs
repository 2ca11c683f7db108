//! What waits behind the brake, over a restart: a file of the state folder, written when it has changed.
//!
//! Names stand for lists and rules, whose numbers change with the configuration. What names none any more is dropped:
//! whoever goes on is listed again.
#![expect(clippy::disallowed_methods, reason = "the node keeps a file in its state folder")]

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base::{Evidence, Maker, Subject, Timestamp, Until};
use listings::{Book, HeldWhole, Wish};
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::Node;
use super::names::Names;

/// Name of the file: a JSON object a line.
const FILE: &str = "publish-waiting.jsonl";

/// It is written no more often than this: a flood that waits changes it with every event.
const KEPT_EVERY: Duration = Duration::from_secs(10);

/// One line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    /// What follows waits for this list.
    List { name: String, since: u64, before: usize, shed: u64 },
    /// A listing to be made; without `until` it has no end.
    Coming { subject: String, rule: String, until: Option<u64>, count: u32, distinct: u32, first: u64, last: u64 },
    /// A listing to be ended.
    Going { subject: String, by: String },
}

/// The file.
#[derive(Debug)]
pub(super) struct WaitingFile {
    path: PathBuf,
    /// Which state of what waits is in it, and when it was written.
    kept: Mutex<(u64, Timestamp)>,
}

impl WaitingFile {
    /// The file of a state folder; what it says waits again.
    pub(super) fn open(state: &Path, names: &Names, book: &Book) -> Self {
        let path = state.join(FILE);
        match read(&path, names) {
            Ok(held) => {
                if !held.is_empty() {
                    info!(lists = held.len(), "what waited for a person waits again");
                }
                book.hold_again(held);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => warn!(file = %path.display(), %error, "what waited for a person is forgotten"),
        }
        Self { path, kept: Mutex::new((book.held_changes(), Timestamp::EPOCH)) }
    }

    /// Writes what waits, if it is another than what the file says.
    fn keep(&self, now: Timestamp, names: &Names, book: &Book, is_last: bool) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = is_last || now.since(kept.1) >= KEPT_EVERY;
        if !is_due || book.held_changes() == kept.0 {
            return;
        }
        let (state, held) = book.held_whole();
        match write(&self.path, &held, names) {
            Ok(()) => *kept = (state, now),
            Err(error) => {
                warn!(file = %self.path.display(), %error, "what waits for a person is not kept over a restart");
                kept.1 = now;
            }
        }
    }
}

impl Node {
    /// Keeps what waits behind the brake over a restart.
    pub(super) fn keep_waiting(&self, now: Timestamp, is_last: bool) {
        self.waiting.keep(now, &self.names, &self.book, is_last);
    }
}

fn write(path: &Path, held: &[HeldWhole], names: &Names) -> io::Result<()> {
    let next = path.with_extension("new");
    let mut file = BufWriter::new(File::create(&next)?);
    for held in held {
        for line in lines(held, names) {
            serde_json::to_writer(&mut file, &line)?;
            file.write_all(b"\n")?;
        }
    }
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(next, path)
}

fn lines(held: &HeldWhole, names: &Names) -> impl Iterator<Item = Line> {
    let HeldWhole { list, since, before, shed, .. } = *held;
    let head = Line::List { name: names.list(list).to_owned(), since: since.as_millis(), before, shed };
    let coming = held.coming.iter().filter_map(|wish| {
        let Maker::Rule(rule) = wish.maker else { return None };
        let Evidence { count, distinct, first, last } = wish.evidence;
        Some(Line::Coming {
            subject: wish.subject.to_string(),
            rule: names.rule(rule).to_owned(),
            until: wish.until.moment().map(Timestamp::as_millis),
            count,
            distinct,
            first: first.as_millis(),
            last: last.as_millis(),
        })
    });
    let going = held.going.iter().map(|(subject, by)| Line::Going { subject: subject.to_string(), by: by.to_string() });
    core::iter::once(head).chain(coming.collect::<Vec<_>>()).chain(going.collect::<Vec<_>>())
}

fn read(path: &Path, names: &Names) -> io::Result<Vec<HeldWhole>> {
    let mut all: Vec<HeldWhole> = Vec::new();
    let mut is_known = false;
    for line in BufReader::new(File::open(path)?).lines() {
        match serde_json::from_str(&line?)? {
            Line::List { name, since, before, shed } => {
                let list = names.list_named(&name).map(|(list, _)| list);
                is_known = list.is_some();
                let since = Timestamp::from_millis(since);
                let (coming, going) = (Vec::new(), Vec::new());
                all.extend(list.map(|list| HeldWhole { list, since, before, shed, coming, going }));
            }
            Line::Coming { subject, rule, until, count, distinct, first, last } => {
                let [first, last] = [first, last].map(Timestamp::from_millis);
                let until = until.map_or(Until::Never, |until| Until::At(Timestamp::from_millis(until)));
                let (Some(held), Some(rule), Ok(subject)) =
                    (all.last_mut().filter(|_| is_known), names.rule_named(&rule), subject.parse::<Subject>())
                else {
                    continue;
                };
                let evidence = Evidence { count, distinct, first, last };
                let list = held.list;
                held.coming.push(Wish { subject, list, until, maker: Maker::Rule(rule), evidence });
            }
            Line::Going { subject, by } => {
                if let (Some(held), Ok(subject)) = (all.last_mut().filter(|_| is_known), subject.parse()) {
                    held.going.push((subject, by.into()));
                }
            }
        }
    }
    all.retain(|held| !held.coming.is_empty() || !held.going.is_empty());
    Ok(all)
}
