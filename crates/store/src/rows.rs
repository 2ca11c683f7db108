//! Records as the columns of their tables, and back. Pure.
//!
//! Reading gives `None` for a row that says nothing this program understands: a person may have edited it. Such rows
//! are left as they are and counted. Numbers of 64 bits keep their bits, so that the largest are negative in the file;
//! moments beyond the largest positive number (292 million years) become it.

use std::borrow::Cow;

use base::{Channel, EventKind, Evidence, Login, Maker, Network, PasswordTag, Tally, Timestamp, Until};
use rusqlite::types::{FromSql, ToSqlOutput};
use rusqlite::{Row, ToSql};

use crate::past::PastListing;
use crate::people::PastMaker;
use crate::records::{KeptEvent, Names, Position};
use rules::Owner;

/// The columns that the tables `listing` and `journal` share, in the order in which [`listing_row`] reads them.
pub(crate) const LISTING_COLUMNS: &str = "list, subject, since, until, rule, person, reason, \
    evidence_count, evidence_distinct, evidence_first, evidence_last";

/// Those of them that say nothing of the subject, in the order of [`listing_head`].
pub(crate) const LISTING_HEAD_COLUMNS: &str =
    "list, since, until, rule, person, reason, evidence_count, evidence_distinct, evidence_first, evidence_last";

/// The columns that the tables `bulk` and `bulk_past` share, in the order of [`bulk_head`].
pub(crate) const BULK_COLUMNS: &str = "list, since, until, person, reason, listings";

/// The columns of the table `event`, in the order of [`event_values`].
pub(crate) const EVENT_COLUMNS: &str = "time, kind, service, address, login, session, password, channel, tally, attempts, reporter, weight, \
    exceeded, sender_domain";

/// The columns of the table `owner`, in the order of [`owner_values`].
pub(crate) const OWNER_COLUMNS: &str = "login, network, at, password";

/// The columns of the table `position`, in the order of [`position_values`].
pub(crate) const POSITION_COLUMNS: &str = "path, device, inode, \"offset\", fingerprint, lines, events";

/// One value to bind.
pub(crate) type Value<'a> = ToSqlOutput<'a>;

pub(crate) fn number(value: u64) -> Value<'static> {
    value.cast_signed().into()
}

pub(crate) fn time(moment: Timestamp) -> Value<'static> {
    i64::try_from(moment.as_millis()).unwrap_or(i64::MAX).into()
}

pub(crate) fn optional<'a, T: Into<Value<'a>>>(value: Option<T>) -> Value<'a> {
    value.map_or_else(|| rusqlite::types::Null.into(), Into::into)
}

/// Text for a column: borrowed where the value holds it, owned where it is made.
pub(crate) fn text<'a>(value: impl Into<Cow<'a, str>>) -> Value<'a> {
    match value.into() {
        Cow::Borrowed(borrowed) => borrowed.into(),
        Cow::Owned(owned) => owned.into(),
    }
}

/// Reads a column; none if it does not hold what it should. `SQLite`'s own errors come earlier, when it steps to the row.
pub(crate) fn get<T: FromSql>(row: &Row<'_>, column: usize) -> Option<T> {
    row.get(column).ok()
}

pub(crate) fn get_number(row: &Row<'_>, column: usize) -> Option<u64> {
    get::<i64>(row, column).map(i64::cast_unsigned)
}

pub(crate) fn get_time(row: &Row<'_>, column: usize) -> Option<Timestamp> {
    get::<i64>(row, column).and_then(|millis| u64::try_from(millis).ok()).map(Timestamp::from_millis)
}

pub(crate) fn get_until(row: &Row<'_>, column: usize) -> Option<Until> {
    match get::<Option<i64>>(row, column)? {
        None => Some(Until::Never),
        Some(_) => get_time(row, column).map(Until::At),
    }
}

/// Reads a nullable text; fails on one that `read` does not understand.
fn get_optional<T>(row: &Row<'_>, column: usize, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Unreadable> {
    match get::<Option<String>>(row, column).ok_or(Unreadable)? {
        None => Ok(None),
        Some(text) => read(&text).map(Some).ok_or(Unreadable),
    }
}

/// The row makes no sense.
struct Unreadable;

/// The values of [`LISTING_HEAD_COLUMNS`].
pub(crate) fn listing_head<'a>(listing: &'a base::Listing, names: &'a Names) -> [Value<'a>; 10] {
    let (rule, person, reason) = match &listing.maker {
        Maker::Rule(id) => (Some(names.rule(*id)), None, None),
        Maker::Person { name, reason } => (None, Some(&**name), Some(&**reason)),
    };
    [
        names.list(listing.list).into(),
        time(listing.since),
        listing.until.moment().map_or_else(|| rusqlite::types::Null.into(), time),
        optional(rule),
        optional(person),
        optional(reason),
        listing.evidence.count.into(),
        listing.evidence.distinct.into(),
        time(listing.evidence.first),
        time(listing.evidence.last),
    ]
}

/// Reads [`LISTING_COLUMNS`] from column `first` on.
pub(crate) fn listing_row(row: &Row<'_>, first: usize) -> Option<PastListing> {
    let until = get_until(row, first + 3)?;
    let maker = match (get(row, first + 4)?, get::<Option<String>>(row, first + 5)?) {
        (Some(rule), _) => PastMaker::Rule(rule),
        (None, Some(name)) => PastMaker::Person {
            name: name.into(),
            reason: get::<Option<String>>(row, first + 6)?.unwrap_or_default().into(),
        },
        (None, None) => return None,
    };
    Some(PastListing {
        list: get(row, first)?,
        subject: get::<String>(row, first + 1)?.parse().ok()?,
        since: get_time(row, first + 2)?,
        until,
        maker,
        evidence: Evidence {
            count: get(row, first + 7)?,
            distinct: get(row, first + 8)?,
            first: get_time(row, first + 9)?,
            last: get_time(row, first + 10)?,
        },
    })
}

