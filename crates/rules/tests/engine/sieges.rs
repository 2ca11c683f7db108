//! Guessing that many addresses share: who tries a login that strangers besiege is one of them.

use std::time::Duration;

use core::net::Ipv4Addr;

use base::{Address, Channel, Event, EventKind, Tally};
use rules::{By, Effect, Rule, Settings, Trigger};

use crate::play::{BEGIN, engine, play_with};

const DAY: Duration = Duration::from_hours(24);

fn siege(name: &str, by: By, count: u16) -> Rule {
    Rule {
        name: name.into(),
        on: Trigger::Event(EventKind::LoginFailed),
        by,
        count,
        within: 30 * DAY,
        distinct: None,
        unless_known: false,
        per_good: 0,
        reverse: None,
        effect: Effect::BlockAddresses { span: DAY },
    }
}

fn play(name: &str, script: &str) {
    let rules = vec![siege("login", By::Login, 3), siege("server", By::NoLogin, 4)];
    play_with(name, Settings { rules, ..Settings::default() }, script);
}

#[test]
fn the_third_stranger_gives_all_away_and_the_fourth_is_blocked_at_once() {
    play(
        "weeks apart",
        "0 fail alice 203.0.1.1 -> 1
         9d fail alice 203.0.2.1 -> 1
         20d fail alice 203.0.3.1 -> 1
         1728299 poll -> 0
         1728299 lists 203.0.3.1 -> -
         1728300 poll -> 0
         1728300 lists 203.0.3.1 -> blocked
         # Blocks run from the last attempt, so that those of weeks ago are over already.
         1728300 lists 203.0.1.1 -> -
         21d fail alice 203.0.4.1 -> 1
         1814700 poll -> 0
         1814700 lists 203.0.4.1 -> blocked",
    );
    play(
        "hours apart",
        "0 fail alice 203.0.1.1 -> 1
         1h fail alice 203.0.2.1 -> 1
         2h fail alice 203.0.3.1 -> 1
         3h poll -> 0
         3h lists 203.0.1.1 -> blocked
         3h lists 203.0.2.1 -> blocked
         3h lists 203.0.3.1 -> blocked
         3h lists 203.0.9.1 -> -",
    );
}

#[test]
fn whoever_is_at_home_here_is_no_stranger() {
    play(
        "the owner mistypes at a new place, and then gets it right",
        "0 fail alice 203.0.1.1 -> 1
         1 fail alice 203.0.2.1 -> 1
         2 fail alice 203.0.3.1 -> 1
         3 fail alice 198.51.100.7 -> 1
         40 ok alice 198.51.100.7 -> news
         5m poll -> 0
         5m lists 198.51.100.7 -> -
         5m lists 203.0.3.1 -> blocked",
    );
    play(
        "a neighbour of somebody who logged in",
        "0 ok bob 198.51.100.9 -> news
         1 fail alice 203.0.1.1 -> 1
         2 fail alice 203.0.2.1 -> 1
         3 fail alice 203.0.3.1 -> 1
         4 fail alice 198.51.100.7 -> 1
         5m poll -> 0
         5m lists 198.51.100.7 -> -",
    );
    play(
        "one stranger is one, however often he comes",
        "0 fail alice 203.0.1.1 -> 1
         1 fail alice 203.0.1.1 -> 1
         2 fail alice 203.0.1.1 -> 1
         3 fail alice 203.0.2.1 -> 1
         5m poll -> 0
         5m lists 203.0.1.1 -> -",
    );
    play(
        "one /64 is one",
        "0 fail alice 2001:db8:1:1::1 -> 1
         1 fail alice 2001:db8:1:1::2 -> 1
         2 fail alice 2001:db8:1:1::3 -> 1
         5m poll -> 0
         5m lists 2001:db8:1:1::1 -> -",
    );
    play(
        "never listed is never listed",
        "0 fail alice 203.0.1.1 -> 1
         1 fail alice 203.0.2.1 -> 1
         2 fail alice 198.51.100.250 -> 1
         3 fail alice 203.0.3.1 -> 1
         5m poll -> 0
         5m lists 198.51.100.250 -> -
         5m lists 203.0.3.1 -> blocked",
    );
}

