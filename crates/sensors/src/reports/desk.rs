//! Who may report, how much, and how much it counts.

use core::fmt;
use core::str::FromStr;
use std::collections::HashMap;

use base::Timestamp;
use sha2::{Digest, Sha256};

/// Milliseconds of a day.
const DAY_MILLIS: u64 = 86_400_000;

/// Shortest key that is taken, in bytes: keys are random, so that a plain hash hides them.
const KEY_BYTES_MIN: usize = 16;

/// The SHA-256 of a key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of a key; none if the key is so short that it could be guessed.
    pub fn of(key: &str) -> Option<Self> {
        (key.len() >= KEY_BYTES_MIN).then(|| Self(Sha256::digest(key.as_bytes()).into()))
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyHash({self})")
    }
}

/// 64 hexadecimal digits, as `sha256sum` prints them.
impl FromStr for KeyHash {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut hash = [0; 32];
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(());
        }
        for (at, byte) in hash.iter_mut().enumerate() {
            *byte = text.get(2 * at..2 * at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()).ok_or(())?;
        }
        Ok(Self(hash))
    }
}

/// Somebody who may report.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reporter {
    /// Who it is, for evidence.
    pub name: String,
    /// The hash of his key.
    pub key: KeyHash,
    /// How much of an event a report of his is, in hundredths: 100 is as good as a log line of one's own.
    pub weight: u8,
    /// Most reports of his that are taken on one day (UTC).
    pub daily_max: u32,
}

/// Why somebody may not report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Nobody has that key.
    UnknownKey,
    /// So many of his reports were taken today; the rest was not.
    DailyMax {
        /// How many were taken of this submission.
        taken: u32,
    },
}

/// Knows the reporters, and counts what they report.
#[derive(Debug, Default)]
pub struct Desk {
    reporters: HashMap<KeyHash, Counted>,
    /// Submissions with a key that nobody has.
    strangers: u64,
}

#[derive(Debug)]
struct Counted {
    reporter: Reporter,
    day: u64,
    today: u32,
    /// Reports beyond the daily number, in all.
    shed: u64,
}

impl Desk {
    /// A desk for these reporters.
    pub fn new(reporters: impl IntoIterator<Item = Reporter>) -> Self {
        let counted = |reporter: Reporter| (reporter.key, Counted { reporter, day: 0, today: 0, shed: 0 });
        Self { reporters: reporters.into_iter().map(counted).collect(), strangers: 0 }
    }

    /// Takes `count` reports of whoever has `key`; how many of them may be counted, and whose they are.
    ///
    /// The table is asked for the hash of the key, so that the time it takes says nothing about other keys.
    pub fn admit(&mut self, now: Timestamp, key: &str, count: u32) -> Result<&Reporter, Refusal> {
        let Some(counted) = KeyHash::of(key).and_then(|hash| self.reporters.get_mut(&hash)) else {
            self.strangers += 1;
            return Err(Refusal::UnknownKey);
        };
        let day = now.as_millis() / DAY_MILLIS;
        if day != counted.day {
            (counted.day, counted.today) = (day, 0);
        }
        let taken = count.min(counted.reporter.daily_max.saturating_sub(counted.today));
        counted.today += taken;
        counted.shed += u64::from(count - taken);
        if taken < count { Err(Refusal::DailyMax { taken }) } else { Ok(&counted.reporter) }
    }

    /// Submissions with a key that nobody has, and reports beyond the daily numbers.
    pub fn shed(&self) -> (u64, u64) {
        (self.strangers, self.reporters.values().map(|counted| counted.shed).sum())
    }
}
