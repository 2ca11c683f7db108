//! Whether the lists that are asked, and the gates that ask, come together.

use core::ops::Range;

use super::ask::{AskPolicy, AskedList, AskingGate};
use super::diagnose::Fault;
use super::reader::Section;
use super::words::enumerate;

/// A gate that asks.
pub(super) struct Asking {
    /// Which.
    pub(super) gate: AskingGate,
    /// Where its section stands.
    pub(super) place: Range<usize>,
    /// What it does.
    pub(super) policy: AskPolicy,
}

impl Asking {
    fn asks(&self, list: &AskedList) -> bool {
        list.gates.is_empty() || list.gates.contains(&self.gate)
    }

    /// The most that a list adds at this gate: at a login codes of policy do not count.
    fn most(&self, list: &AskedList) -> u32 {
        let counted = list.list.codes.iter().filter(|code| !(code.is_policy && self.gate == AskingGate::Dovecot));
        counted.map(|code| code.weight).max().unwrap_or_default()
    }
}

/// Warns of gates that ask nobody, of lists that nobody asks, and of weights that never reach a threshold: nothing of that
/// fails, and nobody would be kept out.
pub(super) fn check(file: &Section<'_>, lists: &[AskedList]) {
    let all = file.desk.all_asking();
    for asking in &all {
        let name = asking.gate.name();
        let asked: Vec<&AskedList> = lists.iter().filter(|list| asking.asks(list)).collect();
        let most = asked.iter().map(|list| asking.most(list)).fold(0, u32::saturating_add);
        let threshold = asking.policy.threshold;
        let warning = |title: String| Fault::warning(asking.place.clone(), title);
        if asked.is_empty() {
            let fault = warning(format!("[gate.{name}.ask] has no list to ask")).label("nothing is done here");
            let hint = "add `[[ask]]` with a `preset`, or name this gate in its `gates`";
            file.desk.report(fault.hint(hint.to_owned()));
        } else if most < threshold {
            let title = format!("all lists of [gate.{name}.ask] together weigh {most}, and `threshold` is {threshold}");
            let hint = "raise the `weight` of their codes, or lower `threshold`";
            file.desk.report(warning(title).label("nothing is done here").hint(hint.to_owned()));
        }
    }
    let idle = lists.iter().filter(|list| !all.iter().any(|asking| asking.asks(list)));
    let idle: Vec<&str> = idle.map(|list| list.list.name.as_str()).collect();
    if !idle.is_empty() {
        let fault =
            Fault::warning(file.place("ask"), format!("no gate asks {}", enumerate(idle))).label("nobody is kept out");
        let hint = "`ratter ask` and the rules for rspamd and SpamAssassin use what no gate asks; for a gate add a section such as \
                    `[gate.dovecot.ask]`";
        file.desk.report(fault.hint(hint.to_owned()));
    }
}
