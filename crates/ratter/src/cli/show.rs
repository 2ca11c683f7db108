//! What the commands print: text for people, JSON for programs.

use std::io::{IsTerminal, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

/// Where and how to print.
pub(crate) struct Show {
    json: bool,
}

impl Show {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether JSON is wanted.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether standard output shows colours.
    pub(crate) fn has_colours(&self) -> bool {
        !self.json && std::io::stdout().is_terminal()
    }

    /// Prints `value` as JSON if that is wanted, else what `text` makes of it.
    pub(crate) fn value<T: Serialize>(&self, value: &T, text: impl FnOnce(&T) -> String) -> anyhow::Result<()> {
        let text = if self.json { serde_json::to_string_pretty(value)? } else { text(value) };
        line(text.trim_end_matches('\n'))
    }
}

/// Prints a line to standard output.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()?;
    Ok(())
}

/// Prints an error or a warning to standard error; if that fails too, nobody is left to tell.
pub(crate) fn complain(text: &str) {
    writeln!(std::io::stderr().lock(), "{}", text.trim_end_matches('\n')).unwrap_or_default();
}

/// A table that fits the terminal; without lines, so that it can be copied and cut.
pub(crate) fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_header(header);
    if !std::io::stdout().is_terminal() {
        // A pipe has no width: rows stay whole, so that `grep` finds what belongs together.
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    for row in rows {
        table.add_row(row.map(|cell| printable(&cell)));
    }
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// Text that an attacker may have written, without what a terminal would obey: everything that is not printable, marks
/// that turn the writing direction among it, is shown as an escape.
pub(crate) fn printable(text: &str) -> String {
    let show = |c: char| match c {
        '\'' | '"' | '\\' => c.to_string(),
        _ => c.escape_debug().to_string(),
    };
    text.chars().map(show).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_nobody_but_us() {
        assert_eq!(printable("alice"), "alice");
        assert_eq!(printable("\u{1b}[2Ja\u{202e}b\u{2028}\r\n"), "\\u{1b}[2Ja\\u{202e}b\\u{2028}\\r\\n");
        assert_eq!(printable("\u{fc}ml\u{e4}ut"), "\u{fc}ml\u{e4}ut");
    }
}
