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
};

/// How many messages with unknown recipients are remembered.
const MESSAGES_MAX: usize = 8_192;

/// Most unknown recipients of one message that are told.
const UNKNOWN_MAX: u16 = 100;

/// The grammar of Sendmail's log.
pub(super) struct Sendmail {
    /// The unknown recipients of each message.
    unknown: Recent<u16>,
}

impl Default for Sendmail {
    fn default() -> Self {
        Self { unknown: Recent::new(MESSAGES_MAX) }
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
        if is_unknown(text) {
            let key = Recent::<u16>::key(frame.host, id, 0);
            match self.unknown.get_mut(key) {
                Some(count) => *count = count.saturating_add(1).min(UNKNOWN_MAX),
                None => self.unknown.insert(key, 1),
            }
            return;
        }
        if let Some(rest) = text.strip_prefix("from=") {
            let count = self.unknown.remove(Recent::<u16>::key(frame.host, id, 0)).unwrap_or(0);
            let Some(address) = rsplit(rest, ", relay=").and_then(|(_, relay)| relay_end(relay)) else { return };
            for _ in 0..count {
                out(Told::new(UnknownRecipient, address).event(time, "smtp"));
            }
            // Mail for nobody, though not for somebody unknown.
            if count == 0 && contains(rest, ", nrcpts=0,") {
                out(Told::new(Connect, address).event(time, "smtp"));
            }
        } else if let Some(told) = told(text) {
            out(told.event(time, "smtp"));
        }
    }
}

/// `<RECIPIENT>... User unknown`.
fn is_unknown(text: &str) -> bool {
    text.starts_with('<')
        && ["... User unknown", "... No such user here", "... No such user"].iter().any(|end| text.ends_with(end))
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
