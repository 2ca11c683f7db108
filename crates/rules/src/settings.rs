//! What the configuration says about rules, as the engine takes it.

use core::time::Duration;

use base::{Address, EventKind, ListId, Network};

use crate::reporters::Voice;

/// Everything the engine is told at its start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The rules; a rule's place is its [`base::RuleId`].
    pub rules: Vec<Rule>,
    /// How passwords that are tried again count.
    pub profile: Profile,
    /// How long an address from which the owner of a login logged in is let in although the login is blocked; none
    /// lets nobody in. Rules that spare known addresses take 30 days then.
    pub known_for: Option<Duration>,
    /// Addresses that log in for others, such as a webmail: they are never counted by address, and never known.
    pub proxies: Vec<Network>,
    /// How many clients may be held at once, lest they take all connections of the mail server.
    pub tarpits_max: usize,
    /// How many of them from one party.
    pub tarpits_per_address_max: usize,
    /// How often the reverse name on which a listing rests is asked again.
    pub recheck_every: Duration,
    /// Who may report; what others say counts for nothing.
    pub reporters: Vec<Voice>,
    /// Networks in which nobody lives and from which nothing ever comes: whoever reports one of them makes it up.
    pub canaries: Vec<Network>,
    /// How many subjects each table tracks, addresses and logins apart.
    pub subjects_max: usize,
}

/// No rules, and the limits as they are shipped.
impl Default for Settings {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            profile: Profile::Smart,
            known_for: Some(crate::owners::KNOWN_FOR),
            proxies: Vec::new(),
            tarpits_max: 50,
            tarpits_per_address_max: 5,
            recheck_every: Duration::from_hours(4),
            reporters: Vec::new(),
            canaries: Vec::new(),
            subjects_max: 1_000_000,
        }
    }
}

/// How passwords that are tried again count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Profile {
    /// The same wrong password counts once in ten minutes, and one of the last two right ones never: a phone that does
    /// not know the new password is no guesser.
    Smart,
    /// Every attempt counts.
    Text,
}

/// A rule: counts events by subject in a window, and makes a listing when it overflows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Its name in configuration and output.
    pub name: Box<str>,
    /// What it counts.
    pub on: Trigger,
    /// By whom it counts.
    pub by: By,
    /// How many overflow it; at least 1.
    pub count: u16,
    /// The window.
    pub within: Duration,
    /// Among how many different ones, if that matters.
    pub distinct: Option<Distinct>,
    /// Whether addresses are spared from which anybody logged in lately. A block spares them all; a listing spares those
    /// of a crowd, and wants more of one from which only a few did: an account of his own must not shelter a guesser.
    pub unless_known: bool,
    /// How many more events are let pass for each good thing that the address did within the window: a login or a
    /// message that succeeded.
    pub per_good: u16,
    /// The reverse name that the address must have, if that matters. The listing is made when it is known.
    pub reverse: Option<ReverseName>,
    /// What happens then.
    pub effect: Effect,
}

/// What a rule counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trigger {
    /// Events of a kind.
    Event(EventKind),
    /// Blocks of addresses that other rules made.
    Blocked,
    /// Addresses that rules put on lists.
    Listed,
}

impl Trigger {
    /// How many there are.
    pub(crate) const COUNT: usize = EventKind::ALL.len() + 2;

    /// Its number, below [`Trigger::COUNT`].
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Event(kind) => kind as usize,
            Self::Blocked => Self::COUNT - 2,
            Self::Listed => Self::COUNT - 1,
        }
    }
}

/// By whom a rule counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// By the party that an address belongs to: itself for IPv4, its /64 for IPv6.
    Address,
    /// By login.
    Login,
    /// All attempts together for which the mail server names no login. Goes with [`Effect::BlockAddresses`].
    NoLogin,
    /// That of the login of attempts whose address nobody told.
    LoginOnly,
    /// By whoever is to be blocked for what somebody sent who had logged in: the address, or the login where the address is one
    /// of this server's own, or others log in from it too. Goes with [`Effect::BlockSender`].
    Sender,
    /// The same, and the address of mail for which nobody had logged in: that of another server, whose users it speaks for.
    AnySender,
    /// By the login that sent, whatever addresses it comes from, and each message once. Goes with [`Effect::BlockSender`], which
    /// then stops its sending alone.
    SenderLogin,
    /// By the network around an address: a /24 of IPv4, or a /56 or /48 of IPv6, each of which holds one family only. Of
    /// [`Trigger::Listed`] it goes with [`Effect::List`], of failed logins with [`Effect::BlockAddresses`].
    Network(Width),
    /// By the autonomous system that an address belongs to. Goes with [`Effect::BlockAddresses`].
    System,
    /// By the password that was tried, whatever the login. Goes with [`Effect::BlockAddresses`].
    Password,
}

