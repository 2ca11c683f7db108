//! Changes of the book as rows: the listings in force, and the journal.
//!
//! An import lists its addresses one by one, and these changes differ in nothing but the address. So what rows have in
//! common is bound once for all of them, and alike rows go [`ROWS_AT_ONCE`] at a time.

use base::{Listing, Timestamp};
use rusqlite::{CachedStatement, Transaction};

use crate::clock;
use crate::records::Names;
use crate::rows::{self, Value, number, optional, text, time};
use crate::starts::Sum;
use crate::{bulk, serials};
use listings::{Cause, Change, Entry};

/// How many rows one statement writes where so many have all but a few values in common.
const ROWS_AT_ONCE: usize = 32;

/// What the rows of some changes have in common.
#[derive(Clone, Copy)]
struct Head<'e> {
    at: Timestamp,
    change: &'static str,
    removed_by: Option<&'e str>,
    /// All but the subject.
    listing: &'e Listing,
}

impl<'e> Head<'e> {
    /// None for a whole list, which has rows of its own.
    fn of(entry: &'e Entry) -> Option<Self> {
        let (listing, change, removed_by) = match &entry.change {
            Change::Replaced(_) => return None,
            Change::Listed(listing) => (listing, "listed", None),
            Change::Unlisted { listing, cause: Cause::Expired } => (listing, "expired", None),
            Change::Unlisted { listing, cause: Cause::Replaced } => (listing, "replaced", None),
            Change::Unlisted { listing, cause: Cause::Removed { by } } => (listing, "removed", Some(&**by)),
        };
        Some(Self { at: entry.at, change, removed_by, listing })
    }

    fn is_like(&self, other: &Self) -> bool {
        let Listing { subject: _, list, since, until, maker, evidence } = other.listing;
        (self.at, self.change, self.removed_by) == (other.at, other.change, other.removed_by)
            && (self.listing.list, self.listing.since, self.listing.until) == (*list, *since, *until)
            && self.listing.evidence == *evidence
            && self.listing.maker == *maker
    }
}

/// Writes the changes, which are in the order of their numbers.
pub(crate) fn write(transaction: &Transaction<'_>, names: &Names, entries: &[Entry]) -> rusqlite::Result<()> {
    let Some(last) = entries.last() else { return Ok(()) };
    let mut tables = Tables::new(transaction, names)?;
    let kept = Sum::kept(transaction)?;
    let mut sum = kept.unwrap_or(Sum(0));
    let mut rest = entries;
    while let Some(first) = rest.first() {
        let count = match (&first.change, Head::of(first)) {
            (Change::Replaced(replaced), _) => {
                bulk::write(transaction, names, (first.serial, first.at), replaced)?;
                serials::put_untold(transaction, first.serial)?;
                1
            }
            (_, None) => 1,
            (_, Some(head)) => {
                let is_like = |entry: &&Entry| Head::of(entry).is_some_and(|other| head.is_like(&other));
                let count = rest.iter().take(ROWS_AT_ONCE).take_while(is_like).count();
                tables.write(&head, &rest[..count], &mut sum)?;
                count
            }
        };
        rest = &rest[count..];
    }
    if kept.is_some() {
        sum.keep(transaction)?;
    }
    serials::put_last(transaction, last.serial, clock::now())
}

/// The two tables.
struct Tables<'t> {
    transaction: &'t Transaction<'t>,
    names: &'t Names,
    put: Insert<'t>,
    remove: CachedStatement<'t>,
    note: Insert<'t>,
}

impl<'t> Tables<'t> {
    fn new(transaction: &'t Transaction<'_>, names: &'t Names) -> rusqlite::Result<Self> {
        let head = rows::LISTING_HEAD_COLUMNS;
        Ok(Self {
            transaction,
            names,
            put: Insert::new(transaction, "INSERT OR REPLACE INTO listing", head.to_owned(), "subject")?,
            remove: transaction.prepare_cached("DELETE FROM listing WHERE list = ?1 AND subject = ?2")?,
            // No two changes have one number. To replace a row would cost copies of its pages, to undo it.
            note: Insert::new(
                transaction,
                "INSERT OR IGNORE INTO journal",
                format!("at, change, removed_by, {head}"),
                "serial, of_bulk, subject",
            )?,
        })
    }

