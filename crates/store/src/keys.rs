//! Keys as they are kept: without the key itself. Pure but for the transaction it is given.

use base::Timestamp;
use rusqlite::{Row, Transaction};

use crate::rows::{get, get_number, get_time, marks, number, optional, refs, time};

/// A key of the blocklist.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptKey {
    /// The key's hash, in the text form of the room that makes it. It tells keys apart.
    pub hash: Box<str>,
    /// What people call it.
    pub name: Box<str>,
    /// Whose it is.
    pub owner: Box<str>,
    /// The zones that it opens, with blanks between them; none for all.
    pub zones: Option<Box<str>>,
    /// How many questions it may ask in each span, and the span's name.
    pub quota: Option<(u32, Box<str>)>,
    /// When it ends.
    pub until: Option<Timestamp>,
    /// When it was made.
    pub made: Timestamp,
    /// By whom.
    pub made_by: Box<str>,
    /// When, and by whom, it was revoked.
    pub revoked: Option<(Timestamp, Box<str>)>,
    /// What was asked with it.
    pub count: KeptCount,
}

/// What was asked with a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct KeptCount {
    /// Questions that were answered, over all restarts.
    pub answered: u64,
    /// Questions that were not.
    pub refused: u64,
    /// Questions in the span of its quota in which `at` is.
    pub in_span: u32,
    /// When it was counted.
    pub at: Timestamp,
}

/// The columns of the table `key`, in the order in which they are written and read here.
const COLUMNS: &str = "hash, name, owner, zones, quota, quota_span, until, made, made_by, revoked, revoked_by, \
    answered, refused, in_span, counted";

/// Reads all of them.
pub(crate) fn query() -> String {
    format!("SELECT {COLUMNS} FROM key ORDER BY made")
}

/// Writes the keys in place of what was known of them.
pub(crate) fn write<'k>(
    transaction: &Transaction<'_>,
    keys: impl Iterator<Item = &'k KeptKey>,
) -> rusqlite::Result<()> {
    let marks = marks(COLUMNS.split(',').count());
    let mut put = transaction.prepare_cached(&format!("INSERT OR REPLACE INTO key ({COLUMNS}) VALUES ({marks})"))?;
    for key in keys {
        let values = [
            (&*key.hash).into(),
            (&*key.name).into(),
            (&*key.owner).into(),
            optional(key.zones.as_deref()),
            optional(key.quota.as_ref().map(|(questions, _)| *questions)),
            optional(key.quota.as_ref().map(|(_, span)| &**span)),
            optional(key.until.map(time)),
            time(key.made),
            (&*key.made_by).into(),
            optional(key.revoked.as_ref().map(|(at, _)| time(*at))),
            optional(key.revoked.as_ref().map(|(_, by)| &**by)),
            number(key.count.answered),
            number(key.count.refused),
            key.count.in_span.into(),
            time(key.count.at),
        ];
        put.execute(&refs(&values)[..])?;
    }
    Ok(())
}

/// Reads a row of [`query`].
pub(crate) fn read(row: &Row<'_>) -> Option<KeptKey> {
    let words = |column| get::<String>(row, column).map(Into::into);
    let moment = |column| match get::<Option<i64>>(row, column)? {
        None => Some(None),
        Some(_) => get_time(row, column).map(Some),
    };
    let quota = match get::<Option<u32>>(row, 4)? {
        None => None,
        Some(questions) => Some((questions, words(5)?)),
    };
    let revoked = match moment(9)? {
        None => None,
        Some(at) => Some((at, words(10)?)),
    };
    Some(KeptKey {
        hash: words(0)?,
        name: words(1)?,
        owner: words(2)?,
        zones: get::<Option<String>>(row, 3)?.map(Into::into),
        quota,
        until: moment(6)?,
        made: get_time(row, 7)?,
        made_by: words(8)?,
        revoked,
        count: KeptCount {
            answered: get_number(row, 11)?,
            refused: get_number(row, 12)?,
            in_span: get(row, 13)?,
            at: get_time(row, 14)?,
        },
    })
}
