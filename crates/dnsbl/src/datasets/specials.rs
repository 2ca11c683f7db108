//! Lines that begin with `$`: what a zone needs beside its entries.

use super::fault::Wrong;
use super::values::skip_space;

/// Most name servers of one dataset; more are passed over.
pub const NAME_SERVERS_MAX: usize = 32;

/// Longest name in wire form (RFC 1035 section 2.3.4).
const NAME_BYTES_MAX: usize = 255;

/// Longest variable, in bytes: a text cannot be longer.
const VARIABLE_BYTES_MAX: usize = 255;

/// The time to live of name servers, and their names in wire form.
pub type Servers = (u32, Vec<Box<[u8]>>);

/// What stands in a dataset beside its entries.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Header {
    /// The start of authority.
    pub soa: Option<Soa>,
    /// The time to live of the name servers, and their names in wire form.
    pub servers: Option<Servers>,
    /// The time to live of the entries.
    pub ttl: Option<u32>,
    /// When the data were made, in seconds since the epoch.
    pub made: Option<u64>,
    /// When they are not to be served any more, in seconds since the epoch.
    pub expires: Option<u64>,
    /// Most addresses of one IPv4 entry.
    pub range_max: Option<u64>,
    /// The variables `$0` to `$9`.
    pub variables: [Option<Box<[u8]>>; 10],
    /// The base template `$=`.
    pub base: Option<Box<[u8]>>,
}

/// The start of authority of a zone (RFC 1035 section 3.3.13); times in seconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Soa {
    /// The record's own time to live; none is the default one.
    pub ttl: Option<u32>,
    /// The primary server, in wire form.
    pub primary: Box<[u8]>,
    /// The mail address of those who are responsible, in wire form.
    pub contact: Box<[u8]>,
    /// The serial; 0 stands for the time at which the newest file was changed.
    pub serial: u32,
    /// How often secondaries look for a new serial.
    pub refresh: u32,
    /// How soon they try again.
    pub retry: u32,
    /// After what time without contact they cease to answer.
    pub expire: u32,
    /// How long resolvers may remember that a name does not exist.
    pub negative_ttl: u32,
}

/// Whom a special line concerns.
pub(super) enum Special<'a> {
    /// The dataset that is read.
    Done,
    /// `$DATASET`: a new part of a combined dataset; where its arguments begin.
    Part(usize),
    /// Nothing that is known here.
    Unknown(&'a [u8]),
}

/// The dataset's own header, and that of the part that is read, if it is combined.
pub(super) struct Headers<'a> {
    pub(super) whole: &'a mut Header,
    pub(super) part: Option<&'a mut Header>,
}

/// Words of a line, with their places.
struct Words<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Words<'a> {
    fn peek(&mut self) -> usize {
        self.at = skip_space(self.line, self.at);
        self.at
    }

    fn next(&mut self) -> Option<(usize, &'a [u8])> {
        let start = self.peek();
        let word = self.line[start..].split(|b| matches!(b, b' ' | b'\t')).next().filter(|word| !word.is_empty())?;
        self.at = start + word.len();
        Some((start, word))
    }

    fn wanted(&mut self, what: &str) -> Result<(usize, &'a [u8]), Wrong> {
        self.next().ok_or_else(|| Wrong::new(self.line.len(), format!("{what} is wanted here")))
    }

    fn time(&mut self, what: &str) -> Result<u32, Wrong> {
        let (at, word) = self.wanted(what)?;
        time(word).ok_or_else(|| Wrong::new(at, format!("{what} is a number of seconds, or one with s, m, h, d or w")))
    }

    fn name(&mut self, what: &str) -> Result<Box<[u8]>, Wrong> {
        let (at, word) = self.wanted(what)?;
        wire_name(word).map_err(|why| Wrong::new(at, format!("{what} {why}")))
    }

    fn end(&mut self) -> Result<(), Wrong> {
        let at = self.peek();
        if at == self.line.len() { Ok(()) } else { Err(Wrong::new(at, "nothing more is wanted here")) }
    }
}

