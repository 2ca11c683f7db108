//! Reads a log and counts its events: `cargo run --release -p ratter-sensors --features io --example lines [--ahead] FILE…`.
//! With `--ahead`, as `ratter parse` has it, another thread reads and cuts the lines.

#![expect(clippy::disallowed_methods, reason = "a program of its own")]
#![expect(clippy::print_stdout, reason = "the counts are what it is for")]

use std::fs::{self, File};
use std::time::Instant;

use base::{Channel, EventKind, Timestamp};
use sensors::io::{LineReader, ReadAhead};
use sensors::lines::Lines;
use sensors::{Reader, TimeZone, Timing};

/// All channels, in the order of the enum.
const CHANNELS: [Channel; 3] = [Channel::Gate, Channel::Front, Channel::Auth];

fn main() -> std::io::Result<()> {
    let now = Timestamp::from_secs(1_795_247_054);
    let mut reader = Reader::new(TimeZone::UTC, Timing::Replay);
    let mut counts = [[0u64; CHANNELS.len()]; EventKind::ALL.len()];
    let mut read = |lines: Lines<'_>| {
        for line in lines {
            reader.read(line, now, &mut |event| counts[event.kind as usize][event.channel as usize] += 1);
        }
    };
    let (before, begin) = (processor_nanos()?, Instant::now());
    let is_ahead = std::env::args().nth(1).is_some_and(|word| word == "--ahead");
    for path in std::env::args().skip(1 + usize::from(is_ahead)) {
        if is_ahead {
            let mut from = ReadAhead::new(File::open(path)?)?;
            while let Some(lines) = from.next_lines()? {
                read(lines);
            }
        } else {
            let mut from = LineReader::new(File::open(path)?);
            while let Some(lines) = from.next_lines()? {
                read(lines);
            }
        }
    }
    let clock = begin.elapsed().as_secs_f64();
    let seconds = (processor_nanos()? - before) as f64 / 1e9;
    for (kind, counts) in EventKind::ALL.iter().zip(counts) {
        for (channel, count) in CHANNELS.iter().zip(counts).filter(|(_, count)| *count > 0) {
            println!("{count:>10}  {kind} ({})", channel.name());
        }
    }
    println!("{:?}", reader.counters());
    let millions = reader.counters().lines as f64 / 1e6;
    println!("{seconds:.2} s, {:.2} million lines per processor second of this thread", millions / seconds);
    println!("{clock:.2} s, {:.2} million lines per second by the clock", millions / clock);
    Ok(())
}

/// The processor time of this thread in nanoseconds.
fn processor_nanos() -> std::io::Result<u64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}
