//! Logins whose owner logged in: from where, and with what passwords; and the other way round, who logged in from an
//! address. Only a right password makes an entry, so that no attacker fills these tables.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use core::time::Duration;

use base::{Address, Login, Network, PasswordTag, Timestamp};

use crate::keys::tag_of;
use crate::{Key, Shape, Windows};

/// How long an address from which the owner logged in is known.
pub const KNOWN_FOR: Duration = Duration::from_hours(30 * 24);
/// Known addresses of one login; the one that was used longest ago gives way.
pub const PLACES_MAX: u16 = 8;
/// Different logins that one address is known to serve.
pub const HOUSEMATES_MAX: u16 = 23;
/// Logins that succeeded from an address within this time raise its threshold for a block.
pub const SHARED_WITHIN: Duration = Duration::from_hours(1);
/// How many of the last right passwords of a login are known: the present one and the one before.
const PASSWORDS_KEPT: u16 = 2;
/// How long.
const PASSWORDS_KEPT_FOR: Duration = Duration::from_hours(90 * 24);
/// A success that says nothing else is news after so much time, so that what is persisted grows no older.
const NEWS_AFTER: Duration = Duration::from_hours(1);

/// The owner of a login logged in: what is persisted, and restored with [`crate::Engine::restore_owner`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owner {
    /// The login.
    pub login: Login,
    /// From where: the aggregate of the address.
    pub network: Network,
    /// When.
    pub at: Timestamp,
    /// With which password, as far as it is known.
    pub password: Option<PasswordTag>,
}

/// What is known of a password that failed now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Past {
    /// It was the last that succeeded.
    Present,
    /// It succeeded before the last one did.
    Former,
}

const PLACES: usize = 0;
const PASSWORDS: usize = 1;
/// That somebody logged in at all: through a proxy there is no place, and often no password.
const OWNED: usize = 2;
const SOMEBODY: [u32; 2] = [0, 0];
/// Wrong passwords that were tried on an owned login.
const WRONG: usize = 3;
/// How many of one login are told apart.
const WRONG_KEPT: u16 = 8;

/// Logins with the places and passwords of their owners.
#[derive(Debug)]
pub(crate) struct Owners {
    table: Windows<2>,
    known_for: Duration,
}

impl Owners {
    pub(crate) fn new(known_for: Duration, logins_max: usize) -> Self {
        let places = Shape { count: 0, distinct: PLACES_MAX, span: known_for };
        let passwords = Shape { count: 0, distinct: PASSWORDS_KEPT, span: PASSWORDS_KEPT_FOR };
        let owned = Shape { count: 0, distinct: 1, span: known_for };
        let wrong = Shape { count: 0, distinct: WRONG_KEPT, span: known_for };
        Self { table: Windows::new(&[places, passwords, owned, wrong], logins_max), known_for }
    }

    /// Takes note of a success, from a place unless it came through a proxy. Returns whether that is worth persisting.
    pub(crate) fn succeeded(
        &mut self,
        login: Key,
        place: Option<Network>,
        password: Option<PasswordTag>,
        at: Timestamp,
    ) -> bool {
        let is_old = |last: Option<Timestamp>| last.is_none_or(|last| at.since(last) >= NEWS_AFTER);
        if is_old(self.table.recall(login, OWNED, SOMEBODY)) {
            self.table.remember(login, OWNED, at, SOMEBODY);
        }
        let (tag, words) = (password.map(word_of), place.map(words_of));
        let is_news = tag.is_some_and(|tag| is_old(self.table.recall(login, PASSWORDS, tag)))
            || words.is_some_and(|words| is_old(self.table.recall(login, PLACES, words)));
        if !is_news {
            return false;
        }
        // What is no news changes nothing, so that what is remembered is what was persisted.
        if let Some(tag) = tag {
            self.table.remember(login, PASSWORDS, at, tag);
        }
        if let Some(words) = words {
            self.table.remember(login, PLACES, at, words);
        }
        place.is_some()
    }

