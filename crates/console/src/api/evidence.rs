//! What `why` rests its answer on.

use serde::{Deserialize, Serialize};

/// What keeps a subject, or a part of it, off lists.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct ProtectionView {
    /// The address or network that is protected.
    pub network: String,
    /// What protects it.
    pub by: String,
    /// Whether it may be blocked here all the same.
    pub may_be_blocked: bool,
}

/// How often one kind of event was seen.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct CountView {
    /// What happened.
    pub kind: String,
    /// At which service.
    pub service: String,
    /// Who says so: `gate`, `front`, `auth`, or the name of a reporter.
    pub told_by: String,
    /// How often.
    pub count: u64,
    /// When first.
    pub first: String,
    /// When last.
    pub last: String,
}
