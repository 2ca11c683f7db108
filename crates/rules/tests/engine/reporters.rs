//! Reporters among whom some lie: nobody who is innocent gets on a published list, and who is guilty does.

use std::collections::BTreeSet;
use std::time::Duration;

use base::{Address, Channel, Event, EventKind, ListId, Network, Reporter, Tally, Timestamp};
use rules::{By, Effect, Engine, Rule, Settings, Trigger, Voice};

use crate::play::{BEGIN, engine};

/// Why a name or an address can be read.
const READABLE: &str = "these are written right";

const SPAM: usize = 3;
const DAYS: u64 = 30;

/// Two traps within a day, as the shipped rule wants.
fn traps() -> Rule {
    Rule {
        name: "traps".into(),
        on: Trigger::Event(EventKind::TrapHit),
        by: By::Address,
        count: 2,
        within: Duration::from_hours(24),
        distinct: None,
        unless_known: true,
        per_good: 0,
        reverse: None,
        effect: Effect::List { list: ListId::new(SPAM), span: Duration::from_hours(7 * 24) },
    }
}

fn settings(reporters: &[(&str, &str)], canaries: &[&str]) -> Settings {
    let voice = |(name, owner): &(&str, &str)| Voice { name: (*name).into(), owner: (*owner).into(), weight: 50 };
    Settings {
        rules: vec![traps()],
        reporters: reporters.iter().map(voice).collect(),
        canaries: canaries.iter().map(|canary| canary.parse::<Network>().expect(READABLE)).collect(),
        ..Settings::default()
    }
}

/// A node that takes reports as the binary does.
struct Node {
    engine: Engine,
    now: Timestamp,
}

impl Node {
    fn new(settings: Settings) -> Self {
        let engine = engine(settings);
        engine.restore_standings(BEGIN, []);
        Self { engine, now: BEGIN }
    }

    fn observe(&self, address: Address, kind: EventKind, reporter: Option<Reporter<'_>>) {
        let event = Event {
            time: self.now,
            kind,
            service: "smtp",
            address: Some(address),
            login: None,
            session: None,
            password: None,
            channel: Channel::Gate,
            tally: Tally::One,
            reporter,
        };
        self.engine.observe(self.now, &event);
    }

    fn report(&self, name: &str, address: Address) {
        let weight = self.engine.weight_of(name).expect(READABLE);
        self.engine.heard_from(self.now, name, None);
        self.observe(address, EventKind::TrapHit, Some(Reporter { name, weight }));
    }

    fn sees(&self, address: Address) {
        self.observe(address, EventKind::TrapHit, None);
    }

    fn is_listed(&self, address: Address) -> bool {
        self.engine.book().snapshot().lists_of(address).contains(ListId::new(SPAM))
    }

    fn weight(&self, name: &str) -> u8 {
        self.engine.weight_of(name).expect(READABLE)
    }
}

fn address(text: &str) -> Address {
    text.parse().expect(READABLE)
}

/// Numbers that look random, the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

fn numbered(first: u8, number: u64) -> Address {
    Address::new(std::net::Ipv4Addr::new(first, (number >> 16) as u8, (number >> 8) as u8, number as u8).into())
}

#[test]
fn two_witnesses_or_ones_own_eyes() {
    let node = Node::new(settings(&[("a", "a"), ("b", "b"), ("b2", "b")], &[]));
    let [alone, both, same, seen] = ["203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"].map(address);
    for _ in 0..20 {
        node.report("a", alone);
        node.report("b", same);
        node.report("b2", same);
    }
    assert!(!node.is_listed(alone) && !node.is_listed(same));
    for _ in 0..3 {
        node.report("a", both);
    }
    node.report("b", both);
    assert!(node.is_listed(both), "what one said before counts once another says so too");
    for _ in 0..4 {
        node.report("a", seen);
    }
    assert!(!node.is_listed(seen));
    node.sees(seen);
    assert!(node.is_listed(seen), "one's own eyes are a witness");
    assert!(node.weight("a") > 50 && node.weight("b") > 50 && node.weight("b2") == 50);
}

