//! Cyrus: imapd, pop3d and timsieved (`ManageSieve`), by any of the names that `cyrus.conf` gives them.
//!
//! ```text
//! badlogin: [NAME ][ADDRESS] plaintext LOGIN SASL(-13): authentication failure: checkpass failed
//! badlogin: [NAME ][ADDRESS] plaintext LOGIN|(LOGIN) invalid user
//! badlogin: [NAME ][ADDRESS] MECH [LOGIN|(LOGIN) ][SASL(-13): authentication failure: …]
//! badlogin: NAME[ADDRESS] MECH authentication failure
//! badlogin: NAME[ADDRESS] MECH user not found
//! login: NAME [ADDRESS] LOGIN MECH User logged in[ SESSIONID=<…>]
//! event=login.bad r.clienthost="NAME [ADDRESS]" u.username=LOGIN [login.mech=MECH ][login.scheme=SCHEME ]error="SASL(-13): …"
//! event=login.good [sessionid=… ][r.tid=… ]r.clienthost="NAME [ADDRESS]" u.username=LOGIN login.mech=MECH login.tls=1
//! ```
//!
//! Before the address stands the reverse name only, which holds neither space nor bracket. The last two are of what comes after
//! 3.12 (`imap/loginlog.c`): a value that is not of plain signs is quoted, with a backslash before each quote and backslash
//! (`lib/logfmt.c`), so that they are read pair by pair from the left.

use base::EventKind::{self, LoginFailed, LoginOk};

use super::Hinted;
use super::parts::{Lines, Told};
use crate::text::{behind_quote, contains, find_byte, named, rsplit, word};

pub(super) const CYRUS: Lines = Lines {
    name: "cyrus",
    aliases: &["sieve", "timsieved", "managesieve"],
    service: "cyrus",
    speaks,
    hinted: Hinted::Nothing,
    told,
};

fn speaks(program: &str) -> bool {
    let name = program.strip_prefix("cyrus/").unwrap_or(program);
    let known = ["imap", "imaps", "imapd", "pop3", "pop3s", "pop3d", "sieve", "sieved", "timsieve", "timsieved"];
    known.contains(&name)
        || program.starts_with("cyrus/")
        || matches!(name, "managesieve" | "lmtpd" | "nntpd" | "httpd" | "lmtp" | "nntp" | "http" | "https" | "mupdate")
}

fn told(text: &str) -> Option<Told<'_>> {
    if let Some(rest) = text.strip_prefix("login: ") {
        let (address, rest) = named(rest)?;
        let (login, rest) = word(rest.strip_prefix(' ')?);
        return contains(rest, "User logged in").then(|| Told::new(LoginOk, address).by(login));
    }
    if let Some(rest) = text.strip_prefix("event=login.") {
        return pairs(rest);
    }
    let (address, rest) = named(text.strip_prefix("badlogin: ")?)?;
    let (mechanism, rest) = word(rest.strip_prefix(' ')?);
    if let Some(login) = rest.strip_suffix(" invalid user") {
        let inside = login.strip_prefix('(').and_then(|login| login.strip_suffix(')'));
        return Some(Told::new(LoginFailed, address).by(inside.unwrap_or(login)));
    }
    if !is_refusal(rest) {
        return None;
    }
    let inside = rest.strip_prefix('(').and_then(|rest| rsplit(rest, ") [SASL(").or_else(|| rsplit(rest, ") SASL(")));
    let login = match inside {
        // What the server asked the client to prove.
        _ if mechanism == "APOP" => "",
        Some((login, _)) => login,
        // `httpd` names the login with any mechanism.
        None => rsplit(rest, " SASL(").map_or("", |(login, _)| login.trim_end_matches(" [")),
    };
    Some(Told::new(LoginFailed, address).by(login))
}

/// Whether the reason is that a password was wrong, the login unknown, or not the client's.
fn is_refusal(reason: &str) -> bool {
    matches!(reason, "authentication failure" | "user not found" | "invalid user")
        || ["SASL(-13)", "SASL(-14)", "SASL(-20)"].iter().any(|code| contains(reason, code))
}

/// `bad r.clienthost=… …`, `good sessionid=… …`.
fn pairs(text: &str) -> Option<Told<'_>> {
    let (outcome, mut rest) = word(text);
    let (mut client, mut login, mut error) = (None, "", "");
    while let Some((key, value, behind)) = pair(rest) {
        match key {
            "r.clienthost" => client = client.or(Some(value)),
            "u.username" => login = value,
            "error" => error = value,
            _ => {}
        }
        rest = behind;
    }
    let (address, end) = named(client?)?;
    let kind: EventKind = match outcome {
        "good" => LoginOk,
        "bad" if is_refusal(error) => LoginFailed,
        _ => return None,
    };
    end.is_empty().then(|| Told::new(kind, address).by(login).without("~null~"))
}

/// The key and the value of `KEY=VALUE` or `KEY="VALUE"`, and what follows them and a space; none where nothing of the kind is left.
fn pair(text: &str) -> Option<(&str, &str, &str)> {
    let (key, rest) = text.split_at_checked(find_byte(text, b'=')?)?;
    let rest = rest.get(1..)?;
    match rest.strip_prefix('"') {
        Some(inside) => {
            let behind = behind_quote(inside)?;
            Some((key, inside.get(..inside.len() - behind.len() - 1)?, behind.strip_prefix(' ').unwrap_or(behind)))
        }
        None => {
            let (value, behind) = word(rest);
            Some((key, value, behind))
        }
    }
}
