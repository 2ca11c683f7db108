//! What is read back at a start.

use core::cell::Cell;

use base::{ListId, Listing, Maker, Network, Subject, Timestamp};
use rusqlite::{Connection, Params, Row};

use crate::accounts::{self, KeptAccount};
use crate::bulk::{self, RestoredBulk};
use crate::exceptions;
use crate::keys::{self, KeptKey};
use crate::limits::Limits;
use crate::past::PastListing;
use crate::people::PastMaker;
use crate::records::{KeptEvent, Names, Position};
use crate::reporters;
use crate::rows::{self, time};
use crate::serials;
use crate::starts::{self, KeptZone, Sum};
use rules::{Exception, Owner, Standing};

/// What the store knew when it was last written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Restored {
    /// The serial from which the book goes on: that of its last change, or one ahead of all that can have been given out.
    pub serial: u64,
    /// Whether the listings are those that the last change had left, as far as the file tells.
    pub is_exact: bool,
    /// The zones that the process before this one could transfer.
    pub zones: Vec<KeptZone>,
    /// The listings in force or over since; a rule that is no longer configured has become a person of that name.
    pub listings: Vec<Listing>,
    /// Networks that rules put on lists lately, with the list and the moment, for rules that list whoever comes again for
    /// longer.
    pub past: Vec<(Network, ListId, Timestamp)>,
    /// The bulks in force or over since.
    pub bulks: Vec<RestoredBulk>,
    /// The owners' addresses and passwords, in the order of their times.
    pub owners: Vec<Owner>,
    /// The failed logins before the asked moment, in the order of their times; then the events since, in the order of their
    /// arrival.
    pub events: Vec<KeptEvent>,
    /// The read positions.
    pub positions: Vec<Position>,
    /// The keys of the blocklist, in the order in which they were made.
    pub keys: Vec<KeptKey>,
    /// The exceptions in force or over since.
    pub exceptions: Vec<Exception>,
    /// What became of those who report.
    pub standings: Vec<Standing>,
    /// What is known of accounts that send mail.
    pub accounts: Vec<KeptAccount>,
    /// The secret of this node, for hashes that nobody else can make.
    pub secret: [u8; 16],
    /// What is in the file and not in here.
    pub left_out: LeftOut,
}

/// What the file holds and was not restored. It stays in the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LeftOut {
    /// Listings on lists that are no longer configured.
    pub listings_of_unknown_lists: u64,
    /// Rows that make no sense to this program, such as those a person has edited wrongly.
    pub unreadable_rows: u64,
}

fn from(columns: &str, table: &str) -> String {
    format!("SELECT {columns} FROM {table}")
}

/// Reads the listings, and of bulks all but their networks. Gives the sum over the rows of the listings.
pub(crate) fn listings(connection: &Connection, names: &Names, restored: &mut Restored) -> rusqlite::Result<Sum> {
    let unreadable = &mut restored.left_out.unreadable_rows;
    let before = *unreadable;
    let sum = Cell::new(Sum(0));
    let rows = read(connection, &from(rows::LISTING_COLUMNS, "listing"), [], unreadable, |row| {
        let text = |column| row.get_ref(column).ok().and_then(|value| value.as_str().ok()).unwrap_or_default();
        let mut with = sum.get();
        with.add(text(0), text(1));
        sum.set(with);
        rows::listing_row(row, 0)
    })?;
    let all = rows.len();
    restored.listings = rows.into_iter().filter_map(|row| listing(row, names)).collect();
    restored.left_out.listings_of_unknown_lists = (all - restored.listings.len()) as u64;

    let LeftOut { listings_of_unknown_lists, unreadable_rows } = &mut restored.left_out;
    restored.bulks = bulk::restore(connection, names, listings_of_unknown_lists, unreadable_rows)?;
    restored.is_exact = *unreadable_rows == before && Sum::kept(connection)? == Some(sum.get());
    Ok(sum.get())
}

