//! The book as an image: which address is on which list and when what ends, as bytes that are read in no time.
//!
//! ```text
//!  image  tree (see `tree::image`)  ends  u8 255
//!  ends   for each listing with a record and an end: u8 list, u64 milliseconds (the highest bit for IPv6), u8 length,
//!         the first address in 4 or 16 bytes
//! ```
//!
//! It is what answers need, and no more: who, why and since when stand in the store, which stays the truth. With the
//! changes that the store has after it, an image is the book's tree again.

use core::net::IpAddr;
use std::collections::BTreeSet;
use std::io::{self, Write};

use base::{Address, ListId, Network, Subject, Timestamp, Until};

use crate::book::Book;
use crate::never::NeverList;
use crate::tree::image::{Bytes, Lists};
use crate::tree::{Changes, Tree};

/// Stands in the place of a list where the ends are over.
const OVER: u8 = u8::MAX;

/// Marks the end of an IPv6 network's listing.
const V6: u64 = 1 << 63;

/// How many ends are copied before other writers have a turn.
const ENDS_AT_ONCE: usize = 2048;

/// The book's tree at one moment, for [`Book::write_image`]. It shares its memory with the book.
pub struct Moment {
    /// The last change in it.
    pub serial: u64,
    tree: Tree,
}

/// An image that was read.
pub struct Image {
    tree: Tree,
    ends: Vec<(Network, ListId, Timestamp)>,
}

/// What an image says at a start: [`Book::show`].
pub struct Shown {
    pub(crate) tree: Tree,
    /// What was left out because it is never listed, in order.
    pub(crate) refused: Vec<(Network, ListId)>,
}

/// A change after an image: the network came onto the list until then, or off it.
pub type Followed = (Network, ListId, Option<Until>);

impl Book {
    /// What an image is written of; none while a bulk is being replaced.
    pub fn moment(&self) -> Option<Moment> {
        let (serial, tree) = self.still()?;
        Some(Moment { serial, tree })
    }

    /// Writes an image of that moment. Ends are those of now: whoever follows the changes after the moment, as the reader
    /// has to, is right about those too.
    pub fn write_image(&self, moment: &Moment, out: &mut impl Write) -> io::Result<()> {
        moment.tree.write(out)?;
        let mut after = None;
        loop {
            let ends = self.ends_after(after, ENDS_AT_ONCE);
            let Some((last, ..)) = ends.last() else { break };
            after = Some(*last);
            for ((end, _), list, subject) in &ends {
                if let Subject::Network(network) = subject {
                    write_end(*network, *list, *end, out)?;
                }
            }
        }
        out.write_all(&[OVER])
    }
}

fn write_end(network: Network, list: ListId, end: u64, out: &mut impl Write) -> io::Result<()> {
    out.write_all(&[list.index() as u8])?;
    let end = end.min(V6 - 1);
    match network.base() {
        IpAddr::V4(v4) => {
            out.write_all(&end.to_le_bytes())?;
            out.write_all(&[network.length()])?;
            out.write_all(&v4.to_bits().to_le_bytes())
        }
        IpAddr::V6(v6) => {
            out.write_all(&(end | V6).to_le_bytes())?;
            out.write_all(&[network.length()])?;
            out.write_all(&v6.to_bits().to_le_bytes())
        }
    }
}

fn read_end(bytes: &mut Bytes<'_>, list: ListId) -> Option<(Network, ListId, Timestamp)> {
    let end = bytes.u64()?;
    let length = bytes.u8()?;
    let (ip, longest) =
        if end & V6 == 0 { (IpAddr::V4(bytes.u32()?.into()), 32) } else { (IpAddr::V6(bytes.u128()?.into()), 128) };
    let network = Network::containing(Address::new(ip), length);
    let is_one = length <= longest && network.base() == ip;
    is_one.then(|| (network, list, Timestamp::from_millis(end & !V6)))
}

