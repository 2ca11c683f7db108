//! Telling people and programs what was decided: notices, by mail or to a web address.
//!
//! ```text
//!  change of the book ── Interest: is it worth telling? ── Waiting (bounded) ──┬── Desk: first at once, then digests ── mail
//!                                                                              └── one after the other ── payload ── webhook
//! ```

mod desk;
mod letter;
mod owner;
mod payload;
mod report;
mod target;

pub use desk::{Desk, Letter, Pace as LetterPace, TOLD_MAX};
pub use letter::{Sender, compose};
pub use owner::{Owners, Stopped, letter_to_owner};
pub use payload::{Preset, body, signature};
pub use report::{Reporter, arf, xarf, xarf_mail};
pub use target::{Target, TargetError};

use base::{ListSet, Listing, Subject, Timestamp, Until};
use listings::{Cause, Change, Entry};
use std::collections::VecDeque;

use sha2::{Digest, Sha256};

/// Most notices that wait; of more, the oldest are dropped and counted.
pub const WAITING_MAX: usize = 1000;

/// What is worth a notice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interest {
    /// On which lists.
    pub lists: ListSet,
    /// Listings of logins.
    pub logins: bool,
    /// Listings without end.
    pub endless: bool,
    /// Listings of addresses and networks, with an end or without.
    pub addresses: bool,
}

impl Interest {
    /// Whether it is worth telling of this listing.
    pub fn covers(&self, listing: &Listing) -> bool {
        let is_endless = self.endless && listing.until == Until::Never;
        let is_chosen = match listing.subject {
            Subject::Login(_) => self.logins,
            Subject::Network(_) => self.addresses,
        };
        self.lists.contains(listing.list) && (is_chosen || is_endless)
    }
}

/// One thing to be told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// When it happened.
    pub at: Timestamp,
    /// The listing it is about.
    pub listing: Listing,
    /// What happened to it.
    pub what: What,
}

/// What happened to a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// It came into force.
    Listed,
    /// Its time was over.
    Ended,
    /// Somebody lifted it.
    Lifted {
        /// Who.
        by: Box<str>,
    },
    /// It is none, or not yet one: somebody should look at its subject.
    Noted {
        /// Why, a sentence in each line.
        text: Box<str>,
    },
}

impl Notice {
    /// What a change is worth telling, if it is.
    pub fn of(entry: &Entry, interest: &Interest) -> Option<Self> {
        let (listing, what) = match &entry.change {
            Change::Listed(listing) => (listing, What::Listed),
            Change::Unlisted { listing, cause: Cause::Expired } => (listing, What::Ended),
            Change::Unlisted { listing, cause: Cause::Removed { by } } => (listing, What::Lifted { by: by.clone() }),
            Change::Unlisted { cause: Cause::Replaced, .. } | Change::Replaced(_) => return None,
        };
        interest.covers(listing).then(|| Self { at: entry.at, listing: listing.clone(), what })
    }

    /// A name for it that is the same whenever it is told again: SHA-256 in hex of what happened to whom and when.
    pub fn id(&self) -> String {
        let Listing { subject, list, since, .. } = &self.listing;
        let what = match &self.what {
            // Of one moment there may be several.
            What::Noted { text } => text,
            What::Listed | What::Ended | What::Lifted { .. } => "",
        };
        let text = format!("{} {} {} {}{what}", self.verb(), subject, list.index(), since.as_millis());
        hex(&Sha256::digest(text.as_bytes()))
    }

    /// Whether a person must do something for it to end: a flood of what ends by itself shall not hold it up.
    pub fn is_urgent(&self) -> bool {
        match self.what {
            What::Noted { .. } => true,
            What::Listed => self.listing.until == Until::Never,
            What::Ended | What::Lifted { .. } => false,
        }
    }

