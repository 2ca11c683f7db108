//! SpamAssassin's side: rules that ask lists about the client that handed the mail over.

use std::path::PathBuf;
use std::process::Command;

use super::scored::{self, BLOCKED, Zone};
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

/// The rules. The question itself has no score, because it fits every answer; each code is a rule of its own, by
/// the exact address. `dns_block_rule` is 4.0's: it asks a list no more for a while that refuses us.
fn rules(zones: &[Zone]) -> String {
    let mut text = String::from("ifplugin Mail::SpamAssassin::Plugin::DNSEval\n");
    for zone in zones {
        let (symbol, set) = (&zone.symbol, zone.symbol.to_lowercase());
        text += &format!(
            "\nheader   __{symbol}_ASKED  eval:check_rbl('{set}-lastexternal', '{}.')\ntflags   __{symbol}_ASKED  net\n",
            zone.name
        );
        for hit in &zone.hits {
            let (name, code) = (&hit.symbol, hit.code);
            text += &format!(
                "header   {name}  eval:check_rbl_sub('{set}-lastexternal', '{code}')\ndescribe {name}  {}\n\
                 tflags   {name}  net\nscore    {name}  {}\n",
                hit.meaning, hit.score
            );
        }
        let blocked: Vec<_> = BLOCKED.iter().map(|code| code.octets()[3].to_string()).collect();
        let name = format!("{symbol}_BLOCKED");
        text += &format!(
            "header   {name}  eval:check_rbl_sub('{set}-lastexternal', '^127\\.255\\.255\\.(?:{})$')\n\
             describe {name}  This list does not answer our questions\ntflags   {name}  net\nscore    {name}  0.001\n\
             if (version >= 4.000000)\ndns_block_rule {name}  {}\nendif\n",
            blocked.join("|"),
            zone.name
        );
    }
    text + "\nendif\n"
}
