use serde::{Deserialize, Serialize};

/// How an account that sends stands, in [`super::Why`].
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct AccountView {
    /// All points, with one decimal.
    pub points: String,
    /// What is done about it now: `calm`, or the name of a step.
    pub step: String,
    /// The steps that are configured, each with its points.
    pub steps: Vec<String>,
    /// The signs that somebody else uses it, the heaviest first.
    pub signs: Vec<SignView>,
    /// Whether enough is known of it that something can be strange.
    pub is_known: bool,
    /// What was done about it, the newest first.
    pub done: Vec<String>,
}

/// A sign in [`AccountView`].
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct SignView {
    /// In words.
    pub sign: String,
    /// Its points, with one decimal.
    pub points: String,
}
