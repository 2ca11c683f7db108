use std::collections::BTreeSet;
use std::convert::Infallible;

use super::*;
use crate::{Bulk, Change, Wish};
use base::{Evidence, ListSet, Listing, Login, Maker};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

const LISTS: [ListId; 3] = [ListId::BLOCKED, ListId::new(1), ListId::new(2)];

fn subject(n: u8) -> Subject {
    match n % 4 {
        0 => Subject::Login(Login::new(&format!("user{n}")).unwrap()),
        1 => format!("192.0.2.{n}").parse().unwrap(),
        2 => format!("198.51.{n}.0/24").parse().unwrap(),
        _ => format!("2001:db8:0:{n:x}::/64").parse().unwrap(),
    }
}

fn bulk(list: ListId, until: Until) -> Bulk {
    Bulk { list, since: Timestamp::EPOCH, until, maker: Maker::Person { name: "ann".into(), reason: "all".into() } }
}

fn wish(subject: Subject, list: ListId, end: u64) -> Wish {
    let until = if end == 0 { Until::Never } else { Until::At(Timestamp::from_secs(end)) };
    let maker = Maker::Person { name: "ben".into(), reason: "seen".into() };
    Wish { subject, list, until, maker, evidence: Evidence::default() }
}

/// Changes a book, as steps say that stand for what people, rules and imports do.
fn change_book(book: &Book, (what, n, list, end): (u8, u8, usize, u64), set: &BTreeSet<u8>) {
    let now = Timestamp::EPOCH;
    let list = if n.is_multiple_of(4) { ListId::BLOCKED } else { LISTS[list] };
    match what {
        0 if list != ListId::BLOCKED => {
            let networks = set.iter().filter_map(|n| match subject(*n) {
                Subject::Network(network) => Some(network),
                Subject::Login(_) => None,
            });
            let mut networks: Vec<Network> = networks.collect();
            networks.sort_unstable();
            let networks = networks.into_iter().map(Ok::<_, Infallible>);
            book.replace(now, bulk(list, Until::Never), networks, None).unwrap();
        }
        1..=3 => drop(book.unlist(now, &subject(n), (end > 3).then_some(list), "ann")),
        _ => assert!(book.list(now, wish(subject(n), list, end)).is_ok()),
    }
}

/// What the store would have after all entries: the listings with records, and the bulks.
fn kept(book: &Book) -> (Vec<Listing>, Vec<(Bulk, usize)>) {
    let is_of_bulk = |listing: &Listing| listing.maker == bulk(listing.list, Until::Never).maker;
    let (of_bulks, records): (Vec<_>, Vec<_>) = book.all(None, 10_000).into_iter().partition(is_of_bulk);
    let count = |list| of_bulks.iter().filter(|listing| listing.list == list).count();
    let bulks = LISTS.map(|list| (bulk(list, Until::Never), count(list)));
    (records, bulks.into_iter().filter(|(_, count)| *count > 0).collect())
}

fn tree_of(book: &Book) -> Vec<(Network, ListSet)> {
    let snapshot = book.snapshot();
    let v4 = snapshot.tree().within("0.0.0.0/0".parse().unwrap());
    v4.chain(snapshot.tree().within("::/0".parse().unwrap())).collect()
}

