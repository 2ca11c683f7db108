//! Logs that are no files: what the systemd journal exports, and what syslog senders write on a connection. Pure: bytes
//! in, lines out; the sockets and the child process stand in [`crate::io`].

pub mod journal;
pub mod journal_json;
pub mod syslog;
