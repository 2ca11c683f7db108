//! Exim's main and reject logs, in files or by syslog.
//!
//! A client is written by `host_and_ident()` as `[H=][NAME ][(HELO) ][ADDRESS][:PORT][ I=[LOCAL]:PORT][ Ci=N]`; behind it may
//! follow `U= P= X= CV= DN= SNI= A= F=`. The reverse name is one that Exim's pattern for names allows. HELO is checked too
//! (letters, digits, `.-_:[]`), unless `helo_accept_junk_hosts` is set for the client.
//!
//! | line | event |
//! |---|---|
//! | `MECH authenticator failed for CLIENT: 535 Incorrect authentication data[ (set_id=LOGIN)]` | login-failed |
//! | `ID <= SENDER H=CLIENT P=esmtpsa A=MECH:LOGIN …` | login-ok, message-sent |
//! | `H=CLIENT F=<…> rejected RCPT <…>: REASON`, `rejected after DATA`, `rejected by local_scan()`, `dropped by 'connect' ACL` | by reason |
//! | `H=CLIENT sender verify fail for <…>: …`, `ID SA: Action: …rejected…: … (host=NAME [ADDRESS]) for …` | spam-seen |
//! | `SMTP protocol error in "…" H=CLIENT …`, `SMTP protocol synchronization error (…): …`, `SMTP call from CLIENT dropped: too many …`, `SMTP connection from CLIENT closed by DROP in ACL` | protocol-abuse |
//! | `rejected EHLO from CLIENT: syntactically invalid argument(s): …`, `rejected MAIL from CLIENT: no HELO/EHLO given`, `rejected "EHLO …" from CLIENT`, `unqualified sender rejected: <…> H=CLIENT` | protocol-abuse |
//! | `too many recipients: … H=CLIENT`, `rejected MAIL command H=CLIENT: too many messages …` | rate-exceeded |
//! | `no MAIL in SMTP connection from CLIENT …`, `no host name found for IP address …`, timeouts, TLS errors | connect |
//!
//! Why the address found is the true one or none: see `host`. Long lines come in pieces by syslog: see `pieces`.

mod host;
mod pieces;

use base::EventKind::{
    self, Connect, LoginFailed, LoginOk, MessageReceived, MessageSent, ProtocolAbuse, RateExceeded, RelayDenied,
};
use base::EventKind::{SpamSeen, UnknownRecipient};
use base::Timestamp;

use super::parts::Told;
use super::visits::{Handshakes, NO_MORE};
use super::{Grammar, Hinted, Sink};
use crate::frame::{Frame, without_stamp};
use crate::text::{
    address, behind_path, behind_quote, bracketed, contains, digits, find, find_byte, named, rsplit, split, split_only,
    steps, take_while, word,
};
use host::{Client, client, has_another};
use pieces::{Piece, Pieces};

/// Before the client, where TLS failed.
const HANDSHAKE: &str = "TLS error on connection from ";

/// The grammar of Exim's logs.
#[derive(Default)]
pub(super) struct Exim {
    handshakes: Handshakes,
    pieces: Pieces,
}

impl Grammar for Exim {
    fn name(&self) -> &'static str {
        "exim"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["exim4"]
    }

    fn speaks(&self, program: &str) -> bool {
        program.starts_with("exim")
    }

    fn hinted(&self) -> Hinted {
        Hinted::Bare
    }

    fn read(&mut self, frame: &Frame<'_>, time: Timestamp, out: Sink<'_>) {
        match self.pieces.take(frame, time) {
            Piece::None => self.read_line(frame.message, time, out),
            Piece::Kept => {}
            Piece::Whole(text) => self.read_line(&text, time, out),
        }
    }
}

