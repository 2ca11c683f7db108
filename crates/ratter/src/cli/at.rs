//! Past moments on the command line.

use crate::{clock, moment};

/// Reads a past moment, and gives it as the node reads it: what is a span for the command line is a moment for the node.
pub(crate) fn parse(text: &str) -> Result<String, String> {
    moment::parse(text, clock::now()).map(|moment| moment.to_string())
}
