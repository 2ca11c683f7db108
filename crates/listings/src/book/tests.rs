use std::collections::BTreeMap;

use super::*;
use crate::journal::{BY_NEVER_LIST, Cause, Change};
use crate::{Block, NeverList};
use base::{ListSet, Login, RuleId};
use proptest::prelude::*;

const BLOCKED: ListId = ListId::BLOCKED;
const AUTH: ListId = ListId::new(3);

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn subject(text: &str) -> Subject {
    text.parse().unwrap()
}

fn rule() -> Maker {
    Maker::Rule(RuleId(5))
}

fn person() -> Maker {
    Maker::Person { name: "ann".into(), reason: "asked".into() }
}

fn wish(text: &str, list: ListId, until: Until, maker: Maker) -> Wish {
    let evidence = Evidence { count: 5, distinct: 2, first: at(1), last: at(2) };
    Wish { subject: subject(text), list, until, maker, evidence }
}

fn listing(text: &str, list: ListId, until: Until, maker: Maker) -> Listing {
    let Wish { subject, list, until, maker, evidence } = wish(text, list, until, maker);
    Listing { subject, list, since: at(1), until, maker, evidence }
}

/// A book with a limit of 8 and 192.0.2.0/24 and `postmaster` on its never-list.
fn book() -> Book {
    let never = NeverList::new(["192.0.2.0/24".parse().unwrap()], Login::new("postmaster"));
    Book::with_limit(never, 1, 8)
}

/// The journal as `number +subject/list` and `number -subject/list cause`.
fn journal(book: &Book) -> Vec<String> {
    let mut entries = Vec::new();
    book.drain_journal(&mut entries);
    let text = |entry: Entry| match entry.change {
        Change::Listed(listing) => format!("{} +{}/{}", entry.serial, listing.subject, listing.list.index()),
        Change::Unlisted { listing, cause } => {
            let cause = match cause {
                Cause::Expired => "expired".to_owned(),
                Cause::Removed { by } => format!("by {by}"),
                Cause::Replaced => "replaced".to_owned(),
            };
            format!("{} -{}/{} {cause}", entry.serial, listing.subject, listing.list.index())
        }
        Change::Replaced(replaced) => format!("{} ={}/{}", entry.serial, replaced.content.len(), replaced.list.index()),
    };
    entries.into_iter().map(text).collect()
}

#[test]
fn wishes_are_fulfilled_or_refused() {
    let until = Until::At(at(20));
    let cases = [
        ("198.51.100.8", until, rule(), Ok(3)),
        ("198.51.100.8", Until::Never, rule(), Err(Refusal::EndlessByRule)),
        ("198.51.100.8", Until::Never, person(), Ok(3)),
        ("198.51.100.8", Until::At(at(10)), rule(), Err(Refusal::OverBeforeItBegan)),
        ("198.51.100.8", Until::At(at(9)), person(), Err(Refusal::OverBeforeItBegan)),
        // Listed by a rule until 30, and by a person until 30.
        ("198.51.100.1", until, rule(), Err(Refusal::AlreadyListed(Until::At(at(30))))),
        ("198.51.100.1", Until::At(at(40)), rule(), Err(Refusal::AlreadyListed(Until::At(at(30))))),
        ("198.51.100.2", Until::At(at(40)), rule(), Err(Refusal::AlreadyListed(Until::At(at(30))))),
        ("198.51.100.1", until, person(), Ok(4)),
        ("198.51.100.2", until, person(), Ok(4)),
        ("198.51.100.0/24", until, rule(), Ok(3)),
        ("192.0.2.1", until, person(), Err(Refusal::NeverListed)),
        ("192.0.0.0/16", until, rule(), Err(Refusal::NeverListed)),
        ("127.0.0.2", until, person(), Err(Refusal::NeverListed)),
        ("::ffff:127.0.0.2", until, person(), Err(Refusal::NeverListed)),
        ("login:postmaster", until, person(), Err(Refusal::NeverListed)),
        ("login:Alice", until, rule(), Ok(3)),
    ];
    for (text, until, maker, wanted) in cases {
        let book = book();
        book.list(at(5), wish("198.51.100.1", AUTH, Until::At(at(30)), rule())).unwrap();
        book.list(at(5), wish("198.51.100.2", AUTH, Until::At(at(30)), person())).unwrap();
        assert_eq!(book.list(at(10), wish(text, AUTH, until, maker)), wanted, "{text} {until:?}");
        assert_eq!(book.serial(), wanted.unwrap_or(2));
        assert_eq!(book.snapshot().serial(), book.serial());
    }
}

