use std::sync::Arc;

use arc_swap::ArcSwapOption;
use base::{Address, Timestamp};
use core::time::Duration;

use super::keys::{Prefix, Spans};
use super::table::Table;
use super::texts::Answer;
use crate::datasets::{Access, Body, Dataset, Header, Soa, TTL_DEFAULT};
use crate::serve::records::Records;
use crate::serve::{Name, SoaTimers};

/// Most zones from files.
pub const ZONES_MAX: usize = 1024;

/// Most datasets of one zone, the parts of combined ones included: all of them are asked.
pub const DATASETS_MAX: usize = 64;

/// The zones that are answered from files. Their names are fixed; what they hold is swapped while they are asked.
#[derive(Debug)]
pub struct Statics {
    /// Zones below others first.
    slots: Box<[Slot]>,
}

/// One zone's place.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) name: Name,
    pub(crate) labels: usize,
    pub(crate) sharing: Sharing,
    /// Its place among the zones from files alone.
    pub(crate) place: usize,
    pub(super) content: ArcSwapOption<Content>,
}

/// Whether a zone is answered from files alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sharing {
    /// From files alone; they have its SOA and name servers.
    Alone,
    /// From files and the live book: the zone of that name has its own SOA and name servers.
    WithBook,
}

/// Why there can be no such zones.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StaticsError {
    /// One name twice.
    #[error("zone `{0}` is there twice")]
    SameZone(String),
    /// More than [`ZONES_MAX`].
    #[error("more than {ZONES_MAX} zones from files")]
    TooManyZones,
}

impl Statics {
    /// Zones of these names, without content: they answer SERVFAIL, or with the book alone.
    pub fn new(names: impl IntoIterator<Item = (Name, Sharing)>) -> Result<Self, StaticsError> {
        let slot = |(name, sharing): (Name, Sharing)| Slot {
            labels: name.label_count(),
            name,
            sharing,
            place: 0,
            content: ArcSwapOption::empty(),
        };
        let mut slots: Vec<Slot> = names.into_iter().map(slot).collect();
        if slots.len() > ZONES_MAX {
            return Err(StaticsError::TooManyZones);
        }
        slots.sort_by_key(|slot| core::cmp::Reverse(slot.labels));
        for (at, slot) in slots.iter().enumerate() {
            let is_same = |other: &Slot| other.name.wire().eq_ignore_ascii_case(slot.name.wire());
            if slots[..at].iter().any(is_same) {
                return Err(StaticsError::SameZone(slot.name.to_string()));
            }
        }
        let alone = slots.iter_mut().filter(|slot| slot.sharing == Sharing::Alone);
        alone.enumerate().for_each(|(place, slot)| slot.place = place);
        Ok(Self { slots: slots.into() })
    }

    /// The names of the zones from files alone, in the order of their places.
    pub fn alone(&self) -> impl Iterator<Item = &Name> {
        self.slots.iter().filter(|slot| slot.sharing == Sharing::Alone).map(|slot| &slot.name)
    }

    /// Whether the book's zone of this name has a part from files.
    pub(crate) fn shares(&self, zone: &Name) -> bool {
        self.slot(zone).is_some_and(|slot| slot.sharing == Sharing::WithBook)
    }

    /// The names of the zones.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.slots.iter().map(|slot| &slot.name)
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// What the zone holds; none if there is no such zone, or nothing was loaded yet.
    pub fn content(&self, zone: &Name) -> Option<Arc<Content>> {
        self.slot(zone)?.content.load_full()
    }

    /// Gives the zone its content, in one step for whoever asks. Returns whether there is such a zone.
    pub fn set(&self, zone: &Name, content: Arc<Content>) -> bool {
        let slot = self.slot(zone);
        if let Some(slot) = slot {
            slot.content.store(Some(content));
        }
        slot.is_some()
    }

    /// The place of the zone with this name.
    pub(crate) fn slot(&self, zone: &Name) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.name.wire().eq_ignore_ascii_case(zone.wire()))
    }

    /// Whether one of the zones is the zone of this name or below it.
    pub(crate) fn is_below(&self, zone: &Name) -> bool {
        self.slots.iter().any(|slot| slot.name.is_within(zone.wire()))
    }
}

impl Slot {
    /// Whether nothing but addresses has names in it.
    pub(crate) fn is_of_addresses(&self) -> bool {
        let guard = self.content.load();
        let tables = |content: &Content| {
            content.datasets.iter().flat_map(|dataset| &dataset.parts).all(|(_, t)| t.is_of_addresses())
        };
        guard.as_ref().is_none_or(|content| tables(content))
    }
}

/// A table with the name below the zone for which it answers, as in [`crate::datasets::NameEntry::key`].
pub(super) type PartTable = (Box<[u8]>, Arc<Table>);

