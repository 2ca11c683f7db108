//! One transaction: what the queue and the book's journal hold at that moment.

use rusqlite::{CachedStatement, Connection, Transaction, TransactionBehavior};

use crate::file::CACHE_SIZE;
use crate::load::{Entries, Load};
use crate::past;
use crate::records::Names;
use crate::rows::{self, refs, time};
use crate::{accounts, changes, exceptions, keys, reporters};
use listings::Change;

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
    changes::write(&transaction, names, &entries.waiting)?;
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
