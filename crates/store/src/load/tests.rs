use base::{Evidence, Maker, RuleId, Until};

use super::*;
use listings::Cause;

fn owner(login: &str, at: u64) -> Owner {
    Owner {
        login: Login::new(login).unwrap(),
        network: "192.0.2.1".parse().unwrap(),
        at: Timestamp::from_millis(at),
        password: None,
    }
}

fn entry(serial: u64, subject: &str, listed: bool) -> Entry {
    let listing = base::Listing {
        subject: subject.parse().unwrap(),
        list: ListId::BLOCKED,
        since: Timestamp::EPOCH,
        until: Until::Never,
        maker: Maker::Rule(RuleId(0)),
        evidence: Evidence::default(),
    };
    let change = if listed { Change::Listed(listing) } else { Change::Unlisted { listing, cause: Cause::Expired } };
    Entry { serial, at: Timestamp::EPOCH, change }
}

#[test]
fn owners_and_audits_beyond_the_limit_are_shed_and_counted() {
    let owners = (0..OWNERS_QUEUED_MAX).map(|index| owner(&format!("user-{index}"), 1)).collect();
    let mut load = Load::default();
    assert_eq!(load.add(Batch { owners, ..Batch::default() }, 0), Shed::default());
    let owners = vec![owner("user-7", 5), owner("new", 5), owner("user-8", 0)];
    assert_eq!(load.add(Batch { owners, ..Batch::default() }, 0).owners, 1);
    let at =
        |login: &str| load.owners[&(Login::new(login).unwrap(), "192.0.2.1".parse().unwrap(), None)].at.as_millis();
    assert_eq!((at("user-7"), at("user-8")), (5, 1), "a known one is brought up to date, never back");

    let audit = Audit { at: Timestamp::EPOCH, who: "root".into(), what: "watch".into() };
    let shed: u64 = (0..=AUDITS_QUEUED_MAX).map(|_| load.add_audit(audit.clone()).audits).sum();
    assert_eq!(shed, 1);
}

#[test]
fn a_load_put_back_yields_to_what_came_later() {
    let position =
        |offset| Position { path: "log".into(), device: 0, inode: 0, offset, fingerprint: 0, lines: 0, events: 0 };
    let mut older = Load::default();
    older.add(Batch { position: Some(position(1)), owners: vec![owner("a", 9)], ..Batch::default() }, 0);
    let mut later = Load::default();
    later.add(Batch { position: Some(position(2)), owners: vec![owner("a", 3), owner("b", 3)], ..Batch::default() }, 0);
    older.absorb(later);
    assert_eq!(older.positions["log"].offset, 2);
    assert_eq!(older.owners.values().map(|owner| owner.at.as_millis()).max(), Some(9));
    assert_eq!(older.owners.len(), 2);
}

#[test]
fn entries_are_thinned_to_the_last_of_each_subject() {
    let waiting = (1..=9).map(|serial| entry(serial, &format!("192.0.2.{}", serial % 3), serial % 2 == 0)).collect();
    let mut entries = Entries { waiting, ..Entries::default() };
    assert_eq!(entries.bound(9), 0, "few enough");
    assert_eq!(entries.bound(8), 6);
    let left: Vec<_> = entries.waiting.iter().map(|entry| entry.serial).collect();
    assert_eq!(left, [7, 8, 9]);
    entries.waiting.push(entry(10, "192.0.2.1", true));
    assert_eq!(entries.bound(2), 0, "not again before they have doubled");
    entries.waiting.extend((11..=13).map(|serial| entry(serial, "192.0.2.1", true)));
    assert_eq!(entries.bound(2), 4);
    entries.clear();
    assert_eq!(entries.bound(0), 0);
}
