//! From a line to its events: frame, time, and the grammar of the program.

use base::limits::LINE_BYTES_MAX;
use base::{Event, Timestamp};
use jiff::tz::TimeZone;

use crate::frame::{self, Clock, arrival};
use crate::grammar::{self, Grammar};

/// How the time of an event is chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timing {
    /// Lines are read as they are written: what is fresh happened now (see [`arrival`]).
    Live,
    /// An old log: an event happened when its line says, or when the last line with a time says.
    Replay,
}

/// What a reader has seen since it was made.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// Lines read.
    pub lines: u64,
    /// Events made of them.
    pub events: u64,
    /// Lines without a program tag.
    pub untagged: u64,
    /// Lines of programs that no grammar speaks for.
    pub foreign: u64,
    /// Lines of [`LINE_BYTES_MAX`] bytes and more, which were cut and mean nothing.
    pub too_long: u64,
    /// Lines that were not UTF-8; the bytes that are none were replaced.
    pub garbled: u64,
}

/// Reads the lines of one log.
pub struct Reader {
    grammars: Vec<Box<dyn Grammar>>,
    tags: Tags,
    clock: Clock,
    timing: Timing,
    last: Timestamp,
    counters: Counters,
}

impl Reader {
    /// A reader with every grammar, for a log whose stamps without offset are in `zone`.
    pub fn new(zone: TimeZone, timing: Timing) -> Self {
        Self {
            grammars: grammar::all(),
            tags: Tags::new(),
            clock: Clock::new(zone),
            timing,
            last: Timestamp::EPOCH,
            counters: Counters::default(),
        }
    }

