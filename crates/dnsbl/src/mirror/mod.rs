//! Zones taken from other servers: each is held as its primary has it, record by record, and answered from while it is
//! kept up to date (RFC 1034 section 4.3.5, RFC 1995, RFC 1996, RFC 5936), signed where a key is given (RFC 8945).
//!
//! ```text
//!  timers, NOTIFY ──> follower ──> request ──> primary ──> messages ──> incoming ──> copy ──> answers
//! ```
//!
//! It promises: whatever a primary sends, the last good content is served until its time is over; a new state is in
//! force at once and as a whole; an answer takes no lock and allocates nothing; what a zone may take is bounded.
//!
//! It reads no clock and opens no connection; `io` does. Nothing of a zone is kept over a restart.

mod answer;
mod copy;
mod follower;
mod incoming;
mod message;
mod notified;
#[cfg(test)]
mod testing;

use core::net::{IpAddr, SocketAddr};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;

use arc_swap::ArcSwapOption;
use base::Timestamp;

use crate::serve::Name;
use crate::transfer::Key;
use copy::Copy;
use message::Soa;

pub(crate) use follower::{Ask, Follower, Input};

/// Most zones that are taken from others; each has a thread.
pub const MIRRORS_MAX: usize = 64;

/// Most primaries of one zone.
pub const PRIMARIES_MAX: usize = 16;

/// What a zone may have if nothing else is wanted: some 20 million addresses with their texts.
pub const ZONE_BYTES_MAX: usize = 2 << 30;

/// A zone that is taken from others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// Its name.
    pub zone: Name,
    /// Whom it is taken from: the first that has it; at least one. What they announce is heeded.
    pub primaries: Vec<Primary>,
    /// Octets that its records may have, with their names.
    pub bytes_max: usize,
}

/// A server that has a zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Primary {
    /// Where it listens by TCP.
    pub address: SocketAddr,
    /// The key that requests, answers and announcements are signed with; none if they are not.
    pub key: Option<Key>,
}

/// Why there can be no such zones.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MirrorsError {
    /// One name twice.
    #[error("zone `{0}` is mirrored twice")]
    SameZone(String),
    /// More than [`MIRRORS_MAX`].
    #[error("more than {MIRRORS_MAX} mirrored zones")]
    TooManyZones,
    /// None, or more than [`PRIMARIES_MAX`].
    #[error("zone `{0}` must have 1 to {PRIMARIES_MAX} primaries")]
    Primaries(String),
}

/// The zones that are taken from others. Their names are fixed; what they hold is swapped while they are asked.
#[derive(Debug)]
pub struct Mirrors {
    /// Zones below others first.
    slots: Box<[Slot]>,
}

/// One zone's place.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) source: Source,
    /// How many labels its name has.
    pub(crate) labels: usize,
    held: ArcSwapOption<Held>,
    /// Milliseconds: from then on the content is not served any more.
    expires: AtomicU64,
    is_told: AtomicBool,
    /// Who waits for announcements.
    pub(crate) waiter: OnceLock<Thread>,
    counters: Counters,
    fault: ArcSwapOption<String>,
}

/// What a zone holds.
#[derive(Debug)]
pub(crate) struct Held {
    copy: Copy,
    soa: Soa,
    since: Timestamp,
    from: SocketAddr,
}

#[derive(Debug, Default)]
struct Counters {
    whole: AtomicU64,
    incremental: AtomicU64,
    current: AtomicU64,
    failed: AtomicU64,
    announced: AtomicU64,
    strangers: AtomicU64,
}

/// How one zone stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MirrorState {
    /// Its name.
    pub zone: String,
    /// The serial of what is held; none if there is nothing.
    pub serial: Option<u32>,
    /// How many records are held.
    pub records: u64,
    /// Octets of those, with their names.
    pub bytes: u64,
    /// When this state came.
    pub since: Option<Timestamp>,
    /// The primary that it came from.
    pub from: Option<SocketAddr>,
    /// When it is not served any more, unless a primary says that it is still good.
    pub expires: Option<Timestamp>,
    /// What kept the last attempt from success; none if it had it.
    pub fault: Option<String>,
    /// Whole transfers taken.
    pub whole: u64,
    /// Incremental transfers taken.
    pub incremental: u64,
    /// Times that a primary had nothing newer.
    pub current: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Announcements heeded.
    pub announced: u64,
    /// Announcements of others than the primaries, or badly signed.
    pub strangers: u64,
}

