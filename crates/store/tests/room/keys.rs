//! Keys of the blocklist outlive a restart, and revoked ones are forgotten in time.

use std::time::Duration;

use base::Timestamp;
use store::{KeptCount, KeptKey, Limits};

use crate::given::{self, PATIENCE};

fn key(name: &str) -> KeptKey {
    KeptKey {
        hash: format!("{name:0>32}").into(),
        name: name.into(),
        owner: "ACME Ltd, \"Mail\"".into(),
        zones: Some("auth all".into()),
        quota: Some((100_000, "day".into())),
        until: Some(Timestamp::from_secs(9)),
        made: Timestamp::from_secs(5),
        made_by: "root".into(),
        revoked: None,
        count: KeptCount::default(),
    }
}

#[test]
fn keys_are_there_again_as_they_were_last() {
    let directory = tempfile::tempdir().unwrap();
    let (store, restored, _) = given::open(directory.path());
    assert_eq!(restored.keys, []);
    let plain = KeptKey { zones: None, quota: None, until: None, ..key("plain") };
    store.push_keys(vec![key("one"), plain.clone()]);
    store.flush(PATIENCE).unwrap();
    let at = Timestamp::from_secs(86_400);
    let counted = KeptKey {
        revoked: Some((at, "eve".into())),
        count: KeptCount { answered: u64::MAX, refused: 3, in_span: u32::MAX, at },
        ..key("one")
    };
    store.push_keys(vec![counted.clone()]);
    drop(store);
    let (_, restored, _) = given::open(directory.path());
    assert_eq!(restored.keys, [counted, plain]);
}

#[test]
fn revoked_keys_are_forgotten_with_the_history() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { events_kept: Duration::from_hours(24), ..given::limits() };
    let (store, ..) = given::open_with(directory.path(), given::names(), limits);
    let long_ago = Some((Timestamp::from_secs(5), "eve".into()));
    store.push_keys(vec![key("in-force"), KeptKey { revoked: long_ago, ..key("gone") }]);
    drop(store);
    let (store, ..) = given::open_with(directory.path(), given::names(), limits);
    store.push_keys(vec![key("another")]);
    drop(store);
    let (_, restored, _) = given::open(directory.path());
    let mut names: Vec<_> = restored.keys.iter().map(|key| &*key.name).collect();
    names.sort_unstable();
    assert_eq!(names, ["another", "in-force"]);
}
