//! Roundcube, by syslog (`roundcube`) or in its `logs/errors.log` and `logs/userlogins.log`.
//!
//! ```text
//! [<SESSION> ]IMAP Error: Login failed for LOGIN [against SERVER ]from ADDRESS[[ ](X-Forwarded-For: …)][. REASON in FILE on line N (POST URI)]
//! [<SESSION> ]Failed login for LOGIN from ADDRESS in session SESSION (error: 0)
//! [<SESSION> ]FAILED login for LOGIN from ADDRESS
//! [<SESSION> ]Successful login for LOGIN (ID: 7) from ADDRESS in session SESSION
//! ```
//!
//! With `log_driver = stdout` the name of the log stands before each line: `errors: `, `userlogins: `.
//!
//! Whether a login was refused, or the mail server did not do its work, tells the reason, which is `rcube_imap_generic.php`'s
//! or what the mail server answered.
//!
//! The login stands before the address, the headers of a proxy, the IMAP server's text and the request's URI behind it, and
//! all of them are the client's. Where nothing of these follows, the last ` from ` is Roundcube's. Else the request is cut off
//! where it certainly begins, and all that look like ` from ADDRESS` must name the same address. One that another ` from `
//! follows at once stands in the login: Roundcube writes nothing of the kind behind its own.

use base::Address;
use base::EventKind::{LoginFailed, LoginOk};

use super::Hinted;
use super::parts::{Lines, Told};
use super::sasl;
use crate::text::{address, contains, digits, filled, rsplit, split, split_only, steps, take_while, word};
use crate::words;

pub(super) const ROUNDCUBE: Lines = Lines {
    name: "roundcube",
    aliases: &["roundcubemail"],
    service: "webmail",
    speaks: |program| program.starts_with("roundcube") || LOGS.contains(&program),
    hinted: Hinted::Bare,
    told,
};

/// The logs, as they are named where all of them go to one place.
const LOGS: [&str; 2] = ["errors", "userlogins"];

fn told(text: &str) -> Option<Told<'_>> {
    let named = LOGS.iter().find_map(|log| text.strip_prefix(log)?.strip_prefix(": "));
    let text = named.unwrap_or(text);
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
    if kind == LoginOk {
        return succeeded(rest);
    }
    // Numbers below zero are of the mail server's failing; the login cannot stand at the end.
    if !has_reason && rsplit(rest, " (error: ").is_some_and(|(_, number)| number.starts_with('-')) {
        return None;
    }
    let (login, client, behind) = if has_reason || contains(rest, "(X-") {
        only(without_request(rest).0)?
    } else {
        let (login, client) = rsplit(rest, " from ")?;
        let (client, behind) = leading(client)?;
        (login, client, behind)
    };
    if has_reason && is_trouble(behind) {
        return None;
    }
    let login = rsplit(login, " against ").map_or(login, |(login, _)| login);
    Some(Told::new(kind, client).by(filled(login)?))
}

/// `LOGIN (ID: 7) from ADDRESS…`. The login exists, so that its text is the operator's, and what follows the address, as the
/// headers of a proxy, is not looked at.
fn succeeded(text: &str) -> Option<Told<'_>> {
    let (login, rest) = split(text, " (ID: ")?;
    let (_id, rest) = digits(rest)?;
    let (client, _) = leading(rest.strip_prefix(") from ")?)?;
    Some(Told::new(LoginOk, client).by(filled(login)?))
}

/// The text without ` on line N (POST URI)`, which ends it; with it where a login, or the URI itself, imitates that. And whether
/// it is known where the request begins.
fn without_request(text: &str) -> (&str, bool) {
    const LINE: &str = " on line ";
    let before = || {
        let (before, after) = split_only(text, LINE)?;
        let (_line, rest) = digits(after)?;
        (rest.starts_with(" (") && rest.ends_with(')')).then_some(before)
    };
    match before() {
        Some(before) => (before, true),
        None => (text, !contains(text, LINE)),
    }
}

