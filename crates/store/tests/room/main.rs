//! The store through its door: what is pushed is there after closing, killing, failing; what is not ours is refused.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod bulks;
mod charges;
mod failing;
mod given;
mod images;
mod keys;
mod killed;
mod older;
mod past;
mod people;
mod refusals;
mod reopened;
