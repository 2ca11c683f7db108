//! The command line. Each command has a file of its own; this one reads the arguments and turns errors into exit codes.

mod ask;
mod at;
mod check;
mod client;
mod doctor;
mod duration;
mod export;
mod filter;
mod import;
mod import_list;
mod key;
mod listings;
mod parse;
mod password;
mod publish;
mod rdns;
mod replay;
mod report;
mod reporter;
mod rules;
mod run;
mod setup;
mod show;
mod status;
mod unknown;
mod watch;
mod why;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use show::Show;

/// Guards mail servers: watches what they log and report, decides who guesses passwords, refuses them, publishes
/// them as a DNS blocklist, and explains every decision.
#[derive(Parser)]
#[command(name = "ratter", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Arguments {
    /// Configuration file [default: /etc/ratter/ratter.toml if it exists, else the built-in one]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Print JSON for programs instead of text for people
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str =
    "Exit codes: 0 done, 1 failed, 2 wrong configuration or command line, 3 nothing found, 75 try again later.";

/// The name of a service whose logs can be read.
fn service(name: &str) -> Result<String, String> {
    let known = || format!("known services: {}", sensors::services().join(", "));
    if sensors::is_service(name) { Ok(name.to_owned()) } else { Err(known()) }
}

/// What mail servers understand as "try again" of a command that they pipe mail to (`sysexits.h`).
const EX_TEMPFAIL: u8 = 75;

#[derive(Subcommand)]
enum Command {
    /// Run a node in the foreground until it gets SIGTERM or SIGINT; SIGHUP starts it anew with a changed configuration
    Run,
    /// Check the configuration and show all its faults
    Check,
    /// Show how the running node is
    Status,
    /// Show what happens, as it happens
    Watch,
    /// Explain what is known of an address, a network or a login
    Why(why::Arguments),
    /// Put an address, a network or a login on a list; without SUBJECT show what is listed
    List(listings::ListArguments),
    /// Take an address, a network or a login off a list, or off all of them
    Unlist(listings::UnlistArguments),
    /// Prove that the configured rules do what is written down about them
    Rules(rules::Arguments),
    /// Make, show and revoke the keys with which the blocklist is asked
    Key(key::Arguments),
    /// Read log files and show what the configured rules would have done; changes nothing
    Replay(replay::Arguments),
    /// Read a log and print the events of each line as one line of JSON
    Parse(parse::Arguments),
    /// Show the commonest kinds of log lines in which nothing was found
    Unknown(unknown::Arguments),
    /// Ask other people's lists for addresses
    Ask(ask::Arguments),
    /// Look whether all that Ratter leans on works, and say what to do about what does not
    Doctor(doctor::Arguments),
    /// Judge passwords and make new ones
    Password(password::Arguments),
    /// Show what waits before it is published, and do it or drop it
    Publish(publish::Arguments),
    /// Set up a mail server to ask Ratter: print its files, write them, prove them
    Setup(setup::Arguments),
    /// Hand what others report to the running node
    Report(report::Arguments),
    /// Show those who report and what their word weighs, and trust one again
    Reporter(reporter::Arguments),
    /// Judge reverse names
    Rdns(rdns::Arguments),
    /// Put the addresses of files on a list, or translate what other programs are configured with
    Import(import::Arguments),
    /// Write a list to a file, in the forms of rbldnsd, as CSV, NDJSON, plain or RPZ
    Export(export::Arguments),
}

/// How a command that did not fail ended.
pub(crate) enum Outcome {
    /// Done.
    Done,
    /// There was nothing to show or to undo.
    NothingFound,
    /// What was asked about is refused, and the output says why.
    Refused,
    /// It is done, but not in the file yet, and the output says so.
    Unsaved,
    /// Some of what was to be read could not be read, and was told of; the rest was.
    NotWhole,
}

/// The end of a command that read all but for these faults, which are told now.
fn not_whole(faults: impl IntoIterator<Item = anyhow::Error>) -> Outcome {
    let mut outcome = Outcome::Done;
    for fault in faults {
        show::complain(&format!("ratter: {fault:#}"));
        outcome = Outcome::NotWhole;
    }
    outcome
}

/// Why a command failed.
pub(crate) enum Failure {
    /// The configuration or the command line is wrong; the text says all of it.
    Usage(String),
    /// It may work later, and a mail server shall keep the mail and try again.
    TryAgain(anyhow::Error),
    /// Anything else.
    Other(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let show = Show::new(arguments.json);
    let config = arguments.config.as_deref();
    let result = match arguments.command {
        Command::Run => run::run(config),
        Command::Check => check::check(config, &show),
        Command::Status => status::status(config, &show),
        Command::Watch => watch::watch(config, &show),
        Command::Why(why) => why::why(config, &why, &show),
        Command::List(list) => listings::list(config, &list, &show),
        Command::Unlist(unlist) => listings::unlist(config, &unlist, &show),
        Command::Rules(rules) => rules::rules(config, &rules, &show),
        Command::Key(key) => key::key(config, &key, &show),
        Command::Replay(replay) => replay::replay(config, &replay, &show),
        Command::Parse(parse) => parse::parse(config, &parse),
        Command::Unknown(unknown) => unknown::unknown(config, &unknown, &show),
        Command::Ask(ask) => ask::ask(config, &ask, &show),
        Command::Doctor(doctor) => doctor::doctor(config, &doctor, &show),
        Command::Password(password) => password::password(&password, &show),
        Command::Publish(publish) => publish::publish(config, &publish, &show),
        Command::Setup(setup) => setup::setup(config, &setup, &show),
        Command::Report(report) => report::report(config, &report, &show),
        Command::Reporter(reporter) => reporter::reporter(config, &reporter, &show),
        Command::Rdns(rdns) => rdns::rdns(&rdns),
        Command::Import(import) => import::import(config, &import, &show),
        Command::Export(export) => export::export(config, &export, &show),
    };
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::NothingFound) => ExitCode::from(3),
        Ok(Outcome::Refused | Outcome::NotWhole | Outcome::Unsaved) => ExitCode::FAILURE,
        Err(Failure::Usage(text)) => {
            show::complain(&text);
            ExitCode::from(2)
        }
        Err(Failure::TryAgain(error)) => {
            show::complain(&format!("ratter: {error:#}"));
            ExitCode::from(EX_TEMPFAIL)
        }
        // The reader went away (`ratter why … | head`): nobody is left to tell.
        Err(Failure::Other(error)) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(Failure::Other(error)) => {
            show::complain(&format!("ratter: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}
