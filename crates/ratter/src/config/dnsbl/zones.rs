//! `[[dnsbl.zone]]`: who may ask in one zone, and zones that answer for several lists.

use core::ops::Range;

use ::dnsbl::access::{Policy, ZoneAccess, ZoneLabel};
use ::dnsbl::datasets::Kind;
use ::dnsbl::serve::ZONES_MAX;
use base::ListId;

use super::super::diagnose::Fault;
use super::super::forms::{Form, Mismatch, read_domain};
use super::super::lists::Lists;
use super::super::reader::{Placed, Section};
use super::super::words::{enumerate, nearest, shown};
use super::access;
use super::statics::Statics;

/// A zone that answers for several lists.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Combined {
    /// Its label below the origin; or, with dots, its whole name.
    pub name: String,
    /// Its lists.
    pub lists: Vec<ListId>,
}

/// What is said of zones.
pub(super) struct Zones {
    pub(super) combined: Vec<Combined>,
    pub(super) access: Vec<(ZoneLabel, ZoneAccess)>,
}

/// A section as it was read.
struct Entry {
    name: Placed<String>,
    lists: Option<Vec<ListId>>,
    access: ZoneAccess,
}

/// The zone that has every published list.
pub(super) const ALL: &str = "all";

/// The origin's own zone.
const ORIGIN: &str = "@";

/// Longest name, without the dot of the root (RFC 1035 section 2.3.4).
const NAME_BYTES_MAX: usize = 253;

/// What an IPv6 address takes of that: 32 labels of one digit.
const IPV6_BYTES: usize = 32 * 2;

/// What an IPv4 address takes of it: four labels of three digits.
const IPV4_BYTES: usize = 4 * 4;

pub(super) fn read(section: &Section<'_>, origin: &str, lists: &Lists, statics: Option<&Statics>) -> Zones {
    let others = section.always("access", |section| Some(access::read(section, None)));
    let entries: Vec<Entry> =
        section.tables("zone", |section| one(section, origin, lists, others.as_ref())).into_iter().flatten().collect();
    let book = book_zones(origin, lists, &entries);
    if let Some(statics) = statics {
        refuse_hidden(section, origin, &book, statics);
    }
    let is_alone = |name: &str| !book.iter().any(|label| whole_name(label, origin) == name);
    let alone: Vec<&str> = statics
        .iter()
        .flat_map(|statics| &statics.zones)
        .map(|zone| zone.name.as_str())
        .filter(|n| is_alone(n))
        .collect();
    if book.len() + alone.len() > ZONES_MAX {
        let fault = Fault::error(section.header(), format!("more than {ZONES_MAX} zones"));
        section.desk.report(fault.label(format!("{} in all", book.len() + alone.len())));
    }
    let mut zones = Zones { combined: Vec::new(), access: Vec::new() };
    zones.access.extend(others.map(|rules| (ZoneLabel::Others, rules)));
    for (at, entry) in entries.iter().enumerate() {
        let Placed { value: name, place } = &entry.name;
        if let Some(first) = entries[..at].iter().find(|other| other.name.value == *name) {
            let fault = Fault::error(place.clone(), format!("two [[dnsbl.zone]] named `{name}`"));
            section.desk.report(fault.label("the second").also(first.name.place.clone(), "the first"));
            continue;
        }
        match &entry.lists {
            Some(_) if is_taken(name, lists) => {
                let fault = Fault::error(place.clone(), format!("the zone `{name}` has its own lists already"));
                section.desk.report(fault.label("exists").hint("leave `lists` out, or take another name".to_owned()));
            }
            Some(lists) => zones.combined.push(Combined { name: name.clone(), lists: lists.clone() }),
            None if book.contains(name) || alone.contains(&name.as_str()) => {}
            None => unknown(section, &entry.name, &book, &alone),
        }
        zones.access.push((ZoneLabel::Named(name.clone()), entry.access.clone()));
    }
    refuse_overlaps(section, origin, &book, &entries);
    refuse_long(section, &entries, statics);
    warn_of_back_doors(section, lists, &entries, &zones);
    zones
}

