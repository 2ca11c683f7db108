use core::ops::Bound;
use std::collections::BTreeSet;

use base::limits::LISTS_MAX;
use base::{Evidence, ListId, Listing, Maker, Network, Subject, Timestamp, Until};
use hashbrown::HashTable;

use crate::blocks::{Block, Hasher};
use crate::makers::Makers;
use crate::slab::Slab;

/// Every listing in force with all that is known of it, by subject and by end. Only writers look here.
///
/// A listing of an address costs about 110 bytes when half of them rest on events: a record of 56, evidence of 24 for
/// those, some 10 in the table by subject, some 25 in the order of ends. A login's text comes on top.
pub(crate) struct Register {
    hasher: Hasher,
    records: Slab<Record>,
    evidence: Slab<Evidence>,
    makers: Makers,
    /// The first record of each subject, by the subject's hash.
    heads: HashTable<u32>,
    /// All records by end; those without end come last.
    ends: BTreeSet<(u64, u32)>,
    counts: [usize; LISTS_MAX],
}

/// A listing's place in the order of ends, its list and subject.
pub(crate) type End = ((u64, u32), ListId, Subject);

/// A listing; the records of one subject are a chain.
struct Record {
    /// None in a place that waits to be used again.
    subject: Option<Subject>,
    since: Timestamp,
    end: u64,
    evidence: u32,
    maker: u32,
    next: u32,
    list: ListId,
}

const _: () = assert!(size_of::<Record>() <= 56, "there may be 20 million of them");

/// No record, or no evidence.
const NONE: u32 = u32::MAX;

/// The end of a listing that does not end by itself. A listing can end at the last millisecond but one of time.
const ENDLESS: u64 = u64::MAX;

const fn end_of(until: Until) -> u64 {
    match until {
        Until::At(end) if end.as_millis() == ENDLESS => ENDLESS - 1,
        Until::At(end) => end.as_millis(),
        Until::Never => ENDLESS,
    }
}

const fn until_of(end: u64) -> Until {
    if end == ENDLESS { Until::Never } else { Until::At(Timestamp::from_millis(end)) }
}

impl Register {
    pub(crate) fn new(hasher: Hasher) -> Self {
        Self {
            hasher,
            records: Slab::new(),
            evidence: Slab::new(),
            makers: Makers::new(),
            heads: HashTable::new(),
            ends: BTreeSet::new(),
            counts: [0; LISTS_MAX],
        }
    }

    /// A register of these listings; of several of one subject on one list the last counts.
    ///
    /// Many times quicker than one by one: the table is filled in the order of its memory and the ends are sorted once.
    pub(crate) fn of(hasher: Hasher, listings: impl Iterator<Item = Listing>) -> Self {
        let mut register = Self::new(hasher);
        let mut hashes = Vec::with_capacity(listings.size_hint().0);
        for listing in listings {
            hashes.push((register.hasher.subject(&listing.subject), register.store(listing)));
        }
        register.heads = HashTable::with_capacity(hashes.len());
        let places = register.heads.num_buckets().max(1) as u64 - 1;
        // By number within a hash, so that the last of several is the last to come.
        hashes.sort_unstable_by_key(|(hash, record)| (*hash & places, *hash, *record));
        for (hash, record) in hashes {
            register.link(hash, record);
        }
        let places = (0..).zip(register.records.iter());
        let in_force = places.filter(|(_, record)| record.subject.is_some());
        let mut ends: Vec<(u64, u32)> = in_force.map(|(at, record)| (record.end, at)).collect();
        ends.sort_unstable();
        register.ends = ends.into_iter().collect();
        register
    }

    /// How many listings there are.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// How many listings are on the list.
    pub(crate) const fn count(&self, list: ListId) -> usize {
        self.counts[list.index()]
    }

