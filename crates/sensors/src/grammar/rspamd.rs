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
//!
//! rspamd cuts a line at 8 KiB, and a client chooses how long its message id and its recipients are. Two lines before tell of a
//! limit, too, with the same tag, which rspamd chooses for each message; the login stands in the first one, where the limit is one
//! of `user`:
//!
//! ```text
//! <d27ce8>; lua; ratelimit.lua:617: ratelimit "user(10000:LOGIN)" exceeded, (10 / 0.0166): 9.99 (1:1 dyn); redis key: RLfreh1y
//! <d27ce8>; proxy; rspamd_add_passthrough_result: <ID>: set pre-result to 'soft reject' …
//! ```
//!
//! Who is rejected with a score that is no spam's was found on somebody's map of addresses, maybe on Ratter's own: that is no event.

use base::EventKind::{RateExceeded, SpamSeen};
use base::{Address, Channel, Event, EventKind, Tally, Timestamp};

use super::parts::Recent;
use super::{Grammar, Sink};
use crate::exported::{SPAM_SCORE_MIN, is_own_id, name_of_parts};
use crate::frame::Frame;
use crate::text::{address, behind_path, digits, filled, rsplit, split, take_while};

/// Messages beyond a limit that are remembered until their last line: a few milliseconds.
const LIMITED_MAX: usize = 4096;

/// What rspamd writes before what it knows of a message at its end.
const RESULT: &str = "rspamd_task_write_log: id: <";

/// What the lines before the last one told of a message.
#[derive(Default)]
struct Limited {
    /// Who had logged in, where the limit is by that.
    login: String,
    /// Whether it was refused, and not only noted.
    is_refused: bool,
}

pub(super) struct Rspamd {
    limited: Recent<Limited>,
}

impl Default for Rspamd {
    fn default() -> Self {
        Self { limited: Recent::new(LIMITED_MAX) }
    }
}

impl Grammar for Rspamd {
    fn name(&self) -> &'static str {
        "rspamd"
    }

    /// rspamd's own files begin with `#23139(normal)`.
    fn speaks(&self, program: &str) -> bool {
        program == "rspamd" || program.starts_with('#') || program == "rspamd_proxy"
    }

    fn read(&mut self, frame: &Frame<'_>, time: Timestamp, out: Sink<'_>) {
        let Some((tag, text)) = tagged(frame.message.trim_end()) else { return };
        let key = || Recent::<Limited>::key(frame.host, tag, frame.pid.unwrap_or_default());
        if let Some(login) = exceeded(text) {
            let limited = Limited { login: login.to_owned(), is_refused: false };
            self.limited.insert(key(), limited);
        } else if text.starts_with("rspamd_add_passthrough_result: <") {
            if let Some(limited) = self.limited.get_mut(key()) {
                limited.is_refused = true;
            }
        } else if let Some(result) = text.strip_prefix(RESULT) {
            let limited = self.limited.remove(key()).filter(|limited| limited.is_refused);
            if let Some(told) = told(result, limited.as_ref()) {
                // Nobody but a thief writes an id of kilobytes: what he sends is never the same message again.
                let name = told.message.map_or_else(|| name_of_parts(&[tag, "cut"]), |parts| name_of_parts(&parts));
                out(told.event(time, &name));
            }
        }
    }
}

/// What a message's last line tells.
#[derive(Debug)]
struct Told<'a> {
    kind: EventKind,
    address: Option<Address>,
    login: Option<&'a str>,
    /// What it is known by; none if the line was cut before that.
    message: Option<[&'a str; 2]>,
}

