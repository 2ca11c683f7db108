//! From a configuration to a running node: opens the store, restores the book and the engine, then lets the world in.

use core::mem::take;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use ::console::api::Happening;
use ::gates::io::HandedOver;
use anyhow::{Context, anyhow};
use base::Timestamp;
use dnsbl::transfer::{DELTA_CHANGES_MAX, History};
use listings::{Book, Shown};
use rules::limits::Retries;
use rules::{Engine, Exceptions, Owner};
use sensors::patterns::Patterns;
use store::{KeptZone, Limits, OlderChanges, Opened, Outset, Restored, Store};
use tokio::sync::broadcast;
use tracing::{info, warn};

use super::accounts::AccountKeeper;
use super::actions::Actions;
use super::dns::{DnsblOutlet, Kept};
use super::exported::ExportsOutlet;
use super::image::{self, ImageKeeper};
use super::names::Names;
use super::protect::Sources;
use super::reports::ReportsOutlet;
use super::sending::SendingLimits;
use super::sensing::Sensor;
use super::waiting::WaitingFile;
use super::{Keeper, Node, Outlets, convert, journal};
use crate::clock;
use crate::config::{self, Config};

/// Happenings that a slow watcher may fall behind before it misses some.
const HAPPENINGS_QUEUED_MAX: usize = 4096;

/// A running node with its threads. Dropping it stops them: first what brings events, last the store, which writes what
/// is queued.
pub(crate) struct Running {
    pub(crate) node: Arc<Node>,
    pub(crate) happenings: broadcast::Sender<Happening>,
    sensors: Vec<Sensor>,
    keeper: Option<Keeper>,
    images: Option<ImageKeeper>,
}

impl Running {
    /// Ends all but DNS and what speaks with clients, and then has gates and the places for reports hand over what they have to
    /// the program that takes the place of this one: whoever asks until then is answered, and it is stored when this is dropped.
    pub(crate) fn hand_over(&mut self) -> io::Result<HandedOver> {
        self.end_events();
        let Some(outlets) = self.node.outlets.get() else { return Ok(HandedOver::default()) };
        let reports = outlets.reports.iter().map(ReportsOutlet::server);
        outlets.gates.hand_over(reports.chain(outlets.exports.iter().map(ExportsOutlet::server)))
    }

    /// Stops what brings events, besides gates.
    fn end_events(&mut self) {
        self.sensors.clear();
        self.keeper = None;
        self.images = None;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end_events();
        self.node.keep_key_counts(DnsblOutlet::key_counts);
        self.node.save_standings();
        self.node.save_accounts(usize::MAX);
        self.node.keep_waiting(clock::now(), true);
        if let Err(error) = self.node.store.close() {
            warn!(%error, "not everything is in the file; log lines will be read again at the next start");
        }
        self.node.actions.stop();
    }
}