impl Exim {
    fn read_line(&mut self, text: &str, time: Timestamp, out: Sink<'_>) {
        let text = without_pid(text.trim_ascii_end());
        let rest = without_message_id(text);
        if let Some(rest) = rest.strip_prefix("<= ") {
            if let Some(told) = sent(rest) {
                out(told.event(time, "smtp"));
                out(Told { kind: MessageSent, ..told }.event(time, "smtp"));
            } else if let Some(told) = received(rest) {
                out(told.event(time, "smtp"));
            }
        } else if let Some(mut told) = told(rest) {
            if rest.starts_with(HANDSHAKE) && !self.handshakes.is_news(told.address, time) {
                told.tally = NO_MORE;
            }
            out(told.event(time, "smtp"));
        }
    }
}

/// `[26221] `, where `log_selector` has `pid`, also behind a stamp that Exim writes into syslog.
fn without_pid(text: &str) -> &str {
    let text = without_stamp(text);
    text.strip_prefix('[').and_then(digits).and_then(|(_, rest)| rest.strip_prefix("] ")).unwrap_or(text)
}

/// `1Unmew-0000ea-SE `, or the longer form since 4.97.
fn without_message_id(text: &str) -> &str {
    let (id, rest) = take_while(text, |byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let is_id = matches!(id.len(), 16 | 23) && id.as_bytes()[6] == b'-';
    if is_id { rest.strip_prefix(' ').unwrap_or(text) } else { text }
}

/// Mail from a client that had logged in.
fn sent(text: &str) -> Option<Told<'_>> {
    // The sender stands before, the message id behind.
    let Client { address, rest } = client(behind_address(text, " H=")?)?;
    let (_, rest) = split_only(rest, " P=es")?;
    let (_, rest) = split_only(rest, " A=")?;
    let (login, _) = word(rest);
    let (_authenticator, login) = split(login, ":")?;
    Some(Told::new(LoginOk, address).by(split(login, ":").map_or(login, |(login, _)| login)))
}

/// `SENDER H=CLIENT P=esmtps S=… …`: a message from a client that did not log in.
fn received(text: &str) -> Option<Told<'_>> {
    let Client { address, rest } = client(behind_address(text, " H=")?)?;
    split_only(rest, " P=")?.1.contains("smtp").then(|| Told::new(MessageReceived, address))
}

fn told(text: &str) -> Option<Told<'_>> {
    if text.starts_with("H=") {
        return rejected(text);
    }
    if let Some(rest) = text.strip_prefix("F=<") {
        return rejected(behind_address(rest, "> H=")?);
    }
    if let Some(rest) = text.strip_prefix("SMTP ") {
        return smtp(rest);
    }
    if let Some(rest) = text.strip_prefix("SA: Action: ") {
        return spamassassin(rest);
    }
    let visits = [
        "no MAIL in SMTP connection from ",
        "no MAIL in TFO SMTP connection from ",
        "unexpected disconnection while reading SMTP command from ",
        HANDSHAKE,
        "Error or EOF on input from ",
    ];
    if let Some(rest) = visits.iter().find_map(|visit| text.strip_prefix(visit)) {
        return Some(Told::new(Connect, client(rest)?.address));
    }
    if let Some(told) = refused_command(text) {
        return Some(told);
    }
    let greetings = ["rejected EHLO from ", "rejected HELO from "];
    if let Some(rest) = greetings.iter().find_map(|greeting| text.strip_prefix(greeting)) {
        let Client { address, rest } = client(rest)?;
        return rest.starts_with(": syntactically invalid argument(s): ").then(|| Told::new(ProtocolAbuse, address));
    }
    if let Some(rest) = text.strip_prefix("refused connection from ") {
        return Some(Told::new(Connect, client(rest)?.address));
    }
    if let Some(rest) = text.strip_prefix("no host name found for IP address ") {
        return Some(Told::new(Connect, address(word(rest).0)?));
    }
    if text.starts_with("no IP address found for host ") {
        let (_, rest) = split_only(text, " (during SMTP connection from ")?;
        return Some(Told::new(Connect, client(rest)?.address));
    }
    if let Some(rest) = text.strip_prefix("Connection from ") {
        let (address, rest) = named(rest)?;
        return contains(rest, " refused: too many connections").then(|| Told::new(RateExceeded, address));
    }
    authenticator(text)
}

