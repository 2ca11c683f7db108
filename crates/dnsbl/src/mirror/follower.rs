//! Keeps one zone up to date: when whom to ask for what, as a state machine without a clock (RFC 1034 section 4.3.5, RFC
//! 1996, RFC 1995).

use core::net::SocketAddr;
use core::sync::atomic::Ordering;
use core::time::Duration;
use std::sync::Arc;

use base::Timestamp;

use super::copy::Copy;
use super::incoming::{Fault, Incoming, Outcome, Wish};
use super::message::Soa;
use super::{Held, Slot};

/// The shortest time between two attempts, however often changes are announced.
const PAUSE: Duration = Duration::from_millis(250);

/// The shortest and the longest of the primary's times that are heeded: no zone shall ask all the time, or never.
const REFRESH: (Duration, Duration) = (Duration::from_secs(10), Duration::from_hours(24));

/// How long after a failed attempt the next one comes while there is nothing to serve; twice as long each time, up to
/// this.
const FIRST_RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// What happens to a follower.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input<'m> {
    /// Time has passed, or a change was announced.
    Tick,
    /// A message of the answer to its last request.
    Message(&'m [u8]),
    /// The connection failed or ended.
    Lost(&'m str),
}

/// A request to be sent by TCP, on a connection of its own. Messages that come back are the follower's until it has
/// [`Follower::is_asking`] no more.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) to: SocketAddr,
    pub(crate) message: Vec<u8>,
}

/// One zone's state.
pub(crate) struct Follower<'a> {
    slot: &'a Slot,
    /// Its last look at the clock.
    seen: Timestamp,
    /// When the next attempt begins, and not before when even if a change is announced.
    due: Timestamp,
    not_before: Timestamp,
    /// The primary that is asked next, and how many have failed since one had the zone.
    primary: usize,
    failed: u32,
    /// Primaries that do not know incremental transfers.
    whole_only: Vec<bool>,
    incoming: Option<(Wish, Incoming<'a>)>,
    next_id: u64,
}

impl<'a> Follower<'a> {
    /// One that has nothing yet. `seed` shall be hard to guess.
    pub(crate) fn new(slot: &'a Slot, seed: u64) -> Self {
        Self {
            slot,
            seen: Timestamp::EPOCH,
            due: Timestamp::EPOCH,
            not_before: Timestamp::EPOCH,
            primary: 0,
            failed: 0,
            whole_only: vec![false; slot.source.primaries.len()],
            incoming: None,
            next_id: seed,
        }
    }

    /// Whether it waits for messages.
    pub(crate) const fn is_asking(&self) -> bool {
        self.incoming.is_some()
    }

    /// When it has something to do if nothing happens before.
    pub(crate) fn next_deadline(&self) -> Timestamp {
        if self.slot.is_told.load(Ordering::Acquire) { self.not_before } else { self.due }
    }

    /// Takes in what happened; returns a request that shall be sent now, if there is one.
    pub(crate) fn handle(&mut self, now: Timestamp, input: Input<'_>) -> Option<Ask> {
        self.look_at_clock(now);
        match input {
            Input::Tick if self.incoming.is_some() => None,
            Input::Tick => {
                if self.next_deadline() > now {
                    return None;
                }
                self.slot.is_told.store(false, Ordering::Release);
                self.not_before = now.plus(PAUSE);
                let wish = match self.held() {
                    None => Wish::Whole,
                    Some(_) if self.whole_only[self.primary] => Wish::Soa,
                    Some(held) => Wish::Changes(held.soa.serial),
                };
                Some(self.ask(now, wish))
            }
            Input::Message(message) => {
                let (wish, incoming) = self.incoming.as_mut()?;
                let wish = *wish;
                match incoming.hear(message, now.as_secs()) {
                    Ok(None) => None,
                    Ok(Some(outcome)) => self.done(now, outcome),
                    Err(fault) => self.fault(now, wish, &fault),
                }
            }
            Input::Lost(why) => {
                self.incoming.take()?;
                self.fail(now, why);
                None
            }
        }
    }

    /// If the clock was set back, what was due is due now, and the zone is as good as it was.
    fn look_at_clock(&mut self, now: Timestamp) {
        if now < self.seen {
            let back = self.seen.since(now);
            let expires = Timestamp::from_millis(self.slot.expires.load(Ordering::Relaxed));
            self.slot.expires.store(expires.minus(back).as_millis(), Ordering::Relaxed);
            (self.due, self.not_before) = (now, now);
        }
        self.seen = now;
        let expires = self.slot.expires.load(Ordering::Relaxed);
        if self.incoming.is_none() && expires <= now.as_millis() {
            self.slot.set(None);
        }
    }

