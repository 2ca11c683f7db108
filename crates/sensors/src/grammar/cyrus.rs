//! Cyrus: imapd, pop3d and timsieved (`ManageSieve`), by any of the names that `cyrus.conf` gives them.
//!
//! ```text
//! badlogin: [NAME ][ADDRESS] plaintext LOGIN SASL(-13): authentication failure: checkpass failed
//! badlogin: [NAME ][ADDRESS] plaintext LOGIN|(LOGIN) invalid user
//! badlogin: [NAME ][ADDRESS] MECH [LOGIN|(LOGIN) ][SASL(-13): authentication failure: …]
//! badlogin: NAME[ADDRESS] MECH authentication failure
//! login: NAME [ADDRESS] LOGIN MECH User logged in[ SESSIONID=<…>]
//! ```
//!
//! Before the address stands the reverse name only, which holds neither space nor bracket.

use base::EventKind::{LoginFailed, LoginOk};

use super::Hinted;
use super::parts::{Lines, Told};
use crate::text::{contains, named, rsplit, word};

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
        || matches!(name, "managesieve" | "lmtpd" | "nntpd" | "httpd")
}

fn told(text: &str) -> Option<Told<'_>> {
    if let Some(rest) = text.strip_prefix("login: ") {
        let (address, rest) = named(rest)?;
        let (login, rest) = word(rest.strip_prefix(' ')?);
        return contains(rest, "User logged in").then(|| Told::new(LoginOk, address).by(login));
    }
    let (address, rest) = named(text.strip_prefix("badlogin: ")?)?;
    let (mechanism, rest) = word(rest.strip_prefix(' ')?);
    if let Some(login) = rest.strip_suffix(" invalid user").filter(|_| mechanism == "plaintext") {
        let inside = login.strip_prefix('(').and_then(|login| login.strip_suffix(')'));
        return Some(Told::new(LoginFailed, address).by(inside.unwrap_or(login)));
    }
    let is_refusal = rest == "authentication failure"
        || ["SASL(-13)", "SASL(-14)", "SASL(-20)"].iter().any(|code| contains(rest, code));
    if !is_refusal {
        return None;
    }
    let inside = rest.strip_prefix('(').and_then(|rest| rsplit(rest, ") [SASL(").or_else(|| rsplit(rest, ") SASL(")));
    let login = match inside {
        Some((login, _)) => login,
        // `httpd` names the login with any mechanism.
        None => rsplit(rest, " SASL(").map_or("", |(login, _)| login.trim_end_matches(" [")),
    };
    Some(Told::new(LoginFailed, address).by(login))
}
