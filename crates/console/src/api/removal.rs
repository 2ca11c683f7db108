//! The forms of whoever is listed: what he is told, and what he gets when he asks to be taken off.

use serde::{Deserialize, Serialize};

/// Answer of `GET /v1/removal?address=…`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct LookedUp {
    /// The address.
    pub address: String,
    /// Whether the request came from it.
    pub is_yours: bool,
    /// The published listings that hold it.
    pub listings: Vec<PublicListing>,
    /// What proves that the reverse zone is yours, if it is found there.
    pub token: String,
    /// Where it is looked for: records as they stand in a zone file, one of which is enough.
    pub records: Vec<String>,
}

/// A listing as everybody may see it.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct PublicListing {
    /// What is listed: the address, its /64, or a network around it.
    pub subject: String,
    /// The list.
    pub list: String,
    /// Since when.
    pub since: String,
    /// Until when, if it ends by itself.
    pub until: Option<String>,
    /// What it rests on.
    pub reason: String,
    /// How it ends before its time.
    pub removal: Way,
}

/// How a listing ends before its time.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Whoever proves that the address is his takes it off.
    Proof,
    /// By itself, when the reverse name is a proper one.
    ReverseName,
    /// By the operator.
    #[default]
    Operator,
}

/// Answer of `POST /v1/removal?address=…`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct Removal {
    /// The address.
    pub address: String,
    /// The lists that it is off now.
    pub removed: Vec<String>,
    /// What still holds it.
    pub left: Vec<PublicListing>,
}

/// Why a request about a removal is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemovalFault {
    /// The request makes no sense.
    Bad(String),
    /// Nothing proves that the address is the requester's.
    Unproven(String),
    /// What holds it ends in another way.
    Refused(String),
    /// Too often, or too early; seconds to wait.
    Later(u64, String),
}

impl RemovalFault {
    /// What is wrong and what to do, in a sentence.
    pub fn message(&self) -> &str {
        match self {
            Self::Bad(message) | Self::Unproven(message) | Self::Refused(message) | Self::Later(_, message) => message,
        }
    }
}
