//! One transfer: the messages of its answer become the zone's next state (RFC 5936, RFC 1995), or a fault.

use core::mem;

use super::copy::{Change, Changes, Copy, NotThere, Record, Writer};
use super::message::{Received, Response, Soa};
use crate::serve::Name;
use crate::serve::name::QuestionName;
use crate::serve::wire::{HEADER_BYTES, code};
use crate::transfer::{Key, Listening, Unbelieved, sign_request};

/// What a primary is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wish {
    /// Only its serial.
    Soa,
    /// What changed since this serial.
    Changes(u32),
    /// Everything.
    Whole,
}

/// What a primary had.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Nothing newer.
    Current,
    /// Something newer, of which we have not asked for more than the serial.
    Newer,
    /// The zone after the changes.
    Changed(Copy, Soa),
    /// The whole zone.
    Whole(Copy, Soa),
}

/// Why a transfer came to nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The answer is none to our question.
    #[error("the answer makes no sense")]
    Garbage,
    /// The primary says no, by this code.
    #[error("the primary answers {}", rcode_name(*.0))]
    Rcode(u8),
    #[error("the answer is for another zone")]
    OtherZone,
    #[error("a record does not belong to the zone")]
    Outside,
    #[error("the zone has no SOA record, or no name server")]
    NoApex,
    #[error("the changes do not fit to what we have")]
    Misfit,
    #[error("the zone is larger than {0} bytes")]
    TooLarge(usize),
    #[error("{0}")]
    Signature(#[from] Unbelieved),
}

impl From<NotThere> for Fault {
    fn from(_: NotThere) -> Self {
        Self::Misfit
    }
}

const fn rcode_name(rcode: u8) -> &'static str {
    match rcode {
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        9 => "NOTAUTH",
        _ => "an error",
    }
}

/// Where in the answer the next record stands.
enum Stage {
    /// At the beginning.
    Soa,
    /// Behind the first record, which tells the newest serial.
    Second,
    /// In the whole zone.
    Zone,
    /// Among those that go.
    Going,
    /// Among those that come, up to this serial.
    Coming(u32),
    Done,
}

/// A transfer under way.
pub(crate) struct Incoming<'a> {
    zone: &'a Name,
    wish: Wish,
    id: u16,
    held: Copy,
    bytes_max: usize,
    listening: Option<Listening<'a>>,
    is_first: bool,
    stage: Stage,
    newest: Option<(Soa, Received)>,
    /// The serial that the changes have come to.
    reached: u32,
    changes: Changes,
    arena: Arena,
    bytes: usize,
}

/// Records of a whole zone, as they came.
#[derive(Default)]
struct Arena {
    records: Vec<(Box<[u8]>, Change)>,
}

