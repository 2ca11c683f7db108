//! What clients whose address may be forged may be sent beyond what they send.

use core::hash::Hasher as _;
use core::sync::atomic::{AtomicU64, Ordering};

use base::{Address, Timestamp};
use siphasher::sip::SipHasher24;

use super::Portion;
use super::newcomers::Newcomers;
use super::tally::network_number;

/// Octets that a network may be sent beyond the ratio at once: some thirty answers "not listed" with their SOA record, or any one reply.
pub const CREDIT_BYTES: u64 = 2048;

/// Octets a second that come back. Thirty new answers "not listed" a second are a busy mail server's, and 16 kbit/s are
/// no attack on anybody's network.
pub const REFILL_BYTES_PER_SECOND: u64 = 2048;

/// Microseconds in which one octet comes back, rounded up.
pub(super) const EACH: u64 = 1_000_000_u64.div_ceil(REFILL_BYTES_PER_SECOND);

/// How far ahead of the clock an account may be.
pub(super) const AHEAD_MAX: u64 = CREDIT_BYTES * EACH;

/// How far apart the clocks of threads may be, in microseconds: a thread may have been held up with the time in its hand.
const CLOCKS_DIFFER_MAX: u64 = 10_000_000;

/// Places of a row. There are two rows, of 256 KiB each.
const PLACES: usize = 1 << 15;

/// The accounts of all /24 and /56.
///
/// A reply within 1.4 times its question costs nothing; of a longer one the octets beyond that are paid from the network's
/// account. So whatever a network asks, it is sent no more than 1.4 times the octets it sent, [`CREDIT_BYTES`] and
/// [`REFILL_BYTES_PER_SECOND`]: over a flood that is below one and a half times.
///
/// An account is the time until which its network has spent what comes back. It stands at one place of each row, by
/// two hashes, and the earlier time counts. Networks that meet at a place thus spend from one account there: the promise holds
/// however many networks there are, and a network is kept short by others only if both of its places are taken by
/// such that spend all. Nothing is ever forgotten to make room.
#[derive(Debug)]
pub(crate) struct Accounts {
    rows: [Box<[AtomicU64]>; 2],
    /// What those share whose network may be a forged one.
    newcomers: Newcomers,
    /// Under which networks are hashed, so that nobody can choose whom to meet.
    hash_key: [u8; 16],
}

/// The octets of a reply that its question does not pay for.
pub(crate) const fn excess(question: usize, reply: usize) -> usize {
    reply.saturating_sub(question * 7 / 5)
}

impl Accounts {
    pub(crate) fn new(hash_key: [u8; 16]) -> Self {
        let row = || (0..PLACES).map(|_| AtomicU64::new(0)).collect();
        Self { rows: [row(), row()], newcomers: Newcomers::new(), hash_key }
    }

    /// How much the client is sent of a reply with so many octets beyond the ratio.
    pub(crate) fn portion(&self, client: Address, now: Timestamp, octets: usize) -> Portion {
        let hash = self.hash(client);
        // Its own account first: one network alone shall not spend what all newcomers share.
        if self.pays(hash, now, octets) { self.newcomers.portion(hash, now, octets) } else { Portion::Small }
    }

    /// Remembers that the client's address is not forged.
    pub(crate) fn prove(&self, client: Address, now: Timestamp) {
        self.newcomers.prove(self.hash(client), now);
    }

