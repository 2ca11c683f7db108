//! The book: all listings in force, and the only place where one is made.
//!
//! ```text
//!   wishes ──> Book ── register (who, why, until when; one mutex) ──> outbox ──> journal
//!                └──── Snapshot (which lists; no lock) ──> Reader of each gate and DNS thread
//! ```
//!
//! Writers change the [`Book`] behind one mutex. Each change, or each batch of changes, publishes a new [`Snapshot`]
//! that shares all it can with the one before; readers look at it without a lock and without allocating.
//!
//! What rules bring onto a published list, or take off it, passes a brake: a flood of it waits for a person ([`Held`]).
//! Listings that came together by an import are a [`Bulk`]: they share one record, and take what the tree takes.
//!
//! The room promises: what the [`NeverList`] covers is listed by no road; a listing by a rule has an end and is never
//! made longer by a rule; every change has a journal [`Entry`], numbered without gaps; results depend on nothing but
//! the calls. It does not store anything, and it reads no clock: what is over is taken out when [`Book::expire`] is
//! called with the time.

mod never;

pub mod tree;

pub mod networks;

pub mod removal;

mod blocks;
mod book;
mod brake;
mod bulk;
mod image;
mod journal;
mod makers;
mod register;
mod replica;
mod slab;
mod snapshot;

pub use blocks::Block;
pub use book::{
    BULK_MAX, Book, Counters, LISTINGS_MAX, REFUSED_KEPT_MAX, Refusal, ReplaceError, Replacement, SEEN_WHOLE_MAX,
    STEPS_MAX, Wish,
};
pub use brake::{BrakeLimits, HELD_MAX, Held, HeldWhole, LetGo};
pub use bulk::{Bulk, Content, Replaced};
pub use image::{Followed, Image, Moment, Shown};
pub use journal::{BY_NEVER_LIST, Before, Cause, Change, Entry, Step};
pub use never::{NeverList, Protection};
pub use replica::Replica;
pub use snapshot::{Reader, Snapshot};
