use core::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use base::{Address, Network, Timestamp};
use rules::Party;
use serde_json::{Map, Value, json};

use super::SHOWN_MAX;
use super::entries::{Entries, Entry, Side};
use super::request::{Body, Fault};
use crate::http::{Reply, Request, Status};

/// A command of the API that is none of Dovecot's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// `addBLEntry`, `addWLEntry`.
    Add(Side),
    /// `delBLEntry`, `delWLEntry`.
    Delete(Side),
    /// `getBL`, `getWL`.
    Get(Side),
    /// `reset`.
    Reset,
    /// `getDBStats`.
    Stats,
}

impl Command {
    /// The command of that name.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "addBLEntry" => Self::Add(Side::Black),
            "addWLEntry" => Self::Add(Side::White),
            "delBLEntry" => Self::Delete(Side::Black),
            "delWLEntry" => Self::Delete(Side::White),
            "getBL" => Self::Get(Side::Black),
            "getWL" => Self::Get(Side::White),
            "reset" => Self::Reset,
            "getDBStats" => Self::Stats,
            _ => return None,
        })
    }

    /// Whether it changes what the gates answer.
    pub const fn is_change(self) -> bool {
        match self {
            Self::Add(_) | Self::Delete(_) | Self::Reset => true,
            Self::Get(_) | Self::Stats => false,
        }
    }

    /// The method that weakforced takes it by.
    pub const fn method(self) -> &'static str {
        match self {
            Self::Get(_) => "GET",
            Self::Add(_) | Self::Delete(_) | Self::Reset | Self::Stats => "POST",
        }
    }
}

/// Answers the commands.
#[derive(Clone)]
pub struct Api {
    entries: Arc<dyn Entries>,
}

/// What becomes of a command: its status and its body.
struct Answer(Status, Value);

impl Api {
    /// Over what is kept there.
    pub fn new(entries: Arc<dyn Entries>) -> Self {
        Self { entries }
    }

    /// Answers a command; returns whether it was understood and done.
    pub fn answer(&self, now: Timestamp, command: Command, request: &Request<'_>, reply: &mut Reply<'_>) -> bool {
        // A panic of ours is a failure of this request, and of nothing else.
        let done = catch_unwind(AssertUnwindSafe(|| self.done(now, command, request.body())));
        let Answer(status, body) = done.unwrap_or_else(|_| failure(Status::ServerError, "internal error"));
        reply.status = status;
        reply.body.extend_from_slice(body.to_string().as_bytes());
        status == Status::Ok
    }

