//! Questions: what is in force against an address and a login.

use core::time::Duration;

use base::{Address, CanonicalLogin, Decision, ListId, Reason, Timestamp, Verdict};
use listings::Block;

use super::{Engine, hold};
use crate::door::{Question, Stage};
use crate::settings::{Effect, Then};

/// What is never listed may pass.
const NEVER_LISTED: Decision = Decision { verdict: Verdict::Pass, reason: Reason::NeverListed };

impl Engine {
    /// Whether a client may go on. Takes no lock and allocates nothing unless something is in force against it.
    ///
    /// An address that is never listed may pass. A blocked address is refused, even if the owner sits there, and whatever
    /// the login: one that is never listed is itself never blocked, but no shelter for those who guess its password. A
    /// blocked login is refused, except from the addresses its owner is known by; one that was blocked for what it sent is
    /// refused everywhere.
    pub fn ask(&self, now: Timestamp, question: &Question<'_>) -> Decision {
        let Question { address, stage, service, .. } = *question;
        let login = question.login.and_then(CanonicalLogin::new);
        let login = login.as_ref().map(CanonicalLogin::as_str);
        let snapshot = self.book.snapshot();
        let in_force = |block: &Block| !block.until.is_over(now);
        let block_of_login = login.and_then(|login| snapshot.block_of_login(login)).filter(in_force);
        let block_of_login = block_of_login.filter(|block| !self.is_elsewhere(block, service));
        let login_listed = |block: &Block| Reason::LoginListed {
            list: ListId::BLOCKED,
            rule: block.rule,
            until: block.until.moment(),
        };
        // Its password was stolen: it may not come in from anywhere, this server's webmail and its owner's house included.
        if let Some(block) = block_of_login.filter(|block| self.is_for_sending(block, service)) {
            return self.refuse(now, address, stage, &block, login_listed(&block));
        }
        if address.is_some_and(|address| self.book.never_list().covers_address(address)) {
            return NEVER_LISTED;
        }
        if let Some(block) = address.and_then(|address| snapshot.block_of_address(address)).filter(in_force) {
            let reason = Reason::AddressListed { list: ListId::BLOCKED, rule: block.rule, until: block.until.moment() };
            return self.refuse(now, address, stage, &block, reason);
        }
        let (Some(login), Some(block)) = (login, block_of_login) else { return Decision::PASS };
        if stage == Stage::Nowhere && block.rule.is_some() {
            return Decision::PASS;
        }
        if self.is_owner(now, address, login) {
            return Decision { verdict: Verdict::Pass, reason: Reason::KnownAddress };
        }
        self.refuse(now, address, stage, &block, login_listed(&block))
    }

    /// Whether the login's owner is known by this address.
    pub fn knows(&self, now: Timestamp, address: Address, login: &str) -> bool {
        CanonicalLogin::new(login).is_some_and(|login| self.is_owner(now, Some(address), login.as_str()))
    }

    /// The mail server could not check the password of that login: where its owner is at home, that is one sign more of an
    /// outage. It counts against nobody.
    pub fn database_failed(&self, now: Timestamp, address: Option<Address>, login: Option<&str>) {
        let Some(login) = login.and_then(CanonicalLogin::new) else { return };
        if self.is_owner(now, address, login.as_str()) {
            self.owner_failed(now, self.keys.login(login.as_str()));
        }
    }

    /// Whether one more client from this address may be held so long; then it counts as held.
    pub fn may_hold(&self, now: Timestamp, address: Address, span: Duration) -> bool {
        hold(&self.tarpits).enter(now, Some(self.keys.network(address.aggregate())), span)
    }

    /// Whether the address is one that lets the login's owner in.
    fn is_owner(&self, now: Timestamp, address: Option<Address>, login: &str) -> bool {
        let (Some(_), Some(address)) = (self.settings.known_for, address) else { return false };
        let login = self.keys.login(login);
        self.login_shard(login).owners.known(login, address.aggregate(), now).is_some()
    }

    /// Refuses, after a while if the rule wants that, there is time, and not too many are held already.
    fn refuse(
        &self,
        now: Timestamp,
        address: Option<Address>,
        stage: Stage,
        block: &Block,
        reason: Reason,
    ) -> Decision {
        let refusal = Decision { verdict: Verdict::Refuse, reason };
        match (stage, self.tarpit_of(block)) {
            (Stage::Connect | Stage::After | Stage::Nowhere, _) | (_, None) => refusal,
            (Stage::Before, Some(span)) => {
                let address = address.map(|address| self.keys.network(address.aggregate()));
                if hold(&self.tarpits).enter(now, address, span) {
                    return Decision { verdict: Verdict::Tarpit(span), reason };
                }
                self.tallies.tarpits_full.one();
                Decision { reason: Reason::TarpitsFull, ..refusal }
            }
        }
    }

    /// How long the rule that made the block wants clients held. A person's block has no rule, and neither has one by
    /// a rule that is gone from the configuration.
    fn tarpit_of(&self, block: &Block) -> Option<Duration> {
        let rule = self.settings.rules.get(usize::from(block.rule?.0))?;
        match rule.effect {
            Effect::Block { then: Then::Tarpit(span), .. } => Some(span),
            Effect::Block { then: Then::Refuse, .. }
            | Effect::BlockAddresses { .. }
            | Effect::BlockSender { .. }
            | Effect::List { .. } => None,
        }
    }
}
