//! Horde and IMP, by syslog (`HORDE`) or in files.
//!
//! ```text
//! [error] [imp] FAILED LOGIN for LOGIN [ADDRESS] to {SERVER} [pid 7 on line 139 of "…"]       Horde 3
//! [imp] FAILED LOGIN for LOGIN to horde (ADDRESS) [pid 7 on line 139 of …]                     Horde 4
//! [imp] FAILED LOGIN for LOGIN (ADDRESS) to {SERVER} [pid 7 on line 139 of …]                  Horde 5
//! [imp] Login success for LOGIN [ADDRESS] to {SERVER} …
//! ```
//!
//! The login may hold any of the three marks that end the address (`] to `, `) to `, `) [`): only a line with exactly one
//! mark in all is beyond doubt.

use base::EventKind::{LoginFailed, LoginOk};

use super::Hinted;
use super::parts::{Lines, Told};
use crate::text::{address, contains, rsplit, rsplit_byte, split, split_only};

pub(super) const HORDE: Lines = Lines {
    name: "horde",
    aliases: &["imp"],
    service: "horde",
    speaks: |program| program.eq_ignore_ascii_case("horde"),
    hinted: Hinted::Bare,
    told,
};

fn told(text: &str) -> Option<Told<'_>> {
    const LEVELS: [&str; 8] = ["EMERG: ", "ALERT: ", "CRIT: ", "ERR: ", "WARN: ", "NOTICE: ", "INFO: ", "DEBUG: "];
    let mut rest = LEVELS.iter().find_map(|level| text.strip_prefix(level)).unwrap_or(text);
    rest = rest.strip_prefix("HORDE ").or_else(|| rest.strip_prefix("HORDE: ")).unwrap_or(rest);
    // The level and the application.
    for _ in 0..2 {
        if let Some(inside) = rest.strip_prefix('[') {
            rest = split(inside, "] ")?.1;
        }
    }
    let (kind, rest) = match rest.strip_prefix("FAILED LOGIN for ") {
        Some(rest) => (LoginFailed, rest),
        None => (LoginOk, rest.strip_prefix("Login success for ")?),
    };
    // Behind a proxy, which Horde trusts as it is configured.
    if let Some((before, after)) = split_only(rest, "](forwarded for [") {
        let (login, client) = rsplit_byte(before, b'[')?;
        return contains(after, "]) to ")
            .then(|| Some(Told::new(kind, address(client)?).by(login.trim_ascii_end())))?;
    }
    let marks = [("] to ", b'['), (") to ", b'('), (") [", b'(')];
    let mut found = marks.iter().filter(|(mark, _)| contains(rest, mark));
    let ((mark, open), None) = (found.next()?, found.next()) else { return None };
    let (before, _) = split_only(rest, mark)?;
    let (login, client) = rsplit_byte(before, *open)?;
    let login = login.trim_ascii_end();
    let login = if *mark == ") [" { rsplit(login, " to ").map_or(login, |(login, _)| login) } else { login };
    Some(Told::new(kind, address(client)?).by(login))
}
