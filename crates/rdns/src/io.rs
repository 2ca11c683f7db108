//! The shell of [`crate::ptr`]: a thread that asks servers, and tells what was found.

mod servers;
mod thread;

pub use thread::{Ask, Resolver, WANTED_MAX};
