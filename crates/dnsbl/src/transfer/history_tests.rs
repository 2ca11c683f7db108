use std::collections::{BTreeMap, BTreeSet};

use base::{Evidence, Listing, Maker, Timestamp, Until};
use listings::{Book, Cause, NeverList, Wish};

use super::*;
use crate::serve::wire::soa_serial;

const LIST: ListId = ListId::new(1);
const OTHER: ListId = ListId::new(2);

fn maker() -> Maker {
    Maker::Person { name: "test".into(), reason: "test".into() }
}

fn entry(serial: u64, list: ListId, subject: &str, is_listed: bool) -> Entry {
    let listing = Listing {
        subject: subject.parse().unwrap(),
        list,
        since: Timestamp::EPOCH,
        until: Until::Never,
        maker: maker(),
        evidence: Evidence::default(),
    };
    let change = if is_listed { Change::Listed(listing) } else { Change::Unlisted { listing, cause: Cause::Expired } };
    Entry { serial, at: Timestamp::EPOCH, change }
}

fn set(list: ListId) -> ListSet {
    ListSet::EMPTY.with(list)
}

#[test]
fn the_past_is_made_again_from_the_book() {
    let book = Book::new(NeverList::new([], []));
    book.restore(Timestamp::EPOCH, (1 << 32) - 20, []);
    let history = History::starting_at(book.serial());
    let wish = |subject: String, list| Wish {
        subject: subject.parse().unwrap(),
        list,
        until: Until::Never,
        maker: maker(),
        evidence: Evidence::default(),
    };
    let (mut trees, mut entries) = (Vec::new(), Vec::new());
    for step in 0..60u64 {
        let subject = format!("192.0.2.{}", step * 7 % 16);
        let list = if step % 3 == 0 { OTHER } else { LIST };
        if book.unlist(Timestamp::EPOCH, &subject.parse().unwrap(), Some(list), "test").is_empty() {
            book.list(Timestamp::EPOCH, wish(subject, list)).unwrap();
        }
        trees.push((book.serial(), book.snapshot().tree().clone()));
    }
    book.drain_journal(&mut entries);
    history.record(&entries);
    let (serial, now) = trees.last().unwrap();
    let members = set(LIST);
    for (then, tree) in &trees {
        let Some(past) = history.past(now, *serial, members, soa_serial(*then), 0) else {
            assert_eq!(soa_serial(*then), u32::MAX, "only that one stands for two changes");
            continue;
        };
        for last in 0..16 {
            let network: Network = format!("192.0.2.{last}").parse().unwrap();
            let had = tree.own_lists(network).intersection(members);
            assert_eq!(past.tree.own_lists(network).intersection(members), had);
            let differs = had != now.own_lists(network).intersection(members);
            assert_eq!(past.touched.contains(&network), differs);
        }
    }
    assert!(history.past(now, *serial, members, soa_serial(trees[0].0 - 2), 0).is_none(), "before this process began");
    assert_eq!(history.newest_of(set(LIST)).max(history.newest_of(set(OTHER))), *serial);
}

#[test]
fn what_is_too_old_or_missing_is_not_made_up() {
    let tree = Tree::default();
    let history = History::starting_at(10);
    history.record(&[entry(11, LIST, "192.0.2.1", true), entry(12, OTHER, "login:a", true)]);
    assert_eq!((history.newest(), history.changes()), (12, 1));
    assert!(history.past(&tree, 12, set(LIST), 11, 0).is_some());
    assert!(
        history.past(&tree, 12, set(LIST), 10, 0).is_some() && history.past(&tree, 12, set(LIST), 10, 11).is_none()
    );
    assert!(history.past(&tree, 12, set(LIST), 9, 0).is_none());
    assert!(history.past(&tree, 13, set(LIST), 11, 0).is_none(), "the book is ahead of the history");
    assert!(!history.wait_for(13, Duration::from_millis(1)) && history.wait_for(12, Duration::ZERO));
    // 13 and 14 are missing.
    history.record(&[entry(15, LIST, "192.0.2.2", true), entry(16, ListId::BLOCKED, "192.0.2.3", true)]);
    assert!(history.past(&tree, 16, set(LIST), 12, 0).is_none());
    assert!(history.past(&tree, 16, set(LIST), 14, 0).is_some());
    assert_eq!((history.newest_of(set(LIST)), history.newest_of(set(OTHER))), (15, 15));
}