/// A dataset, ready to be asked. Several zones may share one.
#[derive(Debug)]
pub struct Compiled {
    pub(super) header: Header,
    pub(super) modified: u64,
    /// The tables with the names below the zone for which they answer, the longest ones first.
    pub(super) parts: Box<[PartTable]>,
    pub(super) access: Option<AccessTable>,
    entries: usize,
}

impl Compiled {
    /// Builds the tables of a dataset.
    pub fn new(dataset: &Dataset) -> Self {
        let mut parts = Vec::new();
        let mut add = |zones: &[Box<[u8]>], dataset: &Dataset| {
            if let Some(table) = Table::new(dataset).map(Arc::new) {
                parts.extend(zones.iter().map(|zone| (zone.clone(), Arc::clone(&table))));
            }
        };
        match &dataset.body {
            Body::Parts(all) => all.iter().for_each(|part| add(&part.zones, &part.dataset)),
            Body::Ip4(_) | Body::Ip6(_) | Body::Names(_) | Body::Records(_) => add(&[Box::default()], dataset),
            Body::Access(_) => {}
        }
        parts.sort_by_key(|(zone, _)| core::cmp::Reverse(zone.len()));
        let access = AccessTable::new(dataset);
        let (header, modified) = (dataset.header.clone(), dataset.modified);
        Self { header, modified, parts: parts.into(), access, entries: dataset.len() }
    }

    /// How many entries its files had.
    pub const fn len(&self) -> usize {
        self.entries
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// When it is not to be served any more (`$TIMESTAMP`).
    pub fn expires(&self) -> Option<Timestamp> {
        self.header.expires.map(Timestamp::from_secs)
    }

    /// Whether one of the tables of the zone itself lists the address.
    pub fn lists(&self, address: Address) -> bool {
        self.parts.iter().filter(|(zone, _)| zone.is_empty()).any(|(_, table)| table.lists(address))
    }

    /// Bytes of the tables on the heap.
    pub fn heap_bytes(&self) -> usize {
        let mut tables: Vec<&Arc<Table>> = self.parts.iter().map(|(_, table)| table).collect();
        tables.sort_by_key(|table| Arc::as_ptr(table));
        tables.dedup_by(|a, b| Arc::ptr_eq(a, b));
        tables.iter().map(|table| table.heap_bytes()).sum()
    }
}

/// What clients may do.
#[derive(Debug)]
pub(super) struct AccessTable {
    networks: Spans<u128>,
    accesses: Box<[Access]>,
    answers: Box<[Answer]>,
    ttl: u32,
}

/// What a client may do, ready to be told.
pub(super) enum Allowed<'a> {
    Ignore,
    Refuse,
    Empty,
    Pass,
    Listed(&'a Answer, u32),
}

impl AccessTable {
    fn new(dataset: &Dataset) -> Option<Self> {
        let Body::Access(rules) = &dataset.body else { return None };
        let mut accesses: Vec<Access> = Vec::new();
        let mut networks: Vec<Prefix<u128>> = Vec::new();
        for rule in rules {
            let set = accesses.iter().position(|access| *access == rule.access).unwrap_or_else(|| {
                accesses.push(rule.access);
                accesses.len() - 1
            });
            networks.push(Prefix { base: rule.base, length: rule.length, set: set as u32 });
        }
        networks.sort_by_key(|network| (network.base, network.length));
        networks.dedup_by_key(|network| (network.base, network.length));
        Some(Self {
            networks: Spans::new(&networks, 128),
            accesses: accesses.into(),
            answers: dataset.values.all().iter().map(|value| Answer::new(value, &dataset.header)).collect(),
            ttl: dataset.header.ttl.unwrap_or(TTL_DEFAULT),
        })
    }

    pub(super) fn of(&self, client: Address) -> Allowed<'_> {
        let access = self.networks.get(client.bits()).map(|set| self.accesses[set as usize]);
        match access {
            None | Some(Access::Pass) => Allowed::Pass,
            Some(Access::Ignore) => Allowed::Ignore,
            Some(Access::Refuse) => Allowed::Refuse,
            Some(Access::Empty) => Allowed::Empty,
            Some(Access::Listed(id)) => match self.answers.get((id.0 as usize).wrapping_sub(1)) {
                Some(answer) => Allowed::Listed(answer, self.ttl),
                None => Allowed::Pass,
            },
        }
    }
}

/// What a zone holds.
#[derive(Debug)]
pub struct Content {
    pub(super) datasets: Box<[Arc<Compiled>]>,
    /// SOA, SOA of negative replies, and name servers; none where the book has them.
    pub(super) apex: Option<Apex>,
    /// When it is not to be served any more.
    pub(super) expires: Option<Timestamp>,
}

