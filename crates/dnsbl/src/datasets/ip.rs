//! Addresses as rbldnsd's files write them, read from bytes without allocation.

use super::fault::Wrong;

/// Whether a byte ends an address: the end, white space, a comment or the colon of a value.
pub(super) fn ends(line: &[u8], at: usize) -> bool {
    matches!(line.get(at), None | Some(b' ' | b'\t' | b'#' | b';' | b':'))
}

/// One to four octets with dots between them: the address with zeros behind, how many bits were written, and where
/// the text ends. Octets may have leading zeros and are decimal all the same.
#[inline]
pub(super) fn ip4_prefix(line: &[u8], mut at: usize) -> Result<(u32, u32, usize), Wrong> {
    let (mut bits, mut length) = (0_u32, 0_u32);
    loop {
        let first = at;
        let mut octet = 0_u32;
        while let Some(digit) = line.get(at).map(|b| b.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
            octet = octet * 10 + u32::from(digit);
            if octet > 255 {
                return Err(Wrong::new(first, "an octet is at most 255"));
            }
            at += 1;
        }
        if at == first {
            return Err(Wrong::new(at, "an octet (0 to 255) is wanted here"));
        }
        bits |= octet << (24 - length);
        length += 8;
        if length == 32 || line.get(at) != Some(&b'.') {
            return Ok((bits, length, at));
        }
        at += 1;
    }
}

/// A number of at most three digits behind a slash, not beyond `longest`.
fn prefix_length(line: &[u8], mut at: usize, longest: u32) -> Result<(u32, usize), Wrong> {
    let first = at;
    let mut length = 0_u32;
    while let Some(digit) = line.get(at).filter(|b| b.is_ascii_digit()) {
        length = length * 10 + u32::from(digit - b'0');
        if length > longest {
            return Err(Wrong::new(first, format!("a prefix length is at most {longest}")));
        }
        at += 1;
    }
    if at == first { Err(Wrong::new(at, "a prefix length is wanted behind `/`")) } else { Ok((length, at)) }
}

/// The lowest `32 - length` bits.
pub(super) const fn ip4_host_mask(length: u32) -> u32 {
    if length == 0 { u32::MAX } else { ((1_u64 << (32 - length)) - 1) as u32 }
}

/// What an IPv4 entry may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ip4Form {
    /// `a.b.c.d` only.
    Address,
    /// Prefixes and CIDR.
    Network,
    /// Those, and `a-b`.
    Range,
}

/// The first and the last address of an entry, its prefix length if it is a network, and where it ends.
#[inline]
pub(super) fn ip4_entry(
    line: &[u8],
    start: usize,
    form: Ip4Form,
    host_bits: bool,
) -> Result<(u32, u32, Option<u32>, usize), Wrong> {
    let (base, bits, at) = ip4_prefix(line, start)?;
    if bits == 32 && ends(line, at) {
        return Ok((base, base, Some(32), at));
    }
    if form == Ip4Form::Address {
        return Err(Wrong::new(start, "a single address is wanted here").hint("ip4tset has no networks; use ip4set"));
    }
    match line.get(at) {
        Some(b'/') => {
            let (length, end) = prefix_length(line, at + 1, 32)?;
            let mask = ip4_host_mask(length);
            if base & mask != 0 && !host_bits {
                let base = core::net::Ipv4Addr::from_bits(base & !mask);
                let wrong = Wrong::new(start, "the address has bits behind its prefix length");
                return Err(wrong.hint(format!("the network is {base}/{length}")));
            }
            finish(line, start, (base & !mask, base | mask, Some(length), end))
        }
        Some(b'-') if form == Ip4Form::Range => {
            let (mut last, last_bits, end) = ip4_prefix(line, at + 1)?;
            // A single number is a value for the last octet written before: 127.16-31 is 127.16 to 127.31.
            let last_bits = if last_bits == 8 && bits > 8 {
                last = last >> (bits - 8) | base & !ip4_host_mask(bits - 8);
                bits
            } else {
                last_bits
            };
            last |= ip4_host_mask(last_bits);
            if last < base {
                return Err(Wrong::new(start, "the range ends before it begins"));
            }
            finish(line, start, (base, last, None, end))
        }
        _ if bits == 8 => Err(Wrong::new(start, "a bare number is no network").hint("write /8 behind it")),
        _ => finish(line, start, (base, base | ip4_host_mask(bits), Some(bits), at)),
    }
}

