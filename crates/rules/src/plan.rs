//! The rules sorted for counting: by whom they count and on what, each with its section in the table of its group.

use core::time::Duration;

use base::{EventKind, RuleId};

use crate::Shape;
use crate::owners::{HOUSEMATES_MAX, Seen};
use crate::settings::{By, Effect, Of, Profile, ReverseName, Rule, Settings, Trigger, Width};

/// An address from which several people log in fails more often. Its threshold for a block is higher by two for each
/// login that succeeded there within the last hour, up to this; and by two at least if anybody did for as long as an
/// address is known.
pub const SHARED_COUNT_MAX: u16 = 50;
/// Highest threshold for a list that is counted to. Rules that want more of an address because of who uses it do not list
/// it at all.
pub const SHELTERED_COUNT_MAX: u16 = 512;
/// An address from which so many logins succeeded within the time that an address is known for is that of a crowd: a
/// carrier's, an office's, a webmail's. Rules that spare known addresses never list it.
pub const CROWD: u16 = 4;
/// Below that, such a rule wants so many times more for each of them.
const PER_USER: u16 = 3;
/// An address from which so many other logins succeeded within the time that an address is known for is not blocked for
/// what one of them sent: it is a webmail's, an office's or a carrier's, and the login is what is blocked.
pub const BYSTANDERS: u16 = 2;
/// Good things of an address that are told apart; whoever does so many within a rule's window is not listed by it.
pub const GOOD_MAX: u16 = 32;
/// The same wrong password counts once in this time.
pub const REPEATED_WITHIN: Duration = Duration::from_mins(10);
/// Wrong passwords of one login that are remembered for that.
pub const REPEATED_MAX: u16 = 8;

/// One rule, ready for counting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counting {
    pub(crate) rule: RuleId,
    /// Its section in the table of its group.
    pub(crate) section: usize,
    /// It shares that with the rule before it, which counts the same: they overflow together.
    pub(crate) follows: bool,
    /// Its section in the table of addresses with a raised threshold, if it can be raised.
    pub(crate) shared: Option<usize>,
    pub(crate) count: u16,
    pub(crate) within: Duration,
    pub(crate) of: Option<Of>,
    pub(crate) distinct: u16,
    /// How many different ones where the threshold is raised.
    pub(crate) raised_distinct: u16,
    pub(crate) unless_known: bool,
    pub(crate) on: Trigger,
    /// Which attempts it counts only, by what is known of them.
    pub(crate) only: Only,
    pub(crate) per_good: u16,
    /// The section in which it remembers messages, if it counts each once.
    pub(crate) messages: Option<usize>,
    pub(crate) reverse: Option<ReverseName>,
    pub(crate) effect: Effect,
}

/// Which attempts a rule counts only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Only {
    /// No others than all.
    All,
    /// Those from an unknown address.
    Placeless,
    /// What somebody did who had logged in.
    OfLogins,
}

/// A rule that blocks addresses by what else happens to the login they try.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Siege {
    pub(crate) counting: Counting,
    /// Whether it is about attempts that name no login, all together.
    pub(crate) is_nameless: bool,
}

/// A rule that blocks addresses by what else their failures have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Suspicion {
    pub(crate) counting: Counting,
    pub(crate) whom: Suspect,
}

/// What failures have in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Suspect {
    /// The network around their addresses.
    Network(Width),
    /// The autonomous system of their addresses.
    System,
    /// The password.
    Password,
}

impl Siege {
    /// The memory of the addresses that tried a login.
    pub(crate) const fn shape(&self) -> Shape {
        Shape { count: 0, distinct: self.counting.count, span: self.counting.within }
    }
}

/// What a rule wants of an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Bar {
    /// As many as it says.
    Plain,
    /// So many, because honest people use the address.
    Raised(u16),
    /// It is not counted.
    Spared,
}

