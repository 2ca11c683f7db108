//! What people ask: events and changes about a subject, and who did what. Runs on a connection of its own.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use base::{Address, Evidence, Network, Subject, Timestamp, Until};
use rusqlite::{Connection, Row, ToSql};

use crate::error::StoreError;
use crate::limits::ROWS_ASKED_MAX;
use crate::past::{self, Asked, Then, around};
use crate::ranges::text_ranges;
use crate::records::KeptEvent;
use crate::restore::read;
use crate::rows::{self, time};

/// A change of the book in the past, with the names of that time: its list or rule may no longer be configured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Past {
    /// The change's number.
    pub serial: u64,
    /// When it was made.
    pub at: Timestamp,
    /// What happened to the listing.
    pub change: PastChange,
    /// Whom it is about.
    pub subject: Subject,
    /// The list's name.
    pub list: Box<str>,
    /// When the listing came into force.
    pub since: Timestamp,
    /// When it ended or was to end.
    pub until: Until,
    /// Who made it.
    pub maker: PastMaker,
    /// What it rested on.
    pub evidence: Evidence,
}

/// What happened to a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PastChange {
    /// It was made.
    Listed,
    /// It came to its end.
    Expired,
    /// A person took it back.
    Removed {
        /// Who.
        by: Box<str>,
    },
    /// Another one took its place.
    Replaced,
}

/// Who made a listing in the past.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PastMaker {
    /// The rule of that name.
    Rule(Box<str>),
    /// A person, with the reason given.
    Person {
        /// Who.
        name: Box<str>,
        /// Why, in the person's words.
        reason: Box<str>,
    },
}

/// Something that somebody did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Audited {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub who: Box<str>,
    /// What.
    pub what: Box<str>,
}

/// A report of somebody else, as far as it tells that it came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reported {
    /// Who reported.
    pub reporter: Box<str>,
    /// The report's own name, by which it is known when it is sent again.
    pub session: Box<str>,
    /// When it happened.
    pub time: Timestamp,
}

/// The connection for people. One question at a time; the writer is not held up by any.
pub(crate) struct People {
    connection: Mutex<Connection>,
    path: PathBuf,
}

impl People {
    pub(crate) fn new(connection: Connection, path: PathBuf) -> Self {
        Self { connection: Mutex::new(connection), path }
    }

    fn ask<T>(&self, question: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        question(&connection).map_err(|error| StoreError::sqlite(&self.path, error))
    }

    pub(crate) fn events_about(
        &self,
        subject: &Subject,
        since: Timestamp,
        limit: usize,
    ) -> Result<Vec<KeptEvent>, StoreError> {
        let limit = limit.min(ROWS_ASKED_MAX);
        self.ask(|connection| match subject {
            Subject::Login(login) => events_equal(connection, "login", login.as_str(), since, limit),
            Subject::Network(network) if network.is_host() => {
                events_equal(connection, "address", &network.to_string(), since, limit)
            }
            Subject::Network(network) => events_within(connection, *network, since, limit),
        })
    }

    pub(crate) fn exceeded(&self, limit: usize) -> Result<Vec<KeptEvent>, StoreError> {
        let query = format!(
            "SELECT {} FROM event INDEXED BY event_exceeded WHERE exceeded IS NOT NULL ORDER BY time DESC LIMIT {limit}",
            rows::EVENT_COLUMNS
        );
        self.ask(|connection| read(connection, &query, [], &mut 0, rows::event))
    }

