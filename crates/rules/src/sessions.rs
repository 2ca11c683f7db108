//! The same attempt, told by several channels, counts once.
//!
//! A gate reports an attempt, the line of the front process tells of it again (or of all of the connection at its
//! end), and the process that checks passwords does so too. Each channel counts its own attempts of a session; the
//! largest of the counts is how many there were, and what exceeds those counted before is new.
//!
//! An event without a session (Postfix asks Dovecot by SASL, which names none) belongs to the pseudo-session of its
//! address, which lasts [`PSEUDO_LIFE`] from its last event.
//!
//! What the password process tells first is held for [`HOLD`]: it may speak of one password database of several, and
//! a success of the same session takes it back. So does another channel that tells the same attempt; then it counts
//! at once. Several such lines for the same guess within that time are databases of one chain: one attempt.

use core::time::Duration;
use std::collections::VecDeque;

use base::{Address, CanonicalLogin, Channel, PasswordTag, Tally, Timestamp};
use hashbrown::HashTable;

use crate::Key;

/// How long a failure that only the password process told waits for a success of its session.
pub const HOLD: Duration = Duration::from_secs(1);
/// How long a pseudo-session lasts from its last event.
pub const PSEUDO_LIFE: Duration = Duration::from_secs(5);
/// How long a session is remembered from its last event, if there is room.
pub const SESSION_LIFE: Duration = Duration::from_mins(10);
/// Sessions remembered in one shard; beyond, the older half is forgotten early. A half fills a hash table of 8,192
/// places as far as one is filled before it grows.
pub const SESSIONS_MAX: usize = 2 * 7168;
/// Failures held in one shard; beyond, the oldest counts at once.
pub const HELD_MAX: usize = 256;

/// By what the events of one connection are known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Session {
    /// The mail server named it.
    Named(Key),
    /// It has no name; this is the key of the address.
    Pseudo(Key),
}

/// A failed attempt with all that its counting needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    pub(crate) at: Timestamp,
    pub(crate) address: Option<Address>,
    pub(crate) login: Option<CanonicalLogin>,
    pub(crate) password: Option<PasswordTag>,
}

/// What is new in an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum News {
    /// So many attempts that nobody told before; they count.
    Attempts(u16),
    /// So many attempts that nobody told before, which our own decision refused; they do not count.
    Refused(u16),
    /// The failure waits.
    Held,
    /// Another channel told it before.
    Nothing,
}

/// A failed attempt, or several, as a channel tells it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report<'a> {
    pub(crate) session: Session,
    pub(crate) channel: Channel,
    pub(crate) tally: Tally,
    /// Tells one password of a login from another.
    pub(crate) guess: u32,
    pub(crate) at: Timestamp,
    pub(crate) address: Option<Address>,
    pub(crate) login: Option<&'a CanonicalLogin>,
    pub(crate) password: Option<PasswordTag>,
}

/// A session, and when it began: a pseudo-session begins again and again, and servers use a name again one day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Name {
    key: Key,
    began: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    name: Name,
    last: Timestamp,
    /// Attempts told, by channel. A pseudo-session may go on for ever, so that these must never come to their end: at a
    /// thousand attempts a second they last seven weeks without a pause of five seconds.
    told: [u32; 3],
    counted: u32,
    held: u32,
    /// The guess of which the password process told last, and when it did so first.
    chain: Option<(u32, Timestamp)>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    due: Timestamp,
    session: Name,
    failure: Failure,
}

/// The sessions of one shard, in two generations: what is touched moves to the young one, and when that is full or old
/// it becomes the old one, whose rest is forgotten.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    young: HashTable<Entry>,
    old: HashTable<Entry>,
    born: Timestamp,
    held: VecDeque<Held>,
    /// Sessions that were forgotten early because there was no room.
    pub(crate) shed: u64,
}

impl Sessions {
    /// Takes note of a failed attempt, or of several. Returns what is new, and the oldest held failure if it must count
    /// now because no more can be held.
    pub(crate) fn failed(&mut self, now: Timestamp, report: &Report<'_>) -> (News, Option<Failure>) {
        let Some(entry) = self.entry(report.session, report.at) else { return (alone(report.tally), None) };
        let name = entry.name;
        if report.channel == Channel::Auth && report.tally == Tally::One {
            if !entry.told_by_auth(report.guess, report.at) {
                return (News::Nothing, None);
            }
            let Report { at, address, password, .. } = *report;
            let failure = Failure { at, address, login: report.login.copied(), password };
            return (News::Held, self.hold(Held { due: now.plus(HOLD), session: name, failure }));
        }
        let (new, dropped) = entry.told_by(report.session, report.channel, report.tally);
        self.drop_held(name, dropped);
        // What one event tells is a u16 at most.
        let news = match (u16::try_from(new).unwrap_or(u16::MAX), report.tally) {
            (0, _) => News::Nothing,
            (new, Tally::Refused) => News::Refused(new),
            (new, Tally::One | Tally::Total(_)) => News::Attempts(new),
        };
        (news, None)
    }

    /// Takes note of a success: what was held of this session and login is taken back. Returns how many were.
    pub(crate) fn succeeded(&mut self, session: Session, login: Option<&CanonicalLogin>) -> u16 {
        let entry = self.known(session.key()).map(|entry| entry.name);
        let (mut taken, mut of_entry) = (0_u16, 0_u32);
        self.held.retain(|held| {
            let is_other_login = held.failure.login.as_ref().zip(login).is_some_and(|(held, ok)| held != ok);
            let is_taken = held.session.key == session.key() && !is_other_login;
            taken += u16::from(is_taken);
            of_entry += u32::from(is_taken && entry == Some(held.session));
            !is_taken
        });
        if of_entry > 0
            && let Some(entry) = self.known(session.key())
        {
            entry.held -= of_entry;
            let told = &mut entry.told[Channel::Auth as usize];
            *told = told.saturating_sub(of_entry);
        }
        taken
    }

