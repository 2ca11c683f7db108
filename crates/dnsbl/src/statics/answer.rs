//! From a question to the records of a zone from files.

use core::net::IpAddr;
use std::sync::Arc;

use base::Address;

use super::names::{Ready, label_ends, write_name};
use super::table::{Asked, Found, Table};
use super::texts::Answer;
use super::zone::{Allowed, Compiled, Content, DATASETS_MAX, Sharing, Slot, Statics};
use crate::datasets::TEXT_BYTES_MAX;
use crate::serve::address::{networks, v4_host, v6_host};
use crate::serve::name::NAME_BYTES_MAX;
use crate::serve::query::{Query, code};
use crate::serve::reply::{Rcode, Reply, Section};
use crate::serve::text::AddressText;
use crate::serve::{Asker, Outcome};

/// `2002::/16`: IPv6 addresses made of IPv4 ones (RFC 3056), which lists know by those.
const SIX_TO_FOUR: u128 = 0x2002 << 112;

/// `::ffff:0:0/96`.
const MAPPED: u128 = 0xffff << 32;

/// What the datasets of a zone have for a question.
struct Findings<'t> {
    all: [Option<Finding<'t>>; DATASETS_MAX],
    count: usize,
    is_above: bool,
    is_address: bool,
}

/// What one table has.
#[derive(Clone, Copy)]
struct Finding<'t> {
    table: &'t Table,
    found: Found<'t>,
    /// The address that stands in its texts.
    subject: Option<Address>,
}

impl<'t> Finding<'t> {
    /// Whether the same stands in the texts of both.
    fn is_about_the_same(&self, other: &Self) -> bool {
        let entry = |finding: &Self| match finding.found {
            Found::Listed(_, entry) => entry,
            Found::Records(_) | Found::Above | Found::Nothing => None,
        };
        entry(self) == entry(other) && self.subject == other.subject
    }

    fn answers(&self) -> impl Iterator<Item = &'t Answer> + use<'t> {
        let table = self.table;
        let set = match self.found {
            Found::Listed(set, _) => Some(set),
            Found::Records(_) | Found::Above | Found::Nothing => None,
        };
        set.into_iter().flat_map(|set| table.answers_of(set))
    }
}

impl Statics {
    /// The zone from files alone that the question belongs to.
    fn slot_of(&self, query: &Query<'_>, sharing: Sharing) -> Option<&Slot> {
        let holds = |slot: &&Slot| slot.sharing == sharing && query.name.is_within(&slot.name, slot.labels);
        self.slots().iter().find(holds)
    }

    /// The zone from files alone that the question belongs to; none if it belongs to no such zone, or to a zone of the
    /// book below it, whose name has `book_labels` labels.
    pub(crate) fn alone_for(&self, query: &Query<'_>, book_labels: usize) -> Option<&Slot> {
        self.slot_of(query, Sharing::Alone).filter(|slot| slot.labels >= book_labels)
    }

    /// Answers a question of a zone from files alone, which has `key_labels` labels of a key before the zone's name.
    pub(crate) fn answer(
        slot: &Slot,
        query: &Query<'_>,
        asker: &Asker,
        key_labels: usize,
        reply: &mut Reply<'_>,
    ) -> Outcome {
        let guard = slot.content.load();
        let content = guard.as_ref().filter(|content| content.expires.is_none_or(|end| asker.now < end));
        let Some((content, apex)) = content.and_then(|content| Some((content, content.apex.as_ref()?))) else {
            // Another server of the zone may be better off.
            reply.rcode = Rcode::ServFail;
            return Outcome::Refused;
        };
        reply.authoritative = true;
        let name = query.name.suffix_start(slot.labels);
        let mut outcome = content.add(query, asker, slot.labels + key_labels, reply);
        if outcome == Outcome::Refused {
            (reply.rcode, reply.authoritative) = (Rcode::Refused, false);
        }
        reply.is_silent |= outcome == Outcome::Ignored;
        let is_apex = query.name.labels() == slot.labels;
        if is_apex && matches!(outcome, Outcome::Unlisted | Outcome::NoData) {
            let records = match query.kind {
                code::SOA | code::ANY => Some(&apex.soa),
                code::NS => Some(&apex.servers),
                _ => None,
            };
            outcome = if records.is_some() { Outcome::Apex } else { Outcome::NoData };
            if let Some(records) = records {
                reply.records(Section::Answer, records, name, apex.serial);
            }
        }
        if matches!(outcome, Outcome::Unlisted | Outcome::NoData) {
            reply.records(Section::Authority, &apex.negative, name, apex.serial);
        }
        if outcome == Outcome::Unlisted {
            reply.rcode = Rcode::NxDomain;
        }
        outcome
    }

