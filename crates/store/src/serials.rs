//! Serials that may have been given out. Pure but for the connection it is given.
//!
//! A change is seen by DNS before it is in the file. If the process ends in between, the number of that change must
//! never stand for another one. So the file has a number in it that is ahead of all that can have been given out; it
//! is taken out again by an end in order, and whoever finds it at the start begins there.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::rows::number;

/// How far the numbers are reserved ahead of the last change that is in the file: more changes than can wait for their
/// transaction, a whole list of millions replaced at once among them.
pub(crate) const SERIALS_RESERVED: u64 = 1 << 24;

const LAST: &str = "journal_serial";
const RESERVED: &str = "serials_reserved";
const UNTOLD: &str = "bulk_serial";

/// The last serial that may have been given out, from which this process goes on; `first` in a file that has none. Both
/// numbers are on the disk before it returns.
///
/// A new file begins with the seconds since the epoch, so that whoever has the zone of a file that is lost takes the
/// new one for newer (RFC 1982): nobody makes more than one change a second for years.
pub(crate) fn begin(connection: &mut Connection, first: u64) -> rusqlite::Result<u64> {
    synced(connection, |transaction| {
        // Retention never deletes the last journal row, but a person might: the serial has a row of its own.
        let last = value(transaction, LAST)?.filter(|last| *last > 0).unwrap_or(first);
        let first = value(transaction, RESERVED)?.map_or(last, |reserved| reserved.max(last));
        put(transaction, first)?;
        Ok(first)
    })
}

/// The last change that is in the file.
pub(crate) fn last(connection: &Connection) -> rusqlite::Result<u64> {
    Ok(value(connection, LAST)?.unwrap_or_default())
}

/// The last change that no row of the journal tells: a bulk was replaced.
pub(crate) fn last_untold(connection: &Connection) -> rusqlite::Result<u64> {
    Ok(value(connection, UNTOLD)?.unwrap_or_default())
}

/// The change `serial`, which is in this transaction, has no row in the journal.
pub(crate) fn put_untold(transaction: &Transaction<'_>, serial: u64) -> rusqlite::Result<()> {
    let mut put = transaction.prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?;
    put.execute(params![UNTOLD, number(serial)])?;
    Ok(())
}

/// Everything that was given out is in the file.
pub(crate) fn end(connection: &mut Connection) -> rusqlite::Result<()> {
    synced(connection, |transaction| transaction.execute("DELETE FROM meta WHERE name = ?1", [RESERVED]).map(drop))
}

/// The change `last` is in the file with this transaction.
pub(crate) fn put(transaction: &Transaction<'_>, last: u64) -> rusqlite::Result<()> {
    let mut put = transaction.prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?;
    put.execute(params![LAST, number(last)])?;
    put.execute(params![RESERVED, number(last + SERIALS_RESERVED)])?;
    Ok(())
}

fn value(connection: &Connection, name: &str) -> rusqlite::Result<Option<u64>> {
    let value = connection.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get::<_, i64>(0));
    Ok(value.optional()?.map(i64::cast_unsigned))
}

/// A transaction that a power cut does not undo.
fn synced<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    let transaction = connection.transaction()?;
    let done = work(&transaction)?;
    transaction.commit()?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{STEPS, migrate};

    #[test]
    fn only_an_end_in_order_goes_on_where_it_was() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, 0, STEPS).unwrap();
        assert_eq!(begin(&mut connection, 3), Ok(3), "a new file");
        assert_eq!(begin(&mut connection, 2), Ok(3 + SERIALS_RESERVED), "never back, though the clock is");
        for (number, wanted) in [(0, 9), (7, 7)] {
            let transaction = connection.transaction().unwrap();
            put(&transaction, number).unwrap();
            transaction.commit().unwrap();
            end(&mut connection).unwrap();
            assert_eq!(begin(&mut connection, 9), Ok(wanted), "an end in order");
            end(&mut connection).unwrap();
        }
        assert_eq!(begin(&mut connection, 9), Ok(7), "an end in order");
        assert_eq!(begin(&mut connection, 9), Ok(7 + SERIALS_RESERVED), "none");
        assert_eq!(begin(&mut connection, 9), Ok(7 + 2 * SERIALS_RESERVED), "none again, and nothing written between");
    }
}
