//! Exceptions: who is let through, or refused, by word of a person or a program, whatever the rules have counted.
//!
//! Blocks of an address, a network or a login are listings and stand in the book. What the book has no subject for
//! stands here: a login *from* an address, and everybody who is to be let through. Looking takes no lock and allocates
//! nothing; while there are no exceptions it is one load.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use base::{Address, Login, Network, Subject, Timestamp};
use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

/// Most exceptions at once: each change copies the table.
pub const EXCEPTIONS_MAX: usize = 65_536;

/// Lengths that a network can have.
const LENGTHS: usize = 129;

/// Whom an exception is about: at least one of the two is told.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Party {
    /// From there; none means from anywhere.
    pub network: Option<Network>,
    /// By this login; none means by any.
    pub login: Option<Login>,
}

/// What happens to those whom an exception is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Treatment {
    /// They are let through, although they may be blocked.
    Pass,
    /// They are refused.
    Refuse,
}

/// One exception.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exception {
    /// Whom it is about.
    pub party: Party,
    /// What happens to them.
    pub treatment: Treatment,
    /// When it ends.
    pub until: Timestamp,
    /// Who made it.
    pub maker: Box<str>,
    /// Why, in his words.
    pub reason: Box<str>,
}

/// There are [`EXCEPTIONS_MAX`] already.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("there are {EXCEPTIONS_MAX} exceptions already")]
pub struct TooMany;

/// All exceptions in force.
pub struct Exceptions {
    current: ArcSwap<Table>,
    /// Held by whoever changes them.
    writing: Mutex<()>,
    hasher: SeedableRandomState,
}

#[derive(Clone)]
struct Table {
    entries: HashTable<Arc<Exception>>,
    /// How many entries have a network of each length: only those lengths are looked for.
    lengths: [u32; LENGTHS],
    /// How many have no network.
    anywhere: u32,
}

impl Exceptions {
    /// None yet. A seed that outsiders know lets them slow it down; nothing that can be observed depends on it.
    pub fn new(seed: u64) -> Self {
        let table = Table { entries: HashTable::new(), lengths: [0; LENGTHS], anywhere: 0 };
        Self {
            current: ArcSwap::from_pointee(table),
            writing: Mutex::default(),
            hasher: SeedableRandomState::with_seed(seed, SharedSeed::global_fixed()),
        }
    }

    /// What is to be done with the client; none if there is no exception for it. Whoever is to pass passes, also if he
    /// is to be refused too, and the narrowest exception is the one that is told.
    pub fn find(&self, now: Timestamp, address: Option<Address>, login: Option<&str>) -> Option<Arc<Exception>> {
        let table = self.current.load();
        if table.entries.is_empty() {
            return None;
        }
        let find = |treatment| self.find_in(&table, now, treatment, address, login);
        find(Treatment::Pass).or_else(|| find(Treatment::Refuse))
    }

    /// The exception of that treatment that covers such a client.
    pub fn find_one(
        &self,
        now: Timestamp,
        treatment: Treatment,
        address: Option<Address>,
        login: Option<&str>,
    ) -> Option<Arc<Exception>> {
        self.find_in(&self.current.load(), now, treatment, address, login)
    }

    fn find_in(
        &self,
        table: &Table,
        now: Timestamp,
        treatment: Treatment,
        address: Option<Address>,
        login: Option<&str>,
    ) -> Option<Arc<Exception>> {
        let get = |network: Option<Network>, login: Option<&str>| {
            if network.is_none() && login.is_none() {
                return None;
            }
            let hash = self.hash(treatment, network, login);
            let found = table.entries.find(hash, |entry| entry.is(treatment, network, login))?;
            (found.until > now).then(|| found.clone())
        };
        let around = |length: usize| {
            let address = address.filter(|_| table.lengths[length] > 0)?;
            let network = Network::containing(address, length as u8);
            // An IPv4 network of this length has another number in 128 bits.
            (usize::from(network.length()) == length).then_some(network)
        };
        let networks = (0..LENGTHS).rev().filter_map(around);
        for network in networks {
            if let Some(found) =
                login.and_then(|login| get(Some(network), Some(login))).or_else(|| get(Some(network), None))
            {
                return Some(found);
            }
        }
        if table.anywhere == 0 { None } else { login.and_then(|login| get(None, Some(login))) }
    }

