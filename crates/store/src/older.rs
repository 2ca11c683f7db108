//! The changes before a start, for secondaries that have a zone of then: from the last one back as far as each is certain.
//! Pure but for the connection it is given.
//!
//! ```text
//!  … 41 42 43 |        50 51 52 |          90       a start at 50 after the change 43, and one at 90 after 52
//! ```
//!
//! Every number is that of a change, which is in the journal or that of a bulk, or of a start. Before a change is the number
//! before; before a start the last one there is. The numbers between a start and what was before it may have been given out for
//! changes that are lost, and nobody knows which. Where a number is missing otherwise, nothing before it is certain.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use base::{Address, ListId, Network, Subject};
use listings::{Before, Step};
use rusqlite::{Connection, Row};

use crate::error::StoreError;
use crate::records::Names;
use crate::rows::{get, get_number, number};
use crate::{file, past, starts};

/// Reads the changes before a start, from a store that runs.
#[derive(Debug)]
pub struct OlderChanges {
    path: PathBuf,
    names: Names,
}

/// What the file has under a number.
enum What {
    /// A change; none of a network on a published list.
    Single(Option<Step>),
    /// The bulk of a list was replaced, by these steps if they were kept. Of a list that is no longer configured nothing.
    Bulk(Option<ListId>, Option<Vec<(Network, bool)>>),
    /// A process went on, from what was there with this number.
    Start(u64),
}

impl OlderChanges {
    pub(crate) const fn new(path: PathBuf, names: Names) -> Self {
        Self { path, names }
    }

    /// The changes of networks before the start from `begun`, out of the last `most` changes of all.
    pub fn read(&self, begun: u64, most: usize) -> Result<Before, StoreError> {
        let connection = file::open_reading(&self.path)?;
        read(&connection, &self.names, begun, most).map_err(|error| StoreError::sqlite(&self.path, error))
    }
}

fn read(connection: &Connection, names: &Names, begun: u64, most: usize) -> rusqlite::Result<Before> {
    // One view of the file for all that follows, whatever the writer does meanwhile.
    let transaction = connection.unchecked_transaction()?;
    let told_from = past::known_from(&transaction)?.map_or(0, |(serial, _)| serial);
    let certain_from = told_from.max(starts::certain_from(&transaction)?);
    let mut numbers = singles(&transaction, names, begun, most)?;
    numbers.extend(bulks(&transaction, names, begun, most)?);
    numbers.extend(starts_until(&transaction, begun)?);
    numbers.sort_unstable_by_key(|(serial, _)| core::cmp::Reverse(*serial));
    Ok(walk(numbers, begun, certain_from, most))
}

/// Goes back from `begun` through the numbers, the newest first, as far as each is certain.
fn walk(numbers: Vec<(u64, What)>, begun: u64, certain_from: u64, most: usize) -> Before {
    let mut before = Before { whole_from: begun, ..Before::default() };
    let mut numbers = numbers.into_iter().peekable();
    while let Some((serial, what)) = numbers.next() {
        // The number before this one, of which the book was what it is when this is taken back.
        let Some(&(last, _)) = numbers.peek() else { break };
        let wanted = if let What::Start(last) = what { last } else { serial - 1 };
        if serial != before.whole_from || last != wanted || last < certain_from {
            break;
        }
        match what {
            What::Start(_) => before.unknown.push((last, serial)),
            What::Single(step) => before.steps.extend(step),
            What::Bulk(Some(list), None) => before.renewed.push((list, serial)),
            What::Bulk(Some(list), Some(steps)) => {
                let step =
                    |(network, is_listed): (Network, bool)| Step { serial, network, list, was_listed: !is_listed };
                before.steps.extend(steps.into_iter().rev().map(step));
            }
            What::Bulk(None, _) => {}
        }
        before.whole_from = last;
        if before.steps.len() >= most {
            break;
        }
    }
    before.steps.reverse();
    before.unknown.reverse();
    before
}

/// The last changes of single listings. One that makes no sense is none, so that nothing before it is certain.
fn singles(connection: &Connection, names: &Names, begun: u64, most: usize) -> rusqlite::Result<Vec<(u64, What)>> {
    let query = "SELECT serial, change, list, subject FROM journal WHERE serial <= ?1 ORDER BY serial DESC LIMIT ?2";
    let mut statement = connection.prepare(query)?;
    let single = |row: &Row<'_>| Ok(single(row, names));
    statement.query_map((number(begun), number(most as u64)), single)?.filter_map(Result::transpose).collect()
}