fn content(book: &Book) -> Vec<String> {
    let mut listings: Vec<String> = book.all(None, 10_000).iter().map(|listing| format!("{listing:?}")).collect();
    listings.sort_unstable();
    listings
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn an_image_and_the_changes_after_it_are_the_book(
        before in vec(((0_u8..9, any::<u8>(), 0_usize..3, 0_u64..9), btree_set(any::<u8>(), 0..60)), 0..40),
        after in vec((1_u8..9, any::<u8>(), 0_usize..3, 0_u64..9), 0..40),
        written_at in 0_usize..40,
        restart in 0_u64..9,
    ) {
        let never = || NeverList::new([], []);
        let book = Book::new(never());
        for (step, set) in &before {
            change_book(&book, *step, set);
        }
        let moment = book.moment().unwrap();
        let mut bytes = Vec::new();
        // The ends are written at any time after the moment.
        for (at, step) in after.iter().enumerate() {
            if at == written_at {
                book.write_image(&moment, &mut bytes).unwrap();
            }
            change_book(&book, *step, &BTreeSet::new());
        }
        if bytes.is_empty() {
            book.write_image(&moment, &mut bytes).unwrap();
        }

        let mut entries = Vec::new();
        book.drain_journal(&mut entries);
        let later = entries.iter().filter(|entry| entry.serial > moment.serial);
        let followed = later.filter_map(|entry| match &entry.change {
            Change::Listed(Listing { subject: Subject::Network(n), list, until, .. }) => Some((*n, *list, Some(*until))),
            Change::Unlisted { listing: Listing { subject: Subject::Network(n), list, .. }, .. } => Some((*n, *list, None)),
            Change::Listed(_) | Change::Unlisted { .. } | Change::Replaced(_) => None,
        });
        let mut image = Image::read(&bytes, &LISTS).unwrap();
        image.follow(followed);
        // By now some listings are over, and a network is on the never-list that was not.
        let now = Timestamp::from_secs(restart);
        let never = NeverList::new(["198.51.2.7".parse().unwrap(), "2001:db8:0:3::/64".parse().unwrap()], []);
        let shown = image.shown(now, &never);
        let (records, bulks) = kept(&book);
        let again = Book::new(never);
        again.show(7, &shown);
        let at_first = tree_of(&again);
        prop_assert!(again.restore_shown(now, 7, records.clone(), &shown, &bulks));
        prop_assert_eq!(&at_first, &tree_of(&again), "answers are right from the first on");

        let wanted = Book::new(NeverList::new(["198.51.2.7".parse().unwrap(), "2001:db8:0:3::/64".parse().unwrap()], []));
        wanted.restore(now, 7, records.clone());
        for (bulk, _) in bulks {
            let is_own = |network: &Network| records.iter().any(|it| it.list == bulk.list && it.subject == (*network).into());
            let networks: Vec<Network> = book.snapshot().tree().on_list(bulk.list).filter(|n| !is_own(n)).collect();
            wanted.restore_bulk(now, bulk, networks);
        }
        prop_assert_eq!(at_first, tree_of(&wanted));
        prop_assert_eq!(content(&again), content(&wanted));
        prop_assert_eq!(again.counters().listings, wanted.counters().listings);
        prop_assert_eq!(again.serial(), wanted.serial());
    }
}

#[test]
fn an_image_that_is_not_the_books_is_found_out() {
    let book = Book::new(NeverList::new([], []));
    book.list(Timestamp::EPOCH, wish(subject(1), LISTS[1], 0)).unwrap();
    book.list(Timestamp::EPOCH, wish(subject(5), LISTS[2], 0)).unwrap();
    let image = || {
        let mut bytes = Vec::new();
        book.write_image(&book.moment().unwrap(), &mut bytes).unwrap();
        Image::read(&bytes, &LISTS).unwrap().shown(Timestamp::EPOCH, &NeverList::new([], []))
    };
    let (records, _) = kept(&book);
    let bulks = [(bulk(LISTS[2], Until::Never), 1)];
    for (what, records, bulks, is_right) in [
        ("as it is", records.clone(), &bulks[..0], true),
        ("a listing is missing in the store", records[..1].to_vec(), &bulks[..0], false),
        ("a bulk is missing in the image", records.clone(), &bulks[..], false),
        ("one of a bulk is a record", records[..1].to_vec(), &bulks[..], records[0].list == LISTS[1]),
    ] {
        let again = Book::new(NeverList::new([], []));
        assert_eq!(again.restore_shown(Timestamp::EPOCH, 1, records.clone(), &image(), bulks), is_right, "{what}");
        let shown = again.counters().listings;
        assert_eq!(shown, records.len() + if is_right { bulks.len() } else { 0 }, "{what}");
    }
}

#[test]
fn a_sieve_holds_back_nobody_who_is_in_it_and_most_who_are_not() {
    let networks = |from: u32| {
        let v4 = (from..from + 50_000).map(|n| Network::containing(Address::new(IpAddr::V4((n * 3).into())), 32));
        let v6 = (from..from + 50_000).map(|n| Network::containing(Address::from_bits(u128::from(n) << 64), 64));
        v4.chain(v6)
    };
    let sieve = Sieve::of(networks(1 << 24), 100_000);
    assert!(networks(1 << 24).all(|network| sieve.may_hold(network)));
    let passed = networks(1 << 25).filter(|network| sieve.may_hold(*network)).count();
    assert!(passed < 15_000, "{passed} of 100,000");
    assert!(!Sieve::of(core::iter::empty(), 0).may_hold("192.0.2.1".parse().unwrap()));
}
