use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use console::api::WouldHave;
use indicatif::{ProgressBar, ProgressStyle};

use super::duration;
use super::show::{Show, printable, table};
use super::{Failure, Outcome, not_whole, service};
use crate::{config, node};

/// Most subjects and users that the text for people names; JSON names as many as were counted.
const ROWS_SHOWN_MAX: usize = 30;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Log files, oldest first; `-` is standard input
    #[arg(required = true, value_name = "LOG")]
    logs: Vec<PathBuf>,

    /// Write a line of JSON for each attempt to log in, with the lists that it met
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,

    /// The daemon that wrote the logs, such as `exim` or `roundcube`, where lines do not name it
    #[arg(long, value_name = "NAME", value_parser = service)]
    service: Option<String>,
}

/// `ratter replay LOG…`: what the configured rules would have done.
pub(crate) fn replay(path: Option<&Path>, arguments: &Arguments, show: &Show) -> Result<Outcome, Failure> {
    let (config, _) = config::find(path, config::Ports::NoNode).map_err(Failure::Usage)?;
    let bar = progress_bar();
    let mut trace = arguments.trace.as_deref().map(open_trace).transpose()?;
    let writer = trace.as_mut().map(|trace| trace as &mut dyn Write);
    let would_have = node::replay(&config, &arguments.logs, arguments.service.as_deref(), writer, &mut |log, lines| {
        bar.set_message(log.display().to_string());
        bar.set_position(lines);
    });
    bar.finish_and_clear();
    let (would_have, broken) = would_have?;
    if let Some(mut trace) = trace {
        trace.flush().context("the trace cannot be written")?;
    }
    show.value(&would_have, text)?;
    let outcome = not_whole(broken);
    let is_nothing = matches!(outcome, Outcome::Done) && is_not_understood(&would_have);
    Ok(if is_nothing { Outcome::NothingFound } else { outcome })
}

#[expect(clippy::disallowed_methods, reason = "the command line is where files are opened")]
fn open_trace(path: &Path) -> anyhow::Result<BufWriter<File>> {
    let file = File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(BufWriter::new(file))
}

/// Shows how far the work is, on a terminal only: `indicatif` draws nothing elsewhere. How many lines a compressed file or
/// standard input has is not known beforehand, so that there is no end to show.
fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {human_pos} lines in {elapsed}: {wide_msg}");
    // The template is fixed, and right; the default would do as well.
    ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

/// Said in the place of what would have been: an unread log is no quiet one.
const NOTHING_UNDERSTOOD: &str = "! No line was understood, so that this says nothing about the rules. If the lines do not name their \
                                  daemon, say which it is, such as --service exim; `ratter unknown --all` shows them by kind.";

/// Whether there were lines, and none of them meant anything.
const fn is_not_understood(would: &WouldHave) -> bool {
    would.lines > 0 && would.events == 0
}

fn text(would: &WouldHave) -> String {
    let mut parts = vec![format!(
        "{} lines, {} events from {} to {}: {} failures, {} logins by {} users",
        would.lines,
        would.events,
        would.first.as_deref().unwrap_or("-"),
        would.last.as_deref().unwrap_or("-"),
        would.failures,
        would.successes,
        would.users
    )];
    if is_not_understood(would) {
        parts.push(NOTHING_UNDERSTOOD.to_owned());
        return parts.join("\n\n");
    }
    if would.listings == 0 {
        parts.push("No rule would have listed anybody.".to_owned());
    } else {
        let days = would.by_day.iter().rev().take(ROWS_SHOWN_MAX).rev().map(|day| {
            let numbers = [day.failures, day.successes, day.listings, day.hurt].map(|number| number.to_string());
            let [failures, successes, listings, hurt] = numbers;
            [day.day.clone(), failures, successes, listings, hurt]
        });
        parts.push(table(["DAY", "FAILURES", "LOGINS", "LISTINGS", "REFUSED LOGINS"], days));
        let more = would.by_day.len().saturating_sub(ROWS_SHOWN_MAX);
        if more > 0 {
            parts.push(format!("… and {more} earlier days; --json shows them all"));
        }
        let rules = would.by_rule.iter().map(|rule| [rule.rule.clone(), rule.list.clone(), rule.listings.to_string()]);
        parts.push(table(["RULE", "LIST", "LISTINGS"], rules));
        let subjects = would.by_subject.iter().take(ROWS_SHOWN_MAX).map(|subject| {
            [subject.subject.clone(), subject.rules.join(" "), subject.listings.to_string(), subject.first.clone()]
        });
        parts.push(table(["SUBJECT", "RULES", "LISTINGS", "FIRST"], subjects));
        let more = would.by_subject.len().saturating_sub(ROWS_SHOWN_MAX);
        if more > 0 {
            parts.push(format!("… and {more} more subjects; --json shows them all"));
        }
    }
    parts.push(hurt(would));
    parts.join("\n\n")
}

/// The answer to "is it safe to switch on?".
fn hurt(would: &WouldHave) -> String {
    if would.successes == 0 {
        return "! No successful login is in these logs: whom the rules would have hurt, they cannot tell.".to_owned();
    }
    if would.hurt.is_empty() {
        return "Nobody who logged in successfully would have been refused.".to_owned();
    }
    let rows = would.hurt.iter().take(ROWS_SHOWN_MAX).map(|user| {
        let span = duration::show(std::time::Duration::from_secs(user.seconds_left));
        [user.login.clone(), user.times.to_string(), user.address.clone(), user.at.clone(), user.why.clone(), span]
    });
    format!(
        "! {} users who logged in successfully would have been refused:\n{}",
        would.hurt.len(),
        printable_lines(&table(["LOGIN", "TIMES", "FIRST FROM", "AT", "BECAUSE OF", "STILL FOR"], rows))
    )
}

fn printable_lines(text: &str) -> String {
    text.lines().map(printable).collect::<Vec<_>>().join("\n")
}
