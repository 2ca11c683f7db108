use crate::limits::LISTS_MAX;
use crate::{Subject, Timestamp};

/// A list by its place in the configuration; [`ListId::BLOCKED`] always exists.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ListId(u8);

impl ListId {
    /// The local list of blocks, which is never published.
    pub const BLOCKED: Self = Self(0);

    /// The list at `index`, which must be below [`LISTS_MAX`].
    pub const fn new(index: usize) -> Self {
        assert!(index < LISTS_MAX, "the configuration bounds the number of lists");
        Self(index as u8)
    }

    /// The place in the configuration.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A set of lists, such as those that an address is on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct ListSet(u32);

impl ListSet {
    /// No list.
    pub const EMPTY: Self = Self(0);

    /// The set of a mask with bit `index` for each list.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The mask with bit `index` for each list.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether no list is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `list` is in it.
    pub const fn contains(self, list: ListId) -> bool {
        self.0 & (1 << list.0) != 0
    }

    /// The set with `list` in it.
    #[must_use]
    pub const fn with(self, list: ListId) -> Self {
        Self(self.0 | 1 << list.0)
    }

    /// The set without `list`.
    #[must_use]
    pub const fn without(self, list: ListId) -> Self {
        Self(self.0 & !(1 << list.0))
    }

    /// The lists of both sets.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The lists in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The lists in ascending order.
    pub fn iter(self) -> impl Iterator<Item = ListId> {
        (0..LISTS_MAX).map(ListId::new).filter(move |list| self.contains(*list))
    }
}

impl FromIterator<ListId> for ListSet {
    fn from_iter<I: IntoIterator<Item = ListId>>(lists: I) -> Self {
        lists.into_iter().fold(Self::EMPTY, Self::with)
    }
}

/// A rule by its place in the configuration.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RuleId(pub u16);

/// When a listing ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Until {
    /// At this moment: from then on it is not in force.
    At(Timestamp),
    /// Not by itself; only a person can want that, and a rule of a block.
    Never,
}

impl Until {
    /// Whether a listing with this end is over at `now`.
    pub fn is_over(self, now: Timestamp) -> bool {
        match self {
            Self::At(end) => end <= now,
            Self::Never => false,
        }
    }

    /// The moment, if there is one.
    pub const fn moment(self) -> Option<Timestamp> {
        match self {
            Self::At(end) => Some(end),
            Self::Never => None,
        }
    }
}

/// A subject on a list, with its end, its maker and its evidence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listing {
    /// Whom it is about.
    pub subject: Subject,
    /// The list.
    pub list: ListId,
    /// When it came into force.
    pub since: Timestamp,
    /// When it ends.
    pub until: Until,
    /// Who made it.
    pub maker: Maker,
    /// What it rests on.
    pub evidence: Evidence,
}

/// Who made a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Maker {
    /// A rule of the configuration.
    Rule(RuleId),
    /// A person, or a program that a person set up, with the reason given.
    Person {
        /// Who: the name that the command line or the API knows.
        name: Box<str>,
        /// The reason in the person's words.
        reason: Box<str>,
    },
}

/// What a rule's listing rests on. The single events stand in the store, by subject and time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Evidence {
    /// How many events the rule counted.
    pub count: u32,
    /// Among how many different addresses, logins or guesses, where the rule tells them apart; else 0.
    pub distinct: u32,
    /// The first of them.
    pub first: Timestamp,
    /// The last of them.
    pub last: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_was_put_in() {
        let (a, b) = (ListId::new(1), ListId::new(31));
        let set: ListSet = [a, b].into_iter().collect();
        assert!(set.contains(a) && set.contains(b) && !set.contains(ListId::BLOCKED));
        assert_eq!(set.iter().collect::<Vec<_>>(), [a, b]);
        assert_eq!(set.without(a).iter().collect::<Vec<_>>(), [b]);
        assert_eq!(ListSet::from_bits(set.bits()), set);
    }

    #[test]
    fn ends_are_exclusive() {
        let end = Timestamp::from_secs(10);
        assert!(!Until::At(end).is_over(Timestamp::from_millis(9_999)));
        assert!(Until::At(end).is_over(end));
        assert!(!Until::Never.is_over(Timestamp::from_millis(u64::MAX)));
    }
}