impl Mirrors {
    /// Zones from these sources, without content: they answer SERVFAIL.
    pub fn new(sources: impl IntoIterator<Item = Source>) -> Result<Self, MirrorsError> {
        let slot = |source: Source| Slot {
            labels: source.zone.label_count(),
            source,
            held: ArcSwapOption::empty(),
            expires: AtomicU64::new(0),
            is_told: AtomicBool::new(false),
            waiter: OnceLock::new(),
            counters: Counters::default(),
            fault: ArcSwapOption::empty(),
        };
        let mut slots: Vec<Slot> = sources.into_iter().map(slot).collect();
        if slots.len() > MIRRORS_MAX {
            return Err(MirrorsError::TooManyZones);
        }
        slots.sort_by_key(|slot| core::cmp::Reverse(slot.labels));
        for (at, slot) in slots.iter().enumerate() {
            let source = &slot.source;
            if slots[..at].iter().any(|other| other.is_zone(source.zone.wire())) {
                return Err(MirrorsError::SameZone(source.zone.to_string()));
            }
            if source.primaries.is_empty() || source.primaries.len() > PRIMARIES_MAX {
                return Err(MirrorsError::Primaries(source.zone.to_string()));
            }
        }
        Ok(Self { slots: slots.into() })
    }

    /// The names of the zones, in the order of their slots.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Name> {
        self.slots.iter().map(|slot| &slot.source.zone)
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Whether one of the zones is the zone of this name or below it.
    pub(crate) fn is_below(&self, zone: &Name) -> bool {
        self.slots.iter().any(|slot| slot.source.zone.is_within(zone.wire()))
    }

    /// How the zones stand, in the order of their names.
    pub fn states(&self) -> Vec<MirrorState> {
        let mut states: Vec<MirrorState> = self.slots.iter().map(Slot::state).collect();
        states.sort_by(|a, b| a.zone.cmp(&b.zone));
        states
    }
}

impl Slot {
    fn is_zone(&self, wire: &[u8]) -> bool {
        self.source.zone.wire().eq_ignore_ascii_case(wire)
    }

    /// Whether `address` is that of a primary.
    fn primaries_at(&self, address: IpAddr) -> impl Iterator<Item = &Primary> {
        let canonical = address.to_canonical();
        self.source.primaries.iter().filter(move |primary| primary.address.ip().to_canonical() == canonical)
    }

    /// Whoever follows shall look now.
    fn tell(&self) {
        self.is_told.store(true, Ordering::Release);
        if let Some(waiter) = self.waiter.get() {
            waiter.unpark();
        }
    }

    /// Puts another state in force, in one step for whoever asks.
    fn set(&self, held: Option<Arc<Held>>) {
        self.held.store(held);
    }

    fn state(&self) -> MirrorState {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let held = self.held.load_full();
        let held = held.as_ref();
        MirrorState {
            zone: self.source.zone.to_string(),
            serial: held.map(|held| held.soa.serial),
            records: held.map_or(0, |held| held.copy.len() as u64),
            bytes: held.map_or(0, |held| held.copy.bytes() as u64),
            since: held.map(|held| held.since),
            from: held.map(|held| held.from),
            expires: held.map(|_| Timestamp::from_millis(load(&self.expires))),
            fault: self.fault.load_full().map(|fault| String::clone(&fault)),
            whole: load(&self.counters.whole),
            incremental: load(&self.counters.incremental),
            current: load(&self.counters.current),
            failed: load(&self.counters.failed),
            announced: load(&self.counters.announced),
            strangers: load(&self.counters.strangers),
        }
    }
}
