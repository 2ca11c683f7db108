//! The forms of a replay: what the rules would have done with a log.

use serde::{Deserialize, Serialize};

/// What `ratter replay --json` prints: what the rules would have done with a log.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct WouldHave {
    /// Lines read.
    pub lines: u64,
    /// Events found in them.
    pub events: u64,
    /// Time of the first event.
    pub first: Option<String>,
    /// Time of the last event.
    pub last: Option<String>,
    /// Failed logins among the events.
    pub failures: u64,
    /// Successful logins among them.
    pub successes: u64,
    /// Different logins that succeeded.
    pub users: u64,
    /// Listings that rules would have made.
    pub listings: u64,
    /// What happened on each day (UTC), the first day first.
    #[serde(default)]
    pub by_day: Vec<DayWouldHave>,
    /// The same by rule.
    pub by_rule: Vec<RuleWouldHave>,
    /// The same by subject, those with most listings first.
    pub by_subject: Vec<SubjectWouldHave>,
    /// Users who logged in successfully and would have been refused.
    pub hurt: Vec<HurtUser>,
}

/// One day of [`WouldHave`].
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct DayWouldHave {
    /// The day, such as `2026-11-21`.
    pub day: String,
    /// Failed logins.
    pub failures: u64,
    /// Logins that succeeded.
    pub successes: u64,
    /// Listings that rules would have made.
    pub listings: u64,
    /// Logins that succeeded and would have been refused.
    pub hurt: u64,
}

/// Listings of a rule in [`WouldHave`].
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct RuleWouldHave {
    /// The rule.
    pub rule: String,
    /// The list that it fills.
    pub list: String,
    /// Listings it would have made.
    pub listings: u64,
}

/// Listings of a subject in [`WouldHave`].
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct SubjectWouldHave {
    /// The subject.
    pub subject: String,
    /// The rules that would have listed it.
    pub rules: Vec<String>,
    /// How often.
    pub listings: u64,
    /// When first.
    pub first: String,
}

/// A user in [`WouldHave`] who logged in successfully and would have been refused: the first time, and how often in all.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct HurtUser {
    /// The login.
    pub login: String,
    /// From where.
    pub address: String,
    /// When.
    pub at: String,
    /// What would have refused it: the address or the login, and the rule.
    pub why: String,
    /// For how many seconds more.
    pub seconds_left: u64,
    /// How many logins of this user would have been refused.
    #[serde(default)]
    pub times: u64,
}
