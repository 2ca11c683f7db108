//! A limit as it is configured.

use base::Network;

use super::Bucket;

/// Most limits that one node can have: each transaction remembers its subject in every one.
pub const LIMITS_MAX: usize = 8;

/// Most buckets of one limit.
pub const BUCKETS_MAX: usize = 8;

/// A limit by its place in the configuration.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LimitId(pub u8);

/// How much a subject may send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limit {
    /// Its name, which explanations and metrics show.
    pub name: Box<str>,
    /// Whose buckets they are.
    pub by: By,
    /// What a message costs.
    pub cost: Cost,
    /// How it is counted.
    pub mode: LimitMode,
    /// A message must fit into all of them; at least one, at most [`BUCKETS_MAX`].
    pub buckets: Box<[Bucket]>,
    /// What happens to what does not fit.
    pub effect: LimitEffect,
    /// Logins, in canonical form, that the limit is not about.
    pub except_logins: Box<[Box<str>]>,
    /// Networks that the limit is not about.
    pub except_networks: Box<[Network]>,
}

/// What a subject is made of: one part, or two together. A message that lacks a part is not limited by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct By {
    /// The first part.
    pub first: Part,
    /// The second, if the pair of both is counted.
    pub second: Option<Part>,
}

/// A part of a subject.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Part {
    /// The authenticated login.
    Login,
    /// The client's address, for IPv6 its /64.
    Address,
    /// The client's network: the /24 of an IPv4 address, the /48 of an IPv6 address.
    Network,
    /// The domain of the envelope sender, which a client may choose freely.
    SenderDomain,
}

impl Part {
    /// The parts with their names in configuration and output.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("login", Self::Login),
        ("address", Self::Address),
        ("network", Self::Network),
        ("sender-domain", Self::SenderDomain),
    ];
}

/// What a message costs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Cost {
    /// One for each recipient.
    Recipient,
    /// One, whatever the number of recipients.
    Message,
}

impl Cost {
    /// The costs with their names in configuration.
    pub const NAMES: [(&'static str, Self); 2] = [("recipient", Self::Recipient), ("message", Self::Message)];
}

/// How a limit is counted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LimitMode {
    /// Exactly: never more than burst + rate * time.
    Strict,
    /// As rspamd 4.1.5 does, with its holes.
    Rspamd,
    /// As rspamd 3.4 does, which has more of them.
    Rspamd34,
}

impl LimitMode {
    /// The modes with their names in configuration and output.
    pub const NAMES: [(&'static str, Self); 3] =
        [("strict", Self::Strict), ("rspamd", Self::Rspamd), ("rspamd-3.4", Self::Rspamd34)];
}

/// What happens to what does not fit, the mildest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LimitEffect {
    /// It passes, and is noted.
    Note,
    /// It is taken and kept back until somebody looks at it.
    Hold,
    /// It is refused for now.
    Defer,
    /// It is refused.
    Refuse,
}

impl LimitEffect {
    /// The effects with their names in configuration and output.
    pub const NAMES: [(&'static str, Self); 4] =
        [("defer", Self::Defer), ("hold", Self::Hold), ("refuse", Self::Refuse), ("note", Self::Note)];

    /// The name in configuration and output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Hold => "hold",
            Self::Defer => "defer",
            Self::Refuse => "refuse",
        }
    }
}
