//! Bytes to lines, with bounded memory.

use base::limits::LINE_BYTES_MAX;
use memchr::memchr_iter;

/// How much is read at once, in bytes: few system calls in a backlog, and yet in the second-level cache.
pub const CHUNK_BYTES: usize = 256 * 1024;

/// Collects bytes and gives them out in whole lines.
///
/// Bytes go in by [`space`](Self::space) and [`take`](Self::take); as soon as a newline is there, the whole lines
/// are [`lines`](Self::lines), until the next `space`. The rest waits for its newline. Of a line longer than
/// [`LINE_BYTES_MAX`] only the beginning is kept; it is one line nevertheless, whole when its newline comes.
#[derive(Debug)]
pub struct LineBuffer {
    bytes: Box<[u8]>,
    /// How many of the bytes are in use.
    filled: usize,
    /// How many of these, from the first, are whole lines.
    whole: usize,
    /// Where these end: the places of their newlines, and of the end where the last has none.
    ends: Vec<u32>,
    /// How many bytes of the first line were dropped because it is too long.
    dropped: u64,
    /// Whether the first line began before the first byte, so that it is none.
    is_torn: bool,
}

impl Default for LineBuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl LineBuffer {
    /// An empty buffer.
    pub fn new() -> Self {
        let bytes = vec![0; LINE_BYTES_MAX + CHUNK_BYTES].into_boxed_slice();
        Self { bytes, filled: 0, whole: 0, ends: Vec::new(), dropped: 0, is_torn: false }
    }

    /// Forgets everything. `is_torn` says that what comes next begins within a line, which is then passed over.
    pub fn clear(&mut self, is_torn: bool) {
        self.filled = 0;
        self.whole = 0;
        self.ends.clear();
        self.dropped = 0;
        self.is_torn = is_torn;
    }

    /// Room for the next bytes, at least [`CHUNK_BYTES`]. Ends the lines that were given out.
    pub fn space(&mut self) -> &mut [u8] {
        if self.whole > 0 {
            self.bytes.copy_within(self.whole..self.filled, 0);
            self.filled -= self.whole;
            self.whole = 0;
            self.ends.clear();
            self.dropped = 0;
            self.is_torn = false;
        }
        if self.filled > LINE_BYTES_MAX {
            self.dropped += (self.filled - LINE_BYTES_MAX) as u64;
            self.filled = LINE_BYTES_MAX;
        }
        &mut self.bytes[self.filled..]
    }

    /// Takes the first `count` bytes of the room that [`space`](Self::space) gave; whether there are lines now.
    pub fn take(&mut self, count: usize) -> bool {
        let end = (self.filled + count).min(self.bytes.len());
        let newlines = memchr_iter(b'\n', &self.bytes[self.filled..end]);
        self.ends.clear();
        self.ends.extend(newlines.map(|at| (self.filled + at) as u32));
        self.whole = self.ends.last().map_or(0, |at| *at as usize + 1);
        self.filled = end;
        self.whole > 0
    }

    /// Makes a line of what waits for its newline, where none will come; whether there was something.
    pub fn finish(&mut self) -> bool {
        self.space();
        self.whole = self.filled;
        self.ends.extend((self.whole > 0).then_some(self.whole as u32));
        self.whole > 0
    }

    /// Puts what waits for its newline behind whole lines into the empty buffer `next`, which goes on from there.
    pub fn hand_on(&mut self, next: &mut Self) {
        let rest = &self.bytes[self.whole..self.filled];
        next.clear(false);
        next.bytes[..rest.len()].copy_from_slice(rest);
        next.filled = rest.len();
        self.filled = self.whole;
    }

