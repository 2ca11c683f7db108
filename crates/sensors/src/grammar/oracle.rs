//! Oracle's (Sun's, iPlanet's) Internet Messaging Server with `LOG_FORMAT=4`, one XML element a line.
//!
//! ```text
//! <co ts="…" pi="…" sc="tcp_submit" dr="+" ac="U" tr="TCP|SERVER|465|ADDRESS|60766" ap="…" mi="…" us="LOGIN" di="535 5.7.8 Bad username or password (Authentication failed)."/>
//! ```
//!
//! Before `tr` stands nothing of the client's, and values are escaped, so that the first ` tr="` is the server's.

use base::EventKind::{LoginFailed, LoginOk};

use super::Hinted;
use super::parts::{Lines, Told};
use crate::text::{address, find_byte, rsplit, split};

pub(super) const ORACLE: Lines = Lines {
    name: "oracleims",
    aliases: &["oracle"],
    service: "smtp",
    speaks: |program| program == "ims" || program == "tcp_submit",
    hinted: Hinted::Bare,
    told,
};

fn told(text: &str) -> Option<Told<'_>> {
    let (head, rest) = split(text.strip_prefix("<co ")?, " tr=\"")?;
    let transport = rest.get(..find_byte(rest, b'"')?)?;
    let client = transport.split('|').nth(3)?;
    let (_, answer) = rsplit(rest, " di=\"")?;
    let kind = if answer.starts_with("535 ") {
        LoginFailed
    } else if answer.starts_with("235 ") && head.ends_with("ac=\"U\"") {
        LoginOk
    } else {
        return None;
    };
    let login = split(rest, " us=\"").and_then(|(_, login)| split(login, "\"")).map_or("", |(login, _)| login);
    Some(Told::new(kind, address(client)?).by(login))
}
