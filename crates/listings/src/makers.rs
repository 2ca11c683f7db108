use base::Maker;
use hashbrown::HashTable;

use crate::slab::Slab;

/// Makers by number: millions of listings of one import share the name and the reason of whoever imported them.
pub(crate) struct Makers {
    numbers: HashTable<u32>,
    makers: Slab<Known>,
}

/// A maker and how many listings name it.
struct Known {
    maker: Option<Maker>,
    hash: u64,
    uses: u32,
}

impl Makers {
    pub(crate) const fn new() -> Self {
        Self { numbers: HashTable::new(), makers: Slab::new() }
    }

    /// The number of `maker`, with one more use; `hash` is the maker's own.
    pub(crate) fn take(&mut self, hash: u64, maker: Maker) -> u32 {
        let makers = &mut self.makers;
        if let Some(number) = self.numbers.find(hash, |n| makers.get(*n).maker.as_ref() == Some(&maker)) {
            makers.get_mut(*number).uses += 1;
            return *number;
        }
        let number = makers.insert(Known { maker: Some(maker), hash, uses: 1 });
        self.numbers.insert_unique(hash, number, |n| makers.get(*n).hash);
        number
    }

    /// The maker of that number.
    pub(crate) fn get(&self, number: u32) -> &Maker {
        self.makers.get(number).maker.as_ref().expect("a number is given back with its last use only")
    }

    /// Takes one use back; the maker of none is forgotten.
    pub(crate) fn release(&mut self, number: u32) {
        let known = self.makers.get_mut(number);
        known.uses -= 1;
        if known.uses > 0 {
            return;
        }
        let hash = known.hash;
        if let Ok(found) = self.numbers.find_entry(hash, |n| *n == number) {
            found.remove();
        }
        self.makers.remove(number, Known { maker: None, hash: 0, uses: 0 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::RuleId;

    #[test]
    fn equal_makers_share_a_number() {
        let person = |name: &str| Maker::Person { name: name.into(), reason: "seen".into() };
        let mut makers = Makers::new();
        // One hash for all: what is equal is told by comparing.
        let (a, b) = (makers.take(1, person("ann")), makers.take(1, Maker::Rule(RuleId(3))));
        assert_eq!(makers.take(1, person("ann")), a);
        assert_ne!(a, b);
        makers.release(a);
        assert_eq!(makers.get(a), &person("ann"));
        makers.release(a);
        assert_eq!(makers.take(1, person("ben")), a);
        assert_eq!((makers.get(a), makers.get(b)), (&person("ben"), &Maker::Rule(RuleId(3))));
    }
}
