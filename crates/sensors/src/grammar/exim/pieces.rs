//! Lines that Exim cuts before it gives them to syslog: each piece but the last has exactly 870 bytes (`MAX_SYSLOG_LEN` in its
//! `log.c`), and begins with its number and how many there are, `[1/2] `; one that a line break ends has a backslash for the
//! slash. A piece of another length was cut once more on its way, perhaps within an address: nothing is put behind it.

use core::time::Duration;

use base::Timestamp;

use super::super::parts::Recent;
use crate::frame::Frame;
use crate::text::{digits, rsplit};

/// How many lines are remembered whose pieces have not all come.
const LINES_MAX: usize = 64;

/// Most pieces of a line that are put together: 27 KiB, more than Exim writes of any client.
const PIECES_MAX: u16 = 32;

/// How long a piece is that another follows, if no line break ends it.
const PIECE_BYTES: usize = 870;

/// How long the pieces of a line follow each other: Exim writes all of them at once.
const PIECES_LIFE: Duration = Duration::from_secs(2);

/// Lines of which the first pieces have come, by process; where lines do not tell their process, by host.
pub(super) struct Pieces {
    lines: Recent<Line>,
}

struct Line {
    /// When the first piece was written; of lines that cannot be told apart, the last.
    time: Timestamp,
    text: String,
    /// The number of the last piece, and how many there are; 0 where pieces of several lines came among each other.
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
    /// Takes the message of a line. Where pieces are missing, or were cut, the rest of the line is nothing. Without the number of
    /// the process, pieces belong together if each directly follows the one before it, no other piece is near, and no address is
    /// cut: even if pieces were lost so that two lines met, the address is one that stands in a line.
    pub(super) fn take(&mut self, frame: &Frame<'_>, time: Timestamp) -> Piece {
        let numbered = numbered(frame.message);
        if numbered.is_none() && (frame.pid.is_some() || self.lines.is_empty()) {
            return Piece::None;
        }
        // No process has the number 0.
        let key = Recent::<Line>::key(frame.host, "", frame.pid.unwrap_or(0));
        let before = self.lines.remove(key).filter(|line| time.since(line.time) <= PIECES_LIFE);
        let Some((number, is_end, all, rest)) = numbered else {
            if before.is_some() {
                self.mix_up(key, time);
            }
            return Piece::None;
        };
        let line = match before {
            Some(line) if line.all == all && line.last + 1 == number => Some(line),
            Some(_) if frame.pid.is_none() => None,
            _ if number == 1 => Some(Line { time, text: String::new(), last: 0, all }),
            _ => None,
        };
        let is_last = is_end || number == all;
        let is_whole = rest.len() == PIECE_BYTES && number < PIECES_MAX;
        let is_complete = is_last || is_whole && (frame.pid.is_some() || !ends_in_address(rest));
        if frame.pid.is_none() && (line.is_none() || !is_complete || number < all && is_last) {
            self.mix_up(key, time);
        }
        let Some(mut line) = line.filter(|_| is_complete) else { return Piece::Kept };
        line.text.push_str(rest);
        line.last = number;
        // What stands behind a line break is no part of the line.
        if is_last {
            return Piece::Whole(line.text);
        }
        self.lines.insert(key, line);
        Piece::Kept
    }

    /// From now on, pieces of this host may be of several lines, until none has come for a while.
    fn mix_up(&mut self, key: u64, time: Timestamp) {
        self.lines.insert(key, Line { time, text: String::new(), last: 0, all: 0 });
    }
}

/// Whether an address in brackets may go on behind the text.
fn ends_in_address(text: &str) -> bool {
    let (_, inside) = rsplit(text, "[").unwrap_or(("", "x"));
    inside.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':'))
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

#[cfg(test)]
mod tests {
    use base::Timestamp;
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    use super::*;
    use crate::grammar::tests::shown;
    use crate::{Reader, Timing};

    /// The events of lines, each without its stamp, host and `exim`, behind the second in which it was written.
    fn events(lines: &[(u64, String)]) -> String {
        let mut reader = Reader::new(TimeZone::UTC, Timing::Replay);
        let mut texts = Vec::new();
        for (second, line) in lines {
            let line = format!("Nov 21 07:44:{second:02} mx exim{line}");
            reader.read(line.as_bytes(), Timestamp::from_secs(1_795_247_055), &mut |event| texts.push(shown(&event)));
        }
        texts.join(" + ")
    }

    /// Pieces of a line as Exim cuts it (`write_syslog()` in its `log.c`).
    fn cut(text: &str) -> Vec<String> {
        let pieces: Vec<_> = text.as_bytes().chunks(PIECE_BYTES).collect();
        let all = pieces.len();
        let number = |(at, piece): (usize, &&[u8])| format!("[{}/{all}] {}", at + 1, String::from_utf8_lossy(piece));
        pieces.iter().enumerate().map(number).collect()
    }