    /// Takes in a listing whose subject is not on that list.
    pub(crate) fn insert(&mut self, listing: Listing) {
        debug_assert!(self.find(&listing.subject, listing.list).is_none());
        let (end, hash) = (end_of(listing.until), self.hasher.subject(&listing.subject));
        let record = self.store(listing);
        self.link(hash, record);
        self.ends.insert((end, record));
    }

    /// Makes a record, which nothing points to yet.
    fn store(&mut self, listing: Listing) -> u32 {
        let Listing { subject, list, since, until, maker, evidence } = listing;
        let maker = self.makers.take(self.hasher.maker(&maker), maker);
        let evidence = if evidence == Evidence::default() { NONE } else { self.evidence.insert(evidence) };
        let subject = Some(subject);
        self.counts[list.index()] += 1;
        self.records.insert(Record { subject, since, end: end_of(until), evidence, maker, next: NONE, list })
    }

    /// Puts a new record into the table by subject. If the subject is on that list already, the record there takes the
    /// new one's content, and the new one is free again.
    fn link(&mut self, hash: u64, record: u32) {
        let (records, hasher) = (&self.records, &self.hasher);
        let subject = records.get(record).subject();
        let Some(head) = self.heads.find(hash, |at| records.get(*at).subject() == subject).copied() else {
            self.heads.insert_unique(hash, record, |at| hasher.subject(records.get(*at).subject()));
            return;
        };
        let list = self.list_of(record);
        let same = self.chain_from(head).find(|at| self.list_of(*at) == list);
        if let Some(same) = same {
            let new = self.records.remove(record, Record::gone());
            let place = self.records.get_mut(same);
            let new = Record { next: place.next, ..new };
            let old = core::mem::replace(place, new);
            self.release(&old);
        } else {
            let next = core::mem::replace(&mut self.records.get_mut(head).next, record);
            self.records.get_mut(record).next = next;
        }
    }

    /// Gives back what a record that is no more has pointed to, and counts it out.
    fn release(&mut self, old: &Record) {
        self.counts[old.list.index()] -= 1;
        self.makers.release(old.maker);
        if old.evidence != NONE {
            self.evidence.remove(old.evidence, Evidence::default());
        }
    }

    /// Takes a listing out.
    pub(crate) fn remove(&mut self, record: u32) -> Listing {
        let listing = self.listing(record);
        let hash = self.hasher.subject(&listing.subject);
        let next = self.records.get(record).next;
        let head = self.heads.find_entry(hash, |at| self.records.get(*at).subject.as_ref() == Some(&listing.subject));
        let mut head = head.expect("each subject that has a record has a head");
        if *head.get() != record {
            let mut before = *head.get();
            while self.records.get(before).next != record {
                before = self.records.get(before).next;
            }
            self.records.get_mut(before).next = next;
        } else if next == NONE {
            head.remove();
        } else {
            *head.get_mut() = next;
        }
        let old = self.records.remove(record, Record::gone());
        self.ends.remove(&(old.end, record));
        self.release(&old);
        listing
    }

    /// The records of exactly this subject, by list.
    pub(crate) fn records_of(&self, subject: &Subject) -> Vec<u32> {
        let mut records: Vec<u32> = self.chain(subject).collect();
        records.sort_unstable_by_key(|record| self.list_of(*record));
        records
    }

    /// The record of this subject on the list.
    pub(crate) fn find(&self, subject: &Subject, list: ListId) -> Option<u32> {
        self.chain(subject).find(|record| self.list_of(*record) == list)
    }

    /// The list of a record.
    pub(crate) fn list_of(&self, record: u32) -> ListId {
        self.records.get(record).list
    }

    /// The end of a record.
    pub(crate) fn until(&self, record: u32) -> Until {
        until_of(self.records.get(record).end)
    }

    /// A copy of the whole listing.
    pub(crate) fn listing(&self, record: u32) -> Listing {
        let known = self.records.get(record);
        Listing {
            subject: known.subject().clone(),
            list: known.list,
            since: known.since,
            until: until_of(known.end),
            maker: self.makers.get(known.maker).clone(),
            evidence: if known.evidence == NONE { Evidence::default() } else { *self.evidence.get(known.evidence) },
        }
    }

