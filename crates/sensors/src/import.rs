//! Filters of fail2ban as patterns: what of a `filter.d/*.conf` can be said by [`crate::patterns`], and why the rest cannot.
//!
//! ```text
//! FILTER.conf ─ ini: includes, sections ─> %(…)s and <option> filled in ─ tags: <HOST>, <F-USER> … ─> expression ─ Pattern::new
//! ```
//!
//! `__prefix_line`, by which filters describe what syslog puts before a message, becomes `program`, because frames are
//! read by Ratter itself; so are stamps, and `datepattern` is not needed. A translation is only given if
//! [`Pattern::new`] takes it: an expression whose address a client could choose is left out, and said so.

mod ini;
mod kinds;
mod known;
mod marks;
mod tags;
#[cfg(test)]
mod tests;

use base::EventKind;

use crate::patterns::{Pattern, Spec};
use ini::{Filter, Line};

/// Stands for `__prefix_line` while options are filled in; a character that no filter uses.
const PREFIX: char = '\u{e000}';

/// A pattern that says what a line of a filter says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Translated {
    /// Its name: that of the filter and a number.
    pub name: String,
    /// Where it comes from: `FILE:LINE`.
    pub origin: String,
    /// What a line that matches means.
    pub kind: EventKind,
    /// See [`Spec::program`].
    pub program: Option<String>,
    /// See [`Spec::regex`].
    pub regex: String,
    /// See [`Spec::unless`].
    pub unless: Option<String>,
}

/// What could not be translated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeftOut {
    /// `FILE:LINE`.
    pub origin: String,
    /// What stands there.
    pub text: String,
    /// Why, in a sentence.
    pub why: String,
}

/// A filter, translated as far as possible.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Import {
    /// What could be translated.
    pub patterns: Vec<Translated>,
    /// What could not.
    pub left_out: Vec<LeftOut>,
}

/// Translates the filter at `path`, behind which options may stand as in a jail (`sshd.conf[mode=aggressive]`); `read` gives the
/// text of a file, or none if it is not there. All patterns are of `kind`; without one, each is of what its own text says, and
/// one whose alternatives say different things becomes several. The error says why there is nothing to translate.
pub fn fail2ban(
    path: &str,
    kind: Option<EventKind>,
    read: &mut dyn FnMut(&str) -> Option<String>,
) -> Result<Import, String> {
    let (path, options) = path
        .strip_suffix(']')
        .and_then(|path| path.split_once('['))
        .map_or((path, ""), |(path, options)| (path, options));
    let filter = Filter::read(path, options, read)?;
    let mut import = Import::default();
    let ignored = ignored(&filter, &mut import);
    let prefix = filter.lines("prefregex").into_iter().find(|line| !line.text.is_empty());
    let daemon = filter.fill("<_daemon>").unwrap_or_default();
    // fail2ban leaves the brackets of a stamp that it takes out.
    let date = filter.lines("datepattern").into_iter().find(|line| !line.text.is_empty());
    let bracketed = format!("{BRACKETED} *");
    let start = if date.is_some_and(|line| line.text.starts_with(r"^\[")) { bracketed.as_str() } else { "^" };
    let entries: Vec<Line> = filter.lines("failregex").into_iter().filter(|line| !line.text.is_empty()).collect();
    if entries.is_empty() {
        return Err(format!("{path} has no `failregex`"));
    }
    for entry in entries {
        let patterns = combine(prefix.as_ref().map(|line| line.text.as_str()), &entry.text)
            .and_then(|text| split_prefix(&known::unguarded(text, path), &daemon))
            .and_then(|(program, text)| {
                let (text, others) = tags::without_lookaheads(&text);
                let start = if program.is_none() { start } else { "^" };
                let others: Result<Vec<String>, String> = others
                    .iter()
                    .map(|other| Ok(started(tags::plain(other)?, start).replace("(?P<time>", "(?:")))
                    .collect();
                let text = tags::translate(&text)?;
                let regex = tags::bounded(started(known::narrowed(text, path), start));
                let unless = any_of(ignored.iter().cloned().chain(others?));
                let kinds = match kind {
                    Some(kind) => vec![(kind, regex)],
                    None => kinds::split(&regex),
                };
                let pattern = |(at, (kind, regex)): (usize, (EventKind, String))| {
                    let pattern = Translated {
                        name: format!("{}-{}", stem(path), import.patterns.len() + at + 1),
                        origin: entry.origin.clone(),
                        kind,
                        program: program.clone(),
                        regex,
                        unless: unless.clone(),
                    };
                    check(&pattern).map(|()| pattern)
                };
                kinds.into_iter().enumerate().map(pattern).collect::<Result<Vec<_>, _>>()
            });
        match patterns {
            Ok(patterns) => import.patterns.extend(patterns),
            Err(why) => import.left_out.push(LeftOut { origin: entry.origin, text: entry.text, why }),
        }
    }
    for left in &mut import.left_out {
        left.text = left.text.replace(PREFIX, "%(__prefix_line)s");
        left.why = left.why.replace(PREFIX, "%(__prefix_line)s");
    }
    Ok(import)
}

