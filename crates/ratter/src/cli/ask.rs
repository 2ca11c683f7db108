//! `ratter ask`: what other people's lists say of addresses. It asks by itself and needs no running node.

use std::path::Path;
use std::time::Duration;

use anyhow::anyhow;
use base::Address;
use clap::Args;
use dnsbl::ask::{Cause, Fault, Health, List, Lists, Standing, Verdict};
use serde::Serialize;

use super::show::{Show, table};
use super::{Failure, Outcome};
use crate::config::{self, AskedList};
use crate::node::{Asked, Asking};

/// Arguments of `ratter ask`.
#[derive(Args)]
pub(super) struct Arguments {
    /// Addresses to ask for
    #[arg(required = true, value_name = "ADDRESS")]
    addresses: Vec<Address>,
    /// Ask only this list of the configuration; may be given several times
    #[arg(long, value_name = "NAME")]
    list: Vec<String>,
}

/// What `ratter ask --json` prints.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report {
    addresses: Vec<Row>,
}

/// An address.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row {
    address: String,
    /// What all lists weigh together at a gate for mail.
    weight: u32,
    lists: Vec<Cell>,
}

/// What one list says of it.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Cell {
    list: String,
    answer: &'static str,
    /// The codes that were answered.
    codes: Vec<String>,
    /// What they mean, or why nothing is known.
    meaning: String,
    /// The short name of that reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
}

/// Runs the command: done if an address is listed, nothing found if none is or no list has such addresses, to be tried again if no list could tell.
pub(super) fn ask(path: Option<&Path>, arguments: &Arguments, show: &Show) -> Result<Outcome, Failure> {
    let (config, _) = config::find(path, config::Ports::NotTried).map_err(Failure::Usage)?;
    let lists = chosen(config.asks, &arguments.list)?;
    let patience = patience(&lists);
    let asking = start(&config.resolver, &lists)?;
    let all = (0..lists.len()).fold(Lists::default(), Lists::with);
    for address in &arguments.addresses {
        // All at once; below each is waited for.
        asking.look(crate::clock::now(), *address, all, false);
    }
    let rows = arguments.addresses.iter().map(|address| {
        let Asked { standings, weight } = asking.wait(*address, all, patience);
        let health = asking.health();
        let cells = health.iter().enumerate().map(|(place, list)| {
            let standing = standings.iter().find(|(asked, _)| *asked == place);
            standing.map_or_else(|| not_asked(list, *address), |(_, standing)| cell(list, *standing))
        });
        Row { address: address.to_string(), weight, lists: cells.collect() }
    });
    let report = Report { addresses: rows.collect() };
    show.value(&report, text)?;
    let answers = |wanted: &str| report.addresses.iter().flat_map(|row| &row.lists).any(|cell| cell.answer == wanted);
    match (answers("listed"), answers("not-listed")) {
        (true, _) => Ok(Outcome::Done),
        (false, true) => Ok(Outcome::NothingFound),
        (false, false) if !answers("unknown") => Ok(Outcome::NothingFound),
        (false, false) => Err(Failure::TryAgain(anyhow!("no list could tell; `ratter doctor` says why"))),
    }
}

/// How long answers are waited for: the tests of a list, a second try of each, and the question itself.
pub(super) fn patience(lists: &[AskedList]) -> Duration {
    3 * lists.iter().map(|list| list.list.timeout).max().unwrap_or_default()
}

/// Starts asking lists, of which there is at least one.
pub(super) fn start(resolver: &config::Resolver, lists: &[AskedList]) -> Result<Asking, Failure> {
    Asking::start(resolver, lists)?.ok_or_else(|| Failure::Other(anyhow!("no DNS server can be asked")))
}

fn chosen(asks: Vec<AskedList>, names: &[String]) -> Result<Vec<AskedList>, Failure> {
    let known = asks.iter().map(|list| list.list.name.clone()).collect::<Vec<_>>();
    if known.is_empty() {
        let hint = "add `[[ask]]` with a `preset` to the configuration; docs/ask.md names them";
        return Err(Failure::Usage(format!("ratter: no list to ask is configured: {hint}")));
    }
    if let Some(name) = names.iter().find(|name| !known.contains(name)) {
        return Err(Failure::Usage(format!("ratter: no [[ask]] is named `{name}`; there are {}", known.join(", "))));
    }
    Ok(asks.into_iter().filter(|list| names.is_empty() || names.contains(&list.list.name)).collect())
}

fn cell((list, health): &(&List, Health), standing: Standing) -> Cell {
    let (answer, codes, meaning, cause) = match (standing, health) {
        (Standing::Known(Verdict::Listed(codes)), _) => {
            let codes: Vec<_> = codes.iter().filter_map(|code| list.codes.get(code)).collect();
            let meanings = codes.iter().map(|code| code.meaning.as_str()).collect::<Vec<_>>().join("; ");
            ("listed", codes.iter().map(|code| code.code.to_string()).collect(), meanings, None)
        }
        (Standing::Known(Verdict::NotListed), _) => ("not-listed", Vec::new(), String::new(), None),
        (Standing::Known(Verdict::Unknown(Cause::Off)), Health::Off { fault, .. }) => {
            ("unknown", Vec::new(), off(*fault), Some(fault.name()))
        }
        (Standing::Known(Verdict::Unknown(cause)), _) => ("unknown", Vec::new(), cause.to_string(), Some(cause.name())),
        (Standing::Open, _) => ("unknown", Vec::new(), Cause::Silent.to_string(), Some(Cause::Silent.name())),
    };
    Cell { list: list.name.clone(), answer, codes, meaning, cause }
}

/// Of a list that has no such addresses.
fn not_asked((list, _): &(&List, Health), address: Address) -> Cell {
    let family = if address.ip().is_ipv4() { "IPv4" } else { "IPv6" };
    let meaning = format!("it lists no {family} addresses (`families`)");
    Cell { list: list.name.clone(), answer: "not-asked", codes: Vec::new(), meaning, cause: None }
}

fn off(fault: Fault) -> String {
    format!("the list is off: {fault}; {}", fault.advice())
}

fn text(report: &Report) -> String {
    let rows = report.addresses.iter().flat_map(|row| {
        row.lists.iter().map(|cell| {
            [row.address.clone(), cell.list.clone(), cell.answer.to_owned(), cell.codes.join(" "), cell.meaning.clone()]
        })
    });
    table(["ADDRESS", "LIST", "ANSWER", "CODE", "MEANING"], rows)
}
