use std::io::{self, Write};
use std::sync::Arc;

use base::ListSet;
use base::limits::LISTS_MAX;

use super::image::{Bytes, Lists};
use super::leaf::{ADDRESSES_MAX, Item, Leaf, LeafItems};

/// Bits of an address that one node decides.
const STRIDE: u32 = 4;

/// Children of a node.
const WIDTH: usize = 1 << STRIDE;

/// Bits that the largest leaf may span: its buckets' ends fit into 512 bytes.
const LEAF_BITS_MAX: u32 = 24;

/// How many addresses are looked up at a time: as many as a core has cache misses under way at once, or a few more.
const TOGETHER: usize = 16;

/// A node below which no more addresses than this are left becomes a leaf again. Half of what splits one, so that an
/// address that comes and goes does not split and join each time.
const JOIN_BELOW: u32 = ADDRESSES_MAX as u32 / 2;

/// Up to so many changes of one leaf are made one by one, a plain copy for each; more than that are cheaper by
/// building the leaf anew.
const COPIES_MAX: usize = 16;

/// The listed IPv4 addresses, each with its set of lists: a persistent tree that shares with its copies whatever has
/// not changed since.
///
/// Nodes decide four bits each; where [`ADDRESSES_MAX`] or fewer addresses are left, a leaf holds them. Sixteen
/// children rather than 256, because a change copies one node of each level, and with it touches the reference count
/// of each child: 16 counts in 16 cache lines per level that readers have in their caches.
#[derive(Clone, Default)]
pub(super) struct Hosts {
    root: Arc<Node>,
}

#[derive(Clone, Default)]
struct Node {
    slots: [Slot; WIDTH],
}

/// A subtree with what a reader wants to know of it without following the pointer.
#[derive(Clone, Default)]
struct Slot {
    /// The union of all sets in it.
    below: ListSet,
    /// How many addresses are in it.
    count: u32,
    part: Part,
}

#[derive(Clone, Default)]
enum Part {
    #[default]
    Empty,
    Leaf(Arc<Leaf>),
    Node(Arc<Node>),
}

impl Hosts {
    /// How many addresses are listed.
    pub(super) fn len(&self) -> usize {
        self.root.slots.iter().map(|slot| slot.count as usize).sum()
    }

    /// The lists of an address.
    pub(super) fn get(&self, address: u32) -> ListSet {
        self.leaf(address).map_or(ListSet::EMPTY, |leaf| leaf.get(address))
    }

    /// [`Hosts::get`] for several addresses, whose sets are added to `lists`. Each step is taken for all of them
    /// before the next one, so that their cache misses overlap instead of adding up.
    pub(super) fn get_many(&self, addresses: &[u32], lists: &mut [ListSet]) {
        for (addresses, lists) in addresses.chunks(TOGETHER).zip(lists.chunks_mut(TOGETHER)) {
            let leaves = self.leaves(addresses);
            let mut buckets: [&[u16]; TOGETHER] = [&[]; TOGETHER];
            let mut starts = [0; TOGETHER];
            for (at, address) in addresses.iter().enumerate() {
                if let Some(leaf) = leaves[at] {
                    (starts[at], buckets[at]) = leaf.bucket(*address);
                }
            }
            let places = find_all(&buckets, addresses);
            for (at, set) in lists.iter_mut().enumerate() {
                if let (Some(leaf), Some(place)) = (leaves[at], places[at]) {
                    *set = set.union(leaf.set(starts[at] + place));
                }
            }
        }
    }

    /// For each address the leaf that would hold it; all of them go down one level before the next.
    fn leaves(&self, addresses: &[u32]) -> [Option<&Leaf>; TOGETHER] {
        let mut leaves = [None; TOGETHER];
        let mut nodes = [Some(&*self.root); TOGETHER];
        let (mut bits, mut is_deeper) = (u32::BITS, true);
        while is_deeper {
            is_deeper = false;
            for (at, address) in addresses.iter().enumerate() {
                let Some(node) = nodes[at] else { continue };
                nodes[at] = None;
                match &node.slots[slot_of(*address, bits)].part {
                    Part::Empty => {}
                    Part::Leaf(leaf) => leaves[at] = Some(&**leaf),
                    Part::Node(next) => (nodes[at], is_deeper) = (Some(&**next), true),
                }
            }
            bits = bits.saturating_sub(STRIDE);
        }
        leaves
    }