impl<'a> Told<'a> {
    const fn event(&self, time: Timestamp, message: &'a str) -> Event<'a> {
        Event {
            time,
            kind: self.kind,
            service: "smtp",
            address: self.address,
            login: self.login,
            session: Some(message),
            password: None,
            channel: Channel::Front,
            tally: Tally::One,
            reporter: None,
        }
    }
}

/// The tag of the message that a line is about, and what stands behind the module.
fn tagged(text: &str) -> Option<(&str, &str)> {
    let text = match text.strip_prefix('(') {
        Some(rest) => split(rest, ") ")?.1,
        None => text,
    };
    let (tag, rest) = split(text.strip_prefix('<')?, ">; ")?;
    let (_module, rest) = take_while(rest, |byte| byte.is_ascii_lowercase());
    Some((tag, rest.strip_prefix("; ")?))
}

/// Whether the line says that a limit is exceeded; and whose, if the limit is by login. Limits with selectors are called what
/// their administrator likes, and count what he likes; `user(NUMBER:LOGIN)` is rspamd's own. Empty for another one.
fn exceeded(text: &str) -> Option<&str> {
    let (_line, rest) = digits(text.strip_prefix("ratelimit.lua:")?)?;
    let (limit, _numbers) = rsplit(rest.strip_prefix(": ratelimit \"")?, "\" exceeded, (")?;
    let login = limit.strip_prefix("user(").and_then(|rest| rest.strip_suffix(')'));
    Some(login.and_then(digits).and_then(|(_bucket, rest)| rest.strip_prefix(':')).unwrap_or_default())
}

/// What a message's last line tells, behind `id: <`. `limited` is what was told of it before, if that was refused.
fn told<'a>(text: &'a str, limited: Option<&'a Limited>) -> Option<Told<'a>> {
    let cut = |limited: &'a Limited| {
        let login = filled(&limited.login)?;
        Some(Told { kind: RateExceeded, address: None, login: Some(login), message: None })
    };
    let Some((message, client, rest)) = sent(text) else { return limited.and_then(cut) };
    let login = rest.strip_prefix("user: ").and_then(|rest| split(rest, ", ")).map(|(login, _)| login);
    let login = login.and_then(filled).or_else(|| limited.and_then(|limited| filled(&limited.login)));
    let verdict = verdict(rest);
    let is_soft = verdict.is_none_or(|(action, _)| action == "soft reject");
    let kind = if is_rate_limit(rest) || limited.is_some() && is_soft {
        RateExceeded
    } else if verdict.is_some_and(is_spam) {
        SpamSeen
    } else {
        return None;
    };
    let content = content(rest);
    // An id that no program makes says nothing, where anything else does.
    let id = if is_own_id(message) || content.is_empty() { message } else { "" };
    Some(Told { kind, address: Some(address(client)?), login, message: Some([id, content]) })
}

/// The id, the client, and what stands behind; none of a line that is cut before the client.
fn sent(text: &str) -> Option<(&str, &str, &str)> {
    // Neither holds a space.
    let token = |text| split(text, " ").and_then(|(token, rest)| Some((token.strip_suffix(">,")?, rest)));
    let (message, rest) = token(text)?;
    let rest = match rest.strip_prefix("qid: <") {
        Some(rest) => token(rest)?.1,
        None => rest,
    };
    let (client, rest) = split(rest.strip_prefix("ip: ")?, ", ")?;
    Some((message, client, rest))
}

/// `digest: <…>, rcpts: <…>`, without what stands behind. Where a client wrote the first of these words, more stands before it
/// that is another each time: nobody makes two messages one by that.
fn content(text: &str) -> &str {
    let text = rsplit(text, ", mime_rcpts: <").map_or(text, |(before, _)| before);
    split(text, "digest: <").map_or("", |(_, content)| content)
}

/// The action and the score in `[user: LOGIN, ][from: <SENDER>, ](default: T (ACTION): [20.00/15.00] …`.
fn verdict(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix("user: ").map_or(Some(text), |rest| Some(split(rest, ", ")?.1))?;
    let rest = match rest.strip_prefix("from: ") {
        Some(rest) => behind_path(rest)?.strip_prefix(", ")?,
        None => rest,
    };
    let (_metric, rest) = split(rest.strip_prefix('(')?, ": ")?;
    let (_is_spam, rest) = rest.split_at_checked(1)?;
    let (action, rest) = split(rest.strip_prefix(" (")?, "): [")?;
    let (score, _required) = split(rest, "/")?;
    Some((action, score))
}

