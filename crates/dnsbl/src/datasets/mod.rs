//! Files of lists: the datasets of rbldnsd, plain lists, CSV and NDJSON, read into entries and written out again.
//!
//! ```text
//!  bytes ──> unpack (gzip) ──> lines ──> specials, values, entries ──> Dataset ──> statics::Table
//!                                                  └──> Report: all faults with file, line, caret and hint
//! ```
//!
//! Reading is pure and takes the time as an argument. A file with a fault is refused as a whole, because half a list
//! that is taken for a whole one unlists whatever the other half had; what rbldnsd itself only passes over (an entry
//! twice, a range that is larger than `$MAXRANGE4`) is a warning here too.

mod about;
mod access;
mod entries;
mod fault;
mod ip;
mod labels;
mod networks;
mod place;
mod plain;
mod reader;
mod specials;
mod unpack;
mod values;
mod write;

pub use about::{About, Told};
pub use access::{Access, AccessRule};
pub use entries::{Body, Dataset, Ip4Entry, Ip6Entry, NameEntry, Part, Record, RecordData};
pub use fault::{FAULTS_MAX, Fault, Report};
pub use place::at_end;
pub use plain::{PlainRow, read_plain};
pub use reader::{Options, Source, line_that_lists, read};
pub use specials::{Header, NAME_SERVERS_MAX, Servers, Soa};
pub use unpack::{UNPACKED_BYTES_MAX, UnpackError, unpack};
pub use values::{EXCLUDED, TEXT_BYTES_MAX, Value, ValueId, Values};
pub use write::{Form, Head, Row, Writer};
pub(crate) use write::{Layout, csv, json};

/// Time to live of records whose file names none: rbldnsd's own default of 35 minutes.
pub const TTL_DEFAULT: u32 = 2100;

/// The types of datasets, as rbldnsd calls them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// IPv4 addresses, prefixes and ranges, several values for one entry.
    Ip4Set,
    /// Single IPv4 addresses with one value for all.
    Ip4TSet,
    /// IPv4 networks, the longest one wins.
    Ip4Trie,
    /// IPv6 /64 networks with one value for all, and single addresses excluded from them.
    Ip6TSet,
    /// IPv6 networks, the longest one wins.
    Ip6Trie,
    /// Names, exact and with everything below them.
    DnSet,
    /// A, TXT and MX records.
    Generic,
    /// Several datasets in one file, each for some names below the zone.
    Combined,
    /// What clients may ask.
    Acl,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Ip4Set,
        Self::Ip4TSet,
        Self::Ip4Trie,
        Self::Ip6TSet,
        Self::Ip6Trie,
        Self::DnSet,
        Self::Generic,
        Self::Combined,
        Self::Acl,
    ];

    /// The name in `zone:type:file`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ip4Set => "ip4set",
            Self::Ip4TSet => "ip4tset",
            Self::Ip4Trie => "ip4trie",
            Self::Ip6TSet => "ip6tset",
            Self::Ip6Trie => "ip6trie",
            Self::DnSet => "dnset",
            Self::Generic => "generic",
            Self::Combined => "combined",
            Self::Acl => "acl",
        }
    }

    /// The type of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}
