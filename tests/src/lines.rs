//! Log lines as Dovecot's processes write them through syslog, for tests that need no Dovecot, and log files that are
//! written and rotated as the system does it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::time::now;

/// A log file being written, as a syslog daemon has it: open for appending.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
    lines: u64,
}

impl Log {
    /// Opens the file, and makes it if need be.
    pub fn open(path: &Path) -> Self {
        Self { path: path.to_owned(), file: append_to(path), lines: 0 }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many lines were written in all, rotations included.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Writes a line at once, with the present as its time.
    pub fn line(&mut self, text: &str) {
        self.raw(stamped(text).as_bytes());
        self.lines += 1;
    }

    /// Writes a line in pieces, as a full buffer of the writer does it.
    pub fn line_in_pieces(&mut self, text: &str, pieces: usize, mut between: impl FnMut()) {
        let line = stamped(text).into_bytes();
        for piece in line.chunks(line.len().div_ceil(pieces.max(1))) {
            self.raw(piece);
            between();
        }
        self.lines += 1;
    }

    /// Writes bytes as they are; the caller counts no line.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.file.write_all(bytes).expect("the disk takes it");
    }

    /// Rotates as logrotate does by default: the file gets another name and a new one is made.
    pub fn rotate(&mut self, old: &Path) {
        self.rename(old);
        self.reopen();
    }

    /// First half of [`Self::rotate`]: the writer goes on writing to the file with the other name.
    pub fn rename(&self, old: &Path) {
        std::fs::rename(&self.path, old).expect("a file can be renamed");
    }

    /// Second half of [`Self::rotate`]: the writer opens a new file.
    pub fn reopen(&mut self) {
        self.file = append_to(&self.path);
    }

    /// Rotates as logrotate's `copytruncate` does: a copy is made and the file is emptied.
    pub fn copy_and_truncate(&self, old: &Path) {
        std::fs::copy(&self.path, old).expect("a file can be copied");
        self.file.set_len(0).expect("a file can be emptied");
    }
}

fn append_to(path: &Path) -> File {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn stamped(text: &str) -> String {
    format!("{} mx1 dovecot: {text}\n", now().strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00"))
}

/// A name for a session that no other line has.
pub fn session() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("tests/{:012x}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// What `imap-login` writes when a client whose passwords were wrong goes away.
pub fn failed(address: &str, login: &str, attempts: u32) -> String {
    let session = session();
    format!(
        "imap-login: Disconnected: Connection closed (auth failed, {attempts} attempts in 2 secs): user=<{login}>, \
         method=PLAIN, rip={address}, lip=192.0.2.25, TLS, session=<{session}>"
    )
}

/// The same from a server whose `login_log_format_elements` leaves the session out, so that nothing but the place in
/// the file tells two lines apart.
pub fn failed_without_session(address: &str, login: &str) -> String {
    format!(
        "imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<{login}>, \
         method=PLAIN, rip={address}, lip=192.0.2.25, TLS"
    )
}

/// What `imap-login` writes after a login.
pub fn logged_in(address: &str, login: &str) -> String {
    let session = session();
    format!(
        "imap-login: Login: user=<{login}>, method=PLAIN, rip={address}, lip=192.0.2.25, mpid=4711, TLS, \
         session=<{session}>"
    )
}

/// A line of no interest.
pub fn chatter(number: u64) -> String {
    format!("imap(alice)<4711><{}>: Disconnected: Logged out in={number} out=470 deleted=0 expunged=0", session())
}
