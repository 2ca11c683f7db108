//! `SquirrelMail`'s plugin Squirrel Logger.
//!
//! ```text
//! 10/06/2013 15:50:41 [LOGIN_ERROR] LOGIN (DOMAIN) from ADDRESS: Unknown user or password incorrect.
//! 10/06/2013 15:50:41 [LOGIN] LOGIN (DOMAIN) from ADDRESS:
//! ```
//!
//! The login stands before the address, behind which the plugin writes a fixed text.

use base::EventKind::{LoginFailed, LoginOk};

use super::Hinted;
use super::parts::{Lines, Told};
use crate::text::{address, rsplit};

pub(super) const SQUIRRELMAIL: Lines = Lines {
    name: "squirrelmail",
    aliases: &[],
    service: "webmail",
    speaks: |program| program == "squirrelmail",
    hinted: Hinted::Bare,
    told,
};

fn told(text: &str) -> Option<Told<'_>> {
    let (kind, rest) = match text.strip_prefix("[LOGIN_ERROR] ") {
        Some(rest) => (LoginFailed, rest.strip_suffix(": Unknown user or password incorrect.")?),
        None => (LoginOk, text.strip_prefix("[LOGIN] ")?.trim_ascii_end().strip_suffix(':')?),
    };
    let (login, client) = rsplit(rest, " from ")?;
    let login = match rsplit(login, " (") {
        Some((login, domain)) if domain.ends_with(')') => login,
        _ => login,
    };
    Some(Told::new(kind, address(client)?).by(login))
}
