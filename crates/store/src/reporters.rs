//! What became of those who report, as rows. Pure but for the transaction it is given.

use rules::Standing;
use rusqlite::{Row, Transaction};

use crate::rows::{get, get_number, get_time, marks, number, optional, refs, time};

/// The columns of the table `reporter`, in the order in which they are written and read here.
const COLUMNS: &str =
    "name, earned, risen_on, risen_by, confirmed, doubted, last, network, exposed, canary, void_until";

/// Reads all of them.
pub(crate) fn query() -> String {
    format!("SELECT {COLUMNS} FROM reporter")
}

/// Writes them in place of what was known of them.
pub(crate) fn write<'s>(
    transaction: &Transaction<'_>,
    standings: impl Iterator<Item = &'s Standing>,
) -> rusqlite::Result<()> {
    let marks = marks(COLUMNS.split(',').count());
    let mut put =
        transaction.prepare_cached(&format!("INSERT OR REPLACE INTO reporter ({COLUMNS}) VALUES ({marks})"))?;
    for standing in standings {
        let values = [
            (&*standing.reporter).into(),
            standing.earned.into(),
            standing.risen.0.into(),
            standing.risen.1.into(),
            number(standing.confirmed),
            number(standing.doubted),
            time(standing.last),
            optional(standing.network.map(|network| network.to_string())),
            optional(standing.exposed.map(|(at, _)| time(at))),
            optional(standing.exposed.map(|(_, canary)| canary.to_string())),
            time(standing.void_until),
        ];
        put.execute(&refs(&values)[..])?;
    }
    Ok(())
}

/// Reads a row of [`query`].
pub(crate) fn read(row: &Row<'_>) -> Option<Standing> {
    let text = |column| get::<Option<String>>(row, column);
    let exposed = match text(9)? {
        None => None,
        Some(canary) => Some((get_time(row, 8)?, canary.parse().ok()?)),
    };
    Some(Standing {
        reporter: get::<String>(row, 0)?.into(),
        earned: get(row, 1)?,
        risen: (get(row, 2)?, get(row, 3)?),
        confirmed: get_number(row, 4)?,
        doubted: get_number(row, 5)?,
        last: get_time(row, 6)?,
        network: text(7)?.map(|network| network.parse()).transpose().ok()?,
        exposed,
        void_until: get_time(row, 10)?,
    })
}
