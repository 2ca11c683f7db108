//! The engine: what was counted, by subject, and the door to it.
//!
//! ```text
//!  event ─> sessions ─> filters ─> windows by login   ─┐
//!           (told      (same      windows by address  ─┴─> overflow ─> book
//!            before?)   password?)
//! ```
//!
//! State is split in [`SHARDS`] shards on each side, each behind a mutex, found by the key of the login, address or
//! session. Locks are taken in one order (session, released; then login; then address), and none is held while the
//! book is changed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use base::{Address, CanonicalLogin, Network, PasswordTag, Subject, Timestamp};
use listings::Book;

use crate::counters::{Counters, Tallies};
use crate::outage::Outage;
use crate::owners::{Familiarity, Homes, KNOWN_FOR, Owner, Owners};
use crate::plan::{Counting, GOOD_MAX, Plan};
use crate::reporters::{Cases, Voices};
use crate::sessions::Sessions;
use crate::settings::Width;
use crate::tarpits::Tarpits;
use crate::{Key, Keys, Settings, Shape, Windows};

mod ask;
mod count;
mod explain;
mod lists;
mod locks;
mod names;
mod observe;
mod reports;
mod siege;
mod suspects;

pub use explain::Level;
pub use lists::{RELAPSES_MAX, RELAPSES_WITHIN, SPAN_MAX};
pub use locks::Lock;
pub use names::{BY_REVERSE_NAME, NAME_WAIT, RECHECKED_MAX, UNNAMED_HOURS, WAITING_MAX};
pub use observe::Observed;
pub use reports::Exposed;
pub use siege::{PATIENCE, PROBATION, PROBATION_AT_NOBODYS, PROBATION_MAX, PROBATION_MIN};
pub use suspects::{SUSPECTS_MAX, Systems};

/// Shards on each side.
const SHARDS: usize = 16;
/// Addresses that are counted with a raised threshold at the same time.
const SHARED_MAX: usize = 16_384;
/// Addresses whose good deeds are remembered.
const GOOD_ADDRESSES_MAX: usize = 65_536;
/// For how long: the longest window of a rule that looks at them.
const GOOD_FOR: Duration = Duration::from_hours(24);

/// The networks around an address that are known with it.
const AROUND: [Width; 3] = [Width::V4Bits24, Width::V6Bits56, Width::V6Bits48];

/// State by login.
#[derive(Debug)]
struct LoginShard {
    tables: Box<[Windows]>,
    owners: Owners,
    /// Who tried a login, by the rules that block strangers.
    sieges: Box<[Windows<2>]>,
}

/// State by address.
#[derive(Debug)]
struct AddressShard {
    tables: Box<[Windows]>,
    shared: Windows,
    homes: Homes,
    /// What others reported.
    cases: Cases,
    /// Networks around addresses, by what was listed in them.
    networks: Windows,
    /// Seconds in which something good came from an address.
    good: Windows,
    /// What strangers' failures have in common, by the rules that block them for it.
    suspects: Box<[Windows<2>]>,
}

impl AddressShard {
    /// How many good things the address did within the rule's window, if the rule looks at them.
    fn good_within(&self, address: Key, at: Timestamp, counting: &Counting) -> u16 {
        if counting.per_good == 0 {
            return 0;
        }
        let is_within = |(_, last): &([u32; 1], Timestamp)| at.since(*last) <= counting.within;
        self.good.tags(address, 0).filter(is_within).count() as u16
    }
}

/// Counts events by the rules, makes listings in the book, and answers for the book.
pub struct Engine {
    settings: Settings,
    plan: Plan,
    keys: Keys,
    book: Arc<Book>,
    sessions: [Mutex<Sessions>; SHARDS],
    logins: [Mutex<LoginShard>; SHARDS],
    addresses: [Mutex<AddressShard>; SHARDS],
    tarpits: Mutex<Tarpits>,
    outage: Mutex<Outage>,
    names: Mutex<names::Names>,
    probation: Mutex<siege::Probation>,
    familiarity: Familiarity,
    systems: Option<Arc<dyn Systems>>,
    relapses: Mutex<Windows>,
    /// Who overflowed rules that want a proper name while nobody could tell his.
    unnamed: Mutex<Windows>,
    voices: Mutex<Voices>,
    exposed: Mutex<Vec<Exposed>>,
    /// Milliseconds; [`Timestamp::EPOCH`] before the first pause.
    paused_until: AtomicU64,
    /// What would have been listed in the past, see [`Engine::replay`].
    replayed: Mutex<count::Replayed>,
    tallies: Tallies,
}

