use core::ops::Range;

/// Least space that a read is given, in bytes.
const READ_BYTES_MIN: usize = 1024;

/// What a client has sent and nobody has used yet: memory that is reused, grows by doubling up to a limit, and is given
/// back after a long request.
#[derive(Debug)]
pub(crate) struct Input {
    /// The memory; `unread` says which part of it is in use.
    bytes: Vec<u8>,
    unread: Range<usize>,
    /// Its usual size.
    usual: usize,
    /// The size that it never goes beyond, except for the space of one read.
    max: usize,
}

impl Input {
    /// An empty one. Whoever uses it never leaves as much as `max` bytes unread: it has answered or failed by then.
    pub(crate) fn new(usual: usize, max: usize) -> Self {
        Self { bytes: vec![0; usual], unread: 0..0, usual, max }
    }

    /// Where the next bytes shall be read to; never empty.
    pub(crate) fn space(&mut self) -> &mut [u8] {
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
    pub(crate) fn filled(&mut self, count: usize) {
        self.unread.end = (self.unread.end + count).min(self.bytes.len());
    }

    /// What nobody has used yet.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.bytes[self.unread.clone()]
    }

    /// The same, for decoding in place; see [`Input::keep`].
    pub(crate) fn unread_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.unread.clone()]
    }

    /// Only the first `count` unread bytes are left after decoding in place.
    pub(crate) fn keep(&mut self, count: usize) {
        self.unread.end = (self.unread.start + count).min(self.unread.end);
    }

    /// The first `count` unread bytes are used.
    pub(crate) fn consume(&mut self, count: usize) {
        self.unread.start = (self.unread.start + count).min(self.unread.end);
    }

    /// Whether everything is used.
    pub(crate) fn is_empty(&self) -> bool {
        self.unread.is_empty()
    }
}
