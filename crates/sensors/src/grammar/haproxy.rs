//! `HAProxy` in front of web mail and administration pages, where it asks for a password itself (`http-request auth`).
//!
//! ```text
//! ADDRESS:PORT [14/Nov/2015:22:45:11.608] FRONTEND BACKEND/<NOSRV>|<STATS> -1/-1/-1/-1/0 401 248 - - PR-- …    (since 1.7: 0/-1/-1/-1/0)
//! ADDRESS:PORT [14/Nov/2015:22:45:11.608] FRONTEND/LISTENER: SSL handshake failure
//! ```
//!
//! The address stands first. A browser's first visit is answered with 401 as well, so that rules should allow for one.

use base::EventKind::{Connect, LoginFailed};

use super::Hinted;
use super::parts::{Lines, Told};
use crate::text::{address_of_port, contains, digits, word};

pub(super) const HAPROXY: Lines = Lines {
    name: "haproxy",
    aliases: &[],
    service: "http",
    speaks: |program| program.starts_with("haproxy"),
    hinted: Hinted::Nothing,
    told,
};

fn told(text: &str) -> Option<Told<'_>> {
    let (client, rest) = word(text);
    let address = address_of_port(client)?;
    let (_date, rest) = word(rest);
    let (frontend, rest) = word(rest);
    if frontend.ends_with(':') {
        return contains(rest, "SSL handshake").then(|| Told::new(Connect, address));
    }
    let (server, rest) = word(rest);
    let (timers, rest) = word(rest);
    let (status, _) = word(rest);
    // The first timer is that of the request since version 1.7, and of none before.
    let waits = timers.strip_prefix("-1").or_else(|| Some(digits(timers)?.1));
    let is_refusal = (server.ends_with("/<NOSRV>") || server.ends_with("/<STATS>"))
        && waits.is_some_and(|waits| waits.starts_with("/-1/-1/-1/"));
    (is_refusal && status == "401").then(|| Told::new(LoginFailed, address))
}