/// Whether the reason in what stands behind the address says that the mail server was down or that Roundcube could not speak with
/// it, which is no guess of the client. What a proxy said of the client is the client's text, and so is the request's URI:
/// where one of them might hold the reason, the login counts.
fn is_trouble(behind: &str) -> bool {
    let (behind, is_known) = without_request(behind);
    let reason = if behind.trim_start().starts_with('(') {
        rsplit(behind, "). ").filter(|_| is_known).map_or("", |(_, reason)| reason)
    } else {
        behind.trim_start_matches(['.', ' '])
    };
    let has = |beginnings: &[&str], text: &str| beginnings.iter().any(|beginning| text.starts_with(beginning));
    let Some(answer) = answer(reason) else { return has(TROUBLES, reason) || sasl::failure(reason).is_none() };
    // `A0001 NO [CODE] TEXT`, or the text alone.
    let (tag, rest) = word(answer);
    let is_tag = tag == "*" || tag.len() <= TAG_BYTES_MAX && tag.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_tag && rest.starts_with("BYE") {
        return true;
    }
    let said = if is_tag { ["NO ", "BAD "].iter().find_map(|kind| rest.strip_prefix(kind)) } else { None };
    let said = said.unwrap_or(answer);
    if let Some((code, _)) = said.strip_prefix('[').and_then(|code| split(code, "]"))
        && CODES.contains(&code)
    {
        return true;
    }
    let said = said.strip_prefix("Login failed: ").unwrap_or(said);
    // It said nothing at all, and Roundcube's file follows.
    said.is_empty() || said.starts_with("in /") || has(TROUBLES, said) || sasl::failure(said).is_none()
}

/// What the mail server answered, behind `AUTHENTICATE MECH:` or `LOGIN:`.
fn answer(reason: &str) -> Option<&str> {
    let rest = match reason.strip_prefix("AUTHENTICATE ") {
        Some(rest) => split(rest, ":")?.1,
        None => reason.strip_prefix("LOGIN:")?,
    };
    Some(rest.trim_start())
}

/// Longest tag of Roundcube's commands: `A` and four digits; more than that of any other version.
const TAG_BYTES_MAX: usize = 8;

/// The codes of answers (RFC 5530) that say nothing of the password.
const CODES: &[&str] = &[
    "UNAVAILABLE",
    "SERVERBUG",
    "CONTACTADMIN",
    "LIMIT",
    "INUSE",
    "EXPIRED",
    "PRIVACYREQUIRED",
    "CORRUPTION",
    "OVERQUOTA",
    "CLOSED",
];

/// How Roundcube's own reasons, and those of mail servers without a code, begin where no password was wrong.
const TROUBLES: &[&str] = &[
    "Could not connect to ",
    "Couldn't connect to ",
    "Unable to connect to ",
    "Unable to negotiate TLS",
    "Empty startup greeting",
    "Wrong startup greeting",
    "Connection ",
    "Configuration error",
    "Login disabled by IMAP server",
    "Unexpected response from server",
    "Unknown reason",
    "GSSAPI authentication failed",
    "The Auth_SASL package is required",
    "The krb5 extension is required",
    "The gssapi_",
    "not supported",
    "Temporary ",
    "Temporarily ",
    "Internal ",
    "Unsupported authentication mechanism",
    "Server unavailable",
    "Service unavailable",
    "Service temporarily unavailable",
    "Authentication server unavailable",
    "Maximum number of connections",
    "Too many ",
    "Timeout",
    "Timed out",
    "System error",
    "Password expired",
    "Plaintext authentication disallowed",
    "User is authenticated but not connected",
];

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
        let next = text.as_bytes().get(start..)?;
        if from != Some(count) {
            // A word that is neither of the two, and stands behind no ` from `, matters by its number alone.
            let (length, words) = match next {
                [b'f', b'r', b'o', b'm', b' ', ..] => {
                    from = Some(count + 1);
                    ("from ".len(), 1)
                }
                [b'a', b'g', b'a', b'i', b'n', b's', b't', b' ', ..] => {
                    against = Some(count + 1);
                    ("against ".len(), 1)
                }
                _ => words::next_word(next, *b"fa", |word| word.starts_with(b"from ") || word.starts_with(b"against ")),
            };
            (start, count) = (start + length, count + words);
            continue;
        }
        // No address, or one that another mark follows at once, and not where Roundcube writes its own.
        let length = next.iter().position(|byte| !is_of_address(*byte)).unwrap_or(next.len());
        let is_passed_over = next.get(length..).is_some_and(|behind| match length {
            0 => behind.starts_with(b" "),
            _ => behind.starts_with(MARK.as_bytes()),
        });
        if is_passed_over && against.is_none_or(|at| at + 2 != count) {
            (start, count) = (start + length + 1, count + 1);
            continue;
        }
        let rest = text.get(start..)?;
        let word = rest.get(..rest.bytes().position(|byte| byte == b' ').unwrap_or(rest.len()))?;
        let end = start + word.len();
        count += 1;
        if start >= MARK.len() {
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
