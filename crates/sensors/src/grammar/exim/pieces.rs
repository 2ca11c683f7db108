//! Lines that Exim cuts before it gives them to syslog: each piece has at most 870 bytes (`MAX_SYSLOG_LEN` in its `log.c`), and
//! begins with its number and how many there are, `[1/2] `; one that a line break ends has a backslash for the slash.

use core::time::Duration;

use base::Timestamp;

use super::super::parts::Recent;
use crate::frame::Frame;
use crate::text::digits;

/// How many lines are remembered whose pieces have not all come.
const LINES_MAX: usize = 64;

/// Most pieces of a line that are put together: 27 KiB, more than Exim writes of any client.
const PIECES_MAX: u16 = 32;

/// Longest piece that is kept, in bytes: no longer one is Exim's.
const PIECE_BYTES_MAX: usize = 1024;

/// How long the pieces of a line follow each other: Exim writes all of them at once.
const PIECES_LIFE: Duration = Duration::from_secs(2);

/// Lines of which the first pieces have come, by process.
pub(super) struct Pieces {
    lines: Recent<Line>,
}

struct Line {
    /// When the first piece was written.
    time: Timestamp,
    text: String,
    /// The number of the last piece, and how many there are.
    last: u16,
    all: u16,
}

/// What a message is.
pub(super) enum Piece {
    /// A whole line.
    None,
    /// A piece, and not the last: it is kept.
    Kept,
    /// The last piece of this line.
    Whole(String),
}

impl Default for Pieces {
    fn default() -> Self {
        Self { lines: Recent::new(LINES_MAX) }
    }
}

impl Pieces {
    /// Takes the message of a line. Without the number of the process nobody knows which pieces belong together: then, and where
    /// one is missing, the rest of the line is nothing.
    pub(super) fn take(&mut self, frame: &Frame<'_>, time: Timestamp) -> Piece {
        let Some((number, is_end, all, rest)) = numbered(frame.message) else { return Piece::None };
        let Some(pid) = frame.pid else { return Piece::Kept };
        let key = Recent::<Line>::key(frame.host, "", pid);
        let before = self
            .lines
            .remove(key)
            .filter(|line| line.all == all && line.last + 1 == number && time.since(line.time) <= PIECES_LIFE);
        let mut line = match before {
            Some(line) => line,
            None if number == 1 => Line { time, text: String::new(), last: 0, all },
            None => return Piece::Kept,
        };
        line.text.push_str(rest);
        line.last = number;
        // What stands behind a line break is no part of the line.
        if is_end || number == all {
            return Piece::Whole(line.text);
        }
        if number < PIECES_MAX && rest.len() <= PIECE_BYTES_MAX {
            self.lines.insert(key, line);
        }
        Piece::Kept
    }
}

/// The number, whether a line break follows, how many there are, and the text of `[1/2] TEXT`.
fn numbered(text: &str) -> Option<(u16, bool, u16, &str)> {
    let (number, rest) = digits(text.strip_prefix('[')?)?;
    let (is_end, rest) = match rest.strip_prefix('\\') {
        Some(rest) => (true, rest),
        None => (false, rest.strip_prefix('/')?),
    };
    let (all, rest) = digits(rest)?;
    let (number, all) = (number.parse().ok()?, all.parse().ok()?);
    (1 <= number && number <= all).then_some((number, is_end, all, rest.strip_prefix("] ")?))
}