    /// Whether anybody logged in to it as lately as an address is known for.
    pub(crate) fn is_owned(&self, login: Key, at: Timestamp) -> bool {
        self.table.recall(login, OWNED, SOMEBODY).is_some_and(|last| at.since(last) <= self.known_for)
    }

    /// Whether this wrong password was tried on the login before, as lately as an address is known for; it is remembered. Of
    /// a login that is nobody's nothing is, so that no attacker fills the table.
    pub(crate) fn is_repeated(&mut self, login: Key, password: PasswordTag, at: Timestamp) -> bool {
        if !self.is_owned(login, at) {
            return false;
        }
        let tag = word_of(password);
        let last = self.table.recall(login, WRONG, tag);
        self.table.remember(login, WRONG, at, tag);
        last.is_some_and(|last| at.since(last) <= self.known_for)
    }

    /// When the owner last logged in from there, to the hour, if that is not too long before `at`.
    pub(crate) fn known(&self, login: Key, network: Network, at: Timestamp) -> Option<Timestamp> {
        let last = self.table.recall(login, PLACES, words_of(network))?;
        (at.since(last) <= self.known_for).then_some(last)
    }

    /// Whether the password succeeded before.
    pub(crate) fn past_of(&self, login: Key, password: PasswordTag) -> Option<Past> {
        let tag = word_of(password);
        let at = self.table.recall(login, PASSWORDS, tag)?;
        let is_last = self.table.tags(login, PASSWORDS).all(|(other, last)| other == tag || last < at);
        Some(if is_last { Past::Present } else { Past::Former })
    }

    /// The places known at `at`.
    pub(crate) fn places(&self, login: Key, at: Timestamp) -> impl Iterator<Item = (Network, Timestamp)> {
        let places = self.table.tags(login, PLACES).filter(move |(_, last)| at.since(*last) <= self.known_for);
        places.map(|(tag, last)| (network_of(tag), last))
    }

    pub(crate) const fn evicted(&self) -> u64 {
        self.table.evicted()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.table.bytes()
    }
}

/// How well a node knows the people of its server.
#[derive(Debug, Default)]
pub(crate) struct Familiarity {
    /// Which share of the latest logins were to logins that somebody had logged in to before. It begins with none, and after
    /// a start wants some two hundred logins to be sure.
    share: AtomicU32,
    /// Milliseconds: the earliest failed login that was seen.
    first: AtomicU64,
    /// The latest login that succeeded.
    success: AtomicU64,
}

/// Who has seen failures for so long, and no success, is not told of those.
const BLIND_AFTER: Duration = Duration::from_hours(24);
/// The share in 65,536ths.
const ALL: u32 = 1 << 16;
/// So much of them is enough to take a login that nobody has logged in to for nobody's.
const FAMILIAR: u32 = ALL / 100 * 95;
/// Each login moves the share by one part of so many.
const SLOWNESS: u32 = 64;

impl Familiarity {
    /// A login failed.
    pub(crate) fn failed(&self, at: Timestamp) {
        let first = self.first.load(Ordering::Relaxed);
        if first == 0 || at.as_millis() < first {
            self.first.store(at.as_millis(), Ordering::Relaxed);
        }
    }

    /// Somebody logged in. Two at once may count as one.
    pub(crate) fn succeeded(&self, was_owned: bool, at: Timestamp) {
        let share = self.share.load(Ordering::Relaxed);
        let share = share - share / SLOWNESS + if was_owned { ALL / SLOWNESS } else { 0 };
        self.share.store(share.min(ALL), Ordering::Relaxed);
        self.success.fetch_max(at.as_millis(), Ordering::Relaxed);
    }

    /// Somebody logged in before a restart.
    pub(crate) fn had_success(&self, at: Timestamp) {
        self.success.fetch_max(at.as_millis(), Ordering::Relaxed);
    }

    /// Whether nearly all who log in are known.
    pub(crate) fn knows_its_people(&self) -> bool {
        self.share.load(Ordering::Relaxed) >= FAMILIAR
    }

