//! `ProFTPD`, also its `mod_sftp`.
//!
//! ```text
//! SERVER (NAME[ADDRESS]) - USER|ANON LOGIN (Login failed): Incorrect password
//! SERVER (NAME[ADDRESS]): USER LOGIN: no such user found from NAME [ADDRESS] to SERVER:21
//! SERVER (NAME[ADDRESS]) - SECURITY VIOLATION: root login attempted
//! SERVER (NAME[ADDRESS]) - Maximum login attempts (3) exceeded
//! SERVER (NAME[ADDRESS]) - Login timeout exceeded, disconnected
//! SERVER (NAME[ADDRESS]) - USER LOGIN: Login successful.
//! ```
//!
//! Before the address stand the server's name and the client's reverse name, which holds no bracket.

use base::EventKind::{Connect, LoginFailed, LoginOk, ProtocolAbuse};

use super::Hinted;
use super::parts::{Lines, Told};
use crate::text::{named, rsplit, split, word};

pub(super) const PROFTPD: Lines = Lines {
    name: "proftpd",
    aliases: &[],
    service: "ftp",
    speaks: |program| program == "proftpd",
    hinted: Hinted::Nothing,
    told,
};

fn told(text: &str) -> Option<Told<'_>> {
    const REFUSALS: &[&str] = &[
        "user not authorized for login",
        "no such user found",
        "incorrect password",
        "password expired",
        "account disabled",
        "invalid shell: ",
        "user in ",
        "limit access denies login",
        "limit configuration denies login",
        "not a useralias",
        "user is not a useralias",
        "maximum login length exceeded",
        "maximum user length exceeded",
        "insufficient credentials",
        "max authentication service attempts reached",
        "anonrejectpasswords denies login",
    ];
    // Whatever module refused it has its own words for that; only a broken one, or a password that has to be changed, is not
    // the client's fault (`PR_AUTH_INFO_UNAVAIL`, `PR_AUTH_CRED_UNAVAIL`, `PR_AUTH_INIT_ERROR`, `PR_AUTH_CRED_ERROR`,
    // `PR_AUTH_NEW_TOKEN_REQUIRED`).
    const TROUBLES: &[&str] = &[
        "unavailable ",
        "failed initializing authentication service",
        "failure setting credentials",
        "new authentication token required",
    ];
    let (_server, rest) = word(text);
    let (address, rest) = named(rest.strip_prefix('(')?)?;
    let rest = rest.strip_prefix(')')?;
    let rest = rest.strip_prefix(": ").or_else(|| rest.strip_prefix(" - "))?;
    if rest.starts_with("Maximum login attempts ") {
        return Some(Told::new(ProtocolAbuse, address));
    }
    let is_refused = rest.starts_with("Connection from ") && rest.ends_with("] denied");
    if is_refused || matches!(rest, "Login timeout exceeded, disconnected" | "FTP login timed out, disconnected") {
        return Some(Told::new(Connect, address));
    }
    if let Some(rest) = rest.strip_prefix("SECURITY VIOLATION: ") {
        let (login, _) = split(rest, " login attempted")?;
        // Its name, at the beginning of a sentence.
        let login = if login == "Root" { "root" } else { login };
        return Some(Told::new(LoginFailed, address).by(login));
    }
    let rest = rest.strip_prefix("USER ").or_else(|| rest.strip_prefix("ANON "))?;
    if let Some(login) = rest.strip_suffix(": Login successful.") {
        return Some(Told::new(LoginOk, address).by(login));
    }
    let begins_with =
        |reason: &str, text: &str| reason.get(..text.len()).is_some_and(|head| head.eq_ignore_ascii_case(text));
    let told = |login| Some(Told::new(LoginFailed, address).by(login));
    match rsplit(rest, " (Login failed): ") {
        Some((login, reason)) => {
            if TROUBLES.iter().any(|trouble| begins_with(reason, trouble)) {
                None
            } else {
                told(login)
            }
        }
        None => {
            let (login, reason) = split(rest, ": ")?;
            if REFUSALS.iter().any(|refusal| begins_with(reason, refusal)) { told(login) } else { None }
        }
    }
}
