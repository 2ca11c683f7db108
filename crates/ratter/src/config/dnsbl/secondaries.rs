//! `[dnsbl.transfer]`: the secondaries, what they sign with, and whom to tell of changes.

use core::ops::Range;

use ::dnsbl::transfer::{Allow, Key, KeyError, Notify, SECONDARIES_MAX, Settings};

use super::super::diagnose::{Excerpt, Fault};
use super::super::forms::{domain, network, socket};
use super::super::reader::Section;
use super::super::words::{enumerate, nearest, shown};
use super::access::{lines, masked, private_text};

/// Longest file of keys, in bytes.
const KEYS_BYTES_MAX: usize = 256 * 1024;

pub(super) fn read(section: &Section<'_>) -> Settings {
    let keys = keys(section);
    let allow = section.tables("allow", |section| allow(section, &keys));
    let notify = section.tables("notify", |section| notify(section, &keys));
    if allow.is_empty() && notify.is_empty() && !section.has("allow") {
        let fault = Fault::error(section.header(), "nobody may transfer the zones");
        let hint = "add `[[dnsbl.transfer.allow]]` with `from` or `key`, or leave the section out";
        section.desk.report(fault.label("a section without an effect").hint(hint.to_owned()));
    }
    for (key, count) in [("allow", allow.len()), ("notify", notify.len()), ("keys", keys.len())] {
        if count > SECONDARIES_MAX {
            let fault = section.wrong(key, format!("more than {SECONDARIES_MAX} in `{key}`"));
            section.desk.report(fault.label(format!("{count} are too many")));
        }
    }
    let (allow, notify) = (allow.into_iter().flatten().collect(), notify.into_iter().flatten().collect());
    Settings { keys, allow, notify }
}

/// The keys of the file, each in a line as `dig -y` takes it. What is wrong is told without the secret.
pub(super) fn keys(section: &Section<'_>) -> Vec<Key> {
    let Some(path) = section.optional("keys", &section.desk.path("/etc/ratter/tsig.keys")) else { return Vec::new() };
    let Some(text) = private_text(section, "keys", &path, KEYS_BYTES_MAX) else { return Vec::new() };
    let mut keys: Vec<Key> = Vec::new();
    for (number, line) in lines(&text) {
        let (title, label, wrong) = match Key::parse(line) {
            Ok(key) if keys.iter().any(|other| is_named(other, &key.name().to_string())) => {
                let title = format!("the key `{}` is there a second time", key.name());
                (title, "one secret for each name".to_owned(), Part::Name)
            }
            Ok(key) => {
                keys.push(key);
                continue;
            }
            Err(error) => (format!("line {number} of `{}` is no key", path.display()), error.to_string(), error.into()),
        };
        let (text, place) = shown_line(line, wrong);
        let excerpt = Excerpt { file: path.display().to_string(), line: number, text, place };
        section.desk.report(section.wrong("keys", title).label(label).inside(excerpt));
    }
    keys
}

/// What of a key's line is wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Algorithm,
    Name,
    Secret,
    All,
}

impl From<KeyError> for Part {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Form => Self::All,
            KeyError::Algorithm => Self::Algorithm,
            KeyError::Name(_) => Self::Name,
            KeyError::Base64 | KeyError::Length => Self::Secret,
        }
    }
}

/// A key's line without its secret, and the bytes of it that are wrong. What may be a secret at the wrong place is not shown
/// either: the parts before it are, if the first one looks like an algorithm.
fn shown_line(line: &str, wrong: Part) -> (String, Range<usize>) {
    let is_like_algorithm = line.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("hmac-"));
    let mut text = String::new();
    let mut place = 0..0;
    for (part, word) in [Part::Algorithm, Part::Name, Part::Secret].into_iter().zip(line.splitn(3, ':')) {
        if part != Part::Algorithm {
            text.push(':');
        }
        let start = text.len();
        text.push_str(&if part == Part::Secret || !is_like_algorithm { masked(word) } else { shown(word) });
        if part == wrong {
            place = start..text.len();
        }
    }
    let place = if wrong == Part::All { 0..text.len() } else { place };
    (text, place)
}

pub(super) fn is_named(key: &Key, name: &str) -> bool {
    key.name().to_string().eq_ignore_ascii_case(name)
}

fn allow(section: &Section<'_>, keys: &[Key]) -> Option<Allow> {
    let from = section.optional_each("from", &network()).unwrap_or_default();
    let from = from.into_iter().map(|network| network.value).collect::<Vec<_>>();
    let key = key(section, keys);
    if from.is_empty() && !section.has("from") && !section.has("key") {
        let fault = Fault::error(section.header(), "everybody could transfer the zones");
        let hint = "add `from = [\"192.0.2.0/24\"]`, or `key` with the name of a key, or both";
        section.desk.report(fault.label("neither `from` nor `key`").hint(hint.to_owned()));
        return None;
    }
    Some(Allow { from, key })
}

fn notify(section: &Section<'_>, keys: &[Key]) -> Option<Notify> {
    let to = section.required("to", &socket());
    let key = key(section, keys);
    Some(Notify { to: to?, key })
}

/// The name of a key of the file.
pub(super) fn key(section: &Section<'_>, keys: &[Key]) -> Option<String> {
    let name = section.optional("key", &domain())?;
    if !keys.iter().any(|key| is_named(key, &name)) {
        let names: Vec<_> = keys.iter().map(|key| key.name().to_string()).collect();
        let known = || names.iter().map(String::as_str);
        let fault = section.wrong("key", format!("there is no key `{name}`"));
        section.desk.report(fault.label("not in the file that `keys` names").hint(match nearest(&name, known()) {
            Some(meant) => format!("did you mean `\"{meant}\"`?"),
            None if names.is_empty() => "`keys = \"/etc/ratter/tsig.keys\"` in [dnsbl.transfer] names the file".into(),
            None => format!("known are {}", enumerate(known())),
        }));
    }
    Some(name)
}
