//! The actions of a node: started together, told of changes together, and shown together.

use std::sync::Arc;

use ::actions::io::{MAP_PACE, MapAction, Shelf, Surroundings, Worker};
use ::actions::{Health, Words};
use anyhow::Context;
use base::Timestamp;
use console::MapText;
use console::api::ActionStatus;
use console::metrics::Metric;
use listings::{Book, Entry};

use super::exports;
use super::names::Names;
use crate::clock;
use crate::config::{Config, MapFile};

/// What is done outside when the book changes.
pub(super) struct Actions {
    all: Vec<One>,
    /// What tells the maps of this run from those of an earlier one.
    started: Timestamp,
}

struct One {
    worker: Worker,
    what: String,
    shelf: Option<Arc<Shelf>>,
}

impl Actions {
    /// Starts the actions that are configured. Each is told the book as it is now.
    pub(super) fn start(config: &Config, names: &Names, book: &Arc<Book>, now: Timestamp) -> anyhow::Result<Self> {
        let words = Arc::new(Words {
            lists: names.lists().map(|(_, info)| info.name.clone()).collect(),
            rules: config.rules.iter().map(|rule| rule.name.clone()).collect(),
        });
        let surroundings = Surroundings { book: Arc::clone(book), clock: clock::now };
        let maps = config.actions.maps.iter().map(|map| {
            start_map(map, &words, &surroundings).with_context(|| format!("the map {} has no thread", map.name))
        });
        let exports = config.actions.exports.iter().map(|export| {
            let started = exports::start(config, export, &surroundings);
            let worker = started.with_context(|| format!("the export {} has no thread", export.name))?;
            Ok(One { worker, what: exports::what(config, export), shelf: None })
        });
        Ok(Self { all: maps.chain(exports).collect::<anyhow::Result<_>>()?, started: now })
    }

    /// Tells each of changes to the book, and waits for none.
    pub(super) fn push(&self, entries: &[Entry]) {
        for one in &self.all {
            one.worker.push(entries);
        }
    }

    /// Lets each do, once, what is still to be done.
    pub(super) fn stop(&self) {
        for one in &self.all {
            one.worker.stop();
        }
    }

    /// The served map of that name.
    pub(super) fn map(&self, name: &str) -> Option<MapText> {
        let one = self.all.iter().find(|one| one.shelf.is_some() && one.worker.name() == name)?;
        let served = one.shelf.as_ref()?.get()?;
        Some(MapText { text: served.text, etag: format!("\"{}-{}\"", self.started.as_millis(), served.version) })
    }

    pub(super) fn status(&self, now: Timestamp) -> Vec<ActionStatus> {
        let status = |one: &One| {
            let health = one.worker.health();
            ActionStatus {
                name: one.worker.name().to_owned(),
                what: one.what.clone(),
                behind_ms: behind_ms(&health, now),
                fault: health.fault,
                done: health.done,
                failed: health.failed,
                shed: health.shed,
                entries: health.entries,
                left_out: health.left_out,
            }
        };
        self.all.iter().map(status).collect()
    }

    /// What the administrator should look at.
    pub(super) fn warnings(&self) -> Vec<String> {
        let warning = |one: &One| {
            let (name, health) = (one.worker.name(), one.worker.health());
            health.fault.map(|fault| format!("action {name}: {fault}"))
        };
        self.all.iter().filter_map(warning).collect()
    }

    pub(super) fn metrics(&self, now: Timestamp) -> Vec<Metric> {
        if self.all.is_empty() {
            return Vec::new();
        }
        let by = |value: &dyn Fn(&Health) -> u64| {
            let values = self.all.iter().map(|one| (one.worker.name().to_owned(), value(&one.worker.health())));
            values.collect::<Vec<_>>()
        };
        let queued = self.all.iter().map(|one| (one.worker.name().to_owned(), one.worker.queued() as u64));
        vec![
            Metric::counter("action_done", "Times that an action was carried out, by action", 0)
                .by("action", by(&|health| health.done)),
            Metric::counter("action_failed", "Attempts that failed, by action", 0)
                .by("action", by(&|health| health.failed)),
            Metric::counter("action_shed", "Changes that found no room in an action's queue, by action", 0)
                .by("action", by(&|health| health.shed)),
            Metric::gauge("action_behind_ms", "Milliseconds since the oldest change that is not carried out", 0)
                .by("action", by(&|health| behind_ms(health, now))),
            Metric::gauge("action_failing", "1 while the last attempt failed, by action", 0)
                .by("action", by(&|health| u64::from(health.fault.is_some()))),
            Metric::gauge("action_queued", "Changes that wait in an action's queue", 0).by("action", queued),
            Metric::gauge("action_entries", "Listings that an action keeps outside", 0)
                .by("action", by(&|health| health.entries as u64)),
            Metric::gauge("action_left_out", "Listings that an action cannot tell, or has no room for", 0)
                .by("action", by(&|health| health.left_out as u64)),
        ]
    }
}

fn start_map(map: &MapFile, words: &Arc<Words>, surroundings: &Surroundings) -> std::io::Result<One> {
    let shelf = map.is_served.then(Arc::default);
    let MapFile { name, path, style, lists, .. } = map;
    let what = format!("{} map {}", style.format.name(), path.display());
    let action = MapAction::new(path.clone(), *lists, style.clone(), Arc::clone(words), shelf.clone());
    let worker = Worker::start(name, Box::new(action), *lists, MAP_PACE, surroundings.clone())?;
    Ok(One { worker, what, shelf })
}

fn behind_ms(health: &Health, now: Timestamp) -> u64 {
    // What has just begun to wait is behind too.
    health.behind_since.map_or(0, |since| u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX).max(1))
}