    /// The attributes by which weakforced explains that an entry decided; none if none covers the client.
    pub fn grounds(
        &self,
        now: Timestamp,
        side: Side,
        address: Option<Address>,
        login: Option<&str>,
    ) -> Option<Map<String, Value>> {
        let find = || self.entries.find(now, side, address, login);
        let entry = catch_unwind(AssertUnwindSafe(find)).ok().flatten()?;
        let word = match side {
            Side::Black => "blacklisted",
            Side::White => "whitelisted",
        };
        let attributes = [
            ("expiration", expiration(entry.until)),
            ("reason", entry.reason),
            (word, "1".to_owned()),
            ("key", key_of(&entry.party).0.to_owned()),
        ];
        Some(attributes.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
    }

    fn done(&self, now: Timestamp, command: Command, body: &[u8]) -> Answer {
        if let Command::Get(side) = command {
            return Answer(Status::Ok, shown(side, self.entries.all(now, side, SHOWN_MAX)));
        }
        let body = match Body::parse(body) {
            Ok(body) => body,
            Err(fault) => return faulty(fault),
        };
        match command {
            Command::Add(side) => self.add(now, side, body),
            Command::Delete(side) => {
                self.entries.remove(now, side, &body.party);
                ok()
            }
            Command::Reset => {
                self.entries.reset(now, &body.party);
                ok()
            }
            Command::Stats | Command::Get(_) => Answer(Status::Ok, self.stats(now, &body.party)),
        }
    }

    fn add(&self, now: Timestamp, side: Side, body: Body) -> Answer {
        let Some(span) = body.span else { return faulty(Fault::NoExpiry) };
        let Some(reason) = body.reason else { return faulty(Fault::NoReason) };
        let entry = Entry { party: body.party, until: Some(now.plus(span)), reason };
        match self.entries.put(now, side, &entry) {
            Ok(()) => ok(),
            Err(refused) => failure(Status::ServerError, &refused.to_string()),
        }
    }

    fn stats(&self, now: Timestamp, party: &Party) -> Value {
        let address = party.network.map(|network| Address::new(network.base()));
        let login = party.login.as_ref().map(base::Login::as_str);
        let entry = |side| self.entries.find(now, side, address, login);
        let (black, white) = (entry(Side::Black), entry(Side::White));
        let text = |entry: &Option<Entry>| entry.as_ref().map(|entry| entry.reason.clone()).unwrap_or_default();
        let end = |entry: &Option<Entry>| entry.as_ref().map(|entry| expiration(entry.until)).unwrap_or_default();
        let levels = self.entries.levels(now, party).into_iter().map(|level| {
            let mut fields = Map::from_iter([("count".to_owned(), level.count.into())]);
            fields.extend(level.distinct.map(|distinct| ("distinct".to_owned(), distinct.into())));
            (level.rule, Value::Object(fields))
        });
        let (name, value) = match (address, login) {
            (Some(address), Some(login)) => ("ip_login", format!("{address}:{login}")),
            (None, Some(login)) => ("login", login.to_owned()),
            (Some(address), None) => ("ip", address.to_string()),
            (None, None) => ("ip", String::new()),
        };
        let mut stats = json!({
            "blacklisted": black.is_some(),
            "bl_reason": text(&black),
            "bl_expire": end(&black),
            "whitelisted": white.is_some(),
            "wl_reason": text(&white),
            "wl_expire": end(&white),
            "stats": Value::Object(levels.collect()),
        });
        stats[name] = value.into();
        stats
    }
}

fn ok() -> Answer {
    Answer(Status::Ok, json!({"status": "ok"}))
}

fn failure(status: Status, reason: &str) -> Answer {
    Answer(status, json!({"status": "failure", "reason": reason}))
}

fn faulty(fault: Fault) -> Answer {
    let status = match fault {
        Fault::NotJson => Status::BadRequest,
        Fault::Nobody => Status::UnsupportedMediaType,
        Fault::BadAddress | Fault::NoExpiry | Fault::NoReason => Status::ServerError,
    };
    failure(status, &fault.to_string())
}

fn shown(side: Side, entries: Vec<Entry>) -> Value {
    let entry = |entry: Entry| {
        let (name, key) = key_of(&entry.party);
        json!({name: key, "expiration": expiration(entry.until), "reason": entry.reason})
    };
    let entries: Vec<Value> = entries.into_iter().map(entry).collect();
    match side {
        Side::Black => json!({"bl_entries": entries}),
        Side::White => json!({"wl_entries": entries}),
    }
}

/// The name and the value of the field that says whom an entry is about. An address has its length behind it, unless a
/// login stands there.
fn key_of(party: &Party) -> (&'static str, String) {
    match (party.network, &party.login) {
        (Some(network), Some(login)) if network.is_host() => ("iplogin", format!("{}:{login}", network.base())),
        (Some(network), Some(login)) => ("iplogin", format!("{}:{login}", with_length(network))),
        (Some(network), None) => ("ip", with_length(network)),
        (None, login) => ("login", login.as_ref().map(ToString::to_string).unwrap_or_default()),
    }
}

fn with_length(network: Network) -> String {
    match network.base() {
        _ if !network.is_host() => network.to_string(),
        IpAddr::V4(address) => format!("{address}/32"),
        IpAddr::V6(address) => format!("{address}/128"),
    }
}

/// A moment as weakforced writes it, in UTC: `2026-Nov-21 08:25:25`; one without end as its library writes that.
fn expiration(until: Option<Timestamp>) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let Some(until) = until else { return "+infinity".to_owned() };
    let text = until.to_string();
    let parts = text.split_once('T').and_then(|(date, time)| {
        let mut numbers = date.split('-');
        let (year, month, day) = (numbers.next()?, numbers.next()?.parse::<usize>().ok()?, numbers.next()?);
        let (seconds, _) = time.split_once('.')?;
        Some(format!("{year}-{}-{day} {seconds}", MONTHS.get(month - 1)?))
    });
    parts.unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_as_boost_writes_them() {
        assert_eq!(expiration(Some(Timestamp::from_millis(1_795_249_525_678))), "2026-Nov-21 08:25:25");
        assert_eq!(expiration(Some(Timestamp::from_secs(951_782_400))), "2000-Feb-29 00:00:00");
        assert_eq!(expiration(None), "+infinity");
    }

    #[test]
    fn keys_as_weakforced_writes_them() {
        let key = |network: &str, login: &str| {
            let party = Party { network: network.parse().ok(), login: base::Login::new(login) };
            let (name, value) = key_of(&party);
            format!("{name}={value}")
        };
        for (network, login, wanted) in [
            ("192.0.2.7", "", "ip=192.0.2.7/32"),
            ("192.0.2.0/24", "", "ip=192.0.2.0/24"),
            ("2001:db8::1", "", "ip=2001:db8::1/128"),
            ("", "bob", "login=bob"),
            ("192.0.2.7", "bob", "iplogin=192.0.2.7:bob"),
        ] {
            assert_eq!(key(network, login), wanted);
        }
    }
}
