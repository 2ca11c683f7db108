use std::collections::BTreeSet;
use std::convert::Infallible;

use super::*;
use crate::{Cause, NeverList, Wish};
use base::{Evidence, Maker, Until};
use proptest::prelude::*;

const LIST: ListId = ListId::new(1);
const OTHER: ListId = ListId::new(2);

fn bulk(list: ListId, name: &str) -> Bulk {
    let maker = Maker::Person { name: name.into(), reason: "all".into() };
    Bulk { list, since: Timestamp::EPOCH, until: Until::Never, maker }
}

fn book(networks: &BTreeSet<Network>) -> Book {
    let book = Book::new(NeverList::new(["20.0.0.7".parse().unwrap()], []));
    for list in [LIST, OTHER] {
        book.replace(Timestamp::EPOCH, bulk(list, "old"), networks.iter().copied().map(Ok::<_, Infallible>), None)
            .unwrap();
    }
    book
}

/// Some thousand addresses of few neighbourhoods, and networks around them.
fn networks(seed: u32, count: u32) -> BTreeSet<Network> {
    let network = |n: u32| {
        let mixed = n.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 8;
        let host = 0x1400_0000 | ((mixed % 3) << 20) | (mixed % 6000);
        let (ip, length) = match mixed % 97 {
            0 => (IpAddr::V4(host.into()), 24 + (mixed >> 8) as u8 % 8),
            1 => (IpAddr::V6((0x2001_0db8_u128 << 96 | u128::from(host) << 64).into()), 64),
            2 => (IpAddr::V4(host.into()), 9),
            _ => (IpAddr::V4(host.into()), 32),
        };
        Network::containing(Address::new(ip), length)
    };
    (0..count).map(network).filter(|network| network.base().is_ipv6() || network.length() > 9 || count > 50).collect()
}

fn on(book: &Book, list: ListId) -> BTreeSet<Network> {
    book.snapshot().tree().on_list(list).collect()
}

