use core::hash::BuildHasher;
use std::hash::RandomState;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use arc_swap::{ArcSwap, Guard};
use base::limits::LISTS_MAX;
use base::{Address, Evidence, ListId, ListSet, Listing, Maker, Network, Subject, Timestamp, Until};

use crate::blocks::Hasher;
use crate::brake::{BrakeLimits, Held, HeldWhole, LetGo, Waiting};
use crate::bulk::Bulk;
use crate::image::Shown;
use crate::journal::Entry;
use crate::never::NeverList;
use crate::register::End;
use crate::snapshot::{Reader, Snapshot};
use crate::tree::Tree;

mod exchange;
mod replace;
mod writer;

pub use exchange::SEEN_WHOLE_MAX;
pub use replace::{BULK_MAX, REFUSED_KEPT_MAX, ReplaceError, Replacement, STEPS_MAX};
use writer::Writer;

/// Most listings in force at once, those of bulks not counted ([`BULK_MAX`]); a wish beyond is refused as [`Refusal::Full`], and what is in force stays.
/// Some 2.2 GB with nothing but addresses.
pub const LISTINGS_MAX: usize = 20_000_000;

/// How many listings [`Book::expire`] takes out before it lets other writers have a turn.
const EXPIRED_AT_ONCE_MAX: usize = 10_000;

/// A listing that somebody wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wish {
    /// Whom to list.
    pub subject: Subject,
    /// On which list.
    pub list: ListId,
    /// Until when.
    pub until: Until,
    /// Who wants it.
    pub maker: Maker,
    /// What it rests on.
    pub evidence: Evidence,
}

/// Why a wish was not fulfilled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The never-list covers the subject, or a part of it.
    NeverListed,
    /// The subject is on the list already, until then, and a rule does not change that.
    AlreadyListed(Until),
    /// [`LISTINGS_MAX`] listings are in force.
    Full,
    /// The end has passed.
    OverBeforeItBegan,
    /// Only a person may want a listing that does not end by itself; a rule may want such a block, which is seen here only.
    EndlessByRule,
    /// Rules bring too much onto the list: it waits for a person ([`Book::held`]).
    Held,
}

/// What the book counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Listings in force.
    pub listings: usize,
    /// Journal entries that wait for [`Book::drain_journal`]. Nothing else bounds them: no change is lost.
    pub waiting: usize,
    /// Wishes, and listings at the start, that the never-list refused.
    pub refused_never: u64,
    /// Wishes, and listings at the start, that were refused because the book was full.
    pub refused_full: u64,
    /// Of those that the never-list refused, canaries: somebody makes things up.
    pub refused_canaries: u64,
}

/// All listings in force.
///
/// Writers take one mutex; readers hold a [`Reader`] and take none. A call that changes several listings
/// publishes one snapshot for all of them, so that readers see all or nothing of it ([`Book::expire`] and its many
/// excepted).
pub struct Book {
    /// Changed with the writer's mutex held, so that nothing is listed by an earlier one afterwards.
    never: ArcSwap<NeverList>,
    writer: Mutex<Writer>,
    /// Held by whoever replaces a bulk, which takes long: one at a time.
    replacing: Mutex<()>,
    current: Arc<ArcSwap<Snapshot>>,
}

impl Book {
    /// An empty book. The seed of its hash tables is the process' own; nothing that can be observed depends on it.
    pub fn new(never: NeverList) -> Self {
        Self::seeded(never, RandomState::new().hash_one("the book"))
    }

    /// An empty book whose hash tables have this seed. A seed that outsiders know lets them slow it down.
    pub fn seeded(never: NeverList, seed: u64) -> Self {
        Self::with_limit(never, seed, LISTINGS_MAX)
    }

    fn with_limit(never: NeverList, seed: u64, limit: usize) -> Self {
        let hasher = Hasher::new(seed);
        let current = Arc::new(ArcSwap::from_pointee(Snapshot::new(hasher.clone())));
        Self {
            never: ArcSwap::from_pointee(never),
            writer: Mutex::new(Writer::new(hasher, limit)),
            replacing: Mutex::new(()),
            current,
        }
    }

