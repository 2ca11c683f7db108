//! The threads that carry actions out.

#![expect(clippy::disallowed_methods, reason = "this is the shell that owns files and threads")]

mod file;
mod map;
mod queue;
mod worker;

pub use file::{FileError, replace};
pub use map::{MAP_PACE, MapAction, Served, Shelf};
pub use queue::QUEUED_MAX;
pub use worker::{Surroundings, Worker};
