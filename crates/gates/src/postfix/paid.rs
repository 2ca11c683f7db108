//! Recipients that were charged of messages without a name: what is asked about a message later, perhaps on another
//! connection, charges only what is missing.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};

use base::Timestamp;

use super::gate::UNNAMED_WITHIN;
use super::request::Request;

/// Most senders that are remembered at once. Of more, those that came first are charged for their messages' ends anew.
const SENDERS_MAX: usize = 10_000;

/// How many recipients of each sender were charged whose message has not ended yet. Each was charged, so that whoever
/// gives up a message has gained nothing.
#[derive(Debug, Default)]
pub(super) struct Paid {
    hasher: RandomState,
    table: Mutex<Table>,
}

/// Those of the last while, and of the one before.
#[derive(Debug, Default)]
struct Table {
    began: Timestamp,
    young: HashMap<u64, u32>,
    old: HashMap<u64, u32>,
}

impl Paid {
    /// How many recipients of the sender's messages are charged and not ended.
    pub(super) fn count(&self, now: Timestamp, request: &Request<'_>) -> u32 {
        self.with(now, request, |count| *count)
    }

    /// So many more are charged.
    pub(super) fn add(&self, now: Timestamp, request: &Request<'_>, more: u32) {
        self.with(now, request, |count| *count = count.saturating_add(more));
    }

    /// A message of so many recipients has ended.
    pub(super) fn end(&self, now: Timestamp, request: &Request<'_>, recipients: u32) {
        self.with(now, request, |count| *count = count.saturating_sub(recipients));
    }

    fn with<T>(&self, now: Timestamp, request: &Request<'_>, change: impl FnOnce(&mut u32) -> T) -> T {
        let key = self.hasher.hash_one((request.login, request.address, request.sender));
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(table.began) >= UNNAMED_WITHIN || table.young.len() >= SENDERS_MAX / 2 {
            let young = core::mem::take(&mut table.young);
            *table = Table { began: now, young: HashMap::new(), old: young };
        }
        let Table { young, old, .. } = &mut *table;
        let count = young.entry(key).or_insert_with(|| old.remove(&key).unwrap_or_default());
        let result = change(count);
        if *count == 0 {
            young.remove(&key);
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(login: &str) -> Request<'_> {
        Request { login: Some(login), ..Request::default() }
    }

    #[test]
    fn what_was_charged_is_forgotten_in_time_and_by_number() {
        let paid = Paid::default();
        let at = |seconds: u64| Timestamp::from_secs(1_800_000_000 + seconds);
        paid.add(at(0), &of("alice"), 3);
        paid.end(at(500), &of("alice"), 1);
        assert_eq!((paid.count(at(700), &of("alice")), paid.count(at(700), &of("bob"))), (2, 0));
        assert_eq!(paid.count(at(2500), &of("bob")) + paid.count(at(3500), &of("alice")), 0);
        for number in 0..2 * SENDERS_MAX {
            paid.add(at(3600), &of(&number.to_string()), 1);
        }
        let table = paid.table.lock().unwrap();
        assert!(table.young.len() + table.old.len() <= SENDERS_MAX);
    }
}
