//! Bulks: what was imported to a list as a whole, packed.
//!
//! A bulk is written once, when it comes into force, as a stream of [`listings::networks`] in parts. What leaves it
//! later is noted beside it, so that a change costs one small row however large the bulk is.

use std::collections::HashSet;
use std::io::{self, Write};

use base::{ListId, Maker, Network, Timestamp};
use listings::networks::{Decoder, Encoder};
use listings::{Bulk, Replaced};
use rusqlite::{Connection, OptionalExtension, Statement, ToSql, Transaction, params};

use crate::older;
use crate::records::Names;
use crate::rows::{self, number, time};

/// Bytes of one part.
const PART_BYTES: usize = 256 * 1024;

/// A bulk as it was when the store was last written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RestoredBulk {
    /// What its listings share.
    pub bulk: Bulk,
    packed: Packed,
}

impl RestoredBulk {
    /// Its networks in order.
    pub fn networks(&self) -> RestoredNetworks<'_> {
        self.packed.networks()
    }

    /// How many networks it has.
    pub fn networks_left(&self) -> usize {
        usize::try_from(self.packed.length).unwrap_or(usize::MAX).saturating_sub(self.packed.gone.len())
    }

    /// How many networks were written.
    pub const fn length(&self) -> u64 {
        self.packed.length
    }
}

/// The networks of a bulk as the file has them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Packed {
    /// The parts of the stream of networks, in order.
    parts: Vec<Box<[u8]>>,
    /// What is not of it any more.
    gone: HashSet<Network>,
    length: u64,
}

impl Packed {
    /// The networks in order.
    pub(crate) fn networks(&self) -> RestoredNetworks<'_> {
        let parts = Parts { parts: self.parts.iter(), rest: &[] };
        RestoredNetworks { decoder: Decoder::new(parts), gone: &self.gone, left: Some(self.length) }
    }
}

/// The networks of a bulk in order. Where its parts are damaged it ends early.
pub struct RestoredNetworks<'a> {
    decoder: Decoder<Parts<'a>>,
    gone: &'a HashSet<Network>,
    /// How many are still to come; none after damage.
    left: Option<u64>,
}

impl RestoredNetworks<'_> {
    /// After the last one: whether these were all that had been written.
    pub fn is_whole(&self) -> bool {
        self.left == Some(0)
    }
}

impl Iterator for RestoredNetworks<'_> {
    type Item = Network;

    fn next(&mut self) -> Option<Network> {
        loop {
            let Ok(network) = self.decoder.next()? else {
                self.left = None;
                return None;
            };
            self.left = self.left.and_then(|left| left.checked_sub(1));
            if self.gone.is_empty() || !self.gone.contains(&network) {
                return Some(network);
            }
        }
    }
}

/// The parts as one stream.
struct Parts<'a> {
    parts: core::slice::Iter<'a, Box<[u8]>>,
    rest: &'a [u8],
}

impl io::Read for Parts<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.parts.next() {
                Some(part) => self.rest = part,
                None => return Ok(0),
            }
        }
        self.rest.read(into)
    }
}

/// Most bytes that the parts of all bulks take together that were replaced; the oldest go first.
pub(crate) const PAST_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Keeps the list's bulk as that which the change `serial` replaced, for whoever asks about the past.
fn keep(
    transaction: &Transaction<'_>,
    list: &str,
    (serial, at): (u64, Timestamp),
    steps: Option<&[u8]>,
) -> rusqlite::Result<()> {
    let bytes = "SELECT ifnull(sum(length(body)), 0) FROM bulk_part WHERE list = ?1";
    let bytes: i64 = transaction.query_row(bytes, [list], |row| row.get(0))?;
    let head = "INSERT OR REPLACE INTO bulk_past (serial, at, list, since, until, person, reason, listings, bytes, steps) \
                SELECT ?1, ?2, ?3, since, until, person, reason, listings, ?4, ?5 \
                FROM (SELECT 1) LEFT JOIN bulk ON bulk.list = ?3";
    let bytes = bytes + i64::try_from(steps.map_or(0, <[u8]>::len)).unwrap_or(i64::MAX / 2);
    transaction.execute(head, params![number(serial), time(at), list, bytes, steps])?;
    let parts = "INSERT OR REPLACE INTO bulk_past_part SELECT ?1, part, body FROM bulk_part WHERE list = ?2";
    transaction.execute(parts, params![number(serial), list])?;
    let gone = "INSERT OR REPLACE INTO bulk_past_gone SELECT ?1, subject FROM bulk_gone WHERE list = ?2";
    transaction.execute(gone, params![number(serial), list])?;
    bound_past(transaction, PAST_BYTES_MAX)
}

