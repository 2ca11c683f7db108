//! The forms of those who report.

use serde::{Deserialize, Serialize};

/// Somebody who may report, in [`super::Status`].
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct ReporterStatus {
    /// His name in the configuration.
    pub name: String,
    /// To whom he belongs.
    #[serde(default)]
    pub owner: String,
    /// How much a report of his counts now, in hundredths.
    pub weight: u8,
    /// Addresses that he reported and that proved right.
    #[serde(default)]
    pub confirmed: u64,
    /// Addresses that he should not have reported.
    #[serde(default)]
    pub doubted: u64,
    /// When he named a canary, and which; none if he did not.
    #[serde(default)]
    pub exposed: Option<String>,
    /// Reports taken today (UTC).
    pub today: u32,
    /// How many are taken on one day.
    pub daily_cap: u32,
    /// Reports that he sent again, since the start.
    pub known: u64,
    /// Reports beyond the daily number, since the start.
    pub over: u64,
}

/// Body of `POST /v1/reporters/reset`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ResetWish {
    /// The reporter's name.
    pub reporter: String,
    /// Who wants it.
    pub person: String,
}