/// Commands that were refused before any ACL: the address they name stands before the client, so that only a line with
/// one mark is read.
fn refused_command(text: &str) -> Option<Told<'static>> {
    let told = |kind, text| Some(Told::new(kind, client(text)?.address));
    if let Some(rest) = text.strip_prefix("rejected MAIL from ") {
        let Client { address, rest } = client(rest)?;
        return rest.starts_with(": no HELO/EHLO given").then(|| Told::new(ProtocolAbuse, address));
    }
    if let Some(rest) = text.strip_prefix("rejected MAIL command ") {
        return told(RateExceeded, split_only(rest, ": too many messages in one connection")?.0);
    }
    if text.starts_with("rejected \"") {
        return told(ProtocolAbuse, split_only(text, "\" from ")?.1);
    }
    let beginnings = [
        ("unqualified sender rejected: <", ProtocolAbuse),
        ("unqualified recipient rejected: <", ProtocolAbuse),
        ("too many recipients: message rejected: sender=<", RateExceeded),
        ("too many recipients: excess temporarily rejected: sender=<", RateExceeded),
    ];
    let (rest, kind) = beginnings.iter().find_map(|(text_of, kind)| Some((text.strip_prefix(text_of)?, *kind)))?;
    told(kind, behind_address(rest, "> H=")?)
}

/// What follows the mail address that `text` begins with and `mark`: of a line with one mark, what follows that; where a local
/// part in quotes holds the mark too, what follows the one behind it, if no other follows.
fn behind_address<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    if let Some((_address, rest)) = split_only(text, mark) {
        return Some(rest);
    }
    let rest = behind_domain(behind_quote(text.strip_prefix('"')?)?)?.strip_prefix(mark)?;
    (!contains(rest, mark)).then_some(rest)
}

/// What follows `@DOMAIN`.
fn behind_domain(text: &str) -> Option<&str> {
    let is_domain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    Some(take_while(text.strip_prefix('@')?, is_domain).1)
}

/// `MECH authenticator failed for CLIENT: 535 Incorrect authentication data …`; `501 …` where the client gave up.
fn authenticator(text: &str) -> Option<Told<'_>> {
    const FAILED: &str = ": 535 Incorrect authentication data";
    const CANCELLED: &str = ": 501 Authentication cancelled";
    let (_mechanism, rest) = take_while(text, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let rest = rest.strip_prefix(" authenticator failed for ")?;
    let is_cancelled = !contains(rest, FAILED);
    // Of a line with one mark, what follows it is not the client's name, unless HELO imitates one and the true one follows.
    let (address, rest) = match split_only(rest, if is_cancelled { CANCELLED } else { FAILED }) {
        Some((before, rest)) => {
            let Client { address, rest: end } = client(before)?;
            (end.is_empty() && !(goes_on(rest) && has_another(rest))).then_some((address, rest))?
        }
        None => {
            let Client { address, rest } = client(rest)?;
            (address, rest.strip_prefix(FAILED)?)
        }
    };
    if is_cancelled {
        return Some(Told::new(Connect, address));
    }
    // Of lines that were counted: `: 3 Time(s)`.
    let rest = match rsplit(rest, "): ") {
        Some((before, count))
            if count.strip_suffix(" Time(s)").and_then(digits).is_some_and(|(_, end)| end.is_empty()) =>
        {
            rest.get(..=before.len()).unwrap_or(rest)
        }
        _ => rest,
    };
    let login = match rest.strip_prefix(" (set_id=") {
        Some(login) => rsplit(login, ")").map_or(login, |(login, _)| login),
        None => "",
    };
    // Some configurations quote it.
    let quoted = login.strip_prefix('"').and_then(|login| login.strip_suffix('"'));
    Some(Told::new(LoginFailed, address).by(quoted.unwrap_or(login)))
}