/// Starts the node that `config` describes.
pub(crate) fn start(config: &Config) -> anyhow::Result<Running> {
    let now = clock::now();
    let stored_names = store::Names {
        lists: config.lists.iter().map(|list| list.name.clone()).collect(),
        rules: convert::rule_names(config),
    };
    let (memory, memory_of_failures) = convert::memory(config);
    let limits = Limits {
        failures_further: memory_of_failures.saturating_sub(memory),
        events_kept: config.limits.history,
        journal_rows_max: config.limits.changes,
        owners_kept: config.login.known_addresses.unwrap_or_default(),
        ..Limits::default()
    };
    let since = now.minus(memory);
    let mut opened = Opened::at(&config.node.state, stored_names, limits)?;
    let sources = Sources::read(config);
    let address_files = sources.address_files().clone();
    let names = Arc::new(convert::names(config).with_systems(address_files.systems()));
    let book = Arc::new(Book::new(sources.never_list()));
    let shown = image::read(&opened, &book, now);
    let mut restored = opened.begin(config.dnsbl.as_ref().map_or(0, |dnsbl| dnsbl.serial_min))?;
    let wants_history = config.dnsbl.as_ref().is_some_and(|dnsbl| dnsbl.transfers.is_some() || config.feed.is_some());
    let history = wants_history.then(|| Arc::new(History::awaiting(restored.serial)));
    let kept = Kept {
        secret: restored.secret,
        keys: take(&mut restored.keys),
        history: history.clone(),
        zones: take(&mut restored.zones),
        begun: restored.serial,
    };
    let start_dns = || config.dnsbl.as_ref().map(|dns| DnsblOutlet::start(config, dns, &book, kept)).transpose();
    let engine = Engine::new(convert::engine_settings(config), Arc::clone(&book), restored.secret);
    let engine = match address_files.systems() {
        Some(systems) => engine.with_systems(systems),
        None => engine,
    };
    // With an image DNS answers from here on, while the listings themselves are read; without one it would deny them.
    let (dnsbl, is_exact) = if let Some(shown) = shown {
        book.show(restored.serial, &shown);
        let dnsbl = start_dns()?;
        (dnsbl, restore_book(&opened, &book, &mut restored, Some(&shown))?)
    } else {
        let is_exact = restore_book(&opened, &book, &mut restored, None)?;
        (start_dns()?, is_exact)
    };
    restore_engine(&opened, &book, &engine, &mut restored, since)?;
    let zones = dnsbl.as_ref().map(|dnsbl| dnsbl.zones().to_vec()).unwrap_or_default();
    // What was in force before is no change: the brake measures from here on.
    book.guard(super::publish::limits(config));
    let waiting = WaitingFile::open(&config.node.state, &names, &book);
    let actions = Arc::new(Actions::start(config, &names, &book, now)?);
    let (happenings, _) = broadcast::channel(HAPPENINGS_QUEUED_MAX);
    let node = Arc::new(Node {
        name: config.node.name.clone(),
        started: now,
        sending: SendingLimits::open(config, restored.secret)?,
        accounts: AccountKeeper::new(config, now, restored.secret, take(&mut restored.accounts), address_files.geo()),
        retries: Retries::new(restored.secret),
        store: start_store(opened, (is_exact, zones), &book, &names, &happenings, history, &actions)?,
        names,
        book,
        engine,
        actions,
        happenings: happenings.clone(),
        sensors: RwLock::default(),
        patterns: Arc::new(Patterns::new(config.patterns.clone())),
        names_judge: super::reverse::Judge::new(),
        exceptions: exceptions(&mut restored),
        logins: config.login.logins.clone(),
        address_files,
        asking: super::Asking::start(&config.resolver, &config.asks)?,
        warnings: lasting_warnings(config),
        history: config.limits.history,
        store_trusted_from: AtomicU64::new(0),
        images: image::Images::new(),
        standings_saved: AtomicU64::new(0),
        warned: Mutex::default(),
        outage_told: AtomicBool::new(false),
        removals: super::removal::Tallies::default(),
        held_told: AtomicU32::new(0),
        waiting,
        canaries_told: AtomicU64::new(0),
        secret: restored.secret,
        outlets: OnceLock::new(),
    });
    node.note_rule_versions(&config.rules);
    node.recall_stops();
    // Gates first: from here on blocks are in force again. Then the logs, which may have much to catch up with.
    let outlets = start_outlets(config, &node, dnsbl)?;
    node.outlets.set(outlets).map_err(|_| anyhow!("a node is started once"))?;
    let keeper = Keeper::start(Arc::clone(&node)).context("no thread for what is due")?;
    let protection = super::protect::start(sources, &config.resolver, &node)?;
    let images = ImageKeeper::start(Arc::clone(&node)).context("no thread for the image of the book")?;
    let mut sensors = super::sensing::start(&config.sensors, &restored.positions, &node)?;
    sensors.extend(super::streams::start(config, &restored.positions, &node)?);
    sensors.push(protection);
    Ok(Running { node, happenings, sensors, keeper: Some(keeper), images: Some(images) })
}

/// Reads the rest of the store, and puts the engine back to where the last commit left it.
fn restore_engine(
    opened: &Opened,
    book: &Book,
    engine: &Engine,
    restored: &mut Restored,
    since: Timestamp,
) -> anyhow::Result<()> {
    let now = clock::now();
    opened.restore_rest(since, restored)?;
    // What lies ahead was written while the clock was wrong. Taken as it is, it would make the present look old.
    for owner in &restored.owners {
        engine.restore_owner(&Owner { at: owner.at.min(now), ..owner.clone() });
    }
    engine.restore_standings(now, take(&mut restored.standings));
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
    Ok(())
}

