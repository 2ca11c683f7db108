//! What rspamd's `metadata_exporter` posts of each mail, as JSON: its own word in fields of their own, where a line of its log
//! is text between texts that clients wrote. A limit that was exceeded shows as the symbol `RATELIMITED`, which rspamd sets if it
//! is configured so (`info_symbol`); without it no reason of a soft reject is told.

use base::{Address, EventKind};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::text::address;

/// Longest body, in bytes. rspamd puts subject, `To:` and `From:` into it as long as the client wrote them, each of them twice, and
/// a client who exceeds a limit must not escape by writing much there.
pub const EXPORT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// From this score on a message is spam. rspamd begins to be suspicious at 4 (`greylist`). Whoever is rejected with less was not
/// found to be a spammer: a map names his address, which may be one of Ratter's own.
pub(crate) const SPAM_SCORE_MIN: f64 = 4.0;

/// How the names of symbols begin that say that a limit was exceeded.
const LIMIT_SYMBOL: &str = "RATELIMIT";

/// What rspamd writes in the place of what it does not know.
const UNKNOWN: &str = "unknown";

/// Shorter ids than this are not made by anything that makes ids: `a@b`.
const ID_BYTES_MIN: usize = 8;

/// Whether the id of a message can be one of its own. rspamd writes `undef` where a message has none.
pub(crate) fn is_own_id(id: &str) -> bool {
    id.len() >= ID_BYTES_MIN && id.contains('@') && id != "undef"
}

/// A mail that says something against its client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exported {
    /// What happened.
    pub kind: EventKind,
    /// The client.
    pub address: Address,
    /// Who had logged in, if anybody had.
    pub login: Option<String>,
    /// A name of the message, the same when it is tried again: a hash of its id, its sender and its recipients, so that neither
    /// equal ids for all messages make them one, nor does none.
    pub message: String,
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

/// The fields of an export that say something. The others are passed over, however long they are.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields {
    action: Value,
    ip: Value,
    user: Value,
    score: Value,
    symbols: Value,
    from: Value,
    rcpt: Value,
    message_id: Value,
    size: Value,
    subject: Value,
}

/// Reads one export. Most mails say nothing against anybody.
///
/// # Errors
/// It is no export in JSON.
pub fn read(body: &[u8]) -> Result<Option<Exported>, ExportFault> {
    // Bytes that are no text stand where a client wrote them, and rspamd passes them on.
    let body = String::from_utf8_lossy(body);
    let fields = body.trim_start().starts_with('{').then(|| serde_json::from_str::<Fields>(&body));
    let fields = fields.and_then(Result::ok).ok_or(ExportFault::Json)?;
    let action = known(&fields.action).ok_or(ExportFault::Action)?;
    let symbols = fields.symbols.as_array().into_iter().flatten();
    let mut names = symbols.filter_map(|symbol| symbol.get("name").and_then(Value::as_str));
    let kind = match action {
        "soft reject" if names.any(|name| name.starts_with(LIMIT_SYMBOL)) => EventKind::RateExceeded,
        "reject" | "add header" | "rewrite subject" if is_spam(&fields.score) => EventKind::SpamSeen,
        _ => return Ok(None),
    };
    let Some(address) = known(&fields.ip).and_then(address) else { return Ok(None) };
    let login = known(&fields.user).map(str::to_owned);
    Ok(Some(Exported { kind, address, login, message: name_of(&fields) }))
}

/// The text of a field in which something stands.
fn known(field: &Value) -> Option<&str> {
    field.as_str().filter(|text| !text.is_empty() && *text != UNKNOWN)
}

/// Whether the score is that of spam; it is a number, in older versions as text.
fn is_spam(score: &Value) -> bool {
    let score = score.as_f64().or_else(|| score.as_str()?.parse().ok());
    score.is_some_and(|score| score >= SPAM_SCORE_MIN)
}

/// See [`Exported::message`].
fn name_of(fields: &Fields) -> String {
    let text = |field: &Value| field.as_str().unwrap_or_default().to_owned();
    let mut recipients: Vec<String> = match &fields.rcpt {
        Value::Array(recipients) => recipients.iter().filter_map(Value::as_str).map(str::to_lowercase).collect(),
        Value::String(recipient) => vec![recipient.to_lowercase()],
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    };
    recipients.sort_unstable();
    let id = text(&fields.message_id);
    let size = if fields.size.is_null() { String::new() } else { fields.size.to_string() };
    // What has no id is known by how large it is, and by what it is about.
    let own = if is_own_id(&id) { id } else { format!("{size} {}", text(&fields.subject)) };
    let mut parts = vec![own, text(&fields.from).to_lowercase(), text(&fields.user).to_lowercase(), text(&fields.ip)];
    parts.append(&mut recipients);
    name_of_parts(&parts)
}