/// Forgets the oldest of the bulks that were replaced, so that those left take at most `most` bytes.
fn bound_past(transaction: &Transaction<'_>, most: u64) -> rusqlite::Result<()> {
    let beyond = "SELECT serial, at FROM (SELECT serial, at, sum(bytes) OVER (ORDER BY serial DESC) AS newer \
                  FROM bulk_past) WHERE newer > ?1 ORDER BY serial DESC LIMIT 1";
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?.cast_unsigned(), rows::get_time(row, 1)));
    let last = transaction.query_row(beyond, [number(most)], row).optional()?;
    let Some((last, Some(at))) = last else { return Ok(()) };
    forget(transaction, last)?;
    crate::past::forget_before(transaction, last, at)
}

/// Deletes the bulks that were replaced up to the change `last`.
pub(crate) fn forget(transaction: &Transaction<'_>, last: u64) -> rusqlite::Result<()> {
    for table in ["bulk_past", "bulk_past_part", "bulk_past_gone"] {
        transaction.execute(&format!("DELETE FROM {table} WHERE serial <= ?1"), [number(last)])?;
    }
    Ok(())
}

/// Writes what came in the place of a list's bulk by the change `serial`.
pub(crate) fn write(
    transaction: &Transaction<'_>,
    names: &Names,
    (serial, at): (u64, Timestamp),
    replaced: &Replaced,
) -> rusqlite::Result<()> {
    let list = names.list(replaced.list);
    let steps = replaced.steps.as_ref().map(|steps| older::packed(steps));
    keep(transaction, list, (serial, at), steps.as_deref())?;
    for table in ["bulk", "bulk_part", "bulk_gone"] {
        transaction.prepare_cached(&format!("DELETE FROM {table} WHERE list = ?1"))?.execute([list])?;
    }
    let Some(bulk) = &replaced.bulk else { return Ok(()) };
    let (person, reason) = match &bulk.maker {
        Maker::Person { name, reason } => (name.to_string(), reason.to_string()),
        Maker::Rule(rule) => (format!("rule {}", names.rule(*rule)), String::new()),
    };
    let until = bulk.until.moment().map_or_else(|| rusqlite::types::Null.into(), time);
    let count = replaced.content.len() as u64;
    transaction.prepare_cached("INSERT INTO bulk VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
        list,
        time(bulk.since),
        until,
        person,
        reason,
        number(count)
    ])?;
    let out = PartWriter { transaction, list, part: 0, body: Vec::with_capacity(PART_BYTES) };
    let written = Encoder::new(out).and_then(|mut encoder| {
        replaced.content.networks().try_for_each(|network| encoder.push(network))?;
        encoder.finish()?.put()
    });
    written.map_err(|error| match error.downcast::<rusqlite::Error>() {
        Ok(error) => error,
        Err(error) => rusqlite::Error::ToSqlConversionFailure(Box::new(error)),
    })
}

/// Makes rows of a stream.
struct PartWriter<'a> {
    transaction: &'a Transaction<'a>,
    list: &'a str,
    part: i64,
    body: Vec<u8>,
}

impl PartWriter<'_> {
    fn put(&mut self) -> io::Result<()> {
        let statement = self.transaction.prepare_cached("INSERT INTO bulk_part VALUES (?1, ?2, ?3)");
        let inserted = statement.and_then(|mut statement| statement.execute(params![self.list, self.part, self.body]));
        inserted.map_err(io::Error::other)?;
        self.part += 1;
        self.body.clear();
        Ok(())
    }
}