#[test]
fn a_device_with_an_old_password_besieges_nobody_wherever_it_travels() {
    let travels = |tag: &str| {
        let one = |n: u32| format!("{n}h fail alice 203.0.{n}.1 {tag} -> 1\n");
        (1..6).map(one).collect::<String>()
    };
    let end = |lists: &str| format!("6h poll -> 0\n6h lists 203.0.5.1 -> {lists}");
    play("her own device", &format!("0 ok alice 198.51.100.7 tag=1 -> news\n{}{}", travels("tag=9"), end("-")));
    play("as the log tells it", &format!("0 ok alice 198.51.100.7 -> news\n{}{}", travels("same=9"), end("-")));
    play("a login that is nobody's", &format!("{}{}", travels("tag=9"), end("blocked")));
    let guesses = (1..6).map(|n| format!("{n}h fail alice 203.0.{n}.1 tag={n} -> 1\n")).collect::<Vec<_>>().concat();
    play("different passwords", &format!("0 ok alice 198.51.100.7 tag=10 -> news\n{guesses}{}", end("blocked")));
}

#[test]
fn a_carrier_is_one_stranger() {
    let from = |network: &str| {
        (1..6)
            .map(|n| format!("{n}h fail alice {} -> 1\n", network.replace('#', &n.to_string())))
            .collect::<Vec<_>>()
            .concat()
    };
    let cases =
        [("203.0.1.#", "-"), ("2001:db8:1:#::1", "-"), ("203.0.#.1", "blocked"), ("2001:db8:#:1::1", "blocked")];
    for (network, lists) in cases {
        let last = network.replace('#', "5");
        play(network, &format!("{}6h poll -> 0\n6h lists {last} -> {lists}", from(network)));
    }
}

#[test]
fn the_grace_is_the_shorter_the_faster_strangers_come() {
    let siege =
        |step: u32| (0..3).map(|n| format!("{} fail alice 203.0.{n}.1 -> 1\n", n * step)).collect::<Vec<_>>().concat();
    let ends = |from: u32, grace: u32| {
        let (at, last) = (from + grace, from + grace - 1);
        format!("{last} poll -> 0\n{last} lists 203.0.2.1 -> -\n{at} poll -> 0\n{at} lists 203.0.2.1 -> blocked")
    };
    for (step, grace, once) in [(1, 20, 20), (600, 20, 100), (1200, 40, 200), (1800, 60, 300), (86_400, 60, 300)] {
        play(&format!("every {step} s, each once"), &(siege(step) + &ends(2 * step, once)));
        let again = format!("{} fail alice 203.0.2.1 -> 1\n", 2 * step + 10);
        play(&format!("every {step} s, the last one twice"), &(siege(step) + &again + &ends(2 * step, grace)));
    }
}

#[test]
fn who_fails_once_has_minutes_and_the_second_failure_ends_them() {
    let siege = "0 fail alice 203.0.1.1 -> 1
         1d fail alice 203.0.2.1 -> 1
         2d fail alice 203.0.3.1 -> 1
         3d fail alice 198.51.100.7 -> 1\n";
    play(
        "the owner finds her password after four minutes",
        &format!(
            "{siege}259440 poll -> 0
             259440 before alice 198.51.100.7 -> pass
             259440 ok alice 198.51.100.7 -> news
             259600 poll -> 0
             259600 lists 198.51.100.7 -> -"
        ),
    );
    play(
        "a machine that waits has one attempt more",
        &format!("{siege}259262 fail alice 198.51.100.7 -> 1\n259262 lists 198.51.100.7 -> blocked"),
    );
    play(
        "a connection whose program offered the password twice is one attempt",
        &format!(
            "0 ok alice 20.0.0.1 -> news
             {siege}259300 poll -> 0
             259300 lists 198.51.100.7 -> -
             4d fail alice 198.51.101.7 total=2 -> 2
             345899 poll -> 0
             345899 lists 198.51.101.7 -> -
             345900 poll -> 0
             345900 lists 198.51.101.7 -> blocked"
        ),
    );
}

