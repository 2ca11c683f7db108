//! `ratter rdns classify`: what reverse names say, from a list of them.

use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use rdns::classify::{Class, Classifier, Session, Verdict};

use super::{Failure, Outcome};

/// Longest line that is looked at; what is longer holds no host name and is skipped to its end.
const LINE_MAX: usize = 1024;

/// Arguments of `ratter rdns`.
#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Read lines of address, tabulator, name and print the class of each name and why
    Classify {
        /// File of lines; standard input if there is none or it is `-`
        file: Option<PathBuf>,
    },
}

/// Runs the command. It needs no configuration, no node and no network.
pub(super) fn rdns(arguments: &Arguments) -> Result<Outcome, Failure> {
    let Command::Classify { file } = &arguments.command;
    let from: Box<dyn Read> = match file.as_deref().filter(|file| *file != Path::new("-")) {
        Some(file) => Box::new(open(file)?),
        None => Box::new(std::io::stdin().lock()),
    };
    classify(BufReader::with_capacity(1 << 16, from), BufWriter::with_capacity(1 << 16, std::io::stdout().lock()))?;
    Ok(Outcome::Done)
}

#[expect(clippy::disallowed_methods, reason = "a file that the user names is opened here")]
fn open(file: &Path) -> anyhow::Result<std::fs::File> {
    std::fs::File::open(file).with_context(|| file.display().to_string())
}

/// Prints one line for each line read.
fn classify(mut from: impl BufRead, mut to: impl Write) -> anyhow::Result<()> {
    let classifier = Classifier::shipped();
    let mut session = classifier.session();
    let (mut line, mut answer) = (Vec::with_capacity(LINE_MAX), Vec::with_capacity(LINE_MAX));
    while next_line(&mut from, &mut line)? {
        answer.clear();
        match verdict(&mut session, &line) {
            Some(Verdict { class, reason }) => {
                answer.extend_from_slice(class.map_or("unknown", Class::name).as_bytes());
                answer.push(b'\t');
                reason.write(&mut answer);
            }
            None => answer.extend_from_slice(b"unknown\tthe line is not an address, a tabulator and a name"),
        }
        answer.push(b'\n');
        to.write_all(&answer)?;
    }
    to.flush()?;
    Ok(())
}

/// Reads the next line without its end; of a line that is too long, only so much that it is seen to be.
fn next_line(from: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    if from.by_ref().take(LINE_MAX as u64).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.last() != Some(&b'\n') && line.len() == LINE_MAX {
        from.skip_until(b'\n')?;
    }
    let len = line.trim_ascii_end().len();
    line.truncate(len);
    Ok(true)
}

/// None if the line has no tabulator. What is no address is taken as an unknown one.
fn verdict(session: &mut Session<'_>, line: &[u8]) -> Option<Verdict> {
    let tab = line.iter().position(|&byte| byte == b'\t')?;
    let address = std::str::from_utf8(&line[..tab]).ok().and_then(|text| text.trim().parse().ok());
    Some(session.classify(address, line[tab + 1..].trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::{LINE_MAX, classify};

    fn printed(lines: &[u8]) -> Vec<String> {
        let mut out = Vec::new();
        classify(lines, &mut out).expect("memory can be written");
        String::from_utf8(out).expect("it is text").lines().map(str::to_owned).collect()
    }

    #[test]
    fn each_line_gets_one_line() {
        let lines = [
            &b"192.0.2.7\t192-0-2-7.dynamic.example.net\n"[..],
            b"192.0.2.7\tstatic-192-0-2-7.example.net.\r\n",
            b"192.0.2.7\tmail.example.net\n",
            b"-\tppp12.example.net\n",
            b"\n",
            b"no tabulator\n",
            b"192.0.2.7\t\n",
            b"192.0.2.7\t\x1b[31mred.example.net\n",
            b"\xff\xfe\t\xff\xfe.example\n",
            &[&[b'x'; 3 * LINE_MAX][..], b"\n"].concat(),
            b"192.0.2.7\tmx1.example.net",
        ];
        let out = printed(&lines.concat());
        let classes: Vec<&str> = out.iter().map(|line| line.split('\t').next().unwrap_or_default()).collect();
        assert_eq!(
            classes,
            [
                "dynamic",
                "static-generic",
                "mailserver",
                "dynamic",
                "unknown",
                "unknown",
                "unknown",
                "unknown",
                "unknown",
                "unknown",
                "mailserver"
            ]
        );
        assert!(out.iter().all(|line| !line.split('\t').nth(1).unwrap_or_default().is_empty()), "{out:?}");
        assert!(out.iter().flat_map(|line| line.bytes()).all(|byte| byte == b'\t' || (32..127).contains(&byte)));
    }

    #[test]
    fn nothing_in_is_nothing_out() {
        assert!(printed(b"").is_empty());
    }
}
