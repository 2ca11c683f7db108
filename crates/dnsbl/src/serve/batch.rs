//! Several messages at once, each answered in the buffer in which it came.

use base::{Address, ListSet, Timestamp};
use listings::Snapshot;

use super::counters::Counters;
use super::plain::{Plain, Served};
use super::reply::UDP_BYTES_MAX;
use super::responder::{Asker, Responder, Transport, Turn, soa_serial};
use crate::access::{Access, KeySet};

/// Most messages of a batch.
pub const BATCH_MAX: usize = 64;

impl Responder {
    /// Answers datagrams, each in the buffer in which it came: `lengths` has the lengths of the queries, and has those
    /// of the replies afterwards, 0 where there must be none. There are at most [`BATCH_MAX`] of them, and each
    /// buffer has at least [`UDP_BYTES_MAX`] octets. `client` tells who sent which; it is asked only where somebody
    /// wants to know.
    ///
    /// The replies are those of [`Responder::answer`]; it takes no lock and allocates nothing.
    pub fn answer_batch<const BYTES: usize>(
        &self,
        snapshot: &Snapshot,
        now: Timestamp,
        buffers: &mut [[u8; BYTES]],
        lengths: &mut [usize],
        client: impl Fn(usize) -> Address,
        counters: &Counters,
    ) {
        const { assert!(BYTES >= UDP_BYTES_MAX as usize, "a reply fits into the buffer of its query") };
        if lengths.is_empty() {
            return;
        }
        let chosen = counters.clients.chosen(lengths.len());
        counters.count_client(client(chosen), lengths.len() as u64);
        let keys = self.access.keys();
        let mut addresses = [0; BATCH_MAX];
        let mut plains = [(0, Plain::NONE); BATCH_MAX];
        let mut ready = 0;
        let (mut odd, mut odds) = ([(0, false); BATCH_MAX], 0);
        for (index, (buffer, length)) in buffers.iter().zip(lengths.iter()).enumerate() {
            let message = &buffer[..*length];
            match self.plan.read(message) {
                Some(plain) if self.admits(&plain, message, &keys, now) => {
                    addresses[ready] = plain.address;
                    plains[ready] = (index, plain);
                    ready += 1;
                }
                _ => {
                    odd[odds] = (index, false);
                    odds += 1;
                }
            }
        }
        let mut lists = [ListSet::EMPTY; BATCH_MAX];
        snapshot.lists_of_many(&addresses[..ready], &mut lists[..ready]);
        let served = Served { zones: &self.zones, serial: soa_serial(snapshot.serial()), counters };
        for ((index, plain), lists) in plains[..ready].iter().zip(lists) {
            let pays = |question, reply| self.access.pays(client(*index), now, question, reply);
            match self.plan.reply(&served, plain, lists, &mut buffers[*index], pays) {
                Some(length) => lengths[*index] = length,
                None => {
                    odd[odds] = (*index, true);
                    odds += 1;
                }
            }
        }
        let transport = Transport::Udp { max: UDP_BYTES_MAX };
        for (index, is_admitted) in &odd[..odds] {
            let asker = Asker { address: client(*index), transport, now };
            let turn = Turn { snapshot, asker: &asker, keys: &keys, counters, is_admitted: *is_admitted };
            let mut reply = [0; UDP_BYTES_MAX as usize];
            let (buffer, length) = (&mut buffers[*index], &mut lengths[*index]);
            *length = self.answer_in(&turn, &buffer[..*length], &mut reply);
            buffer[..*length].copy_from_slice(&reply[..*length]);
        }
    }

    /// Whether a plain question, in a zone whose rules do not look at clients, may be answered; those that may not go
    /// the careful way, which says why.
    fn admits(&self, plain: &Plain, message: &[u8], keys: &KeySet, now: Timestamp) -> bool {
        let zone = self.plan.zone(plain);
        let Some(key) = plain.key(message) else { return self.access.is_open(zone) };
        Access::takes_key(key) && self.access.opens(zone, key, keys, now)
    }
}