    /// Makes the reply to somebody who may not ask in a zone from files alone complete: what is negative has the SOA.
    pub(crate) fn deny(slot: &Slot, query: &Query<'_>, outcome: Outcome, reply: &mut Reply<'_>) -> Outcome {
        let guard = slot.content.load();
        let Some(apex) = guard.as_ref().and_then(|content| content.apex.as_ref()) else { return outcome };
        if matches!(outcome, Outcome::Unlisted | Outcome::NoData) {
            reply.authoritative = true;
            reply.records(Section::Authority, &apex.negative, query.name.suffix_start(slot.labels), apex.serial);
        }
        if outcome == Outcome::Unlisted {
            reply.rcode = Rcode::NxDomain;
        }
        outcome
    }

    /// Adds to the reply of a zone of the book, whose name has `labels` labels and `key_labels` of a key before them,
    /// what files have for it. Returns the outcome of both.
    pub(crate) fn combine(
        &self,
        query: &Query<'_>,
        asker: &Asker,
        (labels, key_labels): (usize, usize),
        outcome: Outcome,
        reply: &mut Reply<'_>,
    ) -> Outcome {
        if !matches!(outcome, Outcome::Listed | Outcome::Unlisted | Outcome::NoData) {
            return outcome;
        }
        let Some(slot) = self.slot_of(query, Sharing::WithBook).filter(|slot| slot.labels == labels) else {
            return outcome;
        };
        let guard = slot.content.load();
        let content = guard.as_ref().filter(|content| content.expires.is_none_or(|end| asker.now < end));
        let found = content.map_or(Outcome::Unlisted, |content| content.add(query, asker, labels + key_labels, reply));
        if (outcome, found) == (Outcome::Listed, Outcome::Listed) {
            reply.unite_answers();
        }
        match (outcome, found) {
            (Outcome::Listed, _) | (_, Outcome::Unlisted) => outcome,
            (_, found) => found,
        }
    }
}

impl Content {
    /// Adds the records for a question to the reply: listed, unlisted, no data, ignored or refused.
    fn add(&self, query: &Query<'_>, asker: &Asker, zone_labels: usize, reply: &mut Reply<'_>) -> Outcome {
        let labels = query.name.labels() - zone_labels;
        let mut key = [0; NAME_BYTES_MAX];
        let key = reversed(query, labels, &mut key);
        let mut access = Allowed::Pass;
        for table in self.datasets.iter().filter_map(|dataset| dataset.access.as_ref()) {
            match table.of(asker.address) {
                Allowed::Ignore => return Outcome::Ignored,
                Allowed::Refuse => return Outcome::Refused,
                stricter @ (Allowed::Empty | Allowed::Listed(..)) if matches!(access, Allowed::Pass) => {
                    access = stricter;
                }
                Allowed::Empty | Allowed::Pass | Allowed::Listed(..) => {}
            }
        }
        let mut found = self.find(query, labels, key);
        match access {
            Allowed::Listed(answer, ttl) if found.is_address => {
                return everything(query.kind, answer, ttl, asker.address, reply);
            }
            Allowed::Pass => {}
            Allowed::Empty | Allowed::Listed(..) | Allowed::Ignore | Allowed::Refuse => found.keep_records(),
        }
        found.write(query.kind, key.is_empty(), reply)
    }

