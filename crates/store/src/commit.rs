//! One transaction: what the queue and the book's journal hold at that moment.

use rusqlite::{CachedStatement, Connection, Transaction, TransactionBehavior};

use crate::bulk;
use crate::file::CACHE_SIZE;
use crate::load::{Entries, Load};
use crate::past;
use crate::records::Names;
use crate::rows::{self, number, refs, time};
use crate::{accounts, exceptions, keys, reporters, serials};
use listings::{Cause, Change, Entry};

/// The cache while a whole list is written, in KiB: of its pages none is looked at twice.
const CACHE_SIZE_FOR_BULKS: i64 = -1024;

/// Writes the load and the entries in one transaction: all of it or, on an error, none.
pub(crate) fn commit(
    connection: &mut Connection,
    names: &Names,
    load: &Load,
    entries: &Entries,
) -> rusqlite::Result<()> {
    if !entries.waiting.iter().any(|entry| matches!(entry.change, Change::Replaced(_))) {
        return write(connection, names, load, entries);
    }
    connection.pragma_update(None, "cache_size", CACHE_SIZE_FOR_BULKS)?;
    let written = write(connection, names, load, entries);
    connection.pragma_update(None, "cache_size", CACHE_SIZE)?;
    written
}

fn write(connection: &mut Connection, names: &Names, load: &Load, entries: &Entries) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    write_entries(&transaction, names, &entries.waiting)?;
    if let Some(last) = entries.waiting.last().filter(|_| entries.has_gaps) {
        past::forget_before(&transaction, last.serial, last.at)?;
    }
    write_events(&transaction, load)?;
    write_owners(&transaction, load)?;
    write_positions(&transaction, load)?;
    write_audits(&transaction, load)?;
    keys::write(&transaction, load.keys.values())?;
    exceptions::write(&transaction, load.exceptions.values())?;
    reporters::write(&transaction, load.standings.values())?;
    accounts::write(&transaction, load.accounts.iter())?;
    transaction.commit()
}

fn insert<'t>(transaction: &'t Transaction<'_>, table: &str, columns: &str) -> rusqlite::Result<CachedStatement<'t>> {
    let marks = rows::marks(columns.split(',').count());
    transaction.prepare_cached(&format!("INSERT OR REPLACE INTO {table} ({columns}) VALUES ({marks})"))
}

fn write_entries(transaction: &Transaction<'_>, names: &Names, entries: &[Entry]) -> rusqlite::Result<()> {
    let Some(last) = entries.last() else { return Ok(()) };
    let columns = rows::LISTING_COLUMNS;
    let mut put = insert(transaction, "listing", columns)?;
    let mut remove = transaction.prepare_cached("DELETE FROM listing WHERE list = ?1 AND subject = ?2")?;
    let mut note = insert(transaction, "journal", &format!("serial, at, change, removed_by, of_bulk, {columns}"))?;
    for entry in entries {
        let (listing, change, by) = match &entry.change {
            Change::Replaced(replaced) => {
                bulk::write(transaction, names, (entry.serial, entry.at), replaced)?;
                serials::put_untold(transaction, entry.serial)?;
                continue;
            }
            Change::Listed(listing) => (listing, "listed", None),
            Change::Unlisted { listing, cause: Cause::Expired } => (listing, "expired", None),
            Change::Unlisted { listing, cause: Cause::Replaced } => (listing, "replaced", None),
            Change::Unlisted { listing, cause: Cause::Removed { by } } => (listing, "removed", Some(&**by)),
        };
        let values = rows::listing_values(listing, names);
        let mut of_bulk = false;
        if matches!(entry.change, Change::Listed(_)) {
            put.execute(&refs(&values)[..])?;
        } else if remove.execute(&refs(&values)[..2])? == 0 {
            // There was no row: it may have been of the list's bulk.
            of_bulk = bulk::note_gone(transaction, names.list(listing.list), &listing.subject.to_string())?;
        }
        let (serial, at) = (number(entry.serial), time(entry.at));
        let mut row: Vec<&dyn rusqlite::ToSql> = vec![&serial, &at, &change, &by, &of_bulk];
        row.extend(refs(&values));
        note.execute(&row[..])?;
    }
    serials::put(transaction, last.serial)
}

fn write_events(transaction: &Transaction<'_>, load: &Load) -> rusqlite::Result<()> {
    let mut statement = insert(transaction, "event", rows::EVENT_COLUMNS)?;
    for event in &load.events {
        statement.execute(&refs(&rows::event_values(event))[..])?;
    }
    Ok(())
}

fn write_owners(transaction: &Transaction<'_>, load: &Load) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached(&format!(
        "INSERT INTO owner ({}) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (login, network, ifnull(password, -1)) DO UPDATE SET at = max(at, excluded.at)",
        rows::OWNER_COLUMNS
    ))?;
    for owner in load.owners.values() {
        statement.execute(&refs(&rows::owner_values(owner))[..])?;
    }
    Ok(())
}

fn write_positions(transaction: &Transaction<'_>, load: &Load) -> rusqlite::Result<()> {
    let mut statement = insert(transaction, "position", rows::POSITION_COLUMNS)?;
    for position in load.positions.values() {
        statement.execute(&refs(&rows::position_values(position))[..])?;
    }
    Ok(())
}

fn write_audits(transaction: &Transaction<'_>, load: &Load) -> rusqlite::Result<()> {
    let mut statement = insert(transaction, "audit", "at, who, what")?;
    for audit in &load.audits {
        statement.execute(rusqlite::params![time(audit.at), audit.who, audit.what])?;
    }
    Ok(())
}
