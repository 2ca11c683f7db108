//! Guessing that is spread over many addresses, each of which comes once and perhaps never again.
//!
//! No count by address sees it, but the login does: it remembers the last strangers who failed at it, for months in a
//! few words. A stranger is an address from whose network nobody logged in lately. When enough different ones came, the
//! login is besieged: all of them are blocked, and each further one at its first attempt. The owner who mistypes at a
//! new place is no stranger once he gets it right, which he has [`PROBATION`] to do. Who fails only once has [`PATIENCE`]
//! times as long; his second failure ends that, so that a machine that waits has no more attempts than one that hurries.

use core::time::Duration;
use std::collections::{BTreeSet, HashMap};

use base::{Address, EventKind, Network, Timestamp};

use super::count::{Attempt, Mode, Word};
use super::{AROUND, Engine, SHARDS, hold};
use crate::owners::{network_of, words_of};
use crate::plan::{Counting, Siege};
use crate::settings::{Trigger, Width};
use crate::{Key, Overflow, Windows};

/// How long after its last attempt a stranger may still log in and be none.
pub const PROBATION: Duration = Duration::from_mins(1);
/// The same where strangers come so fast that few of them can be honest: where as many as the rule wants came within a
/// third of an hour.
pub const PROBATION_MIN: Duration = Duration::from_secs(20);
/// Strangers who come within so many times the grace make it as short as that.
const PACE: u32 = 60;
/// The same for one who tries a login that is nobody's: in which nobody has logged in for as long as an address is known,
/// although this node knows its people.
pub const PROBATION_AT_NOBODYS: Duration = Duration::from_secs(10);
/// So many times as long may one wait who has failed only once, where strangers do not come fast: to find a password in the
/// other pocket takes minutes. His second failure ends it, so that it is worth one attempt at most.
pub const PATIENCE: u32 = 5;
/// Strangers that are waited for at once; those beyond are let go until their next attempt.
pub const PROBATION_MAX: usize = 65_536;

/// Of as many subjects as are tracked one in so many has room as a besieged login: attackers choose the logins they try,
/// and a record here is several times as long as another.
const SUBJECTS_PER_LOGIN: usize = 4;
/// Attempts without a login are all of one subject.
const NAMELESS: u64 = 1;

/// The network around a party that counts as one: a /24, or a /48 of IPv6.
fn around(party: Network) -> Option<Network> {
    let address = Address::new(party.base());
    Width::V4Bits24.around(address).or_else(|| Width::V6Bits48.around(address))
}

/// The memories of the rules, one each.
pub(super) fn tables(sieges: &[Siege], subjects_max: usize) -> Box<[Windows<2>]> {
    let logins_max = |siege: &Siege| if siege.is_nameless { 1 } else { subjects_max / SUBJECTS_PER_LOGIN };
    sieges.iter().map(|siege| Windows::new(&[siege.shape()], logins_max(siege))).collect()
}

/// Strangers who may still log in.
#[derive(Debug, Default)]
pub(super) struct Probation {
    due: BTreeSet<(Timestamp, Network)>,
    strangers: HashMap<Network, Waiting>,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    due: Timestamp,
    /// From then on another failure is one too many.
    strict_from: Timestamp,
    /// The login he tried first, if the mail server names it.
    login: Option<Key>,
    counting: Counting,
    overflow: Overflow,
}

/// A stranger who failed, and how long he may still log in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stranger {
    pub(super) party: Network,
    pub(super) login: Option<Key>,
    pub(super) counting: Counting,
    pub(super) overflow: Overflow,
    pub(super) grace: Duration,
}

impl Stranger {
    /// How long he may as long as he fails only once.
    fn patience(&self) -> Duration {
        let pace = self.overflow.last.since(self.overflow.first) / PACE;
        (pace * PATIENCE).clamp(self.grace, PROBATION * PATIENCE)
    }
}