    /// The leaf that would hold the address.
    fn leaf(&self, address: u32) -> Option<&Leaf> {
        let (mut node, mut bits) = (&*self.root, u32::BITS);
        loop {
            match &node.slots[slot_of(address, bits)].part {
                Part::Empty => return None,
                Part::Leaf(leaf) => return Some(leaf),
                Part::Node(next) => (node, bits) = (next, bits - STRIDE),
            }
        }
    }

    /// The union over all addresses of the network `base/length`.
    pub(super) fn below(&self, base: u32, length: u8) -> ListSet {
        let span = u32::BITS - u32::from(length);
        let (mut node, mut bits) = (&*self.root, u32::BITS);
        loop {
            let first = slot_of(base, bits);
            if span + STRIDE >= bits {
                // The network is a run of whole slots of this node.
                let slots = 1 << (span + STRIDE - bits);
                return node.slots[first..first + slots].iter().fold(ListSet::EMPTY, |all, s| all.union(s.below));
            }
            let slot = &node.slots[first];
            match &slot.part {
                Part::Empty => return ListSet::EMPTY,
                Part::Leaf(leaf) => return leaf.union_between(base, base | low(span), slot.below),
                Part::Node(next) => (node, bits) = (next, bits - STRIDE),
            }
        }
    }

    /// All addresses from `first` to `last` with their lists, in order.
    pub(super) fn between(&self, first: u32, last: u32) -> Between<'_> {
        let root = Step { node: &self.root, next: slot_of(first, u32::BITS), bits: u32::BITS, base: 0 };
        Between { steps: vec![root], leaf: None, first, last }
    }

    /// Gives each address its lists; an empty set takes it out. The changes are sorted by address, each once.
    pub(super) fn apply(&mut self, changes: &[Item]) {
        debug_assert!(changes.is_sorted_by_key(|change| change.0));
        apply_to_node(&mut self.root, u32::BITS, changes);
    }

    /// Bytes on the heap, without what the allocator adds.
    pub(super) fn heap_bytes(&self) -> usize {
        node_bytes(&self.root)
    }

    /// Adds how many addresses each list has.
    pub(super) fn count(&self, counts: &mut [usize; LISTS_MAX]) {
        count_node(&self.root, counts);
    }

    /// Writes all addresses: see [`super::image`].
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        write_node(&self.root, out)
    }

    /// Reads what [`Hosts::write`] wrote.
    pub(super) fn read(bytes: &mut Bytes<'_>, lists: &Lists<'_>) -> Option<Self> {
        Some(Self { root: Arc::new(read_node(bytes, lists, u32::BITS, 0)?) })
    }
}

/// The addresses of a range, in order.
pub(super) struct Between<'a> {
    /// The nodes from the root to where the walk is.
    steps: Vec<Step<'a>>,
    leaf: Option<LeafItems<'a>>,
    first: u32,
    last: u32,
}

/// A node, and the slot in it that comes next.
struct Step<'a> {
    node: &'a Node,
    next: usize,
    bits: u32,
    base: u32,
}

impl Iterator for Between<'_> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        loop {
            if let Some(item) = self.leaf.as_mut().and_then(Iterator::next) {
                return (item.0 <= self.last).then_some(item);
            }
            self.leaf = None;
            let step = self.steps.last_mut()?;
            let Some(slot) = step.node.slots.get(step.next) else {
                self.steps.pop();
                continue;
            };
            let bits = step.bits - STRIDE;
            let base = step.base | (step.next as u32) << bits;
            step.next += 1;
            if base > self.last {
                return None;
            }
            match &slot.part {
                Part::Empty => {}
                Part::Leaf(leaf) => self.leaf = Some(leaf.items_from(base, self.first)),
                Part::Node(node) => {
                    let next = if self.first > base { slot_of(self.first, bits) } else { 0 };
                    self.steps.push(Step { node, next, bits, base });
                }
            }
        }
    }
}

