use super::Fault;

/// Longest line with a chunk's size and its extensions, or of a trailer, in bytes.
const LINE_BYTES_MAX: usize = 1024;
/// Longest trailers together, in bytes.
const TRAILER_BYTES_MAX: usize = 4096;

/// Decodes a chunked body (RFC 9112 section 7.1) in place: the decoded bytes move to the front of the body, right behind
/// the head, and what follows moves after them. So the input never grows beyond head, body and one read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunked {
    /// Where the body begins.
    begin: usize,
    /// Behind the last decoded byte; raw bytes that were not looked at yet begin here, too.
    end: usize,
    /// How far the current line was searched for its end.
    searched: usize,
    /// Bytes of trailers that were read and dropped.
    trailers: usize,
    /// Longest body after decoding, in bytes.
    max: usize,
    part: Part,
}

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    /// The line with a chunk's size.
    Size,
    /// So many bytes of a chunk.
    Data(usize),
    /// The line end behind a chunk.
    DataEnd,
    /// Trailer lines, up to an empty one.
    Trailer,
}

impl Chunked {
    pub(super) const fn new(begin: usize, max: usize) -> Self {
        Self { begin, end: begin, searched: 0, trailers: 0, max, part: Part::Size }
    }

    /// Decodes what is there of `bytes`, which begin with the head.
    ///
    /// Returns how many bytes are left of them, and the end of the body once it is whole: what lies behind it is the
    /// next request's.
    pub(super) fn decode(&mut self, bytes: &mut [u8]) -> Result<(usize, Option<usize>), Fault> {
        let mut raw = self.end;
        let whole = loop {
            if let Part::Data(wanted) = self.part {
                let here = wanted.min(bytes.len() - raw);
                bytes.copy_within(raw..raw + here, self.end);
                raw += here;
                self.end += here;
                self.part = if here == wanted { Part::DataEnd } else { Part::Data(wanted - here) };
                if here < wanted {
                    break false;
                }
                continue;
            }
            let Some(line) = self.line(&bytes[raw..])? else { break false };
            let text = &bytes[raw..raw + line];
            raw += line;
            if self.take_line(text)? {
                break true;
            }
        };
        bytes.copy_within(raw.., self.end);
        let left = bytes.len() - (raw - self.end);
        Ok((left, whole.then_some(self.end)))
    }

    /// The length of the line at the beginning of `rest` with its end, if it is there whole.
    fn line(&mut self, rest: &[u8]) -> Result<Option<usize>, Fault> {
        match rest[self.searched..].iter().position(|&b| b == b'\n') {
            Some(at) if self.searched + at < LINE_BYTES_MAX => {
                let length = self.searched + at + 1;
                self.searched = 0;
                Ok(Some(length))
            }
            None if rest.len() < LINE_BYTES_MAX => {
                self.searched = rest.len();
                Ok(None)
            }
            Some(_) | None => Err(Fault::Malformed),
        }
    }

    /// Takes one line; true if it ends the body.
    fn take_line(&mut self, line: &[u8]) -> Result<bool, Fault> {
        let text = line.strip_suffix(b"\r\n").ok_or(Fault::Malformed)?;
        match self.part {
            Part::Size => {
                let size = chunk_size(text)?;
                if size > self.max - (self.end - self.begin) {
                    return Err(Fault::BodyTooLarge);
                }
                self.part = if size == 0 { Part::Trailer } else { Part::Data(size) };
                Ok(false)
            }
            Part::DataEnd if text.is_empty() => {
                self.part = Part::Size;
                Ok(false)
            }
            Part::Data(_) | Part::DataEnd => Err(Fault::Malformed),
            Part::Trailer => {
                self.trailers += line.len();
                if self.trailers > TRAILER_BYTES_MAX { Err(Fault::HeadTooLarge) } else { Ok(text.is_empty()) }
            }
        }
    }
}

/// The size in hexadecimal digits; extensions behind `;` are dropped.
fn chunk_size(text: &[u8]) -> Result<usize, Fault> {
    let digits = text.split(|&b| b == b';').next().unwrap_or_default().trim_ascii_end();
    if digits.is_empty() {
        return Err(Fault::Malformed);
    }
    digits.iter().try_fold(0_usize, |sum, &digit| {
        let value = char::from(digit).to_digit(16).ok_or(Fault::Malformed)?;
        Ok(sum.saturating_mul(16).saturating_add(value as usize))
    })
}
