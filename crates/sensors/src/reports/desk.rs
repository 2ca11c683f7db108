//! Who may report, how much, and what was reported before.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;
use std::collections::{HashMap, HashSet};

use base::Timestamp;
use sha2::{Digest, Sha256};

use super::{Fault, Report};

/// Milliseconds of a day.
const DAY_MILLIS: u64 = 86_400_000;

/// Shortest key that is taken, in bytes: keys are random, so that a plain hash hides them.
pub const KEY_BYTES_MIN: usize = 16;

/// How old a report may be, and how long one that is sent again is known: what is older is refused, so that no report
/// ever counts twice.
pub const AGE_MAX: Duration = Duration::from_hours(48);

/// How far ahead of our clock a report may lie: a clock that is wrong by more is no witness.
const AHEAD_MAX: Duration = Duration::from_hours(1);

/// Most reports that are remembered, at some 20 bytes each. Beyond, the older half is forgotten.
pub const SEEN_MAX: usize = 1_000_000;

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

/// Nobody needs to see it in a log.
impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(..)")
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
    /// Most reports of his that are taken on one day (UTC).
    pub daily_cap: u32,
}

/// A reporter at the desk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReporterId(usize);

/// The name of one report, equal when the same is sent again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ReportId(u128);

/// The name under which the store keeps it.
impl fmt::Display for ReportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "report-{:032x}", self.0)
    }
}

impl FromStr for ReportId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = text.strip_prefix("report-").filter(|digits| digits.len() == 32).ok_or(())?;
        u128::from_str_radix(digits, 16).map(Self).map_err(|_| ())
    }
}

/// What the desk took of a submission.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Taken {
    /// Those that are new, by their place in the submission.
    pub new: Vec<(usize, ReportId)>,
    /// How many had been taken before.
    pub known: u32,
    /// How many were beyond the daily number and were not taken.
    pub over: u32,
}

/// What one reporter did since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Reports taken on the present day.
    pub today: u32,
    /// Reports taken.
    pub taken: u64,
    /// Reports sent again.
    pub known: u64,
    /// Reports beyond the daily number.
    pub over: u64,
}

/// Knows the reporters, and counts what they report.
#[derive(Debug)]
pub struct Desk {
    reporters: Vec<(Reporter, u64, Tally)>,
    keys: HashMap<KeyHash, ReporterId>,
    seen: Seen,
}

impl Desk {
    /// A desk for these reporters.
    pub fn new(reporters: impl IntoIterator<Item = Reporter>) -> Self {
        let reporters: Vec<_> = reporters.into_iter().map(|reporter| (reporter, 0, Tally::default())).collect();
        let keys = reporters.iter().enumerate().map(|(at, (reporter, ..))| (reporter.key, ReporterId(at))).collect();
        Self { reporters, keys, seen: Seen::default() }
    }

    /// Whose key that is. The table is asked for the key's hash, so that the time it takes says nothing about other keys.
    pub fn whose(&self, key: &str) -> Option<ReporterId> {
        self.keys.get(&KeyHash::of(key)?).copied()
    }

    /// The reporter.
    pub fn reporter(&self, id: ReporterId) -> &Reporter {
        &self.reporters[id.0].0
    }

    /// All reporters and what they did.
    pub fn tallies(&self, now: Timestamp) -> impl Iterator<Item = (&Reporter, Tally)> {
        self.reporters.iter().map(move |(reporter, day, tally)| {
            let today = if *day == day_of(now) { tally.today } else { 0 };
            (reporter, Tally { today, ..*tally })
        })
    }

    /// Knows a report that was taken before a restart.
    pub fn restore(&mut self, now: Timestamp, reporter: &str, id: ReportId, at: Timestamp) {
        self.seen.insert(now, id);
        if let Some((_, day, tally)) = self.reporters.iter_mut().find(|(known, ..)| known.name == reporter)
            && day_of(at) == day_of(now)
        {
            *day = day_of(now);
            tally.today = tally.today.saturating_add(1);
        }
    }

