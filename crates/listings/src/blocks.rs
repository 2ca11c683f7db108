use core::hash::BuildHasher;
use std::sync::Arc;

use base::{Network, RuleId, Subject, Until};
use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;

/// A block in force, as a gate needs it to answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block {
    /// When it ends.
    pub until: Until,
    /// The rule that made it; none if a person did.
    pub rule: Option<RuleId>,
}

/// Seeded hashes of subjects. Whoever chooses logins must not be able to choose which of them meet in one place;
/// nothing that can be observed depends on the seed.
#[derive(Clone)]
pub(crate) struct Hasher(SeedableRandomState);

impl Hasher {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SeedableRandomState::with_seed(seed, SharedSeed::global_fixed()))
    }

    pub(crate) fn subject(&self, subject: &Subject) -> u64 {
        match subject {
            Subject::Network(network) => self.network(*network),
            Subject::Login(login) => self.login(login.as_str()),
        }
    }

    pub(crate) fn network(&self, network: Network) -> u64 {
        self.0.hash_one(network)
    }

    pub(crate) fn login(&self, login: &str) -> u64 {
        self.0.hash_one(login)
    }

    pub(crate) fn maker(&self, maker: &base::Maker) -> u64 {
        match maker {
            base::Maker::Rule(rule) => self.0.hash_one(rule),
            base::Maker::Person { name, reason } => self.0.hash_one((name, reason)),
        }
    }
}

/// Children of a node, and the bits of the hash that it decides.
const WIDTH: usize = 16;
const STRIDE: u32 = 4;

/// Blocks in a leaf before it is split; a change copies one leaf and one node of each level above it.
const LEAF_MAX: usize = 16;

/// The blocks in force by subject: a persistent tree over the bits of the subject's hash, from the highest down.
#[derive(Clone)]
pub(crate) struct Blocks {
    root: Part,
}

#[derive(Clone)]
enum Part {
    Leaf(Arc<[Blocked]>),
    Node(Arc<[Self; WIDTH]>),
}

#[derive(Clone)]
struct Blocked {
    hash: u64,
    key: Key,
    block: Block,
}

/// A subject whose copies share the text of a login.
#[derive(Clone)]
enum Key {
    Network(Network),
    Login(Arc<str>),
}

impl Key {
    fn is(&self, subject: &Subject) -> bool {
        match (self, subject) {
            (Self::Network(own), Subject::Network(other)) => own == other,
            (Self::Login(own), Subject::Login(other)) => **own == *other.as_str(),
            (Self::Network(_), Subject::Login(_)) | (Self::Login(_), Subject::Network(_)) => false,
        }
    }
}

impl Blocks {
    pub(crate) fn new() -> Self {
        Self { root: Part::Leaf(Arc::new([])) }
    }

    pub(crate) fn of_network(&self, hasher: &Hasher, network: Network) -> Option<Block> {
        self.find(hasher.network(network), |key| matches!(key, Key::Network(own) if *own == network))
    }

    pub(crate) fn of_login(&self, hasher: &Hasher, login: &str) -> Option<Block> {
        self.find(hasher.login(login), |key| matches!(key, Key::Login(own) if **own == *login))
    }

    /// Puts the subject's block in place of the one it had; none takes it out.
    pub(crate) fn set(&mut self, hasher: &Hasher, subject: &Subject, block: Option<Block>) {
        let hash = hasher.subject(subject);
        if self.find(hash, |key| key.is(subject)) != block {
            change(&mut self.root, u64::BITS, hash, subject, block);
        }
    }

    fn find(&self, hash: u64, is_it: impl Fn(&Key) -> bool) -> Option<Block> {
        let (mut part, mut bits) = (&self.root, u64::BITS);
        loop {
            match part {
                Part::Leaf(leaf) => {
                    return leaf.iter().find(|one| one.hash == hash && is_it(&one.key)).map(|one| one.block);
                }
                Part::Node(node) => (part, bits) = (&node[slot_of(hash, bits)], bits - STRIDE),
            }
        }
    }
}

/// The slot of a hash in a node that decides the highest of the lowest `bits` bits.
const fn slot_of(hash: u64, bits: u32) -> usize {
    (hash >> (bits - STRIDE)) as usize % WIDTH
}

