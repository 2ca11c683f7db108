//! nginx as a mail proxy (`ngx_mail_*`), from its error log at level `info`, also by syslog.
//!
//! ```text
//! [info] 8#8: *29109 client login failed: "REASON" while in http auth state, client: ADDRESS, server: …, login: "LOGIN"
//! [info] 8#8: *24819 client logged in, client: ADDRESS, server: …, login: "LOGIN", upstream: …
//! ```
//!
//! The reason is the authentication server's and may repeat the login, the login is the client's: only a line with one
//! `, client: ` is beyond doubt.

use base::EventKind::{LoginFailed, LoginOk, ProtocolAbuse};

use super::Hinted;
use super::parts::{Lines, Told};
use crate::text::{address, digits, find_byte, split, split_only};

pub(super) const NGINX: Lines = Lines {
    name: "nginx",
    aliases: &[],
    service: "mail-proxy",
    speaks: |program| program.starts_with("nginx"),
    hinted: Hinted::Bare,
    told,
};

fn told(text: &str) -> Option<Told<'_>> {
    let (_, rest) = split(text, "#")?;
    let (_, rest) = digits(digits(rest)?.1.strip_prefix(": *")?)?;
    let rest = rest.strip_prefix(' ')?;
    let kind = if rest.starts_with("client login failed: ") {
        LoginFailed
    } else if rest.starts_with("client logged in, ") {
        LoginOk
    } else if rest.starts_with("client sent invalid command") {
        ProtocolAbuse
    } else {
        return None;
    };
    let (_, rest) = split_only(rest, ", client: ")?;
    let (client, rest) = rest.split_at_checked(find_byte(rest, b',')?)?;
    let login = split(rest, ", login: \"").and_then(|(_, login)| split(login, "\"")).map_or("", |(login, _)| login);
    // Mail that comes in without login is "logged in" too.
    (kind != LoginOk || !login.is_empty()).then(|| Some(Told::new(kind, address(client)?).by(login)))?
}
