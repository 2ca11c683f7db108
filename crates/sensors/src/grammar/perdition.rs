//! Perdition, the IMAP and POP3 proxy.
//!
//! ```text
//! Auth: ADDRESS:PORT->SERVER:PORT client-secure=ssl authorisation_id=NONE authentication_id="LOGIN" server="…" protocol=IMAP4S server-secure=ssl status="failed: Re-Authentication Failure"
//! Fatal Error[: Timeout] reading authentication information from client ADDRESS:PORT->SERVER:PORT: Exiting child
//! ```
//!
//! The address stands before all that the client writes.

use base::Address;
use base::EventKind::{Connect, LoginFailed, LoginOk};

use super::Hinted;
use super::parts::{Lines, Told};
use crate::text::{address, address_of_port, rsplit, split};

pub(super) const PERDITION: Lines = Lines {
    name: "perdition",
    aliases: &[],
    service: "mail-proxy",
    speaks: |program| program.starts_with("perdition"),
    hinted: Hinted::Nothing,
    told,
};

/// What the client wanted and the proxy does not do; no password was tried.
const REFUSALS: [&str; 3] = ["failed: Login Disabled", "failed: SASL mechanism unavailable", "failed: TLS not present"];

fn told(text: &str) -> Option<Told<'_>> {
    if let Some(rest) = text.strip_prefix("Fatal Error") {
        let rest = rest.strip_prefix(": Timeout").unwrap_or(rest);
        let rest = rest.strip_prefix(" reading authentication information from client ")?;
        return Some(Told::new(Connect, client(rest)?));
    }
    let rest = text.strip_prefix("Auth: ")?;
    let (_, status) = rsplit(rest, " status=\"")?;
    let kind = if status.starts_with("ok") {
        LoginOk
    } else if status.starts_with("failed: Re-Authentication ") || status.starts_with("failed: local authentication ") {
        LoginFailed
    } else if REFUSALS.iter().any(|refusal| status.starts_with(refusal)) {
        Connect
    } else {
        // A server that cannot be reached or does not answer as it should.
        return None;
    };
    // Older versions wrote `user="LOGIN" server="…" port="…" status="…"`.
    let login = split(rest, " authentication_id=\"")
        .or_else(|| split(rest, " user=\""))
        .and_then(|(_, rest)| rsplit(rest, "\" server="))
        .map_or("", |(login, _)| login);
    Some(Told::new(kind, client(rest)?).by(login))
}

fn client(text: &str) -> Option<Address> {
    let (client, _) = split(text, "->")?;
    address_of_port(client).or_else(|| address(client))
}