    /// Whether no login was seen to succeed in a time in which some must have: the node is not told of them, and cannot know
    /// who is at home where.
    pub(crate) fn is_blind(&self, at: Timestamp, known_for: Duration) -> bool {
        let moment = |millis: &AtomicU64| Timestamp::from_millis(millis.load(Ordering::Relaxed));
        let (first, success) = (moment(&self.first), moment(&self.success));
        first > Timestamp::EPOCH && at.since(first) >= BLIND_AFTER && at.since(success) > known_for
    }
}

/// What is known of an address by those who logged in from it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Seen {
    /// Whether anybody did, as lately as an address is known for.
    pub(crate) is_known: bool,
    /// How many logins did within [`SHARED_WITHIN`].
    pub(crate) housemates: u16,
    /// How many did as lately as an address is known for.
    pub(crate) users: u16,
    /// Whether nobody tells who logs in: it may be the address of a few people, whatever stands here.
    pub(crate) is_blind: bool,
}

/// Addresses with the logins that succeeded from them.
#[derive(Debug)]
pub(crate) struct Homes {
    table: Windows,
    known_for: Duration,
}

impl Homes {
    pub(crate) fn new(known_for: Duration, addresses_max: usize) -> Self {
        let logins = Shape { count: 0, distinct: HOUSEMATES_MAX, span: known_for };
        Self { table: Windows::new(&[logins], addresses_max), known_for }
    }

    pub(crate) fn succeeded(&mut self, network: Key, login: Key, at: Timestamp) {
        self.table.remember(network, 0, at, [tag_of(login)]);
    }

    /// Who logged in from there before `at`.
    pub(crate) fn seen(&self, network: Key, at: Timestamp) -> Seen {
        let mut seen = Seen::default();
        for (_, last) in self.table.tags(network, 0) {
            seen.is_known |= at.since(last) <= self.known_for;
            seen.users += u16::from(at.since(last) <= self.known_for);
            seen.housemates += u16::from(at.since(last) <= SHARED_WITHIN);
        }
        seen
    }

    pub(crate) const fn evicted(&self) -> u64 {
        self.table.evicted()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.table.bytes()
    }
}

const fn word_of(password: PasswordTag) -> [u32; 2] {
    [password.0, 0]
}

/// The high word that marks an IPv4 address; no IPv6 /64 in use begins with it (`0:ffff::/32` is reserved).
const V4_MARK: u32 = 0xffff;

/// An aggregate in 64 bits: an IPv4 address behind a mark, or the first half of an IPv6 address.
pub(crate) fn words_of(network: Network) -> [u32; 2] {
    match network.base() {
        IpAddr::V4(v4) => [V4_MARK, v4.to_bits()],
        IpAddr::V6(v6) => [(v6.to_bits() >> 96) as u32, (v6.to_bits() >> 64) as u32],
    }
}

