//! The book at a past moment, from the journal: what is in force now, with every change since undone. Pure but for the
//! connection it is given.
//!
//! A listing was in force after change `s` if the first change about it behind `s` took it out, or if there is none and it
//! is in force now. Bulks are told by the parts that [`crate::bulk`] keeps of those that were replaced.

use base::{Address, Evidence, Network, Subject, Timestamp, Until};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::bulk::{self, Packed};
use crate::people::PastMaker;
use crate::restore::read;
use crate::rows::{self, BulkHead, number, time};

/// A listing that was in force, with the names of that time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PastListing {
    /// The list's name.
    pub list: Box<str>,
    /// Whom it was about.
    pub subject: Subject,
    /// When it came into force.
    pub since: Timestamp,
    /// When it was to end.
    pub until: Until,
    /// Who made it.
    pub maker: PastMaker,
    /// What it rested on.
    pub evidence: Evidence,
}

/// What is asked about a past moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Asked<'a> {
    /// Only what was on this list.
    pub list: Option<&'a str>,
    /// Only this subject, and networks around it.
    pub subject: Option<&'a Subject>,
}

/// The book as it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Then {
    /// The listings in force after the last change up to the moment; as many as were asked for.
    Known {
        /// That change's number.
        serial: u64,
        /// The listings.
        listings: Vec<PastListing>,
    },
    /// The changes are kept from this moment on only.
    Forgotten {
        /// The earliest moment that can be told.
        from: Timestamp,
    },
}

const SERIAL: &str = "past_serial";
const AT: &str = "past_at";

/// Notes that nothing before this change can be told.
pub(crate) fn forget_before(transaction: &Transaction<'_>, serial: u64, at: Timestamp) -> rusqlite::Result<()> {
    if known_from(transaction)?.is_some_and(|(known, _)| known >= serial) {
        return Ok(());
    }
    let mut put = transaction.prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?;
    put.execute(params![SERIAL, number(serial)])?;
    put.execute(params![AT, time(at)])?;
    Ok(())
}

/// The first change that can be told, and its moment; none if all can.
pub(crate) fn known_from(connection: &Connection) -> rusqlite::Result<Option<(u64, Timestamp)>> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    let mut get = |name: &str| statement.query_row([name], |row| row.get::<_, i64>(0)).optional();
    let (serial, at) = (get(SERIAL)?, get(AT)?);
    let moment = |millis: i64| Timestamp::from_millis(u64::try_from(millis).unwrap_or_default());
    Ok(serial.zip(at).map(|(serial, at)| (serial.cast_unsigned(), moment(at))))
}

/// The book at `moment`, at most `limit` listings of it.
///
/// Where the clock was set back, a moment came twice; then the last time is meant.
pub(crate) fn at(connection: &Connection, moment: Timestamp, asked: Asked<'_>, limit: usize) -> rusqlite::Result<Then> {
    // One view of the file for all that follows, whatever the writer does meanwhile.
    let transaction = connection.unchecked_transaction()?;
    let from = known_from(&transaction)?;
    let serial = last_serial(&transaction, moment)?;
    let serial = match (serial, from) {
        (Some(serial), Some((first, from))) if serial < first => return Ok(Then::Forgotten { from }),
        (None, Some((_, from))) => return Ok(Then::Forgotten { from }),
        (serial, _) => serial.unwrap_or_default(),
    };
    let mut listings = own(&transaction, serial, asked, limit)?;
    of_bulks(&transaction, serial, asked, limit, &mut listings)?;
    Ok(Then::Known { serial, listings })
}

/// The last change made up to the moment.
fn last_serial(connection: &Connection, moment: Timestamp) -> rusqlite::Result<Option<u64>> {
    let last = |table: &str| {
        // From the newest back, because moments that people ask for are mostly near.
        let query = format!("SELECT serial FROM {table} WHERE at <= ?1 ORDER BY serial DESC LIMIT 1");
        connection.query_row(&query, [time(moment)], |row| row.get::<_, i64>(0)).optional()
    };
    Ok(last("journal")?.max(last("bulk_past")?).map(i64::cast_unsigned))
}

