//! What the shipped rules do, as scenarios. See `play.rs` for the words.

use rules::{Effect, Profile, Settings, Then};

use crate::play::{play, play_with, settings};

/// So many lines, each with its number.
fn lines(count: u32, line: impl Fn(u32) -> String) -> String {
    (0..count).map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn windows_have_exact_ends() {
    play(
        "five within 60,000 ms",
        "0 fail a 203.0.113.1 -> 1
         15 fail b 203.0.113.1 -> 1
         30 fail a 203.0.113.1 -> 1
         45 fail b 203.0.113.1 -> 1
         60 fail a 203.0.113.1 -> 1
         60 after z 203.0.113.1 -> refuse address
         60 until 203.0.113.1 -> 360",
    );
    play(
        "five within 60,001 ms",
        "0 fail a 203.0.113.1 -> 1
         15 fail b 203.0.113.1 -> 1
         30 fail a 203.0.113.1 -> 1
         45 fail b 203.0.113.1 -> 1
         60.001 fail a 203.0.113.1 -> 1
         60.001 after z 203.0.113.1 -> pass
         60.002 fail b 203.0.113.1 -> 1
         60.002 after z 203.0.113.1 -> refuse address",
    );
    play(
        "three on a login from two addresses",
        "0 fail alice 203.0.113.1 -> 1
         30 fail alice 203.0.113.1 -> 1
         60 fail alice 203.0.113.2 -> 1
         60 before alice 203.0.113.3 -> tarpit 60
         60 until alice -> 660",
    );
    play(
        "three on a login within 60,001 ms, and from one address",
        "0 fail alice 203.0.113.1 -> 1
         30 fail alice 203.0.113.1 -> 1
         60.001 fail alice 203.0.113.2 -> 1
         60.001 before alice 203.0.113.3 -> pass
         600 fail bob 203.0.113.1 -> 1
         601 fail bob 203.0.113.1 -> 1
         602 fail bob 203.0.113.1 -> 1
         602 before bob 203.0.113.3 -> pass",
    );
}

#[test]
fn reports_of_others_count_as_much_as_they_weigh() {
    play(
        "two halves are one, whoever tells them, and no login of another server is blamed",
        "0 fail a 203.0.113.1 reporter=x:50 -> 0
         1 fail a 203.0.113.1 reporter=y:50 -> 1
         2 fail a 203.0.113.1 reporter=x:100 -> 1
         3 fail a 203.0.113.2 reporter=x:100 -> 1
         4 before a 203.0.113.3 -> pass
         5 fail a 203.0.113.1 reporter=x:100 -> 1
         6 fail a 203.0.113.1 reporter=x:100 -> 1
         6 after z 203.0.113.1 -> pass
         7 fail a 203.0.113.1 reporter=x:99 -> 0
         8 fail a 203.0.113.1 reporter=x:1 -> 1
         8 after z 203.0.113.1 -> refuse address",
    );
    play(
        "a success that somebody else reports makes nothing known",
        "0 ok a 203.0.113.1 reporter=x:100 -> -
         0 why a -> 0:0/3(0/2)",
    );
}

#[test]
fn a_block_is_never_extended() {
    play(
        "hammering an address",
        "0 fail a 203.0.113.1 total=5 -> 5
         1 fail a 203.0.113.1 total=50 -> 50
         299.999 fail a 203.0.113.1 total=50 -> 50
         299.999 after b 203.0.113.1 -> refuse address
         299.999 until 203.0.113.1 -> 300
         300 after b 203.0.113.1 -> pass
         300 expire
         300 fail a 203.0.113.1 total=4 -> 4
         300 until 203.0.113.1 -> -
         300.1 fail a 203.0.113.1 -> 1
         300.1 until 203.0.113.1 -> 600.1",
    );
    play(
        "hammering a login",
        "0 fail alice 203.0.113.1 -> 1
         1 fail alice 203.0.113.2 total=2 -> 2
         1 until alice -> 601
         599 fail alice 203.0.113.3 total=3 -> 3
         600 fail alice 203.0.113.4 total=3 -> 3
         600.999 before alice 203.0.113.9 -> tarpit 60
         601 before alice 203.0.113.9 -> pass
         602 fail alice 203.0.113.9 -> 1
         602 before alice 203.0.113.9 -> pass",
    );
    play(
        "an attempt that straddles the end",
        "0 fail alice 203.0.113.1 -> 1
         0 fail alice 203.0.113.2 total=2 -> 2
         590 before alice 203.0.113.3 -> tarpit 60
         650 after alice 203.0.113.3 -> pass
         650 fail alice 203.0.113.3 -> 1
         650 why alice -> 0:1/3(1/2)<710001",
    );
}

const BLOCKED_LOGIN: &str = "
    0 fail alice 203.0.113.1 -> 1
    1 fail alice 203.0.113.2 total=2 -> 2
";

#[test]
fn a_blocked_login_is_held_and_refused() {
    play(
        "even with the right password",
        &format!(
            "{BLOCKED_LOGIN}
         2 before alice 198.51.100.1 -> tarpit 60
         62 after alice 198.51.100.1 -> refuse login
         62 before ALICE 198.51.100.1 -> tarpit 60
         62 before bob 198.51.100.1 -> pass
         62 before alice -> tarpit 60"
        ),
    );
    play(
        "five from one party, then no more",
        &format!(
            "{BLOCKED_LOGIN}
         2 before alice 2001:db8:1:2::1 -> tarpit 60
         2 before alice 2001:db8:1:2::2 -> tarpit 60
         2 before alice 2001:db8:1:2::3 -> tarpit 60
         2 before alice 2001:db8:1:2::4 -> tarpit 60
         2 before alice 2001:db8:1:2::5 -> tarpit 60
         2 before alice 2001:db8:1:2::6 -> refuse full
         2 before alice 2001:db8:1:3::6 -> tarpit 60
         62 before alice 2001:db8:1:2::6 -> tarpit 60"
        ),
    );
    play("by a person", "0 block alice\n 1 before alice 198.51.100.1 -> refuse login");
}

#[test]
fn known_addresses_are_let_in() {
    play(
        "for thirty days",
        &format!(
            "0 ok alice 198.51.100.1 tag=5 -> news
         {}
         29d before alice 198.51.100.1 -> pass known
         29d after alice 198.51.100.1 -> pass known
         29d before alice 198.51.100.2 -> tarpit 60",
            "29d fail alice 203.0.113.1 -> 1\n 29d fail alice 203.0.113.2 total=2 -> 2"
        ),
    );
    play(
        "and not longer",
        "0 ok alice 198.51.100.1 -> news
         31d fail alice 203.0.113.1 -> 1
         31d fail alice 203.0.113.2 total=2 -> 2
         31d before alice 198.51.100.1 -> tarpit 60",
    );
    play(
        "a /64 is one address; a proxy is none; a blocked address is refused, owner or not",
        "0 ok alice 2001:db8:1:2::1 -> news
         0 ok alice 192.0.2.1 -> -
         1 fail alice 203.0.113.1 -> 1
         1 fail alice 203.0.113.2 total=2 -> 2
         2 before alice 2001:db8:1:2:3:4:5:6 -> pass known
         2 before alice 192.0.2.1 -> tarpit 60
         3 fail x 2001:db8:1:2::9 total=7 -> 7
         4 before alice 2001:db8:1:2::1 -> refuse address",
    );
    play_with(
        "unless that is switched off",
        Settings { known_for: None, ..settings() },
        "0 ok alice 198.51.100.1 -> news
         1 fail alice 203.0.113.1 -> 1
         1 fail alice 203.0.113.2 total=2 -> 2
         2 before alice 198.51.100.1 -> tarpit 60",
    );
}

#[test]
fn phones_are_no_guessers() {
    play(
        "the same wrong password counts once in ten minutes, and repeating it does not move that",
        "0 fail alice 203.0.113.1 tag=5 -> 1
         1 fail alice 203.0.113.1 tag=5 -> 0
         300 fail alice 203.0.113.2 tag=5 -> 0
         599.999 fail alice 203.0.113.1 tag=5 -> 0
         600 fail alice 203.0.113.1 tag=5 -> 1
         601 fail alice 203.0.113.1 tag=6 -> 1
         602 fail bob 203.0.113.1 tag=5 -> 1",
    );
    play(
        "a right password never counts, nor the one before it; the third does",
        "0 ok alice 198.51.100.1 tag=4 -> news
         1 ok alice 198.51.100.1 tag=5 -> news
         2 fail alice 203.0.113.1 tag=4 -> 0
         2 fail alice 203.0.113.1 tag=5 -> 0
         3 ok alice 198.51.100.1 tag=6 -> news
         4 fail alice 203.0.113.1 tag=4 -> 1
         4 fail alice 203.0.113.1 tag=5 -> 0",
    );
    play_with(
        "the profile by the text counts them all",
        Settings { profile: Profile::Text, ..settings() },
        "0 ok alice 198.51.100.1 tag=4 -> news
         1 fail alice 203.0.113.1 tag=4 -> 1
         2 fail alice 203.0.113.1 tag=5 -> 1
         3 fail alice 203.0.113.1 tag=5 -> 1
         4 fail alice 203.0.113.1 tag=5 -> 1
         5 fail alice 203.0.113.1 tag=5 -> 1
         5 before bob 203.0.113.1 -> refuse address",
    );
}

#[test]
fn shared_addresses_bear_more() {
    play(
        "two more for each login of the last hour",
        "0 ok a 203.0.113.1 -> news
         1 ok b 203.0.113.1 -> news
         2 ok b 203.0.113.1 -> -
         10 fail c 203.0.113.1 total=8 -> 8
         10 after c 203.0.113.1 -> pass
         10 why 203.0.113.1 -> 1:8/9<70001 2:8/35(1/6)<3610001 3:0/21(0/6)
         11 fail d 203.0.113.1 -> 1
         11 after c 203.0.113.1 -> refuse address
         11 lists 203.0.113.1 -> blocked",
    );
    play(
        "an hour later it is two more for all of them, and a month later it is five again",
        "0 ok a 203.0.113.1 -> news
         1 ok b 203.0.113.1 -> news
         3590 fail c 203.0.113.1 total=8 -> 8
         3590 after c 203.0.113.1 -> pass
         2h fail c 203.0.113.1 total=6 -> 6
         2h after c 203.0.113.1 -> pass
         7201 fail c 203.0.113.1 -> 1
         7201 after c 203.0.113.1 -> refuse address
         31d expire
         31d fail c 203.0.113.1 total=5 -> 5
         31d after c 203.0.113.1 -> refuse address",
    );
    let crowd = lines(30, |n| format!("{n} ok user{n} 203.0.113.1 -> news"));
    play(
        "but not more than fifty",
        &format!(
            "{crowd}
         40 fail c 203.0.113.1 total=49 -> 49
         40 after c 203.0.113.1 -> pass
         41 fail c 203.0.113.1 -> 1
         41 after c 203.0.113.1 -> refuse address
         41 lists 203.0.113.1 -> blocked"
        ),
    );
    play(
        "a proxy is never counted by address, but its logins are",
        "0 fail a 192.0.2.1 total=40 -> 40
         1 fail a 203.0.113.1 -> 1
         1 before b 192.0.2.1 -> pass
         1 before a 192.0.2.1 -> tarpit 60",
    );
}

#[test]
fn parties_of_ipv6_are_64s() {
    play(
        "one /64 rotates its addresses",
        "0 fail a 2001:db8:1:2::1 -> 1
         1 fail b 2001:db8:1:2::2 -> 1
         2 fail a 2001:db8:1:2::3 -> 1
         3 fail b 2001:db8:1:2::4 -> 1
         3 before a 2001:db8:1:2::5 -> pass
         4 fail a 2001:db8:1:2:ffff:: -> 1
         4 before z 2001:db8:1:2::5 -> refuse address
         4 before z 2001:db8:1:3::5 -> pass
         4 until 2001:db8:1:2::/64 -> 304
         # Three of one /64 on one login are one address.
         4 before a 203.0.113.1 -> pass
         9 fail a 2001:db8:1:4::1 -> 1
         9 before a 203.0.113.1 -> tarpit 60",
    );
    play(
        "an IPv4 address in IPv6 clothes is itself",
        "0 fail a ::ffff:203.0.113.1 total=3 -> 3\n 1 fail b 203.0.113.1 total=2 -> 2
         1 before z ::ffff:203.0.113.1 -> refuse address",
    );
}

#[test]
fn late_events_count_at_their_time() {
    play(
        "out of order",
        "60 fail a 203.0.113.1 -> 1
         0 fail b 203.0.113.1 now=61 -> 1
         30 fail a 203.0.113.1 now=61 -> 1
         20 fail b 203.0.113.1 now=61 -> 1
         61 after z 203.0.113.1 -> pass
         10 fail a 203.0.113.1 now=62 -> 1
         62 after z 203.0.113.1 -> refuse address
         62 until 203.0.113.1 -> 360",
    );
    play(
        "before the window",
        "60.001 fail a 203.0.113.1 total=4 -> 4
         0 fail b 203.0.113.1 now=61 -> 1
         61 after z 203.0.113.1 -> pass",
    );
    play(
        "a block that was over before it was known is none",
        "0 fail a 203.0.113.1 total=5 now=299.999 -> 5
         299.999 until 203.0.113.1 -> 300
         0 fail a 203.0.113.2 total=5 now=300 -> 5
         300 until 203.0.113.2 -> -
         300 lists 203.0.113.2 -> -",
    );
    play(
        "a clock that is ahead does not make the rest old",
        "1h fail a 203.0.113.1 now=0 -> 1
         1 fail a 203.0.113.1 total=4 -> 4
         1 until 203.0.113.1 -> 301",
    );
}

#[test]
fn log_and_gate_tell_of_one_attempt() {
    play(
        "four guesses and a refusal, told by the gate and again at the end",
        "0 fail a 203.0.113.1 sess=S -> 1
         1 fail b 203.0.113.1 sess=S -> 1
         2 fail a 203.0.113.1 sess=S -> 1
         3 fail b 203.0.113.1 sess=S -> 1
         4 fail a 203.0.113.1 sess=S refused -> 0
         5 fail a 203.0.113.1 sess=S via=front total=5 -> 0
         5 after z 203.0.113.1 -> pass
         6 fail a 203.0.113.1 sess=T -> 1
         6 after z 203.0.113.1 -> refuse address",
    );
    play(
        "the line of the password process waits a second",
        "0 fail a 203.0.113.1 sess=S via=auth tag=1 -> 0
         0.5 fail b 203.0.113.1 sess=S via=auth tag=2 -> 0
         0.999 poll -> 0
         1 poll -> 1
         1.2 fail b 203.0.113.1 sess=S via=front -> 0
         1.3 fail b 203.0.113.1 sess=S via=front -> 1
         9 poll -> 0",
    );
    play(
        "without a session the address stands for it, five seconds long",
        "0 fail a 203.0.113.1 sess=- via=front -> 1
         0.1 fail a 203.0.113.1 sess=- -> 0
         0.2 fail a 203.0.113.1 sess=- via=auth -> 0
         5.201 fail a 203.0.113.1 sess=- -> 1
         5.3 fail a - sess=- -> 1",
    );
    play(
        "unknown in the first database, right in the second",
        "0 fail a 203.0.113.1 sess=S via=auth -> 0
         0.1 fail b 203.0.113.1 sess=- via=auth -> 0
         0.3 ok a 203.0.113.1 sess=S via=front -> news
         0.4 ok b 203.0.113.1 sess=- via=front -> news
         0.5 fail c 203.0.113.1 sess=- via=auth -> 0
         0.6 ok b 203.0.113.1 sess=- via=front -> -
         9 poll -> 1",
    );
}

#[test]
fn guessers_are_published_and_forgetful_owners_are_not() {
    play(
        "five on three logins within an hour",
        "0 fail a 203.0.113.1 -> 1
         15m fail b 203.0.113.1 -> 1
         30m fail a 203.0.113.1 -> 1
         45m fail c 203.0.113.1 -> 1
         45m lists 203.0.113.1 -> -
         60m fail a 203.0.113.1 -> 1
         60m lists 203.0.113.1 -> auth
         60m before z 203.0.113.1 -> pass
         60m until 203.0.113.1 -> 608400",
    );
    play(
        "on two logins, or from where somebody logged in",
        "0 fail a 203.0.113.1 total=4 -> 4
         90 fail b 203.0.113.1 total=4 -> 4
         90 lists 203.0.113.1 -> -
         100 ok z 203.0.113.2 -> news
         1d fail a 203.0.113.2 total=4 -> 4
         1d fail b 203.0.113.2 -> 1
         1d fail c 203.0.113.2 -> 1
         1d lists 203.0.113.2 -> -
         1d fail d 203.0.113.2 -> 1
         1d lists 203.0.113.2 -> blocked",
    );
    play(
        "three blocks with three guesses",
        "0 fail a 203.0.113.1 total=5 tag=1 -> 1
         0 fail a 203.0.113.1 tag=2 -> 1
         1 fail a 203.0.113.1 tag=3 -> 1
         2 fail a 203.0.113.1 tag=4 -> 1
         3 fail a 203.0.113.1 tag=5 -> 1
         3 lists 203.0.113.1 -> blocked
         304 expire
         400 fail a 203.0.113.1 tag=6 -> 1
         400 fail a 203.0.113.1 tag=7 -> 1
         400 fail a 203.0.113.1 tag=8 -> 1
         400 fail a 203.0.113.1 tag=9 -> 1
         400 fail a 203.0.113.1 tag=10 -> 1
         400 lists 203.0.113.1 -> blocked
         705 expire
         800 fail a 203.0.113.1 tag=11 -> 1
         800 fail a 203.0.113.1 tag=12 -> 1
         800 fail a 203.0.113.1 tag=13 -> 1
         800 fail a 203.0.113.1 tag=14 -> 1
         800 why 203.0.113.1 -> 1:4/5<860001 2:5/5(1/3)<4000001 3:2/3(2/3)<86403001
         800 fail a 203.0.113.1 tag=15 -> 1
         800 lists 203.0.113.1 -> blocked auth",
    );
    play(
        "three blocks of whom nothing is told apart",
        "0 fail a 203.0.113.1 total=5 -> 5
         400 expire
         400 fail a 203.0.113.1 total=5 -> 5
         800 expire
         800 fail a 203.0.113.1 total=5 -> 5
         800 lists 203.0.113.1 -> blocked",
    );
}

#[test]
fn what_is_never_listed_passes() {
    play(
        "addresses and logins",
        "0 fail a 198.51.100.250 total=50 -> 50
         0 fail a 127.0.0.1 total=50 -> 50
         0 fail a 2001:db8:ffff::1 total=50 -> 50
         1 before z 198.51.100.250 -> pass never
         1 lists 198.51.100.250 -> -
         1 lists 127.0.0.1 -> -
         1 before z 2001:db8:ffff::1 -> pass never
         2 fail postmaster 203.0.113.1 -> 1
         2 fail postmaster 203.0.113.2 total=2 -> 2
         3 before Postmaster 203.0.113.3 -> pass
         3 until postmaster -> -
         4 fail postmaster 203.0.113.3 total=5 -> 5
         5 before postmaster 203.0.113.3 -> refuse address",
    );
    play(
        "nobody",
        "0 fail - 203.0.113.1 total=5 -> 5\n 0 fail - - -> 0\n 1 before - 203.0.113.1 -> refuse address
         1 fail a - total=5 -> 5\n 1 before a 203.0.113.2 -> pass",
    );
}

#[test]
fn an_outage_of_the_password_database_is_no_attack() {
    let owners = lines(6, |n| format!("0 ok user{n} 198.51.100.{n} tag={n} -> news"));
    play(
        "five owners fail with what was right",
        &format!(
            "{owners}
         100 fail user0 198.51.100.0 tag=0 -> 0
         101 fail user1 198.51.100.1 tag=1 -> 0
         102 fail user2 198.51.100.2 tag=2 -> 0
         103 fail user3 198.51.100.3 tag=3 -> 0
         103 fail x 203.0.113.1 -> 1
         104 fail user4 198.51.100.4 tag=4 -> 0
         104 fail x 203.0.113.1 total=50 -> 0
         163 fail x 203.0.113.1 total=50 -> 0
         163 after x 203.0.113.1 -> pass
         164 fail x 203.0.113.1 total=4 -> 4
         165 fail x 203.0.113.1 -> 1
         165 after x 203.0.113.1 -> refuse address"
        ),
    );
    play(
        "a database that says it is down, for owners at home; nobody else can say so",
        &format!(
            "{owners}
         100 down user0 198.51.100.0
         100 down user1 203.0.113.2
         100 down nobody 203.0.113.2
         101 down user2 198.51.100.2
         102 down user3 198.51.100.3
         103 fail x 203.0.113.1 -> 1
         104 down user4 198.51.100.4
         104 fail x 203.0.113.1 -> 1
         105 fail user5 198.51.100.5 tag=5 -> 0
         105 fail x 203.0.113.1 total=50 -> 0
         164 fail x 203.0.113.1 total=50 -> 0
         165 fail x 203.0.113.1 -> 1
         166 after x 203.0.113.1 -> pass"
        ),
    );
    play(
        "not from elsewhere: that would be a sprayer's luck",
        &format!(
            "{owners}
         100 fail user0 203.0.113.2 tag=0 -> 0
         101 fail user1 203.0.113.2 tag=1 -> 0
         102 fail user2 203.0.113.2 tag=2 -> 0
         103 fail user3 203.0.113.2 tag=3 -> 0
         104 fail user4 203.0.113.2 tag=4 -> 0
         104 fail x 203.0.113.1 -> 1"
        ),
    );
}

#[test]
fn people_are_told_how_far_it_is() {
    play(
        "levels",
        "0 ok alice 198.51.100.1 -> news
         5 ok alice 2001:db8:1:2::3 -> news
         10 fail alice 203.0.113.1 -> 1
         20 fail alice 203.0.113.1 -> 1
         30 why alice -> 0:2/3(1/2)<70001 2001:db8:1:2::/64@5 198.51.100.1@0
         30 why 203.0.113.1 -> 1:2/5<70001 2:2/5(1/3)<3610001 3:0/3(0/3)
         71 why 203.0.113.1 -> 1:1/5<80001 2:2/5(1/3)<3610001 3:0/3(0/3)
         81 why 203.0.113.1 -> 1:0/5 2:2/5(1/3)<3610001 3:0/3(0/3)
         81 why 203.0.113.0/24 -> -
         81 why nobody -> 0:0/3(0/2)",
    );
}

#[test]
fn an_address_can_be_held_too_if_a_rule_says_so() {
    let mut settings = settings();
    for rule in &mut settings.rules {
        if let Effect::Block { then, .. } = &mut rule.effect {
            *then = Then::Tarpit(std::time::Duration::from_secs(7));
        }
    }
    play_with(
        "held",
        settings,
        "0 fail a 203.0.113.1 total=5 -> 5
         1 before z 203.0.113.1 -> tarpit 7
         1 after z 203.0.113.1 -> refuse address",
    );
}

#[test]
fn a_right_password_that_was_refused_makes_nobody_known() {
    play(
        "the guesser of a guarded login stays out",
        "0 fail alice 203.0.113.1 -> 1
         1 fail alice 203.0.113.1 -> 1
         2 fail alice 203.0.113.2 -> 1
         3 after alice 203.0.113.2 -> refuse login
         # A table that knows no address would lock the owner out.
         3 nowhere alice -> pass
         3 block login:bob
         3 nowhere bob -> refuse login
         4 ok alice 203.0.113.2 refused -> -
         5 after alice 203.0.113.2 -> refuse login
         6 ok alice 203.0.113.2 -> news
         7 after alice 203.0.113.2 -> pass known",
    );
}

#[test]
fn a_login_that_is_guessed_from_nowhere_is_guarded_after_many() {
    use rules::{By, Rule, Trigger};
    let rule = Rule {
        name: "unseen".into(),
        by: By::LoginOnly,
        count: 4,
        distinct: None,
        on: Trigger::Event(base::EventKind::LoginFailed),
        ..rules::default_rules(crate::play::auth()).remove(0)
    };
    let rules = [rules::default_rules(crate::play::auth()), vec![rule]].concat();
    play_with(
        "four without an address, and none with one",
        Settings { rules, ..settings() },
        "0 ok alice 198.51.100.1 -> news
         1 fail alice - -> 1
         2 fail alice - -> 1
         3 fail alice 203.0.113.1 -> 1
         4 fail alice - -> 1
         5 before alice -> pass
         6 fail alice - -> 1
         7 before alice -> tarpit 60
         8 before alice 198.51.100.1 -> pass known",
    );
}
