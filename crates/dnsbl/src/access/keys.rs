//! Keys: labels in question names that say who asks, `4.3.2.1.KEY.auth.bl.example.org`.
//!
//! A key is not kept, only its hash: SipHash-2-4 with 128 bits under the node's secret. It is computed for every
//! question with a key, where SHA-256 would cost several times as much, and the slowness of a password's hash would
//! gain nothing: keys are made here of 125 random bits, which nobody tries out. Without the secret the hashes do not
//! even tell whether a guess is right, so whoever gets a copy of the table has nothing; keep the secret elsewhere.

use core::fmt;
use core::hash::{BuildHasherDefault, Hash, Hasher};
use core::str::FromStr;
use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::HashMap;
use std::sync::Arc;

use base::Timestamp;
use siphasher::sip128::{Hasher128 as _, SipHasher24};

/// Most keys of a node.
pub const KEYS_MAX: usize = 100_000;

/// Shortest label that is taken for a key: no part of an address has so many characters.
pub const KEY_LABEL_BYTES_MIN: usize = 8;

/// Longest label of DNS.
const LABEL_BYTES_MAX: usize = 63;

/// Characters of the keys that are made here: five bits each.
const KEY_CHARACTERS: usize = 25;

/// What the characters are: without those that people take for each other.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// The secret under which keys are hashed.
#[derive(Clone, Copy)]
pub struct KeySecret([u8; 16]);

/// Without the secret, which belongs into no log.
impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySecret")
    }
}

/// What is kept of a key. Its text form has thirty-two hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct KeyHash([u8; 16]);

/// The text is no hash of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no hash of a key: 32 hexadecimal digits are wanted")]
pub struct KeyHashError;

impl KeySecret {
    /// The node's secret, or that of its fleet.
    pub const fn new(secret: [u8; 16]) -> Self {
        Self(secret)
    }

    /// The hash of a key in any letter case, of at most 63 octets.
    pub fn hash(&self, key: &[u8]) -> KeyHash {
        let mut lower = [0; LABEL_BYTES_MAX];
        let key = &key[..key.len().min(LABEL_BYTES_MAX)];
        let lower = &mut lower[..key.len()];
        lower.copy_from_slice(key);
        lower.make_ascii_lowercase();
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(lower);
        KeyHash(hasher.finish128().as_bytes())
    }
}

/// A new key out of random octets.
pub fn new_key(random: [u8; 16]) -> String {
    let bits = u128::from_le_bytes(random);
    (0..KEY_CHARACTERS).map(|at| char::from(ALPHABET[(bits >> (5 * at)) as usize % ALPHABET.len()])).collect()
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl FromStr for KeyHash {
    type Err = KeyHashError;

    fn from_str(text: &str) -> Result<Self, KeyHashError> {
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(KeyHashError);
        }
        u128::from_str_radix(text, 16).map(|bits| Self(bits.to_be_bytes())).map_err(|_| KeyHashError)
    }
}

/// A hash is spread evenly already.
impl Hash for KeyHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let &[a, b, c, d, e, f, g, h, ..] = &self.0;
        state.write_u64(u64::from_le_bytes([a, b, c, d, e, f, g, h]));
    }
}

/// Takes the number that it is given for the hash.
#[derive(Default)]
struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// A key as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyRecord {
    /// The key's hash.
    pub hash: KeyHash,
    /// What people call it.
    pub name: String,
    /// Whose it is.
    pub owner: String,
    /// The zones that it opens, by their labels as in the settings; none for all.
    pub zones: Option<Vec<String>>,
    /// How much it may ask.
    pub quota: Option<Quota>,
    /// When it ends.
    pub until: Option<Timestamp>,
}

/// How much a key may ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quota {
    /// So many questions in each span.
    pub questions: u32,
    /// The span.
    pub per: Per,
}

/// Spans of quotas, by the clock: a day is one of UTC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Per {
    /// A second.
    Second,
    /// A day.
    Day,
}

impl Per {
    /// The number of the span in which `now` is.
    const fn span(self, now: Timestamp) -> u32 {
        match self {
            Self::Second => now.as_secs() as u32,
            Self::Day => (now.as_secs() / 86_400) as u32,
        }
    }

    /// When the span of this number began.
    fn began(self, span: u32) -> Timestamp {
        let seconds = match self {
            Self::Second => 1,
            Self::Day => 86_400,
        };
        Timestamp::from_secs(u64::from(span) * seconds)
    }
}

/// How much a key has asked.
#[derive(Debug, Default)]
struct Usage {
    /// The number of the span in the upper half, and the questions in it in the lower one.
    span: AtomicU64,
    answered: AtomicU64,
    refused: AtomicU64,
}

