//! How many clients are held at once. Each takes a connection of the mail server, and when those are used up, it drops
//! clients that wait: Dovecot's oldest first.

use core::time::Duration;

use base::Timestamp;

use crate::Key;

/// The clients that are held, by the end of their time: nobody tells us when one goes away earlier, and Dovecot waits
/// the time out in any case.
#[derive(Debug)]
pub(crate) struct Tarpits {
    held: Vec<(Timestamp, Option<Key>)>,
    max: usize,
    per_address_max: usize,
}

impl Tarpits {
    pub(crate) fn new(max: usize, per_address_max: usize) -> Self {
        Self { held: Vec::with_capacity(max), max, per_address_max }
    }

    /// Whether one more from this address may be held; then it counts until its time is over.
    pub(crate) fn enter(&mut self, now: Timestamp, address: Option<Key>, span: Duration) -> bool {
        self.held.retain(|(end, _)| *end > now);
        let from_there = self.held.iter().filter(|(_, other)| *other == address).count();
        let is_room = self.held.len() < self.max && from_there < self.per_address_max;
        if is_room {
            self.held.push((now.plus(span), address));
        }
        is_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Keys;

    #[test]
    fn both_limits_hold_until_the_time_is_over() {
        let keys = Keys::new([1; 16]);
        let mut tarpits = Tarpits::new(3, 2);
        // At which second, from whom; may it be held for 60 s?
        let cases = [
            (0, Some(1), true),
            (1, Some(1), true),
            (2, Some(1), false),
            (2, Some(2), true),
            (3, Some(3), false),
            (3, None, false),
            (59, Some(3), false),
            (60, Some(3), true),
            (60, Some(1), false),
            (61, Some(1), true),
        ];
        for (second, who, wanted) in cases {
            let now = Timestamp::from_secs(1000 + second);
            let got = tarpits.enter(now, who.map(|n| keys.number(n)), Duration::from_mins(1));
            assert_eq!(got, wanted, "{second} {who:?}");
        }
    }
}