impl Counting {
    /// What it wants of an address with these users, which did so much good within the window.
    pub(crate) fn bar(&self, seen: Seen, is_home: bool, good: u16) -> Bar {
        let count = match self.effect {
            Effect::Block { .. } if self.unless_known && is_home => return Bar::Spared,
            // Somebody is at home there, though he may not have logged in within the last hour.
            Effect::Block { .. } | Effect::BlockAddresses { .. } => {
                raised(self.count, seen.housemates.max(u16::from(is_home)))
            }
            Effect::BlockSender { .. } => return Bar::Plain,
            Effect::List { .. } => {
                // Where nobody tells of logins that succeed, an office cannot be told from a guesser.
                let is_guessing = matches!(self.on, Trigger::Event(EventKind::LoginFailed) | Trigger::Blocked);
                let few = if seen.is_blind && is_guessing { CROWD - 1 } else { 0 };
                let users = if self.unless_known { seen.users.max(u16::from(is_home)).max(few) } else { 0 };
                if users >= CROWD || self.per_good > 0 && good >= GOOD_MAX {
                    return Bar::Spared;
                }
                let more = good.saturating_mul(self.per_good);
                self.count.saturating_mul(1 + PER_USER * users).saturating_add(more)
            }
        };
        match self.shared {
            _ if count == self.count => Bar::Plain,
            Some(_) => Bar::Raised(count),
            // It wants more than is kept for raised thresholds: the honest are let through.
            None => match self.effect {
                Effect::Block { .. } | Effect::BlockAddresses { .. } | Effect::BlockSender { .. } => Bar::Plain,
                Effect::List { .. } => Bar::Spared,
            },
        }
    }
}

/// Whether two rules on addresses count the same, and differ only in the reverse name they want and the list they make.
fn counts_alike(one: &Rule, other: &Rule) -> bool {
    let lists = |rule: &Rule| matches!(rule.effect, Effect::List { .. });
    let counted = |rule: &Rule| (rule.on, rule.count, rule.within, rule.distinct, rule.unless_known, rule.per_good);
    one.by == By::Address && other.by == By::Address && lists(one) && lists(other) && counted(one) == counted(other)
}

/// The threshold for a block of an address that serves so many logins.
fn raised(count: u16, housemates: u16) -> u16 {
    debug_assert!(housemates <= HOUSEMATES_MAX, "no more are told apart");
    count.saturating_add(housemates.saturating_mul(2)).min(SHARED_COUNT_MAX).max(count)
}

/// The highest threshold for a list that the rule can come to want of an address.
fn sheltered_max(rule: &Rule, count: u16) -> u16 {
    let users = if rule.unless_known { CROWD - 1 } else { 0 };
    count.saturating_mul(1 + PER_USER * users).saturating_add(rule.per_good.saturating_mul(GOOD_MAX - 1))
}

/// The rules that count the same by the same, in one table: a look-up serves them all, and what counts blocks, which
/// are few, takes no room in the table of failures.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) rules: Vec<Counting>,
    pub(crate) shapes: Vec<Shape>,
}

/// The groups of one side, found by what they count.
#[derive(Debug, Default)]
pub(crate) struct Side {
    pub(crate) groups: Vec<Group>,
    of_trigger: [Option<usize>; Trigger::COUNT],
}

/// All rules.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) logins: Side,
    pub(crate) addresses: Side,
    /// The networks around addresses, by their width.
    pub(crate) networks: Vec<(Width, Counting)>,
    /// The sections of those, in one table.
    pub(crate) network_shapes: Vec<Shape>,
    /// The sections for shared addresses.
    pub(crate) shared: Vec<Shape>,
    /// The rules that block whoever tries a login that many strangers try, each with a table of its own.
    pub(crate) sieges: Vec<Siege>,
    /// The rules that block whoever fails in a network where many strangers do, each with a table of its own.
    pub(crate) suspects: Vec<Suspicion>,
    /// Where wrong passwords are remembered, in the profile that does: group and section among the logins.
    pub(crate) repeated: Option<(usize, usize)>,
}

