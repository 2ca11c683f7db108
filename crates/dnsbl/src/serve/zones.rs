//! The zones that are served, made from [`Settings`].
//!
//! # Each list is a zone of its own
//!
//! `auth.bl.example.org` is not a part of the zone `bl.example.org` but a zone with its own SOA and name servers, and
//! so is each combination such as `all`. The origin's zone delegates to them, in so far as anybody can see it: the
//! same server answers for all of them, from the closest zone, and only a DS question for a list's own name belongs
//! to the origin (RFC 4035 section 3.1.4.1). This is so because a secondary takes a zone as a whole: who mirrors
//! `dyna` needs not carry the rest, and gets a NOTIFY for its own changes; because lists can have their own negative
//! TTLs and policies later; and because resolvers lose nothing: they learn the cut with the first answer.
//!
//! All zones share one serial, the number of the last change in the journal.

use core::net::Ipv4Addr;
use core::time::Duration;

use base::limits::LISTS_MAX;
use base::{ListId, ListSet};

use super::name::{Name, NameError};
use super::records::Records;
use super::settings::{
    CombinedZone, Members, NAME_SERVERS_MAX, NSID_BYTES_MAX, NameServer, PublishedList, Settings, SettingsError,
    TTL_MAX, ZONES_MAX,
};
use super::text::Template;

/// The label that stands for the origin itself, as in zone files.
const ORIGIN_LABEL: &str = "@";

/// The entry that every list has for testing (RFC 5782 section 5), with every list's code.
const TEST_ENTRY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// The zones of one node, ready to be asked.
#[derive(Debug)]
pub struct Zones {
    /// The origin's zone first, then the lists' and the combined ones; last those that are not one label below the origin.
    pub(crate) all: Box<[Zone]>,
    /// How many there are without those.
    pub(crate) near: usize,
    /// The published lists by their number.
    pub(crate) lists: Box<[Option<Published>]>,
    /// The server's identity.
    pub(crate) nsid: Box<[u8]>,
}

/// One zone.
#[derive(Debug)]
pub(crate) struct Zone {
    pub(crate) name: Name,
    /// How many labels its name has.
    pub(crate) labels: usize,
    /// The lists that it answers for; none if it is the origin's zone and nothing was put there.
    pub(crate) members: ListSet,
    /// The smallest TTL of its lists: the records of one answer have one TTL (RFC 2181 section 5.2).
    pub(crate) ttl: u32,
    pub(crate) soa: Records,
    /// The SOA record of negative replies.
    pub(crate) negative: Records,
    pub(crate) ns: Records,
    pub(crate) text: Records,
    pub(crate) web_a: Records,
    pub(crate) web_aaaa: Records,
    /// Name servers in this zone.
    pub(crate) hosts: Box<[Host]>,
}

/// A host with a name in a zone.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) name: Name,
    pub(crate) a: Records,
    pub(crate) aaaa: Records,
}

/// What is answered for one list.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) name: Box<str>,
    pub(crate) code: Ipv4Addr,
    pub(crate) text: Template,
}

impl Zones {
    /// The zones of `settings`, or all of their faults.
    pub fn new(settings: &Settings) -> Result<Self, Vec<SettingsError>> {
        let mut compiler = Compiler { settings, faults: Vec::new() };
        let zones = compiler.compile();
        match zones {
            Some(zones) if compiler.faults.is_empty() => Ok(zones),
            _ => Err(compiler.faults),
        }
    }

    /// The labels of the zones below the origin, in the same order; the origin's own is `@`, and that of a zone which is not one
    /// label below it the whole name.
    pub fn labels(&self) -> impl Iterator<Item = String> {
        let label = |zone: &Zone| String::from_utf8_lossy(zone.label()).into_owned();
        let near = self.all[1..self.near].iter().map(label);
        let far = self.far().map(|(_, zone)| zone.name.to_string());
        core::iter::once(ORIGIN_LABEL.to_owned()).chain(near).chain(far)
    }

    /// The zones that are not one label below the origin, with their numbers.
    pub(crate) fn far(&self) -> impl Iterator<Item = (usize, &Zone)> {
        self.all.iter().enumerate().skip(self.near)
    }