    /// The whole lines.
    pub fn lines(&self) -> Lines<'_> {
        let mut lines = Lines { bytes: &self.bytes[..self.whole], begin: 0, ends: self.ends.iter() };
        if self.is_torn {
            lines.next();
        }
        lines
    }

    /// How many lines [`lines`](Self::lines) gives.
    pub fn count(&self) -> u64 {
        self.lines().ends.len() as u64
    }

    /// How many bytes of the source the whole lines stand for, with what was dropped of the first.
    pub const fn done(&self) -> u64 {
        if self.whole > 0 { self.whole as u64 + self.dropped } else { 0 }
    }

    /// How many bytes of the source were taken beyond the whole lines.
    pub const fn waiting(&self) -> u64 {
        if self.whole > 0 { (self.filled - self.whole) as u64 } else { self.filled as u64 + self.dropped }
    }
}

/// The lines of a batch, without their newlines (`\n`, `\r\n`), each at most [`LINE_BYTES_MAX`] bytes.
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    bytes: &'a [u8],
    /// Where the next line begins.
    begin: usize,
    ends: core::slice::Iter<'a, u32>,
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let end = *self.ends.next()? as usize;
        let line = self.bytes.get(self.begin..end)?;
        self.begin = end + 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Some(&line[..line.len().min(LINE_BYTES_MAX)])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What lines `text` has when it is put in by pieces of the sizes of `pieces` in turn, and the bytes that were done.
    fn through(text: &[u8], pieces: &[usize], is_torn: bool) -> (Vec<Vec<u8>>, u64) {
        let mut buffer = LineBuffer::new();
        buffer.clear(is_torn);
        let (mut rest, mut lines, mut done) = (text, Vec::new(), 0);
        for size in pieces.iter().cycle() {
            let space = buffer.space();
            let count = (*size).min(rest.len()).min(space.len());
            space[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            if buffer.take(count) {
                assert_eq!(buffer.lines().count() as u64, buffer.count());
                lines.extend(buffer.lines().map(<[u8]>::to_vec));
                done += buffer.done();
            }
            assert_eq!(done + buffer.waiting(), (text.len() - rest.len()) as u64);
            if rest.is_empty() {
                break;
            }
        }
        (lines, done)
    }

    /// The same, by hand.
    fn naive(text: &[u8], is_torn: bool) -> (Vec<Vec<u8>>, u64) {
        let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let whole = &text[..end];
        let lines = whole.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let count = memchr_iter(b'\n', whole).count();
        let cut =
            lines.take(count).skip(usize::from(is_torn)).map(|line| line[..line.len().min(LINE_BYTES_MAX)].to_vec());
        (cut.collect(), end as u64)
    }

    proptest! {
        #[test]
        fn lines_are_those_of_a_naive_split(
            lines in prop::collection::vec((prop_oneof![0..9usize, Just(LINE_BYTES_MAX - 1), Just(LINE_BYTES_MAX), Just(LINE_BYTES_MAX + 1), Just(3 * LINE_BYTES_MAX)], any::<bool>()), 0..6),
            rest in 0..9usize,
            pieces in prop::collection::vec(prop_oneof![1..9usize, Just(1000), Just(CHUNK_BYTES)], 1..4),
            is_torn: bool,
        ) {
            let mut text = Vec::new();
            for (at, (length, is_dos)) in lines.iter().enumerate() {
                text.extend((0..*length).map(|_| b'a' + at as u8));
                text.extend(if *is_dos { &b"\r\n"[..] } else { b"\n" });
            }
            text.extend(vec![b'z'; rest]);
            // Small pieces of long texts would take long and show nothing more.
            let pieces = if text.len() > 10_000 { vec![CHUNK_BYTES, 7, 4096] } else { pieces };
            prop_assert_eq!(through(&text, &pieces, is_torn), naive(&text, is_torn));
        }
    }

    #[test]
    fn the_end_may_lack_its_newline() {
        let mut buffer = LineBuffer::new();
        buffer.space()[..5].copy_from_slice(b"a\nb\rc");
        assert!(buffer.take(5));
        assert_eq!(buffer.lines().collect::<Vec<_>>(), [b"a"]);
        assert!(buffer.finish());
        assert_eq!((buffer.lines().collect::<Vec<_>>(), buffer.count()), (vec![&b"b\rc"[..]], 1));
        assert!(!buffer.finish());
    }
}
