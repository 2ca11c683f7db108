//! Replacing a list's bulk: built beside what is in force, swapped as one change.

use std::sync::{MutexGuard, PoisonError, TryLockError};

use base::{ListId, ListSet, Network, Subject, Timestamp, Until};

use super::writer::Writer;
use super::{Book, Refusal};
use crate::bulk::{Bulk, Content, InForce, Replaced};
use crate::journal::Change;
use crate::never::NeverList;
use crate::tree::{Changes, Tree};

/// Most networks of one bulk; more are refused as [`Refusal::Full`]. Some 250 MB.
pub const BULK_MAX: usize = 100_000_000;

/// Most networks that differ between a bulk and the one in its place for which [`Replaced::steps`] tells them: what one
/// incremental transfer takes.
pub const STEPS_MAX: usize = 100_000;

/// How many of the networks that the never-list refused are told one by one.
pub const REFUSED_KEPT_MAX: usize = 20;

/// How many networks are brought into the tree at once at a start: enough to build most leaves only once.
const RESTORED_AT_ONCE: usize = 256 * 1024;

/// How many differences are brought in before other writers have a turn: some 0.2 ms.
const EDITS_AT_ONCE: usize = 2048;

/// What became of a replacement.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Replacement {
    /// The number of its journal entry.
    pub serial: u64,
    /// How many networks the bulk has.
    pub listed: usize,
    /// How many of them were not on the list before.
    pub added: usize,
    /// How many went off the list.
    pub removed: usize,
    /// How many were left out because a rule or a person listed them for themselves, as they stay.
    pub own: usize,
    /// How many the never-list refused.
    pub never: usize,
    /// The first [`REFUSED_KEPT_MAX`] of them.
    pub refused: Vec<Network>,
}

/// Why nothing was replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReplaceError<E> {
    /// The networks could not be had.
    Input(E),
    /// This network does not come after the one before it.
    Order(Network),
    /// The book does not want it: [`Refusal::Full`], or [`Refusal::OverBeforeItBegan`].
    Refused(Refusal),
    /// The list takes no bulk, because it is `blocked`.
    List,
    /// The list would have nothing by imports; the never-list refused so many.
    Empty {
        /// How many the never-list refused.
        never: usize,
    },
    /// The networks could not be had to the end when some of them were in force already: the list is the new one below
    /// some address and the old one above it. It is to be replaced anew.
    Torn(E),
    /// This network is a canary, or holds one: whoever made the list made it up.
    Canary(Network),
    /// This network is wider than any that may be published.
    Wide(Network),
    /// The list would shrink or grow by more than was allowed.
    Changed {
        /// How many networks the bulk in force has.
        before: usize,
        /// How many the new one would have.
        after: usize,
    },
}

/// The tree that comes in the place of the one in force. What happens meanwhile happens to both.
pub(super) struct Pending {
    pub(super) list: ListId,
    pub(super) tree: Tree,
    pub(super) changes: Changes,
    /// Networks of the list that may have a record of their own.
    own: Vec<Network>,
    steps: Option<Vec<(Network, bool)>>,
    count: usize,
    added: usize,
    removed: usize,
}

impl Pending {
    /// A listing of the list with a record of its own came or went.
    pub(super) fn touched(&mut self, network: Network, is_listed: bool) {
        if is_listed {
            self.own.push(network);
        }
    }

    /// A listing of the bulk in force was taken out of it, and so is out of this one.
    pub(super) fn left(&mut self, network: Network) {
        if self.tree.own_lists(network).contains(self.list) {
            self.count -= 1;
        }
    }

    fn step(&mut self, network: Network, is_listed: bool) {
        let lists = self.tree.own_lists(network);
        let lists = if is_listed { lists.with(self.list) } else { lists.without(self.list) };
        self.changes.set(network, lists);
        (self.added, self.removed) = (self.added + usize::from(is_listed), self.removed + usize::from(!is_listed));
        self.steps = self.steps.take().filter(|steps| steps.len() < STEPS_MAX).map(|mut steps| {
            steps.push((network, is_listed));
            steps
        });
    }
}

