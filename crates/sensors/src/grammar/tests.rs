//! Lines and what they mean, as tables; hostile lines; properties.

mod daemons;
mod hostile;
mod properties;
mod tables;

use base::{Event, Tally, Timestamp};
use jiff::tz::TimeZone;

use crate::reader::{Reader, Timing};

/// The events of a line as text, joined by ` + `; see [`shown`].
pub(crate) fn events(line: &str) -> String {
    let mut reader = Reader::new(TimeZone::UTC, Timing::Replay);
    let mut texts = Vec::new();
    reader.read(line.as_bytes(), Timestamp::from_secs(1_795_247_055), &mut |event| texts.push(shown(&event)));
    texts.join(" + ")
}

/// `KIND SERVICE CHANNEL TALLY ADDRESS LOGIN SESSION[ #PASSWORD]`, with `-` for what is missing.
pub(crate) fn shown(event: &Event<'_>) -> String {
    let tally = match event.tally {
        Tally::One => "1".to_owned(),
        Tally::Total(total) => format!("={total}"),
        Tally::Refused => "refused".to_owned(),
    };
    let address = event.address.map_or_else(|| "-".to_owned(), |address| address.to_string());
    let password = event.password.map_or(String::new(), |tag| format!(" #{:x}", tag.0));
    let (login, session) = (event.login.unwrap_or("-"), event.session.unwrap_or("-"));
    format!("{} {} {} {tally} {address} {login} {session}{password}", event.kind, event.service, event.channel.name())
}

/// The addresses of a line's events.
fn addresses(line: &str) -> Vec<String> {
    let mut reader = Reader::new(TimeZone::UTC, Timing::Replay);
    let mut found = Vec::new();
    reader.read(line.as_bytes(), Timestamp::EPOCH, &mut |event| {
        found.extend(event.address.map(|address| address.to_string()));
    });
    found
}
