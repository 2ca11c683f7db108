//! The time that a log line carries, as written: which zone and which year it means is the clock's to say.

mod other;

use core::ops::Range;
use core::time::Duration;

use base::Timestamp;

/// The time of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stamp {
    /// The line carries none that is understood.
    Missing,
    /// A moment: it came with an offset, or counts from a fixed one.
    Moment(Timestamp),
    /// What a clock on the wall showed, without zone.
    Wall(Civil),
}

/// A reading of a clock on the wall. Its fields are in range one by one; whether the day exists in the year is not yet known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Civil {
    /// The year; none where the form has none (RFC 3164).
    pub year: Option<u16>,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59; a leap second is read as 59.
    pub second: u8,
    /// 0 to 999.
    pub millis: u16,
}

impl Stamp {
    /// The stamp of that hour with these minutes, seconds and milliseconds for none.
    pub(super) fn later(self, (minute, second, millis): (u8, u8, u16)) -> Option<Self> {
        match self {
            Self::Missing => None,
            Self::Moment(hour) => Some(Self::Moment(hour.plus(length(minute, second, millis)))),
            Self::Wall(hour) => Some(Self::Wall(Civil { minute, second, millis, ..hour })),
        }
    }

    /// The stamp without the minutes, seconds and milliseconds that it has.
    pub(super) fn earlier(self, (minute, second, millis): (u8, u8, u16)) -> Option<Self> {
        match self {
            Self::Missing => None,
            Self::Moment(moment) => {
                let hour = moment.minus(length(minute, second, millis));
                (hour.plus(length(minute, second, millis)) == moment).then_some(Self::Moment(hour))
            }
            Self::Wall(civil) => Some(Self::Wall(Civil { minute: 0, second: 0, millis: 0, ..civil })),
        }
    }
}

fn length(minute: u8, second: u8, millis: u16) -> Duration {
    Duration::from_millis((u64::from(minute) * 60 + u64::from(second)) * 1000 + u64::from(millis))
}

/// Where `44:14` or `44:14.123456` stands that begins at `at`, as far as it goes.
pub(super) fn minute(bytes: &[u8], at: usize) -> Range<usize> {
    at..fraction(bytes, at + "44:14".len()).1
}

/// The minute, the second and the milliseconds that the text shows as a whole: `44:14`, `44:14.123456`.
pub(super) fn within_hour(text: &[u8]) -> Option<(u8, u8, u16)> {
    let [m0, m1, b':', s0, s1] = *text.first_chunk()? else { return None };
    let (minute, second) = (two([m0, m1])?, two([s0, s1])?);
    let (millis, end) = fraction(text, "44:14".len());
    (minute < 60 && second < 60 && end == text.len()).then_some((minute, second, millis))
}

/// The stamp at the beginning of `line` and what follows it.
pub(super) fn read(line: &[u8]) -> (Stamp, &[u8]) {
    let found = match line.first() {
        Some(b'A'..=b'Z') => rfc3164(line).or_else(|| other::lettered(line)),
        Some(b'0'..=b'9') => iso(line).or_else(|| other::numbered(line)),
        Some(b'@') => tai64n(line),
        Some(b'[') => other::bracketed(line),
        Some(b'<' | b't' | b'"') => other::within(line),
        _ => None,
    };
    match found {
        Some((stamp, end)) => (stamp, line.get(end..).unwrap_or(b"")),
        None => (Stamp::Missing, line),
    }
}

/// Whether `line` begins with a stamp of RFC 3164 or ISO 8601, which is over where it ends, whatever follows.
pub(super) fn is_syslog(line: &[u8]) -> bool {
    match line.first() {
        Some(b'A'..=b'Z') => rfc3164(line).is_some(),
        Some(b'0'..=b'9') => iso(line).is_some(),
        _ => false,
    }
}

/// `Nov 21 07:44:14`, with one or two digits and one or two spaces for the day, and a fraction if there is one.
fn rfc3164(bytes: &[u8]) -> Option<(Stamp, usize)> {
    let month = month(*bytes.first_chunk()?)?;
    let (gap, rest) = match bytes.get(3..)? {
        [b' ', b' ', rest @ ..] => (2, rest),
        [b' ', rest @ ..] => (1, rest),
        _ => return None,
    };
    let (day, digits, rest) = match rest {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9', b' ', rest @ ..] => ((tens - b'0') * 10 + (ones - b'0'), 2, rest),
        [ones @ b'0'..=b'9', b' ', rest @ ..] => (ones - b'0', 1, rest),
        _ => return None,
    };
    let (hour, minute, second) = time_of_day(*rest.first_chunk()?)?;
    let (millis, at) = fraction(bytes, 3 + gap + digits + 1 + 8);
    let civil = Civil { year: None, month, day, hour, minute, second, millis };
    ((1..=31).contains(&day) && ends_well(bytes, at)).then_some((Stamp::Wall(civil), at))
}

