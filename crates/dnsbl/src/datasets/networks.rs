use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::{Address, Network};

use super::entries::{Body, Dataset};
use super::values::EXCLUDED;

impl Dataset {
    /// The networks that it lists, in order, each once; what they are answered with is left aside. None if it lists
    /// something else than addresses.
    ///
    /// Where entries lie within one another the narrowest counts, so that an exclusion takes its addresses out. An
    /// `ip4set` is taken by its networks and not by octets, which differs for an entry within an exclusion only.
    pub fn networks(&self) -> Option<Vec<Network>> {
        let (mut items, is_v4) = match &self.body {
            Body::Ip4(entries) => {
                let of_entry =
                    |entry: &super::Ip4Entry| (entry.first.into(), entry.last.into(), entry.value != EXCLUDED);
                (entries.iter().map(of_entry).collect::<Vec<Item>>(), true)
            }
            Body::Ip6(entries) => {
                let last = |base: u128, length: u8| base | u128::MAX.checked_shr(length.into()).unwrap_or_default();
                let of_entry = |e: &super::Ip6Entry| (e.base, last(e.base, e.length), e.value != EXCLUDED);
                (entries.iter().map(of_entry).collect(), false)
            }
            Body::Names(_) | Body::Records(_) | Body::Parts(_) | Body::Access(_) => return None,
        };
        if items.iter().any(|item| !item.2) {
            items = without_exclusions(&items, is_v4);
        }
        let mut networks = Vec::with_capacity(items.len());
        for (first, last, _) in items {
            for (base, length) in aligned(first, last, is_v4) {
                networks.push(network(base, length, is_v4));
            }
        }
        networks.sort_unstable();
        networks.dedup();
        Some(networks)
    }
}

/// First and last address, and whether it is listed.
type Item = (u128, u128, bool);

/// The ranges that are listed where the narrowest network counts, by address and not touching one another.
fn without_exclusions(items: &[Item], is_v4: bool) -> Vec<Item> {
    let mut parts: Vec<Item> = Vec::with_capacity(items.len());
    for (first, last, is_listed) in items {
        let part = |(base, length): (u128, u8)| (base, base | low(bits_of(is_v4) - length), *is_listed);
        parts.extend(aligned(*first, *last, is_v4).map(part));
    }
    // The widest first where they begin together; of equal ones the exclusion last, which therefore counts.
    parts.sort_unstable_by_key(|(first, last, is_listed)| (*first, core::cmp::Reverse(*last), !is_listed));
    let mut sweep = Sweep { at: 0, around: Vec::new(), listed: Vec::new() };
    for part in parts {
        sweep.leave_before(part.0);
        sweep.reach(part.0);
        sweep.around.push((part.1, part.2));
    }
    while let Some((last, _)) = sweep.around.last().copied() {
        sweep.leave(last);
    }
    sweep.listed
}

/// Goes through networks by their first address.
struct Sweep {
    /// Everything before is done.
    at: u128,
    /// Last address of the networks around, and whether each is listed; the narrowest at the end.
    around: Vec<(u128, bool)>,
    listed: Vec<Item>,
}

impl Sweep {
    /// Leaves the networks that end before `first`.
    fn leave_before(&mut self, first: u128) {
        while let Some((last, _)) = self.around.last().copied().filter(|around| around.0 < first) {
            self.leave(last);
        }
    }

    fn leave(&mut self, last: u128) {
        // Networks around one another may end together; the narrowest has taken the way then.
        if last >= self.at {
            self.take(last);
            self.at = last.saturating_add(1);
        }
        self.around.pop();
    }

    /// Goes on to `first`, which is not before where it is.
    fn reach(&mut self, first: u128) {
        if first > self.at {
            self.take(first - 1);
        }
        self.at = first;
    }

    /// What lies from here to `last` is as the narrowest network around says.
    fn take(&mut self, last: u128) {
        if !self.around.last().is_some_and(|around| around.1) {
            return;
        }
        match self.listed.last_mut().filter(|before| before.1.checked_add(1) == Some(self.at)) {
            Some(before) => before.1 = last,
            None => self.listed.push((self.at, last, true)),
        }
    }
}

const fn bits_of(is_v4: bool) -> u8 {
    if is_v4 { 32 } else { 128 }
}

