use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};
use base::{Address, ListId, ListSet, Network};

use crate::blocks::{Block, Blocks, Hasher};
use crate::tree::Tree;

/// The book at one moment. It never changes; looking at it takes no lock and allocates nothing.
///
/// What is over is in it until [`crate::Book::expire`] takes it out; who needs the exact moment compares
/// [`Block::until`].
#[derive(Clone)]
pub struct Snapshot {
    pub(crate) serial: u64,
    pub(crate) tree: Tree,
    pub(crate) blocks: Blocks,
    pub(crate) hasher: Hasher,
    /// Whether a bulk is partly the one before.
    pub(crate) is_torn: bool,
}

impl Snapshot {
    pub(crate) fn new(hasher: Hasher) -> Self {
        Self { serial: 0, tree: Tree::default(), blocks: Blocks::new(), hasher, is_torn: false }
    }

    /// The lists that the address is on, by itself or by a network that covers it.
    pub fn lists_of(&self, address: Address) -> ListSet {
        self.tree.lists_of(address)
    }

    /// [`Snapshot::lists_of`] for several IPv4 addresses at once, which is cheaper than one by one: their cache misses
    /// overlap. `lists` has a place for each.
    ///
    /// # Panics
    /// If the two slices differ in length.
    pub fn lists_of_many(&self, addresses: &[u32], lists: &mut [ListSet]) {
        self.tree.lists_of_many(addresses, lists);
    }

    /// The lists that any address of `network` is on: the union over everything inside it and of the networks around
    /// it. Where it is empty, no name exists below the network's name in DNS. Cheap for a network of any size.
    pub fn lists_below(&self, network: Network) -> ListSet {
        self.tree.lists_below(network)
    }

    /// The narrowest block that covers the address: its own, that of its /64, or that of any other network.
    pub fn block_of_address(&self, address: Address) -> Option<Block> {
        let network = self.tree.narrowest(address, ListSet::EMPTY.with(ListId::BLOCKED))?;
        self.blocks.of_network(&self.hasher, network)
    }

    /// The block of a login in its canonical form.
    pub fn block_of_login(&self, login: &str) -> Option<Block> {
        self.blocks.of_login(&self.hasher, login)
    }

    /// The number of the last change in it.
    pub const fn serial(&self) -> u64 {
        self.serial
    }

    /// Whether a list is being exchanged range by range: it is not what it was with this serial, nor what it will be with
    /// the next one. For whoever gives away whole lists under a serial.
    pub const fn is_torn(&self) -> bool {
        self.is_torn
    }

    /// The tree of lists, for what walks or measures it.
    pub const fn tree(&self) -> &Tree {
        &self.tree
    }
}

/// One thread's view of the book: keeps the last snapshot it saw, so that looking again costs one load of a pointer
/// that nobody writes to while nothing changes.
#[derive(Clone)]
pub struct Reader {
    cache: Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>,
}

impl Reader {
    pub(crate) fn new(current: Arc<ArcSwap<Snapshot>>) -> Self {
        Self { cache: Cache::new(current) }
    }

    /// The newest snapshot.
    pub fn snapshot(&mut self) -> &Snapshot {
        self.cache.load()
    }
}
