//! With whom and from where it was too much: the subject of a limit by two parts, or by the sender's domain, cannot be found from
//! a login alone, so what stopped somebody is remembered for those who ask.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use base::{Address, CanonicalLogin};

use super::{LimitId, Sending};
use crate::engine::hold;
use crate::{Key, Keys};

/// Logins and addresses that are remembered; the oldest give way.
pub const STOPS_MAX: usize = 16_384;

/// Stops that are remembered of each.
const EACH_MAX: usize = 4;

/// Longest domain that is remembered, in bytes (RFC 1035 section 2.3.4).
const DOMAIN_BYTES_MAX: usize = 255;

/// What was too much for a limit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stop {
    /// The limit.
    pub limit: LimitId,
    /// Who sent, if he had logged in.
    pub login: Option<Box<str>>,
    /// From where.
    pub address: Option<Address>,
    /// The domain of the envelope sender.
    pub domain: Option<Box<str>>,
}

impl Stop {
    /// The same as a message that would be asked about.
    pub fn with_sending<T>(&self, use_it: impl FnOnce(&Sending<'_>) -> T) -> T {
        let sender = self.domain.as_ref().map(|domain| format!("@{domain}"));
        use_it(&Sending {
            login: self.login.as_deref(),
            address: self.address,
            sender: sender.as_deref(),
            ..Sending::default()
        })
    }
}

/// The last of them by login and by address.
pub struct Stops {
    keys: Keys,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    stops: BTreeMap<u64, VecDeque<Stop>>,
    /// The keys in the order in which they came, for forgetting.
    order: VecDeque<u64>,
}

impl Stops {
    /// A memory that is empty. The secret keys the hashes.
    pub fn new(secret: [u8; 16]) -> Self {
        Self { keys: Keys::new(secret), table: Mutex::default() }
    }

    /// A message was too much for the limit.
    pub fn note(&self, limit: LimitId, sending: &Sending<'_>) {
        let login = sending.login.and_then(CanonicalLogin::new).map(|login| login.as_str().into());
        let stop = Stop { limit, login, address: sending.address, domain: domain_of(sending) };
        let mut table = hold(&self.table);
        for key in self.subjects(sending.login, sending.address) {
            table.put(key.get(), &stop);
        }
    }

    /// What stopped a login, or somebody at an address.
    pub fn of(&self, login: Option<&str>, address: Option<Address>) -> Vec<Stop> {
        let table = hold(&self.table);
        let keys = self.subjects(login, address);
        keys.filter_map(|key| table.stops.get(&key.get())).flatten().cloned().collect()
    }

    fn subjects(&self, login: Option<&str>, address: Option<Address>) -> impl Iterator<Item = Key> {
        let login = login.and_then(CanonicalLogin::new).map(|login| self.keys.login(login.as_str()));
        login.into_iter().chain(address.map(|address| self.keys.network(address.aggregate())))
    }
}

/// The domain of the envelope's sender.
pub fn domain_of(sending: &Sending<'_>) -> Option<Box<str>> {
    let (_, domain) = sending.sender?.rsplit_once('@')?;
    (domain.len() <= DOMAIN_BYTES_MAX).then(|| domain.to_lowercase().into())
}

impl Table {
    fn put(&mut self, key: u64, stop: &Stop) {
        let stops = self.stops.entry(key).or_default();
        if stops.is_empty() {
            self.order.push_back(key);
        }
        stops.retain(|other| other != stop);
        if stops.len() == EACH_MAX {
            stops.pop_front();
        }
        stops.push_back(stop.clone());
        while self.order.len() > STOPS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.stops.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_each_are_remembered() {
        let stops = Stops::new([3; 16]);
        let sending = |login, address: &'static str, sender| Sending {
            login: Some(login),
            address: Some(address.parse().unwrap()),
            sender: Some(sender),
            ..Sending::default()
        };
        for host in ["192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"] {
            stops.note(LimitId(1), &sending("Alice@example.org", host, "x@Example.NET"));
        }
        let of_login = stops.of(Some("alice@example.org"), None);
        let hosts: Vec<_> = of_login.iter().map(|stop| stop.address.unwrap().to_string()).collect();
        assert_eq!(hosts, ["192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"]);
        assert!(of_login.iter().all(|stop| stop.domain.as_deref() == Some("example.net")));
        let of_address = stops.of(None, Some("192.0.2.3".parse().unwrap()));
        assert_eq!(of_address[0].login.as_deref(), Some("alice@example.org"));
        assert!(stops.of(Some("bob@example.org"), None).is_empty());
        of_login[0].with_sending(|sending| assert_eq!(sending.sender, Some("@example.net")));
    }

    #[test]
    fn a_flood_is_bounded() {
        let stops = Stops::new([3; 16]);
        for number in 0..STOPS_MAX + 10 {
            let login = format!("user{number}");
            stops.note(LimitId(0), &Sending { login: Some(&login), ..Sending::default() });
        }
        let table = hold(&stops.table);
        assert_eq!((table.stops.len(), table.order.len()), (STOPS_MAX, STOPS_MAX));
    }
}
