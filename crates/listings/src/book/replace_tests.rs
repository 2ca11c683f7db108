use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use super::*;
use crate::journal::{Cause, Entry};
use crate::{NeverList, Wish};
use base::{Address, Evidence, ListSet, Listing, Maker, RuleId};
use proptest::prelude::*;

const DYNA: ListId = ListId::new(1);
const AUTH: ListId = ListId::new(2);
const END: Until = Until::At(Timestamp::from_secs(1000));

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn book() -> Book {
    Book::seeded(NeverList::new(["192.0.2.64/26".parse().unwrap()], []), 1)
}

fn bulk(list: ListId, until: Until) -> Bulk {
    Bulk { list, since: at(1), until, maker: Maker::Person { name: "ann".into(), reason: "import of a".into() } }
}

fn networks<T: AsRef<str>>(texts: &[T]) -> Vec<Network> {
    let mut networks: Vec<Network> = texts.iter().map(|text| text.as_ref().parse().unwrap()).collect();
    networks.sort_unstable();
    networks
}

fn replace(book: &Book, bulk: Bulk, networks: &[Network]) -> Result<Replacement, ReplaceError<Infallible>> {
    book.replace(at(1), bulk, networks.iter().copied().map(Ok), None)
}

fn wish(text: &str, list: ListId, maker: Maker) -> Wish {
    let evidence = Evidence { count: 5, distinct: 2, first: at(1), last: at(2) };
    Wish { subject: text.parse().unwrap(), list, until: END, maker, evidence }
}

fn rule() -> Maker {
    Maker::Rule(RuleId(0))
}

fn person() -> Maker {
    Maker::Person { name: "ben".into(), reason: "seen".into() }
}

fn lists_of(book: &Book, text: &str) -> u32 {
    book.snapshot().lists_of(text.parse().unwrap()).bits()
}

fn entries(book: &Book) -> Vec<Entry> {
    let mut entries = Vec::new();
    book.drain_journal(&mut entries);
    entries
}

#[test]
fn a_bulk_comes_stays_and_goes() {
    let book = book();
    book.list(at(1), wish("198.51.100.1", DYNA, rule())).unwrap();
    book.list(at(1), wish("198.51.100.2", AUTH, rule())).unwrap();
    let input = networks(&["198.51.100.1", "198.51.100.2", "203.0.113.0/24", "192.0.2.100", "2001:db8::/64"]);
    let done = replace(&book, bulk(DYNA, END), &input).unwrap();
    let wanted = Replacement {
        serial: 3,
        listed: 3,
        added: 3,
        removed: 0,
        own: 1,
        never: 1,
        refused: networks(&["192.0.2.100"]),
    };
    assert_eq!(done, wanted);
    let seen = ["198.51.100.1", "198.51.100.2", "203.0.113.9", "192.0.2.100", "2001:db8::7"];
    assert_eq!(seen.map(|text| lists_of(&book, text)), [2, 6, 2, 0, 2]);
    assert_eq!((book.count(DYNA), book.count(AUTH), book.counters().listings), (4, 1, 5));
    let about = book.about(&"203.0.113.9".parse().unwrap());
    assert_eq!(about, [bulk(DYNA, END).listing("203.0.113.0/24".parse().unwrap())]);
    assert_eq!(book.all(Some(DYNA), 10).len(), 4);

    // A rule leaves what a bulk listed alone; a person takes it over, or off.
    assert_eq!(book.list(at(2), wish("198.51.100.2", DYNA, rule())), Err(Refusal::AlreadyListed(END)));
    assert_eq!(book.list(at(2), wish("198.51.100.2", DYNA, person())), Ok(5));
    assert_eq!(book.unlist(at(2), &"2001:db8::/64".parse().unwrap(), None, "cyd").len(), 1);
    assert_eq!((lists_of(&book, "198.51.100.2"), lists_of(&book, "2001:db8::7"), book.count(DYNA)), (6, 0, 3));
    let last = entries(&book).split_off(3);
    let causes: Vec<_> = last
        .iter()
        .map(|entry| matches!(&entry.change, Change::Unlisted { cause, .. } if *cause != Cause::Expired))
        .collect();
    assert_eq!(causes, [true, false, true]);

    // At its end all of it goes at once, and nothing else.
    assert_eq!(book.next_deadline(), Some(at(1000)));
    assert_eq!(book.expire(at(999)), 0);
    book.list(at(3), Wish { until: Until::Never, ..wish("198.51.100.9", DYNA, person()) }).unwrap();
    assert_eq!(book.expire(at(1000)), 4);
    assert_eq!((book.count(DYNA), lists_of(&book, "198.51.100.9"), lists_of(&book, "203.0.113.9")), (1, 2, 0));
    let Some(Change::Replaced(over)) = entries(&book).pop().map(|entry| entry.change) else { panic!() };
    assert_eq!((over.bulk, over.content.len()), (None, 0));
    assert_eq!(over.steps, Some(vec![("203.0.113.0/24".parse().unwrap(), false)]));
}

