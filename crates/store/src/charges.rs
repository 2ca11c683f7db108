//! How full the buckets of the limits are, in a small file of its own: each charge is appended before the mail server is
//! told that the message may go.
//!
//! A line in the database could not be that quick: this is one `write` of some 50 bytes, which waits for no other one but
//! within the system, and what was written survives the end of the process at any instant. A power cut may take the last
//! seconds with it, as the system writes back, and a full disk half a record; what is left is whole, because each record has
//! a check, and whatever stands between them is passed over. The file is written afresh, with the present state of every
//! subject, at each start and whenever it has doubled: into a new file, before the old one is deleted.
//!
//! ```text
//! limits.7.log:  head (64 bytes: magic, boot, uptime, clock)  record  record  record …
//! record:        check and count of words | limit | subject | words …        each 8 bytes, little-endian
//! ```

#![expect(clippy::disallowed_methods, reason = "this file is the shell that touches the file system")]

use std::cell::RefCell;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use base::Timestamp;
use rules::limits::{CHARGE_WORDS_MAX, Charge, Ledger};

use crate::error::StoreError;

/// First bytes of a file, with the version of its form.
const MAGIC: &[u8; 16] = b"ratter limits 1\n";

/// Bytes of the head: magic, boot identity, uptime and clock.
const HEAD_BYTES: usize = 16 + 32 + 8 + 8;

/// Words of a record before those of the charge.
const FRONT_WORDS: usize = 3;

/// Longest record, in bytes.
const RECORD_BYTES_MAX: usize = (FRONT_WORDS + CHARGE_WORDS_MAX) * 8;

/// A file below this size is not worth to be written afresh, in bytes.
const AFRESH_BYTES_MIN: u64 = 16 << 20;

/// Bytes that are gathered before they are written, while a file is written afresh.
const GATHERED_BYTES: usize = 64 << 10;

/// How far `/proc/uptime` may be off, in milliseconds: it has hundredths of a second.
const UPTIME_GRAIN_MS: u64 = 10;

/// The log of charges in a state directory, which the [`crate::Store`] has locked.
#[derive(Debug)]
pub struct ChargeLog {
    directory: PathBuf,
    /// Whoever appends reads it: the system puts what is appended at once behind one another.
    current: RwLock<Current>,
    failed: AtomicU64,
}

/// The file that is appended to.
#[derive(Debug)]
struct Current {
    file: File,
    number: u64,
    bytes: AtomicU64,
    /// Size at which it is written afresh.
    afresh_at: u64,
}

/// What a log held when it was opened.
#[derive(Debug)]
pub struct KeptCharges {
    /// The time now by the clock that the charges were made with: it ran on while nobody looked.
    pub clock: Timestamp,
    /// The old files' bytes after their heads, oldest first.
    contents: Vec<Vec<u8>>,
}

impl ChargeLog {
    /// Opens the log in `directory` and reads what it holds. `wall` is the time to go on with if the machine was started
    /// anew since, or if there is no log.
    ///
    /// What makes no sense in a file is passed over; a file that cannot be read or made is an error.
    pub fn open(directory: &Path, wall: Timestamp) -> Result<(Self, KeptCharges), StoreError> {
        let failed = |error| StoreError::access(directory, error);
        let numbers = numbers(directory).map_err(failed)?;
        let boot = Boot::now();
        let (mut clock, mut contents) = (None, Vec::new());
        for number in &numbers {
            let mut bytes = Vec::new();
            File::open(path(directory, *number)).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(failed)?;
            if let Some(head) = bytes.get(..HEAD_BYTES).filter(|head| head.starts_with(MAGIC)) {
                clock = boot.resume(head).or(clock);
                contents.push(bytes.split_off(HEAD_BYTES));
            }
        }
        let clock = clock.unwrap_or(wall);
        let current = begin(directory, numbers.last().map_or(1, |last| last + 1), &boot, clock).map_err(failed)?;
        let log = Self { directory: directory.to_owned(), current: RwLock::new(current), failed: AtomicU64::new(0) };
        Ok((log, KeptCharges { clock, contents }))
    }