/// The login of an event with its key.
#[derive(Clone, Copy)]
struct Named<'a> {
    name: &'a CanonicalLogin,
    text: &'a str,
    key: Key,
    is_never_listed: bool,
}

/// The address of an event with the party it belongs to.
#[derive(Clone, Copy)]
struct Placed {
    address: Address,
    network: Network,
    key: Key,
    is_proxy: bool,
    is_never_listed: bool,
}

impl Engine {
    /// An engine with nothing counted. The secret keys its hashes; with the same one, what was replayed or restored
    /// counts on.
    pub fn new(settings: Settings, book: Arc<Book>, secret: [u8; 16]) -> Self {
        let (plan, keys) = (Plan::new(&settings), Keys::new(secret));
        let known_for = settings.known_for.unwrap_or(KNOWN_FOR);
        let subjects = settings.subjects_max.div_ceil(SHARDS);
        let good = Shape { count: 0, distinct: GOOD_MAX, span: GOOD_FOR };
        let tables = |side: &crate::plan::Side| -> Box<[Windows]> {
            side.groups.iter().map(|group| Windows::new(&group.shapes, subjects)).collect()
        };
        Self {
            sessions: core::array::from_fn(|_| Mutex::default()),
            logins: core::array::from_fn(|_| {
                Mutex::new(LoginShard {
                    tables: tables(&plan.logins),
                    owners: Owners::new(known_for, subjects),
                    sieges: siege::tables(&plan.sieges, subjects),
                })
            }),
            addresses: core::array::from_fn(|_| {
                Mutex::new(AddressShard {
                    tables: tables(&plan.addresses),
                    shared: Windows::new(&plan.shared, SHARED_MAX / SHARDS),
                    homes: Homes::new(known_for, subjects),
                    cases: Cases::default(),
                    networks: Windows::new(&plan.network_shapes, subjects),
                    good: Windows::new(&[good], GOOD_ADDRESSES_MAX / SHARDS),
                    suspects: suspects::tables(&plan.suspects, SHARDS),
                })
            }),
            names: Mutex::default(),
            probation: Mutex::default(),
            familiarity: Familiarity::default(),
            systems: None,
            relapses: Mutex::new(lists::relapses()),
            unnamed: Mutex::new(names::unnamed()),
            voices: Mutex::new(Voices::new(&settings.reporters)),
            exposed: Mutex::default(),
            tarpits: Mutex::new(Tarpits::new(settings.tarpits_max, settings.tarpits_per_address_max)),
            outage: Mutex::new(Outage::new(&keys)),
            paused_until: AtomicU64::new(0),
            replayed: Mutex::default(),
            tallies: Tallies::default(),
            settings,
            plan,
            keys,
            book,
        }
    }

    /// The same, and it asks for the autonomous systems of addresses where a rule counts by them.
    #[must_use]
    pub fn with_systems(self, systems: Arc<dyn Systems>) -> Self {
        Self { systems: Some(systems), ..self }
    }

    /// The book that the engine answers for.
    pub const fn book(&self) -> &Arc<Book> {
        &self.book
    }

    /// Takes in what [`Observed::owner`] gave before a restart.
    pub fn restore_owner(&self, owner: &Owner) {
        let login = self.keys.login(owner.login.as_str());
        self.familiarity.had_success(owner.at);
        self.login_shard(login).owners.succeeded(login, Some(owner.network), owner.password, owner.at);
        self.remember_home(Address::new(owner.network.base()), owner.network, login, owner.at);
    }

    /// Whether failures have been seen for a day or longer, and no login that succeeded: nobody tells of those, so that an
    /// office cannot be known for one. Rules that spare known addresses want of everybody then what they want of an
    /// address of three people, if they are about guessing.
    pub fn is_blind(&self, now: Timestamp) -> bool {
        self.familiarity.is_blind(now, self.settings.known_for.unwrap_or(KNOWN_FOR))
    }

    /// Somebody logged in from there: neither the party nor a network around it is a stranger's.
    fn remember_home(&self, address: Address, party: Network, login: Key, at: Timestamp) {
        let strangers = !self.plan.sieges.is_empty() || !self.plan.suspects.is_empty();
        let is_asked = !self.plan.networks.is_empty() || strangers;
        let around = AROUND.into_iter().filter(|_| is_asked).filter_map(|width| width.around(address));
        for network in core::iter::once(party).chain(around) {
            let key = self.keys.network(network);
            self.address_shard(key).homes.succeeded(key, login, at);
        }
        if let Some(key) = self.system_key(address) {
            self.address_shard(key).homes.succeeded(key, login, at);
        }
    }

