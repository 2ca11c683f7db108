//! Which grammars speak for which program tag, remembered: a log has a few dozen tags, and asking every grammar for every
//! line would cost more than reading it. A tag that falls on another's place takes it, so that memory stays bounded.

use crate::grammar::Grammar;
use crate::words;

/// How many tags are remembered at once.
const TAGS_MAX: usize = 256;

/// Longest tag that its length and ends tell from all others, in bytes.
const ENDS_BYTES_MAX: usize = 16;

/// Longest tag that is remembered, in bytes; grammars are asked about a longer one each time.
const TAG_BYTES_MAX: usize = 46;

/// How many grammars may speak for one tag: `imapd` is the process of three daemons, and may ask PAM.
const SPEAKERS_MAX: usize = 4;

/// Who speaks for a tag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Speaker {
    /// The place of the grammar.
    pub(super) grammar: u8,
    /// What it makes of the tag.
    pub(super) process: u8,
}

/// No grammar has this place.
const NOBODY: u8 = u8::MAX;

/// All who speak for a tag, from the lowest bits on: 16 of them each, filled up with ones. One number, because what is
/// written byte by byte and read as a whole at once keeps a processor waiting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Speakers(u64);

impl Speakers {
    /// Nobody.
    pub(super) const NONE: Self = Self(u64::MAX);

    /// The grammar of that place alone.
    pub(super) const fn only(service: u8) -> Self {
        Self(u64::MAX << 16 | service as u64)
    }

    /// The first of these.
    fn new(all: impl Iterator<Item = Speaker>) -> Self {
        let all = all.take(SPEAKERS_MAX).enumerate();
        Self(all.fold(u64::MAX, |word, (at, Speaker { grammar, process })| {
            let others = u64::from(u16::from_le_bytes([!grammar, !process]));
            word & !(others << (16 * at))
        }))
    }

    /// One after the other.
    #[inline]
    pub(super) fn iter(self) -> impl Iterator<Item = Speaker> {
        let speaker = move |at| {
            let word = self.0 >> (16 * at);
            Speaker { grammar: word as u8, process: (word >> 8) as u8 }
        };
        (0..SPEAKERS_MAX).map(speaker).take_while(|speaker| speaker.grammar != NOBODY)
    }

    /// The same with that grammar first; none if it is not among them.
    pub(super) fn with_first(self, service: u8) -> Option<Self> {
        let first = self.iter().find(|speaker| speaker.grammar == service)?;
        let others = self.iter().filter(|speaker| *speaker != first);
        Some(Self::new(core::iter::once(first).chain(others)))
    }
}

/// Who speaks for a tag, and where that is remembered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) all: Speakers,
    /// [`TAGS_MAX`] if it is not.
    pub(super) slot: usize,
}

impl Found {
    /// These, and it is not remembered.
    pub(super) const fn only(all: Speakers) -> Self {
        Self { all, slot: TAGS_MAX }
    }
}

/// The tags that are remembered.
pub(super) struct Tags {
    slots: Box<[Slot]>,
}

struct Slot {
    /// The tag; empty if none is remembered.
    tag: Box<str>,
    /// Its [`ends`](words::ends).
    ends: (u64, u64),
    speakers: Speakers,
}

impl Tags {
    /// None yet.
    pub(super) fn new() -> Self {
        let empty = || Slot { tag: "".into(), ends: (0, 0), speakers: Speakers::NONE };
        Self { slots: core::iter::repeat_with(empty).take(TAGS_MAX).collect() }
    }

    /// The tag that was found there, which is known to be text.
    pub(super) fn text(&self, found: Found) -> Option<&str> {
        self.slots.get(found.slot).map(|slot| &*slot.tag)
    }

    /// The grammars that speak for the program `tag`.
    #[expect(clippy::inline_always, reason = "done for every line; what is found is not copied")]
    #[inline(always)]
    pub(super) fn speakers(&mut self, tag: &[u8], grammars: &[Box<dyn Grammar>]) -> Found {
        let ends = words::ends(tag);
        let mixed = (ends.0 ^ ends.1.rotate_left(29) ^ tag.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let place = (mixed >> 56) as usize % TAGS_MAX;
        if let Some(slot) = self.slots.get(place)
            && slot.ends == ends
            && slot.tag.len() == tag.len()
            && (tag.len() <= ENDS_BYTES_MAX || words::is_same(slot.tag.as_bytes(), tag))
        {
            return Found { all: slot.speakers, slot: place };
        }
        self.asked(tag, ends, place, grammars)
    }

    /// Asks who speaks for the tag, and remembers it at `place`, if it can be.
    #[inline(never)]
    fn asked(&mut self, tag: &[u8], ends: (u64, u64), place: usize, grammars: &[Box<dyn Grammar>]) -> Found {
        // A tag that is no text is nobody's.
        let Ok(program) = str::from_utf8(tag) else { return Found::only(Speakers::NONE) };
        let found = grammars.iter().enumerate().filter(|(_, grammar)| grammar.speaks(program));
        let speakers =
            Speakers::new(found.map(|(at, grammar)| Speaker { grammar: at as u8, process: grammar.process(program) }));
        match self.slots.get_mut(place) {
            Some(slot) if tag.len() <= TAG_BYTES_MAX => {
                *slot = Slot { tag: program.into(), ends, speakers };
                Found { all: speakers, slot: place }
            }
            _ => Found::only(speakers),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar;

    #[test]
    fn tags_are_remembered_rightly() {
        let grammars = grammar::all();
        let mut tags = Tags::new();
        let long = format!("{}/smtpd", "x".repeat(300));
        for _ in 0..3 {
            for (program, wanted) in [
                ("dovecot", Some("dovecot")),
                ("postfix/smtpd", Some("postfix")),
                ("postfix/submission/smtpd", Some("postfix")),
                ("postfix/submission/smtpe", None),
                ("postfix/scache", None),
                ("imap-login", Some("dovecot")),
                ("smtpd", Some("opensmtpd")),
                ("/smtpd", None),
                (long.as_str(), Some("postfix")),
            ] {
                let found = tags.speakers(program.as_bytes(), &grammars);
                let got = found.all.iter().next().map(|speaker| grammars[usize::from(speaker.grammar)].name());
                assert_eq!(got, wanted, "{program}");
            }
            for other in 0..5000 {
                assert_eq!(tags.speakers(format!("p{other}").as_bytes(), &grammars).all, Speakers::NONE);
            }
        }
    }

    #[test]
    fn speakers_are_asked_in_their_order() {
        let all: Vec<_> = (0..5).map(|grammar| Speaker { grammar, process: grammar * 50 }).collect();
        for count in 0..all.len() {
            let speakers = Speakers::new(all.iter().copied().take(count));
            assert_eq!(speakers.iter().collect::<Vec<_>>(), all.get(..count.min(SPEAKERS_MAX)).unwrap());
            assert_eq!(speakers.with_first(7), None);
            for first in 0..count {
                let got: Vec<_> = speakers.with_first(first as u8).unwrap().iter().collect();
                let mut wanted = all.get(..count).unwrap().to_vec();
                wanted[..=first].rotate_right(1);
                assert_eq!(got, wanted);
            }
        }
        assert_eq!(Speakers::only(3).iter().collect::<Vec<_>>(), [Speaker { grammar: 3, process: 0 }]);
    }
}
