//! The forms in which reports come.

use core::iter;

use base::EventKind;
use serde_json::Value;

use super::strict::Strict;
use super::{Fault, ID_BYTES_MAX, REPORTS_MAX, Report, SERVICE_BYTES_MAX, SUBMISSION_BYTES_MAX};
use crate::frame::{self, Stamp};
use crate::text::address;

/// Reports and the key they came with, where the form has a place for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Submission {
    /// The key; none where it comes in a header of HTTP.
    pub key: Option<String>,
    /// The reports.
    pub reports: Vec<Report>,
}

fn fault<T>(place: impl Into<String>, why: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { place: place.into(), why: why.into() })
}

/// Reads Ratter's own JSON.
pub fn json(body: &[u8]) -> Result<Submission, Fault> {
    check_size(body)?;
    let value = match serde_json::from_slice(body) {
        Ok(Strict(value)) => value,
        Err(error) => {
            let why = if error.is_data() { "a key stands twice" } else { "no JSON" };
            return fault(format!("line {} column {}", error.line(), error.column()), why);
        }
    };
    let Some(all) = value.get("reports").and_then(Value::as_array) else {
        return fault("reports", "an array is wanted");
    };
    if all.len() > REPORTS_MAX {
        return fault("reports", format!("more than {REPORTS_MAX}"));
    }
    let one = |(at, report): (usize, &Value)| {
        let text = |key: &str| report.get(key).and_then(Value::as_str);
        let place = |key: &str| format!("reports[{at}].{key}");
        let Some(address) = text("address").and_then(address) else { return fault(place("address"), "no address") };
        let Some(kind) = EventKind::from_name(text("kind").unwrap_or("login-failed")) else {
            return fault(place("kind"), "no such event");
        };
        if matches!(kind, EventKind::LoginOk | EventKind::MessageSent) {
            // A success makes an address known: nobody may say that of others' logins.
            return fault(place("kind"), "successes are not taken from others");
        }
        let time = match report.get("time") {
            None | Some(Value::Null) => None,
            Some(_) => match text("time").and_then(moment) {
                Some(time) => Some(time),
                None => return fault(place("time"), "no moment with its offset, such as 2026-11-21T07:44:14Z"),
            },
        };
        let id = text("id").filter(|id| !id.is_empty()).map(str::to_owned);
        if id.as_ref().is_some_and(|id| id.len() > ID_BYTES_MAX) {
            return fault(place("id"), format!("longer than {ID_BYTES_MAX} bytes"));
        }
        Ok(Report {
            kind,
            address,
            service: service(text("service")),
            login: text("login").map(str::to_owned),
            time,
            id,
        })
    };
    let reports = all.iter().enumerate().map(one).collect::<Result<_, _>>()?;
    Ok(Submission { key: None, reports })
}

/// Reads fail2ban's and blocklist.de's form (`application/x-www-form-urlencoded`): one report.
pub fn form(body: &[u8]) -> Result<Submission, Fault> {
    check_size(body)?;
    let field = |wanted: &str| {
        body.split(|byte| *byte == b'&').find_map(|pair| {
            let equals = pair.iter().position(|byte| *byte == b'=')?;
            (decoded(&pair[..equals]) == wanted).then(|| decoded(&pair[equals + 1..]))
        })
    };
    let Some(address) = field("ip").as_deref().and_then(address) else { return fault("ip", "no address") };
    let service = service(field("service").as_deref());
    let report = Report { kind: EventKind::LoginFailed, address, service, login: None, time: None, id: None };
    Ok(Submission { key: field("apikey"), reports: vec![report] })
}

/// Reads an X-ARF mail about a login attack: one report. Of the whole mail only the lines of the report matter, which
/// are `Name: value` and stand in a part of their own; the first part that has `Report-Type` and `Source` is it.
pub fn arf(mail: &[u8]) -> Result<Submission, Fault> {
    check_size(mail)?;
    let text = String::from_utf8_lossy(mail);
    let mut part: Vec<&str> = Vec::new();
    for line in text.lines().chain(iter::once("--")) {
        if !line.starts_with("--") {
            part.push(line);
            continue;
        }
        let field = |name: &str| {
            part.iter().find_map(|line| line.split_once(':').filter(|(n, _)| n.eq_ignore_ascii_case(name)))
        };
        if let (Some((_, kind)), Some((_, source))) = (field("Report-Type"), field("Source")) {
            let Some(address) = address(source.trim()) else { return fault("Source", "no address") };
            let kind = match kind.trim() {
                "login-attack" => EventKind::LoginFailed,
                "spam" | "spamvertised" => EventKind::SpamSeen,
                _ => return fault("Report-Type", "not one that is taken"),
            };
            let service = service(field("Service").map(|(_, service)| service.trim()));
            let id =
                field("Report-ID").map(|(_, id)| id.trim()).filter(|id| !id.is_empty() && id.len() <= ID_BYTES_MAX);
            // fail2ban names all its mails of one second the same.
            let id = id.map(|id| format!("{id} {address}"));
            return Ok(Submission {
                key: None,
                reports: vec![Report { kind, address, service, login: None, time: None, id }],
            });
        }
        part.clear();
    }
    fault("Report-Type", "no part of the mail is a report")
}

fn check_size(body: &[u8]) -> Result<(), Fault> {
    if body.len() > SUBMISSION_BYTES_MAX {
        fault("body", format!("more than {SUBMISSION_BYTES_MAX} bytes"))
    } else {
        Ok(())
    }
}

/// The moment of an ISO stamp with offset.
fn moment(text: &str) -> Option<base::Timestamp> {
    match frame::read(text).time {
        Stamp::Moment(moment) => Some(moment),
        Stamp::Missing | Stamp::Wall(_) => None,
    }
}

/// The name of a service, as a word.
fn service(text: Option<&str>) -> String {
    let is_word = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let word: String = text.unwrap_or_default().chars().filter(is_word).take(SERVICE_BYTES_MAX).collect();
    if word.is_empty() { "report".to_owned() } else { word.to_ascii_lowercase() }
}

/// The text of a field of a form.
fn decoded(field: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        let hex = |byte: u8| char::from(byte).to_digit(16);
        match (first, behind) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                bytes.push((hex(*high).unwrap_or(0) * 16 + hex(*low).unwrap_or(0)) as u8);
                rest = after;
            }
            _ => bytes.push(first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
