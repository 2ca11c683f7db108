//! The forms of the brake on what is published.

use serde::{Deserialize, Serialize};

/// A list of which changes wait, in the answer of `GET /v1/publish`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct HeldView {
    /// The list.
    pub list: String,
    /// Since when.
    pub since: String,
    /// How many listings it had before all this began.
    pub before: usize,
    /// Listings that wait to be made.
    pub coming: usize,
    /// Listings that wait to be ended.
    pub going: usize,
    /// Changes that were let go of because too many wait.
    pub shed: u64,
    /// The first of the subjects that wait.
    pub subjects: Vec<String>,
}

/// Body of `POST /v1/publish`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PublishWish {
    /// The list.
    pub list: String,
    /// Whether what waits is done; else it is dropped.
    pub release: bool,
    /// Who wants it.
    pub person: String,
}

/// Answer of `POST /v1/publish`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct Published {
    /// The list.
    pub list: String,
    /// Changes that were done.
    pub done: usize,
    /// Changes that were dropped, or made no sense any more.
    pub dropped: usize,
}
