use core::fmt::Write as _;
use core::net::{Ipv4Addr, Ipv6Addr};

use base::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::datasets::{Options, Source, read};

fn table(kind: Kind, text: &str) -> Table {
    let source = Source { name: "list", bytes: text.as_bytes(), modified: 0 };
    let options = Options { may_be_wide: true, ..Options::default() };
    Table::new(&read(kind, &[source], Timestamp::EPOCH, options).unwrap()).unwrap()
}

/// The last octets of the codes for an address; nothing if it is not listed.
fn codes(table: &Table, address: &str) -> Vec<u8> {
    let address: Address = address.parse().unwrap();
    let asked = match address.ip() {
        IpAddr::V4(v4) => Asked { ip4: Some(v4.to_bits()), ..Asked::NOTHING },
        IpAddr::V6(v6) => Asked { ip6: Some(v6.to_bits()), ..Asked::NOTHING },
    };
    match table.find(&asked) {
        Found::Listed(set, _) => table.answers_of(set).map(|answer| answer.code.octets()[3]).collect(),
        Found::Records(_) | Found::Above | Found::Nothing => Vec::new(),
    }
}

#[test]
fn sets_and_tries_count_differently() {
    let text =
        "10.0.0.0/8 :3:\n!10.1.0.0/16\n10.1.2.0/24 :4:\n10.1.2.0/24 :5:\n10.1.2.3 :6:\n10.1.2.4/31 :7:\n!10.1.2.5\n";
    let (set, trie) = (table(Kind::Ip4Set, text), table(Kind::Ip4Trie, text));
    let cases: [(&str, &[u8], &[u8]); 6] = [
        ("10.9.9.9", &[3], &[3]),
        ("10.1.9.9", &[], &[]),
        ("10.1.2.9", &[4, 5], &[4]),
        ("10.1.2.3", &[6], &[6]),
        ("10.1.2.4", &[7], &[7]),
        ("10.1.2.5", &[], &[]),
    ];
    for (address, of_set, of_trie) in cases {
        assert_eq!((&*codes(&set, address), &*codes(&trie, address)), (of_set, of_trie), "{address}");
    }
    let part = |table: &Table, base: u32, length| {
        matches!(table.find(&Asked { part4: [Some((base, length)), None], ..Asked::NOTHING }), Found::Above)
    };
    assert!(part(&set, 0x0a00_0000, 8) && part(&set, 0x0a01_0000, 16) && !part(&set, 0x0a01_0300, 24));
    assert!(!part(&set, 0x0b00_0000, 8));
}

#[test]
fn ip6_networks_of_every_length() {
    let text = "2001:db8::/32 :3:\n!2001:db8:1::/48\n2001:db8:1:2::/64 :4:\n!2001:db8:1:2::/80\n2001:db8:1:2::1 :5:\n";
    let trie = table(Kind::Ip6Trie, text);
    let cases: [(&str, &[u8]); 6] = [
        ("2001:db8::1", &[3]),
        ("2001:db8:1::1", &[]),
        ("2001:db8:1:2:1::", &[4]),
        ("2001:db8:1:2::2", &[]),
        ("2001:db8:1:2::1", &[5]),
        ("2001:db9::", &[]),
    ];
    for (address, wanted) in cases {
        assert_eq!(codes(&trie, address), wanted, "{address}");
    }
    let halves = table(Kind::Ip6TSet, ":9:\n2001:db8:0:1\n!2001:db8:0:1::5\n");
    assert_eq!((codes(&halves, "2001:db8:0:1::4"), codes(&halves, "2001:db8:0:1::5")), (vec![9], vec![]));
}

#[test]
fn one_address_costs_little_more_than_two_bytes() {
    let mut text = String::new();
    for n in 0..200_000_u32 {
        let address = Ipv4Addr::from_bits(n.wrapping_mul(0x9e37_79b9));
        writeln!(text, "{address} :{}:", 2 + n % 3).unwrap();
    }
    let table = table(Kind::Ip4Set, &text);
    let index = 4 << 16;
    let bytes = (table.heap_bytes() - index) as f64 / 200_000.0;
    assert!(bytes < 2.4, "{bytes} bytes per address, the index of 256 KiB apart");
}

/// A range with its value; 0 excludes.
type Range = (u32, u32, u32);

/// What `ip4set` says, by looking at each of the widths of octets.
fn scan(ranges: &[Range], address: u32) -> Vec<u8> {
    for host_bits in [0_u32, 8, 16, 24] {
        let (first, last) = (address >> host_bits << host_bits, address | ((1 << host_bits) - 1));
        // A range has a piece of this width here if it holds the block, and not the next wider one.
        let has_piece = |range: &&Range| {
            let wider = host_bits + 8;
            let (wide_first, wide_last) = (
                address.checked_shr(wider).unwrap_or(0).checked_shl(wider).unwrap_or(0),
                address | u32::MAX.checked_shr(32 - wider).unwrap_or(u32::MAX),
            );
            let holds = |first, last| range.0 <= first && range.1 >= last;
            holds(first, last) && (host_bits == 24 || !holds(wide_first, wide_last))
        };
        let mut values: Vec<u8> = ranges.iter().filter(has_piece).map(|range| range.2 as u8).collect();
        values.sort_unstable();
        values.dedup();
        match values.first() {
            None => {}
            Some(0) => return Vec::new(),
            Some(_) => return values,
        }
    }
    Vec::new()
}

