//! What an operator sets about who may ask, and what can be wrong with it.

use base::Network;

use super::NamesWanted;

/// Whom the zones answer. By default everybody, as much as they like; but replies over UDP to clients that may be forged come to
/// no more than one and a half times their questions, beyond [`super::CREDIT_BYTES`] for each network that has shown that it asks itself, and as much for all others together.
#[derive(Clone, Debug, Default)]
pub struct AccessSettings {
    /// The rules of zones; those that are not named have those of [`ZoneAccess::default`].
    pub zones: Vec<(ZoneLabel, ZoneAccess)>,
    /// Secrets of DNS cookies (RFC 9018): the first makes them, the others are recognised too, so that a secret can be
    /// changed. None: no cookies.
    pub cookie_secrets: Vec<[u8; 16]>,
}

/// Which zone a rule is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ZoneLabel {
    /// All that are not named.
    Others,
    /// The one with this label below the origin; `@` is the origin's own.
    Named(String),
}

/// Who may ask in a zone.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ZoneAccess {
    /// What a question needs.
    pub policy: Policy,
    /// Which reverse names clients without a key must have; those in free networks need none.
    pub names: NamesWanted,
    /// What is different for some clients: the narrowest network counts.
    pub networks: Vec<(Network, Permit)>,
    /// What those are told who may not ask.
    pub refusal: Refusal,
    /// The most that is sent to a client that may be a forged one.
    pub limit: Option<Limit>,
}

/// What a question needs. A name at the zone's own level (SOA, NS) is told to everybody.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Policy {
    /// Nothing; a key is taken where there are keys.
    #[default]
    Open,
    /// A key.
    Key,
    /// A key, or that the client's /24 or /56 asks no more than so many questions a second.
    OpenBelow(u32),
}

/// What a network may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Permit {
    /// Ask without a key and without limits.
    Free,
    /// Ask by the zone's policy: an exception within another network.
    ByPolicy,
    /// Not ask.
    Refuse,
    /// Not ask, and get no reply.
    Ignore,
}

/// What those are told who may not ask. It is never a listing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Refusal {
    /// REFUSED, with the reason as an extended error (RFC 8914): no mail is lost, and resolvers ask elsewhere.
    #[default]
    Refused,
    /// 127.255.255.254 to who has no right to ask, 127.255.255.255 to who asks too much, for a minute and with the
    /// reason as TXT. Only for clients that know these codes: others take any answer for a listing.
    Codes,
}

/// Limits of replies over UDP to clients whose address may be forged: those without a valid cookie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    /// So many replies a second to each /24 or /56, and as many at once; at least 1.
    pub per_second: u32,
    /// Beyond that each such reply says "come by TCP", and the rest is dropped; 0: all are dropped, 1: none is.
    pub slip: u8,
}

/// A fault of [`AccessSettings`].
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AccessError {
    /// A zone that there is not.
    #[error("no zone `{0}` is served")]
    UnknownZone(String),
    /// Two rules for one zone.
    #[error("zone `{0}` has two sets of rules")]
    SameZone(String),
    /// Two permits for one network.
    #[error("zone `{zone}`: network {network} has two different permits")]
    SameNetwork {
        /// The zone.
        zone: String,
        /// The network.
        network: Network,
    },
    /// A rate of none.
    #[error("zone `{0}`: a rate of 0 would refuse everybody; use a network that is refused")]
    NoRate(String),
    /// More zones than [`crate::serve::ZONES_MAX`], those from files included.
    #[error("more than {} zones", crate::serve::ZONES_MAX)]
    TooManyZones,
    /// A key that opens a zone that there is not.
    #[error("key `{key}`: no zone `{zone}` is served")]
    UnknownKeyZone {
        /// The key's name.
        key: String,
        /// The zone.
        zone: String,
    },
    /// Two keys of one hash.
    #[error("keys `{0}` and `{1}` are the same")]
    SameKey(String, String),
    /// More keys than [`super::KEYS_MAX`].
    #[error("more than {} keys", super::KEYS_MAX)]
    TooManyKeys,
}
