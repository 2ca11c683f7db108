//! Real servers as secondaries, followed through whole and incremental transfers, restarts and a serial that wraps.

#![expect(clippy::disallowed_methods, reason = "real servers take real time, and have files")]

mod mirror;
mod peers;
mod primary;
mod relay;

use std::time::Duration;

use peers::{Kind, Peer, free_port};
use primary::{Primary, answer, wait_until};
use relay::Relay;

/// Changes in each second while a secondary follows.
const CHANGES_PER_SECOND: usize = 1000;

/// How long.
const SECONDS: usize = 4;

/// The zones that are followed: of one list, of all, and the one above them.
const ZONES: [&str; 3] = ["dyna.bl.example.org", "all.bl.example.org", "bl.example.org"];

fn follow(kind: Kind) {
    let port = free_port();
    let primary = Primary::start((1 << 32) - 2000 - (CHANGES_PER_SECOND * SECONDS) as u64, port);
    primary.list_a_little();
    let mut peer = Peer::start(kind, port, primary.address());
    peer.wait_for(&primary);
    assert_eq!(primary.totals().whole, ZONES.len() as u64);
    compare(&primary, &peer);
    let mut whole = primary.totals().whole - peer.own_restarts();

    // Continuous change, most of which is over before the next NOTIFY.
    for _ in 0..SECONDS {
        primary.churn(CHANGES_PER_SECOND, Duration::from_secs(1));
    }
    peer.wait_for(&primary);
    let totals = primary.totals();
    assert_eq!(totals.fallen_back, 0, "{kind:?}: {totals:?}");
    assert!(totals.whole <= whole + peer.own_restarts(), "{kind:?}: only what changed was sent: {totals:?}");
    assert!(totals.incremental >= 2 && totals.notified > 0, "{totals:?}");
    compare(&primary, &peer);
    whole = primary.totals().whole - peer.own_restarts();

    // It misses a second of changes, and goes on from what it had.
    peer.stop();
    primary.churn(CHANGES_PER_SECOND, Duration::from_secs(1));
    peer.start_again();
    peer.wait_for(&primary);
    assert!(primary.totals().whole <= whole + peer.own_restarts(), "{kind:?} after a restart");
    compare(&primary, &peer);
    whole = primary.totals().whole - peer.own_restarts();

    // The serial passes 2^32. Only a secondary that stopped at the last one before may take the whole zone.
    primary.churn(2000, Duration::from_secs(1));
    assert!(primary.serial() > 1 << 32);
    peer.wait_for(&primary);
    assert!(primary.totals().whole <= whole + peer.own_restarts() + ZONES.len() as u64, "{kind:?} around the turn");
    compare(&primary, &peer);

    // Everything goes.
    primary.unlist_all();
    peer.wait_for(&primary);
    compare(&primary, &peer);
}

/// Compares all records, and the answers to the same questions.
fn compare(primary: &Primary, peer: &Peer) {
    for zone in ZONES {
        let (mut ours, mut theirs) =
            (primary::records(primary.address(), zone), primary::records(peer.address(), zone));
        if zone == ZONES[2] {
            // No change of a list is one of this zone, which therefore is not announced, and looked for by timer only.
            ours.retain(|record| !record.contains("\tsoa\t"));
            theirs.retain(|record| !record.contains("\tsoa\t"));
        }
        assert!(ours.len() > 4, "{zone}: {ours:?}");
        let only = |these: &[String], those: &[String]| -> Vec<String> {
            these.iter().filter(|record| !those.contains(record)).take(5).cloned().collect()
        };
        assert!(ours == theirs, "{zone}: only here {:?}; only there {:?}", only(&ours, &theirs), only(&theirs, &ours));
        for question in primary.questions(zone) {
            // NSD loses what its old processes have not read when new ones take their place; we lose nothing.
            let (ours, theirs) = (answer(primary.address(), &question, 1), answer(peer.address(), &question, 3));
            // PowerDNS learns of names without records from whole transfers only, and forgets none.
            let is_empty = |reply: &str| matches!(reply, "0 " | "3 ");
            let is_part = peer.kind() == Kind::PowerDns && is_empty(&ours) && is_empty(&theirs);
            assert!(ours == theirs || is_part, "{question:?}: {ours}; {theirs}");
        }
    }
}

#[test]
fn nsd_follows() {
    follow(Kind::Nsd);
}

#[test]
fn knot_follows() {
    follow(Kind::Knot);
}

#[test]
fn bind_follows() {
    follow(Kind::Bind);
}

#[test]
fn powerdns_follows() {
    follow(Kind::PowerDns);
}

