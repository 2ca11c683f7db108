//! The frame of a log line: when, where, which program, and what it said.
//!
//! | form | example |
//! |---|---|
//! | RFC 3164 file | `Nov 21 07:44:14 mx dovecot[7]: …` |
//! | ISO 8601 file | `2026-11-21T07:44:14.123456+01:00 mx dovecot: …` |
//! | RFC 5424 | `<22>1 2026-11-21T07:44:14Z mx dovecot 7 - - …` |
//! | Dovecot's own | `2026-11-21 07:44:14 imap-login: Info: …`, `Nov 21 07:44:14 auth: Info: …` |
//! | multilog | `@400000004c91b044077a9e94 dovecot-auth: …` |
//! | bare | `dovecot: …` (what the journal and pipes carry) |
//!
//! A syslog server and the kernel write what stands before the message, not the client of a daemon, so that the frame is
//! read from the left. What is not there is empty, never guessed.

mod clock;
mod stamp;
#[cfg(test)]
mod tests;

pub use clock::{Clock, arrival};
pub use stamp::{Civil, Stamp};

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
}

/// Takes a line apart. Never fails: a line without any known form is all message.
pub fn read(line: &str) -> Frame<'_> {
    let line = if line.ends_with(['\r', '\n']) { line.trim_end_matches(['\r', '\n']) } else { line };
    let (line, is_rfc5424) = priority(line);
    if is_rfc5424 && let Some(frame) = rfc5424(line) {
        return frame;
    }
    let (time, rest) = stamp::read(line);
    let rest = rest.trim_start_matches(' ');
    tagged(time, rest).unwrap_or(Frame { time, host: "", program: "", pid: None, message: rest })
}

/// The line without the priority that senders on the network put first (`<22>`), and whether the version of RFC 5424
/// followed it.
fn priority(line: &str) -> (&str, bool) {
    let Some(rest) = line.strip_prefix('<') else { return (line, false) };
    let digits = rest.bytes().take(4).take_while(u8::is_ascii_digit).count();
    match rest.get(digits..).and_then(|rest| rest.strip_prefix('>')) {
        Some(rest) if (1..=3).contains(&digits) => match rest.strip_prefix("1 ") {
            Some(rest) => (rest, true),
            None => (rest, false),
        },
        _ => (line, false),
    }
}

/// RFC 5424, section 6: `TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG`, with `-` for what is missing.
fn rfc5424(text: &str) -> Option<Frame<'_>> {
    let (time, rest) = match text.strip_prefix("- ") {
        Some(rest) => (Stamp::Missing, rest),
        None => stamp::read(text),
    };
    let mut fields = rest.trim_start_matches(' ').splitn(5, ' ');
    let (host, program, pid, _id) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let message = after_structured_data(fields.next()?)?;
    let or_empty = |field| if field == "-" { "" } else { field };
    let message = message.strip_prefix('\u{feff}').unwrap_or(message);
    Some(Frame { time, host: or_empty(host), program: or_empty(program), pid: pid.parse().ok(), message })
}

/// What follows the structured data: `-`, or elements in brackets whose quoted values escape `"`, `\` and `]`.
fn after_structured_data(text: &str) -> Option<&str> {
    let mut rest = text;
    if let Some(after) = rest.strip_prefix('-') {
        rest = after;
    } else {
        while rest.starts_with('[') {
            rest = rest.get(element_end(rest.as_bytes())?..)?;
        }
    }
    if rest.is_empty() { Some("") } else { rest.strip_prefix(' ') }
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
fn tagged(time: Stamp, text: &str) -> Option<Frame<'_>> {
    let (first, end) = token(text)?;
    if end != b' ' {
        return program(time, "", first, text);
    }
    let rest = text.get(first.len() + 1..)?.trim_start_matches(' ');
    let (tag, end) = token(rest)?;
    if end == b' ' { None } else { program(time, first, tag, rest) }
}

/// The first token of `text` and what ended it: a space, a parenthesis, a bracket, or a colon before a space or the end
/// (a colon inside belongs to the token: hosts may be IPv6 addresses).
fn token(text: &str) -> Option<(&str, u8)> {
    /// Longest host or tag: RFC 5424 allows hosts of 255 characters and tags of 48.
    const TOKEN_BYTES_MAX: usize = 256;
    let bytes = text.as_bytes();
    for at in 0..bytes.len().min(TOKEN_BYTES_MAX) {
        let byte = bytes[at];
        // Looked up, because this is done for every byte of every line's host and tag.
        if MAY_END_TOKEN[usize::from(byte)] && (byte != b':' || matches!(bytes.get(at + 1), None | Some(b' '))) {
            return if at == 0 { None } else { Some((text.get(..at)?, byte)) };
        }
    }
    None
}

/// The bytes that may end a token.
const MAY_END_TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    table[b' ' as usize] = true;
    table[b'(' as usize] = true;
    table[b'[' as usize] = true;
    table[b':' as usize] = true;
    table
};

/// The frame of `text`, which begins with the tag `program`.
fn program<'a>(time: Stamp, host: &'a str, program: &'a str, text: &'a str) -> Option<Frame<'a>> {
    let rest = text.get(program.len()..)?;
    let frame = |pid, message| Some(Frame { time, host, program, pid, message });
    match rest.as_bytes().first()? {
        b'(' => frame(None, rest),
        b'[' => {
            let (pid, rest) = bracketed(rest)?;
            let rest = rest.strip_prefix(':').unwrap_or(rest);
            frame(Some(pid), rest.strip_prefix(' ').unwrap_or(rest))
        }
        _ => frame(None, rest.get(1..)?.trim_start_matches(' ')),
    }
}

/// The number of `[123]` and what follows it.
fn bracketed(text: &str) -> Option<(u32, &str)> {
    let bytes = text.as_bytes();
    let (mut number, mut at) = (0u32, 1);
    while let Some(digit) = bytes.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        number = number.checked_mul(10)?.checked_add(digit.into())?;
        at += 1;
    }
    (at > 1 && bytes.get(at) == Some(&b']')).then_some((number, text.get(at + 1..)?))
}
