//! Serials that may have been given out. Pure but for the connection it is given.
//!
//! A change is seen by DNS before it is in the file. If the process ends in between, the number of that change must
//! never stand for another one. So the file has a number in it that is ahead of all that can have been given out; it
//! is taken out again by an end in order, and whoever finds it at the start begins there.
//!
//! The file may also be a copy that was put back, and what came after the copy is lost. Its numbers must not come
//! again either: secondaries have them. So the file says when it was written, and a start goes on by one number for each
//! millisecond since.

use base::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::rows::{number, time};

/// How far the numbers are reserved ahead of the last change that is in the file: more changes than can wait for their
/// transaction, a whole list of millions replaced at once among them.
pub(crate) const SERIALS_RESERVED: u64 = 1 << 24;

/// Most numbers that a start goes on by for the time since the file was written: who has the zone of then shall still take
/// the new one for newer (RFC 1982).
const SERIALS_PASSED_MAX: u64 = 1 << 30;

const LAST: &str = "journal_serial";
const BEGUN: &str = "serials_begun";
const RESERVED: &str = "serials_reserved";
const WRITTEN: &str = "serials_written";
const UNTOLD: &str = "bulk_serial";

/// The number from which this process goes on; at least `first`. Nothing is written: before [`reserve`] no change is made.
///
/// A new file begins with the seconds since the epoch, so that whoever has the zone of a file that is lost takes the
/// new one for newer (RFC 1982): nobody makes more than one change a second for years.
pub(crate) fn begin(connection: &Connection, now: Timestamp, first: u64) -> rusqlite::Result<u64> {
    let known = known(connection)?;
    if known == 0 {
        return Ok(first.max(now.as_secs()));
    }
    let given = value(connection, RESERVED)?.map_or(known, |reserved| reserved.max(known));
    let passed = value(connection, WRITTEN)?.map_or(0, |written| now.as_millis().saturating_sub(written));
    Ok(first.max(given + passed.min(SERIALS_PASSED_MAX)))
}

/// From now on changes are made, with numbers behind `begun`. That is on the disk before it returns.
pub(crate) fn reserve(connection: &mut Connection, begun: u64, now: Timestamp) -> rusqlite::Result<()> {
    synced(connection, |transaction| put_all(transaction, BEGUN, begun, now))
}

/// The last number that the file knows: that of its last change, or that from which a process went on.
pub(crate) fn known(connection: &Connection) -> rusqlite::Result<u64> {
    Ok(value(connection, BEGUN)?.unwrap_or_default().max(last(connection)?))
}

/// The last change that is in the file.
pub(crate) fn last(connection: &Connection) -> rusqlite::Result<u64> {
    // Retention never deletes the last journal row, but a person might: the serial has a row of its own.
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
pub(crate) fn end(connection: &mut Connection, now: Timestamp) -> rusqlite::Result<()> {
    synced(connection, |transaction| {
        transaction.execute("DELETE FROM meta WHERE name = ?1", [RESERVED])?;
        transaction
            .execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)", params![WRITTEN, time(now)])?;
        Ok(())
    })
}

/// The change `last` is in the file with this transaction, which is made at `now`.
pub(crate) fn put(transaction: &Transaction<'_>, last: u64, now: Timestamp) -> rusqlite::Result<()> {
    put_all(transaction, LAST, last, now)
}

fn put_all(transaction: &Transaction<'_>, name: &str, last: u64, now: Timestamp) -> rusqlite::Result<()> {
    let mut put = transaction.prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?;
    put.execute(params![name, number(last)])?;
    put.execute(params![RESERVED, number(last + SERIALS_RESERVED)])?;
    put.execute(params![WRITTEN, time(now)])?;
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

    fn file() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, 0, STEPS).unwrap();
        connection
    }

    const NOW: Timestamp = Timestamp::from_secs(3);

    #[test]
    fn only_an_end_in_order_goes_on_where_it_was() {
        let mut connection = file();
        assert_eq!(begin(&connection, NOW, 0), Ok(3), "a new file begins with the seconds");
        reserve(&mut connection, 3, NOW).unwrap();
        assert_eq!(
            begin(&connection, Timestamp::from_secs(2), 0),
            Ok(3 + SERIALS_RESERVED),
            "never back, though the clock is"
        );
        reserve(&mut connection, 7, NOW).unwrap();
        end(&mut connection, NOW).unwrap();
        assert_eq!(begin(&connection, NOW, 0), Ok(7), "an end in order");
        reserve(&mut connection, 7, NOW).unwrap();
        for _ in 0..3 {
            assert_eq!(
                begin(&connection, NOW, 0),
                Ok(7 + SERIALS_RESERVED),
                "none; starts that come to nothing cost nothing"
            );
        }
        assert_eq!(begin(&connection, NOW, 1 << 40), Ok(1 << 40), "lifted");
    }

    #[test]
    fn a_copy_that_was_put_back_goes_on_behind_what_is_lost() {
        let mut connection = file();
        reserve(&mut connection, 500, NOW).unwrap();
        end(&mut connection, NOW).unwrap();
        let day = Timestamp::from_secs(3 + 86_400);
        assert_eq!(begin(&connection, day, 0), Ok(500 + 86_400_000));
        assert_eq!(begin(&connection, Timestamp::from_secs(1 << 40), 0), Ok(500 + SERIALS_PASSED_MAX));
    }
}
