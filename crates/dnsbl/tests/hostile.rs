//! Whatever comes in: no panic, no reply larger than its limit, none to a response, and only well-formed ones.

use std::sync::LazyLock;

use crate::common::{AUTH, DYNA, SPAM, World, query, question_bytes, settings, text};
use dnsbl::serve::Transport;
use proptest::prelude::*;

thread_local! {
    static WORLD: LazyLock<World> = const { LazyLock::new(|| {
        World::new(&settings(), &[("192.0.2.1", DYNA), ("198.51.100.0/24", SPAM), ("2001:db8::/64", AUTH)])
    }) };
}

fn transports() -> impl Strategy<Value = Transport> {
    prop_oneof![Just(Transport::Tcp), (0u16..=1500).prop_map(|max| Transport::Udp { max })]
}

/// Questions whose pieces are mostly right.
fn questions() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![3 => "(0|1|2|51|100|127|192|198|255)", 2 => "[0-9a-f]", 1 => "[a-z]{1,9}"];
    let parts = prop::collection::vec(part, 0..36).prop_map(|parts| parts.join("."));
    let zone = prop::sample::select(vec!["dyna", "spam", "auth", "all", "@", "x", "ALL"]);
    let kind = prop::sample::select(vec!["A", "TXT", "AAAA", "SOA", "NS", "ANY", "DS", "AXFR", "OPT", "MX"]);
    let option = prop::sample::select(vec!["", "+edns", "+do +nsid", "+v1", "+rd", "+cd +edns=512", "+unknown", "+ch"]);
    (parts, zone, kind, option).prop_map(|(parts, zone, kind, option)| {
        let name = match (parts.is_empty(), zone) {
            (true, zone) => zone.to_string(),
            (false, "@") => parts,
            (false, zone) => format!("{parts}.{zone}"),
        };
        query(&format!("{name} {kind} {option}"))
    })
}

/// Asks, and checks what holds for every reply. Returns the reply.
fn ask(transport: Transport, message: &[u8]) -> Vec<u8> {
    let reply = WORLD.with(|world| world.raw(transport, message));
    let is_response = message.get(2).is_none_or(|flags| flags & 0x80 != 0);
    if is_response || message.len() < 12 {
        assert!(reply.is_empty(), "no reply to what is no query");
        return reply;
    }
    assert!(reply.len() >= 12 && reply[..2] == message[..2] && reply[2] & 0x80 != 0);
    assert_eq!(reply[3] & 0xe0, 0, "RA, Z and AD are clear");
    if let Transport::Udp { max } = transport {
        assert!(reply.len() <= usize::from(max).max(512));
    }
    // Reads every octet of it, and fails where something does not belong.
    text(&reply);
    reply
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn noise(message in prop::collection::vec(any::<u8>(), 0..600), transport in transports()) {
        ask(transport, &message);
    }

    #[test]
    fn noise_behind_a_header(body in prop::collection::vec(any::<u8>(), 0..300), additional in 0u8..3, transport in transports()) {
        let mut message = vec![0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, additional];
        message.extend_from_slice(&body);
        ask(transport, &message);
    }

    #[test]
    fn questions_and_damaged_ones(
        message in questions(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::weighted(0.1, any::<prop::sample::Index>()),
        transport in transports(),
    ) {
        let mut message = message;
        let whole = ask(transport, &message);
        let end = 12 + question_bytes(&message);
        if whole.len() > 12 && whole[5] == 1 {
            prop_assert_eq!(&whole[12..end], &message[12..end], "letter case is kept");
        }
        for (place, value) in damage {
            let place = place.index(message.len());
            message[place] = value;
        }
        if let Some(cut) = cut {
            message.truncate(cut.index(message.len()));
        }
        ask(transport, &message);
    }
}

#[test]
fn the_largest_messages_cost_little() {
    let mut header = query("1.2.0.192.dyna A");
    // As many additional records as 64 KiB hold, each the smallest possible.
    let record = [0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0];
    let count = (65_535 - header.len()) / record.len();
    header[10..12].copy_from_slice(&u16::try_from(count).unwrap().to_be_bytes());
    let message = [header, record.repeat(count)].concat();
    assert!(text(&ask(Transport::Tcp, &message)).starts_with("NOERROR"));
    // Names of pointers that point at each other are passed over, not followed.
    let mut looped = query("1.2.0.192.dyna A");
    looped[11] = 1;
    let at = u8::try_from(looped.len()).unwrap();
    looped.extend_from_slice(&[0xc0, at, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
    assert!(text(&ask(Transport::Tcp, &looped)).starts_with("NOERROR"));
}

#[test]
fn the_longest_name_fits_the_smallest_reply() {
    let labels = "1.".repeat((255 - 1 - crate::common::wire_name("dyna").len()) / 2);
    let reply = ask(Transport::Udp { max: 512 }, &query(&format!("{labels}dyna A +do +nsid")));
    assert!(text(&reply).starts_with("NXDOMAIN aa | dyna 150 SOA"), "{}", text(&reply));
}
