use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use console::api::Status;
use dnsbl::datasets::{Form, Head, Row, Writer};
use dnsbl::io::write_whole;
use listings::networks::Decoder;
use serde::Serialize;

use super::client::{Client, escaped};
use super::show::{Show, complain};
use super::{Failure, Outcome};
use crate::config::{self, Config, List};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Which list
    #[arg(long, value_name = "LIST")]
    list: String,

    /// In which form: ip4set, ip4trie, ip6trie, plain, csv, ndjson or rpz
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
    let stream = client.download(&format!("/v1/export?list={}", escaped(&arguments.list)))?.ok_or_else(gone)?;
    let about = About::of(&config, &arguments.list, serial);
    let write = |out: &mut dyn Write| about.write(arguments.format, &stream, out);
    let (written, skipped) = match &arguments.output {
        Some(file) => write_whole(file, write).with_context(|| format!("{} cannot be written", file.display()))?,
        None => write(&mut std::io::BufWriter::new(std::io::stdout().lock())).context("the list cannot be written")?,
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

/// What the configuration says of a list, for the head of a file.
struct About<'a> {
    list: &'a str,
    zone: String,
    /// The primary one first.
    servers: Vec<String>,
    contact: String,
    code: Ipv4Addr,
    /// In rbldnsd's way.
    text: String,
    /// With `{ip}` for the network.
    reason: String,
    ttl: u32,
    negative_ttl: u32,
    serial: u32,
}

/// The code of a list that is not published: what rbldnsd answers where a file says nothing.
const CODE_DEFAULT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// The text of a list whose configuration gives none.
const TEXT_DEFAULT: &str = "{ip} is on {list}";

impl<'a> About<'a> {
    fn of(config: &Config, name: &'a str, serial: u64) -> Self {
        let list: Option<&List> = config.lists.iter().find(|list| list.name == name);
        let dnsbl = config.dnsbl.as_ref();
        let origin = dnsbl.map_or("invalid", |dnsbl| &dnsbl.origin);
        let text = list.and_then(|list| list.text.as_deref()).unwrap_or(TEXT_DEFAULT);
        let link = dnsbl.and_then(|dnsbl| dnsbl.lookup.as_deref()).unwrap_or_default();
        let reason = text.replace("{url}", link).replace("{list}", name).trim_end().to_owned();
        let servers: Vec<String> = dnsbl.iter().flat_map(|dnsbl| &dnsbl.ns).map(|server| server.name.clone()).collect();
        let seconds = |span: std::time::Duration| u32::try_from(span.as_secs()).unwrap_or(u32::MAX).max(1);
        let ttl = list.and_then(|list| list.ttl).or_else(|| dnsbl.map(|dnsbl| dnsbl.ttl)).unwrap_or_default();
        Self {
            list: name,
            zone: format!("{name}.{origin}"),
            servers: if servers.is_empty() { vec![config.node.name.clone()] } else { servers },
            contact: dnsbl
                .map_or_else(|| format!("hostmaster@{origin}"), |dnsbl| dnsbl.contact.clone())
                .replace('@', "."),
            code: list.and_then(|list| list.code).unwrap_or(CODE_DEFAULT),
            // In rbldnsd's templates a dollar sign is the address.
            text: reason.replace('$', "$$").replace("{ip}", "$"),
            reason,
            ttl: seconds(ttl),
            negative_ttl: seconds(dnsbl.map_or(ttl, |dnsbl| dnsbl.negative_ttl)),
            serial: serial as u32,
        }
    }

    /// Writes the networks of a stream; how many were written, and how many have no place in the form.
    fn write(&self, form: Form, stream: &[u8], out: &mut dyn Write) -> std::io::Result<(u64, u64)> {
        let Self { zone, contact, code, text, ttl, negative_ttl, serial, .. } = self;
        let servers: Vec<&str> = self.servers.iter().map(String::as_str).collect();
        let head = Head {
            zone,
            primary: servers[0],
            servers: &servers,
            contact,
            serial: *serial,
            code: *code,
            text,
            ttl: *ttl,
            negative_ttl: *negative_ttl,
        };
        let mut writer = Writer::new(form, &head, out)?;
        let has_reason = matches!(form, Form::Csv | Form::Ndjson);
        for network in Decoder::new(stream) {
            let network = network.map_err(std::io::Error::other)?;
            let reason = if has_reason { self.reason.replace("{ip}", &network.to_string()) } else { String::new() };
            let row = Row { network, is_excluded: false, code: None, list: self.list, reason: &reason, until: None };
            writer.row(&row)?;
        }
        let counts = writer.counts();
        writer.into_inner().flush()?;
        Ok(counts)
    }
}
