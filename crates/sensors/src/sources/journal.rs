//! The journal export format, as `journalctl --output=export` writes it, and the cursors by which reading goes on.
//!
//! An entry is a row of fields, `NAME=VALUE` and a newline, or, where the value has control characters, `NAME`, a newline, the
//! length in 8 bytes (little endian), the value, and a newline. An empty line ends the entry.
//! <https://systemd.io/JOURNAL_EXPORT_FORMATS/>
//!
//! An entry becomes a line as syslog would have written it, `STAMP HOST TAG[PID]: MESSAGE`, so that the grammars read
//! journal and files alike. The tag is what the process called itself: like `/dev/log`, the journal takes a local
//! process' word for it. Where local users are not to be trusted, name the units to be read.

use core::fmt::{self, Write};
use core::str::FromStr;

use base::Timestamp;
use base::limits::LINE_BYTES_MAX;
use memchr::memchr;

use super::syslog::first_line;

/// Longest name of a field, in bytes: journald allows 64.
const NAME_BYTES_MAX: usize = 64;

/// The fields that are asked for and kept.
pub const FIELDS: [&str; 7] =
    ["__CURSOR", "__REALTIME_TIMESTAMP", "_HOSTNAME", "SYSLOG_IDENTIFIER", "_COMM", "_PID", "MESSAGE"];

/// An entry's place in the journal, which is enough of it for `journalctl --after-cursor`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// The series of numbers (`s`).
    pub series: u128,
    /// The number in it (`i`).
    pub number: u64,
    /// Microseconds since the epoch (`t`).
    pub realtime: u64,
}

/// The text is no cursor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CursorError;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s={:032x};i={:x};t={:x}", self.series, self.number, self.realtime)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let part = |name: &str| text.split(';').find_map(|part| part.strip_prefix(name)).ok_or(CursorError);
        let number = |name: &str| u64::from_str_radix(part(name)?, 16).map_err(|_| CursorError);
        let series = u128::from_str_radix(part("s=")?, 16).map_err(|_| CursorError)?;
        Ok(Self { series, number: number("i=")?, realtime: number("t=")? })
    }
}

/// Reads an export, piece by piece.
#[derive(Debug)]
pub struct Export {
    state: State,
    /// The name of the field, or the whole `NAME=VALUE`, or the digits of a length.
    buffer: Vec<u8>,
    /// The value of each of [`FIELDS`].
    values: [Vec<u8>; FIELDS.len()],
    line: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// In a row of text.
    Row,
    /// In the length of the value of a field.
    Length { field: Option<usize> },
    /// In a value of which so many bytes are missing.
    Value { field: Option<usize>, missing: u64 },
    /// Before the newline behind a value.
    Newline,
}

impl Default for Export {
    fn default() -> Self {
        Self { state: State::Row, buffer: Vec::new(), values: Default::default(), line: Vec::new() }
    }
}

impl Export {
    /// Takes the next bytes, and gives out the lines of the entries that they complete, each with its cursor. Entries without
    /// message or without cursor are passed over.
    pub fn push(&mut self, bytes: &[u8], out: &mut dyn FnMut(&[u8], Cursor)) {
        let mut rest = bytes;
        while let Some((&first, behind)) = rest.split_first() {
            match self.state {
                State::Row => {
                    let end = memchr(b'\n', rest);
                    keep(&mut self.buffer, &rest[..end.unwrap_or(rest.len())], LINE_BYTES_MAX + NAME_BYTES_MAX);
                    rest = end.map_or(&[], |end| &rest[end + 1..]);
                    if end.is_some() {
                        self.row(out);
                    }
                }
                State::Length { field } => {
                    rest = behind;
                    self.buffer.push(first);
                    if let Ok(length) = <[u8; 8]>::try_from(self.buffer.as_slice()) {
                        self.buffer.clear();
                        self.state = match u64::from_le_bytes(length) {
                            0 => State::Newline,
                            missing => State::Value { field, missing },
                        };
                    }
                }
                State::Value { field, missing } => {
                    let length = usize::try_from(missing).unwrap_or(usize::MAX).min(rest.len());
                    let (part, behind) = rest.split_at(length);
                    rest = behind;
                    if let Some(field) = field {
                        keep(&mut self.values[field], part, LINE_BYTES_MAX);
                    }
                    let missing = missing - length as u64;
                    self.state = if missing == 0 { State::Newline } else { State::Value { field, missing } };
                }
                State::Newline => {
                    rest = behind;
                    self.state = State::Row;
                }
            }
        }
    }

