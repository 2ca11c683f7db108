//! Messages that two gates see: Postfix asks about one at the policy gate, and shows it to the milter afterwards.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use base::Address;

/// Most messages that are remembered. The milter sees a message milliseconds after the policy gate has.
pub const MESSAGES_MAX: usize = 8192;

/// Which `instance` of the policy gate a queue id belongs to, so that what was reserved or charged under the one is not
/// asked for again under the other.
#[derive(Default)]
pub struct Messages(Mutex<Table>);

/// A queue's name for a message, and whom it comes from: queues of several servers may have the same names.
type Key = (Box<str>, Option<Address>);

#[derive(Default)]
struct Table {
    instances: HashMap<Key, Box<str>>,
    /// The keys in the order in which they came, for forgetting.
    order: VecDeque<Key>,
}

impl Messages {
    /// The message that the queue calls so has this instance.
    pub fn remember(&self, queue_id: &str, address: Option<Address>, instance: &str) {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key: Key = (queue_id.into(), address);
        if table.instances.insert(key.clone(), instance.into()).is_none() {
            table.order.push_back(key);
            if table.order.len() > MESSAGES_MAX
                && let Some(oldest) = table.order.pop_front()
            {
                table.instances.remove(&oldest);
            }
        }
    }

    /// The instance of the message that the queue calls so, if the policy gate has seen it.
    pub fn instance_of(&self, queue_id: &str, address: Option<Address>) -> Option<Box<str>> {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.instances.get(&(queue_id.into(), address)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten() {
        let messages = Messages::default();
        for number in 0..=MESSAGES_MAX {
            // Telling it twice does not make it younger, and does not count.
            messages.remember(&number.to_string(), None, "old");
            messages.remember(&number.to_string(), None, &format!("i{number}"));
        }
        assert_eq!(messages.instance_of("0", None), None);
        assert_eq!(messages.instance_of("1", None).as_deref(), Some("i1"));
        let address = Some("192.0.2.1".parse().unwrap());
        assert_eq!(messages.instance_of("1", address), None, "of another client");
        assert_eq!(messages.0.lock().unwrap().instances.len(), MESSAGES_MAX);
    }
}
