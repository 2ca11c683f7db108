//! Eight bytes at once, in plain arithmetic: what is done for every line of every log is done so.

#![expect(clippy::inline_always, reason = "done for every line; the calls would cost as much as the work")]

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The place of the first byte at or after `from` that may end a host or a tag: a space, a parenthesis, a bracket or a colon;
/// none if there is none.
#[inline(always)]
pub(crate) fn find_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let word = u64::from_le_bytes(*word);
        // A space and a parenthesis differ in one bit.
        let found = equal(word & !(ONES << 3), b' ') | equal(word, b'[') | equal(word, b':');
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    let rest = bytes.get(at..)?;
    rest.iter().position(|byte| matches!(byte, b' ' | b'(' | b'[' | b':')).map(|place| at + place)
}

/// The place of the first `mark` that is `wanted`, which is told its place. Takes as long whatever the bytes are, where a search
/// that stops at each of the mark's bytes would be held up by a text that is full of these.
pub(crate) fn find_mark(bytes: &[u8], mark: [u8; 3], wanted: impl Fn(usize) -> bool) -> Option<usize> {
    let mut at = 0;
    let word = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    while let (Some(first), Some(second), Some(third)) = (word(at), word(at + 1), word(at + 2)) {
        // No place of a mark is missed, and what else is found lies behind one.
        let mut found = equal(first, mark[0]) & equal(second, mark[1]) & equal(third, mark[2]);
        while found != 0 {
            let place = at + found.trailing_zeros() as usize / 8;
            if bytes.get(place..)?.starts_with(&mark) && wanted(place) {
                return Some(place);
            }
            found &= found - 1;
        }
        at += 8;
    }
    let rest = bytes.get(at..)?.windows(mark.len()).enumerate();
    rest.map(|(place, bytes)| (at + place, bytes))
        .find(|(place, bytes)| *bytes == mark && wanted(*place))
        .map(|(at, _)| at)
}

/// Where the next word begins that is `wanted` and has one of these first letters, and how many words end before it; the first
/// word is passed over. A space ends a word.
pub(crate) fn next_word(bytes: &[u8], letters: [u8; 2], wanted: impl Fn(&[u8]) -> bool) -> (usize, usize) {
    let (mut at, mut words) = (0, 0);
    let word = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let is_wanted = |at: usize| bytes.get(at..).is_some_and(&wanted);
    while let (Some(these), Some(next)) = (word(at), word(at + 1)) {
        let spaces = exactly(these, b' ');
        let mut found = spaces & (exactly(next, letters[0]) | exactly(next, letters[1]));
        while found != 0 {
            let place = found.trailing_zeros();
            let start = at + place as usize / 8 + 1;
            if is_wanted(start) {
                let before = spaces & (u64::MAX >> (63 - place));
                return (start, words + before.count_ones() as usize);
            }
            found &= found - 1;
        }
        words += spaces.count_ones() as usize;
        at += 8;
    }
    while let Some(byte) = bytes.get(at) {
        at += 1;
        if *byte == b' ' {
            words += 1;
            if bytes.get(at).is_some_and(|next| letters.contains(next)) && is_wanted(at) {
                return (at, words);
            }
        }
    }
    (bytes.len() + 1, words + 1)
}

/// A high bit in each byte of `word` that is `byte`.
const fn exactly(word: u64, byte: u8) -> u64 {
    let differs = word ^ ONES.wrapping_mul(byte as u64);
    !((differs & !HIGHS).wrapping_add(!HIGHS) | differs) & HIGHS
}

/// A high bit in the first byte of `word` that is `byte`, and none before it.
const fn equal(word: u64, byte: u8) -> u64 {
    let differs = word ^ ONES.wrapping_mul(byte as u64);
    differs.wrapping_sub(ONES) & !differs & HIGHS
}

/// The high bits of the bytes of `low`, all of them ASCII, that are in the range.
const fn within(low: u64, first: u8, last: u8) -> u64 {
    low.wrapping_add(ONES * (0x80 - first as u64)) & !low.wrapping_add(ONES * (0x7f - last as u64)) & HIGHS
}

/// How many bytes `bytes` begin with that are letters and digits of ASCII.
#[inline(always)]
pub(crate) fn alphanumerics(bytes: &[u8]) -> usize {
    leading(bytes, |low| within(low | ONES << 5, b'a', b'z') | within(low, b'0', b'9'))
}

/// How many bytes `bytes` begin with that a host's name may hold: letters, digits, dots, hyphens, underscores.
#[inline(always)]
pub(crate) fn name_bytes(bytes: &[u8]) -> usize {
    leading(bytes, |low| {
        let signs = within(low, b'-', b'9') & !within(low, b'/', b'/') | within(low, b'_', b'_');
        within(low | ONES << 5, b'a', b'z') | signs
    })
}

/// How many bytes `bytes` begin with that addresses, numbers and base64 hold, or words with hyphens: the same, and a
/// plus, a slash and a colon.
#[inline(always)]
pub(crate) fn plain_bytes(bytes: &[u8]) -> usize {
    leading(bytes, |low| {
        let signs = within(low, b'+', b':') & !within(low, b',', b',') | within(low, b'_', b'_');
        within(low | ONES << 5, b'a', b'z') | signs
    })
}

