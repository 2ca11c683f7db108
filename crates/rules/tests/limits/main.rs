//! The limits from outside: against a naive model, under threads, and against rspamd's own replies.
#![expect(clippy::disallowed_methods, reason = "tests read their cases and the environment")]
#![expect(clippy::unwrap_used, reason = "a helper of tests may fail like a test")]
#![expect(clippy::print_stdout, reason = "a test that shows nothing says so")]

mod changed;
mod ends;
mod model;
mod threads;
mod vectors;
