//! Counting: an attempt that is known to be one passes the filters, the windows, and maybe into the book.

use std::collections::HashMap;

use base::{EventKind, ListId, Listing, Login, PasswordTag, RuleId, Subject, Timestamp};
use listings::Snapshot;

use super::{AddressShard, Engine, LoginShard, Named, Placed, hold};
use crate::accounts::place_of;
use crate::keys::tag_of;
use crate::outage::is_in_pause;
use crate::owners::{Past, Seen};
use crate::plan::{BYSTANDERS, Bar, Counting, Only, REPEATED_WITHIN};
use crate::settings::{Effect, Of, Profile, Trigger};
use crate::{Key, Overflow};

/// Listings that a replay remembers having been made; beyond, those that have ended are forgotten first.
const REPLAYED_MAX: usize = 65_536;

/// Whether time passes or is gone through again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    Live,
    Replay,
}

/// Whose word it is, and so what it counts for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Word {
    /// It happened here.
    Own,
    /// Others reported it, and witnesses enough stand behind them.
    Backed,
    /// Others reported it, too few for a published list.
    Alone,
    /// It has counted as [`Word::Alone`], and has found its witnesses now.
    Late,
}

impl Word {
    /// Whether a rule with this effect listens to it.
    const fn counts_for(self, effect: Effect) -> bool {
        let is_list = matches!(effect, Effect::List { .. });
        match self {
            Self::Own | Self::Backed => true,
            Self::Alone => !is_list,
            Self::Late => is_list,
        }
    }
}

/// Something that counts as one, with its subjects.
#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) trigger: Trigger,
    pub(super) at: Timestamp,
    pub(super) login: Option<Named<'a>>,
    pub(super) address: Option<Placed>,
    pub(super) password: Option<PasswordTag>,
    /// The mail server's name for the connection, or for the message if it is about one.
    pub(super) session: Option<Key>,
    pub(super) word: Word,
    pub(super) mode: Mode,
    /// It is taken for a program that offers a refused password once more: it does not count against its address.
    pub(super) is_repetition: bool,
}

/// What the rules ask about besides the attempt.
struct Scene<'a> {
    snapshot: &'a Snapshot,
    /// Whether somebody logged in from the address lately.
    is_home: bool,
    /// Who logged in from it.
    seen: Seen,
    /// Whether the address answers for what its login sent, and not the login.
    blames_address: bool,
}

/// What a replay must know of the time it goes through.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    /// The latest time that an event had so far: as far as the clock had come.
    clock: Timestamp,
    /// What was listed, until when: the book knows only what is still in force.
    until: HashMap<(RuleId, Key), Timestamp>,
}

/// A rule that overflowed, and on which side.
struct Overflown {
    counting: Counting,
    overflow: Overflow,
    is_login: bool,
}

impl Engine {
    /// Counts one attempt by every rule on it. Returns whether it counted at all.
    pub(super) fn count(&self, now: Timestamp, attempt: &Attempt<'_>) -> bool {
        if attempt.trigger == Trigger::Event(EventKind::LoginFailed) {
            let paused_until = self.paused_until.load(core::sync::atomic::Ordering::Relaxed);
            if is_in_pause(attempt.at, Timestamp::from_millis(paused_until)) {
                self.tallies.paused.one();
                return false;
            }
        }
        let mut overflown = Vec::new();
        if !self.plan.counts(attempt.trigger) || !self.count_in_tables(attempt, &mut overflown) {
            return false;
        }
        if attempt.trigger != Trigger::Blocked && attempt.word != Word::Late && self.counts_for_somebody(attempt) {
            self.tallies.counted.one();
        }
        for overflown in overflown {
            self.enact(now, attempt, &overflown);
        }
        self.besiege(now, attempt);
        true
    }