    /// Gives out the last entry where the export ends without the empty line behind it. An entry that ends within a field was
    /// cut off, and is none.
    pub fn finish(&mut self, out: &mut dyn FnMut(&[u8], Cursor)) {
        if self.state == State::Row && self.buffer.is_empty() {
            self.entry(out);
        }
    }

    /// A whole row of text.
    fn row(&mut self, out: &mut dyn FnMut(&[u8], Cursor)) {
        let row = core::mem::take(&mut self.buffer);
        if row.is_empty() {
            self.entry(out);
        } else if let Some(equals) = memchr(b'=', &row[..row.len().min(NAME_BYTES_MAX + 1)]) {
            if let Some(field) = field(&row[..equals]) {
                self.values[field].clear();
                keep(&mut self.values[field], &row[equals + 1..], LINE_BYTES_MAX);
            }
        } else if row.len() <= NAME_BYTES_MAX {
            let field = field(&row);
            if let Some(field) = field {
                self.values[field].clear();
            }
            self.state = State::Length { field };
        }
        self.buffer = row;
        self.buffer.clear();
    }

    /// The end of an entry.
    fn entry(&mut self, out: &mut dyn FnMut(&[u8], Cursor)) {
        let text = |at: usize| str::from_utf8(&self.values[at]).unwrap_or_default();
        let cursor: Option<Cursor> = text(0).parse().ok();
        let micros: Option<u64> = text(1).parse().ok();
        if let (Some(cursor), false) = (cursor, self.values[6].is_empty()) {
            let program = if text(3).is_empty() { text(4) } else { text(3) };
            self.line.clear();
            write_line(&mut self.line, micros.unwrap_or(cursor.realtime), [text(2), program, text(5)], &self.values[6]);
            out(&self.line, cursor);
        }
        self.values.iter_mut().for_each(Vec::clear);
    }
}

/// Writes an entry as syslog would have written it, with the host, the program and its process number.
pub(super) fn write_line(line: &mut Vec<u8>, micros: u64, [host, program, pid]: [&str; 3], message: &[u8]) {
    let mut head = String::new();
    // Writing to a string cannot fail.
    write!(head, "{} {} {}", Timestamp::from_millis(micros / 1000), word(host), word(program)).unwrap_or_default();
    if let Ok(pid) = pid.parse::<u32>() {
        write!(head, "[{pid}]").unwrap_or_default();
    }
    let begin = line.len();
    line.extend_from_slice(head.as_bytes());
    line.extend_from_slice(b": ");
    // What stands behind a break may be anybody's text.
    line.extend_from_slice(first_line(message).0);
    line.truncate(begin + LINE_BYTES_MAX);
}

/// The place among [`FIELDS`] of the field `name`.
fn field(name: &[u8]) -> Option<usize> {
    FIELDS.iter().position(|field| field.as_bytes() == name)
}

/// Adds `part`, as far as there is room.
fn keep(to: &mut Vec<u8>, part: &[u8], bytes_max: usize) {
    let room = bytes_max.saturating_sub(to.len());
    to.extend_from_slice(&part[..part.len().min(room)]);
}