fn is_spam((action, score): (&str, &str)) -> bool {
    matches!(action, "reject" | "add header" | "rewrite subject")
        && score.parse().is_ok_and(|score: f64| score >= SPAM_SCORE_MIN)
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

    /// The events of these lines: kind, address, login, and whose message it is.
    fn events(lines: &[String]) -> Vec<(EventKind, Option<String>, Option<String>, String)> {
        let (mut rspamd, mut events) = (Rspamd::default(), Vec::new());
        for line in lines {
            let frame = Frame { message: line, ..crate::frame::read("") };
            rspamd.read(&frame, Timestamp::EPOCH, &mut |event| {
                let Event { kind, address, login, session, .. } = event;
                let name = session.expect("each is about a message").to_owned();
                events.push((kind, address.map(|it| it.to_string()), login.map(str::to_owned), name));
            });
        }
        events
    }

    fn name(line: &str) -> String {
        let mut events = events(&[line.to_owned()]);
        let (kind, _, login, name) = events.pop().expect("it tells of a limit");
        assert_eq!((kind, login.as_deref()), (RateExceeded, Some("bob@example.org")));
        name
    }

    /// The three lines of a message beyond a limit, cut as rspamd does it.
    fn cut(tag: &str, limit: &str, id: &str, rest: &str) -> Vec<String> {
        let cut = |text: String| text.chars().take(8192).collect::<String>();
        vec![
            format!(
                "<{tag}>; lua; ratelimit.lua:617: ratelimit \"{limit}\" exceeded, (10 / 0.01): 9.9 (1:1 dyn); redis key: RL"
            ),
            format!(
                "<{tag}>; task; {}",
                cut(format!("rspamd_add_passthrough_result: <{id}>: set pre-result to 'soft reject'"))
            ),
            format!("<{tag}>; task; {}", cut(format!("rspamd_task_write_log: id: <{id}>, qid: <Q>, {rest}"))),
        ]
    }

    #[test]
    fn a_line_that_was_cut_still_tells_of_its_limit() {
        let shown = |lines: &[String]| {
            let events = events(lines).into_iter();
            events
                .map(|(kind, address, login, _)| (kind, address.unwrap_or_default(), login.unwrap_or_default()))
                .collect::<Vec<_>>()
        };
        let told = |address: &str, login: &str| vec![(RateExceeded, address.to_owned(), login.to_owned())];
        let (long, limit) = ("x".repeat(30_000), "user(10000:bob@example.org)");
        let sent = |more: &str| format!("ip: 203.0.113.7, from: <b@x.org>, {more}");
        let soft = "(default: F (soft reject): [0.00/15.00] []), digest: <9080>, rcpts: <";
        let many = |action: &str| sent(&soft.replace("soft reject", action)) + &"a@example.net,".repeat(1000);
        // In the id: nobody knows the address.
        assert_eq!(shown(&cut("d27ce8", limit, &long, &sent(soft))), told("", "bob@example.org"));
        // In the recipients, and in what stands before the verdict.
        assert_eq!(
            shown(&cut("d27ce8", limit, "m1@x.org", &many("soft reject"))),
            told("203.0.113.7", "bob@example.org")
        );
        let sender = format!("ip: 203.0.113.7, from: <{long}");
        assert_eq!(shown(&cut("d27ce8", limit, "m1@x.org", &sender)), told("203.0.113.7", "bob@example.org"));
        // Limits that are not by login say nothing of one; nor does one that is only noted, or another message.
        assert_eq!(shown(&cut("d27ce8", "shop(bob@example.org)", &long, &sent(soft))), []);
        assert_eq!(shown(&cut("d27ce8", "user(bob@example.org)", &long, &sent(soft))), []);
        assert_eq!(shown(&cut("d27ce8", limit, "m1@x.org", &many("no action"))), []);
        let mut lines = cut("d27ce8", limit, &long, &sent(soft));
        lines.remove(1);
        assert_eq!(shown(&lines), []);
        let mut lines = cut("d27ce8", limit, &long, &sent(soft));
        lines[2] = lines[2].replace("d27ce8", "d27ce9");
        assert_eq!(shown(&lines), []);
        // A login that looks like the end of the limit is a login.
        let odd = "user(10000:a)\" exceeded, (b)";
        assert_eq!(shown(&cut("d27ce8", odd, &long, &sent(soft))), told("", "a)\" exceeded, (b"));
        // One that was told is forgotten, and each cut line is a message of its own.
        let mut lines = cut("d27ce8", limit, &long, &sent(soft));
        lines.push(lines[2].clone());
        lines.extend(cut("ffffff", limit, &long, &sent(soft)));
        let names: Vec<String> = events(&lines).into_iter().map(|(.., name)| name).collect();
        assert_eq!(names.len(), 2);
        assert_ne!(names[0], names[1]);
    }

    #[test]
    fn a_map_of_addresses_finds_no_spam() {
        let line = |action: &str, score: &str| {
            format!(
                "<60d9b6>; task; rspamd_task_write_log: id: <a@b>, qid: <QQ>, ip: 203.0.113.50, user: bob@example.org, \
                 (default: T ({action}): [{score}/15.00] [RATTER_BLOCKED(0.00){{203.0.113.50;}}]), len: 147, digest: <af1c>, \
                 rcpts: <a@example.net>, forced: reject \"no\"; score=nan (set by multimap)"
            )
        };
        for (action, score, is_spam) in [
            ("reject", "0.00", false),
            ("reject", "2.00", false),
            ("reject", "nan", false),
            ("reject", "17.30", true),
            ("add header", "6.10", true),
            ("rewrite subject", "-1.00", false),
            ("no action", "5.00", false),
        ] {
            assert_eq!(events(&[line(action, score)]).len(), usize::from(is_spam), "{action} {score}");
        }
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