impl Book {
    /// Puts a bulk of these networks, which come in order, in the place of the one that the list has.
    ///
    /// It is built beside what is in force, from the differences: readers see all of it or nothing, other listings come
    /// and go meanwhile, and memory is needed for what differs. A network that a rule or a person listed for itself
    /// keeps that listing and is not of the bulk; what somebody takes off the list meanwhile stays off it.
    ///
    /// `percent_max` is by how much of what it has the bulk may shrink or grow, and with it a bulk of nothing is refused:
    /// such a list is mostly the end of a download that broke off, or the wrong file. None allows everything.
    ///
    /// # Errors
    /// Says why everything is as it was.
    pub fn replace<E>(
        &self,
        now: Timestamp,
        bulk: Bulk,
        networks: impl IntoIterator<Item = Result<Network, E>>,
        percent_max: Option<u8>,
    ) -> Result<Replacement, ReplaceError<E>> {
        if bulk.list == ListId::BLOCKED {
            return Err(ReplaceError::List);
        }
        if bulk.until.is_over(now) {
            return Err(ReplaceError::Refused(Refusal::OverBeforeItBegan));
        }
        let turn = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        self.replace_in_turn(&turn, now, (bulk.list, Some(bulk)), networks.into_iter(), percent_max)
    }

    /// Replaces bulks that are over at `now` by nothing, and says how many listings that were.
    pub(super) fn expire_bulks(&self, now: Timestamp) -> usize {
        if self.writer().next_bulk_end().is_none_or(|end| !Until::At(end).is_over(now)) {
            return 0;
        }
        let turn = match self.replacing.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::Poisoned(turn)) => turn.into_inner(),
            // Whoever replaces takes his time; the next call finds it over still.
            Err(TryLockError::WouldBlock) => return 0,
        };
        let is_over = |in_force: &&InForce| in_force.bulk.until.is_over(now);
        let over: Vec<ListId> = self.writer().bulks.iter().flatten().filter(is_over).map(|it| it.bulk.list).collect();
        let none = core::iter::empty::<Result<Network, core::convert::Infallible>>;
        over.into_iter()
            .filter_map(|list| self.replace_in_turn(&turn, now, (list, None), none(), None).ok())
            .map(|it| it.removed)
            .sum()
    }

    fn replace_in_turn<E>(
        &self,
        _turn: &MutexGuard<'_, ()>,
        now: Timestamp,
        (list, bulk): (ListId, Option<Bulk>),
        networks: impl Iterator<Item = Result<Network, E>>,
        percent_max: Option<u8>,
    ) -> Result<Replacement, ReplaceError<E>> {
        let tree = self.writer().begin(list);
        let prefixes = self.writer().brake.limits().filter(|_| percent_max.is_some()).map(|limits| limits.prefixes);
        let merged = self.merge(list, &tree, networks, prefixes);
        let mut writer = self.writer();
        let mut pending = writer.pending.take().expect("it was begun, and nobody else has the turn");
        let mut replacement = merged?;
        if let Some(percent_max) = percent_max {
            judge(writer.bulk_count(list), pending.count, pending.own.len(), replacement.never, percent_max)?;
        }
        let own = writer.own_networks(list, &mut pending.own);
        let Pending { tree, steps, count, .. } = pending;
        let content = Content { tree: tree.clone(), list, own: own.into(), length: count };
        replacement = Replacement { listed: count, added: pending.added, removed: pending.removed, ..replacement };
        replacement.own = content.own.len();
        writer.view.tree = tree;
        writer.bulks[list.index()] = bulk.clone().map(|bulk| InForce { bulk, count });
        let change = Change::Replaced(Box::new(Replaced { list, bulk, content, steps }));
        replacement.serial = writer.note(now, change);
        writer.refused_never += replacement.never as u64;
        writer.publish(&self.current);
        Ok(replacement)
    }

    /// Goes through the list as it was and as it shall be side by side, and brings what differs into what is pending.
    fn merge<E>(
        &self,
        list: ListId,
        tree: &Tree,
        networks: impl Iterator<Item = Result<Network, E>>,
        prefixes: Option<(u8, u8)>,
    ) -> Result<Replacement, ReplaceError<E>> {
        let never = self.never.load();
        let mut result = Replacement::default();
        let mut old = tree.on_list(list).peekable();
        let mut edits = Vec::with_capacity(EDITS_AT_ONCE);
        let (mut before, mut taken) = (None, 0);
        for network in networks {
            let network = network.map_err(ReplaceError::Input)?;
            if before.replace(network).is_some_and(|before| before >= network) {
                return Err(ReplaceError::Order(network));
            }
            while let Some(gone) = old.next_if(|old| *old < network) {
                self.edit(&mut edits, (gone, false));
            }
            if never.is_canary_on(&Subject::Network(network), list) {
                return Err(ReplaceError::Canary(network));
            }
            if never.covers_on(&Subject::Network(network), list) {
                result.never += 1;
                if result.refused.len() < REFUSED_KEPT_MAX {
                    result.refused.push(network);
                }
                continue;
            }
            let shortest = prefixes.map(|(v4, v6)| if network.base().is_ipv4() { v4 } else { v6 });
            if shortest.is_some_and(|shortest| network.length() < shortest) {
                return Err(ReplaceError::Wide(network));
            }
            taken += 1;
            if taken > BULK_MAX {
                return Err(ReplaceError::Refused(Refusal::Full));
            }
            if old.next_if_eq(&network).is_none() {
                self.edit(&mut edits, (network, true));
            }
        }
        for gone in old {
            self.edit(&mut edits, (gone, false));
        }
        self.writer().edit(&mut edits);
        Ok(result)
    }

    fn edit(&self, edits: &mut Vec<(Network, bool)>, edit: (Network, bool)) {
        edits.push(edit);
        if edits.len() == EDITS_AT_ONCE {
            self.writer().edit(edits);
        }
    }

    /// Takes back a bulk that was in force when the process ended; after [`Book::restore`]. It makes no journal entry but for
    /// networks that may not be on the list now: they go off it. Those that have records of their own are left out.
    pub fn restore_bulk(&self, now: Timestamp, bulk: Bulk, networks: impl IntoIterator<Item = Network>) {
        let mut writer = self.writer();
        writer.restore_bulk(&self.never.load(), now, bulk, networks.into_iter());
        writer.publish(&self.current);
    }
}

