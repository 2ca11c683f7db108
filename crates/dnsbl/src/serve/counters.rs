//! What was answered, counted without cost: each worker thread has its own [`Counters`], writes them with plain
//! stores, and anybody may read them at any time.

use core::net::Ipv4Addr;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::collections::BTreeMap;

use base::limits::LISTS_MAX;
use base::{Address, ListId, ListSet};

use crate::access::{ClientCount, Reason, Tally, busiest};

/// How a message was answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// With the codes or the texts of a listed address.
    Listed,
    /// The name does not exist: not listed (NXDOMAIN).
    Unlisted,
    /// The name exists and has no record of this type.
    NoData,
    /// With a record of a zone's own name or of a name server.
    Apex,
    /// Not our zone, not our class, or a transfer.
    Refused,
    /// By a client, or with a key, that may not ask.
    Denied,
    /// With less than there was to say, or not at all, because the client may be a forged one.
    Limited,
    /// It could not be read (FORMERR).
    Malformed,
    /// Another operation than a query (NOTIMP).
    NotImplemented,
    /// A version of EDNS that does not exist yet (BADVERS).
    BadVersion,
    /// Signed with a key that is not known (NOTAUTH).
    BadSignature,
    /// Not at all: no header, or itself a response.
    Ignored,
    /// An announcement of a zone that we take from others (NOTIFY).
    Notified,
}

impl Outcome {
    /// All of them, in the order in which counters have them.
    pub const ALL: [Self; 13] = [
        Self::Listed,
        Self::Unlisted,
        Self::NoData,
        Self::Apex,
        Self::Refused,
        Self::Denied,
        Self::Limited,
        Self::Malformed,
        Self::NotImplemented,
        Self::BadVersion,
        Self::BadSignature,
        Self::Ignored,
        Self::Notified,
    ];

    /// The name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Listed => "listed",
            Self::Unlisted => "unlisted",
            Self::NoData => "no-data",
            Self::Apex => "apex",
            Self::Refused => "refused",
            Self::Denied => "denied",
            Self::Limited => "limited",
            Self::Malformed => "malformed",
            Self::NotImplemented => "not-implemented",
            Self::BadVersion => "bad-version",
            Self::BadSignature => "bad-signature",
            Self::Ignored => "ignored",
            Self::Notified => "notified",
        }
    }
}

/// Outcomes that a zone can have: the first four.
const ZONE_OUTCOMES: usize = 4;

/// Most codes of files and of mirrored zones that one worker tells apart; further ones are counted as 0.0.0.0.
pub const CODES_MAX: usize = 64;

/// The counters of one worker. One thread writes them; if several did, counts would be lost.
#[derive(Debug)]
pub struct Counters {
    outcomes: [AtomicU64; Outcome::ALL.len()],
    truncated: AtomicU64,
    lists: [AtomicU64; LISTS_MAX],
    zones: Box<[[AtomicU64; ZONE_OUTCOMES]]>,
    refusals: [AtomicU64; Reason::ALL.len()],
    /// The codes that stand in no list, as far as they have come, and how often they did; the last one is for all others.
    codes: [(AtomicU32, AtomicU64); CODES_MAX + 1],
    pub(crate) clients: Tally,
}

/// Adds one without the cost of an atomic addition; right because one thread writes.
fn bump(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

impl Counters {
    /// Counters for so many zones, all at zero.
    pub(crate) fn new(zones: usize) -> Self {
        Self {
            outcomes: Default::default(),
            truncated: AtomicU64::new(0),
            lists: Default::default(),
            zones: (0..zones).map(|_| Default::default()).collect(),
            refusals: Default::default(),
            codes: core::array::from_fn(|_| Default::default()),
            clients: Tally::new(),
        }
    }

    /// Counts a message, and the zone that answered it.
    pub(crate) fn count(&self, outcome: Outcome, zone: Option<usize>) {
        bump(&self.outcomes[outcome as usize]);
        if let Some(of_zone) = zone.and_then(|zone| self.zones[zone].get(outcome as usize)) {
            bump(of_zone);
        }
    }

    /// Counts a question of a client that may not ask.
    pub(crate) fn count_refusal(&self, client: Address, reason: Reason) {
        self.clients.refused(client);
        bump(&self.refusals[reason as usize]);
    }

    /// Counts an answer for each of `lists`.
    pub(crate) fn count_lists(&self, lists: ListSet) {
        let mut bits = lists.bits();
        while bits != 0 {
            bump(&self.lists[bits.trailing_zeros() as usize]);
            bits &= bits - 1;
        }
    }

    /// Counts a code that an answer had from files or from a mirrored zone.
    pub(crate) fn count_code(&self, code: [u8; 4]) {
        let code = u32::from_be_bytes(code);
        // The free places stand behind those that are taken.
        let is_its = |(known, _): &&(AtomicU32, AtomicU64)| [0, code].contains(&known.load(Ordering::Relaxed));
        let place = self.codes[..CODES_MAX].iter().find(is_its);
        if let Some((known, _)) = place {
            known.store(code, Ordering::Relaxed);
        }
        bump(&place.unwrap_or(&self.codes[CODES_MAX]).1);
    }

    /// Counts questions of a client. [`super::Responder::answer_batch`] does it itself.
    pub fn count_client(&self, client: Address, questions: u64) {
        self.clients.asked(client, questions);
    }

    /// The clients that `counters` saw, the busiest first, at most `limit`.
    pub fn clients<'a>(counters: impl Iterator<Item = &'a Self>, limit: usize) -> Vec<ClientCount> {
        busiest(counters.map(|counters| &counters.clients), limit)
    }

    /// Counts a reply that did not fit.
    pub(crate) fn count_truncated(&self) {
        bump(&self.truncated);
    }
}

