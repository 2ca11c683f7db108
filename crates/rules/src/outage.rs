//! Tells an outage of the password database from an attack on everybody: passwords that were right a moment ago fail
//! for many owners at once, at their usual places, or cannot be checked. Dovecot 2.3 reports such an outage as wrong
//! passwords, later ones say what it is.
//!
//! Only known places count, because whoever sprays passwords from elsewhere hits a 12-bit tag once in 4096 times, or tries
//! logins at which the database stumbles, and could stop the counting by doing so fast.

use core::time::Duration;

use base::Timestamp;

use crate::{Key, Keys, Shape, Windows, keys::tag_of};

/// Different logins that make an outage.
pub const OUTAGE_LOGINS: u16 = 5;
/// Within this time.
pub const OUTAGE_WITHIN: Duration = Duration::from_secs(10);
/// Nothing is counted for so long then.
pub const OUTAGE_PAUSE: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(crate) struct Outage {
    window: Windows,
    key: Key,
    paused_until: Timestamp,
}

impl Outage {
    pub(crate) fn new(keys: &Keys) -> Self {
        let shape = Shape { count: OUTAGE_LOGINS, distinct: OUTAGE_LOGINS, span: OUTAGE_WITHIN };
        Self { window: Windows::new(&[shape], 1), key: keys.number(0), paused_until: Timestamp::EPOCH }
    }

    /// At a known place the present password of a login failed, or could not be checked. Returns the end of the pause if this begins one.
    pub(crate) fn owner_failed(&mut self, at: Timestamp, login: Key) -> Option<Timestamp> {
        self.window.observe(self.key, 0, at, [tag_of(login)])?;
        self.paused_until = self.paused_until.max(at.plus(OUTAGE_PAUSE));
        Some(self.paused_until)
    }
}

/// Whether a moment lies in the pause that ends at `paused_until`.
pub(crate) fn is_in_pause(at: Timestamp, paused_until: Timestamp) -> bool {
    at < paused_until && paused_until.since(at) <= OUTAGE_PAUSE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_owners_within_ten_seconds() {
        let keys = Keys::new([1; 16]);
        let run = |script: &[(u64, u64)]| {
            let mut outage = Outage::new(&keys);
            let hit = |(at, login): &(u64, u64)| outage.owner_failed(Timestamp::from_secs(*at), keys.number(*login));
            script.iter().filter_map(hit).last().map(Timestamp::as_secs)
        };
        assert_eq!(run(&[(100, 1), (101, 2), (102, 3), (103, 4), (104, 5)]), Some(164));
        assert_eq!(run(&[(100, 1), (101, 2), (102, 3), (103, 4), (110, 5)]), Some(170));
        assert_eq!(run(&[(100, 1), (101, 2), (102, 3), (103, 4), (111, 5)]), None);
        assert_eq!(run(&[(100, 1), (101, 1), (102, 1), (103, 1), (104, 1), (105, 1)]), None);
        assert_eq!(run(&[(100, 1), (100, 2), (101, 2), (102, 2), (102, 2), (102, 3), (102, 4), (103, 5)]), Some(163));
    }

    #[test]
    fn the_pause_has_two_ends() {
        let until = Timestamp::from_secs(164);
        let cases = [(103, false), (104, true), (163, true), (164, false)];
        for (at, wanted) in cases {
            assert_eq!(is_in_pause(Timestamp::from_secs(at), until), wanted, "{at}");
        }
    }
}
