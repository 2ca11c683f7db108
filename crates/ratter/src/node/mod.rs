//! One running Ratter: the rooms, wired.
//!
//! ```text
//!  sensing (a thread a file) ──┐                       ┌── keeper: what is due
//!  gates ── Door ──────────────┼──> Node ── Engine ── Book ── journal ──> store, log, watchers
//!  control ── console::Node ───┘
//! ```

mod console;
mod convert;
mod journal;
mod keeper;
mod metrics;
mod names;
mod replay;
mod sensing;
mod setup;
mod views;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base::{Decision, Event, EventKind, Timestamp};
use listings::Book;
use rules::{Door, Engine, Question};
use store::{Batch, KeptEvent, Store};
use tokio::sync::broadcast;
use tracing::debug;

use ::console::api::Happening;

pub(crate) use keeper::Keeper;
pub(crate) use replay::replay;
pub(crate) use setup::{Running, start};

use names::Names;
use sensing::SensorGauge;

/// How long a gate waits until a new listing is in the file. Dovecot waits 2 s for an answer.
const SAVE_PATIENCE: Duration = Duration::from_millis(50);

/// The parts of a running node, shared by all its threads.
pub(crate) struct Node {
    name: String,
    started: Timestamp,
    names: Arc<Names>,
    book: Arc<Book>,
    engine: Engine,
    store: Store,
    happenings: broadcast::Sender<Happening>,
    sensors: Vec<Arc<SensorGauge>>,
    warnings: Vec<String>,
    /// How far back events are kept, for `why`.
    history: Duration,
    /// Set once, when they have been started; a gate needs the node before the node can show the gate.
    outlets: OnceLock<Outlets>,
}

/// What answers others.
struct Outlets {
    dovecot: Option<gates::io::Handle>,
    dnsbl: Option<DnsblOutlet>,
}

/// The running DNS server and what it is called.
struct DnsblOutlet {
    origin: String,
    server: dnsbl::io::Server,
}

impl Node {
    /// Counts an event and adds what must survive a restart to `batch`, which the caller pushes when it is complete.
    fn observe_into(&self, event: &Event<'_>, batch: &mut Batch) -> Decision {
        let observed = self.engine.observe(event.time, event);
        // Failures rebuild the windows after a restart, and are the evidence that people are shown. A success is kept
        // where it says something new or took a failure back, and not a thousand times a second.
        if event.kind != EventKind::LoginOk || observed.owner.is_some() || observed.healed {
            batch.events.push(KeptEvent::from(event));
        }
        batch.owners.extend(observed.owner);
        if self.happenings.receiver_count() > 0 {
            // Nobody listening any more is no fault of the event.
            drop(self.happenings.send(Happening::Event(views::event(&KeptEvent::from(event)))));
        }
        observed.decision
    }

    /// Ends what is over and counts what was held back.
    fn do_what_is_due(&self, now: Timestamp) {
        self.engine.poll(now);
        if self.book.expire(now) > 0 {
            self.store.wake();
        }
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

impl Door for Node {
    fn ask(&self, now: Timestamp, question: &Question<'_>) -> Decision {
        self.engine.ask(now, question)
    }

    fn observe(&self, event: &Event<'_>) -> Decision {
        let mut batch = Batch::default();
        let serial = self.book.serial();
        let decision = self.observe_into(event, &mut batch);
        self.store.push(batch);
        if self.book.serial() != serial {
            // Once a gate has told anybody of a listing, no crash may lose it: it goes to the file first. A store that is
            // slow or fails holds up no mail server for longer than this.
            self.store.wake();
            if let Err(error) = self.store.flush(SAVE_PATIENCE) {
                debug!(%error, "a listing is in force, and not yet in the file");
            }
        }
        decision
    }
}
