//! One running Ratter: the rooms, wired.
//!
//! ```text
//!  sensing (a thread a file) ──┐                       ┌── keeper: what is due
//!  gates ── Door ──────────────┼──> Node ── Engine ── Book ── journal ──> store, log, watchers
//!  control ── console::Node ───┘
//! ```

mod accounts;
mod actions;
mod address_files;
mod asking;
mod bulk;
mod clients;
mod console;
mod convert;
mod dns;
mod evidence;
mod exceptions;
mod exported;
mod exports;
mod feed;
mod gates;
mod globs;
mod image;
mod journal;
mod keeper;
mod keys;
mod metrics;
mod names;
mod outage;
mod outside;
mod peer;
mod protect;
mod publish;
mod pulse;
mod random;
mod rehearse;
mod removal;
mod replay;
mod reporters;
mod reports;
mod reverse;
mod sending;
mod sensing;
mod setup;
mod statics;
mod streams;
mod tls;
mod versions;
mod views;
mod waiting;

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use ::gates::io::Spot;
use base::{Address, Channel, Decision, Event, EventKind, Tally, Timestamp, Verdict};
use listings::Book;
use rules::limits::Retries;
use rules::{Door, Engine, Exceptions, Logins, Question, Stage};
use sensors::patterns::Patterns;
use store::{Batch, KeptEvent, Store};
use tokio::sync::broadcast;
use tracing::debug;

use ::console::api::Happening;

pub(crate) use address_files::judge_address_files;
pub(crate) use asking::{Asked, Asking};
pub(crate) use dns::judge_dnsbl;
pub(crate) use feed::about;
pub(crate) use keeper::Keeper;
pub(crate) use outside::judge_places;
pub(crate) use random::octets as random_octets;
pub(crate) use rehearse::{FILE_BYTES_MAX as REHEARSAL_BYTES_MAX, Rehearsed, rehearse};
pub(crate) use removal::Desk as RemovalDesk;
pub(crate) use replay::replay;
pub(crate) use sensing::{OldLog, reader_of_log};
pub(crate) use setup::{Running, start};
pub(crate) use statics::judge_files;

use crate::clock;

use dns::DnsblOutlet;
use names::Names;
use sending::SendingLimits;
use sensing::SensorGauge;

/// How long a gate waits until a new listing is in the file. Dovecot waits 2 s for an answer.
const SAVE_PATIENCE: Duration = Duration::from_millis(50);

/// How long a gate does not wait again for a store that was slower than that.
const STORE_DISTRUST: Duration = Duration::from_secs(10);

/// A step of the system's clock that people should know of.
const CLOCK_STEP_MIN: Duration = Duration::from_secs(5);

/// The parts of a running node, shared by all its threads.
pub(crate) struct Node {
    name: String,
    started: Timestamp,
    names: Arc<Names>,
    book: Arc<Book>,
    engine: Engine,
    store: Store,
    /// The limits on sending; gates ask them through [`rules::limits::SendingDoor`].
    sending: SendingLimits,
    /// What accounts do, and what does not fit to it.
    accounts: accounts::AccountKeeper,
    /// Which message it was that a limit stopped.
    retries: Retries,
    /// What is done outside; it follows the journal.
    actions: Arc<actions::Actions>,
    happenings: broadcast::Sender<Happening>,
    sensors: RwLock<Vec<Arc<SensorGauge>>>,
    patterns: Arc<Patterns>,
    names_judge: reverse::Judge,
    /// Who is let through or refused whatever was counted.
    exceptions: Exceptions,
    /// How the forms of one login are made one, at every way in.
    logins: Logins,
    /// What files tell of addresses.
    address_files: address_files::AddressFiles,
    asking: Option<Asking>,
    warnings: Vec<String>,
    /// How far back events are kept, for `why`.
    history: Duration,
    /// Milliseconds: until then gates do not wait for the store, because it was slow.
    store_trusted_from: AtomicU64,
    images: image::Images,
    /// Milliseconds: when what became of reporters was written last.
    standings_saved: AtomicU64,
    /// The lists of which people know that something waits, as bits; and how many canaries they know of.
    held_told: AtomicU32,
    /// What waits for a person, over a restart.
    waiting: waiting::WaitingFile,
    canaries_told: AtomicU64,
    /// What gates and limits warn of, as far as the log has it.
    warned: Mutex<Vec<String>>,
    /// Whether people know that counting is paused.
    outage_told: AtomicBool,
    /// What became of requests to take an address off.
    removals: removal::Tallies,
    /// The secret of this node, for hashes that nobody else can make.
    secret: [u8; 16],
    /// Set once, when they have been started; a gate needs the node before the node can show the gate.
    outlets: OnceLock<Outlets>,
}

/// What answers others.
struct Outlets {
    gates: gates::Gates,
    dnsbl: Option<DnsblOutlet>,
    reports: Option<reports::ReportsOutlet>,
    exports: Option<exported::ExportsOutlet>,
    resolver: Option<::rdns::io::Resolver>,
}

impl Node {
    /// Counts an event and adds what must survive a restart to `batch`, which the caller pushes when it is complete.
    fn observe_into(&self, now: Timestamp, event: &Event<'_>, batch: &mut Batch) {
        self.observe_more(now, event, None, batch);
    }