/// The listings with rows of their own, and those that were taken out of a bulk.
fn own(connection: &Connection, serial: u64, asked: Asked<'_>, limit: usize) -> rusqlite::Result<Vec<PastListing>> {
    let columns = rows::LISTING_COLUMNS;
    let mut parameters = vec![number(serial), number(limit as u64)];
    let mut filters = Vec::new();
    if let Some(list) = asked.list {
        parameters.push(rows::text(list));
        filters.push(format!(" AND x.list = ?{}", parameters.len()));
    }
    if let Some(subject) = asked.subject {
        let first = parameters.len() + 1;
        parameters.extend(around(subject).into_iter().map(rows::text));
        let marks: Vec<String> = (first..=parameters.len()).map(|at| format!("?{at}")).collect();
        filters.push(format!(" AND x.subject IN ({})", marks.join(", ")));
    }
    let filter = filters.concat();
    let query = format!(
        "SELECT {columns} FROM listing x WHERE NOT EXISTS \
         (SELECT 1 FROM journal k INDEXED BY journal_subject \
         WHERE k.subject = x.subject AND k.list = x.list AND k.serial > ?1){filter} \
         UNION ALL \
         SELECT {columns} FROM journal x WHERE x.serial > ?1 AND x.change <> 'listed' AND NOT EXISTS \
         (SELECT 1 FROM journal k INDEXED BY journal_subject \
         WHERE k.subject = x.subject AND k.list = x.list AND k.serial > ?1 AND k.serial < x.serial) \
         AND NOT (x.of_bulk = 1 AND EXISTS (SELECT 1 FROM bulk_past k \
         WHERE k.list = x.list AND k.serial > ?1 AND k.serial < x.serial)){filter} \
         LIMIT ?2"
    );
    read(connection, &query, rusqlite::params_from_iter(parameters), &mut 0, |row| rows::listing_row(row, 0))
}

/// The subject and all networks around it, as texts.
pub(crate) fn around(subject: &Subject) -> Vec<String> {
    match subject {
        Subject::Login(_) => vec![subject.to_string()],
        Subject::Network(network) => (0..=network.length())
            .map(|length| Network::containing(Address::new(network.base()), length).to_string())
            .collect(),
    }
}

/// Adds the listings of the bulks in force after the change, as far as they stayed in them.
fn of_bulks(
    connection: &Connection,
    serial: u64,
    asked: Asked<'_>,
    limit: usize,
    listings: &mut Vec<PastListing>,
) -> rusqlite::Result<()> {
    let is_around = |network: Network| match asked.subject {
        None => true,
        Some(Subject::Network(subject)) => {
            network.length() <= subject.length() && network.contains(Address::new(subject.base()))
        }
        Some(Subject::Login(_)) => false,
    };
    let mut lists = connection.prepare("SELECT list FROM bulk UNION SELECT list FROM bulk_past")?;
    let lists: Vec<String> = lists.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for list in lists.iter().filter(|list| asked.list.is_none_or(|asked| asked == *list)) {
        let Some((head, packed)) = bulk_at(connection, list, serial)? else { continue };
        let room = limit.saturating_sub(listings.len());
        listings.extend(
            packed.networks().filter(|network| is_around(*network)).take(room).map(|network| of(&head, network)),
        );
    }
    Ok(())
}

/// The list's bulk in force after the change, without what had left it by its end.
fn bulk_at(connection: &Connection, list: &str, serial: u64) -> rusqlite::Result<Option<(BulkHead, Packed)>> {
    let past = "SELECT serial FROM bulk_past WHERE list = ?1 AND serial > ?2 ORDER BY serial LIMIT 1";
    let replaced_by =
        connection.query_row(past, params![list, number(serial)], |row| row.get::<_, i64>(0)).optional()?;
    let columns = rows::BULK_COLUMNS;
    let head = match replaced_by {
        Some(by) => {
            let query = format!("SELECT {columns} FROM bulk_past WHERE serial = ?1");
            connection.query_row(&query, [by], |row| Ok(rows::bulk_head(row))).optional()?
        }
        None => {
            let query = format!("SELECT {columns} FROM bulk WHERE list = ?1");
            connection.query_row(&query, [list], |row| Ok(rows::bulk_head(row))).optional()?
        }
    };
    let Some(head) = head.flatten() else { return Ok(None) };
    let packed = match replaced_by {
        Some(by) => bulk::replaced(connection, by, head.length)?,
        None => bulk::present(connection, list, head.length)?,
    };
    Ok(Some((head, packed)))
}

/// The listing of one of a bulk's networks, as [`listings::Bulk::listing`] has it.
fn of(head: &BulkHead, network: Network) -> PastListing {
    PastListing {
        list: head.list.clone(),
        subject: network.into(),
        since: head.since,
        until: head.until,
        maker: PastMaker::Person { name: head.person.clone(), reason: head.reason.clone() },
        evidence: Evidence { count: 0, distinct: 0, first: head.since, last: head.since },
    }
}
