//! Listings that depend on a reverse name: they wait until it is known, and end when it is another.
//!
//! The engine asks nobody. It says whose name is wanted ([`Engine::poll_name`]), and is told ([`Engine::name_known`]).
//! Who never learns a name lists nobody by it.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use base::{Address, Maker, Network, Subject, Timestamp};

use super::{Engine, hold};
use crate::plan::Counting;
use crate::settings::ReverseName;
use crate::{Overflow, Shape, Windows};

/// How long a listing waits for a reverse name: the proof that there is none takes some minutes.
pub const NAME_WAIT: Duration = Duration::from_mins(15);
/// Addresses that wait at once; beyond, listings are dropped.
pub const WAITING_MAX: usize = 8192;
/// Listings whose reverse name is asked again and again; those beyond end by their time alone.
pub const RECHECKED_MAX: usize = 1_000_000;
/// Whoever comes to what a rule wants of a proper name in so many different hours of a day, while nobody can tell his name, is
/// taken to have one: a reverse zone that never answers shelters nobody for ever.
pub const UNNAMED_HOURS: u16 = 4;
/// Addresses that are watched for that; those that were quiet for longest give way.
const UNNAMED_MAX: usize = 16_384;
/// Who takes a listing back whose reverse name is gone, in the journal.
pub const BY_REVERSE_NAME: &str = "reverse name";

/// A listing that waits.
#[derive(Clone, Debug)]
struct Waiting {
    counting: Counting,
    overflow: Overflow,
}

/// Names that are wanted.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Until when, and for what.
    waiting: BTreeMap<Address, (Timestamp, Vec<Waiting>)>,
    /// When to forget who waits: each address that does, once.
    deadlines: BTreeSet<(Timestamp, Address)>,
    wanted: VecDeque<Address>,
    /// Listings that rest on a name, by when it is asked again.
    rechecks: BTreeSet<(Timestamp, Network)>,
}

/// The memory of those whose name nobody can tell.
pub(super) fn unnamed() -> Windows {
    let hours = Shape { count: UNNAMED_HOURS, distinct: UNNAMED_HOURS, span: Duration::from_hours(24) };
    Windows::new(&[hours], UNNAMED_MAX)
}

impl Names {
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        let forget = self.deadlines.first().map(|(due, _)| *due);
        forget.into_iter().chain(self.rechecks.first().map(|(due, _)| *due)).min()
    }
}

impl Engine {
    /// An address whose reverse name is wanted, each once; then [`Engine::name_known`] is to be called.
    pub fn poll_name(&self) -> Option<Address> {
        hold(&self.names).wanted.pop_front()
    }

    /// A listed network whose reverse name is to be asked again: of an address in it, and afresh.
    pub fn poll_recheck(&self, now: Timestamp) -> Option<Network> {
        loop {
            let (_, network) = {
                let mut names = hold(&self.names);
                let due = *names.rechecks.first().filter(|(due, _)| *due <= now)?;
                names.rechecks.remove(&due);
                due
            };
            if self.rests_on_name(network) {
                let again = now.plus(self.settings.recheck_every);
                hold(&self.names).rechecks.insert((again, network));
                return Some(network);
            }
        }
    }

    /// What is known of an address' reverse name now; none if nobody could tell. Makes the listings that waited for it,
    /// and ends those that rest on another one.
    pub fn name_known(&self, now: Timestamp, address: Address, name: Option<ReverseName>) {
        let waiting = {
            let mut names = hold(&self.names);
            let (due, waiting) = names.waiting.remove(&address).unwrap_or_default();
            names.deadlines.remove(&(due, address));
            waiting
        };
        let party = address.aggregate();
        let Some(name) = name else {
            self.name_missed(now, party, &waiting);
            return;
        };
        self.end_what_rested_on_another(now, party, name);
        for Waiting { counting, overflow } in waiting {
            let is_in_time = now <= overflow.last.plus(NAME_WAIT);
            if is_in_time && counting.reverse == Some(name) && self.list(now, &counting, &overflow, &party.into()) {
                self.watch_name(now, party);
            }
        }
    }

    /// The reverse name that the rule wants, if it wants one.
    pub fn reverse_of(&self, rule: base::RuleId) -> Option<ReverseName> {
        self.settings.rules.get(usize::from(rule.0))?.reverse
    }