impl By {
    /// Whether it blocks whoever sent.
    #[must_use]
    pub const fn is_sender(self) -> bool {
        matches!(self, Self::Sender | Self::AnySender | Self::SenderLogin)
    }

    /// Whether failed logins are counted by it to block whoever fails next where many strangers did.
    #[must_use]
    pub const fn is_suspect(self) -> bool {
        matches!(self, Self::Network(_) | Self::System | Self::Password)
    }
}

/// How wide a network is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Width {
    /// A /24 of IPv4.
    V4Bits24,
    /// A /56 of IPv6, as many providers give one customer.
    V6Bits56,
    /// A /48 of IPv6, a whole site.
    V6Bits48,
}

impl Width {
    /// The network of that width around an address; none if the address is of the other family.
    pub fn around(self, address: Address) -> Option<Network> {
        let length = match (self, address.ip().is_ipv4()) {
            (Self::V4Bits24, true) => 24,
            (Self::V6Bits56, false) => 56,
            (Self::V6Bits48, false) => 48,
            (Self::V4Bits24, false) | (Self::V6Bits56 | Self::V6Bits48, true) => return None,
        };
        Some(Network::containing(address, length))
    }
}

/// What the reverse name of an address says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReverseName {
    /// It is one that an access network makes for whoever holds the address just now.
    Dynamic,
    /// There is none, as was proved.
    Missing,
    /// There is another one.
    Proper,
}

/// A condition on different ones among the events counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Distinct {
    /// Different what.
    pub of: Of,
    /// How many at least.
    pub at_least: u16,
}

/// What is told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Of {
    /// Parties, as in [`By::Address`].
    Address,
    /// Logins.
    Login,
    /// Logins with the password that was tried, as far as it is known.
    Guess,
    /// Messages, as far as the mail server names them.
    Message,
    /// Places, as accounts have them: about what one provider has in one region.
    Place,
}

/// What a rule does when it overflows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Refuses the subject here for so long from the last event counted. The end is never moved.
    Block {
        /// How long.
        span: Duration,
        /// How the subject is refused.
        then: Then,
    },
    /// Refuses each address that counted, for so long from its own last attempt, and from then on every further one at its
    /// first: of a login that is tried the count is of different addresses, and only of those from whose network nobody logged
    /// in lately. Each has [`PROBATION`](crate::PROBATION) to log in after all, and longer if he fails only once.
    BlockAddresses {
        /// How long.
        span: Duration,
    },
    /// Refuses whoever sent, the owner of the login too: it is his password that was stolen. For so long from the last
    /// event, or until a person lifts it.
    BlockSender {
        /// How long; none without end.
        span: Option<Duration>,
    },
    /// Puts the subject on a list for so long.
    List {
        /// The list.
        list: ListId,
        /// How long.
        span: Duration,
    },
}

impl Effect {
    /// The list that the subject goes on.
    pub const fn list(self) -> ListId {
        match self {
            Self::Block { .. } | Self::BlockAddresses { .. } | Self::BlockSender { .. } => ListId::BLOCKED,
            Self::List { list, .. } => list,
        }
    }

    /// For how long; without end it is longer than anything.
    pub const fn span(self) -> Duration {
        match self {
            Self::BlockSender { span: None } => Duration::MAX,
            Self::BlockSender { span: Some(span) }
            | Self::Block { span, .. }
            | Self::BlockAddresses { span }
            | Self::List { span, .. } => span,
        }
    }
}

/// How a blocked subject is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Then {
    /// At once.
    Refuse,
    /// Held for so long before the password is checked, then refused even if it is right.
    Tarpit(Duration),
}
