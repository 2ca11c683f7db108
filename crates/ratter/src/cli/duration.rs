//! Spans of time on the command line, in the units of the configuration, and how they are shown.

use std::time::Duration;

/// A span such as `10m`, `36h` or `7d`, by the same rules as in the configuration.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    crate::config::parse_duration(text)
}

/// The same for listings, which may also have no end.
pub(crate) fn parse_of_listing(text: &str) -> Result<Duration, String> {
    if matches!(text, "ever" | "forever") {
        return Err("for a listing without end write `--for-ever`".to_owned());
    }
    parse(text)
}

/// A span for people, in at most two units: `4m 58s`, `6d 23h`.
pub(crate) fn show(span: Duration) -> String {
    const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];
    let mut rest = span.as_millis().div_ceil(1000) as u64;
    let mut parts = Vec::new();
    for (unit, seconds) in UNITS {
        if rest >= seconds {
            parts.push(format!("{}{unit}", rest / seconds));
            rest %= seconds;
        } else if !parts.is_empty() {
            break;
        }
        if parts.len() == 2 {
            break;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_end_is_another_argument() {
        assert_eq!(parse_of_listing("1h"), Ok(Duration::from_hours(1)));
        assert!(parse_of_listing("ever").is_err_and(|error| error.contains("`--for-ever`")));
    }

    #[test]
    fn spans_for_people() {
        let cases = [(0, "0s"), (59, "59s"), (60, "1m"), (298, "4m 58s"), (3605, "1h"), (604_799, "6d 23h")];
        for (seconds, text) in cases {
            assert_eq!(show(Duration::from_secs(seconds)), text);
        }
    }
}
