//! Rules for published lists: by reverse name, relative to the good, longer each time, and up to whole networks.

use std::time::Duration;

use base::{Address, EventKind, Evidence, ListId, Maker, RuleId, Until};
use listings::Wish;
use rules::{By, Distinct, Effect, Of, ReverseName, Rule, Settings, Trigger, Width, default_rules};

use crate::play::{BEGIN, auth, play_with};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

fn by_name(name: &str, reverse: ReverseName, count: u16, list: usize, span: Duration) -> Rule {
    Rule {
        name: name.into(),
        on: Trigger::Event(EventKind::UnknownRecipient),
        by: By::Address,
        count,
        within: HOUR,
        distinct: None,
        unless_known: true,
        per_good: 1,
        reverse: Some(reverse),
        effect: Effect::List { list: ListId::new(list), span },
    }
}

fn network(name: &str, width: Width, count: u16) -> Rule {
    Rule {
        name: name.into(),
        on: Trigger::Listed,
        by: By::Network(width),
        count,
        within: 7 * DAY,
        distinct: Some(Distinct { of: Of::Address, at_least: count }),
        unless_known: false,
        per_good: 0,
        reverse: None,
        effect: Effect::List { list: ListId::new(5), span: 3 * DAY },
    }
}

pub(crate) fn settings() -> Settings {
    let mut rules = default_rules(auth());
    rules.extend([
        by_name("dyna", ReverseName::Dynamic, 4, 1, 2 * DAY),
        by_name("noptr", ReverseName::Missing, 4, 2, 2 * DAY),
        by_name("spam", ReverseName::Proper, 8, 3, DAY),
        network("null-24", Width::V4Bits24, 3),
        network("null-56", Width::V6Bits56, 3),
        network("null-48", Width::V6Bits48, 5),
    ]);
    Settings { rules, ..Settings::default() }
}

fn play(name: &str, script: &str) {
    play_with(name, settings(), script);
}

/// So many events a second apart.
fn burst(from: u64, many: u64, kind: &str, address: &str) -> String {
    (0..many).map(|n| format!("{} saw {kind} - {address}\n", from + n)).collect::<Vec<_>>().concat()
}

#[test]
fn the_name_says_which_list() {
    for (name, lists) in [("dynamic", "dyna"), ("missing", "noptr"), ("proper", "-"), ("unknown", "-")] {
        let bad = burst(0, 4, "unknown-recipient", "203.0.113.1");
        let script = format!(
            "{bad} 4 lists 203.0.113.1 -> -\n 4 wanted -> 203.0.113.1\n 4 wanted -> -\n
             5 name 203.0.113.1 {name}\n 5 lists 203.0.113.1 -> {lists}"
        );
        play(name, &script);
    }
    let bad = burst(0, 8, "unknown-recipient", "203.0.113.1");
    play(
        "a proper name wants more",
        &format!("{bad} 9 wanted -> 203.0.113.1\n 9 name 203.0.113.1 proper\n 9 lists 203.0.113.1 -> spam"),
    );
    play(
        "what comes too late lists nobody",
        &format!(
            "{} 4 wanted -> 203.0.113.1\n 904 name 203.0.113.1 dynamic\n 904 lists 203.0.113.1 -> -",
            burst(0, 4, "unknown-recipient", "203.0.113.1")
        ),
    );
    play(
        "who waits in vain is forgotten, and may wait again",
        &format!(
            "{} 4 wanted -> 203.0.113.1\n 903.001 poll -> 0\n {} 1004 wanted -> 203.0.113.1
             1004 name 203.0.113.1 dynamic\n 1004 lists 203.0.113.1 -> dyna",
            burst(0, 4, "unknown-recipient", "203.0.113.1"),
            burst(1000, 4, "unknown-recipient", "203.0.113.1")
        ),
    );
    play("the never-list wins", &format!("{} 9 wanted -> -", burst(0, 8, "unknown-recipient", "198.51.100.250")));
}