impl Usage {
    /// The number of the span that was counted last.
    fn span(&self) -> u32 {
        (self.span.load(Ordering::Relaxed) >> 32) as u32
    }
}

/// What was asked with a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyCount {
    /// The key.
    pub record: KeyRecord,
    /// Questions since the node's start that were answered.
    pub answered: u64,
    /// Questions that were not: over quota, after its end, or in zones that it does not open.
    pub refused: u64,
    /// Questions in the span of its quota that was counted last.
    pub in_span: u32,
    /// When that span began.
    pub span_began: Timestamp,
}

#[derive(Debug)]
struct Key {
    record: KeyRecord,
    /// The zones that it opens, by their places.
    zones: u64,
    usage: Arc<Usage>,
}

/// The keys in force, never changed: another set takes its place.
#[derive(Debug, Default)]
pub(crate) struct KeySet {
    keys: HashMap<KeyHash, Key, BuildHasherDefault<Same>>,
}

/// What is said of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum KeyVerdict {
    Opens,
    Unknown,
    Over,
    Elsewhere,
    Quota,
}

impl KeySet {
    /// The keys of `records`, of which `zones_of` says which zones they open; what was counted for those that are in
    /// `old` goes on being counted.
    pub(crate) fn new(records: Vec<KeyRecord>, zones_of: impl Fn(&KeyRecord) -> u64, old: &Self) -> Self {
        let key = |record: KeyRecord| {
            let usage = old.keys.get(&record.hash).map(|key| Arc::clone(&key.usage)).unwrap_or_default();
            (record.hash, Key { zones: zones_of(&record), record, usage })
        };
        Self { keys: records.into_iter().take(KEYS_MAX).map(key).collect() }
    }

    pub(crate) fn has(&self, hash: KeyHash) -> bool {
        self.keys.contains_key(&hash)
    }

    /// Whether the key opens the zone now. If so, and the question `counts`, the quota has one less.
    pub(crate) fn ask(&self, hash: KeyHash, zone: usize, now: Timestamp, counts: bool) -> KeyVerdict {
        let Some(key) = self.keys.get(&hash) else { return KeyVerdict::Unknown };
        let verdict = key.verdict(zone, now, counts);
        let counter = if verdict == KeyVerdict::Opens { &key.usage.answered } else { &key.usage.refused };
        counter.fetch_add(1, Ordering::Relaxed);
        verdict
    }

