//! From what a gate knows of a message to the subject whose bucket it is.

use base::limits::LOGIN_BYTES_MAX;
use base::{Address, CanonicalLogin, Network};

use super::settings::{By, Limit, Part};
use crate::{Key, Keys};

/// What a gate knows of a message that is being sent. It borrows from the request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sending<'a> {
    /// The gate's name for the connection.
    pub session: &'a str,
    /// The mail server's name for the message in it, the same from the first recipient to the end: Postfix' `instance`.
    pub instance: &'a str,
    /// The recipients that are asked for, as far as the gate knows them; at the end of a message those that nobody was asked
    /// about before.
    pub to: &'a [&'a str],
    /// How large the client says that the message is, in bytes; zero if it does not.
    pub size: u64,
    /// The authenticated login; whose forms are one is decided before ([`crate::Logins`]).
    pub login: Option<&'a str>,
    /// The client's address.
    pub address: Option<Address>,
    /// The envelope sender.
    pub sender: Option<&'a str>,
    /// What the client shows of its program, the same each time; empty if the gate does not know.
    pub client: &'a str,
    /// A hash of what the message says, the same for the same text; zero if the gate does not know.
    pub body: u64,
    /// For [`super::Limiter::reserve`], how many recipients are asked for; for [`super::Limiter::settle`], how many the
    /// message has in the end.
    pub recipients: u32,
}

/// Prefix lengths of [`Part::Network`].
const V4_BITS: u8 = 24;
const V6_BITS: u8 = 48;

/// A sending with its login made canonical, once for all limits.
pub(crate) struct Sender<'a> {
    sending: &'a Sending<'a>,
    login: Option<CanonicalLogin>,
}

impl<'a> Sender<'a> {
    pub(crate) fn new(sending: &'a Sending<'a>) -> Self {
        Self { sending, login: sending.login.and_then(CanonicalLogin::new) }
    }

    /// The subject of `limit`; none if the limit is not about this message.
    pub(crate) fn key(&self, keys: &Keys, limit: &Limit) -> Option<Key> {
        let is_excepted =
            self.login.as_ref().is_some_and(|login| limit.except_logins.iter().any(|other| **other == *login.as_str()))
                || self
                    .sending
                    .address
                    .is_some_and(|address| limit.except_networks.iter().any(|network| network.contains(address)));
        if is_excepted {
            return None;
        }
        let By { first, second } = limit.by;
        let login = self.login.as_ref().map(CanonicalLogin::as_str);
        let one = self.part(keys, first, login)?;
        match second {
            None => Some(one),
            Some(second) => Some(keys.pair(one, self.part(keys, second, login)?)),
        }
    }

    /// Who sends it, whatever the limits are by: the login, or the network of the address.
    pub(crate) fn party(&self, keys: &Keys) -> Key {
        let part = |part| self.part(keys, part, self.login.as_ref().map(CanonicalLogin::as_str));
        part(Part::Login).or_else(|| part(Part::Network)).unwrap_or_else(|| keys.number(0))
    }

    fn part(&self, keys: &Keys, part: Part, login: Option<&str>) -> Option<Key> {
        match part {
            Part::Login => login.map(|login| keys.login(login)),
            Part::Address => self.sending.address.map(|address| keys.network(address.aggregate())),
            Part::Network => self.sending.address.map(|address| {
                let bits = if address.ip().is_ipv4() { V4_BITS } else { V6_BITS };
                keys.network(Network::containing(address, bits))
            }),
            Part::SenderDomain => {
                let (_, domain) = self.sending.sender?.rsplit_once('@')?;
                let mut lower = [0_u8; LOGIN_BYTES_MAX];
                let domain = domain.strip_suffix('.').unwrap_or(domain).as_bytes();
                // A longer one is cut, as a login is: no domain in use comes near.
                let length = domain.len().min(lower.len());
                lower[..length].copy_from_slice(&domain[..length]);
                lower[..length].make_ascii_lowercase();
                (length > 0).then(|| keys.domain(&lower[..length]))
            }
        }
    }
}
