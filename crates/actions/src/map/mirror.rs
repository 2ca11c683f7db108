use std::collections::BTreeMap;

use base::{ListId, ListSet, Listing, Network, Subject};
use listings::{Change, Entry};

use super::format::{Mark, Style};
use crate::Words;

/// Most listings of one map; what comes beyond is left out and counted, and what is in it stays.
pub const ENTRIES_MAX: usize = 1_000_000;

/// Bytes of a line, for a first guess of how long the text will be.
const LINE_BYTES: usize = 64;

/// What a map shall say: the addresses and networks on its lists. Logins are no subjects of maps.
#[derive(Clone, Debug)]
pub struct Mirror {
    lists: ListSet,
    entries_max: usize,
    /// The same network may be on several lists, and is in the map until it has left the last.
    entries: BTreeMap<(Network, ListId), Mark>,
    left_out: usize,
}

impl Mirror {
    /// An empty one of those lists.
    pub fn new(lists: ListSet) -> Self {
        Self::with_limit(lists, ENTRIES_MAX)
    }

    fn with_limit(lists: ListSet, entries_max: usize) -> Self {
        Self { lists, entries_max, entries: BTreeMap::new(), left_out: 0 }
    }

    /// Forgets what it knew: these listings are in force.
    pub fn reconcile(&mut self, listings: impl IntoIterator<Item = Listing>) {
        self.entries.clear();
        self.left_out = 0;
        for listing in listings {
            self.add(&listing);
        }
    }

    /// Takes note of a change, and says whether it knows now what the map shall say: it does not after a list was
    /// replaced as a whole, nor when a listing goes while others had no room.
    pub fn note(&mut self, entry: &Entry) -> bool {
        match &entry.change {
            Change::Listed(listing) => self.add(listing),
            Change::Unlisted { listing, .. } => {
                if let Subject::Network(network) = listing.subject {
                    self.entries.remove(&(network, listing.list));
                    return self.left_out == 0 || !self.lists.contains(listing.list);
                }
            }
            Change::Replaced(replaced) => return !self.lists.contains(replaced.list),
        }
        true
    }

    /// The text of the map, and how many networks it leaves out because they cannot be named in it or had no room.
    pub fn render(&self, style: &Style, words: &Words) -> (String, usize) {
        let mut out = String::with_capacity(self.entries.len() * LINE_BYTES);
        out.push_str(style.head());
        let mut left_out = self.left_out;
        let mut last = None;
        for ((network, _), mark) in &self.entries {
            if last == Some(*network) {
                continue;
            }
            last = Some(*network);
            if style.format.can_name(*network) {
                style.write(*network, mark, words, &mut out);
            } else {
                left_out += 1;
            }
        }
        (out, left_out)
    }

    /// How many listings it knows.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn add(&mut self, listing: &Listing) {
        let Subject::Network(network) = listing.subject else { return };
        if !self.lists.contains(listing.list) {
            return;
        }
        let key = (network, listing.list);
        if self.entries.len() >= self.entries_max && !self.entries.contains_key(&key) {
            self.left_out += 1;
            return;
        }
        self.entries.insert(key, Mark { until: listing.until, maker: listing.maker.clone() });
    }
}

#[cfg(test)]
mod tests;