impl Write for PartWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.body.extend_from_slice(bytes);
        if self.body.len() >= PART_BYTES {
            self.put()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Notes that a network is of the list's bulk no more; whether there is one.
pub(crate) fn note_gone(transaction: &Transaction<'_>, list: &str, subject: &str) -> rusqlite::Result<bool> {
    let statement = "INSERT OR IGNORE INTO bulk_gone SELECT list, ?2 FROM bulk WHERE list = ?1";
    Ok(transaction.prepare_cached(statement)?.execute([list, subject])? > 0)
}

/// Reads the bulks of the lists that are configured, without their networks. The others stay in the file and are counted
/// by their listings.
pub(crate) fn restore(
    connection: &Connection,
    names: &Names,
    unknown: &mut u64,
    unreadable: &mut u64,
) -> rusqlite::Result<Vec<RestoredBulk>> {
    let mut statement = connection.prepare(&format!("SELECT {} FROM bulk", rows::BULK_COLUMNS))?;
    let mut rows = statement.query([])?;
    let mut bulks = Vec::new();
    while let Some(row) = rows.next()? {
        let Some(head) = rows::bulk_head(row) else {
            *unreadable += 1;
            continue;
        };
        let Some(list) = names.list_id(&head.list).filter(|list| *list != ListId::BLOCKED) else {
            *unknown += head.length;
            continue;
        };
        let maker = Maker::Person { name: head.person, reason: head.reason };
        let bulk = Bulk { list, since: head.since, until: head.until, maker };
        let packed = Packed { parts: Vec::new(), gone: gone(connection, &head.list)?, length: head.length };
        bulks.push(RestoredBulk { bulk, packed });
    }
    Ok(bulks)
}

/// Reads the networks of a bulk.
pub(crate) fn fill(connection: &Connection, names: &Names, bulk: &mut RestoredBulk) -> rusqlite::Result<()> {
    bulk.packed.parts = parts(connection, names.list(bulk.bulk.list))?;
    Ok(())
}

/// The networks of a list's bulk.
pub(crate) fn present(connection: &Connection, list: &str, length: u64) -> rusqlite::Result<Packed> {
    Ok(Packed { parts: parts(connection, list)?, gone: gone(connection, list)?, length })
}

/// The networks of the bulk that the change `serial` replaced.
pub(crate) fn replaced(connection: &Connection, serial: i64, length: u64) -> rusqlite::Result<Packed> {
    let parts = "SELECT body FROM bulk_past_part WHERE serial = ?1 ORDER BY part";
    let gone = "SELECT subject FROM bulk_past_gone WHERE serial = ?1";
    let (parts, gone) = (bodies(connection.prepare(parts)?, serial)?, networks(connection.prepare(gone)?, serial)?);
    Ok(Packed { parts, gone, length })
}

fn parts(connection: &Connection, list: &str) -> rusqlite::Result<Vec<Box<[u8]>>> {
    bodies(connection.prepare("SELECT body FROM bulk_part WHERE list = ?1 ORDER BY part")?, list)
}

fn gone(connection: &Connection, list: &str) -> rusqlite::Result<HashSet<Network>> {
    networks(connection.prepare("SELECT subject FROM bulk_gone WHERE list = ?1")?, list)
}

fn bodies(mut statement: Statement<'_>, key: impl ToSql) -> rusqlite::Result<Vec<Box<[u8]>>> {
    let body = |row: &rusqlite::Row<'_>| row.get::<_, Vec<u8>>(0).map(Vec::into_boxed_slice);
    statement.query_map([key], body)?.collect()
}

/// What is no network was never of a bulk.
fn networks(mut statement: Statement<'_>, key: impl ToSql) -> rusqlite::Result<HashSet<Network>> {
    let network = |row: &rusqlite::Row<'_>| Ok(row.get::<_, String>(0)?.parse::<Network>().ok());
    statement.query_map([key], network)?.filter_map(Result::transpose).collect()
}
