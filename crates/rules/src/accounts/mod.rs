//! Accounts: signs that one is used by somebody who stole its password, and what is done about it.
//!
//! ```text
//!  recipient asked for ── Account: home? known? burst? ── points by sign, halved each day ── Ladder ── Step
//!  login, bounce, spam ──────┘
//! ```
//!
//! Neither a new place nor a new recipient says anything: people travel, and meet people. Both together do, again and again
//! within a day. What an owner does at home is never strange, whom he knows speaks for him anywhere, and so does the program
//! that he uses at home. An account that is new has no habits yet: there the limits on sending are what holds.
//!
mod account;
mod kept;
mod known;
mod places;
mod sign;
mod step;

use core::time::Duration;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard};

use base::{Address, CanonicalLogin, Network, Timestamp};
use foldhash::fast::FixedState;

pub use sign::Sign;
pub use step::{Ladder, Step};

use account::Account;
use places::Deed;

use crate::counters::Tally;
use crate::engine::hold;
use crate::{Key, Keys};

/// Parts of the table, each behind a lock of its own.
const SHARDS: usize = 16;

/// How wide the networks are by which places are told apart: about what one provider has in one region. A phone moves
/// within it all day.
const V4_BITS: u8 = 16;
const V6_BITS: u8 = 32;

/// Longest recipient that is told apart from others, in bytes (RFC 5321 section 4.5.3.1.3 allows 254).
const RECIPIENT_BYTES_MAX: usize = 256;

/// An account that was not used for so long is forgotten.
pub const FORGOTTEN_AFTER: Duration = Duration::from_hours(180 * 24);

/// Where an address is, as far as a file of the operator's says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Located {
    /// The country, as two letters of ISO 3166-1.
    pub country: Option<[u8; 2]>,
    /// The number of the autonomous system that announces it.
    pub asn: Option<u32>,
}

/// Says where addresses are.
pub trait Geo: Send + Sync {
    /// Where this one is; what is not known is none.
    fn locate(&self, address: Address) -> Located;
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
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wanted<'a> {
    /// The login as the client gave it.
    pub login: &'a str,
    /// From where.
    pub address: Option<Address>,
    /// To whom.
    pub recipient: &'a str,
    /// A name of the message, so that one to many is known to be one.
    pub message: &'a str,
    /// What the client shows of its program, the same each time; empty if nobody tells.
    pub client: &'a str,
}

/// What is thought of an account that has just done something.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Opinion {
    /// What is to be done.
    pub step: Step,
    /// Whether people were not told of this step yet.
    pub is_news: bool,
    /// All points.
    pub score: f32,
}

/// What was counted of accounts since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AccountCounters {
    /// Accounts that are known now.
    pub known: u64,
    /// Recipients that were looked at.
    pub asked: u64,
    /// Recipients that were not, because the table was full.
    pub untracked: u64,
    /// How often each of [`Step::ALL`] was news.
    pub steps: [u64; Step::ALL.len()],
}

#[derive(Debug, Default)]
struct Counts {
    asked: Tally,
    untracked: Tally,
    steps: [Tally; Step::ALL.len()],
}

type Shard = HashMap<u64, Box<Account>, FixedState>;

/// All accounts.
pub struct Accounts {
    ladder: Ladder,
    keys: Keys,
    geo: Option<Box<dyn Geo>>,
    shard_max: usize,
    shards: [Mutex<Shard>; SHARDS],
    counts: Counts,
}

impl Accounts {
    /// At most so many accounts, of which nothing is known. The secret keys the hashes; what is kept is found again with the
    /// same one.
    pub fn new(ladder: Ladder, accounts_max: usize, secret: [u8; 16], geo: Option<Box<dyn Geo>>) -> Self {
        let shards = core::array::from_fn(|_| Mutex::default());
        let shard_max = accounts_max.div_ceil(SHARDS);
        Self { ladder, keys: Keys::new(secret), geo, shard_max, shards, counts: Counts::default() }
    }

    /// From how many points on what is done.
    pub const fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// An account asks to send to somebody: what is to be done. It is let pass where it finds no room in the table.
    pub fn asks(&self, at: Timestamp, wanted: &Wanted<'_>) -> Opinion {
        let (Some(key), Some(address)) = (self.login(wanted.login), wanted.address) else { return Opinion::default() };
        self.counts.asked.one();
        let deed = self.deed(address, wanted);
        let mut shard = self.shard(key);
        let is_full = shard.len() >= self.shard_max;
        let account = match shard.entry(key.get()) {
            Entry::Occupied(account) => account.into_mut(),
            Entry::Vacant(_) if is_full => {
                self.counts.untracked.one();
                return Opinion::default();
            }
            Entry::Vacant(place) => place.insert(Box::new(Account::new(at))),
        };
        account.asks(at, &deed);
        self.opinion(at, account)
    }

    /// All recipients of the message are known, and what it says: a hash that is the same for the same text. What is to be
    /// done.
    pub fn says(&self, at: Timestamp, login: &str, message: &str, body: u64) -> Opinion {
        let Some(key) = self.login(login) else { return Opinion::default() };
        let mut shard = self.shard(key);
        let Some(account) = shard.get_mut(&key.get()) else { return Opinion::default() };
        account.says(at, self.keys.session(message).get(), body);
        self.opinion(at, account)
    }

    /// Of an account at [`Step::Slower`] one recipient a minute passes: whether so many do now, at once.
    pub fn has_turn(&self, at: Timestamp, login: &str, recipients: u32) -> bool {
        let Some(key) = self.login(login) else { return true };
        self.shard(key).get_mut(&key.get()).is_none_or(|account| account.has_turn(at, recipients))
    }

