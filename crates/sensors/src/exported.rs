//! What rspamd's `metadata_exporter` posts of each mail, as JSON: its own word in fields of their own, where a line of its log
//! is text between texts that clients wrote. A limit that was exceeded shows as the symbol `RATELIMITED`, which rspamd sets if it
//! is configured so (`info_symbol`); without it no reason of a soft reject is told.

use base::{Address, EventKind};
use serde_json::Value;

use crate::text::address;

/// Longest body, in bytes: as much as the HTTP of this node takes.
pub const EXPORT_BYTES_MAX: usize = 64 * 1024;

/// How the names of symbols begin that say that a limit was exceeded.
const LIMIT_SYMBOL: &str = "RATELIMIT";

/// What rspamd writes in the place of what it does not know.
const UNKNOWN: &str = "unknown";

/// A mail that says something against its client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exported {
    /// What happened.
    pub kind: EventKind,
    /// The client.
    pub address: Address,
    /// Who had logged in, if anybody had.
    pub login: Option<String>,
    /// The message's id, by which one that is tried again is known.
    pub message: Option<String>,
}

/// Why a body says nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExportFault {
    /// It is no JSON object.
    Json,
    /// It has no `action`, which every export has.
    Action,
}

impl core::fmt::Display for ExportFault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Json => "no JSON object",
            Self::Action => "no `action`: formatter = \"json\" is wanted",
        })
    }
}

impl core::error::Error for ExportFault {}

/// Reads one export. Most mails say nothing against anybody.
///
/// # Errors
/// It is no export in JSON.
pub fn read(body: &[u8]) -> Result<Option<Exported>, ExportFault> {
    let value: Value = serde_json::from_slice(body).map_err(|_| ExportFault::Json)?;
    let fields = value.as_object().ok_or(ExportFault::Json)?;
    let text = |key: &str| fields.get(key).and_then(Value::as_str).filter(|text| !text.is_empty() && *text != UNKNOWN);
    let action = text("action").ok_or(ExportFault::Action)?;
    let symbols = fields.get("symbols").and_then(Value::as_array).into_iter().flatten();
    let names = symbols.filter_map(|symbol| symbol.get("name").and_then(Value::as_str));
    let kind = match action {
        "soft reject" if names.into_iter().any(|name| name.starts_with(LIMIT_SYMBOL)) => EventKind::RateExceeded,
        "reject" | "add header" | "rewrite subject" => EventKind::SpamSeen,
        _ => return Ok(None),
    };
    let Some(address) = text("ip").and_then(address) else { return Ok(None) };
    let owned = |key| text(key).map(str::to_owned);
    Ok(Some(Exported { kind, address, login: owned("user"), message: owned("message_id") }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(body: &str) -> Result<Option<String>, ExportFault> {
        let show = |Exported { kind, address, login, message }| {
            format!("{kind} {address} {} {}", login.unwrap_or_default(), message.unwrap_or_default())
        };
        read(body.as_bytes()).map(|export| export.map(show))
    }

    #[test]
    fn exports() {
        const LIMITED: &str = r#""symbols":[{"name":"ARC_NA","score":0},{"name":"RATELIMITED","score":0}]"#;
        let cases = [
            (r#"{"action":"no action","ip":"203.0.113.7","symbols":[]}"#.to_owned(), Ok(None)),
            (
                format!(r#"{{"action":"soft reject","ip":"203.0.113.7","user":"alice","message_id":"m1@x",{LIMITED}}}"#),
                Ok(Some("rate-exceeded 203.0.113.7 alice m1@x")),
            ),
            (r#"{"action":"soft reject","ip":"203.0.113.7","symbols":[{"name":"GREYLIST"}]}"#.to_owned(), Ok(None)),
            (
                r#"{"action":"reject","ip":"2001:db8::7","user":"unknown","symbols":[]}"#.to_owned(),
                Ok(Some("spam-seen 2001:db8::7  ")),
            ),
            (format!(r#"{{"action":"soft reject","ip":"unknown",{LIMITED}}}"#), Ok(None)),
            // What a client writes stands in fields of its own, and says nothing.
            (
                r#"{"action":"no action","ip":"203.0.113.7","subject":"\"action\":\"reject\",\"ip\":\"198.51.100.1\""}"#.to_owned(),
                Ok(None),
            ),
            (r#"{"ip":"203.0.113.7"}"#.to_owned(), Err(ExportFault::Action)),
            ("[]".to_owned(), Err(ExportFault::Json)),
            ("{".to_owned(), Err(ExportFault::Json)),
        ];
        for (body, wanted) in cases {
            assert_eq!(told(&body), wanted.map(|text| text.map(str::to_owned)), "{body}");
        }
    }
}
