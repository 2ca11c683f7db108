//! The rules sorted for counting: by whom they count and on what, each with its section in the table of its group.

use core::time::Duration;

use base::{EventKind, ListId, RuleId};

use crate::Shape;
use crate::settings::{By, Effect, Of, Profile, Settings, Trigger};

/// An address from which several people log in fails more often. Its threshold for a block is higher by two for each
/// login that succeeded there within the last hour, up to this.
pub const SHARED_COUNT_MAX: u16 = 50;
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
    /// Its section in the table of shared addresses, if it blocks addresses.
    pub(crate) shared: Option<usize>,
    pub(crate) count: u16,
    pub(crate) within: Duration,
    pub(crate) of: Option<Of>,
    pub(crate) distinct: u16,
    pub(crate) unless_known: bool,
    pub(crate) effect: Effect,
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
    /// The sections for shared addresses.
    pub(crate) shared: Vec<Shape>,
    /// Where wrong passwords are remembered, in the profile that does: group and section among the logins.
    pub(crate) repeated: Option<(usize, usize)>,
}

impl Plan {
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut plan = Self::default();
        for (number, rule) in settings.rules.iter().enumerate() {
            let side = match rule.by {
                By::Address => &mut plan.addresses,
                By::Login => &mut plan.logins,
            };
            let group = side.group_mut(rule.on);
            let distinct = rule.distinct.map_or(0, |distinct| distinct.at_least);
            let shape = Shape { count: rule.count.max(1), distinct, span: rule.within };
            let is_raised = rule.by == By::Address && rule.effect.list() == ListId::BLOCKED;
            let shared = (is_raised && shape.count < SHARED_COUNT_MAX).then(|| {
                plan.shared.push(Shape { count: SHARED_COUNT_MAX, ..shape });
                plan.shared.len() - 1
            });
            group.rules.push(Counting {
                rule: RuleId(number as u16),
                section: group.shapes.len(),
                shared,
                count: shape.count,
                within: rule.within,
                of: rule.distinct.map(|distinct| distinct.of),
                distinct,
                unless_known: rule.unless_known,
                effect: rule.effect,
            });
            group.shapes.push(shape);
        }
        if settings.profile == Profile::Smart {
            plan.repeated = Some(plan.logins.push_memory());
        }
        plan
    }

    /// Whether anything is to be done for what counts as `trigger`: a rule is on it, or a password is remembered.
    pub(crate) const fn counts(&self, trigger: Trigger) -> bool {
        self.logins.group_of(trigger).is_some() || self.addresses.group_of(trigger).is_some()
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
