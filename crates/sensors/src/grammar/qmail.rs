//! qmail and what stands around it: rblsmtpd, badiprbl, vpopmail's vchkpw, CHKUSER, spamdyke.
//!
//! ```text
//! rblsmtpd:     ADDRESS pid 19597 ZONE: 451 …      ZONE blocked ADDRESS NAME -
//! qmail-smtpd:  421 badiprbl: ip ADDRESS rbl: …
//! qmail-smtpd:  CHKUSER rejected rcpt: from <SENDER::> remote <HELO:NAME:ADDRESS> rcpt <RECIPIENT> : not existing recipient
//! vpopmail:     vchkpw-smtp: password fail (pass: '…') LOGIN:ADDRESS        vchkpw-pop3: (PLAIN) login success LOGIN:ADDRESS
//! spamdyke:     DENIED_RBL_MATCH from: SENDER to: RECIPIENT origin_ip: ADDRESS origin_rdns: NAME auth: LOGIN …
//! ```
//!
//! The address stands before the client's text, or ends the line behind it; where client text stands on both sides, only a
//! line with one mark is read.

use base::Address;
use base::EventKind::{self, LoginFailed, LoginOk, ProtocolAbuse, RelayDenied, SpamSeen, UnknownRecipient};

use super::Hinted;
use super::parts::{Lines, Told};
use crate::text::{address, contains, digits, find_byte, rsplit_byte, split, split_only, take_while, word};

pub(super) const QMAIL: Lines = Lines {
    name: "qmail",
    aliases: &["vpopmail", "spamdyke", "rblsmtpd"],
    service: "smtp",
    speaks: |program| {
        matches!(program, "qmail" | "rblsmtpd" | "qmail-smtpd" | "vpopmail" | "vchkpw" | "spamdyke" | "smtp")
            || program.starts_with("qmail/")
    },
    hinted: Hinted::Bare,
    told,
};

fn told(text: &str) -> Option<Told<'_>> {
    // `1157520813.485077 `, which splogger writes, and the name of the program.
    let (number, rest) = take_while(text, |byte| byte.is_ascii_digit() || byte == b'.');
    let is_stamp = number.find('.').is_some_and(|at| at >= 10);
    let text = if is_stamp { rest.strip_prefix(' ').unwrap_or(text) } else { text };
    if text.starts_with("vchkpw") {
        return vchkpw(text);
    }
    let text = ["rblsmtpd: ", "qmail-smtpd: "].iter().find_map(|name| text.strip_prefix(name)).unwrap_or(text);
    if let Some(rest) = text.strip_prefix("CHKUSER ") {
        return chkuser(rest);
    }
    if text.starts_with("DENIED_") || text.starts_with("FAILED_AUTH ") {
        return spamdyke(text);
    }
    let coded = digits(text).and_then(|(_, rest)| rest.strip_prefix(' '));
    if let Some(rest) = coded.unwrap_or(text).strip_prefix("badiprbl: ip ") {
        return Some(Told::new(SpamSeen, address(word(rest).0)?));
    }
    let (first, rest) = word(text);
    if let Some(rest) = rest.strip_prefix("blocked ") {
        return rest.ends_with('-').then(|| Some(Told::new(SpamSeen, address(word(rest).0)?)))?;
    }
    let is_blocked = rest.starts_with("pid ") && (contains(rest, ": 451 ") || contains(rest, ": 553 "))
        || rest.starts_with("pid ") && contains(rest, " 451 ");
    is_blocked.then(|| Some(Told::new(SpamSeen, address(first)?)))?
}

/// `vchkpw-SERVICE: WHAT LOGIN:ADDRESS`.
fn vchkpw(text: &str) -> Option<Told<'_>> {
    let (_, what) = split(text, ": ")?;
    let refusals = [
        "password fail",
        "vpopmail user not found",
        "null password given",
        "null user name given",
        "user has no password",
        "invalid user/domain characters",
        "system user not found",
        "system user shadow entry not found",
        "system password fail",
    ];
    let kind = if refusals.iter().any(|refusal| what.starts_with(refusal)) {
        LoginFailed
    } else if what.starts_with("login success ") || what.starts_with('(') && contains(what, " login success ") {
        LoginOk
    } else {
        return None;
    };
    // Checked before: no login holds a colon (`is_username_valid()`, `is_domain_valid()`).
    let is_checked = ["password fail", "vpopmail user not found", "user has no password"]
        .iter()
        .any(|refusal| what.starts_with(refusal))
        || kind == LoginOk;
    let (login, client) = login_and_client(rsplit_byte(what, b' ')?.1, is_checked)?;
    Some(Told::new(kind, client).by(login))
}

/// `LOGIN:ADDRESS`. A login that was not checked may hold colons: then only an IPv4 address is beyond doubt, which has none.
fn login_and_client(text: &str, is_checked: bool) -> Option<(&str, Address)> {
    let (before, last) = rsplit_byte(text, b':')?;
    if let Some(client) = address(last) {
        return Some((
            before.strip_suffix("::ffff").map_or(before, |login| login.strip_suffix(':').unwrap_or(login)),
            client,
        ));
    }
    let (login, client) = text.split_at_checked(find_byte(text, b':').filter(|_| is_checked)?)?;
    Some((login, address(client.get(1..)?)?))
}

/// `rejected rcpt: from <…> remote <HELO:NAME:ADDRESS> rcpt <…> : REASON`.
fn chkuser(text: &str) -> Option<Told<'_>> {
    let what = text.strip_prefix("rejected ")?;
    let (_, rest) = split_only(what, " remote <")?;
    let (remote, rest) = split_only(rest, "> rcpt <")?;
    let (_, client) = rsplit_byte(remote, b':')?;
    let kind = if what.starts_with("relaying: ") {
        RelayDenied
    } else if contains(rest, "not existing recipient") || contains(rest, "invalid rcpt") {
        UnknownRecipient
    } else {
        ProtocolAbuse
    };
    Some(Told::new(kind, address(client)?))
}

/// `DENIED_WHY from: … to: … origin_ip: ADDRESS origin_rdns: NAME auth: LOGIN …`.
fn spamdyke(text: &str) -> Option<Told<'_>> {
    let (why, rest) = word(text);
    let kind: EventKind = match why {
        "FAILED_AUTH" => LoginFailed,
        "DENIED_RELAYING" | "DENIED_UNQUALIFIED_RECIPIENT" => RelayDenied,
        "DENIED_INVALID_RECIPIENT" | "DENIED_RECIPIENT_INVALID" => UnknownRecipient,
        "DENIED_EARLYTALKER" | "DENIED_TOO_MANY_RECIPIENTS" | "DENIED_ACCESS_DENIED" => ProtocolAbuse,
        // Refused for a while, whoever it is.
        "DENIED_GRAYLISTED" | "DENIED_OTHER" => return None,
        _ => SpamSeen,
    };
    let (_, rest) = split_only(rest, " origin_ip: ")?;
    let (client, rest) = word(rest);
    let login = split(rest, " auth: ").map_or("", |(_, rest)| word(rest).0);
    Some(Told::new(kind, address(client)?).by(login).without("(unknown)"))
}