fn single(row: &Row<'_>, names: &Names) -> Option<(u64, What)> {
    let text = |column| row.get_ref(column).ok().and_then(|value| value.as_str().ok());
    let (serial, change, list) = (get_number(row, 0)?, text(1)?, text(2)?);
    let step = match text(3)?.parse().ok()? {
        Subject::Login(_) => None,
        Subject::Network(network) => {
            let list = names.list_id(list).filter(|list| *list != ListId::BLOCKED);
            list.map(|list| Step { serial, network, list, was_listed: change != "listed" })
        }
    };
    Some((serial, What::Single(step)))
}

/// The last replacements of bulks, with `most` steps together.
fn bulks(connection: &Connection, names: &Names, begun: u64, most: usize) -> rusqlite::Result<Vec<(u64, What)>> {
    let query = "SELECT serial, list, steps FROM bulk_past WHERE serial <= ?1 ORDER BY serial DESC";
    let mut statement = connection.prepare(query)?;
    let mut rows = statement.query([number(begun)])?;
    let (mut bulks, mut count) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let (Some(serial), Some(list)) = (get_number(row, 0), get::<Box<str>>(row, 1)) else { break };
        let steps = match row.get_ref(2)?.as_blob_or_null() {
            Ok(None) => None,
            Ok(Some(bytes)) => match unpacked(bytes) {
                Some(steps) => Some(steps),
                None => break,
            },
            Err(_) => break,
        };
        count += steps.as_ref().map_or(0, Vec::len);
        if count > most {
            break;
        }
        bulks.push((serial, What::Bulk(names.list_id(&list), steps)));
    }
    Ok(bulks)
}

fn starts_until(connection: &Connection, begun: u64) -> rusqlite::Result<Vec<(u64, What)>> {
    let mut statement = connection.prepare("SELECT serial, before FROM start WHERE serial <= ?1")?;
    let start = |row: &Row<'_>| Ok(get_number(row, 0).zip(get_number(row, 1)));
    let starts = statement.query_map([number(begun)], start)?.filter_map(Result::transpose);
    starts.map(|start| start.map(|(serial, last)| (serial, What::Start(last)))).collect()
}

/// Marks an IPv6 network's step.
const V6: u8 = 2;

/// Steps of a bulk as bytes: for each one with 1 if it is listed, the length, and the first address in 4 or 16 bytes.
pub(crate) fn packed(steps: &[(Network, bool)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(steps.len() * 6);
    for (network, is_listed) in steps {
        match network.base() {
            IpAddr::V4(v4) => {
                out.extend_from_slice(&[u8::from(*is_listed), network.length()]);
                out.extend_from_slice(&v4.octets());
            }
            IpAddr::V6(v6) => {
                out.extend_from_slice(&[V6 | u8::from(*is_listed), network.length()]);
                out.extend_from_slice(&v6.octets());
            }
        }
    }
    out
}

/// The steps that [`packed`] wrote; none if these are no such bytes.
fn unpacked(mut bytes: &[u8]) -> Option<Vec<(Network, bool)>> {
    let mut steps = Vec::with_capacity(bytes.len() / 6);
    while let [kind, length, rest @ ..] = bytes {
        let ip: IpAddr = if kind & V6 == 0 {
            let (octets, after) = rest.split_first_chunk::<4>()?;
            bytes = after;
            Ipv4Addr::from(*octets).into()
        } else {
            let (octets, after) = rest.split_first_chunk::<16>()?;
            bytes = after;
            Ipv6Addr::from(*octets).into()
        };
        let longest = if ip.is_ipv4() { 32 } else { 128 };
        let network = Network::containing(Address::new(ip), (*length).min(longest));
        if *kind > V6 + 1 || *length > longest || network.base() != ip {
            return None;
        }
        steps.push((network, kind & 1 == 1));
    }
    bytes.is_empty().then_some(steps)
}

#[cfg(test)]
#[path = "older_tests.rs"]
mod tests;