#[test]
fn a_rule_may_block_without_end_and_make_a_block_endless() {
    let book = book();
    let endless = |text: &str| wish(text, BLOCKED, Until::Never, rule());
    assert_eq!(book.list(at(5), endless("198.51.100.1")), Ok(1));
    book.list(at(5), wish("198.51.100.2", BLOCKED, Until::At(at(30)), rule())).unwrap();
    assert_eq!(book.list(at(6), endless("198.51.100.2")), Err(Refusal::AlreadyListed(Until::At(at(30)))));
    assert_eq!(book.renew(at(6), endless("198.51.100.2")), Ok(4));
    assert_eq!(book.renew(at(7), endless("198.51.100.2")), Err(Refusal::AlreadyListed(Until::Never)));
    let auth = Wish { list: AUTH, ..endless("198.51.100.1") };
    assert_eq!(book.renew(at(7), auth), Err(Refusal::EndlessByRule));
    assert_eq!(book.expire(at(1_000_000)), 0);
    // It is in force again after a restart.
    let listings = book.all(None, 10);
    book.restore(at(2_000_000), 4, listings);
    assert_eq!((book.counters().listings, book.serial()), (2, 4));
}

#[test]
fn what_is_over_stands_in_nobodys_way() {
    let book = book();
    book.list(at(5), wish("198.51.100.1", AUTH, Until::At(at(10)), rule())).unwrap();
    assert_eq!(book.list(at(10), wish("198.51.100.1", AUTH, Until::At(at(20)), rule())), Ok(3));
    assert_eq!(journal(&book), ["1 +198.51.100.1/3", "2 -198.51.100.1/3 expired", "3 +198.51.100.1/3"]);
    assert_eq!(book.about(&subject("198.51.100.1"))[0].since, at(10));
}

#[test]
fn a_full_book_keeps_what_it_has() {
    let book = book();
    for n in 0..8 {
        book.list(at(1), wish(&format!("198.51.100.{n}"), AUTH, Until::At(at(9)), rule())).unwrap();
    }
    let more = |text| book.list(at(2), wish(text, AUTH, Until::At(at(9)), person()));
    assert_eq!(more("198.51.100.8"), Err(Refusal::Full));
    assert_eq!(more("198.51.100.7"), Ok(10));
    let counters = Counters { listings: 8, waiting: 10, refused_never: 0, refused_full: 1, refused_canaries: 0 };
    assert_eq!(book.counters(), counters);
    assert_eq!(book.expire(at(9)), 8);
    assert!(more("198.51.100.8").is_ok());
}

#[test]
fn the_journal_tells_every_change_in_order() {
    let book = book();
    let results = book.list_many(
        at(1),
        [
            wish("198.51.100.9", AUTH, Until::At(at(7)), rule()),
            wish("198.51.100.9", BLOCKED, Until::At(at(5)), rule()),
            wish("127.0.0.1", AUTH, Until::At(at(5)), rule()),
            wish("login:bob", BLOCKED, Until::At(at(5)), rule()),
            wish("198.51.100.1", BLOCKED, Until::Never, person()),
        ],
    );
    assert_eq!(results, [Ok(1), Ok(2), Err(Refusal::NeverListed), Ok(3), Ok(4)]);
    assert_eq!(book.list(at(2), wish("198.51.100.1", BLOCKED, Until::At(at(9)), person())), Ok(6));
    assert_eq!(book.next_deadline(), Some(at(5)));
    assert_eq!(book.expire(Timestamp::from_millis(4_999)), 0);
    assert_eq!(book.expire(at(5)), 2);
    assert_eq!(book.unlist(at(6), &subject("198.51.100.9"), Some(BLOCKED), "ann"), []);
    assert_eq!(book.unlist(at(6), &subject("198.51.100.9"), None, "ann").len(), 1);
    assert_eq!(book.unlist(at(6), &subject("198.51.100.0/24"), None, "ann"), []);
    let wanted = [
        "1 +198.51.100.9/3",
        "2 +198.51.100.9/0",
        "3 +login:bob/0",
        "4 +198.51.100.1/0",
        "5 -198.51.100.1/0 replaced",
        "6 +198.51.100.1/0",
        "7 -198.51.100.9/0 expired",
        "8 -login:bob/0 expired",
        "9 -198.51.100.9/3 by ann",
    ];
    assert_eq!(journal(&book), wanted);
    assert_eq!(journal(&book), [""; 0]);
}