/// How many bytes `bytes` begin with for which `wanted` gives the high bit; it is told the bytes without theirs.
#[inline(always)]
fn leading(bytes: &[u8], wanted: impl Fn(u64) -> u64) -> usize {
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or(b"");
        // No byte of any of these classes is zero.
        let word = rest.first_chunk().map_or_else(|| short(rest), |word| u64::from_le_bytes(*word));
        let others = (!wanted(word & !HIGHS) | word) & HIGHS;
        if others != 0 {
            return at + others.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
}

/// The fewer than eight bytes of `rest`, with zeros behind them.
#[inline(never)]
fn short(rest: &[u8]) -> u64 {
    rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// Two numbers that are the same for two texts of one length, at most 16 bytes, only if these are equal; of longer ones they
/// stand for the first and the last eight bytes.
#[inline(always)]
pub(crate) fn ends(text: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into())
    } else {
        (text.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0)
    }
}

/// Whether two short texts are the same, without a call.
#[inline(always)]
pub(crate) fn is_same(a: &[u8], b: &[u8]) -> bool {
    let mut words = a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0);
    // The last bytes of a long text are compared twice, where they do not fill a word.
    a.len() == b.len() && ends(a) == ends(b) && words.all(|(a, b)| u64::from_le_bytes(*a) == u64::from_le_bytes(*b))
}

/// The number of the one to seven decimal digits that `bytes` begin with, and how many these are; none if there are no
/// digits, more of them, or fewer than eight bytes in all.
#[inline(always)]
pub(crate) fn short_number(bytes: &[u8]) -> Option<(u32, usize)> {
    /// Every fourth byte.
    const FOURTHS: u64 = 0x0000_00ff_0000_00ff;
    let digits = u64::from_le_bytes(*bytes.first_chunk()?) ^ (ONES * 0x30);
    let others = (digits.wrapping_add(ONES.wrapping_mul(0x80 - 10)) | digits) & HIGHS;
    let count = others.trailing_zeros() as usize / 8;
    if !(1..=7).contains(&count) {
        return None;
    }
    // The last digit comes into the highest byte, and zeros before the first.
    let digits = digits << (8 * (8 - count));
    // Digits are joined to pairs, pairs to fours, and these to the number.
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let high = (pairs & FOURTHS).wrapping_mul(100 + (1_000_000 << 32));
    let low = (pairs >> 16 & FOURTHS).wrapping_mul(1 + (10_000 << 32));
    Some(((high.wrapping_add(low) >> 32) as u32, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn bytes_are_found_where_a_loop_finds_them(text in "[ -;\\PC]{0,40}", from in 0..40usize) {
            let naive = text.as_bytes().iter().enumerate().skip(from).find(|(_, byte)| b" ([:".contains(byte));
            proptest::prop_assert_eq!(find_end(text.as_bytes(), from), naive.map(|(at, _)| at));
        }

        #[test]
        fn marks_are_found_where_windows_find_them(text in "[)(! \\[Z]{0,60}", from in 0..70usize) {
            let mut naive = text.as_bytes().windows(3).enumerate().filter(|(_, place)| *place == b") [");
            let wanted = naive.find(|(at, _)| *at >= from).map(|(at, _)| at);
            proptest::prop_assert_eq!(find_mark(text.as_bytes(), *b") [", |at| at >= from), wanted);
        }

        #[test]
        fn words_are_those_of_a_split(text in "[ afx!`\u{e9}]{0,60}") {
            let (mut at, mut words) = (0, 0);
            for (count, word) in text.split(' ').enumerate() {
                if count > 0 && ["a", "fx"].contains(&word) {
                    break;
                }
                (at, words) = (at + word.len() + 1, words + 1);
            }
            let wanted = |word: &[u8]| word == b"a" || word == b"fx" || word.starts_with(b"a ") || word.starts_with(b"fx ");
            proptest::prop_assert_eq!(next_word(text.as_bytes(), *b"fa", wanted), (at, words));
        }

        #[test]
        fn classes_end_where_a_loop_ends(text in "[a-zA-Z0-9._-]{0,20}[+/:]?[a-z0-9]{0,9}([ -~\\PC]{0,9})") {
            let loops = |signs: &[u8]| {
                let is_wanted = |byte: &u8| byte.is_ascii_alphanumeric() || signs.contains(byte);
                text.bytes().take_while(is_wanted).count()
            };
            let bytes = text.as_bytes();
            proptest::prop_assert_eq!(alphanumerics(bytes), loops(b""));
            proptest::prop_assert_eq!(name_bytes(bytes), loops(b".-_"));
            proptest::prop_assert_eq!(plain_bytes(bytes), loops(b".-_+/:"));
        }

        #[test]
        fn short_texts_are_equal_if_their_ends_are(a in "[ab]{0,16}", b in "[ab]{0,16}") {
            let is_equal = a.len() == b.len() && ends(a.as_bytes()) == ends(b.as_bytes());
            proptest::prop_assert_eq!(is_equal, a == b);
            proptest::prop_assert_eq!(is_same(a.as_bytes(), b.as_bytes()), a == b);
        }

        #[test]
        fn texts_that_differ_in_one_byte_are_not_the_same(text in "[ab]{1,40}", at: proptest::sample::Index) {
            let mut other = text.clone().into_bytes();
            proptest::prop_assert!(is_same(text.as_bytes(), &other));
            other[at.index(text.len())] = b'c';
            proptest::prop_assert!(!is_same(text.as_bytes(), &other));
        }

        #[test]
        fn numbers_are_those_of_the_standard_library(text in "[0-9]{0,9}([ -~]|\\PC){0,9}") {
            let digits = text.bytes().take_while(u8::is_ascii_digit).count();
            let wanted = text.get(..digits).and_then(|digits| digits.parse().ok()).map(|number| (number, digits));
            let is_short = (1..=7).contains(&digits) && text.len() >= 8;
            proptest::prop_assert_eq!(short_number(text.as_bytes()), wanted.filter(|_| is_short));
        }
    }
}
