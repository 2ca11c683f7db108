//! From a line to its events: frame, time, and the grammar of the program.

mod tags;

use core::fmt;
use std::borrow::Cow;
use std::sync::Arc;

use base::limits::LINE_BYTES_MAX;
use base::{Address, Channel, Event, Tally, Timestamp};
use jiff::tz::TimeZone;

use crate::frame::{self, Before, Clock, Frame, Parts, Stamp, arrival};
use crate::grammar::{self, Glance, Grammar, Hinted};
use crate::patterns::Patterns;
use crate::text;
use tags::{Found, Speakers, Tags};

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
    /// Lines of known programs whose text was read and was not UTF-8; the bytes that are none were replaced.
    pub garbled: u64,
}

impl Counters {
    /// Hands out the event of a line that came so often.
    #[inline]
    fn tell(&mut self, event: Event<'_>, times: u16, out: &mut dyn FnMut(Event<'_>)) {
        self.events += u64::from(times);
        (1..times).for_each(|_| out(event));
        out(event);
    }
}

/// Reads the lines of one log.
pub struct Reader {
    grammars: Vec<Box<dyn Grammar>>,
    patterns: Arc<Patterns>,
    tags: Tags,
    before: Before,
    /// The grammar of the service whose log it is, by its place.
    service: Option<u8>,
    times: Times,
    counters: Counters,
}

/// When lines happened.
struct Times {
    clock: Clock,
    timing: Timing,
    last: Timestamp,
    /// The turn (see [`Parts`]) and the clock of which `last` was made.
    resolved: (u64, Timestamp),
}

/// A service that no grammar is called by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownService(pub String);

impl fmt::Display for UnknownService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no grammar reads logs of {:?}; known services: {}", self.0, grammar::services().join(", "))
    }
}

impl core::error::Error for UnknownService {}

impl Reader {
    /// A reader with every grammar, for a log whose stamps without offset are in `zone`.
    pub fn new(zone: TimeZone, timing: Timing) -> Self {
        Self {
            grammars: grammar::all(),
            patterns: Arc::new(Patterns::new(Vec::new())),
            tags: Tags::new(),
            before: Before::default(),
            service: None,
            times: Times { clock: Clock::new(zone), timing, last: Timestamp::EPOCH, resolved: (0, Timestamp::EPOCH) },
            counters: Counters::default(),
        }
    }

    /// The reader of a log that is said to be of `service` (see [`services`](crate::services)): its lines without a
    /// program tag are that daemon's. A daemon that writes files of its own (Exim, Roundcube, hMailServer, …) reads all of
    /// such a log, so that nothing in it is taken for another daemon's tag.
    ///
    /// # Errors
    ///
    /// If no grammar is called so.
    pub fn with_service(mut self, service: &str) -> Result<Self, UnknownService> {
        let found = grammar::of_service(&self.grammars, service);
        self.service = Some(found.ok_or_else(|| UnknownService(service.to_owned()))? as u8);
        Ok(self)
    }

    /// The reader with the operator's patterns for what no grammar understands.
    #[must_use]
    pub fn with_patterns(self, patterns: Arc<Patterns>) -> Self {
        Self { patterns, ..self }
    }