#[test]
fn restore_takes_only_what_may_be_in_force() {
    let book = book();
    let listings = [
        listing("198.51.100.1", BLOCKED, Until::At(at(20)), rule()),
        listing("198.51.100.1", AUTH, Until::At(at(20)), rule()),
        listing("198.51.100.2", AUTH, Until::At(at(10)), rule()),
        listing("192.0.2.77", AUTH, Until::Never, person()),
        listing("198.51.100.3", AUTH, Until::Never, rule()),
        listing("login:bob", BLOCKED, Until::Never, person()),
        listing("198.51.100.1", BLOCKED, Until::At(at(30)), person()),
    ];
    book.restore(at(10), 41, listings);
    let wanted = [
        "42 -198.51.100.2/3 expired".to_owned(),
        format!("43 -192.0.2.77/3 by {BY_NEVER_LIST}"),
        "44 -198.51.100.3/3 expired".to_owned(),
    ];
    assert_eq!(journal(&book), wanted);
    assert_eq!((book.serial(), book.count(BLOCKED), book.count(AUTH)), (44, 2, 1));
    let snapshot = book.snapshot();
    assert_eq!(snapshot.serial(), 44);
    assert_eq!(snapshot.block_of_address("198.51.100.1".parse().unwrap()).unwrap().until, Until::At(at(30)));
    assert_eq!(snapshot.block_of_login("bob"), Some(Block { until: Until::Never, rule: None }));
    assert_eq!(book.expire(at(30)), 2);
    assert_eq!(book.all(None, 9).len(), 1);
}

#[test]
fn a_restored_book_is_filled_to_its_limit() {
    let book = book();
    let listings = (0..9).map(|n| listing(&format!("198.51.100.{n}"), AUTH, Until::At(at(20)), rule()));
    book.restore(at(10), 9, listings);
    assert_eq!((book.counters().listings, book.counters().refused_full, book.serial()), (8, 1, 9));
    // A second time: all is as that call says, and readers see it though the number is the same.
    book.restore(at(10), 9, []);
    assert_eq!((book.counters().listings, book.next_deadline()), (0, None));
    assert!(book.snapshot().lists_of("198.51.100.1".parse().unwrap()).is_empty());
}

#[test]
fn people_see_what_is_around_a_subject() {
    let book = book();
    for (text, list, end) in [
        ("198.51.100.7", BLOCKED, 30),
        ("198.51.100.7", AUTH, 20),
        ("198.51.0.0/16", AUTH, 50),
        ("198.51.100.0/24", AUTH, 40),
        ("2001:db8:1:2::/64", BLOCKED, 60),
        ("login:bob", BLOCKED, 10),
    ] {
        book.list(at(1), wish(text, list, Until::At(at(end)), rule())).unwrap();
    }
    book.list(at(1), wish("2001:db8:1:2::7", AUTH, Until::Never, person())).unwrap();
    let text = |listings: Vec<Listing>| -> Vec<String> {
        listings.iter().map(|listing| format!("{}/{}", listing.subject, listing.list.index())).collect()
    };
    let about = |name| text(book.about(&subject(name)));
    assert_eq!(about("198.51.100.7"), ["198.51.100.7/0", "198.51.100.7/3", "198.51.100.0/24/3", "198.51.0.0/16/3"]);
    assert_eq!(about("198.51.0.0/16"), ["198.51.0.0/16/3"]);
    assert_eq!(about("2001:db8:1:2::7"), ["2001:db8:1:2::7/3", "2001:db8:1:2::/64/0"]);
    assert_eq!(about("bob"), ["login:bob/0"]);
    assert_eq!(text(book.all(Some(BLOCKED), 9)), ["login:bob/0", "198.51.100.7/0", "2001:db8:1:2::/64/0"]);
    assert_eq!(text(book.all(None, 2)), ["login:bob/0", "198.51.100.7/3"]);
    assert_eq!(text(book.all(Some(AUTH), 9)).last().unwrap(), "2001:db8:1:2::7/3");
    let whole = &book.about(&subject("bob"))[0];
    let wanted = Listing { since: at(1), ..listing("login:bob", BLOCKED, Until::At(at(10)), rule()) };
    assert_eq!(*whole, wanted);
}

