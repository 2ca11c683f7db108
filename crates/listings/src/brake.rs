//! The brake on what is published: when rules bring too much onto a list in a while, or take too much off it, the rest
//! waits for a person.
//!
//! A list changes listing by listing, so that what is published is always the last good state: what waits is not in the
//! book, and so in no answer, transfer, feed or export. A single listing never waits; a flood of them does. Ends of
//! listings are not held: each was decided when it was made.

use core::time::Duration;
use std::collections::BTreeMap;

use base::limits::LISTS_MAX;
use base::{ListId, ListSet, Subject, Timestamp};

use crate::book::Wish;

/// Most changes of one list that wait. Beyond, they are let go of and counted: whoever goes on is listed again.
pub const HELD_MAX: usize = 100_000;

/// How much rules may change a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BrakeLimits {
    /// The lists that are published.
    pub lists: ListSet,
    /// By so many hundredths of what a list had at first it may grow, and shrink.
    pub percent: u8,
    /// And always by so many listings.
    pub floor: usize,
    /// Within this time.
    pub within: Duration,
    /// The shortest prefix of an IPv4 network that an import may bring onto any list, and of an IPv6 network.
    pub prefixes: (u8, u8),
}

/// What waits for a person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Held {
    /// The list.
    pub list: ListId,
    /// Since when.
    pub since: Timestamp,
    /// How many listings the list had before all this began.
    pub before: usize,
    /// Listings that wait to be made.
    pub coming: usize,
    /// Listings that wait to be ended.
    pub going: usize,
    /// Changes that were let go of because too many wait.
    pub shed: u64,
}

/// All that waits for one list, as it is kept over a restart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldWhole {
    /// The list.
    pub list: ListId,
    /// Since when.
    pub since: Timestamp,
    /// How many listings the list had before all this began.
    pub before: usize,
    /// Changes that were let go of because too many wait.
    pub shed: u64,
    /// Listings that wait to be made.
    pub coming: Vec<Wish>,
    /// Whose listing waits to be ended, and who wants that.
    pub going: Vec<(Subject, Box<str>)>,
}

/// What became of what waited.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LetGo {
    /// Whom it listed.
    pub made: Vec<Subject>,
    /// How many listings it ended.
    pub ended: usize,
    /// How many changes were dropped, or made no sense any more.
    pub dropped: usize,
}

/// A change that waits.
#[derive(Clone, Debug)]
pub(crate) enum Waiting {
    /// A listing that is to be made.
    Coming(Wish),
    /// A listing that is to be ended, and who wants that.
    Going(Box<str>),
}

/// One list: what rules did to it in the present while.
#[derive(Debug, Default)]
struct Flow {
    began: Timestamp,
    before: usize,
    came: usize,
    went: usize,
    /// Since when changes wait.
    held: Option<Timestamp>,
    waiting: BTreeMap<Subject, Waiting>,
    shed: u64,
}

/// All lists.
#[derive(Debug, Default)]
pub(crate) struct Brake {
    limits: Option<BrakeLimits>,
    flows: [Flow; LISTS_MAX],
    /// Counts what is put to what waits, and what is taken away.
    changes: u64,
}

impl Brake {
    pub(crate) fn set(&mut self, limits: BrakeLimits) {
        self.limits = Some(limits);
    }

    /// Whether a rule's listing may come onto a list that has `size`; else it waits.
    pub(crate) fn comes(&mut self, now: Timestamp, wish: &Wish, size: usize) -> bool {
        let Some((flow, room)) = self.flow(now, wish.list, size) else { return true };
        let is_admitted = flow.held.is_none() && flow.came < room;
        if is_admitted {
            flow.came += 1;
        } else {
            flow.wait(now, &wish.subject, || Waiting::Coming(wish.clone()));
            self.changes += 1;
        }
        is_admitted
    }

    /// Whether a listing may leave a list that has `size` because of a rule; else that waits.
    pub(crate) fn goes(&mut self, now: Timestamp, list: ListId, subject: &Subject, by: &str, size: usize) -> bool {
        let Some((flow, room)) = self.flow(now, list, size) else { return true };
        let is_admitted = flow.held.is_none() && flow.went < room;
        if is_admitted {
            flow.went += 1;
        } else {
            flow.wait(now, subject, || Waiting::Going(by.into()));
            self.changes += 1;
        }
        is_admitted
    }

    /// The limits, if there are any.
    pub(crate) const fn limits(&self) -> Option<BrakeLimits> {
        self.limits
    }

