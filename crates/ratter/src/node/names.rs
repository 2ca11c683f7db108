//! Names of lists and rules: the rooms speak of them by number, people by name.

use std::net::Ipv4Addr;
use std::time::Duration;

use base::{ListId, RuleId};

/// What people call the lists and rules of this node.
pub(crate) struct Names {
    lists: Vec<ListInfo>,
    rules: Vec<String>,
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
    pub(crate) fn new(lists: Vec<ListInfo>, rules: Vec<String>) -> Self {
        Self { lists, rules }
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
        self.rules.get(usize::from(id.0)).map_or("unknown", String::as_str)
    }

    pub(crate) fn rule_named(&self, name: &str) -> Option<RuleId> {
        self.rules.iter().position(|rule| rule == name).map(|index| RuleId(index as u16))
    }

    pub(crate) fn list_named(&self, name: &str) -> Option<(ListId, &ListInfo)> {
        self.lists().find(|(_, info)| info.name == name)
    }

    /// The names of the lists, for a message that says which there are.
    pub(crate) fn all_lists(&self) -> String {
        self.lists.iter().map(|info| info.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}
