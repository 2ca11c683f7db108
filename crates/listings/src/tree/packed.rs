use super::image::Bytes;

/// Small numbers of equal width, packed into words. The length is known to whoever holds it.
///
/// The width is 0, 1, 2, 4, 8 or 16 bits, so that no number lies across two words.
#[derive(Clone, Default)]
pub(super) struct Packed {
    width: u8,
    words: Box<[u64]>,
}

/// The narrowest width that tells `kinds` numbers apart.
pub(super) const fn width_for(kinds: usize) -> u8 {
    match kinds {
        0 | 1 => 0,
        2 => 1,
        3..=4 => 2,
        5..=16 => 4,
        17..=256 => 8,
        _ => 16,
    }
}

/// How many words hold `length` numbers.
const fn words_for(length: usize, width: u8) -> usize {
    (length * width as usize).div_ceil(64)
}

/// The lowest `bits` bits set; `bits` is below 64.
const fn low(bits: u32) -> u64 {
    (1 << bits) - 1
}

impl Packed {
    /// Packs `numbers`, each below `1 << width`.
    pub(super) fn new(width: u8, numbers: impl ExactSizeIterator<Item = u16>) -> Self {
        let mut words = vec![0_u64; words_for(numbers.len(), width)].into_boxed_slice();
        if width > 0 {
            for (at, number) in numbers.enumerate() {
                let (word, shift) = place(at, width);
                words[word] |= u64::from(number) << shift;
            }
        }
        Self { width, words }
    }

    /// Bits of one number.
    pub(super) const fn width(&self) -> u8 {
        self.width
    }

    /// The number at `at`, which must be below the length.
    pub(super) fn get(&self, at: usize) -> usize {
        if self.width == 0 {
            return 0;
        }
        let (word, shift) = place(at, self.width);
        (self.words[word] >> shift & low(u32::from(self.width))) as usize
    }

    /// The same numbers with another one at `at`.
    pub(super) fn replaced(&self, at: usize, number: usize) -> Self {
        let mut new = self.clone();
        if self.width > 0 {
            let (word, shift) = place(at, self.width);
            new.words[word] &= !(low(u32::from(self.width)) << shift);
            new.words[word] |= (number as u64) << shift;
        }
        new
    }

    /// These `length` numbers with one more before `at`; what stood there and later moves up.
    pub(super) fn inserted(&self, at: usize, number: usize, length: usize) -> Self {
        if self.width == 0 {
            return self.clone();
        }
        let width = u32::from(self.width);
        let mut words = Vec::with_capacity(words_for(length + 1, self.width));
        words.extend_from_slice(&self.words);
        words.resize(words_for(length + 1, self.width), 0);
        let (first, shift) = place(at, self.width);
        let old = words[first];
        let mut carry = old >> (64 - width);
        // The two steps of the shift keep it below 64 when the number is the last one of its word.
        words[first] = old & low(shift) | (number as u64) << shift | (old >> shift << shift) << width;
        for word in &mut words[first + 1..] {
            let next = *word >> (64 - width);
            *word = *word << width | carry;
            carry = next;
        }
        Self { width: self.width, words: words.into() }
    }

    /// These `length` numbers without the one at `at`; what stood later moves down.
    pub(super) fn removed(&self, at: usize, length: usize) -> Self {
        if self.width == 0 {
            return self.clone();
        }
        let width = u32::from(self.width);
        let mut words = self.words.to_vec();
        let (first, shift) = place(at, self.width);
        let old = words[first];
        words[first] = old & low(shift) | (old >> shift >> width) << shift;
        for word in first + 1..words.len() {
            words[word - 1] |= (words[word] & low(width)) << (64 - width);
            words[word] >>= width;
        }
        words.truncate(words_for(length - 1, self.width));
        Self { width: self.width, words: words.into() }
    }

    /// The words, for writing them.
    pub(super) const fn words(&self) -> &[u64] {
        &self.words
    }

    /// Reads the words of `length` numbers.
    pub(super) fn read(bytes: &mut Bytes<'_>, width: u8, length: usize) -> Option<Self> {
        let words = bytes.take(words_for(length, width) * 8)?.as_chunks().0;
        Some(Self { width, words: words.iter().copied().map(u64::from_le_bytes).collect() })
    }

    /// Bytes on the heap.
    pub(super) const fn heap_bytes(&self) -> usize {
        self.words.len() * 8
    }
}

/// The word and the bit in it where the number at `at` begins.
const fn place(at: usize, width: u8) -> (usize, u32) {
    let bit = at * width as usize;
    (bit / 64, (bit % 64) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_a_vector(
            kinds in prop::sample::select(vec![1_u16, 2, 4, 16, 256, u16::MAX]),
            start in 0_usize..70,
            edits in prop::collection::vec((0_u8..3, any::<u16>(), any::<u16>()), 0..80),
        ) {
            let mut model: Vec<u16> = (0..start).map(|n| (n * 7919) as u16 % kinds).collect();
            let mut packed = Packed::new(width_for(usize::from(kinds)), model.iter().copied());
            for (edit, at, number) in edits {
                let number = number % kinds;
                match edit {
                    0 => {
                        let at = usize::from(at) % (model.len() + 1);
                        packed = packed.inserted(at, usize::from(number), model.len());
                        model.insert(at, number);
                    }
                    1 if !model.is_empty() => {
                        let at = usize::from(at) % model.len();
                        packed = packed.removed(at, model.len());
                        model.remove(at);
                    }
                    2 if !model.is_empty() => {
                        let at = usize::from(at) % model.len();
                        packed = packed.replaced(at, usize::from(number));
                        model[at] = number;
                    }
                    _ => {}
                }
                let unpacked: Vec<usize> = (0..model.len()).map(|at| packed.get(at)).collect();
                prop_assert_eq!(unpacked, model.iter().map(|n| usize::from(*n)).collect::<Vec<_>>());
            }
        }
    }
}
