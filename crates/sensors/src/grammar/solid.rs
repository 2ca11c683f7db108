//! Solid POP3 (built with `--enable-logextend`, which writes addresses).
//!
//! ```text
//! authentication failed: no such user: LOGIN - ADDRESS
//! authentication failed: can't map user name: LOGIN - ADDRESS
//! [APOP ]authentication failed for [mapped ]user LOGIN - ADDRESS
//! can't find APOP secret for user LOGIN - ADDRESS
//! root login not allowed - ADDRESS
//! user LOGIN authenticated - ADDRESS
//! ```
//!
//! The address ends the line, behind the login.

use base::EventKind::{LoginFailed, LoginOk};

use super::Hinted;
use super::parts::{Lines, Told};
use crate::text::{address, rsplit};

pub(super) const SOLID: Lines = Lines {
    name: "solid-pop3d",
    aliases: &["solid", "spop3d"],
    service: "pop3",
    speaks: |program| matches!(program, "solid-pop3d" | "spop3d"),
    hinted: Hinted::Nothing,
    told,
};

fn told(text: &str) -> Option<Told<'_>> {
    const REFUSALS: &[&str] = &[
        "authentication failed: no such user: ",
        "authentication failed: can't map user name: ",
        "authentication failed for mapped user ",
        "authentication failed for user ",
        "APOP authentication failed for mapped user ",
        "APOP authentication failed for user ",
        "can't find APOP secret for user ",
    ];
    let (what, client) = rsplit(text, " - ")?;
    let address = address(client)?;
    if let Some(login) = REFUSALS.iter().find_map(|refusal| what.strip_prefix(refusal)) {
        return Some(Told::new(LoginFailed, address).by(login));
    }
    if what == "root login not allowed" {
        return Some(Told::new(LoginFailed, address).by("root"));
    }
    let login = what.strip_prefix("user ")?.strip_suffix(" authenticated")?;
    Some(Told::new(LoginOk, address).by(login))
}
