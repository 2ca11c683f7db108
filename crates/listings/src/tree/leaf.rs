use std::io::{self, Write};

use base::ListSet;
use base::limits::LISTS_MAX;

use super::image::{Bytes, Lists};
use super::packed::{Packed, width_for};

/// Most addresses in one leaf; a fuller one is split. A change copies one leaf, so that this bounds the cost of a
/// change (some 9 KB copied), while leaves as large as this keep the overhead per address small.
pub(super) const ADDRESSES_MAX: usize = 4096;

/// An address within a leaf, and the lists it is on.
pub(super) type Item = (u32, ListSet);

/// The listed addresses of one prefix: sorted keys, and for each an index into the palette of the sets that occur.
///
/// A key is the low 16 bits of an address. Where a leaf spans more than 16 bits, `words` begins with the ends of
/// its buckets, one bucket for each value of the bits above: two bytes per address without regard to the span.
pub(super) struct Leaf {
    /// Ends of the buckets (none if the leaf spans 16 bits or less), then all keys, bucket by bucket.
    words: Box<[u16]>,
    /// How many ends stand in `words`.
    buckets: u16,
    /// For each key its place in the palette.
    indexes: Packed,
    palette: Box<[Shade]>,
}

/// A set of lists, and how many addresses of the leaf have it. One without uses is free for another set.
#[derive(Clone, Copy)]
struct Shade {
    set: ListSet,
    uses: u32,
}

/// Where an address stands, or where it would.
enum Place {
    At(usize),
    Before(usize),
}

impl Leaf {
    /// A leaf that spans the lowest `bits` bits of addresses. The items are sorted by address, each once, with sets
    /// that are not empty, and no more than [`ADDRESSES_MAX`]; higher bits of the addresses are ignored.
    pub(super) fn new(bits: u32, items: &[Item]) -> Self {
        debug_assert!(items.len() <= ADDRESSES_MAX && items.is_sorted_by_key(|item| item.0));
        let buckets: u16 = if bits > 16 { 1 << (bits - 16) } else { 0 };
        let mut words = Vec::with_capacity(usize::from(buckets) + items.len());
        let mut end = 0;
        for bucket in 0..u32::from(buckets) {
            end += items[end..].partition_point(|item| bucket_of(item.0, buckets) <= bucket);
            words.push(end as u16);
        }
        words.extend(items.iter().map(|item| item.0 as u16));
        let mut palette: Vec<Shade> = Vec::new();
        for (_, set) in items {
            match palette.iter_mut().find(|shade| shade.set == *set) {
                Some(shade) => shade.uses += 1,
                None => palette.push(Shade { set: *set, uses: 1 }),
            }
        }
        let index_of = |item: &Item| {
            palette.iter().position(|shade| shade.set == item.1).expect("the palette was made of these items") as u16
        };
        let indexes = Packed::new(width_for(palette.len()), items.iter().map(index_of));
        Self { words: words.into(), buckets, indexes, palette: palette.into() }
    }

    /// How many addresses it holds.
    pub(super) fn len(&self) -> usize {
        self.words.len() - usize::from(self.buckets)
    }

    /// The union of all sets in it.
    pub(super) fn union(&self) -> ListSet {
        self.palette.iter().filter(|shade| shade.uses > 0).fold(ListSet::EMPTY, |all, shade| all.union(shade.set))
    }

    /// The lists of an address.
    pub(super) fn get(&self, address: u32) -> ListSet {
        match self.find(address) {
            Place::At(at) => self.set(at),
            Place::Before(_) => ListSet::EMPTY,
        }
    }

    /// The union over all addresses from `first` to `last`; `all` is what [`Leaf::union`] says, where the search ends.
    pub(super) fn union_between(&self, first: u32, last: u32, all: ListSet) -> ListSet {
        let (Place::At(start) | Place::Before(start)) = self.find(first);
        let end = match self.find(last) {
            Place::At(at) => at + 1,
            Place::Before(at) => at,
        };
        let mut union = ListSet::EMPTY;
        for at in start..end {
            union = union.union(self.palette[self.indexes.get(at)].set);
            if union == all {
                break;
            }
        }
        union
    }

