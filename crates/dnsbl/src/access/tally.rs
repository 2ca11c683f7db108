//! Who asks how much, by network, without cost: of each batch of datagrams one counts for all.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::HashMap;

use base::{Address, Network};

/// Networks that one thread counts. One more takes the place of the least busy one of its row, and its count, so that
/// busy networks are never missed and never counted too low.
pub const NETWORKS_MAX: usize = 4096;

/// Networks in a row.
const ROW: usize = 8;

/// The networks that count as one client.
const V4_BITS: u8 = 24;
const V6_BITS: u8 = 56;

/// What marks a number as that of a network; the higher bit is for IPv6, so that no number is 0.
const V4_MARK: u64 = 1 << 62;
const V6_MARK: u64 = 1 << 63;

/// The client's /24 or /56 as a number.
pub(crate) const fn network_number(address: Address) -> u64 {
    match address.ip() {
        IpAddr::V4(v4) => V4_MARK | (v4.to_bits() >> (32 - V4_BITS)) as u64,
        IpAddr::V6(v6) => V6_MARK | (v6.to_bits() >> (128 - V6_BITS as u32)) as u64,
    }
}

fn network_of(number: u64) -> Network {
    if number & V6_MARK != 0 {
        let bits = u128::from(number & !V6_MARK) << (128 - u32::from(V6_BITS));
        return Network::containing(Address::new(Ipv6Addr::from_bits(bits).into()), V6_BITS);
    }
    let bits = ((number & !V4_MARK) as u32) << (32 - V4_BITS);
    Network::containing(Address::new(Ipv4Addr::from_bits(bits).into()), V4_BITS)
}

/// The clients of one thread, which alone writes.
#[derive(Debug)]
pub(crate) struct Tally {
    rows: Box<[[Entry; ROW]]>,
    /// Which message of a batch is next to count for it.
    turn: AtomicU64,
}

#[derive(Debug, Default)]
struct Entry {
    network: AtomicU64,
    asked: AtomicU64,
    refused: AtomicU64,
}

/// What a client's network asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientCount {
    /// Its /24, or /56 of IPv6.
    pub network: Network,
    /// Questions: an estimate where many come at once.
    pub asked: u64,
    /// Those of them that were not answered, because it may not ask.
    pub refused: u64,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self { rows: (0..NETWORKS_MAX / ROW).map(|_| Default::default()).collect(), turn: AtomicU64::new(0) }
    }

    /// Which of `count` messages, at least one, counts for all of them: each in turn, so that nobody is overlooked.
    pub(crate) fn chosen(&self, count: usize) -> usize {
        let turn = self.turn.load(Ordering::Relaxed);
        self.turn.store(turn.wrapping_add(1), Ordering::Relaxed);
        // Not one after another, which clients could fall into step with.
        ((turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize) % count
    }

    /// Counts questions.
    pub(crate) fn asked(&self, address: Address, questions: u64) {
        bump(&self.entry(address).asked, questions);
    }

    /// Counts one that was not answered.
    pub(crate) fn refused(&self, address: Address) {
        bump(&self.entry(address).refused, 1);
    }

    fn entry(&self, address: Address) -> &Entry {
        let number = network_number(address);
        let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let row = &self.rows[hash as usize % self.rows.len()];
        let count = |entry: &Entry| entry.asked.load(Ordering::Relaxed);
        if let Some(entry) = row.iter().find(|entry| entry.network.load(Ordering::Relaxed) == number) {
            return entry;
        }
        let [first, rest @ ..] = row;
        let entry = rest.iter().fold(first, |least, entry| if count(entry) < count(least) { entry } else { least });
        entry.network.store(number, Ordering::Relaxed);
        entry.refused.store(0, Ordering::Relaxed);
        entry
    }
}

/// Adds without the cost of an atomic addition; right because one thread writes.
fn bump(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
}

/// The busiest clients of several threads, the busiest first.
pub(crate) fn busiest<'a>(tallies: impl Iterator<Item = &'a Tally>, limit: usize) -> Vec<ClientCount> {
    let mut sums: HashMap<u64, (u64, u64)> = HashMap::new();
    for entry in tallies.flat_map(|tally| tally.rows.iter().flatten()) {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        if load(&entry.network) != 0 {
            let sum = sums.entry(load(&entry.network)).or_default();
            *sum = (sum.0 + load(&entry.asked), sum.1 + load(&entry.refused));
        }
    }
    let count = |(number, (asked, refused))| ClientCount { network: network_of(number), asked, refused };
    let mut all: Vec<ClientCount> = sums.into_iter().map(count).collect();
    all.sort_unstable_by_key(|client| (core::cmp::Reverse(client.asked), client.network));
    all.truncate(limit);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_summed_by_network() {
        let (a, b) = (Tally::new(), Tally::new());
        for (tally, address, questions) in
            [(&a, "192.0.2.1", 5), (&b, "192.0.2.200", 6), (&a, "2001:db8:0:1::1", 3), (&b, "2001:db8:0:100::", 1)]
        {
            tally.asked(address.parse().unwrap(), questions);
        }
        b.refused("192.0.2.7".parse().unwrap());
        let got: Vec<_> = busiest([&a, &b].into_iter(), 3)
            .iter()
            .map(|c| format!("{} {} {}", c.network, c.asked, c.refused))
            .collect();
        assert_eq!(got, ["192.0.2.0/24 11 1", "2001:db8::/56 3 0", "2001:db8:0:100::/56 1 0"]);
    }

    #[test]
    fn the_busy_stay_under_a_flood_of_others() {
        let tally = Tally::new();
        let busy: Address = "198.51.100.1".parse().unwrap();
        for turn in 0..200_000_u32 {
            if turn % 10 == 0 {
                tally.asked(busy, 1);
            }
            tally.asked(Address::new(Ipv4Addr::from_bits(turn << 8).into()), 1);
        }
        let all = busiest(core::iter::once(&tally), usize::MAX);
        assert!(all.len() <= NETWORKS_MAX);
        assert_eq!(all[0].network.to_string(), "198.51.100.0/24");
        assert!(all[0].asked >= 20_000);
    }

    #[test]
    fn each_message_of_a_batch_has_its_turn() {
        let tally = Tally::new();
        let mut turns = [0; 7];
        (0..7000).for_each(|_| turns[tally.chosen(7)] += 1);
        assert!(turns.iter().all(|count| (800..1200).contains(count)), "{turns:?}");
    }
}