    fn find(&self, query: &Query<'_>, labels: usize, key: &[u8]) -> Findings<'_> {
        let mut findings =
            Findings { all: [None; DATASETS_MAX], count: 0, is_above: key.is_empty(), is_address: false };
        let chosen = |dataset: &'_ Arc<Compiled>| dataset.parts.iter().position(|(zone, _)| key.starts_with(zone));
        // A mapped address is an IPv6 address only where the zone has no IPv4 ones.
        let has_ip4 = self.datasets.iter().any(|dataset| {
            chosen(dataset).is_some_and(|part| {
                let (zone, _) = &dataset.parts[part];
                dataset.parts.iter().any(|(other, table)| other == zone && table.is_ip4())
            })
        });
        for dataset in &self.datasets {
            // A name between the zone and that of a part exists.
            findings.is_above |= dataset.parts.iter().any(|(zone, _)| zone.starts_with(key));
            // The parts of the longest name count, and no other ones.
            let Some(part) = chosen(dataset) else { continue };
            let (zone, _) = &dataset.parts[part];
            let asked = Asked::new(query, labels - label_ends(zone).count(), &key[zone.len()..], has_ip4);
            findings.is_address |= asked.ip4.is_some() || asked.ip6.is_some();
            for (_, table) in dataset.parts.iter().filter(|(other, _)| other == zone) {
                match table.find(&asked) {
                    Found::Nothing => {}
                    Found::Above => findings.is_above = true,
                    found @ (Found::Listed(..) | Found::Records(_)) => {
                        let subject = asked.subject(table);
                        findings.all[findings.count] = Some(Finding { table, found, subject });
                        findings.count += 1;
                    }
                }
            }
        }
        findings
    }
}

impl<'t> Findings<'t> {
    fn iter(&self) -> impl Iterator<Item = &Finding<'t>> {
        self.all[..self.count].iter().flatten()
    }

    /// Forgets everything but records, which say something about the zone and nothing about an address.
    fn keep_records(&mut self) {
        for finding in &mut self.all[..self.count] {
            *finding = finding.take_if(|finding| matches!(finding.found, Found::Records(_)));
        }
    }

    /// All answers, each as often as datasets have it.
    fn answers(&self) -> impl Iterator<Item = &'t Answer> {
        self.iter().flat_map(Finding::answers)
    }

    fn records(&self) -> impl Iterator<Item = &'t Ready> {
        self.iter().flat_map(|finding| match finding.found {
            Found::Records(records) => records,
            Found::Listed(..) | Found::Above | Found::Nothing => &[],
        })
    }

    fn write(&self, kind: u16, is_apex: bool, reply: &mut Reply<'_>) -> Outcome {
        if self.iter().next().is_none() {
            return if self.is_above { Outcome::NoData } else { Outcome::Unlisted };
        }
        let kind = match kind {
            // One kind of records is enough for whoever asks for all (RFC 8482 section 4.1).
            code::ANY if is_apex => return Outcome::NoData,
            code::ANY if self.answers().next().is_some() => code::A,
            code::ANY => self.records().next().map_or(code::A, |ready| ready.kind),
            kind => kind,
        };
        // The records of one reply have one time to live, the smallest (RFC 2181 section 5.2).
        let gives = |answer: &Answer| kind == code::A || kind == code::TXT && answer.text.is_some();
        let listed = self.iter().filter(|finding| finding.answers().any(gives)).map(|finding| finding.table.ttl);
        let records = self.records().filter(|ready| ready.kind == kind).map(|ready| ready.ttl);
        let ttl = listed.chain(records).min().unwrap_or_default();
        let mut count = 0;
        let answers = || self.answers().enumerate();
        match kind {
            code::A => {
                for (at, answer) in answers() {
                    if answers().take(at).all(|(_, earlier)| earlier.code != answer.code) {
                        reply.answer(code::A, ttl, &answer.code.octets());
                        count += 1;
                    }
                }
            }
            code::TXT => count += self.write_texts(ttl, reply),
            _ => {}
        }
        for (at, ready) in self.records().enumerate().filter(|(_, ready)| ready.kind == kind) {
            let is_new = |earlier: &Ready| earlier.kind != kind || earlier.data != ready.data;
            let is_new = self.records().take(at).all(is_new)
                && (kind != code::A || self.answers().all(|answer| answer.code.octets() != *ready.data));
            if is_new {
                reply.answer(kind, ttl, &ready.data);
                count += 1;
            }
        }
        if count > 0 { Outcome::Listed } else { Outcome::NoData }
    }

    fn write_texts(&self, ttl: u32, reply: &mut Reply<'_>) -> usize {
        let mut count = 0;
        let mut text = [0; TEXT_BYTES_MAX + 1];
        for (at, finding) in self.iter().enumerate() {
            let mut name = [0; 4 * NAME_BYTES_MAX];
            let address = finding.subject.map(AddressText::new);
            let entry = match (finding.found, &address) {
                (Found::Listed(_, Some(key)), _) => {
                    let length = write_name(key, &mut name);
                    &name[..length]
                }
                (_, Some(address)) => address.as_bytes(),
                (_, None) => &[],
            };
            for (place, answer) in finding.answers().enumerate() {
                let Some(own) = &answer.text else { continue };
                let alike = self.iter().take(at).filter(|other| finding.is_about_the_same(other));
                let mut earlier = alike.flat_map(Finding::answers).chain(finding.answers().take(place));
                if earlier.any(|other| other.text.as_ref() == Some(own)) {
                    continue;
                }
                let length = own.write(entry, &mut text);
                reply.answer(code::TXT, ttl, &text[..length]);
                count += 1;
            }
        }
        count
    }
}

