use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use arc_swap::ArcSwap;
use base::limits::LISTS_MAX;
use base::{Address, Evidence, ListId, ListSet, Listing, Maker, Network, Subject, Timestamp, Until};

use super::exchange::Exchange;
use super::replace::Pending;
use super::{Refusal, Wish};
use crate::blocks::Hasher;
use crate::brake::{Brake, LetGo, Waiting};
use crate::bulk::{Bulk, InForce};
use crate::image::Shown;
use crate::journal::{BY_NEVER_LIST, Cause, Change, Entry};
use crate::never::NeverList;
use crate::register::Register;
use crate::snapshot::Snapshot;
use crate::tree::{Changes, Tree};

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
    pub(super) refused_canaries: u64,
    /// What rules may do to published lists.
    pub(super) brake: Brake,
    /// Whether there is something to publish.
    pub(super) unseen: bool,
    /// The bulk of each list.
    pub(super) bulks: [Option<InForce>; LISTS_MAX],
    /// What is being built to take the place of `view`'s tree, with the bulk of one list replaced.
    pub(super) pending: Option<Pending>,
    /// How far the bulk of one list is exchanged range by range in `view`.
    pub(super) exchanging: Option<Exchange>,
    /// Listings that came or went, and that `view` does not show yet, in the order in which that happened.
    touched: Vec<Touched>,
    pub(super) changes: Changes,
    /// Snapshots that readers may still hold. The last one to let go of a snapshot frees what only it had, and that
    /// shall not be a reader.
    retired: Vec<Arc<Snapshot>>,
    hasher: Hasher,
    limit: usize,
}

/// A listing that came (`is_listed`) or went.
struct Touched {
    subject: Subject,
    list: ListId,
    is_listed: bool,
}

impl Writer {
    pub(super) fn new(hasher: Hasher, limit: usize) -> Self {
        Self {
            register: Register::new(hasher.clone()),
            view: Snapshot::new(hasher.clone()),
            outbox: Vec::new(),
            refused_never: 0,
            refused_full: 0,
            refused_canaries: 0,
            brake: Brake::default(),
            unseen: false,
            bulks: [const { None }; LISTS_MAX],
            pending: None,
            exchanging: None,
            touched: Vec::new(),
            changes: Changes::default(),
            retired: Vec::new(),
            hasher,
            limit,
        }
    }

    /// See [`super::Book::list`]; nothing is visible before [`Writer::publish`].
    pub(super) fn list(&mut self, never: &NeverList, now: Timestamp, wish: Wish) -> Result<u64, Refusal> {
        let Wish { mut subject, list, until, mut maker, evidence } = wish;
        let is_rule = matches!(maker, Maker::Rule(_));
        if never.covers_on(&subject, list) {
            self.refused_never += 1;
            self.refused_canaries += u64::from(never.is_canary_on(&subject, list));
            return Err(Refusal::NeverListed);
        }
        if is_rule && until == Until::Never && list != ListId::BLOCKED {
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
        } else {
            let bulk = self.bulk_listing(&subject, list);
            if let Some(listing) = bulk.as_ref().filter(|listing| is_rule && !listing.until.is_over(now)) {
                return Err(Refusal::AlreadyListed(listing.until));
            }
            if self.register.len() >= self.limit {
                self.refused_full += 1;
                return Err(Refusal::Full);
            }
            if is_rule {
                let size = self.register.count(list) + self.bulk_count(list);
                let wish = Wish { subject, list, until, maker, evidence };
                if !self.brake.comes(now, &wish, size) {
                    return Err(Refusal::Held);
                }
                (subject, maker) = (wish.subject, wish.maker);
            }
            if let Some(listing) = bulk {
                self.leave_bulk(now, listing, Cause::Replaced);
            }
        }
        let listing = Listing { subject, list, since: now, until, maker, evidence };
        self.touch(&listing.subject, list, true);
        self.register.insert(listing.clone());
        Ok(self.note(now, Change::Listed(listing)))
    }

