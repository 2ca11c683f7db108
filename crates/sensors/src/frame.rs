//! The frame of a log line: when, where, which program, and what it said.
//!
//! | form | example |
//! |---|---|
//! | RFC 3164 file | `Nov 21 07:44:14 mx dovecot[7]: …` |
//! | ISO 8601 file | `2026-11-21T07:44:14.123456+01:00 mx dovecot: …` |
//! | RFC 5424 | `<22>1 2026-11-21T07:44:14Z mx dovecot 7 - - …` |
//! | Dovecot's own | `2026-11-21 07:44:14 imap-login: Info: …`, `Nov 21 07:44:14 auth: Info: …` |
//! | multilog | `@400000004c91b044077a9e94 dovecot-auth: …` |
//! | with facility and level | `Nov 21 07:44:14 mx mail.info dovecot: …` |
//! | with a container | `dovecot-1  \| Nov 21 07:44:14 imap-login: Info: …` |
//! | with a space | `Nov 21 07:44:14 sogod [7]: …`, `Nov 21 07:44:14 HORDE [error] …` |
//! | bare | `dovecot: …` (what the journal and pipes carry) |
//!
//! Logs that daemons write themselves have stamps of other forms and no tags: see `stamp`. All that follows the stamp is
//! then the message, and the operator says whose it is (`--service`).
//!
//! A syslog server and the kernel write what stands before the message, not the client of a daemon, so that the frame is
//! read from the left. What is not there is empty, never guessed.

mod before;
mod clock;
mod stamp;
#[cfg(test)]
mod tests;

pub(crate) use before::Before;
pub use clock::{Clock, arrival};
pub use stamp::{Civil, Stamp};

use crate::words;

/// One line of a log, taken apart; it borrows from the line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// The time it carries.
    pub time: Stamp,
    /// The host it names; empty if none.
    pub host: &'a str,
    /// The program tag without process number, such as `postfix/smtpd`; empty if none.
    pub program: &'a str,
    /// The process number, if given in brackets.
    pub pid: Option<u32>,
    /// What the program said. Where a parenthesis follows the tag, as in Dovecot's `auth(alice,…): …`, it begins with
    /// that parenthesis.
    pub message: &'a str,
    /// What its grammar made of the tag, when it was asked whether it reads the line.
    pub(crate) process: u8,
}

/// A line taken apart into bytes, before it is known whether anybody reads it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) time: Stamp,
    pub(crate) host: &'a [u8],
    pub(crate) program: &'a [u8],
    pub(crate) pid: Option<u32>,
    pub(crate) message: &'a [u8],
    /// The same number for lines that have stamp and host of the line before; 0 where that is not known.
    pub(crate) turn: u64,
    /// All that follows the stamp: the message of a log without hosts and tags.
    pub(crate) bare: &'a [u8],
}

/// Takes a line apart. Never fails: a line without any known form is all message.
pub fn read(line: &str) -> Frame<'_> {
    let parts = split(line.as_bytes(), &mut Before::default());
    // All cuts are at ASCII characters, so that the parts are text where the line is.
    let text = |part| str::from_utf8(part).unwrap_or("");
    Frame {
        time: parts.time,
        host: text(parts.host),
        program: text(parts.program),
        pid: parts.pid,
        message: text(parts.message),
        process: 0,
    }
}

/// As [`read`], of bytes, and of a line that follows another.
#[expect(clippy::inline_always, reason = "done for every line; what is taken apart is not copied")]
#[inline(always)]
pub(crate) fn split<'a>(line: &'a [u8], before: &mut Before) -> Parts<'a> {
    let mut line = line;
    while let [rest @ .., b'\r' | b'\n'] = line {
        line = rest;
    }
    if let Some(parts) = before.goes_on(line) {
        return parts;
    }
    let parts = split_whole(line);
    before.remember(line, &parts);
    parts
}

/// The text without the ISO stamp that a daemon writes into its message, too.
pub(crate) fn without_stamp(text: &str) -> &str {
    let is_stamp = matches!(text.as_bytes().first_chunk(), Some([b'0'..=b'9', _, _, _, b'-', _, _, b'-']));
    if !is_stamp {
        return text;
    }
    let (_, rest) = stamp::read(text.as_bytes());
    text.get(text.len() - rest.len()..).map_or(text, str::trim_start)
}

#[inline(never)]
fn split_whole(line: &[u8]) -> Parts<'_> {
    let (line, is_rfc5424) = priority(without_container(line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line)));
    if is_rfc5424 && let Some(parts) = rfc5424(line) {
        return parts;
    }
    let (time, rest) = stamp::read(line);
    let bare = without_level(rest.trim_ascii_start());
    // A stamp that stands inside the message is not followed by a tag.
    let is_within = time != Stamp::Missing && rest.len() == line.len();
    let found = if is_within { None } else { tagged(time, bare) };
    found.unwrap_or(Parts { time, host: b"", program: b"", pid: None, message: bare, turn: 0, bare })
}