/// Whether another answer stands in the text. Place by place, because it may be full of nearly such.
fn goes_on(text: &str) -> bool {
    steps::add(text.len());
    text.as_bytes().windows(6).any(|place| matches!(place, b": 435 " | b": 501 " | b": 535 " | b": 553 "))
}

/// `H=CLIENT … F=<…> rejected RCPT <…>: REASON`, and all else that begins with the client.
fn rejected(text: &str) -> Option<Told<'_>> {
    // Of a line with one mark, what follows it is not the client's name.
    if let Some((before, what)) = split_only(text, " rejected ") {
        let Client { address, .. } = client(before)?;
        return Some(Told::new(rejection(what, before.ends_with(" temporarily"))?, address));
    }
    if let Some((before, what, is_temporary)) = behind_quoted_sender(text) {
        let Client { address, .. } = client(before)?;
        return Some(Told::new(rejection(what, is_temporary)?, address));
    }
    if let Some((before, what)) = split(text, " rejected ")
        && let Some(reason) = behind_quoted(what)
    {
        let Client { address, .. } = client(before)?;
        return Some(Told::new(kind_of(reason, "rcpt", before.ends_with(" temporarily"))?, address));
    }
    let Client { address, rest } = client(text)?;
    if let Some(rest) = behind_protocol(rest).strip_prefix(" sender verify fail for ") {
        return (!rest.is_empty()).then(|| Told::new(SpamSeen, address));
    }
    if contains(rest, " dropped by 'connect' ACL") || contains(rest, " dropped by \"connect\" ACL") {
        return Some(Told::new(ProtocolAbuse, address));
    }
    let at = find(rest, " rejected ")?;
    let (before, what) = (rest.get(..at)?, rest.get(at + " rejected ".len()..)?);
    Some(Told::new(rejection(what, before.ends_with(" temporarily"))?, address))
}

/// The text without the protocol and the cipher that it begins with, of which nothing is the client's.
fn behind_protocol(text: &str) -> &str {
    let mut rest = text;
    while let Some(value) = [" P=", " X=", " CV="].iter().find_map(|name| rest.strip_prefix(name)) {
        rest = value.get(find_byte(value, b' ').unwrap_or(value.len())..).unwrap_or("");
    }
    rest
}

/// What stands before ` F=<"…"@DOMAIN> [temporarily ]rejected ` and behind it, where the sender holds the mark of a rejection
/// itself, and whether it was temporarily.
fn behind_quoted_sender(text: &str) -> Option<(&str, &str, bool)> {
    let (before, rest) = split(text, " F=<\"")?;
    let rest = behind_domain(behind_quote(rest)?)?.strip_prefix('>')?;
    let temporarily = rest.strip_prefix(" temporarily");
    let what = temporarily.unwrap_or(rest).strip_prefix(" rejected ")?;
    (!contains(before, " rejected ") && is_the_end(what)).then_some((before, what, temporarily.is_some()))
}

/// The reason behind `RCPT <"…"@DOMAIN>: `, where the recipient holds the mark of a rejection itself.
fn behind_quoted(what: &str) -> Option<&str> {
    let rest = what.strip_prefix("RCPT <\"").or_else(|| what.strip_prefix("MAIL <\""))?;
    let rest = behind_quote(rest)?.strip_prefix('@')?;
    let (_domain, rest) = take_while(rest, |byte| !matches!(byte, b'"' | b'>'));
    rest.strip_prefix(">: ").filter(|reason| is_the_end(reason))
}

/// Whether what follows a quoted address is Exim's. If HELO only imitated all before the quote, the true sender or recipient
/// would have closed it by its own first quote, and its own last one, or a second rejection, or a second address would
/// follow: a line with one of these is not read so.
fn is_the_end(text: &str) -> bool {
    !contains(text, "\"") && !contains(text, " rejected ") && !has_another(text)
}

