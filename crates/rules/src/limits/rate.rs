//! How fast a bucket leaks: `30 / 60min`.

use core::fmt;

/// Milliseconds of the units in which a rate's time is written. rspamd knows the first letter only, and takes `1M` and
/// `1w` for a second, `1ms` and `1month` for a minute.
const UNITS: [(&[&str], u64); 4] = [
    (&["s", "sec", "secs", "second", "seconds"], 1000),
    (&["m", "min", "mins", "minute", "minutes"], 60_000),
    (&["h", "hour", "hours"], 3_600_000),
    (&["d", "day", "days"], 86_400_000),
];

/// Longest time that a rate can be over, in milliseconds: a year and a day.
const TIME_MS_MAX: u64 = 366 * 86_400_000;

/// Most recipients that a rate or a burst can be about.
pub(crate) const COUNT_MAX: u64 = 1_000_000;

/// Recipients (or messages) in a time, in lowest terms.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Rate {
    count: u64,
    time_ms: u64,
}

/// Why a text is no rate, and what was probably meant.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what}")]
pub struct RateError {
    /// What is wrong.
    pub what: &'static str,
    /// What to write instead, if it can be guessed.
    pub fix: Option<String>,
}

impl Rate {
    /// So many in so many milliseconds; none if one of them is zero or beyond its limit.
    pub fn new(count: u64, time_ms: u64) -> Option<Self> {
        let fits = (1..=COUNT_MAX).contains(&count) && (1..=TIME_MS_MAX).contains(&time_ms);
        let divisor = greatest_divisor(count, time_ms);
        fits.then(|| Self { count: count / divisor, time_ms: time_ms / divisor })
    }

    /// Recipients that leak in [`Rate::time_ms`].
    pub const fn count(self) -> u64 {
        self.count
    }

    /// The time in which they leak, in milliseconds.
    pub const fn time_ms(self) -> u64 {
        self.time_ms
    }

    /// Reads `30 / 60min`. What rspamd reads and means the same is taken; what it would misread is refused with the text
    /// that was probably meant.
    pub fn parse(text: &str) -> Result<Self, RateError> {
        let fault = |what, fix: Option<String>| Err(RateError { what, fix });
        if text.trim() != text {
            return fault("blanks around the rate", Some(text.trim().to_owned()));
        }
        let Some((left, right)) = text.split_once('/') else {
            return fault("no `/` between number and time", None);
        };
        let (left, right) = (left.trim_end_matches(' '), right.trim_start_matches(' '));
        let count = match read_count(left) {
            Ok(count) => count,
            Err(RateError { what, fix }) => {
                let fix = fix.map(|fix| format!("{fix} / {right}"));
                return fault(what, fix.or_else(|| whole_rate(left, right)));
            }
        };
        let time_ms = match read_time(right) {
            Ok(time) => time,
            Err(RateError { what, fix }) => return fault(what, fix.map(|fix| format!("{left} / {fix}"))),
        };
        Self::new(count, time_ms).ok_or(RateError { what: "a rate of zero, or beyond reason", fix: None })
    }
}

/// As it is written: `1 / 1min`, `7 / 90s`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, time_ms } = *self;
        let whole = UNITS.iter().rev().find(|(_, unit)| time_ms.is_multiple_of(*unit));
        match whole {
            Some((names, unit)) => {
                let name = if *unit == 60_000 { "min" } else { names[0] };
                write!(f, "{count} / {}{name}", time_ms / unit)
            }
            None => write!(f, "{count} / {}.{:03}s", time_ms / 1000, time_ms % 1000),
        }
    }
}

/// A whole number from 1 to a million, or thousands with `k`, as rspamd takes it.
pub fn read_count(text: &str) -> Result<u64, RateError> {
    let fault = |what, fix| Err(RateError { what, fix });
    if text.starts_with(['-', '+']) {
        return fault("a sign", Some(text[1..].to_owned()).filter(|rest| read_count(rest).is_ok()));
    }
    let bare: String = text.chars().filter(|c| !matches!(c, ',' | '_' | '\'')).collect();
    if bare.len() != text.len() {
        return fault("a separator inside the number", Some(bare).filter(|bare| read_count(bare).is_ok()));
    }
    let (digits, factor) = match text.strip_suffix('k') {
        Some(digits) => (digits, 1000),
        None => (text, 1),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let whole = digits.split_once('.').filter(|(_, decimals)| decimals.bytes().all(|digit| digit == b'0'));
        let fix = whole.map(|(whole, _)| whole.to_owned()).filter(|whole| read_count(whole).is_ok());
        return fault("no whole number, such as `30` or `1k`", fix);
    }
    match digits.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)) {
        Some(0) => fault("zero", None),
        Some(number) if number <= COUNT_MAX => Ok(number),
        _ => fault("more than a million", None),
    }
}

