//! rspamd's lines about scanned messages, in its own file or by syslog, in the default `log_format`.
//!
//! ```text
//! #7(rspamd_proxy) <d27ce8>; proxy; rspamd_task_write_log: id: <ID>, qid: <4XYZ>, ip: ADDRESS, user: LOGIN, from: <SENDER>,
//!   (default: F (soft reject): [0.00/15.00] []), len: 194, …, forced: soft reject "Ratelimit "user" exceeded"; score=nan (set by ratelimit)
//! ```
//!
//! The message id is the client's; rspamd writes no space of it, so that it cannot hold `, ip: `. Sender and recipients come
//! later and may hold anything: a rate limit is read at the line's end, where rspamd writes. A message that is tried again
//! keeps its id, by which rules tell messages apart (`distinct = { of = "message", … }`). Without an id that could be one of
//! its own, what it says and whom it is to tells it apart: rspamd's digest of it, and the recipients behind that.

use base::EventKind::{RateExceeded, SpamSeen};

use super::Hinted;
use super::parts::{Lines, Told};
use crate::exported::is_own_id;
use crate::text::{address, behind_path, rsplit, split, take_while};

pub(super) const RSPAMD: Lines = Lines {
    name: "rspamd",
    aliases: &[],
    service: "smtp",
    // rspamd's own files begin with `#23139(normal)`.
    speaks: |program| program == "rspamd" || program.starts_with('#') || program == "rspamd_proxy",
    hinted: Hinted::Nothing,
    told,
};

fn told(text: &str) -> Option<Told<'_>> {
    let text = match text.strip_prefix('(') {
        Some(rest) => split(rest, ") ")?.1,
        None => text,
    };
    let (_, rest) = split(text.strip_prefix('<')?, ">; ")?;
    let (_module, rest) = take_while(rest, |byte| byte.is_ascii_lowercase());
    let (message, rest) = token(rest.strip_prefix("; rspamd_task_write_log: id: ")?)?;
    let rest = match rest.strip_prefix("qid: ") {
        Some(rest) => token(rest)?.1,
        None => rest,
    };
    let (client, rest) = split(rest.strip_prefix("ip: ")?, ", ")?;
    let login = rest.strip_prefix("user: ").and_then(|rest| split(rest, ", ")).map_or("", |(login, _)| login);
    let kind = if is_rate_limit(rest) {
        RateExceeded
    } else if action(rest).is_some_and(|action| matches!(action, "reject" | "add header" | "rewrite subject")) {
        SpamSeen
    } else {
        return None;
    };
    let message = if is_own_id(message) { message } else { content(rest).unwrap_or(message) };
    Some(Told::new(kind, address(client)?).by(login).about(message))
}

/// `digest: <…>, rcpts: <…>`, without what stands behind.
fn content(text: &str) -> Option<&str> {
    let (before, _) = rsplit(text, ", mime_rcpts: <")?;
    let (_, digest) = rsplit(before, "digest: <")?;
    before.get(before.len() - digest.len() - "digest: <".len()..)
}

/// The action in `[user: LOGIN, ][from: <SENDER>, ](default: T (ACTION): [20.00/15.00] …`.
fn action(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("user: ").map_or(Some(text), |rest| Some(split(rest, ", ")?.1))?;
    let rest = match rest.strip_prefix("from: ") {
        Some(rest) => behind_path(rest)?.strip_prefix(", ")?,
        None => rest,
    };
    let (_metric, rest) = split(rest.strip_prefix('(')?, ": ")?;
    let (_is_spam, rest) = rest.split_at_checked(1)?;
    let (action, _) = split(rest.strip_prefix(" (")?, "): [")?;
    Some(action)
}

/// What stands in `<…>, `, which holds no space, and what follows.
fn token(text: &str) -> Option<(&str, &str)> {
    let (token, rest) = take_while(text, |byte| byte != b' ');
    Some((token.strip_prefix('<')?.strip_suffix(">,")?, rest.strip_prefix(' ')?))
}

/// Whether the line ends with the result of the module `ratelimit`.
fn is_rate_limit(text: &str) -> bool {
    let text = match rsplit(text, ", settings_id: ") {
        // The last thing that a client writes, a recipient, is followed by `>`.
        Some((before, id)) if !id.contains([' ', '>']) => before,
        _ => text,
    };
    let forced = text.strip_suffix("; score=nan (set by ratelimit)").and_then(|text| rsplit(text, ", forced: "));
    forced.is_some_and(|(_, forced)| forced.starts_with("soft reject \"Ratelimit ") && forced.ends_with("exceeded\""))
}