    /// What happened, in one word.
    pub const fn verb(&self) -> &'static str {
        match self.what {
            What::Listed => "listed",
            What::Ended => "ended",
            What::Lifted { .. } => "lifted",
            What::Noted { .. } => "suspicious",
        }
    }
}

/// Notices that are not told yet, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    notices: VecDeque<Notice>,
    dropped: usize,
}

impl Waiting {
    /// Puts one in; the oldest gives way if there are too many, and what is urgent last.
    pub fn push(&mut self, notice: Notice) {
        if self.notices.len() >= WAITING_MAX {
            let oldest = self.notices.iter().position(|notice| !notice.is_urgent()).unwrap_or(0);
            self.notices.remove(oldest);
            self.dropped += 1;
        }
        self.notices.push_back(notice);
    }

    /// Forgets those that the book says again.
    pub fn forget_changes(&mut self) {
        self.notices.retain(|notice| matches!(notice.what, What::Noted { .. }));
        self.dropped = 0;
    }

    /// Those that wait.
    pub fn iter(&self) -> impl Iterator<Item = &Notice> {
        self.notices.iter()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.notices.len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.notices.is_empty()
    }

    /// How many were dropped.
    pub const fn dropped(&self) -> usize {
        self.dropped
    }

    /// Takes out what was told.
    pub fn told(&mut self, told: &[Notice]) {
        self.notices.retain(|notice| !told.contains(notice));
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use core::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let done = write!(text, "{byte:02x}");
        debug_assert!(done.is_ok(), "a String takes all");
        text
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use base::{Evidence, ListId, Maker, RuleId};

    use super::*;

    pub(crate) const BEGIN: Timestamp = Timestamp::from_secs(1_800_000_000);

    pub(crate) fn notice(subject: &str, at: Timestamp) -> Notice {
        let evidence = Evidence { count: 10, distinct: 10, first: at, last: at };
        let listing = Listing {
            subject: subject.parse().unwrap(),
            list: ListId::BLOCKED,
            since: at,
            until: Until::Never,
            maker: Maker::Rule(RuleId(0)),
            evidence,
        };
        Notice { at, listing, what: What::Listed }
    }

    #[test]
    fn what_is_worth_telling() {
        let all = ListSet::EMPTY.with(ListId::BLOCKED);
        let nothing = Interest { lists: all, logins: false, endless: false, addresses: false };
        let (mut endless, login) = (notice("192.0.2.1", BEGIN).listing, notice("login:alice", BEGIN).listing);
        assert!(Interest { endless: true, ..nothing }.covers(&endless));
        assert!(Interest { logins: true, ..nothing }.covers(&login));
        assert!(!Interest { logins: true, ..nothing }.covers(&endless));
        assert!(!Interest { lists: ListSet::EMPTY, addresses: true, ..nothing }.covers(&endless));
        endless.until = Until::At(BEGIN);
        assert!(!Interest { endless: true, ..nothing }.covers(&endless));
        assert!(Interest { addresses: true, ..nothing }.covers(&endless));
    }

    #[test]
    fn an_id_is_the_same_whenever_it_is_told_and_differs_for_another_thing() {
        let one = notice("192.0.2.1", BEGIN);
        assert_eq!(one.id(), Notice { at: BEGIN.plus(core::time::Duration::from_secs(9)), ..one.clone() }.id());
        assert_ne!(one.id(), Notice { what: What::Ended, ..one.clone() }.id());
        assert_ne!(one.id(), notice("192.0.2.2", BEGIN).id());
        assert_eq!(one.id().len(), 64);
    }

    #[test]
    fn the_oldest_give_way_and_are_counted() {
        let mut waiting = Waiting::default();
        for number in 0..WAITING_MAX as u64 + 5 {
            waiting.push(notice("192.0.2.1", Timestamp::from_secs(number)));
        }
        assert_eq!((waiting.len(), waiting.dropped()), (WAITING_MAX, 5));
        assert_eq!(waiting.iter().next().unwrap().at, Timestamp::from_secs(5));
    }
}
