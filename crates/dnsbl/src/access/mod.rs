//! Who may ask, and how much: [`Access`] is what an operator set, compiled for the zones.
//!
//! ```text
//!  client, zone, key ──> judge ──> answer | ignore | refuse (why)
//!  reply to a client without a cookie ──> meter ──> whole | small | truncated | none
//! ```
//!
//! It promises: who may not ask learns of no listing, and of no list that there is none; 127.0.0.1 is never listed;
//! what clients send cannot make a table grow; nothing here takes a lock or allocates where questions are judged. A
//! new set of keys is in force with the next question.
//!
//! It reads no clock, and keeps nothing over a restart: [`Access::resume`] takes back what was counted.

mod account;
mod cookie;
mod keys;
mod limiter;
mod newcomers;
mod reverse;
mod settings;
mod tally;

use core::hash::Hasher as _;
use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use base::{Address, ListId, ListSet, Timestamp};
use listings::tree::{Changes, Tree};
use siphasher::sip::SipHasher24;

use crate::serve::{ZONES_MAX, Zones};
use crate::statics::Statics;
use account::{Accounts, excess};
pub(crate) use cookie::{CLIENT_BYTES, Cookies, SERVER_BYTES};
pub(crate) use keys::{KeySet, KeyVerdict};
use limiter::{Limiter, Rate};
use reverse::Names;
pub(crate) use tally::{Tally, busiest, network_number};

pub use account::{CREDIT_BYTES, REFILL_BYTES_PER_SECOND};
pub use keys::{
    KEY_LABEL_BYTES_MIN, KEYS_MAX, KeyCount, KeyHash, KeyHashError, KeyRecord, KeySecret, Per, Quota, new_key,
};
pub use limiter::CLIENTS_MAX;
pub use newcomers::{KNOWN_NETWORKS_MAX, NEWCOMERS_REPLY_BYTES_MAX};
pub use reverse::{ClientName, NAMED_MAX, NamesWanted, UNNAMED_MAX};
pub use settings::{AccessError, AccessSettings, Limit, Permit, Policy, Refusal, ZoneAccess, ZoneLabel};
pub use tally::{ClientCount, NETWORKS_MAX};

/// Who may ask in each zone. All threads share it.
#[derive(Debug)]
pub struct Access {
    /// The labels of the zones, in their order.
    labels: Box<[String]>,
    zones: Box<[Rules]>,
    keys: ArcSwap<KeySet>,
    secret: KeySecret,
    /// Under which clients are hashed, so that nobody can choose whom to meet in the table.
    hash_key: [u8; 16],
    /// None where nothing is limited.
    limiter: Option<Limiter>,
    /// None where everybody is sent everything.
    accounts: Option<Accounts>,
    cookies: Option<Cookies>,
    /// None where nobody wants reverse names of clients.
    names: Option<Names>,
    /// Replies that were held back, to give each so many the one that is not.
    slips: AtomicU64,
}

/// The rules of zones that are not known here.
static OPEN: Rules =
    Rules { policy: Policy::Open, names: NamesWanted::Any, networks: None, refusal: Refusal::Refused, limit: None };

/// The rules of one zone.
#[derive(Debug)]
struct Rules {
    policy: Policy,
    names: NamesWanted,
    /// Each network with one list, which stands for its permit.
    networks: Option<Acl>,
    refusal: Refusal,
    limit: Option<Limit>,
}

/// The permits of networks: the tree of lists, with a list for each permit.
struct Acl(Tree);

impl core::fmt::Debug for Acl {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Acl").field(&self.0.hosts()).finish()
    }
}

const PERMITS: [Permit; 4] = [Permit::Free, Permit::ByPolicy, Permit::Refuse, Permit::Ignore];

/// What is done with a question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Answer,
    /// As the name is: what has the form of a key is none that is known, where nobody wants one.
    Nothing,
    Refuse(Reason),
}

/// A question below a zone's own name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judged<'a> {
    /// The zone's place.
    pub(crate) zone: usize,
    /// The label of the key.
    pub(crate) key: Option<&'a [u8]>,
    /// Whether it is about an address. Resolvers that ask label by label (RFC 9156) come to it by several
    /// questions that are not, and a quota counts addresses.
    pub(crate) is_whole: bool,
}

/// Why a question is not answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reason {
    Network,
    KeyWanted,
    KeyUnknown,
    KeyOver,
    KeyElsewhere,
    Quota,
    Rate,
    NoName,
    PoolName,
}

impl Reason {
    /// All of them, in the order in which counters have them.
    pub(crate) const ALL: [Self; 9] = [
        Self::Network,
        Self::KeyWanted,
        Self::KeyUnknown,
        Self::KeyOver,
        Self::KeyElsewhere,
        Self::Quota,
        Self::Rate,
        Self::NoName,
        Self::PoolName,
    ];