    /// Whether something waits for the list.
    pub(crate) const fn grips(&self, list: ListId) -> bool {
        self.flows[list.index()].held.is_some()
    }

    /// The first subjects that wait for the list.
    pub(crate) fn waiting(&self, list: ListId, limit: usize) -> Vec<Subject> {
        self.flows[list.index()].waiting.keys().take(limit).cloned().collect()
    }

    /// What waits for exactly this subject, on one list.
    pub(crate) fn waits(&self, list: ListId, subject: &Subject) -> Option<&Waiting> {
        self.flows[list.index()].waiting.get(subject)
    }

    /// Takes out what waits for exactly this subject. With nothing waiting for the list any more its brake lets go.
    pub(crate) fn take(&mut self, list: ListId, subject: &Subject) -> Option<Waiting> {
        let flow = &mut self.flows[list.index()];
        let taken = flow.waiting.remove(subject)?;
        self.changes += 1;
        if flow.waiting.is_empty() && flow.shed == 0 {
            flow.held = None;
        }
        Some(taken)
    }

    /// What waits, by list.
    pub(crate) fn held(&self) -> Vec<Held> {
        let one = |(index, flow): (usize, &Flow)| {
            let coming = flow.waiting.values().filter(|waiting| matches!(waiting, Waiting::Coming(_))).count();
            let (going, list) = (flow.waiting.len() - coming, ListId::new(index));
            flow.held.map(|since| Held { list, since, before: flow.before, coming, going, shed: flow.shed })
        };
        self.flows.iter().enumerate().filter_map(one).collect()
    }

    /// How often what waits has changed: another number means that it is another.
    pub(crate) const fn changes(&self) -> u64 {
        self.changes
    }

    /// All that waits, by list.
    pub(crate) fn held_whole(&self) -> Vec<HeldWhole> {
        let one = |(index, flow): (usize, &Flow)| {
            let (mut coming, mut going) = (Vec::new(), Vec::new());
            for (subject, waiting) in &flow.waiting {
                match waiting {
                    Waiting::Coming(wish) => coming.push(wish.clone()),
                    Waiting::Going(by) => going.push((subject.clone(), by.clone())),
                }
            }
            let list = ListId::new(index);
            flow.held.map(|since| HeldWhole { list, since, before: flow.before, shed: flow.shed, coming, going })
        };
        self.flows.iter().enumerate().filter_map(one).collect()
    }

    /// Has it wait again, after a restart.
    pub(crate) fn hold_again(&mut self, held: HeldWhole) {
        let HeldWhole { list, since, before, shed, coming, going } = held;
        let coming = coming.into_iter().map(|wish| (wish.subject.clone(), Waiting::Coming(wish)));
        let going = going.into_iter().map(|(subject, by)| (subject, Waiting::Going(by)));
        let waiting = coming.chain(going).take(HELD_MAX).collect();
        self.flows[list.index()] = Flow { began: since, before, held: Some(since), waiting, shed, ..Flow::default() };
    }

    /// Lets go of the brake of a list, whose size now is the one from which it is measured, and gives what waited.
    pub(crate) fn let_go(&mut self, now: Timestamp, list: ListId, size: usize) -> Vec<(Subject, Waiting)> {
        self.changes += 1;
        let flow = core::mem::take(&mut self.flows[list.index()]);
        self.flows[list.index()] = Flow { began: now, before: size, ..Flow::default() };
        flow.waiting.into_iter().collect()
    }

    /// The list, and by how many listings rules may change it in this while; none if they may as they like.
    fn flow(&mut self, now: Timestamp, list: ListId, size: usize) -> Option<(&mut Flow, usize)> {
        let limits = self.limits.filter(|limits| limits.lists.contains(list))?;
        let flow = &mut self.flows[list.index()];
        if flow.held.is_none() && now.since(flow.began) >= limits.within {
            *flow = Flow { began: now, before: size, ..Flow::default() };
        }
        let share = flow.before.saturating_mul(usize::from(limits.percent)) / 100;
        Some((flow, share.max(limits.floor)))
    }
}

impl Flow {
    /// Takes in a change that waits; of one subject the last counts.
    fn wait(&mut self, now: Timestamp, subject: &Subject, waiting: impl FnOnce() -> Waiting) {
        self.held.get_or_insert(now);
        if self.waiting.len() < HELD_MAX || self.waiting.contains_key(subject) {
            self.waiting.insert(subject.clone(), waiting());
        } else {
            self.shed += 1;
        }
    }
}

#[cfg(test)]
#[path = "brake_tests.rs"]
mod tests;
