//! The words before the others: how long a helper waits for the node.

use std::ffi::OsString;
use std::time::Duration;

/// How long a login waits for the node in all, unless it is told otherwise: an answer takes well below a millisecond, and a
/// login that goes on without one has hardly waited.
pub const PATIENCE: Duration = Duration::from_millis(50);

/// The longest that a login can be told to wait.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// The word that says how long; a span such as `200ms` or `1s` follows.
pub const WAIT: &str = "--wait";

/// How long to wait for the node (`--wait SPAN`, or [`PATIENCE`]), and the words behind that; none if the span is none.
pub fn patience(arguments: &[OsString]) -> Option<(Duration, &[OsString])> {
    match arguments {
        [flag, span, rest @ ..] if flag == WAIT => Some((parse(span.to_str()?)?, rest)),
        [flag] if flag == WAIT => None,
        _ => Some((PATIENCE, arguments)),
    }
}

/// A number of milliseconds or seconds, above zero and at most ten seconds.
fn parse(span: &str) -> Option<Duration> {
    let (number, unit) = match span.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => (span.strip_suffix('s')?, 1000),
    };
    let span = Duration::from_millis(u64::from(number.parse::<u16>().ok()?) * unit);
    (!span.is_zero() && span <= WAIT_MAX).then_some(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        for (span, wanted) in [
            ("200ms", Some(200)),
            ("1s", Some(1000)),
            ("10s", Some(10_000)),
            ("10001ms", None),
            ("11s", None),
            ("0s", None),
            ("200", None),
            ("-1s", None),
            ("1 s", None),
            ("99999s", None),
            ("", None),
        ] {
            assert_eq!(parse(span), wanted.map(Duration::from_millis), "{span}");
        }
    }

    #[test]
    fn the_words_behind_it() {
        let words = |text: &str| text.split_whitespace().map(OsString::from).collect::<Vec<_>>();
        for (arguments, wanted) in [
            ("/g.sock prog", Some((50, "/g.sock prog"))),
            ("--wait 1s /g.sock", Some((1000, "/g.sock"))),
            ("--wait 1s", Some((1000, ""))),
            ("/g.sock --wait 1s", Some((50, "/g.sock --wait 1s"))),
            ("--wait", None),
            ("--wait soon /g.sock", None),
        ] {
            let wanted = wanted.map(|(wait, rest)| (Duration::from_millis(wait), words(rest)));
            let arguments = words(arguments);
            let got = patience(&arguments).map(|(wait, rest)| (wait, rest.to_vec()));
            assert_eq!(got, wanted, "{arguments:?}");
        }
    }
}
