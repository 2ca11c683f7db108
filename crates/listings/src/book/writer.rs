use std::sync::Arc;

use arc_swap::ArcSwap;
use base::{Evidence, ListId, ListSet, Listing, Maker, Subject, Timestamp, Until};

use super::{Refusal, Wish};
use crate::blocks::Hasher;
use crate::journal::{BY_NEVER_LIST, Cause, Change, Entry};
use crate::never::NeverList;
use crate::register::Register;
use crate::snapshot::Snapshot;
use crate::tree::Changes;

/// Most replaced snapshots that are kept because somebody still looks at them. Beyond that the oldest is let
/// go, and whoever looks at it frees it.
const RETIRED_MAX: usize = 256;

/// What writers change, behind the book's mutex.
pub(super) struct Writer {
    pub(super) register: Register,
    /// What is published next; shares its memory with what is published now.
    pub(super) view: Snapshot,
    /// Journal entries that nobody has fetched yet.
    pub(super) outbox: Vec<Entry>,
    pub(super) refused_never: u64,
    pub(super) refused_full: u64,
    /// Whether there is something to publish.
    unseen: bool,
    /// Subjects that `view` does not show as the register has them.
    touched: Vec<Subject>,
    changes: Changes,
    /// Snapshots that readers may still hold. The last one to let go of a snapshot frees what only it had, and that
    /// shall not be a reader.
    retired: Vec<Arc<Snapshot>>,
    hasher: Hasher,
    limit: usize,
}

impl Writer {
    pub(super) fn new(hasher: Hasher, limit: usize) -> Self {
        Self {
            register: Register::new(hasher.clone()),
            view: Snapshot::new(hasher.clone()),
            outbox: Vec::new(),
            refused_never: 0,
            refused_full: 0,
            unseen: false,
            touched: Vec::new(),
            changes: Changes::default(),
            retired: Vec::new(),
            hasher,
            limit,
        }
    }

    /// See [`super::Book::list`]; nothing is visible before [`Writer::publish`].
    pub(super) fn list(&mut self, never: &NeverList, now: Timestamp, wish: Wish) -> Result<u64, Refusal> {
        let Wish { subject, list, until, maker, evidence } = wish;
        let is_rule = matches!(maker, Maker::Rule(_));
        if never.covers_on(&subject, list) {
            self.refused_never += 1;
            return Err(Refusal::NeverListed);
        }
        if is_rule && until == Until::Never {
            return Err(Refusal::EndlessByRule);
        }
        if until.is_over(now) {
            return Err(Refusal::OverBeforeItBegan);
        }
        if let Some(record) = self.register.find(&subject, list) {
            let end = self.register.until(record);
            // What is over, but not yet taken out, stands in nobody's way.
            let cause = if end.is_over(now) { Cause::Expired } else { Cause::Replaced };
            if is_rule && cause == Cause::Replaced {
                return Err(Refusal::AlreadyListed(end));
            }
            self.remove(now, record, cause);
        } else if self.register.len() >= self.limit {
            self.refused_full += 1;
            return Err(Refusal::Full);
        }
        let listing = Listing { subject, list, since: now, until, maker, evidence };
        self.touched.push(listing.subject.clone());
        self.register.insert(listing.clone());
        Ok(self.note(now, Change::Listed(listing)))
    }

    /// See [`super::Book::renew`].
    pub(super) fn renew(&mut self, never: &NeverList, now: Timestamp, wish: Wish) -> Result<u64, Refusal> {
        let Some(record) = self.register.find(&wish.subject, wish.list) else { return self.list(never, now, wish) };
        let there = self.register.listing(record);
        let is_rule = |maker: &Maker| matches!(maker, Maker::Rule(_));
        if !is_rule(&there.maker) || !is_rule(&wish.maker) || wish.until == Until::Never || wish.until <= there.until {
            return Err(Refusal::AlreadyListed(there.until));
        }
        self.remove(now, record, Cause::Replaced);
        let evidence = Evidence {
            count: there.evidence.count.saturating_add(wish.evidence.count),
            distinct: there.evidence.distinct.max(wish.evidence.distinct),
            first: there.evidence.first,
            last: wish.evidence.last,
        };
        let listing = Listing { until: wish.until, maker: wish.maker, evidence, ..there };
        self.touched.push(listing.subject.clone());
        self.register.insert(listing.clone());
        Ok(self.note(now, Change::Listed(listing)))
    }

