//! The lines of `postscreen`, which stands before `smtpd`. A client has no name yet: `[ADDRESS]:PORT`.
//!
//! ```text
//! PREGREET 16 after 2.6 from [ADDRESS]:PORT: …
//! HANGUP after 0.1 from [ADDRESS]:PORT in tests after SMTP handshake
//! DNSBL rank 5 for [ADDRESS]:PORT
//! COMMAND PIPELINING|TIME LIMIT|COUNT LIMIT|LENGTH LIMIT from [ADDRESS]:PORT after …
//! NON-SMTP COMMAND from [ADDRESS]:PORT after …        BARE NEWLINE from [ADDRESS]:PORT …
//! NOQUEUE: reject: RCPT from [ADDRESS]:PORT: 550 5.7.1 Service unavailable; client [ADDRESS] blocked using …
//! NOQUEUE: reject: CONNECT from [ADDRESS]:PORT: too many connections
//! ```

use base::EventKind::{Connect, ProtocolAbuse, RateExceeded, SpamSeen};

use super::super::parts::Told;
use super::{after_command, client, queue_id, reject};
use crate::text::split;

pub(super) fn told(text: &str) -> Option<Told<'_>> {
    let beginnings = [
        ("PREGREET ", ProtocolAbuse),
        ("HANGUP ", Connect),
        ("COMMAND ", ProtocolAbuse),
        ("NON-SMTP COMMAND ", ProtocolAbuse),
        ("BARE NEWLINE ", ProtocolAbuse),
        ("DATA without ", ProtocolAbuse),
        ("BDAT without ", ProtocolAbuse),
    ];
    for (beginning, kind) in beginnings {
        if text.starts_with(beginning) {
            return Some(Told::new(kind, client(after_command(text)?)?.0));
        }
    }
    if let Some(rest) = text.strip_prefix("DNSBL rank ") {
        let (_rank, rest) = split(rest, " for ")?;
        return Some(Told::new(SpamSeen, client(rest)?.0));
    }
    let lists = ["BLACKLISTED ", "DENYLISTED "];
    if let Some(rest) = lists.iter().find_map(|list| text.strip_prefix(list)) {
        return Some(Told::new(SpamSeen, client(rest)?.0));
    }
    let (_, rest) = queue_id(text);
    if let Some(rest) = rest.strip_prefix("reject: CONNECT from ") {
        let (address, rest) = client(rest)?;
        return rest.starts_with(": too many connections").then(|| Told::new(RateExceeded, address));
    }
    reject::told(rest)
}
