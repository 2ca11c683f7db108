//! Accounts: signs that one is used by somebody who stole its password, and what is done about it.
//!
//! ```text
//!  recipient asked for ── Account: home? known? burst? ── points by sign, halved each day ── Ladder ── Step
//! ```
//!
//! Neither a new place nor a new recipient says anything: people travel, and meet people. Both together do, again and again
//! within a day. What an owner does at home is never strange, and whom he knows speaks for him anywhere. An account that is
//! new has no habits yet: there the limits on sending are what holds. A few letters over days to strangers and friends alike
//! are not told from a traveller's.
//!
//! No gate asks here yet: the people of the room `sim` do.

mod account;
mod known;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use base::{Address, CanonicalLogin, Network, Timestamp};
use foldhash::fast::FixedState;

pub use account::Sign;
use account::{Account, Deed};

use crate::engine::hold;
use crate::{Key, Keys};

/// Parts of the table, each behind a lock of its own.
const SHARDS: usize = 16;

/// How wide the networks are by which places are told apart: about what one provider has in one region. A phone moves
/// within it all day.
const V4_BITS: u8 = 16;
const V6_BITS: u8 = 32;

/// From how many points on what is done, each step harder than the one before; none for a step that is never taken.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Ladder {
    /// It is written down.
    pub note: Option<f32>,
    /// Messages are kept back until somebody looks at them.
    pub hold: Option<f32>,
    /// The account is locked.
    pub lock: Option<f32>,
}

/// The ladder as it is shipped.
impl Default for Ladder {
    fn default() -> Self {
        Self { note: Some(5.0), hold: None, lock: Some(16.5) }
    }
}

/// What is to be done about an account.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Step {
    /// Nothing.
    Calm,
    /// Write it down.
    Note,
    /// Keep its messages back.
    Hold,
    /// Lock it.
    Lock,
}

impl Ladder {
    /// The hardest step of so many points.
    pub fn step(&self, points: f32) -> Step {
        let reached = |from: Option<f32>| from.is_some_and(|from| points >= from);
        if reached(self.lock) {
            Step::Lock
        } else if reached(self.hold) {
            Step::Hold
        } else if reached(self.note) {
            Step::Note
        } else {
            Step::Calm
        }
    }
}

/// How an account stands.
#[derive(Clone, PartialEq, Debug)]
pub struct Standing {
    /// All points.
    pub score: f32,
    /// What is done about it.
    pub step: Step,
    /// The signs with their points, without those that have none.
    pub signs: Vec<(Sign, f32)>,
    /// Whether enough is known of it that something can be strange.
    pub is_grown_up: bool,
}

/// A recipient that an account wants to send to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted<'a> {
    /// The login as the client gave it.
    pub login: &'a str,
    /// From where.
    pub address: Address,
    /// To whom.
    pub recipient: &'a str,
    /// A name of the message, so that one to many is known to be one.
    pub message: &'a str,
}

/// All accounts.
pub struct Accounts {
    ladder: Ladder,
    keys: Keys,
    shard_max: usize,
    shards: [Mutex<HashMap<u64, Account, FixedState>>; SHARDS],
}

impl Accounts {
    /// At most so many accounts, of which nothing is known. The secret keys the hashes; what is kept is found again with the
    /// same one.
    pub fn new(ladder: Ladder, accounts_max: usize, secret: [u8; 16]) -> Self {
        let shards = core::array::from_fn(|_| Mutex::default());
        Self { ladder, keys: Keys::new(secret), shard_max: accounts_max.div_ceil(SHARDS), shards }
    }

    /// An account asks to send to somebody: what is to be done. It is let pass where it finds no room in the table.
    pub fn asks(&self, at: Timestamp, wanted: &Wanted<'_>) -> Step {
        let Some((key, deed)) = self.deed(wanted) else { return Step::Calm };
        let mut shard = self.shard(key);
        let Some(account) = self.account(&mut shard, key, at) else { return Step::Calm };
        account.asks(at, &deed);
        self.ladder.step(account.score(at))
    }

    /// The message has gone out to those it asked for.
    pub fn sent(&self, at: Timestamp, login: &str, message: &str) {
        let Some(key) = self.login(login) else { return };
        if let Some(account) = self.shard(key).get_mut(&key.get()) {
            account.sent(at, self.keys.session(message).get());
        }
    }

    /// A recipient was refused, or a message came back: what is to be done.
    pub fn failed(&self, at: Timestamp, login: &str, sign: Sign, address: Option<Address>) -> Step {
        let Some(key) = self.login(login) else { return Step::Calm };
        let network = address.map(|address| self.network(address));
        let mut shard = self.shard(key);
        let Some(account) = shard.get_mut(&key.get()) else { return Step::Calm };
        account.failed(at, sign, network);
        self.ladder.step(account.score(at))
    }

    /// How it stands; none if nothing is known of it.
    pub fn explain(&self, at: Timestamp, login: &str) -> Option<Standing> {
        let key = self.login(login)?;
        let shard = self.shard(key);
        let account = shard.get(&key.get())?;
        let (score, points) = (account.score(at), account.points(at));
        let signs = Sign::ALL.into_iter().zip(points).filter(|(_, points)| *points >= 0.05).collect();
        Some(Standing { score, step: self.ladder.step(score), signs, is_grown_up: account.is_grown_up(at) })
    }

    /// A person has looked at it: nothing is suspicious any more. Whether there was anything.
    pub fn forgive(&self, login: &str) -> bool {
        let Some(key) = self.login(login) else { return false };
        let mut shard = self.shard(key);
        let Some(account) = shard.get_mut(&key.get()) else { return false };
        let was_suspicious = account.score(account.last) > 0.0;
        account.forgive();
        was_suspicious
    }

    /// How many accounts are known.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| hold(shard).len()).sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn account<'s>(
        &self,
        shard: &'s mut HashMap<u64, Account, FixedState>,
        key: Key,
        at: Timestamp,
    ) -> Option<&'s mut Account> {
        if !shard.contains_key(&key.get()) && shard.len() >= self.shard_max {
            return None;
        }
        Some(shard.entry(key.get()).or_insert_with(|| Account::new(at)))
    }

    fn deed(&self, wanted: &Wanted<'_>) -> Option<(Key, Deed)> {
        let key = self.login(wanted.login)?;
        let lower = wanted.recipient.to_ascii_lowercase();
        let domain = lower.rsplit_once('@').map_or("", |(_, domain)| domain);
        let deed = Deed {
            network: self.network(wanted.address),
            recipient: self.keys.session(&lower).get(),
            domain: self.keys.domain(domain.as_bytes()).get(),
            message: self.keys.session(wanted.message).get(),
        };
        Some((key, deed))
    }

    fn login(&self, login: &str) -> Option<Key> {
        CanonicalLogin::new(login).map(|login| self.keys.login(login.as_str()))
    }

    fn network(&self, address: Address) -> u64 {
        let length = if address.ip().is_ipv4() { V4_BITS } else { V6_BITS };
        self.keys.network(Network::containing(address, length)).get()
    }

    fn shard(&self, key: Key) -> MutexGuard<'_, HashMap<u64, Account, FixedState>> {
        hold(&self.shards[key.shard(SHARDS)])
    }
}