/// What the words behind `rejected ` say of the client; none if only that it should come again.
fn rejection(what: &str, is_temporary: bool) -> Option<EventKind> {
    let (command, rest) = word(what);
    match command {
        // The address is the client's, and so no reason.
        "RCPT" | "MAIL" if rest.starts_with('<') => {
            let reason = behind_path(rest).and_then(|rest| rest.strip_prefix(": ")).unwrap_or("");
            kind_of(reason, command, is_temporary)
        }
        // So is HELO, which many reasons repeat.
        "EHLO" | "HELO" => {
            let (helo, reason) = split(rest.strip_prefix("or HELO ").unwrap_or(rest), ": ").unwrap_or((rest, ""));
            let reason = reason.get(..reason.floor_char_boundary(REASON_BYTES_MAX)).unwrap_or("");
            let reason = if helo.is_empty() { reason.to_owned() } else { reason.replace(helo, "") };
            kind_of(&reason, command, is_temporary)
        }
        _ => kind_of(what, command, is_temporary),
    }
}

/// How much of a reason is read, in bytes: its first words say what it is.
const REASON_BYTES_MAX: usize = 512;

/// What reasons say; none for what is ours or the recipient's, where nothing is wrong with the client.
const REASONS: &[(&str, Option<EventKind>)] = &[
    ("quota", None),
    ("mailbox is full", None),
    ("mailbox full", None),
    ("over limit", None),
    ("too big", None),
    ("too large", None),
    ("message size", None),
    ("size limit", None),
    ("storage", None),
    ("disk space", None),
    ("insufficient", None),
    ("ratelimit", Some(RateExceeded)),
    ("rate limit", Some(RateExceeded)),
    ("too many", Some(RateExceeded)),
    ("relay not permitted", Some(RelayDenied)),
    ("relaying denied", Some(RelayDenied)),
    ("auth is required", Some(RelayDenied)),
    ("authentication required", Some(RelayDenied)),
    ("unknown user", Some(UnknownRecipient)),
    ("user unknown", Some(UnknownRecipient)),
    ("unrouteable address", Some(UnknownRecipient)),
    ("no such user", Some(UnknownRecipient)),
    ("unknown recipient", Some(UnknownRecipient)),
    ("no such recipient", Some(UnknownRecipient)),
    ("dnsbl", Some(SpamSeen)),
    ("blacklist", Some(SpamSeen)),
    ("black list", Some(SpamSeen)),
    ("blocklist", Some(SpamSeen)),
    ("block list", Some(SpamSeen)),
    ("listed", Some(SpamSeen)),
    ("rbl", Some(SpamSeen)),
    ("spamhaus", Some(SpamSeen)),
    ("spamcop", Some(SpamSeen)),
    ("sender verify failed", Some(SpamSeen)),
    ("bad helo", Some(ProtocolAbuse)),
];

/// What the reason why `command` was rejected says. Its own words come before those of the client that it repeats, so that
/// the first that is known decides.
fn kind_of(reason: &str, command: &str, is_temporary: bool) -> Option<EventKind> {
    let reason = reason.get(..reason.floor_char_boundary(REASON_BYTES_MAX)).unwrap_or("").to_ascii_lowercase();
    let is_content = matches!(command, "after" | "by" | "DATA" | "DATA:");
    // Of a message's content, its subject may be repeated behind what was found.
    let found = if is_content { &["spam", "virus", "malware"][..] } else { &[] };
    let found = found.iter().map(|word| (*word, Some(SpamSeen)));
    let known = REASONS.iter().copied().chain(found);
    let first = known.filter_map(|(words, kind)| Some((find(&reason, words)?, kind))).min_by_key(|(at, _)| *at);
    let default = if is_content { SpamSeen } else { ProtocolAbuse };
    let kind = first.map_or(Some(default), |(_, kind)| kind)?;
    if matches!(kind, RateExceeded | RelayDenied) {
        Some(kind)
    } else if is_temporary {
        None
    } else {
        Some(if is_content { SpamSeen } else { kind })
    }
}

