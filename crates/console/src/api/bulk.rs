//! Whole lists.

use serde::{Deserialize, Serialize};

use super::WishedSpan;

/// `wish` in `POST /v1/import?wish=…`, as JSON; the body is a stream of networks as `listings::networks` has it.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ImportWish {
    /// To which list.
    pub list: String,
    /// Whether what was imported to it before goes; if not, each network becomes a listing of its own.
    pub replace: bool,
    /// Whether that is done however much the list shrinks or grows by it.
    #[serde(default)]
    pub force: bool,
    /// For how long.
    pub span: WishedSpan,
    /// Why, in the person's words.
    pub reason: String,
    /// Who wants it.
    pub person: String,
}

/// Answer of `POST /v1/import`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct Imported {
    /// The list.
    pub list: String,
    /// How many networks of the import are in force.
    pub listed: usize,
    /// How many of them were not on the list before.
    pub added: usize,
    /// How many went off the list.
    pub removed: usize,
    /// How many kept the listing that a rule or a person had made for themselves.
    pub own: usize,
    /// How many were refused: by the never-list, because the book is full, or because their end is over.
    pub refused: usize,
    /// The first of those that the never-list refused.
    pub never_listed: Vec<String>,
    /// Why others were refused, each reason once.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// The number of the last change to the book.
    pub serial: u64,
    /// Whether it is in the file already.
    pub saved: bool,
}

/// The line behind the last one of a list with ends and reasons; without it the list has broken off.
pub const TOLD_END: &str = "end";

/// A network of a list that is exported.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct ToldView {
    /// The network.
    pub network: String,
    /// When its listing ends, in milliseconds since the epoch; none if it does not by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// Why it is listed, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