fn exported(table: &Table) -> String {
    let mut text = String::new();
    table.networks(|network, code| match code {
        Some(code) => writeln!(text, "{network} :{code}:").unwrap(),
        None => writeln!(text, "!{network}").unwrap(),
    });
    text
}

#[test]
fn what_is_exported_says_the_same() {
    let text = ":3:\n10.0.0.0-10.0.2.9\n!10.0.1.7\n10.0.1.8 :4:\n!10.0.2.0-3\n";
    let set = table(Kind::Ip4Set, text);
    let trie = table(Kind::Ip4Trie, &exported(&set));
    for low in 0..0x400_u32 {
        let address = Ipv4Addr::from_bits(0x0a00_0000 + low).to_string();
        assert_eq!(codes(&set, &address), codes(&trie, &address), "{address}");
    }
    let text =
        "::/0 :3:\n2001:db8::/32 :4:\n!2001:db8:1::/48\n2001:db8:1:2 :5:\n!2001:db8:1:2::/80\n2001:db8:1:2::1 :6:\n";
    let six = table(Kind::Ip6Trie, text);
    let again = table(Kind::Ip6Trie, &exported(&six));
    for address in
        ["1::", "2001:db8::1", "2001:db8:1::1", "2001:db8:1:2:1::", "2001:db8:1:2::2", "2001:db8:1:2::1", "f::"]
    {
        assert_eq!(codes(&six, address), codes(&again, address), "{address}");
    }
}

proptest! {
    #[test]
    fn ranges_equal_a_scan(
        ranges in prop::collection::vec((0_u32..0x3_0000, 0_u32..0x2_0400, 0_u32..4), 1..12),
        probes in prop::collection::vec(0_u32..0x6_0000, 40),
    ) {
        let ranges: Vec<Range> = ranges.into_iter().map(|(a, span, value)| {
            let value = if value == 0 { 0 } else { value + 1 };
            (0x0a00_0000 + a / 3 * 3, 0x0a00_0000 + a / 3 * 3 + span, value)
        }).collect();
        let line = |(first, last, value): &Range| {
            let (first, last) = (Ipv4Addr::from_bits(*first), Ipv4Addr::from_bits(*last));
            if *value == 0 { format!("!{first}-{last}\n") } else { format!("{first}-{last} :{value}:\n") }
        };
        let table = table(Kind::Ip4Set, &ranges.iter().map(line).collect::<String>());
        let edges = ranges.iter().flat_map(|range| [range.0, range.1, range.0 - 1, range.1 + 1]);
        for address in edges.chain(probes.into_iter().map(|probe| 0x0a00_0000 + probe)) {
            let mut got = codes(&table, &Ipv4Addr::from_bits(address).to_string());
            got.sort_unstable();
            prop_assert_eq!(got, scan(&ranges, address), "{}", Ipv4Addr::from_bits(address));
        }
    }

    #[test]
    fn ip6_equals_a_scan(
        networks in prop::collection::vec((0_u128..8, 0_u32..6, 0_u8..=128, 0_u32..3), 1..12),
        probes in prop::collection::vec((0_u128..8, 0_u32..6), 30),
    ) {
        let bits = |(low, place): (u128, u32)| low << [0, 3, 60, 63, 70, 120][place as usize];
        let mut all: Vec<(u128, u8, u32)> = Vec::new();
        for (low, place, length, value) in networks {
            let base = bits((low, place)) & !u128::MAX.checked_shr(length.into()).unwrap_or(0);
            if !all.iter().any(|other| (other.0, other.1) == (base, length)) {
                all.push((base, length, if value == 0 { 0 } else { value + 1 }));
            }
        }
        let line = |(base, length, value): &(u128, u8, u32)| {
            let network = format!("{:x?}", Ipv6Addr::from_bits(*base).segments()).replace(", ", ":");
            let network = network.trim_matches(['[', ']']).to_owned();
            if *value == 0 { format!("!{network}/{length}\n") } else { format!("{network}/{length} :{value}:\n") }
        };
        let table = table(Kind::Ip6Trie, &all.iter().map(line).collect::<String>());
        for probe in probes {
            let probe = bits(probe);
            let holds = |network: &&(u128, u8, u32)| (probe ^ network.0).leading_zeros() >= u32::from(network.1);
            let wanted = all.iter().filter(holds).max_by_key(|network| network.1).map_or(0, |network| network.2);
            let asked = Asked { ip6: Some(probe), ..Asked::NOTHING };
            let got = match table.find(&asked) {
                Found::Listed(set, _) => table.answers_of(set).next().map_or(0, |answer| u32::from(answer.code.octets()[3])),
                Found::Records(_) | Found::Above | Found::Nothing => 0,
            };
            prop_assert_eq!(got, wanted, "{:x}", probe);
        }
    }
}
