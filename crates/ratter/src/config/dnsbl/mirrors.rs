//! `[[dnsbl.mirror]]`: zones that are taken from other servers.

use core::net::SocketAddr;

use ::dnsbl::mirror::{MIRRORS_MAX, PRIMARIES_MAX, Primary, Source, ZONE_BYTES_MAX};
use ::dnsbl::serve::Name;

use super::super::diagnose::Fault;
use super::super::forms::{domain, socket};
use super::super::reader::Section;
use super::secondaries::{is_named, key, keys};
use super::statics::Statics;

/// The mirrored zones of a node that listens there, and has these zones from files.
pub(super) fn read(section: &Section<'_>, listen: &[SocketAddr], statics: Option<&Statics>) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    for source in section.tables("mirror", |section| one(section, listen, statics)).into_iter().flatten() {
        if sources.iter().any(|other| other.zone.to_string() == source.zone.to_string()) {
            let fault = section.wrong("mirror", format!("the zone `{}` is mirrored twice", source.zone));
            section.desk.report(fault.hint("name all of its servers in `primaries`".to_owned()));
        }
        sources.push(source);
    }
    if sources.len() > MIRRORS_MAX {
        let fault = section.wrong("mirror", format!("more than {MIRRORS_MAX} mirrored zones"));
        section.desk.report(fault.label(format!("{} are too many", sources.len())));
    }
    sources
}

fn one(section: &Section<'_>, listen: &[SocketAddr], statics: Option<&Statics>) -> Option<Source> {
    let zone = section.required("zone", &domain());
    let primaries = section.required_each("primaries", &socket());
    let keys = keys(section);
    let name = key(section, &keys);
    if section.has("keys") && !section.has("key") {
        let fault = section.wrong("keys", "keys that sign nothing");
        section.desk.report(fault.label("without a name").hint("name one of them in `key`".to_owned()));
    }
    if let Some(surplus) = primaries.get(PRIMARIES_MAX) {
        let fault = Fault::error(surplus.place.clone(), format!("more than {PRIMARIES_MAX} primaries"));
        section.desk.report(fault.label("one too many"));
    }
    for primary in primaries.iter().filter(|primary| listen.iter().any(|own| is_same(*own, primary.value))) {
        let fault = Fault::error(primary.place.clone(), "the node would take the zone from itself");
        let hint = "name the servers that have the zone without this one".to_owned();
        section.desk.report(fault.label("`listen` of [dnsbl]").hint(hint));
    }
    for other in zone.iter().flat_map(|zone| overlapping(zone, statics)) {
        let fault = section.wrong("zone", format!("a mirrored zone overlaps the zone `{other}` from files"));
        section.desk.report(fault.label("one would hide the other").hint("take it from one of both".to_owned()));
    }
    let key = name.and_then(|name| keys.into_iter().find(|key| is_named(key, &name)));
    let primary = |address| Primary { address, key: key.clone() };
    Some(Source {
        zone: Name::parse(&zone?).ok()?,
        primaries: primaries.into_iter().map(|address| primary(address.value)).collect(),
        bytes_max: ZONE_BYTES_MAX,
    })
}

/// Whether whoever asks `primary` asks this node, which listens at `own`.
fn is_same(own: SocketAddr, primary: SocketAddr) -> bool {
    let is_any = own.ip().is_unspecified() && own.is_ipv4() == primary.is_ipv4();
    own.port() == primary.port() && (own.ip() == primary.ip() || is_any && primary.ip().is_loopback())
}

/// The zones from files that are the zone, or above or below it.
fn overlapping<'a>(zone: &str, statics: Option<&'a Statics>) -> impl Iterator<Item = &'a str> {
    let is_within = |inner: &str, outer: &str| {
        inner.strip_suffix(outer).is_some_and(|below| below.is_empty() || below.ends_with('.'))
    };
    let names = statics.into_iter().flat_map(|statics| &statics.zones).map(|zone| zone.name.as_str());
    names.filter(move |name| is_within(name, zone) || is_within(zone, name)).collect::<Vec<_>>().into_iter()
}