    /// Reads one line, without its newline, and hands its events to `out`. `now` is the clock when live, and when the log
    /// was last written in a replay (it tells the year that some stamps lack).
    pub fn read(&mut self, line: &[u8], now: Timestamp, out: &mut dyn FnMut(Event<'_>)) {
        self.counters.lines += 1;
        if line.len() >= LINE_BYTES_MAX {
            // What is left of it is a beginning, and what a daemon writes at the end of a line is what tells its own
            // text from a client's.
            self.counters.too_long += 1;
            return;
        }
        let events = self.counters.events;
        self.read_grammars(line, now, out);
        if self.counters.events == events && !self.patterns.is_empty() {
            self.read_patterns(&String::from_utf8_lossy(line), now, out);
        }
    }

    /// What the operator's patterns say of a line of which no grammar knows anything.
    fn read_patterns(&mut self, line: &str, now: Timestamp, out: &mut dyn FnMut(Event<'_>)) {
        let frame = frame::read(line);
        let patterns = Arc::clone(&self.patterns);
        let Some(found) = patterns.read(line, &frame) else { return };
        let stamp = found.stamp.filter(|stamp| *stamp != Stamp::Missing).unwrap_or(frame.time);
        let time = self.times.of(stamp, 0, now);
        self.counters.events += 1;
        out(Event {
            time,
            kind: found.kind,
            service: found.service,
            address: found.address,
            login: found.login,
            session: found.session,
            password: None,
            channel: Channel::Front,
            tally: Tally::One,
            reporter: None,
        });
    }

    fn read_grammars(&mut self, line: &[u8], now: Timestamp, out: &mut dyn FnMut(Event<'_>)) {
        // Most lines of most logs are nobody's: nothing is done with those but to find their tag.
        let parts = frame::split(line, &mut self.before);
        let (speakers, is_bare) = match self.service {
            Some(service) => self.hinted(service, parts.program),
            None => (self.tagged(parts.program), false),
        };
        let (program, message) = if is_bare { (&b""[..], parts.bare) } else { (parts.program, parts.message) };
        let (times, message) = repeated(message);
        for (at, speaker) in speakers.all.iter().enumerate() {
            let Some(grammar) = self.grammars.get_mut(usize::from(speaker.grammar)) else { return };
            match grammar.glance(speaker.process, parts.host, message) {
                Glance::Nothing => {}
                Glance::Event(event) => {
                    let time = self.times.of(parts.time, parts.turn, now);
                    return self.counters.tell(Event { time, ..event }, times, out);
                }
                Glance::Text => {
                    let line = Line { parts, program, message, times };
                    return self.read_text(&line, speakers, at, now, out);
                }
            }
        }
    }

    /// Has the text read by the speaker at that place, to whom a glance was not enough, and those behind it.
    #[inline(never)]
    fn read_text(
        &mut self,
        line: &Line<'_>,
        speakers: Found,
        first: usize,
        now: Timestamp,
        out: &mut dyn FnMut(Event<'_>),
    ) {
        let parts = &line.parts;
        let time = self.times.of(parts.time, parts.turn, now);
        let text = Text::new(line, self.tags.text(speakers));
        self.counters.garbled += u64::from(text.is_garbled);
        let (host, program) = (text.host, text.program);
        let mut frame = Frame { time: parts.time, host, program, pid: parts.pid, message: &text.message, process: 0 };
        let first_line = first_line(frame.message).map(|message| Frame { message, ..frame });
        let named = first_line.and_then(|first_line| named(&first_line, speakers.all, time));
        let before = self.counters.events;
        for (at, speaker) in speakers.all.iter().enumerate().skip(first) {
            let Some(grammar) = self.grammars.get_mut(usize::from(speaker.grammar)) else { return };
            frame.process = speaker.process;
            let counters = &mut self.counters;
            let mut told = |event: Event<'_>| {
                if named.is_none() || named == event.address {
                    counters.tell(event, line.times, out);
                }
            };
            let glance =
                if at == first { Glance::Text } else { grammar.glance(speaker.process, parts.host, line.message) };
            match glance {
                Glance::Nothing => {}
                Glance::Event(event) => told(Event { time, ..event }),
                Glance::Text => grammar.read(&frame, time, &mut told),
            }
            if self.counters.events > before {
                return;
            }
        }
    }

    /// Who reads lines of the program.
    #[expect(clippy::inline_always, reason = "done for every line; what is found is not copied")]
    #[inline(always)]
    fn tagged(&mut self, program: &[u8]) -> Found {
        if program.is_empty() {
            self.counters.untagged += 1;
            return Found::only(Speakers::NONE);
        }
        let found = self.tags.speakers(program, &self.grammars);
        self.counters.foreign += u64::from(found.all == Speakers::NONE);
        found
    }

    /// The same in the log of a service, and whether they read all that follows the stamp, and not the message behind the
    /// tag.
    #[inline(never)]
    fn hinted(&mut self, service: u8, program: &[u8]) -> (Found, bool) {
        let hinted = self.grammars.get(usize::from(service)).map_or(Hinted::Nothing, |grammar| grammar.hinted());
        let found = if program.is_empty() { None } else { Some(self.tags.speakers(program, &self.grammars)) };
        // It is asked first, then those that share its tag.
        if let Some(found) = found
            && let Some(all) = found.all.with_first(service)
        {
            return (Found { all, ..found }, false);
        }
        let only = Found::only(Speakers::only(service));
        match hinted {
            Hinted::AnyTag if !program.is_empty() => (only, false),
            Hinted::Bare => (only, true),
            Hinted::Nothing | Hinted::AnyTag => (self.tagged(program), false),
        }
    }

    /// What was seen so far.
    pub const fn counters(&self) -> Counters {
        self.counters
    }
}

impl Times {
    /// When a line happened that has this stamp.
    #[inline]
    fn of(&mut self, stamp: Stamp, turn: u64, now: Timestamp) -> Timestamp {
        // Lines of one second follow each other.
        if turn != 0 && self.resolved == (turn, now) {
            return self.last;
        }
        let moment = self.clock.resolve(stamp, now);
        self.last = match self.timing {
            Timing::Live => arrival(now, moment),
            Timing::Replay => moment.unwrap_or(self.last),
        };
        self.resolved = (turn, now);
        self.last
    }
}

/// A line, and what is read of it.
struct Line<'l> {
    parts: Parts<'l>,
    /// The tag; empty where it is no tag to the one who reads.
    program: &'l [u8],
    message: &'l [u8],
    /// How often it came.
    times: u16,
}

/// The parts of a line as text.
struct Text<'l> {
    host: &'l str,
    program: &'l str,
    message: Cow<'l, str>,
    /// Whether bytes had to be replaced.
    is_garbled: bool,
}

impl<'l> Text<'l> {
    /// `known` is the program where that is known to be text.
    fn new(line: &Line<'l>, known: Option<&'l str>) -> Self {
        let program = known.map_or_else(|| str::from_utf8(line.program), Ok);
        let message = without_breaks(line.message);
        let (host, text) = (str::from_utf8(line.parts.host), simdutf8::basic::from_utf8(message));
        let is_garbled = host.is_err() || program.is_err() || text.is_err();
        Self {
            host: host.unwrap_or(""),
            program: program.unwrap_or(""),
            message: text.map_or_else(|_| String::from_utf8_lossy(message), Cow::Borrowed),
            is_garbled,
        }
    }
}

/// A line break as rsyslog writes it.
const BREAK: &str = "#012";

/// The message without the breaks that it ends with.
fn without_breaks(message: &[u8]) -> &[u8] {
    let mut message = message;
    while let Some(before) = message.strip_suffix(BREAK.as_bytes()) {
        message = before.trim_ascii_end();
    }
    message
}

/// Whom the first line of a message of several names, if it were all of the message.
///
/// A break may stand in a client's text, before the true address or behind it, or may have been put between two messages.
/// A message of which both readings name a client counts only where they name the same one: neither what stands before a
/// break nor what stands behind it then chooses who is blocked.
#[inline(never)]
fn named(first_line: &Frame<'_>, speakers: Speakers, time: Timestamp) -> Option<Address> {
    // What the reader's own remember must not be told twice.
    let mut grammars = grammar::all();
    let mut named = None;
    for speaker in speakers.iter() {
        let Some(grammar) = grammars.get_mut(usize::from(speaker.grammar)) else { break };
        grammar.read(&Frame { process: speaker.process, ..*first_line }, time, &mut |event| {
            named = named.or(event.address);
        });
    }
    named
}

/// What stands before the first break; none if there is none.
fn first_line(message: &str) -> Option<&str> {
    text::find(message, BREAK).and_then(|end| message.get(..end))
}

/// Most repetitions of one message that are counted: more than any threshold that makes sense.
const REPEATS_MAX: u16 = 1000;

/// How often a message came, and the message: `message repeated 2 times: [ MESSAGE]`, which rsyslog and others write in place
/// of equal lines. The tag before it is that of the message's program, of which none begins a message like that.
fn repeated(message: &[u8]) -> (u16, &[u8]) {
    let inside = || {
        let rest = message.strip_prefix(b"message repeated ")?;
        let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
        let (digits, rest) = rest.split_at_checked(digits)?;
        let message = rest.strip_prefix(b" times: [ ")?.trim_ascii_end().strip_suffix(b"]")?;
        let times: u16 = str::from_utf8(digits).ok()?.parse().unwrap_or(REPEATS_MAX);
        Some((times.clamp(1, REPEATS_MAX), message))
    };
    inside().unwrap_or((1, message))
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// A break is a client's text, or the end of what its daemon said: no text on either side of it chooses an address.
    #[test]
    fn breaks_choose_nobody() {
        let true_one = &["203.0.113.5"][..];
        let cases = [
            // In a login or a HELO, before the address and behind it.
            (
                "dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<a#012b>, rip=203.0.113.5",
                true_one,
            ),
            ("imapd: LOGIN FAILED, user=a#012b, ip=[::ffff:203.0.113.5]", true_one),
            ("vsftpd[7]: [a#012] FAIL LOGIN: Client \"203.0.113.5\"", true_one),
            (
                "postfix/smtpd[7]: NOQUEUE: reject: RCPT from x[203.0.113.5]: 554 5.7.1 <a>: Relay access denied; from=<> to=<a> proto=SMTP helo=<b#012c>",
                true_one,
            ),
            ("exim[7]: H=(a#012b) [203.0.113.5] F=<> rejected RCPT <a>: relay not permitted", true_one),
            // At the end.
            ("dovecot: imap-login: Login: user=<a>, rip=203.0.113.5#012", true_one),
            ("dovecot: imap-login: Login: user=<a>, rip=203.0.113.5 #012#012", true_one),
            // A login that looks like the line's end.
            ("sshd[7]: Invalid user a from 198.51.100.9 port 22#012 from 203.0.113.5 port 33", &[]),
            ("imapd: LOGIN FAILED, user=a, ip=[::ffff:198.51.100.9]#012, ip=[::ffff:203.0.113.5]", &[]),
            // Another message.
            (
                "dovecot: imap-login: Login: user=<a>, rip=203.0.113.5#012<22>Nov 21 07:44:14 mx dovecot: imap-login: Login: user=<a>, rip=198.51.100.9",
                &[],
            ),
            (
                "dovecot: imap-login: Login: user=<a>, rip=203.0.113.5#012<22>Nov 21 07:44:14 mx dovecot: imap-login: Login: user=<a>, rip=203.0.113.5",
                true_one,
            ),
        ];
        for (text, wanted) in cases {
            let mut found = Vec::new();
            let mut reader = Reader::new(TimeZone::UTC, Timing::Replay);
            let line = format!("Nov 21 07:44:14 mx {text}");
            reader.read(line.as_bytes(), Timestamp::EPOCH, &mut |event| {
                found.extend(event.address.map(|address| address.to_string()));
            });
            assert_eq!(found, wanted, "{text}");
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
