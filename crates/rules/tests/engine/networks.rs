//! Whole networks against a naive model: enough different addresses within the time, and never across anybody protected.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::{Address, Event, EventKind, ListId, Network, Subject, Tally, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use rules::{Engine, ReverseName};

use crate::play::{BEGIN, engine};
use crate::reputation::settings;

/// The list of whole networks.
const NULL: ListId = ListId::new(5);

/// How many different parties each kind of network takes, as `reputation` has its rules.
const KINDS: [(u8, u8, usize); 3] = [(32, 24, 3), (64, 56, 3), (64, 48, 5)];

const WITHIN: Duration = Duration::from_hours(7 * 24);

/// Addresses in few networks, some of which hold somebody who is never listed.
fn addresses() -> impl Strategy<Value = Address> {
    let v4 = (0_u8..3, 1_u8..12).prop_map(|(net, host)| {
        // 198.51.100.250 is on the never-list.
        let net = [[198, 51, 100], [203, 0, 113], [192, 0, 3]][usize::from(net)];
        Address::new([net[0], net[1], net[2], host].into())
    });
    let v6 = (0_u16..2, 0_u16..3, 0_u16..5).prop_map(|(site, customer, net)| {
        // 2001:db8:ffff::/48 is on the never-list.
        let site = if site == 0 { 0xffff } else { 1 };
        Address::new(std::net::Ipv6Addr::new(0x2001, 0xdb8, site, customer << 8 | net, 0, 0, 0, 9).into())
    });
    prop_oneof![v4, v6]
}

fn event(at: Timestamp, kind: EventKind, address: Address) -> Event<'static> {
    Event {
        time: at,
        kind,
        service: "smtp",
        address: Some(address),
        login: (kind == EventKind::LoginOk).then_some("alice"),
        session: None,
        password: None,
        channel: base::Channel::Gate,
        tally: Tally::One,
        reporter: None,
    }
}

/// Has a party listed, as abusers without a name are.
fn list(engine: &Engine, at: Timestamp, address: Address) {
    for second in 0..4 {
        let at = at.plus(Duration::from_secs(second));
        drop(engine.observe(at, &event(at, EventKind::UnknownRecipient, address)));
    }
    while let Some(wanted) = engine.poll_name() {
        engine.name_known(at.plus(Duration::from_secs(4)), wanted, Some(ReverseName::Missing));
    }
}

proptest! {
    #[test]
    fn networks_are_listed_for_enough_addresses_and_never_across_the_protected(
        steps in vec((addresses(), 0_u64..40, 0_u8..12), 1..60),
    ) {
        let engine = engine(settings());
        let mut at = BEGIN;
        // When each party was listed first, and whence somebody logged in.
        let mut listed: BTreeMap<Network, Timestamp> = BTreeMap::new();
        let mut homes: BTreeSet<Network> = BTreeSet::new();
        for (address, hours, what) in steps {
            at = at.plus(Duration::from_hours(hours) + Duration::from_secs(10));
            _ = engine.book().expire(at);
            let party = address.aggregate();
            let before = listed.len();
            if what == 0 {
                drop(engine.observe(at, &event(at, EventKind::LoginOk, address)));
                homes.extend(KINDS.iter().map(|(_, length, _)| Network::containing(address, *length)));
            } else if !listed.contains_key(&party) {
                list(&engine, at, address);
                let its_own = engine.book().about(&party.into()).into_iter().find(|it| it.subject == party.into());
                listed.extend(its_own.map(|listing| (party, listing.since)));
            }
            for listing in engine.book().all(Some(NULL), usize::MAX) {
                let Subject::Network(network) = listing.subject else { unreachable!("only networks are on this list") };
                let (_, _, enough) = KINDS.into_iter().find(|(_, length, _)| *length == network.length()).unwrap();
                let inside = |(party, since): &(&Network, &Timestamp)| {
                    network.overlaps(**party) && **since <= listing.since && listing.since.since(**since) <= WITHIN
                };
                prop_assert!(listed.iter().filter(inside).count() >= enough, "{} at {}", network, listing.since);
                prop_assert!(!engine.book().never_list().covers(&network.into()), "{} is protected", network);
                prop_assert!(listing.until.moment().is_some(), "{} never ends", network);
            }
            // Whoever has enough for the first time, and nobody to protect, is listed.
            for (of, length, enough) in KINDS {
                let network = Network::containing(address, length);
                let is_kind = party.length() == of && !homes.contains(&network);
                let inside: Vec<_> = listed.iter().filter(|(party, _)| network.overlaps(**party)).collect();
                let is_new = listed.len() > before && inside.len() == enough;
                let newest = listed.get(&party).copied().unwrap_or(at);
                let is_within = inside.iter().all(|(_, since)| newest.since(**since) <= WITHIN);
                if is_kind && is_new && is_within && !engine.book().never_list().covers(&network.into()) {
                    let lists = engine.book().all(Some(NULL), usize::MAX);
                    prop_assert!(lists.iter().any(|it| it.subject == network.into()), "{} has {}", network, enough);
                }
            }
        }
    }
}
