//! What a filter's expression says happened. fail2ban does not care: whoever matches is banned. Rules do.

use base::EventKind::{
    self, Connect, LoginFailed, ProtocolAbuse, RateExceeded, RelayDenied, SpamSeen, UnknownRecipient,
};

use super::marks::marks;

/// Who writes these means logins, whatever else stands beside them (`unknown user`).
const LOGINS: &[&str] =
    &["authentication fail", "auth failed", "authenticator failed", "login", "assword", "sasl", "535"];

/// The wordings of mail servers in small letters, in the order in which they decide.
const WORDINGS: &[(EventKind, &[&str])] = &[
    (
        RelayDenied,
        &["relay access denied", "relay not permitted", "relaying denied", "relay attempt", "denied_relaying"],
    ),
    (RelayDenied, &["proper authentication required"]),
    (UnknownRecipient, &["ser unknown", "unknown user", "ndeliverable address", "no such user", "unknown recipient"]),
    (UnknownRecipient, &["unrouteable address", "550 user", "invalid address rejected"]),
    (RateExceeded, &["rate limit", "ratelimit", "too many open connections", "too many connections"]),
    (SpamSeen, &["blocked", "service unavailable", "dnsbl", "dns blacklist", "sender verify", "spam", "virus", "rbl"]),
    (SpamSeen, &["local_scan", "blacklisted"]),
    (
        Connect,
        &["lost connection", "no mail in ", "no host name found", "no ip address found", "did not issue", "hangup"],
    ),
    (
        ProtocolAbuse,
        &["reject", "too many ", "pipelining", "synchronization", "protocol error", "dropped", "drop in acl"],
    ),
    (ProtocolAbuse, &["pregreet", "pre-greeting", "expn", "command", "not found"]),
];

/// The expression by what it says: one for each event that it tells, where alternatives of it tell different ones.
/// What says nothing of the kind is a failed login, which most filters are about.
pub(super) fn split(regex: &str) -> Vec<(EventKind, String)> {
    if !is_login(regex) {
        for (start, end) in choices(regex) {
            let (before, after) = (&regex[..start], &regex[end..]);
            let rest = of(&format!("{before}{after}")).unwrap_or(LoginFailed);
            let mut kinds: Vec<(EventKind, Vec<&str>)> = Vec::new();
            for choice in alternatives(&regex[start..end]) {
                let kind = of(choice).unwrap_or(rest);
                match kinds.iter_mut().find(|(known, _)| *known == kind) {
                    Some((_, choices)) => choices.push(choice),
                    None => kinds.push((kind, vec![choice])),
                }
            }
            if kinds.len() > 1 {
                let one =
                    |(kind, choices): (EventKind, Vec<&str>)| (kind, format!("{before}{}{after}", choices.join("|")));
                return kinds.into_iter().map(one).collect();
            }
        }
    }
    vec![(of(regex).unwrap_or(LoginFailed), regex.to_owned())]
}

fn is_login(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    LOGINS.iter().any(|login| text.contains(login))
}

/// What the text says; none if nothing that is known.
fn of(text: &str) -> Option<EventKind> {
    if is_login(text) {
        return Some(LoginFailed);
    }
    let text = text.to_ascii_lowercase();
    WORDINGS.iter().find(|(_, wordings)| wordings.iter().any(|wording| text.contains(wording))).map(|(kind, _)| *kind)
}

/// Where the alternatives stand of each group that is in no other one and is not repeated or left out.
fn choices(regex: &str) -> Vec<(usize, usize)> {
    let (mut found, mut open) = (Vec::new(), Vec::new());
    for (at, mark) in marks(regex) {
        match mark {
            '(' => open.push(at + if regex[at..].starts_with("(?:") { 3 } else { 1 }),
            ')' => {
                let Some(start) = open.pop() else { return found };
                let is_plain = !regex[at + 1..].starts_with(['?', '*', '+', '{']);
                if open.is_empty() && is_plain && !regex[start..].starts_with('?') {
                    found.push((start, at));
                }
            }
            _ => {}
        }
    }
    found
}

/// The alternatives of what stands in a group.
fn alternatives(inside: &str) -> Vec<&str> {
    let (mut all, mut depth, mut start) = (Vec::new(), 0u32, 0);
    for (at, mark) in marks(inside) {
        match mark {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => {
                all.push(&inside[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    all.push(&inside[start..]);
    all
}
