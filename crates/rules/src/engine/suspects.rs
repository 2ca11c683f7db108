//! Guessing that has something else in common than its address or its login: the network or the autonomous system it
//! comes from, or the password it tries on one login after the other.
//!
//! Only strangers' failures count, as for a besieged login: those from networks in which nobody of this server is at home.
//! A network that overflows its rule is not blocked itself, and nobody in it is published for it. It is a *suspect* for as
//! long as the rule's block lasts from its last failure: the strangers who made it one are blocked, and so is whoever
//! fails in it next, at his first attempt, unless he logs in within [`super::PROBATION`] after all.

use core::fmt;

use base::{Address, Network, Timestamp};

use super::count::Attempt;
use super::siege::Stranger;
use super::{AddressShard, Engine};
use crate::keys::tag_of;
use crate::owners::{network_of, words_of};
use crate::plan::{Suspect, Suspicion};
use crate::{Key, Overflow, Shape, Windows};

/// Suspects that are counted at the same time by one rule; those that were quiet for longest give way.
pub const SUSPECTS_MAX: usize = 65_536;
/// Strangers that one of them is remembered to have been made by.
const STRANGERS_KEPT: u16 = 8;

/// Sections of a record: the rule's window, the strangers, and since when it is a suspect.
const FAILURES: usize = 0;
const STRANGERS: usize = 1;
const FALLEN: usize = 2;

/// Who knows to which autonomous system an address belongs.
pub trait Systems: fmt::Debug + Send + Sync {
    /// Its number; none if that is not known.
    fn system_of(&self, address: Address) -> Option<u32>;
}

/// The memories of the rules, one each.
pub(super) fn tables(suspects: &[Suspicion], shards: usize) -> Box<[Windows<2>]> {
    let table = |suspicion: &Suspicion| {
        let (within, span) = (suspicion.counting.within, suspicion.counting.effect.span());
        let failures = Shape { count: suspicion.counting.count, distinct: suspicion.counting.distinct, span: within };
        let strangers = Shape { count: 0, distinct: STRANGERS_KEPT, span: within };
        let fallen = Shape { count: 0, distinct: 1, span };
        Windows::new(&[failures, strangers, fallen], SUSPECTS_MAX / shards)
    };
    suspects.iter().map(table).collect()
}

impl Engine {
    /// Counts a stranger's failure against what it has in common with others, and adds who is to be watched if that is a
    /// suspect.
    pub(super) fn suspect(&self, attempt: &Attempt<'_>, stranger: Network, strangers: &mut Vec<Stranger>) {
        for (number, suspicion) in self.plan.suspects.iter().enumerate() {
            let Some(key) = self.suspected(attempt, suspicion.whom) else { continue };
            // Who got in from a system makes it no place of strangers.
            if suspicion.whom == Suspect::System && self.address_shard(key).homes.seen(key, attempt.at).is_known {
                continue;
            }
            // An attempt that names no login is one at a login of its address.
            let tag = match (attempt.login, attempt.address) {
                (Some(login), _) => [tag_of(login.key), 0],
                (None, Some(address)) => [tag_of(address.key), 1],
                (None, None) => continue,
            };
            let watched = {
                let mut shard = self.address_shard(key);
                strangers_of(&mut shard, number, suspicion, (key, attempt.at), stranger, tag)
            };
            let login = attempt.login.map(|login| login.key);
            let (counting, grace) = (suspicion.counting, super::PROBATION);
            let waits = |(party, overflow)| Stranger { party, login, counting, overflow, grace };
            strangers.extend(watched.into_iter().map(waits));
        }
    }

    /// What the attempt is counted against.
    fn suspected(&self, attempt: &Attempt<'_>, whom: Suspect) -> Option<Key> {
        match whom {
            Suspect::Network(width) => Some(self.keys.network(width.around(attempt.address?.address)?)),
            Suspect::System => self.system_key(attempt.address?.address),
            Suspect::Password => {
                attempt.login?;
                let password = attempt.password.filter(|password| password.is_of_password())?;
                Some(self.keys.password(password))
            }
        }
    }

    /// The key of the autonomous system that an address belongs to, if any rule asks for it and it is known.
    pub(super) fn system_key(&self, address: Address) -> Option<Key> {
        let is_asked = self.plan.suspects.iter().any(|suspicion| suspicion.whom == Suspect::System);
        let systems = self.systems.as_ref().filter(|_| is_asked)?;
        Some(self.keys.system(systems.system_of(address)?))
    }
}

/// Counts the failure and returns whom to watch: the stranger if it is a suspect already, all who are remembered if it has
/// just become one.
fn strangers_of(
    shard: &mut AddressShard,
    number: usize,
    suspicion: &Suspicion,
    (key, at): (Key, Timestamp),
    stranger: Network,
    tag: [u32; 2],
) -> Vec<(Network, Overflow)> {
    let (count, distinct) = (suspicion.counting.count, suspicion.counting.distinct);
    let table = &mut shard.suspects[number];
    let span = suspicion.counting.effect.span();
    let fallen = table.tags(key, FALLEN).find(|(_, last)| at.since(*last) <= span).map(|([first, _], _)| first);
    table.remember(key, STRANGERS, at, words_of(stranger));
    let overflow = table.observe(key, FAILURES, at, tag);
    if let Some(first) = fallen {
        table.remember(key, FALLEN, at, [first, 0]);
        let first = Timestamp::from_secs(u64::from(first));
        return vec![(stranger, Overflow { count, distinct, first, last: at })];
    }
    let Some(overflow) = overflow else { return Vec::new() };
    table.remember(key, FALLEN, at, [overflow.first.as_secs() as u32, 0]);
    let strangers = table.tags(key, STRANGERS).filter(|(_, last)| at.since(*last) <= suspicion.counting.within);
    strangers.map(|(words, last)| (network_of(words), Overflow { last, ..overflow })).collect()
}
