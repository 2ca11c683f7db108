//! What is known of the reverse names of clients, for zones whose operator wants some.
//!
//! Nobody waits for a name: a client of whom nothing is known is answered, and noted for whoever looks names up, who
//! tells what he finds.

use core::hash::Hasher as _;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use core::time::Duration;

use base::{Address, Timestamp};
use siphasher::sip::SipHasher24;

use super::Reason;

/// Clients that are remembered. One more takes the place of the one of its row that was looked up longest ago.
pub const NAMED_MAX: usize = 1 << 16;

/// Clients that wait to be looked up; of one more, somebody else is noted at his next question.
pub const UNNAMED_MAX: usize = 256;

/// Clients in a row: one cache line.
const ROW: usize = 8;

/// For how many minutes what was found holds: whoever mends his name is heard within an hour.
const FOUND_MINUTES: u32 = 60;

/// For how many minutes nobody is looked up again who was just noted, or of whom nothing could be found.
const UNKNOWN_MINUTES: u32 = 5;

/// For how many minutes, while he is looked up again, a client who asks on is taken for what he was.
const STALE_MINUTES: u32 = 2 * FOUND_MINUTES;

/// Bits of an entry that say when it was written, in minutes; before those stand two for what was found, the rest says who.
const MINUTE_BITS: u32 = 20;
const MINUTE_MASK: u64 = (1 << MINUTE_BITS) - 1;
const TAG_MASK: u64 = u64::MAX << (MINUTE_BITS + 2);

/// Which reverse names clients without a key must have.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum NamesWanted {
    /// None.
    #[default]
    Any,
    /// One.
    Some,
    /// One that is not made by a machine for every address of a pool.
    Own,
}

/// The reverse name of a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClientName {
    /// Nobody could tell; such a client is answered.
    Unknown,
    /// Chosen by somebody, or in doubt.
    Own,
    /// Made for an address of a pool.
    Pool,
    /// There is none.
    Missing,
}

const NAMES: [ClientName; 4] = [ClientName::Unknown, ClientName::Own, ClientName::Pool, ClientName::Missing];

/// The names of clients in a table of fixed size, and those that are to be looked up.
#[derive(Debug)]
pub(super) struct Names {
    rows: Box<[[AtomicU64; ROW]]>,
    wanted: Box<[Wanted]>,
    hash_key: [u8; 16],
}

/// A client that is to be looked up.
#[derive(Debug, Default)]
struct Wanted {
    state: AtomicU8,
    high: AtomicU64,
    low: AtomicU64,
}

const FREE: u8 = 0;
const WRITING: u8 = 1;
const WAITING: u8 = 2;

impl Names {
    pub(super) fn new(hash_key: [u8; 16]) -> Self {
        let row = |_| Default::default();
        let wanted = (0..UNNAMED_MAX).map(|_| Wanted::default()).collect();
        Self { rows: (0..NAMED_MAX / ROW).map(row).collect(), wanted, hash_key }
    }

    /// Why the client may not ask where such names are wanted.
    pub(super) fn objection(&self, client: Address, wanted: NamesWanted, now: Timestamp) -> Option<Reason> {
        match (self.name(client, now), wanted) {
            (_, NamesWanted::Any) => None,
            (ClientName::Missing, _) => Some(Reason::NoName),
            (ClientName::Pool, NamesWanted::Own) => Some(Reason::PoolName),
            _ => None,
        }
    }

    /// What is known of the client's name. If that is nothing, or long ago, he is noted.
    fn name(&self, client: Address, now: Timestamp) -> ClientName {
        let (hash, mut before) = (self.hash(client), ClientName::Unknown);
        let mut known = self.row(hash).iter().map(|entry| entry.load(Ordering::Relaxed));
        if let Some(entry) = known.find(|entry| entry & TAG_MASK == hash & TAG_MASK) {
            let name = NAMES[(entry >> MINUTE_BITS) as usize % NAMES.len()];
            let holds = if name == ClientName::Unknown { UNKNOWN_MINUTES } else { FOUND_MINUTES };
            let age = age(entry, now);
            if age < holds {
                return name;
            }
            if age < STALE_MINUTES {
                before = name;
            }
        }
        if self.wanted[hash as usize % UNNAMED_MAX].take(client) {
            let over_soon = if before == ClientName::Unknown { 0 } else { FOUND_MINUTES - UNKNOWN_MINUTES };
            self.set(hash, before, now.minus(Duration::from_mins(over_soon.into())));
        }
        before
    }

    /// Remembers the name of a client.
    pub(super) fn tell(&self, client: Address, name: ClientName, now: Timestamp) {
        self.set(self.hash(client), name, now);
    }

    /// A client that is to be looked up.
    pub(super) fn poll(&self) -> Option<Address> {
        self.wanted.iter().find_map(Wanted::give)
    }

