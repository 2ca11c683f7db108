//! Which networks have shown that they ask themselves, and the one account of all others.

use core::sync::atomic::{AtomicU64, Ordering};

use base::Timestamp;

use super::Portion;
use super::account::{AHEAD_MAX, EACH, debt};

/// Networks that are remembered to have shown a cookie of ours, or to have come by TCP.
pub const KNOWN_NETWORKS_MAX: usize = 1 << 16;

/// A reply that costs more octets than this is only for networks that are known. "Not listed" with its SOA record costs 40 to 80 octets, several
/// codes less, a text of one list hardly more; several texts cost five hundred, and would take from all others what they share.
pub const NEWCOMERS_REPLY_BYTES_MAX: usize = 128;

/// Every how manieth short reply says "come by TCP": often enough for a resolver to be known after some thirty questions, and
/// seldom enough for one that cannot come.
const SLIP: u64 = 32;

/// Networks in a row: one cache line.
const ROW: usize = 8;

/// Bits of an entry that say in which hour its network asked last; the rest says who.
const HOUR_MASK: u64 = 0xffff;

/// For how many hours without a question that costs something a network stays known.
const KNOWN_HOURS: u16 = 24;

/// For how many hours nobody takes its place.
const KEPT_HOURS: u16 = 2;

#[derive(Debug, Default)]
#[repr(align(64))]
struct Row([AtomicU64; ROW]);

/// The account that all networks share which are not known, and those which are.
///
/// Each network has an account of its own too, but whoever forges addresses has as many networks as he likes. So what goes beyond
/// the ratio to networks that nobody has asked from for certain is paid from this account besides, whatever they are: all of them together
/// have what one network has, [`super::CREDIT_BYTES`] and [`super::REFILL_BYTES_PER_SECOND`]. A network is known by a valid cookie or a stream,
/// which cannot be had in somebody else's name; traffic alone, for however long, can be forged and makes nobody known.
#[derive(Debug)]
pub(super) struct Newcomers {
    /// The time in microseconds until which what comes back is spent.
    until: AtomicU64,
    rows: Box<[Row]>,
}

impl Newcomers {
    pub(super) fn new() -> Self {
        Self { until: AtomicU64::new(0), rows: (0..KNOWN_NETWORKS_MAX / ROW).map(|_| Row::default()).collect() }
    }

    /// How much the network of this hash is sent of a reply with so many octets beyond the ratio.
    pub(super) fn portion(&self, hash: u64, now: Timestamp, octets: usize) -> Portion {
        let pays = || octets <= NEWCOMERS_REPLY_BYTES_MAX && self.pays(now, octets);
        if self.is_known(hash, hour(now)) || pays() {
            Portion::Whole
        } else if (hash >> 32 ^ now.as_millis()).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32 & (SLIP - 1) == 0 {
            Portion::Truncated
        } else {
            Portion::Small
        }
    }

    /// Remembers that somebody in the network of this hash asks himself.
    pub(super) fn prove(&self, hash: u64, now: Timestamp) {
        let hour = hour(now);
        if self.is_known(hash, hour) {
            return;
        }
        let row = self.row(hash);
        let age = |entry: &&AtomicU64| match entry.load(Ordering::Relaxed) {
            0 => u16::MAX,
            entry => hour.wrapping_sub(entry as u16),
        };
        let oldest = row.iter().max_by_key(age);
        if let Some(place) = oldest.filter(|entry| age(entry) >= KEPT_HOURS) {
            place.store(hash & !HOUR_MASK | u64::from(hour), Ordering::Relaxed);
        }
    }

    fn row(&self, hash: u64) -> &[AtomicU64; ROW] {
        &self.rows[hash as usize % self.rows.len()].0
    }

    /// Whether the network is known; if so, it has asked in this hour.
    fn is_known(&self, hash: u64, hour: u16) -> bool {
        let is_it = |entry: &&AtomicU64| entry.load(Ordering::Relaxed) & !HOUR_MASK == hash & !HOUR_MASK;
        let Some(entry) = self.row(hash).iter().find(is_it) else { return false };
        let age = hour.wrapping_sub(entry.load(Ordering::Relaxed) as u16);
        if age != 0 && age <= KNOWN_HOURS {
            entry.store(hash & !HOUR_MASK | u64::from(hour), Ordering::Relaxed);
        }
        age <= KNOWN_HOURS
    }

