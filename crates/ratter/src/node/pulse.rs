//! Whether a sensor still tells something: formats drift, and logs are moved, without anybody noticing.

use std::time::Duration;

use base::Timestamp;

/// How long a sensor may bring no lines at all. A quiet night is shorter.
const SILENT_AFTER: Duration = Duration::from_hours(12);

/// How many lines it must have brought before, so that its silence means something.
const LINES_MIN: u64 = 100;

/// How long lines may come in which nothing is found.
const BLIND_AFTER: Duration = Duration::from_hours(6);

/// How many such lines there must be.
const BLIND_LINES_MIN: u64 = 10_000;

/// How many events there must have been before, so that their absence means something.
const EVENTS_MIN: u64 = 10;

/// When a sensor last told something. Made anew at each start.
#[derive(Clone, Default, Debug)]
pub(crate) struct Pulse {
    lines: u64,
    events: u64,
    last_line: Timestamp,
    last_event: Timestamp,
    lines_since_event: u64,
}

impl Pulse {
    /// So many more lines and events have come.
    pub(crate) fn saw(&mut self, now: Timestamp, lines: u64, events: u64) {
        self.lines += lines;
        self.events += events;
        self.last_line = now;
        self.lines_since_event += lines;
        if events > 0 {
            self.last_event = now;
            self.lines_since_event = 0;
        }
    }

    /// What somebody should look at.
    pub(crate) fn warning(&self, now: Timestamp) -> Option<String> {
        if self.lines >= LINES_MIN && now.since(self.last_line) >= SILENT_AFTER {
            return Some(format!("no line since {}; is the log written elsewhere?", self.last_line));
        }
        let is_blind = self.events >= EVENTS_MIN
            && self.lines_since_event >= BLIND_LINES_MIN
            && now.since(self.last_event) >= BLIND_AFTER;
        is_blind.then(|| {
            format!(
                "{} lines since {} and nothing found in them; has a format changed? `ratter unknown` shows what they say",
                self.lines_since_event, self.last_event
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_falls_silent_and_who_goes_blind() {
        let hour = |hours: u64| Timestamp::from_secs(1_000_000 + hours * 3600);
        // Lines and events at hour 0, more lines and events at an hour, and what is said at another.
        let cases = [
            ((1000, 100), (0, 1000, 100), 1, ""),
            ((1000, 100), (0, 0, 0), 11, ""),
            ((1000, 100), (0, 0, 0), 12, "no line since"),
            ((99, 50), (0, 0, 0), 99, ""),
            ((1000, 100), (7, 20_000, 0), 7, "20000 lines since"),
            ((1000, 100), (5, 20_000, 0), 5, ""),
            ((1000, 100), (7, 9_999, 0), 7, ""),
            ((1000, 9), (7, 20_000, 0), 7, ""),
            ((1000, 100), (7, 20_000, 1), 7, ""),
        ];
        for ((lines, events), (at, more, found), now, wanted) in cases {
            let mut pulse = Pulse::default();
            pulse.saw(hour(0), lines, events);
            if more > 0 {
                pulse.saw(hour(at), more, found);
            }
            let got = pulse.warning(hour(now)).unwrap_or_default();
            assert!(got.starts_with(wanted) && got.is_empty() == wanted.is_empty(), "{lines} {events} {now}: {got}");
        }
    }
}
