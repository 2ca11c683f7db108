//! Byte cursors: the only places where a line is searched.
//!
//! Every search of the grammars goes through these functions, so that the tests can count how many bytes a line made
//! them look at, and show that the cost of a line is linear in its length whatever a client wrote into it.

use base::Address;

/// The place of the first `needle`.
pub(crate) fn find(text: &str, needle: &str) -> Option<usize> {
    let place = seek(text.as_bytes(), needle.as_bytes());
    steps::add(place.map_or(text.len(), |at| at + needle.len()));
    place
}

/// How often a byte of the needle is looked for before the needle is.
const TRIES_MAX: usize = 8;

/// As `memmem::find`, which needs longer to prepare a needle than most lines to be looked through, and is slow where a text is
/// full of what looks like the needle. So one byte of the needle is looked for first, which is rare in prose; then one that is
/// rare where that was not. Only a line that is full of both is worth the preparation.
pub(crate) fn seek(text: &[u8], needle: &[u8]) -> Option<usize> {
    /// How much is compared place by place, which takes as long as the preparation, in bytes.
    const NEAR_BYTES: usize = 256;
    let from = match seek_by(text, needle, 0, rare(needle)?)? {
        Sought::At(at) => return Some(at),
        Sought::NotBefore(from) => from,
    };
    let rest = text.get(from..)?;
    let near = rest.get(..NEAR_BYTES + needle.len()).unwrap_or(rest);
    let found = near.windows(needle.len()).position(|place| place.first() == needle.first() && place == needle);
    if let Some(at) = found {
        return Some(from + at);
    }
    match seek_by(text, needle, from, rarest(needle, near)?)? {
        Sought::At(at) => Some(at),
        Sought::NotBefore(from) => memchr::memmem::find(text.get(from..)?, needle).map(|at| from + at),
    }
}

/// What some tries told of where a needle is.
enum Sought {
    /// It is there.
    At(usize),
    /// It begins here at the earliest.
    NotBefore(usize),
}

/// Seeks the needle by its byte at `place`; none if it is not in the text.
fn seek_by(text: &[u8], needle: &[u8], from: usize, place: usize) -> Option<Sought> {
    let probe = *needle.get(place)?;
    let mut from = from;
    for _ in 0..TRIES_MAX {
        let at = from + memchr::memchr(probe, text.get(from + place..)?)?;
        if text.get(at..at + needle.len())? == needle {
            return Some(Sought::At(at));
        }
        from = at + 1;
    }
    Some(Sought::NotBefore(from))
}

/// The place of the needle's byte that the sample has least often.
fn rarest(needle: &[u8], sample: &[u8]) -> Option<usize> {
    let mut counts = [0u32; 256];
    for byte in sample {
        counts[usize::from(*byte)] += 1;
    }
    let places = needle.iter().enumerate();
    places.min_by_key(|(_, byte)| counts[usize::from(**byte)]).map(|(at, _)| at)
}

/// The place of the last `needle`, as [`seek`] finds the first. `memmem::rfind` takes several times as long, because it looks
/// at every byte by itself.
fn rseek(text: &[u8], needle: &[u8]) -> Option<usize> {
    let before = rare(needle)?;
    let probe = *needle.get(before)?;
    // No needle begins here or behind.
    let mut end = (text.len() + 1).checked_sub(needle.len())?;
    for _ in 0..TRIES_MAX {
        let at = memchr::memrchr(probe, text.get(before..before + end)?)?;
        if text.get(at..at + needle.len())? == needle {
            return Some(at);
        }
        end = at;
    }
    let (first, last) = (needle.first()?, needle.last()?);
    let places = text.get(..end + needle.len() - 1)?.windows(needle.len());
    places
        .enumerate()
        .rfind(|(_, place)| place.first() == Some(first) && place.last() == Some(last) && *place == needle)
        .map(|(at, _)| at)
}

/// The place of a byte of `needle` that prose has seldom: the first, where that is a sign or a capital, or else the last, which
/// is often a sign, or the one before that. To look at all of them would take longer than most searches.
fn rare(needle: &[u8]) -> Option<usize> {
    let first = needle.first()?;
    let is_common = first.is_ascii_lowercase() || first.is_ascii_digit() || *first == b' ';
    let last = needle.len() - 1;
    Some(match needle {
        _ if !is_common => 0,
        [.., b' '] => last.saturating_sub(1),
        _ => last,
    })
}

/// The place of the first `byte`.
pub(crate) fn find_byte(text: &str, byte: u8) -> Option<usize> {
    let place = memchr::memchr(byte, text.as_bytes());
    steps::add(place.map_or(text.len(), |at| at + 1));
    place
}

/// The place of the last `byte`.
pub(crate) fn rfind_byte(text: &str, byte: u8) -> Option<usize> {
    let place = memchr::memrchr(byte, text.as_bytes());
    steps::add(place.map_or(text.len(), |at| text.len() - at));
    place
}