/// The lowest `bits` bits set.
fn low(bits: u8) -> u128 {
    u128::MAX.checked_shr(128 - u32::from(bits)).unwrap_or_default()
}

/// The fewest networks that make up a range.
fn aligned(first: u128, last: u128, is_v4: bool) -> impl Iterator<Item = (u128, u8)> {
    let bits = bits_of(is_v4);
    let mut next = Some(first).filter(|first| *first <= last);
    core::iter::from_fn(move || {
        let base = next?;
        let mut free = (base.trailing_zeros() as u8).min(bits);
        while low(free) > last - base {
            free -= 1;
        }
        let end = base | low(free);
        next = end.checked_add(1).filter(|next| *next <= last);
        Some((base, bits - free))
    })
}

fn network(base: u128, length: u8, is_v4: bool) -> Network {
    let ip = if is_v4 { IpAddr::V4(Ipv4Addr::from_bits(base as u32)) } else { IpAddr::V6(Ipv6Addr::from_bits(base)) };
    Network::containing(Address::new(ip), length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::{Kind, Options, Source, read};
    use base::Timestamp;
    use proptest::prelude::*;

    fn shown(kind: Kind, text: &str) -> Option<Vec<String>> {
        let source = Source { name: "list", bytes: text.as_bytes(), modified: 0 };
        let dataset =
            read(kind, &[source], Timestamp::EPOCH, Options { may_be_wide: true, ..Options::default() }).unwrap();
        Some(dataset.networks()?.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn entries_become_networks() {
        let cases: [(Kind, &str, &[&str]); 6] = [
            (
                Kind::Ip4Set,
                "192.0.2.9\n192.0.2.1-6 :2:x\n192.0.2.9\n",
                &["192.0.2.1", "192.0.2.2/31", "192.0.2.4/31", "192.0.2.6", "192.0.2.9"],
            ),
            (Kind::Ip4Set, "192.0.2.0/24\n!192.0.2.128/26\n", &["192.0.2.0/25", "192.0.2.192/26"]),
            (Kind::Ip4Trie, "10.0.0.0/30\n!10.0.0.0/31\n10.0.0.1\n", &["10.0.0.1", "10.0.0.2/31"]),
            (Kind::Ip4Trie, "0.0.0.0/0\n!128.0.0.0/1\n", &["0.0.0.0/1"]),
            (Kind::Ip4TSet, ":127.0.0.2:\n192.0.2.9\n10.0.0.1\n", &["10.0.0.1", "192.0.2.9"]),
            (Kind::Ip6Trie, "2001:db8::/32\n!2001:db8:8000::/33\nfe00::/7\n", &["2001:db8::/33", "fe00::/7"]),
        ];
        for (kind, text, wanted) in cases {
            assert_eq!(shown(kind, text).unwrap(), wanted, "{text}");
        }
        assert_eq!(shown(Kind::DnSet, "example.org\n"), None);
    }

    proptest! {
        #[test]
        fn the_narrowest_network_counts(entries in prop::collection::vec((0_u8..64, 26_u8..=32, any::<bool>()), 1..20)) {
            let mut lines: Vec<(u32, u8, bool)> = entries.iter().map(|(n, length, listed)| {
                let mask = u32::MAX << (32 - u32::from(*length));
                ((10 << 24 | u32::from(*n)) & mask, *length, *listed)
            }).collect();
            lines.sort_unstable();
            lines.dedup_by_key(|line| (line.0, line.1));
            let line = |(base, length, listed): &(u32, u8, bool)| {
                format!("{}{}/{length}", if *listed { "" } else { "!" }, Ipv4Addr::from_bits(*base))
            };
            let text = lines.iter().map(line).collect::<Vec<_>>().join("\n") + "\n";
            let networks: Vec<Network> = shown(Kind::Ip4Trie, &text).unwrap().iter().map(|n| n.parse().unwrap()).collect();
            for n in 0..64_u32 {
                let address = 10 << 24 | n;
                let around = lines.iter().filter(|(base, length, _)| (address ^ base).leading_zeros() >= u32::from(*length));
                let wanted = around.max_by_key(|line| line.1).is_some_and(|line| line.2);
                let address = Address::new(Ipv4Addr::from_bits(address).into());
                prop_assert_eq!(networks.iter().any(|network| network.contains(address)), wanted, "{}\n{}", address, text);
            }
        }
    }
}
