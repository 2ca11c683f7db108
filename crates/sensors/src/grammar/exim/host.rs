//! A client as Exim writes it.
//!
//! Why the address found is the true one or none: before it stand the reverse name, which holds neither space nor
//! parenthesis, and HELO in parentheses. Where a HELO is there, the true address follows as `) [ADDRESS]`, whatever HELO
//! holds (spaces and parentheses too, where junk is allowed): so a line with two of these is passed over. Callers hand over
//! as little as they can of what follows the client, so that no sender, recipient or login can have a line passed over.

use base::Address;

use crate::text::{bracketed, digits, find_byte, steps, take_while};
use crate::words;

/// A client's address and what follows it, behind ports, the local address and what an ident server said.
pub(super) struct Client<'a> {
    pub(super) address: Address,
    pub(super) rest: &'a str,
}

/// `[H=][NAME ][(HELO) ][ADDRESS][:PORT][ I=[LOCAL]:PORT][ Ci=N][ U=IDENT]` at the beginning of the text.
pub(super) fn client(text: &str) -> Option<Client<'_>> {
    let text = text.strip_prefix("H=").unwrap_or(text);
    let (name, rest) = take_while(text, |byte| !matches!(byte, b' ' | b'(' | b'[' | b'"'));
    let rest = if name.is_empty() { rest } else { rest.strip_prefix(' ')? };
    let rest = match rest.strip_prefix('(') {
        Some(helo) => {
            let at = behind_parenthesis(helo)?;
            let rest = helo.get(at..)?;
            if has_another(rest) {
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
    let rest = rest.strip_prefix(" U=").map_or(rest, behind_ident);
    Some(Client { address, rest })
}

/// What follows the ident, which the client's own server gave: it ends at a space, or at the colon before one.
fn behind_ident(text: &str) -> &str {
    let end = find_byte(text, b' ').unwrap_or(text.len());
    let (ident, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    if ident.ends_with(':') { text.get(end - 1..).unwrap_or(rest) } else { rest }
}

/// Whether a client's address follows a parenthesis here, too.
pub(super) fn has_another(text: &str) -> bool {
    behind_parenthesis(text).is_some()
}

/// The place of the first address that follows a parenthesis: `) [ADDRESS]`.
fn behind_parenthesis(text: &str) -> Option<usize> {
    steps::add(text.len());
    let bytes = text.as_bytes();
    let is_client = |place: usize| {
        let at = place + ") ".len();
        // The text may be full of marks, of which few can begin an address.
        bytes.get(at + 1).is_some_and(|first| first.is_ascii_hexdigit() || matches!(first, b':' | b'I'))
            && text.get(at..).and_then(bracketed).is_some()
    };
    words::find_mark(bytes, *b") [", is_client).map(|place| place + ") ".len())
}

/// The text without `:PORT`.
fn without_port(text: &str) -> &str {
    text.strip_prefix(':').and_then(digits).map_or(text, |(_, rest)| rest)
}
