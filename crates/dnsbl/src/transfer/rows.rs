//! What names a zone of listings has, so that whoever serves it as a plain zone answers for addresses as we do.
//!
//! An address is a name with its records. A network is a wildcard where it ends with a label (`*.2.0.192`), and as many
//! wildcards or names as it takes one label further where it does not. Wildcards are weak (RFC 4592 section 3.3.1): one
//! gives no answer below a name that exists, even if that has no records of its own. So whatever exists inside of a
//! listed network repeats the network's lists: each name as its own records, each name above others as a wildcard of its
//! own.

use core::iter::Peekable;

use base::{ListSet, Network};
use listings::tree::{Tree, Within};

use super::node::{Family, Node, left};

/// The lists at the name of a host, or at the wildcard below the name of a network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Row {
    pub(crate) node: Node,
    /// Never empty.
    pub(crate) lists: ListSet,
}

/// The lists of the row at `node`, by itself: what the walks of [`Rows`] would give.
pub(crate) fn row_at(tree: &Tree, members: ListSet, node: Node) -> ListSet {
    let network = node.network();
    let lists = tree.lists_around(network).intersection(members);
    let has_row = !lists.is_empty() && !node.is_ambiguous() && exists(tree, members, node);
    if has_row { lists } else { ListSet::EMPTY }
}

/// Whether the name of `node` exists: something is listed in it, or it is a part of what is written out from above.
fn exists(tree: &Tree, members: ListSet, node: Node) -> bool {
    let is_some = |lists: ListSet| !lists.intersection(members).is_empty();
    if is_some(tree.lists_within(node.network())) {
        return true;
    }
    let Some(parent) = node.parent() else { return false };
    let between = parent.length + 1..node.length;
    between.into_iter().any(|length| is_some(tree.own_lists(node.family.network(node.bits, length))))
        || parent.is_ambiguous() && is_some(tree.lists_around(parent.network()))
}

/// The rows of a zone, or of a part of it, in the order of addresses; a network before what is inside of it. The walk
/// holds nothing but its way.
pub(crate) struct Rows<'a> {
    listed: Peekable<Listed<'a>>,
    frames: Vec<Frame>,
}

/// What is listed on the zone's lists.
struct Listed<'a> {
    within: Within<'a>,
    members: ListSet,
}

impl Iterator for Listed<'_> {
    type Item = (Network, ListSet);

    fn next(&mut self) -> Option<(Network, ListSet)> {
        self.within.find_map(|(network, lists)| {
            let lists = lists.intersection(self.members);
            (!lists.is_empty()).then_some((network, lists))
        })
    }
}

/// A node whose children are being looked at.
struct Frame {
    node: Node,
    /// The child that comes next, and the first one that does not.
    next: u32,
    end: u32,
    /// The lists of the networks that hold all of the node.
    lists: ListSet,
    /// Whether every child exists.
    is_full: bool,
    /// Networks that hold several children: up to which, and the lists.
    open: Vec<(u32, ListSet)>,
}

impl<'a> Rows<'a> {
    /// All rows of one family.
    pub(crate) fn all(tree: &'a Tree, members: ListSet, family: Family) -> Self {
        let node = Node::top(family);
        Self::new(tree, members, node.network(), node, ListSet::EMPTY, false)
    }

    /// The rows whose lists depend on what is listed inside of `network` or as it, but for those of names above it.
    pub(crate) fn inside(tree: &'a Tree, members: ListSet, network: Network) -> Self {
        let node = Node::around(network);
        let between = node.length + 1..network.length();
        let own = between.map(|length| tree.own_lists(node.family.network(left(network), length)));
        let between = own.fold(ListSet::EMPTY, ListSet::union).intersection(members);
        let lists = tree.lists_around(node.network()).intersection(members);
        let is_full = !between.is_empty() || node.is_ambiguous() && !lists.is_empty();
        Self::new(tree, members, network, node, lists.union(between), is_full)
    }

    fn new(tree: &'a Tree, members: ListSet, network: Network, node: Node, lists: ListSet, is_full: bool) -> Self {
        let next = node.child_of(left(network)).unwrap_or_default();
        let spare = node.length + node.family.stride() - network.length();
        let frame = Frame { node, next, end: next + (1 << spare), lists, is_full, open: Vec::new() };
        Self { listed: Listed { within: tree.within(network), members }.peekable(), frames: vec![frame] }
    }
}