/// Lines that begin with `SMTP `.
fn smtp(text: &str) -> Option<Told<'_>> {
    if let Some(rest) = text.strip_prefix("call from ") {
        let Client { address, rest } = client(rest)?;
        return rest.starts_with(" dropped: too many ").then(|| Told::new(ProtocolAbuse, address));
    }
    if let Some(rest) = text.strip_prefix("connection ") {
        // With the selector `connection_id`.
        let number = rest.strip_prefix("Ci=").and_then(digits);
        let rest = number.and_then(|(_, rest)| rest.strip_prefix(' ')).unwrap_or(rest);
        let Client { address, rest } = client(rest.strip_prefix("from ")?)?;
        return rest.starts_with(" closed by DROP in ACL").then(|| Told::new(ProtocolAbuse, address));
    }
    let timeouts = [
        "command timeout on connection from ",
        "command timeout on TLS connection from ",
        "data timeout (message abandoned) on connection from ",
        "data timeout (message abandoned) on TLS connection from ",
    ];
    if let Some(rest) = timeouts.iter().find_map(|timeout| text.strip_prefix(timeout)) {
        return Some(Told::new(Connect, client(rest)?.address));
    }
    let errors = ["protocol synchronization error (", "protocol violation: synchronization error ("];
    if let Some(rest) = errors.iter().find_map(|error| text.strip_prefix(error)) {
        let (_, rest) = split(rest, "): rejected ")?;
        let rest = match rest.strip_prefix("connection from ") {
            Some(rest) => rest,
            // The command stands before, what came too early behind.
            None => split_only(rest, "\" H=")?.1,
        };
        return Some(Told::new(ProtocolAbuse, client(rest)?.address));
    }
    let is_error = text.starts_with("protocol error in \"") || text.starts_with("syntax error in \"");
    // The command holds anything. Of a line with one mark, that is Exim's, and any text may stand behind the client
    // (`malformed address: … may not follow …`); else the last one is, if one of these texts stands there.
    let text = is_error.then_some(text)?;
    if let Some((_, rest)) = split_only(text, "\" H=") {
        let Client { address, rest } = client(rest)?;
        return rest.starts_with(' ').then(|| Told::new(ProtocolAbuse, address));
    }
    let Client { address, rest } = client(rsplit(text, "\" H=")?.1)?;
    let (mechanism, message) = word(rest.trim_ascii_start());
    let is_known = COMMAND_FAULTS.contains(&rest.trim_ascii_start())
        || message == "authentication mechanism not supported"
            && mechanism.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    is_known.then(|| Told::new(ProtocolAbuse, address))
}

/// What Exim says of a command that it does not take (`synprot_error()` in its `smtp_in.c`), of which nothing is the client's.
const COMMAND_FAULTS: &[&str] = &[
    "AUTH command used when not advertised",
    "STARTTLS command used when not advertised",
    "BDAT command used when CHUNKING not advertised",
    "SMTPUTF8 used when not advertised",
    "already authenticated",
    "not permitted in mail transaction",
    "invalid character in authentication mechanism name",
    "sender already given",
    "sender not yet given",
    "no valid RCPT command given",
    "valid RCPT command must precede DATA",
    "valid RCPT command must precede BDAT",
    "only BDAT permissible after non-LAST BDAT",
    "only RSET accepted now",
    "missing size for BDAT command",
    "zero size for BDAT command",
    "MAIL must have an address operand",
    "RCPT must have an address operand",
    "ETRN is not permitted inside a transaction",
    "SMTP synchronization error",
    "unrecognized command",
    "missing or malformed local part",
    "missing or malformed local part (expected word or \"<\")",
    "NUL character(s) present (shown as '?')",
    "NULL character(s) present (shown as '?')",
];

