//! Messages on their way: what each has reserved, and of those that are done for a while that they are.

use core::time::Duration;

use base::Timestamp;
use hashbrown::HashTable;

use super::LIMITS_MAX;
use crate::Key;

/// How long a message may say nothing before what it has reserved is given back. One that ends later all the same is
/// asked again whether there is room.
pub const RESERVATION_LIFE: Duration = Duration::from_mins(10);

/// Most messages on their way, with those that ended within [`RESERVATION_LIFE`]. More are charged at once.
pub const RESERVATIONS_MAX: usize = 262_144;

/// A message on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reservation {
    key: u64,
    /// When it was last heard of.
    pub(crate) at: Timestamp,
    /// Who sends it: a number for a login, or for the network of the address.
    pub(crate) party: u64,
    /// Recipients that were let pass.
    pub(crate) recipients: u32,
    /// Of these the last one, if it is known who.
    pub(crate) last: Option<Key>,
    /// Whether it has ended, so that a second end costs nothing.
    pub(crate) is_settled: bool,
    /// The limits that it exceeded, as bits, each told of once.
    pub(crate) told: u8,
    /// For each limit the subject and what is reserved of it.
    pub(crate) shares: [Share; LIMITS_MAX],
}

const _: () = assert!(LIMITS_MAX <= u8::BITS as usize, "the limits that were told of are bits");

/// What is reserved of one limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Share {
    /// The subject; 0 if there is none.
    pub(crate) key: u64,
    pub(crate) amount: u32,
}

impl Reservation {
    pub(crate) fn new(key: Key, at: Timestamp) -> Self {
        let shares = [Share::default(); LIMITS_MAX];
        Self { key: key.get(), at, party: 0, recipients: 0, last: None, is_settled: false, told: 0, shares }
    }

    /// The same name is used for another message.
    pub(crate) fn begin_again(&mut self) {
        *self = Self::new(Key::from_kept(self.key), self.at);
    }

    /// The limits under which something is reserved, by their places, and what.
    pub(crate) fn shared(&self) -> impl Iterator<Item = (usize, &Share)> {
        self.shares.iter().enumerate().filter(|(_, share)| share.amount > 0)
    }

    /// Takes everything that is reserved out of it.
    pub(crate) fn take(&mut self) -> [Share; LIMITS_MAX] {
        (self.recipients, self.last) = (0, None);
        core::mem::take(&mut self.shares)
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.at.plus(RESERVATION_LIFE) <= now
    }
}

/// A bounded table of them.
#[derive(Debug, Default)]
pub(crate) struct Reservations {
    index: HashTable<u32>,
    slots: Vec<Reservation>,
    free: Vec<u32>,
}

impl Reservations {
    pub(crate) fn find(&mut self, key: Key) -> Option<&mut Reservation> {
        let slot = *self.index.find(key.get(), |slot| self.slots[*slot as usize].key == key.get())?;
        self.slots.get_mut(slot as usize)
    }

    /// The message of this key, a new one if need be; none if the table, of at most `most`, is full.
    pub(crate) fn find_or_add(&mut self, key: Key, now: Timestamp, most: usize) -> Option<&mut Reservation> {
        let found = self.index.find(key.get(), |slot| self.slots[*slot as usize].key == key.get()).copied();
        let slot = match (found, self.free.pop()) {
            (Some(slot), unused) => {
                self.free.extend(unused);
                return self.slots.get_mut(slot as usize);
            }
            (None, Some(slot)) => slot,
            (None, None) if self.slots.len() < most => {
                self.slots.push(Reservation::new(key, now));
                self.slots.len() as u32 - 1
            }
            (None, None) => return None,
        };
        self.slots[slot as usize] = Reservation::new(key, now);
        let slots = &self.slots;
        self.index.insert_unique(key.get(), slot, |slot| slots[*slot as usize].key);
        self.slots.get_mut(slot as usize)
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<Reservation> {
        let slots = &self.slots;
        let entry = self.index.find_entry(key.get(), |slot| slots[*slot as usize].key == key.get()).ok()?;
        let (slot, _) = entry.remove();
        self.free.push(slot);
        Some(self.slots[slot as usize])
    }

    /// Forgets those that were not heard of for [`RESERVATION_LIFE`] and hands them to `gone`.
    pub(crate) fn expire(&mut self, now: Timestamp, mut gone: impl FnMut(&Reservation)) {
        let Self { index, slots, free } = self;
        index.retain(|slot| {
            let reservation = &slots[*slot as usize];
            let is_over = reservation.is_over(now);
            if is_over {
                gone(reservation);
                free.push(*slot);
            }
            !is_over
        });
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        let slots = self.slots.capacity() * size_of::<Reservation>();
        self.index.allocation_size() + slots + self.free.capacity() * size_of::<u32>()
    }
}
