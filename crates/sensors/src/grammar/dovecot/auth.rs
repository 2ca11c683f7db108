//! The lines of `auth` and `auth-worker` about a password that a database refused (written where `auth_verbose` is on).
//!
//! `auth_request`'s log prefix is, to 2.3 and from 2.4 on:
//!
//! ```text
//! auth: [Info: ]DRIVER(USER[,ADDRESS][,master][,<SESSION>]): MESSAGE
//! auth-worker(PID): [Info: ][conn unix:auth-worker (pid=…,uid=…): auth-worker<N>: ]DRIVER(…): MESSAGE
//! auth(USER,ADDRESS[,sasl:MECH])[<SESSION>]: [Info: ][request [N]: ][DRIVER: ]MESSAGE
//! ```
//!
//! `auth_request_log_login_failure()` writes behind the message, where `auth_verbose_passwords` is on, a space, what it may tell of
//! the password, and ` - trying the next passdb` where another database is asked next.
//!
//! What a client writes into it: the user (to 64 characters, without control characters), and with
//! `auth_verbose_passwords = plain` the password at the message's end; some messages that mean nothing here end with
//! the user's text as well. Session and mechanism are Dovecot's.
//!
//! Why the address found is the true one or none: a mark closes the prefix, `): ` to 2.3 and `)<…>: ` in 2.4. Text of a
//! client may stand on both of its sides, so that neither the first nor the last mark need be the true one; but if there is
//! exactly one mark (of either kind), it is Dovecot's. Before it, the address is read from the right, where only Dovecot
//! writes; after it, the message must be one of the known ones as a whole. A login with a mark in it gets no event, and
//! is nobody's.

use base::{Address, Channel, Event, EventKind, PasswordTag, Tally, Timestamp};

use super::super::Sink;
use super::{event, named, without_level};
use crate::text::{address, contains, digits, filled, find, is_name_byte, rsplit_byte, split, split_only, take_while};

/// Reads what `auth` or `auth-worker` wrote: the text after its `: `, or from its parenthesis on.
pub(super) fn read(text: &str, time: Timestamp, out: Sink<'_>) {
    let Some((who, message)) = split_request(text.trim_ascii_end()) else { return };
    let Some((tally, password)) = refusal(who.driver, message) else { return };
    out(Event {
        address: Some(who.address),
        // Dovecot writes a question mark where there is no user yet.
        login: filled(who.user).filter(|user| *user != "?").or_else(|| impossible_user(message)),
        session: filled(who.session),
        password,
        tally,
        ..event(time, EventKind::LoginFailed, "dovecot", Channel::Auth)
    });
}

/// Whose request a line is about.
struct Who<'a> {
    user: &'a str,
    address: Address,
    session: &'a str,
    /// The password database, or the mechanism.
    driver: &'a str,
}

/// The request and the message about it.
fn split_request(text: &str) -> Option<(Who<'_>, &str)> {
    let Some(inner) = text.strip_prefix('(') else {
        return to_2_3(text);
    };
    // `auth-worker(29402): …` and `auth(default): …` name the process; what 2.4 puts there has commas.
    match take_while(inner, |byte| byte.is_ascii_alphanumeric()).1.strip_prefix("): ") {
        Some(rest) => to_2_3(rest),
        None => from_2_4(inner),
    }
}

/// `[Info: ][conn …: auth-worker<N>: ]DRIVER(USER,ADDRESS,<SESSION>): MESSAGE`.
fn to_2_3(text: &str) -> Option<(Who<'_>, &str)> {
    let mut text = without_level(text)?;
    if text.starts_with("conn ") {
        let (connection, rest) = split(text, ">: ")?;
        // All of it is Dovecot's text, which holds no comma but that between its numbers.
        contains(connection, "): auth-worker<").then_some(())?;
        text = rest;
    }
    let (driver, rest) = named(text)?;
    let (prefix, message) = split_only(rest.strip_prefix('(')?, "): ")?;
    if driver.is_empty() || contains(rest, ")<") {
        return None;
    }
    let (prefix, session) = match prefix.strip_suffix('>') {
        Some(prefix) => split_session(prefix)?,
        None => (prefix, ""),
    };
    let prefix = prefix.strip_suffix(",master").unwrap_or(prefix);
    let (user, address_text) = rsplit_byte(prefix, b',')?;
    Some((Who { user, address: address(address_text)?, session, driver }, message))
}

