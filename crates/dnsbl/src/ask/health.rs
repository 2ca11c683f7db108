//! Whether a list can be relied on, by the tests that its operator and RFC 5782 section 5 name.

use core::fmt;
use core::net::Ipv4Addr;

use base::Timestamp;

use super::{Cause, List, Verdict};

/// Answers in a row that say nothing, after which the list is tested at once.
const FAILURES_MAX: u32 = 8;
/// Into so many parts the time between two tests is cut for the first try after a failure; each later one takes twice as long.
const RETRY_PARTS: u32 = 16;

/// How a list is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Health {
    /// It has not been tested yet; nothing it says counts.
    Untested,
    /// It passed its tests.
    Working {
        /// When it was first found to work, or to work again.
        since: Timestamp,
    },
    /// It failed; it is not asked, and nothing it said counts.
    Off {
        /// Why.
        fault: Fault,
        /// Since when.
        since: Timestamp,
    },
}

/// Why a list is off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Its test entry is not listed: the zone is dead, or is not what it was.
    EntryMissing,
    /// 127.0.0.1 is listed: the list lists the world, or the resolver makes answers up.
    ListsLoopback,
    /// A name that nobody can have listed is listed: a wildcard, or a resolver that makes answers up.
    ListsAnything,
    /// It tells that it will not answer us.
    Blocked(Ipv4Addr),
    /// It answers only without the key, so the key is wrong.
    KeyRefused,
    /// Nothing can be relied on in what it says.
    Unreliable(Cause),
}

impl Fault {
    /// The name of the fault, for JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EntryMissing => "entry-missing",
            Self::ListsLoopback => "lists-loopback",
            Self::ListsAnything => "lists-anything",
            Self::Blocked(_) => "blocked",
            Self::KeyRefused => "key-refused",
            Self::Unreliable(cause) => cause.name(),
        }
    }

    /// What an administrator can do about it.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::EntryMissing => "look at the list's pages whether it still exists; else take it out",
            Self::ListsLoopback | Self::ListsAnything => {
                "ask through a resolver of your own that changes no answers; if it is the list, take it out"
            }
            Self::Blocked(_) => {
                "ask through a resolver of your own, not a public one; look up the code at the list's pages: you may need a key"
            }
            Self::KeyRefused => "compare the key with that of your account at the list",
            Self::Unreliable(Cause::Refused | Cause::Silent | Cause::ServerFailed) => {
                "look whether the resolver runs and reaches the internet: `dig` the name there"
            }
            // Resolvers that block names answer so; it is nobody's code.
            Self::Unreliable(Cause::UnknownCode(Ipv4Addr::LOCALHOST)) => {
                "ask through a resolver of your own that blocks no names"
            }
            Self::Unreliable(Cause::UnknownCode(_)) => "look up the code at the list's pages, and add it to `codes`",
            Self::Unreliable(_) => "ask through a resolver of your own that changes no answers",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EntryMissing => f.write_str("its test entry is not listed"),
            Self::ListsLoopback => f.write_str("it lists 127.0.0.1, and so perhaps the world"),
            Self::ListsAnything => f.write_str("it lists a name that nobody can have listed"),
            Self::Blocked(code) => write!(f, "it will not answer us ({code})"),
            Self::KeyRefused => f.write_str("it answers only without the key"),
            Self::Unreliable(cause) => write!(f, "its tests fail: {cause}"),
        }
    }
}

/// What is asked to test a list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Probe {
    /// The test entry, which is listed.
    Entry,
    /// 127.0.0.1, which is not.
    Loopback,
    /// A made-up name, which is not.
    Anything,
    /// The test entry without the key, to tell a wrong key from a dead list.
    Keyless,
}

/// The health of one list, and the round of tests that runs.
#[derive(Debug)]
pub(super) struct Watch {
    health: Health,
    /// Counts the times at which it was switched off: what was said before is not what is said now.
    epoch: u64,
    /// What the tests of this round said so far.
    round: Option<[Option<Verdict>; 4]>,
    /// When the next round begins.
    due: Timestamp,
    /// The last round that it passed.
    passed: u64,
    /// The round that somebody waits for.
    wanted: u64,
    failed_rounds: u32,
    failures: u32,
    /// Rounds so far; the made-up name is another in each.
    rounds: u64,
}

impl Watch {
    pub(super) const fn new() -> Self {
        let begin = Timestamp::from_millis(0);
        Self {
            health: Health::Untested,
            epoch: 0,
            round: None,
            due: begin,
            passed: 0,
            wanted: 0,
            failed_rounds: 0,
            failures: 0,
            rounds: 0,
        }
    }

