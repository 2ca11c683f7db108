//! Bulks: what was imported to a list as a whole, packed.
//!
//! A bulk is written once, when it comes into force, as a stream of [`listings::networks`] in parts. What leaves it
//! later is noted beside it, so that a change costs one small row however large the bulk is.

use std::collections::HashSet;
use std::io::{self, Write};

use base::{ListId, Maker, Network};
use listings::networks::{Decoder, Encoder};
use listings::{Bulk, Replaced};
use rusqlite::{Connection, Transaction, params};

use crate::records::Names;
use crate::rows::{self, time};

/// Bytes of one part.
const PART_BYTES: usize = 256 * 1024;

/// A bulk as it was when the store was last written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RestoredBulk {
    /// What its listings share.
    pub bulk: Bulk,
    /// The parts of its stream of networks, in order.
    parts: Vec<Box<[u8]>>,
    /// What is not of it any more.
    gone: HashSet<Network>,
    length: u64,
}

impl RestoredBulk {
    /// Its networks in order.
    pub fn networks(&self) -> RestoredNetworks<'_> {
        let parts = Parts { parts: self.parts.iter(), rest: &[] };
        RestoredNetworks { decoder: Decoder::new(parts), gone: &self.gone, left: Some(self.length) }
    }

    /// How many networks it has.
    pub fn networks_left(&self) -> usize {
        usize::try_from(self.length).unwrap_or(usize::MAX).saturating_sub(self.gone.len())
    }

    /// How many networks were written.
    pub const fn length(&self) -> u64 {
        self.length
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

/// Writes what came in the place of a list's bulk.
pub(crate) fn write(transaction: &Transaction<'_>, names: &Names, replaced: &Replaced) -> rusqlite::Result<()> {
    let list = names.list(replaced.list);
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
        rows::number(count)
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

/// Notes that a network is of the list's bulk no more, if there is one.
pub(crate) fn note_gone(transaction: &Transaction<'_>, list: &str, subject: &str) -> rusqlite::Result<()> {
    let statement = "INSERT OR IGNORE INTO bulk_gone SELECT list, ?2 FROM bulk WHERE list = ?1";
    transaction.prepare_cached(statement)?.execute([list, subject])?;
    Ok(())
}

/// Reads the bulks of the lists that are configured, without their networks. The others stay in the file and are counted
/// by their listings.
pub(crate) fn restore(
    connection: &Connection,
    names: &Names,
    unknown: &mut u64,
    unreadable: &mut u64,
) -> rusqlite::Result<Vec<RestoredBulk>> {
    let mut statement = connection.prepare("SELECT list, since, until, person, reason, listings FROM bulk")?;
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
        let gone = gone(connection, &head.list)?;
        bulks.push(RestoredBulk { bulk, parts: Vec::new(), gone, length: head.length });
    }
    Ok(bulks)
}

/// Reads the networks of a bulk.
pub(crate) fn fill(connection: &Connection, names: &Names, bulk: &mut RestoredBulk) -> rusqlite::Result<()> {
    bulk.parts = parts(connection, names.list(bulk.bulk.list))?;
    Ok(())
}

fn parts(connection: &Connection, list: &str) -> rusqlite::Result<Vec<Box<[u8]>>> {
    let mut statement = connection.prepare("SELECT body FROM bulk_part WHERE list = ?1 ORDER BY part")?;
    let body = |row: &rusqlite::Row<'_>| row.get::<_, Vec<u8>>(0).map(Vec::into_boxed_slice);
    statement.query_map([list], body)?.collect()
}

fn gone(connection: &Connection, list: &str) -> rusqlite::Result<HashSet<Network>> {
    let mut statement = connection.prepare("SELECT subject FROM bulk_gone WHERE list = ?1")?;
    let mut rows = statement.query([list])?;
    let mut gone = HashSet::new();
    while let Some(row) = rows.next()? {
        // What is no network was never of a bulk.
        gone.extend(row.get::<_, String>(0)?.parse::<Network>().ok());
    }
    Ok(gone)
}
