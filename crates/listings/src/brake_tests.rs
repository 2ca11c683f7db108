//! The brake against a naive model, through the book.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use base::{Address, Evidence, ListId, ListSet, Maker, Network, RuleId, Subject, Timestamp, Until};
use proptest::prelude::*;

use super::{BrakeLimits, LetGo};
use crate::book::{Book, Refusal, Wish};
use crate::never::NeverList;

const LIST: ListId = ListId::new(2);
const WITHIN: Duration = Duration::from_mins(1);
const BEGIN: Timestamp = Timestamp::from_secs(1_795_000_000);

fn subject(number: u8) -> Subject {
    Network::containing(Address::new(std::net::Ipv4Addr::new(203, 0, 113, number).into()), 32).into()
}

fn wish(number: u8, list: ListId, is_rule: bool) -> Wish {
    let person = || Maker::Person { name: "admin".into(), reason: "test".into() };
    let maker = if is_rule { Maker::Rule(RuleId(0)) } else { person() };
    let until = Until::At(BEGIN.plus(Duration::from_hours(24)));
    Wish { subject: subject(number), list, until, maker, evidence: Evidence::default() }
}

fn guarded(percent: u8, floor: usize) -> Book {
    let book = Book::seeded(NeverList::new([], []), 7);
    let lists = ListSet::EMPTY.with(LIST);
    book.guard(BrakeLimits { lists, percent, floor, within: WITHIN, prefixes: (9, 20) });
    book
}

#[derive(Clone, Debug)]
enum Step {
    RuleLists(u8),
    PersonLists(u8),
    RuleLifts(u8),
    PersonUnlists(u8),
    Wait(u64),
    LetGo(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => any::<u8>().prop_map(Step::RuleLists),
        1 => any::<u8>().prop_map(Step::PersonLists),
        6 => any::<u8>().prop_map(Step::RuleLifts),
        1 => any::<u8>().prop_map(Step::PersonUnlists),
        3 => (0_u64..40).prop_map(Step::Wait),
        1 => any::<bool>().prop_map(Step::LetGo),
    ]
}

/// What the brake promises, written down in the plainest way.
#[derive(Default)]
struct Model {
    listed: BTreeSet<u8>,
    now: u64,
    began: Option<u64>,
    before: usize,
    came: usize,
    went: usize,
    grips: bool,
    /// Whether it waits to come.
    waiting: BTreeMap<u8, bool>,
}

impl Model {
    fn room(&mut self, percent: usize, floor: usize) -> usize {
        if !self.grips && self.began.is_none_or(|began| self.now - began >= WITHIN.as_secs()) {
            (self.began, self.before, self.came, self.went) = (Some(self.now), self.listed.len(), 0, 0);
        }
        floor.max(self.before * percent / 100)
    }

    fn step(&mut self, step: &Step, percent: usize, floor: usize) {
        match step {
            Step::RuleLists(number) if !self.listed.contains(number) => {
                let room = self.room(percent, floor);
                if self.grips || self.came >= room {
                    self.grips = true;
                    self.waiting.insert(*number, true);
                } else {
                    self.came += 1;
                    self.listed.insert(*number);
                }
            }
            Step::RuleLifts(number) if self.listed.contains(number) => {
                let room = self.room(percent, floor);
                if self.grips || self.went >= room {
                    self.grips = true;
                    self.waiting.insert(*number, false);
                } else {
                    self.went += 1;
                    self.listed.remove(number);
                }
            }
            Step::PersonLists(number) => _ = self.listed.insert(*number),
            Step::PersonUnlists(number) => _ = self.listed.remove(number),
            Step::Wait(seconds) => self.now += seconds,
            Step::LetGo(is_released) if self.grips => {
                for (number, comes) in core::mem::take(&mut self.waiting) {
                    match (*is_released, comes) {
                        (true, true) => _ = self.listed.insert(number),
                        (true, false) => _ = self.listed.remove(&number),
                        (false, _) => {}
                    }
                }
                (self.grips, self.began, self.before) = (false, Some(self.now), self.listed.len());
                (self.came, self.went) = (0, 0);
            }
            Step::RuleLists(_) | Step::RuleLifts(_) | Step::LetGo(_) => {}
        }
    }
}

