//! rspamd's side: its rbl module asks lists about the client that handed the mail over.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::scored::{self, BLOCKED, Hit, Zone};
use super::{Asked, Planned, Recipe, heading};
use crate::cli::Failure;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// rspamd's configuration folder
    #[arg(long, value_name = "FOLDER", default_value = "/etc/rspamd")]
    folder: PathBuf,

    /// A key for this node's own lists, if they want one
    #[arg(long, value_name = "KEY")]
    key: Option<String>,

    /// Where rspamd takes mails to look at, for --probe
    #[arg(long, value_name = "HOST:PORT", default_value = "localhost:11333")]
    server: String,
}

pub(super) fn recipe(arguments: &Arguments, asked: &Asked<'_>) -> Result<Recipe, Failure> {
    let zones = scored::zones(asked, arguments.key.as_deref())?;
    let folder = std::path::absolute(&arguments.folder).map_err(anyhow::Error::from)?;
    let [rules, group] = ["ratter_rbl.conf", "ratter_rbl_group.conf"].map(|name| folder.join(name));
    let heading = || heading("#", "rspamd");
    let mode = scored::mode(&zones);
    let files = vec![
        Planned { path: rules.clone(), mode, text: heading() + &lists(&zones) },
        Planned { path: group.clone(), mode: 0o644, text: heading() + &scores(&zones) },
    ];
    let mut steps = vec![
        include(&folder, "rbl.conf", &rules),
        include(&folder, "rbl_group.conf", &group),
        "rspamadm configtest && systemctl reload rspamd".to_owned(),
    ];
    if mode != 0o644 {
        steps.insert(0, format!("Keys stand in {}: chgrp _rspamd it", rules.display()));
    }
    let (config, server) = (asked.config.clone(), arguments.server.clone());
    let judge = move |address: &str| {
        let mut command = Command::new("rspamc");
        command.args(["-h", &server, "-i", address, "symbols"]);
        scored::output(&mut command, &scored::mail(address))
    };
    Ok(Recipe {
        name: "rspamd",
        files,
        commands: Vec::new(),
        steps,
        probe: Box::new(move |client| scored::probe(&zones, &config, client, judge)),
    })
}

fn include(folder: &Path, file: &str, ours: &Path) -> String {
    format!("Add to {}:\n.include(duplicate=merge) \"{}\"", folder.join("local.d").join(file).display(), ours.display())
}

/// The lists: an answer without a symbol here has no effect (`unknown`), and those that say that we may not ask have one
/// that weighs nothing. Codes are patterns to rspamd; of all addresses an address as a pattern fits itself alone. rspamd itself looks whether a list is alive, by 127.0.0.1, which must not be listed.
fn lists(zones: &[Zone]) -> String {
    let zones = zones.iter().map(list);
    ["rbls {\n".to_owned()].into_iter().chain(zones).chain(["}\n".to_owned()]).collect()
}

fn list(zone: &Zone) -> String {
    let Zone { symbol, name, v4, v6, .. } = zone;
    let begin = format!(
        "  {} {{\n    symbol = \"{symbol}\";\n    rbl = \"{name}\";\n    checks = [\"from\"];\n    ipv4 = {v4};\n    \
         ipv6 = {v6};\n    unknown = false;\n    returncodes {{\n",
        symbol.to_lowercase()
    );
    let hit = |hit: &Hit| format!("      {} = \"{}\";\n", hit.symbol, hit.code);
    let blocked = BLOCKED.map(|code| format!("\"{code}\"")).join(", ");
    let end = format!("      {symbol}_BLOCKED = [{blocked}];\n    }}\n  }}\n");
    [begin].into_iter().chain(zone.hits.iter().map(hit)).chain([end]).collect()
}

fn scores(zones: &[Zone]) -> String {
    let line = |symbol: &str, weight: &str, meaning: &str| {
        format!("  \"{symbol}\" {{ weight = {weight}; description = \"{meaning}\"; }}\n")
    };
    let of_zone = |zone: &Zone| {
        let hits = zone.hits.iter().map(|hit| line(&hit.symbol, &hit.score, &hit.meaning));
        let blocked = line(&format!("{}_BLOCKED", zone.symbol), "0.0", "This list does not answer our questions");
        hits.chain([blocked]).collect::<String>()
    };
    let zones = zones.iter().map(of_zone);
    ["symbols {\n".to_owned()].into_iter().chain(zones).chain(["}\n".to_owned()]).collect()
}
