//! Who an account has written to, in bounded memory: a filter that grows, and then forgets.

/// Words of the first generation.
const WORDS_MIN: usize = 64;
/// Words of the largest: room for some 2200 names.
const WORDS_MAX: usize = 256;
/// Places that one name has in a generation.
const PLACES: u32 = 3;

/// Two generations of a Bloom filter: names are put into the younger one. When a third of its bits are set, so that a stranger
/// is taken for known once in 27 times, the older one is forgotten and a new one begun, twice as large until it is as large as
/// any. It never takes a name that was put in lately for a stranger; the other way round it errs in the account's favour.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Known {
    young: Box<[u64]>,
    /// How many bits of the younger are set, which would take long to count each time.
    set: usize,
    old: Box<[u64]>,
}

impl Default for Known {
    fn default() -> Self {
        Self { young: vec![0; WORDS_MIN].into(), set: 0, old: Box::default() }
    }
}

impl Known {
    /// Its two generations, the younger first.
    pub(super) fn generations(&self) -> [&[u64]; 2] {
        [&self.young, &self.old]
    }

    /// That of these generations; none if they have a size that none has.
    pub(super) fn from_generations(young: Box<[u64]>, old: Box<[u64]>) -> Option<Self> {
        let is_size = |words: &[u64]| words.len().is_power_of_two() && (WORDS_MIN..=WORDS_MAX).contains(&words.len());
        let set = young.iter().map(|word| word.count_ones() as usize).sum();
        (is_size(&young) && (old.is_empty() || is_size(&old))).then_some(Self { young, set, old })
    }

    /// Whether the name was put in lately.
    pub(super) fn contains(&self, name: u64) -> bool {
        let is_in =
            |words: &[u64]| !words.is_empty() && places(name, words.len()).all(|(word, bit)| words[word] & bit != 0);
        is_in(&self.young) || is_in(&self.old)
    }

    /// Puts the name in, or keeps it from being forgotten.
    pub(super) fn insert(&mut self, name: u64) {
        let words = self.young.len();
        for (word, bit) in places(name, words) {
            self.set += usize::from(self.young[word] & bit == 0);
            self.young[word] |= bit;
        }
        if self.set >= words * 64 / 3 {
            let next = vec![0; (words * 2).min(WORDS_MAX)].into();
            self.old = core::mem::replace(&mut self.young, next);
            self.set = 0;
        }
    }
}

/// Where a name's bits are among so many words, a power of two.
fn places(name: u64, words: usize) -> impl Iterator<Item = (usize, u64)> {
    (0..PLACES).map(move |place| {
        let bits = (name >> (20 * place)) as usize;
        (bits / 64 % words, 1 << (bits % 64))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Keys;

    #[test]
    fn what_was_put_in_lately_is_known_and_strangers_seldom() {
        let keys = Keys::new([3; 16]);
        let name = |number| keys.number(number).get();
        let mut known = Known::default();
        for number in 0..20_000 {
            known.insert(name(number));
            assert!((number.saturating_sub(50)..=number).all(|late| known.contains(name(late))), "{number}");
        }
        assert_eq!((known.young.len(), known.old.len()), (WORDS_MAX, WORDS_MAX));
        assert_eq!(known.set, known.young.iter().map(|word| word.count_ones() as usize).sum::<usize>());
        let kept = Known::from_generations(known.young.clone(), known.old.clone());
        assert_eq!(kept, Some(known.clone()));
        let mistaken = (1_000_000..1_010_000).filter(|number| known.contains(name(*number))).count();
        assert!(mistaken < 1000, "{mistaken} of 10,000");
        assert!(!known.contains(name(1)), "what is long ago is forgotten");
    }
}