proptest! {
    #[test]
    fn what_is_served_is_what_the_brake_let_through(
        steps in prop::collection::vec(step(), 1..200),
        percent in 1_u8..=100,
        floor in 1_usize..12,
    ) {
        let (book, mut model) = (guarded(percent, floor), Model::default());
        for step in steps {
            let now = BEGIN.plus(Duration::from_secs(model.now));
            match &step {
                Step::RuleLists(number) => _ = book.list(now, wish(*number, LIST, true)),
                Step::PersonLists(number) => _ = book.list(now, wish(*number, LIST, false)),
                Step::RuleLifts(number) => drop(book.lift(now, &subject(*number), LIST, "a rule")),
                Step::PersonUnlists(number) => drop(book.unlist(now, &subject(*number), Some(LIST), "admin")),
                Step::Wait(_) => {}
                Step::LetGo(is_released) => {
                    prop_assert_eq!(book.let_go(now, LIST, *is_released).is_some(), model.grips);
                }
            }
            model.step(&step, usize::from(percent), floor);
            let held = book.held();
            prop_assert_eq!(held.len(), usize::from(model.grips));
            for held in held {
                let coming = model.waiting.values().filter(|comes| **comes).count();
                prop_assert_eq!((held.coming, held.going), (coming, model.waiting.len() - coming));
            }
            prop_assert_eq!(book.count(LIST), model.listed.len(), "{:?}", step);
        }
        let snapshot = book.snapshot();
        let address = |number: u8| Address::new(std::net::Ipv4Addr::new(203, 0, 113, number).into());
        let served = |number: u8| snapshot.lists_of(address(number)).contains(LIST);
        prop_assert!((0..=255).all(|number| served(number) == model.listed.contains(&number)));
    }
}

#[test]
fn other_lists_and_small_changes_pass() {
    let book = guarded(50, 3);
    for number in 0..200 {
        book.list(BEGIN, wish(number, ListId::BLOCKED, true)).unwrap();
    }
    let results: Vec<_> = (0..5).map(|number| book.list(BEGIN, wish(number, LIST, true)).is_ok()).collect();
    assert_eq!(results, [true, true, true, false, false]);
    assert_eq!(book.list(BEGIN, wish(9, LIST, true)), Err(Refusal::Held));
    assert!(book.list(BEGIN, wish(10, LIST, false)).is_ok(), "a person needs no leave");
    assert_eq!(
        book.let_go(BEGIN, LIST, true),
        Some(LetGo { made: [3, 4, 9].map(subject).into(), ended: 0, dropped: 0 })
    );
    assert_eq!((book.count(LIST), book.held().len(), book.let_go(BEGIN, LIST, true)), (7, 0, None));
}

#[test]
fn canaries_are_published_by_no_road() {
    let canary: Network = "203.0.113.64/27".parse().unwrap();
    let book = Book::seeded(NeverList::new([], []).with_canaries([canary]), 7);
    let around: Network = "203.0.113.0/24".parse().unwrap();
    for is_rule in [true, false] {
        assert_eq!(book.list(BEGIN, wish(70, LIST, is_rule)), Err(Refusal::NeverListed));
        assert!(book.list(BEGIN, wish(96, LIST, is_rule)).is_ok(), "a neighbour is none");
    }
    assert_eq!(book.list(BEGIN, Wish { subject: around.into(), ..wish(0, LIST, false) }), Err(Refusal::NeverListed));
    assert_eq!(book.counters().refused_canaries, 3);
    assert!(book.list(BEGIN, wish(70, ListId::BLOCKED, true)).is_ok(), "here it can be blocked");
}

#[test]
fn one_subject_is_let_through_or_dropped_by_itself() {
    let book = guarded(1, 2);
    let results: Vec<_> = (0..5).map(|number| book.list(BEGIN, wish(number, LIST, true)).is_ok()).collect();
    assert_eq!(results, [true, true, false, false, false]);
    let on = ListSet::EMPTY.with(LIST);
    assert_eq!(book.held_of(&subject(3)), (on, ListSet::EMPTY));
    assert_eq!(book.held_of(&subject(0)), (ListSet::EMPTY, ListSet::EMPTY));
    assert!(book.drop_held(&subject(3), Some(ListId::BLOCKED)).is_empty());
    let dropped = book.drop_held(&subject(3), None);
    assert_eq!(dropped.iter().map(|wish| &wish.subject).collect::<Vec<_>>(), [&subject(3)]);
    assert_eq!(book.held_on(LIST, 9), [2, 4].map(subject));

    assert!(book.lift(BEGIN, &subject(0), LIST, "a rule").is_empty(), "the brake holds ends, too");
    assert_eq!(book.held_of(&subject(0)), (ListSet::EMPTY, on));
    assert!(book.drop_held(&subject(0), None).is_empty() && book.end_held(BEGIN, &subject(2), LIST).is_empty());
    assert_eq!(book.end_held(BEGIN, &subject(0), LIST).len(), 1);
    assert_eq!((book.count(LIST), book.held_on(LIST, 9)), (1, [2, 4].map(subject).to_vec()));
    for number in [2, 4] {
        assert_eq!(book.drop_held(&subject(number), Some(LIST)).len(), 1);
    }
    assert_eq!(book.held(), [], "nothing waits any more");
}
