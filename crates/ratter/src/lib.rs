//! The binary as a library, so that tests reach its parts: configuration, wiring, command line.
//!
//! `node` wires the rooms to one running Ratter; [`cli`] starts it or speaks to it; [`config`] reads what it shall be.

pub mod cli;
mod clock;
pub mod config;
mod hangup;
mod judging;
mod logging;
mod main_cf;
mod memory;
mod moment;
mod node;
