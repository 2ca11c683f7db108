//! How long a login waits for Ratter, where the mail server's side can be told.

use std::time::Duration;

use crate::cli::duration;
use crate::config::{AskingGate, Config};

/// An answer takes well below a millisecond; a login that goes on without one after this has hardly waited.
const PATIENCE: Duration = Duration::from_millis(50);
/// What our helpers can be told at most.
const WAIT_MAX: Duration = Duration::from_secs(10);

#[derive(clap::Args)]
pub(super) struct Wait {
    /// How long a login waits for Ratter before it goes on without [default: 50ms, and as long as [[ask]]'s lists are waited for]
    #[arg(long, value_name = "SPAN", value_parser = parse)]
    wait: Option<Duration>,
}

impl Wait {
    /// What was asked for, or the usual, and as long as the gate waits for other people's lists.
    pub(super) fn of(&self, config: &Config, gate: AskingGate) -> Duration {
        self.wait.unwrap_or_else(|| PATIENCE + config.asked_wait(gate))
    }
}

/// The same as a word for our helpers; none where they wait so long anyway.
pub(super) fn word(wait: Duration) -> String {
    if wait == PATIENCE { String::new() } else { format!("--wait {}ms ", wait.as_millis()) }
}

fn parse(text: &str) -> Result<Duration, String> {
    let span = duration::parse(text)?;
    if span > WAIT_MAX || span < Duration::from_millis(1) {
        return Err("from 1ms to 10s: logins are kept waiting while Ratter is away".to_owned());
    }
    Ok(span)
}