#[test]
fn what_is_wrong_changes_nothing() {
    let book = book();
    let good = networks(&["198.51.100.1", "198.51.100.2"]);
    replace(&book, bulk(DYNA, END), &good).unwrap();
    let twice = [good[0], good[0]];
    assert_eq!(replace(&book, bulk(DYNA, END), &twice), Err(ReplaceError::Order(good[0])));
    assert_eq!(replace(&book, bulk(ListId::BLOCKED, END), &good), Err(ReplaceError::List));
    let over = Refusal::OverBeforeItBegan;
    assert_eq!(replace(&book, bulk(DYNA, Until::At(at(1))), &good), Err(ReplaceError::Refused(over)));
    let cut = [Ok("203.0.113.1".parse().unwrap()), Err("cut")];
    assert_eq!(book.replace(at(2), bulk(DYNA, END), cut, None), Err(ReplaceError::Input("cut")));
    assert_eq!((book.serial(), book.count(DYNA), lists_of(&book, "203.0.113.1")), (1, 2, 0));
}

#[test]
fn what_no_published_list_takes_is_in_no_bulk() {
    let book = book();
    let input = networks(&["10.0.0.0/8", "192.168.1.1", "100.64.0.0/10", "198.41.0.4", "fd00::/8", "203.0.113.1"]);
    let done = replace(&book, bulk(DYNA, END), &input).unwrap();
    assert_eq!((done.listed, done.never, lists_of(&book, "10.1.2.3"), lists_of(&book, "198.41.0.4")), (1, 5, 0, 0));
    // A file of an older version may have them, and the table too.
    let restored = Book::seeded(NeverList::new([], []), 2);
    restored.restore_bulk(at(2), bulk(DYNA, END), input);
    assert_eq!((restored.count(DYNA), lists_of(&restored, "203.0.113.1"), lists_of(&restored, "10.1.2.3")), (1, 2, 0));
    let is_gone = |entry: &Entry| matches!(&entry.change, Change::Unlisted { cause: Cause::Removed { .. }, .. });
    let entries = entries(&restored);
    assert_eq!(
        (entries.len(), entries.iter().all(is_gone)),
        (5, true),
        "who follows the journal is told that they are gone"
    );
}

#[test]
fn a_bulk_that_changes_too_much_is_refused() {
    let book = book();
    let many = |count: u8| -> Vec<Network> { networks(&(0..count).map(|n| format!("20.0.0.{n}")).collect::<Vec<_>>()) };
    let try_it = |input: Vec<Network>, percent| {
        book.replace(at(1), bulk(DYNA, END), input.into_iter().map(Ok::<_, Infallible>), percent)
    };
    let only_never = networks(&["10.0.0.1", "192.0.2.64"]);
    assert_eq!(try_it(only_never.clone(), Some(50)), Err(ReplaceError::Empty { never: 2 }));
    assert_eq!(try_it(many(10), Some(50)).map(|done| done.listed), Ok(10), "nothing was there to be compared with");
    let cases = [(4, false), (16, false), (0, false), (5, true), (7, true), (10, true), (15, true)];
    for (count, is_taken) in cases {
        let before = book.count(DYNA);
        let done = try_it(many(count), Some(50));
        let wanted = match count {
            0 => Err(ReplaceError::Empty { never: 0 }),
            _ if is_taken => Ok(usize::from(count)),
            _ => Err(ReplaceError::Changed { before, after: count.into() }),
        };
        assert_eq!(done.map(|done| done.listed), wanted, "{count}");
        assert_eq!(book.count(DYNA), if is_taken { count.into() } else { before });
    }
    assert_eq!(try_it(only_never, None).map(|done| (done.listed, done.removed)), Ok((0, 15)), "who means it gets it");
}