/// What stands before the last `,<`, and after.
fn split_session(prefix: &str) -> Option<(&str, &str)> {
    let (before, session) = rsplit_byte(prefix, b'<')?;
    Some((before.strip_suffix(',')?, session))
}

/// `USER,ADDRESS[,sasl:MECH])[<SESSION>]: [Info: ]DRIVER: MESSAGE`.
fn from_2_4(text: &str) -> Option<(Who<'_>, &str)> {
    let (inner, session, rest) = match split_only(text, ")<") {
        Some((inner, rest)) if !contains(text, "): ") => {
            let (session, rest) = split(rest, ">: ")?;
            (inner, session, rest)
        }
        None if !contains(text, ")<") => {
            let (inner, rest) = split_only(text, "): ")?;
            (inner, "", rest)
        }
        _ => return None,
    };
    let (user, last) = rsplit_byte(inner, b',')?;
    let who = match address(last) {
        Some(address) => Who { user, address, session, driver: "" },
        // What the request is for stands last: `sasl:plain`.
        None if last.bytes().all(|byte| is_name_byte(byte) || byte == b':') => {
            let (user, address_text) = rsplit_byte(user, b',')?;
            Who { user, address: address(address_text)?, session, driver: "" }
        }
        None => return None,
    };
    let rest = without_request(without_level(rest)?);
    // Mechanisms that check the password themselves name no driver.
    let (driver, message) = take_while(rest, is_name_byte);
    Some(match message.strip_prefix(": ").filter(|_| !driver.is_empty()) {
        Some(message) => (Who { driver, ..who }, message),
        None => (who, rest),
    })
}

/// The text without `request [7]: `, by which a worker of 2.4 numbers what it is asked.
fn without_request(text: &str) -> &str {
    let rest = text.strip_prefix("request [").and_then(digits);
    rest.and_then(|(_, rest)| rest.strip_prefix("]: ")).unwrap_or(text)
}

/// Whether `message` says that the password was wrong or the login unknown, how it counts, and what it tells of the password.
/// Each message is known as a whole.
fn refusal(driver: &str, message: &str) -> Option<(Tally, Option<PasswordTag>)> {
    if let Some(rest) = message.strip_prefix("Authentication failure due to policy server refusal") {
        // The policy server, which is Ratter, may add its own words.
        return (rest.is_empty() || rest.starts_with(": ")).then_some((Tally::Refused, None));
    }
    // One of several databases; that of users is asked when the password was right.
    let message = message.strip_suffix(" - trying the next passdb").unwrap_or(message);
    let (message, password) = without_password(message)?;
    // Where no password is known, the space before it stands there nevertheless.
    let message = message.trim_ascii_end();
    (is_refusal(message) || driver == "imap" && is_imap_refusal(message)).then_some((Tally::One, password))
}

/// What no password database is asked about: the login cannot be one.
const IMPOSSIBLE: [&str; 2] =
    ["Username character disallowed by auth_username_chars: 0x", "Username contains disallowed character: 0x"];

/// The login in `Username character disallowed by auth_username_chars: 0x27 (username: LOGIN)`, where none stands before.
fn impossible_user(message: &str) -> Option<&str> {
    let rest = IMPOSSIBLE.iter().find_map(|text| message.strip_prefix(text))?;
    filled(split(rest, " (username: ")?.1.strip_suffix(')')?)
}

/// What the server behind `passdb imap` says when it refuses, with the code of RFC 5530 or without one (`passdb-imap.c`).
/// Any other code tells that it is broken, or the password expired.
fn is_imap_refusal(message: &str) -> bool {
    if let Some(code) = message.strip_prefix('[') {
        return ["AUTHENTICATIONFAILED] ", "AUTHORIZATIONFAILED] "].iter().any(|known| code.starts_with(known));
    }
    let message = message.to_ascii_lowercase();
    ["failed", "invalid", "incorrect", "wrong", "denied"].iter().any(|word| contains(&message, word))
}

/// The message without what `auth_verbose_passwords` adds, and the tag of the password if it is a hash. A password itself is
/// not looked at.
fn without_password(message: &str) -> Option<(&str, Option<PasswordTag>)> {
    const SHA1: &str = " (SHA1 of given password: ";
    const PLAIN: &str = " (given password: ";
    let Some(open) = message.strip_suffix(')') else { return Some((message, None)) };
    if let Some((before, digits)) = split(open, SHA1) {
        return Some((before, Some(tag(digits)?)));
    }
    Some(match find(open, PLAIN) {
        Some(at) => (open.get(..at)?, None),
        None => (message, None),
    })
}

