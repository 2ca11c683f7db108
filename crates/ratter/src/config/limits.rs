//! `[limits]`: what bounds memory and disk. Not `[[limit]]`, which says how much may be sent.

use core::ops::RangeInclusive;
use core::time::Duration;

use gates::io::CONNECTIONS_MAX;

use super::forms::{duration, number};
use super::reader::Section;
use super::units::days;

/// What bounds memory and disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Most addresses and logins that are counted at one time; the oldest that is not blocked makes room.
    pub subjects: usize,
    /// Most connections that each gate and each listener for reports holds open at one time.
    pub connections: usize,
    /// How long events are kept for `ratter why`.
    pub history: Duration,
    /// How many changes of the book are kept, from which past moments are told.
    pub changes: u64,
}

/// At about 100 bytes each, from 100 kB to 10 GB.
const SUBJECTS: RangeInclusive<u64> = 1000..=100_000_000;

/// Each costs a file descriptor, a thread and some 50 kB of memory.
const CONNECTIONS: RangeInclusive<u64> = 10..=CONNECTIONS_MAX as u64;

/// Less than a day would not show what happened last night.
const HISTORY: RangeInclusive<Duration> = days(1)..=days(3660);

/// At about 300 bytes each, from 300 kB to 300 GB.
const CHANGES: RangeInclusive<u64> = 1000..=1_000_000_000;

/// Reads them; `listeners` is how many there are that each hold so many connections.
pub(super) fn read(section: &Section<'_>, listeners: usize) -> Option<Limits> {
    let subjects = section.setting("subjects", &number(SUBJECTS));
    let connections = section.setting("connections", &number(CONNECTIONS));
    if connections.is_some_and(|connections: usize| connections * listeners > CONNECTIONS_MAX) {
        let title = format!("`connections` in [limits] is for each of {listeners} gates and listeners for reports");
        let fault = section.wrong("connections", title).label(format!("more than {CONNECTIONS_MAX} together"));
        let most = CONNECTIONS_MAX / listeners;
        section.desk.report(fault.hint(format!("with so many of them, `connections = {most}` is the most")));
    }
    let history = section.setting("history", &duration(HISTORY));
    let changes = section.setting("changes", &number(CHANGES));
    Some(Limits { subjects: subjects?, connections: connections?, history: history?, changes: changes? })
}
