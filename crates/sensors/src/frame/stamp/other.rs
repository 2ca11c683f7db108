//! The stamps of logs that daemons write themselves.
//!
//! | form | who |
//! |---|---|
//! | `Sat Dec 28 19:03:53 2013` | `ctime()`: `OpenWebmail`, vsftpd, `ProFTPD` |
//! | `Apr-07-13 07:14:36` | ASSP |
//! | `2026/11/21 07:44:14` | nginx |
//! | `22.06.2014 09:56:12`, `06/22/2014 09:56:12`, `22-06-2014 09:56:12` | Domino (also `07:44:14 AM`), `SquirrelMail` |
//! | `1795247054`, `1795247054.120` | seconds since 1970 |
//! | `[21-Nov-2026 07:44:14 +0100]: `, `[21/Nov/2026 07:44:14]`, `[21/Nov/2026:07:44:14 +0100]` | Roundcube, Kerio, Apache |
//! | `[21-Nov-2026 07:44:14 UTC]`, `[21-Nov-2026 07:44:14 Europe/Berlin]` | PHP's `error_log` |
//! | `Sat 2026-11-21 07:44:14 CET` | `journalctl -o short-full` |
//! | `[Thu Jul 11 01:21:41 2013]`, `[2026-11-21 07:44:14,112]` | Apache, Python |
//! | `[28325:00010-3735542592] 22.06.2014 09:56:12` | Domino with the process first |
//! | `"SMTPD"⇥THREAD⇥SESSION⇥"2026-11-21 07:44:14.124"⇥…` | hMailServer |
//! | `<co ts="2026-11-21T07:44:14.94"` | Oracle IMS |
//! | `type=USER_AUTH msg=audit(1383116263.000:603): ` | the audit daemon |

use super::{Civil, Stamp, digit, ends_well, fraction, iso, moment, month, offset, time_of_day, two_at};
use base::Timestamp;

/// A stamp and the place where it ends.
type Found = Option<(Stamp, usize)>;

/// Forms that begin with a letter.
pub(super) fn lettered(bytes: &[u8]) -> Found {
    ctime(bytes).or_else(|| weekday_iso(bytes)).or_else(|| assp(bytes))
}

/// Forms that begin with a digit.
pub(super) fn numbered(bytes: &[u8]) -> Found {
    slashed(bytes).or_else(|| day_first(bytes)).or_else(|| epoch(bytes))
}

/// What follows `Sat `.
fn behind_weekday(bytes: &[u8]) -> Option<&[u8]> {
    let is_weekday = matches!(bytes.get(..4)?, b"Mon " | b"Tue " | b"Wed " | b"Thu " | b"Fri " | b"Sat " | b"Sun ");
    if is_weekday { bytes.get(4..) } else { None }
}

/// `Sat 2026-11-21 07:44:14 CET `, as `journalctl -o short-full` writes it.
fn weekday_iso(bytes: &[u8]) -> Found {
    let (stamp, end) = iso(behind_weekday(bytes)?)?;
    let at = 4 + end;
    let Stamp::Wall(_) = stamp else { return Some((stamp, at)) };
    let Some((stamp, end)) = zone_name(bytes, at, stamp) else { return Some((stamp, at)) };
    (bytes.get(end) == Some(&b' ')).then_some((stamp, end))
}

/// The stamp with the name of the zone that follows it and a space, and where that ends. Of names only `UTC` and `GMT` tell what
/// zone it is; any other is the log's.
fn zone_name(bytes: &[u8], at: usize, stamp: Stamp) -> Found {
    /// Longer than any name in the database of zones.
    const NAME_BYTES_MAX: usize = 40;
    let inside = bytes.get(at..)?.strip_prefix(b" ")?;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'+');
    let length = inside.iter().take(NAME_BYTES_MAX).take_while(|byte| is_name(byte)).count();
    let name = inside.get(..length).filter(|name| name.first().is_some_and(u8::is_ascii_uppercase))?;
    let stamp = match (stamp, name) {
        (Stamp::Wall(civil), b"UTC" | b"GMT") => Stamp::Moment(moment(civil, 0)?),
        _ => stamp,
    };
    Some((stamp, at + 1 + length))
}

