//! Words as people type them: the nearest known one to what was written, and quoting for messages.

/// Longest text that is compared with known words, in bytes: a longer one is no typing error of any of them.
const TYPED_BYTES_MAX: usize = 64;

/// The known word that was probably meant by `typed`, if one is near enough: capitals and underscores cost nothing, any
/// other slip one, and about one slip in three characters is forgiven.
pub(super) fn nearest<'w>(typed: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    if typed.len() > TYPED_BYTES_MAX {
        return None;
    }
    let typed = typed.to_lowercase().replace('_', "-");
    let slips_max = match typed.chars().count() {
        0..=2 => 0,
        3..=5 => 1,
        length => length / 3,
    };
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&typed, word), word))
        .filter(|(slips, _)| *slips <= slips_max)
        .min()
        .map(|(_, word)| word)
}

/// The words in backticks, for "one of …".
pub(super) fn enumerate<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The word with its article: `an integer`, `a string`.
pub(super) fn with_article(word: &str) -> String {
    let article = if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {word}")
}

/// What an admin wrote, fit for one line of a message: control characters visible, and not longer than a name is.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(TYPED_BYTES_MAX).flat_map(char::escape_debug).collect();
    if text.chars().nth(TYPED_BYTES_MAX).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_forgiven_within_reason() {
        let known = ["within", "count", "at-least", "by", "on", "unless-known"];
        let cases = [
            ("within", Some("within")),
            ("widthin", Some("within")),
            ("wihtin", Some("within")),
            ("Count", Some("count")),
            ("at_least", Some("at-least")),
            ("unless_know", Some("unless-known")),
            ("bi", None),
            ("BY", Some("by")),
            ("colour", None),
            ("", None),
        ];
        for (typed, wanted) in cases {
            assert_eq!(nearest(typed, known), wanted, "{typed}");
        }
        assert_eq!(nearest(&"w".repeat(1_000_000), known), None);
    }

    #[test]
    fn what_was_written_stays_on_its_line() {
        assert_eq!(shown("a\n\u{1b}[31m"), "a\\n\\u{1b}[31m");
        assert_eq!(shown(&"x".repeat(100)).chars().count(), TYPED_BYTES_MAX + 1);
    }
}
