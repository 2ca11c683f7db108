use std::collections::BTreeMap;

use base::{Address, Timestamp};

use super::Verdict;

/// Verdicts that are remembered; of more, those that were found longest ago are forgotten.
pub const CACHED_MAX: usize = 131_072;

/// A list, in the state since which it has not been off, and an address.
pub(super) type Asked = (usize, u64, Address);

/// Two generations: new verdicts go into the young one, and when that is half of all, it becomes the old one, whose rest is
/// forgotten.
#[derive(Debug, Default)]
pub(super) struct Cache {
    young: BTreeMap<Asked, (Timestamp, Verdict)>,
    old: BTreeMap<Asked, (Timestamp, Verdict)>,
}

impl Cache {
    /// What was said and still holds.
    pub(super) fn find(&self, now: Timestamp, asked: Asked) -> Option<Verdict> {
        let (until, verdict) = self.young.get(&asked).or_else(|| self.old.get(&asked))?;
        (*until > now).then_some(*verdict)
    }

    pub(super) fn insert(&mut self, until: Timestamp, asked: Asked, verdict: Verdict) {
        if self.young.len() >= CACHED_MAX / 2 && !self.young.contains_key(&asked) {
            self.old = core::mem::take(&mut self.young);
        }
        self.young.insert(asked, (until, verdict));
    }

    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}
