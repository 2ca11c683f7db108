use std::borrow::Cow;

use base::Address;
use rules::Stage;

use crate::escapes::decode_text;

/// What a line wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    /// Whether the client may go on.
    Check,
    /// A login succeeded.
    Ok,
    /// A login failed.
    Failed,
}

/// A line that was understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request<'a> {
    /// What it wants.
    pub verb: Verb,
    /// The client's address; none if it was not told or is none.
    pub address: Option<Address>,
    /// The login as the client gave it.
    pub login: Option<Cow<'a, str>>,
    /// The service, as the mail server calls it.
    pub service: Option<Cow<'a, str>>,
    /// The mail server's name for the connection.
    pub session: Option<Cow<'a, str>>,
    /// Whether the password is still to be checked; `before` unless it says `after`.
    pub stage: Stage,
}

/// Why a line was not understood; each is what the answer says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Malformed {
    /// The first word is no verb.
    #[error("unknown-verb")]
    Verb,
    /// `result` of a report by HTTP is neither `ok` nor `failed`.
    #[error("unknown-result")]
    Outcome,
    /// A word behind it has no `=`.
    #[error("no-name")]
    Name,
    /// A name is there twice.
    #[error("repeated-name")]
    Repeated,
    /// A `%` is not followed by two hexadecimal digits.
    #[error("bad-escape")]
    Escape,
    /// The address is none, and there is no login.
    #[error("bad-address")]
    Address,
    /// Neither an address nor a login is told.
    #[error("nobody")]
    Nobody,
    /// The line is longer than [`super::LINE_BYTES_MAX`].
    #[error("line-too-long")]
    TooLong,
}

/// The names that a line may have.
pub(crate) const NAMES: [&str; 5] = ["address", "login", "service", "session", "stage"];

impl<'a> Request<'a> {
    /// Reads a line without its end. A value that is empty counts as not told, because `login=$var` with an empty
    /// variable is what scripts send. A name that is there twice is an error: whoever slips one in through another value shall
    /// not choose whom the line is about. An address that is none counts as not told where there is a login, so that
    /// it hides nobody.
    pub fn parse(line: &'a [u8]) -> Result<Self, Malformed> {
        let mut words = line.split(|&byte| byte == b' ' || byte == b'\t').filter(|word| !word.is_empty());
        let verb = match words.next() {
            Some(b"check") => Verb::Check,
            Some(b"ok") => Verb::Ok,
            Some(b"failed") => Verb::Failed,
            _ => return Err(Malformed::Verb),
        };
        let mut request = Self { verb, address: None, login: None, service: None, session: None, stage: Stage::Before };
        let mut is_bad_address = false;
        let mut seen: u8 = 0;
        for word in words {
            let equals = word.iter().position(|&byte| byte == b'=').ok_or(Malformed::Name)?;
            let (name, value) = (&word[..equals], decode_text(&word[equals + 1..]).ok_or(Malformed::Escape)?);
            let value = (!value.is_empty()).then_some(value);
            if let Some(place) = NAMES.iter().position(|known| known.as_bytes() == name) {
                if seen & 1 << place != 0 {
                    return Err(Malformed::Repeated);
                }
                seen |= 1 << place;
            }
            match name {
                b"address" => {
                    request.address = value.as_deref().and_then(|text| text.parse::<Address>().ok());
                    is_bad_address = value.is_some() && request.address.is_none();
                }
                b"login" => request.login = value,
                b"service" => request.service = value,
                b"session" => request.session = value,
                b"stage" => request.stage = stage(value.as_deref()),
                _ => {}
            }
        }
        if request.address.is_none() && request.login.is_none() {
            return Err(if is_bad_address { Malformed::Address } else { Malformed::Nobody });
        }
        Ok(request)
    }
}

/// The stage of that name; a word that is none is the usual one.
pub(crate) fn stage(word: Option<&str>) -> Stage {
    match word {
        Some("connect") => Stage::Connect,
        Some("after") => Stage::After,
        _ => Stage::Before,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Request<'_>, Malformed> {
        Request::parse(line.as_bytes())
    }

    #[test]
    fn lines_that_are_understood() {
        let told = |line| {
            let request = parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            let address = request.address.map(|address| address.to_string()).unwrap_or_default();
            let text = |value: &Option<Cow<'_, str>>| value.as_deref().unwrap_or("-").to_owned();
            format!("{address} {} {} {}", text(&request.login), text(&request.service), text(&request.session))
        };
        let cases = [
            ("check address=192.0.2.7", "192.0.2.7 - - -"),
            ("check   address=192.0.2.7\tlogin=a ", "192.0.2.7 a - -"),
            ("check address=::ffff:192.0.2.7", "192.0.2.7 - - -"),
            (
                "ok address=2001:db8::1 login=alice@example.org service=imap session=a=b",
                "2001:db8::1 alice@example.org imap a=b",
            ),
            ("failed address= login=a%20b%25", " a b% - -"),
            ("check login=y future=1 future=2", " y - -"),
            ("failed address=host.example login=y", " y - -"),
            ("failed login=y address=192.0.2.0/24", " y - -"),
            ("check login=%ff", " \u{fffd} - -"),
        ];
        for (line, wanted) in cases {
            assert_eq!(told(line), wanted, "{line}");
        }
        assert_eq!(parse("check login=a stage=after").map(|request| request.stage), Ok(Stage::After));
        assert_eq!(parse("check address=::1 stage=connect").map(|request| request.stage), Ok(Stage::Connect));
        assert_eq!(parse("check login=a stage=later").map(|request| request.stage), Ok(Stage::Before));
    }

    #[test]
    fn lines_that_are_not() {
        for (line, wanted) in [
            ("", Malformed::Verb),
            ("CHECK login=a", Malformed::Verb),
            ("check", Malformed::Nobody),
            ("check service=imap", Malformed::Nobody),
            ("check address=", Malformed::Nobody),
            ("check login", Malformed::Name),
            ("check address=host.example", Malformed::Address),
            ("check address=192.0.2.0/24", Malformed::Address),
            ("check login=x login=y", Malformed::Repeated),
            ("failed address=192.0.2.1 login=x address=", Malformed::Repeated),
            ("check login=%", Malformed::Escape),
            ("check login=%2", Malformed::Escape),
            ("check login=%+1", Malformed::Escape),
        ] {
            assert_eq!(parse(line), Err(wanted), "{line}");
        }
    }
}
