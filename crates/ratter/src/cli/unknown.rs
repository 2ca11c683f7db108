use std::path::{Path, PathBuf};

use sensors::unknown::{Cluster, Unknown};
use serde::Serialize;

use super::show::{Show, printable};
use super::{Failure, Outcome, not_whole, service};
use crate::{config, node};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Log files, also compressed; the configured ones if not given; `-` is standard input
    #[arg(value_name = "FILE")]
    logs: Vec<PathBuf>,

    /// How many kinds of lines are shown
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    top: usize,

    /// Also kinds of lines that name no address and no failure
    #[arg(long)]
    all: bool,

    /// The daemon that wrote the logs, such as `exim` or `roundcube`, where lines do not name it
    #[arg(long, value_name = "NAME", value_parser = service)]
    service: Option<String>,
}

/// What `ratter unknown --json` prints.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report {
    lines: u64,
    understood: u64,
    unknown: Vec<Kind>,
}

/// A kind of lines in it.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Kind {
    count: u64,
    count_too_high_by_at_most: u64,
    template: String,
    sample: String,
}

/// `ratter unknown [FILE…]`: the commonest kinds of lines in which nothing was found.
pub(crate) fn unknown(path: Option<&Path>, arguments: &Arguments, show: &Show) -> Result<Outcome, Failure> {
    let (config, _) = config::find(path, config::Ports::NoNode).map_err(Failure::Usage)?;
    let logs = if arguments.logs.is_empty() {
        config.sensors.iter().map(|sensor| sensor.path.clone()).filter(|log| log.is_file()).collect()
    } else {
        arguments.logs.clone()
    };
    let (mut unknown, mut lines, mut understood) = (Unknown::new(), 0, 0);
    let mut broken = Vec::new();
    for log in &logs {
        let mut reader = node::reader_of_log(&config, log, arguments.service.as_deref())?;
        let mut from = node::OldLog::open(log)?;
        let written = from.written;
        while let Some(batch) = from.next_lines() {
            for line in batch {
                lines += 1;
                let mut is_understood = false;
                reader.read(line, written, &mut |_| is_understood = true);
                if is_understood {
                    understood += 1;
                } else {
                    unknown.add(line);
                }
            }
        }
        broken.extend(from.end(reader.counters().lines).err());
    }
    let kind = |cluster: Cluster| Kind {
        count: cluster.count,
        count_too_high_by_at_most: cluster.uncertain,
        template: cluster.template,
        sample: cluster.sample,
    };
    let kinds = unknown.commonest(arguments.top, !arguments.all).into_iter().map(kind).collect();
    show.value(&Report { lines, understood, unknown: kinds }, text)?;
    Ok(not_whole(broken))
}

fn text(report: &Report) -> String {
    let mut parts = vec![format!("{} lines, {} of them with events", report.lines, report.understood)];
    parts.extend(report.unknown.iter().map(|kind| {
        let about = if kind.count_too_high_by_at_most > 0 { "at most " } else { "" };
        format!("{about}{} × {}\n    {}", kind.count, printable(&kind.template), printable(&kind.sample))
    }));
    if report.unknown.is_empty() {
        parts.push("No line without events names an address or a failure.".to_owned());
    }
    parts.join("\n\n")
}