    /// The block of the subject, if there is one.
    pub(crate) fn block_of(&self, subject: &Subject) -> Option<Block> {
        self.find(subject, ListId::BLOCKED).and_then(|record| self.block(self.records.get(record)))
    }

    /// The networks on the list. It looks at all records, unless there is none.
    pub(crate) fn networks_on(&self, list: ListId) -> Vec<Network> {
        let network = |record: &Record| match record.subject {
            Some(Subject::Network(network)) if record.list == list => Some(network),
            _ => None,
        };
        if self.count(list) == 0 { Vec::new() } else { self.records.iter().filter_map(network).collect() }
    }

    /// Calls `visit` with each record's subject, list, and the block if it is one.
    pub(crate) fn visit(&self, mut visit: impl FnMut(&Subject, ListId, Option<Block>)) {
        // In the order of memory, which is many times quicker than by subject.
        for record in self.records.iter() {
            if let Some(subject) = &record.subject {
                visit(subject, record.list, self.block(record));
            }
        }
    }

    fn block(&self, record: &Record) -> Option<Block> {
        let rule = match self.makers.get(record.maker) {
            Maker::Rule(rule) => Some(*rule),
            Maker::Person { .. } => None,
        };
        (record.list == ListId::BLOCKED).then_some(Block { until: until_of(record.end), rule })
    }

    /// Up to `limit` records that are over at `now`, those that ended first at the front.
    pub(crate) fn over(&self, now: Timestamp, limit: usize) -> Vec<u32> {
        let last = now.as_millis().min(ENDLESS - 1);
        let mut over: Vec<(u64, u32)> = self.ends.range(..=(last, NONE)).take(limit).copied().collect();
        // What ends in the same moment is told apart by what it is, not by where it happens to stand.
        over.sort_by_cached_key(|(end, record)| {
            let known = self.records.get(*record);
            (*end, known.subject.clone(), known.list)
        });
        over.into_iter().map(|(_, record)| record).collect()
    }

    /// The first end.
    pub(crate) fn next_end(&self) -> Option<Timestamp> {
        self.ends.first().and_then(|(end, _)| until_of(*end).moment())
    }

    /// All records: what ends first at the front, what does not end last.
    pub(crate) fn by_end(&self) -> impl Iterator<Item = u32> {
        self.ends.iter().map(|(_, record)| *record)
    }

    /// Up to `limit` records with an end, those that end first at the front: their place in that order, which to go on
    /// from as `after`, their list and subject.
    pub(crate) fn ends_after(&self, after: Option<(u64, u32)>, limit: usize) -> Vec<End> {
        let first = after.map_or(Bound::Unbounded, Bound::Excluded);
        let ends = self.ends.range((first, Bound::Excluded((ENDLESS, 0)))).take(limit);
        let end = |place: &(u64, u32)| (*place, self.list_of(place.1), self.records.get(place.1).subject().clone());
        ends.map(end).collect()
    }

    fn chain(&self, subject: &Subject) -> impl Iterator<Item = u32> {
        let is_it = |at: &u32| self.records.get(*at).subject.as_ref() == Some(subject);
        let head = self.heads.find(self.hasher.subject(subject), is_it);
        self.chain_from(head.copied().unwrap_or(NONE))
    }

    fn chain_from(&self, head: u32) -> impl Iterator<Item = u32> {
        let some = |at: u32| (at != NONE).then_some(at);
        core::iter::successors(some(head), move |at| some(self.records.get(*at).next))
    }
}

impl Record {
    /// What stands in a place that waits to be used again.
    const fn gone() -> Self {
        let (since, list) = (Timestamp::EPOCH, ListId::BLOCKED);
        Self { subject: None, since, end: ENDLESS, evidence: NONE, maker: NONE, next: NONE, list }
    }

    const fn subject(&self) -> &Subject {
        self.subject.as_ref().expect("a record in force has its subject")
    }
}