/// The line without the name of a container that `docker compose logs` writes first, filled up with spaces: `dovecot-1  | `.
fn without_container(line: &[u8]) -> &[u8] {
    /// Longest name of a container with what fills it up, in bytes.
    const NAME_BYTES_MAX: usize = 80;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let name = line.iter().take(NAME_BYTES_MAX).take_while(|byte| is_name(byte)).count();
    if name == 0 || line.get(name) != Some(&b' ') {
        return line;
    }
    let spaces = line.iter().skip(name).take(NAME_BYTES_MAX).take_while(|byte| **byte == b' ').count();
    line.get(name + spaces..).and_then(|rest| rest.strip_prefix(b"| ")).unwrap_or(line)
}

/// The text without the facility and level that BSD's `syslogd -vv` writes after the stamp: `<mail.notice> `.
fn without_level(text: &[u8]) -> &[u8] {
    const LEVEL_BYTES_MAX: usize = 24;
    let [b'<', rest @ ..] = text else { return text };
    let is_level = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'.';
    let end = rest.iter().take(LEVEL_BYTES_MAX).take_while(|byte| is_level(byte)).count();
    match rest.get(end..) {
        Some([b'>', b' ', after @ ..]) if rest.get(..end).is_some_and(|level| level.contains(&b'.')) => after,
        _ => text,
    }
}

/// The line without the priority that senders on the network put first (`<22>`), and whether the version of RFC 5424
/// followed it.
fn priority(line: &[u8]) -> (&[u8], bool) {
    let [b'<', rest @ ..] = line else { return (line, false) };
    let digits = rest.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    match rest.get(digits..) {
        Some([b'>', rest @ ..]) if (1..=3).contains(&digits) => match rest.strip_prefix(b"1 ") {
            Some(rest) => (rest, true),
            None => (rest, false),
        },
        _ => (line, false),
    }
}

/// RFC 5424, section 6: `TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG`, with `-` for what is missing.
fn rfc5424(text: &[u8]) -> Option<Parts<'_>> {
    let (time, rest) = match text.strip_prefix(b"- ") {
        Some(rest) => (Stamp::Missing, rest),
        None => stamp::read(text),
    };
    let mut fields = rest.trim_ascii_start().splitn(5, |byte| *byte == b' ');
    let (host, program, pid, _id) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let message = after_structured_data(fields.next()?)?;
    let or_empty = |field: &'_ [u8]| if field == b"-" { 0 } else { field.len() };
    let message = message.strip_prefix("\u{feff}".as_bytes()).unwrap_or(message);
    let pid = str::from_utf8(pid).ok().and_then(|pid| pid.parse().ok());
    let (host, program) = (host.get(..or_empty(host))?, program.get(..or_empty(program))?);
    Some(Parts { time, host, program, pid, message, turn: 0, bare: message })
}

/// What follows the structured data: `-`, or elements in brackets whose quoted values escape `"`, `\` and `]`.
fn after_structured_data(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    if let Some(after) = rest.strip_prefix(b"-") {
        rest = after;
    } else {
        while rest.starts_with(b"[") {
            rest = rest.get(element_end(rest)?..)?;
        }
    }
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(b" ") }
}

/// The place after the bracket that closes the element which `bytes` begin with.
fn element_end(bytes: &[u8]) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b']' if !is_quoted => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// `[HOST ]TAG[PID]: MESSAGE` or `[HOST ]TAG(…`; none if no tag is there.
fn tagged(time: Stamp, text: &[u8]) -> Option<Parts<'_>> {
    let (first, end) = token(text)?;
    let parts = Parts { time, host: b"", program: first, pid: None, message: b"", turn: 0, bare: text };
    if end != b' ' {
        return program(parts, text);
    }
    let rest = text.get(first.len() + 1..)?.trim_ascii_start();
    if rest.first() == Some(&b'[') {
        return spaced(parts, rest);
    }
    let (tag, end) = token(rest)?;
    let parts = Parts { host: first, program: tag, ..parts };
    if end != b' ' {
        return program(parts, rest);
    }
    let rest = rest.get(tag.len() + 1..)?;
    if rest.first() == Some(&b'[') {
        return spaced(parts, rest);
    }
    // BusyBox writes facility and level between the host and the tag: `mx mail.warn postfix/smtpd[9]: …`.
    if !is_level(tag) {
        return None;
    }
    let (tag, end) = token(rest)?;
    if end == b' ' { None } else { program(Parts { program: tag, ..parts }, rest) }
}

/// Whether this is a facility and a level of syslog: `mail.info`, `local0.err`.
fn is_level(word: &[u8]) -> bool {
    const LEVELS: [&[u8]; 10] =
        [b"emerg", b"panic", b"alert", b"crit", b"err", b"warn", b"warning", b"notice", b"info", b"debug"];
    let Some(at) = word.iter().position(|byte| *byte == b'.') else { return false };
    let is_facility = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    word.get(..at).is_some_and(|facility| facility.iter().all(is_facility))
        && word.get(at + 1..).is_some_and(|level| LEVELS.contains(&level))
}

