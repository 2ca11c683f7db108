//! What was found, for as long as it holds.

use std::collections::BTreeMap;

use base::{Address, Timestamp};

use super::Found;

/// Addresses whose name is remembered; of more, those that were found longest ago are forgotten.
pub const CACHED_MAX: usize = 65_536;

/// Two generations: new findings go into the young one, and when that is half of all, it becomes the old one, whose
/// rest is forgotten.
#[derive(Debug, Default)]
pub(super) struct Cache {
    young: BTreeMap<Address, (Timestamp, Found)>,
    old: BTreeMap<Address, (Timestamp, Found)>,
}

impl Cache {
    /// What is known of the address and still holds.
    pub(super) fn find(&self, now: Timestamp, address: Address) -> Option<&Found> {
        let (until, found) = self.young.get(&address).or_else(|| self.old.get(&address))?;
        (*until > now).then_some(found)
    }

    pub(super) fn insert(&mut self, until: Timestamp, address: Address, found: Found) {
        if self.young.len() >= CACHED_MAX / 2 && !self.young.contains_key(&address) {
            self.old = core::mem::take(&mut self.young);
        }
        self.young.insert(address, (until, found));
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_is_forgotten_and_never_more_than_allowed_is_kept() {
        let mut cache = Cache::default();
        let address = |n: u32| Address::new(core::net::Ipv4Addr::from_bits(n).into());
        let (now, later) = (Timestamp::from_secs(10), Timestamp::from_secs(20));
        cache.insert(later, address(1), Found::NoName);
        assert_eq!(cache.find(now, address(1)), Some(&Found::NoName));
        assert_eq!(cache.find(later, address(1)), None);
        for n in 0..3 * CACHED_MAX as u32 {
            cache.insert(later, address(n), Found::Unknown);
            assert!(cache.len() <= CACHED_MAX);
        }
        assert_eq!(cache.find(now, address(3 * CACHED_MAX as u32 - 1)), Some(&Found::Unknown));
        assert_eq!(cache.find(now, address(1)), None);
    }
}
