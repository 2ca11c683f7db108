use std::io;
use std::path::{Path, PathBuf};

/// Why the store cannot be opened or asked. Each message says what the operator can do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The state directory or a file in it cannot be made or opened.
    #[error("{}: {error}; the directory must exist or be creatable, and be writable for the user that runs ratter", path.display())]
    Access {
        /// The directory or file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Another process holds the state directory.
    #[error("{} is in use by another ratter{}; stop it first, or give this one a directory of its own", path.display(), pid_text(*pid))]
    InUse {
        /// The state directory.
        path: PathBuf,
        /// The other process, if it wrote its number down.
        pid: Option<u32>,
    },
    /// The file is a database of another program, or no database.
    #[error("{} is not a database of ratter; move it away or choose another state directory (nothing was changed)", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// A later Ratter wrote the file.
    #[error("{} was written by a later ratter (its version {found}, known up to {known}); run that version, or move the file away and start afresh", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version in the file.
        found: usize,
        /// The latest version that this program knows.
        known: usize,
    },
    /// The file's content is broken.
    #[error(
        "{0} is damaged ({detail}); nothing was changed. Rescue what can be read with `sqlite3 {0} .recover`, or put back a copy, or move it away to start afresh",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// `SQLite` cannot do it now: disk full, locked, no memory, an I/O error.
    #[error("{}: {error}; free space and permissions are the usual causes", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What `SQLite` says.
        error: rusqlite::Error,
    },
}

fn pid_text(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}

impl StoreError {
    /// The error of a step on the file at `path`, told apart by what `SQLite` says.
    pub(crate) fn sqlite(path: &Path, error: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => Self::NotOurs { path },
            Some(rusqlite::ErrorCode::DatabaseCorrupt) => Self::Damaged { path, detail: error.to_string() },
            _ => Self::Sqlite { path, error },
        }
    }

    pub(crate) fn access(path: &Path, error: io::Error) -> Self {
        Self::Access { path: path.to_owned(), error }
    }
}

/// What was queued is not in the file: the store fails, or has been closed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not saved: {reason}")]
pub struct NotSaved {
    /// The last error, in `SQLite`'s words.
    pub reason: Box<str>,
}