    /// Whether a rule counts it for its login or its address, and not only for those that are never listed.
    fn counts_for_somebody(&self, attempt: &Attempt<'_>) -> bool {
        let by_login = attempt.login.is_some_and(|login| !login.is_never_listed);
        let by_address = attempt.address.is_some_and(|address| !address.is_proxy && !address.is_never_listed);
        by_login && self.plan.logins.group_of(attempt.trigger).is_some()
            || by_address && self.plan.addresses.group_of(attempt.trigger).is_some()
    }

    /// Filters the attempt and puts it into the windows, under the locks of both its subjects.
    fn count_in_tables(&self, attempt: &Attempt<'_>, overflown: &mut Vec<Overflown>) -> bool {
        let snapshot = self.book.snapshot();
        let mut by_login = attempt.login.map(|login| (login, self.login_shard(login.key)));
        if let Some((login, shard)) = &mut by_login
            && attempt.trigger == Trigger::Event(EventKind::LoginFailed)
            && !self.is_guess(attempt, *login, shard)
        {
            return false;
        }
        let mut by_address = attempt.address.map(|address| (address, self.address_shard(address.key)));
        let seen = by_address.as_ref().map(|(address, shard)| shard.homes.seen(address.key, attempt.at));
        let seen = seen.unwrap_or_default();
        let is_own_home = is_known(attempt, by_login.as_ref().map(|(_, shard)| &**shard));
        let blames_address = self.blames_address(attempt, seen, is_own_home);
        let is_home = seen.is_known || is_own_home;
        let seen = Seen { is_blind: self.is_blind(attempt.at), ..seen };
        let scene = Scene { snapshot: &snapshot, is_home, seen, blames_address };
        if let Some((login, shard)) = &mut by_login {
            self.count_by_login(attempt, *login, shard, &scene, overflown);
        }
        if let Some((address, shard)) = &mut by_address
            && !attempt.is_repetition
        {
            self.count_by_address(attempt, *address, shard, &scene, overflown);
        }
        true
    }

    /// Whether the address is what is to be blocked for what came from it: not if it is one of this server's own, of a proxy
    /// or inside a house, nor if others log in from it too.
    fn blames_address(&self, attempt: &Attempt<'_>, seen: Seen, is_own_home: bool) -> bool {
        let is_strange = |place: Placed| {
            !place.is_proxy && !place.is_never_listed && !self.book.never_list().is_inside(place.address)
        };
        let others = seen.users.saturating_sub(u16::from(is_own_home));
        attempt.address.is_some_and(is_strange) && others < BYSTANDERS
    }

    /// Somebody who is at home could not log in, which is no fault of his; many such pause the counting.
    pub(super) fn owner_failed(&self, at: Timestamp, login: Key) {
        if let Some(until) = hold(&self.outage).owner_failed(at, login) {
            self.paused_until.store(until.as_millis(), core::sync::atomic::Ordering::Relaxed);
        }
    }

    /// Whether a failed login is a guess, and not a device that does not know the new password.
    fn is_guess(&self, attempt: &Attempt<'_>, login: Named<'_>, shard: &mut LoginShard) -> bool {
        let Some(password) = attempt.password else { return true };
        let past = shard.owners.past_of(login.key, password);
        if past == Some(Past::Present) && is_known(attempt, Some(shard)) {
            self.owner_failed(attempt.at, login.key);
        }
        if self.settings.profile == Profile::Text {
            return true;
        }
        if past.is_some() {
            self.tallies.former_password.one();
            return false;
        }
        let Some((group, section)) = self.plan.repeated else { return true };
        let is_new = shard.tables[group].remember_after(login.key, section, attempt.at, [password.0], REPEATED_WITHIN);
        if !is_new {
            self.tallies.repeated_password.one();
        }
        is_new
    }

