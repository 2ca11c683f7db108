//! The forms of the blocklist's keys.

use serde::{Deserialize, Serialize};

/// A key in the answer of `GET /v1/keys`. The key itself is told once, when it is made.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct KeyView {
    /// What people call it.
    pub name: String,
    /// Whose it is.
    pub owner: String,
    /// The zones that it opens; none for all.
    pub zones: Option<Vec<String>>,
    /// How much it may ask; none for as much as it likes.
    pub quota: Option<KeyQuota>,
    /// When it ends; none if it does not by itself.
    pub until: Option<String>,
    /// When it was made.
    pub made: String,
    /// By whom.
    pub made_by: String,
    /// When it was revoked; none while it is in force.
    pub revoked: Option<String>,
    /// By whom.
    pub revoked_by: Option<String>,
    /// Questions that were answered, over all restarts.
    pub answered: u64,
    /// Questions that were not: over quota, after its end, in zones that it does not open.
    pub refused: u64,
    /// Questions in the last span of its quota in which it asked.
    pub in_span: u32,
}

/// How much a key may ask.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct KeyQuota {
    /// So many questions about addresses.
    pub questions: u32,
    /// In each of these.
    pub per: KeySpan,
}

/// The span of a quota.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum KeySpan {
    /// A second.
    Second,
    /// A day of UTC.
    Day,
}

/// Body of `POST /v1/keys/new`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct KeyWish {
    /// What people shall call it: lower-case letters, digits and hyphens, as it stands in metrics.
    pub name: String,
    /// Whose it is.
    pub owner: String,
    /// The zones that it opens, as the configuration names them; none for all.
    pub zones: Option<Vec<String>>,
    /// How much it may ask.
    pub quota: Option<KeyQuota>,
    /// How many seconds it lasts; none: until it is revoked.
    pub seconds: Option<u64>,
    /// Who wants it.
    pub person: String,
}

/// Answer of `POST /v1/keys/new`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct NewKey {
    /// The key itself: the label left of the zone's name. It is kept nowhere and cannot be told again.
    pub key: String,
    /// A name that is asked with it: that of 1.2.3.4 in the first of its zones.
    #[serde(default)]
    pub asked: String,
    /// What is kept of it.
    pub record: KeyView,
}

/// Body of `POST /v1/keys/revoke`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RevokeWish {
    /// The key's name.
    pub name: String,
    /// Who wants it.
    pub person: String,
}
