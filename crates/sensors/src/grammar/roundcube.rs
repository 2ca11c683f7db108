//! Roundcube, by syslog (`roundcube`) or in its `logs/errors.log` and `logs/userlogins.log`.
//!
//! ```text
//! [<SESSION> ]IMAP Error: Login failed for LOGIN [against SERVER ]from ADDRESS[(X-Forwarded-For: …)][. REASON in FILE on line N (POST URI)]
//! [<SESSION> ]Failed login for LOGIN from ADDRESS in session SESSION (error: 0)
//! [<SESSION> ]FAILED login for LOGIN from ADDRESS
//! [<SESSION> ]Successful login for LOGIN (ID: 7) from ADDRESS in session SESSION
//! ```
//!
//! The login stands before the address, the headers of a proxy, the IMAP server's text and the request's URI behind it, and
//! all of them are the client's. Where nothing of these follows, the last ` from ` is Roundcube's. Else the request is cut off
//! where it certainly begins, and all that look like ` from ADDRESS` must name the same address. One that another ` from `
//! follows at once stands in the login: Roundcube writes nothing of the kind behind its own.

use base::Address;
use base::EventKind::{LoginFailed, LoginOk};

use super::Hinted;
use super::parts::{Lines, Told};
use crate::text::{address, contains, digits, filled, rsplit, split, split_only, steps, take_while};

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
    let errors = ["IMAP Error: Login failed for ", "PHP Error: Login failed for ", "Login failed for "];
    let failures = ["Failed login for ", "FAILED login for "];
    let (kind, has_reason, rest) = if let Some(rest) = errors.iter().find_map(|error| text.strip_prefix(error)) {
        (LoginFailed, true, rest)
    } else if let Some(rest) = failures.iter().find_map(|failure| text.strip_prefix(failure)) {
        (LoginFailed, false, rest)
    } else {
        (LoginOk, false, text.strip_prefix("Successful login for ")?)
    };
    let (login, client, behind) = if has_reason || contains(rest, "(X-") {
        only(without_request(rest))?
    } else {
        let (login, client) = rsplit(rest, " from ")?;
        let (client, behind) = leading(client)?;
        (login, client, behind)
    };
    // The server behind it is down, which is no guess of the client.
    let outages = ["Could not connect to ", "Empty startup greeting", "Connection refused", "Connection timed out"];
    let reason = if behind.starts_with('(') { split(behind, ". ").map_or("", |(_, reason)| reason) } else { behind };
    let reason = reason.trim_start_matches(['.', ' ']);
    if outages.iter().any(|outage| reason.starts_with(outage)) {
        return None;
    }
    let behind_login = if kind == LoginOk { " (ID: " } else { " against " };
    let login = rsplit(login, behind_login).map_or(login, |(login, _)| login);
    Some(Told::new(kind, client).by(filled(login)?))
}

/// The text without ` on line N (POST URI)`, which ends it; with it where a login, or the URI itself, imitates that.
fn without_request(text: &str) -> &str {
    let before = || {
        let (before, after) = split_only(text, " on line ")?;
        let (_line, rest) = digits(after)?;
        (rest.starts_with(" (") && rest.ends_with(')')).then_some(before)
    };
    before().unwrap_or(text)
}

/// What stands before the first ` from ADDRESS`, the address and what follows; none where another one names another address.
/// Word by word, because a text may be full of marks.
fn only(text: &str) -> Option<(&str, Address, &str)> {
    const MARK: &str = " from ";
    steps::add(text.len());
    let mut found = None;
    // How many words there were, and which of them was the last of these two.
    let (mut count, mut from, mut against) = (0, None::<usize>, None::<usize>);
    let mut start = 0;
    while start <= text.len() {
        // A word that is neither of the two, and stands behind no ` from `, matters by its number alone.
        let next = text.as_bytes().get(start..)?;
        if from != Some(count) && !matches!(next.first(), Some(b'f' | b'a')) {
            start += next.iter().position(|&byte| byte == b' ').unwrap_or(next.len()) + 1;
            count += 1;
            continue;
        }
        let rest = text.get(start..)?;
        let word = rest.get(..rest.bytes().position(|byte| byte == b' ').unwrap_or(rest.len()))?;
        let end = start + word.len();
        count += 1;
        if from == Some(count - 1) && start >= MARK.len() {
            let before = start - MARK.len();
            let is_address = word.starts_with(|first: char| first.is_ascii_hexdigit() || first == ':');
            // Another mark follows at once.
            let is_of_login = text.get(end..)?.starts_with(MARK) && word.bytes().all(is_of_address);
            let client = if is_address && !is_of_login { leading(text.get(start..)?) } else { None };
            match client {
                None if against.is_some_and(|at| at + 3 == count) || !word.is_empty() && contains(word, "(X-") => {
                    // Roundcube's own mark, behind the server or before what a proxy said of the client, and no address
                    // behind it: what stood before was the login's.
                    return None;
                }
                None => {}
                Some((client, behind)) => match found {
                    None => found = Some((text.get(..before)?, client, behind)),
                    Some((_, first, _)) if first != client => return None,
                    Some(_) => {}
                },
            }
        }
        match word {
            "from" => from = Some(count),
            "against" => against = Some(count),
            _ => {}
        }
        start = end + 1;
    }
    found
}

const fn is_of_address(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':')
}

/// The address that `text` begins with and that something other than a letter ends, and what follows.
fn leading(text: &str) -> Option<(Address, &str)> {
    let (client, rest) = take_while(text, is_of_address);
    if rest.starts_with(|next: char| next.is_alphanumeric() || next == '%') {
        return None;
    }
    Some((address(client.trim_end_matches('.'))?, rest))
}