#[test]
fn changes_go_on_while_a_bulk_is_replaced() {
    let book = book();
    replace(&book, bulk(DYNA, END), &networks(&["20.0.0.1", "20.0.0.2", "20.0.0.3", "20.0.0.4"])).unwrap();
    // The list is read slowly, and others do what they want between two of its networks.
    let input = networks(&["20.0.0.1", "20.0.0.2", "20.0.0.5", "20.0.0.6"]);
    let mut left = 4;
    let slowly = input.iter().map(|network| {
        left -= 1;
        match left {
            3 => drop(book.unlist(at(2), &"20.0.0.2".parse().unwrap(), None, "ann")),
            2 => drop(book.list(at(2), wish("20.0.0.3", DYNA, person())).unwrap()),
            1 => drop(book.list(at(2), wish("20.0.0.6", DYNA, rule())).unwrap()),
            _ => drop(book.list(at(2), wish("20.0.0.9", AUTH, rule())).unwrap()),
        }
        assert_eq!(lists_of(&book, "20.0.0.5"), 0, "nothing of it is seen before all of it");
        Ok::<_, Infallible>(*network)
    });
    let done = book.replace(at(2), bulk(DYNA, END), slowly, None).unwrap();
    assert_eq!((done.listed, done.own), (2, 2));
    let seen = [1, 2, 3, 4, 5, 6, 9].map(|n| lists_of(&book, &format!("20.0.0.{n}")));
    assert_eq!(seen, [2, 0, 2, 0, 2, 2, 4]);
    assert_eq!(book.count(DYNA), 4);
    let Some(Change::Replaced(last)) = entries(&book).pop().map(|entry| entry.change) else { panic!() };
    assert_eq!(last.content.networks().collect::<Vec<_>>(), networks(&["20.0.0.1", "20.0.0.5"]));
}

#[test]
fn large_differences_are_not_told_one_by_one() {
    let book = book();
    let many = (0..=STEPS_MAX as u32)
        .map(|n| Network::containing(Address::new(std::net::IpAddr::V4((n + (20 << 24)).into())), 32));
    let done = book.replace(at(1), bulk(DYNA, END), many.map(Ok::<_, Infallible>), None).unwrap();
    assert_eq!((done.listed, done.added), (STEPS_MAX + 1, STEPS_MAX + 1));
    let Some(Change::Replaced(last)) = entries(&book).pop().map(|entry| entry.change) else { panic!() };
    assert_eq!((last.steps, last.content.len()), (None, STEPS_MAX + 1));
}

#[derive(Clone, Debug)]
enum Step {
    Replace(bool, BTreeSet<u8>),
    List(u8, bool, bool),
    Unlist(u8),
    Expire(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (any::<bool>(), prop::collection::btree_set(0_u8..24, 0..20)).prop_map(|(a, set)| Step::Replace(a, set)),
        (0_u8..24, any::<bool>(), any::<bool>()).prop_map(|(n, a, b)| Step::List(n, a, b)),
        (0_u8..24).prop_map(Step::Unlist),
        (0_u64..1100).prop_map(Step::Expire),
    ]
}

/// Small numbers as networks of all kinds, in their order.
fn network(n: u8) -> Network {
    let text = match n % 3 {
        0 => format!("20.0.{n}.0/28"),
        1 => format!("20.0.{n}.7"),
        _ => format!("2001:db8:0:{n:x}::/64"),
    };
    text.parse().unwrap()
}

/// By subject and list: until when, and whether a bulk did it.
type Model = BTreeMap<(Network, usize), (Until, bool)>;

fn apply_entries(seen: &mut BTreeMap<(Network, usize), Listing>, book: &Book) {
    for entry in entries(book) {
        match entry.change {
            Change::Listed(listing) => {
                let Subject::Network(network) = listing.subject else { panic!() };
                seen.insert((network, listing.list.index()), listing);
            }
            Change::Unlisted { listing, .. } => {
                let Subject::Network(network) = listing.subject else { panic!() };
                assert!(seen.remove(&(network, listing.list.index())).is_some(), "{listing:?}");
            }
            Change::Replaced(replaced) => {
                let list = replaced.list.index();
                let before: BTreeSet<Network> = seen.keys().filter(|key| key.1 == list).map(|key| key.0).collect();
                seen.retain(|key, listing| key.1 != list || listing.evidence.count > 0);
                for network in replaced.content.networks() {
                    seen.insert((network, list), replaced.bulk.as_ref().unwrap().listing(network));
                }
                let after: BTreeSet<Network> = seen.keys().filter(|key| key.1 == list).map(|key| key.0).collect();
                let mut steps: Vec<_> = after.difference(&before).map(|n| (*n, true)).collect();
                steps.extend(before.difference(&after).map(|n| (*n, false)));
                steps.sort_unstable();
                assert_eq!(replaced.steps, Some(steps));
            }
        }
    }
}