    fn hash(&self, client: Address) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.hash_key);
        hasher.write_u64(network_number(client));
        hasher.finish()
    }

    /// Whether the network of this hash has so many octets left. If so, they are spent.
    fn pays(&self, hash: u64, now: Timestamp, octets: usize) -> bool {
        let [mut least, mut other] =
            [(0, hash), (1, hash >> 32)].map(|(row, hash): (usize, u64)| &self.rows[row][hash as usize % PLACES]);
        let now = now.as_millis().wrapping_mul(1000);
        let [mut seen, mut beside] = [least, other].map(|place| place.load(Ordering::Relaxed));
        if debt(beside, now) < debt(seen, now) {
            (least, other, seen, beside) = (other, least, beside, seen);
        }
        let spent = debt(seen, now) + octets as u64 * EACH;
        let until = now.wrapping_add(spent);
        // Where another thread spends from the account at this moment, this reply is a short one.
        let is_ours = || least.compare_exchange(seen, until, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if spent > AHEAD_MAX || !is_ours() {
            return false;
        }
        if debt(beside, now) < spent
            && other.compare_exchange(beside, until, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            other.fetch_max(until, Ordering::Relaxed);
        }
        true
    }
}

/// How far ahead of the clock an account is. One that is farther than threads' clocks can differ is of a clock that was set
/// back, and as good as new.
pub(super) const fn debt(until: u64, now: u64) -> u64 {
    let ahead = until.saturating_sub(now);
    if ahead > AHEAD_MAX + CLOCKS_DIFFER_MAX { 0 } else { ahead }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    const START: u64 = 1_800_000_000_000;

    fn client(network: u32) -> Address {
        Address::new(Ipv4Addr::from_bits(network << 8 | 7).into())
    }

    #[test]
    fn what_a_reply_costs() {
        for (question, reply, wanted) in
            [(50, 70, 0), (50, 71, 1), (50, 66, 0), (60, 150, 66), (100, 20, 0), (12, 512, 496)]
        {
            assert_eq!(excess(question, reply), wanted, "{question} {reply}");
        }
    }

    #[test]
    fn a_credit_and_then_what_comes_back() {
        let accounts = Accounts::new([7; 16]);
        let paid = |network, at, count: u64| {
            (0..count).filter(|_| accounts.pays(accounts.hash(client(network)), Timestamp::from_millis(at), 64)).count()
        };
        assert_eq!(paid(1, START, 1000), 32);
        assert_eq!(paid(1, START + 100, 1000), 3);
        assert_eq!(paid(1, START + 60_000, 1000), 32, "no more than the credit is saved up");
        assert_eq!(paid(2, START, 1000), 32, "another network has its own");
        // A clock that was set back: by little, the account waits; by much, it is new.
        assert_eq!(paid(1, START + 59_000, 1000), 0);
        assert_eq!(paid(1, START - 59_000, 1000), 32);
        assert_eq!(accounts.rows.iter().map(|row| row.len() * size_of::<AtomicU64>()).sum::<usize>(), 512 << 10);
    }

    #[test]
    fn a_quiet_network_is_not_kept_short_by_thousands_that_flood() {
        let accounts = Accounts::new([9; 16]);
        let now = Timestamp::from_millis(START);
        for network in 0..1000 {
            while accounts.pays(accounts.hash(client(network)), now, 100) {}
        }
        let is_short = |network: &u32| !accounts.pays(accounts.hash(client(*network)), now, 100);
        let kept_short = (1000..11_000).filter(is_short).count();
        assert!(kept_short < 50, "{kept_short} of 10,000");
    }

    proptest! {
        #[test]
        fn nobody_gets_more_than_promised(
            steps in prop::collection::vec((0_u64..400, 0_u32..40_000, 1_usize..1200), 1..2000),
        ) {
            let accounts = Accounts::new([3; 16]);
            let (mut now, mut paid) = (START, HashMap::new());
            for (step, network, octets) in steps {
                now += step;
                // Half of all come from five networks.
                let network = if network < 20_000 { network % 5 } else { network };
                if accounts.pays(accounts.hash(client(network)), Timestamp::from_millis(now), octets) {
                    *paid.entry(network).or_insert(0) += octets as u64;
                }
            }
            let promised = CREDIT_BYTES + (now - START) * REFILL_BYTES_PER_SECOND / 1000;
            prop_assert!(paid.values().all(|octets| *octets <= promised), "{paid:?} {promised}");
        }
    }
}
