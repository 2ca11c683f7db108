//! What several grammars are made of.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::mem;

use base::{Address, Channel, Event, EventKind, Tally, Timestamp};

use super::{Grammar, Hinted, Sink};
use crate::frame::Frame;
use crate::words;

/// What a line told of a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Told<'a> {
    pub(super) kind: EventKind,
    pub(super) address: Address,
    pub(super) login: Option<&'a str>,
    pub(super) tally: Tally,
    pub(super) session: Option<&'a str>,
}

impl<'a> Told<'a> {
    /// That `kind` happened with the client at `address`, once.
    pub(super) const fn new(kind: EventKind, address: Address) -> Self {
        Self { kind, address, login: None, tally: Tally::One, session: None }
    }

    /// The same, and which login it gave; an empty one is none.
    pub(super) fn by(self, login: &'a str) -> Self {
        Self { login: crate::text::filled(login), ..self }
    }

    /// The same without the login where that is `placeholder`.
    pub(super) fn without(self, placeholder: &str) -> Self {
        Self { login: self.login.filter(|login| *login != placeholder), ..self }
    }

    /// The same, so many times in all.
    pub(super) const fn in_all(self, total: u16) -> Self {
        Self { tally: Tally::Total(total), ..self }
    }

    /// The event of it.
    pub(super) const fn event(self, time: Timestamp, service: &'a str) -> Event<'a> {
        Event {
            time,
            kind: self.kind,
            service,
            address: Some(self.address),
            login: self.login,
            session: self.session,
            password: None,
            channel: Channel::Front,
            tally: self.tally,
            reporter: None,
        }
    }
}

/// The grammar of a daemon whose lines each tell at most one thing, and need no others.
pub(super) struct Lines {
    pub(super) name: &'static str,
    /// Other names of the same for `--service`.
    pub(super) aliases: &'static [&'static str],
    /// What the events are of.
    pub(super) service: &'static str,
    pub(super) speaks: fn(&str) -> bool,
    pub(super) hinted: Hinted,
    pub(super) told: fn(&str) -> Option<Told<'_>>,
}

impl Grammar for Lines {
    fn name(&self) -> &'static str {
        self.name
    }

    fn aliases(&self) -> &'static [&'static str] {
        self.aliases
    }

    fn speaks(&self, program: &str) -> bool {
        (self.speaks)(program)
    }

    fn hinted(&self) -> Hinted {
        self.hinted
    }

    fn read(&mut self, frame: &Frame<'_>, time: Timestamp, out: Sink<'_>) {
        if let Some(told) = (self.told)(frame.message.trim_ascii_end()) {
            out(told.event(time, self.service));
        }
    }
}

/// What is remembered of sessions, messages and processes until a later line needs it: at most so many, the oldest are
/// forgotten first, and memory is used only for what is there.
pub(super) struct Recent<V> {
    young: Map<V>,
    old: Map<V>,
    max: usize,
}

type Map<V> = HashMap<u64, V, BuildHasherDefault<AsItIs>>;

/// The hash of a key, which is one already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, _bytes: &[u8]) {}

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl<V> Recent<V> {
    /// Remembers at most `max`.
    pub(super) fn new(max: usize) -> Self {
        Self { young: Map::default(), old: Map::default(), max }
    }

    /// The key of a name that is only unique on its host. Names are a server's own numbers, which no client chooses, so
    /// that the hash needs no secret; it is computed for most lines of a log, and has to be quick.
    pub(super) fn key(host: impl AsRef<[u8]>, name: impl AsRef<[u8]>, number: u32) -> u64 {
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        let (host, name) = (host.as_ref(), name.as_ref());
        let mix = |hash: u64, part: u64| {
            let product = u128::from(hash ^ part) * u128::from(SPREAD);
            (product >> 64) as u64 ^ product as u64
        };
        let lengths = (host.len() as u64) << 32 | name.len() as u64;
        let mut hash = mix(SPREAD ^ u64::from(number), lengths);
        for bytes in [host, name] {
            // The last bytes of a long name are taken twice, where they do not fill a word.
            let (words, rest) = bytes.as_chunks();
            for word in words {
                hash = mix(hash.rotate_left(5), u64::from_le_bytes(*word));
            }
            if !rest.is_empty() {
                let (first, last) = words::ends(bytes);
                hash = mix(hash.rotate_left(5), if words.is_empty() { first ^ last.rotate_left(32) } else { last });
            }
        }
        hash
    }

    /// Whether nothing is remembered.
    pub(super) fn is_empty(&self) -> bool {
        self.young.is_empty() && self.old.is_empty()
    }

    pub(super) fn insert(&mut self, key: u64, value: V) {
        if self.young.len() >= self.max / 2 {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    pub(super) fn get(&self, key: u64) -> Option<&V> {
        self.young.get(&key).or_else(|| self.old.get(&key))
    }

    pub(super) fn get_mut(&mut self, key: u64) -> Option<&mut V> {
        self.young.get_mut(&key).or_else(|| self.old.get_mut(&key))
    }

    pub(super) fn remove(&mut self, key: u64) -> Option<V> {
        if self.is_empty() {
            return None;
        }
        let old = if self.old.is_empty() { None } else { self.old.remove(&key) };
        self.young.remove(&key).or(old)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten() {
        let mut recent = Recent::new(100);
        for at in 0..1000u64 {
            recent.insert(at, at);
            assert_eq!(recent.get(at), Some(&at));
            assert!(recent.young.len() + recent.old.len() <= 100);
        }
        assert_eq!((recent.get(1), recent.get(960)), (None, Some(&960)));
        assert_eq!((recent.remove(999), recent.get(999).is_none()), (Some(999), true));
    }
}
