use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::HashMap;

use base::{Address, Network};

use super::keys::{Hosts, Prefix, Singles, Spans};
use super::names::{Listed, Names, Ready, Records};
use super::texts::Answer;
use crate::datasets::{self, Body, Dataset, EXCLUDED, Ip4Entry, Ip6Entry, Kind, NameEntry, ValueId};

/// Most different values of one entry: more would not fit into a reply of 512 octets, and rbldnsd drops them.
pub const VALUES_PER_ENTRY_MAX: usize = 24;

/// What a dataset without parts answers: a table that never changes, looked at without a lock or an allocation.
#[derive(Debug)]
pub struct Table {
    pub(super) ttl: u32,
    /// The answers; set number `n` up to their count is the answer `n - 1` alone.
    pub(super) answers: Box<[Answer]>,
    /// The sets of several answers, with numbers from there on.
    several: Box<[Box<[u32]>]>,
    body: Bodies,
    entries: usize,
}

#[derive(Debug)]
enum Bodies {
    Ip4 { hosts: Hosts, networks: Spans<u32> },
    Ip6 { hosts: Singles<u128>, long: Spans<u128>, halves: Singles<u64>, short: Spans<u64> },
    Names(Names),
    Records(Records),
}

/// What is asked, read in every way that a table may want it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// The IPv4 address, also if it was written as an IPv6 one (mapped or 6to4).
    pub(super) ip4: Option<u32>,
    /// The IPv6 address; also a mapped one, but only where a zone has no IPv4 addresses.
    pub(super) ip6: Option<u128>,
    /// The networks of IPv4 addresses of which the labels are a part: of the address itself, and of its IPv6 forms.
    pub(super) part4: [Option<(u32, u8)>; 2],
    /// The network of IPv6 addresses, if the labels are a part of one.
    pub(super) part6: Option<(u128, u8)>,
    /// The labels in small letters, the last one first.
    pub(super) key: &'a [u8],
}

