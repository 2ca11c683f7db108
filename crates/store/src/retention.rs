//! Deletes what is older or more than the limits say, a little at a time.

use core::time::Duration;

use base::Timestamp;
use rusqlite::{Connection, OptionalExtension, Params, Transaction, TransactionBehavior};

use crate::limits::{Limits, RETENTION_ROWS_MAX};
use crate::rows::{self, time};
use crate::{bulk, past};

/// How often the owners, the journal and the keys are looked through: the other tables know their number from their own
/// keys, these must be walked, because serials have gaps where the process did not end in order.
const COUNTED_EVERY: Duration = Duration::from_mins(10);

/// Remembers what was done when.
#[derive(Debug, Default)]
pub(crate) struct Retention {
    counted: Timestamp,
    /// The last change that is to go, while there are some: to find it a million rows are walked.
    last_old: Option<u64>,
}

impl Retention {
    /// Deletes at most [`RETENTION_ROWS_MAX`] rows for each limit, in a transaction of its own. Returns whether there
    /// are likely more.
    pub(crate) fn sweep(
        &mut self,
        connection: &mut Connection,
        limits: &Limits,
        now: Timestamp,
    ) -> rusqlite::Result<bool> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut more = beyond(&transaction, "event", "id", limits.event_rows_max)?;
        more |= beyond(&transaction, "audit", "id", limits.audit_rows_max)?;
        more |= delete(
            &transaction,
            "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE time < ?1 ORDER BY time LIMIT ?2)",
            (time(now.minus(limits.events_kept)), RETENTION_ROWS_MAX),
        )?;
        more |= delete(
            &transaction,
            "DELETE FROM owner WHERE id IN (SELECT id FROM owner WHERE at < ?1 ORDER BY at LIMIT ?2)",
            (time(now.minus(limits.owners_kept)), RETENTION_ROWS_MAX),
        )?;
        let counts = now.since(self.counted) >= COUNTED_EVERY;
        let mut more_counted = false;
        if counts {
            more_counted |= delete(
                &transaction,
                "DELETE FROM owner WHERE id IN (SELECT id FROM owner ORDER BY at \
                 LIMIT max(0, min(?2, (SELECT count(*) FROM owner) - ?1)))",
                (signed(limits.owner_rows_max), RETENTION_ROWS_MAX),
            )?;
            if self.last_old.is_none() {
                self.last_old = last_old_change(&transaction, limits.journal_rows_max)?;
            }
            if let Some(last) = self.last_old {
                let more = old_changes(&transaction, last)?;
                self.last_old = more.then_some(last);
                more_counted |= more;
            }
            more_counted |= delete(
                &transaction,
                "DELETE FROM key WHERE hash IN (SELECT hash FROM key WHERE revoked < ?1 LIMIT ?2)",
                (time(now.minus(limits.events_kept)), RETENTION_ROWS_MAX),
            )?;
        }
        transaction.commit()?;
        if counts && !more_counted {
            self.counted = now;
        }
        Ok(more || more_counted)
    }
}

/// The last change before the newest `most`.
fn last_old_change(transaction: &Transaction<'_>, most: u64) -> rusqlite::Result<Option<u64>> {
    let query = "SELECT serial FROM journal ORDER BY serial DESC LIMIT 1 OFFSET ?1";
    let last = transaction.query_row(query, [signed(most)], |row| row.get::<_, i64>(0)).optional()?;
    Ok(last.map(i64::cast_unsigned))
}

/// Deletes the oldest rows of the journal up to `last`, and notes from when on the past can be told.
fn old_changes(transaction: &Transaction<'_>, last: u64) -> rusqlite::Result<bool> {
    let more = delete(
        transaction,
        "DELETE FROM journal WHERE serial IN (SELECT serial FROM journal WHERE serial <= ?1 ORDER BY serial LIMIT ?2)",
        (last.cast_signed(), RETENTION_ROWS_MAX),
    )?;
    if transaction.changes() > 0 {
        let first = "SELECT serial, at FROM journal ORDER BY serial LIMIT 1";
        let first = transaction.query_row(first, [], |row| Ok((rows::get_number(row, 0), rows::get_time(row, 1))));
        if let Some((Some(serial), Some(at))) = first.optional()? {
            past::forget_before(transaction, serial, at)?;
            bulk::forget(transaction, serial)?;
        }
    }
    Ok(more)
}

/// Deletes the oldest rows of `table` so that `most` stay, by a key that ascends without large gaps.
fn beyond(transaction: &Transaction<'_>, table: &str, key: &str, most: u64) -> rusqlite::Result<bool> {
    let statement = format!(
        "DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} \
         WHERE {key} <= (SELECT max({key}) FROM {table}) - ?1 ORDER BY {key} LIMIT ?2)"
    );
    delete(transaction, &statement, (signed(most), RETENTION_ROWS_MAX))
}

/// A limit as `SQLite` counts; beyond its numbers there is no limit.
fn signed(limit: u64) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Runs a statement; whether it deleted as much as it may.
fn delete(transaction: &Transaction<'_>, statement: &str, parameters: impl Params) -> rusqlite::Result<bool> {
    let deleted = transaction.prepare_cached(statement)?.execute(parameters)?;
    Ok(deleted >= RETENTION_ROWS_MAX as usize)
}

#[cfg(test)]
mod tests;