/// The reply to a client to whom everything is listed; its own address stands in the text.
fn everything(kind: u16, answer: &Answer, ttl: u32, client: Address, reply: &mut Reply<'_>) -> Outcome {
    match (kind, &answer.text) {
        (code::A | code::ANY, _) => reply.answer(code::A, ttl, &answer.code.octets()),
        (code::TXT, Some(own)) => {
            let mut text = [0; TEXT_BYTES_MAX + 1];
            let length = own.write(AddressText::new(client).as_bytes(), &mut text);
            reply.answer(code::TXT, ttl, &text[..length]);
        }
        _ => return Outcome::NoData,
    }
    Outcome::Listed
}

/// The first `labels` labels of the question's name in small letters, the last one first.
fn reversed<'k>(query: &Query<'_>, labels: usize, key: &'k mut [u8; NAME_BYTES_MAX]) -> &'k [u8] {
    let mut at = 0;
    for label in (0..labels).rev().map(|index| query.name.label(index)) {
        key[at] = label.len() as u8;
        key[at + 1..=at + label.len()].copy_from_slice(label);
        key[at + 1..=at + label.len()].make_ascii_lowercase();
        at += 1 + label.len();
    }
    &key[..at]
}

impl<'a> Asked<'a> {
    fn new(query: &Query<'_>, labels: usize, key: &'a [u8], has_ip4: bool) -> Self {
        let mut asked = Self { ip4: None, ip6: None, part4: [None; 2], part6: None, key };
        if let Some(v4) = v4_host(&query.name, labels) {
            asked.ip4 = Some(v4.to_bits());
        } else if let Some(address) = v6_host(&query.name, labels) {
            match address.ip() {
                IpAddr::V4(v4) => {
                    asked.ip4 = Some(v4.to_bits());
                    asked.ip6 = (!has_ip4).then_some(address.bits());
                }
                IpAddr::V6(v6) => {
                    asked.ip6 = Some(v6.to_bits());
                    let is_made_of_ip4 = v6.to_bits() >> 112 == SIX_TO_FOUR >> 112;
                    asked.ip4 = is_made_of_ip4.then_some((v6.to_bits() >> 80) as u32);
                }
            }
        }
        // A few labels can begin both an IPv4 address and the IPv6 form of another one.
        let [part4, part6] = networks(&query.name, labels).map(|part| part.map(|part| part.network));
        if let Some((IpAddr::V4(v4), length)) = part4.map(|part| (part.base(), part.length())) {
            asked.part4[0] = Some((v4.to_bits(), length));
        }
        match part6.map(|part| (part.base(), part.length())) {
            Some((IpAddr::V4(v4), length)) => {
                asked.part4[1] = Some((v4.to_bits(), length));
                asked.part6 = (!has_ip4).then(|| (v4.to_ipv6_mapped().to_bits(), 96 + length));
            }
            Some((IpAddr::V6(v6), length)) => {
                asked.part6 = Some((v6.to_bits(), length));
                asked.part4[1] = part4_of_part6(v6.to_bits(), length);
            }
            None => {}
        }
        asked
    }

    /// The address that stands in texts: for a table of IPv4 addresses always the IPv4 one.
    fn subject(&self, table: &Table) -> Option<Address> {
        let ip4 = self.ip4.filter(|_| table.is_ip4()).map(|bits| Address::new(IpAddr::V4(bits.into())));
        ip4.or_else(|| self.ip6.map(Address::from_bits))
    }
}

/// The IPv4 addresses whose mapped or 6to4 form is in the IPv6 network.
fn part4_of_part6(base: u128, length: u8) -> Option<(u32, u8)> {
    let inside = |around: u128, before: u8| {
        let shared = (base ^ around).leading_zeros();
        if length <= before {
            (shared >= u32::from(length)).then_some((0, 0))
        } else {
            let bits = (base >> (96 - before)) as u32;
            (shared >= u32::from(before)).then_some((bits, (length - before).min(32)))
        }
    };
    inside(MAPPED, 96).or_else(|| inside(SIX_TO_FOUR, 16))
}