/// Where each address stands in its bucket, if it does: binary searches that take their steps in turn.
fn find_all(buckets: &[&[u16]; TOGETHER], addresses: &[u32]) -> [Option<usize>; TOGETHER] {
    let mut firsts = [0; TOGETHER];
    let mut widths = buckets.map(<[u16]>::len);
    let mut widest = widths.iter().copied().max().unwrap_or_default();
    while widest > 1 {
        for (at, address) in addresses.iter().enumerate() {
            let half = widths[at] / 2;
            let middle = firsts[at] + half;
            // A search that is over looks at its one key again.
            if buckets[at].get(middle).is_some_and(|key| *key <= *address as u16) {
                firsts[at] = middle;
            }
            widths[at] -= half;
        }
        widest -= widest / 2;
    }
    let mut places = [None; TOGETHER];
    for (at, address) in addresses.iter().enumerate() {
        let is_there = buckets[at].get(firsts[at]) == Some(&(*address as u16));
        places[at] = is_there.then_some(firsts[at]);
    }
    places
}

/// The slot of an address in a node that spans `bits` bits.
const fn slot_of(address: u32, bits: u32) -> usize {
    (address >> (bits - STRIDE)) as usize % WIDTH
}

/// The lowest `bits` bits set; `bits` is at most 32.
const fn low(bits: u32) -> u32 {
    ((1_u64 << bits) - 1) as u32
}

/// Splits items that are sorted by address into those of each slot of a node that spans `bits` bits.
fn by_slot(items: &[Item], bits: u32) -> impl Iterator<Item = (usize, &[Item])> {
    items.chunk_by(move |a, b| slot_of(a.0, bits) == slot_of(b.0, bits)).map(move |run| (slot_of(run[0].0, bits), run))
}

fn apply_to_node(node: &mut Arc<Node>, bits: u32, changes: &[Item]) {
    let node = Arc::make_mut(node);
    for (slot, changes) in by_slot(changes, bits) {
        node.slots[slot].apply(bits - STRIDE, changes);
    }
}

impl Slot {
    /// Applies changes, of which there is at least one, to a slot that spans `bits` bits.
    fn apply(&mut self, bits: u32, changes: &[Item]) {
        match &mut self.part {
            Part::Empty => {
                let items: Vec<Item> = changes.iter().copied().filter(|change| !change.1.is_empty()).collect();
                *self = Self::build(bits, &items);
            }
            Part::Leaf(leaf) => {
                let mut rest = changes;
                if changes.len() <= COPIES_MAX {
                    while let Some((address, set)) = rest.first() {
                        if leaf.get(*address) != *set {
                            let Some(changed) = leaf.changed(*address, *set) else { break };
                            *leaf = Arc::new(changed);
                        }
                        rest = &rest[1..];
                    }
                }
                if rest.is_empty() {
                    (self.below, self.count) = (leaf.union(), leaf.len() as u32);
                    return;
                }
                let mut old = Vec::with_capacity(leaf.len());
                leaf.append_to(&mut old, changes[0].0 & !low(bits));
                *self = Self::build(bits, &merged(&old, rest));
            }
            Part::Node(node) => {
                apply_to_node(node, bits, changes);
                self.below = node.slots.iter().fold(ListSet::EMPTY, |all, slot| all.union(slot.below));
                self.count = node.slots.iter().map(|slot| slot.count).sum();
                if self.count <= JOIN_BELOW && bits <= LEAF_BITS_MAX {
                    let mut items = Vec::with_capacity(self.count as usize);
                    collect(node, bits, changes[0].0 & !low(bits), &mut items);
                    *self = Self::build(bits, &items);
                }
            }
        }
    }

    /// A slot that spans `bits` bits with these items, sorted by address, whose sets are not empty.
    fn build(bits: u32, items: &[Item]) -> Self {
        if items.is_empty() {
            return Self::default();
        }
        if items.len() <= ADDRESSES_MAX && bits <= LEAF_BITS_MAX {
            return Self::of_leaf(Leaf::new(bits, items));
        }
        let mut node = Node::default();
        for (slot, items) in by_slot(items, bits) {
            node.slots[slot] = Self::build(bits - STRIDE, items);
        }
        Self::of_node(node)
    }

