use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use base::{Network, Timestamp};
use console::api::{ImportWish, Imported};
use dnsbl::datasets::{self, Form, Kind, Options, Report, Source, read_plain, unpack};
use listings::networks::Encoder;
use serde::Serialize;

use super::client::{Client, escaped};
use super::show::{Show, complain, printable};
use super::{Failure, Outcome, duration, listings as people};
use crate::clock;

#[derive(clap::Args)]
#[group(id = "of-list", multiple = true)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Arguments {
    /// Files with addresses and networks, also packed by gzip
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// To which list
    #[arg(long, alias = "on", required = true, value_name = "LIST")]
    list: String,

    /// What the files are: plain, csv, ndjson, ip4set, ip4tset, ip4trie, ip6tset or ip6trie [default: by their names, else plain]
    #[arg(long, value_name = "FORMAT", value_parser = Format::from_name)]
    format: Option<Format>,

    /// Take out what was imported to the list before and is not in these files
    #[arg(long)]
    replace: bool,

    /// With --replace: however much the list shrinks or grows by it
    #[arg(long, requires = "replace")]
    force: bool,

    /// For how long, such as 1h or 7d [default: the list's own lifetime]
    #[arg(long = "for", value_name = "SPAN", value_parser = duration::parse_of_listing, conflicts_with = "for_ever")]
    span: Option<Duration>,

    /// Until somebody takes it off
    #[arg(long)]
    for_ever: bool,

    /// Why [default: the names of the files]
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// Read the files and say what is in them; change nothing
    #[arg(long)]
    dry_run: bool,
}

/// What a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Format {
    Plain(Form),
    Dataset(Kind),
}

/// The forms of files that have no header of rbldnsd.
const PLAIN: [Form; 3] = [Form::Plain, Form::Csv, Form::Ndjson];

impl Format {
    fn from_name(name: &str) -> Result<Self, String> {
        let plain = PLAIN.into_iter().find(|form| form.name() == name).map(Self::Plain);
        let of_addresses = [Kind::Ip4Set, Kind::Ip4TSet, Kind::Ip4Trie, Kind::Ip6TSet, Kind::Ip6Trie];
        let dataset = || of_addresses.into_iter().find(|kind| kind.name() == name).map(Self::Dataset);
        let names = PLAIN.map(Form::name).into_iter().chain(of_addresses.map(Kind::name));
        plain.or_else(dataset).ok_or_else(|| match Kind::from_name(name) {
            Some(kind) => elsewhere(kind).to_owned(),
            None => format!("one of {}", names.collect::<Vec<_>>().join(", ")),
        })
    }

    /// By the end of the file's name.
    fn of(path: &Path) -> Self {
        let name = path.to_string_lossy().to_ascii_lowercase();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        Self::Plain(match name.rsplit('.').next() {
            Some("csv") => Form::Csv,
            Some("ndjson" | "jsonl") => Form::Ndjson,
            _ => Form::Plain,
        })
    }
}

/// Where a dataset of rbldnsd belongs that is no list of addresses.
const fn elsewhere(kind: Kind) -> &'static str {
    match kind {
        Kind::DnSet => {
            "has names, and a list has addresses: serve it as it is, with `zones = [\"ZONE:dnset:FILE\"]` in \
             [dnsbl.static]"
        }
        Kind::Generic => {
            "has records of any kind: serve it as it is, with `zones = [\"ZONE:generic:FILE\"]` in [dnsbl.static]"
        }
        Kind::Combined => {
            "is several zones: serve it as it is, with `zones = [\"ZONE:combined:FILE\"]` in [dnsbl.static], or cut its \
             datasets of addresses out and import each"
        }
        Kind::Acl => {
            "says who may ask, which is no list: take it with `zones = [\"ZONE:acl:FILE\"]` in [dnsbl.static], or write its \
             networks into [dnsbl.access]"
        }
        Kind::Ip4Set | Kind::Ip4TSet | Kind::Ip4Trie | Kind::Ip6TSet | Kind::Ip6Trie => "is imported",
    }
}

/// Longest file, in bytes.
const FILE_BYTES_MAX: u64 = 4 << 30;

/// What the files hold.
#[derive(Serialize, Default)]
#[serde(rename_all = "kebab-case")]
struct Read {
    /// Networks and addresses, each counted once.
    networks: usize,
    /// Rows that name another list.
    of_other_lists: usize,
}