#[test]
fn servers_of_ones_own_need_no_witness() {
    let node = Node::new(settings(&[("mx2", rules::OWNER_SELF), ("a", "a")], &[]));
    let spammer = address("203.0.113.1");
    node.report("a", spammer);
    for _ in 0..4 {
        node.report("mx2", spammer);
    }
    assert!(node.is_listed(spammer));
    assert_eq!((node.weight("mx2"), node.weight("a")), (50, 52), "who was confirmed is the stranger");
}

#[test]
fn reporters_from_one_network_are_one() {
    let node = Node::new(settings(&[("a", "a"), ("b", "b"), ("c", "c")], &[]));
    let spammer = address("203.0.113.1");
    for _ in 0..4 {
        for (name, from) in [("a", "198.51.100.7"), ("b", "198.51.100.99")] {
            node.engine.heard_from(node.now, name, Some(address(from)));
            let weight = node.weight(name);
            node.observe(spammer, EventKind::TrapHit, Some(Reporter { name, weight }));
        }
    }
    assert!(!node.is_listed(spammer));
    node.report("c", spammer);
    assert!(node.is_listed(spammer));
}

#[test]
fn a_canary_exposes_whoever_names_it() {
    let mut node = Node::new(settings(&[("a", "a"), ("liar", "liar")], &["192.0.2.128/25"]));
    let [held, shared] = ["203.0.113.1", "203.0.113.2"].map(address);
    for _ in 0..4 {
        for address in [held, shared] {
            node.report("liar", address);
            node.report("a", address);
        }
    }
    node.sees(shared);
    assert!(node.is_listed(held) && node.is_listed(shared));
    let canary = address("192.0.2.200");
    node.report("liar", canary);
    node.report("liar", canary);
    let exposed = node.engine.poll_exposed().expect("he is named");
    assert_eq!((&*exposed.reporter, exposed.canary, node.engine.poll_exposed()), ("liar", canary, None), "once");
    assert_eq!(node.weight("liar"), 0);
    // What rested on him ends; what was seen here as well stays.
    let events = |own: bool| [Some("liar"), Some("a")].into_iter().chain(own.then_some(None));
    assert_eq!(node.engine.drop_unheld(node.now, held.aggregate(), events(false), "reporters"), 1);
    assert_eq!(node.engine.drop_unheld(node.now, shared.aggregate(), events(true), "reporters"), 0);
    assert!(!node.is_listed(held) && node.is_listed(shared));

    // A restart forgets nothing, and a person may forgive; but what he said before is void.
    let standings = node.engine.standings().into_iter().map(|(standing, _)| standing);
    let again = Node::new(settings(&[("liar", "liar"), ("a", "a")], &["192.0.2.128/25"]));
    again.engine.restore_standings(BEGIN, standings);
    assert_eq!(
        (again.weight("liar"), again.engine.trust_again(again.now, "liar"), again.weight("liar")),
        (0, true, 50)
    );
    assert!(!again.engine.trust_again(again.now, "nobody"));
    node.now = again.now.plus(Duration::from_secs(1));
    for _ in 0..20 {
        again.report("liar", held);
        again.report("a", held);
    }
    assert!(!again.is_listed(held), "the clock of his reports stands before his exposure");
}

#[test]
fn a_word_that_a_person_took_back_weighs_less() {
    let mut node = Node::new(settings(&[("a", "a"), ("b", "b")], &[]));
    let innocent = address("203.0.113.1");
    for _ in 0..4 {
        node.report("a", innocent);
        node.report("b", innocent);
    }
    assert!(node.is_listed(innocent));
    let weight = node.weight("a");
    node.engine.book().unlist(node.now, &innocent.aggregate().into(), None, "admin");
    node.engine.reports_refuted(node.now, innocent.aggregate());
    assert!(node.weight("a") < weight - 5 && node.weight("b") < 50);
    node.now = node.now.plus(Duration::from_hours(24));
    for _ in 0..9 {
        node.report("a", address("198.51.100.250"));
    }
    assert!(node.weight("a") < weight - 12, "nor does one report what is never listed");
}