/// Whether `needle` occurs.
pub(crate) fn contains(text: &str, needle: &str) -> bool {
    find(text, needle).is_some()
}

/// What stands before and after the first `needle`.
pub(crate) fn split<'a>(text: &'a str, needle: &str) -> Option<(&'a str, &'a str)> {
    let at = find(text, needle)?;
    Some((text.get(..at)?, text.get(at + needle.len()..)?))
}

/// What stands before and after the last `needle`.
pub(crate) fn rsplit<'a>(text: &'a str, needle: &str) -> Option<(&'a str, &'a str)> {
    let place = rseek(text.as_bytes(), needle.as_bytes());
    steps::add(place.map_or(text.len(), |at| text.len() - at));
    let at = place?;
    Some((text.get(..at)?, text.get(at + needle.len()..)?))
}

/// The first word of `text`, which ends at a space, and what follows the space.
pub(crate) fn word(text: &str) -> (&str, &str) {
    match find_byte(text, b' ') {
        Some(at) => (text.get(..at).unwrap_or(""), text.get(at + 1..).unwrap_or("")),
        None => (text, ""),
    }
}

/// The leading decimal digits of `text`, if there are any, and the rest.
pub(crate) fn digits(text: &str) -> Option<(&str, &str)> {
    let (digits, rest) = take_while(text, |byte| byte.is_ascii_digit());
    (!digits.is_empty()).then_some((digits, rest))
}

/// What stands before and after the last `byte`, which must be ASCII.
pub(crate) fn rsplit_byte(text: &str, byte: u8) -> Option<(&str, &str)> {
    let at = rfind_byte(text, byte)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// What stands before and after the only `needle`; none if there is no or more than one.
///
/// Where text that a client writes may stand on both sides of a mark, only a line with exactly one mark is beyond doubt.
pub(crate) fn split_only<'a>(text: &'a str, needle: &str) -> Option<(&'a str, &'a str)> {
    let (before, after) = split(text, needle)?;
    (!contains(after, needle)).then_some((before, after))
}

/// The leading characters that `wanted` accepts, and the rest.
pub(crate) fn take_while(text: &str, wanted: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|byte| !wanted(byte)).unwrap_or(text.len());
    steps::add(end + 1);
    // The bytes that grammars accept here are ASCII, so that the cut is at a character.
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// Whether this is a byte of the names that daemons give their processes and databases.
pub(crate) fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// The address in brackets that `text` begins with, and what follows: `[198.51.100.7]`, `[IPv6:2001:db8::7]`.
pub(crate) fn bracketed(text: &str) -> Option<(Address, &str)> {
    let inner = text.strip_prefix('[')?;
    // Nothing longer than an address is looked at, nor what follows a byte that none has: a text may be full of brackets.
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':' | b'%' | b'-' | b'_');
    let end = inner.as_bytes().iter().take(ADDRESS_BYTES_MAX + 6).take_while(|byte| is_part(byte)).count();
    steps::add(end + 1);
    if inner.as_bytes().get(end) != Some(&b']') {
        return None;
    }
    let (inside, rest) = (inner.get(..end)?, inner.get(end + 1..)?);
    Some((address(inside.strip_prefix("IPv6:").unwrap_or(inside))?, rest))
}

/// The address in brackets at `open`, and the place behind them.
pub(crate) fn address_in_brackets(text: &[u8], open: usize) -> Option<(Address, usize)> {
    let inside = text.get(open..)?.strip_prefix(b"[")?;
    if let Some((address, end)) = Address::leading(inside)
        && inside.get(end) == Some(&b']')
    {
        return Some((address, open + end + 2));
    }
    let end = inside.iter().take(ADDRESS_BYTES_MAX + 1).position(|byte| *byte == b']')?;
    Some((address(str::from_utf8(inside.get(..end)?).ok()?)?, open + end + 2))
}

/// `[NAME ][ADDRESS]` and what follows: a reverse name holds neither spaces nor brackets.
pub(crate) fn named(text: &str) -> Option<(Address, &str)> {
    let (name, rest) = take_while(text, |byte| !matches!(byte, b' ' | b'[' | b'(' | b'"' | b'<' | b',' | b';' | b'='));
    let rest = if name.is_empty() { rest } else { rest.strip_prefix(' ').unwrap_or(rest) };
    bracketed(rest)
}

/// The address in brackets that `text` ends with, and what stands before.
pub(crate) fn ending_bracket(text: &str) -> Option<(&str, Address)> {
    let (before, inside) = rsplit_byte(text.strip_suffix(']')?, b'[')?;
    Some((before, address(inside.strip_prefix("IPv6:").unwrap_or(inside))?))
}

