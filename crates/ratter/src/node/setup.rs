//! From a configuration to a running node: opens the store, restores the book and the engine, then lets the world in.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::sync::{Arc, OnceLock, RwLock};

use ::console::api::Happening;
use anyhow::{Context, anyhow};
use dnsbl::transfer::History;
use listings::{Book, NeverList};
use rules::{Engine, Owner};
use sensors::patterns::Patterns;
use store::{Limits, Opened, Restored, Store};
use tokio::sync::broadcast;
use tracing::{info, warn};

use super::actions::Actions;
use super::dns::{DnsblOutlet, Kept};
use super::names::Names;
use super::reports::ReportsOutlet;
use super::sending::SendingLimits;
use super::sensing::Sensor;
use super::{Keeper, Node, Outlets, convert, journal};
use crate::clock;
use crate::config::Config;

/// Happenings that a slow watcher may fall behind before it misses some.
const HAPPENINGS_QUEUED_MAX: usize = 4096;

/// A running node with its threads. Dropping it stops them: first what brings events, last the store, which writes what
/// is queued.
pub(crate) struct Running {
    pub(crate) node: Arc<Node>,
    pub(crate) happenings: broadcast::Sender<Happening>,
    sensors: Vec<Sensor>,
    keeper: Option<Keeper>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.sensors.clear();
        self.keeper = None;
        self.node.keep_key_counts(DnsblOutlet::key_counts);
        self.node.save_standings();
        if let Err(error) = self.node.store.close() {
            warn!(%error, "not everything is in the file; log lines will be read again at the next start");
        }
        self.node.actions.stop();
    }
}

/// Starts the node that `config` describes.
pub(crate) fn start(config: &Config) -> anyhow::Result<Running> {
    let names = Arc::new(convert::names(config));
    let now = clock::now();
    let stored_names = store::Names {
        lists: config.lists.iter().map(|list| list.name.clone()).collect(),
        rules: config.rules.iter().map(|rule| rule.name.clone()).collect(),
    };
    let limits = Limits {
        events_kept: config.limits.history,
        owners_kept: config.login.known_addresses.unwrap_or_default(),
        ..Limits::default()
    };
    let since = now.minus(convert::memory(config));
    let (opened, mut restored) = Store::open(&config.node.state, stored_names, since, limits)?;
    let never = NeverList::new(config.node.never_list.iter().copied(), config.node.never_logins.iter().cloned());
    let never = never.with_canaries(config.node.canaries.iter().copied());
    let book = Arc::new(Book::new(never));
    let engine = Engine::new(convert::engine_settings(config), Arc::clone(&book), restored.secret);
    restore(&book, &engine, &mut restored);
    book.guard(super::publish::limits(config));
    let wants_history = config.dnsbl.as_ref().is_some_and(|dnsbl| dnsbl.transfers.is_some() || config.feed.is_some());
    let history = wants_history.then(|| Arc::new(History::starting_at(restored.serial)));
    let actions = Arc::new(Actions::start(config, &names, &book, now)?);
    let (happenings, _) = broadcast::channel(HAPPENINGS_QUEUED_MAX);
    let node = Arc::new(Node {
        name: config.node.name.clone(),
        started: now,
        sending: SendingLimits::open(config, restored.secret)?,
        store: start_store(opened, &book, &names, &happenings, history.clone(), &actions)?,
        names,
        book,
        engine,
        actions,
        happenings: happenings.clone(),
        sensors: RwLock::default(),
        patterns: Arc::new(Patterns::new(config.patterns.clone())),
        names_judge: super::reverse::Judge::new(),
        asking: super::Asking::start(&config.resolver, &config.asks)?,
        warnings: config.warnings.iter().map(|fault| fault.title.clone()).collect(),
        history: config.limits.history,
        store_trusted_from: AtomicU64::new(0),
        standings_saved: AtomicU64::new(0),
        outage_told: AtomicBool::new(false),
        removals: super::removal::Tallies::default(),
        held_told: AtomicU32::new(0),
        canaries_told: AtomicU64::new(0),
        secret: restored.secret,
        outlets: OnceLock::new(),
    });
    // DNS and gates first: from here on blocks are in force again. Then the logs, which may have much to catch up with.
    let kept = Kept { secret: restored.secret, keys: core::mem::take(&mut restored.keys), history };
    let outlets = start_outlets(config, &node, kept)?;
    node.outlets.set(outlets).map_err(|_| anyhow!("a node is started once"))?;
    let keeper = Keeper::start(Arc::clone(&node)).context("no thread for what is due")?;
    let mut sensors = super::sensing::start(&config.sensors, &restored.positions, &node)?;
    sensors.extend(super::streams::start(config, &restored.positions, &node)?);
    Ok(Running { node, happenings, sensors, keeper: Some(keeper) })
}

/// Puts the book and the engine back to where the last commit left them.
fn restore(book: &Book, engine: &Engine, restored: &mut Restored) {
    let now = clock::now();
    book.restore(now, restored.serial, restored.listings.iter().cloned());
    // Each is let go of as soon as it is in the book.
    for bulk in core::mem::take(&mut restored.bulks) {
        let mut networks = bulk.networks();
        book.restore_bulk(bulk.bulk.clone(), &mut networks);
        if !networks.is_whole() {
            let listings = bulk.length();
            warn!(listings, "an import is damaged in the file: what can be read of it is in force; import it again");
        }
    }
    // What lies ahead was written while the clock was wrong. Taken as it is, it would make the present look old.
    for owner in &restored.owners {
        engine.restore_owner(&Owner { at: owner.at.min(now), ..owner.clone() });
    }
    engine.restore_standings(now, core::mem::take(&mut restored.standings));
    engine.resume(now, restored.past.iter().copied());
    for event in restored.events.iter().filter(|event| event.time <= now) {
        engine.replay(now, &event.as_event());
    }
    info!(
        listings = book.counters().listings,
        known_addresses = restored.owners.len(),
        events = restored.events.len(),
        serial = restored.serial,
        "restored"
    );
    let left_out = restored.left_out;
    if left_out.listings_of_unknown_lists > 0 {
        warn!(listings = left_out.listings_of_unknown_lists, "listings are on lists that are no longer configured");
    }
    if left_out.unreadable_rows > 0 {
        warn!(rows = left_out.unreadable_rows, "rows of the store make no sense and were passed over");
    }
}

fn start_store(
    opened: Opened,
    book: &Arc<Book>,
    names: &Arc<Names>,
    happenings: &broadcast::Sender<Happening>,
    history: Option<Arc<History>>,
    actions: &Arc<Actions>,
) -> anyhow::Result<Store> {
    let (book, names, tell, actions) = (Arc::clone(book), Arc::clone(names), happenings.clone(), Arc::clone(actions));
    Ok(opened.start(move |entries| {
        let before = entries.len();
        journal::drain(&book, &names, &tell, history.as_deref(), entries);
        actions.push(&entries[before..]);
    })?)
}

fn start_outlets(config: &Config, node: &Arc<Node>, kept: Kept) -> anyhow::Result<Outlets> {
    let dnsbl = config.dnsbl.as_ref().map(|settings| DnsblOutlet::start(config, settings, node, kept)).transpose()?;
    let gates = super::gates::start(config, node)?;
    let reports = config.reports.as_ref().map(|settings| ReportsOutlet::start(config, settings, node)).transpose()?;
    let resolver = super::reverse::start(&config.resolver, node)?;
    Ok(Outlets { gates, dnsbl, reports, resolver })
}