    /// Charges that could not be kept since the start: the disk is full or fails. They are in force all the same.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Whether the file has grown so far that it is worth to be written afresh.
    pub fn is_long(&self) -> bool {
        let current = self.current();
        current.bytes.load(Ordering::Relaxed) >= current.afresh_at
    }

    /// Begins a new file with what `tell` tells, and deletes the old ones. Charges that come meanwhile go into the new
    /// file too. `now` is of the clock that the charges are made with.
    pub fn write_afresh(&self, now: Timestamp, tell: impl FnOnce(&mut dyn FnMut(&Charge<'_>))) -> io::Result<()> {
        let (number, mut file) = {
            let mut current = self.exchange();
            *current = begin(&self.directory, current.number + 1, &Boot::now(), now)?;
            (current.number, current.file.try_clone()?)
        };
        let (mut gathered, mut result, mut bytes) = (Vec::with_capacity(GATHERED_BYTES), Ok(()), 0);
        tell(&mut |charge| {
            gathered.extend_from_slice(encode(charge, &mut [0; RECORD_BYTES_MAX]));
            if gathered.len() + RECORD_BYTES_MAX > GATHERED_BYTES && result.is_ok() {
                bytes += gathered.len() as u64;
                result = file.write_all(&gathered);
                gathered.clear();
            }
        });
        result.and_then(|()| file.write_all(&gathered)).and_then(|()| file.sync_data())?;
        bytes += gathered.len() as u64;
        {
            let mut current = self.exchange();
            *current.bytes.get_mut() += bytes;
            current.afresh_at = (*current.bytes.get_mut() * 2).max(AFRESH_BYTES_MIN);
        }
        for old in numbers(&self.directory)?.into_iter().filter(|old| *old < number) {
            fs::remove_file(path(&self.directory, old))?;
        }
        Ok(())
    }

    /// No code panics while it holds the lock; if it did, the state would still be usable.
    fn current(&self) -> RwLockReadGuard<'_, Current> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, when nobody else has it.
    fn exchange(&self) -> RwLockWriteGuard<'_, Current> {
        self.current.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether all of it is in the file.
    fn append(&self, records: &[u8]) -> bool {
        let current = self.current();
        let written = loop {
            match (&current.file).write(records) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => break written.unwrap_or(0),
            }
        };
        current.bytes.fetch_add(written as u64, Ordering::Relaxed);
        // The rest of a record could not stand behind its first half any more: others may have appended meanwhile.
        written == records.len()
    }
}

thread_local! {
    /// Memory for the records of one message, which is used again.
    static GATHERED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Ledger for ChargeLog {
    fn keep(&self, charges: &[Charge<'_>]) {
        if charges.is_empty() {
            return;
        }
        let is_kept = GATHERED.with_borrow_mut(|gathered| {
            gathered.clear();
            for charge in charges {
                gathered.extend_from_slice(encode(charge, &mut [0; RECORD_BYTES_MAX]));
            }
            self.append(gathered)
        });
        if !is_kept {
            self.failed.fetch_add(charges.len() as u64, Ordering::Relaxed);
        }
    }
}

impl KeptCharges {
    /// Hands out every charge, in the order in which they were written. Returns how many bytes made no sense.
    pub fn read(&self, mut take: impl FnMut(&Charge<'_>)) -> u64 {
        let mut odd = 0;
        let mut words = [0; FRONT_WORDS + CHARGE_WORDS_MAX];
        for content in &self.contents {
            let mut rest = &content[..];
            while !rest.is_empty() {
                match decode(rest, &mut words) {
                    Some(count) => {
                        take(&Charge {
                            limit: words[1],
                            key: words[2],
                            words: &words[FRONT_WORDS..FRONT_WORDS + count],
                        });
                        rest = &rest[(FRONT_WORDS + count) * 8..];
                    }
                    None => {
                        odd += 1;
                        rest = &rest[1..];
                    }
                }
            }
        }
        odd
    }
}

/// A charge as bytes.
fn encode<'r>(charge: &Charge<'_>, record: &'r mut [u8; RECORD_BYTES_MAX]) -> &'r [u8] {
    let count = charge.words.len().min(CHARGE_WORDS_MAX);
    let words = [0, charge.limit, charge.key].into_iter().chain(charge.words[..count].iter().copied());
    for (place, word) in record.chunks_exact_mut(8).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    let record = &mut record[..(FRONT_WORDS + count) * 8];
    let check = check(&record[8..]) << 32 | count as u64;
    record[..8].copy_from_slice(&check.to_le_bytes());
    record
}

/// Reads the record at the beginning of `bytes`; returns how many words its charge has.
fn decode(bytes: &[u8], words: &mut [u64; FRONT_WORDS + CHARGE_WORDS_MAX]) -> Option<usize> {
    let word = |bytes: &[u8]| bytes.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    let front = word(bytes)?;
    let count = (front as u32) as usize;
    let record = bytes.get(8..(FRONT_WORDS.checked_add(count)?).checked_mul(8)?)?;
    if count > CHARGE_WORDS_MAX || check(record) != front >> 32 {
        return None;
    }
    for (place, bytes) in words[1..].iter_mut().zip(record.chunks_exact(8)) {
        *place = word(bytes)?;
    }
    Some(count)
}

/// FNV-1a over words, folded to 32 bits: it finds what a power cut left half written, not what somebody forged.
fn check(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for word in bytes.chunks_exact(8).filter_map(<[u8]>::first_chunk) {
        hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(0x0100_0000_01b3);
        hash ^= hash >> 29;
    }
    (hash ^ hash >> 32) & 0xffff_ffff
}

/// Begins the file of that number.
fn begin(directory: &Path, number: u64, boot: &Boot, clock: Timestamp) -> io::Result<Current> {
    let mut options = OpenOptions::new();
    options.append(true).create_new(true).mode(0o600);
    let mut file = options.open(path(directory, number))?;
    let head = boot.head(clock);
    file.write_all(&head)?;
    Ok(Current { file, number, bytes: AtomicU64::new(head.len() as u64), afresh_at: AFRESH_BYTES_MIN })
}

fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("limits.{number}.log"))
}

/// The numbers of the files in `directory`, ascending.
fn numbers(directory: &Path) -> io::Result<Vec<u64>> {
    let number = |entry: io::Result<fs::DirEntry>| {
        let name = entry.ok()?.file_name();
        name.to_str()?.strip_prefix("limits.")?.strip_suffix(".log")?.parse().ok()
    };
    let mut numbers: Vec<u64> = fs::read_dir(directory)?.filter_map(number).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Which start of the machine this is, and how long ago it was.
#[derive(Debug, PartialEq, Eq)]
struct Boot {
    /// The kernel's random identity of it; zeros if it is unknown.
    identity: [u8; 32],
    uptime_ms: u64,
}

impl Boot {
    fn now() -> Self {
        let identity = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let uptime = fs::read_to_string("/proc/uptime").unwrap_or_default();
        let mut known = [0; 32];
        for (place, byte) in known.iter_mut().zip(identity.bytes().filter(u8::is_ascii_hexdigit)) {
            *place = byte;
        }
        let seconds = uptime.split(' ').next().and_then(|text| text.split_once('.'));
        let millis = seconds.and_then(|(whole, part)| {
            Some(whole.parse::<u64>().ok()?.checked_mul(1000)? + part.parse::<u64>().ok()?.checked_mul(10)?)
        });
        Self { identity: known, uptime_ms: millis.unwrap_or_default() }
    }

    fn head(&self, clock: Timestamp) -> Vec<u8> {
        let numbers = [self.uptime_ms, clock.as_millis()].map(u64::to_le_bytes).concat();
        [&MAGIC[..], &self.identity, &numbers].concat()
    }

    /// The clock of a file with this head, as it stands now; none if the machine was started anew since, so that nobody
    /// counted.
    fn resume(&self, head: &[u8]) -> Option<Timestamp> {
        let number = |from: usize| head.get(from..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
        let (uptime, clock) = (number(48)?, number(56)?);
        let is_known = self.identity != [0; 32] && head.get(16..48)? == self.identity;
        let passed = self.uptime_ms.checked_sub(uptime.checked_add(UPTIME_GRAIN_MS)?);
        (is_known && self.uptime_ms > 0).then(|| Timestamp::from_millis(clock.saturating_add(passed.unwrap_or(0))))
    }
}

#[cfg(test)]
mod tests;
