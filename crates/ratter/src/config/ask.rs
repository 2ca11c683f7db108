//! `[[ask]]`: other people's lists; and `[gate.….ask]`: what a gate does about those who are on them.

use core::ops::RangeInclusive;
use core::time::Duration;
use std::path::Path;

use ::dnsbl::ask::{CODES_MAX, Code, Key, LISTS_MAX, List, Lists};
use base::Address;
use toml::de::DeTable;

use super::Config;
use super::asking::Asking;
use super::diagnose::Fault;
use super::dnsbl::private_text;
use super::forms::{Form, Mismatch, boolean, domain, duration, ipv4, name, number, text, word};
use super::reader::{Desk, Section};
use super::units::days;
use super::words::{enumerate, nearest};

/// The lists that are shipped, as their operators document them.
const PRESETS: &str = include_str!("ask.toml");

/// Longest meaning of a code, in bytes.
const MEANING_BYTES_MAX: usize = 200;
/// Longest file with a key, in bytes.
const KEY_BYTES_MAX: usize = 1024;

const WEIGHT: RangeInclusive<u64> = 0..=1000;
const TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(10);
const TEST_EVERY: RangeInclusive<Duration> = Duration::from_secs(1)..=days(1);
const TARPIT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(100);
/// A mail server that waits for more than a second keeps its own clients waiting.
const WAIT: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(1);

const TIMEOUT_USUAL: Duration = Duration::from_secs(2);
const TEST_EVERY_USUAL: Duration = Duration::from_mins(15);
const THRESHOLD_USUAL: u32 = 5;
const TARPIT_USUAL: Duration = Duration::from_secs(10);
/// Lists answer within it, and Dovecot waits for 2 s.
const WAIT_USUAL: Duration = Duration::from_secs(1);

/// A gate that can ask lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AskingGate {
    /// `[gate.dovecot]`.
    Dovecot,
    /// `[gate.http]`.
    Http,
    /// `[gate.line]`.
    Line,
    /// `[gate.map]`.
    Map,
    /// `[gate.milter]`.
    Milter,
    /// `[gate.postfix]`.
    Postfix,
}

impl AskingGate {
    const NAMES: [(&'static str, Self); 6] = [
        ("dovecot", Self::Dovecot),
        ("http", Self::Http),
        ("line", Self::Line),
        ("map", Self::Map),
        ("milter", Self::Milter),
        ("postfix", Self::Postfix),
    ];
}

impl AskingGate {
    /// The name in the configuration.
    pub(super) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, gate)| *gate == self).map_or("", |(name, _)| name)
    }
}

/// A list that is asked, and by whom.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AskedList {
    /// The list.
    pub list: List,
    /// The gates that ask it; all that ask any if there are none.
    pub gates: Vec<AskingGate>,
    needs_key: bool,
}

/// What a gate does about addresses that are on lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AskPolicy {
    /// The weight of all lists together from which something is done.
    pub threshold: u32,
    /// What.
    pub then: AskEffect,
    /// How long clients are held.
    pub tarpit: Duration,
    /// How long an answer is waited for; then whoever asks is let through.
    pub wait: Duration,
}

/// What is done about an address that is on lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AskEffect {
    /// It is only counted.
    Note,
    /// It is held for a while, then let through.
    Tarpit,
    /// It is told to come again.
    Defer,
    /// It is refused.
    Refuse,
}