/// What a row of the tables `bulk` and `bulk_past` says.
pub(crate) struct BulkHead {
    pub(crate) list: Box<str>,
    pub(crate) since: Timestamp,
    pub(crate) until: Until,
    pub(crate) person: Box<str>,
    pub(crate) reason: Box<str>,
    pub(crate) length: u64,
}

/// Reads [`BULK_COLUMNS`]; none where a list had no bulk.
pub(crate) fn bulk_head(row: &Row<'_>) -> Option<BulkHead> {
    Some(BulkHead {
        list: get(row, 0)?,
        since: get_time(row, 1)?,
        until: get_until(row, 2)?,
        person: get(row, 3)?,
        reason: get(row, 4)?,
        length: get_number(row, 5)?,
    })
}

/// The values of [`EVENT_COLUMNS`].
pub(crate) fn event_values(event: &KeptEvent) -> [Value<'_>; 14] {
    let (tally, attempts) = match event.tally {
        Tally::One => ("one", None),
        Tally::Refused => ("refused", None),
        Tally::Total(attempts) => ("total", Some(attempts)),
    };
    [
        time(event.time),
        event.kind.name().into(),
        (*event.service).into(),
        optional(event.address.map(|address| text(address.to_string()))),
        optional(event.login.as_ref().map(Login::as_str)),
        optional(event.session.as_deref()),
        optional(event.password.map(|tag| tag.0)),
        event.channel.name().into(),
        tally.into(),
        optional(attempts),
        optional(event.reporter.as_ref().map(|(name, _)| &**name)),
        optional(event.reporter.as_ref().map(|(_, weight)| *weight)),
        optional(event.exceeded.as_ref().map(|(limit, _)| &**limit)),
        optional(event.exceeded.as_ref().and_then(|(_, domain)| domain.as_deref())),
    ]
}

/// Reads [`EVENT_COLUMNS`].
pub(crate) fn event(row: &Row<'_>) -> Option<KeptEvent> {
    let tally = match (&*get::<String>(row, 8)?, get(row, 9)?) {
        ("one", None) => Tally::One,
        ("refused", None) => Tally::Refused,
        ("total", Some(attempts)) => Tally::Total(attempts),
        _ => return None,
    };
    Some(KeptEvent {
        time: get_time(row, 0)?,
        kind: EventKind::from_name(&get::<String>(row, 1)?)?,
        service: get(row, 2)?,
        address: get_optional(row, 3, |text| text.parse().ok()).ok()?,
        login: get_optional(row, 4, Login::new).ok()?,
        session: get(row, 5)?,
        password: get::<Option<u32>>(row, 6)?.map(PasswordTag),
        channel: channel(&get::<String>(row, 7)?)?,
        tally,
        reporter: match (get::<Option<String>>(row, 10)?, get::<Option<u8>>(row, 11)?) {
            (Some(name), Some(weight)) => Some((name.into(), weight)),
            (None, None) => None,
            _ => return None,
        },
        exceeded: match (get::<Option<String>>(row, 12)?, get::<Option<String>>(row, 13)?) {
            (Some(limit), domain) => Some((limit.into(), domain.map(Into::into))),
            (None, None) => None,
            (None, Some(_)) => return None,
        },
    })
}

fn channel(name: &str) -> Option<Channel> {
    [Channel::Gate, Channel::Front, Channel::Auth].into_iter().find(|channel| channel.name() == name)
}

/// The values of [`OWNER_COLUMNS`].
pub(crate) fn owner_values(owner: &Owner) -> [Value<'_>; 4] {
    [
        owner.login.as_str().into(),
        text(owner.network.to_string()),
        time(owner.at),
        optional(owner.password.map(|tag| tag.0)),
    ]
}

/// Reads [`OWNER_COLUMNS`].
pub(crate) fn owner(row: &Row<'_>) -> Option<Owner> {
    Some(Owner {
        login: Login::new(&get::<String>(row, 0)?)?,
        network: get::<String>(row, 1)?.parse::<Network>().ok()?,
        at: get_time(row, 2)?,
        password: get::<Option<u32>>(row, 3)?.map(PasswordTag),
    })
}

/// The values of [`POSITION_COLUMNS`].
pub(crate) fn position_values(position: &Position) -> [Value<'_>; 7] {
    [
        (*position.path).into(),
        number(position.device),
        number(position.inode),
        number(position.offset),
        text(format!("{:016x}", position.fingerprint)),
        number(position.lines),
        number(position.events),
    ]
}

/// Reads [`POSITION_COLUMNS`].
pub(crate) fn position(row: &Row<'_>) -> Option<Position> {
    Some(Position {
        path: get(row, 0)?,
        device: get_number(row, 1)?,
        inode: get_number(row, 2)?,
        offset: get_number(row, 3)?,
        fingerprint: u64::from_str_radix(&get::<String>(row, 4)?, 16).ok()?,
        lines: get_number(row, 5)?,
        events: get_number(row, 6)?,
    })
}

/// `?1, ?2, …` for so many values.
pub(crate) fn marks(count: usize) -> String {
    (1..=count).map(|index| format!("?{index}")).collect::<Vec<_>>().join(", ")
}

/// The values as the references that a statement takes.
pub(crate) fn refs<'a, const N: usize>(values: &'a [Value<'_>; N]) -> [&'a dyn ToSql; N] {
    values.each_ref().map(|value| value as &dyn ToSql)
}