/// The text as one word of a frame; `-` if it is empty.
fn word(text: &str) -> String {
    if text.is_empty() {
        return "-".to_owned();
    }
    let is_word = |c: &char| c.is_ascii_graphic() && !matches!(c, '[' | ']' | '(' | ')' | ':');
    text.chars().take(NAME_BYTES_MAX).map(|c| if is_word(&c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CURSOR: &str =
        "s=6c0b1c2d3e4f50617283940a5b6c7d8e;i=1f;b=00112233445566778899aabbccddeeff;m=2a;t=64a1b2c3d4e5f;x=9";

    /// Lines and cursors of an export that comes in pieces.
    fn read(pieces: &[&[u8]]) -> Vec<(String, String)> {
        let (mut export, mut found) = (Export::default(), Vec::new());
        for piece in pieces {
            export.push(piece, &mut |line, cursor| {
                found.push((String::from_utf8_lossy(line).into_owned(), cursor.to_string()));
            });
        }
        found
    }

    fn entry(fields: &str) -> String {
        format!("__CURSOR={CURSOR}\n__REALTIME_TIMESTAMP=1795247054120999\n_HOSTNAME=mx\n{fields}\n\n")
    }

    fn line(export: &[u8]) -> String {
        read(&[export]).into_iter().map(|(line, _)| line).collect::<Vec<_>>().join(" + ")
    }

    #[test]
    fn entries_become_lines() {
        let cases = [
            ("SYSLOG_IDENTIFIER=dovecot\n_PID=7\nMESSAGE=imap-login: x", "dovecot[7]: imap-login: x"),
            ("_COMM=smtpd\nMESSAGE=x", "smtpd: x"),
            ("SYSLOG_IDENTIFIER=a b[7]: (c)\nMESSAGE=x", "a_b_7____c_: x"),
            ("SYSLOG_IDENTIFIER=a\nMESSAGE=", ""),
            ("SYSLOG_IDENTIFIER=a", ""),
            ("UNKNOWN=a\nSYSLOG_IDENTIFIER=a\nMESSAGE=b=c", "a: b=c"),
        ];
        for (fields, wanted) in cases {
            let wanted =
                if wanted.is_empty() { String::new() } else { format!("2026-11-21T07:44:14.120Z mx {wanted}") };
            assert_eq!(line(entry(fields).as_bytes()), wanted, "{fields}");
        }
    }

    #[test]
    fn binary_values_and_several_entries() {
        let mut export = entry("SYSLOG_IDENTIFIER=a\nMESSAGE=one").into_bytes();
        let value = b"two\nDec  1 00:00:00 mx dovecot: forged\xff";
        export.extend(entry("SYSLOG_IDENTIFIER=b").strip_suffix('\n').unwrap().as_bytes());
        for (name, value) in [("OTHER", &b"\n\nMESSAGE=x\n\n"[..]), ("EMPTY", b""), ("MESSAGE", value)] {
            export.extend(name.as_bytes());
            export.push(b'\n');
            export.extend((value.len() as u64).to_le_bytes());
            export.extend(value);
            export.push(b'\n');
        }
        export.push(b'\n');
        let got = read(&[&export]);
        let lines: Vec<_> = got.iter().map(|(line, _)| &line[24..]).collect();
        assert_eq!(lines, [" mx a: one", " mx b: two"]);
        assert_eq!(got[0].1, "s=6c0b1c2d3e4f50617283940a5b6c7d8e;i=1f;t=64a1b2c3d4e5f");
        for size in 1..50 {
            assert_eq!(read(&export.chunks(size).collect::<Vec<_>>()), got, "{size}");
        }
    }

    #[test]
    fn cursors() {
        let cursor: Cursor = CURSOR.parse().unwrap();
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for text in ["", "s=1;i=2", "s=x;i=1;t=1", "i=1;t=1", "s=1;i=11111111111111111;t=1"] {
            assert_eq!(text.parse::<Cursor>(), Err(CursorError), "{text}");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut export = Export::default();
        let mut count = 0;
        export.push(b"MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\x7f", &mut |_, _| count += 1);
        for _ in 0..100 {
            export.push(&vec![b'x'; 65536], &mut |_, _| count += 1);
        }
        assert!(export.values[6].capacity() <= 4 * LINE_BYTES_MAX && count == 0);
        let mut export = Export::default();
        for _ in 0..100 {
            export.push(&vec![b'x'; 65536], &mut |_, _| count += 1);
        }
        assert!(export.buffer.capacity() <= 4 * LINE_BYTES_MAX && count == 0);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b'=')], 0..400)) {
            read(&[&bytes]);
        }
    }
}