    /// The name in metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::KeyWanted => "key-wanted",
            Self::KeyUnknown => "key-unknown",
            Self::KeyOver => "key-over",
            Self::KeyElsewhere => "key-elsewhere",
            Self::Quota => "quota",
            Self::Rate => "rate",
            Self::NoName => "no-name",
            Self::PoolName => "pool-name",
        }
    }

    /// The reason in words.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Network => "your network may not ask here",
            Self::KeyWanted => "a key is needed to ask here",
            Self::KeyUnknown => "the key is unknown",
            Self::KeyOver => "the key has ended",
            Self::KeyElsewhere => "the key is not for this zone",
            Self::Quota => "the key is over its quota",
            Self::Rate => "too many questions without a key",
            Self::NoName => "your address has no reverse name",
            Self::PoolName => "your address has the reverse name of a pool",
        }
    }

    /// The last octet of 127.255.255.x.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Quota | Self::Rate => 255,
            Self::Network
            | Self::KeyWanted
            | Self::KeyUnknown
            | Self::KeyOver
            | Self::KeyElsewhere
            | Self::NoName
            | Self::PoolName => 254,
        }
    }
}

/// How much of a reply is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Portion {
    Whole,
    /// What it says without the records that a negative one is remembered by; otherwise that there is more by TCP.
    Small,
    /// That there is more by TCP.
    Truncated,
    None,
}

impl Access {
    /// Everybody may ask and is sent everything, forged or not, and there are no keys.
    pub fn open(zones: &Zones) -> Self {
        let rules = |_| Rules::new(&ZoneAccess::default());
        Self {
            labels: zones.labels().collect(),
            zones: zones.labels().map(rules).collect(),
            keys: ArcSwap::default(),
            secret: KeySecret::new([0; 16]),
            hash_key: [0; 16],
            limiter: None,
            accounts: None,
            cookies: None,
            names: None,
            slips: AtomicU64::new(0),
        }
    }

