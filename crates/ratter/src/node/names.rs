//! Names of lists and rules: the rooms speak of them by number, people by name.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use base::{Address, ListId, Network, RuleId, Subject};
use rules::{By, Effect, Rule, Systems};

/// What people call the lists and rules of this node.
pub(crate) struct Names {
    lists: Vec<ListInfo>,
    /// Each with what it counts by, if it blocks several for what all of them did.
    rules: Vec<(String, Option<By>)>,
    /// Who knows to which autonomous system an address belongs.
    systems: Option<Arc<dyn Systems>>,
}

/// What the node knows of a list.
pub(crate) struct ListInfo {
    /// Its name.
    pub(crate) name: String,
    /// Its return code, if it is published.
    pub(crate) code: Option<Ipv4Addr>,
    /// How long a listing lasts that says nothing else.
    pub(crate) lifetime: Duration,
}

impl Names {
    /// Those of the lists, of the configured rules, and of the rules that come behind them.
    pub(crate) fn new(lists: Vec<ListInfo>, rules: &[Rule], others: impl IntoIterator<Item = String>) -> Self {
        let of_all = |rule: &Rule| matches!(rule.effect, Effect::BlockAddresses { .. }).then_some(rule.by);
        let rules = rules.iter().map(|rule| (rule.name.to_string(), of_all(rule)));
        let rules = rules.chain(others.into_iter().map(|name| (name, None))).collect();
        Self { lists, rules, systems: None }
    }

    /// The same, and the autonomous systems of addresses.
    pub(crate) fn with_systems(self, systems: Option<Arc<dyn Systems>>) -> Self {
        Self { systems, ..self }
    }

    pub(crate) fn lists(&self) -> impl Iterator<Item = (ListId, &ListInfo)> {
        self.lists.iter().enumerate().map(|(index, info)| (ListId::new(index), info))
    }

    pub(crate) fn is_published(&self, id: ListId) -> bool {
        self.lists.get(id.index()).is_some_and(|info| info.code.is_some())
    }

    pub(crate) fn list(&self, id: ListId) -> &str {
        self.lists.get(id.index()).map_or("unknown", |info| &info.name)
    }

    pub(crate) fn rule(&self, id: RuleId) -> &str {
        self.rules.get(usize::from(id.0)).map_or("unknown", |(name, _)| name)
    }

    /// Who did together what a rule holds against the subject, if that is not the subject alone.
    pub(crate) fn culprits(&self, rule: RuleId, subject: &Subject) -> Option<String> {
        let (_, by) = self.rules.get(usize::from(rule.0))?;
        let Subject::Network(party) = subject else { return None };
        self.whom((*by)?, *party)
    }

    fn whom(&self, by: By, party: Network) -> Option<String> {
        let address = Address::new(party.base());
        Some(match by {
            By::Network(width) => format!("all strangers in {}", width.around(address)?),
            By::System => match self.systems.as_ref().and_then(|systems| systems.system_of(address)) {
                Some(number) => format!("all strangers in AS{number}"),
                None => "all strangers in one autonomous system".to_owned(),
            },
            By::Password => "all strangers who tried one password".to_owned(),
            By::Login => "all strangers who tried one login".to_owned(),
            By::NoLogin => "all strangers".to_owned(),
            By::Address | By::LoginOnly | By::Sender | By::AnySender | By::SenderLogin => return None,
        })
    }

    pub(crate) fn rule_named(&self, name: &str) -> Option<RuleId> {
        self.rules.iter().position(|(rule, _)| rule == name).map(|index| RuleId(index as u16))
    }

    pub(crate) fn list_named(&self, name: &str) -> Option<(ListId, &ListInfo)> {
        self.lists().find(|(_, info)| info.name == name)
    }

    /// The names of the lists, for a message that says which there are.
    pub(crate) fn all_lists(&self) -> String {
        self.lists.iter().map(|info| info.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use rules::Width;

    use super::*;

    /// All addresses of 11.0.0.0/8 are of one system.
    #[derive(Debug)]
    struct OneSystem;

    impl Systems for OneSystem {
        fn system_of(&self, address: Address) -> Option<u32> {
            address.to_string().starts_with("11.").then_some(64_500)
        }
    }

    #[test]
    fn who_did_it_together_is_told_by_what_they_have_in_common() {
        let names = Names::new(Vec::new(), &[], []).with_systems(Some(Arc::new(OneSystem)));
        let cases = [
            (By::Network(Width::V4Bits24), "203.0.113.7", Some("all strangers in 203.0.113.0/24")),
            (By::Network(Width::V6Bits48), "2001:db8:1:2::/64", Some("all strangers in 2001:db8:1::/48")),
            (By::Network(Width::V6Bits48), "203.0.113.7", None),
            (By::System, "11.0.0.1", Some("all strangers in AS64500")),
            (By::System, "12.0.0.1", Some("all strangers in one autonomous system")),
            (By::Password, "11.0.0.1", Some("all strangers who tried one password")),
            (By::Login, "11.0.0.1", Some("all strangers who tried one login")),
            (By::Address, "11.0.0.1", None),
        ];
        for (by, party, expected) in cases {
            assert_eq!(names.whom(by, party.parse().unwrap()).as_deref(), expected, "{by:?} {party}");
        }
    }
}
