//! The state directory: its lock, the database file, its connections, the secret.
#![expect(clippy::disallowed_methods, reason = "this file is the shell that touches the file system")]

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use crate::clock;
use crate::error::StoreError;
use crate::limits::BUSY_WAIT;
use crate::rows::time;
use crate::schema::{self, Found, STEPS};

/// The database's name in the state directory.
pub(crate) const DATABASE: &str = "ratter.db";

/// The writer's cache, in KiB: the indexes' hot pages of some hundred thousand events.
pub(crate) const CACHE_SIZE: i64 = -16 * 1024;

/// The lock's name in the state directory.
const LOCK: &str = "lock";

/// Held as long as this process may write: an advisory lock that the system lets go when the process dies.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone would leave it to a program that another thread is just starting and that still shares the
        // file. An error leaves it to the end of this process.
        drop(self.file.unlock());
    }
}

/// Makes the state directory, for its owner alone, if it is missing.
pub(crate) fn make_directory(directory: &Path) -> Result<(), StoreError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(directory).map_err(|error| StoreError::access(directory, error))
}

/// Takes the state directory for this process and writes its number into the lock file.
pub(crate) fn lock(directory: &Path) -> Result<Lock, StoreError> {
    let path = directory.join(LOCK);
    let mut file = private(&path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            // Only for the message: an unreadable number is left out.
            let pid = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
            return Err(StoreError::InUse { path: directory.to_owned(), pid });
        }
        Err(TryLockError::Error(error)) => return Err(StoreError::access(&path, error)),
    }
    let number = format!("{}\n", std::process::id());
    file.set_len(0)
        .and_then(|()| file.write_all(number.as_bytes()))
        .map_err(|error| StoreError::access(&path, error))?;
    Ok(Lock { file })
}

/// What a start may write before it has given anything back, in bytes.
const START_BYTES: usize = 1 << 20;

/// Whether a store can be opened in the directory: by the process that takes the place of this one, which has it open
/// (`is_held`), or because nobody else has it. Makes the directory, and leaves nothing else behind.
///
/// # Errors
/// What [`crate::Store::open`] would say: no right to write there, no room, somebody else's.
pub fn can_open(directory: &Path, is_held: bool) -> Result<(), StoreError> {
    make_directory(directory)?;
    let _lock = if is_held { None } else { Some(lock(directory)?) };
    let path = directory.join("room-for-a-start");
    let mut file = private(&path)?;
    let written = file.write_all(&vec![0; START_BYTES]).and_then(|()| file.sync_all());
    let removed = std::fs::remove_file(&path);
    written.and(removed).map_err(|error| StoreError::access(&path, error))
}

/// Opens a file for reading and writing; a new one is its owner's alone.
fn private(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map_err(|error| StoreError::access(path, error))
}

/// Opens the writer's connection, making or migrating the tables.
pub(crate) fn open_writing(path: &PathBuf) -> Result<Connection, StoreError> {
    // SQLite would make it readable for others; its side files take over the mode of this one.
    drop(private(path)?);
    let failed = |error| StoreError::sqlite(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY_WAIT).map_err(failed)?;
    let known = STEPS.len();
    let version = match schema::look(&connection).map_err(failed)? {
        Found::Empty => 0,
        Found::Foreign => return Err(StoreError::NotOurs { path: path.clone() }),
        Found::Ours(found) if found > known => return Err(StoreError::Newer { path: path.clone(), found, known }),
        Found::Ours(found) => found,
    };
    prepare(&mut connection, version).map_err(failed)?;
    Ok(connection)
}

fn prepare(connection: &mut Connection, version: usize) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    // Shrinks the write-ahead log again after a long reader or a flood made it grow.
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    connection.pragma_update(None, "cache_size", CACHE_SIZE)?;
    connection.set_prepared_statement_cache_capacity(32);
    schema::migrate(connection, version, STEPS)
}

/// Opens a second connection that can only read, and in WAL mode never waits for the writer nor holds it up.
pub(crate) fn open_reading(path: &Path) -> Result<Connection, StoreError> {
    let failed = |error| StoreError::sqlite(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY_WAIT).map_err(failed)?;
    Ok(connection)
}

/// The secret of this node, made from the system's randomness at the first start.
pub(crate) fn secret(connection: &Connection, path: &Path) -> Result<[u8; 16], StoreError> {
    let failed = |error| StoreError::sqlite(path, error);
    let kept: Option<Vec<u8>> = connection
        .query_row("SELECT value FROM meta WHERE name = 'secret'", [], |row| row.get(0))
        .optional()
        .map_err(failed)?;
    if let Some(kept) = kept {
        let detail = format!("its secret has {} bytes instead of 16", kept.len());
        return kept.try_into().map_err(|_| StoreError::Damaged { path: path.to_owned(), detail });
    }
    let random = Path::new("/dev/urandom");
    let mut secret = [0; 16];
    File::open(random)
        .and_then(|mut file| file.read_exact(&mut secret))
        .map_err(|error| StoreError::access(random, error))?;
    let statement = "INSERT INTO meta (name, value) VALUES ('secret', ?1), ('created', ?2)";
    connection.execute(statement, rusqlite::params![secret, time(clock::now())]).map_err(failed)?;
    Ok(secret)
}
