use std::sync::Arc;

use base::ListSet;

/// Bits of a prefix that one node decides.
const STRIDE: u8 = 4;

/// A prefix of up to 128 bits, left-aligned, with the bits below its length clear.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Prefix {
    pub(super) bits: u128,
    pub(super) length: u8,
}

/// Prefixes, each with its own set of lists: a persistent tree that shares with its copies whatever has not changed.
///
/// A tree bitmap with path compression: a node holds the sets of prefixes of its own length and up to three bits more,
/// and a slot for each of the sixteen values of its four bits. A slot that holds a single prefix is that
/// prefix itself, of any length, and a chain of nodes with one child does not exist. So it is at most 32 nodes deep,
/// and its shape depends on its content alone.
#[derive(Clone, Default)]
pub(super) struct Prefixes {
    root: Option<Slot>,
}

/// One prefix with its own set, or a node with the union of all sets in it.
#[derive(Clone)]
struct Slot {
    prefix: Prefix,
    set: ListSet,
    node: Option<Arc<Node>>,
}

#[derive(Clone, Default)]
struct Node {
    /// Bit `2^n - 1 + v` for the prefix that has `n` bits (0 to 3) of value `v` after the node's.
    own: u16,
    /// Bit `v` for the slot of the four bits `v`.
    kids: u16,
    /// The sets of `own`'s bits, in their order.
    sets: Box<[ListSet]>,
    /// The slots of `kids`' bits, in their order.
    slots: Box<[Slot]>,
}

impl Prefix {
    /// Whether `other` lies within this prefix or equals it.
    const fn covers(self, other: Self) -> bool {
        self.length <= other.length && self.common(other) >= self.length
    }

    /// How many leading bits two prefixes have in common; not more than the shorter one's length.
    const fn common(self, other: Self) -> u8 {
        let same = (self.bits ^ other.bits).leading_zeros() as u8;
        let shorter = if self.length < other.length { self.length } else { other.length };
        if same < shorter { same } else { shorter }
    }

    /// The first `length` bits of this prefix.
    const fn cut(self, length: u8) -> Self {
        let mask = if length == 0 { 0 } else { u128::MAX << (128 - length as u32) };
        Self { bits: self.bits & mask, length }
    }

    /// The value of the four bits after the first `depth`, which is below 128.
    const fn nibble(self, depth: u8) -> u32 {
        (self.bits >> (128 - STRIDE as u32 - depth as u32)) as u32 % 16
    }

    /// The prefix of a bit of [`Node::own`] in the node of this prefix: the inverse of [`Prefix::own_bit`].
    const fn longer(self, bit: u32) -> Self {
        let rest = (bit + 1).ilog2();
        let length = self.length + rest as u8;
        let value = (bit + 1 - (1 << rest)) as u128;
        // A length of 0 has no bits to place.
        let bits = if length == 0 { 0 } else { self.bits | value << (128 - length as u32) };
        Self { bits, length }
    }

    /// The bit in [`Node::own`] of this prefix cut to `length`, which is at most three more than the node's `depth`.
    const fn own_bit(self, depth: u8, length: u8) -> u32 {
        let rest = (length - depth) as u32;
        let value = if rest == 0 { 0 } else { self.nibble(depth) >> (STRIDE as u32 - rest) };
        (1 << rest) - 1 + value
    }
}

/// How many bits of `map` stand before `bit`: the place of its item.
const fn rank(map: u16, bit: u32) -> usize {
    (map & ((1 << bit) - 1)).count_ones() as usize
}

impl Prefixes {
    /// Whether there is none.
    pub(super) const fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// The prefix's own set.
    pub(super) fn get(&self, prefix: Prefix) -> ListSet {
        let mut own = ListSet::EMPTY;
        self.walk(prefix, |found, set| {
            if found == prefix.length {
                own = set;
            }
        });
        own
    }

    /// The union over all prefixes that cover this one, and its own.
    pub(super) fn covering(&self, prefix: Prefix) -> ListSet {
        let mut union = ListSet::EMPTY;
        self.walk(prefix, |_, set| union = union.union(set));
        union
    }

    /// The length of the longest prefix that covers this one, or is it, and whose own set shares a list with `wanted`.
    pub(super) fn narrowest(&self, prefix: Prefix, wanted: ListSet) -> Option<u8> {
        let mut narrowest = None;
        self.walk(prefix, |length, set| {
            if !set.intersection(wanted).is_empty() {
                narrowest = Some(length);
            }
        });
        narrowest
    }

    /// Calls `visit` with length and own set of each prefix that covers this one, and of itself, widest first.
    fn walk(&self, prefix: Prefix, mut visit: impl FnMut(u8, ListSet)) {
        let Some(mut slot) = self.root.as_ref() else { return };
        while slot.prefix.covers(prefix) {
            let depth = slot.prefix.length;
            let Some(node) = &slot.node else { return visit(depth, slot.set) };
            for length in depth..=prefix.length.min(depth + STRIDE - 1) {
                if let Some(set) = node.own_set(prefix.own_bit(depth, length)) {
                    visit(length, set);
                }
            }
            if prefix.length < depth + STRIDE {
                return;
            }
            match node.slot(prefix.nibble(depth)) {
                Some(next) => slot = next,
                None => return,
            }
        }
    }

