/// Numbers of equal width, packed into words: as many bits each as the largest one needs, rounded up to a power of two,
/// so that none lies across two words.
#[derive(Debug, Default)]
pub(super) struct Packed {
    width: u32,
    words: Box<[u64]>,
}

impl Packed {
    /// Packs `numbers`.
    pub(super) fn new(numbers: &[u32]) -> Self {
        let largest = numbers.iter().copied().max().unwrap_or_default();
        let width = match u32::BITS - largest.leading_zeros() {
            0 => return Self::default(),
            bits => bits.next_power_of_two(),
        };
        let per_word = (u64::BITS / width) as usize;
        let pack = |chunk: &[u32]| chunk.iter().rev().fold(0, |word, number| word << (width % 64) | u64::from(*number));
        Self { width, words: numbers.chunks(per_word).map(pack).collect() }
    }

    /// The number at `at`, which is below their count.
    pub(super) fn get(&self, at: usize) -> u32 {
        if self.width == 0 {
            return 0;
        }
        let bit = at * self.width as usize;
        (self.words[bit / 64] >> (bit % 64) & ((1 << self.width) - 1)) as u32
    }

    pub(super) const fn heap_bytes(&self) -> usize {
        self.words.len() * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_a_vector(largest in 0_u32.., seeds in prop::collection::vec(any::<u32>(), 0..200)) {
            let numbers: Vec<u32> = seeds.iter().map(|seed| if largest == 0 { 0 } else { seed % largest }).collect();
            let packed = Packed::new(&numbers);
            prop_assert_eq!((0..numbers.len()).map(|at| packed.get(at)).collect::<Vec<_>>(), numbers);
        }
    }
}
