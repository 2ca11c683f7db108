//! SpamAssassin's side: rules that ask lists about the client that handed the mail over.

use std::path::PathBuf;
use std::process::Command;

use super::scored::{self, BLOCKED, Hit, Zone};
use super::{Asked, Planned, Recipe, heading};
use crate::cli::Failure;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// SpamAssassin's folder of local rules
    #[arg(long, value_name = "FOLDER", default_value = "/etc/spamassassin")]
    folder: PathBuf,

    /// A key for this node's own lists, if they want one
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

pub(super) fn recipe(arguments: &Arguments, asked: &Asked<'_>) -> Result<Recipe, Failure> {
    let zones = scored::zones(asked, arguments.key.as_deref())?;
    let folder = std::path::absolute(&arguments.folder).map_err(anyhow::Error::from)?;
    // It comes before local.cf by its name, so that the scores there count.
    let path = folder.join("00_ratter.cf");
    let text = heading("#", "spamassassin") + &rules(&zones);
    let mut steps = vec![
        format!("Look at the scores, and change them in local.cf, which counts: score {} 2.0", first(&zones)),
        "spamassassin --lint".to_owned(),
        "Have what runs SpamAssassin read its rules anew: systemctl restart spamd (or amavis)".to_owned(),
    ];
    if zones.iter().any(|zone| zone.has_key) {
        steps.insert(0, format!("Keys stand in {0}: chgrp it to the group that SpamAssassin runs as", path.display()));
    }
    let (mode, config) = (scored::mode(&zones), asked.config.clone());
    let judge = move |address: &str| {
        let mut command = Command::new("spamassassin");
        command.arg("--siteconfigpath").arg(&folder).arg("-t");
        scored::output(&mut command, &scored::mail(address))
    };
    Ok(Recipe {
        name: "spamassassin",
        files: vec![Planned { path, mode, text }],
        commands: Vec::new(),
        steps,
        probe: Box::new(move |client| scored::probe(&zones, &config, client, judge)),
    })
}

fn first(zones: &[Zone]) -> &str {
    zones.iter().flat_map(|zone| &zone.hits).map(|hit| hit.symbol.as_str()).next().unwrap_or_default()
}

/// The rules.
fn rules(zones: &[Zone]) -> String {
    let begin = String::from("ifplugin Mail::SpamAssassin::Plugin::DNSEval\n");
    let zones = zones.iter().map(rules_of);
    [begin].into_iter().chain(zones).chain(["\nendif\n".to_owned()]).collect()
}

/// The rules of a zone. The question itself has no score, because it fits every answer; each code is a rule of its own, by
/// the exact address, and what is none of them is shown to the administrator and weighs nothing (a rule of score 0 would not be
/// looked at). `dns_block_rule` is 4.0's: it asks a list no more for a while that refuses us.
fn rules_of(zone: &Zone) -> String {
    let (symbol, name, set) = (&zone.symbol, &zone.name, format!("{}-lastexternal", zone.symbol.to_lowercase()));
    let question =
        format!("\nheader   __{symbol}_ASKED  eval:check_rbl('{set}', '{name}.')\ntflags   __{symbol}_ASKED  net\n");
    let hit = |hit: &Hit| rule(&hit.symbol, &set, &hit.code.to_string(), &hit.meaning, &hit.score);
    let last = BLOCKED.map(|code| code.octets()[3].to_string()).join("|");
    let codes = format!("^127\\.255\\.255\\.(?:{last})$");
    let blocked = rule(&format!("{symbol}_BLOCKED"), &set, &codes, "This list does not answer our questions", "0.001");
    let known = zone.hits.iter().map(|hit| hit.symbol.clone()).chain([format!("{symbol}_BLOCKED")]);
    let known = known.collect::<Vec<_>>().join(" || ");
    let unknown = format!(
        "meta     {symbol}_UNKNOWN  __{symbol}_ASKED && !({known})\n\
         describe {symbol}_UNKNOWN  This list answered with a code not written here\n\
         tflags   {symbol}_UNKNOWN  net\nscore    {symbol}_UNKNOWN  0.001\n"
    );
    let block = format!("if (version >= 4.000000)\ndns_block_rule {symbol}_BLOCKED  {name}\nendif\n");
    [question].into_iter().chain(zone.hits.iter().map(hit)).chain([blocked, unknown, block]).collect()
}

/// The rule for answers that are a code or fit a pattern.
fn rule(name: &str, set: &str, codes: &str, meaning: &str, score: &str) -> String {
    format!(
        "header   {name}  eval:check_rbl_sub('{set}', '{codes}')\ndescribe {name}  {meaning}\n\
         tflags   {name}  net\nscore    {name}  {score}\n"
    )
}
