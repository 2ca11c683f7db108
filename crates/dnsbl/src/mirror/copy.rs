//! The records of a zone in the order of their names, in pieces that all states of the zone share which have them.

use std::collections::BTreeMap;
use std::sync::Arc;

/// From so many octets on, a piece is full. A change copies one piece, so they are small; a zone has many.
const PIECE_BYTES: usize = 8 * 1024;

/// Pieces that a zone may have more than it needs before it is packed anew.
const SPARE_PIECES: usize = 64;

/// Octets of a record before its data: type, time to live, length.
const FIXED_BYTES: usize = 8;

/// A record without its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) kind: u16,
    pub(crate) ttl: u32,
    /// In wire form, names written out.
    pub(crate) data: &'a [u8],
}

/// A record that comes or goes.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) is_added: bool,
    pub(crate) kind: u16,
    pub(crate) ttl: u32,
    pub(crate) data: Box<[u8]>,
}

/// Changes by name, those of one name in the order in which they were made.
pub(crate) type Changes = BTreeMap<Box<[u8]>, Vec<Change>>;

/// A change takes out what is not there: the zone is not the one that the change was made for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotThere;

/// What stands at a name.
#[derive(Debug)]
pub(crate) enum Look<'a> {
    Here(Entry<'a>),
    /// No record, but there are names below.
    Above,
    Nothing,
}

/// One state of a zone. Names are keys as those of [`crate::datasets::NameEntry::key`]: the labels below the zone's own
/// name, the last one first, so that what is below a name follows it.
#[derive(Clone, Default, Debug)]
pub(crate) struct Copy {
    pieces: Vec<Arc<Piece>>,
    records: usize,
    bytes: usize,
}

/// Entries one behind the other: the key with its length before it, then its records.
#[derive(Debug)]
struct Piece {
    bytes: Box<[u8]>,
    starts: Box<[u32]>,
    records: usize,
}

/// A name with its records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) key: &'a [u8],
    records: &'a [u8],
}

impl<'a> Entry<'a> {
    /// The records, those of one type one after another.
    pub(crate) fn records(self) -> impl Iterator<Item = Record<'a>> {
        let mut rest = self.records;
        core::iter::from_fn(move || {
            let (&[k0, k1, t0, t1, t2, t3, l0, l1], behind) = rest.split_first_chunk::<FIXED_BYTES>()?;
            let (data, next) = behind.split_at_checked(usize::from(u16::from_be_bytes([l0, l1])))?;
            rest = next;
            Some(Record { kind: u16::from_be_bytes([k0, k1]), ttl: u32::from_be_bytes([t0, t1, t2, t3]), data })
        })
    }

    /// The records of one type.
    pub(crate) fn of(self, kind: u16) -> impl Iterator<Item = Record<'a>> {
        self.records().filter(move |record| record.kind == kind)
    }
}

impl Piece {
    fn entry(&self, index: usize) -> Entry<'_> {
        let start = self.starts[index] as usize;
        let end = self.starts.get(index + 1).map_or(self.bytes.len(), |end| *end as usize);
        let (length, rest) = self.bytes[start..end].split_at(1);
        let (key, records) = rest.split_at(usize::from(length[0]));
        Entry { key, records }
    }

    fn first(&self) -> &[u8] {
        self.entry(0).key
    }

    fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        (0..self.starts.len()).map(|index| self.entry(index))
    }

    /// The first entry whose key is not smaller.
    fn place(&self, key: &[u8]) -> usize {
        let (mut low, mut high) = (0, self.starts.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.entry(middle).key < key { low = middle + 1 } else { high = middle }
        }
        low
    }
}

impl Copy {
    /// How many records there are.
    pub(crate) const fn len(&self) -> usize {
        self.records
    }