/// `Sat Dec 28 19:03:53 2013`, also with a fraction behind the seconds.
fn ctime(bytes: &[u8]) -> Found {
    let (stamp, end) = super::rfc3164(behind_weekday(bytes)?)?;
    let Stamp::Wall(civil) = stamp else { return None };
    let at = 4 + end;
    let year = (bytes.get(at) == Some(&b' ')).then(|| year_at(bytes, at + 1)).flatten()?;
    ends_well(bytes, at + 5).then_some((Stamp::Wall(Civil { year: Some(year), ..civil }), at + 5))
}

/// `Apr-07-13 07:14:36`: month, day, and year in this century.
fn assp(bytes: &[u8]) -> Found {
    let month = month(*bytes.first_chunk()?)?;
    if bytes.get(3) != Some(&b'-') || bytes.get(6) != Some(&b'-') || bytes.get(9) != Some(&b' ') {
        return None;
    }
    let year = 2000 + u16::from(two_at(bytes, 7)?);
    wall(bytes, year, month, two_at(bytes, 4)?, 10)
}

/// `2026/11/21 07:44:14`.
fn slashed(bytes: &[u8]) -> Found {
    if bytes.get(4) != Some(&b'/') || bytes.get(7) != Some(&b'/') || bytes.get(10) != Some(&b' ') {
        return None;
    }
    wall(bytes, year_at(bytes, 0)?, two_at(bytes, 5)?, two_at(bytes, 8)?, 11)
}

/// `22.06.2014 09:56:12` and `22-06-2014 09:56:12` with the day first; `06/22/2014 09:56:12` with the month first, unless
/// that cannot be.
fn day_first(bytes: &[u8]) -> Found {
    let separator = *bytes.get(2)?;
    if !matches!(separator, b'.' | b'/' | b'-') || bytes.get(5) != Some(&separator) || bytes.get(10) != Some(&b' ') {
        return None;
    }
    let (first, second, year) = (two_at(bytes, 0)?, two_at(bytes, 3)?, year_at(bytes, 6)?);
    let (day, month) = if separator == b'/' && first <= 12 { (second, first) } else { (first, second) };
    wall(bytes, year, month, day, 11)
}

/// Seconds since 1970, of ten digits (2001 to 2286), with a fraction if there is one.
fn epoch(bytes: &[u8]) -> Found {
    let (stamp, end) = epoch_at(bytes, 0)?;
    ends_well(bytes, end).then_some((stamp, end))
}

fn epoch_at(bytes: &[u8], from: usize) -> Found {
    let mut seconds = 0;
    for at in from..from + 10 {
        seconds = seconds * 10 + u64::from(digit(bytes, at)?);
    }
    let (millis, end) = fraction(bytes, from + 10);
    if seconds < 1_000_000_000 || digit(bytes, end).is_some() {
        return None;
    }
    Some((Stamp::Moment(Timestamp::from_millis(seconds * 1000 + u64::from(millis))), end))
}

/// Forms in brackets. What ends them is the bracket with a colon or not.
pub(super) fn bracketed(bytes: &[u8]) -> Found {
    let inside = bytes.get(1..)?;
    let (stamp, end) = match inside.first()? {
        b'A'..=b'Z' => ctime(inside)?,
        _ => iso(inside).or_else(|| common_log(inside)).or_else(|| after_process(bytes))?,
    };
    // Found after `[process] `, which is without brackets of its own.
    if bytes.get(end) == Some(&b' ') && bytes.get(..end).is_some_and(|before| before.contains(&b']')) {
        return Some((stamp, end));
    }
    let at = 1 + end;
    match bytes.get(at..)? {
        [b']', b':', ..] => Some((stamp, at + 2)),
        [b']', ..] => Some((stamp, at + 1)),
        _ => None,
    }
}

