use core::fmt;
use std::sync::Arc;

use base::{Evidence, ListId, Listing, Maker, Network, Timestamp, Until};

use crate::tree::Tree;

/// What all listings of a bulk share: they came together, from somebody's import, and are known by nothing else.
///
/// A list has at most one. Its listings have no record of their own: an address or network that the tree has on the
/// list, and that no record explains, is of the list's bulk. So one costs what the tree takes, some 2.5 bytes, where a
/// record takes 110.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bulk {
    /// The list; any but `blocked`, whose listings gates look up one by one.
    pub list: ListId,
    /// When they came into force.
    pub since: Timestamp,
    /// Until when all of them are.
    pub until: Until,
    /// Who wanted them.
    pub maker: Maker,
}

impl Bulk {
    /// The listing of one of its networks. What it rests on only its maker knows.
    pub fn listing(&self, network: Network) -> Listing {
        let Self { list, since, until, maker } = self.clone();
        let evidence = Evidence { count: 0, distinct: 0, first: since, last: since };
        Listing { subject: network.into(), list, since, until, maker, evidence }
    }
}

/// A list's bulk was replaced as a whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replaced {
    /// The list.
    pub list: ListId,
    /// The bulk in force now; none if its end has come, or somebody took it out.
    pub bulk: Option<Bulk>,
    /// Its networks.
    pub content: Content,
    /// Each network that came onto the list (`true`) or off it; none if there were more than
    /// [`crate::STEPS_MAX`], so that whoever follows has to take all of the list anew.
    pub steps: Option<Vec<(Network, bool)>>,
}

/// The networks of a bulk at one moment. It shares its memory with the book, and a clone costs nothing.
#[derive(Clone)]
pub struct Content {
    pub(crate) tree: Tree,
    pub(crate) list: ListId,
    /// Networks of the list with records of their own, sorted: these are not of the bulk.
    pub(crate) own: Arc<[Network]>,
    pub(crate) length: usize,
}

impl Content {
    /// The networks by family, first address and length.
    pub fn networks(&self) -> impl Iterator<Item = Network> {
        self.tree.on_list(self.list).filter(|network| self.own.binary_search(network).is_err())
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list && self.length == other.length && self.networks().eq(other.networks())
    }
}

impl Eq for Content {}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} networks", self.length)
    }
}

/// What the book knows of a bulk in force.
#[derive(Clone)]
pub(crate) struct InForce {
    pub(crate) bulk: Bulk,
    pub(crate) count: usize,
}