    /// The union over all prefixes within this one, and its own.
    pub(super) fn below(&self, prefix: Prefix) -> ListSet {
        let Some(mut slot) = self.root.as_ref() else { return ListSet::EMPTY };
        loop {
            if prefix.covers(slot.prefix) {
                return slot.set;
            }
            let depth = slot.prefix.length;
            let (true, Some(node)) = (slot.prefix.covers(prefix), &slot.node) else { return ListSet::EMPTY };
            if prefix.length < depth + STRIDE {
                return node.below(prefix, depth);
            }
            match node.slot(prefix.nibble(depth)) {
                Some(next) => slot = next,
                None => return ListSet::EMPTY,
            }
        }
    }

    /// All prefixes within `prefix`, itself included, with their own sets: by their bits, wider ones first.
    pub(super) fn within(&self, prefix: Prefix) -> Within<'_> {
        let mut walk = Within { single: None, steps: Vec::new() };
        let mut next = self.root.as_ref();
        while let Some(slot) = next {
            if prefix.covers(slot.prefix) {
                walk.enter(slot);
                break;
            }
            let depth = slot.prefix.length;
            let (true, Some(node)) = (slot.prefix.covers(prefix), &slot.node) else { break };
            if prefix.length < depth + STRIDE {
                let place = prefix.own_bit(depth, prefix.length);
                walk.steps.push(Step { own: slot.prefix, node, top: place, next: Some(place) });
                break;
            }
            next = node.slot(prefix.nibble(depth));
        }
        walk
    }

    /// Gives a prefix its own set; an empty set takes it out.
    pub(super) fn set(&mut self, prefix: Prefix, set: ListSet) {
        if self.get(prefix) == set {
            // Nothing is copied for a change that changes nothing, and what is taken out below is there.
            return;
        }
        let Some(root) = &mut self.root else {
            self.root = Some(Slot { prefix, set, node: None });
            return;
        };
        if !root.change(prefix, set) {
            self.root = None;
        }
    }

    /// Bytes on the heap, without what the allocator adds.
    pub(super) fn heap_bytes(&self) -> usize {
        self.root.as_ref().map_or(0, Slot::heap_bytes)
    }
}

impl Slot {
    /// Gives `prefix` another own set than it had, and says whether anything is left in this slot.
    fn change(&mut self, prefix: Prefix, set: ListSet) -> bool {
        if self.prefix == prefix && self.node.is_none() {
            self.set = set;
            return !set.is_empty();
        }
        if let Some(node) = self.node.as_mut().filter(|_| self.prefix.covers(prefix)) {
            let node = Arc::make_mut(node);
            node.change(self.prefix.length, prefix, set);
            self.set = node.union();
            if let Some(part) = node.only_part(self.prefix) {
                *self = part;
            }
            return true;
        }
        debug_assert!(!set.is_empty(), "only what is there is taken out");
        // Neither lies within the other's node: a node above both, at the last stride where they agree.
        let above = prefix.cut(self.prefix.common(prefix) / STRIDE * STRIDE);
        let node = Self { prefix: above, set: self.set.union(set), node: None };
        let old = core::mem::replace(self, node);
        let mut node = Node::default();
        node.put(above.length, old);
        node.put(above.length, Self { prefix, set, node: None });
        self.node = Some(Arc::new(node));
        true
    }

    fn heap_bytes(&self) -> usize {
        // Two counts stand before what an `Arc` shares.
        self.node.as_ref().map_or(0, |node| {
            let slots: usize = node.slots.iter().map(|slot| size_of::<Self>() + slot.heap_bytes()).sum();
            16 + size_of::<Node>() + size_of_val(&*node.sets) + slots
        })
    }
}

impl Node {
    fn own_set(&self, bit: u32) -> Option<ListSet> {
        (self.own >> bit & 1 == 1).then(|| self.sets[rank(self.own, bit)])
    }

    fn slot(&self, nibble: u32) -> Option<&Slot> {
        (self.kids >> nibble & 1 == 1).then(|| &self.slots[rank(self.kids, nibble)])
    }

    /// The union of all sets.
    fn union(&self) -> ListSet {
        let own = self.sets.iter().fold(ListSet::EMPTY, |all, set| all.union(*set));
        self.slots.iter().fold(own, |all, slot| all.union(slot.set))
    }

    /// The union over all prefixes within `prefix`, which ends inside this node's stride at `depth`.
    fn below(&self, prefix: Prefix, depth: u8) -> ListSet {
        let rest = u32::from(prefix.length - depth);
        let first = prefix.nibble(depth);
        let mut union = ListSet::EMPTY;
        for longer in rest..u32::from(STRIDE) {
            // The prefixes of this length within `prefix` are a run of bits.
            let start = (1 << longer) - 1 + (first >> (u32::from(STRIDE) - longer));
            for bit in start..start + (1 << (longer - rest)) {
                union = union.union(self.own_set(bit).unwrap_or_default());
            }
        }
        for nibble in first..first + (1 << (u32::from(STRIDE) - rest)) {
            union = union.union(self.slot(nibble).map_or(ListSet::EMPTY, |slot| slot.set));
        }
        union
    }