/// Reports zones of lists inside of others, where only addresses have names, and around the origin.
fn refuse_overlaps(section: &Section<'_>, origin: &str, book: &[String], entries: &[Entry]) {
    let is_within = |name: &str, zone: &str| name.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.'));
    for entry in entries.iter().filter(|entry| entry.lists.is_some() && entry.name.value.contains('.')) {
        let name = &entry.name.value;
        let mut others = book.iter().map(|label| whole_name(label, origin));
        let overlaps = |other: &String| is_within(other, name) || other != origin && is_within(name, other);
        if let Some(other) = others.find(overlaps) {
            let title = format!("the zones `{name}` and `{other}` overlap");
            let fault = Fault::error(entry.name.place.clone(), title).label("one of them is inside of the other");
            section.desk.report(fault.hint("put them beside each other".to_owned()));
        }
    }
}

/// Reports zones with names so long that the addresses in them would have none. Those below the origin have the room that its own
/// length leaves them.
fn refuse_long(section: &Section<'_>, entries: &[Entry], statics: Option<&Statics>) {
    let fault = |place: Range<usize>, name: &str, what: &str, below: usize| {
        let fault =
            Fault::error(place, format!("the zone `{}` is too long for {what} addresses below it", shown(name)));
        let hint = format!("a name has {NAME_BYTES_MAX} bytes at most, and an address takes {below} of them");
        fault.label(format!("{} bytes, {} are possible", name.len(), NAME_BYTES_MAX - below)).hint(hint)
    };
    for Entry { name, .. } in entries.iter().filter(|entry| entry.lists.is_some() && entry.name.value.contains('.')) {
        if name.value.len() > NAME_BYTES_MAX - IPV6_BYTES {
            section.desk.report(fault(name.place.clone(), &name.value, "IPv6", IPV6_BYTES));
        }
    }
    for zone in statics.iter().flat_map(|statics| &statics.zones) {
        let has = |kinds: &[Kind]| zone.datasets.iter().any(|(kind, _)| kinds.contains(kind));
        let (what, below) = if has(&[Kind::Ip6TSet, Kind::Ip6Trie]) {
            ("IPv6", IPV6_BYTES)
        } else if has(&[Kind::Ip4Set, Kind::Ip4TSet, Kind::Ip4Trie]) {
            ("IPv4", IPV4_BYTES)
        } else {
            // The others have names of their own; whether a combined file has addresses is not known before it is read.
            continue;
        };
        if zone.name.len() > NAME_BYTES_MAX - below {
            section.desk.report(fault(section.place("static"), &zone.name, what, below));
        }
    }
}

/// Warns of lists that want a key while another zone tells the same without one.
fn warn_of_back_doors(section: &Section<'_>, lists: &Lists, entries: &[Entry], zones: &Zones) {
    let wants_key = |zone: &str| {
        let named = |label: &ZoneLabel| matches!(label, ZoneLabel::Named(name) if name == zone);
        let own = zones.access.iter().find(|(label, _)| named(label));
        let rules = own.or_else(|| zones.access.iter().find(|(label, _)| *label == ZoneLabel::Others));
        rules.is_some_and(|(_, rules)| rules.policy == Policy::Key)
    };
    let entry_of = |zone: &str| entries.iter().find(|entry| entry.name.value == zone);
    for name in lists.published().filter(|name| wants_key(name)) {
        let Some(list) = lists.find(name) else { continue };
        let combined = zones.combined.iter().filter(|zone| zone.lists.contains(&list)).map(|zone| zone.name.as_str());
        for zone in [ALL].into_iter().chain(combined).filter(|zone| !wants_key(zone)) {
            let place =
                entry_of(name).or_else(|| entry_of(zone)).map_or_else(|| section.header(), |e| e.name.place.clone());
            let title = format!("`{name}` wants a key, and `{zone}` tells what is on it without one");
            let hint = format!("write a `[[dnsbl.zone]]` named `{zone}` with `policy = \"key\"`");
            section.desk.report(Fault::warning(place, title).label("can be asked without a key").hint(hint));
        }
    }
}

fn one(section: &Section<'_>, origin: &str, lists: &Lists, others: Option<&ZoneAccess>) -> Option<Entry> {
    let name = section.required("name", &zone_name(origin));
    let has_lists = section.has("lists");
    let given = section.each("lists", &published(lists));
    let access = access::read(section, others);
    if has_lists && given.is_empty() {
        section.desk.report(section.wrong("lists", "a zone without lists").label("at least one is wanted"));
    }
    refuse_twins(section, &given);
    let lists = has_lists.then(|| given.into_iter().map(|list| list.value).collect());
    let name = Placed { value: name?, place: section.place("name") };
    let is_number = name.value.bytes().all(|byte| byte.is_ascii_digit());
    if is_number || name.value.len() == 1 && name.value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let fault = Fault::error(name.place.clone(), "a zone is not named like a part of an address");
        section.desk.report(fault.label("questions about it could not be told from others"));
    }
    Some(Entry { name, lists, access })
}