    fn held(&self) -> Option<Arc<Held>> {
        self.slot.held.load_full()
    }

    fn ask(&mut self, now: Timestamp, wish: Wish) -> Ask {
        let primary = &self.slot.source.primaries[self.primary];
        // The multiplier and the increment of PCG; the upper bits are the good ones.
        self.next_id = self.next_id.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let id = (self.next_id >> 48) as u16;
        let held = self.held().map(|held| held.copy.clone()).unwrap_or_default();
        let (source, key) = (&self.slot.source, primary.key.as_ref());
        let (incoming, message) = Incoming::new(&source.zone, wish, held, (id, key, now.as_secs()), source.bytes_max);
        self.incoming = Some((wish, incoming));
        Ask { to: primary.address, message }
    }

    fn done(&mut self, now: Timestamp, outcome: Outcome) -> Option<Ask> {
        self.incoming = None;
        let counters = &self.slot.counters;
        let counter = match outcome {
            Outcome::Newer => return Some(self.ask(now, Wish::Whole)),
            Outcome::Current => {
                if let Some(held) = self.held() {
                    self.is_good(now, held.soa);
                }
                &counters.current
            }
            Outcome::Changed(copy, soa) => self.take(now, copy, soa, &counters.incremental),
            Outcome::Whole(copy, soa) => self.take(now, copy, soa, &counters.whole),
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.failed = 0;
        self.slot.fault.store(None);
        None
    }

    fn take<T>(&mut self, now: Timestamp, copy: Copy, soa: Soa, counter: T) -> T {
        self.is_good(now, soa);
        let from = self.slot.source.primaries[self.primary].address;
        self.slot.set(Some(Arc::new(Held { copy, soa, since: now, from })));
        counter
    }

    /// A primary has just said that what we have is the newest.
    fn is_good(&mut self, now: Timestamp, soa: Soa) {
        let span = |seconds: u32| Duration::from_secs(seconds.into());
        let refresh = span(soa.refresh).clamp(REFRESH.0, REFRESH.1);
        self.due = now.plus(refresh);
        // Long enough for one attempt after the one that fails.
        let expire = span(soa.expire).max(refresh + span(soa.retry).clamp(REFRESH.0, REFRESH.1));
        self.slot.expires.store(now.plus(expire).as_millis(), Ordering::Relaxed);
    }

    fn fault(&mut self, now: Timestamp, wish: Wish, fault: &Fault) -> Option<Ask> {
        self.incoming = None;
        let is_about_changes =
            matches!(fault, Fault::Rcode(1 | 2 | 4 | 5) | Fault::Garbage | Fault::NoApex | Fault::Misfit);
        if matches!(wish, Wish::Changes(_)) && is_about_changes {
            // One that has no history may have the zone; one that does not know the question never will.
            self.whole_only[self.primary] |= matches!(fault, Fault::Rcode(1 | 4));
            return Some(self.ask(now, Wish::Whole));
        }
        self.fail(now, &fault.to_string());
        None
    }

    /// The next primary may be better; when all have failed, it is waited for a while.
    fn fail(&mut self, now: Timestamp, why: &str) {
        let primaries = &self.slot.source.primaries;
        let why = format!("{}: {why}", primaries[self.primary].address);
        self.slot.fault.store(Some(Arc::new(why)));
        self.slot.counters.failed.fetch_add(1, Ordering::Relaxed);
        self.primary = (self.primary + 1) % primaries.len();
        self.failed = self.failed.saturating_add(1);
        let rounds = self.failed / primaries.len() as u32;
        let has_more = !(self.failed as usize).is_multiple_of(primaries.len());
        let wait = match self.held() {
            _ if has_more => PAUSE,
            Some(held) => Duration::from_secs(held.soa.retry.into()).clamp(REFRESH.0, REFRESH.1),
            None => (FIRST_RETRY.0 * (1 << rounds.min(6).saturating_sub(1))).min(FIRST_RETRY.1),
        };
        self.due = now.plus(wait);
    }
}

#[cfg(test)]
#[path = "follower_tests.rs"]
mod tests;