    /// Writes changes that have `head` in common. `sum` is that of the table of listings.
    fn write(&mut self, head: &Head<'_>, entries: &[Entry], sum: &mut Sum) -> rusqlite::Result<()> {
        let of_listing = rows::listing_head(head.listing, self.names);
        let subjects = entries.iter().filter_map(Head::of).map(|head| head.listing.subject.to_string());
        let subjects: Vec<String> = subjects.collect();
        let mut of_bulk = [false; ROWS_AT_ONCE];
        let list = self.names.list(head.listing.list);
        if head.change == "listed" {
            for subject in &subjects {
                sum.add(list, subject);
            }
            self.put.write(&of_listing, subjects.iter().map(|subject| [text(&**subject)]))?;
        } else {
            for (subject, of_bulk) in subjects.iter().zip(&mut of_bulk) {
                // Where there was no row it may have been of the list's bulk.
                let is_own = self.remove.execute([list, subject])? > 0;
                if is_own {
                    sum.take(list, subject);
                }
                *of_bulk = !is_own && bulk::note_gone(self.transaction, list, subject)?;
            }
        }
        let mut of_change = vec![time(head.at), head.change.into(), optional(head.removed_by)];
        of_change.extend(of_listing);
        let own = entries.iter().zip(of_bulk).zip(&subjects);
        let own = own.map(|((entry, of_bulk), subject)| [number(entry.serial), of_bulk.into(), text(&**subject)]);
        self.note.write(&of_change, own)
    }
}

/// Inserts rows of which some values, those of the first columns, may be the same for all.
struct Insert<'t> {
    transaction: &'t Transaction<'t>,
    one: CachedStatement<'t>,
    many: Option<CachedStatement<'t>>,
    into: &'static str,
    head: String,
    own: &'static str,
}

impl<'t> Insert<'t> {
    fn new(
        transaction: &'t Transaction<'_>,
        into: &'static str,
        head: String,
        own: &'static str,
    ) -> rusqlite::Result<Self> {
        let one = transaction.prepare_cached(&statement(into, &head, own, 1))?;
        Ok(Self { transaction, one, many: None, into, head, own })
    }

    /// Writes a row for each of `own`, at most [`ROWS_AT_ONCE`].
    fn write<'v, const OWN: usize>(
        &mut self,
        head: &[Value<'_>],
        own: impl ExactSizeIterator<Item = [Value<'v>; OWN]>,
    ) -> rusqlite::Result<()> {
        let is_full = own.len() == ROWS_AT_ONCE;
        if is_full && self.many.is_none() {
            let text = statement(self.into, &self.head, self.own, ROWS_AT_ONCE);
            self.many = Some(self.transaction.prepare_cached(&text)?);
        }
        let statement = self.many.as_mut().filter(|_| is_full).unwrap_or(&mut self.one);
        for (at, value) in (1..).zip(head) {
            statement.raw_bind_parameter(at, value)?;
        }
        let mut at = head.len();
        for row in own {
            for value in row {
                at += 1;
                statement.raw_bind_parameter(at, value)?;
            }
            if !is_full {
                statement.raw_execute()?;
                at = head.len();
            }
        }
        if is_full {
            statement.raw_execute()?;
        }
        Ok(())
    }
}

/// A statement for so many rows with the values of the columns `head` in common: those come first, then each row's own.
fn statement(into: &str, head: &str, own: &str, rows: usize) -> String {
    let (heads, owns) = (head.split(',').count(), own.split(',').count());
    let marks = |row: usize| {
        let first = heads + row * owns;
        let all = (1..=heads).chain(first + 1..=first + owns).map(|at| format!("?{at}"));
        format!("({})", all.collect::<Vec<_>>().join(", "))
    };
    let rows: Vec<String> = (0..rows).map(marks).collect();
    format!("{into} ({head}, {own}) VALUES {}", rows.join(", "))
}
