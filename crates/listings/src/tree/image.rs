//! A tree as bytes and back: each leaf as it stands in memory, so that reading ten million addresses is little more than
//! copying them. All numbers are little-endian.
//!
//! ```text
//!  tree    node of the hosts, networks of IPv4, prefixes of IPv6
//!  node    16 slots; a slot is 0, or 1 and a leaf, or 2 and a node
//!  leaf    u16 addresses, u16 sets, the sets (u32 each), the ends of its buckets and its keys (u16), the indexes (u64)
//!  others  u32 how many, then for each 16 bytes from the highest bit down, u8 length, u32 set
//! ```
//!
//! What is read is checked as if anybody had written it: whatever comes is a tree that can be used, or refused.

use std::io::{self, Write};

use base::limits::LISTS_MAX;
use base::{ListId, ListSet};

use super::Tree;
use super::hosts::Hosts;
use super::prefixes::{Prefix, Prefixes};

/// Bytes that are still to be read.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) const fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let Some((taken, rest)) = self.0.split_at_checked(length) else { return None };
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn u128(&mut self) -> Option<u128> {
        self.array().map(u128::from_le_bytes)
    }
}

/// Which list now stands for each list of an image, by the places that they had when it was written.
pub(crate) struct Lists<'a>(pub(crate) &'a [ListId]);

impl Lists<'_> {
    /// The list that had this place.
    pub(crate) fn list(&self, place: u8) -> Option<ListId> {
        self.0.get(usize::from(place)).copied()
    }

    /// The set as it is now; none for one that is empty or has a list that nobody knows.
    pub(super) fn set(&self, bits: u32) -> Option<ListSet> {
        let places = (0..LISTS_MAX as u8).filter(|place| bits & 1 << place != 0);
        let set = places.map(|place| self.list(place)).collect::<Option<ListSet>>()?;
        (!set.is_empty()).then_some(set)
    }
}

impl Tree {
    /// Writes all that is in it.
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        self.hosts.write(out)?;
        write_prefixes(&self.networks4, out)?;
        write_prefixes(&self.prefixes6, out)
    }

    /// Reads what [`Tree::write`] wrote; none if these bytes are no tree.
    pub(crate) fn read(bytes: &mut Bytes<'_>, lists: &Lists<'_>) -> Option<Self> {
        let hosts = Hosts::read(bytes, lists)?;
        let networks4 = read_prefixes(bytes, lists, |prefix| prefix.length < 32)?;
        let prefixes6 = read_prefixes(bytes, lists, |_| true)?;
        Some(Self { hosts, networks4, prefixes6 })
    }

    /// How many networks and addresses each list has of its own.
    pub(crate) fn counts(&self) -> [usize; LISTS_MAX] {
        let mut counts = [0; LISTS_MAX];
        self.hosts.count(&mut counts);
        for prefixes in [&self.networks4, &self.prefixes6] {
            for (_, set) in prefixes.within(Prefix { bits: 0, length: 0 }) {
                set.iter().for_each(|list| counts[list.index()] += 1);
            }
        }
        counts
    }
}

fn write_prefixes(prefixes: &Prefixes, out: &mut impl Write) -> io::Result<()> {
    let all = || prefixes.within(Prefix { bits: 0, length: 0 });
    let count = u32::try_from(all().count()).map_err(io::Error::other)?;
    out.write_all(&count.to_le_bytes())?;
    for (prefix, set) in all() {
        out.write_all(&prefix.bits.to_le_bytes())?;
        out.write_all(&[prefix.length])?;
        out.write_all(&set.bits().to_le_bytes())?;
    }
    Ok(())
}

fn read_prefixes(bytes: &mut Bytes<'_>, lists: &Lists<'_>, fits: impl Fn(Prefix) -> bool) -> Option<Prefixes> {
    let mut prefixes = Prefixes::default();
    for _ in 0..bytes.u32()? {
        let prefix = Prefix { bits: bytes.u128()?, length: bytes.u8()? };
        let below = u128::MAX.checked_shr(u32::from(prefix.length)).unwrap_or(0);
        if prefix.length > 128 || prefix.bits & below != 0 || !fits(prefix) {
            return None;
        }
        prefixes.set(prefix, lists.set(bytes.u32()?)?);
    }
    Some(prefixes)
}

#[cfg(test)]
#[path = "image_tests.rs"]
mod tests;
