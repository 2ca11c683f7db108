//! A client as Exim writes it.
//!
//! Why the address found is the true one or none: before it stand the reverse name, which holds neither space nor
//! parenthesis, and HELO in parentheses. A HELO with a space in it (where junk is allowed) is no HELO here. One without
//! space ends at the first parenthesis; if it went on behind that, with an address of its own, the true one would follow
//! as `) [`: so where a HELO is there, a line with two of these is passed over.

use base::Address;

use crate::text::{bracketed, contains, digits, find_byte, take_while};

/// A client's address and what follows it, behind ports and the local address.
pub(super) struct Client<'a> {
    pub(super) address: Address,
    pub(super) rest: &'a str,
}

/// `[H=][NAME ][(HELO) ][ADDRESS][:PORT][ I=[LOCAL]:PORT][ Ci=N]` at the beginning of the text.
pub(super) fn client(text: &str) -> Option<Client<'_>> {
    let text = text.strip_prefix("H=").unwrap_or(text);
    let (name, rest) = take_while(text, |byte| !matches!(byte, b' ' | b'(' | b'[' | b'"'));
    let rest = if name.is_empty() { rest } else { rest.strip_prefix(' ')? };
    let rest = match rest.strip_prefix('(') {
        Some(helo) => {
            let end = find_byte(helo, b')')?;
            let (helo, rest) = (helo.get(..end)?, helo.get(end..)?);
            let rest = rest.strip_prefix(") ")?;
            if find_byte(helo, b' ').is_some() || contains(rest, ") [") {
                return None;
            }
            rest
        }
        None => rest,
    };
    let (address, rest) = bracketed(rest)?;
    let rest = without_port(rest);
    let rest = match rest.strip_prefix(" I=") {
        Some(local) => without_port(bracketed(local)?.1),
        None => rest,
    };
    let rest = match rest.strip_prefix(" Ci=").and_then(digits) {
        Some((_, rest)) => rest,
        None => rest,
    };
    Some(Client { address, rest })
}

/// The text without `:PORT`.
fn without_port(text: &str) -> &str {
    text.strip_prefix(':').and_then(digits).map_or(text, |(_, rest)| rest)
}