#[test]
fn a_mailbox_of_the_spammers_own_refutes_nobody() {
    let node = Node::new(settings(&[("a", "a"), ("b", "b")], &[]));
    let logs_in = |login: &str, address: Address| {
        let event = Event {
            time: node.now,
            kind: EventKind::LoginOk,
            service: "imap",
            address: Some(address),
            login: Some(login),
            session: None,
            password: None,
            channel: Channel::Gate,
            tally: Tally::One,
            reporter: None,
        };
        node.engine.observe(node.now, &event);
    };
    let [bait, office] = ["203.0.113.1", "203.0.113.2"].map(address);
    logs_in("spammer", bait);
    node.report("a", bait);
    assert_eq!(node.weight("a"), 50);
    for login in ["alice", "bob"] {
        logs_in(login, office);
    }
    node.report("a", office);
    assert_eq!(node.weight("a"), 48);
}

/// Ten reporters for a month. Seven are honest, and wrong now and then. Three lie together: they copy what the honest say
/// as it comes, which earns them trust, report the same innocents all the time, one of them slowly and one in floods.
#[test]
fn three_liars_of_ten_list_nobody() {
    let names = ["h0", "h1", "h2", "h3", "h4", "h5", "h6", "l0", "l1", "l2"];
    let (honest, liars) = names.split_at(7);
    let owners: Vec<(&str, &str)> = names.iter().map(|name| (*name, *name)).collect();
    let mut node = Node::new(settings(&owners, &[]));
    let mut dice = Dice(42);
    let (mut guilty, mut innocent) = (BTreeSet::new(), BTreeSet::new());
    for day in 0..DAYS {
        // Each spammer is active for a day, and each honest reporter sees four in five of them, several times.
        for number in 0..20 {
            let spammer = numbered(11, day * 100 + number);
            guilty.insert(spammer);
            for name in honest.iter().filter(|_| dice.below(5) > 0).collect::<Vec<_>>() {
                for _ in 0..4 {
                    node.report(name, spammer);
                }
                for liar in liars {
                    node.report(liar, spammer);
                }
            }
        }
        // The honest err: one of them reports somebody who has done nothing, and the liars say so too.
        for number in 0..5 {
            let victim = numbered(12, day * 100 + number);
            innocent.insert(victim);
            let name = honest[dice.below(7) as usize];
            for who in core::iter::once(&name).chain(liars) {
                for _ in 0..10 {
                    node.report(who, victim);
                }
            }
        }
        // Slow poison: the same few victims, a little each day; and a flood of others by all three.
        for number in 0..5 {
            let victim = numbered(13, number);
            innocent.insert(victim);
            for liar in liars {
                node.report(liar, victim);
            }
        }
        for number in 0..300 {
            let victim = numbered(14, number);
            innocent.insert(victim);
            for liar in liars {
                node.report(liar, victim);
            }
        }
        let listed = |address: &&Address| node.is_listed(**address);
        let (wrong, right) = (innocent.iter().filter(listed).count(), guilty.iter().filter(listed).count());
        assert_eq!(wrong, 0, "day {day}");
        // Seven days long each stays listed; at least five of seven must have seen it.
        let on_now = (day.min(6) + 1) * 20;
        assert!(right as u64 * 100 >= on_now * 75, "day {day}: {right} of {on_now}");
        node.now = node.now.plus(Duration::from_hours(24));
        node.engine.book().expire(node.now);
    }
    assert_eq!(
        liars.iter().map(|liar| node.weight(liar)).collect::<Vec<_>>(),
        [100; 3],
        "they had earned all the trust"
    );
}