/// What stands at the zone's own name.
#[derive(Debug)]
pub(super) struct Apex {
    pub(super) soa: Records,
    pub(super) negative: Records,
    pub(super) servers: Records,
    pub(super) serial: u32,
}

/// Why datasets make no zone.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ContentError {
    /// No SOA: resolvers could not remember that an address is not listed, and many would answer SERVFAIL.
    #[error("zone `{0}` has no SOA; write a line `$SOA ttl primary contact serial refresh retry expire minimum`")]
    NoSoa(String),
    /// No name server.
    #[error("zone `{0}` has no name server; write a line `$NS ttl server server`")]
    NoServers(String),
    /// A name that cannot stand in DNS as a host name does.
    #[error("zone `{zone}`: the name `{name}` may have letters, digits, `-` and `_` only")]
    Name {
        /// The zone.
        zone: String,
        /// The name.
        name: String,
    },
    /// More than [`DATASETS_MAX`].
    #[error("zone `{0}` has more than {DATASETS_MAX} datasets")]
    TooManyDatasets(String),
}

impl Content {
    /// What `zone` holds with these datasets, asked in this order. The first SOA and the first name servers in them are
    /// the zone's; `defaults` has those of a zone whose files have none.
    pub fn new(
        zone: &Name,
        sharing: Sharing,
        datasets: &[Arc<Compiled>],
        defaults: &Header,
    ) -> Result<Self, ContentError> {
        if datasets.iter().map(|dataset| dataset.parts.len()).sum::<usize>() > DATASETS_MAX {
            return Err(ContentError::TooManyDatasets(zone.to_string()));
        }
        let apex = match sharing {
            Sharing::Alone => Some(Apex::new(zone, datasets, defaults)?),
            Sharing::WithBook => None,
        };
        let expires = datasets.iter().filter_map(|dataset| dataset.header.expires).min().map(Timestamp::from_secs);
        Ok(Self { datasets: datasets.into(), apex, expires })
    }

    /// How many entries the files of its datasets had.
    pub fn len(&self) -> usize {
        self.datasets.iter().map(|dataset| dataset.len()).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the address is listed in the zone itself.
    pub fn lists(&self, address: Address) -> bool {
        self.datasets.iter().any(|dataset| dataset.lists(address))
    }

    /// How many IPv4 addresses from which somebody can send the networks of its widest dataset list.
    pub fn senders(&self) -> u64 {
        let tables = self.datasets.iter().flat_map(|dataset| &dataset.parts).filter(|(zone, _)| zone.is_empty());
        tables.map(|(_, table)| table.senders()).max().unwrap_or_default()
    }

    /// The serial of its SOA; none where the book has it.
    pub fn serial(&self) -> Option<u32> {
        self.apex.as_ref().map(|apex| apex.serial)
    }

    /// When it is not to be served any more (`$TIMESTAMP`).
    pub const fn expires(&self) -> Option<Timestamp> {
        self.expires
    }
}

impl Apex {
    fn new(zone: &Name, datasets: &[Arc<Compiled>], defaults: &Header) -> Result<Self, ContentError> {
        let headers = || datasets.iter().map(|dataset| &dataset.header).chain([defaults]);
        let soa = headers().find_map(|header| header.soa.as_ref());
        let soa: &Soa = soa.ok_or_else(|| ContentError::NoSoa(zone.to_string()))?;
        let servers = headers().find_map(|header| header.servers.as_ref());
        let (ttl, servers) = servers
            .filter(|(_, servers)| !servers.is_empty())
            .ok_or_else(|| ContentError::NoServers(zone.to_string()))?;
        let name = |wire: &[u8]| {
            Name::from_wire(wire).ok_or_else(|| ContentError::Name {
                zone: zone.to_string(),
                name: String::from_utf8_lossy(wire).into_owned(),
            })
        };
        let servers = servers.iter().map(|server| name(server)).collect::<Result<Vec<_>, _>>()?;
        let (primary, contact) = (name(&soa.primary)?, name(&soa.contact)?);
        let seconds = |span: u32| Duration::from_secs(span.into());
        let timers =
            SoaTimers { refresh: seconds(soa.refresh), retry: seconds(soa.retry), expire: seconds(soa.expire) };
        let soa_ttl = soa.ttl.unwrap_or(TTL_DEFAULT);
        let record = |ttl| Records::soa(zone, ttl, soa.negative_ttl, &primary, &contact, timers);
        let modified = datasets.iter().map(|dataset| dataset.modified).max().unwrap_or_default();
        Ok(Self {
            soa: record(soa_ttl),
            negative: record(soa_ttl.min(soa.negative_ttl)),
            servers: Records::ns(zone, if *ttl > 0 { *ttl } else { TTL_DEFAULT }, &servers),
            serial: if soa.serial == 0 { modified as u32 } else { soa.serial },
        })
    }
}
