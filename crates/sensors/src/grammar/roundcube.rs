//! Roundcube, by syslog (`roundcube`) or in its `logs/errors.log` and `logs/userlogins.log`.
//!
//! ```text
//! [<SESSION> ]IMAP Error: Login failed for LOGIN [against SERVER ]from ADDRESS[(X-Forwarded-For: …)][. REASON in FILE on line N (POST …)]
//! [<SESSION> ]Failed login for LOGIN from ADDRESS in session SESSION (error: 0)
//! [<SESSION> ]FAILED login for LOGIN from ADDRESS
//! [<SESSION> ]Successful login for LOGIN (ID: 7) from ADDRESS in session SESSION
//! ```
//!
//! The login stands before the address, the headers of a proxy behind it, and both are the client's. Without such headers,
//! the last ` from ` is Roundcube's: what follows it holds no space that a client wrote. With them, there must be one
//! ` from ADDRESS` only.

use base::Address;
use base::EventKind::{LoginFailed, LoginOk};

use super::Hinted;
use super::parts::{Lines, Told};
use crate::text::{address, contains, filled, rsplit, split, split_only, take_while};

pub(super) const ROUNDCUBE: Lines = Lines {
    name: "roundcube",
    aliases: &["roundcubemail"],
    service: "webmail",
    speaks: |program| program.starts_with("roundcube"),
    hinted: Hinted::Bare,
    told,
};

fn told(text: &str) -> Option<Told<'_>> {
    let text = match text.strip_prefix('<') {
        Some(rest) => split(rest, "> ")?.1,
        None => text,
    };
    let failures = ["IMAP Error: Login failed for ", "Failed login for ", "FAILED login for ", "Login failed for "];
    let (kind, rest) = match failures.iter().find_map(|failure| text.strip_prefix(failure)) {
        Some(rest) => (LoginFailed, rest),
        None => (LoginOk, text.strip_prefix("Successful login for ")?),
    };
    let (login, client) = if contains(rest, "(X-") { split_only(rest, " from ")? } else { rsplit(rest, " from ")? };
    // The server behind it is down, which is no guess of the client.
    let outages =
        [". Could not connect to ", ". Empty startup greeting", ". Connection refused", ". Connection timed out"];
    if outages.iter().any(|outage| contains(client, outage)) {
        return None;
    }
    let behind_login = if kind == LoginOk { " (ID: " } else { " against " };
    let login = rsplit(login, behind_login).map_or(login, |(login, _)| login);
    Some(Told::new(kind, leading(client)?).by(filled(login)?))
}

/// The address that `text` begins with and that something other than a letter ends.
fn leading(text: &str) -> Option<Address> {
    let (client, rest) = take_while(text, |byte| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':'));
    if rest.starts_with(|next: char| next.is_alphanumeric()) {
        return None;
    }
    address(client.trim_end_matches('.'))
}
