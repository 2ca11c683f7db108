//! Sendmail.
//!
//! ```text
//! [ID: ]NAME [ADDRESS][ (may be forged)]: possible SMTP attack: command=AUTH, count=5
//! ID: AUTH failure (MECH): …, user=LOGIN, relay=NAME [ADDRESS][ (may be forged)]
//! AUTH=server, relay=NAME [ADDRESS], authid=LOGIN, mech=LOGIN, bits=0
//! ID: ruleset=check_rcpt, arg1=<RECIPIENT>, relay=NAME [ADDRESS][ (may be forged)], reject=550 5.7.1 …
//! ID: NAME [ADDRESS]: EXPN root [rejected]
//! ID: NAME [ADDRESS]: Possible SMTP RCPT flood, throttling.
//! ID: NAME [ADDRESS]: probable open proxy: command=GET /
//! ID: rejecting commands from NAME [ADDRESS] due to pre-greeting traffic after 6 seconds
//! ID: NAME [ADDRESS][ (may be forged)] did not issue MAIL/EXPN/VRFY/ETRN during connection to MTA
//! ID: lost input channel from NAME [ADDRESS] to MTA after rcpt
//! ID: tcpwrappers (NAME, ADDRESS) rejection
//! ID: <RECIPIENT>... User unknown                     the address comes with the next line of the same ID:
//! ID: from=<SENDER>, size=0, …, nrcpts=0, …, relay=NAME [ADDRESS]
//! ID: Milter: to=<RECIPIENT>|from=<SENDER>|cmd=data, reject=550 5.7.1 …    the same
//! ID: Milter: data, reject=550 5.7.1 …                the address came with the line before of the same ID
//! ID: Milter: connect: host=NAME, addr=ADDRESS, rejecting commands
//! STARTTLS=server, error: accept failed=-1, reason=…, SSL_error=1, errno=0, retry=-1, relay=NAME [ADDRESS]
//! ```
//!
//! Where the client's text stands before the address, that ends the line or stands before the only `, reject=`; elsewhere
//! the address comes first. A reverse name holds neither space nor bracket; a client without one is written by its address
//! twice, `[ADDRESS] [ADDRESS]`. Quotes in a recipient are whole: Sendmail parses it before it asks a ruleset.

use base::EventKind::{self, Connect, LoginFailed, LoginOk, ProtocolAbuse, RateExceeded, RelayDenied};
use base::EventKind::{SpamSeen, UnknownRecipient};
use base::{Address, Timestamp};

use super::parts::{Recent, Told};
use super::{Grammar, Sink, sasl};
use crate::frame::Frame;
use crate::text::{
    address, behind_quote, bracketed, contains, digits, ending_bracket, named, rsplit, split, split_only, take_while,
    word,
};

/// How many messages with unknown recipients are remembered.
const MESSAGES_MAX: usize = 8_192;

/// Most refusals of one message that are told, of each kind.
const REFUSALS_MAX: u16 = 100;

/// The grammar of Sendmail's log.
pub(super) struct Sendmail {
    /// What was refused of each message whose client is not known yet.
    refused: Recent<Refused>,
    /// The clients of messages that came.
    clients: Recent<Address>,
}

/// How often.
#[derive(Default)]
struct Refused {
    unknown: u16,
    by_milter: u16,
}

impl Default for Sendmail {
    fn default() -> Self {
        Self { refused: Recent::new(MESSAGES_MAX), clients: Recent::new(MESSAGES_MAX) }
    }
}

impl Grammar for Sendmail {
    fn name(&self) -> &'static str {
        "sendmail"
    }

    fn speaks(&self, program: &str) -> bool {
        program == "sendmail" || program.starts_with("sm-")
    }

    fn read(&mut self, frame: &Frame<'_>, time: Timestamp, out: Sink<'_>) {
        let text = frame.message.trim_ascii_end();
        let (id, rest) = take_while(text, |byte| byte.is_ascii_alphanumeric());
        let (id, text) = match rest.strip_prefix(": ") {
            Some(rest) if id.len() >= 7 => (id, rest),
            _ => ("", text),
        };
        let key = Recent::<Refused>::key(frame.host, id, 0);
        if let Some(kind) = refusal(text) {
            if let (SpamSeen, Some(address)) = (kind, self.clients.get(key)) {
                out(Told::new(kind, *address).event(time, "smtp"));
            } else if id != "NOQUEUE" {
                self.refuse(key, kind);
            }
        } else if let Some(rest) = text.strip_prefix("from=") {
            let refused = self.refused.remove(key).unwrap_or_default();
            let Some(address) = rsplit(rest, ", relay=").and_then(|(_, relay)| relay_end(relay)) else { return };
            for (kind, count) in [(UnknownRecipient, refused.unknown), (SpamSeen, refused.by_milter)] {
                for _ in 0..count {
                    out(Told::new(kind, address).event(time, "smtp"));
                }
            }
            if contains(rest, ", nrcpts=0,") {
                // Mail for nobody, though not for somebody unknown.
                if refused.unknown + refused.by_milter == 0 {
                    out(Told::new(Connect, address).event(time, "smtp"));
                }
            } else if !id.is_empty() {
                self.clients.insert(key, address);
            }
        } else if let Some(told) = told(text) {
            out(told.event(time, "smtp"));
        }
    }
}

