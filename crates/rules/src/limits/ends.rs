//! Whether messages come to an end at all. A mail server that asks about recipients and never at the end of a message
//! (Postfix without `smtpd_end_of_data_restrictions`) would have all room given back, and nobody limited.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// So many messages in a row are given up before it is concluded that their ends are not told. Clients that guess recipients
/// give up that many now and then; then their own attempts count, until the next message ends.
const IN_A_ROW_MAX: u32 = 100;

/// So many are enough as long as none has ended since the start.
const FIRST_MAX: u32 = 10;

/// How many messages were given up, under one limit, since the last that ended.
#[derive(Debug)]
pub(crate) struct Ends(AtomicU32);

impl Default for Ends {
    fn default() -> Self {
        Self(AtomicU32::new(IN_A_ROW_MAX - FIRST_MAX))
    }
}

impl Ends {
    /// A message came to its end.
    pub(crate) fn ended(&self) {
        // Most find it zero, and need not take the line from other threads.
        if self.0.load(Relaxed) != 0 {
            self.0.store(0, Relaxed);
        }
    }

    /// A message was given up.
    pub(crate) fn given_up(&self) {
        let before = self.0.fetch_add(1, Relaxed);
        if before >= IN_A_ROW_MAX {
            self.0.store(IN_A_ROW_MAX, Relaxed);
        }
    }

    /// Whether it seems that ends are not told.
    pub(crate) fn are_missing(&self) -> bool {
        self.0.load(Relaxed) >= IN_A_ROW_MAX
    }
}
