//! Names as numbers: addresses, logins, sessions and guesses hashed with the node's secret.
//!
//! Who attacks chooses the names, so that the hash is keyed: without the secret nobody finds two names that meet in
//! one record, and nobody makes a table slow. A [`Key`] is 64 bits: among a million subjects the chance that any two
//! share one is 1 in 37 million.

use core::hash::{BuildHasher, Hasher};

use base::{ListId, Network, PasswordTag};
use foldhash::quality::FixedState;

/// A subject as the tables know it: evenly distributed and never zero, so that it serves as its own hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Key(u64);

impl Key {
    /// The number itself.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The key that was kept as this number.
    pub(crate) const fn from_kept(number: u64) -> Self {
        Self(number)
    }

    /// Which of `count` shards holds it. The bits are ones that the tables' indexes do not look at first.
    pub(crate) const fn shard(self, count: usize) -> usize {
        (self.0 >> 40) as usize % count
    }
}

/// Makes keys and tags with the node's secret. The same secret gives the same keys after a restart.
#[derive(Clone, Debug)]
pub struct Keys {
    state: FixedState,
    pepper: u64,
}

/// What is hashed, so that a login and a session of the same text have nothing in common.
#[derive(Clone, Copy)]
enum Domain {
    Number = 1,
    Login,
    Network,
    Session,
    Guess,
    Sender,
    Pair,
    Transaction,
    Relapse,
    Recipient,
    Password,
    System,
}

impl Keys {
    /// Keys of this secret.
    pub fn new(secret: [u8; 16]) -> Self {
        let [seed, pepper] = [0, 8].map(|from| {
            let mut half = [0; 8];
            half.copy_from_slice(&secret[from..from + 8]);
            u64::from_le_bytes(half)
        });
        Self { state: FixedState::with_seed(seed), pepper }
    }

    /// The key of a number, for tables that are not about mail.
    pub fn number(&self, number: u64) -> Key {
        self.key(Domain::Number, |hasher| hasher.write_u64(number))
    }

    /// The key of a canonical login.
    pub fn login(&self, canonical: &str) -> Key {
        self.key(Domain::Login, |hasher| hasher.write(canonical.as_bytes()))
    }

    /// The key of a network, such as the aggregate of an address.
    pub fn network(&self, network: Network) -> Key {
        self.key(Domain::Network, |hasher| {
            hasher.write_u128(base::Address::new(network.base()).bits());
            hasher.write_u8(network.length());
        })
    }

    /// The key of a network on a list.
    pub(crate) fn relapse(&self, network: Network, list: ListId) -> Key {
        self.key(Domain::Relapse, |hasher| {
            hasher.write_u64(self.network(network).get());
            hasher.write_u8(list.index() as u8);
        })
    }

    /// The key of a mail server's name for a connection.
    pub fn session(&self, session: &str) -> Key {
        self.key(Domain::Session, |hasher| hasher.write(session.as_bytes()))
    }

    /// The key of a recipient in lower case.
    pub(crate) fn recipient(&self, lower: &[u8]) -> Key {
        self.key(Domain::Recipient, |hasher| hasher.write(lower))
    }

    /// The key of a domain name in lower case.
    pub fn domain(&self, lower: &[u8]) -> Key {
        self.key(Domain::Sender, |hasher| hasher.write(lower))
    }

    /// The key of two subjects together, in this order.
    pub fn pair(&self, first: Key, second: Key) -> Key {
        self.key(Domain::Pair, |hasher| {
            hasher.write_u64(first.get());
            hasher.write_u64(second.get());
        })
    }

    /// The key of a message on its way: the connection and the mail server's name for the message in it.
    pub fn transaction(&self, session: &str, instance: &str) -> Key {
        self.key(Domain::Transaction, |hasher| {
            hasher.write(session.as_bytes());
            // Neither name can move its end into the other.
            hasher.write_usize(session.len());
            hasher.write(instance.as_bytes());
        })
    }

    /// The tag of a guess: a login with the password that was tried, if anything is known of it.
    pub fn guess(&self, login: Key, password: Option<PasswordTag>) -> u32 {
        let key = self.key(Domain::Guess, |hasher| {
            hasher.write_u64(login.get());
            hasher.write_u64(password.map_or(u64::MAX, |tag| u64::from(tag.0)));
        });
        tag_of(key)
    }

    /// The key of a password by whichever login it is tried.
    pub(crate) fn password(&self, password: PasswordTag) -> Key {
        self.key(Domain::Password, |hasher| hasher.write_u32(password.0))
    }

    /// The key of an autonomous system by its number.
    pub(crate) fn system(&self, number: u32) -> Key {
        self.key(Domain::System, |hasher| hasher.write_u32(number))
    }

    fn key(&self, domain: Domain, write: impl FnOnce(&mut <FixedState as BuildHasher>::Hasher)) -> Key {
        let mut hasher = self.state.build_hasher();
        hasher.write_u64(self.pepper ^ domain as u64);
        write(&mut hasher);
        Key(hasher.finish().max(1))
    }
}

/// A key cut to the width of a tag, to count different ones. Two of a handful meet once in a thousand million times.
pub(crate) const fn tag_of(key: Key) -> u32 {
    (key.0 >> 8) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_depend_on_secret_and_kind() {
        let (one, other) = (Keys::new([1; 16]), Keys::new([2; 16]));
        assert_eq!(one.login("alice"), Keys::new([1; 16]).login("alice"));
        assert_ne!(one.login("alice"), other.login("alice"));
        assert_ne!(one.login("alice"), one.session("alice"));
        let half = |low: u8, high: u8| Keys::new(core::array::from_fn(|i| if i < 8 { low } else { high }));
        assert_ne!(half(1, 1).login("alice"), half(1, 2).login("alice"));
        let login = one.login("alice");
        assert_ne!(one.guess(login, None), one.guess(login, Some(PasswordTag(0))));
    }

    #[test]
    fn shards_are_filled_evenly() {
        let keys = Keys::new([7; 16]);
        let mut shards = [0_u32; 16];
        (0..16_000).for_each(|n| shards[keys.number(n).shard(16)] += 1);
        assert!(shards.iter().all(|count| (800..1200).contains(count)), "{shards:?}");
    }
}
