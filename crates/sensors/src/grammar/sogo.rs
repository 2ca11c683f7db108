//! `SOGo`'s log.
//!
//! ```text
//! SOGoRootPage Login from 'ADDRESS[, ADDRESS…]' for user 'LOGIN' might not have worked[ - password policy: …]
//! SOGoRootPage successful login from 'ADDRESS' for user 'LOGIN' - expire = -1  grace = -1
//! ```
//!
//! Older versions write their name and two numbers before it (`sogod[7:7] `), as no tag of syslog has them.
//!
//! Behind proxies the addresses are those of `X-Forwarded-For`, to which each proxy adds whom it serves, and whose
//! beginning the client may write. So the last address counts that is not of a private network, where the proxies are.
//! A client in a private network itself, and any client where no proxy writes the header anew, may choose that address: the
//! proxy in front of `SOGo` wants to set the header, not to add to it.

use std::net::IpAddr;

use base::Address;
use base::EventKind::{LoginFailed, LoginOk};

use super::Hinted;
use super::parts::{Lines, Told};
use crate::text::{address, rsplit, split};

pub(super) const SOGO: Lines = Lines {
    name: "sogo",
    aliases: &["sogod"],
    service: "webmail",
    speaks: |program| program == "sogod" || program == "sogo",
    hinted: Hinted::Bare,
    told,
};

fn told(text: &str) -> Option<Told<'_>> {
    let text = text.strip_prefix("sogod[").and_then(|rest| split(rest, "] ")).map_or(text, |(_, rest)| rest);
    let rest = text.strip_prefix("SOGoRootPage ")?;
    let (kind, rest) = match rest.strip_prefix("Login from '") {
        Some(rest) => (LoginFailed, rest),
        None => (LoginOk, rest.strip_prefix("successful login from '")?),
    };
    let (clients, rest) = split(rest, "' for user '")?;
    let end = if kind == LoginOk { "' - expire" } else { "' might not have worked" };
    let (login, _) = rsplit(rest, end)?;
    Some(Told::new(kind, last_public(clients)?).by(login))
}

/// The last address that is not private; the first of a list of private ones. None if an entry is no address.
fn last_public(list: &str) -> Option<Address> {
    /// More proxies than anybody has.
    const PROXIES_MAX: usize = 8;
    let mut found = None;
    for (at, entry) in list.rsplit(',').enumerate() {
        let entry = address(entry.trim())?;
        found = Some(entry);
        if !is_private(entry.ip()) {
            break;
        }
        (at < PROXIES_MAX).then_some(())?;
    }
    found
}

const fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}