    /// The numbers of the zones that stand below the origin.
    pub(crate) fn below(&self) -> impl Iterator<Item = usize> {
        let origin = self.all[0].name.wire();
        let is_below = move |(index, zone): &(usize, &Zone)| *index > 0 && zone.name.is_within(origin);
        self.all.iter().enumerate().filter(is_below).map(|(index, _)| index)
    }

    /// The names of the zones, in the order in which counters have them.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.all.iter().map(|zone| &zone.name)
    }
}

impl Zone {
    /// The first label of its name.
    pub(crate) fn label(&self) -> &[u8] {
        let wire = self.name.wire();
        &wire[1..=usize::from(wire[0])]
    }

    /// The lists on which `address` of 127.0.0.0/8 is a test entry: every list has 127.0.0.2 and its own code.
    pub(crate) fn test_lists(&self, lists: &[Option<Published>], address: Ipv4Addr) -> ListSet {
        if address == TEST_ENTRY {
            return self.members;
        }
        let has_code = |list: &ListId| lists[list.index()].as_ref().is_some_and(|list| list.code == address);
        self.members.iter().filter(has_code).collect()
    }

    /// The addresses of the test entries.
    pub(crate) fn test_entries(&self, lists: &[Option<Published>]) -> impl Iterator<Item = Ipv4Addr> {
        let codes = self.members.iter().filter_map(|list| lists[list.index()].as_ref()).map(|list| list.code);
        codes.chain((!self.members.is_empty()).then_some(TEST_ENTRY))
    }
}

struct Compiler<'a> {
    settings: &'a Settings,
    faults: Vec<SettingsError>,
}

/// What all zones have in common.
struct Shared {
    servers: Vec<Name>,
    contact: Name,
    negative_ttl: u32,
    apex_ttl: u32,
}