fn finish(
    line: &[u8],
    start: usize,
    found: (u32, u32, Option<u32>, usize),
) -> Result<(u32, u32, Option<u32>, usize), Wrong> {
    if ends(line, found.3) { Ok(found) } else { Err(Wrong::new(start, "this is no IPv4 address, network or range")) }
}

/// An address as an A record's value writes it: missing octets are in the middle, as in `inet_aton`, and a single
/// number is the last octet of 127.0.0.x. 0.0.0.0 is none.
pub(super) fn ip4_value(line: &[u8], at: usize) -> Result<(u32, usize), Wrong> {
    let (bits, length, end) = ip4_prefix(line, at)?;
    let value = match length {
        8 if bits == 0 => 0,
        8 => 0x7f00_0000 | bits >> 24,
        _ => ip4_aton(bits, length),
    };
    if value == 0 { Err(Wrong::new(at, "0 is no return code")) } else { Ok((value, end)) }
}

/// The last octet written is the last one of the address.
pub(super) const fn ip4_aton(bits: u32, length: u32) -> u32 {
    match length {
        8 => bits >> 24,
        16 => bits & 0xff00_0000 | bits >> 16 & 0xff,
        24 => bits & 0xffff_0000 | bits >> 8 & 0xff,
        _ => bits,
    }
}

/// Words of up to four hexadecimal digits with colons between them, at most one `::`. Returns the address with zeros
/// behind, how many bits were written (all 128 with a `::`), and where the text ends.
pub(super) fn ip6_prefix(line: &[u8], start: usize) -> Result<(u128, u32, usize), Wrong> {
    let mut words = [0_u16; 8];
    let (mut count, mut gap, mut at) = (0, None, start);
    if line[at..].starts_with(b"::") {
        (gap, at) = (Some(0), at + 2);
    }
    loop {
        let first = at;
        let mut word = 0_u16;
        while let Some(digit) = line.get(at).and_then(|b| char::from(*b).to_digit(16)) {
            if at - first == 4 {
                return Err(Wrong::new(first, "a word of an IPv6 address has at most four digits"));
            }
            word = word << 4 | digit as u16;
            at += 1;
        }
        if at == first {
            if gap == Some(count) {
                break;
            }
            return Err(Wrong::new(start, "this is no IPv6 address or network"));
        }
        if count == 8 {
            return Err(Wrong::new(start, "an IPv6 address has at most eight words"));
        }
        words[count] = word;
        count += 1;
        match (line.get(at), line.get(at + 1)) {
            (Some(b':'), Some(b':')) if gap.is_none() => (gap, at) = (Some(count), at + 2),
            (Some(b':'), Some(next)) if next.is_ascii_hexdigit() && count < 8 => at += 1,
            _ => break,
        }
    }
    if line[at..].starts_with(b"::") {
        return Err(Wrong::new(start, "an IPv6 address has at most one `::`"));
    }
    if let Some(gap) = gap {
        if count == 8 {
            return Err(Wrong::new(start, "`::` stands for nothing here"));
        }
        words[gap..].rotate_right(8 - count);
    }
    let bits = words.iter().fold(0_u128, |bits, word| bits << 16 | u128::from(*word));
    Ok((bits, if gap.is_some() { 128 } else { count as u32 * 16 }, at))
}

/// An IPv6 network: base, length, and where it ends.
pub(super) fn ip6_network(line: &[u8], start: usize, host_bits: bool) -> Result<(u128, u32, usize), Wrong> {
    let (bits, written, at) = ip6_prefix(line, start)?;
    let (length, end) = match line.get(at) {
        Some(b'/') => prefix_length(line, at + 1, 128)?,
        _ if written == 16 => return Err(Wrong::new(start, "a bare number is no network").hint("write /16 behind it")),
        _ => (written, at),
    };
    let mask = u128::MAX.checked_shr(length).unwrap_or(0);
    if bits & mask != 0 && !host_bits {
        let base = core::net::Ipv6Addr::from_bits(bits & !mask);
        let wrong = Wrong::new(start, "the address has bits behind its prefix length");
        return Err(wrong.hint(format!("the network is {base}/{length}")));
    }
    if !ends(line, end) {
        let wrong = Wrong::new(start, "this is no IPv6 address or network");
        return Err(wrong.hint("write the last 32 bits as two words, not as an IPv4 address"));
    }
    Ok((bits & !mask, length, end))
}

#[cfg(test)]
#[path = "ip_tests.rs"]
mod tests;
