//! From what a line shows to a moment: zone, daylight saving, and the year that RFC 3164 leaves out.

use core::time::Duration;

use base::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use super::{Civil, Stamp};

/// How far behind the clock a line may be and still have been written just now: syslog stamps have whole seconds, and a
/// line is on its way for a moment.
const FRESH: Duration = Duration::from_secs(2);

/// How far ahead of its arrival a line without year may be before the year before is meant.
const AHEAD_MAX: Duration = Duration::from_hours(24);

/// How many years back a day that the year has not (29 February) is looked for; 1896 and 1904 are the farthest leap years.
const YEARS_BACK_MAX: i16 = 8;

/// The moment an event happened that is read at `now` from a line stamped `stamp`.
///
/// Stamps of whole seconds would put five guesses of one second at one moment, and a clock of another host may be off. So
/// what is fresh happened now; what is older is a backlog and happened when it says; nothing happens in the future.
pub fn arrival(now: Timestamp, stamp: Option<Timestamp>) -> Timestamp {
    match stamp {
        Some(stamp) if stamp < now.minus(FRESH) => stamp,
        _ => now,
    }
}

/// Turns stamps of one log into moments.
#[derive(Debug)]
pub struct Clock {
    zone: TimeZone,
    /// The last reading, because lines of one second follow each other.
    cached: Option<Cached>,
    /// The last moment that was made of a reading: a log goes forward, which tells the two hours of an autumn night apart.
    last: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Cached {
    /// The reading, to the second.
    civil: Civil,
    /// The hour of the arrival for which the year was chosen.
    hour: u64,
    /// Its moment.
    moment: Timestamp,
}

impl Clock {
    /// A clock for lines whose stamps without offset are in `zone`.
    pub const fn new(zone: TimeZone) -> Self {
        Self { zone, cached: None, last: Timestamp::EPOCH }
    }

    /// The moment of `stamp`; `arrival` is when the line was read or, for an old log, when the log was last written.
    /// None if the stamp is missing, shows a day that is none, or lies before 1970.
    pub fn resolve(&mut self, stamp: Stamp, arrival: Timestamp) -> Option<Timestamp> {
        let civil = match stamp {
            Stamp::Missing => return None,
            Stamp::Moment(moment) => return Some(moment),
            Stamp::Wall(civil) => civil,
        };
        let millis = Duration::from_millis(civil.millis.into());
        let civil = Civil { millis: 0, ..civil };
        let hour = arrival.as_millis() / Duration::from_hours(1).as_millis() as u64;
        if let Some(cached) = &self.cached
            && cached.civil == civil
            && cached.hour == hour
        {
            return Some(if millis.is_zero() { cached.moment } else { cached.moment.plus(millis) });
        }
        let moment = match civil.year {
            Some(year) => self.in_year(civil, i16::try_from(year).ok()?, arrival)?,
            None => self.in_nearest_year(civil, arrival)?,
        };
        self.last = moment;
        self.cached = Some(Cached { civil, hour, moment });
        Some(moment.plus(millis))
    }

    /// The latest year in which the reading is not beyond the arrival by more than clocks differ: at New Year a line of
    /// 31 December read on 1 January is last year's, and a line of 1 January from a clock ahead is next year's.
    fn in_nearest_year(&self, civil: Civil, arrival: Timestamp) -> Option<Timestamp> {
        let this_year = jiff_timestamp(arrival)?.to_zoned(self.zone.clone()).year();
        (0..=YEARS_BACK_MAX + 1)
            .filter_map(|back| self.in_year(civil, this_year + 1 - back, arrival))
            .find(|moment| *moment <= arrival.plus(AHEAD_MAX))
    }

    /// The moment at which clocks of the zone showed the reading in `year`.
    fn in_year(&self, civil: Civil, year: i16, arrival: Timestamp) -> Option<Timestamp> {
        let date = Date::new(year, civil.month.cast_signed(), civil.day.cast_signed()).ok()?;
        let wall = date.at(civil.hour.cast_signed(), civil.minute.cast_signed(), civil.second.cast_signed(), 0);
        match self.zone.to_ambiguous_timestamp(wall).offset() {
            AmbiguousOffset::Unambiguous { offset } => moment(wall, offset),
            // A reading that clocks jumped over comes from a clock that was not put forward yet.
            AmbiguousOffset::Gap { before, .. } => moment(wall, before),
            AmbiguousOffset::Fold { before, after } => {
                Some(self.of_the_two(moment(wall, before)?, moment(wall, after)?, arrival))
            }
        }
    }

    /// Which of the two moments of an hour that came twice: not one in the future; the later one if it is just now;
    /// in a backlog the earlier one, until the log has gone past it.
    fn of_the_two(&self, earlier: Timestamp, later: Timestamp, arrival: Timestamp) -> Timestamp {
        /// How old a line may be and still count as just now.
        const JUST_NOW: Duration = Duration::from_mins(2);
        /// How far lines of a log may stand out of order.
        const DISORDER_MAX: Duration = Duration::from_mins(5);
        let is_future = later > arrival.plus(FRESH);
        let is_now = arrival.since(later) <= JUST_NOW;
        let is_past_the_earlier = earlier.plus(DISORDER_MAX) < self.last;
        if !is_future && (is_now || is_past_the_earlier) { later } else { earlier }
    }
}

fn moment(wall: DateTime, offset: Offset) -> Option<Timestamp> {
    let millis = offset.to_timestamp(wall).ok()?.as_millisecond();
    u64::try_from(millis).ok().map(Timestamp::from_millis)
}

fn jiff_timestamp(moment: Timestamp) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(i64::try_from(moment.as_millis()).ok()?).ok()
}
