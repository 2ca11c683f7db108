//! The stamp and host of the line before: lines of one host and one second follow each other, and to compare them costs a
//! tenth of reading them again.

use super::{Parts, Stamp, program, stamp, token};

/// Longest stamp and host that are remembered, in bytes.
const HEAD_BYTES_MAX: usize = 96;

/// What stood before the tag of the last line that had a stamp of syslog's forms and a host.
#[derive(Clone, Debug)]
pub(crate) struct Before {
    head: [u8; HEAD_BYTES_MAX],
    /// How many bytes the head has; 0 if nothing is remembered.
    length: usize,
    /// Where the host begins in it.
    host: usize,
    time: Stamp,
    /// How many heads were remembered before it, and it.
    turn: u64,
}

impl Default for Before {
    fn default() -> Self {
        Self { head: [0; HEAD_BYTES_MAX], length: 0, host: 0, time: Stamp::Missing, turn: 0 }
    }
}

impl Before {
    /// The parts of a line that begins as the last did and goes on with a tag.
    #[expect(clippy::inline_always, reason = "done for every line; what is taken apart is not copied")]
    #[inline(always)]
    pub(super) fn goes_on<'a>(&self, line: &'a [u8]) -> Option<Parts<'a>> {
        let (head, rest) = line.split_at_checked(self.length)?;
        if self.length == 0 || self.head.get(..self.length)? != head {
            return None;
        }
        // The host's own end is a space.
        let (host, bare) = (head.get(self.host..self.length - 1)?, line.get(self.host..)?);
        let (tag, end) = token(rest)?;
        let parts = Parts { time: self.time, host, program: tag, pid: None, message: b"", turn: self.turn, bare };
        if end == b' ' { None } else { program(parts, rest) }
    }

    /// Remembers the head of a line that was taken apart. Of the many forms of stamps only those two are remembered that
    /// no later byte of the line can turn into another.
    #[inline(never)]
    pub(super) fn remember(&mut self, line: &[u8], parts: &Parts<'_>) {
        let host = line.len() - parts.bare.len();
        let length = host + parts.host.len() + 1;
        let head = line.get(..length).filter(|head| !parts.host.is_empty() && head.ends_with(b" "));
        let (Some(head), true) = (head, stamp::is_syslog(line)) else { return };
        let Some(room) = self.head.get_mut(..length) else { return };
        room.copy_from_slice(head);
        (self.length, self.host, self.time, self.turn) = (length, host, parts.time, self.turn + 1);
    }
}
