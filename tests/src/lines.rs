//! Log lines as Dovecot and Postfix write them through syslog, for tests that need no Dovecot, and log files that are
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

    /// Rotates as logrotate does by default: `.1` becomes `.2` and so on, the file becomes `.1`, and a new one is made.
    pub fn rotate(&mut self) {
        let older = |number: u32| PathBuf::from(format!("{}.{number}", self.path.display()));
        let mut free = 1;
        while older(free).exists() {
            free += 1;
        }
        for number in (1..free).rev() {
            std::fs::rename(older(number), older(number + 1)).expect("a file can be renamed");
        }
        self.rename(&older(1));
        self.reopen();
    }

    /// The file gets another name: the writer goes on writing to the file with the other name.
    pub fn rename(&self, old: &Path) {
        std::fs::rename(&self.path, old).expect("a file can be renamed");
    }

    /// After [`Self::rename`] the writer opens a new file.
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
    format!("{} mx1 {text}\n", now().strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00"))
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
        "dovecot: imap-login: Disconnected: Connection closed (auth failed, {attempts} attempts in 2 secs): user=<{login}>, \
         method=PLAIN, rip={address}, lip=192.0.2.25, TLS, session=<{session}>"
    )
}

/// What Postfix writes about a wrong password. It names no session, so that nothing but its place in the file tells one
/// line from another.
pub fn failed_at_postfix(address: &str, login: &str) -> String {
    format!(
        "postfix/submission/smtpd[2201]: warning: unknown[{address}]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, \
         sasl_username={login}"
    )
}

/// What `imap-login` writes after a login.
pub fn logged_in(address: &str, login: &str) -> String {
    let session = session();
    format!(
        "dovecot: imap-login: Login: user=<{login}>, method=PLAIN, rip={address}, lip=192.0.2.25, mpid=4711, TLS, \
         session=<{session}>"
    )
}

/// A line of no interest.
pub fn chatter(number: u64) -> String {
    format!(
        "dovecot: imap(alice)<4711><{}>: Disconnected: Logged out in={number} out=470 deleted=0 expunged=0",
        session()
    )
}
