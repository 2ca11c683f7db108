//! `[login]`: how guessing is told from forgetting.

use core::ops::RangeInclusive;
use core::time::Duration;

use base::Network;

use super::forms::{duration_or, network, number, word};
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
}

/// Which wrong passwords count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Profile {
    /// The same wrong password sent again counts once: it is a stale phone, not a guess.
    Smart,
    /// Every attempt counts.
    Text,
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
    })
}
