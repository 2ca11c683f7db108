//! Where the groups and alternatives of an expression are.

/// The parentheses and bars that are none of the text, and their places.
pub(super) fn marks(regex: &str) -> impl Iterator<Item = (usize, char)> {
    let (mut is_class, mut is_escaped) = (false, false);
    regex.char_indices().filter(move |(_, c)| {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            ']' => is_class = false,
            _ if is_class => {}
            '[' => is_class = true,
            '(' | ')' | '|' => return true,
            _ => {}
        }
        false
    })
}
