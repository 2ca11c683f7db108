//! What was written is there again after reopening, whatever it was.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use base::{Address, Event, EventKind, ListId, Maker, Network, Subject, Tally, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use store::{Batch, KeptEvent, Limits, Names, Restored, Store};

use crate::given::{self, PATIENCE};
use listings::{Cause, Change, Entry};

/// One thing that happens to a store.
#[derive(Clone, Debug)]
enum Step {
    Push(Batch),
    /// A change of the book; a removal takes the oldest listing.
    List(base::Listing),
    /// So many that differ in the address only, as an import makes them.
    ListMany(base::Listing, u32),
    Unlist,
    Flush,
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let batch = (vec(given::kept_events(), 0..4), vec(given::owners(), 0..3), prop::option::of(given::positions()))
        .prop_map(|(events, owners, position)| Step::Push(Batch { events, owners, position }));
    let step = prop_oneof![
        6 => batch,
        6 => given::listings().prop_map(Step::List),
        2 => (given::listings(), 0u32..100).prop_map(|(listing, count)| Step::ListMany(listing, count)),
        2 => Just(Step::Unlist),
        1 => Just(Step::Flush),
        1 => Just(Step::Reopen),
    ];
    vec(step, 0..30)
}

/// The same in the simplest way.
#[derive(Default)]
struct Model {
    serial: u64,
    listings: BTreeMap<(ListId, String), base::Listing>,
    /// Networks that rules put on lists, in the order in which they did.
    past: Vec<(Network, ListId, Timestamp)>,
    events: Vec<KeptEvent>,
    owners: BTreeMap<String, rules::Owner>,
    positions: BTreeMap<Box<str>, store::Position>,
}

fn owner_key(owner: &rules::Owner) -> String {
    format!("{} {} {:?}", owner.login, owner.network, owner.password)
}

impl Model {
    fn push(&mut self, batch: Batch) {
        self.events.extend(batch.events);
        for owner in batch.owners {
            let key = owner_key(&owner);
            if self.owners.get(&key).is_none_or(|known| known.at <= owner.at) {
                self.owners.insert(key, owner);
            }
        }
        self.positions.extend(batch.position.map(|position| (position.path.clone(), position)));
    }

    fn entry(&mut self, change: Change) -> Entry {
        self.serial += 1;
        Entry { serial: self.serial, at: Timestamp::from_millis(self.serial), change }
    }

    fn list(&mut self, listing: base::Listing) -> Entry {
        if let (Subject::Network(network), Maker::Rule(_)) = (&listing.subject, &listing.maker)
            && listing.list != ListId::BLOCKED
        {
            self.past.push((*network, listing.list, listing.since));
        }
        self.listings.insert((listing.list, listing.subject.to_string()), listing.clone());
        self.entry(Change::Listed(listing))
    }

    fn list_many(&mut self, listing: &base::Listing, count: u32) -> Vec<Entry> {
        let at = Timestamp::from_millis(self.serial);
        let addresses = (0..count).map(|n| Address::new(Ipv4Addr::from_bits(0xc633_6400 + n).into()));
        let listings = addresses.map(|address| base::Listing { subject: address.into(), ..listing.clone() });
        listings.map(|listing| Entry { at, ..self.list(listing) }).collect()
    }

    fn unlist(&mut self) -> Option<Entry> {
        let (_, listing) = self.listings.pop_first()?;
        let causes = [Cause::Expired, Cause::Replaced, Cause::Removed { by: "eve'; --".into() }];
        let cause = causes[self.serial as usize % 3].clone();
        Some(self.entry(Change::Unlisted { listing, cause }))
    }

