//! The University of Washington's imapd, ipop3d and ipop2d.
//!
//! ```text
//! Login failed user=LOGIN auth=LOGIN host=[NAME ][ADDRESS]
//! Login excessive login failures|disabled|SYSTEM BREAK-IN ATTEMPT user=LOGIN auth=LOGIN host=…
//! Failed MECH override of user=LOGIN … host=…
//! AUTHENTICATE MECH failure host=…
//! Login user=LOGIN host=…        Authenticated user=LOGIN host=…
//! Login|Auth|APOP user=LOGIN host=… nmsgs=5/5|no mailbox       (`ipop3d`)
//! ```
//!
//! The address ends the line, behind the login and the reverse name; what `ipop3d` says behind it is its own.

use base::EventKind::{LoginFailed, LoginOk};

use super::Hinted;
use super::parts::{Lines, Told};
use crate::text::{contains, ending_bracket, rsplit, split};

pub(super) const UWIMAP: Lines = Lines {
    name: "uwimap",
    aliases: &["uw-imap", "ipop3d"],
    service: "uwimap",
    speaks: |program| matches!(program, "imapd" | "ipop3d" | "ipop2d"),
    hinted: Hinted::Nothing,
    told,
};

fn told(text: &str) -> Option<Told<'_>> {
    const REFUSALS: &[&str] = &[
        "Login failed user=",
        "Login excessive login failures user=",
        "Login disabled user=",
        "Login SYSTEM BREAK-IN ATTEMPT user=",
    ];
    // The mechanism is the server's own word.
    let text = match rsplit(text, "] mech=") {
        Some((before, mechanism)) if !mechanism.contains(' ') => text.get(..before.len() + 1)?,
        _ => text,
    };
    let (before, address) = ending_bracket(without_messages(text))?;
    if let Some(rest) = REFUSALS.iter().find_map(|refusal| before.strip_prefix(refusal)) {
        // `ipop3d` writes no `auth=` for some.
        let (login, _) = split(rest, " auth=").or_else(|| rsplit(rest, " host="))?;
        return Some(Told::new(LoginFailed, address).by(login));
    }
    if before.starts_with("Failed ") && contains(before, " override of user=")
        || before.starts_with("AUTHENTICATE ") && contains(before, " failure host=")
    {
        return Some(Told::new(LoginFailed, address));
    }
    let known = ["Login user=", "Authenticated user=", "Auth user=", "APOP user="];
    let rest = known.iter().find_map(|known| before.strip_prefix(known))?;
    let (login, _) = split(rest, " host=")?;
    Some(Told::new(LoginOk, address).by(login))
}

/// The text without how many messages there are, or that there is no mailbox.
fn without_messages(text: &str) -> &str {
    if text.ends_with(']') {
        return text;
    }
    let counted = || {
        let (before, counts) = rsplit(text, " nmsgs=")?;
        let is_count = |byte: u8| byte.is_ascii_digit() || byte == b'/';
        counts.bytes().all(is_count).then_some(before)
    };
    text.strip_suffix(" no mailbox").or_else(counted).unwrap_or(text)
}