#[test]
fn the_ring_is_bounded() {
    let history = History::starting_at(0);
    let entries: Vec<Entry> = (1..=1000).map(|serial| entry(serial, LIST, "192.0.2.1", serial % 2 == 1)).collect();
    for round in 0..=HISTORY_MAX as u64 / 1000 {
        let entries: Vec<Entry> =
            entries.iter().map(|e| Entry { serial: e.serial + round * 1000, ..e.clone() }).collect();
        history.record(&entries);
    }
    let newest = HISTORY_MAX as u64 + 1000;
    assert_eq!((history.changes(), history.newest()), (HISTORY_MAX, newest));
    let past = |theirs: u64| history.past(&Tree::default(), newest, set(LIST), theirs as u32, 0).is_some();
    assert!(past(newest - DELTA_CHANGES_MAX as u64));
    assert!(!past(newest - DELTA_CHANGES_MAX as u64 - 1), "a whole zone is cheaper");
    assert!(!past(999));
}

#[test]
fn imports_are_steps_or_renew_their_list() {
    use base::Address;
    use listings::{Bulk, STEPS_MAX};
    let book = Book::new(NeverList::new([], []));
    book.restore(Timestamp::EPOCH, 100, []);
    let history = History::starting_at(book.serial());
    let (mut trees, mut entries) = (Vec::new(), Vec::new());
    let many = STEPS_MAX as u32 + 3;
    // Each import is of the first `count` addresses of a network.
    for (list, count) in [(OTHER, 2), (LIST, 5), (LIST, 3), (LIST, 7), (OTHER, many), (LIST, 1), (LIST, 2)] {
        let bulk = Bulk { list, since: Timestamp::EPOCH, until: Until::Never, maker: maker() };
        let address = |n: u32| Network::containing(Address::new(std::net::IpAddr::V4((20 << 24 | n).into())), 32);
        book.replace(Timestamp::EPOCH, bulk, (0..count).map(|n| Ok::<_, ()>(address(n))), None).unwrap();
        trees.push((book.serial(), book.snapshot().tree().clone()));
    }
    book.drain_journal(&mut entries);
    history.record(&entries);
    let (serial, now) = trees.last().unwrap();
    let lists_of = |tree: &Tree, n: u8| tree.lists_of(Address::new([20, 0, 0, n].into()));
    for (index, (then, tree)) in trees.iter().enumerate() {
        let past = history.past(now, *serial, set(LIST), soa_serial(*then), 0).expect("all of it was kept");
        for n in 0..9 {
            let members = |tree: &Tree| lists_of(tree, n).contains(LIST);
            assert_eq!(members(&past.tree), members(tree), "{then} {n}");
        }
        let other = history.past(now, *serial, set(LIST).with(OTHER), soa_serial(*then), 0);
        assert_eq!(other.is_some(), index >= 4, "{then}");
    }
}

#[test]
fn whoever_applies_the_changes_has_the_list() {
    let history = History::starting_at(100);
    let addresses = |at: u64| format!("192.0.2.{}", at * 5 % 7);
    let mut listed: BTreeSet<(ListId, String)> = BTreeSet::new();
    let mut states = vec![(100, listed.clone())];
    for step in 0..200 {
        let list = if step % 3 == 0 { OTHER } else { LIST };
        let place = (list, addresses(step));
        let is_listed = !listed.remove(&place);
        if is_listed {
            listed.insert(place.clone());
        }
        history.record(&[entry(101 + step, list, &place.1, is_listed)]);
        states.push((101 + step, listed.clone()));
    }
    let of_list = |state: &BTreeSet<(ListId, String)>| -> Vec<Network> {
        state.iter().filter(|(list, _)| *list == LIST).map(|(_, address)| address.parse().unwrap()).collect()
    };
    for (from, state) in &states {
        for most in [1, 3, 1000] {
            let (mut has, mut at): (BTreeSet<Network>, u64) = (of_list(state).into_iter().collect(), *from);
            for _ in 0..300 {
                let (until, changes) = history.changes_of(LIST, at, most).unwrap();
                for (network, is_listed) in changes {
                    // Each change is one: nobody is told what he has already.
                    let is_news = if is_listed { has.insert(network) } else { has.remove(&network) };
                    assert!(is_news, "{network} from {from}");
                }
                if until == at {
                    break;
                }
                at = until;
            }
            let mut wanted = of_list(&listed);
            wanted.sort();
            assert_eq!(has.into_iter().collect::<Vec<_>>(), wanted, "from {from} by {most}");
        }
    }
    for serial in [0, 99, 301, u64::MAX] {
        assert!(history.changes_of(LIST, serial, 10).is_none(), "{serial} is not known here");
    }
}