/// What follows the tag and a space in `sogod [26818]: …` and `HORDE [error] [imp] …`.
fn spaced<'a>(parts: Parts<'a>, rest: &'a [u8]) -> Option<Parts<'a>> {
    if let Some((pid, rest)) = bracketed(rest) {
        let message = rest.strip_prefix(b":")?.trim_ascii_start();
        return Some(Parts { pid: Some(pid), message, ..parts });
    }
    let word = rest.get(1..)?.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
    (word > 0 && rest.get(word + 1) == Some(&b']')).then_some(Parts { message: rest, ..parts })
}

/// The first token of `text` and what ended it: a space, a parenthesis, a bracket, or a colon before a space or the end
/// (a colon inside belongs to the token: hosts may be IPv6 addresses).
#[inline(always)]
fn token(bytes: &[u8]) -> Option<(&[u8], u8)> {
    /// Longest host or tag: RFC 5424 allows hosts of 255 characters and tags of 48.
    const TOKEN_BYTES_MAX: usize = 256;
    let within = bytes.get(..TOKEN_BYTES_MAX).unwrap_or(bytes);
    let mut at = 0;
    loop {
        at = words::find_end(within, at)?;
        let byte = *within.get(at)?;
        match byte {
            b'[' if let Some(length) = listening(bytes, at) => at += length,
            b':' if bytes.get(at + 1).is_some_and(|next| *next != b' ') => at += 1,
            _ => return if at > 0 { Some((bytes.get(..at)?, byte)) } else { None },
        }
    }
}

/// How long the address in brackets is that a service of Postfix is called by: `postfix/[::]:587/smtpd`.
fn listening(bytes: &[u8], at: usize) -> Option<usize> {
    /// An IPv6 address in brackets.
    const LISTENER_BYTES_MAX: usize = 48;
    if at == 0 || bytes.get(at - 1) != Some(&b'/') {
        return None;
    }
    let inside = bytes.get(at + 1..)?;
    let is_part = |byte: &&u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let length = inside.iter().take(LISTENER_BYTES_MAX).take_while(is_part).count();
    inside.get(length..)?.starts_with(b"]:").then_some(length + 2)
}

/// The parts of `text`, which begins with the tag of `parts`.
#[expect(clippy::inline_always, reason = "done for every line; what is taken apart is not copied")]
#[inline(always)]
fn program<'a>(parts: Parts<'a>, text: &'a [u8]) -> Option<Parts<'a>> {
    let rest = text.get(parts.program.len()..)?;
    let (pid, message) = match rest.first()? {
        b'(' => (None, rest),
        b'[' => {
            let (pid, rest) = bracketed(rest)?;
            let rest = rest.strip_prefix(b":").unwrap_or(rest);
            (Some(pid), rest.strip_prefix(b" ").unwrap_or(rest))
        }
        _ => (None, rest.get(1..)?.trim_ascii_start()),
    };
    Some(Parts { pid, message: without_message_id(message), ..parts })
}

/// The message without the identifier that Solaris puts before it: `[ID 800047 auth.info] `.
#[inline]
fn without_message_id(message: &[u8]) -> &[u8] {
    if message.starts_with(b"[ID ") { behind_message_id(message) } else { message }
}

#[inline(never)]
fn behind_message_id(message: &[u8]) -> &[u8] {
    const ID_BYTES_MAX: usize = 40;
    let end = message.iter().take(ID_BYTES_MAX).position(|byte| *byte == b']');
    end.and_then(|end| message.get(end + 1..)).map_or(message, <[u8]>::trim_ascii_start)
}

/// The number of `[123]` and what follows it.
#[expect(clippy::inline_always, reason = "done for every line; what is taken apart is not copied")]
#[inline(always)]
fn bracketed(bytes: &[u8]) -> Option<(u32, &[u8])> {
    if let Some((number, digits)) = words::short_number(bytes.get(1..)?)
        && bytes.get(digits + 1) == Some(&b']')
    {
        return Some((number, bytes.get(digits + 2..)?));
    }
    long_number(bytes)
}

/// The same where it is long, or the line ends soon.
#[inline(never)]
fn long_number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    /// More digits than the largest number has.
    const DIGITS_MAX: usize = 18;
    let (mut number, mut end) = (0u64, 1);
    while let Some(digit) = bytes.get(end).map(|byte| byte.wrapping_sub(b'0'))
        && digit < 10
        && end <= DIGITS_MAX
    {
        number = number.wrapping_mul(10).wrapping_add(digit.into());
        end += 1;
    }
    let rest = bytes.get(end..).filter(|_| end > 1)?;
    Some((u32::try_from(number).ok()?, rest.strip_prefix(b"]")?))
}
