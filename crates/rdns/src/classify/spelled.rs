//! Addresses written otherwise than as decimal octets: packed, hexadecimal, as one number, in base 32 or 36, in nibbles.

use super::forms::{Form, Writing};

/// The values of hexadecimal digits; [`NO_DIGIT`] for all other bytes.
const HEX: [u8; 256] = {
    let mut table = [NO_DIGIT; 256];
    let mut digit = 0;
    while digit < 16 {
        table[b"0123456789abcdef"[digit as usize] as usize] = digit;
        digit += 1;
    }
    table
};
const NO_DIGIT: u8 = 255;

/// The address in a run of letters and digits of the name.
pub(super) fn v4(octets: [u8; 4], text: &[u8]) -> Option<Form> {
    let address = Spellings::of(octets);
    let mut from = 0;
    for run in text.split(|byte| !byte.is_ascii_alphanumeric()) {
        let to = from + run.len();
        // What is shorter than the last two octets in hexadecimal tells nothing.
        if run.len() >= 4
            && let Some((writing, parts, at, len)) = address.inside(run)
        {
            return Some(form(writing, parts, true, from + at, from + at + len));
        }
        from = to + 1;
    }
    None
}

const fn form(writing: Writing, parts: u8, own: bool, from: usize, to: usize) -> Form {
    Form { writing, parts, own, from: from as u8, to: to as u8 }
}

/// The ways of spelling one IPv4 address as a single run.
struct Spellings {
    octets: [u8; 4],
    value: u32,
}

impl Spellings {
    const fn of(octets: [u8; 4]) -> Self {
        Self { octets, value: u32::from_be_bytes(octets) }
    }

    /// How and where the address stands in the run: writing, octets, place, length.
    fn inside(&self, run: &[u8]) -> Option<(Writing, u8, usize, usize)> {
        self.hex(run).or_else(|| self.decimal(run)).or_else(|| self.base(run))
    }

    fn hex(&self, run: &[u8]) -> Option<(Writing, u8, usize, usize)> {
        // A window of digits slides over the run, so that `ip5b415ee2` and `p4feb0398` are both found.
        let mut value = 0_u64;
        let mut digits = 0;
        for (at, &byte) in run.iter().enumerate() {
            let digit = HEX[usize::from(byte)];
            if digit == NO_DIGIT {
                digits = 0;
                continue;
            }
            value = (value << 4 | u64::from(digit)) & 0xffff_ffff;
            digits += 1;
            if digits < 4 {
                continue;
            }
            let is_end = run.get(at + 1).is_none_or(|next| HEX[usize::from(*next)] == NO_DIGIT);
            if digits >= 8 && (value == u64::from(self.value) || value == u64::from(self.value.swap_bytes())) {
                return Some((Writing::Hex, 4, at - 7, 8));
            }
            if is_end && digits == 7 && value & 0xfff_ffff == u64::from(self.value) {
                return Some((Writing::Hex, 4, at - 6, 7));
            }
            if is_end && (6..8).contains(&digits) && value & 0xff_ffff == u64::from(self.value & 0xff_ffff) {
                return Some((Writing::Hex, 3, at - 5, 6));
            }
            if is_end && digits == 4 && run.len() <= 6 && value & 0xffff == u64::from(self.value & 0xffff) {
                return Some((Writing::Hex, 2, at - 3, 4));
            }
        }
        None
    }

