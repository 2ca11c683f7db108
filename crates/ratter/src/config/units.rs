//! Durations as the configuration writes them: `90s`, `10m`, `1h30m`, `7d`.

use core::fmt::Write as _;
use core::time::Duration;

use super::forms::Mismatch;
use super::words::{nearest, shown};

/// A unit: its sign, its seconds, and what people write instead.
struct Unit {
    sign: &'static str,
    seconds: u64,
    others: &'static [&'static str],
}

/// The units from the longest to the shortest.
const UNITS: [Unit; 5] = [
    Unit { sign: "w", seconds: 604_800, others: &["week", "weeks"] },
    Unit { sign: "d", seconds: 86_400, others: &["day", "days"] },
    Unit { sign: "h", seconds: 3600, others: &["hr", "hrs", "hour", "hours"] },
    Unit { sign: "m", seconds: 60, others: &["min", "mins", "minute", "minutes"] },
    Unit { sign: "s", seconds: 1, others: &["sec", "secs", "second", "seconds"] },
];

/// Longest duration that can be written, in seconds: a hundred years, so that no sum overflows.
const SECONDS_MAX: u64 = 100 * 366 * 86_400;

/// So many days.
pub(super) const fn days(days: u64) -> Duration {
    Duration::from_hours(24 * days)
}

/// The duration that `text` is, or what is wrong with it, with the duration that was probably meant.
pub(super) fn parse(text: &str) -> Result<Duration, Mismatch> {
    let mut seconds: u64 = 0;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(Mismatch::new("empty"));
    }
    if rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(of_bare_number(rest));
    }
    while !rest.is_empty() {
        let (number, unit, after) = next_piece(rest);
        let piece = read_piece(number, unit).map_err(|found| Mismatch { found, hint: guess(text).map(meant) })?;
        seconds = seconds
            .checked_add(piece)
            .filter(|sum| *sum <= SECONDS_MAX)
            .ok_or_else(|| Mismatch::new("longer than a hundred years"))?;
        rest = after;
    }
    Ok(Duration::from_secs(seconds))
}

/// What is wrong with a bare number; seconds were probably meant.
pub(super) fn of_bare_number(digits: &str) -> Mismatch {
    let hint = (digits.len() < 10).then(|| format!("write `\"{digits}s\"` if seconds are meant"));
    Mismatch { found: "a number without a unit".into(), hint }
}

/// The duration as the configuration writes it, in the fewest pieces: `1h30m`.
pub fn show(duration: Duration) -> String {
    let mut seconds = duration.as_secs();
    if seconds == 0 {
        return "0s".into();
    }
    let mut text = String::new();
    for unit in UNITS {
        // A week is written as seven days: `7d` is how lifetimes are spoken of.
        if unit.sign != "w" && seconds >= unit.seconds {
            write!(text, "{}{}", seconds / unit.seconds, unit.sign).expect("a String takes all that is written to it");
            seconds %= unit.seconds;
        }
    }
    text
}

fn meant(duration: Duration) -> String {
    format!("write `\"{}\"`", show(duration))
}

/// Splits off the first number with its unit: `1h 30m` is `1`, `h` and the rest `30m`.
fn next_piece(text: &str) -> (&str, &str, &str) {
    let number_end = text.find(|c: char| !is_of_number(c)).unwrap_or(text.len());
    let (number, rest) = text.split_at(number_end);
    let rest = rest.trim_start();
    let unit_end = rest.find(|c: char| is_of_number(c) || c.is_whitespace()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_end);
    (number, unit, rest.trim_start())
}

fn is_of_number(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | '_')
}

/// The seconds of one number with its unit, or what is wrong.
fn read_piece(number: &str, unit: &str) -> Result<u64, String> {
    if number.is_empty() {
        return Err("no number before the unit".into());
    }
    if number.starts_with('-') {
        return Err("negative".into());
    }
    if unit.is_empty() {
        return Err("a number without a unit".into());
    }
    let Some(unit) = UNITS.iter().find(|known| known.sign == unit) else {
        return Err(format!("unknown unit `{}`", shown(unit)));
    };
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("no whole number".into());
    }
    let number: u64 = number.parse().map_err(|_| "longer than a hundred years")?;
    number.checked_mul(unit.seconds).ok_or_else(|| "longer than a hundred years".into())
}

/// Reads what [`parse`] refuses, for the hint: any spelling of a unit, fractions, seconds where no unit is given.
fn guess(text: &str) -> Option<Duration> {
    let mut seconds = 0.0;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (number, unit, after) = next_piece(rest);
        let number: f64 = number.replace('_', "").parse().ok().filter(|n: &f64| *n >= 0.0)?;
        seconds += number * meant_unit(unit)? as f64;
        rest = after;
    }
    (1.0..SECONDS_MAX as f64).contains(&seconds).then(|| Duration::from_secs_f64(seconds.round()))
}

/// The seconds of the unit that was probably meant.
fn meant_unit(typed: &str) -> Option<u64> {
    if typed.is_empty() {
        return Some(1);
    }
    let spellings = || UNITS.iter().flat_map(|unit| unit.others.iter().copied().chain([unit.sign]));
    let word = nearest(typed, spellings())?;
    UNITS.iter().find(|unit| unit.sign == word || unit.others.contains(&word)).map(|unit| unit.seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        let cases = [
            ("0s", Ok("0s")),
            ("90s", Ok("1m30s")),
            ("10m", Ok("10m")),
            ("1h30m", Ok("1h30m")),
            ("1h 30m", Ok("1h30m")),
            ("5 m", Ok("5m")),
            ("24h", Ok("1d")),
            ("1w", Ok("7d")),
            ("", Err(("empty", None))),
            ("60", Err(("a number without a unit", Some("write `\"60s\"` if seconds are meant")))),
            ("5 minuts", Err(("unknown unit `minuts`", Some("write `\"5m\"`")))),
            ("5minutes", Err(("unknown unit `minutes`", Some("write `\"5m\"`")))),
            ("2H", Err(("unknown unit `H`", Some("write `\"2h\"`")))),
            ("1.5h", Err(("no whole number", Some("write `\"1h30m\"`")))),
            ("-5m", Err(("negative", None))),
            ("five minutes", Err(("no number before the unit", None))),
            ("10 parsecs", Err(("unknown unit `parsecs`", None))),
            ("99999999999999999999s", Err(("longer than a hundred years", None))),
            ("99999w", Err(("longer than a hundred years", None))),
        ];
        for (text, wanted) in cases {
            let got = parse(text);
            let got = got.as_ref().map(|duration| show(*duration)).map_err(|m| (m.found.as_str(), m.hint.as_deref()));
            assert_eq!(got.as_deref().map_err(|e| *e), wanted, "{text}");
        }
    }
}
