use std::io::Write;
use std::path::{Path, PathBuf};

use base::limits::LINE_BYTES_MAX;
use base::{Event, Tally};
use serde::Serialize;

use super::show::complain;
use super::{Failure, Outcome, not_whole, service};
use crate::{config, node};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Log file, also compressed (.gz, .xz, .zst); standard input if not given or `-`
    #[arg(value_name = "FILE")]
    log: Option<PathBuf>,

    /// The daemon that wrote the log, such as `exim` or `roundcube`, where lines do not name it
    #[arg(long, value_name = "NAME", value_parser = service)]
    service: Option<String>,
}

/// What is printed for one line of the log.
#[derive(Serialize)]
struct Parsed<'a> {
    line: u64,
    events: &'a [serde_json::Value],
}

/// An event as `ratter parse` prints it; what is not known is left out.
#[derive(Serialize)]
struct Shown<'a> {
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    login: Option<&'a str>,
    service: &'a str,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    channel: &'a str,
    /// Attempts of the session so far, where the line tells them all.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u16>,
}

impl<'a> From<&'a Event<'_>> for Shown<'a> {
    fn from(event: &'a Event<'_>) -> Self {
        Self {
            kind: event.kind.name(),
            address: event.address.map(|address| address.to_string()),
            login: event.login,
            service: event.service,
            time: event.time.to_string(),
            session: event.session,
            channel: event.channel.name(),
            attempts: match event.tally {
                Tally::Total(attempts) => Some(attempts),
                Tally::One | Tally::Refused => None,
            },
        }
    }
}

/// `ratter parse [FILE]`: the events of each line, one line of JSON for each.
pub(crate) fn parse(path: Option<&Path>, arguments: &Arguments) -> Result<Outcome, Failure> {
    let (config, _) = config::find(path, config::Ports::NotTried).map_err(Failure::Usage)?;
    let log = arguments.log.as_deref().unwrap_or_else(|| Path::new("-"));
    let mut reader = node::reader_of_log(&config, log, arguments.service.as_deref())?;
    let mut log = node::OldLog::open(log)?;
    let written = log.written;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let (mut line, mut events) = (0, Vec::new());
    while let Some(batch) = log.next_lines() {
        for text in batch {
            line += 1;
            events.clear();
            let mut fault = None;
            reader.read(text, written, &mut |event| match serde_json::to_value(Shown::from(&event)) {
                Ok(event) => events.push(event),
                Err(error) => fault = Some(error),
            });
            if let Some(error) = fault {
                return Err(anyhow::Error::from(error).into());
            }
            write_line(&mut out, &Parsed { line, events: &events })?;
        }
        // Whoever reads along sees each line as soon as it is there.
        out.flush().map_err(anyhow::Error::from)?;
    }
    let too_long = reader.counters().too_long;
    if too_long > 0 {
        complain(&format!("{too_long} lines are longer than {LINE_BYTES_MAX} bytes and were not read"));
    }
    Ok(not_whole(log.end(reader.counters().lines).err()))
}

fn write_line(out: &mut impl Write, parsed: &Parsed<'_>) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *out, parsed).map_err(std::io::Error::from)?;
    out.write_all(b"\n")?;
    Ok(())
}