    /// A rule overflowed that wants to know the name first.
    pub(super) fn want_name(&self, now: Timestamp, address: Address, counting: &Counting, overflow: &Overflow) {
        let due = overflow.last.plus(NAME_WAIT);
        if due <= now {
            return;
        }
        self.tallies.names_wanted.one();
        let mut names = hold(&self.names);
        let waiting = Waiting { counting: *counting, overflow: *overflow };
        if let Some((_, others)) = names.waiting.get_mut(&address) {
            // Of one rule the last overflow counts, so that each address has at most as many as there are rules.
            others.retain(|other| other.counting.rule != counting.rule);
            others.push(waiting);
        } else if names.waiting.len() < WAITING_MAX {
            names.waiting.insert(address, (due, vec![waiting]));
            names.deadlines.insert((due, address));
            names.wanted.push_back(address);
        } else {
            self.tallies.names_missed.one();
        }
    }

    /// Forgets who waited too long.
    pub(super) fn forget_names(&self, now: Timestamp) {
        loop {
            let (address, waiting) = {
                let mut names = hold(&self.names);
                let due = names.deadlines.first().copied().filter(|(due, _)| *due <= now);
                let Some((due, address)) = due else { return };
                names.deadlines.remove(&(due, address));
                (address, names.waiting.remove(&address).map(|(_, waiting)| waiting).unwrap_or_default())
            };
            self.name_missed(now, address.aggregate(), &waiting);
        }
    }

    /// Nobody could tell the name, which by itself lists nobody. Who goes on like that for hours is listed as if he had a
    /// proper one: for what he does, by the rules that want most.
    fn name_missed(&self, now: Timestamp, party: Network, waiting: &[Waiting]) {
        self.tallies.names_missed.add(waiting.len() as u64);
        for Waiting { counting, overflow } in
            waiting.iter().filter(|it| it.counting.reverse == Some(ReverseName::Proper))
        {
            let key = self.keys.relapse(party, counting.effect.list());
            let hour = (overflow.last.as_secs() / 3600) as u32;
            let is_long = hold(&self.unnamed).observe(key, 0, overflow.last, [hour]).is_some();
            if is_long {
                self.list(now, counting, overflow, &party.into());
            }
        }
    }

    /// Has the name of a listed party asked again from time to time, if a listing rests on it. When first, is spread
    /// evenly, so that a node that starts does not ask for everybody at once.
    pub(super) fn watch_name(&self, now: Timestamp, party: Network) {
        let every = self.settings.recheck_every.as_millis().max(1) as u64;
        self.watch_name_from(now.plus(Duration::from_millis(self.keys.network(party).get() % every)), party);
    }

    /// Has the name of a listed party asked again from that moment on, if a listing rests on it.
    pub(super) fn watch_name_from(&self, first: Timestamp, party: Network) {
        if !self.rests_on_name(party) {
            return;
        }
        let mut names = hold(&self.names);
        if names.rechecks.len() < RECHECKED_MAX {
            names.rechecks.insert((first, party));
        }
    }

    fn rests_on_name(&self, party: Network) -> bool {
        self.resting(party).next().is_some()
    }

    /// The listings of exactly this party that are there because of its name, and what that was.
    fn resting(&self, party: Network) -> impl Iterator<Item = (base::ListId, ReverseName)> {
        let about = self.book.about(&party.into()).into_iter();
        about.filter(move |listing| listing.subject == Subject::Network(party)).filter_map(|listing| {
            let Maker::Rule(rule) = listing.maker else { return None };
            match self.settings.rules.get(usize::from(rule.0))?.reverse? {
                ReverseName::Proper => None,
                name @ (ReverseName::Dynamic | ReverseName::Missing) => Some((listing.list, name)),
            }
        })
    }

    fn end_what_rested_on_another(&self, now: Timestamp, party: Network, name: ReverseName) {
        let gone: Vec<_> = self.resting(party).filter(|(_, then)| *then != name).collect();
        for (list, _) in gone {
            let ended = self.book.lift(now, &party.into(), list, BY_REVERSE_NAME);
            self.tallies.names_mended.add(ended.len() as u64);
        }
    }
}