impl Image {
    /// Reads what [`Book::write_image`] wrote. `lists` says which list has the place now that each had when it was
    /// written. None if these bytes are no image, or one of lists that are unknown now.
    pub fn read(bytes: &[u8], lists: &[ListId]) -> Option<Self> {
        let (mut bytes, lists) = (Bytes(bytes), Lists(lists));
        let tree = Tree::read(&mut bytes, &lists)?;
        let mut ends = Vec::new();
        loop {
            match bytes.u8()? {
                OVER => return bytes.0.is_empty().then_some(Self { tree, ends }),
                place => ends.push(read_end(&mut bytes, lists.list(place)?)?),
            }
        }
    }

    /// Applies what was changed after the image, in order.
    pub fn follow(&mut self, changes: impl IntoIterator<Item = Followed>) {
        let mut last: Vec<Followed> = changes.into_iter().collect();
        if last.is_empty() {
            return;
        }
        // In order of networks, as imports come, the last change of each first: a table of a million takes five times as long.
        last.reverse();
        let key = |(network, list, _): &Followed| (*network, *list);
        last.sort_by_key(key);
        last.dedup_by_key(|change| key(change));
        let sieve = Sieve::of(last.iter().map(|(network, ..)| *network), last.len());
        self.ends.retain(|(network, list, _)| {
            !sieve.may_hold(*network) || last.binary_search_by_key(&(*network, *list), key).is_err()
        });
        let ends = last.iter().filter_map(|(network, list, until)| Some((*network, *list, (*until)?.moment()?)));
        self.ends.extend(ends);
        change(&mut self.tree, last.into_iter().map(|(network, list, until)| (network, list, until.is_some())));
    }

    /// What may be shown now: without what is over, and without what is never listed.
    pub fn shown(self, now: Timestamp, never: &NeverList) -> Shown {
        let Self { mut tree, ends } = self;
        let over = ends.iter().filter(|(.., end)| Until::At(*end).is_over(now));
        change(&mut tree, over.map(|(network, list, _)| (*network, *list, false)));
        let refused: BTreeSet<(Network, ListId)> = never.refused_in(&tree).into_iter().collect();
        let refused: Vec<_> = refused.into_iter().collect();
        change(&mut tree, refused.iter().map(|(network, list)| (*network, *list, false)));
        Shown { tree, refused }
    }
}

/// Says of most networks that are not in a set that they are not, for a fiftieth of what it costs to look there: of ten million
/// ends in an image few have changed.
struct Sieve {
    bits: Vec<u64>,
}

impl Sieve {
    /// Of `count` networks; sixteen bits each let one of sixteen others through.
    fn of(networks: impl Iterator<Item = Network>, count: usize) -> Self {
        let mut sieve = Self { bits: vec![0; (count / 4).next_power_of_two()] };
        for network in networks {
            let (word, bit) = sieve.place(network);
            sieve.bits[word] |= bit;
        }
        sieve
    }

    fn may_hold(&self, network: Network) -> bool {
        let (word, bit) = self.place(network);
        self.bits[word] & bit != 0
    }

    fn place(&self, network: Network) -> (usize, u64) {
        let bits = Address::new(network.base()).bits();
        let mixed = ((bits >> 64) as u64 ^ (bits as u64).rotate_left(20)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed >> 26) as usize & (self.bits.len() - 1), 1 << (mixed >> 58))
    }
}

/// Puts networks on lists (`true`) or takes them off; each network and list comes once.
fn change(tree: &mut Tree, networks: impl Iterator<Item = (Network, ListId, bool)>) {
    let mut networks: Vec<_> = networks.collect();
    networks.sort_unstable_by_key(|(network, ..)| *network);
    let mut changes = Changes::default();
    for of_one in networks.chunk_by(|(one, ..), (next, ..)| one == next) {
        let network = of_one[0].0;
        let lists = of_one.iter().fold(tree.own_lists(network), |lists, (_, list, is_listed)| {
            if *is_listed { lists.with(*list) } else { lists.without(*list) }
        });
        changes.set(network, lists);
    }
    tree.apply(&mut changes);
}

#[cfg(test)]
#[path = "image_tests.rs"]
mod tests;
