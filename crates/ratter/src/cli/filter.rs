//! `ratter password filter`: from a list of SHA-1 sums to the file that `password check --breached` looks into.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use passwords::breached::{Odd, Sums, header};
use serde::Serialize;

use super::show::Show;
use super::{Failure, Outcome};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Lines of a SHA-1 sum, a colon and a number, in the order of the sums, as Have I Been Pwned has them; `-` reads standard input
    sums: PathBuf,

    /// The file that is made; one that is there is replaced at once
    output: PathBuf,

    /// Leave out what was seen less often
    #[arg(long, value_name = "NUMBER", default_value = "1")]
    least: u64,
}

/// Longest line of the source, in bytes.
const LINE_BYTES_MAX: u64 = 256;

/// What `ratter password filter --json` prints.
#[derive(Serialize)]
struct Made {
    passwords: u64,
    lines: u64,
}

/// `ratter password filter`.
pub(crate) fn filter(arguments: &Arguments, show: &Show) -> Result<Outcome, Failure> {
    let mut name = arguments.output.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let made = write(arguments, &new);
    if made.is_err() {
        // It may not be there at all.
        drop(std::fs::remove_file(&new));
    }
    let made = made?;
    std::fs::rename(&new, &arguments.output)
        .with_context(|| format!("{} cannot be replaced", arguments.output.display()))?;
    show.value(&made, |made| format!("{} passwords of {} lines", made.passwords, made.lines))?;
    Ok(Outcome::Done)
}

fn write(arguments: &Arguments, new: &Path) -> anyhow::Result<Made> {
    let mut source: BufReader<Box<dyn std::io::Read>> = if arguments.sums == Path::new("-") {
        BufReader::new(Box::new(std::io::stdin()))
    } else {
        #[expect(clippy::disallowed_methods, reason = "the binary reads files")]
        let file = File::open(&arguments.sums);
        BufReader::new(Box::new(file.with_context(|| format!("{} cannot be read", arguments.sums.display()))?))
    };
    let target = OpenOptions::new().write(true).create(true).truncate(true).open(new);
    let cannot = || format!("{} cannot be written", new.display());
    let mut target = BufWriter::new(target.with_context(cannot)?);
    target.write_all(&header(0)).with_context(cannot)?;
    let (mut sums, mut made, mut line) = (Sums::new(arguments.least), Made { passwords: 0, lines: 0 }, Vec::new());
    loop {
        line.clear();
        let read =
            (&mut source).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).context("the sums cannot be read")?;
        if read == 0 {
            break;
        }
        made.lines += 1;
        let number = made.lines;
        let text = str::from_utf8(&line).unwrap_or_default().trim_end();
        match sums.take(text) {
            Ok(Some(bytes)) => {
                made.passwords += 1;
                target.write_all(&bytes).with_context(cannot)?;
            }
            Ok(None) => {}
            Err(Odd::NoSum) => bail!("line {number} is no SHA-1 sum: `{}`", text.escape_debug()),
            Err(Odd::OutOfOrder) => {
                bail!("line {number} comes before the one above it: sort the lines (LC_ALL=C sort)")
            }
        }
    }
    // The number stands in front, and is known at the end.
    target.seek(SeekFrom::Start(0)).with_context(cannot)?;
    target.write_all(&header(made.passwords)).with_context(cannot)?;
    target.flush().with_context(cannot)?;
    target.get_ref().sync_all().with_context(cannot)?;
    Ok(made)
}