    /// Takes what is new of a submission, up to the daily number. A report whose time makes no sense spoils it whole.
    ///
    /// A report is known by its `id`; without one by all it says with its time; and without that by the submission's bytes
    /// and its place in it. Equal ones in one submission are different reports.
    pub fn take(&mut self, now: Timestamp, who: ReporterId, reports: &[Report], body: &[u8]) -> Result<Taken, Fault> {
        for (at, report) in reports.iter().enumerate() {
            check_time(now, at, report)?;
        }
        let (reporter, day, tally) = &mut self.reporters[who.0];
        if *day != day_of(now) {
            (*day, tally.today) = (day_of(now), 0);
        }
        let body = Sha256::digest(body);
        let mut equal: HashMap<u128, u128> = HashMap::new();
        let mut taken = Taken::default();
        for (at, report) in reports.iter().enumerate() {
            let name = name_of(&reporter.name, report, &body);
            let turn = equal.entry(name).or_insert(0);
            let id = ReportId(name.wrapping_add(*turn));
            // An `id` is one report, however often it stands there.
            *turn += u128::from(report.id.is_none());
            if self.seen.contains(id) {
                taken.known += 1;
            } else if tally.today >= reporter.daily_cap {
                taken.over += 1;
            } else {
                self.seen.insert(now, id);
                tally.today += 1;
                taken.new.push((at, id));
            }
        }
        tally.taken += taken.new.len() as u64;
        tally.known += u64::from(taken.known);
        tally.over += u64::from(taken.over);
        Ok(taken)
    }
}

/// How long until the daily numbers begin anew.
pub fn until_tomorrow(now: Timestamp) -> Duration {
    Duration::from_millis(DAY_MILLIS - now.as_millis() % DAY_MILLIS)
}

const fn day_of(now: Timestamp) -> u64 {
    now.as_millis() / DAY_MILLIS
}

fn check_time(now: Timestamp, at: usize, report: &Report) -> Result<(), Fault> {
    let why = match report.time {
        Some(time) if now.since(time) > AGE_MAX => "more than two days ago",
        Some(time) if time > now.plus(AHEAD_MAX) => "more than an hour ahead of this server's clock",
        Some(_) | None => return Ok(()),
    };
    Err(Fault { place: format!("reports[{at}].time"), why: why.to_owned() })
}

/// What makes a report the same as another; each part is told from the next by its length.
fn name_of(reporter: &str, report: &Report, body: &[u8]) -> u128 {
    let mut hasher = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hasher.update((bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    part(reporter.as_bytes());
    match &report.id {
        Some(id) => part(id.as_bytes()),
        None => {
            part(report.kind.name().as_bytes());
            part(report.address.to_string().as_bytes());
            part(report.service.as_bytes());
            part(report.login.as_deref().unwrap_or_default().as_bytes());
            match report.time {
                Some(time) => part(&time.as_millis().to_le_bytes()),
                None => part(body),
            }
        }
    }
    let digest = hasher.finalize();
    digest.iter().take(16).fold(0, |name, byte| name << 8 | u128::from(*byte))
}

/// The reports that were taken, in two generations.
#[derive(Debug, Default)]
struct Seen {
    young: HashSet<ReportId>,
    old: HashSet<ReportId>,
    born: Timestamp,
}

impl Seen {
    fn contains(&self, id: ReportId) -> bool {
        self.young.contains(&id) || self.old.contains(&id)
    }

    /// A generation lives as long as a report may be old, and an hour for clocks that are ahead.
    fn insert(&mut self, now: Timestamp, id: ReportId) {
        if self.young.len() >= SEEN_MAX / 2 || now.since(self.born) >= AGE_MAX + AHEAD_MAX {
            self.old = core::mem::take(&mut self.young);
            self.born = now;
        }
        self.young.insert(id);
    }
}