    /// This leaf with other lists for one address. None if it cannot be had by copying: the leaf is full or would be
    /// empty, or its palette wants another width; then it is to be built anew.
    pub(super) fn changed(&self, address: u32, set: ListSet) -> Option<Self> {
        match self.find(address) {
            Place::At(at) if set.is_empty() => self.without(address, at),
            Place::At(at) => {
                let mut palette = self.palette.to_vec();
                palette[self.indexes.get(at)].uses -= 1;
                let index = self.shade(&mut palette, set)?;
                let indexes = self.indexes.replaced(at, index);
                Some(Self { words: self.words.clone(), buckets: self.buckets, indexes, palette: palette.into() })
            }
            Place::Before(at) => self.with(address, at, set),
        }
    }

    fn with(&self, address: u32, at: usize, set: ListSet) -> Option<Self> {
        if self.len() >= ADDRESSES_MAX {
            return None;
        }
        let mut palette = self.palette.to_vec();
        let index = self.shade(&mut palette, set)?;
        let cut = usize::from(self.buckets) + at;
        let mut words = Vec::with_capacity(self.words.len() + 1);
        words.extend_from_slice(&self.words[..cut]);
        words.push(address as u16);
        words.extend_from_slice(&self.words[cut..]);
        let bucket = bucket_of(address, self.buckets) as usize;
        words[..usize::from(self.buckets)].iter_mut().skip(bucket).for_each(|end| *end += 1);
        let indexes = self.indexes.inserted(at, index, self.len());
        Some(Self { words: words.into(), buckets: self.buckets, indexes, palette: palette.into() })
    }

    fn without(&self, address: u32, at: usize) -> Option<Self> {
        if self.len() == 1 {
            return None;
        }
        let mut palette = self.palette.clone();
        palette[self.indexes.get(at)].uses -= 1;
        // A palette that has shrunk to a quarter is worth building anew, for narrower indexes.
        let used = palette.iter().filter(|shade| shade.uses > 0).count();
        if used * 4 < palette.len() {
            return None;
        }
        let cut = usize::from(self.buckets) + at;
        let mut words = Vec::with_capacity(self.words.len() - 1);
        words.extend_from_slice(&self.words[..cut]);
        words.extend_from_slice(&self.words[cut + 1..]);
        let bucket = bucket_of(address, self.buckets) as usize;
        words[..usize::from(self.buckets)].iter_mut().skip(bucket).for_each(|end| *end -= 1);
        let indexes = self.indexes.removed(at, self.len());
        Some(Self { words: words.into(), buckets: self.buckets, indexes, palette })
    }

    /// The place of `set` in the palette, with one more use; it is added if there is room within the indexes' width.
    fn shade(&self, palette: &mut Vec<Shade>, set: ListSet) -> Option<usize> {
        let same = palette.iter().position(|shade| shade.set == set);
        let index = same.or_else(|| palette.iter().position(|shade| shade.uses == 0)).unwrap_or(palette.len());
        if index == palette.len() {
            if width_for(index + 1) != self.indexes.width() {
                return None;
            }
            palette.push(Shade { set, uses: 0 });
        }
        palette[index] = Shade { set, uses: palette[index].uses + 1 };
        Some(index)
    }

    /// Appends all items, with `base` as the bits above the leaf's span.
    pub(super) fn append_to(&self, items: &mut Vec<Item>, base: u32) {
        items.extend(self.items_from(base, base));
    }

