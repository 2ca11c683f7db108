//! Where a client of sshd comes from: `LOGIN from ADDRESS port N ssh2[: EXTRA]` and its like.
//!
//! The login may hold a whole ` from ADDRESS port N ssh2`. Since the server writes nothing of the client's behind the
//! address, but for two old methods, the last ` from ` that an address follows is the true one. These two are host-based
//! authentication (`client user "…"`) and rhosts of protocol 1 (`ssh1: ruser …`): there the client's names stand behind.
//! Host-based lines, and those of keys with a certificate, whose name is the client's, are read only if one ` from ADDRESS` is
//! there. In a line of `ssh1: ruser`, an address without port is
//! not sshd's; if an earlier one has the full form, it is the true one, unless the last has it too.

use base::Address;

use crate::text::{address, contains, digits, rsplit, take_while, word};

/// More than anybody's login holds: further ones are not looked for.
const CANDIDATES_MAX: usize = 8;

/// What a line may hold of the client behind the address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Behind {
    /// Nothing.
    Nothing,
    /// With protocol 1, the name of a user.
    RemoteUser,
    /// Anything.
    Anything,
}

/// The login and the address of `LOGIN from ADDRESS …`.
pub(super) fn origin(text: &str, behind: Behind) -> Option<(&str, Address)> {
    let (before, found) = last(text)?;
    let is_doubtful = match behind {
        Behind::Nothing => false,
        Behind::RemoteUser => contains(text, " ssh1: ruser "),
        Behind::Anything => true,
    };
    if !is_doubtful {
        return Some((before, found.address));
    }
    match last(before) {
        None => Some((before, found.address)),
        Some((login, first)) if behind == Behind::RemoteUser && first.is_full && !found.is_full => {
            last(login).is_none().then_some((login, first.address))
        }
        Some(_) => None,
    }
}

/// The login and the address of `LOGIN ADDRESS[ port N][ ssh2]`, as some builds write without ` from `. A line with that
/// word is none of theirs.
pub(super) fn beside(text: &str) -> Option<(&str, Address)> {
    if contains(text, " from ") || text.starts_with("from ") {
        return None;
    }
    let text = text.strip_suffix(" ssh2").unwrap_or(text);
    let before = match rsplit(text, " port ") {
        Some((before, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => before,
        _ => text,
    };
    let (login, client) = rsplit(before, " ")?;
    Some((login, address(client)?))
}

/// What stands behind ` from `.
struct Found {
    address: Address,
    /// Whether a port and a protocol follow.
    is_full: bool,
}

/// The last ` from ` that an address follows.
fn last(text: &str) -> Option<(&str, Found)> {
    let mut rest = text;
    for _ in 0..CANDIDATES_MAX {
        let (before, _) = rsplit(rest, " from ")?;
        let client = text.get(before.len() + " from ".len()..)?;
        // The server did not know: what stands before is the login.
        if client.starts_with("UNKNOWN") {
            return None;
        }
        if let Some(found) = found(client) {
            return Some((before, found));
        }
        rest = before;
    }
    None
}

/// `ADDRESS[ port N][ on ADDRESS[ port N]][ ssh1|ssh2][: EXTRA]`.
fn found(text: &str) -> Option<Found> {
    let (address, rest) = leading(text)?;
    let has_port = text.get(..text.len() - rest.len()).is_some_and(|client| contains(client, " port "));
    let protocol = rest.strip_prefix(" ssh").and_then(digits);
    let rest = protocol.map_or(rest, |(_, rest)| rest);
    let has_end = rest.is_empty() || rest.starts_with(": ") || rest == " [preauth]";
    has_end.then_some(Found { address, is_full: has_port && protocol.is_some() })
}

/// `ADDRESS[ port N][ on ADDRESS[ port N]]` at the beginning, and what follows.
pub(super) fn leading(text: &str) -> Option<(Address, &str)> {
    let (client, rest) = address_word(text)?;
    let rest = without_port(rest);
    let rest = match rest.strip_prefix(" on ").and_then(address_word) {
        Some((_, rest)) => without_port(rest),
        None => rest,
    };
    Some((client, rest))
}

fn address_word(text: &str) -> Option<(Address, &str)> {
    let is_part =
        |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':' | b'%') || byte.is_ascii_alphanumeric();
    let (client, rest) = take_while(text, is_part);
    // A colon behind an address is no part of it: `198.51.100.7: 11: Bye`.
    let bare = client.strip_suffix(':').unwrap_or(client);
    let rest = if bare.len() < client.len() { text.get(bare.len()..)? } else { rest };
    (rest.is_empty() || rest.starts_with([' ', ':', ','])).then(|| Some((address(bare)?, rest)))?
}

fn without_port(text: &str) -> &str {
    text.strip_prefix(" port ").and_then(digits).map_or(text, |(_, rest)| rest)
}

/// The login and the address of `[authenticating|invalid user LOGIN ]ADDRESS[ port N]`, which ends the text.
pub(super) fn trailing(text: &str) -> Option<(&str, Address)> {
    let before = match rsplit(text, " port ") {
        Some((before, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => before,
        _ => text,
    };
    let (login, client) = rsplit(before, " ").unwrap_or(("", before));
    let (state, rest) = word(login);
    let login = match state {
        "authenticating" | "invalid" => rest.strip_prefix("user ").unwrap_or(rest),
        "" => "",
        // `from user NAME ADDRESS`, which later versions write behind `Disconnected`.
        _ => login.strip_prefix("user ")?,
    };
    Some((login, address(client)?))
}
