//! What the engine counts about itself.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use base::{EventKind, Timestamp};

/// What the engine has counted since its start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Events observed, in the order of [`EventKind::ALL`].
    pub observed: [u64; EventKind::ALL.len()],
    /// Events about neither an address nor a login, which nobody can count.
    pub about_nobody: u64,
    /// Attempts that rules counted.
    pub counted: u64,
    /// Events that told only what another channel had told before.
    pub duplicate: u64,
    /// Attempts that our own decision refused; they are no guesses.
    pub refused: u64,
    /// Attempts that repeated a wrong password.
    pub repeated_password: u64,
    /// Attempts with a password that was right once.
    pub former_password: u64,
    /// Failures that were held, because the password process alone told them.
    pub held: u64,
    /// Of those, failures that a success took back.
    pub held_taken_back: u64,
    /// Of those, failures that counted early because too many were held.
    pub held_shed: u64,
    /// Attempts that did not count because the password database seemed to be out of order.
    pub paused: u64,
    /// The end of the last such pause, if there was one.
    pub paused_until: Option<Timestamp>,
    /// Listings that rules made.
    pub listings_made: u64,
    /// Listings that the book had no room for.
    pub listings_shed: u64,
    /// Listings that were made longer by what the subject did while it was listed.
    pub listings_renewed: u64,
    /// Listings that waited for a reverse name.
    pub names_wanted: u64,
    /// Of those, listings that were dropped, because too many waited, or nobody could tell the name in time.
    pub names_missed: u64,
    /// Listings that ended because the reverse name that they rested on is gone.
    pub names_mended: u64,
    /// Addresses that tried a login which many strangers try, and did not log in after all.
    pub strangers: u64,
    /// Of those who did so, addresses that were not followed, because too many were.
    pub strangers_missed: u64,
    /// Clients that were refused at once, because as many as allowed were held.
    pub tarpits_full: u64,
    /// Records with a count in them that gave way because a table was full.
    pub evicted: u64,
    /// Sessions that were forgotten early.
    pub sessions_shed: u64,
}

/// The same, to be counted up from many threads.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    pub(crate) observed: [Tally; EventKind::ALL.len()],
    pub(crate) about_nobody: Tally,
    pub(crate) counted: Tally,
    pub(crate) duplicate: Tally,
    pub(crate) refused: Tally,
    pub(crate) repeated_password: Tally,
    pub(crate) former_password: Tally,
    pub(crate) held: Tally,
    pub(crate) held_taken_back: Tally,
    pub(crate) held_shed: Tally,
    pub(crate) paused: Tally,
    pub(crate) listings_made: Tally,
    pub(crate) listings_shed: Tally,
    pub(crate) listings_renewed: Tally,
    pub(crate) names_wanted: Tally,
    pub(crate) names_missed: Tally,
    pub(crate) names_mended: Tally,
    pub(crate) strangers: Tally,
    pub(crate) strangers_missed: Tally,
    pub(crate) tarpits_full: Tally,
}

/// A number that only grows. Nothing is concluded from one number about another, so that no order is needed.
#[derive(Debug, Default)]
pub(crate) struct Tally(AtomicU64);

impl Tally {
    pub(crate) fn one(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Tallies {
    /// What was counted; the fields that the shards know are left empty.
    pub(crate) fn read(&self) -> Counters {
        Counters {
            observed: core::array::from_fn(|kind| self.observed[kind].get()),
            about_nobody: self.about_nobody.get(),
            counted: self.counted.get(),
            duplicate: self.duplicate.get(),
            refused: self.refused.get(),
            repeated_password: self.repeated_password.get(),
            former_password: self.former_password.get(),
            held: self.held.get(),
            held_taken_back: self.held_taken_back.get(),
            held_shed: self.held_shed.get(),
            paused: self.paused.get(),
            listings_made: self.listings_made.get(),
            listings_shed: self.listings_shed.get(),
            listings_renewed: self.listings_renewed.get(),
            names_wanted: self.names_wanted.get(),
            names_missed: self.names_missed.get(),
            names_mended: self.names_mended.get(),
            strangers: self.strangers.get(),
            strangers_missed: self.strangers_missed.get(),
            tarpits_full: self.tarpits_full.get(),
            ..Counters::default()
        }
    }
}