fn person(subject: Network) -> Wish {
    let maker = Maker::Person { name: "ben".into(), reason: "mine".into() };
    Wish { subject: subject.into(), list: LIST, until: Until::Never, maker, evidence: Evidence::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn an_exchange_is_a_replacement(
        seeds in any::<(u32, u32)>(), counts in (0_u32..9000, 1_u32..9000), meddle_at in 0_usize..9000,
    ) {
        let (old, new) = (networks(seeds.0, counts.0), networks(seeds.0.wrapping_add(seeds.1 % 9000), counts.1));
        let never = NeverList::new(["20.0.0.7".parse().unwrap()], []);
        let may = |network: &&Network| !never.covers_on(&Subject::Network(**network), LIST);
        let (old, new) = (old.iter().filter(may).copied().collect(), new);
        let book = book(&old);
        // Somebody's own listing, and what others do while the list is exchanged.
        let mine: Network = "20.0.0.200".parse().unwrap();
        book.list(Timestamp::EPOCH, person(mine)).unwrap();
        let (off, taken): (Network, Network) = ("20.0.3.3".parse().unwrap(), "20.16.0.9".parse().unwrap());
        let both: Vec<Network> = old.intersection(&new).filter(may).copied().filter(|n| ![off, taken, mine].contains(n)).collect();
        let mut passes = 0;
        let result = book.exchange_beyond(0, Timestamp::EPOCH, bulk(LIST, "new"), || {
            passes += 1;
            let (book, both, old, new, is_second) = (&book, &both, &old, &new, passes == 2);
            Ok::<_, Infallible>(new.iter().enumerate().map(move |(at, network)| {
                if is_second && at == meddle_at {
                    book.unlist(Timestamp::EPOCH, &off.into(), Some(LIST), "ann");
                    assert!(book.list(Timestamp::EPOCH, person(taken)).is_ok());
                    assert!(book.moment().is_none(), "no image of a mixture");
                }
                if is_second && at % 1000 == 0 {
                    let now = on(book, LIST);
                    assert!(both.iter().all(|network| now.contains(network)), "what is on both is on the list");
                    assert!(now.iter().all(|n| *n == mine || *n == taken || old.contains(n) || new.contains(n)));
                    assert_eq!(book.count(LIST), now.len());
                }
                Ok(*network)
            }))
        }, None).unwrap();

        // The same by the other way, with nothing in between.
        let has_meddled = meddle_at < new.len() && passes == 2;
        let wanted: BTreeSet<Network> = new.iter().filter(may).copied().chain([mine]).collect();
        let now = on(&book, LIST);
        let differs: Vec<&Network> = now.symmetric_difference(&wanted).collect();
        let may_differ = |network: &&&Network| has_meddled && (**network == &off || **network == &taken);
        prop_assert!(differs.iter().all(|network| may_differ(&network)), "{:?}", differs);
        prop_assert!(!has_meddled || now.contains(&taken));
        prop_assert_eq!(on(&book, OTHER), old);
        prop_assert_eq!(book.count(LIST), now.len());
        let mut entries = Vec::new();
        book.drain_journal(&mut entries);
        let last = entries.iter().rev().find(|entry| matches!(entry.change, Change::Replaced(_))).unwrap();
        let Change::Replaced(replaced) = &last.change else { unreachable!() };
        if passes == 2 && replaced.steps.is_none() {
            let own: BTreeSet<Network> = if has_meddled { [mine, taken].into() } else { [mine].into() };
            let content: BTreeSet<Network> = replaced.content.networks().collect();
            prop_assert_eq!(content.len(), replaced.content.len());
            prop_assert_eq!(&content, &now.difference(&own).copied().collect());
            prop_assert_eq!((result.serial, result.listed), (last.serial, content.len()));
            prop_assert_eq!(result.never, usize::from(new.iter().any(|network| !may(&network))) * result.never);
        }
    }
}

#[test]
fn a_stream_that_breaks_leaves_a_list_that_is_known() {
    let (old, new) = (networks(1, 9000), networks(5000, 9000));
    let book = book(&old.iter().filter(|n| **n != "20.0.0.7".parse().unwrap()).copied().collect());
    let before = on(&book, LIST);
    let mut passes = 0;
    let broken = |pass: usize| {
        new.iter().enumerate().map(move |(at, n)| if pass == 2 && at == 5000 { Err("broken") } else { Ok(*n) })
    };
    let result = book.exchange_beyond(
        0,
        Timestamp::EPOCH,
        bulk(LIST, "new"),
        || {
            passes += 1;
            Ok(broken(passes))
        },
        None,
    );
    assert_eq!(result, Err(ReplaceError::Torn("broken")));
    let mut entries = Vec::new();
    book.drain_journal(&mut entries);
    let Some(Change::Replaced(replaced)) = entries.last().map(|entry| &entry.change) else { panic!("{entries:?}") };
    assert_eq!(replaced.bulk, Some(bulk(LIST, "old")));
    assert_eq!(
        replaced.content.networks().collect::<BTreeSet<_>>(),
        on(&book, LIST),
        "the store knows what is in force"
    );
    assert_eq!(book.count(LIST), replaced.content.len());

    // What breaks at first, is out of order, or differs too much, changes nothing.
    let now = on(&book, LIST);
    assert_ne!(now, before);
    let first = book.exchange_beyond(0, Timestamp::EPOCH, bulk(LIST, "new"), || Ok(broken(2)), None);
    assert_eq!(first, Err(ReplaceError::Input("broken")));
    let few = || Ok::<_, &str>(new.iter().take(9).map(|n| Ok(*n)));
    let changed = book.exchange_beyond(0, Timestamp::EPOCH, bulk(LIST, "new"), few, Some(50));
    assert!(matches!(changed, Err(ReplaceError::Changed { after: ..10, .. })), "{changed:?}");
    assert_eq!(on(&book, LIST), now);
    entries.clear();
    book.drain_journal(&mut entries);
    assert!(entries.is_empty(), "{entries:?}");
    let unlisted = book.unlist(Timestamp::EPOCH, &(*now.first().unwrap()).into(), Some(LIST), "ann");
    assert_eq!(unlisted.len(), 1);
    book.drain_journal(&mut entries);
    assert!(matches!(&entries[0].change, Change::Unlisted { cause: Cause::Removed { .. }, .. }));
}
