//! Which message it was that a limit stopped: one that is tried again is the same one, though its transaction is another, and
//! though some of its recipients have got it meanwhile.

use core::time::Duration;
use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use base::{CanonicalLogin, Timestamp};
use foldhash::fast::FixedState;

use super::Sending;
use crate::engine::hold;
use crate::{Key, Keys};

/// For so long after it was stopped last a message is known again: as long as the shipped rule counts.
pub const RETRIED_WITHIN: Duration = Duration::from_hours(24);

/// Recipients that are remembered with the message they were refused of; of more, those of the oldest give way.
pub const RETRIES_MAX: usize = 65_536;

/// Most recipients of one message that are remembered.
const RECIPIENTS_MAX: usize = 100;

/// Knows messages again that were stopped: by who sent them, the envelope's sender, the size, and the recipients that were
/// refused. Whoever writes something else to somebody else sends another message, whatever names he gives them.
pub struct Retries {
    keys: Keys,
    table: Mutex<Table>,
}

/// A message that was stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stopped {
    /// Its name, the same when it is tried again.
    pub name: u64,
    /// Whether this transaction was taken for another message until now.
    pub is_another: bool,
}

/// What is known of a recipient, or of a transaction.
#[derive(Clone, Copy)]
struct Known {
    name: u64,
    /// Of a transaction: whether its message was stopped in an earlier one.
    is_retry: bool,
    at: Timestamp,
}

#[derive(Default)]
struct Table {
    names: HashMap<u64, Known, FixedState>,
    /// The keys in the order in which they came, for forgetting.
    order: VecDeque<u64>,
}

impl Retries {
    /// A memory that is empty. The secret keys the hashes, so that names are the same after a restart.
    pub fn new(secret: [u8; 16]) -> Self {
        Self { keys: Keys::new(secret), table: Mutex::default() }
    }

    /// The message that was stopped. It is one that was stopped before if all recipients that are refused now were refused of
    /// that one; whoever begins with one of them and goes on to others sends another message.
    pub fn stopped(&self, now: Timestamp, sending: &Sending<'_>) -> Stopped {
        let envelope = self.envelope(sending);
        let of_count = || self.keys.pair(envelope, self.keys.number(u64::from(sending.recipients))).get();
        let recipients: Vec<u64> = match sending.to {
            [] => vec![of_count()],
            to => to.iter().take(RECIPIENTS_MAX).map(|recipient| self.recipient(envelope, recipient)).collect(),
        };
        let transaction = self.keys.pair(envelope, self.keys.transaction(sending.session, sending.instance)).get();
        let mut table = hold(&self.table);
        let first = recipients.first().copied().unwrap_or_default();
        let begun = table.get(now, transaction);
        let is_strange = recipients.iter().any(|key| table.get(now, *key).is_none());
        let (known, is_retry, is_another) = match (begun, table.get(now, first)) {
            // What was taken for one that is tried again has other recipients.
            (Some(Known { is_retry: true, .. }), _) if is_strange => (transaction, false, true),
            (Some(known), _) => (known.name, known.is_retry, false),
            (None, Some(known)) if !is_strange => (known.name, true, false),
            (None, Some(_)) => (transaction, false, false),
            (None, None) => (first, false, false),
        };
        table.put(transaction, Known { name: known, is_retry, at: now });
        for key in recipients {
            // Those of another message stay its own, as long as they are known.
            let name = table.get(now, key).map_or(known, |other| other.name);
            table.put(key, Known { name, is_retry: false, at: now });
        }
        Stopped { name: known, is_another }
    }

    fn recipient(&self, envelope: Key, recipient: &str) -> u64 {
        let lower = recipient.to_ascii_lowercase();
        self.keys.pair(envelope, self.keys.recipient(lower.as_bytes())).get()
    }

    /// Who sends what, without the recipients.
    fn envelope(&self, sending: &Sending<'_>) -> Key {
        let party = match (sending.login.and_then(CanonicalLogin::new), sending.address) {
            (Some(login), _) => self.keys.login(login.as_str()),
            (None, Some(address)) => self.keys.network(address.aggregate()),
            (None, None) => self.keys.number(0),
        };
        let sender = self.keys.domain(sending.sender.unwrap_or_default().to_ascii_lowercase().as_bytes());
        self.keys.pair(self.keys.pair(party, sender), self.keys.number(sending.size))
    }
}

