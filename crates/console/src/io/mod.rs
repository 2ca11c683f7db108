//! Sockets of the console.

mod control;
mod scrape;

pub use control::{ControlError, serve_control};
pub use scrape::serve_metrics;