    /// The next held failure whose time has come, to be counted.
    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<Failure> {
        if self.held.front()?.due > now { None } else { self.release() }
    }

    /// When the next held failure is due.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.held.front().map(|held| held.due)
    }

    fn hold(&mut self, held: Held) -> Option<Failure> {
        let pressed_out = if self.held.len() >= HELD_MAX { self.release() } else { None };
        self.held.push_back(held);
        pressed_out
    }

    /// Takes the oldest held failure out, as counted.
    fn release(&mut self) -> Option<Failure> {
        let held = self.held.pop_front()?;
        if let Some(entry) = self.known(held.session.key).filter(|entry| entry.name == held.session) {
            entry.held -= 1;
            entry.counted = entry.counted.saturating_add(1);
        }
        Some(held.failure)
    }

    /// Drops the oldest `count` held failures of a session: another channel told the attempts.
    fn drop_held(&mut self, session: Name, mut count: u32) {
        if count > 0 {
            self.held.retain(|held| {
                let is_dropped = count > 0 && held.session == session;
                count -= u32::from(is_dropped);
                !is_dropped
            });
        }
    }

    /// The entry of a session, made or begun anew where needed; none if the event is too late for it.
    fn entry(&mut self, session: Session, at: Timestamp) -> Option<&mut Entry> {
        self.turn_generation(at);
        let key = session.key();
        let fresh = Entry { name: Name { key, began: at }, last: at, told: [0; 3], counted: 0, held: 0, chain: None };
        let hash = |entry: &Entry| entry.name.key.get();
        if self.young.find(key.get(), |entry| entry.name.key == key).is_none() {
            let entry = match self.old.find_entry(key.get(), |entry| entry.name.key == key) {
                Ok(entry) => entry.remove().0,
                Err(_) => fresh,
            };
            self.young.insert_unique(key.get(), entry, hash);
        }
        let entry = self.young.find_mut(key.get(), |entry| entry.name.key == key)?;
        let life = match session {
            Session::Named(_) => SESSION_LIFE,
            Session::Pseudo(_) => PSEUDO_LIFE,
        };
        if at.plus(life) < entry.last {
            return None;
        }
        if entry.last.plus(life) < at {
            *entry = fresh;
        }
        entry.last = entry.last.max(at);
        Some(entry)
    }

    fn known(&mut self, session: Key) -> Option<&mut Entry> {
        let is_it = |entry: &Entry| entry.name.key == session;
        self.young.find_mut(session.get(), is_it).or_else(|| self.old.find_mut(session.get(), is_it))
    }

    fn turn_generation(&mut self, at: Timestamp) {
        let is_full = self.young.len() >= SESSIONS_MAX / 2;
        if is_full || at.since(self.born) >= SESSION_LIFE {
            self.shed += if is_full { self.old.len() as u64 } else { 0 };
            core::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
            self.born = self.born.max(at);
        }
    }
}

impl Session {
    pub(crate) const fn key(self) -> Key {
        match self {
            Self::Named(key) | Self::Pseudo(key) => key,
        }
    }
}

impl Entry {
    /// One line of the password process; returns whether it tells an attempt that nobody told.
    fn told_by_auth(&mut self, guess: u32, at: Timestamp) -> bool {
        let is_same = |(chain, first): (u32, Timestamp)| chain == guess && at.since(first).max(first.since(at)) < HOLD;
        if self.chain.is_some_and(is_same) {
            return false;
        }
        self.chain = Some((guess, at));
        let told = &mut self.told[Channel::Auth as usize];
        *told = told.saturating_add(1);
        let is_new = *self.told.iter().max().unwrap_or(&0) > self.counted.saturating_add(self.held);
        self.held += u32::from(is_new);
        is_new
    }

    /// Any other word; returns how many attempts are new, and how many that were held are told by it.
    fn told_by(&mut self, session: Session, channel: Channel, tally: Tally) -> (u32, u32) {
        let told = &mut self.told[channel as usize];
        *told = match (tally, session) {
            (Tally::One | Tally::Refused, _) => told.saturating_add(1),
            (Tally::Total(total), Session::Named(_)) => u32::from(total).max(*told),
            // The total of one connection of several: an address without names for its connections may have many.
            (Tally::Total(total), Session::Pseudo(_)) => told.saturating_add(u32::from(total)),
        };
        let told = *told;
        // What the password process itself told before and is held is another attempt than this one.
        let (waiting, dropped_max) = if channel == Channel::Auth { (self.held, 0) } else { (0, self.held) };
        let new = told.saturating_sub(self.counted).saturating_sub(waiting);
        let dropped = new.min(dropped_max);
        self.held -= dropped;
        self.counted += new;
        (new, dropped)
    }
}

/// What is new in an event that belongs to no session.
pub(crate) const fn alone(tally: Tally) -> News {
    match tally {
        Tally::One => News::Attempts(1),
        Tally::Total(0) => News::Nothing,
        Tally::Total(total) => News::Attempts(total),
        Tally::Refused => News::Refused(1),
    }
}

#[cfg(test)]
mod tests;
