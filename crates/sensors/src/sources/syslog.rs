//! Messages on a stream: RFC 6587, octet counting (`123 <22>…`) and newlines, as each message begins.

use base::limits::LINE_BYTES_MAX;
use memchr::{memchr2, memchr3};

/// Most digits of a length; a longer one counts as text.
const LENGTH_DIGITS_MAX: usize = 7;

/// Cuts the bytes of one connection into messages. At most [`LINE_BYTES_MAX`] bytes of a message are kept.
#[derive(Debug, Default)]
pub struct Messages {
    /// The message so far; or, before it is known how it is framed, the digits so far.
    kept: Vec<u8>,
    state: State,
    cut: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum State {
    /// At the beginning of a message, or in what may be its length.
    #[default]
    Between,
    /// In a message of which so many bytes are missing.
    Counted(usize),
    /// In a message that ends with its line.
    Line,
}

impl Messages {
    /// Takes the next bytes, and gives out the messages that they complete, without newlines at the end.
    pub fn push(&mut self, bytes: &[u8], out: &mut dyn FnMut(&[u8])) {
        let mut rest = bytes;
        while let Some((&first, behind)) = rest.split_first() {
            match self.state {
                State::Between => {
                    rest = behind;
                    self.begin(first);
                }
                State::Counted(missing) => {
                    let (part, behind) = rest.split_at(missing.min(rest.len()));
                    rest = behind;
                    self.keep(part);
                    self.state = State::Counted(missing - part.len());
                    if part.len() == missing {
                        self.finish(out);
                    }
                }
                State::Line => {
                    // Some senders end a message with NUL (RFC 6587, section 3.4.2).
                    let end = memchr2(b'\n', 0, rest);
                    self.keep(&rest[..end.unwrap_or(rest.len())]);
                    rest = end.map_or(&[], |end| &rest[end + 1..]);
                    if end.is_some() {
                        self.finish(out);
                    }
                }
            }
        }
    }

    /// Gives out what is left when the connection ends.
    pub fn close(&mut self, out: &mut dyn FnMut(&[u8])) {
        if !self.kept.is_empty() {
            self.finish(out);
        }
    }

    /// Messages of which the end was cut off.
    pub const fn cut(&self) -> u64 {
        self.cut
    }

    /// A byte before it is known how the message is framed.
    fn begin(&mut self, byte: u8) {
        match byte {
            b'\n' | b'\r' | 0 if self.kept.is_empty() => {}
            b'0'..=b'9' if self.kept.len() < LENGTH_DIGITS_MAX => self.kept.push(byte),
            b' ' if !self.kept.is_empty() => {
                let length = str::from_utf8(&self.kept).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0);
                self.kept.clear();
                self.state = if length == 0 { State::Between } else { State::Counted(length) };
            }
            // A line that begins with a number, such as the year of a stamp, is a line.
            b'\n' | 0 => self.kept.clear(),
            _ => {
                self.kept.push(byte);
                self.state = State::Line;
            }
        }
    }

    fn keep(&mut self, part: &[u8]) {
        let room = LINE_BYTES_MAX.saturating_sub(self.kept.len());
        if part.len() > room && room > 0 {
            self.cut += 1;
        }
        self.kept.extend_from_slice(&part[..part.len().min(room)]);
    }

    fn finish(&mut self, out: &mut dyn FnMut(&[u8])) {
        let (message, is_cut) = first_line(&self.kept);
        self.cut += u64::from(is_cut);
        if !message.is_empty() {
            out(message);
        }
        self.kept.clear();
        self.state = State::Between;
    }
}

/// The first line of a message, and whether more lines follow it. What stands behind a break may be anybody's text, and
/// nothing in it says whose: it decides nothing.
pub(crate) fn first_line(message: &[u8]) -> (&[u8], bool) {
    let mut message = message;
    while let [rest @ .., b'\n' | b'\r' | 0] | [b'\n' | b'\r' | 0, rest @ ..] = message {
        message = rest;
    }
    match memchr3(b'\n', b'\r', 0, message) {
        Some(end) => (&message[..end], true),
        None => (message, false),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(pieces: &[&[u8]]) -> (Vec<String>, u64) {
        let mut messages = Messages::default();
        let mut found = Vec::new();
        let mut out = |message: &[u8]| found.push(String::from_utf8_lossy(message).into_owned());
        for piece in pieces {
            messages.push(piece, &mut out);
        }
        messages.close(&mut out);
        (found, messages.cut())
    }

    #[test]
    fn framings() {
        let cases: [(&str, &[&str]); 11] = [
            ("<22>a b\0<22>c\0", &["<22>a b", "<22>c"]),
            ("13 <22>a\n<22>b\nc4 <2>d", &["<22>a", "<2>d"]),
            ("<22>a b\n<22>c\n", &["<22>a b", "<22>c"]),
            ("7 <22>a b5 <22>c", &["<22>a b", "<22>c"]),
            ("7 <22>a\nb\n<22>c\r\n5 <22>d", &["<22>a", "<22>c", "<22>d"]),
            ("<22>a", &["<22>a"]),
            ("8 <22>a b\n\n\n5 <22>c", &["<22>a b", "<22>c"]),
            ("2026-11-21T07:44:14Z mx dovecot: x\n", &["2026-11-21T07:44:14Z mx dovecot: x"]),
            ("0 1 a", &["a"]),
            ("99999999999 a\nb\n", &["99999999999 a", "b"]),
            ("500 short", &["short"]),
        ];
        for (text, wanted) in cases {
            assert_eq!(cut(&[text.as_bytes()]).0, wanted, "{text:?}");
        }
    }

    #[test]
    fn a_long_message_is_cut_and_the_next_is_whole() {
        let long = "x".repeat(3 * LINE_BYTES_MAX);
        let counted = format!("{} {long}5 <22>c", long.len());
        for text in [format!("{long}\n<22>c\n"), counted] {
            let (found, count) = cut(&[text.as_bytes()]);
            assert_eq!((found.len(), found[0].len(), found[1].as_str(), count), (2, LINE_BYTES_MAX, "<22>c", 1));
        }
    }

    proptest! {
        #[test]
        fn it_makes_no_difference_how_the_bytes_come(
            text in "([0-9]{1,3} |<22>|[a-z]|\n|\r){0,60}",
            size in 1..9usize,
        ) {
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            prop_assert_eq!(cut(&pieces), cut(&[text.as_bytes()]));
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            cut(&[&bytes]);
        }
    }
}
