//! Who may have the zones, and who is told of changes.

use core::net::SocketAddr;

use base::{Address, Network};

use super::key::Key;

/// Most keys, most entries of `allow` and most secondaries to be told.
pub const SECONDARIES_MAX: usize = 256;

/// Who gets zones and notifications. By default nobody.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// The keys that secondaries sign with.
    pub keys: Vec<Key>,
    /// Who may transfer. One of the entries must allow it.
    pub allow: Vec<Allow>,
    /// Who is told of changes.
    pub notify: Vec<Notify>,
}

/// Secondaries that may transfer zones: from these networks, and with this key. At least one of both is given.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Allow {
    /// The networks that they are in; anywhere if empty.
    pub from: Vec<Network>,
    /// The name of the key that they sign with; none if absent.
    pub key: Option<String>,
}

/// A secondary that is told of changes (RFC 1996).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notify {
    /// Where it listens.
    pub to: SocketAddr,
    /// The name of the key that the message is signed with; none if absent.
    pub key: Option<String>,
}

/// A fault of [`Settings`].
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SettingsFault {
    /// Two keys of one name.
    #[error("key `{0}` is there twice")]
    SameKey(String),
    /// A key that there is not.
    #[error("there is no key `{0}`")]
    UnknownKey(String),
    /// An entry that would let everybody in.
    #[error("who may transfer zones must be told by networks or by a key")]
    Everybody,
    /// More entries than [`SECONDARIES_MAX`].
    #[error("more than {SECONDARIES_MAX} {0}")]
    TooMany(&'static str),
}

/// The networks, anywhere if there are none, and the key that one must be in and sign with.
type Rule = (Box<[Network]>, Option<usize>);

/// [`Settings`] that have no faults, keys by their place.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) keys: Box<[Key]>,
    allow: Box<[Rule]>,
    pub(super) notify: Box<[(SocketAddr, Option<usize>)]>,
}

impl Access {
    pub(super) fn new(settings: Settings) -> Result<Self, Vec<SettingsFault>> {
        let Settings { keys, allow, notify } = settings;
        let mut faults = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            if keys[..at].iter().any(|other| other.canonical() == key.canonical()) {
                faults.push(SettingsFault::SameKey(key.name().to_string()));
            }
        }
        for (what, count) in [("keys", keys.len()), ("who may transfer", allow.len()), ("secondaries", notify.len())] {
            if count > SECONDARIES_MAX {
                faults.push(SettingsFault::TooMany(what));
            }
        }
        let mut find = |name: &Option<String>| {
            let name = name.as_ref()?;
            let place = keys.iter().position(|key| key.name().to_string().eq_ignore_ascii_case(name));
            if place.is_none() {
                faults.push(SettingsFault::UnknownKey(name.clone()));
            }
            place
        };
        let rules: Box<[_]> = allow.iter().map(|entry| (entry.from.clone().into(), find(&entry.key))).collect();
        let notify = notify.iter().map(|entry| (entry.to, find(&entry.key))).collect();
        if allow.iter().any(|entry| entry.from.is_empty() && entry.key.is_none()) {
            faults.push(SettingsFault::Everybody);
        }
        if faults.is_empty() { Ok(Self { keys: keys.into(), allow: rules, notify }) } else { Err(faults) }
    }

    /// Whether a client that signed with `key`, or did not sign, may have the zones.
    pub(super) fn allows(&self, client: Address, key: Option<&Key>) -> bool {
        self.allow.iter().any(|(from, wanted)| {
            let is_near = from.is_empty() || from.iter().any(|network| network.contains(client));
            let has_key = wanted.is_none_or(|wanted| key == Some(&self.keys[wanted]));
            is_near && has_key
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::key::Algorithm;

    fn key(name: &str) -> Key {
        Key::new(name, Algorithm::HmacSha256, &[1; 32]).unwrap()
    }

    fn allow(from: &[&str], key: &str) -> Allow {
        let key = if key.is_empty() { None } else { Some(key.into()) };
        Allow { from: from.iter().map(|text| text.parse().unwrap()).collect(), key }
    }

    #[test]
    fn who_may() {
        let settings = Settings {
            keys: vec![key("one"), key("two")],
            allow: vec![
                allow(&["192.0.2.0/24", "2001:db8::/32"], ""),
                allow(&[], "one"),
                allow(&["203.0.113.0/24"], "TWO"),
            ],
            notify: Vec::new(),
        };
        let access = Access::new(settings).unwrap();
        let cases = [
            ("192.0.2.7", "", true),
            ("192.0.2.7", "two", true),
            ("2001:db8::7", "", true),
            ("198.51.100.7", "", false),
            ("198.51.100.7", "one", true),
            ("198.51.100.7", "two", false),
            ("203.0.113.7", "two", true),
            ("203.0.113.7", "", false),
        ];
        for (client, with, wanted) in cases {
            let with = access.keys.iter().find(|key| key.name().to_string() == with);
            assert_eq!(access.allows(client.parse().unwrap(), with), wanted, "{client} {with:?}");
        }
        assert!(!Access::new(Settings::default()).unwrap().allows("192.0.2.7".parse().unwrap(), None));
    }

    #[test]
    fn faults() {
        let settings = Settings {
            keys: vec![key("one"), key("ONE")],
            allow: vec![allow(&[], ""), allow(&[], "three")],
            notify: vec![Notify { to: "192.0.2.1:53".parse().unwrap(), key: Some("four".into()) }; 257],
        };
        let faults = Access::new(settings).map(|_| ()).unwrap_err();
        let count = |wanted: SettingsFault| faults.iter().filter(|fault| **fault == wanted).count();
        assert_eq!(count(SettingsFault::SameKey("ONE".into())), 1);
        assert_eq!(count(SettingsFault::UnknownKey("three".into())), 1);
        assert_eq!(count(SettingsFault::UnknownKey("four".into())), 257);
        assert_eq!((count(SettingsFault::Everybody), count(SettingsFault::TooMany("secondaries"))), (1, 1));
    }
}
