//! `[[dnsbl.mirror]]`: zones that are taken from other servers.

use ::dnsbl::mirror::{MIRRORS_MAX, PRIMARIES_MAX, Primary, Source, ZONE_BYTES_MAX};
use ::dnsbl::serve::Name;

use super::super::diagnose::Fault;
use super::super::forms::{domain, socket};
use super::super::reader::Section;
use super::secondaries::{is_named, key, keys};

pub(super) fn read(section: &Section<'_>) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    for source in section.tables("mirror", one).into_iter().flatten() {
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

fn one(section: &Section<'_>) -> Option<Source> {
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
    let key = name.and_then(|name| keys.into_iter().find(|key| is_named(key, &name)));
    let primary = |address| Primary { address, key: key.clone() };
    Some(Source {
        zone: Name::parse(&zone?).ok()?,
        primaries: primaries.into_iter().map(|address| primary(address.value)).collect(),
        bytes_max: ZONE_BYTES_MAX,
    })
}
