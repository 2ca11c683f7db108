//! What a start must know to go on with the zones of the one before, so that secondaries need not take them as a whole: from
//! which numbers processes went on, what the zones were like, and whether the listings are those that the last change left.
//! Pure but for the connection it is given.

use rusqlite::{Connection, Transaction, params};

use crate::rows::{get, get_number, number};
use crate::serials;

/// How many starts are remembered. Before each of them there was at least one change or start, so that secondaries are mostly
/// nearer.
const STARTS_KEPT: u32 = 1000;

/// The change before which nothing can be told to secondaries.
const CERTAIN_FROM: &str = "changes_certain_from";

/// The sum over all rows of the listings.
const SUM: &str = "listings_sum";

/// A zone that may be transferred.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptZone {
    /// Its name.
    pub name: String,
    /// A hash of all that its records say beside what is listed.
    pub form: u64,
    /// The serial of the start from which on it had this form.
    pub since: u64,
}

/// How a process goes on from what the file had.
pub struct Outset {
    /// Whether the book is what the last change in the file left, but for what its journal says since.
    pub is_exact: bool,
    /// The zones that may be transferred now.
    pub zones: Vec<KeptZone>,
    /// Hears up to which number serials may be given out, each time that it is another one.
    pub granted: Box<dyn FnMut(u64) + Send>,
}

impl Default for Outset {
    fn default() -> Self {
        Self { is_exact: true, zones: Vec::new(), granted: Box::new(|_| ()) }
    }
}

/// Notes that a process goes on from `begun`. `sum` is that of the listings that it has read, if it has.
pub(crate) fn write(
    transaction: &Transaction<'_>,
    begun: u64,
    outset: &Outset,
    sum: Option<u64>,
) -> rusqlite::Result<()> {
    let last = serials::known(transaction)?;
    transaction.execute("INSERT OR IGNORE INTO start VALUES (?1, ?2)", [number(begun), number(last)])?;
    let old = "DELETE FROM start WHERE serial <= (SELECT serial FROM start ORDER BY serial DESC LIMIT 1 OFFSET ?1)";
    transaction.execute(old, [STARTS_KEPT])?;
    transaction.execute("DELETE FROM zone", [])?;
    for zone in &outset.zones {
        let values = params![zone.name, number(zone.form), number(zone.since)];
        transaction.execute("INSERT OR REPLACE INTO zone VALUES (?1, ?2, ?3)", values)?;
    }
    if !outset.is_exact {
        serials::put(transaction, CERTAIN_FROM, begun)?;
    }
    match sum {
        Some(sum) => serials::put(transaction, SUM, sum),
        None => transaction.execute("DELETE FROM meta WHERE name = ?1", [SUM]).map(drop),
    }
}

/// The change before which nothing is certain.
pub(crate) fn certain_from(connection: &Connection) -> rusqlite::Result<u64> {
    Ok(serials::value(connection, CERTAIN_FROM)?.unwrap_or_default())
}

/// The zones that the process before this one could transfer.
pub(crate) fn zones(connection: &Connection) -> rusqlite::Result<Vec<KeptZone>> {
    let mut statement = connection.prepare("SELECT name, form, since FROM zone")?;
    let zone = |row: &rusqlite::Row<'_>| {
        let zone = |name| Some(KeptZone { name, form: get_number(row, 1)?, since: get_number(row, 2)? });
        Ok(get(row, 0).and_then(zone))
    };
    statement.query_map([], zone)?.filter_map(Result::transpose).collect()
}

/// A sum over the rows of the listings, which tells whether somebody else has changed them: each row that comes or goes
/// changes it by a hash of what it is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sum(pub(crate) u64);

impl Sum {
    /// That which was written with the last change; none if it is not known.
    pub(crate) fn kept(connection: &Connection) -> rusqlite::Result<Option<Self>> {
        Ok(serials::value(connection, SUM)?.map(Self))
    }

    pub(crate) fn keep(self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        serials::put(transaction, SUM, self.0)
    }

    pub(crate) const fn add(&mut self, list: &str, subject: &str) {
        self.0 = self.0.wrapping_add(hash(list, subject));
    }

    pub(crate) const fn take(&mut self, list: &str, subject: &str) {
        self.0 = self.0.wrapping_sub(hash(list, subject));
    }
}

/// FNV-1a of both, with its bits mixed once more: sums of alike texts shall not be alike.
const fn hash(list: &str, subject: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let texts = [list.as_bytes(), b" ", subject.as_bytes()];
    let mut text = 0;
    while text < texts.len() {
        let mut at = 0;
        while at < texts[text].len() {
            hash = (hash ^ texts[text][at] as u64).wrapping_mul(0x0100_0000_01b3);
            at += 1;
        }
        text += 1;
    }
    (hash ^ hash >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ hash >> 29
}