/// Puts the book back to where the last commit left it: as an image shows it already, if that is right; else as the store says.
/// Whether it is certainly that.
fn restore_book(opened: &Opened, book: &Book, restored: &mut Restored, shown: Option<&Shown>) -> anyhow::Result<bool> {
    opened.restore_listings(restored)?;
    let (now, listings) = (clock::now(), take(&mut restored.listings));
    if let Some(shown) = shown {
        let bulks: Vec<_> = restored.bulks.iter().map(|bulk| (bulk.bulk.clone(), bulk.networks_left())).collect();
        if book.restore_shown(now, restored.serial, listings, shown, &bulks) {
            return Ok(restored.is_exact && book.counters().refused_full == 0);
        }
        warn!("the image of the book is not what the store says: reading all of the store");
    } else {
        book.restore(now, restored.serial, listings);
    }
    opened.restore_bulks(restored)?;
    let mut is_whole = true;
    // Each is let go of as soon as it is in the book.
    for bulk in take(&mut restored.bulks) {
        let mut networks = bulk.networks();
        book.restore_bulk(now, bulk.bulk.clone(), &mut networks);
        if !networks.is_whole() {
            is_whole = false;
            let listings = bulk.length();
            warn!(listings, "an import is damaged in the file: what can be read of it is in force; import it again");
        }
    }
    Ok(is_whole && restored.is_exact && book.counters().refused_full == 0)
}

/// The exceptions that the last commit left.
fn exceptions(restored: &mut Restored) -> Exceptions {
    let exceptions = Exceptions::new(u128::from_le_bytes(restored.secret) as u64);
    let kept = take(&mut restored.exceptions);
    let shed = kept.into_iter().filter(|exception| exceptions.put(exception).is_err()).count();
    if shed > 0 {
        warn!(exceptions = shed, "there are more exceptions in the file than can be in force");
    }
    exceptions
}

fn start_store(
    opened: Opened,
    (is_exact, zones): (bool, Vec<KeptZone>),
    book: &Arc<Book>,
    names: &Arc<Names>,
    happenings: &broadcast::Sender<Happening>,
    history: Option<Arc<History>>,
    actions: &Arc<Actions>,
) -> anyhow::Result<Store> {
    let mut teller = journal::Teller::new(Arc::clone(names), happenings.clone());
    let (book, actions) = (Arc::clone(book), Arc::clone(actions));
    let older = opened.older_changes();
    let to_grant = history.clone();
    let granted = Box::new(move |serial| to_grant.iter().for_each(|history| history.grant(serial)));
    let to_open = history.clone();
    let store = opened.start_from(Outset { is_exact, zones, granted }, move |entries| {
        let before = entries.len();
        teller.drain(clock::now(), &book, history.as_deref(), entries);
        actions.push(&entries[before..]);
    })?;
    if let Some(history) = to_open {
        let read = move || open_history(&history, &older);
        std::thread::Builder::new().name("history".into()).spawn(read).context("no thread for the changes before")?;
    }
    Ok(store)
}

/// Lets zones be transferred, and lists be fetched, with what is known of the changes before the start.
fn open_history(history: &History, older: &OlderChanges) {
    let before = older.read(history.start(), DELTA_CHANGES_MAX);
    if let Err(error) = &before {
        warn!(%error, "the changes before the start cannot be read: secondaries take the zones as a whole");
    }
    history.open(before.ok());
}

fn start_outlets(config: &Config, node: &Arc<Node>, dnsbl: Option<DnsblOutlet>) -> anyhow::Result<Outlets> {
    let gates = super::gates::start(config, node)?;
    let reports = config.reports.as_ref().map(|settings| ReportsOutlet::start(config, settings, node)).transpose()?;
    let resolver = super::reverse::start(&config.resolver, node)?;
    let exports = config.rspamd.as_ref().map(|sensor| ExportsOutlet::start(config, sensor, node)).transpose()?;
    Ok(Outlets { gates, dnsbl, reports, exports, resolver })
}

/// The warnings of the configuration, without those of logs, of zones' files and of files about addresses that were not there
/// at the start: of these the sensors, the zones and the files tell, as long as it is so.
fn lasting_warnings(config: &Config) -> Vec<String> {
    let mut passing: Vec<String> = config.sensors.iter().map(|sensor| config::missing(&sensor.path)).collect();
    let statics = config.dnsbl.as_ref().and_then(|dnsbl| dnsbl.statics.as_ref());
    passing.extend(statics.into_iter().flat_map(config::Statics::files).flat_map(config::unread));
    let about_addresses = [&config.node.asn_file, &config.node.country_file];
    passing.extend(about_addresses.into_iter().flatten().map(|path| config::unreadable(path)));
    let titles = config.warnings.iter().map(|fault| fault.title.clone());
    titles.filter(|title| !passing.contains(title)).collect()
}
