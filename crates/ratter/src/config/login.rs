//! `[login]`: how guessing is told from forgetting.

use core::ops::RangeInclusive;
use core::time::Duration;
use std::collections::HashMap;

use base::Network;
use base::limits::LOGIN_BYTES_MAX;
use rules::{ALIASES_MAX, Logins, Profile};

use super::diagnose::Fault;
use super::forms::{boolean, domain, duration_or, network, number, text, word};
use super::reader::Section;
use super::units::days;

/// How logins are guarded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoginGuard {
    /// Which wrong passwords count.
    pub profile: Profile,
    /// How long an address from which the owner of a login logged in stays let in when the login is attacked; none if
    /// that makes no difference.
    pub known_addresses: Option<Duration>,
    /// Webmail and proxies behind which many people are: no address rule counts against them.
    pub trusted_proxies: Vec<Network>,
    /// Most clients that are held at one time; beyond, they are refused at once.
    pub tarpits: usize,
    /// Most clients of one address that are held at one time.
    pub tarpits_per_address: usize,
    /// How the forms of one login are made one.
    pub logins: Logins,
}

/// A day is the least in which an owner comes back; a year is long enough for any.
const KNOWN_FOR: RangeInclusive<Duration> = days(1)..=days(366);

/// Most tarpits that can be asked for; a mail server has fewer login processes.
const TARPITS_MAX: u64 = 10_000;

pub(super) fn read(section: &Section<'_>) -> Option<LoginGuard> {
    let profile = section.setting("profile", &word([("smart", Profile::Smart), ("text", Profile::Text)]));
    let known_addresses = section.setting("known-addresses", &duration_or("off", KNOWN_FOR));
    let trusted_proxies = section.each("trusted-proxies", &network());
    let tarpits = section.setting("tarpits", &number(0..=TARPITS_MAX));
    let per_address = section.setting("tarpits-per-address", &number(0..=TARPITS_MAX));

    let logins = logins(section);

    let (tarpits, per_address): (usize, usize) = (tarpits?, per_address?);
    if per_address > tarpits {
        let fault = section.wrong("tarpits-per-address", "more tarpits for one address than for all");
        let label = format!("all together have {tarpits}");
        let fault = if section.has("tarpits") { fault.also(section.place("tarpits"), "for all") } else { fault };
        section.desk.report(fault.label(label));
    }
    Some(LoginGuard {
        profile: profile?,
        known_addresses: known_addresses?,
        trusted_proxies: trusted_proxies.into_iter().map(|network| network.value).collect(),
        tarpits,
        tarpits_per_address: per_address,
        logins,
    })
}

/// How the forms of one login are made one; an alias and its login are whole: with the default domain, and without tags.
fn logins(section: &Section<'_>) -> Logins {
    let default_domain = section.optional("default-domain", &domain());
    let drops_tags = section.optional("drop-tags", &boolean());
    let mut logins = Logins {
        default_domain: default_domain.map(|domain| domain.to_ascii_lowercase().into()),
        drops_tags: drops_tags.unwrap_or(true),
        aliases: HashMap::new(),
    };
    let name = || text("a login", LOGIN_BYTES_MAX);
    let pairs = section.tables("alias", |one| {
        let (alias, login) = (one.required("alias", &name()), one.required("login", &name()));
        Some((one.header(), alias?, login?))
    });
    if pairs.len() > ALIASES_MAX {
        let fault = Fault::error(section.header(), format!("more than {ALIASES_MAX} aliases"));
        section.desk.report(fault.label("too many"));
        return logins;
    }
    let whole = |raw: &str| logins.canonical(&raw.to_ascii_lowercase()).into_owned();
    let mut aliases: HashMap<Box<str>, Box<str>> = HashMap::new();
    for (place, alias, login) in pairs.into_iter().flatten() {
        let (alias, login) = (whole(&alias), whole(&login));
        let fault = |title: String| Fault::error(place.clone(), title);
        if alias == login {
            section.desk.report(fault(format!("`{alias}` stands for itself")).label("take it out"));
        } else if aliases.insert(alias.as_str().into(), login.into()).is_some() {
            section.desk.report(fault(format!("`{alias}` stands for two logins")).label("the second"));
        }
    }
    // A name behind a name would make it matter by which of the two somebody comes.
    if let Some(login) = aliases.values().find(|login| aliases.contains_key(*login)) {
        let fault = Fault::error(section.header(), format!("`{login}` has an alias and is one"));
        section.desk.report(fault.label("in its aliases").hint("let each alias stand for the login itself".to_owned()));
    }
    logins.aliases = aliases;
    logins
}
