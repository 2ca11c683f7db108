//! Stores and random records for the tests.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{
    Address, Channel, EventKind, Evidence, ListId, Listing, Login, Maker, Network, PasswordTag, RuleId, Subject, Tally,
    Timestamp, Until,
};
use proptest::option;
use proptest::prelude::*;
use store::{Batch, KeptEvent, Limits, Names, Position, Restored, Store};

use listings::Entry;
use rules::Owner;

/// Long enough for any healthy store on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The book's journal as the store sees it.
pub(crate) type Outbox = Arc<Mutex<Vec<Entry>>>;

pub(crate) fn names() -> Names {
    Names { lists: vec!["blocked".into(), "auth".into()], rules: vec!["guesses".into(), "attacked".into()] }
}

/// The usual limits, but nothing is too old: the tests' moments begin in 1970.
pub(crate) fn limits() -> Limits {
    Limits { events_kept: Duration::MAX, owners_kept: Duration::MAX, ..Limits::default() }
}

pub(crate) fn open(directory: &Path) -> (Store, Restored, Outbox) {
    open_with(directory, names(), limits())
}

pub(crate) fn open_with(directory: &Path, names: Names, limits: Limits) -> (Store, Restored, Outbox) {
    let (opened, restored) = Store::open(directory, names, Timestamp::EPOCH, limits).unwrap();
    let outbox = Outbox::default();
    let journal = Arc::clone(&outbox);
    let store = opened.start(move |into| into.append(&mut journal.lock().unwrap())).unwrap();
    (store, restored, outbox)
}

/// A wrong password at a moment.
pub(crate) fn event(time_ms: u64, address: &str, login: &str) -> KeptEvent {
    KeptEvent {
        time: Timestamp::from_millis(time_ms),
        kind: EventKind::LoginFailed,
        service: "imap".into(),
        address: Some(address.parse().unwrap()),
        login: Login::new(login),
        session: Some("u7YDUoZEAADLAHEJ".into()),
        password: Some(PasswordTag(0xabc)),
        channel: Channel::Front,
        tally: Tally::One,
        reporter: None,
        exceeded: None,
    }
}

pub(crate) fn events(count: usize) -> Batch {
    Batch { events: vec![event(1, "192.0.2.1", "alice"); count], ..Batch::default() }
}

pub(crate) fn position(path: &str, lines: u64, events: u64) -> Position {
    Position { path: path.into(), device: 1, inode: 2, offset: lines * 100, fingerprint: 3, lines, events }
}

pub(crate) fn listing(subject: &str, list: usize) -> Listing {
    Listing {
        subject: subject.parse().unwrap(),
        list: ListId::new(list),
        since: Timestamp::from_secs(1),
        until: Until::At(Timestamp::from_secs(2)),
        maker: Maker::Rule(RuleId(0)),
        evidence: Evidence::default(),
    }
}

/// Moments that fit the file: those beyond are cut to the largest.
fn moments() -> impl Strategy<Value = Timestamp> {
    prop_oneof![0u64..10, 1_795_000_000_000u64..1_796_000_000_000, Just(i64::MAX as u64)]
        .prop_map(Timestamp::from_millis)
}

/// Text as an attacker would send it.
fn texts() -> impl Strategy<Value = Box<str>> {
    prop_oneof!["[a-z]{0,8}", "\\PC{0,8}", "['\"%;\\x00\\n\u{1F400}]{0,8}"].prop_map(String::into_boxed_str)
}

fn logins() -> impl Strategy<Value = Login> {
    prop_oneof!["[a-c]@example\\.org", "\\PC{1,12}"].prop_filter_map("no login", |text| {
        // Only texts whose canonical form is canonical again: what the file holds is read as any other login.
        Login::new(&text).filter(|login| Login::new(login.as_str()).as_ref() == Some(login))
    })
}

pub(crate) fn addresses() -> impl Strategy<Value = Address> {
    prop_oneof![
        (0u8..3).prop_map(|host| Address::new(Ipv4Addr::new(192, 0, 2, host).into())),
        any::<u32>().prop_map(|bits| Address::new(Ipv4Addr::from_bits(bits).into())),
        any::<u128>().prop_map(|bits| Address::new(Ipv6Addr::from_bits(bits).into())),
    ]
}

fn networks() -> impl Strategy<Value = Network> {
    (addresses(), prop_oneof![Just(24u8), Just(64), Just(128), any::<u8>()])
        .prop_map(|(address, length)| Network::containing(address, length))
}

fn subjects() -> impl Strategy<Value = Subject> {
    prop_oneof![logins().prop_map(Subject::Login), networks().prop_map(Subject::Network)]
}

pub(crate) fn listings() -> impl Strategy<Value = Listing> {
    let maker = prop_oneof![
        (0u16..2).prop_map(|rule| Maker::Rule(RuleId(rule))),
        (texts(), texts()).prop_map(|(name, reason)| Maker::Person { name, reason }),
    ];
    let until = prop_oneof![Just(Until::Never), moments().prop_map(Until::At)];
    let evidence = (any::<u32>(), any::<u32>(), moments(), moments())
        .prop_map(|(count, distinct, first, last)| Evidence { count, distinct, first, last });
    (subjects(), 0usize..2, moments(), until, maker, evidence).prop_map(
        |(subject, list, since, until, maker, evidence)| Listing {
            subject,
            list: ListId::new(list),
            since,
            until,
            maker,
            evidence,
        },
    )
}

pub(crate) fn kept_events() -> impl Strategy<Value = KeptEvent> {
    let tally = prop_oneof![Just(Tally::One), Just(Tally::Refused), any::<u16>().prop_map(Tally::Total)];
    let channel = prop::sample::select(vec![Channel::Gate, Channel::Front, Channel::Auth]);
    let about = (option::of(addresses()), option::of(logins()), option::of(texts()));
    let kind = prop::sample::select(EventKind::ALL.to_vec());
    let others = (option::of((texts(), any::<u8>())), option::of((texts(), option::of(texts()))));
    (moments(), kind, texts(), about, option::of(any::<u32>().prop_map(PasswordTag)), channel, tally, others).prop_map(
        |(time, kind, service, (address, login, session), password, channel, tally, (reporter, exceeded))| KeptEvent {
            time,
            kind,
            service,
            address,
            login,
            session,
            password,
            channel,
            tally,
            reporter,
            exceeded,
        },
    )
}

pub(crate) fn owners() -> impl Strategy<Value = Owner> {
    (logins(), networks(), moments(), option::of((0u32..3).prop_map(PasswordTag)))
        .prop_map(|(login, network, at, password)| Owner { login, network, at, password })
}

pub(crate) fn positions() -> impl Strategy<Value = Position> {
    let path = prop::sample::select(vec!["/var/log/mail.log", "/var/log/dovecot log"]);
    (path, any::<[u64; 6]>()).prop_map(|(path, [device, inode, offset, fingerprint, lines, events])| Position {
        path: path.into(),
        device,
        inode,
        offset,
        fingerprint,
        lines,
        events,
    })
}