    fn decimal(&self, run: &[u8]) -> Option<(Writing, u8, usize, usize)> {
        let start = run.iter().position(u8::is_ascii_digit)?;
        let len = run[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let digits = &run[start..start + len];
        if (5..=10).contains(&len) {
            let value = digits.iter().fold(0_u64, |value, digit| value * 10 + u64::from(digit - b'0'));
            for (bits, parts) in [(32, 4), (24, 3), (16, 2)] {
                let mask = (1_u64 << bits) - 1;
                if value == u64::from(self.value) & mask {
                    return Some((Writing::Number, parts, start, len));
                }
            }
        }
        if len < 4 {
            return None;
        }
        let (packed, ends) = packed(self.octets);
        let all = &packed[..ends[3]];
        if digits == all {
            return Some((Writing::Packed, 4, start, len));
        }
        // `1678993x53`: the last octet stands apart.
        let rest = &run[start + len..];
        let is_apart = digits == &packed[..ends[2]]
            && rest.len() > 1
            && rest[0].is_ascii_alphabetic()
            && rest[1..] == packed[ends[2]..ends[3]];
        is_apart.then_some((Writing::Packed, 4, start, run.len() - start))
    }

    fn base(&self, run: &[u8]) -> Option<(Writing, u8, usize, usize)> {
        if !(6..=7).contains(&run.len()) {
            return None;
        }
        [32, 36].into_iter().find_map(|radix| {
            let value = run.iter().try_fold(0_u64, |value, &byte| {
                let digit = (byte as char).to_digit(radix)?;
                Some(value * u64::from(radix) + u64::from(digit))
            })?;
            (value == u64::from(self.value)).then_some((Writing::Base, 4, 0, run.len()))
        })
    }
}

/// The octets in decimal one after the other, and where each ends.
fn packed(octets: [u8; 4]) -> ([u8; 12], [usize; 4]) {
    let (mut text, mut ends, mut len) = ([0; 12], [0; 4], 0);
    for (octet, end) in octets.into_iter().zip(&mut ends) {
        let mut left =
            [octet / 100, octet / 10 % 10, octet % 10].into_iter().skip_while(|&digit| digit == 0).peekable();
        if left.peek().is_none() {
            text[len] = b'0';
            len += 1;
        }
        for digit in left {
            text[len] = b'0' + digit;
            len += 1;
        }
        *end = len;
    }
    (text, ends)
}

/// Groups or nibbles of an IPv6 address.
pub(super) fn v6(octets: [u8; 16], text: &[u8]) -> Option<Form> {
    groups(octets, text).or_else(|| nibbles(octets, text))
}

/// `2001-db8-1-2-...`: the groups one after the other, with or without their zeros.
fn groups(octets: [u8; 16], text: &[u8]) -> Option<Form> {
    let group = |i: usize| u32::from(octets[2 * i]) << 8 | u32::from(octets[2 * i + 1]);
    let (mut next, mut parts, mut from, mut to, mut at) = (0, 0_u8, 0, 0, 0);
    for token in text.split(|byte| !byte.is_ascii_alphanumeric()) {
        let value = if (1..=4).contains(&token.len()) { hex(token) } else { None };
        if let Some(value) = value
            && let Some(found) = (next..8).find(|&i| group(i) == value)
        {
            // Only groups with something in them are evidence.
            if value != 0 {
                parts += 1;
            }
            if parts <= 1 && value != 0 {
                from = at;
            }
            to = at + token.len();
            next = found + 1;
        }
        at += token.len() + 1;
    }
    (parts >= 3).then_some(form(Writing::Nibbles, next as u8, true, from, to))
}

fn hex(token: &[u8]) -> Option<u32> {
    token.iter().try_fold(0, |value, &byte| Some(value << 4 | (byte as char).to_digit(16)?))
}

/// At least twelve nibbles of the address one after the other, forwards, or backwards with dots between them.
fn nibbles(octets: [u8; 16], text: &[u8]) -> Option<Form> {
    const ENOUGH: usize = 12;
    let nibble = |i: usize| if i.is_multiple_of(2) { octets[i / 2] >> 4 } else { octets[i / 2] & 15 };
    let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
    let longest = |from: usize, backward: bool| {
        let mut at = from;
        let mut count = 0;
        while at < text.len() && count < 32 {
            let Some(value) = digit(text[at]) else { break };
            if value != nibble(if backward { 31 - count } else { count }) {
                break;
            }
            count += 1;
            at += 1;
            if count < 32 && text.get(at).is_some_and(|&byte| byte == b'.' || byte == b'-') {
                at += 1;
            }
        }
        (count, at)
    };
    (0..text.len()).find_map(|from| {
        let (forward, forward_end) = longest(from, false);
        let (backward, backward_end) = longest(from, true);
        let (count, end) = if forward >= backward { (forward, forward_end) } else { (backward, backward_end) };
        (count >= ENOUGH).then_some(form(Writing::Nibbles, (count / 4) as u8, true, from, end))
    })
}

/// What has the looks of an address in hexadecimal: a token of eight or 32 hexadecimal digits, digits and letters mixed,
/// after at most four letters; or five groups such as IPv6 has.
pub(super) fn hex_looks(text: &[u8]) -> Option<Form> {
    let (mut at, mut run, mut run_from) = (0, 0_u8, 0);
    for token in text.split(|byte| !byte.is_ascii_alphanumeric()) {
        if let Some((from, len)) = hex_tail(token) {
            let parts = if len == 8 { 4 } else { 8 };
            let writing = if len == 8 { Writing::Hex } else { Writing::Nibbles };
            return Some(form(writing, parts, false, at + from, at + token.len()));
        }
        let is_group = (1..=4).contains(&token.len()) && token.iter().all(u8::is_ascii_hexdigit);
        if is_group {
            if run == 0 {
                run_from = at;
            }
            run += 1;
        } else {
            run = 0;
        }
        if run >= 6 {
            return Some(form(Writing::Nibbles, run.min(8), false, run_from, at + token.len()));
        }
        at += token.len() + 1;
    }
    None
}

/// Where the eight or 32 hexadecimal digits at the end of a token begin.
fn hex_tail(token: &[u8]) -> Option<(usize, usize)> {
    let len = [8, 32].into_iter().find(|&len| token.len() >= len && token.len() <= len + 4)?;
    let from = token.len() - len;
    let tail = &token[from..];
    let is_hex = tail.iter().all(u8::is_ascii_hexdigit);
    let digits = tail.iter().filter(|byte| byte.is_ascii_digit()).count();
    let is_mixed = digits >= 2 && digits < len;
    let is_after_letters = token[..from].iter().all(u8::is_ascii_alphabetic);
    (is_hex && is_mixed && is_after_letters).then_some((from, len))
}