    fn count_by_login(
        &self,
        attempt: &Attempt<'_>,
        login: Named<'_>,
        shard: &mut LoginShard,
        scene: &Scene<'_>,
        overflown: &mut Vec<Overflown>,
    ) {
        let Some(group) = self.plan.logins.group_of(attempt.trigger) else { return };
        if login.is_never_listed {
            return;
        }
        let block = scene.snapshot.block_of_login(login.text);
        for counting in &self.plan.logins.groups[group].rules {
            let Some(tag) = self.tag_of(attempt, counting) else { continue };
            let is_for_sending = matches!(counting.effect, Effect::BlockSender { .. });
            let is_elsewhere = counting.only == Only::Placeless && attempt.address.is_some();
            // A rule that counts each message once is about the login wherever it is.
            if is_elsewhere || is_for_sending && scene.blames_address && counting.messages.is_none() {
                continue;
            }
            // Whether a login is on another list the book knows, and says so when the rule overflows.
            let is_block = matches!(counting.effect, Effect::Block { .. });
            let is_listed = is_block && block.is_some_and(|block| !block.until.is_over(attempt.at));
            let is_listed = match attempt.mode {
                Mode::Live => is_listed,
                Mode::Replay => {
                    let subject = is_listed.then(|| Login::from(login.name).into());
                    !is_for_sending && self.was_listed(attempt.at, counting, login.key, subject)
                }
            };
            if is_listed || counting.unless_known && scene.is_home {
                continue;
            }
            let table = &mut shard.tables[group];
            if let (Some(section), Some(message)) = (counting.messages, attempt.session)
                && !table.remember_after(login.key, section, attempt.at, [tag_of(message)], counting.within)
            {
                continue;
            }
            let overflow = table.observe(login.key, counting.section, attempt.at, tag);
            overflown.extend(overflow.map(|overflow| Overflown { counting: *counting, overflow, is_login: true }));
        }
    }

    fn count_by_address(
        &self,
        attempt: &Attempt<'_>,
        address: Placed,
        shard: &mut AddressShard,
        scene: &Scene<'_>,
        overflown: &mut Vec<Overflown>,
    ) {
        let Some(group) = self.plan.addresses.group_of(attempt.trigger) else { return };
        if address.is_proxy || address.is_never_listed {
            return;
        }
        let is_blocked = scene.snapshot.lists_of(address.address).contains(ListId::BLOCKED)
            && scene.snapshot.block_of_address(address.address).is_some_and(|b| !b.until.is_over(attempt.at));
        let mut overflow = None;
        for counting in &self.plan.addresses.groups[group].rules {
            if counting.follows {
                overflown.extend(overflow.map(|overflow| Overflown { counting: *counting, overflow, is_login: false }));
                continue;
            }
            overflow = None;
            if !attempt.word.counts_for(counting.effect) {
                continue;
            }
            let Some(tag) = self.tag_of(attempt, counting) else { continue };
            let is_nobodys = counting.only == Only::OfLogins && attempt.login.is_none();
            if is_nobodys || matches!(counting.effect, Effect::BlockSender { .. }) && !scene.blames_address {
                continue;
            }
            // Who is blocked can do nothing that counts; who is on a list goes on, and the list lasts from the last event.
            let is_listed = match (counting.effect, attempt.mode) {
                // Neither is who is blocked for minutes: what he sends may come to a block without end.
                (Effect::List { .. } | Effect::BlockSender { .. }, _) => false,
                (Effect::Block { .. } | Effect::BlockAddresses { .. }, Mode::Live) => is_blocked,
                (Effect::Block { .. } | Effect::BlockAddresses { .. }, Mode::Replay) => {
                    let subject = is_blocked.then(|| address.network.into());
                    self.was_listed(attempt.at, counting, address.key, subject)
                }
            };
            if is_listed {
                continue;
            }
            let good = shard.good_within(address.key, attempt.at, counting);
            overflow = match (counting.bar(scene.seen, scene.is_home, good), counting.shared) {
                (Bar::Spared, _) => None,
                (Bar::Raised(count), Some(section)) => {
                    shard.shared.observe_until(address.key, section, attempt.at, tag, count)
                }
                (Bar::Plain | Bar::Raised(_), _) => {
                    shard.tables[group].observe(address.key, counting.section, attempt.at, tag)
                }
            };
            overflown.extend(overflow.map(|overflow| Overflown { counting: *counting, overflow, is_login: false }));
        }
    }