    /// Whether the key opens the zone now. If so, the question is counted; if not, nothing is.
    pub(crate) fn opens(&self, hash: KeyHash, zone: usize, now: Timestamp) -> bool {
        let is_open = |key: &&Key| key.verdict(zone, now, true) == KeyVerdict::Opens;
        let Some(key) = self.keys.get(&hash).filter(is_open) else { return false };
        key.usage.answered.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Adds what was counted in the current span before a restart.
    pub(crate) fn resume(&self, hash: KeyHash, questions: u32, now: Timestamp) {
        if let Some((key, quota)) = self.keys.get(&hash).and_then(|key| Some((key, key.record.quota?))) {
            key.usage.span.store(u64::from(quota.per.span(now)) << 32 | u64::from(questions), Ordering::Relaxed);
        }
    }

    pub(crate) fn counts(&self) -> Vec<KeyCount> {
        let count = |key: &Key| KeyCount {
            record: key.record.clone(),
            answered: key.usage.answered.load(Ordering::Relaxed),
            refused: key.usage.refused.load(Ordering::Relaxed),
            in_span: key.usage.span.load(Ordering::Relaxed) as u32,
            span_began: key.record.quota.map_or(Timestamp::EPOCH, |quota| quota.per.began(key.usage.span())),
        };
        let mut counts: Vec<KeyCount> = self.keys.values().map(count).collect();
        counts.sort_unstable_by(|a, b| (&a.record.name, a.record.hash).cmp(&(&b.record.name, b.record.hash)));
        counts
    }
}

impl Key {
    fn verdict(&self, zone: usize, now: Timestamp, counts: bool) -> KeyVerdict {
        if self.record.until.is_some_and(|end| end <= now) {
            return KeyVerdict::Over;
        }
        if self.zones >> zone & 1 == 0 {
            return KeyVerdict::Elsewhere;
        }
        let Some(quota) = self.record.quota else { return KeyVerdict::Opens };
        let span = quota.per.span(now);
        let take = |used: u64| {
            // Another span begins with none, and a clock that was set back does not give a span twice.
            let questions = if (used >> 32) as u32 == span { used as u32 } else { 0 };
            (questions < quota.questions).then(|| u64::from(span) << 32 | u64::from(questions + u32::from(counts)))
        };
        match self.usage.span.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
            Ok(_) => KeyVerdict::Opens,
            Err(_) => KeyVerdict::Quota,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: KeySecret = KeySecret::new([9; 16]);

    fn record(key: &str) -> KeyRecord {
        let (name, owner) = (key.into(), "somebody".into());
        KeyRecord { hash: SECRET.hash(key.as_bytes()), name, owner, zones: None, quota: None, until: None }
    }

    fn set(records: &[KeyRecord], old: &KeySet) -> KeySet {
        let zones = |record: &KeyRecord| record.zones.as_ref().map_or(u64::MAX, |zones| 1 << zones.len());
        KeySet::new(records.to_vec(), zones, old)
    }

    #[test]
    fn hashes() {
        let hash = SECRET.hash(b"Abcdefgh");
        assert_eq!(hash, SECRET.hash(b"aBCDEFGH"));
        assert_ne!(hash, SECRET.hash(b"abcdefgi"));
        assert_ne!(hash, KeySecret::new([8; 16]).hash(b"abcdefgh"));
        assert_eq!(hash.to_string().parse(), Ok(hash));
        for text in ["", "0", &"g".repeat(32), &"0".repeat(33), &format!("+{}", "0".repeat(31))] {
            assert!(text.parse::<KeyHash>().is_err(), "{text}");
        }
        assert_eq!(SECRET.hash(&[b'a'; 64]), SECRET.hash(&[b'a'; 63]), "no label is longer");
    }

    #[test]
    fn new_keys_are_labels() {
        let keys = [[0; 16], [0xff; 16], *b"0123456789abcdef"].map(new_key);
        assert_eq!(keys[0], "a".repeat(25));
        assert_eq!(keys[1], "9".repeat(25));
        assert!(keys[2].bytes().all(|b| ALPHABET.contains(&b)) && keys[2].len() >= KEY_LABEL_BYTES_MIN);
    }

    #[test]
    fn verdicts() {
        let ended = KeyRecord { until: Some(Timestamp::from_secs(100)), ..record("ended-key") };
        let elsewhere = KeyRecord { zones: Some(vec!["a".into()]), ..record("elsewhere") };
        let keys = set(&[record("plain-key"), ended, elsewhere], &KeySet::default());
        let ask = |key: &str, zone, secs| keys.ask(SECRET.hash(key.as_bytes()), zone, Timestamp::from_secs(secs), true);
        let cases = [
            ("plain-key", 0, 0, KeyVerdict::Opens),
            ("PLAIN-key", 63, 0, KeyVerdict::Opens),
            ("another-key", 0, 0, KeyVerdict::Unknown),
            ("ended-key", 0, 99, KeyVerdict::Opens),
            ("ended-key", 0, 100, KeyVerdict::Over),
            ("elsewhere", 0, 0, KeyVerdict::Elsewhere),
            ("elsewhere", 1, 0, KeyVerdict::Opens),
        ];
        for (key, zone, secs, wanted) in cases {
            assert_eq!(ask(key, zone, secs), wanted, "{key} {zone} {secs}");
        }
        let counts: Vec<_> = keys.counts().iter().map(|c| (c.record.name.clone(), c.answered, c.refused)).collect();
        assert_eq!(counts, [("elsewhere".into(), 1, 1), ("ended-key".into(), 1, 1), ("plain-key".into(), 2, 0)]);
    }

    #[test]
    fn quotas_begin_again_with_each_span_and_outlive_a_new_set() {
        for (per, seconds) in [(Per::Second, 1), (Per::Day, 86_400)] {
            let limited = KeyRecord { quota: Some(Quota { questions: 3, per }), ..record("limited-key") };
            let mut keys = set(core::slice::from_ref(&limited), &KeySet::default());
            let start = 1000 * seconds;
            let opened = |keys: &KeySet, secs| {
                let ask = || keys.ask(limited.hash, 0, Timestamp::from_secs(secs), true);
                (0..2).filter(|_| ask() == KeyVerdict::Opens).count()
            };
            assert_eq!(opened(&keys, start), 2);
            keys = set(&[limited.clone(), record("new-key-here")], &keys);
            assert_eq!([opened(&keys, start), opened(&keys, start + seconds - 1)], [1, 0]);
            assert_eq!([opened(&keys, start + seconds), opened(&keys, start + seconds)], [2, 1]);
            keys.resume(limited.hash, 2, Timestamp::from_secs(start + 5 * seconds));
            assert_eq!(opened(&keys, start + 5 * seconds), 1);
        }
    }
}
