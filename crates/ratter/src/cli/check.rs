use std::path::Path;

use ::resolver::io::system_servers;
use dnsbl::access::NamesWanted;
use serde::Serialize;

use super::show::Show;
use super::{Failure, Outcome};
use crate::config;

/// What `ratter check --json` prints of a configuration without faults.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report {
    source: String,
    files: usize,
    journals: usize,
    syslogs: usize,
    reporters: usize,
    patterns: usize,
    rules: Vec<String>,
    lists: Vec<String>,
    warnings: Vec<String>,
}

/// Warns of files under the name of a list: a client that asks `all` does not get what only they have.
fn not_in_all(dnsbl: &config::Dnsbl, lists: &[config::List]) -> Vec<String> {
    let of_list = |name: &str| lists.iter().any(|list| format!("{}.{}", list.name, dnsbl.origin) == name);
    let zones = dnsbl.statics.iter().flat_map(|statics| &statics.zones).filter(|zone| of_list(&zone.name));
    zones
        .map(|zone| format!("warning: what only the files of zone {} have is not in `all.{}`", zone.name, dnsbl.origin))
        .collect()
}

/// Warns where clients without a name are to be refused and only one resolver can say that they have none.
fn one_resolver(config: &config::Config) -> Option<String> {
    let wants_names = |dnsbl: &config::Dnsbl| dnsbl.access.iter().any(|(_, rules)| rules.names != NamesWanted::Any);
    let servers = match config.resolver.servers.len() {
        // Those of the machine; where they cannot be read, the start says so.
        0 => system_servers().map_or(0, |servers| servers.len()),
        count => count,
    };
    let is_alone = servers == 1 && config.dnsbl.as_ref().is_some_and(wants_names);
    is_alone.then(|| {
        "warning: `reverse-name` with one resolver: that a client has no name is believed only when it says so again after \
         its answer's own time, up to five minutes later; name two in `servers` of [resolver]"
            .to_owned()
    })
}

/// `ratter check`: all faults of the configuration and of the files of its zones, or what it sets up.
pub(crate) fn check(path: Option<&Path>, show: &Show) -> Result<Outcome, Failure> {
    let (config, source) = config::find(path, config::Ports::TriedUnlessRunning).map_err(Failure::Usage)?;
    if let Err(fault) = crate::node::judge_dnsbl(&config) {
        return Err(Failure::Usage(format!("error: {fault:#}")));
    }
    let (mut faults, mut more) = crate::node::judge_files(&config)?;
    let places = crate::node::judge_places(&config, None);
    faults.extend((!places.is_empty()).then(|| places.render(show.has_colours())));
    faults.extend(crate::node::judge_address_files(&config));
    more.extend(config.dnsbl.as_ref().into_iter().flat_map(|dnsbl| not_in_all(dnsbl, &config.lists)));
    more.extend(one_resolver(&config));
    if !faults.is_empty() {
        return Err(Failure::Usage(faults.join("\n")));
    }
    let report = Report {
        source: source.to_string(),
        files: config.sensors.len(),
        journals: config.journals.len(),
        syslogs: config.syslogs.len(),
        reporters: config.reports.as_ref().map_or(0, |reports| reports.reporters.len()),
        patterns: config.patterns.len(),
        rules: config.rules.iter().map(|rule| rule.name.to_string()).collect(),
        lists: config.lists.iter().map(|list| list.name.clone()).collect(),
        warnings: config.warnings.iter().map(|fault| fault.title.clone()).chain(more.iter().cloned()).collect(),
    };
    show.value(&report, |report| {
        let warnings = config.warnings.render(show.has_colours());
        let summary = format!(
            "{} is right: {}, {} rules ({}), {} lists ({})",
            report.source,
            sources(report),
            report.rules.len(),
            report.rules.join(", "),
            report.lists.len(),
            report.lists.join(", ")
        );
        let warnings = core::iter::once(warnings).filter(|text| !text.is_empty()).chain(more.iter().cloned());
        warnings.chain([summary]).collect::<Vec<_>>().join("\n")
    })?;
    Ok(Outcome::Done)
}

/// Where events come from: the kinds of which there are any, and files in any case.
fn sources(report: &Report) -> String {
    let others = [
        (report.journals, "journals"),
        (report.syslogs, "syslog listeners"),
        (report.reporters, "reporters"),
        (report.patterns, "patterns"),
    ];
    let others = others.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!(", {count} {what}"));
    core::iter::once(format!("{} log files", report.files)).chain(others).collect()
}