impl Compiler<'_> {
    fn compile(&mut self) -> Option<Zones> {
        let settings = self.settings;
        let origin = self.name(&settings.origin, Name::parse(&settings.origin));
        let contact = self.name(&settings.contact, Name::mailbox(&settings.contact));
        let lists = self.lists();
        let servers = self.servers(origin.as_ref());
        self.check_timers();
        let shared = Shared {
            servers,
            contact: contact?,
            negative_ttl: self.ttl("negative TTL", settings.negative_ttl),
            apex_ttl: self.ttl("TTL of the zones' own names", settings.apex_ttl),
        };
        let (named, near) = self.named_zones(&origin?);
        self.check_hosts(&named);
        if settings.nsid.as_ref().is_some_and(|nsid| nsid.is_empty() || nsid.len() > NSID_BYTES_MAX) {
            self.faults.push(SettingsError::Nsid);
        }
        if !self.faults.is_empty() {
            return None;
        }
        let mut zones: Vec<_> = named.into_iter().map(|(name, members)| self.zone(name, members, &shared)).collect();
        zones[0].hosts = self.hosts(&zones[0].name, shared.apex_ttl);
        let nsid = settings.nsid.as_deref().unwrap_or_default().as_bytes().into();
        Some(Zones { all: zones.into(), near, lists, nsid })
    }

    fn name(&mut self, text: &str, name: Result<Name, NameError>) -> Option<Name> {
        name.map_err(|why| self.faults.push(SettingsError::Name { name: text.into(), why })).ok()
    }

    fn ttl(&mut self, what: &str, span: Duration) -> u32 {
        if span > TTL_MAX {
            self.faults.push(SettingsError::Ttl { what: what.into() });
        }
        span.min(TTL_MAX).as_secs() as u32
    }

    fn check_timers(&mut self) {
        let timers = self.settings.timers;
        for (what, span) in [("refresh", timers.refresh), ("retry", timers.retry), ("expire", timers.expire)] {
            if span.as_secs() > u64::from(u32::MAX >> 1) {
                self.faults.push(SettingsError::Timer(what));
            }
        }
    }

    fn lists(&mut self) -> Box<[Option<Published>]> {
        let mut lists: Vec<Option<Published>> = (0..LISTS_MAX).map(|_| None).collect();
        if self.settings.lists.is_empty() {
            self.faults.push(SettingsError::NoLists);
        }
        for list in &self.settings.lists {
            let published = self.list(list);
            let place = &mut lists[list.id.index()];
            if place.is_some() {
                self.faults.push(SettingsError::SameList(list.name.clone()));
            }
            *place = published.or_else(|| place.take());
        }
        lists.into()
    }

    fn list(&mut self, list: &PublishedList) -> Option<Published> {
        if list.id == ListId::BLOCKED {
            self.faults.push(SettingsError::LocalList(list.name.clone()));
        }
        let [first, rest @ ..] = list.code.octets();
        if first != 127 || matches!(rest, [0, 0, 0 | 1] | [255, 255, _]) {
            self.faults.push(SettingsError::Code { list: list.name.clone(), code: list.code });
        }
        self.ttl(&format!("TTL of list `{}`", list.name), list.ttl);
        let text = Template::parse(&list.text, &list.name, &self.settings.look_up_url);
        let text = text.map_err(|why| self.faults.push(SettingsError::Text { text: list.text.clone(), why })).ok()?;
        Some(Published { name: list.name.as_str().into(), code: list.code, text })
    }

    fn servers(&mut self, origin: Option<&Name>) -> Vec<Name> {
        let mut names: Vec<Name> = Vec::new();
        for server in &self.settings.name_servers {
            let Some(name) = self.name(&server.name, Name::parse(&server.name)) else { continue };
            if origin.is_some_and(|origin| name.is_within(origin.wire())) && server.addresses.is_empty() {
                self.faults.push(SettingsError::NameServerWithoutAddress(server.name.clone()));
            }
            if names.iter().any(|known| known.wire().eq_ignore_ascii_case(name.wire())) {
                self.faults.push(SettingsError::SameNameServer(server.name.clone()));
            }
            names.push(name);
        }
        match self.settings.name_servers.len() {
            0 => self.faults.push(SettingsError::NoNameServer),
            1..=NAME_SERVERS_MAX => {}
            _ => self.faults.push(SettingsError::TooManyNameServers),
        }
        names
    }

    /// The zones' names and lists: the origin first. Also how many of them are that, or one label below it.
    fn named_zones(&mut self, origin: &Name) -> (Vec<(Name, ListSet)>, usize) {
        let mut zones: Vec<(Name, ListSet)> = vec![(origin.clone(), ListSet::EMPTY)];
        for list in &self.settings.lists {
            self.add_zone(&mut zones, &list.name, ListSet::EMPTY.with(list.id));
        }
        let is_far = |zone: &&CombinedZone| zone.name.contains('.');
        for zone in self.settings.combined.iter().filter(|zone| !is_far(zone)) {
            let members = self.members(zone);
            if zone.name == ORIGIN_LABEL {
                if !zones[0].1.is_empty() {
                    self.faults.push(SettingsError::SameZone(zone.name.clone()));
                }
                zones[0].1 = members;
            } else {
                self.add_zone(&mut zones, &zone.name, members);
            }
        }
        let near = zones.len();
        for zone in self.settings.combined.iter().filter(is_far) {
            let members = self.members(zone);
            self.add_far_zone(&mut zones, &zone.name, members);
        }
        for (name, _) in zones.iter().filter(|(_, members)| !members.is_empty()) {
            self.check_room(name);
        }
        if zones.len() > ZONES_MAX {
            self.faults.push(SettingsError::TooManyZones);
        }
        (zones, near)
    }

    /// Refuses a zone below which IPv6 addresses, each of 32 labels, would have no names.
    fn check_room(&mut self, zone: &Name) {
        let longest = format!("{}{zone}", "0.".repeat(32));
        let _ = self.name(&longest, Name::parse(&longest));
    }

    /// Adds a zone of this whole name, which shares no name with another one but for that it may be below the origin.
    fn add_far_zone(&mut self, zones: &mut Vec<(Name, ListSet)>, whole: &str, members: ListSet) {
        let Some(name) = self.name(whole, Name::parse(whole)) else { return };
        let overlaps = |(index, (other, _)): &(usize, &(Name, ListSet))| {
            other.is_within(name.wire()) || *index > 0 && name.is_within(other.wire())
        };
        if let Some((_, (other, _))) = zones.iter().enumerate().find(overlaps) {
            self.faults.push(SettingsError::Overlap { zone: whole.into(), other: other.clone() });
        }
        let below = name.label_count().saturating_sub(zones[0].0.label_count());
        let is_below = name.is_within(zones[0].0.wire());
        if is_below && name.labels().take(below).any(|(_, label)| is_of_addresses(label)) {
            self.faults.push(SettingsError::NumericZone(whole.into()));
        }
        zones.push((name, members));
    }

    fn add_zone(&mut self, zones: &mut Vec<(Name, ListSet)>, label: &str, members: ListSet) {
        if is_of_addresses(label.as_bytes()) {
            self.faults.push(SettingsError::NumericZone(label.into()));
        }
        let Some(name) = self.name(label, zones[0].0.child(label)) else { return };
        if zones.iter().any(|(known, _)| known.wire().eq_ignore_ascii_case(name.wire())) {
            self.faults.push(SettingsError::SameZone(label.into()));
        }
        zones.push((name, members));
    }

    fn members(&mut self, zone: &CombinedZone) -> ListSet {
        let published = &self.settings.lists;
        let members: ListSet = match &zone.lists {
            Members::All => published.iter().map(|list| list.id).collect(),
            Members::These(lists) => lists.iter().copied().collect(),
        };
        if members.is_empty() {
            self.faults.push(SettingsError::EmptyZone(zone.name.clone()));
        }
        let mut codes = Vec::new();
        for id in members.iter() {
            let Some(list) = published.iter().find(|list| list.id == id) else {
                self.faults.push(SettingsError::UnknownList { zone: zone.name.clone(), list: id });
                continue;
            };
            if codes.contains(&list.code) {
                self.faults.push(SettingsError::SameCode { zone: zone.name.clone(), code: list.code });
            }
            codes.push(list.code);
        }
        members
    }

    /// Name servers stand beside the lists, not in their zones.
    fn check_hosts(&mut self, zones: &[(Name, ListSet)]) {
        for server in &self.settings.name_servers {
            let Ok(name) = Name::parse(&server.name) else { continue };
            if zones[1..].iter().any(|(zone, _)| name.is_within(zone.wire())) {
                self.faults.push(SettingsError::NameServerInList(server.name.clone()));
            }
        }
    }

    fn hosts(&self, origin: &Name, ttl: u32) -> Box<[Host]> {
        let host = |server: &NameServer| {
            let name = Name::parse(&server.name).ok().filter(|name| name.is_within(origin.wire()))?;
            let (a, aaaa) = (Records::a(&name, ttl, &server.addresses), Records::aaaa(&name, ttl, &server.addresses));
            Some(Host { name, a, aaaa })
        };
        self.settings.name_servers.iter().filter_map(host).collect()
    }

    fn zone(&self, name: Name, members: ListSet, shared: &Shared) -> Zone {
        let Shared { servers, contact, negative_ttl, apex_ttl } = shared;
        let soa = |ttl| Records::soa(&name, ttl, *negative_ttl, &servers[0], contact, self.settings.timers);
        let of_members = self.settings.lists.iter().filter(|list| members.contains(list.id));
        let web = &self.settings.web_addresses;
        let text = format!("DNS blocklist {name}, operated by {}", self.settings.contact);
        Zone {
            labels: name.label_count(),
            members,
            ttl: of_members.map(|list| list.ttl.as_secs() as u32).min().unwrap_or_default(),
            soa: soa(*apex_ttl),
            negative: soa((*negative_ttl).min(*apex_ttl)),
            ns: Records::ns(&name, *apex_ttl, servers),
            text: Records::txt(&name, *apex_ttl, &text),
            web_a: Records::a(&name, *apex_ttl, web),
            web_aaaa: Records::aaaa(&name, *apex_ttl, web),
            hosts: Box::default(),
            name,
        }
    }
}

/// Whether a label may be a part of an address: a number, or a hexadecimal digit.
fn is_of_addresses(label: &[u8]) -> bool {
    let is_digit = label.len() == 1 && label[0].is_ascii_hexdigit();
    is_digit || !label.is_empty() && label.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
#[path = "zones_tests.rs"]
mod tests;