/// Reads the line behind its `$`, which stands before `at`.
pub(super) fn read<'a>(
    line: &'a [u8],
    at: usize,
    headers: &mut Headers<'_>,
    now: u64,
    is_access: bool,
) -> Result<Special<'a>, Wrong> {
    let mut words = Words { line, at };
    let Some((_, word)) = words.next().filter(|(start, _)| *start == at) else {
        return Ok(Special::Unknown(&line[at..]));
    };
    let kind = word.to_ascii_lowercase();
    match kind.as_slice() {
        b"soa" | b"ns" | b"nameserver" if is_access => {
            return Err(Wrong::new(at, "an access list has no SOA and no name servers"));
        }
        b"soa" => {
            let soa = soa(&mut words)?;
            headers.whole.soa.get_or_insert(soa);
        }
        b"ns" | b"nameserver" => {
            let servers = servers(&mut words)?;
            headers.whole.servers.get_or_insert(servers);
        }
        b"ttl" => {
            let ttl = words.time("a time to live")?;
            words.end()?;
            headers.own().ttl = Some(ttl).filter(|ttl| *ttl > 0);
        }
        b"timestamp" => timestamp(&mut words, headers.whole, now)?,
        b"maxrange4" => range_max(&mut words, headers.whole)?,
        b"dataset" => return Ok(Special::Part(words.peek())),
        [b'='] => headers.own().set_base(rest(&mut words)?),
        [digit @ b'0'..=b'9'] => {
            let text = rest(&mut words)?;
            headers.own().variables[usize::from(digit - b'0')].get_or_insert(text);
        }
        _ => return Ok(Special::Unknown(word)),
    }
    Ok(Special::Done)
}

impl Headers<'_> {
    fn own(&mut self) -> &mut Header {
        self.part.as_deref_mut().unwrap_or(self.whole)
    }
}

impl Header {
    fn set_base(&mut self, text: Box<[u8]>) {
        self.base.get_or_insert(text);
    }
}

fn rest(words: &mut Words<'_>) -> Result<Box<[u8]>, Wrong> {
    let at = words.peek();
    let text = &words.line[at..];
    if text.is_empty() {
        return Err(Wrong::new(at, "a text is wanted here"));
    }
    Ok(text[..text.len().min(VARIABLE_BYTES_MAX)].into())
}

fn soa(words: &mut Words<'_>) -> Result<Soa, Wrong> {
    let ttl = Some(words.time("a time to live")?).filter(|ttl| *ttl > 0);
    let primary = words.name("the primary server")?;
    let contact = words.name("the contact")?;
    let (at, serial) = words.wanted("the serial")?;
    let serial = core::str::from_utf8(serial).ok().and_then(|serial| serial.parse().ok());
    let serial = serial.ok_or_else(|| Wrong::new(at, "the serial is a number below 2^32; 0 is the file's time"))?;
    let mut time = |what| words.time(what);
    let (refresh, retry) = (time("the refresh time")?, time("the retry time")?);
    let (expire, negative_ttl) = (time("the expiry time")?, time("the negative time to live")?);
    words.end()?;
    Ok(Soa { ttl, primary, contact, serial, refresh, retry, expire, negative_ttl })
}

fn servers(words: &mut Words<'_>) -> Result<Servers, Wrong> {
    let ttl = words.time("a time to live")?;
    let mut servers = Vec::new();
    let mut named = 0;
    while words.peek() < words.line.len() {
        named += 1;
        if words.line[words.at] == b'-' {
            words.next();
            continue;
        }
        let server = words.name("a name server")?;
        if servers.len() < NAME_SERVERS_MAX && !servers.contains(&server) {
            servers.push(server);
        }
    }
    if named == 0 {
        return Err(Wrong::new(words.line.len(), "a name server is wanted here"));
    }
    Ok((ttl, servers))
}

fn range_max(words: &mut Words<'_>, header: &mut Header) -> Result<(), Wrong> {
    let (at, word) = words.wanted("a number of addresses, or a prefix length such as /24,")?;
    let number = |digits: &[u8]| core::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u32>().ok());
    let most = match word {
        [b'/', digits @ ..] => number(digits).filter(|length| *length <= 32).map(|length| 1 << (32 - length)),
        digits => number(digits).filter(|most| *most > 0).map(u64::from),
    };
    let most = most.ok_or_else(|| Wrong::new(at, "this is no number of addresses and no prefix length"))?;
    words.end()?;
    if header.range_max.is_some_and(|before| before < most) {
        return Err(Wrong::warning(at, "the largest range can only be made smaller; this line is passed over"));
    }
    header.range_max = Some(most);
    Ok(())
}

fn timestamp(words: &mut Words<'_>, header: &mut Header, now: u64) -> Result<(), Wrong> {
    let no_time = |at| Wrong::new(at, "a time is `yyyy:mm:dd:hh:mm:ss` (UTC), 0 or -");
    let (at, word) = words.wanted("the time at which the data were made")?;
    let made = moment(word).map_err(|NoMoment| no_time(at))?;
    if made.is_some_and(|made| made > now) {
        return Err(Wrong::new(at, "the data are from the future"));
    }
    let expires = match words.next() {
        None => None,
        Some((at, [b'+', span @ ..])) => {
            let span = time(span).ok_or_else(|| Wrong::new(at, "a number of seconds, or one with s, m, h, d or w"))?;
            let made = made.ok_or_else(|| Wrong::new(at, "a span needs the time at which the data were made"))?;
            Some(made + u64::from(span))
        }
        Some((at, word)) => moment(word).map_err(|NoMoment| no_time(at))?,
    };
    words.end()?;
    (header.made, header.expires) = (header.made.max(made), [header.expires, expires].into_iter().flatten().min());
    Ok(())
}