#[test]
fn a_reverse_zone_that_never_answers_shelters_for_hours_and_not_for_ever() {
    let hour = |number: u64, many: u64, name: &str| {
        let from = 3600 * number;
        let bad = burst(from, many, "unknown-recipient", "203.0.113.1");
        format!("{bad} {} wanted -> 203.0.113.1\n {} name 203.0.113.1 {name}\n", from + 20, from + 21)
    };
    let hours =
        |numbers: &[u64], many, name| numbers.iter().map(|number| hour(*number, many, name)).collect::<String>();
    let end = |at: &str, lists: &str| format!("{at} lists 203.0.113.1 -> {lists}");
    let cases = [
        ("three hours", hours(&[0, 1, 2], 8, "unknown") + &end("3h", "-")),
        ("four hours", hours(&[0, 1, 2, 3], 8, "unknown") + &end("4h", "spam")),
        ("four hours, days apart", hours(&[0, 20, 40, 60], 8, "unknown") + &end("61h", "-")),
        ("less than the rule for proper names wants", hours(&[0, 2, 4, 6, 8, 10], 7, "unknown") + &end("11h", "-")),
        ("four times within an hour", {
            let times = (0..4).map(|n| {
                let from = 600 * n;
                let bad = burst(from, 8, "unknown-recipient", "203.0.113.1");
                format!("{bad} {} wanted -> 203.0.113.1\n {} name 203.0.113.1 unknown\n", from + 20, from + 21)
            });
            times.collect::<String>() + &end("1h", "-")
        }),
    ];
    for (name, script) in cases {
        play(name, &script);
    }
    // Nobody answers at all: who waits in vain counts the same.
    let silent = [0, 1, 2, 3].map(|number| {
        let from = 3600 * number;
        let bad = burst(from, 8, "unknown-recipient", "203.0.113.1");
        format!("{bad} {} wanted -> 203.0.113.1\n {} poll -> 0\n", from + 20, from + 1000)
    });
    play("silence", &(silent.concat() + &end("4h", "spam")));
}

#[test]
fn whoever_has_three_users_is_let_pass_ten_times_as_much() {
    let users = ["alice", "bob", "carol"].map(|login| format!("0 ok {login} 203.0.113.1 -> news\n")).concat();
    for (many, lists) in [(79, "-"), (80, "spam")] {
        let bad = burst(7200, many, "unknown-recipient", "203.0.113.1");
        let end = format!("7300 name 203.0.113.1 proper\n 7300 lists 203.0.113.1 -> {lists}");
        play("three users", &format!("{users}{bad}{end}"));
    }
}

#[test]
fn a_mended_name_ends_the_listing() {
    let bad = burst(0, 4, "unknown-recipient", "203.0.113.1");
    for (before, list, after, wanted) in [
        ("missing", "noptr", "unknown", "noptr"),
        ("missing", "noptr", "missing", "noptr"),
        ("missing", "noptr", "proper", "-"),
        ("missing", "noptr", "dynamic", "-"),
        ("dynamic", "dyna", "proper", "-"),
        ("dynamic", "dyna", "unknown", "dyna"),
        ("dynamic", "dyna", "dynamic", "dyna"),
    ] {
        play(
            &format!("{before} then {after}"),
            &format!(
                "{bad} 4 wanted -> 203.0.113.1\n 5 name 203.0.113.1 {before}\n 5 lists 203.0.113.1 -> {list}
                 4h recheck now=5h -> 203.0.113.1\n 5h recheck -> -
                 5h name 203.0.113.1 {after}\n 5h lists 203.0.113.1 -> {wanted}
                 10h recheck -> {}",
                if wanted == "-" { "-" } else { "203.0.113.1" }
            ),
        );
    }
}

#[test]
fn good_weighs_up_bad() {
    let good = |n| burst(0, n, "message-received", "203.0.113.1");
    let bad = |n| burst(100, n, "unknown-recipient", "203.0.113.1");
    for (goods, bads, wanted) in
        [(0, 3, "-"), (0, 4, "203.0.113.1"), (3, 6, "-"), (3, 7, "203.0.113.1"), (31, 34, "-"), (32, 60, "-")]
    {
        play(&format!("{goods} good, {bads} bad"), &format!("{}{} 200 wanted -> {wanted}", good(goods), bad(bads)));
    }
    play(
        "the good of yesterday does not count",
        &format!("{} {} 2h wanted -> 203.0.113.1", good(32), burst(7000, 4, "unknown-recipient", "203.0.113.1")),
    );
}

#[test]
fn one_account_of_his_own_shelters_no_guesser() {
    let guesses = |address: &str, logins: u64, each: u64| -> String {
        // A guess a minute, so that no block stands in the way.
        (0..logins * each)
            .map(|n| format!("{} fail victim{} {address} -> 1\n", 100 + 20 * n, n % logins))
            .collect::<Vec<_>>()
            .concat()
    };
    let own = |users: u64| -> String {
        (0..users).map(|n| format!("{n} ok own{n} 203.0.113.1 -> news\n")).collect::<Vec<_>>().concat()
    };
    for (users, logins, each, wanted) in [
        (0, 3, 2, "auth"),
        (1, 3, 2, "-"),
        (1, 3, 8, "-"),
        (1, 6, 4, "auth"),
        (3, 6, 6, "-"),
        (3, 7, 8, "auth"),
        // A crowd: a carrier's address.
        (4, 10, 15, "-"),
    ] {
        play(
            &format!("{users} own, {logins} guessed {each} times"),
            &format!("{}{} 3500 lists 203.0.113.1 -> {wanted}", own(users), guesses("203.0.113.1", logins, each)),
        );
    }
}