#[test]
fn the_narrowest_block_answers() {
    let book = book();
    for (text, list, end) in [
        ("198.51.100.7", BLOCKED, 10),
        ("198.51.100.0/24", BLOCKED, 20),
        ("198.51.100.8", AUTH, 30),
        ("2001:db8:1:2::/64", BLOCKED, 40),
        ("2001:db8::/32", BLOCKED, 50),
        ("2001:db8:1:3::1", BLOCKED, 60),
    ] {
        book.list(at(1), wish(text, list, Until::At(at(end)), rule())).unwrap();
    }
    let cases = [
        ("198.51.100.7", Some(10)),
        ("198.51.100.8", Some(20)),
        ("::ffff:198.51.100.7", Some(10)),
        ("198.51.101.7", None),
        ("2001:db8:1:2:3::4", Some(40)),
        ("2001:db8:1:3::1", Some(60)),
        ("2001:db8:1:3::2", Some(50)),
        ("2001:db9::", None),
    ];
    for (address, end) in cases {
        let wanted = end.map(|end| Block { until: Until::At(at(end)), rule: Some(RuleId(5)) });
        assert_eq!(book.snapshot().block_of_address(address.parse().unwrap()), wanted, "{address}");
    }
}

#[test]
fn a_reader_sees_each_change_and_keeps_what_it_holds() {
    let book = book();
    let mut reader = book.reader();
    let address: Address = "198.51.100.7".parse().unwrap();
    assert!(reader.snapshot().lists_of(address).is_empty());
    book.list(at(1), wish("198.51.100.7", AUTH, Until::At(at(9)), rule())).unwrap();
    let held = book.snapshot();
    assert!(reader.snapshot().lists_of(address).contains(AUTH));
    book.unlist(at(2), &subject("198.51.100.7"), None, "ann");
    assert!(reader.snapshot().lists_of(address).is_empty());
    assert!(held.lists_of(address).contains(AUTH));
}

#[test]
fn a_snapshot_that_a_reader_holds_is_freed_by_a_writer() {
    let book = book();
    let held: Vec<_> = (0..3)
        .map(|n| {
            book.list(at(1), wish(&format!("198.51.100.{n}"), AUTH, Until::At(at(9)), rule())).unwrap();
            Arc::clone(&book.snapshot())
        })
        .collect();
    // The book has the same three: one is the current one, two are kept back.
    assert!(held.iter().all(|snapshot| Arc::strong_count(snapshot) == 2));
}

/// What a book must do, in the simplest words.
#[derive(Clone, Default)]
struct Model {
    listings: BTreeMap<(Subject, ListId), Listing>,
    serial: u64,
}

impl Model {
    fn list(&mut self, never: &NeverList, now: Timestamp, wish: Wish) -> Result<u64, Refusal> {
        let is_rule = matches!(wish.maker, Maker::Rule(_));
        let key = (wish.subject.clone(), wish.list);
        if never.covers_on(&wish.subject, wish.list) {
            return Err(Refusal::NeverListed);
        }
        if is_rule && wish.until == Until::Never && wish.list != BLOCKED {
            return Err(Refusal::EndlessByRule);
        }
        if wish.until.is_over(now) {
            return Err(Refusal::OverBeforeItBegan);
        }
        if let Some(old) = self.listings.get(&key) {
            if is_rule && !old.until.is_over(now) {
                return Err(Refusal::AlreadyListed(old.until));
            }
            self.serial += 1;
        }
        let Wish { subject, list, until, maker, evidence } = wish;
        self.listings.insert(key, Listing { subject, list, since: now, until, maker, evidence });
        self.serial += 1;
        Ok(self.serial)
    }

