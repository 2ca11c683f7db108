//! The facts about one name, each as the place of its weights in the model.
//!
//! Reading a name only writes places down, and weighing them is one tight loop afterwards: that is several times quicker
//! than to weigh each fact where it is found.

use super::model::BUCKETS;

/// What a fact is about. It keeps equal texts in different roles apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Role {
    /// A run of letters before the registrable domain.
    Word = 1,
    /// A few characters in a row there, numbers reduced to a mark.
    Gram,
    /// A few characters of the registrable domain's label.
    Brand,
    /// The public suffix.
    Suffix,
    /// Counts and lengths.
    Shape,
    /// The form of an address, with the kinds of words beside it.
    Form,
    /// A kind of word, and where it stands.
    Mark,
}

/// Most facts of one name; of a longer name that no network gives the last ones are left out.
const FACTS_MAX: usize = 512;

/// Most words of one name that a reason may quote.
const WORDS_MAX: usize = 32;

/// A run of letters, which a reason may quote.
#[derive(Clone, Copy, Default)]
pub(super) struct Word {
    /// Where its weights stand.
    pub(super) bucket: u16,
    /// Where it begins in the name.
    pub(super) from: u8,
    /// Where it ends.
    pub(super) to: u8,
}

/// See the module.
pub(super) struct Facts {
    buckets: [u16; FACTS_MAX],
    len: usize,
    /// So many of the first are about the brand.
    brand: usize,
    words: [Word; WORDS_MAX],
    words_len: usize,
}

impl Facts {
    pub(super) fn new() -> Self {
        Self { buckets: [0; FACTS_MAX], len: 0, brand: 0, words: [Word::default(); WORDS_MAX], words_len: 0 }
    }

    /// All of them.
    #[cfg(any(test, feature = "train"))]
    pub(super) fn all(&self) -> &[u16] {
        &self.buckets[..self.len]
    }

    /// Those behind the first so many.
    pub(super) fn since(&self, first: usize) -> &[u16] {
        &self.buckets[first.min(self.len)..self.len]
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Leaves room for the first so many, whose weights are known already.
    pub(super) const fn leave(&mut self, first: usize) {
        self.len = first;
    }

    /// So many of the first are about the brand.
    #[cfg_attr(not(feature = "train"), expect(dead_code, reason = "only who learns tells them apart"))]
    pub(super) const fn brand(&self) -> usize {
        self.brand
    }

    /// The words.
    pub(super) fn words(&self) -> &[Word] {
        &self.words[..self.words_len]
    }

    /// Says that all facts so far are about the brand.
    pub(super) const fn end_brand(&mut self) {
        self.brand = self.len;
    }

    /// Adds a fact with up to seven bytes.
    pub(super) fn small(&mut self, role: Role, parts: &[u8]) {
        self.push(small(role, parts));
    }

    /// Adds facts by their places.
    pub(super) fn add(&mut self, places: &[u16]) {
        for &place in places {
            self.push(place);
        }
    }

    /// Adds the runs of three, four and five characters that begin with these, as many of them as `count` says; `mark` tells
    /// the bits that they have beside their characters.
    pub(super) fn runs(&mut self, role: Role, five: u64, mark: u64, count: usize) {
        let buckets = [3, 4, 5].map(|len| bucket(role, five & ((1 << (8 * len)) - 1) | mark));
        if let Some(places) = self.buckets.get_mut(self.len..self.len + buckets.len()) {
            places.copy_from_slice(&buckets);
            self.len += count;
        }
    }

    /// Adds a fact with a text of any length.
    pub(super) fn text(&mut self, role: Role, start: u8, text: &[u8]) -> u16 {
        let place = of_text(role, start, text);
        self.push(place);
        place
    }

    /// Adds a run of letters, which stands there in the name.
    pub(super) fn word(&mut self, text: &[u8], label: u8, from: u8, to: u8) {
        let word = Word { bucket: self.text(Role::Word, 0, text), from, to };
        self.text(Role::Word, b'0' + label.min(1), text);
        if self.words_len < WORDS_MAX {
            self.words[self.words_len] = word;
            self.words_len += 1;
        }
    }

    const fn push(&mut self, bucket: u16) {
        if self.len < FACTS_MAX {
            self.buckets[self.len] = bucket;
            self.len += 1;
        }
    }
}

/// The bits that hold a fact's bytes; its role stands above them.
const PACKED: u64 = (1 << 56) - 1;

/// The first bytes of a text as one number; what is longer than seven is cut. Without a loop over the bytes: of four to
/// six those in the middle are read twice.
const fn packed(bytes: &[u8]) -> u64 {
    match *bytes {
        [] => 0,
        [a] => a as u64,
        [a, b] => u16::from_le_bytes([a, b]) as u64,
        [a, b, c] => u32::from_le_bytes([a, b, c, 0]) as u64,
        [a, b, c, d, e, f, g, ..] => u64::from_le_bytes([a, b, c, d, e, f, g, 0]),
        [a, b, c, d, ..] => {
            let at = bytes.len() - 4;
            let end = u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
            u32::from_le_bytes([a, b, c, d]) as u64 | (end as u64) << (8 * at)
        }
    }
}

/// The odd number next to 2^64 over the golden ratio: in the upper bits of a product with it each bit of the other shows.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

const fn mixed(value: u64) -> u64 {
    let product = value.wrapping_mul(GOLDEN);
    product ^ (product >> 32)
}

/// The place of a fact with up to seven bytes.
pub(super) const fn small(role: Role, parts: &[u8]) -> u16 {
    bucket(role, packed(parts))
}

/// The place of a fact with a text of any length.
pub(super) fn of_text(role: Role, start: u8, text: &[u8]) -> u16 {
    let hash = text.chunks(7).fold(u64::from(start), |hash, chunk| mixed(hash ^ packed(chunk)));
    bucket(role, hash & PACKED)
}

/// Where a fact's weights stand.
const fn bucket(role: Role, packed: u64) -> u16 {
    const _: () = assert!(BUCKETS == 1 << 16, "a place fits 16 bits");
    ((packed | (role as u64) << 56).wrapping_mul(GOLDEN) >> 48) as u16
}

#[cfg(test)]
mod tests {
    use super::{FACTS_MAX, Facts, Role};

    #[test]
    fn facts_differ_by_role_bytes_and_order() {
        let mut facts = Facts::new();
        facts.small(Role::Shape, b"ab");
        facts.small(Role::Form, b"ab");
        facts.small(Role::Form, b"ba");
        facts.text(Role::Suffix, 0, b"example-example");
        facts.text(Role::Suffix, 0, b"example-exampla");
        facts.text(Role::Suffix, 1, b"example-example");
        let mut all = facts.all().to_vec();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 6);
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let mut facts = Facts::new();
        for number in 0..=u16::MAX {
            let [high, low] = number.to_be_bytes();
            facts.word(&[high, low], 0, 0, 1);
        }
        assert_eq!(facts.all().len(), FACTS_MAX);
        assert!(!facts.words().is_empty());
    }
}