/// From so many digits on no two passwords in use have the same ones by chance.
const TELLING_DIGITS: usize = 6;

/// The first 32 bits of a SHA-1 in hexadecimal digits, or all of one that Dovecot cut shorter (`sha1:6`). It is of the
/// password alone, so that it tells the same one with different logins, unless it is too short for that.
fn tag(digits: &str) -> Option<PasswordTag> {
    if digits.is_empty() || digits.len() > 40 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let bits = u32::from_str_radix(digits.get(..8).unwrap_or(digits), 16).ok()?;
    Some(if digits.len() < TELLING_DIGITS { PasswordTag::of_guess(bits) } else { PasswordTag::of_password(bits) })
}

fn is_refusal(message: &str) -> bool {
    if let Some(reason) = message.strip_prefix("pam_authenticate() failed: ") {
        return is_pam_refusal(reason);
    }
    if let Some(reason) = message.strip_prefix("oauth2 failed: ") {
        return is_token_refusal(reason);
    }
    let known = ["password mismatch", "unknown user", "invalid credentials"];
    known.iter().any(|known| message.eq_ignore_ascii_case(known))
        || matches!(
            message,
            "Password mismatch (for LDAP bind)"
                | "Login failed (status=1)"
                | "Login attempt with empty password"
                | "Attempted login with password having NULs"
                | "Attempted login with password having illegal chars"
                | "Empty username"
                | "User found from deny passdb"
        )
        || IMPOSSIBLE.iter().any(|text| message.starts_with(text))
        // What the server behind `passdb imap` says, and Samba's `ntlm_auth`.
        || message.starts_with("[AUTHENTICATIONFAILED] ")
        || message.starts_with("user not authenticated: NT_STATUS_")
}

/// Whether the token was not one of this login, and not the server that was asked about it broken (`db-oauth2.c`).
fn is_token_refusal(reason: &str) -> bool {
    let reason = reason.strip_prefix("oauth2: ").unwrap_or(reason);
    let reason = reason.strip_prefix("Local validation failed: ").unwrap_or(reason);
    // A token that has expired, or is not for this scope, was good once.
    matches!(
        reason,
        "Invalid token"
            | "invalid_grant"
            | "Not a JWT token"
            | "Provided token is not valid"
            | "Incorrect JWT signature"
            | "Bad signature"
            | "Token is issued in future"
            | "Token is not valid yet"
            | "Token time values are conflicting"
            | "client_id not found in aud field"
    ) || reason.starts_with("Username '") && contains(reason, "' did not match '")
        || reason.starts_with("Issuer '") && reason.ends_with("' is not allowed")
        || reason.starts_with("Unsupported algorithm '")
        || reason.starts_with("unsupported algorithm '")
        || (reason.starts_with("Missing '") || reason.starts_with("Malformed '") || reason.starts_with("Cannot find '"))
            && reason.ends_with("' field")
}

/// Whether PAM's text says that the login or password was refused, and not that something is broken: the texts of
/// `pam_strerror()` in Linux-PAM and `OpenPAM`, with what Dovecot and logwatch add.
fn is_pam_refusal(reason: &str) -> bool {
    let reason = without_repeats(reason);
    let added = " (password mismatch?)";
    let end = reason.len().saturating_sub(added.len());
    let reason = match reason.get(end..) {
        Some(tail) if tail.eq_ignore_ascii_case(added) => reason.get(..end).unwrap_or(reason),
        _ => reason,
    };
    let known = [
        "Authentication failure",
        "Authentication error",
        "User not known to the underlying authentication module",
        "Unknown user",
        "Permission denied",
        "Have exhausted maximum number of retries for service",
        "Sorry",
    ];
    known.iter().any(|known| reason.trim_end_matches('.').eq_ignore_ascii_case(known))
}

/// The text without `: 2 Time(s)`.
fn without_repeats(text: &str) -> &str {
    let Some(open) = text.strip_suffix(" Time(s)") else { return text };
    match rsplit_byte(open, b' ') {
        Some((before, digits)) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            before.strip_suffix(':').unwrap_or(text)
        }
        _ => text,
    }
}
