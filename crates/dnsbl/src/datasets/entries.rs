use super::Kind;
use super::access::AccessRule;
use super::fault::Report;
use super::specials::Header;
use super::values::{ValueId, Values};

/// What the files of a dataset say.
#[derive(Debug)]
pub struct Dataset {
    /// Its type.
    pub kind: Kind,
    /// SOA, name servers, times and variables.
    pub header: Header,
    /// What the entries are answered with.
    pub values: Values,
    /// The entries.
    pub body: Body,
    /// How many lines were read.
    pub lines: u64,
    /// When the newest of the files was changed, in seconds since the epoch: the serial, where the SOA's is 0.
    pub modified: u64,
    /// What was passed over; it has no faults.
    pub report: Report,
}

/// The entries of a dataset.
#[derive(Debug)]
pub enum Body {
    /// Of `ip4set`, `ip4tset` and `ip4trie`, in the order of the file.
    Ip4(Vec<Ip4Entry>),
    /// Of `ip6tset` and `ip6trie`, in the order of the file.
    Ip6(Vec<Ip6Entry>),
    /// Of `dnset`.
    Names(Vec<NameEntry>),
    /// Of `generic`.
    Records(Vec<Record>),
    /// Of `combined`.
    Parts(Vec<Part>),
    /// Of `acl`.
    Access(Vec<AccessRule>),
}

/// A range of IPv4 addresses: for `ip4set` any, for `ip4trie` a network, for `ip4tset` a single one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Ip4Entry {
    /// The first address.
    pub first: u32,
    /// The last address.
    pub last: u32,
    /// Its value.
    pub value: ValueId,
}

/// An IPv6 network.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Ip6Entry {
    /// The first address.
    pub base: u128,
    /// The prefix length.
    pub length: u8,
    /// Its value.
    pub value: ValueId,
}

/// A name, or everything below it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameEntry {
    /// The labels in wire form and small letters, the first one last: `org` before `example`; without the root.
    pub key: Box<[u8]>,
    /// Whether it is the name itself.
    pub is_name: bool,
    /// Whether it is everything below the name.
    pub is_below: bool,
    /// Its value.
    pub value: ValueId,
}

/// A record of a `generic` dataset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// The name before the zone's, as in [`NameEntry::key`]; empty for the zone's own name.
    pub key: Box<[u8]>,
    /// Its time to live in seconds.
    pub ttl: u32,
    /// Its type and content.
    pub data: RecordData,
}

/// Type and content of a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecordData {
    /// An address.
    A(u32),
    /// A text of at most 255 octets, as it is.
    Txt(Box<[u8]>),
    /// A mail server: preference and name in wire form, with the root.
    Mx(u16, Box<[u8]>),
}

/// A dataset inside of a combined one.
#[derive(Debug)]
pub struct Part {
    /// Its name, for people.
    pub name: Box<str>,
    /// The names below the zone for which it answers, as in [`NameEntry::key`]; the empty one is the zone itself.
    pub zones: Vec<Box<[u8]>>,
    /// What it holds.
    pub dataset: Dataset,
}

impl Dataset {
    /// How many entries it has.
    pub fn len(&self) -> usize {
        match &self.body {
            Body::Ip4(entries) => entries.len(),
            Body::Ip6(entries) => entries.len(),
            Body::Names(entries) => entries.len(),
            Body::Records(records) => records.len(),
            Body::Parts(parts) => parts.iter().map(|part| part.dataset.len()).sum(),
            Body::Access(rules) => rules.len(),
        }
    }

    /// Whether it has no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