/// What a table has for a question.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found<'t> {
    /// A set of answers, and for names the entry that gives it.
    Listed(u32, Option<&'t [u8]>),
    /// Records.
    Records(&'t [Ready]),
    /// Nothing, but there is something below.
    Above,
    Nothing,
}

/// What a question has to do with the test entries.
enum Test {
    Listed,
    Unlisted,
    /// There is one below.
    Above,
}

/// 127.0.0.1 in its mapped form; 127.0.0.2 is the address behind it.
const LOCALHOST: u128 = 0xffff_7f00_0001;

/// The name that every list of names has (RFC 5782 section 5), as tables have names.
const NAME_LISTED: &[u8] = b"\x04test";

/// The name that none has.
const NAME_UNLISTED: &[u8] = b"\x07invalid";

impl Table {
    /// The table of a dataset that is neither `combined` nor `acl`; `None` for those.
    pub(super) fn new(dataset: &Dataset) -> Option<Self> {
        let mut sets = Sets::new(dataset.values.all().len() as u32);
        let body = match (&dataset.body, dataset.kind) {
            (Body::Ip4(entries), Kind::Ip4Trie) => ip4_networks(entries),
            (Body::Ip4(entries), _) => ip4_ranges(entries, &mut sets),
            (Body::Ip6(entries), _) => ip6(entries),
            (Body::Names(entries), _) => Bodies::Names(names(entries, &mut sets)),
            (Body::Records(records), _) => Bodies::Records(Records::new(records)),
            (Body::Parts(_) | Body::Access(_), _) => return None,
        };
        Some(Self {
            ttl: dataset.header.ttl.unwrap_or(datasets::TTL_DEFAULT),
            answers: dataset.values.all().iter().map(|value| Answer::new(value, &dataset.header)).collect(),
            several: sets.several.into(),
            body,
            entries: dataset.len(),
        })
    }

    /// How many entries the files had.
    pub const fn len(&self) -> usize {
        self.entries
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Bytes on the heap, without what the allocator adds.
    pub fn heap_bytes(&self) -> usize {
        let texts: usize =
            self.answers.iter().filter_map(|a| a.text.as_ref()).map(super::texts::Text::heap_bytes).sum();
        let several: usize = self.several.iter().map(|set| set.len() * 4 + size_of::<Box<[u32]>>()).sum();
        let body = match &self.body {
            Bodies::Ip4 { hosts, networks } => hosts.heap_bytes() + networks.heap_bytes(),
            Bodies::Ip6 { hosts, long, halves, short } => {
                hosts.heap_bytes() + long.heap_bytes() + halves.heap_bytes() + short.heap_bytes()
            }
            Bodies::Names(names) => names.heap_bytes(),
            Bodies::Records(records) => records.heap_bytes(),
        };
        body + texts + several + self.answers.len() * size_of::<Answer>()
    }

    /// Whether it is a table of IPv4 addresses.
    pub(super) const fn is_ip4(&self) -> bool {
        matches!(self.body, Bodies::Ip4 { .. })
    }

    /// Whether nothing but addresses has names in it.
    pub(super) const fn is_of_addresses(&self) -> bool {
        matches!(self.body, Bodies::Ip4 { .. } | Bodies::Ip6 { .. })
    }

    /// Whether the files list this address, one of IPv4 also in its mapped form.
    pub fn lists(&self, address: Address) -> bool {
        let asked = match address.ip() {
            IpAddr::V4(v4) => {
                Asked { ip4: Some(v4.to_bits()), ip6: Some(v4.to_ipv6_mapped().to_bits()), ..Asked::NOTHING }
            }
            IpAddr::V6(v6) => Asked { ip6: Some(v6.to_bits()), ..Asked::NOTHING },
        };
        matches!(self.find_in_files(&asked), Found::Listed(..))
    }

    /// Gives each network of an address table with its first code, as `ip4trie` and `ip6trie` take them; an excluded one
    /// has none. Names and records are not given.
    pub fn networks(&self, mut each: impl FnMut(Network, Option<Ipv4Addr>)) {
        let code = |set: u32| self.answers_of(set).next().map(|answer| answer.code);
        let mut give = |bits: u128, length: u8, set: u32| {
            let address = Address::new(IpAddr::V6(Ipv6Addr::from_bits(bits)));
            let length = if address.ip().is_ipv4() { length.saturating_sub(96) } else { length };
            each(Network::containing(address, length), code(set));
        };
        match &self.body {
            Bodies::Ip4 { hosts, networks } => {
                let mapped = |bits: u32| Ipv4Addr::from_bits(bits).to_ipv6_mapped().to_bits();
                for (first, last, set) in networks.iter(u32::MAX.into()).filter(|piece| piece.2 > 0) {
                    cut_at_bits(mapped(first), mapped(last), |base, length| give(base, length, set));
                }
                hosts.iter().for_each(|(host, set)| give(mapped(host), 128, set));
            }
            Bodies::Ip6 { hosts, long, halves, short } => {
                for (first, last, set) in short.iter(u64::MAX.into()).filter(|piece| piece.2 > 0) {
                    let (first, last) = (u128::from(first) << 64, u128::from(last) << 64 | u128::from(u64::MAX));
                    cut_at_bits(first, last, |base, length| give(base, length, set));
                }
                halves.iter().for_each(|(half, set)| give(u128::from(half) << 64, 64, set));
                for (first, last, set) in long.iter(u128::MAX) {
                    cut_at_bits(first, last, |base, length| give(base, length, set));
                }
                hosts.iter().for_each(|(host, set)| give(host, 128, set));
            }
            Bodies::Names(_) | Bodies::Records(_) => {}
        }
    }

    /// How many IPv4 addresses the networks of the files list from which somebody can send: those below 224.0.0.0.
    pub(super) fn senders(&self) -> u64 {
        const END: u32 = 224 << 24;
        let Bodies::Ip4 { networks, .. } = &self.body else { return 0 };
        let listed = networks.iter(u32::MAX.into()).filter(|(first, _, set)| *set > 0 && *first < END);
        listed.map(|(first, last, _)| u64::from(last.min(END - 1) - first) + 1).sum()
    }

    /// The numbers of the answers of a set.
    pub(super) fn answers_of(&self, set: u32) -> impl Iterator<Item = &Answer> {
        let single = (set as usize).checked_sub(1).and_then(|at| self.answers.get(at));
        let several = (set as usize).checked_sub(self.answers.len() + 1).and_then(|at| self.several.get(at));
        let several = several.map_or(&[][..], |set| set).iter().filter_map(|id| self.answers.get(*id as usize - 1));
        single.into_iter().chain(several)
    }

    /// What is in the files, and the test entries of RFC 5782 section 5, which are in every table that has an answer:
    /// 127.0.0.2 or `test` gets the first answer if the files have none for it, and 127.0.0.1 or `invalid` never gets any.
    pub(super) fn find(&self, asked: &Asked<'_>) -> Found<'_> {
        let found = self.find_in_files(asked);
        match self.test(asked) {
            Some(Test::Unlisted) => Found::Nothing,
            Some(Test::Listed) if !matches!(found, Found::Listed(..)) && !self.answers.is_empty() => {
                let entry = matches!(self.body, Bodies::Names(_)).then_some(NAME_LISTED);
                Found::Listed(1, entry)
            }
            Some(Test::Above) if matches!(found, Found::Nothing) && !self.answers.is_empty() => Found::Above,
            _ => found,
        }
    }

    /// What the question has to do with test entries.
    fn test(&self, asked: &Asked<'_>) -> Option<Test> {
        let host = |bits: u128| match bits.wrapping_sub(LOCALHOST) {
            0 => Some(Test::Unlisted),
            1 => Some(Test::Listed),
            _ => None,
        };
        let mapped = |bits: u32| Ipv4Addr::from_bits(bits).to_ipv6_mapped().to_bits();
        let holds = |base: u128, length: u8| ((LOCALHOST + 1) ^ base).leading_zeros() >= length.into();
        match &self.body {
            Bodies::Ip4 { .. } => {
                let is_above = || asked.part4.iter().flatten().any(|(base, length)| holds(mapped(*base), 96 + length));
                asked.ip4.map_or_else(|| is_above().then_some(Test::Above), |bits| host(mapped(bits)))
            }
            Bodies::Ip6 { .. } => {
                let is_above = || asked.part6.is_some_and(|(base, length)| holds(base, length));
                asked.ip6.map_or_else(|| is_above().then_some(Test::Above), host)
            }
            Bodies::Names(_) if asked.key == NAME_LISTED => Some(Test::Listed),
            Bodies::Names(_) if asked.key == NAME_UNLISTED => Some(Test::Unlisted),
            Bodies::Names(_) | Bodies::Records(_) => None,
        }
    }

    fn find_in_files(&self, asked: &Asked<'_>) -> Found<'_> {
        match &self.body {
            Bodies::Ip4 { hosts, networks } => {
                let set = asked.ip4.and_then(|ip4| hosts.get(ip4).or_else(|| networks.get(ip4)));
                found(set, || {
                    asked.part4.iter().flatten().any(|(base, length)| {
                        let last = base | u32::MAX.checked_shr((*length).into()).unwrap_or(0);
                        hosts.any_between(*base, last) || networks.any_between(*base, last)
                    })
                })
            }
            Bodies::Ip6 { hosts, long, halves, short } => {
                let set = asked.ip6.and_then(|ip6| {
                    let half = (ip6 >> 64) as u64;
                    let in_half = hosts.get(ip6).or_else(|| long.get(ip6));
                    in_half.or_else(|| halves.get(half)).or_else(|| short.get(half))
                });
                found(set, || {
                    asked.part6.is_some_and(|(base, length)| {
                        let last = base | u128::MAX.checked_shr(length.into()).unwrap_or(0);
                        let (first_half, last_half) = ((base >> 64) as u64, (last >> 64) as u64);
                        hosts.any_between(base, last)
                            || long.any_between(base, last)
                            || halves.any_between(first_half, last_half)
                            || short.any_between(first_half, last_half)
                    })
                })
            }
            Bodies::Names(names) => match names.get(asked.key) {
                Some((set, entry)) if set > 0 => Found::Listed(set, Some(entry)),
                _ if names.is_above(asked.key) => Found::Above,
                _ => Found::Nothing,
            },
            Bodies::Records(records) => match records.get(asked.key) {
                Some(records) => Found::Records(records),
                None if records.is_above(asked.key) => Found::Above,
                None => Found::Nothing,
            },
        }
    }
}

fn found(set: Option<u32>, is_above: impl FnOnce() -> bool) -> Found<'static> {
    match set {
        Some(set) if set > 0 => Found::Listed(set, None),
        _ if is_above() => Found::Above,
        _ => Found::Nothing,
    }
}

impl Asked<'_> {
    const NOTHING: Self = Self { ip4: None, ip6: None, part4: [None; 2], part6: None, key: &[] };
}

/// Sets of several answers, each once.
struct Sets {
    answers: u32,
    several: Vec<Box<[u32]>>,
    numbers: HashMap<Box<[u32]>, u32>,
}

impl Sets {
    fn new(answers: u32) -> Self {
        Self { answers, several: Vec::new(), numbers: HashMap::new() }
    }

    /// The set of the sorted values of one entry: nothing if it is excluded as well.
    fn of(&mut self, values: impl Iterator<Item = ValueId>) -> u32 {
        let mut ids: Vec<u32> = Vec::new();
        for value in values {
            if value == EXCLUDED {
                return 0;
            }
            if ids.last() != Some(&value.0) && ids.len() < VALUES_PER_ENTRY_MAX {
                ids.push(value.0);
            }
        }
        if let [single] = *ids {
            return single;
        }
        let ids: Box<[u32]> = ids.into();
        let next = self.answers + 1 + self.several.len() as u32;
        *self.numbers.entry(ids).or_insert_with_key(|ids| {
            self.several.push(ids.clone());
            next
        })
    }

    /// The sets of sorted `(key, value)` pairs, one for each key.
    fn unite<K: Copy + Eq>(&mut self, pairs: &[(K, ValueId)]) -> Vec<(K, u32)> {
        let mut united = Vec::with_capacity(pairs.len());
        let mut rest = pairs;
        while let [(key, value), ..] = rest {
            let count = rest.iter().take_while(|pair| pair.0 == *key).count();
            let set = if count == 1 { value.0 } else { self.of(rest[..count].iter().map(|pair| pair.1)) };
            united.push((*key, set));
            rest = &rest[count..];
        }
        united
    }
}

fn sorted<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    if !items.is_sorted() {
        items.sort_unstable();
    }
    items
}

/// As `ip4set` and `ip4tset` want it: a range is cut at the borders of octets, the narrowest piece counts, and of one
/// piece all values, unless it is excluded.
fn ip4_ranges(entries: &[Ip4Entry], sets: &mut Sets) -> Bodies {
    let mut hosts = Vec::with_capacity(entries.len());
    let mut networks: Vec<((u32, u8), ValueId)> = Vec::new();
    for entry in entries {
        if entry.first == entry.last {
            hosts.push((entry.first, entry.value));
            continue;
        }
        cut_at_octets(entry.first, entry.last, |base, length| match length {
            32 => hosts.push((base, entry.value)),
            length => networks.push(((base, length), entry.value)),
        });
    }
    let hosts = Hosts::new(&sets.unite(&sorted(hosts)));
    let networks = sets.unite(&sorted(networks));
    let prefix = |((base, length), set): ((u32, u8), u32)| Prefix { base, length, set };
    let networks: Vec<_> = networks.into_iter().map(prefix).collect();
    Bodies::Ip4 { hosts, networks: Spans::new(&networks, 32) }
}

/// Gives the pieces of a range: as many /8, /16 and /24 networks as possible, as wide as possible, and single addresses.
fn cut_at_octets(first: u32, last: u32, mut piece: impl FnMut(u32, u8)) {
    let (mut next, last) = (u64::from(first), u64::from(last));
    while next <= last {
        let fits = |host_bits: &u32| next.trailing_zeros() >= *host_bits && next + (1 << host_bits) - 1 <= last;
        let host_bits = [24, 16, 8].into_iter().find(fits).unwrap_or(0);
        piece(next as u32, 32 - host_bits as u8);
        next += 1 << host_bits;
    }
}

/// Gives the networks that make up a range, as wide as possible.
fn cut_at_bits(first: u128, last: u128, mut piece: impl FnMut(u128, u8)) {
    let mut next = first;
    loop {
        let room = (last - next).saturating_add(1).ilog2();
        let host_bits = if next == 0 && last == u128::MAX { 128 } else { next.trailing_zeros().min(room) };
        piece(next, (128 - host_bits) as u8);
        match u128::MAX.checked_shr(128 - host_bits).and_then(|mask| (next | mask).checked_add(1)) {
            Some(after) if after <= last => next = after,
            _ if host_bits == 0 && next < last => next += 1,
            _ => return,
        }
    }
}

/// As `ip4trie` wants it: the longest network counts, and of one that is there twice the first.
fn ip4_networks(entries: &[Ip4Entry]) -> Bodies {
    let mut hosts = Vec::new();
    let mut networks = Vec::new();
    for entry in entries {
        match (entry.first ^ entry.last).leading_zeros() as u8 {
            32 => hosts.push((entry.first, entry.value.0)),
            length => networks.push(Prefix { base: entry.first, length, set: entry.value.0 }),
        }
    }
    hosts.sort_by_key(|host| host.0);
    hosts.dedup_by_key(|host| host.0);
    Bodies::Ip4 { hosts: Hosts::new(&hosts), networks: Spans::new(&first_of_each(networks), 32) }
}

/// Networks sorted by base and length; of each the first.
fn first_of_each<K: Ord + Copy>(mut networks: Vec<Prefix<K>>) -> Vec<Prefix<K>> {
    networks.sort_by_key(|network| (network.base, network.length));
    networks.dedup_by_key(|network| (network.base, network.length));
    networks
}

fn ip6(entries: &[Ip6Entry]) -> Bodies {
    let (mut hosts, mut halves) = (Vec::new(), Vec::new());
    let (mut long, mut short) = (Vec::new(), Vec::new());
    for Ip6Entry { base, length, value } in entries.iter().copied() {
        let half = (base >> 64) as u64;
        match length {
            128 => hosts.push((base, value.0)),
            65.. => long.push(Prefix { base, length, set: value.0 }),
            64 => halves.push((half, value.0)),
            _ => short.push(Prefix { base: half, length, set: value.0 }),
        }
    }
    hosts.sort_by_key(|host| host.0);
    hosts.dedup_by_key(|host| host.0);
    halves.sort_by_key(|half| half.0);
    halves.dedup_by_key(|half| half.0);
    Bodies::Ip6 {
        hosts: Singles::new(&hosts),
        long: Spans::new(&first_of_each(long), 128),
        halves: Singles::new(&halves),
        short: Spans::new(&first_of_each(short), 64),
    }
}

fn names(entries: &[NameEntry], sets: &mut Sets) -> Names {
    let mut pairs: Vec<((&[u8], bool), ValueId)> = Vec::with_capacity(entries.len());
    for entry in entries {
        if entry.is_name {
            pairs.push(((&entry.key, false), entry.value));
        }
        if entry.is_below {
            pairs.push(((&entry.key, true), entry.value));
        }
    }
    let united = sets.unite(&sorted(pairs));
    let mut all: Vec<Listed<'_>> = Vec::with_capacity(united.len());
    for ((key, is_below), set) in united {
        if all.last().is_none_or(|last| last.key != key) {
            all.push(Listed { key, exact: None, below: None });
        }
        let last = all.last_mut().expect("one was pushed");
        *(if is_below { &mut last.below } else { &mut last.exact }) = Some(set);
    }
    Names::new(&all)
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
