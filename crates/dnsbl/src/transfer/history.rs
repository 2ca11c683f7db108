//! What changed lately: from it and the newest tree, what a secondary has can be made again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::limits::LISTS_MAX;
use base::{ListId, ListSet, Network, Subject};
use listings::tree::{Changes, Tree};
use listings::{Before, Change, Entry, Replaced, Step};

use super::rows::outermost;
use super::serial::past_of;

/// Most changes that are kept, 32 octets each: a quarter of an hour at 1,000 changes per second. A secondary whose zone
/// is older gets it as a whole.
pub const HISTORY_MAX: usize = 1_000_000;

/// Most changes that one incremental transfer takes back. Beyond it a whole zone is cheaper for both sides.
pub const DELTA_CHANGES_MAX: usize = 200_000;

/// The last changes to the book, for incremental transfers (RFC 1995), and what may be given away.
///
/// Whoever drains the book's journal calls [`History::record`] with all that came, right away. Nothing is given away before
/// [`History::open`], and under no serial that is not granted ([`History::grant`]): another process might use it again.
#[derive(Debug)]
pub struct History {
    ring: Mutex<Ring>,
    came: Condvar,
}

#[derive(Debug)]
struct Ring {
    steps: VecDeque<Step>,
    /// Changes after this one are all in `steps`.
    complete_after: u64,
    /// Between these two numbers each nobody knows what the book was.
    unknown: Vec<(u64, u64)>,
    /// The number from which this process goes on.
    start: u64,
    /// The last change.
    newest: u64,
    /// For each list its last change.
    of_lists: [u64; LISTS_MAX],
    /// For each list the change that was too large to be kept: zones of it that are older are sent as a whole.
    renewed: [u64; LISTS_MAX],
    /// Whether anything is given away yet.
    is_open: bool,
    /// The last number under which something may be given away.
    granted: u64,
}

/// What a secondary has.
pub(crate) struct Past {
    pub(super) tree: Tree,
    /// Where it differs from now: sorted, none within another.
    pub(super) touched: Vec<Network>,
}

impl History {
    /// A history without changes, where `serial` is the number of the book's last one. It is open, and all numbers are granted.
    pub fn starting_at(serial: u64) -> Self {
        let history = Self::awaiting(serial);
        history.open(None);
        history.grant(u64::MAX);
        history
    }

    /// A history without changes that is not open yet, of a process that goes on from the number `serial`.
    pub fn awaiting(serial: u64) -> Self {
        let ring = Ring {
            steps: VecDeque::new(),
            complete_after: serial,
            unknown: Vec::new(),
            start: serial,
            newest: serial,
            of_lists: [serial; LISTS_MAX],
            renewed: [0; LISTS_MAX],
            is_open: false,
            granted: 0,
        };
        Self { ring: Mutex::new(ring), came: Condvar::new() }
    }

    /// From now on the book is what it shall be, and may be given away; with what is known of the changes before the start.
    pub fn open(&self, before: Option<Before>) {
        let mut ring = self.ring();
        if let Some(before) = before {
            ring.precede(before);
        }
        ring.is_open = true;
        drop(ring);
        self.came.notify_all();
    }

    /// Numbers up to this one stand for nothing else, whatever becomes of this process.
    pub fn grant(&self, serial: u64) {
        self.ring().granted = serial;
        self.came.notify_all();
    }

    /// Waits until something may be given away, but not longer than `limit`. Returns whether it may.
    pub(crate) fn wait_open(&self, limit: Duration) -> bool {
        let waited = self.came.wait_timeout_while(self.ring(), limit, |ring| !ring.is_open);
        let (ring, _) = waited.unwrap_or_else(PoisonError::into_inner);
        ring.is_open
    }

    /// Takes in what the book's journal says, all of it and in order, and wakes whoever tells the secondaries.
    pub fn record(&self, entries: &[Entry]) {
        if entries.is_empty() {
            return;
        }
        let mut ring = self.ring();
        for entry in entries {
            ring.take(entry);
        }
        drop(ring);
        self.came.notify_all();
    }

    /// The last change that is known here.
    pub fn newest(&self) -> u64 {
        self.ring().newest
    }

    /// How many changes are kept.
    pub fn changes(&self) -> usize {
        self.ring().steps.len()
    }

    /// The last change of any of `lists`.
    pub(crate) fn newest_of(&self, lists: ListSet) -> u64 {
        let ring = self.ring();
        lists.iter().map(|list| ring.of_lists[list.index()]).max().unwrap_or(ring.start)
    }

    /// Waits until the change `serial` is known here and something may be given away under its number, but not longer than
    /// `limit`. Returns whether it is so.
    pub(crate) fn wait_for(&self, serial: u64, limit: Duration) -> bool {
        let waited = self.came.wait_timeout_while(self.ring(), limit, |ring| !ring.gives(serial));
        let (ring, _) = waited.unwrap_or_else(PoisonError::into_inner);
        ring.gives(serial)
    }