#[test]
fn whoever_tries_another_login_meanwhile_does_not_mistype() {
    play(
        "a second login",
        "0 fail alice 203.0.1.1 -> 1
         1d fail alice 203.0.2.1 -> 1
         2d fail alice 203.0.3.1 -> 1
         172805 fail alice 203.0.3.1 -> 1
         172805 lists 203.0.3.1 -> -
         172806 fail bob 203.0.3.1 -> 1
         172866 poll -> 0
         172866 lists 203.0.3.1 -> blocked",
    );
    // Where both are besieged it is over at once.
    play(
        "a second one that is besieged, too",
        "0 fail alice 203.0.1.1 -> 1
         1 fail bob 203.0.1.1 -> 1
         1d fail alice 203.0.2.1 -> 1
         86401 fail bob 203.0.2.1 -> 1
         2d fail alice 203.0.3.1 -> 1
         172801 lists 203.0.3.1 -> -
         172801 fail bob 203.0.3.1 -> 1
         172801 lists 203.0.3.1 -> blocked",
    );
}

#[test]
fn a_login_that_is_nobodys_leaves_little_grace_once_the_node_knows_its_people() {
    let people = (0..200)
        .map(|n| format!("{n} ok user{} 198.51.100.7 -> {}\n", n % 2, if n < 2 { "news" } else { "-" }))
        .collect::<Vec<_>>()
        .concat();
    let siege = "1d fail alice 203.0.1.1 -> 1
         2d fail alice 203.0.2.1 -> 1
         3d fail alice 203.0.3.1 -> 1
         259209 poll -> 0
         259209 lists 203.0.3.1 -> -
         259210 poll -> 0
         259210 lists 203.0.3.1 -> ";
    play("it knows them", &format!("{people}{siege}blocked"));
    play("it has just begun", &format!("0 ok user0 198.51.100.7 -> news\n{siege}-"));
    play("alice is somebody", &format!("{people}300 ok alice 198.51.100.9 -> news\n{siege}-"));
}

#[test]
fn attempts_without_a_login_are_counted_together() {
    play(
        "and apart from those with one",
        "0 saw login-failed - 203.0.1.1
         1 saw login-failed - 203.0.2.1
         2 saw login-failed - 203.0.3.1
         3 fail alice 203.0.4.1 -> 1
         5m poll -> 0
         5m lists 203.0.3.1 -> -
         6m saw login-failed - 203.0.5.1
         8m poll -> 0
         8m lists 203.0.1.1 -> blocked
         8m lists 203.0.5.1 -> blocked
         8m lists 203.0.4.1 -> -",
    );
}

#[test]
fn a_flood_of_logins_takes_bounded_room() {
    let rules = vec![siege("login", By::Login, 5)];
    let engine = engine(Settings { rules, subjects_max: 16_000, ..Settings::default() });
    let mut most = 0;
    for number in 0..100_000_u32 {
        let time = BEGIN.plus(Duration::from_millis(number.into()));
        let login = format!("user{number}");
        engine.observe(
            time,
            &Event {
                time,
                kind: EventKind::LoginFailed,
                service: "imap",
                address: Some(Address::new(Ipv4Addr::from_bits(0x0b00_0000 + number * 256).into())),
                login: Some(&login),
                session: None,
                channel: Channel::Front,
                tally: Tally::One,
                password: None,
                reporter: None,
            },
        );
        most = most.max(if number % 10_000 == 0 { engine.bytes() } else { 0 });
    }
    // A quarter of the subjects has a record of 5 addresses, and all have one in the memory of wrong passwords.
    assert!(most > 0 && most < 16_000 * 200, "{most} bytes");
}
