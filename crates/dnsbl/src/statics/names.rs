//! Names, sorted from their last label to their first one, so that what is below a name follows it.

use core::cmp::Ordering;

use super::packed::Packed;
use crate::datasets::{Record, RecordData};
use crate::serve::query::code;

/// How many names below one are looked at to see whether any is listed; see `keys::SCANNED_MAX`.
const SCANNED_MAX: usize = 64;

/// Sorted names, each once, as labels in wire form with the last one first and without the root.
#[derive(Debug)]
struct Keys {
    bytes: Box<[u8]>,
    /// Where each name ends.
    ends: Box<[u32]>,
}

impl Keys {
    fn new<'a>(keys: impl Iterator<Item = &'a [u8]>) -> Self {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for key in keys {
            bytes.extend_from_slice(key);
            ends.push(
                u32::try_from(bytes.len()).expect("files are bounded at 4 GiB, and names are shorter than lines"),
            );
        }
        Self { bytes: bytes.into(), ends: ends.into() }
    }

    fn get(&self, at: usize) -> &[u8] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] as usize };
        &self.bytes[start..self.ends[at] as usize]
    }

    /// Where the name is, or where it would be.
    fn search(&self, key: &[u8]) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.ends.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.get(middle).cmp(key) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Ok(middle),
                Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// The places of the name and of all names below it, the first few.
    fn below(&self, key: &[u8]) -> impl Iterator<Item = usize> {
        let start = self.search(key).unwrap_or_else(|at| at);
        (start..self.ends.len()).take(SCANNED_MAX + 1).take_while(move |at| self.get(*at).starts_with(key))
    }

    const fn heap_bytes(&self) -> usize {
        self.bytes.len() + self.ends.len() * 4
    }
}

/// A name of `dnset`, with the sets of what it stands for itself and of what is below it.
#[derive(Debug)]
pub(super) struct Listed<'a> {
    pub(super) key: &'a [u8],
    pub(super) exact: Option<u32>,
    pub(super) below: Option<u32>,
}

/// The names of a `dnset`.
#[derive(Debug)]
pub(super) struct Names {
    keys: Keys,
    /// The sets plus one; zero where the name does not stand for that.
    exact: Packed,
    below: Packed,
    /// The most labels of a name with something below it.
    labels_max: usize,
}

impl Names {
    /// The names, sorted and each once.
    pub(super) fn new(all: &[Listed<'_>]) -> Self {
        let number = |set: Option<u32>| set.map_or(0, |set| set + 1);
        let exact: Vec<u32> = all.iter().map(|listed| number(listed.exact)).collect();
        let below: Vec<u32> = all.iter().map(|listed| number(listed.below)).collect();
        let labels = |listed: &Listed<'_>| label_ends(listed.key).count();
        Self {
            keys: Keys::new(all.iter().map(|listed| listed.key)),
            labels_max: all.iter().filter(|listed| listed.below.is_some()).map(labels).max().unwrap_or_default(),
            exact: Packed::new(&exact),
            below: Packed::new(&below),
        }
    }

    /// The set of a name, and the name in the list that gives it: itself, or else the longest one above it that stands
    /// for all below it.
    pub(super) fn get(&self, key: &[u8]) -> Option<(u32, &[u8])> {
        if let Ok(at) = self.keys.search(key)
            && let Some(set) = self.exact.get(at).checked_sub(1)
        {
            return Some((set, self.keys.get(at)));
        }
        let mut ends = [0_u8; MAX_LABELS];
        let mut count = 0;
        for end in label_ends(key).take(self.labels_max) {
            ends[count] = end as u8;
            count += 1;
        }
        ends[..count].iter().rev().map(|end| usize::from(*end)).filter(|end| *end < key.len()).find_map(|end| {
            let at = self.keys.search(&key[..end]).ok()?;
            self.below.get(at).checked_sub(1).map(|set| (set, self.keys.get(at)))
        })
    }

    /// Whether a name below this one is listed.
    pub(super) fn is_above(&self, key: &[u8]) -> bool {
        let listed =
            |at: usize| self.below.get(at) > 1 || self.exact.get(at) > 1 && self.keys.get(at).len() > key.len();
        let mut looked_at = 0;
        self.keys.below(key).any(|at| {
            looked_at += 1;
            listed(at) || looked_at > SCANNED_MAX
        })
    }

    pub(super) const fn heap_bytes(&self) -> usize {
        self.keys.heap_bytes() + self.exact.heap_bytes() + self.below.heap_bytes()
    }
}

/// Most labels of a name: one octet and its length each.
pub(super) const MAX_LABELS: usize = 127;

/// Where each label of a name ends.
pub(super) fn label_ends(key: &[u8]) -> impl Iterator<Item = usize> {
    let mut at = 0;
    core::iter::from_fn(move || {
        let length = usize::from(*key.get(at)?);
        at += 1 + length;
        Some(at)
    })
}

/// The text of a name whose last label stands first, as zone files write it. Returns its length; what does not fit is
/// cut.
pub(super) fn write_name(key: &[u8], out: &mut [u8]) -> usize {
    let mut ends = [0_u8; MAX_LABELS + 1];
    let mut count = 0;
    for end in label_ends(key).take(MAX_LABELS) {
        count += 1;
        ends[count] = end as u8;
    }
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        let length = bytes.len().min(out.len() - at);
        out[at..at + length].copy_from_slice(&bytes[..length]);
        at += length;
    };
    for label in (0..count).rev() {
        for byte in &key[usize::from(ends[label]) + 1..usize::from(ends[label + 1])] {
            match byte {
                b'.' | b'\\' | b'"' => put(&[b'\\', *byte]),
                0x21..=0x7e => put(&[*byte]),
                byte => put(&[b'\\', b'0' + byte / 100, b'0' + byte / 10 % 10, b'0' + byte % 10]),
            }
        }
        if label > 0 {
            put(b".");
        }
    }
    at
}