    fn take(&mut self, gone: impl Fn(&Listing) -> bool) -> Vec<Listing> {
        let taken: Vec<Listing> = self.listings.values().filter(|listing| gone(listing)).cloned().collect();
        self.listings.retain(|_, listing| !gone(listing));
        self.serial += taken.len() as u64;
        taken
    }

    fn union(&self, wanted: impl Fn(Network) -> bool) -> ListSet {
        let listings = self.listings.values();
        listings.filter(|one| matches!(one.subject, Subject::Network(n) if wanted(n))).map(|one| one.list).collect()
    }

    fn compare(&self, snapshot: &Snapshot, subjects: &[Subject]) {
        assert_eq!(snapshot.serial(), self.serial);
        let block_of = |subject: Subject| {
            self.listings.get(&(subject, BLOCKED)).map(|listing| {
                let rule = if let Maker::Rule(rule) = listing.maker { Some(rule) } else { None };
                Block { until: listing.until, rule }
            })
        };
        for subject in subjects {
            match subject {
                Subject::Login(login) => {
                    assert_eq!(snapshot.block_of_login(login.as_str()), block_of(subject.clone()), "{subject}");
                }
                Subject::Network(network) => {
                    let address = Address::new(network.base());
                    assert_eq!(snapshot.lists_of(address), self.union(|n| n.contains(address)), "{subject}");
                    assert_eq!(snapshot.lists_below(*network), self.union(|n| n.overlaps(*network)), "{subject}");
                    let blocks = self.listings.keys().filter(|(_, list)| *list == BLOCKED);
                    let around = blocks.filter_map(|(subject, _)| match subject {
                        Subject::Network(n) if n.contains(address) => Some(*n),
                        Subject::Network(_) | Subject::Login(_) => None,
                    });
                    let narrowest = around.max_by_key(|n| n.length()).and_then(|n| block_of(n.into()));
                    assert_eq!(snapshot.block_of_address(address), narrowest, "{subject}");
                }
            }
        }
    }
}

const SUBJECTS: [&str; 18] = [
    "198.51.100.7",
    "198.51.100.8",
    "198.51.100.0/29",
    "198.51.100.0/24",
    "198.51.0.0/16",
    "198.0.0.0/7",
    "203.0.113.255",
    "203.0.113.128/25",
    "192.0.2.1",
    "192.0.0.0/15",
    "127.0.0.2",
    "2001:db8::1",
    "2001:db8::/64",
    "2001:db8::/61",
    "2001:db8::/32",
    "::1",
    "login:alice",
    "login:postmaster",
];

#[derive(Clone, Debug)]
enum Step {
    List { subject: usize, list: usize, span: Option<u64>, by_rule: bool },
    Unlist { subject: usize, list: Option<usize> },
    Pass { secs: u64 },
    Restore,
}

fn step() -> impl Strategy<Value = Step> {
    let listed = (0..SUBJECTS.len(), 0_usize..3, prop::option::weighted(0.9, 0_u64..20), any::<bool>());
    let unlisted = (0..SUBJECTS.len(), prop::option::of(0_usize..3));
    prop_oneof![
        12 => listed.prop_map(|(subject, list, span, by_rule)| Step::List { subject, list, span, by_rule }),
        3 => unlisted.prop_map(|(subject, list)| Step::Unlist { subject, list }),
        4 => (0_u64..6).prop_map(|secs| Step::Pass { secs }),
        1 => Just(Step::Restore),
    ]
}

/// Replays the journal into what it says is in force.
fn replay(entries: &[Entry], from: u64) -> BTreeMap<(Subject, ListId), Listing> {
    let mut listings = BTreeMap::new();
    for (serial, entry) in (from + 1..).zip(entries) {
        assert_eq!(entry.serial, serial);
        match entry.change.clone() {
            Change::Listed(listing) => {
                let old = listings.insert((listing.subject.clone(), listing.list), listing);
                assert_eq!(old, None, "what is replaced is taken out first");
            }
            Change::Unlisted { listing, .. } => {
                let old = listings.remove(&(listing.subject.clone(), listing.list));
                assert_eq!(old, Some(listing), "what goes out is as it came in");
            }
            Change::Replaced(replaced) => panic!("{replaced:?}"),
        }
    }
    listings
}