    /// The furthest step that was taken because of an account since it was calm, whatever has spoken for it after that.
    pub fn taken(&self, login: &str) -> Step {
        let Some(key) = self.login(login) else { return Step::Calm };
        self.shard(key).get(&key.get()).map_or(Step::Calm, |account| account.told())
    }

    /// The message has gone out to those it asked for.
    pub fn sent(&self, at: Timestamp, login: &str, message: &str) {
        let Some(key) = self.login(login) else { return };
        if let Some(account) = self.shard(key).get_mut(&key.get()) {
            account.sent(at, self.keys.session(message).get());
        }
    }

    /// Somebody has logged in from there with the right password.
    pub fn seen(&self, at: Timestamp, login: &str, address: Address) {
        let Some(key) = self.login(login) else { return };
        let mut shard = self.shard(key);
        // Who never sends is of no interest.
        let Some(account) = shard.get_mut(&key.get()) else { return };
        account.seen(at, &self.place(address));
    }

    /// A recipient was refused, a message came back, or it was spam: what is to be done.
    pub fn failed(&self, at: Timestamp, login: &str, sign: Sign, address: Option<Address>) -> Opinion {
        let Some(key) = self.login(login) else { return Opinion::default() };
        let network = address.map(|address| self.network(address));
        let mut shard = self.shard(key);
        let Some(account) = shard.get_mut(&key.get()) else { return Opinion::default() };
        account.failed(at, sign, network);
        self.opinion(at, account)
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

    /// A person has looked at it: nothing is suspicious any more. Whether anything had been done about it.
    pub fn forgive(&self, at: Timestamp, login: &str) -> bool {
        let Some(key) = self.login(login) else { return false };
        let mut shard = self.shard(key);
        let Some(account) = shard.get_mut(&key.get()) else { return false };
        let was_suspicious = self.ladder.step(account.score(at)) > Step::Calm;
        account.forgive();
        was_suspicious
    }

    /// Takes in an account that was kept before a restart; false if the bytes make no sense, or there is no room.
    pub fn restore(&self, key: u64, bytes: &[u8]) -> bool {
        let Some(account) = kept::read(bytes) else { return false };
        let mut shard = self.shard(Key::from_kept(key));
        let has_room = shard.len() < self.shard_max;
        has_room && shard.insert(key, Box::new(account)).is_none()
    }

    /// At most `most` accounts that have changed since they were last given here, each as its key and bytes to be kept.
    pub fn unsaved(&self, most: usize) -> Vec<(u64, Vec<u8>)> {
        let mut unsaved = Vec::new();
        for shard in &self.shards {
            for (key, account) in hold(shard).iter_mut().filter(|(_, account)| account.is_changed) {
                if unsaved.len() >= most {
                    return unsaved;
                }
                account.is_changed = false;
                unsaved.push((*key, kept::write(account)));
            }
        }
        unsaved
    }

    /// Forgets accounts that were not used for [`FORGOTTEN_AFTER`], and gives their keys.
    pub fn forget(&self, now: Timestamp) -> Vec<u64> {
        let mut gone = Vec::new();
        for shard in &self.shards {
            hold(shard).retain(|key, account| {
                let is_used = now.since(account.last) < FORGOTTEN_AFTER;
                if !is_used {
                    gone.push(*key);
                }
                is_used
            });
        }
        gone
    }

    /// What was counted.
    pub fn counters(&self) -> AccountCounters {
        AccountCounters {
            known: self.shards.iter().map(|shard| hold(shard).len() as u64).sum(),
            asked: self.counts.asked.get(),
            untracked: self.counts.untracked.get(),
            steps: core::array::from_fn(|step| self.counts.steps[step].get()),
        }
    }

    fn opinion(&self, at: Timestamp, account: &mut Account) -> Opinion {
        let score = account.score(at);
        let step = self.ladder.step(score);
        let is_news = account.is_news(step, score < self.ladder.calm_below());
        if is_news && let Some(place) = Step::ALL.into_iter().position(|other| other == step) {
            self.counts.steps[place].one();
        }
        if is_news && step == Step::Slower {
            account.slow_down(at);
        }
        Opinion { step, is_news, score }
    }

    fn deed(&self, address: Address, wanted: &Wanted<'_>) -> Deed {
        // A longer one is cut: no address in use comes near.
        let mut lower = [0_u8; RECIPIENT_BYTES_MAX];
        let length = wanted.recipient.len().min(lower.len());
        lower[..length].copy_from_slice(&wanted.recipient.as_bytes()[..length]);
        lower[..length].make_ascii_lowercase();
        let recipient = &lower[..length];
        let domain = recipient.rsplit(|byte| *byte == b'@').next().unwrap_or_default();
        Deed {
            client: if wanted.client.is_empty() { 0 } else { self.keys.session(wanted.client).get() },
            recipient: self.keys.recipient(recipient).get(),
            domain: self.keys.domain(domain).get(),
            message: self.keys.session(wanted.message).get(),
            ..self.place(address)
        }
    }

    fn place(&self, address: Address) -> Deed {
        let Located { country, asn } = self.geo.as_ref().map(|geo| geo.locate(address)).unwrap_or_default();
        let country = country.map_or(0, u16::from_be_bytes);
        Deed { network: self.network(address), country, asn: asn.unwrap_or(0), ..Deed::default() }
    }

    fn login(&self, login: &str) -> Option<Key> {
        CanonicalLogin::new(login).map(|login| self.keys.login(login.as_str()))
    }

    fn network(&self, address: Address) -> u64 {
        let length = if address.ip().is_ipv4() { V4_BITS } else { V6_BITS };
        self.keys.network(Network::containing(address, length)).get()
    }

    fn shard(&self, key: Key) -> MutexGuard<'_, Shard> {
        hold(&self.shards[key.shard(SHARDS)])
    }
}