/// The same rate with a whole number: `0.5 / 1min` is `1 / 2min`.
fn whole_rate(left: &str, right: &str) -> Option<String> {
    let (whole, decimals) = left.split_once('.').filter(|(_, decimals)| decimals.len() <= 3)?;
    let count = (whole.to_owned() + decimals).parse().ok()?;
    let time_ms = read_time(right).ok()?.checked_mul(10_u64.pow(decimals.len() as u32))?;
    Rate::new(count, time_ms).map(|rate| rate.to_string())
}

/// A time in milliseconds: a number, with up to three decimals, and a unit. Without a unit it is seconds, as in rspamd.
fn read_time(text: &str) -> Result<u64, RateError> {
    let fault = |what, fix| Err(RateError { what, fix });
    let number_length = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(number_length);
    if number.is_empty() {
        let fix = unit_of(unit).map(|_| format!("1{unit}"));
        return fault("no number before the unit", fix);
    }
    let Some(unit_ms) = unit_of(unit) else {
        let near = unit.trim();
        let lower = near.to_lowercase();
        let fix = match lower.as_str() {
            _ if near != unit && unit_of(near).is_some() => Some(format!("{number}{near}")),
            "w" | "week" | "weeks" => number.parse::<u64>().ok().map(|weeks| format!("{}d", weeks.saturating_mul(7))),
            "month" | "months" => number.parse::<u64>().ok().map(|months| format!("{}d", months.saturating_mul(30))),
            _ if lower != unit => {
                unit_of(&lower).map(|_| format!("{number}{}", if lower == "m" { "min" } else { &lower }))
            }
            _ => None,
        };
        let what = if near == unit { "no such unit; units are s, min, h and d" } else { "a blank before the unit" };
        return fault(what, fix);
    };
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let millionths = match (whole.parse::<u64>(), decimals.parse::<u64>()) {
        (Ok(whole), Ok(part)) if decimals.len() <= 3 => {
            whole.checked_mul(1000).map(|thousands| thousands + part * 10_u64.pow(3 - decimals.len() as u32))
        }
        _ => None,
    };
    let time_ms = millionths.and_then(|time| time.checked_mul(unit_ms)).map(|time| time / 1000);
    match time_ms {
        Some(0) => fault("no time at all", None),
        Some(time) if time <= TIME_MS_MAX => Ok(time),
        _ => fault("no time between a millisecond and a year", None),
    }
}

/// Milliseconds of a unit; the empty one is seconds.
fn unit_of(name: &str) -> Option<u64> {
    if name.is_empty() {
        return Some(1000);
    }
    UNITS.iter().find(|(names, _)| names.contains(&name)).map(|(_, unit)| *unit)
}

const fn greatest_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    if a == 0 { 1 } else { a }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, wanted: Result<&str, Option<&str>>) {
        let got = Rate::parse(text);
        let shown = got.as_ref().map(ToString::to_string);
        let shown = shown.as_ref().map(String::as_str).map_err(|error| error.fix.as_deref());
        assert_eq!(shown, wanted, "{text}: {got:?}");
    }

    #[test]
    fn what_rspamd_means_is_taken() {
        check("1 / 1min", Ok("1 / 1min"));
        check("1/1m", Ok("1 / 1min"));
        check("30 / 60min", Ok("1 / 2min"));
        check("5 / 1hour", Ok("1 / 12min"));
        check("5 / 1d", Ok("1 / 288min"));
        check("1k / 1h", Ok("1 / 3.600s"));
        check("1 / 0.5", Ok("1 / 0.500s"));
        check("7 / 90s", Ok("7 / 90s"));
        check("1 / 60", Ok("1 / 1min"));
    }

    #[test]
    fn what_rspamd_misreads_is_refused_with_the_fix() {
        check("10 / 1 min", Err(Some("10 / 1min")));
        check("1 / 1M", Err(Some("1 / 1min")));
        check("1/1w", Err(Some("1 / 7d")));
        check("10/1ms", Err(None));
        check("10 / 1month", Err(Some("10 / 30d")));
        check("-1 / 1m", Err(Some("1 / 1m")));
        check("1/m", Err(Some("1 / 1m")));
        check("1,000 / 1h", Err(Some("1000 / 1h")));
        check("1 / 0", Err(None));
        check(" 1/1m", Err(Some("1/1m")));
        check("1 / 1h, 5 / 1d", Err(None));
        check("1.5 / 1h", Err(Some("1 / 40min")));
        check("0.5 / 1min", Err(Some("1 / 2min")));
        check("10.0 / 1min", Err(Some("10 / 1min")));
        check("1kb / 1h", Err(None));
        check("5 per hour", Err(None));
        check("", Err(None));
        check("1 / ", Err(Some("1 /")));
        check("99999999999999999999 / 1s", Err(None));
        check("1 / 99999999999999999999d", Err(None));
        check("1 / 1.0000d", Err(None));
    }
}
