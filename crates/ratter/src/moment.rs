//! Moments of the past as people write them.

use base::Timestamp;

/// Reads a moment: one of RFC 3339, `2026-11-21T07:44:14Z`, or a span before `now`, `36h`.
///
/// # Errors
/// Says what is wanted.
pub(crate) fn parse(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(span) = crate::config::parse_duration(text) {
        return Ok(now.minus(span));
    }
    let moment = text.parse::<jiff::Timestamp>().ok().and_then(|moment| u64::try_from(moment.as_millisecond()).ok());
    let moment = moment.map(Timestamp::from_millis).filter(|moment| *moment <= now);
    moment
        .ok_or_else(|| "wants a past moment such as 2026-11-21T07:44:14Z, or a span before now such as 36h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Timestamp, parse};

    #[test]
    fn moments_are_read_in_both_forms() {
        let now = Timestamp::from_millis(1_795_247_054_120);
        let cases = [
            ("2026-11-21T07:44:14.120Z", Some(1_795_247_054_120)),
            ("2026-11-21T08:44:14.120+01:00", Some(1_795_247_054_120)),
            ("2026-11-21T07:44:14.121Z", None),
            ("1h", Some(1_795_243_454_120)),
            ("1969-12-31T23:59:59Z", None),
            ("yesterday", None),
            ("", None),
        ];
        for (text, millis) in cases {
            assert_eq!(parse(text, now).ok(), millis.map(Timestamp::from_millis), "{text}");
        }
    }
}