impl Plan {
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut plan = Self::default();
        for (number, rule) in settings.rules.iter().enumerate() {
            let before = number.checked_sub(1).map(|before| &settings.rules[before]);
            if before.is_some_and(|before| counts_alike(before, rule)) {
                let followed = plan.addresses.group_mut(rule.on).rules.last().copied();
                let follower = |last: Counting| Counting {
                    rule: RuleId(number as u16),
                    reverse: rule.reverse,
                    effect: rule.effect,
                    follows: true,
                    ..last
                };
                plan.addresses.group_mut(rule.on).rules.extend(followed.map(follower));
                continue;
            }
            let distinct = rule.distinct.map_or(0, |distinct| distinct.at_least);
            let shape = Shape { count: rule.count.max(1), distinct, span: rule.within };
            let shared = plan.shared_section(rule, shape);
            let counting = Counting {
                rule: RuleId(number as u16),
                section: 0,
                follows: false,
                shared,
                count: shape.count,
                within: rule.within,
                of: rule.distinct.map(|distinct| distinct.of),
                distinct,
                raised_distinct: shared.map_or(distinct, |section| plan.shared[section].distinct),
                unless_known: rule.unless_known,
                on: rule.on,
                only: match rule.by {
                    By::LoginOnly => Only::Placeless,
                    By::Sender => Only::OfLogins,
                    By::Address
                    | By::Login
                    | By::NoLogin
                    | By::AnySender
                    | By::SenderLogin
                    | By::Network(_)
                    | By::System
                    | By::Password => Only::All,
                },
                per_good: rule.per_good,
                messages: None,
                reverse: rule.reverse,
                effect: rule.effect,
            };
            match rule.by {
                By::Login | By::NoLogin if matches!(rule.effect, Effect::BlockAddresses { .. }) => {
                    plan.sieges.push(Siege { counting, is_nameless: rule.by == By::NoLogin });
                }
                By::Network(width) if matches!(rule.effect, Effect::BlockAddresses { .. }) => {
                    plan.suspects.push(Suspicion { counting, whom: Suspect::Network(width) });
                }
                By::System => plan.suspects.push(Suspicion { counting, whom: Suspect::System }),
                By::Password => plan.suspects.push(Suspicion { counting, whom: Suspect::Password }),
                // Nobody is the subject of attempts without a login.
                By::NoLogin => {}
                By::Address => plan.addresses.group_mut(rule.on).push(counting, shape),
                By::Login | By::LoginOnly => plan.logins.group_mut(rule.on).push(counting, shape),
                By::Sender | By::AnySender => {
                    plan.addresses.group_mut(rule.on).push(counting, shape);
                    plan.logins.group_mut(rule.on).push(counting, shape);
                }
                By::SenderLogin => plan.logins.group_mut(rule.on).push_with_messages(counting, shape),
                By::Network(width) => {
                    plan.networks.push((width, Counting { section: plan.network_shapes.len(), ..counting }));
                    plan.network_shapes.push(shape);
                }
            }
        }
        if settings.profile == Profile::Smart {
            plan.repeated = Some(plan.logins.push_memory());
        }
        plan
    }

    /// The section of a rule on addresses whose threshold can be raised. For a list the few who use an address must be
    /// outdone in different ones, too.
    fn shared_section(&mut self, rule: &Rule, shape: Shape) -> Option<usize> {
        let factor = match rule.effect {
            Effect::Block { .. } | Effect::BlockAddresses { .. } => 1,
            Effect::List { .. } if rule.unless_known || rule.per_good > 0 => 1 + u16::from(rule.unless_known),
            Effect::BlockSender { .. } | Effect::List { .. } => return None,
        };
        let (count, most) = match rule.effect {
            Effect::List { .. } => (sheltered_max(rule, shape.count), SHELTERED_COUNT_MAX),
            Effect::Block { .. } | Effect::BlockAddresses { .. } | Effect::BlockSender { .. } => {
                (SHARED_COUNT_MAX, SHARED_COUNT_MAX)
            }
        };
        (rule.by == By::Address && shape.count < count && count <= most).then(|| {
            self.shared.push(Shape { count, distinct: shape.distinct * factor, ..shape });
            self.shared.len() - 1
        })
    }

    /// Whether anything is to be done for what counts as `trigger`: a rule is on it, or a password is remembered.
    pub(crate) const fn counts(&self, trigger: Trigger) -> bool {
        self.logins.group_of(trigger).is_some()
            || self.addresses.group_of(trigger).is_some()
            || !(self.sieges.is_empty() && self.suspects.is_empty())
                && matches!(trigger, Trigger::Event(EventKind::LoginFailed))
    }
}

impl Group {
    fn push(&mut self, counting: Counting, shape: Shape) {
        self.rules.push(Counting { section: self.shapes.len(), ..counting });
        self.shapes.push(shape);
    }

    /// The same, with a memory of the messages that it counted.
    fn push_with_messages(&mut self, counting: Counting, shape: Shape) {
        self.push(Counting { messages: Some(self.shapes.len() + 1), ..counting }, shape);
        self.shapes.push(Shape { count: 0, distinct: shape.count, span: shape.span });
    }
}

impl Side {
    /// The number of the group that counts `trigger`, if any does.
    pub(crate) const fn group_of(&self, trigger: Trigger) -> Option<usize> {
        self.of_trigger[trigger.index()]
    }

    fn group_mut(&mut self, trigger: Trigger) -> &mut Group {
        let number = *self.of_trigger[trigger.index()].get_or_insert(self.groups.len());
        if number == self.groups.len() {
            self.groups.push(Group::default());
        }
        &mut self.groups[number]
    }

    fn push_memory(&mut self) -> (usize, usize) {
        let trigger = Trigger::Event(EventKind::LoginFailed);
        let group = self.group_mut(trigger);
        group.shapes.push(Shape { count: 0, distinct: REPEATED_MAX, span: REPEATED_WITHIN });
        let section = group.shapes.len() - 1;
        (self.of_trigger[trigger.index()].unwrap_or_default(), section)
    }
}
