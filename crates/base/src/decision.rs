use core::time::Duration;

use crate::{ListId, RuleId, Timestamp};

/// The answer to a question, with its reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decision {
    /// What the mail server shall do.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
}

/// What the mail server shall do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Go on as if Ratter were not there.
    Pass,
    /// Hold the client so long, then go on to the next question.
    Tarpit(Duration),
    /// Refuse, without telling the client more than a wrong password would.
    Refuse,
    /// Refuse for now; the client shall try again.
    Defer,
}

/// Why a decision is as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// Nothing is known against the subject.
    Unlisted,
    /// The address or login is on the never-list.
    NeverListed,
    /// The login is blocked, but its owner has logged in from this address lately.
    KnownAddress,
    /// The address is blocked.
    AddressListed {
        /// The list it is on.
        list: ListId,
        /// The rule that made the listing; none if a person did.
        rule: Option<RuleId>,
        /// When the listing ends; none if it does not by itself.
        until: Option<Timestamp>,
    },
    /// The login is blocked.
    LoginListed {
        /// The list it is on.
        list: ListId,
        /// The rule that made the listing; none if a person did.
        rule: Option<RuleId>,
        /// When the listing ends; none if it does not by itself.
        until: Option<Timestamp>,
    },
    /// A person or a program wants this login from this address, this address or this login let through or refused,
    /// whatever was counted.
    Excepted,
    /// Something of ours failed or was too slow, and this is what the admin wants then.
    Unanswered,
    /// Other people's lists have the address.
    ListedElsewhere {
        /// What their codes weigh together.
        weight: u32,
    },
    /// The client would be held, but as many are held already as the mail server can bear.
    TarpitsFull,
}

impl Decision {
    /// Go on: nothing is known against the subject.
    pub const PASS: Self = Self { verdict: Verdict::Pass, reason: Reason::Unlisted };
}