    fn hash(&self, client: Address) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.hash_key);
        hasher.write_u128(client.bits());
        hasher.finish()
    }

    fn row(&self, hash: u64) -> &[AtomicU64; ROW] {
        &self.rows[hash as usize % self.rows.len()]
    }

    fn set(&self, hash: u64, name: ClientName, now: Timestamp) {
        let row = self.row(hash);
        let load = |entry: &AtomicU64| entry.load(Ordering::Relaxed);
        let own = row.iter().find(|entry| load(entry) & TAG_MASK == hash & TAG_MASK);
        let place = own
            .or_else(|| row.iter().max_by_key(|entry| if load(entry) == 0 { u32::MAX } else { age(load(entry), now) }));
        if let Some(place) = place {
            place.store(hash & TAG_MASK | (name as u64) << MINUTE_BITS | minute(now), Ordering::Relaxed);
        }
    }
}

impl Wanted {
    /// Takes the client, if the place is free.
    fn take(&self, client: Address) -> bool {
        if self.state.compare_exchange(FREE, WRITING, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return false;
        }
        let bits = client.bits();
        self.high.store((bits >> 64) as u64, Ordering::Relaxed);
        self.low.store(bits as u64, Ordering::Relaxed);
        self.state.store(WAITING, Ordering::Release);
        true
    }

    /// Gives the client away, if there is one.
    fn give(&self) -> Option<Address> {
        if self.state.load(Ordering::Acquire) != WAITING {
            return None;
        }
        let bits = u128::from(self.high.load(Ordering::Relaxed)) << 64 | u128::from(self.low.load(Ordering::Relaxed));
        self.state.store(FREE, Ordering::Release);
        Some(Address::from_bits(bits))
    }
}

/// The minute, in numbers that come round after two years.
const fn minute(now: Timestamp) -> u64 {
    (now.as_secs() / 60) & MINUTE_MASK
}

/// How many minutes old an entry is.
const fn age(entry: u64, now: Timestamp) -> u32 {
    (minute(now).wrapping_sub(entry) & MINUTE_MASK) as u32
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use super::*;

    const START: u64 = 1_800_000_000;

    fn client(number: u32) -> Address {
        Address::new(Ipv4Addr::from_bits(0x0b00_0000 + number).into())
    }

    #[test]
    fn who_is_refused_where() {
        use ClientName::{Missing, Own, Pool, Unknown};
        let names = Names::new([1; 16]);
        let now = Timestamp::from_secs(START);
        let cases = [
            (Unknown, [None; 3]),
            (Own, [None; 3]),
            (Pool, [None, None, Some(Reason::PoolName)]),
            (Missing, [None, Some(Reason::NoName), Some(Reason::NoName)]),
        ];
        for (number, (name, wanted)) in cases.into_iter().enumerate() {
            let client = client(number as u32);
            names.tell(client, name, now);
            let got = [NamesWanted::Any, NamesWanted::Some, NamesWanted::Own].map(|w| names.objection(client, w, now));
            assert_eq!(got, wanted, "{name:?}");
        }
        assert_eq!(names.poll(), None, "whoever is known is not noted");
    }

    #[test]
    fn a_client_is_noted_once_answered_meanwhile_and_asked_for_again_later() {
        let names = Names::new([2; 16]);
        let at = |minutes: u64| Timestamp::from_secs(START + minutes * 60);
        let asks = |client, minutes| names.objection(client, NamesWanted::Some, at(minutes));
        let v6: Address = "2001:db8::53".parse().unwrap();
        for client in [client(1), v6] {
            assert_eq!(asks(client, 0), None);
            assert_eq!(asks(client, 0), None);
            assert_eq!((names.poll(), names.poll()), (Some(client), None));
            names.tell(client, ClientName::Missing, at(0));
            assert_eq!(asks(client, 59), Some(Reason::NoName));
            // He is what he was until that is known again; nobody answers, and it is tried again after some minutes.
            assert_eq!((asks(client, 60), names.poll()), (Some(Reason::NoName), Some(client)));
            assert_eq!((asks(client, 64), names.poll()), (Some(Reason::NoName), None));
            assert_eq!((asks(client, 65), names.poll()), (Some(Reason::NoName), Some(client)));
            names.tell(client, ClientName::Unknown, at(66));
            assert_eq!((asks(client, 66), names.poll()), (None, None));
            assert_eq!((asks(client, 71), names.poll()), (None, Some(client)));
            // Who comes back after a long time is answered like a new one.
            names.tell(client, ClientName::Missing, at(72));
            assert_eq!((asks(client, 191), names.poll()), (Some(Reason::NoName), Some(client)));
            assert_eq!((asks(client, 400), names.poll()), (None, Some(client)));
        }
    }

    #[test]
    fn a_flood_of_clients_takes_no_more_room_and_leaves_those_in_force_who_ask() {
        let names = Names::new([3; 16]);
        let now = Timestamp::from_secs(START);
        for number in 0..300_000 {
            names.objection(client(number), NamesWanted::Some, now);
        }
        assert_eq!(core::iter::from_fn(|| names.poll()).count(), UNNAMED_MAX);
        for number in 0..1000 {
            names.tell(client(number), ClientName::Missing, now);
        }
        let refused = |number: &u32| names.objection(client(*number), NamesWanted::Some, now).is_some();
        assert!((0..1000).filter(refused).count() > 990);
    }
}