/// Sums of the counters of several workers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    outcomes: [u64; Outcome::ALL.len()],
    truncated: u64,
    lists: [u64; LISTS_MAX],
    zones: Vec<[u64; ZONE_OUTCOMES]>,
    refusals: [u64; Reason::ALL.len()],
    codes: BTreeMap<u32, u64>,
}

impl Totals {
    /// Adds what `counters` say now.
    pub fn add(&mut self, counters: &Counters) {
        let add = |sum: &mut u64, counter: &AtomicU64| *sum = sum.wrapping_add(counter.load(Ordering::Relaxed));
        self.outcomes.iter_mut().zip(&counters.outcomes).for_each(|(sum, counter)| add(sum, counter));
        self.lists.iter_mut().zip(&counters.lists).for_each(|(sum, counter)| add(sum, counter));
        add(&mut self.truncated, &counters.truncated);
        self.refusals.iter_mut().zip(&counters.refusals).for_each(|(sum, counter)| add(sum, counter));
        for (code, count) in &counters.codes {
            let count = count.load(Ordering::Relaxed);
            if count > 0 {
                let sum = self.codes.entry(code.load(Ordering::Relaxed)).or_default();
                *sum = sum.wrapping_add(count);
            }
        }
        let zones = self.zones.len().max(counters.zones.len());
        self.zones.resize(zones, [0; ZONE_OUTCOMES]);
        for (sums, of_zone) in self.zones.iter_mut().zip(&counters.zones) {
            sums.iter_mut().zip(of_zone).for_each(|(sum, counter)| add(sum, counter));
        }
    }

    /// Messages with this outcome.
    pub const fn outcome(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome as usize]
    }

    /// Why clients were denied an answer, and how often: names for metrics, such as `key-wanted`.
    pub fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Reason::ALL.into_iter().map(|reason| (reason.name(), self.refusals[reason as usize]))
    }

    /// Messages in all, the ignored ones included.
    pub fn messages(&self) -> u64 {
        self.outcomes.iter().fold(0, |sum, count| sum.wrapping_add(*count))
    }

    /// The codes that answers had from files and from mirrored zones, and how often; 0.0.0.0 is for those beyond
    /// [`CODES_MAX`].
    pub fn codes(&self) -> impl Iterator<Item = (Ipv4Addr, u64)> {
        self.codes.iter().map(|(code, count)| (Ipv4Addr::from_bits(*code), *count))
    }

    /// Replies that did not fit and told the client to come by TCP.
    pub const fn truncated(&self) -> u64 {
        self.truncated
    }

    /// Answers that named `list`.
    pub const fn list(&self, list: ListId) -> u64 {
        self.lists[list.index()]
    }

    /// Messages with this outcome in the zone at `zone`, in the order of [`super::Responder::zone_names`]; 0 for outcomes
    /// that belong to no zone.
    pub fn zone(&self, zone: usize, outcome: Outcome) -> u64 {
        self.zones.get(zone).and_then(|of_zone| of_zone.get(outcome as usize)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums() {
        let (a, b) = (Counters::new(2), Counters::new(2));
        a.count(Outcome::Listed, Some(1));
        a.count_lists(ListSet::from_bits(0b110));
        b.count(Outcome::Listed, Some(1));
        b.count(Outcome::Refused, None);
        b.count_truncated();
        for n in 0..CODES_MAX as u8 + 9 {
            a.count_code([127, 0, 1, n]);
        }
        b.count_code([127, 0, 1, 0]);
        b.count_code([127, 9, 9, 9]);
        let mut sums = Totals::default();
        sums.add(&a);
        sums.add(&b);
        assert_eq!((sums.messages(), sums.outcome(Outcome::Listed), sums.truncated()), (3, 2, 1));
        assert_eq!((sums.zone(1, Outcome::Listed), sums.zone(0, Outcome::Listed)), (2, 0));
        assert_eq!((sums.zone(1, Outcome::Refused), sums.zone(9, Outcome::Listed)), (0, 0));
        let codes: Vec<_> = sums.codes().collect();
        assert_eq!(codes[..2], [(Ipv4Addr::UNSPECIFIED, 9), (Ipv4Addr::new(127, 0, 1, 0), 2)]);
        assert_eq!((codes.len(), codes.last()), (CODES_MAX + 2, Some(&(Ipv4Addr::new(127, 9, 9, 9), 1))));
        assert_eq!((sums.list(ListId::new(1)), sums.list(ListId::new(3))), (1, 0));
    }

    #[test]
    fn the_order_is_the_order_of_the_variants() {
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index, "{}", reason.name());
        }
        for (index, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, index, "{}", outcome.name());
        }
    }
}
