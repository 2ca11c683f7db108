//! Faults of the TOML syntax itself.

use core::ops::Range;

use super::diagnose::Fault;
use super::words::shown;

/// Messages of the TOML parser that concern one value or key only: what stands around it was understood, so that its other
/// faults are worth showing. All others may have swallowed the rest of the file. An unknown message counts among those.
const LOCAL: [&str; 3] = ["string values must be quoted", "duplicate key", "invalid "];

/// The syntax faults of a file.
pub(super) struct Syntax {
    pub(super) faults: Vec<Fault>,
    /// Whether the tree that the parser saved from it still means what the admin wrote.
    pub(super) tree_holds: bool,
}

/// The faults of `text` from the parser's `errors`, up to the first after which it may have lost its way.
pub(super) fn read(text: &str, mut errors: Vec<toml::de::Error>) -> Syntax {
    errors.sort_by_key(|error| error.span().map_or(0, |span| span.start));
    let lost = errors.iter().position(|error| !LOCAL.iter().any(|start| error.message().starts_with(start)));
    let tree_holds = lost.is_none();
    errors.truncate(lost.map_or(errors.len(), |index| index + 1));
    Syntax { faults: errors.iter().map(|error| fault(text, error)).collect(), tree_holds }
}

fn fault(text: &str, error: &toml::de::Error) -> Fault {
    let place = error.span().unwrap_or(0..0);
    let written = text.get(place.clone()).unwrap_or_default();
    let (what, expected) = match error.message().split_once(", expected ") {
        Some((what, expected)) => (what, format!("expected {expected}")),
        None => (error.message(), String::new()),
    };
    if what == "duplicate key" {
        return Fault::error(place, format!("`{}` is given twice", shown(written))).label("the second time");
    }
    if let Some(place) = unquoted(text, &place, what) {
        let hint = format!("write `\"{}\"`", shown(&text[place.clone()]));
        return Fault::error(place, "text must be quoted").label("no quotes").hint(hint);
    }
    let hint = what.starts_with("missing comma").then(|| "or the `]` of an array before it is missing".to_owned());
    Fault::error(place, what).label(expected).hint(hint)
}

/// The place of a whole value at whose `place` the parser stumbled, if it looks like text without quotes: the parser says
/// so of `10m` and `mail.log`, but takes `127.0.0.1:4001` for a number.
fn unquoted(text: &str, place: &Range<usize>, what: &str) -> Option<Range<usize>> {
    if what == "string values must be quoted" {
        return Some(place.clone());
    }
    let line_start = text.get(..place.start)?.rfind('\n').map_or(0, |newline| newline + 1);
    let line = text.get(line_start..)?.lines().next()?;
    let (key, value) = line.split_once('=')?;
    let value = value.split('#').next()?.trim();
    let start = line_start + key.len() + 1 + line[key.len() + 1..].find(value)?;
    let is_bare = !value.is_empty() && !value.contains(['"', '\'', '[', '{', ',']);
    (what.starts_with("invalid ") && is_bare && start <= place.start).then(|| start..start + value.len())
}
