//! Exceptions as they are kept. Pure but for the transaction it is given.

use base::Login;
use rules::{Exception, Party, Treatment};
use rusqlite::{Row, Transaction};

use crate::rows::{get, get_time, refs, text, time};

/// What happened to an exception.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ExceptionChange {
    /// It is in force now, in place of the one of the same party and treatment.
    Put(Exception),
    /// It is in force no more.
    Gone(Treatment, Party),
}

impl ExceptionChange {
    /// What tells exceptions apart.
    pub(crate) fn key(&self) -> (Treatment, Party) {
        match self {
            Self::Put(exception) => (exception.treatment, exception.party.clone()),
            Self::Gone(treatment, party) => (*treatment, party.clone()),
        }
    }
}

/// Reads all of them.
pub(crate) const QUERY: &str = "SELECT treatment, network, login, until, maker, reason FROM exception";

/// Writes the changes.
pub(crate) fn write<'c>(
    transaction: &Transaction<'_>,
    changes: impl Iterator<Item = &'c ExceptionChange>,
) -> rusqlite::Result<()> {
    let mut put = transaction.prepare_cached("INSERT OR REPLACE INTO exception VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let mut remove =
        transaction.prepare_cached("DELETE FROM exception WHERE treatment = ?1 AND network = ?2 AND login = ?3")?;
    for change in changes {
        let (treatment, party) = change.key();
        let network = party.network.map(|network| network.to_string()).unwrap_or_default();
        let login = party.login.as_ref().map(Login::as_str).unwrap_or_default();
        match change {
            ExceptionChange::Gone(..) => {
                remove.execute((word(treatment), network, login))?;
            }
            ExceptionChange::Put(exception) => {
                let values = [
                    word(treatment).into(),
                    text(network),
                    login.into(),
                    time(exception.until),
                    (&*exception.maker).into(),
                    (&*exception.reason).into(),
                ];
                put.execute(&refs(&values)[..])?;
            }
        }
    }
    Ok(())
}

/// Reads a row of [`QUERY`].
pub(crate) fn read(row: &Row<'_>) -> Option<Exception> {
    let words = |column| get::<String>(row, column);
    let (network, login) = (words(1)?, words(2)?);
    let treatment = match words(0)?.as_str() {
        "pass" => Treatment::Pass,
        "refuse" => Treatment::Refuse,
        _ => return None,
    };
    let party = Party {
        network: if network.is_empty() { None } else { Some(network.parse().ok()?) },
        login: if login.is_empty() { None } else { Some(Login::new(&login)?) },
    };
    let is_somebody = party.network.is_some() || party.login.is_some();
    let until = get_time(row, 3)?;
    is_somebody.then_some(Exception { party, treatment, until, maker: words(4)?.into(), reason: words(5)?.into() })
}

const fn word(treatment: Treatment) -> &'static str {
    match treatment {
        Treatment::Pass => "pass",
        Treatment::Refuse => "refuse",
    }
}
