use base::Timestamp;
use rules::Stage;

use crate::counting::counts;
use crate::policy::{Cause, Node, Panicked, Refusal, Settings};

counts! {
    /// Questions about a client or a login.
    Asked = "asked",
    /// Keys that are neither an address nor a login, such as the names of clients.
    PassedOver = "passed_over",
    /// Questions that were answered with a refusal.
    Refused = "refused",
    /// Questions that were not understood, or for a table that there is not.
    Malformed = "malformed",
    /// Questions during which something of ours panicked; answered as not found.
    Panics = "panics",
}

/// The gate: one action, or none, for each key.
pub struct Gate {
    node: Node,
    settings: Settings,
    counters: Counters,
}

/// The tables there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Table {
    Clients,
    Logins,
}

impl Gate {
    /// A gate in front of `node`.
    pub fn new(node: Node, settings: Settings) -> Self {
        Self { node, settings, counters: Counters::default() }
    }

    /// What was counted so far.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The action of access(5) for a key of a table; none if there is none.
    pub(super) fn look(&self, now: Timestamp, table: Table, key: &[u8]) -> Option<String> {
        let text = String::from_utf8_lossy(key);
        let (address, login) = match table {
            Table::Clients => (text.parse().ok(), None),
            Table::Logins => (None, (!text.is_empty()).then_some(&*text)),
        };
        if address.is_none() && login.is_none() {
            self.counters.add(Count::PassedOver);
            return None;
        }
        self.counters.add(Count::Asked);
        let refused = self.node.refused(now, &self.settings, Stage::After, address, login).unwrap_or_else(|Panicked| {
            self.counters.add(Count::Panics);
            None
        });
        let cause = refused?;
        self.counters.add(Count::Refused);
        Some(self.action(cause))
    }

    /// The neutral answer to what is no question: nothing is found.
    pub(super) fn not_understood(&self) {
        self.counters.add(Count::Malformed);
    }

    fn action(&self, cause: Cause) -> String {
        let text = cause.text();
        match (cause, self.settings.refusal) {
            (Cause::ForNow, _) | (_, Refusal::Defer) => format!("DEFER_IF_PERMIT 4.7.1 {text}"),
            (Cause::Address | Cause::Elsewhere, Refusal::Drop) => format!("521 5.7.1 {text}"),
            (Cause::Address | Cause::Elsewhere, Refusal::Reject)
            | (Cause::Login | Cause::Pair, Refusal::Reject | Refusal::Drop) => {
                format!("REJECT 5.7.1 {text}")
            }
        }
    }
}