/// A name for what these parts are, in this order.
pub(crate) fn name_of_parts(parts: &[impl AsRef<[u8]>]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        let part = part.as_ref();
        // No part can move its end into the next one.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let number = hash.finalize().iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{number:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(body: &str) -> Result<Option<String>, ExportFault> {
        let show = |Exported { kind, address, login, message }| {
            assert_eq!(message.len(), 16);
            format!("{kind} {address} {}", login.unwrap_or_default())
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
                Ok(Some("rate-exceeded 203.0.113.7 alice")),
            ),
            (r#"{"action":"soft reject","ip":"203.0.113.7","symbols":[{"name":"GREYLIST"}]}"#.to_owned(), Ok(None)),
            (
                r#"{"action":"reject","ip":"2001:db8::7","user":"unknown","score":15.2,"symbols":[]}"#.to_owned(),
                Ok(Some("spam-seen 2001:db8::7 ")),
            ),
            (
                r#"{"action":"add header","ip":"2001:db8::7","score":"6.40","symbols":[]}"#.to_owned(),
                Ok(Some("spam-seen 2001:db8::7 ")),
            ),
            // A map names the address, such as Ratter's own: nobody has found any spam.
            (
                r#"{"action":"reject","ip":"203.0.113.7","user":"alice","score":2.0,"symbols":[{"name":"RATTER_BLOCKED","score":0}]}"#
                    .to_owned(),
                Ok(None),
            ),
            (r#"{"action":"reject","ip":"203.0.113.7","user":"alice"}"#.to_owned(), Ok(None)),
            (format!(r#"{{"action":"soft reject","ip":"unknown",{LIMITED}}}"#), Ok(None)),
            // What a client writes stands in fields of its own, and says nothing.
            (
                r#"{"action":"no action","ip":"203.0.113.7","subject":"\"action\":\"reject\",\"ip\":\"198.51.100.1\""}"#.to_owned(),
                Ok(None),
            ),
            (r#"{"ip":"203.0.113.7"}"#.to_owned(), Err(ExportFault::Action)),
            ("[]".to_owned(), Err(ExportFault::Json)),
            (r#"["reject","203.0.113.7"]"#.to_owned(), Err(ExportFault::Json)),
            ("{".to_owned(), Err(ExportFault::Json)),
        ];
        for (body, wanted) in cases {
            assert_eq!(told(&body), wanted.map(|text| text.map(str::to_owned)), "{body}");
        }
    }

    #[test]
    fn a_long_header_and_bytes_that_are_no_text_hide_nothing() {
        let mut body = br#"{"subject":""#.to_vec();
        body.resize(body.len() + 70_000, b'x');
        body.extend(br#"","header_to":["a\"b",""#.iter().chain(b"\xff\xfe\"]"));
        body.extend(
            br#","action":"soft reject","ip":"203.0.113.7","user":"alice","symbols":[{"name":"RATELIMITED"}]}"#,
        );
        assert!(body.len() < EXPORT_BYTES_MAX);
        let export = read(&body).unwrap().unwrap();
        assert_eq!((export.kind, export.login.as_deref()), (EventKind::RateExceeded, Some("alice")));
    }

    #[test]
    fn a_message_is_one_by_what_its_sender_cannot_choose_freely() {
        let name = |id: &str, to: &str, more: &str| {
            let body = format!(
                r#"{{"action":"reject","score":20,"ip":"203.0.113.7","from":"a@example.org","message_id":"{id}","rcpt":{to}{more}}}"#
            );
            read(body.as_bytes()).unwrap().unwrap().message
        };
        let (id, to) = ("m1@example.org", r#"["x@example.net","Y@example.net"]"#);
        let first = name(id, to, "");
        assert_eq!(first, name(id, r#"["y@example.net","x@example.net"]"#, ""), "it is tried again");
        assert_eq!(first, name(id, to, r#","size":900"#));
        for other in [
            name("m2@example.org", to, ""),
            // One id for all of them.
            name(id, r#"["z@example.net"]"#, ""),
            name(id, r#""unknown""#, ""),
        ] {
            assert_ne!(first, other);
        }
        for id in ["undef", "", "a@b", "unknown", "xxxxxxxxxx"] {
            assert_eq!(name(id, to, r#","size":900"#), name("undef", to, r#","size":900"#), "{id}");
            assert_ne!(name(id, to, r#","size":900"#), name(id, to, r#","size":901"#));
            assert_ne!(name(id, to, r#","subject":"a""#), name(id, to, r#","subject":"b""#));
            assert_ne!(name(id, to, ""), name(id, r#"["z@example.net"]"#, ""));
        }
    }
}
