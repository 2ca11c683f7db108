//! Messages that two gates see: Postfix asks about one at the policy gate, and shows it to the milter afterwards.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base::Address;

/// Messages that are remembered: each in one of so many sets, which its name chooses, of so many. The milter sees a message
/// milliseconds after the policy gate has.
const SETS: usize = 512;
const SET_MAX: usize = 16;

/// Longest instance that is remembered, in bytes; Postfix' have some forty.
const INSTANCE_BYTES_MAX: usize = 200;

/// Which `instance` of the policy gate a queue id belongs to, so that what was reserved or charged under the one is not
/// asked for again under the other. Memory is used again, so that remembering one more allocates nothing in the long run.
pub struct Messages {
    hasher: RandomState,
    sets: Box<[Mutex<Set>]>,
    is_used: AtomicBool,
}

/// A few messages; the one that came first gives way.
#[derive(Default)]
struct Set {
    messages: [Message; SET_MAX],
    next: usize,
}

#[derive(Default)]
struct Message {
    /// Zero if there is none.
    key: u64,
    instance: String,
}

impl Default for Messages {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            sets: (0..SETS).map(|_| Mutex::default()).collect(),
            is_used: AtomicBool::new(false),
        }
    }
}

impl Messages {
    /// The message that the queue calls so has this instance.
    pub fn remember(&self, queue_id: &str, address: Option<Address>, instance: &str) {
        if instance.len() > INSTANCE_BYTES_MAX {
            return;
        }
        // Most find it set, and need not take the line from other threads.
        if !self.is_used.load(Ordering::Relaxed) {
            self.is_used.store(true, Ordering::Relaxed);
        }
        let (key, mut set) = self.set(queue_id, address);
        let Set { messages, next } = &mut *set;
        let place = messages.iter().position(|message| message.key == key).unwrap_or_else(|| {
            let place = *next;
            *next = (place + 1) % SET_MAX;
            place
        });
        let message = &mut messages[place];
        message.key = key;
        message.instance.clear();
        message.instance.push_str(instance);
    }

    /// The instance of the message that the queue calls so, if the policy gate has seen it.
    pub fn instance_of(&self, queue_id: &str, address: Option<Address>) -> Option<Box<str>> {
        let (key, set) = self.set(queue_id, address);
        set.messages.iter().find(|message| message.key == key).map(|message| message.instance.as_str().into())
    }

    /// Whether the policy gate is asked about messages at all.
    pub fn is_used(&self) -> bool {
        self.is_used.load(Ordering::Relaxed)
    }

    /// The key of a queue's name for a message, and whom it comes from, because queues of several servers may have the same
    /// names; and where it is remembered.
    fn set(&self, queue_id: &str, address: Option<Address>) -> (u64, MutexGuard<'_, Set>) {
        let key = self.hasher.hash_one((queue_id, address)).max(1);
        (key, self.sets[key as usize % SETS].lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_are_remembered_and_the_first_forgotten() {
        let messages = Messages::default();
        let known = |number: usize| messages.instance_of(&number.to_string(), None);
        assert!(!messages.is_used());
        for number in 0..50_000_usize {
            // Telling it twice does not count.
            messages.remember(&number.to_string(), None, "old");
            messages.remember(&number.to_string(), None, &format!("i{number}"));
            let late = number.saturating_sub(100);
            assert_eq!(known(late), Some(format!("i{late}").into()));
        }
        assert_eq!((0..1000).filter(|number| known(*number).is_some()).count(), 0);
        assert!(messages.is_used());
        let address = Some("192.0.2.1".parse().unwrap());
        assert_eq!(messages.instance_of("49999", address), None, "of another client");
        messages.remember("long", None, &"x".repeat(INSTANCE_BYTES_MAX + 1));
        assert_eq!(messages.instance_of("long", None), None);
    }
}
