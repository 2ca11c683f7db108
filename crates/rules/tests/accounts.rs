//! What the accounts promise: bounded memory is in their types; here that suspicion fades, grows with each sign, and is never
//! about what an owner does at home.

use core::time::Duration;

use base::{Address, Timestamp};
use proptest::prelude::*;
use rules::accounts::{Accounts, FORGOTTEN_AFTER, Geo, Ladder, Located, Opinion, Sign, Step, Wanted};

const HOME: &str = "192.0.2.7";
const DAY: Duration = Duration::from_hours(24);
const BEGIN: Timestamp = Timestamp::from_secs(1_799_625_600);

fn address(text: &str) -> Address {
    Address::new(text.parse().expect("an address"))
}

/// What the tests go by: people are told at ten points, and accounts locked at sixteen.
const LADDER: Ladder = Ladder { note: Some(10), lock_login: Some(16), ..Ladder::NONE };

fn wanted<'a>(from: &str, recipient: &'a str, message: &'a str) -> Wanted<'a> {
    Wanted { login: "alice", address: Some(address(from)), recipient, message, client: "" }
}

/// A world in which the first number of an address is its country.
struct ByFirst;

impl Geo for ByFirst {
    fn locate(&self, address: Address) -> Located {
        let first = (address.bits() >> 24) as u8;
        Located { country: Some([b'C', first]), asn: None }
    }
}

/// Accounts in which Alice has written from home to thirty people, each day to one.
fn lived_in(accounts_max: usize) -> (Accounts, Timestamp) {
    live(Accounts::new(LADDER, accounts_max, [7; 16], None))
}

fn live(accounts: Accounts) -> (Accounts, Timestamp) {
    let mut at = BEGIN;
    for day in 0..30 {
        let recipient = format!("friend{day}@example.org");
        let wanted = Wanted { client: "hers", ..wanted(HOME, &recipient, &recipient) };
        assert_eq!(accounts.asks(at, &wanted).step, Step::Calm);
        accounts.sent(at, "alice", &recipient);
        at = at.plus(DAY);
    }
    (accounts, at)
}

fn score(accounts: &Accounts, at: Timestamp) -> f32 {
    accounts.explain(at, "alice").map_or(0.0, |standing| standing.score)
}

/// Strangers asked for from one address elsewhere, one a minute, until something is done.
fn strangers(accounts: &Accounts, from: Timestamp, count: u64) -> (Step, Timestamp) {
    let (mut step, mut at) = (Step::Calm, from);
    for number in 0..count {
        let recipient = format!("stranger{number}@other{number}.example");
        at = from.plus(Duration::from_mins(number));
        step = accounts.asks(at, &wanted("198.51.100.9", &recipient, &recipient)).step;
    }
    (step, at)
}

#[test]
fn strangers_from_elsewhere_lock_and_a_person_forgives() {
    let (accounts, at) = lived_in(100);
    let (step, at) = strangers(&accounts, at, 12);
    assert_eq!(step, Step::LockLogin);
    let standing = accounts.explain(at, "ALICE").expect("it is known");
    assert!(standing.is_grown_up && standing.signs.iter().any(|(sign, _)| *sign == Sign::NewRecipient), "{standing:?}");
    assert!(accounts.forgive(at, "alice"));
    assert_eq!(accounts.explain(at, "alice").map(|standing| (standing.score, standing.step)), Some((0.0, Step::Calm)));
    assert!(!accounts.forgive(at, "alice") && !accounts.forgive(at, "bob"));
}

#[test]
fn strangers_from_home_and_friends_from_anywhere_are_nothing() {
    let (accounts, at) = lived_in(100);
    for number in 0..500 {
        let recipient = format!("reader{number}@example.net");
        assert_eq!(accounts.asks(at, &wanted(HOME, &recipient, &recipient)).step, Step::Calm);
    }
    for day in 0..30 {
        let recipient = format!("friend{day}@example.org");
        assert_eq!(accounts.asks(at, &wanted("198.51.100.9", &recipient, "a letter")).step, Step::Calm);
    }
    assert!(score(&accounts, at) < 0.001);
}

#[test]
fn who_asks_again_for_the_same_adds_nothing() {
    let (accounts, at) = lived_in(100);
    accounts.asks(at, &wanted("198.51.100.9", "new@example.com", "first try"));
    let once = score(&accounts, at);
    assert!(once > 0.0);
    for attempt in ["second try", "third try"] {
        accounts.asks(at, &wanted("198.51.100.9", "new@example.com", attempt));
    }
    assert!((score(&accounts, at) - once).abs() < 0.001);
}

