use base::{ListId, Listing, Network, Timestamp};

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

/// One change of a network's own lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// The number of the change.
    pub serial: u64,
    /// The network.
    pub network: Network,
    /// The published list onto which it came, or from which it went.
    pub list: ListId,
    /// Whether it was on the list before.
    pub was_listed: bool,
}

/// What is known of the changes before a start.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Before {
    /// The changes of networks on published lists, in order.
    pub steps: Vec<Step>,
    /// With `steps` taken back to it, the book is what it was with this number. Nothing before is known.
    pub whole_from: u64,
    /// Between these two numbers each, nobody knows what the book was: the last that is certain, and that of the start after it.
    pub unknown: Vec<(u64, u64)>,
    /// Lists that changed by more than is kept, and by which change: what they were before is not known.
    pub renewed: Vec<(ListId, u64)>,
}