    /// The rules of `settings`, or all of their faults. `secret` is what keys were hashed under, and `random` is new
    /// for each process. `statics` have zones beside those of the book, which are named by their whole names.
    pub fn new(
        zones: &Zones,
        statics: Option<&Statics>,
        settings: &AccessSettings,
        secret: KeySecret,
        random: [u8; 16],
    ) -> Result<Self, Vec<AccessError>> {
        let of_files = statics.into_iter().flat_map(Statics::alone).map(|name| name.to_string().to_lowercase());
        let labels: Box<[String]> = zones.labels().chain(of_files).collect();
        let rules = labels.iter().map(|_| Rules::new(&ZoneAccess::default())).collect();
        let mut access = Self { labels, zones: rules, secret, hash_key: random, ..Self::open(zones) };
        access.cookies = Cookies::new(&settings.cookie_secrets);
        let mut faults = Vec::new();
        if access.labels.len() > ZONES_MAX {
            faults.push(AccessError::TooManyZones);
        }
        let mut named: BTreeMap<&str, &ZoneAccess> = BTreeMap::new();
        for (label, rules) in &settings.zones {
            let label = match label {
                ZoneLabel::Others => "*",
                ZoneLabel::Named(label) => label,
            };
            if label != "*" && !access.labels.iter().any(|known| known.eq_ignore_ascii_case(label)) {
                faults.push(AccessError::UnknownZone(label.into()));
            }
            if named.insert(label, rules).is_some() {
                faults.push(AccessError::SameZone(label.into()));
            }
            check(label, rules, &mut faults);
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        for (label, rules) in access.labels.iter().zip(&mut access.zones) {
            let own = named.iter().find(|(name, _)| name.eq_ignore_ascii_case(label)).map(|(_, rules)| rules);
            if let Some(set) = own.or_else(|| named.get("*")) {
                *rules = Rules::new(set);
            }
        }
        let is_limited = |rules: &Rules| rules.limit.is_some() || matches!(rules.policy, Policy::OpenBelow(_));
        access.limiter = access.zones.iter().any(is_limited).then(Limiter::new);
        access.accounts = Some(Accounts::new(random));
        let wants_names = access.zones.iter().any(|rules| rules.names != NamesWanted::Any);
        access.names = wants_names.then(|| Names::new(random));
        Ok(access)
    }

    /// Puts these keys in the place of those there are, from the next question on; what was counted for those that
    /// stay is kept.
    ///
    /// # Errors
    /// Says all that is wrong with them; then the keys are as they were.
    pub fn set_keys(&self, records: Vec<KeyRecord>) -> Result<(), Vec<AccessError>> {
        let mut faults = Vec::new();
        let mut names = BTreeMap::new();
        for record in &records {
            if let Some(other) = names.insert(record.hash, &record.name) {
                faults.push(AccessError::SameKey(other.clone(), record.name.clone()));
            }
            for zone in record.zones.iter().flatten().filter(|zone| self.place_of(zone).is_none()) {
                faults.push(AccessError::UnknownKeyZone { key: record.name.clone(), zone: zone.clone() });
            }
        }
        if records.len() > KEYS_MAX {
            faults.push(AccessError::TooManyKeys);
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        // A set of zones is one word: `ZONES_MAX` has no more than its bits.
        let bit = |zone: &String| self.place_of(zone).map_or(0, |place| 1 << place);
        let zones_of = |record: &KeyRecord| {
            record.zones.as_ref().map_or(u64::MAX, |zones| zones.iter().map(bit).fold(0, |all, bit| all | bit))
        };
        self.keys.store(Arc::new(KeySet::new(records, zones_of, &self.keys.load())));
        Ok(())
    }

    /// Takes back what a key had asked in the span of its quota before a restart.
    pub fn resume(&self, key: KeyHash, questions: u32, now: Timestamp) {
        self.keys.load().resume(key, questions, now);
    }

    /// The zones by the names that keys have for them.
    pub fn zones(&self) -> impl Iterator<Item = &str> {
        self.labels.iter().map(String::as_str)
    }

    /// All keys with what was asked, by their names.
    pub fn key_counts(&self) -> Vec<KeyCount> {
        self.keys.load().counts()
    }

    fn place_of(&self, zone: &str) -> Option<usize> {
        self.labels.iter().position(|label| label.eq_ignore_ascii_case(zone))
    }

    fn rules(&self, zone: usize) -> &Rules {
        self.zones.get(zone).unwrap_or(&OPEN)
    }

    /// Whether the zone has rules that look at the client or at the reply.
    pub(crate) fn is_particular(&self, zone: usize) -> bool {
        let rules = self.rules(zone);
        rules.networks.is_some()
            || rules.limit.is_some()
            || rules.names != NamesWanted::Any
            || matches!(rules.policy, Policy::OpenBelow(_))
    }

    /// Whether [`Access::poll_client`] will ever have somebody.
    pub const fn wants_names(&self) -> bool {
        self.names.is_some()
    }

    /// A client whose reverse name is to be looked up; one thread asks for them.
    pub fn poll_client(&self) -> Option<Address> {
        self.names.as_ref()?.poll()
    }

    /// Remembers the reverse name of a client. It counts from the next question on.
    pub fn client_named(&self, client: Address, name: ClientName, now: Timestamp) {
        if let Some(names) = &self.names {
            names.tell(client, name, now);
        }
    }

    /// The keys in force.
    pub(crate) fn keys(&self) -> Guard<Arc<KeySet>> {
        self.keys.load()
    }

    /// Whether a label before the zone's name has the form of a key: letters, digits and `-`, too many of them for a part of an
    /// address.
    pub(crate) fn takes_key(label: &[u8]) -> bool {
        label.len() >= KEY_LABEL_BYTES_MIN && label.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    }

    /// Whether there is such a key.
    pub(crate) fn knows(&self, label: &[u8], keys: &KeySet) -> bool {
        keys.has(self.secret.hash(label))
    }

    /// Whether everybody may ask in the zone without a key.
    pub(crate) fn is_open(&self, zone: usize) -> bool {
        self.rules(zone).policy == Policy::Open
    }

    /// Whether the key opens the zone. If so, the question is counted; if not, nothing is.
    pub(crate) fn opens(&self, zone: usize, key: &[u8], keys: &KeySet, now: Timestamp) -> bool {
        keys.opens(self.secret.hash(key), zone, now)
    }

    pub(crate) fn refusal(&self, zone: usize) -> Refusal {
        self.rules(zone).refusal
    }

    pub(crate) const fn cookies(&self) -> Option<&Cookies> {
        self.cookies.as_ref()
    }

    /// What the client's network may in the zone.
    pub(crate) fn permit(&self, zone: usize, client: Address) -> Permit {
        self.rules(zone).networks.as_ref().map_or(Permit::ByPolicy, |acl| acl.permit(client))
    }

    /// What is done with a question of a client that the networks let ask by the policy.
    pub(crate) fn judge(&self, question: &Judged<'_>, keys: &KeySet, client: Address, now: Timestamp) -> Verdict {
        let Judged { zone, key, is_whole } = *question;
        let Rules { policy, names, .. } = *self.rules(zone);
        let Some(key) = key else {
            return match policy {
                Policy::Key => Verdict::Refuse(Reason::KeyWanted),
                Policy::OpenBelow(rate) if !self.is_below(zone, client, now, rate, b'q') => {
                    Verdict::Refuse(Reason::Rate)
                }
                Policy::Open | Policy::OpenBelow(_) => {
                    let objection = self.names.as_ref().and_then(|known| known.objection(client, names, now));
                    objection.map_or(Verdict::Answer, Verdict::Refuse)
                }
            };
        };
        match keys.ask(self.secret.hash(key), zone, now, is_whole) {
            KeyVerdict::Opens => Verdict::Answer,
            KeyVerdict::Unknown if policy == Policy::Open => Verdict::Nothing,
            KeyVerdict::Unknown => Verdict::Refuse(Reason::KeyUnknown),
            KeyVerdict::Over => Verdict::Refuse(Reason::KeyOver),
            KeyVerdict::Elsewhere => Verdict::Refuse(Reason::KeyElsewhere),
            KeyVerdict::Quota => Verdict::Refuse(Reason::Quota),
        }
    }

    /// How much of a reply of `reply` octets to a question of `question` octets goes to a client that may be forged.
    pub(crate) fn meter(&self, zone: usize, client: Address, now: Timestamp, question: usize, reply: usize) -> Portion {
        if let Some(limit) = self.rules(zone).limit
            && !self.is_below(zone, client, now, limit.per_second, b'r')
        {
            let turn = self.slips.fetch_add(1, Ordering::Relaxed);
            let is_slip = limit.slip > 0 && turn.is_multiple_of(u64::from(limit.slip));
            return if is_slip { Portion::Truncated } else { Portion::None };
        }
        self.pays(client, now, question, reply)
    }

    /// How much of a reply of `reply` octets to a question of `question` octets goes to a client that may be forged, by octets
    /// alone: one that is much longer is paid from the account of the client's network, and of all newcomers.
    pub(crate) fn pays(&self, client: Address, now: Timestamp, question: usize, reply: usize) -> Portion {
        match (&self.accounts, excess(question, reply)) {
            (Some(accounts), octets @ 1..) => accounts.portion(client, now, octets),
            _ => Portion::Whole,
        }
    }

    /// Remembers that the client's address is not forged: it has shown our cookie, or come by a stream.
    pub(crate) fn prove(&self, client: Address, now: Timestamp) {
        if let Some(accounts) = &self.accounts {
            accounts.prove(client, now);
        }
    }

    /// `what` tells replies from questions, which have rates of their own.
    fn is_below(&self, zone: usize, client: Address, now: Timestamp, rate: u32, what: u8) -> bool {
        let Some(limiter) = &self.limiter else { return true };
        let mut hasher = SipHasher24::new_with_key(&self.hash_key);
        hasher.write_u64(network_number(client));
        hasher.write(&[zone as u8, what]);
        limiter.take(hasher.finish(), now.as_millis().wrapping_mul(1000), Rate::per_second(rate))
    }
}

fn check(zone: &str, rules: &ZoneAccess, faults: &mut Vec<AccessError>) {
    let mut permits = BTreeMap::new();
    for (network, permit) in &rules.networks {
        if permits.insert(*network, *permit).is_some_and(|other| other != *permit) {
            faults.push(AccessError::SameNetwork { zone: zone.into(), network: *network });
        }
    }
    if rules.policy == Policy::OpenBelow(0) || rules.limit.is_some_and(|limit| limit.per_second == 0) {
        faults.push(AccessError::NoRate(zone.into()));
    }
}

impl Rules {
    fn new(settings: &ZoneAccess) -> Self {
        let ZoneAccess { policy, names, networks, refusal, limit } = settings;
        let networks = (!networks.is_empty()).then(|| {
            let mut changes = Changes::default();
            for (network, permit) in networks {
                changes.set(*network, ListSet::EMPTY.with(ListId::new(*permit as usize)));
            }
            let mut tree = Tree::default();
            tree.apply(&mut changes);
            Acl(tree)
        });
        Self { policy: *policy, names: *names, networks, refusal: *refusal, limit: *limit }
    }
}

impl Acl {
    fn permit(&self, client: Address) -> Permit {
        let all = PERMITS.iter().map(|permit| ListId::new(*permit as usize)).collect();
        let Some(network) = self.0.narrowest(client, all) else { return Permit::ByPolicy };
        let own = self.0.own_lists(network);
        PERMITS.into_iter().find(|permit| own.contains(ListId::new(*permit as usize))).unwrap_or(Permit::ByPolicy)
    }
}

#[cfg(test)]
mod tests;
