//! What spam filters are told to ask: this node's lists and those of `[[ask]]`, each code with a score of its own.
//!
//! A list's answer counts by its exact code. One that is no code of the list, such as 127.255.255.254 ("you may not
//! ask"), says nothing about the sender and never scores.

use core::net::Ipv4Addr;
use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, anyhow, bail};
use console::api::{ListWish, ListingView, UnlistWish, WishedSpan};
use dnsbl::access::{KEY_LABEL_BYTES_MIN, Permit, Policy, ZoneAccess, ZoneLabel};

use super::Asked;
use crate::cli::Failure;
use crate::cli::client::Client;
use crate::cli::listings::person;
use crate::cli::show::printable;
use crate::config::{self, Config};
use crate::node::random_octets;

/// A zone that is asked with the address of the client that handed the mail over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Zone {
    /// Begins the names of its symbols: letters, digits and `_`.
    pub(super) symbol: String,
    /// The name to ask, with the key if there is one.
    pub(super) name: String,
    pub(super) v4: bool,
    pub(super) v6: bool,
    pub(super) hits: Vec<Hit>,
    /// Whether the name holds a key, which is a secret.
    pub(super) has_key: bool,
}

/// A code and what it counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Hit {
    pub(super) symbol: String,
    pub(super) code: Ipv4Addr,
    /// In plain letters.
    pub(super) meaning: String,
    /// Such as `1.5`.
    pub(super) score: String,
}

/// Longest label of a name (RFC 1035 section 2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// Most letters of a meaning: SpamAssassin complains about longer ones.
const MEANING_MAX: usize = 50;

/// The codes by which lists say that they did not answer the question. RFC 5782 knows none; these are Spamhaus', which
/// others and Ratter took over.
pub(super) const BLOCKED: [Ipv4Addr; 3] =
    [Ipv4Addr::new(127, 255, 255, 252), Ipv4Addr::new(127, 255, 255, 254), Ipv4Addr::new(127, 255, 255, 255)];

/// The zones of the configuration: first this node's `all`, asked with `key` if one is given, then the lists of `[[ask]]`.
pub(super) fn zones(asked: &Asked<'_>, key: Option<&str>) -> Result<Vec<Zone>, Failure> {
    if let Some(dnsbl) = &asked.config.dnsbl {
        check_key(&dnsbl.access, key).map_err(|fault| Failure::Usage(format!("ratter: {fault}")))?;
    }
    let zones: Vec<_> = own(asked.config, key).into_iter().chain(asked.config.asks.iter().map(others)).collect();
    if zones.is_empty() {
        let hint = "publish lists with [dnsbl], or name lists of others with [[ask]]";
        return Err(Failure::Usage(format!("ratter: there is no list that could be asked; {hint}")));
    }
    Ok(zones)
}

/// Refuses what is no key, and to ask `all` without one where nobody would be answered: each mail would wait for refusals.
fn check_key(access: &[(ZoneLabel, ZoneAccess)], key: Option<&str>) -> Result<(), String> {
    match key {
        Some(key) if !(KEY_LABEL_BYTES_MIN..=LABEL_BYTES_MAX).contains(&key.len()) => {
            return Err(format!(
                "--key has {KEY_LABEL_BYTES_MIN} to {LABEL_BYTES_MAX} letters and digits, as `ratter key new` says it"
            ));
        }
        Some(key) if !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') => {
            return Err("--key is one label of letters and digits, as `ratter key new` says it".to_owned());
        }
        Some(_) => return Ok(()),
        None => {}
    }
    let with = |wanted: &ZoneLabel| access.iter().find(|(label, _)| label == wanted).map(|(_, rules)| rules);
    let rules = with(&ZoneLabel::Named("all".to_owned())).or_else(|| with(&ZoneLabel::Others));
    // Whoever asks from a free network needs none; whether the filter does, only its operator knows.
    let wants_key = |rules: &ZoneAccess| {
        rules.policy == Policy::Key && !rules.networks.iter().any(|(_, permit)| *permit == Permit::Free)
    };
    if rules.is_some_and(wants_key) {
        let hint = "make one with `ratter key new NAME` and give it with --key";
        return Err(format!("the zone `all` answers only who has a key (`policy = \"key\"`); {hint}"));
    }
    Ok(())
}

fn own(config: &Config, key: Option<&str>) -> Option<Zone> {
    let dnsbl = config.dnsbl.as_ref()?;
    let hit = |list: &config::List| {
        Some(Hit {
            symbol: format!("RATTER_{}", symbol(&list.name)),
            code: list.code?,
            meaning: plain(&format!("on the list {} of {}", list.name, dnsbl.origin)),
            score: score(if matches!(list.name.as_str(), "spam" | "null") { 5 } else { 3 }),
        })
    };
    let key_label = key.map(|key| format!("{key}.")).unwrap_or_default();
    Some(Zone {
        symbol: "RATTER".into(),
        name: format!("{key_label}all.{}", dnsbl.origin),
        v4: true,
        v6: true,
        hits: config.lists.iter().filter_map(hit).collect(),
        has_key: key.is_some(),
    })
}

fn others(asked: &config::AskedList) -> Zone {
    let list = &asked.list;
    let zone = format!("RATTER_ASK_{}", symbol(&list.name));
    let key_label = list.key.as_ref().map(|key| format!("{}.", key.expose())).unwrap_or_default();
    let hit = |code: &dnsbl::ask::Code| Hit {
        symbol: match code.code.octets() {
            [127, 0, 0, last] => format!("{zone}_{last}"),
            [_, b, c, d] => format!("{zone}_{b}_{c}_{d}"),
        },
        code: code.code,
        meaning: plain(&format!("{}: {}", list.name, code.meaning)),
        score: score(code.weight),
    };
    Zone {
        name: format!("{key_label}{}", list.zone),
        v4: list.v4,
        v6: list.v6,
        hits: list.codes.iter().map(hit).collect(),
        has_key: list.key.is_some(),
        symbol: zone,
    }
}