proptest! {
    #[test]
    fn equals_the_model(steps in prop::collection::vec(step(), 1..120)) {
        let never = NeverList::new(["192.0.2.0/24".parse().unwrap()], Login::new("postmaster"));
        let book = Book::seeded(never, 3);
        let subjects: Vec<Subject> = SUBJECTS.iter().map(|text| subject(text)).collect();
        let (mut model, mut now, mut old, mut entries) = (Model::default(), at(100), None, Vec::new());
        for (count, step) in steps.into_iter().enumerate() {
            match step {
                Step::List { subject, list, span, by_rule } => {
                    let until = span.map_or(Until::Never, |secs| Until::At(at(now.as_secs() + secs)));
                    let maker = if by_rule { rule() } else { person() };
                    let wish = wish(SUBJECTS[subject], ListId::new(list), until, maker);
                    prop_assert_eq!(book.list(now, wish.clone()), model.list(&book.never_list(), now, wish));
                }
                Step::Unlist { subject, list } => {
                    let (subject, list) = (&subjects[subject], list.map(ListId::new));
                    let wanted = model.take(|one| one.subject == *subject && list.is_none_or(|list| list == one.list));
                    prop_assert_eq!(book.unlist(now, subject, list, "ann"), wanted);
                }
                Step::Pass { secs } => {
                    now = at(now.as_secs() + secs);
                    let wanted = model.take(|one| one.until.is_over(now));
                    prop_assert_eq!(book.expire(now), wanted.len());
                }
                Step::Restore => {
                    book.restore(now, model.serial, model.listings.values().cloned());
                    model.take(|one| one.until.is_over(now));
                }
            }
            model.compare(&book.snapshot(), &subjects);
            let ends = model.listings.values().filter_map(|one| one.until.moment());
            prop_assert_eq!(book.next_deadline(), ends.min());
            if count == 40 {
                old = Some((Arc::clone(&book.snapshot()), model.clone()));
            }
        }
        if let Some((snapshot, model)) = old {
            model.compare(&snapshot, &subjects);
        }
        book.drain_journal(&mut entries);
        prop_assert_eq!(&replay(&entries, 0), &model.listings);
        for list in (0..3).map(ListId::new) {
            prop_assert_eq!(book.count(list), model.listings.keys().filter(|key| key.1 == list).count());
        }
    }

    /// By no road: whatever is wished, restored or listed around it, the never-listed is on no list.
    #[test]
    fn the_never_listed_is_never_listed(own in near(), wished in prop::collection::vec(near(), 1..20)) {
        let book = Book::seeded(NeverList::new([own], Login::new("root")), 3);
        let of = |network: &Network| Listing {
            subject: (*network).into(), ..listing("login:root", BLOCKED, Until::Never, person())
        };
        for (count, network) in wished.iter().enumerate() {
            let Listing { subject, list, until, maker, evidence, .. } = of(network);
            match count % 3 {
                0 => drop(book.list(at(1), Wish { subject, list, until, maker, evidence })),
                1 => drop(book.list_many(at(1), [Wish { subject, list, until, maker, evidence }])),
                _ => book.restore(at(1), book.serial(), book.all(None, 99).into_iter().chain([of(network)])),
            }
        }
        book.restore(at(1), 7, wished.iter().map(of).chain([listing("login:root", BLOCKED, Until::Never, person())]));
        let snapshot = book.snapshot();
        prop_assert!(snapshot.lists_below(own).is_empty());
        prop_assert!(snapshot.block_of_address(Address::new(own.base())).is_none());
        prop_assert!(snapshot.block_of_login("root").is_none());
        prop_assert!(snapshot.lists_below("127.0.0.0/8".parse().unwrap()).is_empty());
    }
}

/// Networks and addresses that often overlap.
fn near() -> impl Strategy<Value = Network> {
    (
        prop::sample::select(vec!["198.51.100.7", "203.0.113.255", "2001:db8::7", "127.0.0.1", "::1"]),
        0_u8..=128,
        0_u128..8,
    )
        .prop_map(|(base, length, low)| {
            let address = Address::from_bits(base.parse::<Address>().unwrap().bits() ^ low);
            Network::containing(address, if address.ip().is_ipv4() { length / 4 + 1 } else { length })
        })
}
