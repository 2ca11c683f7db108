//! `OpenWebmail`'s log, stamped as `ctime()` does.
//!
//! ```text
//! - [72926] (ADDRESS) LOGIN - login error - no such user - loginname=LOGIN
//! - [72926] (ADDRESS) LOGIN - userinfo error - auth_unix.pl, ret -4, User LOGIN doesn't exist
//! - [72926] (ADDRESS) LOGIN - login - SESSION
//! ```
//!
//! The address stands before all that the client writes.

use base::EventKind::{LoginFailed, LoginOk};

use super::Hinted;
use super::parts::{Lines, Told};
use crate::text::{address, contains, digits, split};

pub(super) const OPENWEBMAIL: Lines = Lines {
    name: "openwebmail",
    aliases: &[],
    service: "webmail",
    speaks: |program| program == "openwebmail",
    hinted: Hinted::Bare,
    told,
};

fn told(text: &str) -> Option<Told<'_>> {
    let (_, rest) = digits(text.strip_prefix("- ").unwrap_or(text).strip_prefix('[')?)?;
    let (client, rest) = split(rest.strip_prefix("] (")?, ") ")?;
    let (login, what) = split(rest, " - ")?;
    let kind = if what.starts_with("login error - ")
        || what.starts_with("userinfo error - ") && what.ends_with("doesn't exist")
    {
        LoginFailed
    } else if what.starts_with("login - ") && !contains(what, "error") {
        LoginOk
    } else {
        return None;
    };
    Some(Told::new(kind, address(client)?).by(login))
}
