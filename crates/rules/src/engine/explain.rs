//! What stands against a subject short of a listing, for people.

use core::time::Duration;

use base::{Address, Network, RuleId, Subject, Timestamp};

use super::{Engine, SHARDS, hold};
use crate::owners::Seen;
use crate::plan::{Bar, Counting, Group};
use crate::{Filled, Key, Windows};

/// One thing that the engine knows of a subject.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// How far a rule has counted.
    Rule {
        /// The rule.
        rule: RuleId,
        /// Events in its window now.
        counted: u16,
        /// How many overflow it.
        threshold: u16,
        /// How many different ones there are among them, if that matters; else 0.
        distinct: u16,
        /// How many there must be.
        distinct_threshold: u16,
        /// When the oldest of them no longer counts; none if nothing is counted.
        falls_out: Option<Timestamp>,
    },
    /// An address from which the owner of the login logged in lately.
    Known {
        /// The address, or its /64.
        network: Network,
        /// When the owner last did, to the hour.
        last: Timestamp,
    },
}

impl Engine {
    /// Every rule that counts by such a subject, in their order, with how far it has counted; then the known addresses
    /// of a login, the latest first. Of a network wider than what is counted as one party there is nothing to say.
    pub fn explain(&self, now: Timestamp, subject: &Subject) -> Vec<Level> {
        let mut levels = match subject {
            Subject::Login(login) => self.explain_login(now, self.keys.login(login.as_str())),
            Subject::Network(network) => {
                let party = Address::new(network.base()).aggregate();
                if network.length() < party.length() { Vec::new() } else { self.explain_network(now, party) }
            }
        };
        levels.sort_by_key(|level| match level {
            Level::Rule { rule, .. } => (0, u64::from(rule.0)),
            Level::Known { last, .. } => (1, u64::MAX - last.as_millis()),
        });
        levels
    }

    fn explain_login(&self, now: Timestamp, login: Key) -> Vec<Level> {
        let shard = hold(&self.logins[login.shard(SHARDS)]);
        let counted = |(group, table): (&Group, &Windows)| -> Vec<Level> {
            group
                .rules
                .iter()
                .map(|rule| level(rule, rule.count, rule.distinct, table.filled(login, rule.section, now)))
                .collect()
        };
        let rules = self.plan.logins.groups.iter().zip(&shard.tables).flat_map(counted);
        let known = shard.owners.places(login, now).map(|(network, last)| Level::Known { network, last });
        rules.chain(known).collect()
    }

    fn explain_network(&self, now: Timestamp, network: Network) -> Vec<Level> {
        let key = self.keys.network(network);
        let shard = hold(&self.addresses[key.shard(SHARDS)]);
        let seen = Seen { is_blind: self.is_blind(now), ..shard.homes.seen(key, now) };
        let counted = |(group, table): (&Group, &Windows)| -> Vec<Level> {
            let one = |rule: &Counting| {
                let good = shard.good_within(key, now, rule);
                match (rule.bar(seen, seen.is_known, good), rule.shared) {
                    // What is spared is not counted.
                    (Bar::Spared, _) => None,
                    (Bar::Raised(count), Some(section)) => {
                        Some(level(rule, count, rule.raised_distinct, shard.shared.filled(key, section, now)))
                    }
                    (Bar::Plain | Bar::Raised(_), _) => {
                        Some(level(rule, rule.count, rule.distinct, table.filled(key, rule.section, now)))
                    }
                }
            };
            group.rules.iter().filter_map(one).collect()
        };
        self.plan.addresses.groups.iter().zip(&shard.tables).flat_map(counted).collect()
    }
}

fn level(rule: &Counting, threshold: u16, distinct_threshold: u16, filled: Option<Filled>) -> Level {
    // The boundary belongs to the window: the oldest counts to the last tick of it.
    let falls_out = |oldest: Timestamp| oldest.plus(rule.within).plus(Duration::from_millis(1));
    Level::Rule {
        rule: rule.rule,
        counted: filled.map_or(0, |filled| filled.count),
        threshold,
        distinct: filled.map_or(0, |filled| filled.distinct),
        distinct_threshold,
        falls_out: filled.map(|filled| falls_out(filled.oldest)),
    }
}