    /// What a secondary has that holds the zone of `members` at the SOA serial `theirs`, where `now` is the newest tree,
    /// of the change `serial`, and the zone has its form since the number `since`. `None` if that is too long ago, or not certain.
    pub(crate) fn past(&self, now: &Tree, serial: u64, members: ListSet, theirs: u32, since: u64) -> Option<Past> {
        let from = past_of(serial, theirs).filter(|from| *from >= since)?;
        let steps = self.steps(serial, members, from)?;
        let mut own: BTreeMap<Network, ListSet> = BTreeMap::new();
        for step in steps.iter().rev() {
            let lists = own.entry(step.network).or_insert_with(|| now.own_lists(step.network));
            *lists = if step.was_listed { lists.with(step.list) } else { lists.without(step.list) };
        }
        own.retain(|network, lists| now.own_lists(*network) != *lists);
        let mut changes = Changes::default();
        for (network, lists) in &own {
            changes.set(*network, *lists);
        }
        let mut tree = now.clone();
        tree.apply(&mut changes);
        Some(Past { tree, touched: outermost(own.into_keys().collect()) })
    }

    /// The number from which this process goes on.
    pub fn start(&self) -> u64 {
        self.ring().start
    }

    /// The changes of `members` after the change `from`, up to `serial`.
    fn steps(&self, serial: u64, members: ListSet, from: u64) -> Option<Vec<Step>> {
        let ring = self.ring();
        if !ring.knows(from, members) || !ring.gives(serial) {
            return None;
        }
        let first = ring.steps.partition_point(|step| step.serial <= from);
        let last = ring.steps.partition_point(|step| step.serial <= serial);
        if last - first > DELTA_CHANGES_MAX {
            return None;
        }
        Some(ring.steps.range(first..last).filter(|step| members.contains(step.list)).copied().collect())
    }

    /// What changed on `list` after the change `from`: until which change, and the networks with whether they are on
    /// it then. Changes after `most` are left for the next time. `None` if `from` is too long ago, or is still to come.
    pub(crate) fn changes_of(&self, list: ListId, from: u64, most: usize) -> Option<(u64, Vec<(Network, bool)>)> {
        let ring = self.ring();
        if from > ring.newest || !ring.knows(from, ListSet::EMPTY.with(list)) {
            return None;
        }
        let mut until = ring.of_lists[list.index()].max(from);
        // What a network was before, and is now.
        let mut networks: BTreeMap<Network, (bool, bool)> = BTreeMap::new();
        let first =
            if until == from { ring.steps.len() } else { ring.steps.partition_point(|step| step.serial <= from) };
        let (mut taken, mut last) = (0, from);
        for step in ring.steps.range(first..).filter(|step| step.list == list) {
            if taken >= most && step.serial != last {
                until = last;
                break;
            }
            networks.entry(step.network).or_insert((step.was_listed, false)).1 = !step.was_listed;
            (taken, last) = (taken + 1, step.serial);
        }
        drop(ring);
        let changed = networks.into_iter().filter(|(_, (was, is))| was != is);
        Some((until, changed.map(|(network, (_, is))| (network, is)).collect()))
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        // A panic elsewhere leaves the ring as whole as any other moment.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    /// Whether it is known what `lists` were with this number.
    fn knows(&self, from: u64, lists: ListSet) -> bool {
        let is_unknown = self.unknown.iter().any(|(last, start)| *last < from && from < *start);
        let is_renewed = lists.iter().any(|list| from < self.renewed[list.index()]);
        from >= self.complete_after && !is_unknown && !is_renewed
    }

    /// Whether this change is known, and something may be given away under its number.
    const fn gives(&self, serial: u64) -> bool {
        self.newest >= serial && self.granted >= serial && self.is_open
    }

    /// Takes in what is known of the changes before the start, unless nothing before a later one can be told any more.
    fn precede(&mut self, before: Before) {
        let room = HISTORY_MAX - self.steps.len();
        if self.complete_after != self.start || before.steps.len() > room || before.whole_from > self.start {
            return;
        }
        self.complete_after = before.whole_from;
        self.unknown = before.unknown;
        for (list, serial) in before.renewed {
            self.renewed[list.index()] = self.renewed[list.index()].max(serial);
        }
        for step in before.steps.into_iter().rev() {
            self.steps.push_front(step);
        }
    }

    fn take(&mut self, entry: &Entry) {
        if entry.serial != self.newest + 1 {
            // Changes are missing: nothing before can be made again.
            self.steps.clear();
            self.unknown.clear();
            self.complete_after = entry.serial.saturating_sub(1);
            self.of_lists = [entry.serial; LISTS_MAX];
        }
        self.newest = entry.serial;
        let (listing, was_listed) = match &entry.change {
            Change::Listed(listing) => (listing, false),
            Change::Unlisted { listing, .. } => (listing, true),
            Change::Replaced(replaced) => return self.take_replaced(entry.serial, replaced),
        };
        let Subject::Network(network) = listing.subject else { return };
        if listing.list == ListId::BLOCKED {
            return;
        }
        self.push(Step { serial: entry.serial, network, list: listing.list, was_listed });
    }

    /// Takes in a change of many networks at once, as steps of the same number.
    fn take_replaced(&mut self, serial: u64, replaced: &Replaced) {
        let list = replaced.list;
        match &replaced.steps {
            None => self.renewed[list.index()] = serial,
            Some(steps) => {
                for (network, is_listed) in steps {
                    self.push(Step { serial, network: *network, list, was_listed: !is_listed });
                }
            }
        }
        self.of_lists[list.index()] = serial;
    }

    fn push(&mut self, step: Step) {
        if self.steps.len() == HISTORY_MAX
            && let Some(oldest) = self.steps.pop_front()
        {
            self.complete_after = oldest.serial;
        }
        self.of_lists[step.list.index()] = step.serial;
        self.steps.push_back(step);
    }
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
