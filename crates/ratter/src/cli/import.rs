use std::path::{Path, PathBuf};

use anyhow::anyhow;
use base::EventKind;
use clap::{Args, Subcommand};
use sensors::import::{Import, LeftOut, Translated, fail2ban};
use serde::Serialize;

use super::show::{Show, complain, printable};
use super::{Failure, Outcome, import_list};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    list: Option<import_list::Arguments>,

    #[command(subcommand)]
    from: Option<From>,
}

#[derive(Subcommand)]
enum From {
    /// Translate filters of fail2ban to `[[pattern]]` sections, on standard output; what could not be translated is said line by line
    Fail2ban {
        /// Filters, such as /etc/fail2ban/filter.d/courier-auth.conf
        #[arg(required = true, value_name = "FILTER.conf")]
        filters: Vec<PathBuf>,

        /// What a line that matches means, whatever the filter says; without it, what the wordings of each line of the filter say
        #[arg(long, value_name = "EVENT", value_parser = event)]
        event: Option<EventKind>,
    },
}

fn event(name: &str) -> Result<EventKind, String> {
    let names = EventKind::ALL.map(EventKind::name).join(", ");
    EventKind::from_name(name).ok_or_else(|| format!("one of {names}"))
}

/// Longest filter file, in bytes.
const FILTER_BYTES_MAX: u64 = 1024 * 1024;

/// What `ratter import --json` prints of one filter.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Shown {
    patterns: Vec<ShownPattern>,
    left_out: Vec<ShownLeftOut>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ShownPattern {
    name: String,
    origin: String,
    event: &'static str,
    program: Option<String>,
    regex: String,
    unless: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ShownLeftOut {
    origin: String,
    text: String,
    why: String,
}

/// `ratter import fail2ban FILTER.conf…`: filters of fail2ban as patterns; `ratter import FILE… --list LIST`: a list.
pub(crate) fn import(config: Option<&Path>, arguments: &Arguments, show: &Show) -> Result<Outcome, Failure> {
    let (filters, event) = match (&arguments.from, &arguments.list) {
        (Some(From::Fail2ban { filters, event }), _) => (filters, event),
        (None, Some(list)) => return import_list::import(config, list, show),
        (None, None) => return Err(Failure::Usage("ratter: a file is wanted, or `fail2ban`".to_owned())),
    };
    let mut import = Import::default();
    for path in filters {
        let found = fail2ban(&path.to_string_lossy(), *event, &mut read).map_err(|why| anyhow!(why))?;
        import.patterns.extend(found.patterns);
        import.left_out.extend(found.left_out);
    }
    let summary =
        format!("{} patterns; {} lines could not be translated", import.patterns.len(), import.left_out.len());
    let is_empty = import.patterns.is_empty();
    if show.is_json() {
        show.value(&shown(import), |_| String::new())?;
    } else {
        let mut parts: Vec<String> = import.patterns.iter().map(pattern_toml).collect();
        parts.extend(import.left_out.iter().map(left_out));
        super::show::line(parts.join("\n").trim_end())?;
        complain(&summary);
    }
    Ok(if is_empty { Outcome::NothingFound } else { Outcome::Done })
}

#[expect(clippy::disallowed_methods, reason = "the files that the user names are read here")]
fn read(path: &str) -> Option<String> {
    let size = std::fs::metadata(path).ok()?.len();
    if size > FILTER_BYTES_MAX {
        return None;
    }
    std::fs::read_to_string(path).ok()
}

fn shown(import: Import) -> Shown {
    let pattern = |p: Translated| ShownPattern {
        name: p.name,
        origin: p.origin,
        event: p.kind.name(),
        program: p.program,
        regex: p.regex,
        unless: p.unless,
    };
    let left_out = |l: LeftOut| ShownLeftOut { origin: l.origin, text: l.text, why: l.why };
    Shown {
        patterns: import.patterns.into_iter().map(pattern).collect(),
        left_out: import.left_out.into_iter().map(left_out).collect(),
    }
}

/// A pattern as it stands in the configuration file.
fn pattern_toml(pattern: &Translated) -> String {
    let key = |key: &str, value: &Option<String>| {
        value.as_ref().map_or_else(String::new, |value| format!("{key} = {}\n", quoted(value)))
    };
    format!(
        "# {}\n[[pattern]]\nname = \"{}\"\nevent = \"{}\"\n{}regex = {}\n{}",
        printable(&pattern.origin),
        pattern.name,
        pattern.kind,
        key("program", &pattern.program),
        quoted(&pattern.regex),
        key("unless", &pattern.unless)
    )
}

/// What could not be translated, as comments.
fn left_out(left: &LeftOut) -> String {
    format!("# {}: {}\n#   {}\n", printable(&left.origin), printable(&left.why), printable(&left.text))
}

/// An expression as TOML: literal where that is possible, because expressions are full of backslashes.
fn quoted(text: &str) -> String {
    if !text.contains('\'') {
        format!("'{text}'")
    } else if !text.contains("'''") && !text.ends_with('\'') && !text.starts_with('\'') {
        format!("'''{text}'''")
    } else {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_toml() {
        for text in ["a", "a'b\\d", "'", "a'''b\"\\", "''x", ""] {
            let table: toml::Table = format!("a = {}", quoted(text)).parse().unwrap();
            assert_eq!(table["a"].as_str(), Some(text));
        }
    }
}