/// Announcements, questions and transfers go over a line that loses a third of all datagrams and breaks streams.
fn follow_over_a_bad_line(kind: Kind) {
    let port = free_port();
    let announcements = Relay::start((std::net::Ipv4Addr::LOCALHOST, port).into());
    let primary = Primary::start(1 << 20, announcements.address().port());
    primary.list_a_little();
    let line = Relay::start(primary.address());
    let peer = Peer::start(kind, port, line.address());
    for _ in 0..3 {
        primary.churn(CHANGES_PER_SECOND, Duration::from_secs(1));
    }
    line.mend();
    announcements.mend();
    assert!(announcements.damage().0 + line.damage().0 + line.damage().1 > 0, "the line is bad");
    // Whoever has just given up waits for the next announcement.
    let is_there = || {
        primary.churn(1, Duration::ZERO);
        (0..20).any(|_| {
            std::thread::sleep(Duration::from_millis(300));
            peer.has_caught_up(&primary)
        })
    };
    wait_until(Duration::from_mins(1), is_there, || format!("{kind:?}: {:?}", primary.totals()));
    peer.wait_for(&primary);
    compare(&primary, &peer);
}

#[test]
fn nsd_follows_over_a_bad_line() {
    follow_over_a_bad_line(Kind::Nsd);
}

#[test]
fn knot_follows_over_a_bad_line() {
    follow_over_a_bad_line(Kind::Knot);
}

#[test]
fn bind_follows_over_a_bad_line() {
    follow_over_a_bad_line(Kind::Bind);
}

#[test]
fn powerdns_follows_over_a_bad_line() {
    follow_over_a_bad_line(Kind::PowerDns);
}

/// What `dig` is told, the words that its output must have, and those that it must not have.
type Case<'a> = (&'a str, &'a [&'a str], &'a [&'a str]);

#[test]
fn only_who_may_gets_a_zone() {
    let primary = Primary::start(1000, free_port());
    primary.list_a_little();
    let cases: &[Case<'_>] = &[
        ("dig {good} dyna.bl.example.org AXFR", &["127.0.0.36"], &["failed", "error"]),
        ("dig {good} dyna.bl.example.org IXFR=1", &["127.0.0.36"], &["failed", "error"]),
        ("dig {good} dyna.bl.example.org SOA", &["NOERROR", "TSIG", "hmac-sha256"], &["WARNING", "verify"]),
        ("dig {good} +tcp dyna.bl.example.org SOA", &["NOERROR", "TSIG"], &["WARNING", "verify"]),
        ("dig dyna.bl.example.org AXFR", &["Transfer failed"], &["127.0.0.36"]),
        ("dig {wrong} dyna.bl.example.org AXFR", &["BADSIG"], &["127.0.0.36"]),
        ("dig {unknown} dyna.bl.example.org AXFR", &["BADKEY"], &["127.0.0.36"]),
        ("dig {other} dyna.bl.example.org AXFR", &["BADKEY"], &["127.0.0.36"]),
        ("dig +fuzztime={+600} {good} dyna.bl.example.org AXFR", &["BADTIME"], &["127.0.0.36"]),
        ("dig +fuzztime={-600} {good} dyna.bl.example.org AXFR", &["BADTIME"], &["127.0.0.36"]),
        ("dig +fuzztime={+200} {good} dyna.bl.example.org AXFR", &["127.0.0.36"], &["failed", "error"]),
        ("dig {good} 2.0.0.127.dyna.bl.example.org AXFR", &["Transfer failed"], &["127.0.0.36"]),
        ("dig {good} example.com AXFR", &["Transfer failed"], &["127.0.0.36"]),
        ("dig +notcp {good} dyna.bl.example.org IXFR=1", &["SOA"], &["127.0.0.36"]),
    ];
    for (command, wanted, unwanted) in cases {
        let out = primary.run(command);
        assert!(wanted.iter().all(|word| out.contains(word)), "{command}: {out}");
        assert!(!unwanted.iter().any(|word| out.contains(word)), "{command}: {out}");
    }
    let totals = primary.totals();
    assert!(totals.refused >= 1 && totals.bad_signatures >= 3, "{totals:?}");
}

#[test]
fn a_secondary_that_does_not_read_is_dropped() {
    let primary = Primary::start(1000, free_port());
    primary.list_many(60_000);
    let mut secondary = primary.transfer_without_reading();
    wait_until(Duration::from_mins(1), || primary.totals().broken == 1, || format!("{:?}", primary.totals()));
    secondary.kill().unwrap();
    secondary.wait().unwrap();
}
