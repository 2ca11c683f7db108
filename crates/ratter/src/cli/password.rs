use std::io::{BufRead as _, IsTerminal, Read as _};
use std::path::PathBuf;
use std::process::{Command as Program, Stdio};

use anyhow::Context;
use clap::ValueEnum;
use passwords::PASSWORD_CHARS_MAX;
use passwords::generate::{self, Generated};
use serde::Serialize;

use super::show::{Show, printable};
use super::{Failure, Outcome};
use crate::judging::Judge;
use crate::node::random_octets;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Say what is wrong with the password on standard input; exit code 1 if it may not be used
    Check(CheckArguments),
    /// Make passwords that nobody can guess
    New(NewArguments),
    /// Make the file of stolen passwords for `check --breached`
    Filter(super::filter::Arguments),
}

#[derive(clap::Args)]
struct CheckArguments {
    /// Whose it is: a login, a name, a firm; may be given several times
    #[arg(long, value_name = "WORDS")]
    about: Vec<String>,

    /// By which rules
    #[arg(long, value_enum, default_value = "mail")]
    profile: Profile,

    /// A file of words that are no passwords, one in a line [default: cracklib's, if it is installed]
    #[arg(long, value_name = "FILE")]
    words: Option<PathBuf>,

    /// A file of stolen passwords, as `ratter password filter` makes it
    #[arg(long, value_name = "FILE")]
    breached: Option<PathBuf>,
}

#[derive(ValueEnum, Clone, Copy)]
enum Profile {
    /// 12 characters of two kinds
    Mail,
    /// 15 characters of any kind
    Nist,
}

#[derive(clap::Args)]
struct NewArguments {
    /// A phrase of so many words
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(4..=20), conflicts_with = "letters")]
    words: Option<u8>,

    /// So many letters and digits
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(12..=64), default_value = "16")]
    letters: u8,

    /// How many passwords
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..), default_value = "1")]
    count: u16,
}

/// Most bytes of a password on standard input: each character may be four.
const PASSWORD_BYTES_MAX: u64 = 4 * PASSWORD_CHARS_MAX as u64 + 16;

/// What `ratter password new --json` prints.
#[derive(Serialize)]
struct Made {
    password: String,
    bits: f64,
}

/// `ratter password`.
pub(crate) fn password(arguments: &Arguments, show: &Show) -> Result<Outcome, Failure> {
    match &arguments.command {
        Command::Check(check) => self::check(check, show),
        Command::New(new) => make(new, show),
        Command::Filter(filter) => super::filter::filter(filter, show),
    }
}

fn check(arguments: &CheckArguments, show: &Show) -> Result<Outcome, Failure> {
    let judge = Judge::with_words(arguments.words.as_deref())?.with_breached(arguments.breached.as_deref())?;
    let password = read_password()?;
    let about: Vec<_> = arguments.about.iter().map(String::as_str).collect();
    let profile = match arguments.profile {
        Profile::Mail => passwords::Profile::Mail,
        Profile::Nist => passwords::Profile::Nist,
    };
    let judged = judge.judge(&password, &about, profile);
    show.value(&judged, |judged| match judged.advice {
        None => "It may be used.".to_owned(),
        Some(advice) => {
            format!("{}\n{advice}", judged.faults.iter().map(|f| printable(f)).collect::<Vec<_>>().join("\n"))
        }
    })?;
    Ok(if judged.good { Outcome::Done } else { Outcome::Refused })
}

fn make(arguments: &NewArguments, show: &Show) -> Result<Outcome, Failure> {
    let random = || random_octets().map(|[a, b, c, d, ..]| u32::from_ne_bytes([a, b, c, d]));
    let one = || match arguments.words {
        Some(words) => generate::passphrase(words.into(), random),
        None => generate::letters(arguments.letters.into(), random),
    };
    let made = (0..arguments.count).map(|_| one()).collect::<Result<Vec<Generated>, _>>();
    let made = made.context("the system gives no randomness")?;
    let made: Vec<_> = made.into_iter().map(|made| Made { password: made.password, bits: made.bits }).collect();
    show.value(&made, |made| {
        let mut lines: Vec<_> = made.iter().map(|made| made.password.as_str()).collect();
        lines.push("");
        let lines = lines.join("\n");
        let bits = made.first().map_or(0.0, |made| made.bits);
        // Programs that read the passwords want nothing else.
        if std::io::stdout().is_terminal() { format!("{lines}\n{bits:.0} bits of entropy each") } else { lines }
    })?;
    Ok(Outcome::Done)
}

/// The first line of standard input; from a terminal it is read unseen.
fn read_password() -> anyhow::Result<String> {
    let input = std::io::stdin();
    let is_terminal = input.is_terminal();
    if is_terminal {
        super::show::complain("Password, which is not shown:");
        echo("-echo");
    }
    let mut line = Vec::new();
    let read = input.lock().take(PASSWORD_BYTES_MAX).read_until(b'\n', &mut line);
    if is_terminal {
        echo("echo");
    }
    read.context("no password can be read")?;
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    String::from_utf8(line.to_vec()).context("the password is not UTF-8")
}

/// Whether a terminal shows what is typed; where there is no `stty` it does.
fn echo(mode: &str) {
    drop(Program::new("stty").arg(mode).stdin(Stdio::inherit()).status());
}