impl Sendmail {
    /// Remembers what was refused of a message until its client is known.
    fn refuse(&mut self, key: u64, kind: EventKind) {
        if self.refused.get(key).is_none() {
            self.refused.insert(key, Refused::default());
        }
        if let Some(refused) = self.refused.get_mut(key) {
            let count = if kind == UnknownRecipient { &mut refused.unknown } else { &mut refused.by_milter };
            *count = count.saturating_add(1).min(REFUSALS_MAX);
        }
    }
}

/// `<RECIPIENT>... User unknown`, `Milter: to=<RECIPIENT>, reject=550 5.7.1 …`: refused for good, and no client is named.
fn refusal(text: &str) -> Option<EventKind> {
    let unknown = ["... User unknown", "... No such user here", "... No such user"];
    if text.starts_with('<') && unknown.iter().any(|end| text.ends_with(end)) {
        return Some(UnknownRecipient);
    }
    let (what, reason) = split_only(text.strip_prefix("Milter: ")?, ", reject=")?;
    let is_known = matches!(what, "data" | "cmd=data") || what.starts_with("to=<") || what.starts_with("from=<");
    if !is_known || !reason.starts_with('5') {
        return None;
    }
    if contains(reason, "User unknown") {
        return Some(UnknownRecipient);
    }
    (!is_for_want_of_room(reason)).then_some(SpamSeen)
}

/// Whether a milter's answer is of a mailbox that is full or closed, or of the size of the message: ours or the recipient's, whoever
/// sends. A 552 that names a policy (5.7) is a refusal of the contents.
fn is_for_want_of_room(reason: &str) -> bool {
    let (code, rest) = word(reason);
    let (status, _) = word(rest.trim_ascii_start());
    status.starts_with("5.2.") || status == "5.3.4" || (code == "552" && !status.starts_with("5.7."))
}

/// The address of `NAME [ADDRESS]` or `NAME [ADDRESS] (may be forged)`, which is all of the text.
fn relay_end(text: &str) -> Option<Address> {
    let text = text.strip_suffix(" (may be forged)").unwrap_or(text);
    let (address, rest) = relay(text)?;
    rest.is_empty().then_some(address)
}

/// `NAME [ADDRESS]` or `[ADDRESS] [ADDRESS]`, and what follows.
fn relay(text: &str) -> Option<(Address, &str)> {
    let (address, rest) = named(text)?;
    match rest.strip_prefix(' ').and_then(bracketed) {
        Some((again, rest)) => (again == address).then_some((address, rest)),
        None => Some((address, rest)),
    }
}

/// `ruleset=check_rcpt, arg1=<"…"@DOMAIN>, relay=NAME [ADDRESS], reject=REASON`, where the recipient holds such a mark, and the
/// reason may repeat it.
fn behind_quoted(text: &str) -> Option<Told<'static>> {
    let (_ruleset, argument) = split(text, ", arg1=")?;
    let rest = behind_quote(argument.strip_prefix("<\"")?)?.strip_prefix('@')?;
    let (_domain, rest) = take_while(rest, |byte| !matches!(byte, b'"' | b'>' | b','));
    let rest = rest.strip_prefix('>')?;
    let path = argument.get(..argument.len() - rest.len())?;
    let (address, rest) = relay(rest.strip_prefix(", relay=")?)?;
    let rest = rest.strip_prefix(" (may be forged)").unwrap_or(rest);
    let reason = rest.strip_prefix(", reject=")?;
    let (before, after) = split(reason, path).unwrap_or((reason, ""));
    let is_alone = |text: &str| !contains(text, ", relay=") && !contains(text, "\"");
    let kind = rejection(after).or_else(|| rejection(before))?;
    (is_alone(before) && is_alone(after)).then(|| Told::new(kind, address))
}