    /// Reads one line, without its newline, and hands its events to `out`. `now` is the clock when live, and when the log
    /// was last written in a replay (it tells the year that some stamps lack).
    pub fn read(&mut self, line: &[u8], now: Timestamp, out: &mut dyn FnMut(Event<'_>)) {
        self.counters.lines += 1;
        if line.len() >= LINE_BYTES_MAX {
            // What is left of it is a beginning, and what a daemon writes at the end of a line is what tells its own
            // words from the client's.
            self.counters.too_long += 1;
            return;
        }
        match str::from_utf8(line) {
            Ok(line) => self.read_text(line, now, out),
            Err(_) => {
                self.counters.garbled += 1;
                self.read_text(&String::from_utf8_lossy(line), now, out);
            }
        }
    }

    fn read_text(&mut self, line: &str, now: Timestamp, out: &mut dyn FnMut(Event<'_>)) {
        let frame = frame::read(line);
        if frame.program.is_empty() {
            self.counters.untagged += 1;
            return;
        }
        let Some(grammar) = self.tags.grammar(frame.program, &self.grammars) else {
            self.counters.foreign += 1;
            return;
        };
        let stamp = self.clock.resolve(frame.time, now);
        let time = match self.timing {
            Timing::Live => arrival(now, stamp),
            Timing::Replay => stamp.unwrap_or(self.last),
        };
        self.last = time;
        let counters = &mut self.counters;
        if let Some(grammar) = self.grammars.get_mut(grammar) {
            grammar.read(&frame, time, &mut |event| {
                counters.events += 1;
                out(event);
            });
        }
    }

    /// What was seen so far.
    pub const fn counters(&self) -> Counters {
        self.counters
    }
}

/// Which grammar speaks for which program tag, remembered: a log has a few dozen tags, and asking every grammar for every
/// line would cost more than reading it. A tag that falls on another's place takes it, so that memory stays bounded.
struct Tags {
    slots: Box<[Slot; TAGS_MAX]>,
}

/// How many tags are remembered at once.
const TAGS_MAX: usize = 256;

/// Longest tag that is remembered, in bytes; grammars are asked about a longer one each time.
const TAG_BYTES_MAX: usize = 46;

#[derive(Clone, Copy)]
struct Slot {
    tag: [u8; TAG_BYTES_MAX],
    length: u8,
    /// The grammar by its place, or [`Slot::NOBODY`].
    grammar: u8,
}

impl Slot {
    const NOBODY: u8 = u8::MAX;
    const EMPTY: Self = Self { tag: [0; TAG_BYTES_MAX], length: 0, grammar: Self::NOBODY };
}

impl Tags {
    fn new() -> Self {
        Self { slots: Box::new([Slot::EMPTY; TAGS_MAX]) }
    }

    /// The place of the grammar that speaks for `program`.
    fn grammar(&mut self, program: &str, grammars: &[Box<dyn Grammar>]) -> Option<usize> {
        let tag = program.as_bytes();
        // Tags of one daemon differ in length, or in the first or last letters of the process.
        let letter =
            |from_end: usize| tag.len().checked_sub(from_end).and_then(|at| tag.get(at)).map_or(0, |&b| usize::from(b));
        let place = (tag.len() * 37 + letter(tag.len()) * 5 + letter(1) * 11 + letter(4) * 17) % TAGS_MAX;
        let slot = self.slots.get_mut(place)?;
        if slot.tag.get(..usize::from(slot.length)) == Some(tag) {
            return (slot.grammar != Slot::NOBODY).then_some(usize::from(slot.grammar));
        }
        let found = grammars.iter().position(|grammar| grammar.speaks(program));
        if let Some(room) = slot.tag.get_mut(..tag.len()) {
            room.copy_from_slice(tag);
            slot.length = tag.len() as u8;
            slot.grammar = found.map_or(Slot::NOBODY, |found| found as u8);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_remembered_rightly() {
        let grammars = grammar::all();
        let mut tags = Tags::new();
        let long = format!("{}/smtpd", "x".repeat(300));
        for _ in 0..3 {
            for (program, wanted) in [
                ("dovecot", Some("dovecot")),
                ("postfix/smtpd", Some("postfix")),
                ("postfix/qmgr", None),
                ("imap-login", Some("dovecot")),
                ("smtpd", None),
                ("/smtpd", None),
                (long.as_str(), Some("postfix")),
            ] {
                let got = tags.grammar(program, &grammars).map(|at| grammars[at].name());
                assert_eq!(got, wanted, "{program}");
            }
            for other in 0..5000 {
                assert_eq!(tags.grammar(&format!("p{other}"), &grammars), None);
            }
        }
    }

    #[test]
    fn times_live_and_replayed() {
        let lines = ["Nov 21 07:44:14", "Nov 21 07:44:12", "Nov 21 07:45:00", "nonsense"];
        let now = Timestamp::from_millis(1_795_247_055_500); // 07:44:15.5
        let cases = [(Timing::Live, [0, 3500, 0, 0]), (Timing::Replay, [1500, 3500, -44_500, -44_500])];
        for (timing, wanted) in cases {
            let mut reader = Reader::new(TimeZone::UTC, timing);
            for (stamp, ago) in lines.into_iter().zip(wanted) {
                let line = format!("{stamp} mx dovecot: imap-login: Login: user=<a>, rip=198.51.100.7");
                let line = if stamp == "nonsense" { &line["nonsense mx ".len()..] } else { &line };
                let mut time = None;
                reader.read(line.as_bytes(), now, &mut |event| time = Some(event.time));
                let got = time.map(|time| now.as_millis().cast_signed() - time.as_millis().cast_signed());
                assert_eq!(got, Some(ago), "{timing:?} {stamp}");
            }
        }
    }

    #[test]
    fn lines_are_counted_by_what_became_of_them() {
        let mut reader = Reader::new(TimeZone::UTC, Timing::Live);
        for line in [
            &b"dovecot: imap-login: Login: user=<a\xff>, rip=198.51.100.7"[..],
            b"dovecot: lmtp(alice): x",
            b"cron[7]: x",
            b"hello there friend",
        ] {
            reader.read(line, Timestamp::EPOCH, &mut |_| ());
        }
        assert_eq!(
            reader.counters(),
            Counters { lines: 4, events: 1, untagged: 1, foreign: 1, too_long: 0, garbled: 1 }
        );
    }
}
