//! `ratter setup SERVER`: the mail server's side of a gate, printed, installed, and proved by a probe.
//!
//! Each server has a file of its own here, which makes a [`Recipe`] from Ratter's configuration; what is done with a
//! recipe is the same for all of them.

mod asked;
mod dovecot;
mod exim;
mod hmailserver;
mod install;
mod nginx;
mod postfix;
mod rspamd;
mod scored;
mod spamassassin;
mod wait;

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::client::Client;
use super::show::Show;
use super::{Failure, Outcome};
use crate::config::{self, Config};
use install::Change;
use wait::Wait;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    server: Server,

    /// Write the files where the server reads them; each that is replaced is kept beside it as FILE.old
    #[arg(long, global = true)]
    write: bool,

    /// Try it: let the server ask the running node, and say what came back
    #[arg(long, global = true)]
    probe: bool,
}

/// The servers there are recipes for.
#[derive(clap::Subcommand)]
enum Server {
    /// Dovecot: auth policy, and if wanted checkpassword, Lua and post-login
    Dovecot(dovecot::Arguments),
    /// Exim: the line gate, in a connect ACL and in authenticators
    Exim(exim::Arguments),
    /// hMailServer: event handlers in VBScript, over HTTP or DNS
    Hmailserver(hmailserver::Arguments),
    /// nginx' mail proxy: `auth_http`
    Nginx(nginx::Arguments),
    /// Postfix: policy delegation, milter, look-up tables
    Postfix(postfix::Arguments),
    /// rspamd: its rbl module asks this node's lists and those of [[ask]]
    Rspamd(rspamd::Arguments),
    /// SpamAssassin: rules that ask this node's lists and those of [[ask]]
    Spamassassin(spamassassin::Arguments),
}

impl Server {
    fn recipe(&self, asked: &Asked<'_>) -> Result<Recipe, Failure> {
        match self {
            Self::Dovecot(arguments) => dovecot::recipe(arguments, asked),
            Self::Exim(arguments) => exim::recipe(arguments, asked),
            Self::Hmailserver(arguments) => hmailserver::recipe(arguments, asked),
            Self::Nginx(arguments) => nginx::recipe(arguments, asked),
            Self::Postfix(arguments) => postfix::recipe(arguments, asked),
            Self::Rspamd(arguments) => rspamd::recipe(arguments, asked),
            Self::Spamassassin(arguments) => spamassassin::recipe(arguments, asked),
        }
    }
}

/// What a recipe is made from.
struct Asked<'a> {
    /// Ratter's configuration: where the gates listen, and their secrets.
    config: &'a Config,
    /// The file it was read from, if there is one.
    path: Option<&'a Path>,
}

/// A mail server's side of a gate.
struct Recipe {
    /// The server's name, for people.
    name: &'static str,
    /// Files that are ours as a whole; the admin's own files are never changed.
    files: Vec<Planned>,
    /// Programs of the server that change its own configuration, each with its arguments; without a shell.
    commands: Vec<Vec<String>>,
    /// What is left to the admin, in order: sentences, with lines to copy.
    steps: Vec<String>,
    /// Goes through the server to the running node, and says in a sentence what came back. It fails if the server did
    /// not ask, or the node did not hear.
    probe: Box<Probe>,
}

/// A recipe's probe.
type Probe = dyn FnOnce(&Client) -> anyhow::Result<String>;

/// A file that is ours as a whole.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Planned {
    path: PathBuf,
    /// Permissions, such as 0o600 for what holds a secret.
    mode: u32,
    /// Its text, which holds [`MARK`] near its start, in a comment.
    text: String,
}

/// The words by which a file is known to be ours, and may be replaced.
const MARK: &str = "Written by `ratter setup";

/// The first line of a file that `ratter setup SERVER` writes; `comment` begins a comment in its language.
fn heading(comment: &str, server: &str) -> String {
    format!("{comment} {MARK} {server}`, which replaces it as a whole: keep what is yours elsewhere.\n")
}

/// What `ratter setup --json` prints.
#[derive(Serialize)]
struct Report {
    server: &'static str,
    files: Vec<FileReport>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    commands: Vec<Vec<String>>,
    steps: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probe: Option<String>,
}

#[derive(Serialize)]
struct FileReport {
    path: String,
    mode: String,
    /// What was done with it, if it was asked to be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<Change>,
    text: String,
}

/// `ratter setup SERVER`.
pub(crate) fn setup(path: Option<&Path>, arguments: &Arguments, show: &Show) -> Result<Outcome, Failure> {
    let (config, _) = config::find(path, config::Ports::NotTried).map_err(Failure::Usage)?;
    let recipe = arguments.server.recipe(&Asked { config: &config, path })?;
    let changes = if arguments.write {
        install::write_all(&recipe.files)?.into_iter().map(Some).collect()
    } else {
        vec![None; recipe.files.len()]
    };
    if arguments.write {
        install::run_all(&recipe.commands)?;
    }
    let files = recipe.files.iter().zip(changes).map(|(file, change)| FileReport {
        path: file.path.display().to_string(),
        mode: format!("{:04o}", file.mode),
        change,
        text: file.text.clone(),
    });
    let (commands, steps) = (recipe.commands, recipe.steps);
    let mut report = Report { server: recipe.name, files: files.collect(), commands, steps, probe: None };
    if !arguments.probe {
        show.value(&report, text)?;
        return Ok(Outcome::Done);
    }
    // A server that must first be told to read its files again cannot be probed in the same run: the files that were
    // written are shown even if the probe then fails.
    if !show.is_json() && arguments.write {
        show.value(&report, text)?;
    }
    let said = (recipe.probe)(&Client::of(path)?)?;
    report.probe = Some(said);
    show.value(&report, |report| report.probe.clone().unwrap_or_default())?;
    Ok(Outcome::Done)
}

fn text(report: &Report) -> String {
    let files = report.files.iter().map(|file| match file.change {
        None => format!("--- {} (mode {})\n{}\n", file.path, file.mode, file.text),
        Some(change) => format!("{}: {}\n", file.path, change.words()),
    });
    let commands = report.commands.iter().map(|command| {
        let words: Vec<_> = command.iter().map(|word| quoted(word)).collect();
        format!("$ {}\n", words.join(" "))
    });
    let steps = report.steps.iter().zip(1..).map(|(step, number)| {
        let step = step.trim_end().replace('\n', "\n   ");
        format!("{number}. {step}\n")
    });
    let heading = if report.steps.is_empty() { "" } else { "\nTo do:\n" };
    files.chain(commands).chain([heading.to_owned()]).chain(steps).collect()
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain =
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:=@".contains(&byte));
    if is_plain { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}
