use std::sync::Arc;

use base::{Evidence, ListId, Listing, Maker, Until};
use listings::{Change, Entry};

use super::*;
use crate::transfer::testing::zones;
use crate::transfer::{Algorithm, History, Key, Notify, Settings, TransferTotals};

fn transfers(key: Option<&str>) -> Transfers {
    let settings = Settings {
        keys: vec![Key::new("mirror", Algorithm::HmacSha256, &[1; 32]).unwrap()],
        allow: Vec::new(),
        notify: vec![Notify { to: secondary(), key: key.map(String::from) }],
    };
    Transfers::new(settings, Arc::new(History::starting_at(10))).unwrap()
}

fn secondary() -> SocketAddr {
    "192.0.2.53:53".parse().unwrap()
}

fn change(serial: u64, list: usize) -> Entry {
    let listing = Listing {
        subject: "192.0.2.1".parse().unwrap(),
        list: ListId::new(list),
        since: Timestamp::EPOCH,
        until: Until::Never,
        maker: Maker::Person { name: "test".into(), reason: "test".into() },
        evidence: Evidence::default(),
    };
    Entry { serial, at: Timestamp::EPOCH, change: Change::Listed(listing) }
}

/// The zones named by what is sent.
fn told(sent: &[Telling]) -> Vec<String> {
    let name = |telling: &Telling| {
        assert_eq!((telling.to, &telling.message[2..6]), (secondary(), &[0x24, 0, 0, 1][..]));
        let length = usize::from(telling.message[12]);
        String::from_utf8(telling.message[13..13 + length].to_vec()).unwrap()
    };
    sent.iter().map(name).collect()
}

fn answer_to(telling: &Telling) -> Vec<u8> {
    let mut answer = telling.message.clone();
    answer[2] |= 0x80;
    answer
}

#[test]
fn zones_that_changed_are_announced_until_they_are_heard() {
    let (zones, transfers) = (zones(), transfers(None));
    let mut announcer = Announcer::new(&zones, &transfers, 7);
    let at = |seconds: u64| Timestamp::from_secs(1_000_000 + seconds);
    let sent = announcer.poll(at(0));
    assert_eq!(told(&sent), ["bl", "dyna", "auth", "all"], "the start is news");
    announcer.heard("192.0.2.1:53".parse().unwrap(), &answer_to(&sent[0]), at(0));
    announcer.heard(secondary(), &sent[0].message, at(0));
    announcer.heard(secondary(), b"", at(0));
    assert_eq!(transfers.totals(), TransferTotals::default(), "that is no answer of the secondary");
    for telling in [&sent[0], &sent[1], &sent[3]] {
        announcer.heard(secondary(), &answer_to(telling), at(0));
    }
    assert!(announcer.poll(at(1)).is_empty());
    // Changes are told at once, but not more often than once in a second.
    transfers.history().record(&[change(11, 1)]);
    assert_eq!(told(&announcer.poll(at(1))), ["dyna", "all"]);
    transfers.history().record(&[change(12, 1), change(13, 1)]);
    assert!(announcer.poll(at(1)).is_empty());
    assert_eq!(told(&announcer.poll(at(2))), ["dyna", "auth", "all"], "and what was not heard is told again");
    let mut times = Vec::new();
    for second in 3..300 {
        times.extend(
            announcer.poll(at(second)).iter().filter(|t| told(core::slice::from_ref(t)) == ["auth"]).map(|_| second),
        );
    }
    assert_eq!(times, [6, 14, 30, 62], "at longer and longer intervals");
    let totals = transfers.totals();
    assert_eq!((totals.notified, totals.unheard), (3, 3));
}

#[test]
fn a_signed_announcement_wants_a_signed_answer() {
    let (zones, transfers) = (zones(), transfers(Some("mirror")));
    let mut announcer = Announcer::new(&zones, &transfers, 7);
    let now = Timestamp::from_secs(1_000_000);
    let sent = announcer.poll(now);
    announcer.heard(secondary(), &answer_to(&sent[0]), now);
    assert_eq!(transfers.totals().notified, 0);
    let keys = [Key::new("mirror", Algorithm::HmacSha256, &[1; 32]).unwrap()];
    let super::super::tsig::Checked::Signed { mut message, mut session } =
        super::super::tsig::check(&keys, &sent[0].message, now.as_secs())
    else {
        panic!("signed well")
    };
    message[2] |= 0x80;
    session.sign(&mut message, now.as_secs());
    announcer.heard(secondary(), &message, now);
    assert_eq!(transfers.totals().notified, 1);
}