/// What follows the mail address in `<…>` that `text` begins with: its local part may be quoted and then hold `>` itself.
pub(crate) fn behind_path(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('<')?;
    let quoted = inside.strip_prefix('"').map_or(Some(inside), behind_quote)?;
    quoted.get(find_byte(quoted, b'>')? + 1..)
}

/// What follows the quote that closes `text`, in which a backslash protects the next character.
pub(crate) fn behind_quote(text: &str) -> Option<&str> {
    let mut is_protected = false;
    let end = text.bytes().position(|byte| {
        let closes = byte == b'"' && !is_protected;
        is_protected = byte == b'\\' && !is_protected;
        closes
    });
    steps::add(end.unwrap_or(text.len()));
    text.get(end? + 1..)
}

/// The address of `ADDRESS:PORT` or `[ADDRESS]:PORT`, as a whole.
pub(crate) fn address_of_port(text: &str) -> Option<Address> {
    /// The longest: an address in brackets, a colon and five digits.
    const BYTES_MAX: usize = ADDRESS_BYTES_MAX + 2 + 6;
    if text.len() > BYTES_MAX {
        return None;
    }
    let (host, port) = rsplit_byte(text, b':')?;
    if port.is_empty() || port.len() > 5 || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    address(host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host))
}

/// Longest text of an address: an IPv4-mapped one, with a zone of 16 characters.
const ADDRESS_BYTES_MAX: usize = 45 + 1 + 16;

/// The address that `text` is, as a whole. Longer text than any address is not looked at.
pub(crate) fn address(text: &str) -> Option<Address> {
    steps::add(text.len().min(ADDRESS_BYTES_MAX));
    if text.len() > ADDRESS_BYTES_MAX { None } else { text.parse().ok() }
}

/// `text`, or none where it is empty.
pub(crate) fn filled(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// The count of bytes looked at; in tests only.
pub(crate) mod steps {
    #[cfg(test)]
    use core::cell::Cell;

    #[cfg(test)]
    thread_local! {
        static STEPS: Cell<usize> = const { Cell::new(0) };
    }

    #[cfg(test)]
    pub(crate) fn add(count: usize) {
        STEPS.with(|steps| steps.set(steps.get() + count));
    }

    #[cfg(not(test))]
    #[inline]
    pub(crate) const fn add(_count: usize) {}

    /// The count since the last call.
    #[cfg(test)]
    pub(crate) fn take() -> usize {
        STEPS.with(|steps| steps.replace(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn what_is_sought_is_found_where_memmem_finds_it(text in "[Aab=]{0,60}", needle in "[Aab=]{1,4}") {
            proptest::prop_assert_eq!(find(&text, &needle), text.find(&needle));
            let last = text.rfind(&needle).map(|at| (&text[..at], &text[at + needle.len()..]));
            proptest::prop_assert_eq!(rsplit(&text, &needle), last);
        }

        #[test]
        fn long_texts_are_sought_to_their_ends(before in "(aa=b|a ){0,400}", after in "(aa=b|a ){0,400}", needle in "[ab=] ?[ab=]{0,2}") {
            let text = format!("{before}{needle}{after}");
            proptest::prop_assert_eq!(find(&text, &needle), text.find(&needle));
            let last = text.rfind(&needle).map(|at| (&text[..at], &text[at + needle.len()..]));
            proptest::prop_assert_eq!(rsplit(&text, &needle), last);
        }
    }

    #[test]
    fn only_one_mark_is_beyond_doubt() {
        let cases = [
            ("a): b", Some(("a", "b"))),
            ("a): b): c", None),
            ("a): ): ", None),
            ("ab", None),
            ("): ", Some(("", ""))),
        ];
        for (text, wanted) in cases {
            assert_eq!(split_only(text, "): "), wanted, "{text}");
        }
    }

    #[test]
    fn a_quoted_local_part_ends_no_path() {
        let cases = [
            ("<a@b>: c", Some(": c")),
            ("<>: c", Some(": c")),
            (r#"<"a>: b"@d>: c"#, Some(": c")),
            (r#"<"a\">: b"@d>: c"#, Some(": c")),
            (r#"<"a>: c"#, None),
            ("<a", None),
            ("a>", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(behind_path(text), wanted, "{text}");
        }
    }

    #[test]
    fn addresses_are_whole_texts() {
        let cases = [
            ("198.51.100.7", true),
            ("::ffff:198.51.100.7", true),
            ("2001:db8::7%eth0", true),
            (" 198.51.100.7", false),
            ("198.51.100.7 ", false),
            ("198.51.100.7:25", false),
            ("198.51.100", false),
            ("", false),
        ];
        for (text, wanted) in cases {
            assert_eq!(address(text).is_some(), wanted, "{text}");
        }
        assert!(address(&format!("2001:db8::7%{}", "x".repeat(1 << 20))).is_none());
    }
}