    /// Replaces all listings by those that were in force when the process ended, and counts on from `serial`.
    ///
    /// That makes no journal entries, except for what must not come into force again: what has ended since and
    /// endless listings by rules that are no blocks (`Expired`), and what is on the never-list now (`Removed`). Of several listings of one
    /// subject on one list the last counts. Listings beyond [`LISTINGS_MAX`] are left out and counted.
    pub fn restore(&self, now: Timestamp, serial: u64, listings: impl IntoIterator<Item = Listing>) {
        let mut writer = self.writer();
        writer.restore(&self.never.load(), now, serial, listings.into_iter());
        writer.show_register();
        writer.publish(&self.current);
    }

    /// [`Book::restore`] where [`Book::show`] shows already what is listed; with the bulks and how many networks each has,
    /// instead of [`Book::restore_bulk`]. Says whether what is shown is what these listings and bulks say. If not, this
    /// was [`Book::restore`], and the bulks are still to come.
    pub fn restore_shown(
        &self,
        now: Timestamp,
        serial: u64,
        listings: impl IntoIterator<Item = Listing>,
        shown: &Shown,
        bulks: &[(Bulk, usize)],
    ) -> bool {
        let mut writer = self.writer();
        writer.restore(&self.never.load(), now, serial, listings.into_iter());
        let is_right = writer.take_shown(now, shown, bulks);
        if !is_right {
            writer.show_register();
        }
        writer.publish(&self.current);
        is_right
    }

