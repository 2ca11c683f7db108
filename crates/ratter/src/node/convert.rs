//! The configuration as the rooms take it. Nothing is decided here: each room's settings say what they mean.

use std::sync::Arc;
use std::time::Duration;

use base::{EventKind, ListId};

use super::names::{ListInfo, Names};
use crate::config::{Config, Dnsbl, DovecotGate, HttpGate, List, Secret};

/// Names of the lists and rules.
pub(crate) fn names(config: &Config) -> Names {
    let lists =
        config.lists.iter().map(|list| ListInfo { name: list.name.clone(), code: list.code, lifetime: list.lifetime });
    Names::new(lists.collect(), &config.rules, names_of_locks())
}

fn names_of_locks() -> impl Iterator<Item = String> {
    rules::Lock::NAMES.into_iter().map(|(name, _)| name.to_owned())
}

/// The names of the rules by their ids: the configured ones, and behind them those of the locks.
pub(crate) fn rule_names(config: &Config) -> Vec<String> {
    config.rules.iter().map(|rule| rule.name.to_string()).chain(names_of_locks()).collect()
}

/// What the engine does.
pub(crate) fn engine_settings(config: &Config) -> rules::Settings {
    rules::Settings {
        rules: config.rules.clone(),
        profile: config.login.profile,
        known_for: config.login.known_addresses,
        proxies: config.login.trusted_proxies.clone(),
        tarpits_max: config.login.tarpits,
        tarpits_per_address_max: config.login.tarpits_per_address,
        recheck_every: config.resolver.recheck,
        reporters: config.reports.as_ref().map_or_else(Vec::new, |reports| reports.voices.clone()),
        canaries: config.node.canaries.clone(),
        subjects_max: config.limits.subjects,
    }
}

/// How far back the rules look, and so how far back events are read again at a start: all events, and failed logins.
pub(crate) fn memory(config: &Config) -> (Duration, Duration) {
    /// Of longer ago than this only failed logins are read: a month of all events would make a start too slow.
    const LONGEST: Duration = Duration::from_hours(24);
    let span = |rule: &rules::Rule| match rule.effect {
        // While a subject is listed the rule forgets it, so that the windows from before the listing count too.
        rules::Effect::Block { span, .. } => rule.within + span,
        rules::Effect::BlockAddresses { .. } | rules::Effect::BlockSender { .. } | rules::Effect::List { .. } => {
            rule.within
        }
    };
    let longest = |rules: &mut dyn Iterator<Item = &rules::Rule>| rules.map(span).max().unwrap_or_default();
    let is_of_failures = |rule: &&rules::Rule| rule.on == rules::Trigger::Event(EventKind::LoginFailed);
    let of_failures = longest(&mut config.rules.iter().filter(is_of_failures));
    (longest(&mut config.rules.iter()).min(LONGEST), of_failures)
}

/// Who may ask a gate over HTTP.
fn access(password: Option<&Secret>, api_key: Option<&Secret>, api_header: &str) -> gates::dovecot::Access {
    let mut access = gates::dovecot::Access::open();
    if let Some(password) = password {
        access = access.with_password(password.expose());
    }
    if let Some(key) = api_key {
        access = access.with_header(&format!("{api_header}: {}", key.expose()));
    }
    access
}

/// The HTTP gate. Passwords are judged only where nobody outside this machine can read them.
pub(crate) fn http_settings(gate: &HttpGate) -> anyhow::Result<gates::web::Settings> {
    let judge = || crate::judging::Judge::open()?.with_breached(gate.breached.as_deref());
    let passwords = gate.is_private().then(judge).transpose()?;
    Ok(gates::web::Settings {
        access: access(gate.password.as_ref(), gate.api_key.as_ref(), &gate.api_header),
        backends: gate.backends,
        passwords: passwords.map(|judge| Arc::new(judge) as Arc<dyn gates::web::Passwords>),
    })
}

/// Dovecot's gate.
pub(crate) fn dovecot_settings(gate: &DovecotGate) -> gates::dovecot::Settings {
    let access = access(gate.password.as_ref(), gate.api_key.as_ref(), &gate.api_header);
    let password_hash = gate.nonce.as_deref().map(gates::dovecot::PasswordHash::new);
    gates::dovecot::Settings { access, password_hash, message: gate.message.clone() }
}

/// What DNS answers.
pub(crate) fn dnsbl_settings(config: &Config, dnsbl: &Dnsbl) -> dnsbl::serve::Settings {
    use ::dnsbl::serve::{CombinedZone, Members, NameServer, PublishedList, Settings, SoaTimers};
    let lists = config.lists.iter().enumerate().filter_map(|(index, list)| {
        Some(PublishedList {
            id: ListId::new(index),
            name: list.name.clone(),
            code: list.code?,
            ttl: list.ttl.unwrap_or(dnsbl.ttl),
            text: text(list, dnsbl),
        })
    });
    let all = CombinedZone { name: "all".to_owned(), lists: Members::All };
    let combined = dnsbl
        .combined
        .iter()
        .map(|zone| CombinedZone { name: zone.name.clone(), lists: Members::These(zone.lists.clone()) });
    Settings {
        origin: dnsbl.origin.clone(),
        lists: lists.collect(),
        combined: core::iter::once(all).chain(combined).collect(),
        name_servers: dnsbl
            .ns
            .iter()
            .map(|server| NameServer { name: server.name.clone(), addresses: server.addresses.clone() })
            .collect(),
        contact: dnsbl.contact.clone(),
        look_up_url: dnsbl.lookup.clone().unwrap_or_default(),
        web_addresses: dnsbl.web.clone(),
        negative_ttl: dnsbl.negative_ttl,
        apex_ttl: dnsbl.ttl,
        timers: SoaTimers::default(),
        nsid: dnsbl.nsid.clone(),
    }
}

/// The reason of a list; without a look-up page nothing is left where its address would stand.
fn text(list: &List, dnsbl: &Dnsbl) -> String {
    let text = list.text.as_deref().unwrap_or(DEFAULT_TEXT);
    if dnsbl.lookup.is_some() { text.to_owned() } else { text.replace("{url}", "").trim_end().to_owned() }
}

/// The reason of a list whose configuration gives none.
const DEFAULT_TEXT: &str = "{ip} is on {list}. {url}";
