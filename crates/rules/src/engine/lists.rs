//! From an overflow to a listing: how long it lasts, whether it makes another one last longer, and what the network
//! around it comes to.

use core::time::Duration;

use base::{Address, Evidence, ListId, Listing, Maker, Network, Subject, Timestamp, Until};
use listings::{Refusal, Wish};

use super::names::RECHECKED_MAX;
use super::{Engine, hold};
use crate::keys::tag_of;
use crate::plan::Counting;
use crate::settings::Effect;
use crate::{Overflow, Shape, Windows};

/// A listing lasts twice as long as the one before, if that one was made within this time.
pub const RELAPSES_WITHIN: Duration = Duration::from_hours(90 * 24);
/// Longest that a rule's listing comes to last that way.
pub const SPAN_MAX: Duration = Duration::from_hours(30 * 24);
/// Subjects whose earlier listings are remembered; of more, those that were listed longest ago are forgotten.
pub const RELAPSES_MAX: usize = 262_144;
/// Earlier listings of one subject that are told apart.
const RELAPSES_KEPT: u16 = 6;
/// A listing is renewed by no less than this, so that whoever goes on does not fill the journal.
const RENEWED_BY_MIN: Duration = Duration::from_hours(1);

/// The memory of earlier listings.
pub(super) fn relapses() -> Windows {
    Windows::new(&[Shape { count: 0, distinct: RELAPSES_KEPT, span: RELAPSES_WITHIN }], RELAPSES_MAX)
}

impl Engine {
    /// Lists from the last event that was counted on, unless that is over by now. Who is on the list already stays
    /// longer, if the rule lists; a block is never made longer.
    pub(super) fn list(&self, now: Timestamp, counting: &Counting, overflow: &Overflow, subject: &Subject) -> bool {
        let until = match counting.effect {
            Effect::BlockSender { span: None } => Until::Never,
            effect @ (Effect::Block { .. }
            | Effect::BlockAddresses { .. }
            | Effect::BlockSender { .. }
            | Effect::List { .. }) => Until::At(overflow.last.plus(self.span(effect, subject, overflow.last))),
        };
        if until.is_over(now) {
            return false;
        }
        let evidence = Evidence {
            count: u32::from(overflow.count),
            distinct: u32::from(overflow.distinct),
            first: overflow.first,
            last: overflow.last,
        };
        let list = counting.effect.list();
        let wish = |until| Wish { subject: subject.clone(), list, until, maker: Maker::Rule(counting.rule), evidence };
        match self.book.list(overflow.last, wish(until)) {
            Ok(_serial) => {
                self.tallies.listings_made.one();
                if let (Subject::Network(network), Effect::List { .. }) = (subject, counting.effect) {
                    self.remember_listing(*network, list, overflow.last);
                    self.escalate(now, *network, overflow.last, true);
                }
                true
            }
            Err(Refusal::AlreadyListed(_)) if matches!(counting.effect, Effect::BlockSender { .. }) => {
                // A block of minutes by another rule stands in its place.
                let is_longer = self.book.renew(now, wish(until)).is_ok();
                self.tallies.listings_renewed.add(u64::from(is_longer));
                is_longer
            }
            Err(Refusal::AlreadyListed(Until::At(end))) if matches!(counting.effect, Effect::List { .. }) => {
                // It runs from the last event now, as long as it was meant to.
                let until = overflow.last.plus(counting.effect.span());
                if until >= end.plus(RENEWED_BY_MIN) && self.book.renew(now, wish(Until::At(until))).is_ok() {
                    self.tallies.listings_renewed.one();
                }
                false
            }
            Err(Refusal::Full) => {
                self.tallies.listings_shed.one();
                false
            }
            Err(
                Refusal::NeverListed
                | Refusal::AlreadyListed(_)
                | Refusal::OverBeforeItBegan
                | Refusal::EndlessByRule
                | Refusal::Held,
            ) => false,
        }
    }

    /// Takes in listings by rules that had to wait and were made without the engine: what they count for goes on.
    pub fn listed_late(&self, now: Timestamp, list: ListId, subjects: &[Subject]) {
        for subject in subjects {
            if let Subject::Network(network) = subject {
                self.remember_listing(*network, list, now);
                self.escalate(now, *network, now, true);
                // It may have waited for days, and the name be mended since.
                self.watch_name_from(now, *network);
            }
        }
    }

    /// The party was taken off a list by a person or by whoever proved that it is his: it speaks no more against the
    /// networks around it.
    pub fn taken_back(&self, party: Network) {
        let address = Address::new(party.base());
        let tag = [tag_of(self.keys.network(party))];
        for (width, counting) in &self.plan.networks {
            if let Some(network) = width.around(address) {
                let key = self.keys.network(network);
                self.address_shard(key).networks.forget_tag(key, counting.section, tag);
            }
        }
    }

    /// For how long: twice as long as the last time, from a list that is no block.
    fn span(&self, effect: Effect, subject: &Subject, at: Timestamp) -> Duration {
        let (Effect::List { list, span }, Subject::Network(network)) = (effect, subject) else { return effect.span() };
        let earlier = hold(&self.relapses)
            .tags(self.keys.relapse(*network, list), 0)
            .filter(|(_, last)| at.since(*last) <= RELAPSES_WITHIN)
            .count();
        (span * (1 << earlier.min(usize::from(RELAPSES_KEPT)))).min(SPAN_MAX).max(span)
    }

    fn remember_listing(&self, network: Network, list: ListId, at: Timestamp) {
        let tag = [at.as_secs() as u32];
        hold(&self.relapses).remember(self.keys.relapse(network, list), 0, at, tag);
    }

    /// Takes in the listings in force and those that were, after the book was restored: what they count for goes on.
    pub fn resume(&self, now: Timestamp, past: impl IntoIterator<Item = (Network, ListId, Timestamp)>) {
        for (network, list, since) in past {
            self.remember_listing(network, list, since);
        }
        for listing in self.book.all_single(RECHECKED_MAX) {
            let Listing { subject: Subject::Network(network), list, since, maker: Maker::Rule(_), .. } = listing else {
                continue;
            };
            if list != ListId::BLOCKED {
                self.remember_listing(network, list, since);
                self.escalate(now, network, since, false);
                self.watch_name(now, network);
            }
        }
    }

    /// Counts a listed address for the networks around it, and lists those that have too many: but none from which
    /// anybody logged in lately, and none that the never-list touches.
    fn escalate(&self, now: Timestamp, party: Network, at: Timestamp, is_live: bool) {
        let address = Address::new(party.base());
        if party.length() < address.aggregate().length() {
            return;
        }
        for (width, counting) in &self.plan.networks {
            let Some(network) = width.around(address) else { continue };
            let key = self.keys.network(network);
            let overflow = {
                let mut shard = self.address_shard(key);
                if shard.homes.seen(key, at).is_known {
                    continue;
                }
                shard.networks.observe(key, counting.section, at, [tag_of(self.keys.network(party))])
            };
            if let (Some(overflow), true) = (overflow, is_live) {
                self.list(now, counting, &overflow, &network.into());
            }
        }
    }
}
