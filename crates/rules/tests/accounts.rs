//! What the accounts promise: bounded memory is in their types; here that suspicion fades, grows with each sign, and is never
//! about what an owner does at home.

use core::time::Duration;

use base::{Address, Timestamp};
use proptest::prelude::*;
use rules::accounts::{Accounts, Ladder, Sign, Step, Wanted};

const HOME: &str = "192.0.2.7";
const DAY: Duration = Duration::from_hours(24);
const BEGIN: Timestamp = Timestamp::from_secs(1_799_625_600);

fn address(text: &str) -> Address {
    Address::new(text.parse().expect("an address"))
}

fn wanted<'a>(from: &str, recipient: &'a str, message: &'a str) -> Wanted<'a> {
    Wanted { login: "alice", address: address(from), recipient, message }
}

/// Accounts in which Alice has written from home to thirty people, each day to one.
fn lived_in(accounts_max: usize) -> (Accounts, Timestamp) {
    let accounts = Accounts::new(Ladder::default(), accounts_max, [7; 16]);
    let mut at = BEGIN;
    for day in 0..30 {
        let recipient = format!("friend{day}@example.org");
        assert_eq!(accounts.asks(at, &wanted(HOME, &recipient, &recipient)), Step::Calm);
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
        step = accounts.asks(at, &wanted("198.51.100.9", &recipient, &recipient));
    }
    (step, at)
}

#[test]
fn strangers_from_elsewhere_lock_and_a_person_forgives() {
    let (accounts, at) = lived_in(100);
    let (step, at) = strangers(&accounts, at, 12);
    assert_eq!(step, Step::Lock);
    let standing = accounts.explain(at, "ALICE").expect("it is known");
    assert!(standing.is_grown_up && standing.signs.iter().any(|(sign, _)| *sign == Sign::NewRecipient), "{standing:?}");
    assert!(accounts.forgive("alice"));
    assert_eq!(accounts.explain(at, "alice").map(|standing| (standing.score, standing.step)), Some((0.0, Step::Calm)));
    assert!(!accounts.forgive("alice") && !accounts.forgive("bob"));
}

#[test]
fn strangers_from_home_and_friends_from_anywhere_are_nothing() {
    let (accounts, at) = lived_in(100);
    for number in 0..500 {
        let recipient = format!("reader{number}@example.net");
        assert_eq!(accounts.asks(at, &wanted(HOME, &recipient, &recipient)), Step::Calm);
    }
    for day in 0..30 {
        let recipient = format!("friend{day}@example.org");
        assert_eq!(accounts.asks(at, &wanted("198.51.100.9", &recipient, "a letter")), Step::Calm);
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
    let accounts = Accounts::new(Ladder::default(), 16, [7; 16]);
    for number in 0..1000 {
        let login = format!("user{number}");
        let wanted = Wanted { login: &login, address: address(HOME), recipient: "a@example.org", message: "m" };
        assert_eq!(accounts.asks(BEGIN, &wanted), Step::Calm);
    }
    assert!((1..=16).contains(&accounts.len()), "{}", accounts.len());
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
        let ladder = Ladder { hold: Some(10.0), ..Ladder::default() };
        let (low, high) = (points[0].min(points[1]), points[0].max(points[1]));
        prop_assert!(ladder.step(low) <= ladder.step(high));
    }
}