    pub(crate) fn reported(&self, since: Timestamp, limit: usize) -> Result<Vec<Reported>, StoreError> {
        let query = "SELECT reporter, session, time FROM event \
             WHERE reporter IS NOT NULL AND session IS NOT NULL AND time >= ?1 ORDER BY time DESC LIMIT ?2";
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let row = |row: &Row<'_>| {
            let text = |column| row.get::<_, String>(column).ok().map(String::into_boxed_str);
            Some(Reported { reporter: text(0)?, session: text(1)?, time: rows::get_time(row, 2)? })
        };
        self.ask(|connection| read(connection, query, (time(since), most), &mut 0, row))
    }

    pub(crate) fn reported_by(
        &self,
        reporter: &str,
        since: Timestamp,
        limit: usize,
    ) -> Result<Vec<Address>, StoreError> {
        let query = "SELECT DISTINCT address FROM event INDEXED BY event_reporter \
             WHERE reporter = ?1 AND time >= ?2 AND address IS NOT NULL LIMIT ?3";
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let row = |row: &Row<'_>| row.get::<_, String>(0).ok()?.parse().ok();
        self.ask(|connection| read(connection, query, (reporter, time(since), most), &mut 0, row))
    }

    pub(crate) fn history(&self, subject: &Subject, limit: usize) -> Result<Vec<Past>, StoreError> {
        let subjects = around(subject);
        // Without the hint SQLite may walk the journal backwards, which is long for a subject that hardly occurs.
        let query = format!(
            "SELECT serial, at, change, removed_by, {} FROM journal INDEXED BY journal_subject \
             WHERE subject IN ({}) ORDER BY serial DESC LIMIT {}",
            rows::LISTING_COLUMNS,
            rows::marks(subjects.len()),
            limit.min(ROWS_ASKED_MAX)
        );
        self.ask(|connection| read(connection, &query, rusqlite::params_from_iter(&subjects), &mut 0, change))
    }

    pub(crate) fn at(&self, moment: Timestamp, asked: Asked<'_>, limit: usize) -> Result<Then, StoreError> {
        self.ask(|connection| past::at(connection, moment, asked, limit))
    }

    pub(crate) fn past_from(&self) -> Result<Option<Timestamp>, StoreError> {
        self.ask(|connection| Ok(past::known_from(connection)?.map(|(_, at)| at)))
    }

    pub(crate) fn audits_about(&self, who: &str, subject: &Subject, limit: usize) -> Result<Vec<Audited>, StoreError> {
        let query = format!(
            "SELECT at, who, what FROM audit INDEXED BY audit_what WHERE who = ?1 AND what >= ?2 AND what < ?3 \
             ORDER BY at DESC LIMIT {}",
            limit.min(ROWS_ASKED_MAX)
        );
        // The character after the space.
        let range = [who.to_owned(), format!("{subject}: "), format!("{subject}:!")];
        self.ask(|connection| read(connection, &query, rusqlite::params_from_iter(&range), &mut 0, audited))
    }

    pub(crate) fn audits_by(&self, who: &str, limit: usize) -> Result<Vec<Audited>, StoreError> {
        let query = format!(
            "SELECT at, who, what FROM audit INDEXED BY audit_what WHERE who = ?1 ORDER BY id DESC LIMIT {}",
            limit.min(ROWS_ASKED_MAX)
        );
        self.ask(|connection| read(connection, &query, [who], &mut 0, audited))
    }

    pub(crate) fn audits(&self, limit: usize) -> Result<Vec<Audited>, StoreError> {
        let query = format!("SELECT at, who, what FROM audit ORDER BY id DESC LIMIT {}", limit.min(ROWS_ASKED_MAX));
        self.ask(|connection| read(connection, &query, [], &mut 0, audited))
    }
}

/// Newest first, of one address or login: the index has them in that order.
fn events_equal(
    connection: &Connection,
    column: &str,
    value: &str,
    since: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<KeptEvent>> {
    let query = format!(
        "SELECT {} FROM event WHERE {column} = ?1 AND time >= ?2 ORDER BY time DESC, id DESC LIMIT {limit}",
        rows::EVENT_COLUMNS
    );
    read(connection, &query, rusqlite::params![value, time(since)], &mut 0, rows::event)
}

/// Newest first, of all addresses in a network.
fn events_within(
    connection: &Connection,
    network: Network,
    since: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<KeptEvent>> {
    let ranges = text_ranges(network);
    let columns = rows::EVENT_COLUMNS;
    let parts: Vec<String> = (0..ranges.len())
        .map(|index| {
            let (from, to) = (2 + 2 * index, 3 + 2 * index);
            format!(
                "SELECT id, {columns} FROM event INDEXED BY event_address \
                 WHERE address >= ?{from} AND address < ?{to} AND time >= ?1"
            )
        })
        .collect();
    let query = format!("SELECT {columns} FROM ({}) ORDER BY time DESC, id DESC", parts.join(" UNION ALL "));
    let since = time(since);
    let mut parameters: Vec<&dyn ToSql> = vec![&since];
    parameters.extend(ranges.iter().flat_map(|(from, to)| [from as &dyn ToSql, to as &dyn ToSql]));
    let mut statement = connection.prepare(&query)?;
    let mut rows = statement.query(&parameters[..])?;
    let mut events = Vec::new();
    while events.len() < limit {
        let Some(row) = rows.next()? else { break };
        // The texts of a network's addresses do not lie all together, so that others come with them.
        events.extend(rows::event(row).filter(|event| event.address.is_some_and(|address| network.contains(address))));
    }
    Ok(events)
}

fn change(row: &Row<'_>) -> Option<Past> {
    let change = match &*row.get::<_, String>(2).ok()? {
        "listed" => PastChange::Listed,
        "expired" => PastChange::Expired,
        "replaced" => PastChange::Replaced,
        "removed" => PastChange::Removed { by: row.get(3).ok()? },
        _ => return None,
    };
    let listing = rows::listing_row(row, 4)?;
    Some(Past {
        serial: row.get::<_, i64>(0).ok()?.cast_unsigned(),
        at: rows::get_time(row, 1)?,
        change,
        subject: listing.subject,
        list: listing.list,
        since: listing.since,
        until: listing.until,
        maker: listing.maker,
        evidence: listing.evidence,
    })
}

fn audited(row: &Row<'_>) -> Option<Audited> {
    Some(Audited { at: rows::get_time(row, 0)?, who: row.get(1).ok()?, what: row.get(2).ok()? })
}