/// What `ignoreregex` says, as one expression.
fn ignored(filter: &Filter, import: &mut Import) -> Option<String> {
    let mut all = Vec::new();
    for line in filter.lines("ignoreregex").into_iter().filter(|line| !line.text.is_empty()) {
        let text = line.text.replace(PREFIX, "");
        match tags::plain(if line.text.contains(PREFIX) { &text } else { &line.text }) {
            Ok(expression) => all.push(expression),
            Err(why) => import.left_out.push(LeftOut { origin: line.origin, text: line.text, why }),
        }
    }
    any_of(all.into_iter())
}

/// One expression for all of these; none for none.
fn any_of(all: impl Iterator<Item = String>) -> Option<String> {
    let all: Vec<String> = all.collect();
    (!all.is_empty()).then(|| all.join("|"))
}

/// The expression with another beginning of the text.
fn started(regex: String, start: &str) -> String {
    if let Some(rest) = regex.strip_prefix(r"^\[\]") {
        return format!("{BRACKETED}{rest}");
    }
    match regex.strip_prefix('^') {
        Some(rest) => format!("{start}{rest}"),
        None => regex,
    }
}

/// The expression of `prefregex` with `entry` in the place of its content.
fn combine(prefix: Option<&str>, entry: &str) -> Result<String, String> {
    let Some(prefix) = prefix else { return Ok(entry.to_owned()) };
    let parts = prefix.split_once("<F-CONTENT>").and_then(|(before, rest)| {
        let (_content, after) = rest.split_once("</F-CONTENT>")?;
        Some((before, after))
    });
    let Some((before, after)) = parts else { return Err("`prefregex` has no <F-CONTENT>".to_owned()) };
    let entry = match entry.strip_prefix('^') {
        Some(rest) => rest.to_owned(),
        None => format!(".*{entry}"),
    };
    Ok(match (after, entry.strip_suffix('$').filter(|entry| !entry.ends_with('\\'))) {
        ("" | "$", _) => format!("{before}{entry}"),
        // What stands behind the content goes on where the entry ends, or somewhere behind it.
        (after, Some(entry)) => format!("{before}{entry}{after}"),
        (after, None) => format!("{before}{entry}.*{after}"),
    })
}

/// A stamp in brackets, which fail2ban takes out of a line and Ratter's patterns see.
const BRACKETED: &str = r"^\[(?P<time>[^\]]+)\]";

/// The program of an expression that begins with what syslog puts before a message, and the rest of it.
fn split_prefix(text: &str, daemon: &str) -> Result<(Option<String>, String), String> {
    // The multi-line mark of some filters, which is around the prefix.
    let joins_lines = text.contains("<F-MLFID>");
    if joins_lines && !["<HOST>", "<ADDR>", "<IP4>", "<IP6>"].iter().any(|tag| text.contains(tag)) {
        return Err("whom it is about stands in another line".to_owned());
    }
    let text = &text.replace("<F-MLFID>\u{e000}", "\u{e000}(?:").replace("</F-MLFID>", ")");
    // What fail2ban leaves of the stamp: blanks, which are no part of our text.
    let bare = text.strip_prefix('^').unwrap_or(text);
    let bare = ["\\s*", "\\s+", " "].iter().find_map(|blank| bare.strip_prefix(blank)).unwrap_or(bare);
    match bare.strip_prefix(PREFIX) {
        Some(rest) if rest.contains(PREFIX) => Err("`__prefix_line` stands in it twice".to_owned()),
        Some(rest) => Ok((Some(tags::plain(daemon)?), format!("^{}", rest.strip_prefix("\\s*").unwrap_or(rest)))),
        None if bare.contains(PREFIX) => Err("`__prefix_line` does not stand at the beginning".to_owned()),
        None if text.starts_with('^') => Ok((None, format!("^{bare}"))),
        None => Ok((None, text.to_owned())),
    }
}

/// Whether Ratter takes it.
fn check(pattern: &Translated) -> Result<(), String> {
    let spec = Spec {
        name: &pattern.name,
        program: pattern.program.as_deref(),
        regex: &pattern.regex,
        unless: pattern.unless.as_deref(),
        kind: pattern.kind,
        service: &pattern.name,
    };
    Pattern::new(spec).map(|_| ()).map_err(|fault| {
        let text = match fault.part {
            crate::patterns::Part::Regex => &pattern.regex,
            crate::patterns::Part::Program => pattern.program.as_ref().unwrap_or(&pattern.regex),
            crate::patterns::Part::Unless => pattern.unless.as_ref().unwrap_or(&pattern.regex),
        };
        format!("{}: `{}` {}", fault.title, text.get(fault.place).unwrap_or_default(), fault.label)
    })
}

/// The name of the filter at `path`, as a name of patterns.
fn stem(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let name = name.split('.').next().unwrap_or(name).to_lowercase();
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = name.trim_matches('-').get(..name.trim_matches('-').len().min(48)).unwrap_or_default();
    if name.is_empty() { "filter".to_owned() } else { name.to_owned() }
}