    /// Whether the common account has so many octets left. If so, they are spent.
    fn pays(&self, now: Timestamp, octets: usize) -> bool {
        let now = now.as_millis().wrapping_mul(1000);
        let spend = |until: u64| {
            let spent = debt(until, now) + octets as u64 * EACH;
            (spent <= AHEAD_MAX).then(|| now.wrapping_add(spent))
        };
        self.until.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend).is_ok()
    }
}

/// The hour, in numbers that come round after seven years.
const fn hour(now: Timestamp) -> u16 {
    (now.as_millis() / 3_600_000) as u16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{CREDIT_BYTES, REFILL_BYTES_PER_SECOND};
    use super::*;

    const START: u64 = 1_800_000_000_000;
    const HOUR: u64 = 3_600_000;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(START + millis)
    }

    /// A hash of a network's number.
    fn hash(network: u64) -> u64 {
        let mixed = (network + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }

    #[test]
    fn newcomers_share_one_account_and_who_is_known_has_none() {
        let newcomers = Newcomers::new();
        newcomers.prove(hash(1), at(0));
        let whole = |network, millis| newcomers.portion(hash(network), at(millis), 100) == Portion::Whole;
        assert_eq!((1000..21_000).filter(|network| whole(*network, 0)).count(), 20);
        assert!((0..10_000).all(|_| whole(1, 0)));
        assert_eq!((1000..21_000).filter(|network| whole(*network, 100)).count(), 2);
        // What is large is not for newcomers, and costs nothing of what they share.
        let large = |network| newcomers.portion(hash(network), at(10_000), 129) == Portion::Whole;
        assert!((1000..21_000).all(|network| !large(network)) && large(1));
        assert_eq!((1000..21_000).filter(|network| whole(*network, 10_000)).count(), 20);
        // Of the others some are told how to become known.
        let slips =
            (1000..21_000).filter(|n| newcomers.portion(hash(*n), at(10_000), 100) == Portion::Truncated).count();
        assert!((400..900).contains(&slips), "{slips}");
        // A clock that was set back by much.
        let earlier = Timestamp::from_millis(START - HOUR);
        assert_eq!(newcomers.portion(hash(7), earlier, 100), Portion::Whole);
        assert_eq!(size_of::<Row>() * newcomers.rows.len(), 512 << 10);
    }

    #[test]
    fn known_for_a_day_behind_the_last_question() {
        let newcomers = Newcomers::new();
        let is_known = |network, hours| newcomers.is_known(hash(network), hour(at(hours * HOUR)));
        newcomers.prove(hash(1), at(0));
        for (hours, wanted) in [(0, true), (24, true), (48, true), (73, false), (73, false)] {
            assert_eq!(is_known(1, hours), wanted, "{hours}");
        }
        newcomers.prove(hash(1), at(73 * HOUR));
        assert!(is_known(1, 73) && !is_known(2, 73));
        // Over the end of the numbers of hours, too.
        let late = u64::from(u16::MAX) * HOUR;
        newcomers.prove(hash(3), Timestamp::from_millis(late));
        assert!(newcomers.is_known(hash(3), hour(Timestamp::from_millis(late + 2 * HOUR))));
    }

    #[test]
    fn who_has_networks_without_number_puts_nobody_out() {
        let newcomers = Newcomers::new();
        (0..10_000).for_each(|network| newcomers.prove(hash(network), at(0)));
        let known: Vec<u64> = (0..10_000).filter(|n| newcomers.is_known(hash(*n), hour(at(0)))).collect();
        assert!(known.len() > 9990, "{}", known.len());
        (20_000..400_000).for_each(|network| newcomers.prove(hash(network), at(HOUR)));
        assert!(known.iter().all(|network| newcomers.is_known(hash(*network), hour(at(HOUR)))));
        // Who asks no more makes room.
        newcomers.prove(hash(900_000), at(4 * HOUR));
        assert!(newcomers.is_known(hash(900_000), hour(at(4 * HOUR))));
    }

    proptest! {
        #[test]
        fn never_more_than_promised_for_all_that_are_not_known(
            steps in prop::collection::vec((0_u64..100, 0_u64..1_000_000, 1_usize..1200), 1..300),
        ) {
            let newcomers = Newcomers::new();
            let (mut now, mut sent) = (0, 0);
            for (step, network, octets) in steps {
                now += step;
                // Each step stands for a hundred networks that ask the same.
                for network in network * 100..network * 100 + 100 {
                    if newcomers.portion(hash(network), at(now), octets) == Portion::Whole {
                        sent += octets as u64;
                    }
                }
                let promised = CREDIT_BYTES + now * REFILL_BYTES_PER_SECOND / 1000;
                prop_assert!(sent <= promised, "{sent} {promised}");
            }
        }
    }
}