    /// The same for an event of a limit, which it tells by its name, with the sender's domain.
    fn observe_more(
        &self,
        now: Timestamp,
        event: &Event<'_>,
        exceeded: Option<&(Box<str>, Option<Box<str>>)>,
        batch: &mut Batch,
    ) {
        let login = event.login.map(|login| self.logins.canonical(login));
        let event = &Event { login: login.as_deref(), ..*event };
        let event = &Event { tally: self.tally_of(event), ..*event };
        let observed = self.engine.observe(now, event);
        let kept = || KeptEvent { exceeded: exceeded.cloned(), ..KeptEvent::from(event) };
        // Failures rebuild the windows after a restart, and are the evidence that people are shown. A success is kept
        // where it says something new or took a failure back, and not a thousand times a second.
        if event.kind != EventKind::LoginOk || observed.owner.is_some() || observed.healed {
            batch.events.push(kept());
        }
        batch.owners.extend(observed.owner);
        self.ask_for_names(now);
        self.hear_of_account(event);
        if self.happenings.receiver_count() > 0 {
            // Nobody listening any more is no fault of the event.
            drop(self.happenings.send(Happening::Event(views::event(&kept()))));
        }
    }

    /// Counts an event that a gate tells, and has it kept.
    fn observe_told(&self, event: &Event<'_>, exceeded: Option<&(Box<str>, Option<Box<str>>)>) {
        let mut batch = Batch::default();
        let serial = self.book.serial();
        self.observe_more(clock::now(), event, exceeded, &mut batch);
        self.store.push(batch);
        if self.book.serial() != serial {
            self.save_before_telling();
        }
    }

    /// How often an event counts. A success of somebody whom we refuse is none, or a right password that was guessed would
    /// make its guesser known as the owner. Only the line of the process that talks to the client says that he is in,
    /// whatever we say: gates and databases tell of the password, before the mail server has asked everybody.
    fn tally_of(&self, event: &Event<'_>) -> Tally {
        let is_in = event.channel == Channel::Front || event.reporter.is_some();
        if event.kind == EventKind::LoginOk && !is_in && self.ask(event.time, &after(event)).verdict == Verdict::Refuse
        {
            Tally::Refused
        } else {
            event.tally
        }
    }

    /// The sockets at which DNS is asked, each a second time: questions that come after this process was replaced wait there
    /// for the program that takes its place. DNS answers no more when this returns.
    pub(crate) fn hand_over_dns(&self) -> io::Result<Vec<(Spot, OwnedFd)>> {
        let dnsbl = self.outlets.get().and_then(|outlets| outlets.dnsbl.as_ref());
        dnsbl.map_or(Ok(Vec::new()), DnsblOutlet::hand_over)
    }

    /// The gauges of all sensors, in the order in which they were started.
    fn gauges(&self) -> Vec<Arc<SensorGauge>> {
        self.sensors.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends what is over and counts what was held back.
    fn do_what_is_due(&self, now: Timestamp) {
        self.engine.poll(now);
        self.ask_for_names(now);
        self.ask_again(now);
        self.sending.poll(now);
        self.tend_accounts(now);
        self.expire_exceptions(now);
        self.tell_of_outage(now);
        self.tell_of_gates();
        self.tell_of_held(now);
        self.keep_waiting(now, false);
        if self.book.expire(now) > 0 {
            self.store.wake();
        }
        self.keep_key_counts(|outlet| outlet.key_counts_due(now));
        if let Some(dnsbl) = self.outlets.get().and_then(|outlets| outlets.dnsbl.as_ref()) {
            dnsbl.look_up_clients();
        }
    }

    /// The DNS server, if there is one and it has started.
    fn dnsbl(&self) -> Option<&DnsblOutlet> {
        self.outlets.get()?.dnsbl.as_ref()
    }

    /// Shows a sensor.
    fn add_gauge(&self, gauge: &Arc<SensorGauge>) {
        self.sensors.write().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(gauge));
    }

    /// Shows a sensor no more.
    fn remove_gauge(&self, gauge: &Arc<SensorGauge>) {
        self.sensors.write().unwrap_or_else(PoisonError::into_inner).retain(|other| !Arc::ptr_eq(other, gauge));
    }

    /// When [`Node::do_what_is_due`] has something to do next.
    fn next_deadline(&self) -> Option<Timestamp> {
        [self.book.next_deadline(), self.engine.next_deadline()].into_iter().flatten().min()
    }

    /// The database file, for messages.
    fn store_path(&self) -> PathBuf {
        self.store.path().to_owned()
    }
}

impl Node {
    /// Once a gate has told anybody of a listing, no crash may lose it: it goes to the file first. A store that was too
    /// slow for that is not waited for again for a while, so that it holds up no mail server.
    fn save_before_telling(&self) {
        self.store.wake();
        let now = clock::now();
        let is_trusted = self.store_trusted_from.load(Ordering::Relaxed) <= now.as_millis();
        if is_trusted && let Err(error) = self.store.flush(SAVE_PATIENCE) {
            debug!(%error, "a listing is in force, and not yet in the file");
            self.store_trusted_from.store(now.plus(STORE_DISTRUST).as_millis(), Ordering::Relaxed);
        }
    }
}

impl Door for Node {
    fn ask(&self, now: Timestamp, question: &Question<'_>) -> Decision {
        let login = question.login.map(|login| self.logins.canonical(login));
        let question = &Question { login: login.as_deref(), ..*question };
        self.excepted(now, question).unwrap_or_else(|| self.engine.ask(now, question))
    }

    fn database_failed(&self, now: Timestamp, address: Option<Address>, login: Option<&str>) {
        self.engine.database_failed(now, address, login);
    }

    fn observe(&self, event: &Event<'_>) -> Decision {
        self.observe_told(event, None);
        self.ask(event.time, &after(event))
    }
}

/// Whether the client of an event may go on now.
const fn after<'a>(event: &Event<'a>) -> Question<'a> {
    Question { address: event.address, login: event.login, stage: Stage::After, service: event.service }
}