    /// What the rule tells apart in this attempt; none if the attempt does not say.
    fn tag_of(&self, attempt: &Attempt<'_>, counting: &Counting) -> Option<[u32; 1]> {
        let tag = match counting.of {
            None => 0,
            Some(Of::Address) => tag_of(attempt.address?.key),
            Some(Of::Login) => tag_of(attempt.login?.key),
            Some(Of::Guess) => self.keys.guess(attempt.login?.key, attempt.password),
            Some(Of::Message) => tag_of(attempt.session?),
            Some(Of::Place) => tag_of(self.keys.network(place_of(attempt.address?.address))),
        };
        Some([tag])
    }

    /// Whether the subject was on the rule's list when a replayed event happened: because the replay itself came to
    /// that, or because it still is (then the subject is given) and was then. What an event caused began with it.
    fn was_listed(&self, at: Timestamp, counting: &Counting, key: Key, subject: Option<Subject>) -> bool {
        if hold(&self.replayed).until.get(&(counting.rule, key)).is_some_and(|until| at < *until) {
            return true;
        }
        let list = counting.effect.list();
        let covers = |listing: &Listing| listing.list == list && listing.since < at && !listing.until.is_over(at);
        subject.is_some_and(|subject| self.book.about(&subject).iter().any(covers))
    }

    /// Makes the listing that an overflow asks for, or has the reverse name asked for on which it depends, and counts the
    /// block that it may be.
    fn enact(&self, now: Timestamp, attempt: &Attempt<'_>, overflown: &Overflown) {
        let Overflown { counting, overflow, is_login } = overflown;
        let (key, subject) = match (is_login, attempt.login, attempt.address) {
            (true, Some(login), _) => (login.key, Login::from(login.name).into()),
            (false, _, Some(address)) if counting.reverse.is_some() => {
                // What is gone through again was listed then, or taken off since: who goes on is listed by what he does next.
                if attempt.mode == Mode::Live {
                    self.want_name(now, address.address, counting, overflow);
                }
                return;
            }
            (false, _, Some(address)) => (address.key, address.network.into()),
            (true, None, _) | (false, _, None) => return,
        };
        let is_made = match attempt.mode {
            Mode::Live => self.list(now, counting, overflow, &subject),
            Mode::Replay => {
                hold(&self.replayed).note(counting, key, overflow.last);
                true
            }
        };
        let is_block = matches!(counting.effect, Effect::Block { .. });
        if is_made && is_block && !is_login && attempt.trigger != Trigger::Blocked {
            self.count(now, &Attempt { trigger: Trigger::Blocked, at: overflow.last, ..*attempt });
        }
    }
}

impl Replayed {
    /// The clock when an event of this time was observed.
    pub(super) fn clock(&mut self, at: Timestamp) -> Timestamp {
        self.clock = self.clock.max(at);
        self.clock
    }

    fn note(&mut self, counting: &Counting, key: Key, last: Timestamp) {
        if self.until.len() >= REPLAYED_MAX {
            self.until.retain(|_, until| last < *until);
        }
        if self.until.len() < REPLAYED_MAX {
            self.until.insert((counting.rule, key), last.plus(counting.effect.span()));
        }
    }
}

/// Whether the address is one from which the login's owner logged in lately.
fn is_known(attempt: &Attempt<'_>, shard: Option<&LoginShard>) -> bool {
    let (Some(login), Some(address), Some(shard)) = (attempt.login, attempt.address, shard) else { return false };
    shard.owners.known(login.key, address.network, attempt.at).is_some()
}