/// Reads what is not needed for answers to questions. Events before `since`, and of the later ones all but the newest
/// `events_restored_max`, are left out; failed logins before it as far as the limits say.
pub(crate) fn rest(
    connection: &Connection,
    names: &Names,
    since: Timestamp,
    limits: &Limits,
    restored: &mut Restored,
) -> rusqlite::Result<()> {
    // A renewed listing is in the journal again, with the moment at which it began: the same one.
    let past = "SELECT list, subject, since FROM journal WHERE change = 'listed' AND rule IS NOT NULL \
                ORDER BY serial DESC LIMIT ?1";
    restored.past = read(connection, past, [u32::try_from(rules::RELAPSES_MAX).unwrap_or(u32::MAX)], &mut 0, |row| {
        past_listing(row, names)
    })?;
    let unreadable = &mut restored.left_out.unreadable_rows;
    restored.owners = read(connection, &from(rows::OWNER_COLUMNS, "owner ORDER BY at"), [], unreadable, rows::owner)?;
    restored.positions = read(connection, &from(rows::POSITION_COLUMNS, "position"), [], unreadable, rows::position)?;
    restored.accounts = read(connection, accounts::QUERY, [], unreadable, accounts::read)?;
    let events = from(rows::EVENT_COLUMNS, "event WHERE time >= ?1 ORDER BY id DESC LIMIT ?2");
    let most = i64::try_from(limits.events_restored_max).unwrap_or(i64::MAX);
    restored.events = read(connection, &events, (time(since), most), unreadable, rows::event)?;
    // What was tried slowly is counted over weeks, and of all that happened there failed logins are few.
    let failures = from(
        rows::EVENT_COLUMNS,
        "event WHERE time >= ?1 AND time < ?2 AND kind = 'login-failed' ORDER BY time DESC, id DESC LIMIT ?3",
    );
    let further = since.minus(limits.failures_further);
    let most = i64::try_from(limits.failures_restored_max).unwrap_or(i64::MAX);
    restored.events.extend(read(connection, &failures, (time(further), time(since), most), unreadable, rows::event)?);
    restored.events.reverse();
    Ok(())
}

/// What an answer to a question of DNS needs beside the book. Serials go on behind `first` at least.
pub(crate) fn begin(
    connection: &Connection,
    secret: [u8; 16],
    now: Timestamp,
    first: u64,
) -> rusqlite::Result<Restored> {
    let mut restored = Restored { secret, ..Restored::default() };
    let unreadable = &mut restored.left_out.unreadable_rows;
    restored.keys = read(connection, &keys::query(), [], unreadable, keys::read)?;
    restored.exceptions = read(connection, exceptions::QUERY, [], unreadable, exceptions::read)?;
    restored.standings = read(connection, &reporters::query(), [], unreadable, reporters::read)?;
    restored.serial = serials::begin(connection, now, first)?;
    restored.zones = starts::zones(connection)?;
    Ok(restored)
}

/// A listing of a network in the past; none of a login, and none on a list that is no longer configured.
fn past_listing(row: &Row<'_>, names: &Names) -> Option<(Network, ListId, Timestamp)> {
    let Subject::Network(network) = row.get::<_, String>(1).ok()?.parse().ok()? else { return None };
    let list = names.list_id(&row.get::<_, String>(0).ok()?)?;
    (list != ListId::BLOCKED).then_some((network, list, rows::get_time(row, 2)?))
}

/// All rows of a query that `decode` understands; the others are counted.
pub(crate) fn read<T>(
    connection: &Connection,
    query: &str,
    parameters: impl Params,
    unreadable: &mut u64,
    decode: impl Fn(&Row<'_>) -> Option<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = connection.prepare(query)?;
    let mut rows = statement.query(parameters)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        match decode(row) {
            Some(value) => all.push(value),
            None => *unreadable += 1,
        }
    }
    Ok(all)
}

/// The listing with ids in place of names; none if its list is no longer configured.
fn listing(row: PastListing, names: &Names) -> Option<Listing> {
    let maker = match row.maker {
        PastMaker::Person { name, reason } => Maker::Person { name, reason },
        PastMaker::Rule(rule) => names.rule_id(&rule).map_or_else(
            || Maker::Person { name: format!("rule {rule}").into(), reason: "no longer configured".into() },
            Maker::Rule,
        ),
    };
    Some(Listing {
        subject: row.subject,
        list: names.list_id(&row.list)?,
        since: row.since,
        until: row.until,
        maker,
        evidence: row.evidence,
    })
}