/// `21/Nov/2026:07:44:14 +0100`, with `-` for the slashes, a space for the colon, without the offset.
fn common_log(bytes: &[u8]) -> Found {
    let separator = *bytes.get(2)?;
    if !matches!(separator, b'/' | b'-')
        || bytes.get(6) != Some(&separator)
        || !matches!(bytes.get(11), Some(b':' | b' '))
    {
        return None;
    }
    let month = month(*bytes.get(3..)?.first_chunk()?)?;
    let (stamp, at) = wall(bytes, year_at(bytes, 7)?, month, two_at(bytes, 0)?, 12)?;
    let Stamp::Wall(civil) = stamp else { return None };
    if bytes.get(at) != Some(&b' ') {
        return Some((stamp, at));
    }
    match offset(bytes, at + 1) {
        Some((seconds_east, end)) => Some((Stamp::Moment(moment(civil, seconds_east)?), end)),
        None if bytes.get(at + 1) == Some(&b']') => Some((stamp, at + 1)),
        None => zone_name(bytes, at, stamp),
    }
}

/// `[28325:00010-3735542592] ` and a stamp that begins with a digit; the place is that of the whole line.
fn after_process(bytes: &[u8]) -> Found {
    /// Longest name of a process: three numbers and what separates them.
    const PROCESS_BYTES_MAX: usize = 48;
    let is_process = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'-');
    let length = bytes.iter().skip(1).take(PROCESS_BYTES_MAX).take_while(|byte| is_process(**byte)).count();
    let from = 1 + length + 2;
    if bytes.get(1 + length..from) != Some(b"] ") {
        return None;
    }
    let rest = bytes.get(from..)?;
    let (stamp, end) = iso(rest).or_else(|| slashed(rest)).or_else(|| day_first(rest))?;
    (bytes.get(from + end) == Some(&b' ')).then_some((stamp, from + end))
}

/// Stamps inside a line: Oracle IMS, hMailServer and the audit daemon. The line is its own message.
pub(super) fn within(bytes: &[u8]) -> Found {
    const ORACLE: &[u8] = b"<co ts=\"";
    const AUDIT: &[u8] = b" msg=audit(";
    /// Longer than hMailServer's first three columns ever are.
    const COLUMNS_BYTES_MAX: usize = 64;
    if bytes.first() == Some(&b'"') {
        let tabs = bytes.iter().enumerate().take(COLUMNS_BYTES_MAX).filter(|(_, byte)| **byte == b'\t');
        let (third, _) = tabs.into_iter().nth(2)?;
        return Some((iso(bytes.get(third + 1..)?.strip_prefix(b"\"")?)?.0, 0));
    }
    if let Some(rest) = bytes.strip_prefix(ORACLE) {
        return Some((iso(rest)?.0, 0));
    }
    let rest = bytes.strip_prefix(b"type=")?;
    let name = rest.iter().take(32).take_while(|byte| byte.is_ascii_uppercase() || **byte == b'_').count();
    let from = 5 + name + AUDIT.len();
    (bytes.get(5 + name..from) == Some(AUDIT)).then_some((epoch_at(bytes, from)?.0, 0))
}

fn year_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from(two_at(bytes, at)?) * 100 + u16::from(two_at(bytes, at + 2)?))
}

/// The reading of that day with the time of day at `at`, by a clock of 24 hours, or of twelve with `AM` or `PM`.
fn wall(bytes: &[u8], year: u16, month: u8, day: u8, at: usize) -> Found {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (hour, minute, second) = time_of_day(*bytes.get(at..)?.first_chunk()?)?;
    let (millis, end) = fraction(bytes, at + 8);
    let (hour, end) = match (bytes.get(end..end + 3), hour) {
        (Some(b" AM"), 1..=12) => (hour % 12, end + 3),
        (Some(b" PM"), 1..=12) => (hour % 12 + 12, end + 3),
        _ => (hour, end),
    };
    let civil = Civil { year: Some(year), month, day, hour, minute, second, millis };
    ends_well(bytes, end).then_some((Stamp::Wall(civil), end))
}
