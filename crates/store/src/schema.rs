//! The tables and how a file of an earlier version becomes one of this version. Pure but for the connection it is given.

use rusqlite::Connection;

/// `PRAGMA application_id` of our files: `Ratt`.
pub(crate) const APPLICATION_ID: i64 = 0x5261_7474;

/// The steps from an empty file to the present version; step *n* makes version *n* + 1. A step that was released is
/// never changed. The comments inside the statements are for those who type `.schema` in `sqlite3`.
pub(crate) const STEPS: &[&str] = &[
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
    include_str!("schema/5.sql"),
    include_str!("schema/6.sql"),
    include_str!("schema/7.sql"),
    include_str!("schema/8.sql"),
    include_str!("schema/9.sql"),
    include_str!("schema/10.sql"),
    include_str!("schema/11.sql"),
];

/// What a file turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    /// An empty database.
    Empty,
    /// Ours, with so many steps done.
    Ours(usize),
    /// Somebody else's.
    Foreign,
}

/// Whose file this is.
pub(crate) fn look(connection: &Connection) -> rusqlite::Result<Found> {
    let number = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let (application, version) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    Ok(match (application, usize::try_from(version), tables) {
        (APPLICATION_ID, Ok(version), _) => Found::Ours(version),
        (0, Ok(0), 0) => Found::Empty,
        _ => Found::Foreign,
    })
}

/// Takes a file of version `from` through the `steps` that it lacks, each in one transaction with its number, so that
/// an interrupted start goes on where it stopped.
pub(crate) fn migrate(connection: &mut Connection, from: usize, steps: &[&str]) -> rusqlite::Result<()> {
    for (version, step) in (1_i64..).zip(steps).skip(from) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_file_gets_the_steps_it_lacks() {
        let mut connection = Connection::open_in_memory().unwrap();
        assert_eq!(look(&connection), Ok(Found::Empty));
        migrate(&mut connection, 0, STEPS).unwrap();
        assert_eq!(look(&connection), Ok(Found::Ours(STEPS.len())));
        connection.execute_batch("INSERT INTO audit VALUES (1, 2, 'root', 'watch')").unwrap();

        let next = "ALTER TABLE audit ADD COLUMN node TEXT";
        let mut steps = STEPS.to_vec();
        steps.push(next);
        steps.push("ALTER TABLE audit ADD COLUMN more TEXT; ALTER TABLE nowhere ADD COLUMN x TEXT");
        migrate(&mut connection, STEPS.len(), &steps).unwrap_err();
        let columns: i64 =
            connection.query_row("SELECT count(*) FROM pragma_table_info('audit')", [], |row| row.get(0)).unwrap();
        assert_eq!(
            (look(&connection), columns),
            (Ok(Found::Ours(STEPS.len() + 1)), 5),
            "the good step whole, the bad one not"
        );
        let what: String = connection.query_row("SELECT what FROM audit", [], |row| row.get(0)).unwrap();
        assert_eq!(what, "watch");
    }
}
