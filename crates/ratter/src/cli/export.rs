use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use base::Timestamp;
use console::api::{Status, TOLD_END, ToldView};
use dnsbl::datasets::{Form, Told};
use dnsbl::io::write_whole;
use listings::networks::Decoder;
use serde::Serialize;

use super::client::{Client, escaped};
use super::show::{Show, complain};
use super::{Failure, Outcome};
use crate::config;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Which list
    #[arg(long, alias = "on", value_name = "LIST")]
    list: String,

    /// In which form: ip4set, ip4tset, ip4trie, ip6tset, ip6trie, dnset, generic, combined, acl, plain, csv, ndjson or rpz
    #[arg(long, value_name = "FORMAT", default_value = "plain", value_parser = form)]
    format: Form,

    /// To which file, which is replaced as a whole [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

fn form(name: &str) -> Result<Form, String> {
    Form::from_name(name).ok_or_else(|| format!("one of {}", Form::ALL.map(Form::name).join(", ")))
}

/// What was written.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Exported {
    list: String,
    file: String,
    /// Rows that were written.
    written: u64,
    /// Networks that have no place in the form, such as IPv6 in `ip4set`.
    skipped: u64,
    /// The book's number of the last change when it was asked.
    serial: u64,
}

/// `ratter export --list LIST`.
pub(crate) fn export(path: Option<&Path>, arguments: &Arguments, show: &Show) -> Result<Outcome, Failure> {
    let (config, _) = config::find(path, config::Ports::NotTried).map_err(Failure::Usage)?;
    let client = Client::of(path)?;
    let gone = || anyhow!("this node cannot export; is it of an older version?");
    // The serial comes first: a file is never older than it says.
    let serial = client.get::<Status>("/v1/status")?.ok_or_else(gone)?.serial;
    let (list, tells) = (escaped(&arguments.list), arguments.format.tells());
    let stream = client.download(&format!("/v1/export?list={list}&told={tells}"))?.ok_or_else(gone)?;
    let about = crate::node::about(&config, &arguments.list);
    let write = |out: &mut dyn Write| {
        if tells {
            return about.write(arguments.format, serial as u32, told(&stream)?, out);
        }
        let networks = Decoder::new(&stream[..]).map(|network| network.map(Told::from).map_err(io::Error::other));
        about.write(arguments.format, serial as u32, networks, out)
    };
    let (written, skipped) = match &arguments.output {
        Some(file) => write_whole(file, write).with_context(|| format!("{} cannot be written", file.display()))?,
        None => write(&mut io::BufWriter::new(io::stdout().lock())).context("the list cannot be written")?,
    };
    if skipped > 0 {
        complain(&format!("{skipped} networks have no place in {}", arguments.format.name()));
    }
    if let Some(file) = &arguments.output {
        let file = file.display().to_string();
        let exported = Exported { list: arguments.list.clone(), file, written, skipped, serial };
        show.value(&exported, |it| format!("{} networks of {} are in {}", it.written, it.list, it.file))?;
    }
    Ok(Outcome::Done)
}

/// The networks of a stream of [`ToldView`]s, which must have its end.
fn told(stream: &[u8]) -> io::Result<impl Iterator<Item = io::Result<Told>>> {
    let broken = || io::Error::other("the node broke off");
    let lines = stream.strip_suffix(format!("{TOLD_END}\n").as_bytes()).ok_or_else(broken)?;
    Ok(lines.split_inclusive(|byte| *byte == b'\n').map(|line| {
        let ToldView { network, until, reason } = serde_json::from_slice(line)?;
        let network = network.parse().map_err(io::Error::other)?;
        Ok(Told { network, until: until.map(Timestamp::from_millis), reason })
    }))
}
