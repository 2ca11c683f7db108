//! vsftpd, by syslog or in its `vsftpd.log`.
//!
//! ```text
//! [pid 7] CONNECT: Client "ADDRESS"
//! [pid 7] [LOGIN] FAIL LOGIN: Client "ADDRESS"[, "REASON"]
//! [pid 7] [LOGIN] OK LOGIN: Client "ADDRESS"[, anon password "…"]
//! ```
//!
//! The login stands before the address, behind which only the server writes. Other lines (`OK UPLOAD: Client "ADDRESS", "FILE"`) end
//! with a name that a client chose: a mark behind a client is none.

use base::EventKind::{Connect, LoginFailed, LoginOk};

use super::Hinted;
use super::parts::{Lines, Told};
use crate::text::{address, contains, rsplit, split, split_only};

pub(super) const VSFTPD: Lines = Lines {
    name: "vsftpd",
    aliases: &[],
    service: "ftp",
    speaks: |program| program == "vsftpd",
    hinted: Hinted::Bare,
    told,
};

fn told(text: &str) -> Option<Told<'_>> {
    let text = match text.strip_prefix("[pid ") {
        Some(rest) => split(rest, "] ")?.1,
        None => text,
    };
    if let Some(client) = text.strip_prefix("CONNECT: Client \"") {
        return Some(Told::new(Connect, address(client.strip_suffix('"')?)?));
    }
    let text = text.strip_prefix('[')?;
    if let Some((login, client)) = rsplit(text, "] FAIL LOGIN: Client \"") {
        let (client, why) = split(client, "\"")?;
        return (is_login(login) && (why.is_empty() || why.starts_with(", ")))
            .then(|| Some(Told::new(LoginFailed, address(client)?).by(login)))?;
    }
    let (login, rest) = split_only(text, "] OK LOGIN: Client \"")?;
    let (client, _) = split(rest, "\"")?;
    is_login(login).then(|| Some(Told::new(LoginOk, address(client)?).by(login)))?
}

/// Whether no client stands before the mark.
fn is_login(login: &str) -> bool {
    !contains(login, ": Client \"")
}