impl AskEffect {
    const NAMES: [(&'static str, Self); 4] =
        [("note", Self::Note), ("tarpit", Self::Tarpit), ("defer", Self::Defer), ("refuse", Self::Refuse)];
}

/// The places of the lists that a gate asks.
pub fn asked_by(lists: &[AskedList], gate: AskingGate) -> Lists {
    let asked = lists.iter().enumerate().filter(|(_, list)| list.gates.is_empty() || list.gates.contains(&gate));
    asked.fold(Lists::default(), |lists, (place, _)| lists.with(place))
}

impl Config {
    /// How long a gate waits for other people's lists at most; not at all where it has none to ask.
    pub fn asked_wait(&self, gate: AskingGate) -> Duration {
        let gates = &self.gates;
        let policy = match gate {
            AskingGate::Dovecot => gates.dovecot.as_ref().and_then(|gate| gate.ask),
            AskingGate::Http => gates.http.as_ref().and_then(|gate| gate.ask),
            AskingGate::Line => gates.line.as_ref().and_then(|gate| gate.ask),
            AskingGate::Map => gates.map.as_ref().and_then(|gate| gate.ask),
            AskingGate::Milter => gates.milter.as_ref().and_then(|gate| gate.ask),
            AskingGate::Postfix => gates.postfix.as_ref().and_then(|gate| gate.ask),
        };
        let has_lists = !asked_by(&self.asks, gate).is_empty();
        policy.filter(|_| has_lists).map_or(Duration::ZERO, |policy| policy.wait)
    }
}

/// The lists of the file.
pub(super) fn read(file: &Section<'_>) -> Vec<AskedList> {
    let presets = presets(file);
    let drafts: Vec<_> = file.tables("ask", |section| (section.header(), one(section, &presets)));
    let mut lists: Vec<AskedList> = Vec::new();
    for (place, list) in drafts {
        let Some(list) = list else { continue };
        if lists.iter().any(|other| other.list.name == list.list.name) {
            let fault = Fault::error(place, format!("two lists that are asked are named `{}`", list.list.name));
            file.desk.report(fault.label("the second").hint("give one of them another `name`".to_owned()));
        } else if lists.len() == LISTS_MAX {
            file.desk.report(Fault::error(place, format!("more than {LISTS_MAX} lists to ask")).label("too many"));
        } else {
            lists.push(list);
        }
    }
    lists
}

/// What `[gate.….ask]` says.
pub(super) fn policy(section: &Section<'_>, gate: AskingGate) -> AskPolicy {
    let threshold = section.optional("threshold", &number(1..=*WEIGHT.end()));
    let then = section.optional("then", &word(AskEffect::NAMES));
    let tarpit = section.optional("tarpit", &duration(TARPIT));
    let wait = section.optional("wait", &duration(WAIT));
    if section.has("tarpit") && then != Some(AskEffect::Tarpit) {
        let fault = Fault::warning(section.key_place("tarpit"), "`tarpit` has no effect");
        section.desk.report(fault.label("nobody is held").hint("set `then = \"tarpit\"`, or take it out".to_owned()));
    }
    let policy = AskPolicy {
        threshold: threshold.unwrap_or(THRESHOLD_USUAL),
        then: then.unwrap_or(AskEffect::Refuse),
        tarpit: tarpit.unwrap_or(TARPIT_USUAL),
        wait: wait.unwrap_or(WAIT_USUAL),
    };
    section.desk.asks(Asking { gate, place: section.header(), policy });
    policy
}

fn presets(file: &Section<'_>) -> Vec<AskedList> {
    let tree = DeTable::parse(PRESETS).expect("ask.toml is valid, or no test would pass").into_inner();
    let desk = Desk::new(file.desk.probe, Path::new(""));
    Section::root(&desk, &tree, None).tables("ask", |section| one(section, &[])).into_iter().flatten().collect()
}

fn one(section: &Section<'_>, presets: &[AskedList]) -> Option<AskedList> {
    let preset = section.optional("preset", &preset(presets));
    let known = preset.and_then(|place| presets.get(place));
    let is_own = !section.has("preset");
    let given_name = if is_own { section.required("name", &name()) } else { section.optional("name", &name()) };
    let zone = if is_own { section.required("zone", &domain()) } else { section.optional("zone", &domain()) };
    let codes: Vec<Option<Code>> = section.tables("codes", code);
    let families = section.optional_each("families", &word([("v4", true), ("v6", false)])).unwrap_or_default();
    let test = section.optional("test", &ipv4());
    let timeout = section.optional("timeout", &duration(TIMEOUT));
    let test_every = section.optional("test-every", &duration(TEST_EVERY));
    let gates = section.optional_each("gates", &word(AskingGate::NAMES)).unwrap_or_default();
    let needs_key = section.optional("needs-key", &boolean());
    let key = key(section);

    let needs_key = needs_key.or_else(|| known.map(|known| known.needs_key)).unwrap_or_default();
    if needs_key && !section.has("key-file") {
        let fault = Fault::error(section.header(), "this list answers nobody without a key");
        section.desk.report(fault.hint("put the key of your account into a file, and set `key-file`".to_owned()));
    }
    if codes.is_empty() && (is_own || section.has("codes")) {
        let fault = Fault::error(section.header(), "a list without `codes` lists nobody");
        let hint = "add `codes = [{ code = \"127.0.0.2\", meaning = \"sent spam\", weight = 5 }]`";
        section.desk.report(fault.hint(hint.to_owned()));
    }
    if codes.len() > CODES_MAX {
        section.desk.report(section.wrong("codes", format!("more than {CODES_MAX} codes of one list")));
    }
    let codes = codes.into_iter().collect::<Option<Vec<_>>>()?;
    let has = |v4: bool| families.iter().any(|family| family.value == v4);
    let usual = known.map(|known| &known.list);
    let (v4, v6) = match usual {
        _ if section.has("families") => (has(true), has(false)),
        Some(usual) => (usual.v4, usual.v6),
        None => (true, false),
    };
    let list = List {
        name: given_name.or_else(|| usual.map(|usual| usual.name.clone()))?,
        zone: zone.or_else(|| usual.map(|usual| usual.zone.clone()))?,
        key: key?,
        v4,
        v6,
        codes: if codes.is_empty() { usual?.codes.clone() } else { codes },
        test: test
            .map(|test| Address::new(test.into()))
            .or_else(|| usual.map(|usual| usual.test))
            .unwrap_or(TEST_ENTRY),
        timeout: timeout.unwrap_or(TIMEOUT_USUAL),
        test_every: test_every.unwrap_or(TEST_EVERY_USUAL),
    };
    Some(AskedList { list, gates: gates.into_iter().map(|gate| gate.value).collect(), needs_key })
}

/// The test entry of RFC 5782 section 5.
const TEST_ENTRY: Address = Address::new(core::net::IpAddr::V4(core::net::Ipv4Addr::new(127, 0, 0, 2)));

fn preset(presets: &[AskedList]) -> Form<'_, usize> {
    let names = || presets.iter().map(|preset| preset.list.name.as_str());
    Form::of_text(format!("one of {}", enumerate(names())), move |typed| {
        names().position(|name| name == typed).ok_or_else(|| {
            let mismatch = Mismatch::new("no such list is shipped");
            match nearest(typed, names()) {
                Some(name) => mismatch.hint(format!("did you mean `\"{name}\"`?")),
                None => mismatch.hint("give `name`, `zone` and `codes` instead, as the list documents them"),
            }
        })
    })
}

fn code(section: &Section<'_>) -> Option<Code> {
    let code = section.required("code", &return_code());
    let meaning = section.required("meaning", &text("what it says of an address", MEANING_BYTES_MAX));
    let weight = section.optional("weight", &number(WEIGHT));
    let is_policy = section.optional("policy", &boolean());
    Some(Code { code: code?, meaning: meaning?, weight: weight.unwrap_or(1), is_policy: is_policy.unwrap_or_default() })
}

/// A code by which somebody is listed: not those that mean something else everywhere.
fn return_code() -> Form<'static, core::net::Ipv4Addr> {
    let wants = "a return code, such as `127.0.0.2`";
    Form::of_text(wants, |text| match text.parse::<core::net::Ipv4Addr>() {
        Err(_) => Err(Mismatch::new("no IPv4 address")),
        Ok(code) => match code.octets() {
            [127, 255, 255, _] => Err(Mismatch::new("by which lists say that they do not answer")),
            [127, 0, 0, 1] => Err(Mismatch::new("by which resolvers answer that block names")),
            [127, ..] => Ok(code),
            _ => Err(Mismatch::new("outside 127.0.0.0/8")),
        },
    })
}

/// The key in the file that `key-file` names. The outer none is a fault.
#[expect(clippy::option_option, reason = "no key is no fault")]
fn key(section: &Section<'_>) -> Option<Option<Key>> {
    let path = section.optional("key-file", &section.desk.path("/etc/ratter/dqs.key"));
    if !section.has("key-file") {
        return Some(None);
    }
    let text = private_text(section, "key-file", &path?, KEY_BYTES_MAX)?;
    let key = Key::new(text.trim());
    if key.is_none() {
        let fault = section.wrong("key-file", "this file holds no key of a list");
        let hint = "a key is one line of at most 63 letters, digits, hyphens and underscores";
        section.desk.report(fault.label("not shown here").hint(hint.to_owned()));
    }
    key.map(Some)
}
