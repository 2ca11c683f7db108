//! Serials that may have been given out. Pure but for the connection it is given.
//!
//! A change is seen by DNS before it is in the file. If the process ends in between, the number of that change must
//! never stand for another one. So numbers are given out of a block that the file has reserved before, on the disk; an end
//! in order takes the note out again, and whoever finds it at the start begins behind the block.
//!
//! The file may also be a copy that was put back, and what came after the copy is lost. Its numbers must not come
//! again either: secondaries have them. So the file says when it was written, and a start goes on by one number for each
//! millisecond since.

use base::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::rows::{number, time};
use crate::starts::{self, Outset};

/// How many numbers are reserved at a time. What an end out of order costs, so that thousands of them in a row leave the zone
/// newer than what any secondary has; and one write to the disk that is waited for in so many changes.
pub(crate) const SERIALS_RESERVED: u64 = 1 << 16;

/// Most numbers that a start goes on by for the time since the file was written: who has the zone of then shall still take
/// the new one for newer (RFC 1982).
const SERIALS_PASSED_MAX: u64 = 1 << 30;

const LAST: &str = "journal_serial";
const BEGUN: &str = "serials_begun";
const RESERVED: &str = "serials_reserved";
const WRITTEN: &str = "serials_written";
const UNTOLD: &str = "bulk_serial";

/// The number from which this process goes on; at least `first`, and none that another process gave out. Nothing is written: before
/// [`go_on`] no change is made.
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
    Ok(first.max(given + passed.clamp(1, SERIALS_PASSED_MAX)))
}

/// From now on changes are made, with numbers behind `begun`. That is on the disk before it returns. Gives the last number
/// that may be given out.
pub(crate) fn go_on(
    connection: &mut Connection,
    begun: u64,
    now: Timestamp,
    outset: &Outset,
    sum: Option<u64>,
) -> rusqlite::Result<u64> {
    synced(connection, |transaction| {
        starts::write(transaction, begun, outset, sum)?;
        put_all(transaction, BEGUN, begun, now)?;
        put(transaction, RESERVED, begun + SERIALS_RESERVED)
    })?;
    Ok(begun + SERIALS_RESERVED)
}

/// Reserves a block for changes behind `last` if what is reserved, up to `reserved`, is half used. That is on the disk before it
/// returns. Gives the last number that may be given out.
pub(crate) fn reserve(connection: &mut Connection, last: u64, reserved: u64) -> rusqlite::Result<u64> {
    if reserved >= last + SERIALS_RESERVED / 2 {
        return Ok(reserved);
    }
    synced(connection, |transaction| put(transaction, RESERVED, last + SERIALS_RESERVED))?;
    Ok(last + SERIALS_RESERVED)
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
    put(transaction, UNTOLD, serial)
}

/// Everything that was given out is in the file.
pub(crate) fn end(connection: &mut Connection, now: Timestamp) -> rusqlite::Result<()> {
    synced(connection, |transaction| {
        transaction.execute("DELETE FROM meta WHERE name = ?1", [RESERVED])?;
        transaction.execute(PUT, params![WRITTEN, time(now)])?;
        Ok(())
    })
}

/// The change `last` is in the file with this transaction, which is made at `now`.
pub(crate) fn put_last(transaction: &Transaction<'_>, last: u64, now: Timestamp) -> rusqlite::Result<()> {
    put_all(transaction, LAST, last, now)
}

fn put_all(transaction: &Transaction<'_>, name: &str, last: u64, now: Timestamp) -> rusqlite::Result<()> {
    put(transaction, name, last)?;
    let mut put = transaction.prepare_cached(PUT)?;
    put.execute(params![WRITTEN, time(now)])?;
    Ok(())
}

const PUT: &str = "INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)";

/// Writes a number under its name.
pub(crate) fn put(transaction: &Transaction<'_>, name: &str, value: u64) -> rusqlite::Result<()> {
    transaction.prepare_cached(PUT)?.execute(params![name, number(value)])?;
    Ok(())
}

/// The number under a name.
pub(crate) fn value(connection: &Connection, name: &str) -> rusqlite::Result<Option<u64>> {
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

    fn go_on_from(connection: &mut Connection, begun: u64) -> u64 {
        go_on(connection, begun, NOW, &Outset::default(), None).unwrap()
    }

    #[test]
    fn only_an_end_in_order_goes_on_where_it_was() {
        let mut connection = file();
        assert_eq!(begin(&connection, NOW, 0), Ok(3), "a new file begins with the seconds");
        go_on_from(&mut connection, 3);
        let earlier = begin(&connection, Timestamp::from_secs(2), 0);
        assert_eq!(earlier, Ok(4 + SERIALS_RESERVED), "never back, though the clock is");
        go_on_from(&mut connection, 7);
        end(&mut connection, NOW).unwrap();
        assert_eq!(begin(&connection, NOW, 0), Ok(8), "an end in order, in the same millisecond");
        go_on_from(&mut connection, 8);
        for _ in 0..3 {
            assert_eq!(
                begin(&connection, NOW, 0),
                Ok(9 + SERIALS_RESERVED),
                "starts that come to nothing cost nothing"
            );
        }
        assert_eq!(begin(&connection, NOW, 1 << 40), Ok(1 << 40), "lifted");
    }

    #[test]
    fn no_number_is_used_that_is_not_on_the_disk() {
        let mut connection = file();
        let (begun, mut reserved, mut written) = (1000, go_on_from(&mut connection, 1000), 1);
        for last in (begun..begun + 10 * SERIALS_RESERVED).step_by(777) {
            let more = reserve(&mut connection, last, reserved).unwrap();
            written += u64::from(more != reserved);
            reserved = more;
            let next = begin(&connection, NOW, 0).unwrap();
            assert!(next > reserved && reserved >= last + SERIALS_RESERVED / 2, "{last}: {reserved}, {next}");
            assert!(next - last <= SERIALS_RESERVED + 1, "an end out of order costs one block at most");
        }
        assert!(written <= 21, "the disk is waited for twice a block");
    }

    #[test]
    fn many_ends_out_of_order_leave_the_zone_newer() {
        let mut connection = file();
        let mut serial = 1000;
        for _ in 0..10_000 {
            go_on_from(&mut connection, serial);
            serial = begin(&connection, NOW, 0).unwrap();
        }
        assert!(serial - 1000 < 1 << 31, "{serial}");
    }

    #[test]
    fn a_copy_that_was_put_back_goes_on_behind_what_is_lost() {
        let mut connection = file();
        go_on_from(&mut connection, 500);
        end(&mut connection, NOW).unwrap();
        let day = Timestamp::from_secs(3 + 86_400);
        assert_eq!(begin(&connection, day, 0), Ok(500 + 86_400_000));
        assert_eq!(begin(&connection, Timestamp::from_secs(1 << 40), 0), Ok(500 + SERIALS_PASSED_MAX));
    }
}