proptest! {
    #[test]
    fn equals_a_map(steps in prop::collection::vec(step(), 0..60)) {
        let (book, mut model, mut seen) = (book(), Model::new(), BTreeMap::new());
        let mut now = at(1);
        for (number, step) in steps.into_iter().enumerate() {
            let end = Until::At(now.plus(core::time::Duration::from_secs(100 + number as u64)));
            match step {
                Step::Replace(first, set) => {
                    let list = if first { DYNA } else { AUTH };
                    let mut input: Vec<Network> = set.into_iter().map(network).collect();
                    input.sort_unstable();
                    model.retain(|key, (_, by_bulk)| key.1 != list.index() || !*by_bulk);
                    for network in &input {
                        model.entry((*network, list.index())).or_insert((end, true));
                    }
                    book.replace(now, bulk(list, end), input.into_iter().map(Ok::<_, Infallible>), None).unwrap();
                }
                Step::List(n, first, by_rule) => {
                    let list = if first { DYNA } else { AUTH };
                    let text = network(n).to_string();
                    let wish = Wish { until: end, ..wish(&text, list, if by_rule { rule() } else { person() }) };
                    let key = (network(n), list.index());
                    let is_free = !by_rule || model.get(&key).is_none_or(|(until, _)| until.is_over(now));
                    prop_assert_eq!(book.list(now, wish).is_ok(), is_free);
                    if is_free {
                        model.insert(key, (end, false));
                    }
                }
                Step::Unlist(n) => {
                    let gone = book.unlist(now, &network(n).into(), None, "ann").len();
                    let before = model.len();
                    model.retain(|key, _| key.0 != network(n));
                    prop_assert_eq!(gone, before - model.len());
                }
                Step::Expire(secs) => {
                    now = now.max(at(secs));
                    let before = model.len();
                    model.retain(|_, (until, _)| !until.is_over(now));
                    prop_assert_eq!(book.expire(now), before - model.len());
                }
            }
            apply_entries(&mut seen, &book);
            prop_assert_eq!(seen.keys().collect::<Vec<_>>(), model.keys().collect::<Vec<_>>());
            prop_assert_eq!(book.counters().listings, model.len());
            for n in 0..24 {
                let own = model.keys().filter(|key| key.0 == network(n));
                let wanted = own.fold(ListSet::EMPTY, |lists, key| lists.with(ListId::new(key.1)));
                prop_assert_eq!(book.snapshot().tree().own_lists(network(n)), wanted);
                let about = book.about(&network(n).into());
                let found: Vec<_> = about.iter().map(|listing| (listing.list.index(), listing.until)).collect();
                let wanted: Vec<_> = model.iter().filter(|(key, _)| key.0 == network(n)).map(|(key, it)| (key.1, it.0)).collect();
                prop_assert_eq!(found, wanted);
            }
        }
    }

    #[test]
    fn a_bulk_is_taken_back(set in prop::collection::btree_set(0_u8..24, 0..20), own in prop::collection::btree_set(0_u8..24, 0..5)) {
        let book = book();
        let listings = own.iter().map(|n| {
            let Wish { subject, list, until, maker, evidence } = wish(&network(*n).to_string(), DYNA, rule());
            Listing { subject, list, since: at(1), until, maker, evidence }
        });
        book.restore(at(2), 7, listings);
        let mut input: Vec<Network> = set.iter().copied().map(network).collect();
        input.sort_unstable();
        book.restore_bulk(at(2), bulk(DYNA, END), input.iter().copied());
        book.restore_bulk(at(2), bulk(AUTH, END), input.iter().copied());
        prop_assert_eq!(book.count(DYNA), set.union(&own).count());
        prop_assert_eq!((book.count(AUTH), book.serial(), entries(&book).len()), (set.len(), 7, 0));
        for n in 0..24 {
            let bits = u32::from(set.contains(&n) || own.contains(&n)) * 2 + u32::from(set.contains(&n)) * 4;
            prop_assert_eq!(book.snapshot().tree().own_lists(network(n)).bits(), bits);
        }
    }
}
