//! What the gates of mail servers are told to do, and what they ask of the node: the same for all of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use base::{Address, Decision, ListSet, Reason, Timestamp, Verdict};
use rules::limits::{LimitEffect, Outcome, Sending, SendingDoor};
use rules::{Door, Question, Stage};

use crate::lists::Lists;
use crate::outgoing::Messages;

/// What happens to a client that is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// It is refused, and may go on talking.
    Reject,
    /// It is refused, and the connection ends.
    Drop,
    /// It is refused for now: a mail server tries again later.
    Defer,
}

impl Refusal {
    /// The refusals with their names in configuration.
    pub const NAMES: [(&'static str, Self); 3] =
        [("reject", Self::Reject), ("drop", Self::Drop), ("defer", Self::Defer)];
}

/// What the admin wants of a gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// What happens to those that are blocked, or on a list of [`Settings::refuse_lists`].
    pub refusal: Refusal,
    /// Lists whose addresses are refused like blocked ones, unless they have logged in.
    pub refuse_lists: ListSet,
    /// Lists that are named in a header of the message, unless the client has logged in.
    pub mark_lists: ListSet,
}

/// Everything that a gate asks.
#[derive(Clone)]
pub struct Node {
    /// Whether a client may go on.
    pub door: Arc<dyn Door>,
    /// How much may be sent.
    pub sending: Arc<dyn SendingDoor>,
    /// Who is on which list.
    pub lists: Arc<dyn Lists>,
    /// Messages that the policy gate and the milter see, where both are there.
    pub messages: Option<Arc<Messages>>,
    /// The names of all lists by their number.
    pub names: Arc<[String]>,
    /// Whether the mail server's log is read: it tells of recipients that are refused, and each shall count once.
    pub reads_log: bool,
}

/// Why a client is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cause {
    /// Its address is blocked, or on a list whose addresses are refused.
    Address,
    /// Other people's lists speak against its address.
    Elsewhere,
    /// The login is blocked.
    Login,
    /// The login may not be used from this address.
    Pair,
    /// It shall try again later.
    ForNow,
}

impl Cause {
    /// The words that the client is told; nothing in them is the client's.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Address => "Your address is blocked here",
            Self::Elsewhere => "Your address is on public blocklists that are asked here",
            Self::Pair => "This account may not be used from your address",
            Self::Login => "This account may not send at the moment",
            Self::ForNow => "Try again later",
        }
    }
}

/// What the client is told whose message exceeds a limit.
const OVER_LIMIT: &str = "Sending limit reached, try again later";

/// Why a message does not simply pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Beyond {
    /// What is done with it.
    pub(crate) effect: LimitEffect,
    /// The words that the client is told; nothing in them is the client's.
    pub(crate) text: &'static str,
}

/// Something of ours panicked; whoever asked is let through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Panicked;

impl Node {
    /// Why the client is refused; none if it may go on. At [`Stage::Connect`] lists say nothing: people log in from addresses
    /// that are on them.
    pub(crate) fn refused(
        &self,
        now: Timestamp,
        settings: &Settings,
        stage: Stage,
        address: Option<Address>,
        login: Option<&str>,
    ) -> Result<Option<Cause>, Panicked> {
        guarded(|| {
            let service = if login.is_some() { "submission" } else { "smtp" };
            // Nobody is held here: a mail server that waits serves nobody else meanwhile.
            let stage = if address.is_some() { stage } else { Stage::Nowhere };
            let question = Question { address, login, stage, service };
            let Decision { verdict, reason } = self.door.ask(now, &question);
            match verdict {
                Verdict::Refuse if matches!(reason, Reason::LoginListed { .. }) => return Some(Cause::Login),
                Verdict::Refuse if reason == Reason::Excepted && login.is_some() => return Some(Cause::Pair),
                Verdict::Refuse if matches!(reason, Reason::ListedElsewhere { .. }) => return Some(Cause::Elsewhere),
                Verdict::Refuse => return Some(Cause::Address),
                Verdict::Defer => return Some(Cause::ForNow),
                Verdict::Pass | Verdict::Tarpit(_) => {}
            }
            let lists = if stage == Stage::Connect { ListSet::EMPTY } else { settings.refuse_lists };
            let on_lists = self.lists_of(lists, address, login);
            (!on_lists.is_empty()).then_some(Cause::Address)
        })
    }

    /// On which of the lists the address is; none for those who have logged in, because people send from dynamic
    /// addresses.
    pub(crate) fn lists_of(&self, lists: ListSet, address: Option<Address>, login: Option<&str>) -> ListSet {
        match address {
            Some(address) if login.is_none() && !lists.is_empty() => self.lists.lists_of(address).intersection(lists),
            _ => ListSet::EMPTY,
        }
    }

    /// The names of lists, separated by commas.
    pub(crate) fn names_of(&self, lists: ListSet) -> String {
        let names = lists.iter().filter_map(|list| self.names.get(list.index()));
        names.map(String::as_str).collect::<Vec<_>>().join(",")
    }

    /// Asks for room for the recipients of a message on its way; what is done with those for whom there is none.
    pub(crate) fn reserve(&self, sending: &Sending<'_>) -> Result<Option<Beyond>, Panicked> {
        guarded(|| beyond(self.sending.reserve(sending)))
    }

    /// The same for all recipients of a message, of whom some may have room already.
    pub(crate) fn reserve_all(&self, sending: &Sending<'_>) -> Result<Option<Beyond>, Panicked> {
        guarded(|| beyond(self.sending.reserve_all(sending)))
    }

    /// The message is at its end; what is done with it if it is too much.
    pub(crate) fn settle(&self, sending: &Sending<'_>) -> Result<Option<Beyond>, Panicked> {
        guarded(|| beyond(self.sending.settle(sending)))
    }

    /// The message is given up.
    pub(crate) fn release(&self, session: &str, instance: &str) -> Result<(), Panicked> {
        guarded(|| self.sending.release(session, instance))
    }
}

/// What is done with what does not simply pass; what is only noted does.
const fn beyond(outcome: Outcome) -> Option<Beyond> {
    match outcome {
        Outcome::Pass | Outcome::Noted(_) => None,
        Outcome::Over(exceeded) => Some(Beyond { effect: exceeded.effect, text: OVER_LIMIT }),
        Outcome::Strange(effect) => Some(Beyond { effect, text: strange(effect) }),
    }
}

/// What the client is told whose account shows signs that somebody else uses it.
const fn strange(effect: LimitEffect) -> &'static str {
    match effect {
        LimitEffect::Note | LimitEffect::Defer => "Sending is slow for this account, try again later",
        LimitEffect::Hold => "The account shows signs of being stolen",
        LimitEffect::Refuse => Cause::Login.text(),
    }
}

/// A call of the node. If it panics the client is let through: a fault of ours never refuses.
pub(crate) fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|_| Panicked)
}