    /// A failure of a client whose HELO is so long that the line is cut `before` bytes before the end of its address.
    fn failure(address: &str, before: usize) -> String {
        let beginning = "login authenticator failed for (";
        let helo = "x".repeat(PIECE_BYTES + before - beginning.len() - ") [".len() - address.len());
        format!("{beginning}{helo}) [{address}]: 535 Incorrect authentication data (set_id=alice)")
    }

    /// The second in which a line came, what stands behind `exim`, and the text.
    type Come<'a> = (u64, &'a str, &'a str);

    const FOUND: &str = "login-failed smtp front 1 203.0.113.5 alice -";

    #[test]
    fn pieces_that_certainly_belong_together_are_joined() {
        let [one, other, parted] = [("203.0.113.5", 12), ("198.51.100.93", 1), ("203.0.113.5", 5)]
            .map(|(address, before)| <[String; 2]>::try_from(cut(&failure(address, before))).unwrap());
        let [one, other, parted] = [&one, &other, &parted].map(|pieces| [pieces[0].as_str(), pieces[1].as_str()]);
        let [one_cut, other_cut] = [one, other].map(|pieces| &pieces[0][..pieces[0].len() - 1]);
        let completed = "1Unmew-0000ea-SE Completed";
        let cases: [(&[Come<'_>], &str); 16] = [
            (&[(1, "[7]: ", one[0]), (1, "[7]: ", one[1])], FOUND),
            (&[(1, "[7]: ", parted[0]), (1, "[7]: ", parted[1])], FOUND),
            (&[(1, "[7]: ", one[0]), (1, "[8]: ", other[0]), (1, "[7]: ", one[1])], FOUND),
            (&[(1, "[7]: ", one[0]), (4, "[7]: ", one[1])], ""),
            // Cut once more on their way.
            (&[(1, "[7]: ", one_cut), (1, "[7]: ", one[1])], ""),
            (&[(1, "[7]: ", other_cut), (1, "[7]: ", other[1])], ""),
            // Nobody knows whose these are, if not by their order.
            (&[(1, ": ", one[0]), (1, ": ", one[1])], FOUND),
            (&[(1, ": ", one[0]), (2, ": ", one[1])], FOUND),
            (&[(1, ": ", parted[0]), (1, ": ", parted[1])], ""),
            (&[(1, ": ", one_cut), (1, ": ", one[1])], ""),
            (&[(1, ": ", one[0]), (1, ": ", other[0]), (1, ": ", one[1]), (1, ": ", other[1])], ""),
            (&[(1, ": ", one[0]), (1, ": ", other[0]), (1, ": ", other[1]), (1, ": ", one[1])], ""),
            (&[(1, ": ", one[0]), (1, ": ", completed), (1, ": ", other[0]), (1, ": ", one[1])], ""),
            (&[(1, ": ", one[1]), (1, ": ", one[0]), (1, ": ", other[1])], ""),
            (&[(1, ": ", "[1\\2] x"), (1, ": ", other[0]), (1, ": ", one[1])], ""),
            (&[(1, ": ", one[0]), (1, ": ", other[0]), (5, ": ", one[0]), (5, ": ", one[1])], FOUND),
        ];
        for (lines, wanted) in cases {
            let lines: Vec<_> = lines.iter().map(|(second, tag, text)| (*second, format!("{tag}{text}"))).collect();
            assert_eq!(events(&lines), wanted, "{lines:#?}");
        }
    }

    proptest! {
        /// Lines of several clients, of which pieces are lost, cut and mixed on their way, name nobody who is none of them.
        #[test]
        fn no_way_of_losing_pieces_makes_an_address(
            lines in prop::collection::vec((0..4usize, 0..16usize), 1..6),
            order in prop::collection::vec((any::<prop::sample::Index>(), 0..9usize, any::<bool>()), 0..12),
            has_pid in any::<bool>(),
        ) {
            const CLIENTS: [&str; 4] = ["203.0.113.55", "198.51.100.93", "192.0.2.111", "233.252.0.7"];
            let tag = |at: usize| if has_pid { format!("[{}]: ", at + 7) } else { ": ".to_owned() };
            let mut pieces: Vec<(usize, String)> = Vec::new();
            for (at, (client, before)) in lines.iter().enumerate() {
                pieces.extend(cut(&failure(CLIENTS[*client], *before)).into_iter().map(|piece| (at, piece)));
            }
            let mut come = Vec::new();
            for (piece, lost, is_last) in &order {
                if pieces.is_empty() {
                    break;
                }
                let at = if *is_last { 0 } else { piece.index(pieces.len()) };
                let (line, piece) = pieces.remove(at);
                // A third are lost, a third are cut.
                match lost % 3 {
                    0 => {}
                    1 => come.push((1, format!("{}{piece}", tag(line)))),
                    _ => come.push((1, format!("{}{}", tag(line), &piece[..piece.len() - lost / 3 - 1]))),
                }
            }
            for event in events(&come).split(" + ").filter(|event| !event.is_empty()) {
                prop_assert!(CLIENTS.iter().any(|client| event.contains(&format!(" {client} "))), "{event} of {come:#?}");
            }
        }
    }
}
