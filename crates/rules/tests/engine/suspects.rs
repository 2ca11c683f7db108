//! Guessing that has a network, an autonomous system or a password in common.

use std::sync::Arc;
use std::time::Duration;

use base::{Address, EventKind};
use rules::{By, Distinct, Effect, Of, Rule, Settings, Systems, Trigger, Width};

use crate::play::{BEGIN, engine, observe_failure, play_on, play_with};

const DAY: Duration = Duration::from_hours(24);

fn rule(by: By, count: u16, at_least: u16) -> Rule {
    Rule {
        name: format!("{by:?}").into(),
        on: Trigger::Event(EventKind::LoginFailed),
        by,
        count,
        within: 30 * DAY,
        distinct: Some(Distinct { of: Of::Login, at_least }),
        unless_known: false,
        per_good: 0,
        reverse: None,
        effect: Effect::BlockAddresses { span: DAY },
    }
}

fn settings() -> Settings {
    let networks = [Width::V4Bits24, Width::V6Bits48].map(|width| rule(By::Network(width), 6, 3));
    let rules = networks.into_iter().chain([rule(By::Password, 4, 4), rule(By::System, 5, 3)]).collect();
    Settings { rules, ..Settings::default() }
}

fn play(name: &str, script: &str) {
    play_with(name, settings(), script);
}

#[test]
fn a_network_of_guessers_is_blocked_address_by_address() {
    play(
        "three addresses, each too slow for a rule of its own",
        "0 fail alice 203.0.1.1 -> 1
         1h fail bob 203.0.1.2 -> 1
         2h fail carol 203.0.1.3 -> 1
         3h fail alice 203.0.1.1 -> 1
         4h fail bob 203.0.1.2 -> 1
         5h poll -> 0
         5h lists 203.0.1.1 -> -
         6h fail dave 203.0.1.3 -> 1
         21899 lists 203.0.1.3 -> -
         21900 poll -> 0
         # Who made it one is blocked from his own last attempt on, to the second.
         21900 until 203.0.1.3 -> 107999.877
         21900 until 203.0.1.2 -> 100799.877
         21900 until 203.0.1.1 -> 97199.877
         # An innocent neighbour is neither blocked nor published.
         21900 lists 203.0.1.9 -> -
         21900 before erin 203.0.1.9 -> pass
         # Whoever fails next has five minutes to get in.
         7h fail erin 203.0.1.7 -> 1
         25499 poll -> 0
         25499 lists 203.0.1.7 -> -
         25500 poll -> 0
         25500 lists 203.0.1.7 -> blocked
         8h fail erin 203.0.2.7 -> 1
         9h poll -> 0
         9h lists 203.0.2.7 -> -
         # It is over a day after its last failure.
         32h fail erin 203.0.1.8 -> 1
         33h poll -> 0
         33h lists 203.0.1.8 -> -",
    );
    play(
        "sites of IPv6",
        "0 fail alice 2001:db8:1:1::1 -> 1
         1h fail bob 2001:db8:1:2::1 -> 1
         2h fail carol 2001:db8:1:3::1 -> 1
         3h fail dave 2001:db8:1:4::1 -> 1
         4h fail erin 2001:db8:1:5::1 -> 1
         5h fail frank 2001:db8:1:6::1 -> 1
         6h fail grace 2001:db8:1:7::1 -> 1
         7h poll -> 0
         7h lists 2001:db8:1:7::1 -> blocked
         7h lists 2001:db8:1:8::1 -> -",
    );
    play(
        "attempts that name no login",
        "0 saw login-failed - 203.0.1.1
         1h saw login-failed - 203.0.1.2
         2h saw login-failed - 203.0.1.3
         3h saw login-failed - 203.0.1.1
         4h saw login-failed - 203.0.1.2
         5h saw login-failed - 203.0.1.3
         6h poll -> 0
         6h lists 203.0.1.3 -> blocked",
    );
}