/// Records of a `generic` dataset.
#[derive(Debug)]
pub(super) struct Records {
    keys: Keys,
    /// Where the records of each name end.
    ends: Box<[u32]>,
    all: Box<[Ready]>,
}

/// A record in wire form.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) kind: u16,
    pub(super) ttl: u32,
    pub(super) data: Box<[u8]>,
}

impl Ready {
    fn new(record: &Record) -> Self {
        let (kind, data) = match &record.data {
            RecordData::A(bits) => (code::A, bits.to_be_bytes().into()),
            RecordData::Txt(text) => (code::TXT, [&[text.len() as u8], &**text].concat()),
            RecordData::Mx(preference, host) => (code::MX, [&preference.to_be_bytes(), &**host].concat()),
        };
        Self { kind, ttl: record.ttl, data: data.into() }
    }
}

impl Records {
    /// The records of a dataset. Those of one name and type get the smallest of their times to live (RFC 2181 section
    /// 5.2), and each stands once.
    pub(super) fn new(records: &[Record]) -> Self {
        let mut sorted: Vec<(&[u8], Ready)> = records.iter().map(|r| (&*r.key, Ready::new(r))).collect();
        sorted.sort_by(|a, b| (a.0, a.1.kind, &a.1.data, a.1.ttl).cmp(&(b.0, b.1.kind, &b.1.data, b.1.ttl)));
        sorted
            .dedup_by(|later, first| (later.0, later.1.kind, &later.1.data) == (first.0, first.1.kind, &first.1.data));
        for same in sorted.chunk_by_mut(|a, b| (a.0, a.1.kind) == (b.0, b.1.kind)) {
            let ttl = same.iter().map(|(_, ready)| ready.ttl).min().unwrap_or_default();
            for (_, ready) in same {
                ready.ttl = ttl;
            }
        }
        let groups: Vec<(&[u8], usize)> =
            sorted.chunk_by(|a, b| a.0 == b.0).map(|same| (same[0].0, same.len())).collect();
        let mut end = 0;
        let ends = groups.iter().map(|(_, count)| {
            end += *count as u32;
            end
        });
        let ends = ends.collect();
        let keys = Keys::new(groups.iter().map(|(key, _)| *key));
        Self { keys, ends, all: sorted.into_iter().map(|(_, ready)| ready).collect() }
    }

    /// The records of a name, sorted by type.
    pub(super) fn get(&self, key: &[u8]) -> Option<&[Ready]> {
        let at = self.keys.search(key).ok()?;
        let start = if at == 0 { 0 } else { self.ends[at - 1] as usize };
        Some(&self.all[start..self.ends[at] as usize])
    }

    /// Whether a name below this one exists.
    pub(super) fn is_above(&self, key: &[u8]) -> bool {
        self.keys.below(key).any(|at| self.keys.get(at).len() > key.len())
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let data: usize = self.all.iter().map(|ready| ready.data.len()).sum();
        self.keys.heap_bytes() + self.ends.len() * 4 + self.all.len() * size_of::<Ready>() + data
    }
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
