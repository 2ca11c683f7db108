//! The filters that Debian's fail2ban ships, and what becomes of them: how many can be translated, and that a translation finds the
//! same host and user as fail2ban does in its own test lines, and never another one.
//!
//! The lines are samples outside the project (`RATTER_SHARED`); without them only the counts are looked at.

#![expect(clippy::disallowed_methods, reason = "the filters are files of another program")]

use std::collections::BTreeMap;
use std::fs;

use sensors::import::{Import, fail2ban};
use sensors::patterns::{Pattern, Patterns, Spec};
use serde_json::Value;

const FOLDER: &str = "/etc/fail2ban/filter.d";

fn translate(name: &str) -> Option<Import> {
    let mut read = |path: &str| fs::read_to_string(path).ok();
    fail2ban(&format!("{FOLDER}/{name}.conf"), None, &mut read).ok()
}

fn patterns(import: &Import) -> Patterns {
    let pattern = |one: &sensors::import::Translated| {
        let spec = Spec {
            name: &one.name,
            program: one.program.as_deref(),
            regex: &one.regex,
            unless: one.unless.as_deref(),
            kind: one.kind,
            service: &one.name,
        };
        Pattern::new(spec).expect("a translation is a pattern")
    };
    Patterns::new(import.patterns.iter().map(pattern).collect())
}

/// The filters of the package, without those that others include.
fn filters() -> Vec<String> {
    let folder = fs::read_dir(FOLDER).expect("Debian's package fail2ban is installed (tests/install-packages.sh)");
    let mut names: Vec<String> = folder
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok()?.strip_suffix(".conf").map(str::to_owned))
        .filter(|name| !name.ends_with("common"))
        .collect();
    names.sort();
    names
}

#[test]
fn filters_are_translated() {
    let (mut whole, mut partly, mut none, mut lines, mut left) = (0, 0, 0, 0, 0);
    let mut reasons = BTreeMap::<String, u32>::new();
    for name in filters() {
        let Some(import) = translate(&name) else {
            println!("{name}: not a filter");
            continue;
        };
        lines += import.patterns.len();
        left += import.left_out.len();
        match (import.patterns.len(), import.left_out.len()) {
            (_, 0) => whole += 1,
            (0, _) => none += 1,
            _ => partly += 1,
        }
        println!("{name}: {} of {}", import.patterns.len(), import.patterns.len() + import.left_out.len());
        for one in &import.left_out {
            let why = one.why.split('`').next().unwrap_or_default();
            *reasons.entry(why.trim().to_owned()).or_default() += 1;
            println!("    {}: {}\n        {}", one.origin, one.why, one.text);
        }
    }
    println!("{whole} filters whole, {partly} partly, {none} not; {lines} lines translated, {left} not: {reasons:#?}");
    assert!(whole >= 39 && lines >= 75, "what was translated before is translated");
}

/// fail2ban's own lines, with the labels of its test suite.
#[test]
fn translations_find_the_same_host_and_user() {
    let Ok(folder) = std::env::var("RATTER_SHARED") else {
        println!("RATTER_SHARED is not set: no lines were looked at, this test shows nothing");
        return;
    };
    let text = fs::read_to_string(format!("{folder}/corpora/auth-logs-dev.jsonl")).expect("the samples are there");
    let mut all = BTreeMap::<String, (Option<Patterns>, u32, u32, u32)>::new();
    let mut wrong = Vec::new();
    for record in text.lines().map(|line| serde_json::from_str::<Value>(line).expect("the samples are JSON lines")) {
        let (service, line) = (record["service"].as_str().unwrap(), record["line"].as_str().unwrap());
        let (patterns, positives, found, hits) =
            all.entry(service.to_owned()).or_insert_with(|| (translate(service).as_ref().map(patterns), 0, 0, 0));
        let Some(patterns) = patterns else { continue };
        let frame = sensors::frame::read(line);
        let hit = patterns.read(line, &frame);
        let is_attack = record["match"] == Value::Bool(true);
        *positives += u32::from(is_attack);
        let Some(hit) = hit else { continue };
        *hits += 1;
        let address = hit.address.map(|address| address.to_string());
        let (host, user) = (record["host"].as_str(), record["user"].as_str());
        if address.as_deref() != host || user.is_some() && hit.login.is_some() && hit.login != user {
            wrong.push(format!(
                "{service} {}: {address:?} {:?}, not {host:?} {user:?} in {line}",
                hit.pattern, hit.login
            ));
        }
        if is_attack {
            *found += 1;
        } else {
            wrong.push(format!("{service} {}: accuses {address:?} in {line}", hit.pattern));
        }
    }
    for (service, (patterns, positives, found, _)) in &all {
        let is_there = if patterns.is_some() { "" } else { " (no such filter)" };
        println!("{service:>20}: {found} of {positives}{is_there}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
