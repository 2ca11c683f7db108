//! The mirror against the book that it mirrors, and what is written against a reader that follows rspamd's rules.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeSet;

use base::{Evidence, Maker, RuleId, Timestamp, Until};
use listings::{Book, NeverList, Wish};
use proptest::prelude::*;

use super::super::format::Format;
use super::*;

const LISTS: usize = 3;

fn words() -> Words {
    Words { lists: vec!["blocked".into(), "auth".into(), "spam".into()], rules: vec!["guesses".into()] }
}

fn wish(subject: Subject, list: usize, seconds: u64, maker: Maker) -> Wish {
    let until = Until::At(Timestamp::from_secs(seconds));
    Wish { subject, list: ListId::new(list), until, maker, evidence: Evidence::default() }
}

/// What one does to a book.
#[derive(Clone, Debug)]
enum Step {
    List { subject: String, list: usize, for_seconds: u64, by_person: bool },
    Unlist { subject: String, list: Option<usize> },
    Wait(u64),
}

fn subjects() -> impl Strategy<Value = String> {
    let few = |texts: &'static [&'static str]| prop::sample::select(texts).prop_map(str::to_owned);
    few(&[
        "192.0.2.1",
        "192.0.2.10",
        "192.0.2.100",
        "192.0.2.0/24",
        "192.0.2.128/25",
        "203.0.0.0/8",
        "2001:db8::/64",
        "2001:db8:1:2::/64",
        "2001:db8::1",
        "login:alice",
    ])
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let list = (subjects(), 0..LISTS, 1..50_u64, any::<bool>())
        .prop_map(|(subject, list, for_seconds, by_person)| Step::List { subject, list, for_seconds, by_person });
    let unlist = (subjects(), prop::option::of(0..LISTS)).prop_map(|(subject, list)| Step::Unlist { subject, list });
    prop::collection::vec(prop_oneof![4 => list, 2 => unlist, 1 => (1..30_u64).prop_map(Step::Wait)], 1..60)
}

/// rspamd's way with a line of an ip map, as its reader was seen to take it: blanks are trimmed, `#` begins a comment, a
/// value may follow the first blank, and a mask that is no number is 0.
fn as_rspamd_reads(text: &str) -> BTreeSet<(IpAddr, u8)> {
    assert!(text.is_empty() || text.ends_with('\n'), "a last line without an end may be half of one");
    let keys = text.lines().filter_map(|line| line.split('#').next()?.split_whitespace().next());
    let read = |key: &str| {
        let (address, mask) = key.split_once('/').map_or((key, None), |(address, mask)| (address, Some(mask)));
        let address: IpAddr = address.parse().expect("rspamd would skip the line");
        let whole = if address.is_ipv4() { 32 } else { 128 };
        (address, mask.map_or(whole, |mask| mask.parse().unwrap_or(0)))
    };
    keys.map(read).collect()
}

/// What the book says is on the lists, looked at one by one.
fn in_force(book: &Book, lists: ListSet) -> BTreeSet<(IpAddr, u8)> {
    let all = lists.iter().flat_map(|list| book.all(Some(list), usize::MAX));
    let networks = all.filter_map(|listing| match listing.subject {
        Subject::Network(network) => Some((network.base(), network.length())),
        Subject::Login(_) => None,
    });
    networks.collect()
}

proptest! {
    /// Whatever happens to the book, the map says what is on its lists: nothing more, nothing less, nothing wider; whether
    /// it followed from the beginning or was told in between.
    #[test]
    fn a_map_says_what_the_book_says(steps in steps(), bits in 1..8_u32, told_at in 0..60_usize) {
        let lists = ListSet::from_bits(bits);
        let book = Book::seeded(NeverList::new([], []), 7);
        let mut mirror = Mirror::new(lists);
        let mut now = Timestamp::from_secs(1000);
        let mut entries = Vec::new();
        for (at, step) in steps.iter().enumerate() {
            match step {
                Step::List { subject, list, for_seconds, by_person } => {
                    let maker = if *by_person {
                        Maker::Person { name: "eve".into(), reason: "\n0.0.0.0/0 #".into() }
                    } else {
                        Maker::Rule(RuleId(0))
                    };
                    let wish = wish(subject.parse().unwrap(), *list, now.as_secs() + for_seconds, maker);
                    // Whether the book takes it is the book's affair.
                    let _: Result<u64, _> = book.list(now, wish);
                }
                Step::Unlist { subject, list } => {
                    book.unlist(now, &subject.parse().unwrap(), list.map(ListId::new), "eve");
                }
                Step::Wait(seconds) => {
                    now = now.plus(Duration::from_secs(*seconds));
                    book.expire(now);
                }
            }
            entries.clear();
            book.drain_journal(&mut entries);
            if at == told_at {
                mirror.reconcile(lists.iter().flat_map(|list| book.all(Some(list), usize::MAX)));
            } else {
                prop_assert!(entries.iter().all(|entry| mirror.note(entry)));
            }
            let style = Style { format: Format::Rspamd, answer: String::new() };
            let (text, left_out) = mirror.render(&style, &words());
            prop_assert_eq!(left_out, 0);
            prop_assert_eq!(as_rspamd_reads(&text), in_force(&book, lists));
        }
    }
}

#[test]
fn what_has_no_room_is_counted_and_comes_in_when_told_anew() {
    let book = Book::seeded(NeverList::new([], []), 7);
    let now = Timestamp::from_secs(1);
    let lists = ListSet::EMPTY.with(ListId::BLOCKED);
    let mut mirror = Mirror::with_limit(lists, 2);
    for host in 1..=4 {
        let subject = format!("192.0.2.{host}").parse().unwrap();
        book.list(now, wish(subject, 0, 60 + host, Maker::Rule(RuleId(0)))).unwrap();
    }
    let mut entries = Vec::new();
    book.drain_journal(&mut entries);
    assert!(entries.iter().all(|entry| mirror.note(entry)));
    let style = Style { format: Format::Plain, answer: String::new() };
    assert_eq!(mirror.render(&style, &words()), ("192.0.2.1\n192.0.2.2\n".to_owned(), 2));

    book.unlist(now, &"192.0.2.1".parse().unwrap(), None, "eve");
    entries.clear();
    book.drain_journal(&mut entries);
    assert!(!mirror.note(&entries[0]), "there is room now, and it does not know for whom");
    mirror.reconcile(book.all(Some(ListId::BLOCKED), 3));
    assert_eq!(mirror.render(&style, &words()), ("192.0.2.2\n192.0.2.3\n".to_owned(), 1));
}