/// Whether a bulk of `after` networks may take the place of one of `before` on a list with `own` others.
pub(super) fn judge<E>(
    before: usize,
    after: usize,
    own: usize,
    never: usize,
    percent_max: u8,
) -> Result<(), ReplaceError<E>> {
    if after == 0 && own == 0 {
        return Err(ReplaceError::Empty { never });
    }
    let is_large = before.abs_diff(after).saturating_mul(100) > before.saturating_mul(usize::from(percent_max));
    if before > 0 && is_large { Err(ReplaceError::Changed { before, after }) } else { Ok(()) }
}

impl Writer {
    /// Begins a replacement, and gives the tree as it is.
    fn begin(&mut self, list: ListId) -> Tree {
        let tree = self.view.tree.clone();
        self.pending = Some(Pending {
            list,
            tree: tree.clone(),
            changes: Changes::default(),
            own: self.register.networks_on(list),
            steps: Some(Vec::new()),
            count: self.bulk_count(list),
            added: 0,
            removed: 0,
        });
        tree
    }

    /// Brings networks onto the pending list (`true`) or off it. What has a record of its own is left as it is.
    fn edit(&mut self, edits: &mut Vec<(Network, bool)>) {
        let Some(mut pending) = self.pending.take() else { return };
        let list = pending.list;
        let has_own = self.register.count(list) > 0;
        for (network, is_listed) in edits.drain(..) {
            let is_own = has_own && self.register.find(&network.into(), list).is_some();
            if !is_own && pending.tree.own_lists(network).contains(list) != is_listed {
                pending.count = if is_listed { pending.count + 1 } else { pending.count - 1 };
                pending.step(network, is_listed);
            }
        }
        pending.tree.apply(&mut pending.changes);
        self.pending = Some(pending);
    }

    /// See [`Book::restore_bulk`].
    fn restore_bulk(&mut self, never: &NeverList, now: Timestamp, bulk: Bulk, networks: impl Iterator<Item = Network>) {
        let list = bulk.list;
        let has_own = self.register.count(list) > 0;
        // Most nodes have one large list: then nobody needs to ask what else its networks are on.
        let is_first = self.register.len() == 0 && self.bulks.iter().all(Option::is_none);
        let (mut count, mut waiting) = (0, 0);
        for network in networks {
            let subject = Subject::Network(network);
            if never.covers_on(&subject, list) {
                self.refused_never += 1;
                self.note_protected(now, bulk.listing(network));
                continue;
            }
            if has_own && self.register.find(&subject, list).is_some() {
                continue;
            }
            let lists = if is_first { ListSet::EMPTY } else { self.view.tree.own_lists(network) };
            self.changes.set(network, lists.with(list));
            (count, waiting) = (count + 1, waiting + 1);
            if waiting == RESTORED_AT_ONCE {
                self.view.tree.apply(&mut self.changes);
                waiting = 0;
            }
        }
        self.unseen = true;
        self.bulks[list.index()] = Some(InForce { bulk, count });
    }

    /// Those of `candidates` that have records of their own on the list, sorted, each once.
    pub(super) fn own_networks(&self, list: ListId, candidates: &mut Vec<Network>) -> Vec<Network> {
        let mut own = core::mem::take(candidates);
        own.sort_unstable();
        own.dedup();
        own.retain(|network| self.register.find(&(*network).into(), list).is_some());
        own
    }
}

#[cfg(test)]
#[path = "replace_tests.rs"]
mod tests;