#[test]
fn a_recipient_is_known_once_the_message_has_gone_out() {
    let (accounts, at) = lived_in(100);
    accounts.asks(at, &wanted("198.51.100.9", "new@example.com", "letter"));
    let once = score(&accounts, at);
    accounts.sent(at, "alice", "another letter");
    accounts.sent(at, "alice", "letter");
    accounts.asks(at, &wanted("198.51.100.9", "new@example.com", "reply"));
    assert!(score(&accounts, at) < once);
}

#[test]
fn a_full_table_lets_newcomers_pass() {
    let accounts = Accounts::new(LADDER, 16, [7; 16], None);
    for number in 0..1000 {
        let login = format!("user{number}");
        let wanted = Wanted { login: &login, ..wanted(HOME, "a@example.org", "m") };
        assert_eq!(accounts.asks(BEGIN, &wanted).step, Step::Calm);
    }
    let counters = accounts.counters();
    assert!((1..=16).contains(&counters.known) && counters.untracked == 1000 - counters.known, "{counters:?}");
}

#[test]
fn a_full_table_has_room_again_once_somebody_was_silent_for_half_a_year() {
    // One account for each of the sixteen parts of the table.
    let (accounts, began) = lived_in(16);
    let asks = |at, login: &str| accounts.asks(at, &Wanted { login, ..wanted(HOME, "friend@example.org", "m") });
    for number in 0..200 {
        asks(began, &format!("user{number}"));
    }
    let full = accounts.counters().known;
    assert!(full <= 16, "{full}");
    assert!(accounts.explain(began, "alice").is_some(), "nobody is pushed out by newcomers");
    // Half of the time later Alice sends again; when it is over, only she is left.
    let half = began.plus(FORGOTTEN_AFTER / 2);
    asks(half, "alice");
    assert_eq!(accounts.forget(half).len(), 0);
    let over = began.plus(FORGOTTEN_AFTER);
    assert_eq!(accounts.forget(over).len() as u64, full - 1);
    assert!(accounts.explain(over, "alice").is_some());
    let untracked = accounts.counters().untracked;
    asks(over, "user0");
    let known = accounts.counters();
    assert!(known.known + known.untracked - untracked == 2, "{known:?}");
}

#[test]
fn a_strange_program_in_a_strange_country_weighs_more_unless_the_owners_is_there_too() {
    let points = |from: &str, client: &str, comes_along: bool| {
        let (accounts, at) = live(Accounts::new(LADDER, 100, [7; 16], Some(Box::new(ByFirst))));
        if comes_along {
            accounts.asks(at, &Wanted { client: "hers", ..wanted("198.18.0.1", "friend1@example.org", "a letter") });
        }
        accounts.asks(at, &Wanted { client, ..wanted(from, "new@example.com", "another") });
        score(&accounts, at)
    };
    let plain = points("198.51.100.9", "hers", false);
    assert!(plain > 1.0 && (points("198.51.100.9", "", false) - plain).abs() < 0.01, "{plain}");
    // At home anything goes, and makes the program hers.
    assert!(points(HOME, "new phone", false) < 0.01);
    let strange = points("198.51.100.9", "robot", false);
    let far = points("45.0.0.1", "robot", false);
    assert!(strange >= plain + 2.9 && far >= plain + 2.9, "{plain} {strange} {far}");
    // Where her own program is she has bought a new telephone.
    assert!(points("198.51.100.9", "new phone", true) <= plain + 0.01);
}

#[test]
fn the_same_text_again_and_again_is_no_letter() {
    let send = |accounts: &Accounts, at, from, number: u32, body| {
        let name = format!("r{number}@example.com");
        accounts.asks(at, &wanted(from, &name, &name));
        accounts.says(at, "alice", &name, body);
        score(accounts, at)
    };
    for (from, body, is_strange) in [("198.51.100.9", 7, true), ("198.51.100.9", 0, false), (HOME, 7, false)] {
        let (accounts, at) = lived_in(100);
        let other = send(&accounts, at, from, 0, 8);
        let once = send(&accounts, at, from, 1, body);
        let twice = send(&accounts, at, from, 2, if body == 0 { 9 } else { body });
        assert_eq!(twice - once > 3.5, is_strange, "{other} {once} {twice}");
    }
}