    fn of_node(node: Node) -> Self {
        let below = node.slots.iter().fold(ListSet::EMPTY, |all, slot| all.union(slot.below));
        let count = node.slots.iter().map(|slot| slot.count).sum();
        Self { below, count, part: Part::Node(Arc::new(node)) }
    }

    fn of_leaf(leaf: Leaf) -> Self {
        Self { below: leaf.union(), count: leaf.len() as u32, part: Part::Leaf(Arc::new(leaf)) }
    }
}

/// The items of `old` with `changes` applied; both are sorted by address.
fn merged(old: &[Item], changes: &[Item]) -> Vec<Item> {
    let mut items = Vec::with_capacity(old.len() + changes.len());
    let mut rest = old;
    for change in changes {
        let (before, after) = rest.split_at(rest.partition_point(|item| item.0 < change.0));
        items.extend_from_slice(before);
        rest = if after.first().is_some_and(|item| item.0 == change.0) { &after[1..] } else { after };
        if !change.1.is_empty() {
            items.push(*change);
        }
    }
    items.extend_from_slice(rest);
    items
}

/// Appends all items of a node that spans `bits` bits above `base`, in order.
fn collect(node: &Node, bits: u32, base: u32, items: &mut Vec<Item>) {
    for (at, slot) in node.slots.iter().enumerate() {
        let base = base | (at as u32) << (bits - STRIDE);
        match &slot.part {
            Part::Empty => {}
            Part::Leaf(leaf) => leaf.append_to(items, base),
            Part::Node(node) => collect(node, bits - STRIDE, base, items),
        }
    }
}

fn count_node(node: &Node, counts: &mut [usize; LISTS_MAX]) {
    for slot in &node.slots {
        match &slot.part {
            Part::Empty => {}
            Part::Leaf(leaf) => leaf.count(counts),
            Part::Node(node) => count_node(node, counts),
        }
    }
}

/// What stands before each kind of slot in an image.
const EMPTY: u8 = 0;
const LEAF: u8 = 1;
const NODE: u8 = 2;

fn write_node(node: &Node, out: &mut impl Write) -> io::Result<()> {
    for slot in &node.slots {
        match &slot.part {
            Part::Empty => out.write_all(&[EMPTY])?,
            Part::Leaf(leaf) => {
                out.write_all(&[LEAF])?;
                leaf.write(out)?;
            }
            Part::Node(node) => {
                out.write_all(&[NODE])?;
                write_node(node, out)?;
            }
        }
    }
    Ok(())
}

/// A node that spans `bits` bits above `base`.
fn read_node(bytes: &mut Bytes<'_>, lists: &Lists<'_>, bits: u32, base: u32) -> Option<Node> {
    let mut node = Node::default();
    for (at, slot) in node.slots.iter_mut().enumerate() {
        let bits = bits - STRIDE;
        let base = base | (at as u32) << bits;
        match bytes.u8()? {
            EMPTY => {}
            LEAF if bits <= LEAF_BITS_MAX => *slot = Slot::of_leaf(Leaf::read(bytes, lists, bits, base)?),
            // The slots of the lowest node span some bits.
            NODE if bits > STRIDE => *slot = Slot::of_node(read_node(bytes, lists, bits, base)?),
            _ => return None,
        }
    }
    Some(node)
}

/// What an `Arc` holds beside its content: two counts.
const ARC_BYTES: usize = 16;

fn node_bytes(node: &Node) -> usize {
    let below = node.slots.iter().map(|slot| match &slot.part {
        Part::Empty => 0,
        Part::Leaf(leaf) => ARC_BYTES + size_of::<Leaf>() + leaf.heap_bytes(),
        Part::Node(node) => node_bytes(node),
    });
    ARC_BYTES + size_of::<Node>() + below.sum::<usize>()
}

#[cfg(test)]
#[path = "hosts_tests.rs"]
mod tests;