    /// Gives a prefix within this node, which begins at `depth`, its own set.
    fn change(&mut self, depth: u8, prefix: Prefix, set: ListSet) {
        if prefix.length >= depth + STRIDE {
            let nibble = prefix.nibble(depth);
            if self.kids >> nibble & 1 == 1 {
                let at = rank(self.kids, nibble);
                if !self.slots[at].change(prefix, set) {
                    self.kids &= !(1 << nibble);
                    self.slots = without(&self.slots, at);
                }
                return;
            }
        } else {
            let bit = prefix.own_bit(depth, prefix.length);
            if self.own >> bit & 1 == 1 {
                let at = rank(self.own, bit);
                if set.is_empty() {
                    self.own &= !(1 << bit);
                    self.sets = without(&self.sets, at);
                } else {
                    self.sets[at] = set;
                }
                return;
            }
        }
        self.put(depth, Slot { prefix, set, node: None });
    }

    /// Puts a slot where nothing is yet.
    fn put(&mut self, depth: u8, slot: Slot) {
        let prefix = slot.prefix;
        if slot.node.is_none() && prefix.length < depth + STRIDE {
            let bit = prefix.own_bit(depth, prefix.length);
            self.sets = with(&self.sets, rank(self.own, bit), slot.set);
            self.own |= 1 << bit;
        } else {
            let nibble = prefix.nibble(depth);
            self.slots = with(&self.slots, rank(self.kids, nibble), slot);
            self.kids |= 1 << nibble;
        }
    }

    /// The one thing that is left in this node of prefix `own`, if it is only one: then the node is not needed.
    fn only_part(&self, own: Prefix) -> Option<Slot> {
        match (&*self.sets, &*self.slots) {
            ([], [slot]) => Some(slot.clone()),
            ([set], []) => Some(Slot { prefix: own.longer(self.own.trailing_zeros()), set: *set, node: None }),
            _ => None,
        }
    }
}

/// The prefixes within one prefix, in order.
pub(super) struct Within<'a> {
    /// A slot that is a prefix itself, and comes next.
    single: Option<(Prefix, ListSet)>,
    /// The nodes on the way to where the walk is.
    steps: Vec<Step<'a>>,
}

/// A node, and the place in it that comes next. Places are numbered as in a heap: those of [`Node::own`] have the numbers
/// of their bits, 0 to 14, and below them stand the sixteen slots as 15 to 30.
struct Step<'a> {
    own: Prefix,
    node: &'a Node,
    /// The place below which the walk goes on.
    top: u32,
    next: Option<u32>,
}

/// The number of the first slot's place.
const FIRST_SLOT: u32 = (1 << STRIDE) - 1;

impl<'a> Within<'a> {
    fn enter(&mut self, slot: &'a Slot) {
        match &slot.node {
            None => self.single = Some((slot.prefix, slot.set)),
            Some(node) => self.steps.push(Step { own: slot.prefix, node, top: 0, next: Some(0) }),
        }
    }
}

impl Iterator for Within<'_> {
    type Item = (Prefix, ListSet);

    fn next(&mut self) -> Option<(Prefix, ListSet)> {
        loop {
            if let Some(single) = self.single.take() {
                return Some(single);
            }
            let step = self.steps.last_mut()?;
            let Some(place) = step.next else {
                self.steps.pop();
                continue;
            };
            step.next = following(place, step.top);
            let (own, node) = (step.own, step.node);
            match place.checked_sub(FIRST_SLOT) {
                Some(nibble) => {
                    if let Some(slot) = node.slot(nibble) {
                        self.enter(slot);
                    }
                }
                None => {
                    if let Some(set) = node.own_set(place) {
                        return Some((own.longer(place), set));
                    }
                }
            }
        }
    }
}

/// The place that comes after `place` in the walk of all that is below `top`: what is above before what is below it.
const fn following(place: u32, top: u32) -> Option<u32> {
    if place < FIRST_SLOT {
        return Some(2 * place + 1);
    }
    let mut place = place;
    while place != top {
        // Places to the left have odd numbers.
        if place % 2 == 1 {
            return Some(place + 1);
        }
        place = (place - 1) / 2;
    }
    None
}

/// A copy with `item` before `at`.
fn with<T: Clone>(items: &[T], at: usize, item: T) -> Box<[T]> {
    let mut copy = Vec::with_capacity(items.len() + 1);
    copy.extend_from_slice(&items[..at]);
    copy.push(item);
    copy.extend_from_slice(&items[at..]);
    copy.into()
}

/// A copy without the item at `at`.
fn without<T: Clone>(items: &[T], at: usize) -> Box<[T]> {
    [&items[..at], &items[at + 1..]].concat().into()
}

#[cfg(test)]
#[path = "prefixes_tests.rs"]
mod tests;
