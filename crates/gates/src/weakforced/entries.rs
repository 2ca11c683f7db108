use base::{Address, Timestamp};
use rules::Party;

/// Which of weakforced's two lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Those that are refused: its blacklist.
    Black,
    /// Those that pass: its whitelist.
    White,
}

/// An entry of one of the lists.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Whom it is about.
    pub party: Party,
    /// When it ends; none if it does not by itself.
    pub until: Option<Timestamp>,
    /// Why it was made.
    pub reason: String,
}

/// What one rule has counted of a party.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Level {
    /// The rule's name.
    pub rule: String,
    /// Events in its window.
    pub count: u64,
    /// Different ones among them, where the rule tells them apart.
    pub distinct: Option<u64>,
}

/// Why there is no such entry now; a sentence for whoever asked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct EntryRefused(pub String);

/// Keeps the entries, beyond restarts, and knows what was counted.
pub trait Entries: Send + Sync {
    /// Puts an entry in force, in place of the one of the same party.
    ///
    /// # Errors
    /// It is about somebody who is never listed, or there is no room.
    fn put(&self, now: Timestamp, side: Side, entry: &Entry) -> Result<(), EntryRefused>;

    /// Takes the entry of exactly that party out, if there is one.
    fn remove(&self, now: Timestamp, side: Side, party: &Party);

    /// The entry that covers a client, as it bears upon it: by its address, then by its login, then by both.
    fn find(&self, now: Timestamp, side: Side, address: Option<Address>, login: Option<&str>) -> Option<Entry>;

    /// At most `limit` entries.
    fn all(&self, now: Timestamp, side: Side, limit: usize) -> Vec<Entry>;

    /// Forgets what was counted of an address and of a login, and lifts their blocks.
    fn reset(&self, now: Timestamp, party: &Party);

    /// What the rules have counted.
    fn levels(&self, now: Timestamp, party: &Party) -> Vec<Level>;
}