impl Table {
    fn get(&self, now: Timestamp, key: u64) -> Option<Known> {
        self.names.get(&key).copied().filter(|known| now.since(known.at) < RETRIED_WITHIN)
    }

    fn put(&mut self, key: u64, known: Known) {
        if self.names.insert(key, known).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > RETRIES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.names.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sending<'a>(instance: &'a str, to: &'a [&'a str]) -> Sending<'a> {
        let sender = Some("alice@example.org");
        Sending { instance, to, login: Some("alice"), sender, size: 1000, recipients: 1, ..Sending::default() }
    }

    #[test]
    fn what_is_tried_again_is_the_same_message() {
        let begin = Timestamp::from_secs(1_800_000_000);
        let at = |minute| begin.plus(Duration::from_mins(minute));
        let retries = Retries::new([3; 16]);
        let name = |minute, sending: Sending<'_>| retries.stopped(at(minute), &sending).name;
        // A letter to many: room is asked for one after the other, and of some there is none.
        let first = name(0, sending("1", &["k@example.net"]));
        for more in ["l@example.net", "m@example.net"] {
            assert_eq!(name(0, sending("1", &[more])), first);
        }
        // Later K got it; the others are tried again, and M once more on the next day.
        assert_eq!(name(30, sending("2", &["L@EXAMPLE.net"])), first);
        assert_eq!(name(30, sending("2", &["m@example.net"])), first, "of the same transaction");
        assert_eq!(name(40, sending("4", &["k@example.net"])), first);
        // The milter tells all recipients at once.
        assert_eq!(name(50, sending("5", &["l@example.net", "m@example.net"])), first);
        // Another message is one that differs in anything that its sender cannot leave out.
        let others = [
            sending("6", &["other@example.net"]),
            Sending { size: 1001, ..sending("7", &["k@example.net"]) },
            Sending { sender: Some("bob@example.org"), ..sending("8", &["k@example.net"]) },
            Sending { login: Some("bob"), ..sending("9", &["k@example.net"]) },
            sending("10", &[]),
            Sending { recipients: 2, ..sending("11", &[]) },
        ];
        let mut names: Vec<u64> = others.into_iter().map(|other| name(60, other)).chain([first]).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), others.len() + 1);
    }

    #[test]
    fn one_recipient_of_old_does_not_make_many_messages_one() {
        let retries = Retries::new([3; 16]);
        let now = Timestamp::from_secs(1_800_000_000);
        let stopped = |instance: &str, to: &[&str]| retries.stopped(now, &sending(instance, to));
        let mut names = std::collections::BTreeSet::from([stopped("0", &["decoy@example.net"]).name]);
        for number in 1..=20 {
            let (instance, victim) = (number.to_string(), format!("victim{number}@example.net"));
            let begins = stopped(&instance, &["decoy@example.net"]);
            assert!(!begins.is_another && names.contains(&begins.name));
            let goes_on = stopped(&instance, &[&victim]);
            assert!(goes_on.is_another && names.insert(goes_on.name), "{number}");
            let and_on = stopped(&instance, &["other@example.net"]);
            assert_eq!((and_on.name, and_on.is_another), (goes_on.name, false));
            // As the milter tells it.
            let victim = format!("at-once{number}@example.net");
            assert!(names.insert(stopped(&format!("m{number}"), &["decoy@example.net", &victim]).name));
        }
        assert_eq!(names.len(), 41);
    }

    #[test]
    fn a_flood_of_recipients_is_bounded_and_forgets_the_oldest() {
        let retries = Retries::new([3; 16]);
        let now = Timestamp::from_secs(1_800_000_000);
        for number in 0..RETRIES_MAX {
            let (to, instance) = (format!("r{number}@example.net"), number.to_string());
            retries.stopped(now, &sending(&instance, &[&to]));
        }
        let table = hold(&retries.table);
        assert_eq!((table.names.len(), table.order.len()), (RETRIES_MAX, RETRIES_MAX));
    }
}
