//! What PAM modules write by themselves inside Dovecot's `auth`:
//!
//! ```text
//! pam_unix(dovecot:auth): authentication failure; logname=NAME uid=0 euid=0 tty=dovecot ruser=USER rhost=ADDRESS  user=USER
//! ```
//!
//! `pam_unix` leaves `user=` out where there is no such user; `pam_sss` writes one space before it. Dovecot gives PAM the
//! same name as user and as remote user, and a client chooses it: it stands on both sides of the address.
//!
//! Why the address found is the true one or none: `rhost=` must stand in the line once only. A login that holds it gets
//! no event, and is nobody's.

use base::{Address, Channel, Event, EventKind, Tally, Timestamp};

use super::super::Sink;
use super::event;
use crate::text::{address, contains, filled, find_byte, split, split_only};

/// Reads what stands after the module's name: `(SERVICE:auth): …`.
pub(super) fn read(text: &str, time: Timestamp, out: Sink<'_>) {
    let Some((user, address)) = client(text) else { return };
    out(Event {
        address: Some(address),
        login: filled(user),
        tally: Tally::One,
        ..event(time, EventKind::LoginFailed, "dovecot", Channel::Auth)
    });
}

fn client(text: &str) -> Option<(&str, Address)> {
    let (service, rest) = split(text.strip_prefix('(')?, "): ")?;
    if !service.ends_with(":auth") {
        return None;
    }
    // Everything up to the remote user is PAM's and the system's.
    let (head, rest) = split(rest.strip_prefix("authentication failure; logname=")?, " tty=dovecot ruser=")?;
    find_byte(head, b'=')?;
    let (user, rest) = split_only(rest, " rhost=")?;
    if contains(user, "rhost=") || contains(rest, "rhost=") {
        return None;
    }
    let (address_text, rest) = rest.split_at_checked(find_byte(rest, b' ').unwrap_or(rest.len()))?;
    let rest = rest.trim_start_matches(' ');
    (rest.is_empty() || rest.starts_with("user=")).then_some((user, address(address_text)?))
}