#[test]
fn what_was_before_a_start_is_known_as_far_as_it_is_certain() {
    let network = |n: u64| format!("192.0.2.{}", n % 5).parse::<Network>().unwrap();
    // Changes up to 60, a start at 90, changes up to 99, and a start at 200.
    let mut listed: BTreeSet<(ListId, Network)> = BTreeSet::new();
    let (mut states, mut steps) = (BTreeMap::from([(20, listed.clone())]), Vec::new());
    for serial in (21..=60).chain(91..=99) {
        let list = if serial % 3 == 0 { OTHER } else { LIST };
        let was_listed = !listed.insert((list, network(serial)));
        if was_listed {
            listed.remove(&(list, network(serial)));
        }
        steps.push(Step { serial, network: network(serial), list, was_listed });
        states.insert(serial, listed.clone());
    }
    states.insert(90, states[&60].clone());
    states.insert(200, listed.clone());
    let mut changes = Changes::default();
    for n in 0..5 {
        let lists = listed.iter().filter(|(_, on)| *on == network(n)).map(|(list, _)| *list);
        changes.set(network(n), lists.collect());
    }
    let mut now = Tree::default();
    now.apply(&mut changes);

    let before = |steps: &[Step], whole_from| Before {
        steps: steps.iter().filter(|step| step.serial > whole_from).copied().collect(),
        whole_from,
        unknown: vec![(60, 90), (99, 200)],
        renewed: vec![(OTHER, 30)],
    };
    for cut in [20, 45, 60, 90, 95, 99, 200] {
        let history = History::awaiting(200);
        history.grant(200);
        let past = |theirs: u32, lists| history.past(&now, 200, lists, theirs, 0);
        assert!(past(200, set(LIST)).is_none() && !history.wait_for(200, Duration::ZERO), "it is not open yet");
        history.open(Some(before(&steps, cut)));
        for theirs in 0..=200 {
            let state = states.get(&u64::from(theirs)).filter(|_| u64::from(theirs) >= cut);
            let found = past(theirs, set(LIST));
            assert_eq!(found.is_some(), state.is_some(), "{theirs} of what is certain from {cut} on");
            let other = past(theirs, set(LIST).with(OTHER));
            assert_eq!(other.is_some(), state.is_some() && theirs >= 30, "{theirs} of a list that was renewed by 30");
            let changed = history.changes_of(LIST, u64::from(theirs), 1000);
            assert_eq!(changed.is_some(), state.is_some(), "{theirs} for subscribers");
            let (Some(found), Some(state)) = (found, state) else { continue };
            for n in 0..5 {
                let had = found.tree.own_lists(network(n)).contains(LIST);
                assert_eq!(had, state.contains(&(LIST, network(n))), "{theirs} from {cut}");
            }
        }
    }
    let (history, since) = (History::starting_at(200), 96);
    history.ring().precede(before(&steps, 20));
    let known: Vec<u32> = (1..=200).filter(|at| history.past(&now, 200, set(LIST), *at, since).is_some()).collect();
    assert_eq!(known, [96, 97, 98, 99, 200], "the zone's other records were others before");
}

#[test]
fn nothing_is_given_away_under_a_number_that_might_come_again() {
    let (history, tree) = (History::awaiting(10), Tree::default());
    history.open(None);
    history.record(&[entry(11, LIST, "192.0.2.1", true), entry(12, LIST, "192.0.2.2", true)]);
    for (granted, known) in [(0, false), (11, false), (12, true), (500, true)] {
        history.grant(granted);
        assert_eq!(history.wait_for(12, Duration::ZERO), known, "{granted}");
        assert_eq!(history.past(&tree, 12, set(LIST), 11, 0).is_some(), known, "{granted}");
    }
}
