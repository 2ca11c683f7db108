//! Reads a log and counts its events: `cargo run --release -p ratter-sensors --features io --example lines FILE…`.

#![expect(clippy::disallowed_methods, reason = "a program of its own")]
#![expect(clippy::print_stdout, reason = "the counts are what it is for")]

use std::collections::BTreeMap;
use std::fs::{self, File};

use base::Timestamp;
use sensors::io::LineReader;
use sensors::{Reader, TimeZone, Timing};

fn main() -> std::io::Result<()> {
    let now = Timestamp::from_secs(1_795_247_054);
    let mut reader = Reader::new(TimeZone::UTC, Timing::Replay);
    let mut kinds = BTreeMap::new();
    let before = processor_nanos()?;
    for path in std::env::args().skip(1) {
        let mut from = LineReader::new(File::open(path)?);
        while let Some(lines) = from.next_lines()? {
            for line in lines {
                reader.read(line, now, &mut |event| {
                    *kinds.entry((event.kind, event.channel.name())).or_insert(0u64) += 1;
                });
            }
        }
    }
    let seconds = (processor_nanos()? - before) as f64 / 1e9;
    for ((kind, channel), count) in kinds {
        println!("{count:>10}  {kind} ({channel})");
    }
    println!("{:?}", reader.counters());
    println!(
        "{:.2} s, {:.2} million lines per processor second",
        seconds,
        reader.counters().lines as f64 / seconds / 1e6
    );
    Ok(())
}

/// The processor time of this process in nanoseconds.
fn processor_nanos() -> std::io::Result<u64> {
    let text = fs::read_to_string("/proc/self/schedstat")?;
    Ok(text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}
