//! The administration pages of mail systems.
//!
//! ```text
//! Froxlor:  [Login Action ADDRESS] Unknown user 'LOGIN' tried to login.
//! Froxlor:  [Login Action ADDRESS] User 'LOGIN' tried to login with wrong password.
//! froxlor:  froxlor.WARNING: Unknown user tried to login. {"source":"login","action":"50","user":"ADDRESS"} []
//! Mailu:    WARNING in limiter: Authentication attempt from ADDRESS has been rate-limited.
//! ```
//!
//! The address stands before the login, or the line holds no login.

use base::EventKind::{LoginFailed, RateExceeded};

use super::Hinted;
use super::parts::{Lines, Told};
use crate::text::{address, rsplit, split, word};

pub(super) const FROXLOR: Lines = Lines {
    name: "froxlor",
    aliases: &[],
    service: "http",
    speaks: |program| program.to_ascii_lowercase().starts_with("froxlor"),
    hinted: Hinted::Nothing,
    told: froxlor,
};

pub(super) const MAILU: Lines = Lines {
    name: "mailu",
    aliases: &["mailu-admin"],
    service: "http",
    speaks: |program| program == "mailu-admin",
    hinted: Hinted::Bare,
    told: |text| {
        let (client, rest) = word(text.strip_prefix("WARNING in limiter: Authentication attempt from ")?);
        rest.ends_with("has been rate-limited.").then(|| Some(Told::new(RateExceeded, address(client)?)))?
    },
};

fn froxlor(text: &str) -> Option<Told<'_>> {
    if let Some(rest) = text.strip_prefix("[Login Action ") {
        let (client, rest) = split(rest, "] ")?;
        let (_, login) = split(rest, "ser '")?;
        let (login, what) = rsplit(login, "' tried to login")?;
        return matches!(what, "." | " with wrong password.")
            .then(|| Some(Told::new(LoginFailed, address(client)?).by(login)))?;
    }
    let rest = text.strip_prefix("froxlor.WARNING: ")?;
    let messages = ["Unknown user tried to login. {", "User tried to login with wrong password. {"];
    let rest = messages.iter().find_map(|message| rest.strip_prefix(message))?;
    let (_, client) = rsplit(rest.strip_suffix("\"} []")?, "\"user\":\"")?;
    Some(Told::new(LoginFailed, address(client)?))
}