    /// Octets of the records with their names.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// What stands at the name of this key. It takes no lock and allocates nothing.
    pub(crate) fn look(&self, key: &[u8]) -> Look<'_> {
        // The piece that has the key, if any has.
        let at = self.pieces.partition_point(|piece| piece.first() <= key).saturating_sub(1);
        let Some(piece) = self.pieces.get(at) else { return Look::Nothing };
        let place = piece.place(key);
        let entry = (place < piece.starts.len()).then(|| piece.entry(place));
        let next = entry.or_else(|| Some(self.pieces.get(at + 1)?.entry(0)));
        match next {
            Some(entry) if entry.key == key => Look::Here(entry),
            Some(entry) if entry.key.starts_with(key) => Look::Above,
            _ => Look::Nothing,
        }
    }

    /// All names in the order of their keys.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.pieces.iter().flat_map(|piece| piece.entries())
    }

    /// The zone after the changes.
    pub(crate) fn with(&self, changes: &Changes) -> Result<Self, NotThere> {
        let mut writer = Writer::default();
        let mut changes = changes.iter().peekable();
        for (at, piece) in self.pieces.iter().enumerate() {
            // A key belongs to the last piece that does not begin behind it.
            let end = self.pieces.get(at + 1).map(|next| next.first());
            let belongs = |key: &[u8]| end.is_none_or(|end| key < end);
            if !changes.peek().is_some_and(|(key, _)| belongs(key)) {
                writer.share(piece);
                continue;
            }
            let mut entries = piece.entries().peekable();
            while let Some((key, changes)) = changes.next_if(|(key, _)| belongs(key)) {
                while let Some(entry) = entries.next_if(|entry| *entry.key < **key) {
                    writer.entry(entry.key, &entry.records().collect::<Vec<_>>());
                }
                let old = entries.next_if(|entry| *entry.key == **key);
                writer.changed(key, old, changes)?;
            }
            entries.for_each(|entry| writer.entry(entry.key, &entry.records().collect::<Vec<_>>()));
        }
        for (key, changes) in changes {
            writer.changed(key, None, changes)?;
        }
        let whole = writer.finish();
        let wanted = whole.bytes / PIECE_BYTES;
        Ok(if whole.pieces.len() > 4 * wanted + SPARE_PIECES { whole.packed() } else { whole })
    }

    fn packed(&self) -> Self {
        let mut writer = Writer::default();
        self.entries().for_each(|entry| writer.entry(entry.key, &entry.records().collect::<Vec<_>>()));
        writer.finish()
    }
}

/// Writes pieces, name by name in the order of their keys.
#[derive(Default)]
pub(crate) struct Writer {
    done: Copy,
    bytes: Vec<u8>,
    starts: Vec<u32>,
    records: usize,
}

impl Writer {
    /// A name with its records, of which there are some.
    pub(crate) fn entry(&mut self, key: &[u8], records: &[Record<'_>]) {
        if self.bytes.len() >= PIECE_BYTES {
            self.flush();
        }
        self.starts.push(self.bytes.len() as u32);
        self.bytes.push(key.len() as u8);
        self.bytes.extend_from_slice(key);
        for record in records {
            self.bytes.extend_from_slice(&record.kind.to_be_bytes());
            self.bytes.extend_from_slice(&record.ttl.to_be_bytes());
            self.bytes.extend_from_slice(&(record.data.len() as u16).to_be_bytes());
            self.bytes.extend_from_slice(record.data);
        }
        self.records += records.len();
    }

    fn changed(&mut self, key: &[u8], old: Option<Entry<'_>>, changes: &[Change]) -> Result<(), NotThere> {
        let mut records: Vec<Record<'_>> = old.map(|entry| entry.records().collect()).unwrap_or_default();
        for Change { is_added, kind, ttl, data } in changes {
            let same = records.iter().position(|record| record.kind == *kind && record.data == &**data);
            match (is_added, same) {
                (true, Some(at)) => records[at].ttl = *ttl,
                (true, None) => records.push(Record { kind: *kind, ttl: *ttl, data }),
                (false, Some(at)) => drop(records.remove(at)),
                (false, None) => return Err(NotThere),
            }
        }
        records.sort_by_key(|record| record.kind);
        if !records.is_empty() {
            self.entry(key, &records);
        }
        Ok(())
    }

    fn share(&mut self, piece: &Arc<Piece>) {
        self.flush();
        self.add(Arc::clone(piece));
    }

    fn flush(&mut self) {
        if !self.starts.is_empty() {
            let (bytes, starts) = (self.bytes.as_slice().into(), self.starts.as_slice().into());
            let records = core::mem::take(&mut self.records);
            self.add(Arc::new(Piece { bytes, starts, records }));
            self.bytes.clear();
            self.starts.clear();
        }
    }

    fn add(&mut self, piece: Arc<Piece>) {
        self.done.bytes += piece.bytes.len();
        self.done.records += piece.records;
        self.done.pieces.push(piece);
    }

    pub(crate) fn finish(mut self) -> Copy {
        self.flush();
        self.done
    }
}

#[cfg(test)]
#[path = "copy_tests.rs"]
mod tests;