/// The aggregate of [`words_of`].
pub(crate) fn network_of([high, low]: [u32; 2]) -> Network {
    let ip = if high == V4_MARK {
        IpAddr::V4(Ipv4Addr::from_bits(low))
    } else {
        IpAddr::V6(Ipv6Addr::from_bits(u128::from(high) << 96 | u128::from(low) << 64))
    };
    Address::new(ip).aggregate()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Keys;

    const DAY: u64 = 86_400;

    fn net(text: &str) -> Network {
        text.parse::<Address>().unwrap().aggregate()
    }

    #[test]
    fn aggregates_are_kept_exactly() {
        for text in ["203.0.113.7", "2001:db8:1:2::", "::1", "0.0.0.0", "255.255.255.255"] {
            assert_eq!(network_of(words_of(net(text))), net(text), "{text}");
        }
    }

    #[test]
    fn news_are_few() {
        let login = Keys::new([1; 16]).login("alice");
        let mut owners = Owners::new(KNOWN_FOR, 10);
        // At which second, from where, with which password; is it news?
        let cases = [
            (0, Some("203.0.113.1"), Some(1), true),
            (1, Some("203.0.113.1"), Some(1), false),
            (3599, Some("203.0.113.1"), Some(1), false),
            (3600, Some("203.0.113.1"), Some(1), true),
            (3601, Some("203.0.113.1"), None, false),
            (3602, Some("203.0.113.1"), Some(2), true),
            (3603, Some("203.0.113.1"), Some(1), false),
            (3604, Some("203.0.113.2"), Some(1), true),
            (3605, None, Some(3), false),
            (3606, Some("203.0.113.1"), Some(3), false),
            (3607, Some("203.0.113.1"), Some(2), true),
        ];
        for (second, place, password, wanted) in cases {
            let at = Timestamp::from_secs(10 * DAY + second);
            let got = owners.succeeded(login, place.map(net), password.map(PasswordTag), at);
            assert_eq!(got, wanted, "{second}");
        }
    }

    #[test]
    fn a_node_knows_its_people_after_a_while() {
        let familiarity = Familiarity::default();
        // How many logins in a row, of known people or not, and whether it is sure of them then.
        let cases =
            [(150, true, false), (100, true, true), (10, false, false), (150, true, true), (10_000, true, true)];
        for (count, was_owned, wanted) in cases {
            (0..count).for_each(|_| familiarity.succeeded(was_owned, Timestamp::from_secs(DAY)));
            assert_eq!(familiarity.knows_its_people(), wanted, "after {count}, {was_owned}");
        }
    }

    #[test]
    fn a_node_that_is_told_of_no_success_is_blind_after_a_day() {
        let familiarity = Familiarity::default();
        let at = |hours: u64| Timestamp::from_secs(100 * DAY + hours * 3600);
        let is_blind = |hours| familiarity.is_blind(at(hours), KNOWN_FOR);
        assert!(!is_blind(100), "it has seen nothing at all");
        familiarity.failed(at(1));
        familiarity.failed(at(0));
        assert_eq!([23, 24].map(is_blind), [false, true]);
        familiarity.had_success(at(24));
        assert_eq!([24, 24 + 30 * 24, 25 + 30 * 24].map(is_blind), [false, false, true]);
    }

    #[test]
    fn a_login_is_owned_by_whoever_came_through_a_proxy() {
        let login = Keys::new([1; 16]).login("alice");
        let mut owners = Owners::new(KNOWN_FOR, 10);
        let at = |day: u64| Timestamp::from_secs(100 * DAY + day * DAY);
        assert!(!owners.is_owned(login, at(0)));
        owners.succeeded(login, None, None, at(0));
        assert!(owners.is_owned(login, at(30)) && !owners.is_owned(login, at(31)));
    }

    #[test]
    fn the_last_two_passwords_are_known() {
        let login = Keys::new([1; 16]).login("alice");
        let mut owners = Owners::new(KNOWN_FOR, 10);
        for (day, tag) in [(0, 7), (1, 8), (2, 9), (3, 8)] {
            owners.succeeded(login, None, Some(PasswordTag(tag)), Timestamp::from_secs(day * DAY));
        }
        let past = |tag| owners.past_of(login, PasswordTag(tag));
        assert_eq!([past(7), past(8), past(9)], [None, Some(Past::Present), Some(Past::Former)]);
    }

    #[test]
    fn places_are_known_for_their_time_and_the_latest_eight() {
        let login = Keys::new([1; 16]).login("alice");
        let mut owners = Owners::new(KNOWN_FOR, 10);
        let place = |number: u64| net(&format!("203.0.113.{number}"));
        let at = |day: u64| Timestamp::from_secs(100 * DAY + day * DAY);
        (0..=8).for_each(|day| assert!(owners.succeeded(login, Some(place(day)), None, at(day))));
        assert_eq!(owners.known(login, place(0), at(8)), None, "the ninth pushed it out");
        assert_eq!(owners.known(login, place(1), at(31)), Some(at(1)));
        assert_eq!(owners.known(login, place(1), at(31).plus(Duration::from_secs(1))), None);
        assert_eq!(owners.places(login, at(32)).count(), 7);
    }
}