fn change(part: &mut Part, bits: u32, hash: u64, subject: &Subject, block: Option<Block>) {
    match part {
        Part::Node(node) => {
            let node = Arc::make_mut(node);
            change(&mut node[slot_of(hash, bits)], bits - STRIDE, hash, subject, block);
            if block.is_none()
                && let Some(leaf) = joined(node)
            {
                *part = Part::Leaf(leaf);
            }
        }
        Part::Leaf(leaf) => {
            let is_other = |one: &&Blocked| one.hash != hash || !one.key.is(subject);
            let mut blocked: Vec<Blocked> = leaf.iter().filter(is_other).cloned().collect();
            if let Some(block) = block {
                let key = match subject {
                    Subject::Network(network) => Key::Network(*network),
                    Subject::Login(login) => Key::Login(login.as_str().into()),
                };
                blocked.push(Blocked { hash, key, block });
            }
            *part = build(bits, blocked);
        }
    }
}

/// A part of these; where no bit is left to tell hashes apart, a leaf takes any number.
fn build(bits: u32, blocked: Vec<Blocked>) -> Part {
    if blocked.len() <= LEAF_MAX || bits == 0 {
        return Part::Leaf(blocked.into());
    }
    let mut slots: [Vec<Blocked>; WIDTH] = Default::default();
    for one in blocked {
        slots[slot_of(one.hash, bits)].push(one);
    }
    Part::Node(Arc::new(slots.map(|slot| build(bits - STRIDE, slot))))
}

/// The leaf that takes the place of a node whose leaves are few: half of what would split it.
fn joined(node: &[Part; WIDTH]) -> Option<Arc<[Blocked]>> {
    let mut count = 0;
    for part in node {
        match part {
            Part::Node(_) => return None,
            Part::Leaf(leaf) => count += leaf.len(),
        }
    }
    if count > LEAF_MAX / 2 {
        return None;
    }
    let leaves = node.iter().flat_map(|part| match part {
        Part::Leaf(leaf) => leaf.iter(),
        Part::Node(_) => [].iter(),
    });
    Some(leaves.cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{Login, Timestamp};
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn equals_a_map(changes in prop::collection::vec((0_u32..200, any::<bool>(), 0_u64..9), 0..600)) {
            let hasher = Hasher::new(7);
            let (mut blocks, mut model) = (Blocks::new(), HashMap::new());
            let mut old = (blocks.clone(), model.clone());
            for (at, (name, is_login, end)) in changes.into_iter().enumerate() {
                let subject: Subject = if is_login {
                    Login::new(&format!("user{name}")).unwrap().into()
                } else {
                    format!("198.51.100.{name}").parse().unwrap()
                };
                // Every third change takes a block out.
                let until = if end == 8 { Until::Never } else { Until::At(Timestamp::from_secs(end)) };
                let block = (end % 3 > 0).then_some(Block { until, rule: Some(RuleId(end as u16)) });
                blocks.set(&hasher, &subject, block);
                match block {
                    Some(block) => model.insert(subject, block),
                    None => model.remove(&subject),
                };
                if at == 300 {
                    old = (blocks.clone(), model.clone());
                }
            }
            for (blocks, model) in [(blocks, model), old] {
                for name in 0..200 {
                    let login = format!("user{name}");
                    let network: Network = format!("198.51.100.{name}").parse().unwrap();
                    let of = |subject: Subject| model.get(&subject).copied();
                    prop_assert_eq!(blocks.of_login(&hasher, &login), of(Login::new(&login).unwrap().into()));
                    prop_assert_eq!(blocks.of_network(&hasher, network), of(network.into()));
                }
            }
        }
    }

    #[test]
    fn equal_hashes_are_told_apart() {
        let block = Block { until: Until::Never, rule: None };
        let mut part = Part::Leaf(Arc::new([]));
        let subjects: Vec<Subject> = (0..40).map(|n| format!("user{n}").parse().unwrap()).collect();
        for subject in &subjects {
            change(&mut part, u64::BITS, 5, subject, Some(block));
        }
        let blocks = Blocks { root: part };
        assert!(subjects.iter().all(|subject| blocks.find(5, |key| key.is(subject)) == Some(block)));
        let mut part = blocks.root;
        for subject in &subjects {
            change(&mut part, u64::BITS, 5, subject, None);
        }
        assert!(matches!(part, Part::Leaf(leaf) if leaf.is_empty()));
    }
}
