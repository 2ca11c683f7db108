//! rspamd's lines about scanned messages, in its own file or by syslog, in the default `log_format`.
//!
//! ```text
//! #7(rspamd_proxy) <d27ce8>; proxy; rspamd_task_write_log: id: <ID>, qid: <4XYZ>, ip: ADDRESS, user: LOGIN, from: <SENDER>,
//!   (default: F (soft reject): [0.00/15.00] []), len: 194, …, forced: soft reject "Ratelimit "user" exceeded"; score=nan (set by ratelimit)
//! ```
//!
//! The message id is the client's; rspamd writes no space of it, so that it cannot hold `, ip: `. Sender and recipients come
//! later and may hold anything: a rate limit is read at the line's end, where rspamd writes. Rules tell messages apart
//! (`distinct = { of = "message", … }`) by three things together: the id, what the message says (rspamd's digest of it), and whom it
//! is to. One that is tried again keeps all of them; a thief who gives all his messages one id, or one text, does not.

use base::EventKind::{RateExceeded, SpamSeen};
use base::Timestamp;

use super::parts::Told;
use super::{Grammar, Sink};
use crate::exported::{is_own_id, name_of_parts};
use crate::frame::Frame;
use crate::text::{address, behind_path, rsplit, split, take_while};

pub(super) struct Rspamd;

impl Grammar for Rspamd {
    fn name(&self) -> &'static str {
        "rspamd"
    }

    /// rspamd's own files begin with `#23139(normal)`.
    fn speaks(&self, program: &str) -> bool {
        program == "rspamd" || program.starts_with('#') || program == "rspamd_proxy"
    }

    fn read(&mut self, frame: &Frame<'_>, time: Timestamp, out: Sink<'_>) {
        if let Some((told, message)) = told(frame.message.trim_end()) {
            let name = name_of_parts(&message);
            out(told.about(&name).event(time, "smtp"));
        }
    }
}

/// What a line tells, and what its message is known by.
fn told(text: &str) -> Option<(Told<'_>, [&str; 2])> {
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
    let content = content(rest);
    // An id that no program makes says nothing, where anything else does.
    let id = if is_own_id(message) || content.is_empty() { message } else { "" };
    Some((Told::new(kind, address(client)?).by(login), [id, content]))
}

/// `digest: <…>, rcpts: <…>`, without what stands behind. Where a client wrote the first of these words, more stands before it
/// that is another each time: nobody makes two messages one by that.
fn content(text: &str) -> &str {
    let text = rsplit(text, ", mime_rcpts: <").map_or(text, |(before, _)| before);
    split(text, "digest: <").map_or("", |(_, content)| content)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A line about a message of that id, text and recipients, tried at some moment.
    fn line(id: &str, digest: &str, to: &str, time: &str) -> String {
        format!(
            "<d27ce8>; proxy; rspamd_task_write_log: id: <{id}>, qid: <4XYZ>, ip: 203.0.113.7, user: bob@example.org, \
             from: <bob@example.org>, (default: F (soft reject): [0.00/15.00] []), len: 194, time: {time}ms, dns req: 0, \
             digest: <{digest}>, rcpts: <{to}>, mime_rcpts: <x@example.net>, forced: soft reject \"Ratelimit \"user\" exceeded\"; \
             score=nan (set by ratelimit)"
        )
    }

    fn name(line: &str) -> String {
        let (told, message) = told(line).expect("it tells of a limit");
        assert_eq!((told.kind, told.login), (RateExceeded, Some("bob@example.org")));
        name_of_parts(&message)
    }

    #[test]
    fn a_message_that_is_tried_again_is_one_and_equal_ids_are_not() {
        let first = name(&line("mm11.bob@example.org", "9080", "a@example.net", "0.848"));
        assert_eq!(first, name(&line("mm11.bob@example.org", "9080", "a@example.net", "3.1")), "it is tried again");
        for (id, digest, to) in [
            ("mm12.bob@example.org", "9080", "a@example.net"),
            ("mm11.bob@example.org", "9081", "a@example.net"),
            ("mm11.bob@example.org", "9080", "b@example.net"),
            ("mm11.bob@example.org", "9080", "b@example.net>,<digest: <9080>, rcpts: <a@example.net"),
            ("undef", "9080", "a@example.net"),
        ] {
            assert_ne!(first, name(&line(id, digest, to, "0.848")), "{id} {digest} {to}");
        }
        // What is no id of its own makes nothing another message.
        assert_eq!(
            name(&line("a@b", "9080", "a@example.net", "1")),
            name(&line("undef", "9080", "a@example.net", "2"))
        );
        let bare =
            line("mm11.bob@example.org", "9080", "a@example.net", "1").replace(", mime_rcpts: <x@example.net>", "");
        assert_ne!(name(&bare), name(&bare.replace("<a@", "<b@")), "no `To:` in the message");
    }
}