impl<'a> Incoming<'a> {
    /// Begins one that continues `held`, and gives the message that asks for it. `id` shall be hard to guess.
    pub(crate) fn new(
        zone: &'a Name,
        wish: Wish,
        held: Copy,
        (id, key, now): (u16, Option<&'a Key>, u64),
        bytes_max: usize,
    ) -> (Self, Vec<u8>) {
        let mut message = request(zone, wish, &held, id);
        let listening = key.map(|key| sign_request(key, &mut message, now).listen());
        let reached = if let Wish::Changes(serial) = wish { serial } else { 0 };
        let incoming = Self {
            zone,
            wish,
            id,
            held,
            bytes_max,
            listening,
            is_first: true,
            stage: Stage::Soa,
            newest: None,
            reached,
            changes: Changes::new(),
            arena: Arena::default(),
            bytes: 0,
        };
        (incoming, message)
    }

    /// Takes the next message in. Returns the outcome behind the last one.
    pub(crate) fn hear(&mut self, message: &[u8], now: u64) -> Result<Option<Outcome>, Fault> {
        let response = Response::read(message).filter(|response| response.id == self.id).ok_or(Fault::Garbage)?;
        if let Some(listening) = &mut self.listening {
            listening.hear(message, now)?;
        }
        if response.rcode != 0 {
            return Err(Fault::Rcode(response.rcode));
        }
        // Only the first message needs to repeat the question (RFC 5936 section 2.2).
        let is_ours = |name: &Vec<u8>| name.eq_ignore_ascii_case(self.zone.wire());
        if !response.question.as_ref().map_or(!self.is_first, is_ours) {
            return Err(Fault::OtherZone);
        }
        // Messages without records could go on for ever.
        if response.len() == 0 {
            return Err(if self.is_first { Fault::NoApex } else { Fault::Garbage });
        }
        self.is_first = false;
        self.read(response)?;
        let is_believed = self.listening.as_ref().is_none_or(Listening::is_whole);
        match (&self.stage, is_believed) {
            (Stage::Done, true) => self.finish().map(Some),
            // The last message must be signed.
            (Stage::Done, false) => Err(Unbelieved::Unsigned.into()),
            _ => Ok(None),
        }
    }

    fn read(&mut self, mut response: Response<'_>) -> Result<(), Fault> {
        let is_single = response.len() == 1;
        while let Some(record) = response.next() {
            let record = record.map_err(|()| Fault::Garbage)?;
            self.bytes += record.owner.len() + record.data.len() + size_of::<Change>();
            if self.bytes > self.bytes_max {
                return Err(Fault::TooLarge(self.bytes_max));
            }
            self.take(record, is_single)?;
        }
        Ok(())
    }

    fn take(&mut self, record: Received, is_single: bool) -> Result<(), Fault> {
        let key = key_below(&record.owner, self.zone).ok_or(Fault::Outside)?;
        if record.class != code::CLASS_IN {
            return Err(Fault::Garbage);
        }
        let soa = (record.kind == code::SOA).then(|| Soa::read(&record.data).ok_or(Fault::Garbage)).transpose()?;
        if soa.is_some() && !key.is_empty() {
            return Err(Fault::Outside);
        }
        let newest = self.newest.as_ref().map(|(soa, _)| soa.serial);
        match (&self.stage, soa, newest) {
            (Stage::Soa, Some(soa), _) => {
                self.stage = self.after_first(soa, is_single);
                self.newest = Some((soa, record));
            }
            (Stage::Soa, None, _) => return Err(Fault::NoApex),
            (Stage::Second, Some(soa), Some(newest))
                if matches!(self.wish, Wish::Changes(_)) && soa.serial != newest =>
            {
                self.step(soa, record)?;
            }
            // Nothing but the SOA record: an empty zone, which `finish` does not take.
            (Stage::Second | Stage::Zone, Some(soa), Some(newest)) if soa.serial == newest => self.stage = Stage::Done,
            (Stage::Second | Stage::Zone, None, _) => {
                self.stage = Stage::Zone;
                self.arena.records.push((key, change(true, record)));
            }
            (Stage::Going, Some(soa), _) => {
                self.stage = Stage::Coming(soa.serial);
                self.change(Box::default(), true, record);
            }
            (Stage::Coming(to), Some(soa), Some(newest)) if soa.serial == *to => {
                self.reached = *to;
                if *to == newest {
                    self.stage = Stage::Done;
                } else {
                    self.step(soa, record)?;
                }
            }
            (Stage::Going, None, _) => self.change(key, false, record),
            (Stage::Coming(_), None, _) => self.change(key, true, record),
            _ => return Err(Fault::Garbage),
        }
        Ok(())
    }

    /// What follows the first SOA record.
    fn after_first(&self, soa: Soa, is_single: bool) -> Stage {
        match self.wish {
            Wish::Soa => Stage::Done,
            // A single record that is no news is the whole answer (RFC 1995 section 4).
            Wish::Changes(ours) if is_single && !is_newer(soa.serial, ours) => Stage::Done,
            Wish::Changes(_) | Wish::Whole => Stage::Second,
        }
    }

    /// Begins the changes from the serial of `soa`, which must be where those before have come to.
    fn step(&mut self, soa: Soa, record: Received) -> Result<(), Fault> {
        if soa.serial != self.reached {
            return Err(Fault::Misfit);
        }
        self.stage = Stage::Going;
        self.change(Box::default(), false, record);
        Ok(())
    }

    fn change(&mut self, key: Box<[u8]>, is_added: bool, record: Received) {
        self.changes.entry(key).or_default().push(change(is_added, record));
    }

    fn finish(&mut self) -> Result<Outcome, Fault> {
        let (soa, record) = self.newest.take().ok_or(Fault::NoApex)?;
        let ours = match self.wish {
            Wish::Changes(serial) => Some(serial),
            Wish::Soa => self.serial_held(),
            Wish::Whole => None,
        };
        if ours.is_some_and(|ours| !is_newer(soa.serial, ours)) {
            return Ok(Outcome::Current);
        }
        if self.wish == Wish::Soa {
            return Ok(Outcome::Newer);
        }
        let (outcome, copy): (fn(Copy, Soa) -> Outcome, Copy) = if self.changes.is_empty() {
            let mut records = mem::take(&mut self.arena.records);
            records.push((Box::default(), change(true, record)));
            (Outcome::Whole, packed(records))
        } else {
            (Outcome::Changed, self.held.with(&self.changes)?)
        };
        if copy.bytes() > self.bytes_max {
            return Err(Fault::TooLarge(self.bytes_max));
        }
        let apex = copy.entries().next().filter(|entry| entry.key.is_empty()).ok_or(Fault::NoApex)?;
        if apex.of(code::NS).next().is_none() || apex.of(code::SOA).count() != 1 {
            return Err(Fault::NoApex);
        }
        Ok(outcome(copy, soa))
    }

    fn serial_held(&self) -> Option<u32> {
        let apex = self.held.entries().next()?;
        let soa = apex.of(code::SOA).next()?;
        Soa::read(soa.data).map(|soa| soa.serial)
    }
}

fn change(is_added: bool, record: Received) -> Change {
    Change { is_added, kind: record.kind, ttl: record.ttl, data: record.data.into() }
}

/// A zone of these records; one that came twice is there once.
fn packed(mut records: Vec<(Box<[u8]>, Change)>) -> Copy {
    records.sort_by(|(a, one), (b, other)| (a, one.kind, &one.data).cmp(&(b, other.kind, &other.data)));
    records.dedup_by(|(a, one), (b, other)| a == b && one.kind == other.kind && one.data == other.data);
    let mut writer = Writer::default();
    for same in records.chunk_by(|(a, _), (b, _)| a == b) {
        let record = |(_, change): &'_ (_, Change)| (change.kind, change.ttl);
        let of_name: Vec<Record<'_>> = same
            .iter()
            .map(|entry| {
                let (kind, ttl) = record(entry);
                Record { kind, ttl, data: &entry.1.data }
            })
            .collect();
        writer.entry(&same[0].0, &of_name);
    }
    writer.finish()
}

/// Whether `theirs` is an increase over `ours` (RFC 1982).
pub(crate) const fn is_newer(theirs: u32, ours: u32) -> bool {
    theirs.wrapping_sub(ours).cast_signed() > 0
}

/// The key of a name in wire form below the zone; none if it is not there.
pub(crate) fn key_below(owner: &[u8], zone: &Name) -> Option<Box<[u8]>> {
    let name = QuestionName::read(owner)?;
    let below = name.labels().checked_sub(zone.label_count())?;
    let start = name.suffix_start(name.labels() - below);
    if !owner[start..].eq_ignore_ascii_case(zone.wire()) {
        return None;
    }
    let mut key = Vec::with_capacity(start);
    for label in (0..below).rev().map(|index| name.label(index)) {
        key.push(label.len() as u8);
        key.extend(label.iter().map(u8::to_ascii_lowercase));
    }
    Some(key.into())
}

/// The message that asks for it.
fn request(zone: &Name, wish: Wish, held: &Copy, id: u16) -> Vec<u8> {
    let kind = match wish {
        Wish::Soa => code::SOA,
        Wish::Changes(_) => code::IXFR,
        Wish::Whole => code::AXFR,
    };
    let mut out = id.to_be_bytes().to_vec();
    out.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    out.extend_from_slice(zone.wire());
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&code::CLASS_IN.to_be_bytes());
    let apex = held.entries().next();
    let soa = apex.and_then(|entry| entry.of(code::SOA).next()).filter(|_| kind == code::IXFR);
    if let Some(soa) = soa {
        out[9] = 1;
        out.extend_from_slice(&[0xc0, HEADER_BYTES as u8]);
        out.extend_from_slice(&code::SOA.to_be_bytes());
        out.extend_from_slice(&code::CLASS_IN.to_be_bytes());
        out.extend_from_slice(&soa.ttl.to_be_bytes());
        out.extend_from_slice(&(soa.data.len() as u16).to_be_bytes());
        out.extend_from_slice(soa.data);
    }
    out
}

#[cfg(test)]
#[path = "incoming_tests.rs"]
mod tests;
