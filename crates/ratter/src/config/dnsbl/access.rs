//! `[dnsbl.access]` and the same keys in `[[dnsbl.zone]]`: who may ask, how much, and what the others are told.

use core::fmt;
use std::collections::BTreeMap;

use ::dnsbl::access::{Limit, NamesWanted, Permit, Policy, Refusal, ZoneAccess};
use base::Network;

use super::super::diagnose::{Excerpt, Fault};
use super::super::forms::{Form, Mismatch, network, number, word};
use super::super::listeners::reason;
use super::super::reader::{Placed, Section};
use super::super::words::shown;

/// Highest rate that can be written, a second.
const RATE_MAX: u32 = 1_000_000;

/// Every how manieth reply beyond the limit says "come by TCP" if nothing is set, as with other servers.
const SLIP: u8 = 2;

/// Longest file of cookie secrets, in bytes.
const SECRETS_BYTES_MAX: usize = 1024;

/// Secrets of DNS cookies, which no output shows.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct CookieSecrets(Vec<[u8; 16]>);

impl CookieSecrets {
    /// The secrets themselves: the first makes cookies, all are recognised.
    pub fn expose(&self) -> &[[u8; 16]] {
        &self.0
    }
}

impl fmt::Debug for CookieSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieSecrets(..)")
    }
}

/// The rules of a section. What it does not say is as in `others`, so that nobody opens a zone by saying something else of
/// it; networks that are free there are not where the section has a policy of its own.
pub(super) fn read(section: &Section<'_>, others: Option<&ZoneAccess>) -> ZoneAccess {
    let policies = [("open", Word::Open), ("key", Word::Key), ("open-below", Word::OpenBelow)];
    let policy = section.optional("policy", &word(policies));
    let rate = section.optional("rate", &per_second());
    let names = [("any", NamesWanted::Any), ("some", NamesWanted::Some), ("own", NamesWanted::Own)];
    let names = section.optional("reverse-name", &word(names));
    let mut networks = permits(section);
    networks.extend(inherited(section, &networks, others));
    let policy = read_policy(section, policy, rate, others.map(|others| others.policy));
    let of_others = others.and_then(|others| others.limit);
    let refusal = section.optional("refusal", &word([("refused", Refusal::Refused), ("code", Refusal::Codes)]));
    let replies = section.optional("replies", &per_second());
    let slip = section.optional("slip", &number(0..=10));

    if section.has("slip") && !section.has("replies") && of_others.is_none() {
        let fault = Fault::error(section.key_place("slip"), "`slip` without a limit of replies");
        section.desk.report(fault.label("limits nothing").hint("add `replies = \"20/s\"`".to_owned()));
    }
    if policy == Policy::Key && section.has("reverse-name") {
        let fault = Fault::error(section.key_place("reverse-name"), "`reverse-name` where everybody has a key");
        section.desk.report(fault.label("is for clients without one").hint("leave it out".to_owned()));
    }
    ZoneAccess {
        policy,
        names: names.or_else(|| others.map(|others| others.names)).unwrap_or_default(),
        networks,
        refusal: refusal.or_else(|| others.map(|others| others.refusal)).unwrap_or_default(),
        limit: replies.or_else(|| of_others.map(|limit| limit.per_second)).map(|per_second| Limit {
            per_second,
            slip: slip.or_else(|| of_others.map(|limit| limit.slip)).unwrap_or(SLIP),
        }),
    }
}

/// The networks of `others`, unless the section has `own` ones for that key or names the network itself. A network that is
/// free elsewhere needs here what the policy says, if that or the free networks are the section's own.
fn inherited(section: &Section<'_>, own: &[(Network, Permit)], others: Option<&ZoneAccess>) -> Vec<(Network, Permit)> {
    let says = |permit| match permit {
        Permit::Refuse => section.has("refused"),
        Permit::Ignore => section.has("ignored"),
        Permit::Free | Permit::ByPolicy => false,
    };
    let is_own = section.has("policy") || section.has("free");
    let here = |permit| if permit == Permit::Free && is_own { Permit::ByPolicy } else { permit };
    let others = others.into_iter().flat_map(|others| &others.networks);
    let others = others.filter(|(network, permit)| !says(*permit) && own.iter().all(|(known, _)| known != network));
    others.map(|(network, permit)| (*network, here(*permit))).collect()
}

/// A policy as it is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Open,
    Key,
    OpenBelow,
}

fn read_policy(section: &Section<'_>, policy: Option<Word>, rate: Option<u32>, others: Option<Policy>) -> Policy {
    // Only the rate of the policy of all zones is another one here.
    let policy = match others {
        Some(Policy::OpenBelow(_)) if policy.is_none() && rate.is_some() => Some(Word::OpenBelow),
        _ => policy,
    };
    if section.has("rate") && policy != Some(Word::OpenBelow) {
        let fault = Fault::error(section.key_place("rate"), "`rate` belongs to the policy `open-below`");
        section.desk.report(fault.label("limits nothing").hint("write `policy = \"open-below\"`".to_owned()));
    }
    match policy {
        None => others.unwrap_or_default(),
        Some(Word::Open) => Policy::Open,
        Some(Word::Key) => Policy::Key,
        Some(Word::OpenBelow) => match rate {
            Some(rate) => Policy::OpenBelow(rate),
            None => {
                if !section.has("rate") {
                    let fault = section.wrong("policy", "`open-below` wants to know below what");
                    section.desk.report(fault.hint("add `rate = \"20/s\"`".to_owned()));
                }
                Policy::Open
            }
        },
    }
}