impl Probation {
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Waits for a stranger from his first attempt on; whether there is room. Who mistypes tries the same login again: for
    /// one who fails at another there is nothing to wait for.
    fn begin(&mut self, stranger: &Stranger, patience: Duration) -> bool {
        let Stranger { party, login, counting, overflow, grace } = *stranger;
        let last = overflow.last;
        if let Some(waiting) = self.strangers.get_mut(&party) {
            let is_another = waiting.login.zip(login).is_some_and(|(first, login)| first != login);
            waiting.strict_from = waiting.strict_from.min(last.plus(grace));
            let due = if is_another { last } else { waiting.strict_from.max(last) }.min(waiting.due);
            waiting.overflow.last = waiting.overflow.last.max(last);
            waiting.login = waiting.login.or(login);
            self.due.remove(&(waiting.due, party));
            self.due.insert((due, party));
            waiting.due = due;
            return true;
        }
        if self.strangers.len() >= PROBATION_MAX {
            return false;
        }
        let due = last.plus(patience);
        self.due.insert((due, party));
        self.strangers.insert(party, Waiting { due, strict_from: last.plus(grace), login, counting, overflow });
        true
    }

    fn pop_due(&mut self, now: Timestamp) -> Option<(Network, Counting, Overflow)> {
        let (due, stranger) = self.due.first().copied().filter(|(due, _)| *due <= now)?;
        self.due.remove(&(due, stranger));
        let Waiting { counting, overflow, .. } = self.strangers.remove(&stranger)?;
        Some((stranger, counting, overflow))
    }
}

impl Engine {
    /// Remembers a stranger's failure at a login, and has him watched if the login is besieged; those who besieged it
    /// before, too, when it has just come to that.
    pub(super) fn besiege(&self, now: Timestamp, attempt: &Attempt<'_>) {
        let Some(place) = attempt.address.filter(|place| !place.is_proxy && !place.is_never_listed) else { return };
        let is_failure = attempt.trigger == Trigger::Event(EventKind::LoginFailed);
        if self.plan.sieges.is_empty() && self.plan.suspects.is_empty()
            || !is_failure
            || attempt.is_repetition
            || attempt.word != Word::Own
            || !self.is_stranger(place.network, attempt.at)
        {
            return;
        }
        let login = attempt.login.map(|login| login.key);
        // One wrong password that comes again and again is a device that does not know the new one, wherever it travels.
        if let (Some(login), Some(password)) = (login, attempt.password)
            && self.login_shard(login).owners.is_repeated(login, password, attempt.at)
        {
            return;
        }
        let is_nobodys = login.is_some_and(|login| self.is_nobodys(login, attempt.at));
        let mut strangers: Vec<Stranger> = Vec::new();
        for (number, siege) in self.plan.sieges.iter().enumerate() {
            let key = match (siege.is_nameless, login) {
                (true, None) => self.keys.number(NAMELESS),
                (false, Some(login)) => login,
                (true, Some(_)) | (false, None) => continue,
            };
            for (party, overflow) in self.strangers_at(number, siege, key, attempt.at, place.network) {
                let pace = overflow.last.since(overflow.first) / PACE;
                let grace = if is_nobodys { PROBATION_AT_NOBODYS } else { pace.clamp(PROBATION_MIN, PROBATION) };
                strangers.push(Stranger { party, login, counting: siege.counting, overflow, grace });
            }
        }
        self.suspect(attempt, place.network, &mut strangers);
        self.watch(strangers, is_nobodys);
        // One who has no grace left is refused the next time.
        self.end_probation(now, attempt.mode);
    }

    /// Waits whether the strangers log in after all. One attempt is one, by however many rules. At a login that is nobody's
    /// there is no owner to be patient with.
    fn watch(&self, mut strangers: Vec<Stranger>, is_nobodys: bool) {
        strangers.sort_by_key(|stranger| (stranger.party, stranger.grace));
        strangers.dedup_by_key(|stranger| stranger.party);
        for stranger in &strangers {
            let patience = if is_nobodys { stranger.grace } else { stranger.patience() };
            if !hold(&self.probation).begin(stranger, patience) {
                self.tallies.strangers_missed.one();
            }
        }
    }

    /// Whether nobody logs in to the login: a node that has just begun to look does not know.
    fn is_nobodys(&self, login: Key, at: Timestamp) -> bool {
        self.familiarity.knows_its_people() && !self.login_shard(login).owners.is_owned(login, at)
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
        // Of one network the last one counts: a carrier's customer comes from many of its addresses.
        let neighbours =
            lately(table).into_iter().filter(|(who, _)| *who != stranger && around(*who) == around(stranger));
        for (neighbour, _) in neighbours {
            table.forget_tag(login, 0, words_of(neighbour));
        }
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