/// `SpamAssassin` at SMTP time: `… (scanned in 6/6 secs | Message-Id: …). From <…> (host=NAME [ADDRESS]) for …`.
fn spamassassin(text: &str) -> Option<Told<'_>> {
    let actions =
        ["silently tossed message", "permanently rejected", "temporarily rejected", "rejected", "flagged as Spam"];
    if !actions.iter().any(|action| text.starts_with(action)) {
        return None;
    }
    let (_, rest) = split_only(text, " (host=")?;
    let (name, rest) = take_while(rest, |byte| !matches!(byte, b' ' | b'[' | b')'));
    let rest = if name.is_empty() { rest } else { rest.strip_prefix(' ')? };
    Some(Told::new(SpamSeen, bracketed(rest)?.0))
}

#[cfg(test)]
mod tests {
    use super::super::tests::events;

    /// A local part in quotes may hold Exim's own marks. Only such a one is passed over as a whole, and only if no mark follows
    /// the one behind it.
    #[test]
    fn quoted_senders_hide_nothing() {
        let relay = "relay-denied smtp front 1 203.0.113.5 - -";
        let cases = [
            (
                r#"1Unmew-0000ea-SE <= "a H=b"@d.example H=(x) [203.0.113.5] P=esmtp S=7 id=y"#,
                "message-received smtp front 1 203.0.113.5 - -",
            ),
            (
                r#"1Unmew-0000ea-SE <= "a H=[198.51.100.9] P=esmtp"@d.example H=(x) [203.0.113.5] P=esmtp S=7"#,
                "message-received smtp front 1 203.0.113.5 - -",
            ),
            (
                r#"1Unmew-0000ea-SE <= "a \" H=[198.51.100.9]"@d.example H=(x) [203.0.113.5] P=esmtpsa A=plain:bob S=7"#,
                "login-ok smtp front 1 203.0.113.5 bob - + message-sent smtp front 1 203.0.113.5 bob -",
            ),
            (r#"1Unmew-0000ea-SE <= "a"@d.example H=[198.51.100.9] P=esmtp H=(x) [203.0.113.5] P=esmtp S=7"#, ""),
            (r"1Unmew-0000ea-SE <= a H=[198.51.100.9] P=esmtp H=(x) [203.0.113.5] P=esmtp S=7", ""),
            (
                r#"F=<"a> H=[198.51.100.9]"@d.example> H=(x) [203.0.113.5] rejected by local_scan(): y"#,
                "spam-seen smtp front 1 203.0.113.5 - -",
            ),
            (r#"unqualified sender rejected: <"a> H=[198.51.100.9]"> H=(x) [203.0.113.5]"#, ""),
            (
                r#"too many recipients: message rejected: sender=<"a> H=[198.51.100.9]"@d> H=(x) [203.0.113.5]"#,
                "rate-exceeded smtp front 1 203.0.113.5 - -",
            ),
            (
                r#"H=(x) [203.0.113.5] F=<"a rejected RCPT <b>: c"@d.example> rejected RCPT <e@f>: relay not permitted"#,
                relay,
            ),
            (
                r#"H=(x) [203.0.113.5] F=<"H=a [198.51.100.9] rejected RCPT "@d> rejected RCPT <e@f>: relay not permitted"#,
                relay,
            ),
            (
                r#"H=(x) [203.0.113.5] X=TLS1.3 CV=no F=<"a rejected b"@d> temporarily rejected RCPT <e@f>: greylisted"#,
                "",
            ),
            // HELO imitates all before it.
            (
                r#"H=(x) [198.51.100.9] F=<"a rejected b"@d> rejected RCPT <e@f>: relay not permitted) [203.0.113.5] F=<g@h> rejected RCPT <i@j>: x"#,
                "",
            ),
            (
                r#"H=(x) [198.51.100.9] F=<"a) [203.0.113.5] F=<"@d> rejected RCPT <e>: y"@h> rejected RCPT <i@j>: x"#,
                "",
            ),
        ];
        for (text, wanted) in cases {
            assert_eq!(events(&format!("Nov 21 07:44:14 mx exim[7]: {text}")), wanted, "{text}");
        }
    }
}
