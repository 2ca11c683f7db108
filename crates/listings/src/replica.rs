use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, Guard};

use crate::blocks::Hasher;
use crate::snapshot::{Reader, Snapshot};
use crate::tree::{Changes, Tree};

/// What a server that only answers holds of somebody's book: which address is on which list, without who, why and
/// until when, at some 2.5 bytes per address.
///
/// It makes no listing: it repeats what it is given, so that the never-list of whoever made the listings has been
/// heeded there. Readers look at it as they look at a [`crate::Book`].
pub struct Replica {
    /// What is published next; shares its memory with what is published now.
    view: Mutex<Snapshot>,
    current: Arc<ArcSwap<Snapshot>>,
}

impl Default for Replica {
    fn default() -> Self {
        Self::new()
    }
}

impl Replica {
    /// One without listings, at serial 0.
    pub fn new() -> Self {
        let view = Snapshot::new(Hasher::new(RandomState::new().hash_one("a replica")));
        Self { current: Arc::new(ArcSwap::from_pointee(view.clone())), view: Mutex::new(view) }
    }

    /// Applies changes, which readers see at once, as the change of number `serial`.
    pub fn apply(&self, serial: u64, changes: &mut Changes) {
        let mut view = self.view();
        view.tree.apply(changes);
        view.serial = serial;
        self.publish(&view);
    }

    /// Puts another tree in the place of the one there is; readers see all of it or nothing.
    pub fn replace(&self, serial: u64, tree: Tree) {
        let mut view = self.view();
        view.tree = tree;
        view.serial = serial;
        self.publish(&view);
    }

    fn publish(&self, view: &Snapshot) {
        self.current.store(Arc::new(view.clone()));
    }

    /// The newest snapshot, for who looks once.
    pub fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// A view for one thread.
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.current))
    }

    fn view(&self) -> MutexGuard<'_, Snapshot> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{Address, ListSet};

    #[test]
    fn readers_see_what_was_applied() {
        let replica = Replica::new();
        let mut reader = replica.reader();
        let address: Address = "192.0.2.1".parse().unwrap();
        let on = |bits| {
            let mut changes = Changes::default();
            changes.set("192.0.2.1".parse().unwrap(), ListSet::from_bits(bits));
            changes
        };
        replica.apply(7, &mut on(6));
        assert_eq!((reader.snapshot().serial(), reader.snapshot().lists_of(address).bits()), (7, 6));
        let mut tree = Tree::default();
        tree.apply(&mut on(1));
        replica.replace(9, tree);
        assert_eq!((reader.snapshot().serial(), reader.snapshot().lists_of(address).bits()), (9, 1));
        assert_eq!(replica.snapshot().serial(), 9);
    }
}
