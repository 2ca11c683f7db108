//! The harness of the black-box tests: it starts the built `ratter` and the real programs that talk to it, and plays
//! the people and the guessers.
//!
//! ```text
//!  imap ── LOGIN, with any client address ──> dovecot ── auth policy ──> ratter (node) <── dns (dig)
//!                                               └──── log file ───────────┘   └──── command line, metrics
//!  policy ── the requests that Dovecot would send ───────────────────────┘
//!  lines ── log lines that Dovecot would write ──────────────────────────┘
//! ```
//!
//! Each test has its own folder, ports and processes; all of them end with the test, also when it fails. Nothing
//! sleeps for a fixed time where it can wait for what it wants to see ([`wait`]). A program that is missing fails the
//! test and names its Debian package.

pub mod bind;
pub mod certificate;
pub mod dns;
pub mod dovecot;
pub mod http;
pub mod imap;
pub mod liar;
pub mod lines;
pub mod namespace;
pub mod place;
pub mod policy;
pub mod pop3;
pub mod postfix;
pub mod process;
pub mod ratter;
pub mod redis;
pub mod rspamd;
pub mod rules;
pub mod secondary;
pub mod sinks;
pub mod time;
pub mod trixie;
pub mod unbound;
pub mod wait;