impl Iterator for Rows<'_> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        loop {
            let frame = self.frames.last_mut()?;
            let Some(child) = frame.next_child(self.listed.peek()) else {
                self.frames.pop();
                continue;
            };
            while let Some((network, lists)) = self.listed.next_if(|(n, _)| child.begins_with(*n)) {
                let spare = child.length - network.length();
                frame.open.push((frame.next - 1 + (1 << spare), lists));
            }
            let lists = frame.open.iter().fold(frame.lists, |all, (_, lists)| all.union(*lists));
            let has_more = self.listed.peek().is_some_and(|(n, _)| child.holds(*n));
            let is_full = child.is_ambiguous() && !lists.is_empty();
            if !child.is_host() && (has_more || is_full) {
                let end = 1 << child.family.stride();
                self.frames.push(Frame { node: child, next: 0, end, lists, is_full, open: Vec::new() });
            }
            if !lists.is_empty() && !is_full {
                return Some(Row { node: child, lists });
            }
        }
    }
}

impl Frame {
    /// The next child that exists, where `listed` is what is listed next. Closes the networks that end before it.
    fn next_child(&mut self, listed: Option<&(Network, ListSet)>) -> Option<Node> {
        self.open.retain(|(end, _)| *end > self.next);
        if !self.is_full && self.open.is_empty() {
            self.next = listed.and_then(|(network, _)| self.node.child_of(left(*network)))?;
        }
        if self.next >= self.end {
            return None;
        }
        self.next += 1;
        Some(self.node.child(self.next - 1))
    }
}

impl Node {
    /// Whether `network` begins where this node does, and is not smaller.
    fn begins_with(self, network: Network) -> bool {
        left(network) == self.bits && network.length() <= self.length
    }

    /// Whether `network` lies within this node.
    fn holds(self, network: Network) -> bool {
        network.length() >= self.length && Self { bits: left(network), ..self }.cut(self.length) == self
    }
}

/// The rows that differ between two trees: before and after.
pub(crate) type Change = (Node, ListSet, ListSet);

/// All rows that differ between `old` and `new`, which differ in nothing but the own lists of `touched`: sorted and none
/// within another.
pub(crate) fn changes<'a>(
    old: &'a Tree,
    new: &'a Tree,
    members: ListSet,
    touched: &'a [Network],
) -> impl Iterator<Item = Change> + 'a {
    let inside = touched.iter().flat_map(move |network| {
        let rows = |tree| Rows::inside(tree, members, *network).peekable();
        Merged { old: rows(old), new: rows(new) }
    });
    let mut last: Vec<Node> = Vec::new();
    let above = touched.iter().flat_map(move |network| {
        // Names come and go with the first and the last listing below them. Those that the network before has
        // above it too have been compared already.
        let mut nodes = Vec::new();
        let mut node = Some(Node::around(*network));
        while let Some(above) = node.filter(|node| node.length > 0) {
            nodes.push(above);
            node = above.parent();
        }
        let fresh: Vec<Node> = nodes.iter().copied().filter(|node| !last.contains(node)).collect();
        last = nodes;
        fresh
    });
    let above = above.map(move |node| (node, row_at(old, members, node), row_at(new, members, node)));
    inside.chain(above).filter(|(_, old, new)| old != new)
}

/// Two walks side by side.
struct Merged<'a> {
    old: Peekable<Rows<'a>>,
    new: Peekable<Rows<'a>>,
}

impl Iterator for Merged<'_> {
    type Item = Change;

    fn next(&mut self) -> Option<Change> {
        let place = |row: &Row| (row.node.bits, row.node.length);
        let first = match (self.old.peek(), self.new.peek()) {
            (Some(old), Some(new)) => place(old).min(place(new)),
            (Some(one), None) | (None, Some(one)) => place(one),
            (None, None) => return None,
        };
        let old = self.old.next_if(|row| place(row) == first);
        let new = self.new.next_if(|row| place(row) == first);
        let node = old.or(new)?.node;
        let lists = |row: Option<Row>| row.map(|row| row.lists).unwrap_or_default();
        Some((node, lists(old), lists(new)))
    }
}

/// Sorts networks and drops those within others, as [`changes`] wants them.
pub(crate) fn outermost(mut networks: Vec<Network>) -> Vec<Network> {
    networks.sort_unstable_by_key(|network| (Family::of(*network), left(*network), network.length()));
    networks.dedup_by(|later, first| first.overlaps(*later));
    networks
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
