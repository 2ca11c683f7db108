use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use base::limits::LINE_BYTES_MAX;
use base::{Event, EventKind, Tally, Timestamp};
use sensors::Reader;
use sensors::lines::Lines;
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

    /// Print only how many lines and how many events of each kind there are
    #[arg(long)]
    count: bool,
}

/// An event as `ratter parse` prints it, in the order of the letters; what is not known is left out.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
    /// Attempts of the session so far, where the line tells them all.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u16>,
    channel: &'a str,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    login: Option<&'a str>,
    service: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    time: &'a str,
}

/// What is printed of lines; it goes out when there is much of it, and when the lines that were there are read.
struct Printed {
    text: Vec<u8>,
    /// The moment of the last event, and its text: many lines have the same.
    time: (Timestamp, String),
    address: String,
}

impl Printed {
    /// As much goes out at once, in bytes.
    const BYTES: usize = 128 * 1024;

    fn new() -> Self {
        Self { text: Vec::new(), time: (Timestamp::EPOCH, Timestamp::EPOCH.to_string()), address: String::new() }
    }

    /// `{"line":N,"events":[`, up to the first event.
    fn begin(&mut self, line: u64) -> std::io::Result<()> {
        self.text.extend_from_slice(b"{\"line\":");
        serde_json::to_writer(&mut self.text, &line)?;
        self.text.extend_from_slice(b",\"events\":[");
        Ok(())
    }

    fn event(&mut self, event: &Event<'_>) -> std::io::Result<()> {
        if self.text.last() == Some(&b'}') {
            self.text.push(b',');
        }
        if self.time.0 != event.time {
            self.time = (event.time, event.time.to_string());
        }
        self.address.clear();
        if let Some(address) = event.address {
            let _infallible = write!(self.address, "{address}");
        }
        let shown = Shown {
            address: event.address.map(|_| self.address.as_str()),
            attempts: match event.tally {
                Tally::Total(attempts) => Some(attempts),
                Tally::One | Tally::Refused => None,
            },
            channel: event.channel.name(),
            kind: event.kind.name(),
            login: event.login,
            service: event.service,
            session: event.session,
            time: &self.time.1,
        };
        Ok(serde_json::to_writer(&mut self.text, &shown)?)
    }

    fn end(&mut self, out: &mut impl std::io::Write) -> std::io::Result<()> {
        self.text.extend_from_slice(b"]}\n");
        if self.text.len() < Self::BYTES { Ok(()) } else { self.flush(out) }
    }

    fn flush(&mut self, out: &mut impl std::io::Write) -> std::io::Result<()> {
        out.write_all(&self.text)?;
        self.text.clear();
        out.flush()
    }
}

/// How many there are, as `ratter parse --count` prints it.
#[derive(Default, Serialize)]
struct Counted {
    lines: u64,
    /// By kind; those that there are none of are left out.
    events: BTreeMap<&'static str, u64>,
}

/// `ratter parse [FILE]`: the events of each line, one line of JSON for each.
pub(crate) fn parse(path: Option<&Path>, arguments: &Arguments) -> Result<Outcome, Failure> {
    let (config, _) = config::find(path, config::Ports::NoNode).map_err(Failure::Usage)?;
    let log = arguments.log.as_deref().unwrap_or_else(|| Path::new("-"));
    let mut reader = node::reader_of_log(&config, log, arguments.service.as_deref())?;
    let mut log = node::OldLog::open(log)?;
    let written = log.written;
    let mut out = std::io::stdout().lock();
    if arguments.count {
        let mut counts = [0u64; EventKind::ALL.len()];
        while let Some(batch) = log.next_lines() {
            for text in batch {
                reader.read(text, written, &mut |event| counts[event.kind as usize] += 1);
            }
        }
        let counts = EventKind::ALL.iter().zip(counts).filter(|(_, count)| *count > 0);
        let events = counts.map(|(kind, count)| (kind.name(), count)).collect();
        let counted = Counted { lines: reader.counters().lines, events };
        serde_json::to_writer(&mut out, &counted).map_err(anyhow::Error::from)?;
        writeln!(out).map_err(anyhow::Error::from)?;
    } else {
        let mut printed = Printed::new();
        while let Some(batch) = log.next_lines() {
            print_lines(batch, &mut reader, written, &mut printed, &mut out).map_err(anyhow::Error::from)?;
        }
    }
    let too_long = reader.counters().too_long;
    if too_long > 0 {
        complain(&format!("{too_long} lines are longer than {LINE_BYTES_MAX} bytes and were not read"));
    }
    Ok(not_whole(log.end(reader.counters().lines).err()))
}

/// Prints a line of JSON for each of `lines`.
fn print_lines(
    lines: Lines<'_>,
    reader: &mut Reader,
    written: Timestamp,
    printed: &mut Printed,
    out: &mut impl std::io::Write,
) -> std::io::Result<()> {
    for text in lines {
        printed.begin(reader.counters().lines + 1)?;
        let mut fault = Ok(());
        reader.read(text, written, &mut |event| {
            if fault.is_ok() {
                fault = printed.event(&event);
            }
        });
        fault?;
        printed.end(out)?;
    }
    // Whoever reads along sees each line as soon as it is there.
    printed.flush(out)
}