#[test]
fn each_step_is_told_once_until_all_is_calm_and_a_slow_account_sends_one_a_minute() {
    let ladder = Ladder { note: Some(5), slower: Some(8), ..Ladder::NONE };
    let (accounts, at) = live(Accounts::new(ladder, 100, [7; 16], None));
    let mut told = Vec::new();
    let mut passed = 0;
    for number in 0..60 {
        let recipient = format!("stranger{number}@other{number}.example");
        let at = at.plus(Duration::from_secs(number * 10));
        let Opinion { step, is_news, .. } = accounts.asks(at, &wanted("198.51.100.9", &recipient, &recipient));
        told.extend(is_news.then_some(step));
        passed += u32::from(step == Step::Slower && accounts.has_turn(at, "alice", 1));
    }
    assert_eq!(told, [Step::Note, Step::Slower]);
    assert!((7..=9).contains(&passed), "{passed}");
    // A message to several waits for as many turns, and one to very many is never slow enough.
    let after = |minutes: u64| at.plus(Duration::from_secs(600 + 60 * minutes));
    assert_eq!([3, 4].map(|minutes| accounts.has_turn(after(minutes), "alice", 4)), [false, true]);
    assert!(!accounts.has_turn(after(1000), "alice", 90) && accounts.has_turn(after(14), "alice", 10));
    assert_eq!(accounts.taken("alice"), Step::Slower);
    let later = at.plus(DAY * 30);
    let mut news = 0;
    for number in 0..30 {
        let recipient = format!("late{number}@other{number}.example");
        news += u32::from(accounts.asks(later, &wanted("203.0.113.9", &recipient, &recipient)).is_news);
    }
    assert_eq!(news, 2, "it was calm in between");
    assert_eq!(accounts.counters().steps, [2, 2, 0, 0, 0]);
}

#[test]
fn what_is_kept_counts_on_after_a_restart() {
    let (accounts, at) = lived_in(100);
    let (step, at) = strangers(&accounts, at, 6);
    assert_eq!(step, Step::Note);
    let kept = accounts.unsaved(10);
    assert_eq!((kept.len(), accounts.unsaved(10).len()), (1, 0), "what has not changed is not kept again");
    let after = Accounts::new(LADDER, 100, [7; 16], None);
    let (key, bytes) = &kept[0];
    assert!(after.restore(*key, bytes) && !after.restore(*key, bytes) && !after.restore(1, &bytes[1..]));
    assert!((score(&after, at) - score(&accounts, at)).abs() < 0.001);
    for accounts in [&accounts, &after] {
        assert_eq!(accounts.asks(at, &wanted(HOME, "anybody@example.net", "m")).step, Step::Note);
        assert!(!accounts.asks(at, &wanted(HOME, "anybody@example.net", "m")).is_news);
    }
    assert_eq!(after.forget(at.plus(DAY * 200)), [*key]);
    assert_eq!(after.explain(at, "alice"), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn suspicion_halves_each_day(strange in 1_u64..20, days in 0_i32..30) {
        let (accounts, at) = lived_in(100);
        let (_, at) = strangers(&accounts, at, strange);
        let before = score(&accounts, at);
        let after = score(&accounts, at.plus(DAY * days.unsigned_abs()));
        prop_assert!((after - before * 0.5_f32.powi(days)).abs() < 0.01, "{before} {after}");
    }

    #[test]
    fn each_sign_makes_it_worse(signs in proptest::collection::vec((0_u8..3, 0_u64..600), 1..60)) {
        let (accounts, mut at) = lived_in(100);
        for (number, (what, pause)) in signs.into_iter().enumerate() {
            at = at.plus(Duration::from_secs(pause));
            let before = score(&accounts, at);
            let recipient = format!("stranger{number}@example.com");
            match what {
                0 => accounts.asks(at, &wanted("198.51.100.9", &recipient, &recipient)),
                1 => accounts.failed(at, "alice", Sign::Refused, Some(address("198.51.100.9"))),
                _ => accounts.failed(at, "alice", Sign::Bounced, None),
            };
            // A stranger may be taken for a friend once in a while, who takes a little off.
            prop_assert!(score(&accounts, at) >= before - 1.01, "{before}");
        }
    }

    #[test]
    fn a_ladder_only_goes_up(points in proptest::collection::vec(0.0_f32..40.0, 2)) {
        let ladder = Ladder { slower: Some(12), hold: Some(12), ..LADDER };
        let (low, high) = (points[0].min(points[1]), points[0].max(points[1]));
        prop_assert!(ladder.step(low) <= ladder.step(high));
    }
}
