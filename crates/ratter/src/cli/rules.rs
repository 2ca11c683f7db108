use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use serde::Serialize;

use super::show::{Show, printable};
use super::{Failure, Outcome};
use crate::config::{self, Ports};
use crate::node::{Rehearsed, rehearse};

/// What the shipped rules are tested with.
const SHIPPED: &str = include_str!("../../../../packs/shipped.toml");

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Play tests against the configured rules: events in, who is listed out. Needs no running node
    Test {
        /// Files with `[[test]]`, or folders of them [default: the tests of the shipped rules]
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

/// A test in the output for programs.
#[derive(Serialize)]
struct View {
    file: String,
    name: String,
    rule: Option<String>,
    faults: Vec<String>,
}

/// `ratter rules test`: whether the rules do what somebody wrote down that they do.
pub(crate) fn rules(path: Option<&Path>, arguments: &Arguments, show: &Show) -> Result<Outcome, Failure> {
    let Command::Test { files } = &arguments.command;
    let (config, _) = config::find(path, Ports::NotTried).map_err(Failure::Usage)?;
    let mut tests = Vec::new();
    if files.is_empty() {
        tests.push(("shipped".to_owned(), SHIPPED.to_owned()));
    }
    for file in files {
        read(file, &mut tests)?;
    }
    let mut views = Vec::new();
    for (file, text) in tests {
        let done = rehearse(&config, &text).map_err(|error| Failure::Usage(format!("ratter: {file}: {error}")))?;
        let view = |Rehearsed { name, rule, faults }| View { file: file.clone(), name, rule, faults };
        views.extend(done.into_iter().map(view));
    }
    show.value(&views, |views| {
        let failed = views.iter().filter(|view| !view.faults.is_empty());
        let mut lines: Vec<String> = failed.clone().flat_map(shown).collect();
        lines.push(format!("{} tests, {} failed", views.len(), failed.count()));
        lines.join("\n")
    })?;
    let is_good = views.iter().all(|view| view.faults.is_empty());
    Ok(if is_good { Outcome::Done } else { Outcome::Refused })
}

fn shown(view: &View) -> Vec<String> {
    let head = format!("{}: {}", printable(&view.file), printable(&view.name));
    core::iter::once(head).chain(view.faults.iter().map(|fault| format!("    {}", printable(fault)))).collect()
}

/// Reads a file, or all `.toml` files of a folder in the order of their names.
#[expect(clippy::disallowed_methods, reason = "the command line reads the files that it is given")]
fn read(path: &Path, into: &mut Vec<(String, String)>) -> Result<(), Failure> {
    let about = || format!("{} cannot be read", path.display());
    if path.is_dir() {
        let entries = std::fs::read_dir(path).with_context(about)?;
        let mut files =
            entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>().with_context(about)?;
        files.retain(|file| file.extension().is_some_and(|end| end == "toml"));
        files.sort();
        if files.is_empty() {
            return Err(Failure::Usage(format!("ratter: there is no file of tests (`.toml`) in {}", path.display())));
        }
        return files.iter().try_for_each(|file| read(file, into));
    }
    let size = std::fs::metadata(path).with_context(about)?.len();
    if size > crate::node::REHEARSAL_BYTES_MAX as u64 {
        return Err(anyhow!("{} is too long for a file of tests", path.display()).into());
    }
    into.push((path.display().to_string(), std::fs::read_to_string(path).with_context(about)?));
    Ok(())
}
