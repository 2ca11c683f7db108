//! Guessing that is spread over many addresses, each of which comes once and perhaps never again.
//!
//! No count by address sees it, but the login does: it remembers the last strangers who failed at it, for months in a
//! few words. A stranger is an address from whose network nobody logged in lately. When enough different ones came, the
//! login is besieged: all of them are blocked, and each further one at its first attempt. The owner who mistypes at a
//! new place is no stranger once he gets it right, which he has [`PROBATION`] to do.

use core::time::Duration;
use std::collections::{BTreeSet, HashMap};

use base::{Address, EventKind, Network, Timestamp};

use super::count::{Attempt, Mode, Word};
use super::{AROUND, Engine, SHARDS, hold};
use crate::owners::{network_of, words_of};
use crate::plan::{Counting, Siege};
use crate::settings::Trigger;
use crate::{Key, Overflow, Windows};

/// How long after its last attempt a stranger may still log in and be none.
pub const PROBATION: Duration = Duration::from_mins(1);
/// Strangers that are waited for at once; those beyond are let go until their next attempt.
pub const PROBATION_MAX: usize = 65_536;

/// Of as many subjects as are tracked one in so many has room as a besieged login: attackers choose the logins they try,
/// and a record here is several times as long as another.
const SUBJECTS_PER_LOGIN: usize = 4;
/// Attempts without a login are all of one subject.
const NAMELESS: u64 = 1;

/// The memories of the rules, one each.
pub(super) fn tables(sieges: &[Siege], subjects_max: usize) -> Box<[Windows<2>]> {
    let logins_max = |siege: &Siege| if siege.is_nameless { 1 } else { subjects_max / SUBJECTS_PER_LOGIN };
    sieges.iter().map(|siege| Windows::new(&[siege.shape()], logins_max(siege))).collect()
}

/// Strangers who may still log in.
#[derive(Debug, Default)]
pub(super) struct Probation {
    due: BTreeSet<(Timestamp, Network)>,
    strangers: HashMap<Network, (Timestamp, Counting, Overflow)>,
}

impl Probation {
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Waits for a stranger from his first attempt on; whether there is room.
    fn begin(&mut self, stranger: Network, counting: &Counting, overflow: Overflow) -> bool {
        if let Some((_, _, waiting)) = self.strangers.get_mut(&stranger) {
            waiting.last = waiting.last.max(overflow.last);
            return true;
        }
        if self.strangers.len() >= PROBATION_MAX {
            return false;
        }
        let due = overflow.last.plus(PROBATION);
        self.due.insert((due, stranger));
        self.strangers.insert(stranger, (due, *counting, overflow));
        true
    }

    fn pop_due(&mut self, now: Timestamp) -> Option<(Network, Counting, Overflow)> {
        let (due, stranger) = self.due.first().copied().filter(|(due, _)| *due <= now)?;
        self.due.remove(&(due, stranger));
        let (_, counting, overflow) = self.strangers.remove(&stranger)?;
        Some((stranger, counting, overflow))
    }
}

impl Engine {
    /// Remembers a stranger's failure at a login, and has him watched if the login is besieged; those who besieged it
    /// before, too, when it has just come to that.
    pub(super) fn besiege(&self, attempt: &Attempt<'_>) {
        let Some(place) = attempt.address.filter(|place| !place.is_proxy && !place.is_never_listed) else { return };
        let is_failure = attempt.trigger == Trigger::Event(EventKind::LoginFailed);
        if self.plan.sieges.is_empty()
            || !is_failure
            || attempt.word != Word::Own
            || !self.is_stranger(place.network, attempt.at)
        {
            return;
        }
        let login = attempt.login.map(|login| login.key);
        for (number, siege) in self.plan.sieges.iter().enumerate() {
            let key = match (siege.is_nameless, login) {
                (true, None) => self.keys.number(NAMELESS),
                (false, Some(login)) => login,
                (true, Some(_)) | (false, None) => continue,
            };
            for (stranger, overflow) in self.strangers_at(number, siege, key, attempt.at, place.network) {
                if !hold(&self.probation).begin(stranger, &siege.counting, overflow) {
                    self.tallies.strangers_missed.one();
                }
            }
        }
    }

    /// Remembers the stranger at the login, and returns whom to watch.
    fn strangers_at(
        &self,
        number: usize,
        siege: &Siege,
        login: Key,
        at: Timestamp,
        stranger: Network,
    ) -> Vec<(Network, Overflow)> {
        let (wanted, within) = (usize::from(siege.counting.count), siege.counting.within);
        let mut shard = hold(&self.logins[login.shard(SHARDS)]);
        let table = &mut shard.sieges[number];
        let lately = |table: &Windows<2>| -> Vec<(Network, Timestamp)> {
            let tags = table.tags(login, 0).filter(|(_, last)| at.since(*last) <= within);
            tags.map(|(words, last)| (network_of(words), last)).collect()
        };
        let was_besieged = lately(table).len() >= wanted;
        table.remember(login, 0, at, words_of(stranger));
        let mut strangers = lately(table);
        drop(shard);
        if strangers.len() < wanted {
            return Vec::new();
        }
        let first = strangers.iter().map(|(_, last)| *last).min().unwrap_or(at);
        if was_besieged {
            strangers = vec![(stranger, at)];
        }
        let (count, distinct) = (siege.counting.count, siege.counting.count);
        strangers.into_iter().map(|(who, last)| (who, Overflow { count, distinct, first, last })).collect()
    }

    /// Blocks the strangers whose time to log in is over. A replay does not: what was made is restored, and only those
    /// whose time was not over at its end are waited for again.
    pub(super) fn end_probation(&self, now: Timestamp, mode: Mode) {
        loop {
            // Popped in a statement of its own, so that the lock is free while the book is changed.
            let due = hold(&self.probation).pop_due(now);
            let Some((stranger, counting, overflow)) = due else { return };
            if mode == Mode::Live && self.is_stranger(stranger, overflow.last) {
                self.tallies.strangers.one();
                self.list(now, &counting, &overflow, &stranger.into());
            }
        }
    }

    /// Whether nobody logged in lately from there, nor from the network around.
    fn is_stranger(&self, party: Network, at: Timestamp) -> bool {
        let address = Address::new(party.base());
        let around = AROUND.into_iter().filter_map(|width| width.around(address));
        core::iter::once(party).chain(around).all(|network| {
            let key = self.keys.network(network);
            !self.address_shard(key).homes.seen(key, at).is_known
        })
    }
}
