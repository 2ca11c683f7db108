//! Random listings, and for each question the reply of a naive model: a scan over all listings.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::common::{LISTS, World, settings};
use base::{Address, ListId, Network};
use proptest::prelude::*;

/// What a name is.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Model {
    Codes(Vec<u8>),
    NoData,
    Nothing,
}

/// All names that exist in the zone of `members`, as networks: an address by its /32 or /128, a part of one by its own.
fn model(listed: &[(Network, ListId)], members: &[(ListId, &str, u8)], labels: &[String]) -> Model {
    let mut all: Vec<(Network, u8)> = Vec::new();
    for (list, _, code) in members {
        all.extend(listed.iter().filter(|(_, on)| on == list).map(|(network, _)| (*network, *code)));
        for entry in [2, *code] {
            all.push((Network::containing(Address::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, entry))), 32), *code));
        }
    }
    let codes = |address: Address| {
        let mut codes: Vec<u8> = all.iter().filter(|(n, _)| n.contains(address)).map(|(_, code)| *code).collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    };
    let octets: Option<Vec<u8>> = labels.iter().map(|l| l.parse().ok().filter(|o: &u8| o.to_string() == *l)).collect();
    let nibbles: Option<Vec<u8>> =
        labels.iter().map(|l| u8::from_str_radix(l, 16).ok().filter(|_| l.len() == 1)).collect();
    // IPv6 in its own notation holds IPv4 too, so the model looks at 128 bits.
    let wide: Vec<(u128, u32)> = all.iter().map(|(network, _)| bits(*network)).collect();
    let exists = |value: u128, length: u32| {
        wide.iter().any(|(base, other)| {
            let shared = length.min(*other);
            shared == 0 || (value ^ base) >> (128 - shared) == 0
        })
    };
    let mut has_below = false;
    if let Some(octets) = octets.filter(|octets| octets.len() <= 4) {
        let mut bytes = [0; 4];
        octets.iter().rev().enumerate().for_each(|(index, octet)| bytes[index] = *octet);
        let address = Ipv4Addr::from(bytes);
        if octets.len() == 4 {
            let codes = codes(Address::new(address.into()));
            if !codes.is_empty() {
                return Model::Codes(codes);
            }
        } else {
            has_below |= exists(address.to_ipv6_mapped().to_bits(), 96 + 8 * octets.len() as u32);
        }
    }
    if let Some(nibbles) = nibbles.filter(|nibbles| nibbles.len() <= 32) {
        let value = nibbles.iter().enumerate().map(|(i, n)| u128::from(*n) << (4 * (32 - nibbles.len() + i))).sum();
        if nibbles.len() == 32 {
            let codes = codes(Address::new(IpAddr::V6(Ipv6Addr::from_bits(value))));
            if !codes.is_empty() {
                return Model::Codes(codes);
            }
        } else {
            has_below |= exists(value, 4 * nibbles.len() as u32);
        }
    }
    if has_below { Model::NoData } else { Model::Nothing }
}

fn bits(network: Network) -> (u128, u32) {
    let length = u32::from(network.length());
    match network.base() {
        IpAddr::V4(v4) => (v4.to_ipv6_mapped().to_bits(), 96 + length),
        IpAddr::V6(v6) => (v6.to_bits(), length),
    }
}

fn server(world: &World, question: &str) -> Model {
    let reply = world.ask(question);
    if reply.starts_with("NXDOMAIN aa | ") {
        return Model::Nothing;
    }
    if reply.starts_with("NOERROR aa | ") {
        return Model::NoData;
    }
    let code = |record: &str| record.rsplit('.').next().unwrap().parse().unwrap();
    Model::Codes(reply.split_once("; ").unwrap_or_else(|| panic!("{reply}")).1.split(", ").map(code).collect())
}

/// Few values, so that listings and questions meet often.
fn v4() -> impl Strategy<Value = Ipv4Addr> {
    let octet = || prop::sample::select(vec![1u8, 2, 9, 100, 255]);
    (prop::sample::select(vec![1u8, 2, 192, 198, 100]), octet(), octet(), octet())
        .prop_map(|(a, b, c, d)| Ipv4Addr::new(a, b, c, d))
}

fn v6() -> impl Strategy<Value = Ipv6Addr> {
    let word = || prop::sample::select(vec![0u16, 1, 0x1291, 0xdb8, 0xffff]);
    let first = prop::sample::select(vec![0x2001u16, 0x1291, 0x2, 0x1219]);
    (first, word(), word(), word(), word(), word()).prop_map(|(a, b, c, d, e, f)| Ipv6Addr::new(a, b, c, d, e, 0, 0, f))
}

fn networks() -> impl Strategy<Value = Network> {
    prop_oneof![
        3 => v4().prop_map(|a| Network::containing(Address::new(a.into()), 32)),
        2 => (v4(), 8u8..32).prop_map(|(a, l)| Network::containing(Address::new(a.into()), l)),
        1 => v6().prop_map(|a| Network::containing(Address::new(a.into()), 128)),
        2 => (v6(), 16u8..128).prop_map(|(a, l)| Network::containing(Address::new(a.into()), l)),
    ]
}

/// Labels of an address or of its end, the last part first as in names.
fn names() -> impl Strategy<Value = Vec<String>> {
    let dotted = |a: Ipv4Addr| a.octets().iter().rev().map(u8::to_string).collect::<Vec<_>>();
    let nibbles = |a: Ipv6Addr| (0..32).map(|n| format!("{:x}", a.to_bits() >> (4 * n) & 15)).collect::<Vec<_>>();
    let whole = prop_oneof![
        3 => v4().prop_map(dotted),
        3 => v6().prop_map(nibbles),
        1 => v4().prop_map(move |a| nibbles(a.to_ipv6_mapped())),
        1 => (0u8..40).prop_map(move |last| dotted(Ipv4Addr::new(127, 0, 0, last))),
        1 => (0u8..40).prop_map(move |last| nibbles(Ipv4Addr::new(127, 0, 0, last).to_ipv6_mapped())),
    ];
    (whole, prop::option::weighted(0.6, any::<prop::sample::Index>())).prop_map(|(labels, cut)| {
        // At least one label is left: none is the zone's own name.
        let from = cut.map_or(0, |cut| cut.index(labels.len()));
        labels[from..].to_vec()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn replies_are_those_of_a_scan(
        listed in prop::collection::vec((networks(), 0..LISTS.len()), 0..12),
        names in prop::collection::vec(names(), 40),
    ) {
        let world = World::new(&settings(), &[]);
        let mut known: Vec<(Network, ListId)> = Vec::new();
        for (network, index) in listed {
            let list = LISTS[index].0;
            let allowed = !world.book.never_list().covers_on(&base::Subject::Network(network), list);
            if allowed && !known.contains(&(network, list)) {
                crate::common::list(&world.book, &network.to_string(), list);
                known.push((network, list));
            }
        }
        for labels in names {
            for (zone, members) in [("dyna", &LISTS[..1]), ("policy", &LISTS[..2]), ("all", &LISTS[..])] {
                let question = format!("{}.{zone} A", labels.join("."));
                prop_assert_eq!(server(&world, &question), model(&known, members, &labels), "{} {:?}", question, known);
            }
        }
    }
}
