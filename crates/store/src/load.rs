//! What waits for its transaction. Pure.

use std::collections::{HashMap, HashSet};

use base::{ListId, Login, Network, PasswordTag, Subject, Timestamp};

use crate::exceptions::ExceptionChange;
use crate::keys::KeptKey;
use crate::limits::{ACCOUNTS_QUEUED_MAX, AUDITS_QUEUED_MAX, OWNERS_QUEUED_MAX};
use crate::records::KeptEvent;
use crate::records::{Batch, Position};
use listings::{Cause, Change, Entry};
use rules::{Owner, Party, Standing, Treatment};

/// What tells owners apart: a login's present and former passwords are all of use, so that none displaces another.
pub(crate) type OwnerKey = (Login, Network, Option<PasswordTag>);

/// One audit row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Audit {
    pub(crate) at: Timestamp,
    pub(crate) who: Box<str>,
    pub(crate) what: Box<str>,
}

/// Batches put together. Of owners and positions only the latest of each key counts, so that those are bounded by what
/// they are about, not by how long the disk has failed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Load {
    pub(crate) events: Vec<KeptEvent>,
    pub(crate) owners: HashMap<OwnerKey, Owner>,
    pub(crate) positions: HashMap<Box<str>, Position>,
    pub(crate) audits: Vec<Audit>,
    pub(crate) keys: HashMap<Box<str>, KeptKey>,
    pub(crate) exceptions: HashMap<(Treatment, Party), ExceptionChange>,
    pub(crate) standings: HashMap<Box<str>, Standing>,
    /// None for one that is forgotten.
    pub(crate) accounts: HashMap<u64, Option<Vec<u8>>>,
}

/// What did not fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Shed {
    pub(crate) events: u64,
    pub(crate) owners: u64,
    pub(crate) audits: u64,
}

impl Load {
    pub(crate) fn is_empty(&self) -> bool {
        let Self { events, owners, positions, audits, keys, exceptions, standings, accounts } = self;
        let of_people = audits.is_empty() && keys.is_empty() && exceptions.is_empty() && standings.is_empty();
        events.is_empty() && owners.is_empty() && positions.is_empty() && accounts.is_empty() && of_people
    }

    /// Adds a batch, of its events at most `room`.
    pub(crate) fn add(&mut self, batch: Batch, room: usize) -> Shed {
        let mut shed = Shed { events: batch.events.len().saturating_sub(room) as u64, ..Shed::default() };
        self.events.extend(batch.events.into_iter().take(room));
        for owner in batch.owners {
            let key = (owner.login.clone(), owner.network, owner.password);
            if self.owners.len() >= OWNERS_QUEUED_MAX && !self.owners.contains_key(&key) {
                shed.owners += 1;
            } else {
                self.put_owner(key, owner);
            }
        }
        if let Some(position) = batch.position {
            self.positions.insert(position.path.clone(), position);
        }
        shed
    }

    /// Adds an audit row.
    pub(crate) fn add_audit(&mut self, audit: Audit) -> Shed {
        if self.audits.len() >= AUDITS_QUEUED_MAX {
            return Shed { audits: 1, ..Shed::default() };
        }
        self.audits.push(audit);
        Shed::default()
    }

    /// Adds keys. There are as many as the room that has them allows.
    pub(crate) fn add_keys(&mut self, keys: Vec<KeptKey>) -> Shed {
        self.keys.extend(keys.into_iter().map(|key| (key.hash.clone(), key)));
        Shed::default()
    }

    /// Adds changes of exceptions. There are as many as the room that has them allows.
    pub(crate) fn add_exceptions(&mut self, changes: Vec<ExceptionChange>) -> Shed {
        self.exceptions.extend(changes.into_iter().map(|change| (change.key(), change)));
        Shed::default()
    }

    /// Adds what became of reporters. There are as many as the configuration has.
    pub(crate) fn add_standings(&mut self, standings: Vec<Standing>) -> Shed {
        self.standings.extend(standings.into_iter().map(|standing| (standing.reporter.clone(), standing)));
        Shed::default()
    }

    /// Adds accounts, as far as there is room.
    pub(crate) fn add_accounts(&mut self, accounts: Vec<(u64, Option<Vec<u8>>)>) -> Shed {
        for (key, state) in accounts {
            if self.accounts.len() < ACCOUNTS_QUEUED_MAX || self.accounts.contains_key(&key) {
                self.accounts.insert(key, state);
            }
        }
        Shed::default()
    }

    /// Adds what was queued after this load.
    pub(crate) fn absorb(&mut self, later: Self) {
        self.events.extend(later.events);
        for (key, owner) in later.owners {
            self.put_owner(key, owner);
        }
        self.positions.extend(later.positions);
        self.audits.extend(later.audits);
        self.keys.extend(later.keys);
        self.exceptions.extend(later.exceptions);
        self.standings.extend(later.standings);
        self.accounts.extend(later.accounts);
    }

    fn put_owner(&mut self, key: OwnerKey, owner: Owner) {
        match self.owners.get_mut(&key) {
            // Log files are read side by side, so that a later read may tell of an earlier login.
            Some(known) if known.at > owner.at => {}
            Some(known) => *known = owner,
            None => drop(self.owners.insert(key, owner)),
        }
    }
}

/// Journal entries that wait for their transaction.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    /// In the order of their serials.
    pub(crate) waiting: Vec<Entry>,
    /// Whether some were dropped, so that no moment before the last one can be told.
    pub(crate) has_gaps: bool,
    /// The length at which they are thinned out next.
    thin_at: usize,
}

impl Entries {
    /// Thins the entries out if there are more than `most`: keeps the last one of each subject and list, so that the
    /// table of listings comes out right. Returns how many were dropped.
    pub(crate) fn bound(&mut self, most: usize) -> u64 {
        let before = self.waiting.len();
        if before <= most.max(self.thin_at) {
            return 0;
        }
        let mut seen: HashSet<(ListId, Subject)> = HashSet::with_capacity(before);
        let mut kept: Vec<Entry> = Vec::with_capacity(before);
        for entry in self.waiting.drain(..).rev() {
            let is_needed = match &entry.change {
                // What a person replaced may have been of a bulk, which must not have it any more.
                Change::Replaced(_) | Change::Unlisted { cause: Cause::Replaced, .. } => true,
                Change::Listed(listing) | Change::Unlisted { listing, .. } => {
                    seen.insert((listing.list, listing.subject.clone()))
                }
            };
            if is_needed {
                kept.push(entry);
            }
        }
        kept.reverse();
        self.has_gaps |= kept.len() < before;
        self.waiting = kept;
        // Where nearly all are about different subjects thinning gains little: not again before they have doubled.
        self.thin_at = self.waiting.len() * 2;
        (before - self.waiting.len()) as u64
    }

    /// Forgets them: they are written.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests;