    /// See [`super::Book::renew`].
    pub(super) fn renew(&mut self, never: &NeverList, now: Timestamp, wish: Wish) -> Result<u64, Refusal> {
        let Some(record) = self.register.find(&wish.subject, wish.list) else { return self.list(never, now, wish) };
        let there = self.register.listing(record);
        let is_rule = |maker: &Maker| matches!(maker, Maker::Rule(_));
        let is_endless = wish.until == Until::Never && wish.list != ListId::BLOCKED;
        if !is_rule(&there.maker) || !is_rule(&wish.maker) || is_endless || wish.until <= there.until {
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
        self.touch(&listing.subject, listing.list, true);
        self.register.insert(listing.clone());
        Ok(self.note(now, Change::Listed(listing)))
    }

    /// See [`super::Book::unlist`].
    pub(super) fn unlist(&mut self, now: Timestamp, subject: &Subject, list: Option<ListId>, by: &str) -> Vec<Listing> {
        let mut records = self.register.records_of(subject);
        records.retain(|record| list.is_none_or(|list| self.register.list_of(*record) == list));
        let mut of_bulks = self.bulk_listings_of(subject);
        of_bulks.retain(|listing| list.is_none_or(|list| listing.list == list));
        let cause = || Cause::Removed { by: by.into() };
        let mut gone: Vec<Listing> = records.into_iter().map(|record| self.remove(now, record, cause())).collect();
        gone.extend(of_bulks.into_iter().map(|listing| self.leave_bulk(now, listing, cause())));
        gone
    }

    /// Takes out what the never-list covers of all that shares an address with one of these networks.
    pub(super) fn drop_protected(&mut self, never: &NeverList, now: Timestamp, networks: &[Network]) -> Vec<Listing> {
        let mut subjects = BTreeSet::new();
        for &network in networks {
            let base = Address::new(network.base());
            let around = (0..network.length()).map(|length| Network::containing(base, length));
            subjects.extend(around.filter(|around| !self.view.tree.own_lists(*around).is_empty()));
            subjects.extend(self.view.tree.within(network).map(|(within, _)| within));
        }
        let mut gone = Vec::new();
        for subject in subjects.into_iter().map(Subject::from) {
            for list in (0..LISTS_MAX).map(ListId::new).filter(|list| never.covers_on(&subject, *list)) {
                gone.extend(self.unlist(now, &subject, Some(list), BY_NEVER_LIST));
            }
        }
        gone
    }

    /// See [`super::Book::lift`].
    pub(super) fn lift(&mut self, now: Timestamp, subject: &Subject, list: ListId, by: &str) -> Vec<Listing> {
        let is_there = self.register.find(subject, list).is_some();
        let size = self.register.count(list) + self.bulk_count(list);
        if !is_there || !self.brake.goes(now, list, subject, by, size) {
            return Vec::new();
        }
        self.unlist(now, subject, Some(list), by)
    }

    /// See [`super::Book::end_held`].
    pub(super) fn end_held(&mut self, now: Timestamp, subject: &Subject, list: ListId) -> Vec<Listing> {
        if !matches!(self.brake.waits(list, subject), Some(Waiting::Going(_))) {
            return Vec::new();
        }
        let Some(Waiting::Going(by)) = self.brake.take(list, subject) else { return Vec::new() };
        self.unlist(now, subject, Some(list), &by)
    }

    /// See [`super::Book::drop_held`].
    pub(super) fn drop_held(&mut self, subject: &Subject, list: Option<ListId>) -> Vec<Wish> {
        let mut dropped = Vec::new();
        for list in (0..LISTS_MAX).map(ListId::new).filter(|one| list.is_none_or(|list| list == *one)) {
            if matches!(self.brake.waits(list, subject), Some(Waiting::Coming(_)))
                && let Some(Waiting::Coming(wish)) = self.brake.take(list, subject)
            {
                dropped.push(wish);
            }
        }
        dropped
    }

    /// See [`super::Book::let_go`].
    pub(super) fn let_go(
        &mut self,
        never: &NeverList,
        now: Timestamp,
        list: ListId,
        is_released: bool,
    ) -> Option<LetGo> {
        if !self.brake.grips(list) {
            return None;
        }
        let size = self.register.count(list) + self.bulk_count(list);
        let waiting = self.brake.let_go(now, list, size);
        let mut done = LetGo::default();
        if !is_released {
            done.dropped = waiting.len();
            return Some(done);
        }
        // What a person lets through is not measured.
        let brake = core::mem::take(&mut self.brake);
        for (subject, waiting) in waiting {
            let is_done = match waiting {
                Waiting::Coming(wish) => {
                    let is_made = self.list(never, now, wish).is_ok();
                    done.made.extend(is_made.then_some(subject));
                    is_made
                }
                Waiting::Going(by) => {
                    let ended = self.unlist(now, &subject, Some(list), &by).len();
                    done.ended += ended;
                    ended > 0
                }
            };
            done.dropped += usize::from(!is_done);
        }
        self.brake = brake;
        self.brake.let_go(now, list, self.register.count(list) + self.bulk_count(list));
        Some(done)
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
        self.bulks = [const { None }; LISTS_MAX];
        self.unseen = true;
        let mut taken = 0;
        let limit = self.limit;
        let fit = listings.filter_map(|listing| {
            let is_published = listing.list != ListId::BLOCKED;
            let endless_by_rule =
                is_published && listing.until == Until::Never && matches!(listing.maker, Maker::Rule(_));
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
        self.register.visit(|subject, _, block| {
            if block.is_some() {
                self.view.blocks.set(&self.hasher, subject, block);
            }
        });
    }

    /// After [`Writer::restore`]: brings what has a record into the tree.
    pub(super) fn show_register(&mut self) {
        self.register.visit(|subject, list, _| {
            if let Subject::Network(network) = subject {
                self.changes.set(*network, ListSet::EMPTY.with(list));
            }
        });
    }

    /// After [`Writer::restore`]: takes what is shown if it has what has a record, and beyond that as many networks as
    /// the bulks. Says whether it did.
    pub(super) fn take_shown(&mut self, now: Timestamp, shown: &Shown, bulks: &[(Bulk, usize)]) -> bool {
        let (mut own, mut is_missing) = ([0; LISTS_MAX], false);
        self.register.visit(|subject, list, _| {
            if let Subject::Network(network) = subject {
                own[list.index()] += 1;
                is_missing |= !shown.tree.own_lists(*network).contains(list);
            }
        });
        let there = shown.tree.counts();
        let mut most = own;
        for (bulk, count) in bulks {
            most[bulk.list.index()] += count;
        }
        // Of what was not shown because it is never listed, some would have been of bulks.
        let mut refused = [0; LISTS_MAX];
        for (_, list) in &shown.refused {
            refused[list.index()] += 1;
        }
        let fits = |at: usize| there[at] <= most[at] && there[at] + refused[at] >= most[at] && there[at] >= own[at];
        if is_missing || !(0..LISTS_MAX).all(fits) {
            return false;
        }
        if !shown.refused.is_empty() {
            self.note_refused(now, &shown.refused, bulks);
        }
        for (bulk, _) in bulks {
            let at = bulk.list.index();
            self.bulks[at] = Some(InForce { bulk: bulk.clone(), count: there[at] - own[at] });
        }
        self.view.tree = shown.tree.clone();
        true
    }

    /// Notes of what is never listed that it went off its bulk, where no record of its own was taken out by it.
    fn note_refused(&mut self, now: Timestamp, refused: &[(Network, ListId)], bulks: &[(Bulk, usize)]) {
        let of_record = |entry: &Entry| match &entry.change {
            Change::Unlisted { listing, .. } => Some((listing.subject.clone(), listing.list)),
            Change::Listed(_) | Change::Replaced(_) => None,
        };
        let of_records: HashSet<(Subject, ListId)> = self.outbox.iter().filter_map(of_record).collect();
        for (network, list) in refused {
            let bulk = bulks.iter().find(|(bulk, _)| bulk.list == *list);
            if let Some((bulk, _)) = bulk.filter(|_| !of_records.contains(&((*network).into(), *list))) {
                self.note_protected(now, bulk.listing(*network));
            }
        }
    }

    /// Makes all changes visible since the last call, at once.
    pub(super) fn publish(&mut self, current: &ArcSwap<Snapshot>) {
        // Whoever calls, what nobody looks at any more is let go of: it may be a whole list.
        self.forget_retired();
        if !core::mem::take(&mut self.unseen) {
            return;
        }
        self.show_touched();
        self.view.tree.apply(&mut self.changes);
        self.retired.push(current.swap(Arc::new(self.view.clone())));
        if self.retired.len() > RETIRED_MAX {
            self.retired.remove(0);
        }
        // At once, as long as what it shares with the new one is at hand: later it costs several times as much, before a change
        // that readers wait for.
        self.forget_retired();
    }

    /// Lets go of the replaced snapshots that nobody looks at.
    fn forget_retired(&mut self) {
        self.retired.retain(|snapshot| Arc::strong_count(snapshot) > 1);
    }

    /// Brings what was touched into `view`, and into what is pending.
    fn show_touched(&mut self) {
        let mut touched = core::mem::take(&mut self.touched);
        // What happened to one subject stays in its order.
        touched.sort_by(|a, b| a.subject.cmp(&b.subject));
        for run in touched.chunk_by(|a, b| a.subject == b.subject) {
            let subject = &run[0].subject;
            if run.iter().any(|touched| touched.list == ListId::BLOCKED) {
                let block = self.register.block_of(subject);
                self.view.blocks.set(&self.hasher, subject, block);
            }
            if let Subject::Network(network) = subject {
                self.changes.set(*network, after(&self.view.tree, *network, run));
                if let Some(pending) = &mut self.pending {
                    pending.changes.set(*network, after(&pending.tree, *network, run));
                }
            }
        }
        if let Some(pending) = &mut self.pending {
            pending.tree.apply(&mut pending.changes);
        }
        touched.clear();
        self.touched = touched;
    }

    fn touch(&mut self, subject: &Subject, list: ListId, is_listed: bool) {
        self.touched.push(Touched { subject: subject.clone(), list, is_listed });
        if let (Some(pending), Subject::Network(network)) = (&mut self.pending, subject)
            && pending.list == list
        {
            pending.touched(*network, is_listed);
        }
    }

    /// The listing of exactly this subject by the list's bulk.
    ///
    /// It asks the tree, which does not show what was changed since the last [`Writer::publish`]: between two of them
    /// nothing asks for a subject again after it has gone.
    pub(super) fn bulk_listing(&self, subject: &Subject, list: ListId) -> Option<Listing> {
        let (in_force, Subject::Network(network)) = (self.bulks[list.index()].as_ref()?, subject) else { return None };
        let is_it = self.view.tree.own_lists(*network).contains(list) && self.register.find(subject, list).is_none();
        is_it.then(|| in_force.bulk.listing(*network))
    }

    /// The listings of exactly this subject by bulks, by list.
    pub(super) fn bulk_listings_of(&self, subject: &Subject) -> Vec<Listing> {
        let lists = self.bulks.iter().flatten().map(|in_force| in_force.bulk.list);
        lists.filter_map(|list| self.bulk_listing(subject, list)).collect()
    }

    /// Up to `limit` listings by the bulk of one list, or of all.
    pub(super) fn all_of_bulks(&self, list: Option<ListId>, limit: usize) -> Vec<Listing> {
        let wanted = |bulk: &&InForce| list.is_none_or(|list| bulk.bulk.list == list);
        let of_bulk = |in_force: &'_ InForce| {
            let list = in_force.bulk.list;
            let subjects = self.view.tree.on_list(list).map(Subject::from);
            let listings = subjects.filter_map(|subject| self.bulk_listing(&subject, list));
            listings.take(in_force.count.min(limit)).collect::<Vec<_>>()
        };
        self.bulks.iter().flatten().filter(wanted).flat_map(of_bulk).take(limit).collect()
    }

    /// How many listings the bulk of the list has.
    pub(super) fn bulk_count(&self, list: ListId) -> usize {
        self.bulks[list.index()].as_ref().map_or(0, |in_force| in_force.count)
    }

    /// How many listings all bulks have.
    pub(super) fn bulks_count(&self) -> usize {
        self.bulks.iter().flatten().map(|in_force| in_force.count).sum()
    }

    /// When the first bulk ends.
    pub(super) fn next_bulk_end(&self) -> Option<Timestamp> {
        self.bulks.iter().flatten().filter_map(|in_force| in_force.bulk.until.moment()).min()
    }

    /// Takes a listing out of its bulk.
    fn leave_bulk(&mut self, now: Timestamp, listing: Listing, cause: Cause) -> Listing {
        if let (Some(pending), Subject::Network(network)) = (&mut self.pending, &listing.subject)
            && pending.list == listing.list
        {
            pending.left(*network);
        }
        if let (Some(exchange), Subject::Network(network)) = (&mut self.exchanging, &listing.subject) {
            exchange.left(listing.list, *network);
        }
        self.touch(&listing.subject, listing.list, false);
        if let Some(in_force) = &mut self.bulks[listing.list.index()] {
            in_force.count -= 1;
        }
        self.note(now, Change::Unlisted { listing: listing.clone(), cause });
        listing
    }

    fn remove(&mut self, now: Timestamp, record: u32, cause: Cause) -> Listing {
        let listing = self.register.remove(record);
        self.touch(&listing.subject, listing.list, false);
        self.note(now, Change::Unlisted { listing: listing.clone(), cause });
        listing
    }

    /// Notes that what was listed when the process ended is not listed any more, because the never-list covers it.
    pub(super) fn note_protected(&mut self, now: Timestamp, listing: Listing) {
        self.note(now, Change::Unlisted { listing, cause: Cause::Removed { by: BY_NEVER_LIST.into() } });
    }

    pub(super) fn note(&mut self, at: Timestamp, change: Change) -> u64 {
        self.unseen = true;
        self.view.serial += 1;
        self.outbox.push(Entry { serial: self.view.serial, at, change });
        self.view.serial
    }
}

/// The network's own lists in `tree` after what happened to it.
fn after(tree: &Tree, network: Network, touched: &[Touched]) -> ListSet {
    touched.iter().fold(tree.own_lists(network), |lists, touched| {
        if touched.is_listed { lists.with(touched.list) } else { lists.without(touched.list) }
    })
}