    /// Forgets what the rules have counted of a login, or of an address; what is listed stays listed.
    pub fn forget(&self, subject: &Subject) {
        match subject {
            Subject::Login(login) => {
                let key = self.keys.login(login.as_str());
                self.login_shard(key).tables.iter_mut().for_each(|table| table.forget(key));
            }
            Subject::Network(network) => {
                let key = self.keys.network(Address::new(network.base()).aggregate());
                let mut shard = self.address_shard(key);
                shard.tables.iter_mut().for_each(|table| table.forget(key));
                shard.shared.forget(key);
            }
        }
    }

    /// Until when failed logins are not counted, or were not the last time; none if they always were.
    pub fn paused_until(&self) -> Option<Timestamp> {
        let until = Timestamp::from_millis(self.paused_until.load(Ordering::Relaxed));
        (until > Timestamp::EPOCH).then_some(until)
    }

    /// What the engine has counted.
    pub fn counters(&self) -> Counters {
        let mut counters = Counters { paused_until: self.paused_until(), ..self.tallies.read() };
        for shard in &self.sessions {
            counters.sessions_shed += hold(shard).shed;
        }
        for shard in &self.logins {
            let shard = hold(shard);
            counters.evicted += shard.owners.evicted()
                + shard.sieges.iter().map(Windows::evicted).sum::<u64>()
                + shard.tables.iter().map(Windows::evicted).sum::<u64>();
        }
        for shard in &self.addresses {
            let shard = hold(shard);
            counters.evicted += shard.homes.evicted()
                + shard.shared.evicted()
                + shard.networks.evicted()
                + shard.suspects.iter().map(Windows::evicted).sum::<u64>()
                + shard.tables.iter().map(Windows::evicted).sum::<u64>();
        }
        counters
    }

    /// Bytes that the tables of counts and owners hold, spare room included.
    pub fn bytes(&self) -> usize {
        let logins = self.logins.iter().map(|shard| {
            let shard = hold(shard);
            shard.owners.bytes()
                + shard.sieges.iter().map(Windows::bytes).sum::<usize>()
                + shard.tables.iter().map(Windows::bytes).sum::<usize>()
        });
        let addresses = self.addresses.iter().map(|shard| {
            let shard = hold(shard);
            shard.homes.bytes()
                + shard.shared.bytes()
                + shard.networks.bytes()
                + shard.good.bytes()
                + shard.suspects.iter().map(Windows::bytes).sum::<usize>()
                + shard.tables.iter().map(Windows::bytes).sum::<usize>()
        });
        logins.chain(addresses).sum()
    }

    fn named<'a>(&self, login: Option<&'a CanonicalLogin>) -> Option<Named<'a>> {
        login.map(|name| {
            let text = name.as_str();
            Named { name, text, key: self.keys.login(text), is_never_listed: self.book.never_list().covers_login(text) }
        })
    }

    fn placed(&self, address: Option<Address>) -> Option<Placed> {
        address.map(|address| {
            let network = address.aggregate();
            let is_proxy = self.settings.proxies.iter().any(|proxy| proxy.contains(address));
            let is_never_listed = self.book.never_list().covers_address(address);
            Placed { address, network, key: self.keys.network(network), is_proxy, is_never_listed }
        })
    }

    fn guess(&self, login: Option<Named<'_>>, password: Option<PasswordTag>) -> u32 {
        login.map_or(0, |login| self.keys.guess(login.key, password))
    }

    fn session_shard(&self, session: Key) -> MutexGuard<'_, Sessions> {
        hold(&self.sessions[session.shard(SHARDS)])
    }

    fn login_shard(&self, login: Key) -> MutexGuard<'_, LoginShard> {
        hold(&self.logins[login.shard(SHARDS)])
    }

    fn address_shard(&self, network: Key) -> MutexGuard<'_, AddressShard> {
        hold(&self.addresses[network.shard(SHARDS)])
    }
}

/// Locks. A panic elsewhere under the lock is a bug, but one that must not stop the node from counting: the state is
/// made of counts, and each call leaves them whole.
pub(crate) fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
