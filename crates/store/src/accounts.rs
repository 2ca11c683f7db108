//! What is known of accounts that send mail, as rows. Pure but for the transaction it is given.

use rusqlite::{Row, Transaction};

use crate::rows::get;

/// An account by its key, as the rules wrote it.
pub type KeptAccount = (u64, Vec<u8>);

/// Reads all of them.
pub(crate) const QUERY: &str = "SELECT key, state FROM account";

/// Writes each in place of what was known of it, or deletes it.
pub(crate) fn write<'a>(
    transaction: &Transaction<'_>,
    accounts: impl Iterator<Item = (&'a u64, &'a Option<Vec<u8>>)>,
) -> rusqlite::Result<()> {
    let mut put = transaction.prepare_cached("INSERT OR REPLACE INTO account (key, state) VALUES (?1, ?2)")?;
    let mut delete = transaction.prepare_cached("DELETE FROM account WHERE key = ?1")?;
    for (key, state) in accounts {
        match state {
            Some(state) => put.execute((key.cast_signed(), state))?,
            None => delete.execute([key.cast_signed()])?,
        };
    }
    Ok(())
}

/// Reads a row of [`QUERY`].
pub(crate) fn read(row: &Row<'_>) -> Option<KeptAccount> {
    Some((get::<i64>(row, 0)?.cast_unsigned(), get(row, 1)?))
}