/// The networks for which something else holds.
fn permits(section: &Section<'_>) -> Vec<(Network, Permit)> {
    let keys = [
        ("free", Permit::Free),
        ("by-policy", Permit::ByPolicy),
        ("refused", Permit::Refuse),
        ("ignored", Permit::Ignore),
    ];
    let mut all: Vec<(Network, Permit)> = Vec::new();
    let mut seen: BTreeMap<Network, (&str, Placed<()>)> = BTreeMap::new();
    for (key, permit) in keys {
        for Placed { value: network, place } in section.each(key, &network()) {
            if let Some((other, first)) = seen.get(&network) {
                let fault = Fault::error(place, format!("{network} is both `{other}` and `{key}`"));
                section.desk.report(fault.label("the second").also(first.place.clone(), "the first"));
                continue;
            }
            seen.insert(network, (key, Placed { value: (), place }));
            all.push((network, permit));
        }
    }
    let is_shut = |(network, permit): &(Network, Permit)| {
        network.length() == 0 && matches!(permit, Permit::Refuse | Permit::Ignore)
    };
    if all.iter().filter(|entry| is_shut(entry)).count() == 2 && all.len() == 2 {
        let fault = Fault::error(section.header(), "nobody may ask here");
        let hint = "name the networks that may, in `free` or `by-policy`";
        section.desk.report(fault.label("all networks are refused or ignored").hint(hint.to_owned()));
    }
    all
}

/// A number of questions or replies in each second: `"50/s"`.
fn per_second() -> Form<'static, u32> {
    Form::of_text("a number a second, such as `\"50/s\"`", |text| {
        let Some((count, unit)) = text.split_once('/') else {
            let mismatch = Mismatch::new("no `/s`");
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            return Err(if is_number { mismatch.hint(format!("write `\"{}/s\"`", shown(text))) } else { mismatch });
        };
        if unit.trim() != "s" {
            return Err(Mismatch::new("only rates a second are possible"));
        }
        match count.trim().parse() {
            Ok(0) => Err(Mismatch::new("zero would refuse everybody").hint("refuse networks with `refused`")),
            Ok(count) if count <= RATE_MAX => Ok(count),
            Ok(_) => Err(Mismatch::new(format!("more than {RATE_MAX}"))),
            Err(_) => Err(Mismatch::new(format!("`{}` is no number", shown(count)))),
        }
    })
}

/// The secrets of cookies from a file that only its owner and group can read, one in each line.
pub(super) fn cookie_secrets(section: &Section<'_>) -> CookieSecrets {
    const KEY: &str = "cookie-secrets";
    let Some(path) = section.optional(KEY, &section.desk.path("/etc/ratter/cookies")) else {
        return CookieSecrets::default();
    };
    let Some(text) = private_text(section, KEY, &path, SECRETS_BYTES_MAX) else { return CookieSecrets::default() };
    let mut secrets = Vec::new();
    for (number, line) in lines(&text) {
        match (line.len() == 32).then(|| u128::from_str_radix(line, 16)) {
            Some(Ok(bits)) if !line.starts_with('+') => secrets.push(bits.to_be_bytes()),
            _ => {
                let fault = section.wrong(KEY, format!("line {number} of `{}` is no secret", path.display()));
                let hint = "`openssl rand -hex 16` makes one".to_owned();
                let text = masked(line);
                let excerpt = Excerpt { file: path.display().to_string(), line: number, place: 0..text.len(), text };
                section.desk.report(fault.label("32 hexadecimal digits are wanted").inside(excerpt).hint(hint));
            }
        }
    }
    CookieSecrets(secrets)
}

/// What stands for a secret: as many stars as it has characters, up to a number.
pub(super) fn masked(secret: &str) -> String {
    const SHOWN_MAX: usize = 32;
    "*".repeat(secret.chars().take(SHOWN_MAX).count())
}

/// The lines that say something, with their numbers.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// The text of a file with secrets; it is a fault if everybody on this machine can read it.
pub(in crate::config) fn private_text(
    section: &Section<'_>,
    key: &'static str,
    path: &std::path::Path,
    bytes_max: usize,
) -> Option<String> {
    let probe = section.desk.probe;
    let unreadable = |label: String| {
        section.desk.report(section.wrong(key, format!("cannot read `{}`", path.display())).label(label));
    };
    match probe.is_private(path) {
        Err(error) => {
            unreadable(reason(&error));
            return None;
        }
        Ok(false) => {
            let fault = section.wrong(key, format!("everybody on this machine can read `{}`", path.display()));
            section.desk.report(fault.label("has secrets in it").hint(format!("`chmod 640 {}`", path.display())));
        }
        Ok(true) => {}
    }
    match probe.read(path, bytes_max).map(String::from_utf8) {
        // Editors of other systems begin a file with a mark (RFC 3629 section 6).
        Ok(Ok(text)) => return Some(text.trim_start_matches('\u{feff}').to_owned()),
        Ok(Err(_)) => unreadable("no UTF-8 text".into()),
        Err(error) => unreadable(reason(&error)),
    }
    None
}