    /// Puts an exception in force, in place of the one there was for the same party and treatment.
    ///
    /// # Errors
    /// There are too many.
    pub fn put(&self, exception: &Exception) -> Result<(), TooMany> {
        let mut outcome = Ok(());
        self.change(|table| {
            let key = exception.key();
            let there = self.take(table, &key);
            if there.is_none() && table.entries.len() >= EXCEPTIONS_MAX {
                outcome = Err(TooMany);
                return;
            }
            table.count(&exception.party, 1);
            let hash = self.hash_of(exception);
            table.entries.insert_unique(hash, Arc::new(exception.clone()), |entry| self.hash_of(entry));
        });
        outcome
    }

    /// Takes the exception of exactly that party out of force, and gives it.
    pub fn remove(&self, treatment: Treatment, party: &Party) -> Option<Arc<Exception>> {
        let mut gone = None;
        self.change(|table| gone = self.take(table, &(treatment, party.clone())));
        gone
    }

    /// Takes out what is over at `now`, and gives it.
    pub fn expire(&self, now: Timestamp) -> Vec<Arc<Exception>> {
        if !self.current.load().entries.iter().any(|entry| entry.until <= now) {
            return Vec::new();
        }
        let mut gone = Vec::new();
        self.change(|table| {
            gone = table.entries.iter().filter(|entry| entry.until <= now).cloned().collect();
            for entry in &gone {
                self.take(table, &entry.key());
            }
        });
        gone
    }

    /// At most `limit` of those in force, in the order of their parties.
    pub fn all(&self, now: Timestamp, treatment: Treatment, limit: usize) -> Vec<Arc<Exception>> {
        let table = self.current.load();
        let wanted = |entry: &&Arc<Exception>| entry.treatment == treatment && entry.until > now;
        let mut all: Vec<_> = table.entries.iter().filter(wanted).cloned().collect();
        all.sort_by(|one, other| one.party.cmp(&other.party));
        all.truncate(limit);
        all
    }

    /// At most `limit` of those in force that bear upon a login, or upon addresses of a network; those that let pass first.
    pub fn about(&self, now: Timestamp, subject: &Subject, limit: usize) -> Vec<Arc<Exception>> {
        let is_about = |party: &Party| match subject {
            Subject::Login(login) => party.login.as_ref() == Some(login),
            Subject::Network(network) => party.network.is_some_and(|other| other.overlaps(*network)),
        };
        let both = [Treatment::Pass, Treatment::Refuse].map(|treatment| self.all(now, treatment, usize::MAX));
        both.into_iter().flatten().filter(|entry| is_about(&entry.party)).take(limit).collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.current.load().entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn change(&self, change: impl FnOnce(&mut Table)) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = Table::clone(&self.current.load());
        change(&mut table);
        self.current.store(Arc::new(table));
    }

    fn take(&self, table: &mut Table, key: &(Treatment, Party)) -> Option<Arc<Exception>> {
        let (treatment, party) = key;
        let login = party.login.as_ref().map(Login::as_str);
        let hash = self.hash(*treatment, party.network, login);
        let entry = table.entries.find_entry(hash, |entry| entry.is(*treatment, party.network, login)).ok()?;
        let (gone, _) = entry.remove();
        table.count(party, -1);
        Some(gone)
    }

    fn hash_of(&self, entry: &Exception) -> u64 {
        self.hash(entry.treatment, entry.party.network, entry.party.login.as_ref().map(Login::as_str))
    }

    fn hash(&self, treatment: Treatment, network: Option<Network>, login: Option<&str>) -> u64 {
        self.hasher.hash_one((treatment, network, login))
    }
}

impl Exception {
    fn is(&self, treatment: Treatment, network: Option<Network>, login: Option<&str>) -> bool {
        let own = self.party.login.as_ref().map(Login::as_str);
        self.treatment == treatment && self.party.network == network && own == login
    }

    fn key(&self) -> (Treatment, Party) {
        (self.treatment, self.party.clone())
    }
}