    pub(super) const fn health(&self) -> Health {
        self.health
    }

    pub(super) const fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) const fn rounds(&self) -> u64 {
        self.rounds
    }

    /// When it is to be tested; none while it is.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.round.is_none().then_some(self.due)
    }

    /// Begins a round if it is time, and says what is asked.
    pub(super) fn begin(&mut self, now: Timestamp, list: &List) -> &'static [Probe] {
        if self.round.is_some() || self.due > now {
            return &[];
        }
        self.rounds += 1;
        self.round = Some([None; 4]);
        match list.key {
            Some(_) => &[Probe::Entry, Probe::Loopback, Probe::Anything, Probe::Keyless],
            None => &[Probe::Entry, Probe::Loopback, Probe::Anything],
        }
    }

    /// A test said this. Returns what changed, if the round is over and something did.
    pub(super) fn probed(&mut self, now: Timestamp, list: &List, probe: Probe, verdict: Verdict) -> Option<Health> {
        let round = self.round.as_mut()?;
        round[probe as usize] = Some(verdict);
        let [Some(entry), Some(loopback), Some(anything), keyless] = *round else { return None };
        if list.key.is_some() && keyless.is_none() {
            return None;
        }
        self.round = None;
        self.failures = 0;
        match fault(entry, loopback, anything, keyless) {
            Some(fault) => self.failed(now, list, fault),
            None => {
                self.failed_rounds = 0;
                self.passed = self.rounds;
                self.due = if self.wanted > self.rounds { now } else { now.plus(list.test_every) };
                let was = self.health;
                if !matches!(was, Health::Working { .. }) {
                    self.health = Health::Working { since: now };
                }
                (was != self.health).then_some(self.health)
            }
        }
    }

    /// A question of somebody was answered. Returns what changed.
    pub(super) fn answered(&mut self, now: Timestamp, list: &List, verdict: Verdict) -> Option<Health> {
        match verdict {
            Verdict::Unknown(Cause::Blocked(code)) => return self.failed(now, list, Fault::Blocked(code)),
            Verdict::Unknown(_) => {
                self.failures += 1;
                if self.failures >= FAILURES_MAX {
                    self.test_at_once(now);
                }
            }
            Verdict::NotListed | Verdict::Listed(_) => self.failures = 0,
        }
        None
    }

    /// Asks for a round that begins after this moment, and returns its number.
    pub(super) fn want_round(&mut self, now: Timestamp) -> u64 {
        self.wanted = self.rounds + 1;
        self.test_at_once(now);
        self.wanted
    }

    /// The last round that the list passed.
    pub(super) const fn passed(&self) -> u64 {
        self.passed
    }

    /// Begins the next round now, unless one runs.
    fn test_at_once(&mut self, now: Timestamp) {
        self.due = self.due.min(now);
    }

    fn failed(&mut self, now: Timestamp, list: &List, fault: Fault) -> Option<Health> {
        let pause = (list.test_every / RETRY_PARTS).saturating_mul(1 << self.failed_rounds.min(4));
        self.failed_rounds = self.failed_rounds.saturating_add(1);
        self.due = now.plus(pause);
        let (since, is_new) = match self.health {
            Health::Off { fault: was, since } => (since, was != fault),
            Health::Untested | Health::Working { .. } => {
                self.epoch += 1;
                (now, true)
            }
        };
        self.health = Health::Off { fault, since };
        is_new.then_some(self.health)
    }
}

/// What the tests of a round say against a list.
fn fault(entry: Verdict, loopback: Verdict, anything: Verdict, keyless: Option<Verdict>) -> Option<Fault> {
    match (loopback, anything) {
        (Verdict::Listed(_), _) => return Some(Fault::ListsLoopback),
        (_, Verdict::Listed(_)) => return Some(Fault::ListsAnything),
        (Verdict::NotListed | Verdict::Unknown(_), Verdict::NotListed | Verdict::Unknown(_)) => {}
    }
    let is_listed_without_key = matches!(keyless, Some(Verdict::Listed(_)));
    if is_listed_without_key && !matches!(entry, Verdict::Listed(_)) {
        return Some(Fault::KeyRefused);
    }
    for verdict in [entry, loopback, anything] {
        if let Verdict::Unknown(Cause::Blocked(code)) = verdict {
            return Some(Fault::Blocked(code));
        }
    }
    for verdict in [entry, loopback, anything] {
        if let Verdict::Unknown(cause) = verdict {
            return Some(Fault::Unreliable(cause));
        }
    }
    (entry == Verdict::NotListed).then_some(Fault::EntryMissing)
}