/// Reports a list that is named twice.
fn refuse_twins(section: &Section<'_>, lists: &[Placed<ListId>]) {
    for (at, list) in lists.iter().enumerate() {
        if let Some(first) = lists[..at].iter().find(|other| other.value == list.value) {
            let fault = Fault::error(list.place.clone(), "one list twice");
            section.desk.report(fault.label("the second time").also(first.place.clone(), "the first"));
        }
    }
}

/// The label of a zone below the origin, `@`, or the whole name of another zone.
fn zone_name(origin: &str) -> Form<'_, String> {
    Form::of_text("the label of a zone, such as `auth`, or the whole name of one", move |text| {
        if text == ORIGIN {
            return Ok(text.to_owned());
        }
        let name = read_domain(text)?;
        if name == origin {
            return Ok(ORIGIN.to_owned());
        }
        let label = name.strip_suffix(origin).and_then(|label| label.strip_suffix('.'));
        Ok(label.filter(|label| !label.contains('.')).unwrap_or(&name).to_owned())
    })
}

/// A list that has a code.
fn published(lists: &Lists) -> Form<'_, ListId> {
    Form::of_text("the name of a [[list]] with a `code`", move |typed| {
        let names = || lists.published();
        if let Some(id) = names().find(|name| *name == typed).and_then(|name| lists.find(name)) {
            return Ok(id);
        }
        let mismatch = Mismatch::new("no such list is published");
        Err(match nearest(typed, names()) {
            Some(name) => mismatch.hint(format!("did you mean `\"{name}\"`?")),
            None => mismatch.hint(format!("published are {}", enumerate(names()))),
        })
    })
}

/// The labels of all zones below the origin, and the origin's own.
fn book_zones(origin: &str, lists: &Lists, entries: &[Entry]) -> Vec<String> {
    debug_assert!(!origin.is_empty(), "a domain name has a label");
    let mut all: Vec<String> = [ORIGIN, ALL].into_iter().chain(lists.published()).map(str::to_owned).collect();
    for entry in entries.iter().filter(|entry| entry.lists.is_some()) {
        if !all.contains(&entry.name.value) {
            all.push(entry.name.value.clone());
        }
    }
    all
}

fn whole_name(label: &str, origin: &str) -> String {
    match label {
        ORIGIN => origin.to_owned(),
        name if name.contains('.') => name.to_owned(),
        label => format!("{label}.{origin}"),
    }
}

fn is_taken(name: &str, lists: &Lists) -> bool {
    name == ALL || lists.published().any(|list| list == name)
}

/// Reports zones from files that would stand inside of a list's zone, where only addresses have names.
fn refuse_hidden(section: &Section<'_>, origin: &str, book: &[String], statics: &Statics) {
    for zone in &statics.zones {
        let is_shared = book.iter().any(|label| whole_name(label, origin) == zone.name);
        if is_shared && zone.datasets.iter().any(|(kind, _)| *kind == Kind::Acl) {
            let fault = Fault::error(section.place("static"), format!("`acl` for the zone `{}` of a list", zone.name));
            let hint = "write its networks into `[[dnsbl.zone]]`, where they hold for the live list too";
            section.desk.report(fault.label("would hold for a part of the zone").hint(hint.to_owned()));
        }
        let holds =
            |label: &&String| *label != ORIGIN && zone.name.ends_with(&format!(".{}", whole_name(label, origin)));
        if let Some(label) = book.iter().find(holds) {
            let name = &zone.name;
            let fault = Fault::error(section.place("static"), format!("the zone `{name}` overlaps the zone `{label}`"));
            let hint = format!("name it beside the list, or `{}` to serve both as one", whole_name(label, origin));
            section.desk.report(fault.label("only addresses have names there").hint(hint));
        }
    }
}

fn unknown(section: &Section<'_>, name: &Placed<String>, book: &[String], alone: &[&str]) {
    let known = || book.iter().map(String::as_str).chain(alone.iter().copied());
    let fault = Fault::error(name.place.clone(), format!("no zone `{}` is served", name.value));
    section.desk.report(fault.label("neither a list nor a zone from files").hint(
        match nearest(&name.value, known()) {
            Some(meant) => format!("did you mean `\"{meant}\"`?"),
            None => format!("add `lists` to make it one; there are {}", enumerate(known())),
        },
    ));
}