impl Table {
    fn count(&mut self, party: &Party, change: i32) {
        let place = match party.network {
            Some(network) => &mut self.lengths[usize::from(network.length())],
            None => &mut self.anywhere,
        };
        *place = place.saturating_add_signed(change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exception(text: &str) -> Exception {
        let [treatment, network, login, until] = text.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{text}: four words")
        };
        Exception {
            party: Party { network: network.parse().ok(), login: Login::new(login).filter(|_| login != "-") },
            treatment: if treatment == "pass" { Treatment::Pass } else { Treatment::Refuse },
            until: Timestamp::from_secs(until.parse().unwrap()),
            maker: "test".into(),
            reason: text.into(),
        }
    }

    fn found(exceptions: &Exceptions, now: u64, address: &str, login: &str) -> String {
        let login = (login != "-").then_some(login);
        let found = exceptions.find(Timestamp::from_secs(now), address.parse().ok(), login);
        found.map_or_else(|| "nothing".to_owned(), |found| found.reason.to_string())
    }

    #[test]
    fn the_narrowest_is_found_and_passing_wins() {
        let exceptions = Exceptions::new(1);
        assert_eq!(found(&exceptions, 1, "192.0.2.1", "alice"), "nothing");
        let rows = [
            "pass 192.0.2.0/24 - 100",
            "pass 192.0.2.7 alice 100",
            "refuse 192.0.2.7 - 100",
            "refuse 198.51.100.4 bob 100",
            "refuse - eve 50",
            "pass 2001:db8::/32 - 100",
            "refuse 0.0.0.0/0 mallory 100",
        ];
        for row in rows {
            exceptions.put(&exception(row)).unwrap();
        }
        for (now, address, login, wanted) in [
            (1, "192.0.2.7", "alice", rows[1]),
            (1, "192.0.2.7", "bob", rows[0]),
            (1, "192.0.2.7", "-", rows[0]),
            (1, "192.0.3.7", "alice", "nothing"),
            (1, "198.51.100.4", "bob", rows[3]),
            (1, "198.51.100.4", "-", "nothing"),
            (1, "198.51.100.5", "bob", "nothing"),
            (1, "-", "bob", "nothing"),
            (1, "-", "eve", rows[4]),
            (1, "203.0.113.1", "eve", rows[4]),
            (50, "203.0.113.1", "eve", "nothing"),
            (1, "2001:db8:1::1", "x", rows[5]),
            (1, "203.0.113.1", "mallory", rows[6]),
            (1, "2001:db9::1", "mallory", "nothing"),
        ] {
            assert_eq!(found(&exceptions, now, address, login), wanted, "{now} {address} {login}");
        }
        assert_eq!(exceptions.all(Timestamp::from_secs(60), Treatment::Refuse, 9).len(), 3);
        assert_eq!(exceptions.expire(Timestamp::from_secs(60)).len(), 1);
        assert_eq!(exceptions.len(), rows.len() - 1);
    }

    #[test]
    fn the_same_party_has_one_of_each_treatment() {
        let exceptions = Exceptions::new(1);
        exceptions.put(&exception("pass - alice 10")).unwrap();
        exceptions.put(&exception("pass - alice 20")).unwrap();
        exceptions.put(&exception("refuse - alice 30")).unwrap();
        assert_eq!(exceptions.len(), 2);
        assert_eq!(found(&exceptions, 15, "-", "alice"), "pass - alice 20");
        let party = exception("pass - alice 0").party;
        assert!(exceptions.remove(Treatment::Pass, &party).is_some());
        assert!(exceptions.remove(Treatment::Pass, &party).is_none());
        assert_eq!(found(&exceptions, 15, "-", "alice"), "refuse - alice 30");
    }

    #[test]
    fn their_number_is_bounded() {
        let exceptions = Exceptions::new(1);
        let numbered = |number: usize| exception(&format!("pass - user{number} 10"));
        // Filling it one by one would copy the table as often.
        exceptions.change(|table| {
            for number in 0..EXCEPTIONS_MAX {
                let entry = numbered(number);
                let hash = exceptions.hash_of(&entry);
                table.entries.insert_unique(hash, Arc::new(entry), |entry| exceptions.hash_of(entry));
            }
        });
        assert_eq!(exceptions.put(&numbered(EXCEPTIONS_MAX)), Err(TooMany));
        assert_eq!(exceptions.put(&numbered(7)), Ok(()), "one that is there can be changed");
    }
}
