//! From a question to the records of a mirrored zone (RFC 1034 section 4.3.2, RFC 4592).

use core::sync::atomic::Ordering;

use super::copy::{Entry, Look};
use super::{Held, Mirrors, Slot};
use crate::serve::name::{NAME_BYTES_MAX, is_same};
use crate::serve::query::{Query, code};
use crate::serve::reply::{Rcode, Reply, Section};
use crate::serve::{Asker, Outcome};

/// An alias.
const CNAME: u16 = 5;

/// What stands at the question's name.
enum Standing<'a> {
    /// Records, by its own name or by a wildcard.
    Here(Entry<'a>),
    /// The zone below the name with so many octets of the key is another server's.
    Cut(Entry<'a>),
    /// It has no records.
    Empty,
    Nothing,
}

impl Mirrors {
    /// The mirrored zone that the question belongs to; none if it belongs to no such zone, or to a zone of the book below
    /// it, whose name has `book_labels` labels.
    pub(crate) fn slot_for(&self, query: &Query<'_>, book_labels: usize) -> Option<&Slot> {
        let is_of = |slot: &&Slot| {
            let is_parents = query.kind == code::DS && query.name.labels() == slot.labels;
            query.name.is_within(&slot.source.zone, slot.labels) && !is_parents
        };
        self.slots.iter().find(is_of).filter(|slot| slot.labels >= book_labels)
    }
}

impl Slot {
    /// Answers a question of this zone, of which so many labels before the zone's name are a key.
    pub(crate) fn answer(&self, query: &Query<'_>, asker: &Asker, key_labels: usize, reply: &mut Reply<'_>) -> Outcome {
        let guard = self.held.load();
        let expires = self.expires.load(Ordering::Relaxed);
        let Some(held) = guard.as_ref().filter(|_| asker.now.as_millis() < expires) else {
            // Another server of the zone may be better off.
            reply.rcode = Rcode::ServFail;
            return Outcome::Refused;
        };
        held.answer(query, self.labels, key_labels, reply)
    }

    /// Answers that there is no such name, or nothing at it, whatever the zone has.
    pub(crate) fn hide(&self, query: &Query<'_>, outcome: Outcome, reply: &mut Reply<'_>) -> Outcome {
        if let Some(held) = self.held.load().as_ref() {
            held.negative(query, self.labels, reply);
        }
        if outcome == Outcome::Unlisted {
            reply.rcode = Rcode::NxDomain;
        }
        outcome
    }

    /// Whether the question is about one of the zone's own servers, or a name on the way to it: whoever looks for the
    /// zone needs that, and has no key for it.
    pub(crate) fn is_about_server(&self, query: &Query<'_>) -> bool {
        let guard = self.held.load();
        let Some(Look::Here(apex)) = guard.as_ref().map(|held| held.copy.look(&[])) else { return false };
        apex.of(code::NS).any(|server| {
            let above = server.data.len().checked_sub(query.name.wire().len());
            above.is_some_and(|at| is_label_start(server.data, at) && is_same(&server.data[at..], query.name.wire()))
        })
    }
}

impl Held {
    fn answer(&self, query: &Query<'_>, zone_labels: usize, key_labels: usize, reply: &mut Reply<'_>) -> Outcome {
        let labels = query.name.labels() - zone_labels - key_labels;
        let mut key = [0; NAME_BYTES_MAX];
        let mut ends = [0; NAME_BYTES_MAX / 2];
        let mut at = 0;
        for (place, index) in (0..labels).rev().enumerate() {
            let label = query.name.label(index);
            key[at] = label.len() as u8;
            key[at + 1..=at + label.len()].copy_from_slice(label);
            key[at + 1..=at + label.len()].make_ascii_lowercase();
            at += 1 + label.len();
            ends[place] = at as u8;
        }
        let (key, ends) = (&key[..at], &ends[..labels]);
        reply.authoritative = true;
        match self.standing(key, ends, query.kind) {
            Standing::Here(entry) => {
                let outcome = records(entry, query.kind, reply);
                if outcome == Outcome::NoData {
                    self.negative(query, zone_labels, reply);
                }
                if key.is_empty() && outcome == Outcome::Listed { Outcome::Apex } else { outcome }
            }
            Standing::Cut(entry) => {
                reply.authoritative = false;
                let above = ends.iter().filter(|end| usize::from(**end) <= entry.key.len()).count();
                let name = query.name.suffix_start(zone_labels + key_labels + above);
                entry.of(code::NS).for_each(|r| reply.record(Section::Authority, name, code::NS, r.ttl, r.data));
                Outcome::Apex
            }
            Standing::Empty => {
                self.negative(query, zone_labels, reply);
                Outcome::NoData
            }
            Standing::Nothing => {
                self.negative(query, zone_labels, reply);
                reply.rcode = Rcode::NxDomain;
                Outcome::Unlisted
            }
        }
    }

    /// What stands at a key whose labels end at `ends`.
    fn standing(&self, key: &[u8], ends: &[u8], kind: u16) -> Standing<'_> {
        // From above: the first name that is not there, or is not ours, decides.
        let mut encloser = 0;
        for (place, end) in ends.iter().map(|end| usize::from(*end)).enumerate() {
            let is_last = place + 1 == ends.len();
            match self.copy.look(&key[..end]) {
                // A DS record stands above the cut (RFC 4035 section 3.1.4.1).
                Look::Here(entry) if entry.of(code::NS).next().is_some() && !(is_last && kind == code::DS) => {
                    return Standing::Cut(entry);
                }
                Look::Here(entry) if is_last => return Standing::Here(entry),
                Look::Above if is_last => return Standing::Empty,
                Look::Here(_) | Look::Above => encloser = end,
                Look::Nothing => return self.wildcard(&key[..encloser]),
            }
        }
        match self.copy.look(key) {
            Look::Here(entry) => Standing::Here(entry),
            Look::Above | Look::Nothing => Standing::Empty,
        }
    }

    /// What the wildcard below the closest name that is there gives (RFC 4592 section 3.3.1).
    fn wildcard(&self, encloser: &[u8]) -> Standing<'_> {
        let mut key = [0; NAME_BYTES_MAX + 2];
        key[..encloser.len()].copy_from_slice(encloser);
        key[encloser.len()..encloser.len() + 2].copy_from_slice(b"\x01*");
        match self.copy.look(&key[..encloser.len() + 2]) {
            Look::Here(entry) => Standing::Here(entry),
            Look::Above => Standing::Empty,
            Look::Nothing => Standing::Nothing,
        }
    }

    /// The SOA record of a negative reply, with the smaller one of its two times (RFC 2308 section 3).
    fn negative(&self, query: &Query<'_>, zone_labels: usize, reply: &mut Reply<'_>) {
        let Look::Here(apex) = self.copy.look(&[]) else { return };
        let name = query.name.suffix_start(zone_labels);
        for soa in apex.of(code::SOA) {
            reply.record(Section::Authority, name, code::SOA, soa.ttl.min(self.soa.minimum), soa.data);
        }
    }
}

/// The records of a name that a question wants.
fn records(entry: Entry<'_>, kind: u16, reply: &mut Reply<'_>) -> Outcome {
    let alias = entry.of(CNAME).next().map(|record| record.kind);
    let kind = match kind {
        // One kind of records is enough for whoever asks for all (RFC 8482 section 4.1).
        code::ANY => entry.records().next().map_or(code::ANY, |record| record.kind),
        kind => alias.unwrap_or(kind),
    };
    let mut count = 0;
    for record in entry.of(kind) {
        reply.answer(kind, record.ttl, record.data);
        count += 1;
    }
    if count > 0 { Outcome::Listed } else { Outcome::NoData }
}

/// Whether a label begins at `at` in an uncompressed name.
fn is_label_start(wire: &[u8], at: usize) -> bool {
    let mut start = 0;
    while start < at {
        start += 1 + usize::from(wire[start]);
    }
    start == at
}