    /// The last change and the tree with it; none while a bulk is being replaced.
    pub(crate) fn still(&self) -> Option<(u64, Tree)> {
        let turn = match self.replacing.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::Poisoned(turn)) => turn.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        // What is published, and not what is about to be: its serial is that of its tree.
        let shown = self.current.load();
        let still = (shown.serial, shown.tree.clone());
        drop(turn);
        Some(still)
    }

    /// Shows what an image says as it is after the change `serial`, so that answers can be given before
    /// [`Book::restore_shown`] knows the listings themselves. Gates are not to look yet: it says nothing of blocks.
    pub fn show(&self, serial: u64, shown: &Shown) {
        let mut writer = self.writer();
        (writer.view.serial, writer.view.tree) = (serial, shown.tree.clone());
        writer.unseen = true;
        writer.publish(&self.current);
    }

    pub(crate) fn ends_after(&self, after: Option<(u64, u32)>, limit: usize) -> Vec<End> {
        self.writer().register.ends_after(after, limit)
    }

    /// Fulfils a wish, and gives the number of its journal entry.
    ///
    /// A rule never changes a listing of the same subject on the same list; a person replaces it, which makes two
    /// entries.
    ///
    /// # Errors
    /// Says why the book is as it was.
    pub fn list(&self, now: Timestamp, wish: Wish) -> Result<u64, Refusal> {
        let mut writer = self.writer();
        let result = writer.list(&self.never.load(), now, wish);
        writer.publish(&self.current);
        result
    }

    /// [`Book::list`] for many wishes, which readers see at once. Much cheaper than one by one.
    pub fn list_many(&self, now: Timestamp, wishes: impl IntoIterator<Item = Wish>) -> Vec<Result<u64, Refusal>> {
        // The wishes are made before the lock is taken, because making them may take long or may ask the book.
        let wishes: Vec<Wish> = wishes.into_iter().collect();
        let mut writer = self.writer();
        let results = wishes.into_iter().map(|wish| writer.list(&self.never.load(), now, wish)).collect();
        writer.publish(&self.current);
        results
    }

    /// Makes a rule's listing last longer, because the subject went on: the end is moved to that of the wish if it is
    /// later, and the evidence grows. That makes two journal entries, and returns the number of the last.
    ///
    /// # Errors
    /// There is no such listing by a rule, or it lasts as long ([`Refusal::AlreadyListed`]).
    pub fn renew(&self, now: Timestamp, wish: Wish) -> Result<u64, Refusal> {
        let mut writer = self.writer();
        let result = writer.renew(&self.never.load(), now, wish);
        writer.publish(&self.current);
        result
    }

    /// Takes exactly this subject out of one list, or out of all, and gives the listings as they were. `by` goes
    /// into the journal.
    pub fn unlist(&self, now: Timestamp, subject: &Subject, list: Option<ListId>, by: &str) -> Vec<Listing> {
        let mut writer = self.writer();
        let gone = writer.unlist(now, subject, list, by);
        writer.publish(&self.current);
        gone
    }

    /// Takes exactly this subject out of a list because a rule wants it: at the brake, as what rules bring onto it. `by` goes
    /// into the journal.
    pub fn lift(&self, now: Timestamp, subject: &Subject, list: ListId, by: &str) -> Vec<Listing> {
        let mut writer = self.writer();
        let gone = writer.lift(now, subject, list, by);
        writer.publish(&self.current);
        gone
    }

    /// Sets up the brake before published lists; without it rules may change them as they like.
    pub fn guard(&self, limits: BrakeLimits) {
        self.writer().brake.set(limits);
    }

    /// The lists of which changes wait for a person.
    pub fn held(&self) -> Vec<Held> {
        self.writer().brake.held()
    }

    /// All that waits behind the brake, to be kept over a restart, with the number of this state of it.
    pub fn held_whole(&self) -> (u64, Vec<HeldWhole>) {
        let writer = self.writer();
        (writer.brake.changes(), writer.brake.held_whole())
    }

    /// The number of the present state of what waits: another one means that it is another.
    pub fn held_changes(&self) -> u64 {
        self.writer().brake.changes()
    }

    /// Has that wait which waited before a restart. Whether it may come is judged when it is let go.
    pub fn hold_again(&self, held: Vec<HeldWhole>) {
        let mut writer = self.writer();
        for held in held {
            writer.brake.hold_again(held);
        }
    }

    /// The first subjects of which a change waits, on one list.
    pub fn held_on(&self, list: ListId, limit: usize) -> Vec<Subject> {
        self.writer().brake.waiting(list, limit)
    }

    /// The lists onto which exactly this subject waits to come, and those from which it waits to go.
    pub fn held_of(&self, subject: &Subject) -> (ListSet, ListSet) {
        let writer = self.writer();
        let lists = (0..LISTS_MAX).map(ListId::new);
        lists.fold((ListSet::EMPTY, ListSet::EMPTY), |(coming, going), list| match writer.brake.waits(list, subject) {
            Some(Waiting::Coming(_)) => (coming.with(list), going),
            Some(Waiting::Going(_)) => (coming, going.with(list)),
            None => (coming, going),
        })
    }

    /// Ends a listing of exactly this subject whose end waits: somebody asked for this one, which is no mass change. Gives
    /// what ended.
    pub fn end_held(&self, now: Timestamp, subject: &Subject, list: ListId) -> Vec<Listing> {
        let mut writer = self.writer();
        let gone = writer.end_held(now, subject, list);
        writer.publish(&self.current);
        gone
    }

    /// Drops the listings of exactly this subject that wait to be made, on one list or on all, and gives what they would
    /// have been.
    pub fn drop_held(&self, subject: &Subject, list: Option<ListId>) -> Vec<Wish> {
        self.writer().drop_held(subject, list)
    }

    /// Does all that waits for the list, or drops it, and lets go of its brake. None if nothing waits.
    pub fn let_go(&self, now: Timestamp, list: ListId, is_released: bool) -> Option<LetGo> {
        let mut writer = self.writer();
        let done = writer.let_go(&self.never.load(), now, list, is_released);
        writer.publish(&self.current);
        done
    }

    /// Takes out all that is over at `now`, and says how many that was.
    pub fn expire(&self, now: Timestamp) -> usize {
        let mut expired = 0;
        loop {
            let mut writer = self.writer();
            let gone = writer.expire(now, EXPIRED_AT_ONCE_MAX);
            writer.publish(&self.current);
            expired += gone;
            if gone < EXPIRED_AT_ONCE_MAX {
                drop(writer);
                return expired + self.expire_bulks(now);
            }
        }
    }

    /// When [`Book::expire`] has something to do next.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let writer = self.writer();
        [writer.register.next_end(), writer.next_bulk_end()].into_iter().flatten().min()
    }

    /// The listings of exactly this subject, then of the networks around it from the narrowest to the widest; by
    /// list within each. For people: it takes the writers' lock.
    pub fn about(&self, subject: &Subject) -> Vec<Listing> {
        let writer = self.writer();
        let register = &writer.register;
        let listings_of = |subject: &Subject| -> Vec<Listing> {
            let own = register.records_of(subject).into_iter().map(|record| register.listing(record));
            let mut listings: Vec<Listing> = own.chain(writer.bulk_listings_of(subject)).collect();
            listings.sort_by_key(|listing| listing.list);
            listings
        };
        match subject {
            Subject::Login(_) => listings_of(subject),
            Subject::Network(network) => {
                let around = |length| Network::containing(Address::new(network.base()), length).into();
                (0..=network.length()).rev().flat_map(|length| listings_of(&around(length))).collect()
            }
        }
    }

    /// The listing of exactly this network on one list. For people and files: it takes the writers' lock.
    pub fn listing(&self, network: Network, list: ListId) -> Option<Listing> {
        let (writer, subject) = (self.writer(), network.into());
        let single = writer.register.find(&subject, list).map(|record| writer.register.listing(record));
        single.or_else(|| writer.bulk_listing(&subject, list))
    }

    /// Up to `limit` listings of one list, or of all: what ends first at the front, what does not end last; then those
    /// of bulks by address. For people: it takes the writers' lock.
    pub fn all(&self, list: Option<ListId>, limit: usize) -> Vec<Listing> {
        let writer = self.writer();
        let register = &writer.register;
        let there = list.map_or_else(|| register.len(), |list| register.count(list));
        let of_bulks = writer.all_of_bulks(list, limit.saturating_sub(there));
        let wanted = |record: &u32| list.is_none_or(|list| register.list_of(*record) == list);
        let records = register.by_end().filter(wanted).take(there.min(limit));
        records.map(|record| register.listing(record)).chain(of_bulks).collect()
    }

    /// The listings that are no part of an import, at most `limit` of them; what ends first comes first.
    pub fn all_single(&self, limit: usize) -> Vec<Listing> {
        let writer = self.writer();
        let register = &writer.register;
        register.by_end().take(limit).map(|record| register.listing(record)).collect()
    }

    /// How many listings are on the list.
    pub fn count(&self, list: ListId) -> usize {
        let writer = self.writer();
        writer.register.count(list) + writer.bulk_count(list)
    }

    /// Who is never listed, as of now.
    pub fn never_list(&self) -> Guard<Arc<NeverList>> {
        self.never.load()
    }

    /// Puts another never-list in the place of the one there is, and takes out what it covers and the one before did not:
    /// those are the listings that are returned. What is no longer protected is not listed again by that.
    pub fn protect(&self, now: Timestamp, never: NeverList) -> Vec<Listing> {
        let never = Arc::new(never);
        // Whoever replaces a bulk asks the never-list as he goes: he goes first, or sees the new one from the beginning.
        let _turn = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        let new: Vec<Network> = never.newly(&self.never.load()).collect();
        let mut writer = self.writer();
        self.never.store(Arc::clone(&never));
        let gone = writer.drop_protected(&never, now, &new);
        writer.publish(&self.current);
        gone
    }

    /// Appends the journal entries since the last call, in the order of their numbers.
    pub fn drain_journal(&self, into: &mut Vec<Entry>) {
        let mut writer = self.writer();
        if into.is_empty() {
            // The caller's empty buffer serves as the next outbox.
            core::mem::swap(into, &mut writer.outbox);
        } else {
            into.append(&mut writer.outbox);
        }
    }

    /// How many journal entries nobody has fetched yet.
    pub fn journal_waiting(&self) -> usize {
        self.writer().outbox.len()
    }

    /// The number of the last change.
    pub fn serial(&self) -> u64 {
        self.writer().view.serial
    }

    /// What the book counts.
    pub fn counters(&self) -> Counters {
        let writer = self.writer();
        Counters {
            listings: writer.register.len() + writer.bulks_count(),
            waiting: writer.outbox.len(),
            refused_never: writer.refused_never,
            refused_full: writer.refused_full,
            refused_canaries: writer.refused_canaries,
        }
    }

    /// The newest snapshot, for who looks once; a thread that looks often keeps a [`Reader`].
    pub fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// A view of the book for one thread.
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.current))
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // A panic elsewhere in a call is a bug, but one that must not stop the node from answering.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod protect_tests;
#[cfg(test)]
mod tests;