/// Half of a weight: filters refuse at 5 and more of many signs, and one list alone shall not do it.
fn score(weight: u32) -> String {
    format!("{}.{}", weight * 5 / 10, weight * 5 % 10)
}

fn symbol(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

/// Letters that mean nothing in any file.
fn plain(text: &str) -> String {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || " ._-:,/()".contains(*c);
    text.chars().map(|c| if is_plain(&c) { c } else { '?' }).take(MEANING_MAX).collect()
}

/// Permissions of a file with these zones in it.
pub(super) fn mode(zones: &[Zone]) -> u32 {
    if zones.iter().any(|zone| zone.has_key) { 0o640 } else { 0o644 }
}

/// Lists an address that is nobody's (RFC 5737) for a moment, has `judge` say what the filter thinks of a mail from there, and
/// fails unless it has the symbol of the list.
pub(super) fn probe(
    zones: &[Zone],
    config: &Config,
    client: &Client,
    judge: impl Fn(&str) -> anyhow::Result<String>,
) -> anyhow::Result<String> {
    // This node's own zone is the first.
    let hit = zones.first().filter(|_| config.dnsbl.is_some()).and_then(|zone| zone.hits.first());
    let hit = hit.ok_or_else(|| anyhow!("only a list of this node's own can be tried: there is no [dnsbl]"))?;
    let list = config.lists.iter().find(|list| list.code == Some(hit.code)).map(|list| list.name.clone());
    let list = list.ok_or_else(|| anyhow!("no list has the code {}", hit.code))?;
    // Another one each time: resolvers remember who was not listed a minute ago.
    let [last, ..] = random_octets()?;
    let address = format!("192.0.2.{last}");
    let before = judge(&address)?;
    if has(&before, &hit.symbol) {
        bail!("{} is said of {address}, which is on no list yet: {}", hit.symbol, excerpt(&before));
    }
    let other = format!("198.51.100.{last}");
    let wish = ListWish {
        subject: other.clone(),
        list: list.clone(),
        force: false,
        span: WishedSpan::Seconds(120),
        reason: "tried by ratter setup --probe".into(),
        person: person(),
    };
    client.post::<ListingView>("/v1/list", &wish).map_err(said)?;
    let after = judge(&other);
    let undo = UnlistWish { subject: other.clone(), list: Some(list), person: person() };
    client.post::<Vec<ListingView>>("/v1/unlist", &undo).map_err(said)?;
    let after = after?;
    if !has(&after, &hit.symbol) {
        bail!(
            "{} is not said of {other}, which was listed: has the filter read its files anew, and does its resolver find \
             the zone? It says: {}",
            hit.symbol,
            excerpt(&after)
        );
    }
    Ok(format!("a mail from {other} has {} while the address is listed, and one from {address} has not", hit.symbol))
}

/// Whether a text has the symbol as a word of its own.
fn has(text: &str, symbol: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == symbol)
}

fn excerpt(text: &str) -> String {
    text.lines()
        .map(printable)
        .filter(|line| line.contains("RATTER") || line.contains("rror"))
        .collect::<Vec<_>>()
        .join("; ")
}

fn said(failure: Failure) -> anyhow::Error {
    match failure {
        Failure::Usage(text) => anyhow!(text),
        Failure::TryAgain(error) | Failure::Other(error) => error,
    }
}

/// A mail that this address handed over.
pub(super) fn mail(address: &str) -> String {
    format!(
        "Received: from probe.invalid (probe.invalid [{address}])\n\tby localhost (Postfix) with ESMTP id 4B1;\n\t\
         Sat, 21 Nov 2026 12:00:00 +0000\nFrom: probe@example.org\nTo: probe@example.net\nSubject: probe\n\
         Date: Sat, 21 Nov 2026 12:00:00 +0000\nMessage-ID: <probe@example.org>\n\nA mail that nobody sent.\n"
    )
}

/// What a program prints that gets `input`.
pub(super) fn output(command: &mut Command, input: &str) -> anyhow::Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("{name} cannot be run; is it installed?"))?;
    // It may end without reading; then what it says tells why.
    child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes())).transpose().unwrap_or_default();
    let output = child.wait_with_output()?;
    let text = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_label_and_is_there_where_one_is_wanted() {
        let rules = |policy, networks| ZoneAccess { policy, networks, ..ZoneAccess::default() };
        let named = || ZoneLabel::Named("all".to_owned());
        let free = vec![("192.0.2.0/24".parse().unwrap(), Permit::Free)];
        let closed = [(ZoneLabel::Others, rules(Policy::Key, vec![]))];
        let open = [(ZoneLabel::Others, rules(Policy::Key, vec![])), (named(), rules(Policy::Open, vec![]))];
        let freed = [(named(), rules(Policy::Key, free))];
        let long = "k".repeat(64);
        let cases: [(&[_], _, bool); 9] = [
            (&closed, None, false),
            (&open, None, true),
            (&freed, None, true),
            (&[], None, true),
            (&closed, Some("h3mq8rkz2vbnx7yw"), true),
            (&closed, Some("short"), false),
            (&open, Some(&long), false),
            (&open, Some("h3mq8rkz.example"), false),
            (&closed, Some("h3mq8rkz 2vbnx7yw"), false),
        ];
        for (access, key, is_right) in cases {
            assert_eq!(check_key(access, key).is_ok(), is_right, "{access:?} {key:?}");
        }
    }
}