#[test]
fn neither_homes_nor_stale_phones_are_suspects() {
    let failures = "1h fail alice 203.0.1.1 -> 1
         2h fail bob 203.0.1.2 -> 1
         3h fail carol 203.0.1.3 -> 1
         4h fail dave 203.0.1.1 -> 1
         5h fail erin 203.0.1.2 -> 1
         6h fail frank 203.0.1.3 -> 1
         7h fail grace 203.0.1.4 -> 1
         8h poll -> 0
         8h lists 203.0.1.4 -> ";
    play("one of us is at home there", &format!("0 ok zoe 203.0.1.99 -> news\n{failures}-"));
    play("nobody is", &format!("0 ok zoe 203.0.2.99 -> news\n{failures}blocked"));
    play(
        "one device that travels through a carrier's addresses",
        "0 fail alice 203.0.1.1 -> 1
         1h fail alice 203.0.1.2 -> 1
         2h fail alice 203.0.1.3 -> 1
         3h fail alice 203.0.1.4 -> 1
         4h fail alice 203.0.1.5 -> 1
         5h fail alice 203.0.1.6 -> 1
         6h fail alice 203.0.1.7 -> 1
         7h poll -> 0
         7h lists 203.0.1.7 -> -",
    );
}

#[test]
fn one_password_on_many_logins_gives_its_addresses_away() {
    play(
        "from four networks",
        "0 fail alice 203.0.1.1 same=7 -> 1
         1d fail bob 203.0.2.1 same=7 -> 1
         2d fail carol 203.0.3.1 same=7 -> 1
         2d fail carol 203.0.9.1 same=8 -> 1
         3d fail dave 203.0.4.1 same=7 -> 1
         4d fail erin 203.0.5.1 same=7 -> 1
         345900 poll -> 0
         345900 lists 203.0.9.1 -> -
         345900 lists 203.0.5.1 -> blocked",
    );
    play(
        "a hash of login and password says nothing of other logins",
        "0 fail alice 203.0.1.1 tag=7 -> 1
         1h fail bob 203.0.2.1 tag=7 -> 1
         2h fail carol 203.0.3.1 tag=7 -> 1
         3h fail dave 203.0.4.1 tag=7 -> 1
         4h fail erin 203.0.5.1 tag=7 -> 1
         5h poll -> 0
         5h lists 203.0.5.1 -> -",
    );
}

/// 203.0.0.0/16 is of system 64500, all else unknown.
#[derive(Debug)]
struct Sixteen;

impl Systems for Sixteen {
    fn system_of(&self, address: Address) -> Option<u32> {
        address.to_string().starts_with("203.0.").then_some(64_500)
    }
}

#[test]
fn a_system_of_strangers_is_a_suspect_until_somebody_logs_in_from_it() {
    let failures = "0 fail alice 203.0.1.1 -> 1
         1h fail bob 203.0.2.1 -> 1
         2h fail carol 203.0.3.1 -> 1
         3h fail dave 203.0.4.1 -> 1
         4h fail erin 203.0.5.1 -> 1
         5h fail frank 203.0.6.1 -> 1
         6h poll -> 0
         6h lists 203.0.6.1 -> ";
    let with_systems = || engine(settings()).with_systems(Arc::new(Sixteen));
    play_on("strangers", &with_systems(), &format!("{failures}blocked"));
    play_on("one of us", &with_systems(), &format!("0 ok zoe 203.0.200.1 -> news\n{failures}-"));
    play("no file", &format!("{failures}-"));
}

#[test]
fn a_flood_of_networks_takes_bounded_room() {
    let engine = engine(settings());
    for number in 0..300_000_u32 {
        let address = core::net::Ipv4Addr::from_bits(0x1400_0000 + (number << 8)).to_string();
        observe_failure(&engine, BEGIN.plus(Duration::from_millis(number.into())), "alice", &address);
    }
    assert!(engine.bytes() < 48 << 20, "{}", engine.bytes());
}
