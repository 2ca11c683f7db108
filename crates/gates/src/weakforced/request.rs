use core::time::Duration;

use base::{Address, Login, Network};
use rules::Party;
use serde::Deserialize;

/// Longest reason, in bytes; a longer one is cut.
const REASON_BYTES_MAX: usize = 500;

/// Longest time of an entry; a longer one is cut: ten years.
const SPAN_MAX: Duration = Duration::from_hours(10 * 366 * 24);

/// The body of a command about an entry. Other fields are ignored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Body {
    /// Whom it is about.
    pub party: Party,
    /// `expire_secs`.
    pub span: Option<Duration>,
    /// `reason`, without control characters.
    pub reason: Option<String>,
}

/// Why a body was not understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// It is no JSON object, or a field is of the wrong type.
    #[error("Unable to parse JSON")]
    NotJson,
    /// `ip` is no address, or `netmask` no network.
    #[error("Could not parse input")]
    BadAddress,
    /// Neither an address nor a login is told.
    #[error("No ip or login field supplied")]
    Nobody,
    /// Weakforced wants it.
    #[error("Missing mandatory expire_secs field")]
    NoExpiry,
    /// Weakforced wants it.
    #[error("Missing mandatory reason field")]
    NoReason,
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow, default)]
    ip: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, default)]
    netmask: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, default)]
    login: Option<std::borrow::Cow<'a, str>>,
    #[serde(default)]
    expire_secs: Option<Seconds>,
    #[serde(borrow, default)]
    reason: Option<std::borrow::Cow<'a, str>>,
}

/// Seconds as clients write them: a number with or without a fraction, or the same as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(f64),
    Text(String),
}

impl Seconds {
    /// At most [`SPAN_MAX`]; what is below zero is none. None if the text is no number.
    fn span(&self) -> Option<Duration> {
        let seconds = match self {
            Self::Number(seconds) => *seconds,
            Self::Text(text) => text.trim().parse().ok()?,
        };
        let is_number = !seconds.is_nan();
        is_number.then(|| Duration::from_secs_f64(seconds.clamp(0.0, SPAN_MAX.as_secs_f64()).trunc()))
    }
}

impl Body {
    /// Reads a body. As for weakforced a login with an address is a pair, a login alone is one from anywhere, and
    /// `netmask` is looked at where there is no login; host bits of a network are dropped.
    pub fn parse(body: &[u8]) -> Result<Self, Fault> {
        if !body.trim_ascii_start().starts_with(b"{") {
            return Err(Fault::NotJson);
        }
        let raw: Raw<'_> = serde_json::from_slice(body).map_err(|_| Fault::NotJson)?;
        // What is empty is not told: clients fill in what they do not know.
        let told = |text: &std::borrow::Cow<'_, str>| !text.trim().is_empty();
        let address = raw.ip.filter(told).map(|ip| ip.parse::<Address>().map_err(|_| Fault::BadAddress)).transpose()?;
        let netmask = raw.netmask.filter(told).map(|text| network(&text).ok_or(Fault::BadAddress)).transpose()?;
        let login = raw.login.as_deref().and_then(Login::new);
        let of_address = address.map(|address| Network::containing(address, 128));
        let network = if login.is_some() { of_address } else { netmask.or(of_address) };
        if network.is_none() && login.is_none() {
            return Err(Fault::Nobody);
        }
        let span = raw.expire_secs.map(|seconds| seconds.span().ok_or(Fault::NotJson)).transpose()?;
        Ok(Self { party: Party { network, login }, span, reason: raw.reason.map(|reason| tidy(&reason)) })
    }
}

/// A network of an address, a slash and a length; without them that of the address alone.
fn network(text: &str) -> Option<Network> {
    let Some((address, length)) = text.split_once('/') else {
        return text.parse().ok().map(|address| Network::containing(address, 128));
    };
    let address: Address = address.parse().ok()?;
    let length: u8 = length.parse().ok()?;
    let longest = if address.ip().is_ipv4() { 32 } else { 128 };
    (length <= longest).then(|| Network::containing(address, length))
}

/// The reason without what would spoil a line, and not too long.
fn tidy(reason: &str) -> String {
    let clean: String = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    clean.trim()[..clean.trim().floor_char_boundary(REASON_BYTES_MAX)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies() {
        let told = |body: &str| match Body::parse(body.as_bytes()) {
            Err(fault) => fault.to_string(),
            Ok(Body { party, span, reason }) => format!(
                "{} {} {:?} {:?}",
                party.network.map_or_else(|| "-".to_owned(), |network| network.to_string()),
                party.login.map_or_else(|| "-".to_owned(), |login| login.to_string()),
                span.map(|span| span.as_secs()),
                reason
            ),
        };
        for (body, wanted) in [
            (r#"{"ip":"192.0.2.7","expire_secs":10,"reason":"x"}"#, r#"192.0.2.7 - Some(10) Some("x")"#),
            (r#"{"ip":"::ffff:192.0.2.7","login":"Alice"}"#, "192.0.2.7 alice None None"),
            (r#"{"login":"a\u0062","more":{"a":[1]}}"#, "- ab None None"),
            (r#"{"netmask":"192.0.2.9/24","reason":"a\nb\u0000"}"#, r#"192.0.2.0/24 - None Some("a b")"#),
            (r#"{"netmask":"2001:db8::1/32"}"#, "2001:db8::/32 - None None"),
            (r#"{"netmask":"192.0.2.9"}"#, "192.0.2.9 - None None"),
            (r#"{"netmask":"192.0.2.9/33"}"#, "Could not parse input"),
            (r#"{"netmask":"192.0.2.9/-1"}"#, "Could not parse input"),
            (r#"{"ip":"mail.example"}"#, "Could not parse input"),
            (r#"{"ip":null,"login":null}"#, "No ip or login field supplied"),
            (r#"{"login":" "}"#, "No ip or login field supplied"),
            (r#"{"ip":5}"#, "Unable to parse JSON"),
            (r#"{"login":"a","expire_secs":-5}"#, "- a Some(0) None"),
            (r#"{"login":"a","expire_secs":10.9}"#, "- a Some(10) None"),
            (r#"{"login":"a","expire_secs":"600"}"#, "- a Some(600) None"),
            (r#"{"login":"a","expire_secs":"1h"}"#, "Unable to parse JSON"),
            (r#"{"login":"a","expire_secs":1e300}"#, "- a Some(316224000) None"),
            (r#"{"login":"a","expire_secs":9223372036854775807}"#, "- a Some(316224000) None"),
            (r#"{"ip":"","netmask":" ","login":"a"}"#, "- a None None"),
            (r#"{"ip":""}"#, "No ip or login field supplied"),
            ("[]", "Unable to parse JSON"),
            ("", "Unable to parse JSON"),
        ] {
            assert_eq!(told(body), wanted, "{body}");
        }
        assert_eq!(tidy(&"ä".repeat(REASON_BYTES_MAX)).len(), REASON_BYTES_MAX);
    }
}