    /// What the store must give back; rows with keys come in any order.
    fn check(&mut self, mut restored: Restored) {
        assert!(restored.serial >= self.serial, "no number stands for two changes");
        self.serial = restored.serial;
        restored.listings.sort_by_key(|listing| (listing.list, listing.subject.to_string()));
        assert!(restored.owners.is_sorted_by_key(|owner| owner.at));
        restored.owners.sort_by_key(owner_key);
        restored.positions.sort_by_key(|position| position.path.clone());
        let wanted = Restored {
            serial: self.serial,
            listings: self.listings.values().cloned().collect(),
            past: self.past.iter().rev().copied().collect(),
            owners: self.owners.values().cloned().collect(),
            events: self.events.clone(),
            positions: self.positions.values().cloned().collect(),
            // The model lists what is listed already, which no book does.
            is_exact: restored.is_exact,
            ..Restored { secret: restored.secret, ..Restored::default() }
        };
        assert_eq!(restored, wanted);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn everything_is_there_again(steps in steps()) {
        let directory = tempfile::tempdir().unwrap();
        let (mut store, new, mut outbox) = given::open(directory.path());
        // A new file begins with the time.
        let mut model = Model { serial: new.serial, ..Model::default() };
        for step in steps {
            match step {
                Step::Push(batch) => {
                    model.push(batch.clone());
                    store.push(batch);
                }
                Step::List(listing) => outbox.lock().unwrap().push(model.list(listing)),
                Step::ListMany(listing, count) => outbox.lock().unwrap().extend(model.list_many(&listing, count)),
                Step::Unlist => outbox.lock().unwrap().extend(model.unlist()),
                Step::Flush => store.flush(PATIENCE).unwrap(),
                Step::Reopen => {
                    store.close().unwrap();
                    drop(store);
                    let (again, restored, journal) = given::open(directory.path());
                    model.check(restored);
                    (store, outbox) = (again, journal);
                }
            }
        }
        drop(store);
        model.check(given::open(directory.path()).1);
    }
}

#[test]
fn each_of_many_alike_changes_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let (store, new, outbox) = given::open(directory.path());
    let mut model = Model { serial: new.serial, ..Model::default() };
    let listing = given::listing("192.0.2.1", 1);
    let mut entries = model.list_many(&listing, 100);
    let at = entries[0].at;
    entries.extend((0..40).filter_map(|_| model.unlist()).map(|entry| Entry { at, ..entry }));
    entries.extend(model.list_many(&listing, 33));
    outbox.lock().unwrap().extend(entries.iter().cloned());
    store.flush(PATIENCE).unwrap();
    for address in (0..100).map(|n| Address::new(Ipv4Addr::new(198, 51, 100, n).into())) {
        let subject = Subject::from(address);
        let wanted = entries.iter().rev().filter_map(|entry| match &entry.change {
            Change::Listed(listing) | Change::Unlisted { listing, .. } if listing.subject == subject => {
                Some((entry.serial, entry.at, listing.since))
            }
            Change::Listed(_) | Change::Unlisted { .. } | Change::Replaced(_) => None,
        });
        let told = store.history(&subject, 10).unwrap();
        let told: Vec<_> = told.iter().map(|past| (past.serial, past.at, past.since)).collect();
        assert_eq!(told, wanted.collect::<Vec<_>>(), "{address}");
    }
    drop(store);
    model.check(given::open(directory.path()).1);
}

#[test]
fn the_secret_is_made_once() {
    let (directory, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = given::open(directory.path()).1.secret;
    assert_eq!(given::open(directory.path()).1.secret, first);
    assert_ne!(given::open(other.path()).1.secret, first);
    assert_ne!(first, [0; 16]);
}

#[test]
fn names_that_are_no_longer_configured() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _, outbox) = given::open(directory.path());
    for (serial, (subject, list)) in [("192.0.2.1", 0), ("192.0.2.2", 1)].into_iter().enumerate() {
        let change = Change::Listed(given::listing(subject, list));
        outbox.lock().unwrap().push(Entry { serial: serial as u64 + 1, at: Timestamp::EPOCH, change });
    }
    drop(store);

    let reordered = Names { lists: vec!["blocked".into()], rules: vec!["attacked".into(), "guesses".into()] };
    let (_, restored, _) = given::open_with(directory.path(), reordered, Limits::default());
    assert_eq!(restored.left_out.listings_of_unknown_lists, 1);
    assert_eq!(restored.listings.len(), 1);
    assert_eq!(restored.listings[0].maker, Maker::Rule(base::RuleId(1)), "found by its name at its new place");

    let fewer = Names { lists: given::names().lists, rules: vec![] };
    let (_, restored, _) = given::open_with(directory.path(), fewer, Limits::default());
    let person = Maker::Person { name: "rule guesses".into(), reason: "no longer configured".into() };
    assert!(restored.listings.iter().all(|listing| listing.maker == person));

    let (_, restored, _) = given::open(directory.path());
    assert_eq!(restored.listings.len(), 2, "nothing was lost meanwhile");
    assert!(restored.serial >= 2);
    assert_eq!(restored.listings[0].maker, Maker::Rule(base::RuleId(0)));
}

#[test]
fn of_the_events_only_the_asked_ones_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { events_restored_max: 3, ..given::limits() };
    let (store, _, _) = given::open_with(directory.path(), given::names(), limits);
    let events = [5, 1, 9, 7, 8, 6].map(|time| given::event(time, "192.0.2.1", "alice")).to_vec();
    store.push(Batch { events, ..Batch::default() });
    drop(store);
    let times = |since: u64| {
        let since = Timestamp::from_millis(since);
        let (_, restored) = Store::open(directory.path(), given::names(), since, limits).unwrap();
        restored.events.iter().map(|event| event.time.as_millis()).collect::<Vec<_>>()
    };
    assert_eq!(times(8), [9, 8], "in the order of arrival");
    assert_eq!(times(0), [7, 8, 6], "the newest");
}

#[test]
fn an_event_is_cut_and_made_canonical() {
    let long = "ä".repeat(100);
    let event = Event {
        time: Timestamp::from_millis(1),
        kind: EventKind::LoginOk,
        service: &long,
        address: None,
        login: Some(" Alice "),
        session: Some(&long),
        password: None,
        channel: base::Channel::Gate,
        tally: Tally::Total(5),
        reporter: None,
    };
    let kept = KeptEvent::from(&event);
    assert_eq!((kept.service.len(), kept.session.as_ref().unwrap().len()), (32, 64));
    assert_eq!(kept.as_event().login, Some("alice"));
    assert_eq!(KeptEvent::from(&kept.as_event()), kept);
}
