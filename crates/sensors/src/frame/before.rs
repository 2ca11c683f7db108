//! The stamp and host of the line before: lines of one host and one hour follow each other, and to compare them costs a
//! tenth of reading them again.

use core::ops::Range;

use super::{Parts, Stamp, program, stamp, token};
use crate::words;

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
    /// Where minute, second and fraction stand in it; empty if that is not known.
    within: Range<usize>,
    /// The time without these.
    hour: Stamp,
    /// How many heads were remembered before it, and it.
    turn: u64,
}

impl Default for Before {
    fn default() -> Self {
        let (time, hour) = (Stamp::Missing, Stamp::Missing);
        Self { head: [0; HEAD_BYTES_MAX], length: 0, host: 0, time, within: 0..0, hour, turn: 0 }
    }
}

impl Before {
    /// The parts of a line that begins as the last did and goes on with a tag.
    #[expect(clippy::inline_always, reason = "done for every line; what is taken apart is not copied")]
    #[inline(always)]
    pub(super) fn goes_on<'a>(&mut self, line: &'a [u8]) -> Option<Parts<'a>> {
        let (head, rest) = line.split_at_checked(self.length)?;
        if self.length == 0 || !words::is_same(self.head.get(..self.length)?, head) && self.moves_to(head).is_none() {
            return None;
        }
        // What is no tag's first letter is read as if nothing were remembered.
        if rest.first().is_none_or(|first| *first <= b' ') {
            return None;
        }
        // The host's own end is a space.
        let (host, bare) = (head.get(self.host..self.length - 1)?, line.get(self.host..)?);
        let (tag, end) = token(rest)?;
        let parts = Parts { time: self.time, host, program: tag, pid: None, message: b"", turn: self.turn, bare };
        if end == b' ' { None } else { program(parts, rest) }
    }

    /// Remembers `head`, as long as the one that is remembered, if nothing but the minute, the second or the fraction tells it
    /// from that.
    #[inline(never)]
    fn moves_to(&mut self, head: &[u8]) -> Option<()> {
        let shown = head.get(self.within.clone())?;
        let room = self.head.get_mut(..self.length)?;
        let is_same = head.get(..self.within.start)? == room.get(..self.within.start)?
            && head.get(self.within.end..)? == room.get(self.within.end..)?;
        let time = if is_same { self.hour.later(stamp::within_hour(shown)?)? } else { return None };
        room.get_mut(self.within.clone())?.copy_from_slice(shown);
        (self.time, self.turn) = (time, self.turn + 1);
        Some(())
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
        // Both forms have the hour before the first colon.
        let within = head.iter().position(|byte| *byte == b':').map_or(0..0, |at| stamp::minute(head, at + 1));
        let shown = head.get(within.clone()).and_then(stamp::within_hour);
        (self.within, self.hour) = match shown.and_then(|shown| parts.time.earlier(shown)) {
            Some(hour) => (within, hour),
            None => (0..0, Stamp::Missing),
        };
    }
}