    /// All items from `first` on, in order, with `base` as the bits above the leaf's span.
    pub(super) fn items_from(&self, base: u32, first: u32) -> LeafItems<'_> {
        let (Place::At(at) | Place::Before(at)) = if first <= base { Place::At(0) } else { self.find(first) };
        LeafItems { leaf: self, base, at, bucket: 0 }
    }

    /// The set of the item at `at`.
    pub(super) fn set(&self, at: usize) -> ListSet {
        self.palette[self.indexes.get(at)].set
    }

    /// The keys among which the address would stand, and where they begin.
    pub(super) fn bucket(&self, address: u32) -> (usize, &[u16]) {
        let (ends, keys) = self.words.split_at(usize::from(self.buckets));
        let bucket = bucket_of(address, self.buckets) as usize;
        let (start, end) = match ends.get(bucket) {
            Some(end) if bucket > 0 => (usize::from(ends[bucket - 1]), usize::from(*end)),
            Some(end) => (0, usize::from(*end)),
            None => (0, keys.len()),
        };
        (start, &keys[start..end])
    }

    fn find(&self, address: u32) -> Place {
        let (start, keys) = self.bucket(address);
        match keys.binary_search(&(address as u16)) {
            Ok(at) => Place::At(start + at),
            Err(at) => Place::Before(start + at),
        }
    }

    /// Adds how many addresses each list has.
    pub(super) fn count(&self, counts: &mut [usize; LISTS_MAX]) {
        for shade in &self.palette {
            shade.set.iter().for_each(|list| counts[list.index()] += shade.uses as usize);
        }
    }

    /// Writes it: see [`super::image`].
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&(self.len() as u16).to_le_bytes())?;
        out.write_all(&(self.palette.len() as u16).to_le_bytes())?;
        self.palette.iter().try_for_each(|shade| out.write_all(&shade.set.bits().to_le_bytes()))?;
        let words: Vec<u8> = self.words.iter().flat_map(|word| word.to_le_bytes()).collect();
        out.write_all(&words)?;
        self.indexes.words().iter().try_for_each(|word| out.write_all(&word.to_le_bytes()))
    }

    /// Reads what [`Leaf::write`] wrote: a leaf that spans the lowest `bits` bits above `base`. None if it is none.
    pub(super) fn read(bytes: &mut Bytes<'_>, lists: &Lists<'_>, bits: u32, base: u32) -> Option<Self> {
        let (count, kinds) = (usize::from(bytes.u16()?), usize::from(bytes.u16()?));
        if count == 0 || count > ADDRESSES_MAX || kinds == 0 || kinds > ADDRESSES_MAX {
            return None;
        }
        let shade = |set: &[u8; 4]| Some(Shade { set: lists.set(u32::from_le_bytes(*set))?, uses: 0 });
        let sets = bytes.take(kinds * 4)?.as_chunks().0;
        let mut palette = sets.iter().map(shade).collect::<Option<Box<[Shade]>>>()?;
        let buckets: u16 = if bits > 16 { 1 << (bits - 16) } else { 0 };
        let words = bytes.take((usize::from(buckets) + count) * 2)?.as_chunks().0;
        let words: Box<[u16]> = words.iter().copied().map(u16::from_le_bytes).collect();
        if !is_in_order(&words, buckets, bits, base) {
            return None;
        }
        let indexes = Packed::read(bytes, width_for(kinds), count)?;
        for at in 0..count {
            palette.get_mut(indexes.get(at))?.uses += 1;
        }
        Some(Self { words, buckets, indexes, palette })
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.words) + size_of_val(&*self.palette) + self.indexes.heap_bytes()
    }
}

/// Whether these are the words of a leaf that spans the lowest `bits` bits above `base`.
fn is_in_order(words: &[u16], buckets: u16, bits: u32, base: u32) -> bool {
    let (ends, keys) = words.split_at(usize::from(buckets));
    let mut start = 0;
    // A leaf without buckets is one bucket.
    let whole = [keys.len() as u16];
    let ends = if ends.is_empty() { &whole } else { ends };
    let fits = |key: &u16| bits >= 16 || (key ^ base as u16) >> bits == 0;
    for end in ends.iter().map(|end| usize::from(*end)) {
        let Some(bucket) = keys.get(start..end) else { return false };
        if !bucket.is_sorted_by(|a, b| a < b) || !bucket.iter().all(fits) {
            return false;
        }
        start = end;
    }
    start == keys.len()
}

/// The items of one leaf, in order.
pub(super) struct LeafItems<'a> {
    leaf: &'a Leaf,
    base: u32,
    at: usize,
    bucket: usize,
}

impl Iterator for LeafItems<'_> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        let (ends, keys) = self.leaf.words.split_at(usize::from(self.leaf.buckets));
        let key = *keys.get(self.at)?;
        while ends.get(self.bucket).is_some_and(|end| usize::from(*end) <= self.at) {
            self.bucket += 1;
        }
        let set = self.leaf.set(self.at);
        self.at += 1;
        Some((self.base | (self.bucket as u32) << 16 | u32::from(key), set))
    }
}

/// The bucket of an address; `buckets` is 0 or a power of two up to 256.
fn bucket_of(address: u32, buckets: u16) -> u32 {
    address >> 16 & u32::from(buckets.saturating_sub(1))
}
