//! Locks of stolen accounts: blocks of logins that no rule of the configuration counts up to, see [`crate::accounts`].

use base::{Evidence, ListId, Login, Maker, RuleId, Subject, Timestamp, Until};
use listings::{Block, Refusal, Wish};

use super::Engine;
use crate::settings::{By, Effect, Rule};

/// What a stolen account may do no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lock {
    /// Anything: no password opens it.
    Login,
    /// Send.
    Sending,
}

impl Lock {
    /// Both, with the names that stand where those of rules do; their ids follow those of the configured rules, in this order.
    pub const NAMES: [(&'static str, Self); 2] =
        [("stolen-account", Self::Login), ("stolen-account-sending", Self::Sending)];

    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Login => Self::NAMES[0].0,
            Self::Sending => Self::NAMES[1].0,
        }
    }
}

/// The services at which mail is sent, as mail servers call them.
const SENDING: [&str; 4] = ["submission", "submissions", "smtp", "smtps"];

impl Engine {
    /// Locks a login until a person lifts it. False if it is locked so already, or never listed.
    pub fn lock(&self, now: Timestamp, login: &Login, lock: Lock) -> bool {
        let subject = Subject::Login(login.clone());
        let evidence = Evidence { count: 0, distinct: 0, first: now, last: now };
        let maker = Maker::Rule(self.rule_of(lock));
        let wish = || Wish {
            subject: subject.clone(),
            list: ListId::BLOCKED,
            until: Until::Never,
            maker: maker.clone(),
            evidence,
        };
        let is_locked = match self.book.list(now, wish()) {
            Ok(_serial) => true,
            // A block of minutes stands in its place, or a milder lock.
            Err(Refusal::AlreadyListed(_)) => {
                self.book.renew(now, wish()).is_ok() || lock == Lock::Login && self.harden(now, &subject, wish())
            }
            Err(_) => false,
        };
        if is_locked {
            self.tallies.listings_made.one();
        }
        is_locked
    }

    /// Puts the harder lock in the place of the milder one.
    fn harden(&self, now: Timestamp, subject: &Subject, wish: Wish) -> bool {
        let milder = Maker::Rule(self.rule_of(Lock::Sending));
        let is_milder = self.book.about(subject).iter().any(|listing| listing.maker == milder);
        if !is_milder {
            return false;
        }
        self.book.unlist(now, subject, Some(ListId::BLOCKED), Lock::Login.name());
        self.book.list(now, wish).is_ok()
    }

    /// The id that stands for the lock where listings name their rule.
    pub fn rule_of(&self, lock: Lock) -> RuleId {
        let place = Lock::NAMES.iter().position(|(_, other)| *other == lock).unwrap_or_default();
        RuleId((self.settings.rules.len() + place) as u16)
    }

    /// The lock that the block is, if it is one.
    fn lock_of(&self, block: &Block) -> Option<Lock> {
        let place = usize::from(block.rule?.0).checked_sub(self.settings.rules.len())?;
        Lock::NAMES.get(place).map(|(_, lock)| *lock)
    }

    /// Whether a block of a login was made for what it sent, so that it holds wherever its owner is, and at this service.
    pub(super) fn is_for_sending(&self, block: &Block, service: &str) -> bool {
        match self.lock_of(block) {
            Some(Lock::Login) => true,
            Some(Lock::Sending) => SENDING.contains(&service),
            None => match self.rule_that_made(block) {
                Some(Rule { by: By::SenderLogin, .. }) => SENDING.contains(&service),
                rule => rule.is_some_and(|rule| matches!(rule.effect, Effect::BlockSender { .. })),
            },
        }
    }

    fn rule_that_made(&self, block: &Block) -> Option<&Rule> {
        self.settings.rules.get(usize::from(block.rule?.0))
    }

    /// Whether the block lets pass whoever does something else at this service.
    pub(super) fn is_elsewhere(&self, block: &Block, service: &str) -> bool {
        let is_of_rule = self.rule_that_made(block).is_some_and(|rule| rule.by == By::SenderLogin);
        (is_of_rule || self.lock_of(block) == Some(Lock::Sending)) && !SENDING.contains(&service)
    }
}
