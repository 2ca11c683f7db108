//! What the limiter counts about itself.

use super::LIMITS_MAX;
use crate::counters::Tally;

/// What the limiter has counted since its start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LimitCounters {
    /// Requests for recipients.
    pub asked: u64,
    /// Messages that were accepted.
    pub settled: u64,
    /// Messages that were given up before their end.
    pub released: u64,
    /// Reservations of sessions that were heard of no more.
    pub timed_out: u64,
    /// Of those given up or heard of no more, messages that were charged because ends are not told.
    pub unended: u64,
    /// Messages told to be accepted twice.
    pub duplicate: u64,
    /// Messages that were too much, in the order of the limits; each message once.
    pub exceeded: [u64; LIMITS_MAX],
    /// Subjects that were forgotten early because a table was full, the emptiest first.
    pub shed: u64,
    /// Requests that passed unlimited because a table was full of full buckets.
    pub untracked: u64,
    /// Subjects that are known now.
    pub subjects: u64,
    /// Messages that are on their way now.
    pub reservations: u64,
    /// Bytes of the tables, spare room included.
    pub bytes: u64,
}

/// The same, to be counted up from many threads.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) asked: Tally,
    pub(crate) settled: Tally,
    pub(crate) released: Tally,
    pub(crate) timed_out: Tally,
    pub(crate) unended: Tally,
    pub(crate) duplicate: Tally,
    pub(crate) exceeded: [Tally; LIMITS_MAX],
    pub(crate) untracked: Tally,
}

impl Counts {
    /// What was counted; the fields that the shards know are left empty.
    pub(crate) fn read(&self) -> LimitCounters {
        LimitCounters {
            asked: self.asked.get(),
            settled: self.settled.get(),
            released: self.released.get(),
            timed_out: self.timed_out.get(),
            unended: self.unended.get(),
            duplicate: self.duplicate.get(),
            exceeded: core::array::from_fn(|limit| self.exceeded[limit].get()),
            untracked: self.untracked.get(),
            ..LimitCounters::default()
        }
    }
}
