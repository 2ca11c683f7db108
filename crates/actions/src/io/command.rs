use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base::{Timestamp, Until};

use super::courier::{Delivery, Outcome};
use super::program;
use crate::notice::{Notice, What};
use crate::{Pace, Words};

/// A program is run 50 ms after a change, for one notice after the other.
pub const COMMAND_PACE: Pace = Pace { settle: Duration::from_millis(50), rest: Duration::from_millis(100) };

/// Words that stand for something in an argument.
pub const PLACEHOLDERS: [&str; 7] = ["{event}", "{subject}", "{list}", "{since}", "{until}", "{maker}", "{id}"];

/// A program that is run for each notice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Command {
    /// Where it is.
    pub path: PathBuf,
    /// Its arguments, in which the [`PLACEHOLDERS`] stand for what is told.
    pub arguments: Vec<String>,
    /// How long it may take before it is killed.
    pub limit: Duration,
}

/// Runs programs.
pub struct CommandDelivery {
    command: Command,
    words: Arc<Words>,
}

impl CommandDelivery {
    /// Runs that program.
    pub const fn new(command: Command, words: Arc<Words>) -> Self {
        Self { command, words }
    }

    /// An argument with what the placeholders stand for. No shell sees it, and what is put in is not looked at again; but a
    /// control character would mean something to a terminal or a log.
    fn fill(&self, argument: &str, notice: &Notice) -> OsString {
        let listing = &notice.listing;
        let mut out = String::new();
        let mut rest = argument;
        while let Some(start) = rest.find('{') {
            out.push_str(&rest[..start]);
            rest = &rest[start..];
            let Some(word) = PLACEHOLDERS.into_iter().find(|word| rest.starts_with(word)) else {
                out.push('{');
                rest = &rest[1..];
                continue;
            };
            rest = &rest[word.len()..];
            let value = match word {
                "{event}" => notice.verb().to_owned(),
                "{subject}" => listing.subject.to_string(),
                "{list}" => self.words.list(listing.list).to_owned(),
                "{since}" => listing.since.to_string(),
                "{until}" => match (&notice.what, listing.until) {
                    (What::Ended | What::Lifted { .. } | What::Noted { .. }, _) => notice.at.to_string(),
                    (What::Listed, Until::At(end)) => end.to_string(),
                    (What::Listed, Until::Never) => "never".to_owned(),
                },
                "{maker}" => self.words.maker(&listing.maker),
                _ => notice.id(),
            };
            out.extend(value.chars().map(|c| if c.is_control() { '?' } else { c }));
        }
        out.push_str(rest);
        out.into()
    }
}

impl Delivery for CommandDelivery {
    fn deliver(&mut self, _: Timestamp, notice: &Notice) -> Outcome {
        // Programs act on what is in force, and a suspicion is not.
        if matches!(notice.what, What::Noted { .. }) {
            return Outcome::Done;
        }
        let Command { path, arguments, limit } = &self.command;
        let arguments: Vec<OsString> = arguments.iter().map(|argument| self.fill(argument, notice)).collect();
        match program::run(path, &arguments, b"", *limit) {
            Ok(()) => Outcome::Done,
            Err(failure) => Outcome::Later(failure.to_string()),
        }
    }
}
