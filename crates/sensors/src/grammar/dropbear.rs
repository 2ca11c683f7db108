//! Dropbear, the small SSH server.
//!
//! ```text
//! Bad [PAM ]password attempt for 'LOGIN' from ADDRESS:PORT
//! Too-long password attempt for 'LOGIN' from ADDRESS:PORT
//! Pubkey auth bad signature for 'LOGIN' with key … from ADDRESS:PORT
//! Login attempt for nonexistent user ['LOGIN' ]from ADDRESS:PORT
//! Login attempt with wrong user LOGIN from ADDRESS:PORT
//! Client trying multiple usernames from ADDRESS:PORT
//! Exit before auth from <ADDRESS:PORT>: (user 'LOGIN', 10 fails): Max auth tries reached - user 'LOGIN'
//! Exit before auth (user 'LOGIN', 10 fails): Max auth tries reached - user 'LOGIN' from ADDRESS:PORT
//! Password auth succeeded for 'LOGIN' from ADDRESS:PORT
//! Pubkey auth succeeded for 'LOGIN' with … key … from ADDRESS:PORT
//! ```
//!
//! The login stands before the address, which ends the line; where the address comes first, nothing of the client's stands
//! before it.

use base::Address;
use base::EventKind::{Connect, LoginFailed, LoginOk, ProtocolAbuse};

use super::Hinted;
use super::parts::{Lines, Told};
use crate::text::{address, address_of_port, contains, digits, rsplit, split};

pub(super) const DROPBEAR: Lines = Lines {
    name: "dropbear",
    aliases: &[],
    service: "ssh",
    speaks: |program| program == "dropbear",
    hinted: Hinted::Nothing,
    told,
};

fn told(text: &str) -> Option<Told<'_>> {
    let text = without_prefix(text);
    let (head, tail) = text.split_at_checked(1)?;
    let is = |first: &str, rest: &str| head.eq_ignore_ascii_case(first) && tail.starts_with(rest);
    if is("e", "xit before auth") {
        return exit(tail.strip_prefix("xit before auth")?);
    }
    if is("c", "lient trying multiple usernames from ") {
        return Some(Told::new(ProtocolAbuse, client_of(rsplit(text, " from ")?.1)?));
    }
    let kind = if is("b", "ad password attempt for ")
        || is("b", "ad PAM password attempt for ")
        || is("t", "oo-long password attempt for ")
        || is("l", "ogin attempt for nonexistent user ")
        || is("l", "ogin attempt with wrong user ")
        || is("p", "ubkey auth bad signature for ")
    {
        LoginFailed
    } else if is("p", "assword auth succeeded for ")
        || is("p", "ubkey auth succeeded for ")
        || is("p", "AM password auth succeeded for ")
        || is("a", "uth succeeded with blank password for ")
    {
        LoginOk
    } else {
        return None;
    };
    let (before, client) = rsplit(text, " from ")?;
    // The only login without quotes.
    if is("l", "ogin attempt with wrong user ") && !before.ends_with('\'') {
        return Some(Told::new(kind, client_of(client)?).by(before.get("login attempt with wrong user ".len()..)?));
    }
    let login = split(before, " '").map_or("", |(_, login)| login);
    let login = if kind == LoginOk || is("p", "ubkey auth bad signature for ") {
        split(login, "'").map_or(login, |(login, _)| login)
    } else {
        login
    };
    Some(Told::new(kind, client_of(client)?).by(login.strip_suffix('\'').unwrap_or(login)))
}

/// `[825] Jul 10 23:57:29 `, where Dropbear was told to log to standard error and that goes to syslog.
fn without_prefix(text: &str) -> &str {
    let after = || {
        let (_, rest) = digits(text.strip_prefix('[')?)?;
        rest.strip_prefix("] ")?.get("Jul 10 23:57:29 ".len()..)
    };
    after().unwrap_or(text)
}

/// What follows `Exit before auth`.
fn exit(text: &str) -> Option<Told<'_>> {
    let is_over = |text: &str| contains(text, "Max auth tries reached");
    let (client, rest) = if let Some(rest) = text.strip_prefix(" from <") {
        let (client, rest) = split(rest, ">: ")?;
        (client_of(client)?, rest)
    } else {
        let (before, client) = rsplit(text, " from ")?;
        (client_of(client)?, before.trim_ascii_start())
    };
    let Some(rest) = rest.strip_prefix("(user '") else { return Some(Told::new(Connect, client)) };
    let (login, rest) = split(rest, "', ")?;
    let (fails, rest) = digits(rest)?;
    if !is_over(rest) {
        return Some(Told::new(Connect, client).by(login));
    }
    Some(Told::new(LoginFailed, client).by(login).in_all(fails.parse().unwrap_or(u16::MAX).max(1)))
}

fn client_of(text: &str) -> Option<Address> {
    address_of_port(text).or_else(|| address(text))
}