#[test]
fn each_listing_lasts_twice_as_long_and_runs_from_the_last_event() {
    let again = |day: u64| {
        let from = day * 86_400;
        format!(
            "{} {} wanted -> 203.0.113.1\n {} name 203.0.113.1 dynamic\n",
            burst(from, 4, "unknown-recipient", "203.0.113.1"),
            from + 4,
            from + 4
        )
    };
    play(
        "2, 4, 8, 16, then 30 days",
        &format!(
            "{} 1d until 203.0.113.1 -> 172803\n 2.1d expire\n {} 3.1d until 203.0.113.1 -> 604803\n 8d expire
             {} 10.1d until 203.0.113.1 -> 1555203\n 19d expire
             {} 20.1d until 203.0.113.1 -> 3110403\n 37d expire
             {} 40.1d until 203.0.113.1 -> 6048003",
            again(0),
            again(3),
            again(10),
            again(20),
            again(40)
        ),
    );
    play(
        "who goes on stays, from the last event",
        &format!(
            "{} {} 1.1d until 203.0.113.1 -> 259203\n 3.1d expire\n 3.1d lists 203.0.113.1 -> -",
            again(0),
            again(1)
        ),
    );
}

/// Lists so many parties, each a second after the other.
fn listed(parties: &[&str]) -> String {
    let one = |(n, party): (usize, &&str)| {
        let from = 100 * n as u64;
        format!("{} {from} name {party} missing\n", burst(from, 4, "unknown-recipient", party))
    };
    parties.iter().enumerate().map(one).collect()
}

#[test]
fn networks_follow_their_addresses() {
    let three = ["203.0.113.1", "203.0.113.2", "203.0.113.3"];
    play("two of three", &format!("{} 1h lists 203.0.113.99 -> -", listed(&three[..2])));
    play(
        "three of three",
        &format!("{} 1h lists 203.0.113.99 -> null\n 4d expire\n 4d lists 203.0.113.99 -> -", listed(&three)),
    );
    play("one of them again and again", &format!("{} 1h lists 203.0.113.99 -> -", listed(&["203.0.113.1"; 5])));
    play(
        "never across an owner's address",
        &format!("0 ok alice 203.0.113.200 -> news\n {} 1h lists 203.0.113.99 -> -", listed(&three)),
    );
    play(
        "who was taken off by a person speaks against nobody",
        &format!(
            "{} 250 unlist 203.0.113.1\n {} 1h lists 203.0.113.99 -> -",
            listed(&three[..2]),
            burst(300, 4, "unknown-recipient", three[2]) + "304 name 203.0.113.3 missing\n"
        ),
    );
    let near = ["198.51.100.1", "198.51.100.2", "198.51.100.3"];
    play("never across the never-list", &format!("{} 1h lists 198.51.100.99 -> -", listed(&near)));
    let v6 = ["2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:0:3::1", "2001:db8:0:100::1", "2001:db8:0:200::1"];
    play(
        "IPv6 in two steps",
        &format!("{} 1h lists 2001:db8:0:ff::1 -> null\n 1h lists 2001:db8:0:101::1 -> -", listed(&v6[..4])),
    );
    play("the whole site", &format!("{} 1h lists 2001:db8:0:9999::1 -> null", listed(&v6)));
}

#[test]
fn whose_listing_had_to_wait_has_his_name_asked_again_at_once() {
    let engine = crate::play::engine(settings());
    let (party, now) = ("203.0.113.1".parse::<Address>().expect("an address").aggregate(), BEGIN);
    let noptr = settings().rules.iter().position(|rule| &*rule.name == "noptr").expect("there is one");
    let wish = Wish {
        subject: party.into(),
        list: ListId::new(2),
        until: Until::At(now.plus(DAY)),
        maker: Maker::Rule(RuleId(noptr as u16)),
        evidence: Evidence::default(),
    };
    engine.book().list(now, wish).expect("nothing is against it");
    engine.listed_late(now, ListId::new(2), &[party.into()]);
    assert_eq!((engine.poll_recheck(now), engine.poll_recheck(now)), (Some(party), None));
}