    /// See [`super::Book::unlist`].
    pub(super) fn unlist(&mut self, now: Timestamp, subject: &Subject, list: Option<ListId>, by: &str) -> Vec<Listing> {
        let mut records = self.register.records_of(subject);
        records.retain(|record| list.is_none_or(|list| self.register.list_of(*record) == list));
        records.into_iter().map(|record| self.remove(now, record, Cause::Removed { by: by.into() })).collect()
    }

    /// Takes out up to `limit` of what is over.
    pub(super) fn expire(&mut self, now: Timestamp, limit: usize) -> usize {
        let over = self.register.over(now, limit);
        for record in &over {
            self.remove(now, *record, Cause::Expired);
        }
        over.len()
    }

    /// See [`super::Book::restore`].
    pub(super) fn restore(
        &mut self,
        never: &NeverList,
        now: Timestamp,
        serial: u64,
        listings: impl Iterator<Item = Listing>,
    ) {
        self.view = Snapshot::new(self.hasher.clone());
        self.view.serial = serial;
        self.touched.clear();
        self.unseen = true;
        let mut taken = 0;
        let limit = self.limit;
        let fit = listings.filter_map(|listing| {
            let endless_by_rule = listing.until == Until::Never && matches!(listing.maker, Maker::Rule(_));
            let cause = if never.covers_on(&listing.subject, listing.list) {
                self.refused_never += 1;
                Cause::Removed { by: BY_NEVER_LIST.into() }
            } else if listing.until.is_over(now) || endless_by_rule {
                Cause::Expired
            } else if taken < limit {
                taken += 1;
                return Some(listing);
            } else {
                self.refused_full += 1;
                return None;
            };
            self.view.serial += 1;
            let change = Change::Unlisted { listing, cause };
            self.outbox.push(Entry { serial: self.view.serial, at: now, change });
            None
        });
        self.register = Register::of(self.hasher.clone(), fit);
        self.register.visit(|subject, list, block| {
            if let Subject::Network(network) = subject {
                self.changes.set(*network, ListSet::EMPTY.with(list));
            }
            if block.is_some() {
                self.view.blocks.set(&self.hasher, subject, block);
            }
        });
    }

    /// Makes all changes visible since the last call, at once.
    pub(super) fn publish(&mut self, current: &ArcSwap<Snapshot>) {
        if !core::mem::take(&mut self.unseen) {
            return;
        }
        for subject in self.touched.drain(..) {
            let (lists, block) = self.register.view_of(&subject);
            self.view.blocks.set(&self.hasher, &subject, block);
            if let Subject::Network(network) = subject {
                self.changes.set(network, lists);
            }
        }
        self.view.tree.apply(&mut self.changes);
        self.retired.push(current.swap(Arc::new(self.view.clone())));
        self.retired.retain(|snapshot| Arc::strong_count(snapshot) > 1);
        if self.retired.len() > RETIRED_MAX {
            self.retired.remove(0);
        }
    }

    fn remove(&mut self, now: Timestamp, record: u32, cause: Cause) -> Listing {
        let listing = self.register.remove(record);
        self.touched.push(listing.subject.clone());
        self.note(now, Change::Unlisted { listing: listing.clone(), cause });
        listing
    }

    fn note(&mut self, at: Timestamp, change: Change) -> u64 {
        self.unseen = true;
        self.view.serial += 1;
        self.outbox.push(Entry { serial: self.view.serial, at, change });
        self.view.serial
    }
}
