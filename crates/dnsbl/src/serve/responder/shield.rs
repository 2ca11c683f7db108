//! Whom the zones of others and of files do not show here: those whom somebody at this node gave reasons to protect. What
//! a zone itself has stays as it is; only the answer leaves them out.

use core::fmt;
use std::sync::Arc;

use listings::Book;

use super::super::counters::Outcome;
use super::super::name::Name;
use super::super::query::Query;
use super::host;

/// The never-list, for zones that did not pass it on their way in.
pub struct Shield {
    book: Arc<Book>,
    unfiltered: Box<[Name]>,
}

impl fmt::Debug for Shield {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shield").field("unfiltered", &self.unfiltered).finish_non_exhaustive()
    }
}

impl Shield {
    /// That of the book, for all zones but these: a list of allowed addresses names those who are protected, too.
    pub fn new(book: Arc<Book>, unfiltered: impl IntoIterator<Item = Name>) -> Self {
        Self { book, unfiltered: unfiltered.into_iter().collect() }
    }

    /// What is answered in its place: that there is no such name, as for whoever is not listed; but an IPv4 address of one-digit
    /// numbers may be the beginning of IPv6 addresses, of which that would be said as well (RFC 8020).
    pub(super) fn outcome(query: &Query<'_>, behind: usize) -> Outcome {
        let labels = query.name.labels().saturating_sub(behind);
        let may_be_a_beginning = labels < 32 && (0..labels).all(|index| query.name.label(index).len() == 1);
        if may_be_a_beginning { Outcome::NoData } else { Outcome::Unlisted }
    }

    /// Whether an answer about the address that stands before the last `behind` labels of the question must not be given.
    /// It takes no lock and allocates nothing.
    pub(super) fn hides(&self, zone: &Name, behind: usize, query: &Query<'_>, outcome: Outcome) -> bool {
        outcome == Outcome::Listed
            && query.name.labels().checked_sub(behind).and_then(|labels| host(query, labels)).is_some_and(|address| {
                self.book.never_list().is_given(address)
                    && !self.unfiltered.iter().any(|other| other.wire().eq_ignore_ascii_case(zone.wire()))
            })
    }
}