/// `2026-11-21T07:44:14`, or with a space for the `T`; then a fraction and an offset if there are any, this also behind a
/// space.
fn iso(bytes: &[u8]) -> Option<(Stamp, usize)> {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T' | b't' | b' ', time @ ..] = bytes.first_chunk::<19>()? else {
        return None;
    };
    let year = u16::from(two([*y0, *y1])?) * 100 + u16::from(two([*y2, *y3])?);
    let (month, day) = (two([*m0, *m1])?, two([*d0, *d1])?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (hour, minute, second) = time_of_day(*time.first_chunk()?)?;
    let (millis, at) = fraction(bytes, 19);
    let civil = Civil { year: Some(year), month, day, hour, minute, second, millis };
    let (stamp, at) = match offset(bytes, at).or_else(|| spaced_offset(bytes, at)) {
        Some((seconds_east, at)) => (Stamp::Moment(moment(civil, seconds_east)?), at),
        None => (Stamp::Wall(civil), at),
    };
    ends_well(bytes, at).then_some((stamp, at))
}

/// The offset of ` +0100`, as Exim writes it (`log_timezone`).
fn spaced_offset(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    let is_spaced = matches!(bytes.get(at..at + 2)?, b" +" | b" -");
    offset(bytes, at + usize::from(is_spaced)).filter(|(_, end)| is_spaced && *end == at + 6)
}

/// `@` and 24 hexadecimal digits, as multilog writes: 8 bytes of seconds counted from 2^62 + 10 at the epoch (daemontools
/// adds the ten seconds by which TAI was ahead in 1970 and knows no leap seconds), and 4 of nanoseconds.
fn tai64n(bytes: &[u8]) -> Option<(Stamp, usize)> {
    const EPOCH: u64 = (1 << 62) + 10;
    let hex = |range: Range<usize>| {
        bytes.get(range)?.iter().try_fold(0u64, |sum, &byte| Some(sum << 4 | u64::from(char::from(byte).to_digit(16)?)))
    };
    let (seconds, nanos) = (hex(1..17)?.checked_sub(EPOCH)?, hex(17..25)?);
    let millis = seconds.checked_mul(1000)?.checked_add((nanos / 1_000_000).min(999))?;
    ends_well(bytes, 25).then_some((Stamp::Moment(Timestamp::from_millis(millis)), 25))
}

/// A stamp is over where the line is, at a space, a colon or a separator of columns: `12:30:45abc` is none.
fn ends_well(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at), None | Some(b' ' | b':' | b'\t' | b',' | b'|' | b'"' | b']'))
}

fn digit(bytes: &[u8], at: usize) -> Option<u8> {
    let value = bytes.get(at)?.wrapping_sub(b'0');
    (value < 10).then_some(value)
}

const fn two(digits: [u8; 2]) -> Option<u8> {
    let (tens, ones) = (digits[0].wrapping_sub(b'0'), digits[1].wrapping_sub(b'0'));
    if tens < 10 && ones < 10 { Some(tens * 10 + ones) } else { None }
}

fn two_at(bytes: &[u8], at: usize) -> Option<u8> {
    two(*bytes.get(at..)?.first_chunk()?)
}

/// `07:44:14`.
fn time_of_day(text: [u8; 8]) -> Option<(u8, u8, u8)> {
    let [h0, h1, b':', m0, m1, b':', s0, s1] = text else { return None };
    let (hour, minute, second) = (two([h0, h1])?, two([m0, m1])?, two([s0, s1])?);
    // A leap second is told as the second before, because calendars of 60-second minutes have no place for it.
    (hour < 24 && minute < 60 && second <= 60).then_some((hour, minute, second.min(59)))
}

/// The milliseconds of `.123456` or `,123` at `at` and where it ends; 0 if there is none.
fn fraction(bytes: &[u8], at: usize) -> (u16, usize) {
    if !matches!(bytes.get(at), Some(b'.' | b',')) || digit(bytes, at + 1).is_none() {
        return (0, at);
    }
    let (mut millis, mut place, mut end) = (0, 100, at + 1);
    while let Some(value) = digit(bytes, end) {
        millis += u16::from(value) * place;
        place /= 10;
        end += 1;
    }
    (millis, end)
}

/// The seconds east of Greenwich of `Z`, `+01:00`, `+0100` or `-05` at `at`, and where it ends.
fn offset(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    let sign = match bytes.get(at)? {
        b'Z' | b'z' => return Some((0, at + 1)),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hours = i64::from(two_at(bytes, at + 1)?);
    let colon = usize::from(bytes.get(at + 3) == Some(&b':'));
    let (minutes, end) = match two_at(bytes, at + 3 + colon) {
        Some(minutes) => (i64::from(minutes), at + 5 + colon),
        None => (0, at + 3),
    };
    (hours < 24 && minutes < 60).then_some((sign * (hours * 60 + minutes) * 60, end))
}

/// The moment at which a clock `seconds_east` of Greenwich showed `civil`; none before 1970.
fn moment(civil: Civil, seconds_east: i64) -> Option<Timestamp> {
    let days = days_from_civil(i64::from(civil.year?), i64::from(civil.month), i64::from(civil.day));
    let seconds = i64::from(civil.hour) * 3600 + i64::from(civil.minute) * 60 + i64::from(civil.second);
    let since_epoch = u64::try_from(days * 86_400 + seconds - seconds_east).ok()?;
    Some(Timestamp::from_millis(since_epoch * 1000 + u64::from(civil.millis)))
}

/// Days since 1970-01-01 of a day of the Gregorian calendar (Howard Hinnant's `days_from_civil`, years not negative). A day
/// that the month has not is taken as one of the next month; offsets are rare enough beside impossible days.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The number of an English month of three letters, which every syslog writes whatever the locale.
fn month(name: [u8; 3]) -> Option<u8> {
    Some(match &name {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    })
}
