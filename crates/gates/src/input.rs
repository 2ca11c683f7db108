use core::ops::Range;

use memchr::{memchr, memmem};

/// Least space that a read is given, in bytes.
const READ_BYTES_MIN: usize = 1024;

/// What a client has sent and nobody has used yet: memory that is reused, grows by doubling up to a limit, and is given
/// back after a long request.
#[derive(Debug)]
pub struct Input {
    /// The memory; `unread` says which part of it is in use.
    bytes: Vec<u8>,
    unread: Range<usize>,
    /// How many unread bytes are known to hold no end of a frame, so that one that comes byte by byte costs linear time.
    searched: usize,
    /// How many of the bytes to come are used already.
    passed_over: usize,
    /// Its usual size.
    usual: usize,
    /// The size that it never goes beyond, except for the space of one read.
    max: usize,
}

/// What stands at the front of an input whose frames have an end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Frame {
    /// A frame of so many bytes, without its end.
    Whole(usize),
    /// The beginning of one.
    Part,
    /// One that is longer than allowed.
    TooLong,
}

impl Input {
    /// An empty one. Whoever uses it never leaves as much as `max` bytes unread: it has answered or failed by then.
    pub fn new(usual: usize, max: usize) -> Self {
        Self { bytes: vec![0; usual], unread: 0..0, searched: 0, passed_over: 0, usual, max }
    }

    /// Where the next bytes shall be read to; never empty.
    pub fn space(&mut self) -> &mut [u8] {
        if self.unread.is_empty() {
            self.unread = 0..0;
            // One long request shall not hold its memory for the life of the connection.
            if self.bytes.len() > self.usual {
                self.bytes.truncate(self.usual);
                self.bytes.shrink_to_fit();
            }
        } else if self.bytes.len() - self.unread.end < READ_BYTES_MIN {
            self.bytes.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
            if self.bytes.len() - self.unread.end < READ_BYTES_MIN {
                // Doubling, so that a long request costs linear time.
                let wanted = (self.bytes.len() * 2).min(self.max).max(self.unread.end + READ_BYTES_MIN);
                self.bytes.resize(wanted, 0);
            }
        }
        &mut self.bytes[self.unread.end..]
    }

    /// So many bytes were read to [`Input::space`].
    pub fn filled(&mut self, count: usize) {
        self.unread.end = (self.unread.end + count).min(self.bytes.len());
        if self.passed_over > 0 {
            self.pass_over(self.passed_over);
        }
    }

    /// What nobody has used yet.
    pub fn unread(&self) -> &[u8] {
        &self.bytes[self.unread.clone()]
    }

    /// The same, where it is all that stands between the frames taken and those to come.
    pub fn carried(&self) -> Option<&[u8]> {
        (self.passed_over == 0).then(|| self.unread())
    }

    /// The same, for decoding in place; see [`Input::keep`].
    pub fn unread_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.unread.clone()]
    }

    /// Only the first `count` unread bytes are left after decoding in place.
    pub fn keep(&mut self, count: usize) {
        self.unread.end = (self.unread.start + count).min(self.unread.end);
    }

    /// The first `count` unread bytes are used.
    pub fn consume(&mut self, count: usize) {
        self.unread.start = (self.unread.start + count).min(self.unread.end);
        self.searched = 0;
    }

    /// The same of bytes that need not have come yet.
    pub fn pass_over(&mut self, count: usize) {
        let here = count.min(self.unread.len());
        self.consume(here);
        self.passed_over = count - here;
    }

    /// Looks for the frame at the front, which `end` ends, and of which `max` bytes are allowed.
    pub fn frame(&mut self, end: &[u8], max: usize) -> Frame {
        match self.find(end) {
            Some(length) if length <= max => Frame::Whole(length),
            None if self.unread.len() <= max => Frame::Part,
            Some(_) | None => Frame::TooLong,
        }
    }

    /// Drops everything up to the next `end` and that as well. False if it has not come: then all is dropped that cannot be
    /// the first part of it.
    pub fn drop_frame(&mut self, end: &[u8]) -> bool {
        let found = self.find(end);
        self.consume(found.map_or(self.searched, |length| length + end.len()));
        found.is_some()
    }

    fn find(&mut self, end: &[u8]) -> Option<usize> {
        let unread = &self.bytes[self.unread.clone()];
        let rest = &unread[self.searched..];
        let found = match end {
            [byte] => memchr(*byte, rest),
            _ => memmem::find(rest, end),
        };
        if found.is_none() {
            // The first part of the end may be there.
            self.searched = (unread.len() + 1).saturating_sub(end.len()).max(self.searched);
        }
        found.map(|at| self.searched + at)
    }

    /// Whether everything is used.
    pub fn is_empty(&self) -> bool {
        self.unread.is_empty() && self.passed_over == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with(input: &mut Input, bytes: &[u8]) {
        input.space()[..bytes.len()].copy_from_slice(bytes);
        input.filled(bytes.len());
    }

    #[test]
    fn what_is_passed_over_need_not_be_there() {
        let mut input = Input::new(8, 64);
        with(&mut input, b"abcd");
        input.pass_over(6);
        assert!(input.unread().is_empty() && !input.is_empty());
        with(&mut input, b"e");
        with(&mut input, b"fg");
        assert_eq!(input.unread(), b"g");
        input.consume(1);
        assert!(input.is_empty());
    }

    #[test]
    fn frames_have_a_longest() {
        let mut input = Input::new(64, 64);
        with(&mut input, b"abc\n");
        assert_eq!(input.frame(b"\n\n", 3), Frame::TooLong);
        assert!(!input.drop_frame(b"\n\n"));
        assert_eq!(input.unread(), b"\n", "the first half of an end is kept");
        with(&mut input, b"\nab\n\n");
        assert!(input.drop_frame(b"\n\n"));
        assert_eq!((input.frame(b"\n\n", 2), input.frame(b"\n\n", 1)), (Frame::Whole(2), Frame::TooLong));
    }

    proptest! {
        #[test]
        fn frames_are_found_however_they_come(bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'a')], 0..60), most in 1_usize..9, end in prop_oneof![Just(&b"\n"[..]), Just(&b"\n\n"[..])]) {
            let (mut input, mut found) = (Input::new(16, 64), Vec::new());
            for piece in bytes.chunks(most) {
                with(&mut input, piece);
                while let Frame::Whole(length) = input.frame(end, 64) {
                    found.push(input.unread()[..length].to_vec());
                    input.consume(length + end.len());
                }
            }
            let (mut wanted, mut rest) = (Vec::new(), &bytes[..]);
            while let Some(at) = rest.windows(end.len()).position(|window| window == end) {
                wanted.push(rest[..at].to_vec());
                rest = &rest[at + end.len()..];
            }
            prop_assert_eq!((found, input.unread()), (wanted, rest));
        }
    }
}
