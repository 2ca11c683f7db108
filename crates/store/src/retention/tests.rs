use super::*;
use crate::schema::{STEPS, migrate};

/// Rows of the table numbered 1 to `count`, as old as their number says.
fn filled(count: u32) -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection, 0, STEPS).unwrap();
    connection
        .execute_batch(&format!(
            "CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS \
             (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n"
        ))
        .unwrap();
    let statements = [
        "INSERT INTO event (id, time, kind, service, channel, tally) \
         SELECT i, i * 1000, 'connect', 'smtp', 'front', 'one' FROM n",
        "INSERT INTO journal SELECT i, i, 'listed', NULL, 'auth', '192.0.2.1', 0, 0, 'x', NULL, NULL, 0, 0, 0, 0, 0 FROM n",
        "INSERT INTO audit SELECT i, i, 'root', 'watch' FROM n",
        "INSERT INTO owner SELECT i, 'user-' || i, '192.0.2.1', i * 1000, NULL FROM n",
    ];
    for statement in statements {
        connection.execute_batch(statement).unwrap();
    }
    connection
}

/// The first and last number left in each table, after as many sweeps as it takes; and how many those were.
fn swept(connection: &mut Connection, limits: Limits, now_s: u64) -> (usize, Vec<(i64, i64)>) {
    let mut retention = Retention::default();
    let mut sweeps = 1;
    while retention.sweep(connection, &limits, Timestamp::from_secs(now_s)).unwrap() {
        sweeps += 1;
    }
    let left = ["id FROM event", "serial FROM journal", "id FROM audit", "at / 1000 FROM owner"].map(|what| {
        let (column, table) = what.split_once(" FROM ").unwrap();
        let query = format!("SELECT min({column}), max({column}) FROM {table}");
        connection.query_row(&query, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    });
    (sweeps, left.to_vec())
}

const ALL: Limits = Limits {
    events_kept: Duration::MAX,
    event_rows_max: u64::MAX,
    journal_rows_max: u64::MAX,
    owners_kept: Duration::MAX,
    owner_rows_max: u64::MAX,
    audit_rows_max: u64::MAX,
    events_queued_max: 1,
    events_restored_max: 1,
    failures_further: Duration::ZERO,
    failures_restored_max: 1,
};

#[test]
fn the_oldest_go_first_and_a_little_at_a_time() {
    let all = (1, 3_500);
    let cases = [
        (ALL, 1, [all; 4]),
        (Limits { event_rows_max: 1_200, ..ALL }, 3, [(2_301, 3_500), all, all, all]),
        (Limits { journal_rows_max: 3_000, ..ALL }, 1, [all, (501, 3_500), all, all]),
        (Limits { audit_rows_max: 1, ..ALL }, 4, [all, all, (3_500, 3_500), all]),
        (Limits { owner_rows_max: 100, ..ALL }, 4, [all, all, all, (3_401, 3_500)]),
        (Limits { events_kept: Duration::from_secs(2_000), ..ALL }, 2, [(2_000, 3_500), all, all, all]),
        (Limits { owners_kept: Duration::from_secs(500), ..ALL }, 4, [all, all, all, (3_500, 3_500)]),
    ];
    for (limits, sweeps, left) in cases {
        let mut connection = filled(3_500);
        assert_eq!(swept(&mut connection, limits, 4_000), (sweeps, left.to_vec()), "{limits:?}");
    }
}