/// A word that writes no moment.
struct NoMoment;

/// `yyyymmdd[hh[mi[ss]]]` with colons or dashes between the parts, in UTC; none for `0` and `-`.
fn moment(word: &[u8]) -> Result<Option<u64>, NoMoment> {
    if matches!(word, b"0" | b"-") {
        return Ok(None);
    }
    let digits: Vec<u64> =
        word.iter().filter(|b| !matches!(b, b':' | b'-')).map(|b| u64::from(b.wrapping_sub(b'0'))).collect();
    if !matches!(digits.len(), 8 | 10 | 12 | 14) || digits.iter().any(|digit| *digit > 9) {
        return Err(NoMoment);
    }
    let number =
        |from: usize, count: usize| digits.iter().skip(from).take(count).fold(0, |all, digit| all * 10 + digit);
    let (year, month, day) = (number(0, 4), number(4, 2), number(6, 2));
    let (hour, minute, second) = (number(8, 2), number(10, 2), number(12, 2));
    let is_date = year >= 1970 && (1..=12).contains(&month) && (1..=31).contains(&day);
    if is_date && hour < 24 && minute < 60 && second < 60 {
        Ok(Some(((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second))
    } else {
        Err(NoMoment)
    }
}

/// Days since 1970-01-01 of a date of the Gregorian calendar from then on (Howard Hinnant's `days_from_civil`).
const fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

/// A number of seconds, with an optional unit; several may follow each other (`1h30m`).
pub(super) fn time(word: &[u8]) -> Option<u32> {
    let (mut sum, mut at) = (0_u32, 0);
    loop {
        let digits = word[at..].iter().take_while(|b| b.is_ascii_digit()).count();
        let number: u32 = core::str::from_utf8(&word[at..at + digits]).ok()?.parse().ok()?;
        let unit = match word.get(at + digits).map(u8::to_ascii_lowercase) {
            None | Some(b's') => 1,
            Some(b'm') => 60,
            Some(b'h') => 3600,
            Some(b'd') => 86_400,
            Some(b'w') => 604_800,
            Some(_) => return None,
        };
        sum = sum.checked_add(number.checked_mul(unit)?)?;
        at += digits + 1;
        if at >= word.len() {
            return Some(sum);
        }
    }
}

/// A name in wire form and small letters, with the root; `\DDD` and `\x` escape. A dot at the end changes nothing.
pub(super) fn wire_name(text: &[u8]) -> Result<Box<[u8]>, &'static str> {
    let mut wire = vec![0];
    let (mut length_at, mut at) = (0, 0);
    while at < text.len() {
        let byte = match text[at] {
            b'.' => {
                if wire.len() - length_at == 1 {
                    return Err("has an empty label");
                }
                wire[length_at] = (wire.len() - length_at - 1) as u8;
                length_at = wire.len();
                wire.push(0);
                at += 1;
                continue;
            }
            b'\\' => {
                let (byte, used) = escaped(&text[at + 1..]).ok_or("has a `\\` without what it escapes")?;
                at += used;
                byte
            }
            byte => byte,
        };
        wire.push(byte.to_ascii_lowercase());
        at += 1;
        if wire.len() - length_at > 64 {
            return Err("has a label of more than 63 octets");
        }
    }
    wire[length_at] = (wire.len() - length_at - 1) as u8;
    if wire[length_at] != 0 {
        wire.push(0);
    }
    match wire.len() {
        1 => Err("is empty"),
        2..=NAME_BYTES_MAX => Ok(wire.into()),
        _ => Err("is longer than 255 octets"),
    }
}

/// The octet that is escaped, and how many bytes stand for it.
fn escaped(text: &[u8]) -> Option<(u8, usize)> {
    match text {
        [a @ b'0'..=b'2', b, c, ..] if b.is_ascii_digit() && c.is_ascii_digit() => {
            let value = u32::from(a - b'0') * 100 + u32::from(b - b'0') * 10 + u32::from(c - b'0');
            u8::try_from(value).ok().map(|value| (value, 3))
        }
        [byte, ..] => Some((*byte, 1)),
        [] => None,
    }
}

/// The labels of a name in wire form, the last one first and without the root.
pub(super) fn reversed(wire: &[u8]) -> Box<[u8]> {
    let mut labels = Vec::new();
    let mut rest = wire;
    while let Some(length) = rest.first().filter(|length| **length > 0) {
        let (label, behind) = rest.split_at(usize::from(*length) + 1);
        labels.push(label);
        rest = behind;
    }
    labels.into_iter().rev().flatten().copied().collect()
}

#[cfg(test)]
#[path = "specials_tests.rs"]
mod tests;