fn told(text: &str) -> Option<Told<'_>> {
    if text.starts_with("ruleset=") {
        let Some((before, reason)) = split_only(text, ", reject=") else { return behind_quoted(text) };
        let before = before.strip_suffix(" (may be forged)").unwrap_or(before);
        return Some(Told::new(rejection(reason)?, ending_bracket(before)?.1));
    }
    if let Some(rest) = text.strip_prefix("AUTH failure (") {
        let (before, relay) = rsplit(rest, ", relay=")?;
        let (_mechanism, reason) = split(before, "): ")?;
        let login = split(before, ", user=").map_or("", |(_, login)| login);
        return Some(Told::new(sasl::failure(reason)?, relay_end(relay)?).by(login));
    }
    if let Some(rest) = text.strip_prefix("AUTH=server, relay=") {
        let (address, rest) = relay(rest)?;
        let rest = rest.strip_prefix(" (may be forged)").unwrap_or(rest);
        let (login, _) = rsplit(rest.strip_prefix(", authid=")?, ", mech=")?;
        return Some(Told::new(LoginOk, address).by(login));
    }
    let fixed = [
        ("rejecting commands from ", " due to pre-greeting traffic", ProtocolAbuse),
        ("lost input channel from ", " to ", Connect),
        ("timeout waiting for input from ", " during ", Connect),
    ];
    for (before, after, kind) in fixed {
        if let Some(rest) = text.strip_prefix(before) {
            let (address, rest) = relay(rest)?;
            let rest = rest.strip_prefix(" (may be forged)").unwrap_or(rest);
            return rest.starts_with(after).then(|| Told::new(kind, address));
        }
    }
    if text.starts_with("STARTTLS=server, error: accept failed=") {
        let (_, relay) = rsplit(text, ", relay=")?;
        return Some(Told::new(Connect, relay_end(relay)?));
    }
    if let Some(rest) = text.strip_prefix("Milter: connect: host=") {
        // A milter that only asks to come again sends `temp failing commands`.
        let (client, what) = split(split_only(rest, ", addr=")?.1, ", ")?;
        let is_refused = what == "rejecting commands" || what.starts_with("reject=5");
        return is_refused
            .then(|| Some(Told::new(SpamSeen, address(client.strip_prefix("IPv6:").unwrap_or(client))?)))?;
    }
    if let Some(rest) = text.strip_prefix("tcpwrappers (") {
        let (_name, client) = split(rest.strip_suffix(") rejection")?, ", ")?;
        return Some(Told::new(Connect, address(client)?));
    }
    client(text)
}

/// Lines that begin with the client.
fn client(text: &str) -> Option<Told<'static>> {
    let (address, rest) = relay(text)?;
    let rest = rest.strip_prefix(" (may be forged)").unwrap_or(rest);
    if rest.starts_with(" did not issue ") {
        return Some(Told::new(Connect, address));
    }
    let rest = rest.strip_prefix(": ")?;
    if let Some(command) = rest.strip_prefix("possible SMTP attack: command=") {
        let count = split(command, ", count=").and_then(|(_, count)| digits(count));
        let count = count.map_or(1, |(count, _)| count.parse().unwrap_or(u16::MAX).max(1));
        let kind = if command.starts_with("AUTH") { LoginFailed } else { ProtocolAbuse };
        return Some(Told::new(kind, address).in_all(count));
    }
    if rest.starts_with("Possible SMTP RCPT flood") || rest.starts_with("Too many recipients") {
        return Some(Told::new(RateExceeded, address));
    }
    if rest.starts_with("probable open proxy: command=") {
        return Some(Told::new(ProtocolAbuse, address));
    }
    let is_probe = ["EXPN ", "VRFY ", "expn ", "vrfy "].iter().any(|command| rest.starts_with(command));
    (is_probe && rest.ends_with(" [rejected]")).then(|| Told::new(ProtocolAbuse, address))
}

/// What the answer of a ruleset says of the client; none if only that it should come again.
fn rejection(reason: &str) -> Option<EventKind> {
    let has = |text: &str| contains(reason, text);
    Some(if has("Relaying denied") || has("Relaying temporarily denied") || has("Proper authentication required") {
        RelayDenied
    } else if has("User unknown") || has("No such user") {
        UnknownRecipient
    } else if has("rate limit exceeded") || has("Too many open connections") || has("Too many recipients") {
        RateExceeded
    } else if has("Domain of sender address") || has("Fix reverse DNS") || has("Domain name required") {
        ProtocolAbuse
    } else if reason.starts_with('5') {
        SpamSeen
    } else {
        return None;
    })
}
