//! The shell of [`crate::ptr`]: a thread that asks servers, and tells what was found.

mod hickory;
mod thread;

pub use hickory::{Servers, ServersError, system_servers};
pub use thread::{Ask, Resolver, WANTED_MAX};
