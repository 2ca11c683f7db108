//! Every limit of this room by its name. Those in [`Limits`] can be set smaller or larger for one store.

use core::time::Duration;

/// Longest a queued batch waits for its transaction while the store is healthy. What a gate reported in that time is lost by
/// `kill -9`; a commit without syncing costs some 0.2 ms.
pub const TICK: Duration = Duration::from_millis(20);

/// How often the idle writer looks for journal entries that nobody announced, and for rows to delete.
pub const IDLE: Duration = Duration::from_secs(1);

/// First and longest wait between two attempts to write while the store fails.
pub const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// How long closing a failing store goes on trying.
pub const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// How long `SQLite` waits for a lock that another program holds on the file, such as a person's `sqlite3`.
pub const BUSY_WAIT: Duration = Duration::from_millis(250);

/// Most owners that wait for their transaction; later ones of new logins or networks are shed and counted.
pub const OWNERS_QUEUED_MAX: usize = 100_000;

/// Most accounts that wait for their transaction; later ones are not kept until they change again. At two kilobytes each, and
/// nine at most.
pub const ACCOUNTS_QUEUED_MAX: usize = 20_000;

/// Most audit rows that wait for their transaction; later ones are shed and counted.
pub const AUDITS_QUEUED_MAX: usize = 10_000;

/// Most journal entries that wait for their transaction as they are. Beyond, only the last one of each subject and list
/// is kept: the listings stay right, the history gets gaps, which are counted.
pub const ENTRIES_QUEUED_MAX: usize = 200_000;

/// Most changes after an image that a start goes through; with more the book is read from its own tables. A million
/// take some two seconds.
pub const FOLLOWED_MAX: usize = 1_000_000;

/// Most rows of one table that one retention transaction deletes, so that it never holds the writer for long.
pub const RETENTION_ROWS_MAX: u32 = 1_000;

/// Longest session name that is kept, in bytes; a longer one is cut. Dovecot's have about 16, Postfix has none.
pub const SESSION_BYTES_MAX: usize = 64;

/// Longest service name that is kept, in bytes; a longer one is cut.
pub const SERVICE_BYTES_MAX: usize = 32;

/// Longest name of a reporter that is kept, in bytes; the configuration takes no longer ones.
pub const REPORTER_BYTES_MAX: usize = 64;

/// Longest text of an audit row, in bytes; a longer one is cut.
pub const AUDIT_BYTES_MAX: usize = 1024;

/// Most rows that one question of a person is answered with.
pub const ROWS_ASKED_MAX: usize = 10_000;

/// The limits of one store that its owner may set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// How long events are kept.
    pub events_kept: Duration,
    /// Most events that are kept; at about 250 bytes each, indexes included.
    pub event_rows_max: u64,
    /// Most journal entries that are kept.
    pub journal_rows_max: u64,
    /// How long an owner's address is kept after the last login from it.
    pub owners_kept: Duration,
    /// Most owners' addresses that are kept.
    pub owner_rows_max: u64,
    /// Most audit rows that are kept.
    pub audit_rows_max: u64,
    /// Most events that wait in memory for their transaction; later ones are shed and counted.
    pub events_queued_max: usize,
    /// Most events that are read back at a start, the newest.
    pub events_restored_max: usize,
    /// How much further back failed logins are read at a start than everything else.
    pub failures_further: Duration,
    /// Most of those, the newest.
    pub failures_restored_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            events_kept: Duration::from_hours(30 * 24),
            event_rows_max: 2_000_000,
            journal_rows_max: 1_000_000,
            owners_kept: Duration::from_hours(90 * 24),
            owner_rows_max: 1_000_000,
            audit_rows_max: 100_000,
            events_queued_max: 100_000,
            events_restored_max: 300_000,
            failures_further: Duration::ZERO,
            failures_restored_max: 100_000,
        }
    }
}