/// `ratter import FILE… --list LIST`.
pub(super) fn import(config: Option<&Path>, arguments: &Arguments, show: &Show) -> Result<Outcome, Failure> {
    let (mut networks, mut read) = (Vec::new(), Read::default());
    for path in &arguments.files {
        read_file(path, arguments, &mut networks, &mut read)?;
    }
    networks.sort_unstable();
    networks.dedup();
    read.networks = networks.len();
    if read.of_other_lists > 0 {
        complain(&format!("{} rows name another list than {}", read.of_other_lists, arguments.list));
    }
    if arguments.dry_run {
        show.value(&read, |read| format!("{} networks; nothing was changed", read.networks))?;
        return Ok(if networks.is_empty() { Outcome::NothingFound } else { Outcome::Done });
    }
    if networks.is_empty() {
        let others = read.of_other_lists;
        let why = format!("nothing was imported: no row is for {}, {others} name another list", arguments.list);
        return Err(anyhow!(why).into());
    }
    let wish = ImportWish {
        list: arguments.list.clone(),
        replace: arguments.replace,
        force: arguments.force,
        span: people::wished(arguments.span, arguments.for_ever),
        reason: arguments.reason.clone().unwrap_or_else(|| format!("import of {}", names(&arguments.files))),
        person: people::person(),
    };
    let wish = serde_json::to_string(&wish).context("the wish is no JSON")?;
    let path = format!("/v1/import?wish={}", escaped(&wish));
    let stream = encoded(&networks).context("the networks cannot be packed")?;
    drop(networks);
    let Some(imported) = Client::of(config)?.upload::<Imported>(&path, stream)? else {
        return Err(anyhow!("this node cannot import; is it of an older version?").into());
    };
    show.value(&imported, |imported| in_words(imported, arguments.replace))?;
    if imported.listed + imported.own == 0 && !arguments.replace {
        return Err(anyhow!("nothing was imported: all was refused").into());
    }
    Ok(Outcome::Done)
}

fn read_file(path: &Path, arguments: &Arguments, networks: &mut Vec<Network>, read: &mut Read) -> Result<(), Failure> {
    let bytes = bytes_of(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let name = path.to_string_lossy();
    let bytes = unpack(&bytes).with_context(|| format!("{name} cannot be read"))?;
    let source = Source { name: &name, bytes: &bytes, modified: 0 };
    let refused = |report: Report| Failure::Other(anyhow!("nothing was imported\n{}", printable_lines(&report)));
    match arguments.format.unwrap_or_else(|| Format::of(path)) {
        Format::Plain(form) => {
            let rows = read_plain(form, source, Options::default());
            let rows = rows.ok_or_else(|| anyhow!("{} is not a form of plain lists", form.name()))?.map_err(refused)?;
            for row in rows {
                if row.list.is_some_and(|list| *list != *arguments.list) {
                    read.of_other_lists += 1;
                } else {
                    networks.push(row.network);
                }
            }
        }
        Format::Dataset(kind) => {
            let now: Timestamp = clock::now();
            // How much may be listed is said by [publish].
            let options = Options { may_be_wide: true, ..Options::default() };
            let dataset = datasets::read(kind, &[source], now, options).map_err(refused)?;
            if dataset.report != Report::default() {
                complain(&printable_lines(&dataset.report));
            }
            let found = dataset.networks().ok_or_else(|| anyhow!("{name} lists no addresses"))?;
            networks.extend(found);
        }
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the files that the user names are read here")]
fn bytes_of(path: &Path) -> anyhow::Result<Vec<u8>> {
    let size = std::fs::metadata(path)?.len();
    if size > FILE_BYTES_MAX {
        return Err(anyhow!("it is larger than {FILE_BYTES_MAX} bytes"));
    }
    Ok(std::fs::read(path)?)
}

fn encoded(networks: &[Network]) -> std::io::Result<Vec<u8>> {
    let mut encoder = Encoder::new(Vec::with_capacity(networks.len() * 3))?;
    networks.iter().try_for_each(|network| encoder.push(*network))?;
    encoder.finish()
}

/// The faults with their places; the lines of the file in them may hold anything.
fn printable_lines(report: &Report) -> String {
    report.to_string().lines().map(printable).collect::<Vec<_>>().join("\n")
}

/// The names of the files, without their folders.
fn names(files: &[PathBuf]) -> String {
    /// Names that are told; a reason has room for 500 bytes.
    const TOLD_MAX: usize = 3;
    let name = |path: &PathBuf| path.file_name().map(|name| printable(&name.to_string_lossy())).unwrap_or_default();
    let told: Vec<String> = files.iter().take(TOLD_MAX).map(name).collect();
    let more = files.len().saturating_sub(TOLD_MAX);
    let text = told.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() };
    text.chars().take(120).collect()
}

fn in_words(imported: &Imported, replaced: bool) -> String {
    let Imported { list, listed, added, removed, own, refused, never_listed, reasons, saved, .. } = imported;
    let gone = if replaced { format!(", {removed} went off the list") } else { String::new() };
    let mut lines = vec![format!("{listed} networks are on {list} by this import: {added} are new{gone}")];
    if *own > 0 {
        lines.push(format!("{own} keep the listing that a rule or a person made"));
    }
    if *refused > 0 {
        lines.push(format!("{refused} were refused"));
    }
    lines.extend(reasons.iter().map(|reason| format!("  {reason}")));
    lines.extend(never_listed.iter().map(|network| format!("  {network} is on the never-list, or overlaps it")));
    if !saved {
        lines.push("it is in force, and not yet in the file: see `ratter status`".to_owned());
    }
    lines.join("\n")
}
