//! Which wording of a rule made a listing.
//!
//! At each start the mark of every rule that is another than the last one is noted in the audit, so that the mark at any
//! moment since is known, whatever the configuration says later.

use base::Timestamp;
use rules::Rule;

use super::Node;

/// Most marks of one rule that are looked at, the newest.
const MARKS_MAX: usize = 1000;

impl Node {
    /// Notes the marks of the rules that were changed since they were noted.
    pub(super) fn note_rule_versions(&self, rules: &[Rule]) {
        for rule in rules {
            let (who, mark) = (teller(&rule.name), mark(rule));
            // A store that cannot be read is not written to either; the next start tries again.
            let last = self.store.audits_by(&who, 1).unwrap_or_default().pop();
            if last.is_none_or(|last| *last.what != *mark) {
                self.store.audit(&who, &mark);
            }
        }
    }

    /// The mark that the rule had at a moment; none if that is forgotten.
    pub(super) fn rule_version(&self, rule: &str, at: Timestamp) -> Option<String> {
        let marks = self.store.audits_by(&teller(rule), MARKS_MAX).unwrap_or_default();
        marks.into_iter().find(|mark| mark.at <= at).map(|mark| mark.what.into_string())
    }
}

fn teller(rule: &str) -> String {
    format!("rule {rule}")
}

/// Another one for each wording, the same on every start: FNV-1a of all that the rule says.
fn mark(rule: &Rule) -> String {
    let text = format!("{rule:?}");
    let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("{hash:08x}")
}
