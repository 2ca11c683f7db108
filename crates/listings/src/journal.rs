use base::{Listing, Timestamp};

use crate::bulk::Replaced;

/// The name in [`Cause::Removed`] of a listing that was given back at the start, but that the never-list covers now.
pub const BY_NEVER_LIST: &str = "never-list";

/// One change to the book. Numbers follow one another without gaps; the number is the DNS serial before it is cut
/// to 32 bits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The number.
    pub serial: u64,
    /// When the change was made.
    pub at: Timestamp,
    /// What was changed.
    pub change: Change,
}

/// A change to the book.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// The listing came into force.
    Listed(Listing),
    /// The listing is no longer in force.
    Unlisted {
        /// As it was.
        listing: Listing,
        /// Why it is out.
        cause: Cause,
    },
    /// A bulk came into force in the place of the one that its list had.
    Replaced(Box<Replaced>),
}

/// Why a listing is no longer in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cause {
    /// Its end has come.
    Expired,
    /// Somebody took it out.
    Removed {
        /// Who, or [`BY_NEVER_LIST`].
        by: Box<str>,
    },
    /// A person listed the same subject on the same list anew; the next entry says how.
    Replaced,
}
