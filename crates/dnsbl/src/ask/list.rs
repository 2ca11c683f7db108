use core::fmt;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use base::Address;

/// Most lists that are asked.
pub const LISTS_MAX: usize = 64;
/// Most codes of one list.
pub const CODES_MAX: usize = 32;

/// Somebody's list, as its operator documents it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct List {
    /// What people here call it.
    pub name: String,
    /// The zone, in small letters and without the last dot.
    pub zone: String,
    /// The label between address and zone that says who asks, if the list wants one.
    pub key: Option<Key>,
    /// Whether it lists IPv4 addresses.
    pub v4: bool,
    /// Whether it lists IPv6 addresses.
    pub v6: bool,
    /// Every code it answers with; [`CODES_MAX`] at most.
    pub codes: Vec<Code>,
    /// The address that it lists for tests.
    pub test: Address,
    /// How long an answer is waited for.
    pub timeout: Duration,
    /// How often it is tested while it works.
    pub test_every: Duration,
}

/// A code with which a list answers, and what it means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Code {
    /// The address that is answered.
    pub code: Ipv4Addr,
    /// What it says of the address that was asked for.
    pub meaning: String,
    /// What it counts where several lists are asked.
    pub weight: u32,
    /// Whether it says what kind of address it is (dynamic, without a name), rather than what was done from there. People
    /// log in from such addresses every day, so that it never counts at a login.
    pub is_policy: bool,
}

/// The secret label of a list that wants to know who asks. No output shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Box<str>);

impl Key {
    /// A key; none if it is no label of a domain name (1 to 63 letters, digits, hyphens and underscores).
    pub fn new(label: &str) -> Option<Self> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len()).then_some(())?;
        label.bytes().all(fits).then(|| Self(label.to_ascii_lowercase().into()))
    }

    /// The label itself, for the question, and for files of others' programs that ask it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl List {
    /// Whether it lists addresses of this family.
    pub fn covers(&self, address: Address) -> bool {
        match address.ip() {
            IpAddr::V4(_) => self.v4,
            IpAddr::V6(_) => self.v6,
        }
    }
}

/// Some of the lists, by their places.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Lists(u64);

impl Lists {
    /// With one more. What lies beyond [`LISTS_MAX`] is no list.
    #[must_use]
    pub fn with(self, list: usize) -> Self {
        Self(self.0 | u32::try_from(list).ok().and_then(|place| 1_u64.checked_shl(place)).unwrap_or_default())
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this is one of them.
    pub fn has(self, list: usize) -> bool {
        list < LISTS_MAX && self.0 >> list & 1 == 1
    }

    /// The places, in order.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..LISTS_MAX).filter(move |place| self.has(*place))
    }
}
